//! The certificate authority: when it is made, when its successor is, and whom pods are told to trust.
//!
//! A successor is trusted long before the first certificate comes from it: pods are told at their start whom to
//! trust, and those that run on should not meet a certificate whose CA they do not know. Only where all slept through
//! that time a successor signs at once.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::AgreeError;

/// So many seconds before it is made a certificate is valid.
const BACKDATED: u64 = 60 * 60;

/// The times in a CA's life, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    life: u64,
    /// When a successor is made.
    succession: u64,
    /// How long a successor is trusted before it signs, and its predecessor after.
    overlap: u64,
}

impl Ages {
    /// Of a CA that lives so many seconds.
    pub fn of(life: u64) -> Self {
        Self {
            life,
            succession: life / 3 * 2,
            overlap: life / 12,
        }
    }
}

/// Why there is no CA.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error(transparent)]
    Agree(#[from] AgreeError),
    #[error("the CA's Secret is damaged ({0}): delete it, and a new CA is made")]
    Damaged(&'static str),
    #[error(
        "the CA was made by a clock {0} s ahead of this node's, and nobody believes it yet: set this node's clock right; where it is, delete the CA's Secret, and a new CA is made"
    )]
    Ahead(u64),
    #[error("failed to make a certificate: {0}")]
    Rcgen(#[from] rcgen::Error),
}

/// Certificate and key of a CA, as PEM, and when it was made.
#[derive(Clone)]
struct Ca {
    certificate: String,
    key: Zeroizing<String>,
    made: u64,
}

/// The CA that signs, its successor, its predecessor.
#[derive(Clone)]
pub struct Authority {
    current: Ca,
    next: Option<Ca>,
    previous: Option<String>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("made", &self.current.made)
            .finish_non_exhaustive()
    }
}

type Data = BTreeMap<String, ByteString>;

impl Authority {
    /// Reads the Secret's data, lets time pass, and writes what changed.
    ///
    /// # Errors
    /// A damaged Secret, or no randomness.
    pub fn advance(data: &mut Data, now: u64, ages: Ages) -> Result<Self, CaError> {
        let mut authority = match Self::read(data)? {
            Some(authority) => authority,
            None => Self {
                current: Ca::make(now, ages)?,
                next: None,
                previous: None,
            },
        };
        authority.grow_older(now, ages)?;
        authority.write(data);
        Ok(authority)
    }

    fn grow_older(&mut self, now: u64, ages: Ages) -> Result<(), CaError> {
        // To replace it is left to people: a node whose own clock is behind would replace a good one.
        if is_ahead(self.current.made, now) {
            return Err(CaError::Ahead(self.current.made - now));
        }
        let age = |ca: &Ca| now.saturating_sub(ca.made);
        if age(&self.current) >= 2 * ages.overlap {
            self.previous = None;
        }
        // It could not outlive what it signs.
        let ends = |ca: &Ca| age(ca).saturating_add(ages.overlap) >= ages.life;
        let urgent = ends(&self.current);
        if urgent {
            // Who takes over at once must be valid by now, and for long.
            let next = self.next.take();
            self.next = next.filter(|next| !ends(next) && !is_ahead(next.made, now));
        }
        if self.next.is_none() && age(&self.current) >= ages.succession {
            self.next = Some(Ca::make(now, ages)?);
        }
        let ripe = |next: &mut Ca| urgent || age(next) >= ages.overlap;
        if let Some(next) = self.next.take_if(ripe) {
            let retired = std::mem::replace(&mut self.current, next);
            self.previous = Some(retired.certificate);
        }
        Ok(())
    }

    fn read(data: &Data) -> Result<Option<Self>, CaError> {
        let Some(current) = Ca::read(data, "ca")? else {
            return Ok(None);
        };
        let previous = data
            .get("previous.crt")
            .map(|pem| text(pem, "previous.crt"))
            .transpose()?;
        Ok(Some(Self {
            current,
            next: Ca::read(data, "next")?,
            previous,
        }))
    }

    fn write(&self, data: &mut Data) {
        self.current.write(data, "ca");
        match &self.next {
            Some(next) => next.write(data, "next"),
            None => data.retain(|key, _| !key.starts_with("next.")),
        }
        match &self.previous {
            Some(pem) => {
                let pem = ByteString(pem.clone().into_bytes());
                data.insert("previous.crt".into(), pem);
            }
            None => {
                data.remove("previous.crt");
            }
        }
    }

    /// Every CA that is to be trusted, as PEM.
    pub fn bundle(&self) -> String {
        let next = self.next.as_ref().map(|ca| &ca.certificate);
        [
            Some(&self.current.certificate),
            next,
            self.previous.as_ref(),
        ]
        .into_iter()
        .flatten()
        .cloned()
        .collect()
    }

    /// The CA that signs now, as PEM.
    pub fn signer(&self) -> &str {
        &self.current.certificate
    }

    /// When the CA that signs now was made.
    pub(super) fn made(&self) -> u64 {
        self.current.made
    }

    /// Signs a certificate.
    pub(super) fn issue(
        &self,
        params: CertificateParams,
        key: &KeyPair,
    ) -> Result<String, CaError> {
        let ca_key = KeyPair::from_pem(&self.current.key)?;
        let issuer = Issuer::from_ca_cert_pem(&self.current.certificate, ca_key)?;
        Ok(params.signed_by(key, &issuer)?.pem())
    }
}

impl Ca {
    fn make(now: u64, ages: Ages) -> Result<Self, CaError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        // Two CAs of one name would confuse whoever looks for the issuer by name.
        name.push(DnType::CommonName, format!("Kube2Hadoop CA {now}"));
        params.distinguished_name = name;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = validity(now, ages.life);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            certificate,
            key: Zeroizing::new(key.serialize_pem()),
            made: now,
        })
    }

    fn read(data: &Data, name: &str) -> Result<Option<Self>, CaError> {
        let part = |suffix: &str, what| {
            let found = data.get(&format!("{name}.{suffix}"));
            found.map(|bytes| text(bytes, what)).transpose()
        };
        let parts = (
            part("crt", "crt")?,
            part("key", "key")?,
            part("made", "made")?,
        );
        let (Some(certificate), Some(key), Some(made)) = parts else {
            return if data.contains_key(&format!("{name}.crt")) {
                Err(CaError::Damaged("a part is missing"))
            } else {
                Ok(None)
            };
        };
        let made = made
            .parse()
            .map_err(|_| CaError::Damaged("made is no number"))?;
        Ok(Some(Self {
            certificate,
            key: Zeroizing::new(key),
            made,
        }))
    }

    fn write(&self, data: &mut Data, name: &str) {
        let parts = [
            ("crt", self.certificate.clone()),
            ("key", self.key.to_string()),
            ("made", self.made.to_string()),
        ];
        for (suffix, value) in parts {
            data.insert(format!("{name}.{suffix}"), ByteString(value.into_bytes()));
        }
    }
}

/// Made by a clock that was ahead by so much that it is not valid yet?
pub(super) fn is_ahead(made: u64, now: u64) -> bool {
    made > now.saturating_add(BACKDATED)
}

/// From an hour ago, for clocks that are behind, until `life` seconds from now.
pub(super) fn validity(now: u64, life: u64) -> (OffsetDateTime, OffsetDateTime) {
    let now = i64::try_from(now)
        .ok()
        .and_then(|now| OffsetDateTime::from_unix_timestamp(now).ok());
    let now = now.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    (
        now - Duration::from_secs(BACKDATED),
        now + Duration::from_secs(life),
    )
}

fn text(bytes: &ByteString, what: &'static str) -> Result<String, CaError> {
    String::from_utf8(bytes.0.clone()).map_err(|_| CaError::Damaged(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60;
    const YEAR: u64 = 365 * DAY;
    const SUCCESSION: u64 = YEAR / 3 * 2;
    const OVERLAP: u64 = YEAR / 12;

    fn advance(data: &mut Data, now: u64) -> Result<Authority, CaError> {
        Authority::advance(data, now, Ages::of(YEAR))
    }

    fn certificates(authority: &Authority) -> usize {
        authority.bundle().matches("BEGIN CERTIFICATE").count()
    }

    #[test]
    fn a_secret_is_read_as_it_was_written() {
        let mut data = Data::new();
        let first = advance(&mut data, 1_000).unwrap();
        let before = data.clone();
        let again = advance(&mut data, 2_000).unwrap();
        assert_eq!(first.bundle(), again.bundle());
        assert_eq!(data, before);
        data.remove("ca.key");
        assert!(matches!(
            advance(&mut data, 2_000),
            Err(CaError::Damaged(_))
        ));
    }

    #[test]
    fn a_successor_is_trusted_before_it_signs_and_its_predecessor_after() {
        let mut data = Data::new();
        let start = 1_000;
        let first = advance(&mut data, start).unwrap();
        let announced = advance(&mut data, start + SUCCESSION).unwrap();
        assert_eq!(announced.signer(), first.signer());
        assert_eq!(certificates(&announced), 2);
        let waiting = advance(&mut data, start + SUCCESSION + OVERLAP - 1).unwrap();
        assert_eq!(waiting.signer(), first.signer());
        let promoted = advance(&mut data, start + SUCCESSION + OVERLAP).unwrap();
        assert_ne!(promoted.signer(), first.signer());
        assert!(announced.bundle().contains(promoted.signer()));
        assert!(promoted.bundle().contains(first.signer()));
        let settled = advance(&mut data, start + SUCCESSION + 2 * OVERLAP).unwrap();
        assert_eq!(
            (settled.signer(), certificates(&settled)),
            (promoted.signer(), 1)
        );
    }

    #[test]
    fn a_ca_from_the_future_is_left_to_people() {
        let mut data = Data::new();
        let (start, ahead) = (YEAR, YEAR + BACKDATED);
        let made = advance(&mut data, ahead).unwrap();
        let before = data.clone();
        assert_eq!(advance(&mut data, start).unwrap().signer(), made.signer());
        let error = advance(&mut data, start - 1).unwrap_err();
        assert!(matches!(error, CaError::Ahead(_)), "{error}");
        assert!(error.to_string().contains("3601 s ahead"), "{error}");
        assert_eq!(data, before);
    }

    /// Its end lies beyond that of every certificate that it signs by then.
    fn outlives_leaves(authority: &Authority, now: u64) -> bool {
        authority.made() + YEAR > now + OVERLAP
    }

    #[test]
    fn who_slept_through_the_succession_has_a_signer_that_lives_on() {
        for asleep in [YEAR - OVERLAP, YEAR - DAY, YEAR + DAY, 3 * YEAR] {
            let mut data = Data::new();
            let first = advance(&mut data, 0).unwrap();
            let mut now = asleep;
            let woken = advance(&mut data, now).unwrap();
            assert_ne!(woken.signer(), first.signer());
            assert!(woken.bundle().contains(first.signer()));
            while now < asleep + 2 * YEAR {
                let authority = advance(&mut data, now).unwrap();
                assert!(outlives_leaves(&authority, now), "{asleep} {now}");
                now += 10 * DAY;
            }
        }
    }

    #[test]
    fn a_successor_that_helps_nobody_gives_its_place_to_another() {
        let mut data = Data::new();
        advance(&mut data, 0).unwrap();
        advance(&mut data, SUCCESSION).unwrap();
        let (late, far) = (SUCCESSION + YEAR, 10 * YEAR);
        let woken = advance(&mut data.clone(), late).unwrap();
        assert_eq!(woken.made(), late, "its successor has ended as well");

        let mut ahead = data;
        ahead.insert("next.made".into(), ByteString(far.to_string().into_bytes()));
        let waiting = advance(&mut ahead, SUCCESSION + OVERLAP).unwrap();
        assert_eq!(waiting.made(), 0);
        let urgent = advance(&mut ahead, YEAR - DAY).unwrap();
        assert_eq!(urgent.made(), YEAR - DAY);
    }

    #[test]
    fn keys_are_not_shown() {
        let authority = advance(&mut Data::new(), 1).unwrap();
        assert!(!format!("{authority:?}").contains("PRIVATE"));
    }
}
