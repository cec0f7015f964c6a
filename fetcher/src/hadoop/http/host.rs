//! One server of Hadoop, and where our session with it is kept.

use std::sync::{PoisonError, RwLock};

use ::http::Method;

use super::headers::Cookie;
use crate::hadoop::HadoopError;

/// One server, and our session with it.
pub struct Host {
    /// `http(s)://host:port`, and for the KMS its path.
    pub(super) base: String,
    /// For `HTTP@name`.
    pub(super) name: String,
    /// What gives the address, for messages.
    setting: String,
    pub(super) login: Login,
    cookie: RwLock<Option<Cookie>>,
    /// One login at a time; who waits takes the cookie that it brought.
    pub(super) logging_in: tokio::sync::Mutex<()>,
}

/// What is asked only for its cookie; the KMS sets none on GETDELEGATIONTOKEN.
#[derive(Debug, Clone)]
pub struct Login {
    pub method: Method,
    pub path: &'static str,
}

impl Login {
    pub(in crate::hadoop) const fn get(path: &'static str) -> Self {
        let method = Method::GET;
        Self { method, path }
    }
}

impl Host {
    /// A host at `base` (scheme, name and port), not logged in at yet; `name` and `setting` are for messages.
    #[must_use]
    pub fn new(
        base: impl Into<String>,
        name: impl Into<String>,
        setting: impl Into<String>,
        login: Login,
    ) -> Self {
        Self {
            base: base.into(),
            name: name.into(),
            setting: setting.into(),
            login,
            cookie: RwLock::default(),
            logging_in: tokio::sync::Mutex::default(),
        }
    }

    /// For messages.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Its name in Kerberos: `HTTP/name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What gives its address.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// Whether it is reached by http: who sees the wire has our session there, and the tokens.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.base.starts_with("http:")
    }

    /// Tells so in the log.
    pub fn warn_if_plain(&self) {
        if self.is_plain() {
            tracing::warn!(
                server = self.base,
                "reached by http: who sees the wire has our session there, and the tokens; hadoop.requireHttps refuses it"
            );
        }
    }

    pub(super) fn cookie(&self) -> Option<Cookie> {
        self.cookie
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn keep(&self, cookie: Cookie) {
        *self.cookie.write().unwrap_or_else(PoisonError::into_inner) = Some(cookie);
    }

    pub(super) fn unreachable(&self, reason: impl std::fmt::Display) -> HadoopError {
        HadoopError::Unreachable {
            service: self.base.clone(),
            tried: format!("{}: {reason}; {}", self.base, self.setting),
        }
    }
}
