//! Serving certificates: short-lived, for one Service's names.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use zeroize::Zeroizing;

use super::ca::{Authority, CaError, validity};

const LIFE: u64 = 7 * 24 * 60 * 60;
const RENEWAL: u64 = LIFE * 2 / 3;

/// A certificate with its key, as PEM.
pub(super) struct Leaf {
    pub certificate: String,
    pub key: Zeroizing<String>,
    /// The CA that signed it, as PEM.
    pub ca: String,
    pub made: u64,
}

impl Leaf {
    /// For the names under which pods and the API server know a Service.
    pub(super) fn issue(
        authority: &Authority,
        service: &str,
        namespace: &str,
        now: u64,
    ) -> Result<Self, CaError> {
        let names = ["", ".svc", ".svc.cluster.local"]
            .map(|suffix| format!("{service}.{namespace}{suffix}"));
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names.to_vec())?;
        let mut name = DistinguishedName::new();
        // At most 64 characters (X.520): the names that count are the alternative ones.
        name.push(DnType::CommonName, "kube2hadoop");
        params.distinguished_name = name;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = validity(now, LIFE);
        let certificate = authority.issue(params, &key)?;
        Ok(Self {
            certificate,
            key: Zeroizing::new(key.serialize_pem()),
            ca: authority.signer().to_owned(),
            made: now,
        })
    }

    /// Is it time for another?
    pub(super) fn is_stale(made: u64, ca: &str, authority: &Authority, now: u64) -> bool {
        now.saturating_sub(made) >= RENEWAL || ca != authority.signer()
    }
}
