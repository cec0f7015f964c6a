//! The round that keeps all of it right: at a change, and every few seconds; cheap where nothing changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kube2hadoop_runtime::api_server::Clients;
use kube2hadoop_runtime::guards::Lookout;
use kube2hadoop_runtime::readiness::{Gate, Readiness};
use kube2hadoop_runtime::shutdown::Shutdown;
use kube2hadoop_runtime::tls::ServingTls;
use tokio::sync::Notify;

use super::ca::Authority;
use super::leaf::Leaf;
use super::metrics::Metrics;
use super::shared::{ProvisionError, Shared};
use super::wake;
use crate::admission::Keys;
use crate::config::Config;
use crate::server::CurrentKeys;

/// Between rounds where nothing happens: how long a missing guard goes unseen.
const PERIOD: Duration = Duration::from_secs(10);
/// Between rounds where much happens: somebody may write against us without end.
const BREATH: Duration = Duration::from_secs(1);
/// So many seconds before our certificate ends, requests go to a replica that has another.
const NEAR: u64 = 10 * 60;

/// Keeps Secrets, certificates, keys and caBundle.
pub struct Upkeep {
    shared: Shared,
    guards: Lookout,
    guards_required: bool,
    guarded: Arc<AtomicBool>,
    /// What was said last about the guards; empty where all are in place.
    unguarded: String,
    keys: Arc<CurrentKeys>,
    metrics: Metrics,
    provisioned: Gate,
    guard_gate: Gate,
    /// Once everything was, a round that fails takes nothing away: what is served stays valid.
    provided: bool,
    /// What pods are told to trust: every CA of the last round that could read them.
    bundle: Option<String>,
    leaf: Option<Leaf>,
    tls: Option<ServingTls>,
    wake: Arc<Notify>,
}

impl Upkeep {
    /// For this configuration. `guarded` tells others whether the guards are in place.
    pub fn new(
        clients: Clients,
        config: &Config,
        keys: Arc<CurrentKeys>,
        guarded: Arc<AtomicBool>,
        metrics: Metrics,
        readiness: &Readiness,
    ) -> Self {
        Self {
            shared: Shared::new(clients, config),
            guards: Lookout::new(config.guards.all()),
            guards_required: config.policy.require_token_guard,
            guarded,
            unguarded: String::new(),
            keys,
            metrics,
            provisioned: readiness.gate("provisioned"),
            guard_gate: readiness.gate("guards"),
            provided: false,
            bundle: None,
            leaf: None,
            tls: None,
            wake: Arc::default(),
        }
    }

    /// Works until there is something to serve; none if shutdown comes before it.
    pub async fn first(&mut self, shutdown: &Shutdown) -> Option<ServingTls> {
        loop {
            let provided = self.round().await;
            if let (true, Some(tls)) = (provided, &self.tls) {
                return Some(tls.clone());
            }
            tokio::select! {
                () = tokio::time::sleep(BREATH) => {}
                () = shutdown.requested() => return None,
            }
        }
    }

    /// Goes on until shutdown.
    pub async fn keep(mut self, shutdown: Shutdown) {
        wake::spawn(&self.shared, &self.wake, &shutdown);
        let work = async {
            loop {
                tokio::time::sleep(BREATH).await;
                // Whether woken or not, a round is due.
                let _ = tokio::time::timeout(PERIOD, self.wake.notified()).await;
                self.round().await;
            }
        };
        tokio::select! {
            () = work => {}
            () = shutdown.requested() => {}
        }
    }

    /// Was everything provided?
    pub(super) async fn round(&mut self) -> bool {
        self.check_guards().await;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let provided = self.provision(now).await;
        self.metrics.provided(provided.is_ok());
        let Err(error) = provided else {
            self.provided = true;
            self.provisioned.ready();
            return true;
        };
        tracing::warn!(%error, "not all is provided; trying again");
        if self.provided && !self.leaf_ends(now) {
            self.provisioned.ready();
        } else {
            self.provisioned.not_ready(error.to_string());
        }
        false
    }

    async fn check_guards(&mut self) {
        let problems = self.guards.look(&self.shared.client).await;
        let reasons: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let reasons = reasons.join("; ");
        self.guarded.store(problems.is_empty(), Ordering::Relaxed);
        self.metrics.guards_missing(problems.len());
        if self.unguarded != reasons {
            match problems.is_empty() {
                true => tracing::info!("the guards are in place"),
                false => {
                    tracing::warn!(reasons, "without guards no pod's own submissions inherit");
                }
            }
            self.unguarded.clone_from(&reasons);
        }
        if problems.is_empty() || !self.guards_required {
            self.guard_gate.ready();
        } else {
            self.guard_gate.not_ready(reasons);
        }
    }

    /// What fails keeps nothing else from being done: the first error is given when all was tried.
    async fn provision(&mut self, now: u64) -> Result<(), ProvisionError> {
        let certified = self.certify(now).await;
        let loaded = self.load_keys(now).await;
        certified.and(loaded)
    }

    async fn certify(&mut self, now: u64) -> Result<(), ProvisionError> {
        let authority = self.shared.authority(now).await?;
        self.bundle = Some(authority.bundle());
        self.metrics.ends("ca", self.shared.end_of_ca(&authority));
        let registered = self.shared.register(&authority).await;
        // A new CA is trusted by the API server before anything of it is served.
        let trusted = registered.is_ok() || self.serves_from(&authority);
        let served = if trusted {
            self.serve(&authority, now)
        } else {
            Ok(())
        };
        // The fetcher's callers are pods, which are told by us whom to trust.
        let fetcher = self.shared.fetcher_leaf(&authority, now).await;
        if let Ok(Some(end)) = fetcher {
            self.metrics.ends("fetcher", end);
        }
        registered?;
        served?;
        fetcher?;
        Ok(())
    }

    fn serves_from(&self, authority: &Authority) -> bool {
        let leaf = self.leaf.as_ref();
        leaf.is_some_and(|leaf| leaf.ca == authority.signer())
    }

    fn leaf_ends(&self, now: u64) -> bool {
        let end = self.leaf.as_ref().map(|leaf| self.shared.end_of(leaf));
        end.is_some_and(|end| now.saturating_add(NEAR) >= end)
    }

    fn serve(&mut self, authority: &Authority, now: u64) -> Result<(), ProvisionError> {
        let Some(leaf) = self.shared.own_leaf(authority, self.leaf.as_ref(), now)? else {
            return Ok(());
        };
        let (chain, key) = (leaf.certificate.as_bytes(), leaf.key.as_bytes());
        match &self.tls {
            Some(tls) => tls.replace(chain, key)?,
            None => self.tls = Some(ServingTls::from_pem(chain, key)?),
        }
        self.metrics.ends("webhook", self.shared.end_of(&leaf));
        self.leaf = Some(leaf);
        Ok(())
    }

    async fn load_keys(&self, now: u64) -> Result<(), ProvisionError> {
        let (signing, verifying) = self.shared.keys(now).await?;
        let Some(ca) = &self.bundle else {
            return Ok(());
        };
        let same = |keys: &Keys| {
            keys.signing.kid() == signing.kid() && keys.verifying == verifying && *keys.ca == **ca
        };
        if !self.keys.get().is_some_and(|keys| same(&keys)) {
            tracing::info!(kid = signing.kid(), "signing key loaded");
            self.keys.set(Keys {
                signing,
                verifying,
                ca: ca.clone().into(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
