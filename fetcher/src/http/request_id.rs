//! A name for each request, so that a user's error message leads to our log line.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderValue;

/// Sixteen hexadecimal digits.
#[derive(Debug, Clone)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    pub(super) fn new() -> Self {
        let mut bytes = [0; 8];
        // A repeated id is no harm: it only leads to more than one log line.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        Self(format!("{:016x}", u64::from_be_bytes(bytes)).into())
    }

    pub(super) fn of(request: &Request) -> Self {
        request
            .extensions()
            .get()
            .cloned()
            .unwrap_or_else(Self::new)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("none"))
    }
}
