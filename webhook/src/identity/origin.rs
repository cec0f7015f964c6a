//! Does an object come from the origin that its template's stamp names? Exactly, never by a prefix.

use kube2hadoop_stamp::{ObjectName, Origin, is_generated_from};

use crate::pod::{Metadata, OwnerReference};
use crate::review::Entries;

/// Whose pods a ReplicaSet owns: group and kind, and the label with the hash that ends the ReplicaSet's name.
const BY_REPLICA_SETS: [(&str, &str, &str); 2] = [
    ("apps", "Deployment", "pod-template-hash"),
    ("argoproj.io", "Rollout", "rollouts-pod-template-hash"),
];

/// As [`ObjectName`], borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called<'a> {
    Name(&'a str),
    /// The API server has yet to make a name of it.
    GenerateName(&'a str),
}

impl<'a> From<&'a ObjectName> for Called<'a> {
    fn from(name: &'a ObjectName) -> Self {
        match name {
            ObjectName::Name(name) => Self::Name(name),
            ObjectName::GenerateName(prefix) => Self::GenerateName(prefix),
        }
    }
}

/// What a controller's object says of where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Owned<'a> {
    pub api_version: &'a str,
    pub kind: &'a str,
    pub name: Called<'a>,
    /// Labels of the object.
    pub labels: Option<&'a Entries<'a>>,
}

impl<'a> Owned<'a> {
    /// From the controlling owner reference; none where nothing controls the object.
    pub fn of(metadata: &'a Metadata<'a>) -> Option<Self> {
        let owner = metadata.controller()?;
        Some(Self::by(owner, metadata))
    }

    /// From the only owner reference of a kind, be it the controlling one or not.
    pub(super) fn only(metadata: &'a Metadata<'a>, group: &str, kind: &str) -> Option<Self> {
        let owners = metadata.owner_references.iter().flatten();
        let mut of_kind = owners
            .map(|owner| Self::by(owner, metadata))
            .filter(|owned| owned.is(group, kind));
        let found = of_kind.next()?;
        of_kind.next().is_none().then_some(found)
    }

    fn by(owner: &'a OwnerReference<'a>, metadata: &'a Metadata<'a>) -> Self {
        Self {
            api_version: &owner.api_version,
            kind: &owner.kind,
            name: Called::Name(&owner.name),
            labels: metadata.labels.as_ref(),
        }
    }

    /// The name of the origin: the owner's own, or its Deployment's where the owner is a ReplicaSet of one.
    fn origin_name(&self, origin: &Origin) -> Option<Called<'a>> {
        if self.is(group(&origin.api_version), &origin.kind) {
            return Some(self.name);
        }
        let origin = (group(&origin.api_version), &*origin.kind);
        let mut all = BY_REPLICA_SETS.iter();
        let (.., label) = all.find(|(group, kind, _)| (*group, *kind) == origin)?;
        let hash = self.labels?.get(label).filter(|hash| !hash.is_empty())?;
        let of_a_set = self.is("apps", "ReplicaSet");
        let Called::Name(name) = self.name else {
            return None;
        };
        let name = name.strip_suffix(hash).filter(|_| of_a_set)?;
        name.strip_suffix('-').map(Called::Name)
    }

    /// Operators may name another version of the kind than the person did.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self::group(self.api_version) == group && self.kind == kind
    }
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Is `origin` what the object comes from?
pub fn fits(origin: &Origin, owned: &Owned<'_>) -> bool {
    match (&origin.name, owned.origin_name(origin)) {
        (ObjectName::GenerateName(prefix), Some(Called::Name(name))) => {
            is_generated_from(name, prefix)
        }
        (wanted, Some(name)) => Called::from(wanted) == name,
        (_, None) => false,
    }
}

/// The origin with the name that the API server made for it meanwhile.
pub fn resolved(origin: &Origin, owned: &Owned<'_>) -> Origin {
    let mut resolved = origin.clone();
    if let Some(Called::Name(name)) = owned.origin_name(origin) {
        resolved.name = ObjectName::Name(name.to_owned());
    }
    resolved
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

    fn by_replica_set(origin: &Origin, label: &str, name: &str, hash: &str) -> bool {
        let labels = format!("{{\"{label}\":\"{hash}\"}}");
        let labels: Entries<'_> = serde_json::from_str(&labels).unwrap();
        let owned = Owned {
            api_version: "apps/v1",
            kind: "ReplicaSet",
            name: Called::Name(name),
            labels: Some(&labels),
        };
        fits(origin, &owned)
    }

    #[test]
    fn a_deployments_pod_names_its_replica_set() {
        let web = named("Deployment", "web");
        let of = |name, hash| by_replica_set(&web, "pod-template-hash", name, hash);
        assert!(of("web-68f6497d76", "68f6497d76"));
        assert!(!of("web-two-68f6497d76", "68f6497d76"));
        assert!(!of("web-two-68f6497d76", "two-68f6497d76-"));
        assert!(!of("web-68f6497d76", ""));
        assert!(!of("web-68f6497d76", "other"));
    }

    #[test]
    fn a_rollouts_pod_has_a_hash_of_another_label() {
        let name = ObjectName::Name("web".into());
        let rollout = origin("argoproj.io/v1alpha1", "Rollout", name);
        let of = |label| by_replica_set(&rollout, label, "web-68f6", "68f6");
        assert!(of("rollouts-pod-template-hash"));
        assert!(!of("pod-template-hash"));
    }

    #[test]
    fn kind_and_group_count() {
        let job = origin("batch/v1", "Job", ObjectName::Name("etl".into()));
        let owned = |api_version, kind| Owned {
            api_version,
            kind,
            name: Called::Name("etl"),
            labels: None,
        };
        assert!(fits(&job, &owned("batch/v1", "Job")));
        assert!(fits(&job, &owned("batch/v2", "Job")));
        assert!(!fits(&job, &owned("evil.org/v1", "Job")));
        assert!(!fits(&job, &owned("batch/v1", "CronJob")));
    }

    #[test]
    fn a_generated_name_is_resolved() {
        let job = origin("batch/v1", "Job", ObjectName::GenerateName("etl-".into()));
        let owned = Owned {
            api_version: "batch/v1",
            kind: "Job",
            name: Called::Name("etl-x7k2p"),
            labels: None,
        };
        assert!(fits(&job, &owned));
        assert_eq!(
            resolved(&job, &owned).name,
            ObjectName::Name("etl-x7k2p".into())
        );
        assert!(!fits(
            &job,
            &Owned {
                name: Called::Name("etl-two-x7k2p"),
                ..owned
            }
        ));
    }

    #[test]
    fn what_has_no_name_yet_is_its_own_origin_only() {
        let job = origin("batch/v1", "Job", ObjectName::GenerateName("etl-".into()));
        let unnamed = |prefix| Owned {
            api_version: "batch/v1",
            kind: "Job",
            name: Called::GenerateName(prefix),
            labels: None,
        };
        assert!(fits(&job, &unnamed("etl-")));
        assert_eq!(resolved(&job, &unnamed("etl-")), job);
        assert!(!fits(&job, &unnamed("etl-two-")));
        let named = ObjectName::Name("etl-".into());
        assert!(!fits(&origin("batch/v1", "Job", named), &unnamed("etl-")));
    }
}
