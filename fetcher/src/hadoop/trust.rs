//! Which https servers of Hadoop are believed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

/// Why no HTTP client could be made.
#[derive(Debug, Error)]
pub enum HttpSetupError {
    #[error(
        "failed to read the CA certificates in {path}: hadoop.caFile (the chart's hadoop.ca) is a PEM file with at least one certificate"
    )]
    CaFile {
        path: PathBuf,
        source: rustls::pki_types::pem::Error,
    },
    #[error(
        "{0} holds no CA certificate: hadoop.caFile (the chart's hadoop.ca) is a PEM file with at least one certificate"
    )]
    NoCa(PathBuf),
    #[error("failed to set up TLS towards Hadoop")]
    Tls(#[from] rustls::Error),
    #[error("failed to set up the HTTP client")]
    Client(#[from] reqwest::Error),
}

/// What a server has to show.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Private CAs; without a file, those of the system.
    pub ca_file: Option<&'a Path>,
    /// Not even asked are servers that are reached by http.
    pub https_only: bool,
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// A file that cannot be read or holds none.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpSetupError> {
    let failed = |source| HttpSetupError::CaFile {
        path: path.into(),
        source,
    };
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(failed)?
        .collect();
    let all = all.map_err(failed)?;
    if all.is_empty() {
        Err(HttpSetupError::NoCa(path.into()))
    } else {
        Ok(all)
    }
}

/// Private CAs where some are given, else those of the system.
pub(super) fn client_config(
    ca_file: Option<&Path>,
) -> Result<rustls::ClientConfig, HttpSetupError> {
    let mut roots = rustls::RootCertStore::empty();
    match ca_file {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
