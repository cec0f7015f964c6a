//! Where certificates and keys come from: the cluster, or files.

use std::path::PathBuf;

use serde::Deserialize;

use super::InvalidConfig;

/// Where the serving certificate comes from.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(try_from = "TlsKeys")]
pub enum TlsSource {
    /// kubernetes.io/tls Secret of that name in our namespace.
    Secret(String),
    /// PEM files, for a fetcher outside the cluster.
    Files { cert: PathBuf, key: PathBuf },
}

impl Default for TlsSource {
    fn default() -> Self {
        Self::Secret("kube2hadoop-fetcher-tls".into())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TlsKeys {
    secret: Option<String>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

impl TryFrom<TlsKeys> for TlsSource {
    type Error = InvalidConfig;

    fn try_from(keys: TlsKeys) -> Result<Self, InvalidConfig> {
        match (keys.secret, keys.cert_file, keys.key_file) {
            (Some(secret), None, None) => Ok(Self::Secret(secret)),
            (None, Some(cert), Some(key)) => Ok(Self::Files { cert, key }),
            _ => Err(InvalidConfig::Tls),
        }
    }
}

/// Where the public stamp keys (a JWKS) come from.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(try_from = "StampKeysKeys")]
pub enum StampKeysSource {
    /// ConfigMap of that name in our namespace, key `keys.json`.
    ConfigMap(String),
    File(PathBuf),
}

impl Default for StampKeysSource {
    fn default() -> Self {
        Self::ConfigMap("kube2hadoop-stamp-keys".into())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StampKeysKeys {
    config_map: Option<String>,
    file: Option<PathBuf>,
}

impl TryFrom<StampKeysKeys> for StampKeysSource {
    type Error = InvalidConfig;

    fn try_from(keys: StampKeysKeys) -> Result<Self, InvalidConfig> {
        match (keys.config_map, keys.file) {
            (Some(name), None) => Ok(Self::ConfigMap(name)),
            (None, Some(file)) => Ok(Self::File(file)),
            _ => Err(InvalidConfig::StampKeys),
        }
    }
}
