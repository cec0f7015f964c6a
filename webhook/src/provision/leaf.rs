//! Serving certificates: short-lived, for one Service's names.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use zeroize::Zeroizing;

use super::ca::{Authority, CaError, is_ahead, validity};

/// A certificate with its key, as PEM.
pub(super) struct Leaf {
    pub certificate: String,
    pub key: Zeroizing<String>,
    /// The CA that signed it, as PEM.
    pub ca: String,
    pub made: u64,
}

/// Of which Service a certificate is, and how long it lives, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub service: &'a str,
    pub namespace: &'a str,
    pub life: u64,
}

impl Leaf {
    /// For the names under which pods and the API server know a Service.
    pub(super) fn issue(
        authority: &Authority,
        wanted: Wanted<'_>,
        now: u64,
    ) -> Result<Self, CaError> {
        let Wanted {
            service,
            namespace,
            life,
        } = wanted;
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
        (params.not_before, params.not_after) = validity(now, life);
        let certificate = authority.issue(params, &key)?;
        Ok(Self {
            certificate,
            key: Zeroizing::new(key.serialize_pem()),
            ca: authority.signer().to_owned(),
            made: now,
        })
    }

    /// Is it time for another? At two thirds of its life, when its CA has retired, or when it is not valid yet.
    pub(super) fn is_stale(
        made: u64,
        ca: &str,
        authority: &Authority,
        life: u64,
        now: u64,
    ) -> bool {
        let old = now.saturating_sub(made) >= life / 3 * 2;
        old || is_ahead(made, now) || ca != authority.signer()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::provision::ca::Ages;

    const WEEK: u64 = 7 * 24 * 60 * 60;
    const YEAR: u64 = 365 * 24 * 60 * 60;

    #[test]
    fn a_leaf_is_stale_at_two_thirds_of_its_life_and_when_its_ca_has_retired() {
        let authority =
            |now| Authority::advance(&mut BTreeMap::new(), now, Ages::of(YEAR)).unwrap();
        let (ours, other) = (authority(1_000), authority(1_000));
        let wanted = Wanted {
            service: "w",
            namespace: "n",
            life: WEEK,
        };
        let leaf = Leaf::issue(&ours, wanted, 1_000).unwrap();
        let stale = |authority, now| Leaf::is_stale(leaf.made, &leaf.ca, authority, WEEK, now);
        assert!(!stale(&ours, 1_000));
        assert!(!stale(&ours, 1_000 + WEEK / 3 * 2 - 1));
        assert!(stale(&ours, 1_000 + WEEK / 3 * 2));
        assert!(stale(&other, 1_000));
    }

    #[test]
    fn a_leaf_of_a_clock_that_was_ahead_is_stale() {
        let ours = Authority::advance(&mut BTreeMap::new(), YEAR, Ages::of(YEAR)).unwrap();
        let stale = |made| Leaf::is_stale(made, ours.signer(), &ours, WEEK, YEAR);
        assert!(
            !stale(YEAR + 60 * 60),
            "its validity begins an hour earlier"
        );
        assert!(stale(YEAR + 60 * 60 + 1));
    }
}
