//! The round that keeps all of it right: every few seconds, cheap where nothing changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use kube2hadoop_runtime::guards::{self, Guard};
use kube2hadoop_runtime::readiness::{Gate, Readiness};
use kube2hadoop_runtime::shutdown::Shutdown;
use kube2hadoop_runtime::tls::{ServingTls, TlsError};

use super::AgreeError;
use super::agree::agree;
use super::ca::{Authority, CaError};
use super::leaf::Leaf;
use super::registration::register;
use super::signing::{self, SigningError};
use crate::admission::Keys;
use crate::config::{Config, Secrets, Services};
use crate::server::CurrentKeys;

const PERIOD: Duration = Duration::from_secs(5);
const MADE: &str = "made";

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    #[error(transparent)]
    Agree(#[from] AgreeError),
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error("the certificate cannot be served: {0}")]
    Tls(#[from] TlsError),
}

/// Keeps Secrets, certificates, keys and caBundle.
pub struct Upkeep {
    client: Client,
    namespace: String,
    services: Services,
    secrets: Secrets,
    stamp_keys: String,
    webhook_configuration: String,
    guards: Vec<Guard>,
    guards_required: bool,
    guarded: Arc<AtomicBool>,
    keys: Arc<CurrentKeys>,
    provisioned: Gate,
    guard_gate: Gate,
    leaf: Option<Leaf>,
    tls: Option<ServingTls>,
}

impl Upkeep {
    /// For this configuration. `guarded` tells others whether the guards are in place.
    pub fn new(
        client: Client,
        config: &Config,
        keys: Arc<CurrentKeys>,
        guarded: Arc<AtomicBool>,
        readiness: &Readiness,
    ) -> Self {
        Self {
            client,
            namespace: config.namespace.clone(),
            services: config.services.clone(),
            secrets: config.secrets.clone(),
            stamp_keys: config.stamp_keys.clone(),
            webhook_configuration: config.webhook_configuration.clone(),
            guards: config.guards.all(),
            guards_required: config.policy.require_token_guard,
            guarded,
            keys,
            provisioned: readiness.gate("provisioned"),
            guard_gate: readiness.gate("guards"),
            leaf: None,
            tls: None,
        }
    }

    /// Works until there is a certificate to serve; none if shutdown comes before it.
    pub async fn first(&mut self, shutdown: &Shutdown) -> Option<ServingTls> {
        loop {
            self.round().await;
            if let Some(tls) = &self.tls {
                return Some(tls.clone());
            }
            pause(shutdown).await?;
        }
    }

    /// Goes on until shutdown.
    pub async fn keep(mut self, shutdown: Shutdown) {
        while pause(&shutdown).await.is_some() {
            self.round().await;
        }
    }

    async fn round(&mut self) {
        match self.provision().await {
            Ok(()) => self.provisioned.ready(),
            // Once provisioned, a round that fails takes nothing away: what is served stays valid.
            Err(error) if self.tls.is_some() => {
                tracing::warn!(%error, "upkeep failed; trying again");
            }
            Err(error) => {
                tracing::warn!(%error, "not provisioned yet; trying again");
                self.provisioned.not_ready(error.to_string());
            }
        }
        self.check_guards().await;
    }

    async fn check_guards(&self) {
        let problems = guards::check(&self.client, &self.guards).await;
        self.guarded.store(problems.is_empty(), Ordering::Relaxed);
        let reasons: Vec<String> = problems.iter().map(ToString::to_string).collect();
        if reasons.is_empty() || !self.guards_required {
            self.guard_gate.ready();
        } else {
            self.guard_gate.not_ready(reasons.join("; "));
        }
    }

    async fn provision(&mut self) -> Result<(), UpkeepError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let authority = self.authority(&secrets, now).await?;
        self.serve(&authority, now)?;
        self.fetcher_leaf(&secrets, &authority, now).await?;
        self.signing_keys(&secrets, &authority).await?;
        let configurations: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        register(
            &configurations,
            &self.webhook_configuration,
            &authority.bundle(),
        )
        .await?;
        Ok(())
    }

    async fn authority(&self, secrets: &Api<Secret>, now: u64) -> Result<Authority, UpkeepError> {
        let mut authority = None;
        let data = agree::<_, CaError>(secrets, &self.secrets.ca, |data| {
            authority = Some(Authority::advance(data, now)?);
            Ok(())
        });
        data.await?;
        authority.ok_or(UpkeepError::Ca(CaError::Damaged("it was not read")))
    }

    fn serve(&mut self, authority: &Authority, now: u64) -> Result<(), UpkeepError> {
        if self
            .leaf
            .as_ref()
            .is_some_and(|leaf| !Leaf::is_stale(leaf.made, &leaf.ca, authority, now))
        {
            return Ok(());
        }
        let leaf = Leaf::issue(authority, &self.services.webhook, &self.namespace, now)?;
        let (chain, key) = (leaf.certificate.as_bytes(), leaf.key.as_bytes());
        match &self.tls {
            Some(tls) => tls.replace(chain, key)?,
            None => self.tls = Some(ServingTls::from_pem(chain, key)?),
        }
        self.leaf = Some(leaf);
        Ok(())
    }

    async fn fetcher_leaf(
        &self,
        secrets: &Api<Secret>,
        authority: &Authority,
        now: u64,
    ) -> Result<(), UpkeepError> {
        let bundle = ByteString(authority.bundle().into_bytes());
        agree::<_, CaError>(secrets, &self.secrets.fetcher_tls, |data| {
            let made = data
                .get(MADE)
                .and_then(|text| std::str::from_utf8(&text.0).ok()?.parse().ok());
            let signer = data
                .get("signer.crt")
                .map(|pem| String::from_utf8_lossy(&pem.0).into_owned());
            let stale = match (made, signer) {
                (Some(made), Some(signer)) => Leaf::is_stale(made, &signer, authority, now),
                _ => true,
            };
            if stale {
                let leaf = Leaf::issue(authority, &self.services.fetcher, &self.namespace, now)?;
                let parts = [
                    ("tls.crt", leaf.certificate),
                    ("tls.key", leaf.key.to_string()),
                    ("signer.crt", leaf.ca),
                    (MADE, leaf.made.to_string()),
                ];
                data.extend(
                    parts.map(|(name, value)| (name.to_owned(), ByteString(value.into_bytes()))),
                );
            }
            data.insert("ca.crt".into(), bundle.clone());
            Ok(())
        })
        .await?;
        Ok(())
    }

    async fn signing_keys(
        &self,
        secrets: &Api<Secret>,
        authority: &Authority,
    ) -> Result<(), UpkeepError> {
        let mut data = agree::<_, SigningError>(secrets, &self.secrets.signing_keys, |data| {
            signing::key(data)?;
            Ok(())
        })
        .await?;
        let (signing, verifying) = signing::key(&mut data)?;
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let jwks = verifying.to_jwks();
        agree::<_, AgreeError>(&maps, &self.stamp_keys, |data| {
            data.insert("keys.json".into(), jwks.clone());
            Ok(())
        })
        .await?;
        let current = self.keys.get();
        let ca = authority.bundle();
        let same = |keys: &Keys| {
            keys.signing.kid() == signing.kid() && keys.verifying == verifying && keys.ca == ca
        };
        if !current.is_some_and(|keys| same(&keys)) {
            tracing::info!(kid = signing.kid(), "signing key loaded");
            self.keys.set(Keys {
                signing,
                verifying,
                ca,
            });
        }
        Ok(())
    }
}

async fn pause(shutdown: &Shutdown) -> Option<()> {
    tokio::select! {
        () = tokio::time::sleep(PERIOD) => Some(()),
        () = shutdown.requested() => None,
    }
}
