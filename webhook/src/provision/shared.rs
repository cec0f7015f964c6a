//! What all replicas share through the API server: the CA, the fetcher's certificate, the signing key, the caBundle.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use kube2hadoop_runtime::api_server::Clients;
use kube2hadoop_runtime::tls::TlsError;
use kube2hadoop_stamp::{SigningKey, VerifyingKeys};

use super::AgreeError;
use super::agree::agree;
use super::ca::{Ages, Authority, CaError};
use super::leaf::{Leaf, Wanted};
use super::registration::register;
use super::signing::{self, SigningError};
use crate::config::{Config, Lifetimes, Secrets, Services};

const DAY: u64 = 24 * 60 * 60;
const MADE: &str = "made";
const SIGNER: &str = "signer.crt";

/// Why something could not be provided.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    #[error(transparent)]
    Agree(#[from] AgreeError),
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error("the certificate cannot be served: {0}")]
    Tls(#[from] TlsError),
}

/// The objects, by their names.
#[derive(Clone)]
pub(super) struct Shared {
    pub client: Client,
    pub watches: Client,
    pub namespace: String,
    pub services: Services,
    pub secrets: Secrets,
    pub stamp_keys: String,
    pub webhook_configuration: String,
    pub lifetimes: Lifetimes,
}

impl Shared {
    pub(super) fn new(clients: Clients, config: &Config) -> Self {
        Self {
            client: clients.calls,
            watches: clients.watches,
            namespace: config.namespace.clone(),
            services: config.services.clone(),
            secrets: config.secrets.clone(),
            stamp_keys: config.stamp_keys.clone(),
            webhook_configuration: config.webhook_configuration.clone(),
            lifetimes: config.certificates,
        }
    }

    pub(super) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) fn configurations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    /// The CA as it is by now.
    pub(super) async fn authority(&self, now: u64) -> Result<Authority, ProvisionError> {
        let ages = Ages::of(self.ca_life());
        let advance = |data: &mut _| Authority::advance(data, now, ages);
        Ok(agree(&self.secrets(), &self.secrets.ca, advance).await?)
    }

    /// A certificate of our own, where there is none or its time has come.
    pub(super) fn own_leaf(
        &self,
        authority: &Authority,
        leaf: Option<&Leaf>,
        now: u64,
    ) -> Result<Option<Leaf>, CaError> {
        let wanted = self.wanted(&self.services.webhook);
        match leaf {
            Some(leaf) if !Leaf::is_stale(leaf.made, &leaf.ca, authority, wanted.life, now) => {
                Ok(None)
            }
            _ => Leaf::issue(authority, wanted, now).map(Some),
        }
    }

    fn ca_life(&self) -> u64 {
        u64::from(self.lifetimes.ca_days) * DAY
    }

    /// When the CA that signs now ends.
    pub(super) fn end_of_ca(&self, authority: &Authority) -> u64 {
        authority.made().saturating_add(self.ca_life())
    }

    /// When a certificate of our own ends.
    pub(super) fn end_of(&self, leaf: &Leaf) -> u64 {
        let Wanted { life, .. } = self.wanted(&self.services.webhook);
        leaf.made.saturating_add(life)
    }

    fn wanted<'a>(&'a self, service: &'a str) -> Wanted<'a> {
        Wanted {
            service,
            namespace: &self.namespace,
            life: u64::from(self.lifetimes.leaf_days) * DAY,
        }
    }

    /// The fetcher's certificate lies in a Secret of its own, so that the fetcher never holds the CA's key. Gives when it
    /// ends; none: a fetcher outside the cluster has a certificate of its own.
    pub(super) async fn fetcher_leaf(
        &self,
        authority: &Authority,
        now: u64,
    ) -> Result<Option<u64>, CaError> {
        let Some(secret) = &self.secrets.fetcher_tls else {
            return Ok(None);
        };
        let bundle = ByteString(authority.bundle().into_bytes());
        let wanted = self.wanted(&self.services.fetcher);
        agree(&self.secrets(), secret, |data| {
            let text = |key| {
                let bytes: Option<&ByteString> = data.get(key);
                bytes.and_then(|bytes| std::str::from_utf8(&bytes.0).ok())
            };
            let made = text(MADE).and_then(|made| made.parse().ok());
            let fresh = made.filter(|made| {
                text(SIGNER).is_some_and(|signer| {
                    !Leaf::is_stale(*made, signer, authority, wanted.life, now)
                })
            });
            if fresh.is_none() {
                let leaf = Leaf::issue(authority, wanted, now)?;
                let parts = [
                    ("tls.crt", leaf.certificate),
                    ("tls.key", leaf.key.to_string()),
                    (SIGNER, leaf.ca),
                    (MADE, leaf.made.to_string()),
                ];
                data.extend(
                    parts.map(|(name, value)| (name.to_owned(), ByteString(value.into_bytes()))),
                );
            }
            data.insert("ca.crt".into(), bundle.clone());
            Ok(Some(fresh.unwrap_or(now).saturating_add(wanted.life)))
        })
        .await
    }

    /// The signing key, and all public keys, which are published.
    pub(super) async fn keys(&self, now: u64) -> Result<(SigningKey, VerifyingKeys), SigningError> {
        let days = u64::from(self.lifetimes.signing_key_days);
        let life = (days > 0).then_some(days * DAY);
        let advance = |data: &mut _| signing::advance(data, now, life);
        let name = &self.secrets.signing_keys;
        let (signing, verifying) = agree(&self.secrets(), name, advance).await?;
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let jwks = verifying.to_jwks();
        let published = agree::<_, _, AgreeError>(&maps, &self.stamp_keys, |data| {
            Ok(data.insert("keys.json".into(), jwks.clone()))
        });
        if let Some(gone) = signing::gone(published.await?.as_deref(), &verifying) {
            tracing::warn!(
                keys = gone,
                secret = name,
                "stamps of these keys are believed no longer: pods of the workloads that they stamped start without a \
                 token until the workload is changed or created anew; unless this was a revocation, restore the Secret \
                 from a backup"
            );
        }
        Ok((signing, verifying))
    }

    /// Has the API server trust this CA.
    pub(super) async fn register(&self, authority: &Authority) -> Result<(), AgreeError> {
        let bundle = authority.bundle();
        register(&self.configurations(), &self.webhook_configuration, &bundle).await
    }
}
