//! The public keys that verify stamps, from a ConfigMap or a file, replaced while we run.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use kube2hadoop_runtime::readiness::Gate;
use kube2hadoop_runtime::shutdown::Shutdown;
use kube2hadoop_stamp::{StampError, VerifyingKeys};
use thiserror::Error;

use crate::config::StampKeysSource;

/// Where the JWKS stands in the ConfigMap.
const KEY: &str = "keys.json";
/// Polled by name: a watch would need the right to list every ConfigMap of the namespace.
const PERIOD: Duration = Duration::from_secs(5);

/// Why there are no keys, or no newer ones.
#[derive(Debug, Error)]
pub enum StampKeysError {
    #[error(
        "ConfigMap {0} is not there yet: the webhook writes it when it starts; see that it runs"
    )]
    NoConfigMap(String),
    #[error("ConfigMap {0} has no {KEY}: delete it, and the webhook writes it anew")]
    NoKey(String),
    #[error("failed to read ConfigMap {name}: give kube2hadoop-fetcher the right to get it")]
    Api { name: String, source: kube::Error },
    #[error("failed to read the stamp keys from {path}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the stamp keys are not a JWKS of Ed25519 keys")]
    Jwks(#[source] StampError),
    #[error("the stamp keys are empty: every stamp would be refused")]
    Empty,
}

/// The keys in force; none before the first load.
#[derive(Default)]
pub struct StampKeys {
    current: RwLock<Option<Arc<VerifyingKeys>>>,
}

impl StampKeys {
    /// The keys as last read; none before they were.
    #[must_use]
    pub fn current(&self) -> Option<Arc<VerifyingKeys>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts a JWKS in force; one that cannot be used leaves the old keys as they are.
    ///
    /// # Errors
    /// A text that holds no usable key.
    pub fn replace(&self, jwks: &str) -> Result<(), StampKeysError> {
        let keys = VerifyingKeys::from_jwks(jwks).map_err(StampKeysError::Jwks)?;
        if keys.is_empty() {
            return Err(StampKeysError::Empty);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(keys));
        Ok(())
    }
}

/// Where the keys are read from.
pub(crate) enum Source {
    ConfigMap {
        api: Box<Api<ConfigMap>>,
        name: String,
    },
    File(PathBuf),
}

impl Source {
    #[must_use]
    pub(crate) fn new(config: &StampKeysSource, client: &Client, namespace: &str) -> Self {
        match config {
            StampKeysSource::ConfigMap(name) => Self::ConfigMap {
                api: Box::new(Api::namespaced(client.clone(), namespace)),
                name: name.clone(),
            },
            StampKeysSource::File(path) => Self::File(path.clone()),
        }
    }

    /// Reads the JWKS text.
    ///
    /// # Errors
    /// When it is not there or may not be read.
    pub(crate) async fn read(&self) -> Result<String, StampKeysError> {
        match self {
            Self::File(path) => {
                tokio::fs::read_to_string(path)
                    .await
                    .map_err(|source| StampKeysError::File {
                        path: path.clone(),
                        source,
                    })
            }
            Self::ConfigMap { api, name } => {
                let found = api
                    .get_opt(name)
                    .await
                    .map_err(|source| StampKeysError::Api {
                        name: name.clone(),
                        source,
                    })?
                    .ok_or_else(|| StampKeysError::NoConfigMap(name.clone()))?;
                found
                    .data
                    .and_then(|mut data| data.remove(KEY))
                    .ok_or_else(|| StampKeysError::NoKey(name.clone()))
            }
        }
    }
}

/// Keeps the keys fresh until shutdown; the gate opens with the first good ones and stays open.
pub(crate) async fn follow(keys: Arc<StampKeys>, source: Source, gate: Gate, shutdown: Shutdown) {
    let mut seen = Seen::default();
    loop {
        let outcome = match source.read().await {
            Ok(text) if seen.is(&text) => Ok(()),
            Ok(text) => keys.replace(&text).map(|()| {
                tracing::info!("stamp keys loaded");
                seen.text = Some(text);
            }),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => {
                seen.failure = None;
                gate.ready();
            }
            Err(error) => seen.report(&error, keys.current().is_none().then_some(&gate)),
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = shutdown.requested() => return,
        }
    }
}

/// What was read and said last, so that a poll logs changes only.
#[derive(Default)]
struct Seen {
    text: Option<String>,
    failure: Option<String>,
}

impl Seen {
    fn is(&self, text: &str) -> bool {
        self.text.as_deref() == Some(text)
    }

    /// With keys in force a failed poll is a warning; without any we are not ready.
    fn report(&mut self, error: &StampKeysError, closed: Option<&Gate>) {
        let reason = crate::chain::text(error);
        if let Some(gate) = closed {
            gate.not_ready(&reason);
        }
        if self.failure.as_deref() != Some(&reason) {
            tracing::warn!(error = %reason, "the stamp keys could not be read");
            self.failure = Some(reason);
        }
    }
}

/// The JWKS with one key's public half, as the webhook publishes it.
#[cfg(test)]
pub(crate) fn jwks_of(key: &kube2hadoop_stamp::SigningKey) -> String {
    key.public().to_jwks()
}

#[cfg(test)]
mod tests;
