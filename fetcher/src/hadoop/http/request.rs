//! One question, whichever host it is for.

use ::http::{HeaderName, Method};

use super::headers::{self, Header};

/// What is asked of one host, and of the next.
pub(in crate::hadoop) struct Request<'a> {
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: &'a str,
    pub(super) json: Option<String>,
    pub(super) secret: Option<Header>,
    logs_in: bool,
}

impl<'a> Request<'a> {
    pub(in crate::hadoop) fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            json: None,
            secret: None,
            logs_in: true,
        }
    }

    pub(in crate::hadoop) fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(in crate::hadoop) fn put(path: &'a str) -> Self {
        Self::new(Method::PUT, path)
    }

    /// With a body.
    pub(in crate::hadoop) fn json(self, json: String) -> Self {
        Self {
            json: Some(json),
            ..self
        }
    }

    /// With a header that nobody may see.
    pub(in crate::hadoop) fn secret(self, name: HeaderName, value: &str) -> Self {
        let value = headers::secret(value);
        Self {
            secret: value.map(|value| (name, value)),
            ..self
        }
    }

    /// Without anything of ours: it holds a token, and who it is for is what that says. Needs no KDC.
    pub(in crate::hadoop) fn by_token(self) -> Self {
        Self {
            logs_in: false,
            ..self
        }
    }

    pub(in crate::hadoop) fn is_by_token(&self) -> bool {
        !self.logs_in
    }

    pub(in crate::hadoop) fn method(&self) -> &Method {
        &self.method
    }

    pub(in crate::hadoop) fn cancels(&self) -> bool {
        self.path.contains("op=CANCELDELEGATIONTOKEN")
    }
}
