//! application/problem+json: a type of the contract, and a detail that says what to change.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use kube2hadoop_client::contract::{PROBLEM_CONTENT_TYPE, Problem, ProblemType};

use super::request_id::RequestId;
use crate::attest::Refusal;
use crate::bearer::BearerError;
use crate::chain;
use crate::issue::IssueFailure;
use crate::metrics::OutcomeLabel;

/// Seconds after which a refused request may come again.
const PAUSE: HeaderValue = HeaderValue::from_static("1");

/// A refusal on its way to the wire.
#[derive(Debug)]
pub(super) struct Answer {
    /// Finer than the type: for audit, Events and metrics.
    pub(super) reason: &'static str,
    kind: ProblemType,
    pub(super) detail: String,
    /// Seconds; the usual pause where none is known.
    retry_after: Option<u64>,
}

impl Answer {
    fn new(reason: &'static str, kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            reason,
            kind,
            detail: detail.into(),
            retry_after: None,
        }
    }

    fn plain(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self::new(kind.name(), kind, detail)
    }

    pub(super) fn unknown_path() -> Self {
        Self::plain(ProblemType::NotFound, "there is only POST /v1/tokens here")
    }

    pub(super) fn wrong_method() -> Self {
        Self::plain(ProblemType::MethodNotAllowed, "use POST")
    }

    pub(super) fn invalid_request(detail: impl Into<String>) -> Self {
        Self::plain(ProblemType::InvalidRequest, detail)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let detail = format!("the body is over {limit} bytes; send only {{\"services\": […]}}");
        Self::plain(ProblemType::BodyTooLarge, detail)
    }

    pub(super) fn slow_body(limit: Duration) -> Self {
        let detail = format!(
            "the body did not come within {} s; try again",
            limit.as_secs()
        );
        Self::plain(ProblemType::RequestTimeout, detail)
    }

    pub(super) fn overloaded() -> Self {
        Self::plain(
            ProblemType::Overloaded,
            "too many requests wait already; try again",
        )
    }

    pub(super) fn timeout(limit: Duration) -> Self {
        let detail = format!(
            "the tokens did not come within {} s; try again",
            limit.as_secs()
        );
        Self::new("timeout", ProblemType::HadoopUnavailable, detail)
    }

    pub(super) fn guard_missing(problem: &str) -> Self {
        let detail = format!(
            "no tokens are handed out while the cluster's guards are not in force: {problem}"
        );
        Self::plain(ProblemType::GuardMissing, detail)
    }

    pub(super) fn unknown_service(name: &str, known: &str) -> Self {
        let detail = format!("service {name} is not configured; ask for any of: {known}");
        Self::plain(ProblemType::UnknownService, detail)
    }

    pub(super) fn service_not_granted(name: &str) -> Self {
        let detail = format!(
            "service {name} is not in the pod's annotation kube2hadoop.io/services; add it there and make the pod again"
        );
        Self::plain(ProblemType::ServiceNotGranted, detail)
    }

    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::plain(ProblemType::Internal, detail)
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn into_response(self, id: &RequestId) -> Response {
        let status = self.status();
        let problem = Problem::new(self.kind, self.detail).with_request_id(id.as_str());
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.extensions_mut().insert(OutcomeLabel {
            outcome: self.reason,
        });
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_CONTENT_TYPE));
        match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"))
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            _ if self.kind.retryable() => {
                let pause = self.retry_after.map_or(PAUSE, HeaderValue::from);
                headers.insert(RETRY_AFTER, pause)
            }
            _ => None,
        };
        response
    }
}

impl From<BearerError> for Answer {
    fn from(error: BearerError) -> Self {
        Self::new("no-token", ProblemType::Unauthenticated, error.to_string())
    }
}

impl From<&Refusal> for Answer {
    fn from(refusal: &Refusal) -> Self {
        Self::new(
            refusal.reason(),
            refusal.problem_type(),
            chain::text(refusal),
        )
    }
}

impl From<&IssueFailure> for Answer {
    fn from(failure: &IssueFailure) -> Self {
        Self {
            retry_after: failure.retry_after(),
            ..Self::new(
                failure.reason(),
                failure.problem_type(),
                chain::text(failure),
            )
        }
    }
}
