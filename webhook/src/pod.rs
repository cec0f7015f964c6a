//! The part of a pod that admission reads.
//!
//! Shapes: k8s.io/api/core/v1. Everything else is skipped, unparsed, and stays as it was.

use kube2hadoop_stamp::ObjectName;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::review::{Entries, Map, Text};

/// A pod. The API server writes both members, be they empty.
#[derive(Debug, Deserialize)]
pub struct Pod<'a> {
    #[serde(borrow, deserialize_with = "Map::content")]
    pub metadata: Metadata<'a>,
    #[serde(borrow, deserialize_with = "Map::content")]
    pub spec: Spec<'a>,
}

/// What of `metadata` a decision rests on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub generate_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub labels: Option<Entries<'a>>,
    #[serde(borrow, default)]
    pub annotations: Option<Entries<'a>>,
    #[serde(borrow, default)]
    pub owner_references: Option<Vec<OwnerReference<'a>>>,
}

/// One of `metadata.ownerReferences`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference<'a> {
    #[serde(borrow)]
    pub api_version: Text<'a>,
    #[serde(borrow)]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(default)]
    pub controller: Option<bool>,
}

/// What of `spec` injecting rests on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec<'a> {
    #[serde(borrow, default)]
    pub service_account_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub volumes: Option<Vec<Named<'a>>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub init_containers: Option<Vec<Container<'a>>>,
    #[serde(borrow, default, deserialize_with = "or_empty")]
    pub containers: Vec<Container<'a>>,
    #[serde(default)]
    pub share_process_namespace: Option<bool>,
    #[serde(default)]
    pub security_context: Option<SecurityContext>,
    /// Bounds of the pod as a whole.
    #[serde(default)]
    pub resources: Option<IgnoredAny>,
    #[serde(borrow, default)]
    pub os: Option<Named<'a>>,
    #[serde(borrow, default)]
    pub node_selector: Option<Entries<'a>>,
}

/// One of the containers or init containers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow, default)]
    pub env: Option<Vec<Env<'a>>>,
    #[serde(borrow, default)]
    pub volume_mounts: Option<Vec<Mount<'a>>>,
    #[serde(borrow, default)]
    pub resources: Option<Resources<'a>>,
    #[serde(default)]
    pub security_context: Option<SecurityContext>,
}

/// The API server writes every quantity as a string.
#[derive(Debug, Deserialize)]
pub struct Resources<'a> {
    #[serde(borrow, default)]
    pub requests: Option<Entries<'a>>,
    #[serde(borrow, default)]
    pub limits: Option<Entries<'a>>,
}

/// A variable of a container; `value` is none where it comes from elsewhere.
#[derive(Debug, Deserialize)]
pub struct Env<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow, default)]
    pub value: Option<Text<'a>>,
}

/// One of a container's `volumeMounts`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub mount_path: Text<'a>,
    #[serde(default)]
    pub read_only: Option<bool>,
    #[serde(borrow, default)]
    pub sub_path: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub sub_path_expr: Option<Text<'a>>,
}

/// As whom it runs: of a pod or of a container.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityContext {
    #[serde(default)]
    pub run_as_user: Option<i64>,
}

/// Go writes an empty list as `null`.
fn or_empty<'de: 'a, 'a, D: Deserializer<'de>>(json: D) -> Result<Vec<Container<'a>>, D::Error> {
    Ok(list(json)?.unwrap_or_default())
}

fn list<'de: 'a, 'a, D: Deserializer<'de>>(
    json: D,
) -> Result<Option<Vec<Container<'a>>>, D::Error> {
    let list: Option<Vec<Map<Container<'a>>>> = Option::deserialize(json)?;
    Ok(list.map(|list| list.into_iter().map(|Map(container)| container).collect()))
}

/// Anything with a name.
#[derive(Debug, Deserialize)]
pub struct Named<'a> {
    #[serde(borrow, default)]
    pub name: Text<'a>,
}

impl Metadata<'_> {
    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key)
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key)
    }

    /// The name that a stamp binds to: the object's own where there is one, for a user may set generateName as well.
    /// `requested` is the name in the request.
    pub fn object_name(&self, requested: Option<&str>) -> ObjectName {
        let name = self
            .name
            .as_deref()
            .or(requested)
            .filter(|name| !name.is_empty());
        match (name, self.generate_name.as_deref()) {
            (None, Some(prefix)) => ObjectName::GenerateName(prefix.to_owned()),
            (name, _) => ObjectName::Name(name.unwrap_or_default().to_owned()),
        }
    }

    /// The owner that controls the object.
    pub fn controller(&self) -> Option<&OwnerReference<'_>> {
        self.owner_references
            .as_ref()?
            .iter()
            .find(|owner| owner.controller == Some(true))
    }
}

impl Spec<'_> {
    /// The service account; the API server's default is `default`.
    pub fn service_account(&self) -> &str {
        self.service_account_name
            .as_deref()
            .filter(|name| !name.is_empty())
            .unwrap_or("default")
    }
}
