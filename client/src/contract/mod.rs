//! What client and fetcher say to each other: `POST /v1/tokens` over TLS, JSON both ways.
//!
//! The client sends its projected service account token as bearer token. Success is a
//! [`TokenResponse`]; everything else is a [`Problem`] (`application/problem+json`).

mod file_name;
mod problem;
mod timestamp;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::secret::{Base64Text, SecretBytes};
pub use file_name::{FileName, FileNameError};
pub use problem::{PROBLEM_CONTENT_TYPE, Problem, ProblemType};
pub use timestamp::{Timestamp, TimestampError};

/// Where tokens are asked for.
pub const TOKENS_PATH: &str = "/v1/tokens";
/// The answer's header that names one request in the fetcher's log.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
/// The longest request body, in bytes, that a fetcher reads.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024;
/// The longest answer, in bytes, that a client reads: body, decoded files and the memory volume all
/// count against the init container's memory limit of 16 MiB.
pub const MAX_RESPONSE_BYTES: usize = 2 * 1024 * 1024;
/// How many configuration files an answer may hold.
pub const MAX_CONF_FILES: usize = 32;

/// How long a client waits for the answer to one request, connecting included.
pub const CLIENT_PATIENCE: Duration = Duration::from_secs(30);
/// How long a fetcher works on one request at most. It gives up before the client does, which may take five seconds to
/// connect: only the fetcher's answer says what was waited for. A host of Hadoop that keeps silent for all of its usual
/// 15 s leaves ten for the next one; what comes later is there when the client asks again.
pub const FETCHER_PATIENCE: Duration = Duration::from_secs(25);

/// Which Hadoop services the pod wants tokens for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRequest {
    /// Names from the fetcher's configuration; all of them where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<String>>,
}

/// What the client writes to the pod's volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenResponse {
    /// The credentials file, as [`crate::credentials::Credentials::to_bytes`] makes it; base64 in JSON.
    pub credentials: SecretBytes,
    /// The Hadoop client configuration: files by name.
    #[serde(default)]
    pub conf: BTreeMap<FileName, FileContent>,
    /// The effective Hadoop user.
    pub user: String,
    /// When the first of the tokens ends if nobody renews it any more: its maximum date.
    pub expires_at: Timestamp,
    /// When a client that keeps its file fresh should ask again.
    pub refresh_at: Timestamp,
    /// The CAs, PEM, that stand behind the fetcher from now on; those that are known stay where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// The content of a configuration file; base64 in JSON, as a truststore is no text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileContent(pub Vec<u8>);

impl From<Vec<u8>> for FileContent {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Serialize for FileContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for FileContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Base64Text).map(Self)
    }
}

#[cfg(test)]
mod tests;
