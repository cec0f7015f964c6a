//! Whether servers answer over http or https.

use super::{ClusterError, Conf};

/// What is served, http or https.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Http,
    Https,
    Both,
    /// Not said: http, unless a server has nothing but an https address.
    Unset,
}

impl Policy {
    pub(super) fn read(conf: &Conf, key: &'static str) -> Result<Self, ClusterError> {
        let Some(value) = conf.get(key) else {
            return Ok(Self::Unset);
        };
        match value.to_ascii_uppercase().as_str() {
            "HTTP_ONLY" => Ok(Self::Http),
            "HTTPS_ONLY" => Ok(Self::Https),
            "HTTP_AND_HTTPS" => Ok(Self::Both),
            _ => Err(ClusterError::Policy { key, value }),
        }
    }
}
