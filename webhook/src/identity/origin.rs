//! Does an object come from the origin that its template's stamp names? Exactly, never by a prefix.

use kube2hadoop_stamp::{ObjectName, Origin, is_generated_from};

use crate::pod::Metadata;

const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// What a controller's object says of where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Owned<'a> {
    pub api_version: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
    /// Label pod-template-hash of the object.
    pub hash: Option<&'a str>,
}

impl<'a> Owned<'a> {
    /// From the controlling owner reference; none where nothing controls the object.
    pub fn of(metadata: &'a Metadata<'a>) -> Option<Self> {
        let owner = metadata.controller()?;
        Some(Self {
            api_version: &owner.api_version,
            kind: &owner.kind,
            name: &owner.name,
            hash: metadata.label(POD_TEMPLATE_HASH),
        })
    }

    /// The name of the origin: the owner's own, or its Deployment's where the owner is a ReplicaSet of one.
    fn origin_name(&self, origin: &Origin) -> Option<&'a str> {
        if self.is(&origin.api_version, &origin.kind) {
            return Some(self.name);
        }
        let of_deployment = origin.kind == "Deployment" && self.is("apps/v1", "ReplicaSet");
        let suffix = self.hash.filter(|hash| of_deployment && !hash.is_empty())?;
        self.name.strip_suffix(suffix)?.strip_suffix('-')
    }

    fn is(&self, api_version: &str, kind: &str) -> bool {
        self.api_version == api_version && self.kind == kind
    }
}

/// Is `origin` what the object comes from?
pub fn fits(origin: &Origin, owned: &Owned<'_>) -> bool {
    let Some(name) = owned.origin_name(origin) else {
        return false;
    };
    match &origin.name {
        ObjectName::Name(wanted) => wanted == name,
        ObjectName::GenerateName(prefix) => is_generated_from(name, prefix),
    }
}

/// The origin with the name that the API server made for it meanwhile.
pub fn resolved(origin: &Origin, owned: &Owned<'_>) -> Origin {
    let name = owned
        .origin_name(origin)
        .map(|name| ObjectName::Name(name.to_owned()));
    Origin {
        name: name.unwrap_or_else(|| origin.name.clone()),
        ..origin.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(api_version: &str, kind: &str, name: ObjectName) -> Origin {
        Origin {
            api_version: api_version.into(),
            kind: kind.into(),
            name,
        }
    }

    fn named(kind: &str, name: &str) -> Origin {
        origin("apps/v1", kind, ObjectName::Name(name.into()))
    }

    fn replica_set<'a>(name: &'a str, hash: &'a str) -> Owned<'a> {
        Owned {
            api_version: "apps/v1",
            kind: "ReplicaSet",
            name,
            hash: Some(hash),
        }
    }

    #[test]
    fn a_deployments_pod_names_its_replica_set() {
        let web = named("Deployment", "web");
        assert!(fits(&web, &replica_set("web-68f6497d76", "68f6497d76")));
        assert!(!fits(
            &web,
            &replica_set("web-two-68f6497d76", "68f6497d76")
        ));
        assert!(!fits(
            &web,
            &replica_set("web-two-68f6497d76", "two-68f6497d76-")
        ));
        assert!(!fits(&web, &replica_set("web-68f6497d76", "")));
        assert!(!fits(&web, &replica_set("web-68f6497d76", "other")));
    }

    #[test]
    fn kind_and_group_count() {
        let job = origin("batch/v1", "Job", ObjectName::Name("etl".into()));
        let owned = |api_version, kind| Owned {
            api_version,
            kind,
            name: "etl",
            hash: None,
        };
        assert!(fits(&job, &owned("batch/v1", "Job")));
        assert!(!fits(&job, &owned("evil.org/v1", "Job")));
        assert!(!fits(&job, &owned("batch/v1", "CronJob")));
    }

    #[test]
    fn a_generated_name_is_resolved() {
        let job = origin("batch/v1", "Job", ObjectName::GenerateName("etl-".into()));
        let owned = Owned {
            api_version: "batch/v1",
            kind: "Job",
            name: "etl-x7k2p",
            hash: None,
        };
        assert!(fits(&job, &owned));
        assert_eq!(
            resolved(&job, &owned).name,
            ObjectName::Name("etl-x7k2p".into())
        );
        assert!(!fits(
            &job,
            &Owned {
                name: "etl-two-x7k2p",
                ..owned
            }
        ));
    }
}
