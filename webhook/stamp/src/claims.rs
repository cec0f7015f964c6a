//! What a stamp says.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{HadoopUser, StampError};

/// The name of an object, or the prefix that the API server makes one from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectName {
    Name(String),
    GenerateName(String),
}

/// The object that a person submitted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    pub api_version: String,
    pub kind: String,
    #[serde(flatten)]
    pub name: ObjectName,
}

/// What shares one token: `namespace/Kind.group/name`, or `namespace/Pod/uid` of a pod without an origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(String);

impl JobId {
    /// The job of an object with a fixed name; none where the name is still to be made.
    pub fn of_origin(namespace: &str, origin: &Origin) -> Option<Self> {
        let ObjectName::Name(name) = &origin.name else {
            return None;
        };
        let group = origin
            .api_version
            .split_once('/')
            .map_or("", |(group, _)| group);
        let dot = if group.is_empty() { "" } else { "." };
        Some(Self(format!(
            "{namespace}/{}{dot}{group}/{name}",
            origin.kind
        )))
    }

    /// The job of a pod that stands alone.
    pub fn of_pod(namespace: &str, uid: &str) -> Self {
        Self(format!("{namespace}/Pod/{uid}"))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The stamp of a pod template. It carries no time and no serial: the same claims make the same bytes, so that
/// an apply that is repeated, or undone, changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateClaims {
    /// The installation that signed.
    pub iss: String,
    /// Namespace.
    pub ns: String,
    /// Service account of the template's pods.
    pub sa: String,
    /// The effective Hadoop user.
    pub sub: HadoopUser,
    /// The Kubernetes user name behind it.
    pub submitter: String,
    pub origin: Origin,
    /// The job that a pod's own submission belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

/// The stamp of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodClaims {
    pub iss: String,
    pub ns: String,
    pub sa: String,
    pub sub: HadoopUser,
    pub submitter: String,
    /// The pod's name, or its generateName where it has no name yet.
    pub pod: ObjectName,
    /// What the pod was made from; none for a pod that a person made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// When it was stamped, in seconds since 1970.
    pub iat: u64,
}

/// What the API server says of the pod that carries the stamp.
#[derive(Clone, Copy, Debug)]
pub struct PodFacts<'a> {
    pub namespace: &'a str,
    pub service_account: &'a str,
    pub name: &'a str,
    pub generate_name: Option<&'a str>,
    /// creationTimestamp in seconds since 1970.
    pub created_at: u64,
}

impl PodClaims {
    /// What a stamp says, without believing it: for counting only, never for handing anything out.
    pub fn unverified(stamp: &str) -> Option<Self> {
        crate::jws::unverified(stamp).ok()
    }

    /// Is this stamp the one that was made for this very pod?
    pub fn check_pod(&self, pod: &PodFacts<'_>, window: u64) -> Result<(), StampError> {
        if self.ns != pod.namespace {
            return Err(StampError::Namespace(self.ns.clone()));
        }
        if self.sa != pod.service_account {
            return Err(StampError::ServiceAccount(self.sa.clone()));
        }
        if !self.names(pod) {
            return Err(StampError::Pod);
        }
        if self.iat.abs_diff(pod.created_at) > window {
            return Err(StampError::Clock {
                created_at: pod.created_at,
                stamped_at: self.iat,
                window,
            });
        }
        Ok(())
    }

    fn names(&self, pod: &PodFacts<'_>) -> bool {
        match &self.pod {
            ObjectName::Name(name) => name == pod.name,
            ObjectName::GenerateName(prefix) => {
                pod.generate_name == Some(prefix) && is_generated_from(pod.name, prefix)
            }
        }
    }

    /// What this pod shares its tokens with.
    pub fn job_id(&self, pod_uid: &str) -> JobId {
        let of_origin = || JobId::of_origin(&self.ns, self.origin.as_ref()?);
        self.job
            .clone()
            .or_else(of_origin)
            .unwrap_or_else(|| JobId::of_pod(&self.ns, pod_uid))
    }
}

/// Did the API server make this name from the prefix? It cuts the prefix to 58 bytes and adds five characters
/// (k8s.io/apiserver/pkg/storage/names).
pub fn is_generated_from(name: &str, prefix: &str) -> bool {
    const CUT: usize = 58;
    const SUFFIX: usize = 5;
    let cut = prefix.get(..CUT).unwrap_or(prefix);
    name.strip_prefix(cut).is_some_and(|suffix| {
        suffix.len() == SUFFIX
            && suffix
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}
