//! The web address of a server that takes token requests.

use crate::hadoop::host::HostPort;

/// Where a NameNode, an HttpFS or a ResourceManager answers over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    pub https: bool,
    pub address: HostPort,
    /// What in the configuration gives the address, for messages.
    pub setting: String,
}

impl Web {
    /// `http://host:port` or `https://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// For `HTTP@host`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.address.host
    }
}
