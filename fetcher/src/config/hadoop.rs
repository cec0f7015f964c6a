//! How Hadoop is reached.

use std::path::PathBuf;

use serde::Deserialize;

use super::HadoopLimits;

/// How Hadoop is reached, and as whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HadoopSource {
    /// Directory with core-site.xml, hdfs-site.xml and, for tokens of YARN, yarn-site.xml.
    #[serde(default = "default_conf_dir")]
    pub conf_dir: PathBuf,
    /// Our own Kerberos principal, with the realm.
    pub principal: String,
    /// Short name that may renew what is issued; the principal's own if left out.
    #[serde(default)]
    pub renewer: Option<String>,
    /// PEM bundle for services of Hadoop that serve https with a private CA.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Refuse services of Hadoop that serve http: our session there, and the tokens, go over the wire.
    #[serde(default)]
    pub require_https: bool,
    #[serde(default)]
    pub kms: Kms,
    /// Limit of one call to one host.
    #[serde(default = "default_hadoop_timeout")]
    pub timeout_seconds: u64,
    #[serde(default)]
    pub limits: HadoopLimits,
}

/// Whether KMS tokens are got as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kms {
    /// As the NameNode's own defaults say (GETSERVERDEFAULTS keyProviderUri), or else the configuration.
    #[default]
    Auto,
    Off,
}

impl HadoopSource {
    /// `kube2hadoop` of `kube2hadoop/host@REALM`: what a NameNode stores as the renewer.
    #[must_use]
    pub fn short_name(&self) -> Option<&str> {
        let (name, realm) = self.principal.split_once('@')?;
        let short = name.split('/').next()?;
        (!short.is_empty() && !realm.is_empty() && !realm.contains('@')).then_some(short)
    }

    /// Who may renew the tokens: as configured, else ourselves.
    #[must_use]
    pub fn renewer(&self) -> &str {
        self.renewer
            .as_deref()
            .or_else(|| self.short_name())
            .unwrap_or_default()
    }
}

fn default_conf_dir() -> PathBuf {
    "/etc/hadoop/conf".into()
}

/// A NameNode that takes ten seconds for a token is waited for: a call given up leaves a token that nobody has.
fn default_hadoop_timeout() -> u64 {
    15
}
