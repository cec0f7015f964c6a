//! The serving certificate, from a Secret or files, replaced while we run.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use kube2hadoop_runtime::readiness::Gate;
use kube2hadoop_runtime::shutdown::Shutdown;
use kube2hadoop_runtime::tls::{ServingTls, TlsError};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::chain;
use crate::config::TlsSource;
use crate::metrics::Metrics;

/// Contents are compared: a watch on a mounted file sees a kubelet's swap at most once.
const PERIOD: Duration = Duration::from_secs(5);
const CERT: &str = "tls.crt";
const KEY: &str = "tls.key";
const CA: &str = "ca.crt";

/// Why there is no certificate, or no newer one.
#[derive(Debug, Error)]
pub(crate) enum CertError {
    #[error("Secret {0} is not there yet: the webhook writes it when it starts; see that it runs")]
    NoSecret(String),
    #[error("Secret {name} has no {field}: delete it, and the webhook writes it anew")]
    NoField { name: String, field: &'static str },
    #[error("failed to read Secret {name}: give kube2hadoop-fetcher the right to get it")]
    Api { name: String, source: kube::Error },
    #[error("failed to read {path}: see tls.certFile and tls.keyFile in the configuration")]
    File {
        path: String,
        source: std::io::Error,
    },
    #[error("the serving certificate cannot be used")]
    Tls(#[source] TlsError),
}

/// Certificate chain and key, and the CAs that clients are to trust, where the Secret says; as PEM.
#[derive(PartialEq, Eq)]
pub(crate) struct Pair {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    ca: Option<Vec<u8>>,
}

/// The CAs that clients are told to trust from now on. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Bundle(Arc<RwLock<Option<String>>>);

impl Bundle {
    /// PEM; none where we know of no CA that stands behind our certificate.
    #[must_use]
    pub(crate) fn told(&self) -> Option<String> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Clients that trusted others would not come back.
    fn set(&self, pair: &Pair) {
        let ca = pair.ca.as_deref().filter(|ca| pair.is_issued_by(ca));
        let ca = ca.and_then(|ca| String::from_utf8(ca.to_vec()).ok());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ca;
    }
}

impl Pair {
    /// Whether it can be served.
    ///
    /// # Errors
    /// A chain or key that cannot be read, or that do not fit together.
    pub(crate) fn check(&self) -> Result<ServingTls, CertError> {
        ServingTls::from_pem(&self.chain, &self.key).map_err(CertError::Tls)
    }

    /// Whether one of these CAs, PEM, stands behind it. When it ends is another matter.
    #[must_use]
    pub(crate) fn is_issued_by(&self, bundle: &[u8]) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(bundle));
        let chain = certificates(&self.chain);
        let Some((leaf, intermediates)) = chain.split_first() else {
            return false;
        };
        let Ok(leaf) = ParsedCertificate::try_from(leaf) else {
            return false;
        };
        let algorithms = rustls::crypto::aws_lc_rs::default_provider();
        let algorithms = algorithms.signature_verification_algorithms.all;
        let verified = verify_server_cert_signed_by_trust_anchor(
            &leaf,
            &roots,
            intermediates,
            UnixTime::now(),
            algorithms,
        );
        !matches!(
            verified,
            Err(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature
            ))
        )
    }
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).flatten().collect()
}

/// Where the pair is read from.
pub(crate) enum Source {
    Secret { api: Box<Api<Secret>>, name: String },
    Files { cert: PathBuf, key: PathBuf },
}

impl Source {
    #[must_use]
    pub(crate) fn new(config: &TlsSource, client: &Client, namespace: &str) -> Self {
        match config {
            TlsSource::Secret(name) => Self::Secret {
                api: Box::new(Api::namespaced(client.clone(), namespace)),
                name: name.clone(),
            },
            TlsSource::Files { cert, key } => Self::Files {
                cert: cert.clone(),
                key: key.clone(),
            },
        }
    }

    /// Reads the pair.
    ///
    /// # Errors
    /// When a part is not there or may not be read.
    pub(crate) async fn read(&self) -> Result<Pair, CertError> {
        match self {
            Self::Files { cert, key } => Ok(Pair {
                chain: read_file(cert).await?,
                key: Zeroizing::new(read_file(key).await?),
                ca: None,
            }),
            Self::Secret { api, name } => {
                let found = api
                    .get_opt(name)
                    .await
                    .map_err(|source| CertError::Api {
                        name: name.clone(),
                        source,
                    })?
                    .ok_or_else(|| CertError::NoSecret(name.clone()))?;
                let mut data = found.data.unwrap_or_default();
                let ca = data.remove(CA).map(|bytes| bytes.0);
                let mut take = |field| {
                    let bytes = data.remove(field).map(|bytes| bytes.0);
                    bytes.ok_or_else(|| CertError::NoField {
                        name: name.clone(),
                        field,
                    })
                };
                Ok(Pair {
                    chain: take(CERT)?,
                    key: Zeroizing::new(take(KEY)?),
                    ca,
                })
            }
        }
    }
}

async fn read_file(path: &Path) -> Result<Vec<u8>, CertError> {
    let named = |source| CertError::File {
        path: path.display().to_string(),
        source,
    };
    tokio::fs::read(path).await.map_err(named)
}

/// Waits for the first usable pair; none if shutdown comes before it.
pub(crate) async fn first(
    source: &Source,
    gate: &Gate,
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> Option<(ServingTls, Pair)> {
    let mut said = String::new();
    loop {
        let loaded = source.read().await.and_then(|pair| {
            let tls = pair.check()?;
            Ok((tls, pair))
        });
        match loaded {
            Ok(both) => {
                gate.ready();
                metrics.certificate_loaded.set(now_seconds());
                return Some(both);
            }
            Err(error) => report(&error, &mut said, Some(gate)),
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = shutdown.requested() => return None,
        }
    }
}

/// Replaces the pair when it changes; a bad one is logged and the old one served on.
pub(crate) async fn follow(
    tls: ServingTls,
    mut current: Pair,
    bundle: Bundle,
    source: Source,
    metrics: Metrics,
    shutdown: Shutdown,
) {
    let mut said = String::new();
    bundle.set(&current);
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = shutdown.requested() => return,
        }
        let replaced = match source.read().await {
            Ok(pair) if pair == current => Ok(None),
            Ok(pair) => tls
                .replace(&pair.chain, &pair.key)
                .map(|()| Some(pair))
                .map_err(CertError::Tls),
            Err(error) => Err(error),
        };
        match replaced {
            Ok(None) => said.clear(),
            Ok(Some(pair)) => {
                tracing::info!("serving certificate replaced");
                metrics.certificate_loaded.set(now_seconds());
                bundle.set(&pair);
                current = pair;
            }
            Err(error) => report(&error, &mut said, None),
        }
    }
}

fn report(error: &CertError, said: &mut String, gate: Option<&Gate>) {
    let reason = chain::text(error);
    if let Some(gate) = gate {
        gate.not_ready(&reason);
    }
    if *said != reason {
        tracing::warn!(error = %reason, "the serving certificate could not be read");
        *said = reason;
    }
}

fn now_seconds() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    fn authority() -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_certificate_knows_its_ca_and_clients_are_told_no_other() {
        let (ours, theirs) = (authority(), authority());
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["fetcher".to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &ours).unwrap();
        let pair = || Pair {
            chain: leaf.pem().into_bytes(),
            key: Zeroizing::new(key.serialize_pem().into_bytes()),
            ca: None,
        };
        assert!(pair().check().is_ok());
        assert!(pair().is_issued_by(ours.pem().as_bytes()));
        assert!(pair().is_issued_by((theirs.pem() + &ours.pem()).as_bytes()));
        for bundle in [&*theirs.pem(), "no PEM", ""] {
            assert!(!pair().is_issued_by(bundle.as_bytes()), "{bundle}");
        }
        let bundle = Bundle::default();
        let told = |ca: Option<String>, pair: Pair| {
            let ca = ca.map(String::into_bytes);
            bundle.set(&Pair { ca, ..pair });
            bundle.told()
        };
        let both = theirs.pem() + &ours.pem();
        assert_eq!(told(Some(both.clone()), pair()), Some(both));
        assert_eq!(told(Some(theirs.pem()), pair()), None);
        assert_eq!(told(None, pair()), None);
    }
}
