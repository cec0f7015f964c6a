//! The fetcher's configuration file, validated before any port is bound.
//!
//! ```yaml
//! listen: 0.0.0.0:8443
//! admin: 0.0.0.0:9990
//! namespace: kube2hadoop
//! issuer: kube2hadoop
//! audience: kube2hadoop
//! tls: {secret: kube2hadoop-fetcher-tls}         # or {certFile: …, keyFile: …}
//! stampKeys: {configMap: kube2hadoop-stamp-keys} # or {file: …}
//! stampWindowSeconds: 30
//! excludedNamespaces: [monitoring]              # all that the webhook is not called for
//! deny: [etl-admin, -spark]                     # besides the built-in list; -name takes one of it out
//! policy: {requireTokenGuard: true}
//! attestation: {podIp: false}
//! webhookConfiguration: kube2hadoop
//! guards:
//!   identityIsImmutable: kube2hadoop-identity-is-immutable
//!   tokenGuard: kube2hadoop-token-guard
//!   codeIsTheSubmitters: kube2hadoop-code-is-the-submitters
//!   historyIsTheControllers: kube2hadoop-history-is-the-controllers
//! hadoop:
//!   confDir: /etc/hadoop/conf
//!   principal: kube2hadoop@EXAMPLE.COM
//!   renewer: kube2hadoop
//!   limits: {perSecond: 1000, perUserPerSecond: 200, concurrency: 64, queue: 4096}
//! limits: {requestSeconds: 25, running: 1024, waiting: 2048, connections: 4096, drainSeconds: 25}
//! ledger: {minLifeFraction: 0.5, capacity: 50000, failureSeconds: 2, namespace: kube2hadoop-ledger}
//! lifecycle: {enabled: true, lease: kube2hadoop-fetcher, leaseSeconds: 15, renewFraction: 0.7, renewSpread: 0.2,
//!   graceSeconds: 60, concurrency: 8, perSecond: 100}
//! events: true
//! legacy: {listen: 0.0.0.0:9966}                # left out: no legacy mode
//! ```

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use kube2hadoop_client::contract::{CLIENT_PATIENCE, FETCHER_PATIENCE};
use kube2hadoop_runtime::config::File;
use kube2hadoop_runtime::guards::GuardNames;
use kube2hadoop_stamp::DenyList;
use serde::Deserialize;
use thiserror::Error;

mod hadoop;
mod lifecycle;
mod limits;
mod sources;
mod standing;

pub use hadoop::{HadoopSource, Kms};
pub use lifecycle::Lifecycle;
pub use limits::{HadoopLimits, LedgerLimits, Limits};
pub use sources::{StampKeysSource, TlsSource};
pub use standing::{Changes, Standing};

/// The webhook is never called for it, so that it cannot lock the cluster out.
const SYSTEM: &str = "kube-system";

/// Everything the fetcher is told by its operator.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Where pods ask for tokens (TLS).
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Where /livez, /readyz and /metrics are answered (plain HTTP).
    #[serde(default = "default_admin")]
    pub admin: SocketAddr,
    /// The namespace that holds our Secrets and ConfigMaps.
    #[serde(default = "default_name")]
    pub namespace: String,
    /// `iss` of the stamps that are believed: the cluster's name.
    #[serde(default = "default_name")]
    pub issuer: String,
    /// Audience that a pod's token must carry.
    #[serde(default = "default_name")]
    pub audience: String,
    /// The serving certificate.
    #[serde(default)]
    pub tls: TlsSource,
    /// Public keys that verify stamps.
    #[serde(default)]
    pub stamp_keys: StampKeysSource,
    /// How far a pod's creationTimestamp may be from its stamp's `iat`.
    #[serde(default = "default_window")]
    pub stamp_window_seconds: u64,
    /// Namespaces whose pods never get a token, since the webhook sees nothing of them; kube-system and our own are
    /// always among them.
    #[serde(default)]
    pub excluded_namespaces: Vec<String>,
    /// Hadoop users nobody may be, besides the built-in ones; `-name` takes one of those out.
    #[serde(default)]
    pub deny: DenyList,
    #[serde(default)]
    pub policy: Policy,
    #[serde(default)]
    pub attestation: Attestation,
    /// The MutatingWebhookConfiguration that `doctor` looks at.
    #[serde(default = "default_name")]
    pub webhook_configuration: String,
    /// The ValidatingAdmissionPolicies that attestation rests on.
    #[serde(default)]
    pub guards: GuardNames,
    pub hadoop: HadoopSource,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub ledger: LedgerLimits,
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Whether a Kubernetes Event on the pod tells its owner what happened.
    #[serde(default = "yes")]
    pub events: bool,
    /// Where pods of linkedin/kube2hadoop ask, without TLS; nowhere if left out.
    #[serde(default)]
    pub legacy: Option<Legacy>,
}

/// Where pods with the init container of linkedin/kube2hadoop ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Legacy {
    pub listen: SocketAddr,
}

/// What must be in force before anybody is served.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policy {
    /// Refuse every request while the guards are not in force.
    pub require_token_guard: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            require_token_guard: true,
        }
    }
}

/// What is asked of a pod besides its token and its stamp.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Attestation {
    /// Its address must be the one that the request comes from. Only where nothing between pods and us translates
    /// addresses; and a pod waits until the API server knows its address.
    pub pod_ip: bool,
}

/// Why a configuration file cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error(transparent)]
    File(#[from] kube2hadoop_runtime::config::ConfigError),
    #[error("{path}: {problem}")]
    Content {
        path: PathBuf,
        problem: InvalidConfig,
    },
}

/// What a syntactically right file may still get wrong.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InvalidConfig {
    #[error("{field} is empty: give it a value, or leave the line out for the default")]
    Empty { field: &'static str },
    #[error("tls: give either secret, or certFile and keyFile")]
    Tls,
    #[error("stampKeys: give either configMap or file")]
    StampKeys,
    #[error("{field} is 0: give at least 1")]
    Zero { field: &'static str },
    #[error("ledger.minLifeFraction is not between 0 and 1: give for example 0.5")]
    Fraction,
    #[error(
        "hadoop.principal {0:?} is not name@REALM or name/host@REALM: give the principal that `klist -k` shows for the keytab"
    )]
    Principal(String),
    #[error(
        "stampWindowSeconds is {0}: more than 300 would let a copied stamp be used again; lower it"
    )]
    Window(u64),
    #[error(
        "limits.requestSeconds is {0}: pods hang up after {client} s, connecting included; give at most {fetcher}",
        client = CLIENT_PATIENCE.as_secs(),
        fetcher = FETCHER_PATIENCE.as_secs()
    )]
    RequestSeconds(u64),
    #[error(
        "ledger.namespace is also `namespace`: the ledger's rights would reach the CA and the signing keys there; give it a namespace of its own"
    )]
    LedgerNamespace,
    #[error("lifecycle.leaseSeconds is {0}: give 5 to 300")]
    LeaseSeconds(u64),
    #[error(
        "lifecycle.graceSeconds is {0}: a new pod of a job that just ended could lose its tokens before it is seen; give at least 5, better 60"
    )]
    GraceSeconds(u64),
    #[error(
        "lifecycle.renewFraction and renewSpread leave no time to renew: give a fraction from 0.1 to 0.9 and a smaller spread, for example 0.7 and 0.2"
    )]
    RenewFraction,
}

impl Config {
    /// Finds what cannot work, before anything is started.
    ///
    /// # Errors
    /// The first setting that has to change.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        let texts = [
            ("namespace", &self.namespace),
            ("issuer", &self.issuer),
            ("audience", &self.audience),
            ("webhookConfiguration", &self.webhook_configuration),
        ];
        let mut texts = texts.into_iter().chain(self.guards.by_key());
        if let Some((field, _)) = texts.find(|(_, text)| text.trim().is_empty()) {
            return Err(InvalidConfig::Empty { field });
        }
        self.validate_numbers()?;
        self.lifecycle.validate()?;
        if self.hadoop.short_name().is_none() {
            return Err(InvalidConfig::Principal(self.hadoop.principal.clone()));
        }
        if self.ledger.namespace.as_ref() == Some(&self.namespace) {
            return Err(InvalidConfig::LedgerNamespace);
        }
        Ok(())
    }

    fn validate_numbers(&self) -> Result<(), InvalidConfig> {
        let pressure = &self.hadoop.limits;
        let counts = [
            ("hadoop.timeoutSeconds", self.hadoop.timeout_seconds),
            ("hadoop.limits.perSecond", pressure.per_second.into()),
            (
                "hadoop.limits.perUserPerSecond",
                pressure.per_user_per_second.into(),
            ),
            ("hadoop.limits.concurrency", pressure.concurrency as u64),
            ("hadoop.limits.queue", pressure.queue as u64),
            ("limits.requestSeconds", self.limits.request_seconds),
            ("limits.running", self.limits.running as u64),
            ("limits.connections", self.limits.connections.into()),
            ("ledger.capacity", self.ledger.capacity as u64),
            ("stampWindowSeconds", self.stamp_window_seconds),
        ];
        if let Some((field, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(InvalidConfig::Zero { field });
        }
        if self.limits.request_seconds > FETCHER_PATIENCE.as_secs() {
            return Err(InvalidConfig::RequestSeconds(self.limits.request_seconds));
        }
        if !(0.0..1.0).contains(&self.ledger.min_life_fraction) {
            return Err(InvalidConfig::Fraction);
        }
        if self.stamp_window_seconds > 300 {
            return Err(InvalidConfig::Window(self.stamp_window_seconds));
        }
        Ok(())
    }

    /// Reads the file's content and checks it.
    ///
    /// # Errors
    /// The first thing that has to change, with the file's name.
    pub fn parse(file: &File) -> Result<Self, ConfigError> {
        let config: Self = file.parse()?;
        config.validate().map_err(|problem| ConfigError::Content {
            path: file.path().to_owned(),
            problem,
        })?;
        Ok(config)
    }

    /// Whether tokens are renewed and cancelled by us.
    #[must_use]
    pub fn renews(&self) -> bool {
        self.lifecycle.enabled && self.ledger.namespace.is_some()
    }

    /// The namespaces whose pods never get a token, all of them.
    #[must_use]
    pub fn all_excluded_namespaces(&self) -> BTreeSet<String> {
        let own = std::iter::once(&self.namespace).chain(&self.ledger.namespace);
        let configured = own.chain(&self.excluded_namespaces).cloned();
        configured.chain([SYSTEM.to_owned()]).collect()
    }

    /// The users nobody may be: our own principal's name among them, which Hadoop would let act for others.
    #[must_use]
    pub fn deny_list(&self) -> DenyList {
        let own = self.hadoop.short_name().unwrap_or_default();
        self.deny.clone().and(own)
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443))
}

fn default_admin() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9990))
}

fn default_name() -> String {
    "kube2hadoop".into()
}

fn default_window() -> u64 {
    30
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
