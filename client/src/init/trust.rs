//! Whom the client takes for the fetcher: whoever has a certificate of the CA that the pod was made with, until an answer
//! names others.

use std::fs;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::settings::Settings;

/// In the volume, so that a sidecar that starts again knows them too.
pub(super) const FILE: &str = "fetcher-ca.crt";

/// The certificates of a PEM text, if it has any and all can be read.
pub(super) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .ok()?;
    (!found.is_empty()).then_some(found)
}

/// A pod that refreshes its tokens outlives CAs: those of the last answer replace the ones that it was made with.
pub(super) fn in_force(settings: &Settings) -> Vec<CertificateDer<'static>> {
    let told = fs::read(settings.dir.join(FILE)).ok();
    let told = told.and_then(|pem| certificates(&pem));
    told.unwrap_or_else(|| settings.ca.clone())
}
