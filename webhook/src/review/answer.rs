//! The AdmissionReview that goes back.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::inject::Ops;

/// The API server cuts warnings longer than this (k8s.io/apiserver/pkg/warning).
const WARNING_LENGTH: usize = 256;

/// What the API server is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The message of a denial; none allows the request.
    pub denied: Option<String>,
    pub patch: Ops,
    pub warnings: Vec<String>,
    /// For the API server's audit log.
    pub audit: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: &'a BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    reason: &'static str,
    message: &'a str,
}

impl Answer {
    /// Refuses the request, with a message for the person who made it.
    pub fn deny(message: impl Into<String>) -> Self {
        Self {
            denied: Some(message.into()),
            ..Self::default()
        }
    }

    /// The JSON body of the answer to the request of this uid.
    ///
    /// # Errors
    /// None in practice: all parts are plain data.
    pub fn into_json(self, uid: &str) -> Result<Vec<u8>, serde_json::Error> {
        let review = Review {
            api_version: "admission.k8s.io/v1",
            kind: "AdmissionReview",
            response: Response {
                uid,
                allowed: self.denied.is_none(),
                status: self.denied.as_deref().map(|message| Status {
                    code: 403,
                    reason: "Forbidden",
                    message,
                }),
                warnings: self
                    .warnings
                    .iter()
                    .map(|warning| shorten(warning))
                    .collect(),
                audit_annotations: &self.audit,
            },
        };
        let mut json = serde_json::to_vec(&review)?;
        if self.denied.is_none() && !self.patch.is_empty() {
            insert_patch(&mut json, &self.patch.into_json()?);
        }
        Ok(json)
    }
}

/// Writes the patch at the end of the response, which is the last member of the review. Base64 needs no escapes: it
/// goes in as it is, where a serializer would read and copy all of it twice more.
fn insert_patch(review: &mut Vec<u8>, patch: &[u8]) {
    const END: &[u8] = b"}}";
    review.truncate(review.len() - END.len());
    review.reserve(patch.len() * 4 / 3 + 64);
    review.extend_from_slice(br#","patchType":"JSONPatch","patch":""#);
    base64_simd::STANDARD.encode_append(patch, review);
    review.push(b'"');
    review.extend_from_slice(END);
}

/// A warning of one line, of a length that arrives whole.
fn shorten(warning: &str) -> String {
    let line = warning.replace(['\n', '\r'], " ");
    if line.len() <= WARNING_LENGTH {
        return line;
    }
    let mut end = WARNING_LENGTH - '…'.len_utf8();
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", line.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_denial_carries_the_uid_and_no_patch() {
        let answer = Answer::deny("kube2hadoop: no");
        let json: Value = serde_json::from_slice(&answer.into_json("u1").unwrap()).unwrap();
        assert_eq!(json["response"]["uid"], "u1");
        assert_eq!(json["response"]["allowed"], false);
        assert_eq!(
            json["response"]["status"],
            json!({"code": 403, "reason": "Forbidden", "message": "kube2hadoop: no"})
        );
        assert!(json["response"].get("patch").is_none());
    }

    #[test]
    fn a_long_warning_is_cut_between_characters() {
        let short = shorten(&"é".repeat(300));
        assert!(short.len() <= WARNING_LENGTH && short.ends_with('…'));
    }
}
