//! The private CAs as Java clients want them: ssl-client.xml and a JKS file.
//!
//! JKS of certificates only: big-endian records, closed by a SHA-1 digest that starts with the password.

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use kube2hadoop_client::container::CONF_PATH;
use rustls::pki_types::CertificateDer;
use thiserror::Error;

use super::client_conf;
use super::trust::{HttpSetupError, certificates};

const FILE: &str = "truststore.jks";
/// Protects nothing: the certificates are public. Java's own default.
const PASSWORD: &str = "changeit";
const MAGIC: u32 = 0xFEED_FEED;
const VERSION: u32 = 2;
const TRUSTED_CERTIFICATE: u32 = 2;
const SALT: &[u8] = b"Mighty Aphrodite";

/// Why no truststore could be made.
#[derive(Debug, Error)]
pub enum TruststoreError {
    #[error(transparent)]
    Ca(#[from] HttpSetupError),
    #[error("hadoop.caFile (the chart's hadoop.ca) holds a certificate that is too large")]
    TooLarge,
}

/// ssl-client.xml and what it names.
pub(super) fn files(ca_file: &Path) -> Result<BTreeMap<String, Vec<u8>>, TruststoreError> {
    let store = jks(&certificates(ca_file)?).ok_or(TruststoreError::TooLarge)?;
    let location = format!("{CONF_PATH}/{FILE}");
    let properties = [
        ("ssl.client.truststore.location", location.as_str()),
        ("ssl.client.truststore.password", PASSWORD),
        ("ssl.client.truststore.type", "jks"),
    ];
    let conf = client_conf::write(properties.into_iter());
    Ok(BTreeMap::from([
        ("ssl-client.xml".to_owned(), conf),
        (FILE.to_owned(), store),
    ]))
}

fn jks(certificates: &[CertificateDer<'_>]) -> Option<Vec<u8>> {
    let mut store = Vec::new();
    for word in [MAGIC, VERSION, u32::try_from(certificates.len()).ok()?] {
        store.extend(word.to_be_bytes());
    }
    for (index, certificate) in certificates.iter().enumerate() {
        store.extend(TRUSTED_CERTIFICATE.to_be_bytes());
        text(&mut store, &format!("ca-{index}"))?;
        // Its date of creation says nothing: the same file for the same certificates.
        store.extend([0; 8]);
        text(&mut store, "X.509")?;
        store.extend(u32::try_from(certificate.len()).ok()?.to_be_bytes());
        store.extend_from_slice(certificate);
    }
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for unit in PASSWORD.encode_utf16() {
        digest.update(&unit.to_be_bytes());
    }
    digest.update(SALT);
    digest.update(&store);
    store.extend_from_slice(digest.finish().as_ref());
    Some(store)
}

fn text(store: &mut Vec<u8>, text: &str) -> Option<()> {
    store.extend(u16::try_from(text.len()).ok()?.to_be_bytes());
    store.extend_from_slice(text.as_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `keytool -list` of JDK 17 reads this file; its digest is keytool's own.
    #[test]
    fn a_store_has_its_records_and_digest() {
        let store = jks(&[CertificateDer::from(vec![0x30, 0])]).unwrap();
        let (records, digest) = store.split_at(store.len() - 20);
        assert_eq!(digest.len(), 20);
        assert_eq!(
            &records[..16],
            [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]
        );
        assert_eq!(&records[16..22], b"\0\x04ca-0");
        assert_eq!(&records[30..], b"\0\x05X.509\0\0\0\x02\x30\0");
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, "no certificate").unwrap();
        assert!(
            files(&path)
                .unwrap_err()
                .to_string()
                .contains("holds no CA certificate")
        );
        assert!(files(&dir.path().join("absent")).is_err());
    }
}
