//! The AdmissionReview: read without copying, and answered with the uid it came with.
//!
//! Shapes: k8s.io/api/admission/v1. Fields that nothing here reads are skipped unparsed.

mod answer;
mod object;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

pub use answer::Answer;
pub use object::Object;
pub use text::{Entries, Map, Text};

/// Why a body is no review that can be answered. All of them are HTTP 400.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error("the body is no UTF-8: {0}")]
    Utf8(#[from] std::str::Utf8Error),
    #[error("the body is no AdmissionReview: {0}")]
    Json(#[from] serde_json::Error),
    #[error(
        "want apiVersion admission.k8s.io/v1 and kind AdmissionReview, got {api_version} {kind}"
    )]
    Kind { api_version: String, kind: String },
    #[error("the AdmissionReview has no request")]
    NoRequest,
    #[error("the request has no uid")]
    NoUid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    api_version: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

/// One admission request, borrowed from the body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    #[serde(borrow, default)]
    pub uid: Text<'a>,
    #[serde(borrow)]
    pub kind: GroupVersionKind<'a>,
    #[serde(borrow, default)]
    pub sub_resource: Option<Text<'a>>,
    /// Empty where the API server will make one from generateName.
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub namespace: Option<Text<'a>>,
    pub operation: Operation,
    #[serde(borrow, default)]
    pub user_info: UserInfo<'a>,
    #[serde(borrow, default)]
    pub object: Option<Object<'a>>,
    #[serde(borrow, default)]
    pub old_object: Option<&'a RawValue>,
    #[serde(default)]
    pub dry_run: Option<bool>,
    /// Where all of this was read.
    #[serde(skip)]
    text: &'a str,
}

impl Request<'_> {
    /// The object with all that [`Object::Pod`] leaves out: a second pass over the body, for the few who need it.
    pub fn whole_object(&self) -> Option<Value> {
        let mut review: Value = serde_json::from_str(self.text).ok()?;
        review.pointer_mut("/request/object").map(Value::take)
    }
}

/// Group, version and kind of the object.
#[derive(Debug, Deserialize)]
pub struct GroupVersionKind<'a> {
    #[serde(borrow, default)]
    pub group: Text<'a>,
    #[serde(borrow)]
    pub version: Text<'a>,
    #[serde(borrow)]
    pub kind: Text<'a>,
}

impl GroupVersionKind<'_> {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// What is being done.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

/// Whom the API server authenticated.
#[derive(Debug, Default, Deserialize)]
pub struct UserInfo<'a> {
    #[serde(borrow, default)]
    pub username: Text<'a>,
    #[serde(borrow, default)]
    pub uid: Option<Text<'a>>,
    /// Read only where somebody must be asked about them.
    #[serde(borrow, default)]
    groups: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub extra: Option<Extra<'a>>,
}

impl UserInfo<'_> {
    /// Is this a pod's own credential? Whoever may impersonate extras can claim so, but gains nothing by it.
    pub fn is_pod(&self) -> bool {
        self.extra
            .as_ref()
            .is_some_and(|extra| !extra.pod_name.is_empty() || !extra.pod_uid.is_empty())
    }

    /// The groups; none where they cannot be read.
    pub fn groups(&self) -> Option<Vec<String>> {
        let Some(raw) = self.groups else {
            return Some(Vec::new());
        };
        let groups: Option<_> = serde_json::from_str(raw.get()).ok()?;
        Some(groups.unwrap_or_default())
    }

    /// Everything that the authenticator added; none where it cannot be read.
    pub fn extras(&self) -> Option<BTreeMap<String, Vec<String>>> {
        let Some(extra) = &self.extra else {
            return Some(BTreeMap::new());
        };
        serde_json::from_str(extra.raw.get()).ok()
    }
}

/// The extras, of which those are read that name the pod whose credential this is.
#[derive(Debug)]
pub struct Extra<'a> {
    pub pod_name: Vec<Text<'a>>,
    pub pod_uid: Vec<Text<'a>>,
    raw: &'a RawValue,
}

#[derive(Default, Deserialize)]
struct OfPod<'a> {
    #[serde(borrow, default, rename = "authentication.kubernetes.io/pod-name")]
    pod_name: Vec<Text<'a>>,
    #[serde(borrow, default, rename = "authentication.kubernetes.io/pod-uid")]
    pod_uid: Vec<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Extra<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'a RawValue>::deserialize(deserializer)?;
        let OfPod { pod_name, pod_uid } =
            serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Self {
            pod_name,
            pod_uid,
            raw,
        })
    }
}

/// Reads a review and gives its request.
///
/// # Errors
/// A body that is no v1 review with a request and a uid.
pub fn parse(body: &[u8]) -> Result<Request<'_>, ReviewError> {
    // Checked as a whole: that is faster than string by string.
    let text = std::str::from_utf8(body)?;
    let envelope: Envelope<'_> = serde_json::from_str(text)?;
    if &*envelope.api_version != "admission.k8s.io/v1" || &*envelope.kind != "AdmissionReview" {
        return Err(ReviewError::Kind {
            api_version: short(&envelope.api_version),
            kind: short(&envelope.kind),
        });
    }
    let mut request = envelope.request.ok_or(ReviewError::NoRequest)?;
    request.text = text;
    if request.uid.is_empty() {
        Err(ReviewError::NoUid)
    } else {
        Ok(request)
    }
}

/// What a stranger sent is repeated to its first 80 characters only.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
