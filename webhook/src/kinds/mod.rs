//! Where the kinds keep their pod templates: data, so that a kind is a few lines of the values file.

mod path;

use serde::Deserialize;
use serde_json::Value;

pub use path::{InvalidPath, Path, at, at_mut};

/// What the chart registers; the form is described there.
const BUILT_IN: &str = include_str!("../../../deploy/chart/kube2hadoop/kinds.yaml");

/// A kind of workload.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kind {
    pub group: String,
    pub kind: String,
    /// For the registration only.
    pub resource: String,
    pub templates: Vec<Place>,
    /// Fields that do not change what runs.
    #[serde(default)]
    pub not_code: Vec<Path>,
    /// Parts of the status that the operator runs.
    #[serde(default)]
    pub also_code: Vec<Path>,
    /// Parts of the status that hold what steps gave and others run.
    #[serde(default)]
    pub outputs: Vec<Path>,
    /// Keys that refer to another object, whose writers would act as the submitter.
    #[serde(default)]
    pub code_elsewhere: Vec<String>,
    /// Whether it becomes its changer's; where not, a change by another is denied.
    #[serde(default = "yes")]
    pub hand_over: bool,
    /// Text that lets the user decide what the operator writes on its pods.
    #[serde(default)]
    pub refused: Vec<String>,
    /// For the registration only.
    #[serde(default)]
    pub always: bool,
}

fn yes() -> bool {
    true
}

/// Where a pod template stands, or what its operator makes one of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PlaceConfig")]
pub struct Place {
    path: Path,
    /// Below the path.
    metadata: Vec<String>,
    service_account: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum PlaceConfig {
    Template(Path),
    #[serde(rename_all = "camelCase")]
    Other {
        path: Path,
        metadata: String,
        service_account: String,
    },
}

impl TryFrom<PlaceConfig> for Place {
    type Error = KindsError;

    fn try_from(config: PlaceConfig) -> Result<Self, KindsError> {
        let (path, metadata, service_account) = match config {
            PlaceConfig::Template(path) => {
                let account = "spec/serviceAccountName".to_owned();
                (path, "metadata".to_owned(), account)
            }
            PlaceConfig::Other {
                path,
                metadata,
                service_account,
            } => (path, metadata, service_account),
        };
        Ok(Self {
            path,
            metadata: below(&metadata)?,
            service_account: below(&service_account)?,
        })
    }
}

fn below(text: &str) -> Result<Vec<String>, KindsError> {
    let tokens = text.split('/').filter(|_| !text.is_empty());
    let tokens: Vec<String> = tokens.map(str::to_owned).collect();
    if tokens.iter().all(|token| path::is_field(token)) {
        Ok(tokens)
    } else {
        Err(KindsError::Below(text.to_owned()))
    }
}

/// One template of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    pub template: Vec<String>,
    pub metadata: Vec<String>,
    pub service_account: Vec<String>,
}

/// Why kinds are refused when the configuration is read.
#[derive(Debug, thiserror::Error)]
pub enum KindsError {
    #[error("the built-in kinds cannot be read: {0}")]
    BuiltIn(#[source] serde_yaml_ng::Error),
    #[error(
        "kinds: {kind} of group «{group}» is Kubernetes' own, whose paths are known: remove it"
    )]
    Kubernetes { group: String, kind: String },
    #[error("kinds: «{0}» is no relative path: name fields between slashes, with none at the ends")]
    Below(String),
}

/// All kinds that are known: built in, and the administrator's own, which win.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<Kind>")]
pub struct Kinds(Vec<Kind>);

impl TryFrom<Vec<Kind>> for Kinds {
    type Error = KindsError;

    fn try_from(mut own: Vec<Kind>) -> Result<Self, KindsError> {
        if let Some(kind) = own.iter().find(|kind| !kind.has_an_operator()) {
            let Kind { group, kind, .. } = kind.clone();
            return Err(KindsError::Kubernetes { group, kind });
        }
        let built_in: Vec<Kind> = serde_yaml_ng::from_str(BUILT_IN).map_err(KindsError::BuiltIn)?;
        own.extend(built_in);
        Ok(Self(own))
    }
}

impl Kinds {
    /// The kind, if it is known.
    pub fn find(&self, group: &str, kind: &str) -> Option<&Kind> {
        let mut all = self.0.iter();
        all.find(|known| known.kind == kind && known.group == group)
    }
}

impl Kind {
    /// Whatever is not Kubernetes' own: code may lie outside its templates.
    pub fn has_an_operator(&self) -> bool {
        !matches!(&*self.group, "" | "apps" | "batch")
    }

    /// The templates of an object.
    pub fn spots(&self, object: &Value) -> Vec<Spot> {
        let places = self.templates.iter();
        places.flat_map(|place| place.spots(object)).collect()
    }
}

impl Place {
    fn spots(&self, object: &Value) -> impl Iterator<Item = Spot> {
        let found = self.path.places(object).into_iter();
        found.map(|template| Spot {
            metadata: [&*template, &*self.metadata].concat(),
            service_account: [&*template, &*self.service_account].concat(),
            template,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kinds(own: Value) -> Result<Kinds, serde_json::Error> {
        serde_json::from_value(own)
    }

    #[test]
    fn built_in_kinds_are_known_and_need_no_configuration() {
        let kinds = kinds(json!([])).unwrap();
        for (group, kind) in [
            ("apps", "Deployment"),
            ("kubeflow.org", "TFJob"),
            ("ray.io", "RayJob"),
        ] {
            assert!(kinds.find(group, kind).is_some(), "{group} {kind}");
        }
        assert!(kinds.find("evil.org", "TFJob").is_none());
    }

    #[test]
    fn an_administrators_kind_is_added_and_wins() {
        let own = json!([
            {"group": "example.org", "kind": "Training", "resource": "trainings", "templates": ["/spec/*/template"]},
            {"group": "ray.io", "kind": "RayJob", "resource": "rayjobs", "templates": []},
        ]);
        let kinds = kinds(own).unwrap();
        let object = json!({"spec": {"a": {"template": {}}}});
        let spots = kinds
            .find("example.org", "Training")
            .unwrap()
            .spots(&object);
        assert_eq!(spots[0].metadata, ["spec", "a", "template", "metadata"]);
        assert!(kinds.find("ray.io", "RayJob").unwrap().templates.is_empty());
    }

    #[test]
    fn what_would_weaken_or_cannot_be_read_is_refused() {
        let kind = |group: &str, templates: Value| {
            let kind =
                json!({"group": group, "kind": "Job", "resource": "jobs", "templates": templates});
            kinds(json!([kind])).map(|_| ()).unwrap_err().to_string()
        };
        assert!(kind("batch", json!([])).contains("Kubernetes' own"));
        assert!(!kind("x.org", json!(["spec/template"])).is_empty());
        let odd = json!([{"path": "/spec", "metadata": "a//b", "serviceAccount": "x"}]);
        assert!(!kind("x.org", odd).is_empty());
        let unknown = json!([{"group": "x.org", "kind": "X", "resource": "xs", "templates": [], "notcode": []}]);
        assert!(kinds(unknown).unwrap_err().to_string().contains("notcode"));
    }
}
