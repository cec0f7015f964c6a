//! The configuration file, as the chart renders it.

use std::net::SocketAddr;

use kube2hadoop_runtime::guards::Guard;
use serde::Deserialize;

use crate::admission::{Policy, UnmappedUpdate};
use crate::identity::IdentityPolicy;
use crate::inject::InjectPolicy;

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
    pub identity: IdentityPolicy,
    #[serde(default)]
    pub policy: Switches,
    pub guards: Guards,
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
    pub fetcher_tls: String,
}

/// The `policy` section.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Switches {
    /// Without the guards the webhook is not ready, and no pod inherits.
    pub require_token_guard: bool,
    pub unmapped_update: UnmappedUpdate,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            require_token_guard: true,
            unmapped_update: UnmappedUpdate::Deny,
        }
    }
}

/// The names of the guards.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guards {
    pub identity_is_immutable: String,
    pub token_guard: String,
    pub code_is_the_submitters: String,
    pub history_is_the_controllers: String,
}

impl Guards {
    /// All that must be in place.
    pub fn all(&self) -> Vec<Guard> {
        [
            &self.identity_is_immutable,
            &self.token_guard,
            &self.code_is_the_submitters,
            &self.history_is_the_controllers,
        ]
        .map(|name| Guard::new(name))
        .to_vec()
    }
}

impl Config {
    /// The part that decisions depend on.
    pub fn into_policy(self) -> Policy {
        Policy {
            identity: self.identity,
            inject: self.inject,
            issuer: self.issuer,
            unmapped_update: self.policy.unmapped_update,
        }
    }
}
