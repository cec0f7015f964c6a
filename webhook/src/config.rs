//! The configuration file, as the chart renders it.

use std::net::SocketAddr;
use std::path::PathBuf;

use kube2hadoop_runtime::config::{ConfigError, File};
use kube2hadoop_runtime::guards::GuardNames;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use crate::admission::{Connect, Policy, UnmappedUpdate};
use crate::identity::IdentityPolicy;
use crate::inject::InjectPolicy;
use crate::kinds::Kinds;

/// webhook.yaml.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Where admission is served.
    pub listen: SocketAddr,
    /// Where /livez, /readyz and /metrics are served.
    pub admin: SocketAddr,
    /// Our own namespace.
    pub namespace: String,
    /// The name of this installation, `iss` of its stamps.
    pub issuer: String,
    /// The MutatingWebhookConfiguration whose caBundle is ours to write.
    pub webhook_configuration: String,
    pub services: Services,
    pub secrets: Secrets,
    /// The ConfigMap of the public keys.
    pub stamp_keys: String,
    /// How long the API server waits for an answer, as the webhook is registered.
    #[serde(default = "timeout")]
    pub timeout_seconds: u64,
    /// How far the creation of a pod that asks may be from its stamp's `iat`; as the fetcher's.
    #[serde(default = "window")]
    pub stamp_window_seconds: u64,
    pub identity: IdentityPolicy,
    #[serde(default)]
    pub certificates: Lifetimes,
    #[serde(default)]
    pub policy: Switches,
    pub guards: GuardNames,
    /// The administrator's own, besides those built in.
    pub kinds: Kinds,
    pub inject: InjectPolicy,
}

/// The Services whose names the certificates carry.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Services {
    pub webhook: String,
    pub fetcher: String,
}

/// The Secrets that the webhook makes and keeps.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secrets {
    pub ca: String,
    pub signing_keys: String,
    /// The fetcher's certificate; left out where it brings its own.
    pub fetcher_tls: Option<String>,
}

/// How long certificates and the signing key live. A CA's successor is made at two thirds of its life.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Lifetimes {
    pub ca_days: u32,
    pub leaf_days: u32,
    /// After which another key signs stamps; 0: when the administrator asks.
    pub signing_key_days: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            ca_days: 365,
            leaf_days: 7,
            signing_key_days: 90,
        }
    }
}

/// The `policy` section.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Switches {
    /// Without the guards the webhook is not ready, and no pod inherits.
    pub require_token_guard: bool,
    pub unmapped_update: UnmappedUpdate,
    pub connect: Connect,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            require_token_guard: true,
            unmapped_update: UnmappedUpdate::Deny,
            connect: Connect::Warn,
        }
    }
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    File(#[from] ConfigError),
    #[error("{path}: {problem}")]
    Content { path: PathBuf, problem: Problem },
}

/// What is wrong with values that are well-formed each by itself.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("{0} is empty: set it")]
    Empty(&'static str),
    #[error("listen and admin are both {0}: use two ports")]
    SamePort(SocketAddr),
    #[error("inject.fetcherUrl is {0}: want https://host:port and no path")]
    FetcherUrl(String),
    #[error(
        "inject.fetcherCa holds no certificates in PEM form: give the CA that signs the fetcher's certificate, or leave it out for ours"
    )]
    FetcherCa,
    #[error(
        "inject.fetcherCa is missing: without secrets.fetcherTls the fetcher's certificate is not from us, so pods need the CA that it is from"
    )]
    NoFetcherCa,
    #[error(
        "certificates: want leafDays from 1 to a twelfth of caDays, and caDays up to 3660, so that rotation overlaps"
    )]
    Lifetimes,
    #[error(
        "{key} is «{amount}», which is no amount that Kubernetes takes: give 100m, 0.5 or 2 for cpu, 16Mi for memory"
    )]
    Quantity { key: String, amount: String },
    #[error("{0}.cpu is more than {0}.cpuLimit: raise the limit, or no pod could be created")]
    CpuLimit(&'static str),
    #[error(
        "inject.deadlineSeconds is {0}: give 1 to 3600, since the init container takes no other"
    )]
    Deadline(u32),
    #[error(
        "stampWindowSeconds is {0}: give 1 to 300, and the same to the fetcher; more would let a copied stamp be used again"
    )]
    Window(u64),
    #[error("timeoutSeconds is {0}: give 2 to 30, as the webhook's registration has it")]
    Timeout(u64),
    #[error("identity.mappings is empty, so nobody would get a token: add a rule")]
    NoMappings,
}

impl Config {
    /// What a change of the file puts in force without a restart: all that is in the [`Policy`].
    pub const LIVE: &[&str] = &[
        "identity",
        "inject",
        "issuer",
        "kinds",
        "policy.connect",
        "policy.unmappedUpdate",
        "stampWindowSeconds",
    ];

    /// Reads the file's content and checks it.
    ///
    /// # Errors
    /// A file that is no such configuration, or contradicts itself.
    pub fn parse(file: &File) -> Result<Self, LoadError> {
        let config: Self = file.parse()?;
        config.check().map_err(|problem| LoadError::Content {
            path: file.path().to_owned(),
            problem,
        })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Problem> {
        let names = [
            ("namespace", &self.namespace),
            ("issuer", &self.issuer),
            ("webhookConfiguration", &self.webhook_configuration),
            ("services.webhook", &self.services.webhook),
            ("services.fetcher", &self.services.fetcher),
            ("secrets.ca", &self.secrets.ca),
            ("secrets.signingKeys", &self.secrets.signing_keys),
            ("stampKeys", &self.stamp_keys),
            ("inject.image", &self.inject.image),
            ("inject.audience", &self.inject.audience),
        ];
        let fetcher_tls = self.secrets.fetcher_tls.as_ref();
        let given = fetcher_tls.map(|name| ("secrets.fetcherTls", name));
        let mut names = names.into_iter().chain(given).chain(self.guards.by_key());
        if let Some((key, _)) = names.find(|(_, name)| name.is_empty()) {
            return Err(Problem::Empty(key));
        }
        if self.listen == self.admin && self.listen.port() != 0 {
            return Err(Problem::SamePort(self.listen));
        }
        if self.identity.mappings.is_empty() {
            return Err(Problem::NoMappings);
        }
        let Lifetimes {
            ca_days, leaf_days, ..
        } = self.certificates;
        if leaf_days == 0 || leaf_days > ca_days / 12 || ca_days > 3660 {
            return Err(Problem::Lifetimes);
        }
        if !(1..=3600).contains(&self.inject.deadline_seconds) {
            return Err(Problem::Deadline(self.inject.deadline_seconds));
        }
        if !(2..=30).contains(&self.timeout_seconds) {
            return Err(Problem::Timeout(self.timeout_seconds));
        }
        if !(1..=300).contains(&self.stamp_window_seconds) {
            return Err(Problem::Window(self.stamp_window_seconds));
        }
        for (key, resources) in [
            ("inject.resources", &self.inject.resources),
            ("inject.refreshResources", &self.inject.refresh_resources),
        ] {
            if let Some((field, amount)) = resources.malformed() {
                return Err(Problem::Quantity {
                    key: format!("{key}.{field}"),
                    amount: amount.to_owned(),
                });
            }
            if resources.limit_is_too_low() {
                return Err(Problem::CpuLimit(key));
            }
        }
        self.check_way_to_fetcher()
    }

    /// What pods are told: where the fetcher is, and by which CA they know it.
    fn check_way_to_fetcher(&self) -> Result<(), Problem> {
        let url = &self.inject.fetcher_url;
        let host = url.strip_prefix("https://").unwrap_or_default();
        if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            return Err(Problem::FetcherUrl(url.clone()));
        }
        match &self.inject.fetcher_ca {
            Some(pem) if !holds_certificates(pem) => Err(Problem::FetcherCa),
            None if self.secrets.fetcher_tls.is_none() => Err(Problem::NoFetcherCa),
            _ => Ok(()),
        }
    }

    /// The part that decisions depend on.
    pub fn into_policy(self) -> Policy {
        Policy {
            identity: self.identity,
            inject: self.inject,
            issuer: self.issuer,
            stamp_window_seconds: self.stamp_window_seconds,
            unmapped_update: self.policy.unmapped_update,
            kinds: self.kinds,
            connect: self.policy.connect,
        }
    }
}

fn timeout() -> u64 {
    5
}

fn window() -> u64 {
    30
}

fn holds_certificates(pem: &str) -> bool {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.is_ok_and(|found| !found.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the chart renders it.
    const CHART: &str = include_str!("../tests/fixtures/webhook.yaml");

    fn problem(from: &str, to: &str) -> String {
        assert!(CHART.contains(from), "the fixture has no «{from}»");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("webhook.yaml");
        std::fs::write(&path, CHART.replace(from, to)).unwrap();
        let file = File::read(&path).unwrap();
        Config::parse(&file).map_or_else(|error| error.to_string(), |_| "none".into())
    }

    #[test]
    fn what_the_chart_renders_can_be_used() {
        assert_eq!(problem("listen", "listen"), "none");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let said = |from, to, words: &str| {
            let said = problem(from, to);
            assert!(
                said.contains("webhook.yaml") && said.contains(words),
                "{said}"
            );
        };
        said("issuer: \"kube2hadoop\"", "issuer: ''", "issuer is empty");
        said("0.0.0.0:9990", "0.0.0.0:8443", "use two ports");
        said(
            "https://kube2hadoop-fetcher.kube2hadoop.svc:443",
            "http://x",
            "inject.fetcherUrl",
        );
        said(
            "https://kube2hadoop-fetcher.kube2hadoop.svc:443",
            "https://x/y",
            "inject.fetcherUrl",
        );
        said("{signingKeyDays: 90}", "{caDays: 30}", "a twelfth");
        said("stampKeys", "stampKey", "line 8");
        for timeout in ["timeoutSeconds: 1", "timeoutSeconds: 31"] {
            said("timeoutSeconds: 5", timeout, "give 2 to 30");
        }
        for window in ["stampWindowSeconds: 0", "stampWindowSeconds: 301"] {
            said("stampWindowSeconds: 30", window, "give 1 to 300");
        }
        for deadline in ["deadlineSeconds: 0", "deadlineSeconds: 7200"] {
            said("deadlineSeconds: 120", deadline, "give 1 to 3600");
        }
        said(
            "  audience: ",
            "  fetcherCa: nobody\n  audience: ",
            "inject.fetcherCa holds no certificates",
        );
        said(
            ", fetcherTls: kube2hadoop-fetcher-tls",
            "",
            "inject.fetcherCa is missing",
        );
        said(
            "kube2hadoop-fetcher-tls",
            "''",
            "secrets.fetcherTls is empty",
        );
        said(
            "kube2hadoop-token-guard",
            "''",
            "guards.tokenGuard is empty",
        );
        said(
            r#""cpu":"100m""#,
            r#""cpu":"2""#,
            "inject.resources.cpu is more than inject.resources.cpuLimit",
        );
        said(
            r#""cpu":"100m""#,
            r#""cpu":"100mm""#,
            "inject.resources.cpu is «100mm»",
        );
        said(
            r#""cpu":"20m","cpuLimit":"500m","memory":"16Mi""#,
            r#""cpu":"20m","cpuLimit":"500m","memory":"16MB""#,
            "inject.refreshResources.memory is «16MB»",
        );
        said("'^(?<name>", "'(?<name>", "not anchored");
        said(
            "grantable: []",
            "ldap: {urls: [ldap://x], caFile: c, base: dc=x, grantable: ['^x$'], filter: '(cn={account})'}",
            "in the clear",
        );
        said(
            "unmappedUpdate\":\"deny",
            "unmappedUpdate\":\"perhaps",
            "perhaps",
        );
    }
}
