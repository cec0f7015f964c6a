//! The serving certificate: validated as a whole, then swapped as a whole.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the certificate chain is no PEM: {0}")]
    Chain(#[source] pem::Error),
    #[error("the certificate chain is empty")]
    Empty,
    #[error("the private key is no PEM of PKCS#8, PKCS#1 or SEC1: {0}")]
    Key(#[source] pem::Error),
    #[error("certificate and key do not fit together, or cannot be used: {0}")]
    Mismatch(#[source] rustls::Error),
}

/// What the listener serves. Clones share it; new connections see a replacement at once.
#[derive(Clone, Debug)]
pub struct ServingTls {
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl ServingTls {
    /// From a PEM chain (leaf first) and its key.
    ///
    /// # Errors
    /// A chain or key that cannot be read, or that do not fit together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let config = server_config(chain, key)?;
        Ok(Self {
            current: Arc::new(RwLock::new(config)),
        })
    }

    /// Serves this from now on.
    ///
    /// # Errors
    /// As [`ServingTls::from_pem`]; what was served before is kept then.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let config = server_config(chain, key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// The configuration for the next connection.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn server_config(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(TlsError::Chain)?;
    if chain.is_empty() {
        return Err(TlsError::Empty);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Mismatch)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
