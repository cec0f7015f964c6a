//! Ed25519 keys: the webhook's private one, and the public ones that the fetcher reads.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{PodClaims, StampError, TemplateClaims, jws};

const TEMPLATE: &str = "kube2hadoop-template+jwt";
const POD: &str = "kube2hadoop-pod+jwt";

/// The private key that stamps are signed with.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    kid: String,
    template_header: String,
    pod_header: String,
}

impl SigningKey {
    /// A new key from the system's randomness.
    pub fn generate() -> Result<Self, StampError> {
        Ed25519KeyPair::generate()
            .map(Self::new)
            .map_err(|_| StampError::SigningKey)
    }

    /// Reads PKCS#8 DER (RFC 8410).
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, StampError> {
        Ed25519KeyPair::from_pkcs8(der)
            .map(Self::new)
            .map_err(|_| StampError::SigningKey)
    }

    /// Writes PKCS#8 DER.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, StampError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| StampError::SigningKey)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    fn new(pair: Ed25519KeyPair) -> Self {
        let kid = thumbprint(pair.public_key().as_ref());
        Self {
            template_header: jws::header(TEMPLATE, &kid),
            pod_header: jws::header(POD, &kid),
            kid,
            pair,
        }
    }

    /// The key's name: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The set of this one public key.
    pub fn public(&self) -> VerifyingKeys {
        let public = self.pair.public_key().as_ref().to_vec();
        VerifyingKeys {
            keys: BTreeMap::from([(self.kid.clone(), public)]),
        }
    }

    /// Stamps a pod template.
    pub fn sign_template(&self, claims: &TemplateClaims) -> Result<String, StampError> {
        jws::sign(self, &self.template_header, claims)
    }

    /// Stamps a pod.
    pub fn sign_pod(&self, claims: &PodClaims) -> Result<String, StampError> {
        jws::sign(self, &self.pod_header, claims)
    }

    pub(crate) fn signature(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(message)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// The public keys whose stamps are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyingKeys {
    keys: BTreeMap<String, Vec<u8>>,
}

/// A JSON Web Key Set of Ed25519 keys (RFC 7517, RFC 8037).
#[derive(Serialize, Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    kty: String,
    crv: String,
    kid: String,
    x: String,
}

impl VerifyingKeys {
    /// Reads a JWK Set. A key whose `kid` is not its own thumbprint is refused.
    pub fn from_jwks(text: &str) -> Result<Self, StampError> {
        let set: KeySet =
            serde_json::from_str(text).map_err(|error| StampError::Keys(error.to_string()))?;
        let keys = set
            .keys
            .into_iter()
            .map(public_key)
            .collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// Writes a JWK Set, in the order of the key names.
    pub fn to_jwks(&self) -> String {
        let key = |(kid, x): (&String, &Vec<u8>)| Key {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            kid: kid.clone(),
            x: BASE64URL.encode(x),
        };
        let set = KeySet {
            keys: self.keys.iter().map(key).collect(),
        };
        serde_json::to_string(&set).unwrap_or_default()
    }

    /// Adds all keys of another set.
    pub fn merge(&mut self, other: Self) {
        self.keys.extend(other.keys);
    }

    /// Takes the key of this name out: its stamps are believed no more.
    pub fn remove(&mut self, kid: &str) {
        self.keys.remove(kid);
    }

    /// Whether no stamp can be verified.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The names of the keys.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Believes a template stamp, or says why not.
    pub fn verify_template(&self, stamp: &str, iss: &str) -> Result<TemplateClaims, StampError> {
        let claims: TemplateClaims = jws::verify(self, TEMPLATE, stamp)?;
        if claims.iss == iss {
            Ok(claims)
        } else {
            Err(StampError::Issuer(claims.iss))
        }
    }

    /// Believes a pod stamp, or says why not. [`PodClaims::check_pod`] binds it to its pod.
    pub fn verify_pod(&self, stamp: &str, iss: &str) -> Result<PodClaims, StampError> {
        let claims: PodClaims = jws::verify(self, POD, stamp)?;
        if claims.iss == iss {
            Ok(claims)
        } else {
            Err(StampError::Issuer(claims.iss))
        }
    }

    /// The name of that one of these keys which a template stamp says has signed it: for counting.
    pub fn template_signer(&self, stamp: &str) -> Option<&str> {
        let (kid, _) = self.keys.get_key_value(&jws::signer(TEMPLATE, stamp)?)?;
        Some(kid)
    }

    pub(crate) fn verify(
        &self,
        kid: &str,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), StampError> {
        let key = self
            .keys
            .get(kid)
            .ok_or_else(|| StampError::UnknownKey(kid.chars().take(64).collect()))?;
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify(message, signature)
            .map_err(|_| StampError::Signature)
    }
}

fn public_key(key: Key) -> Result<(String, Vec<u8>), StampError> {
    let wrong = |what: &str| StampError::Keys(format!("key {}: {what}", key.kid));
    if key.kty != "OKP" || key.crv != "Ed25519" {
        return Err(wrong("not of kty OKP and crv Ed25519"));
    }
    let x = BASE64URL
        .decode(&key.x)
        .map_err(|_| wrong("x is no base64url"))?;
    if x.len() != 32 || thumbprint(&x) != key.kid {
        return Err(wrong("kid is not the key's thumbprint"));
    }
    Ok((key.kid, x))
}

/// RFC 7638 over the members that RFC 8037 requires.
fn thumbprint(public: &[u8]) -> String {
    let canonical = format!(
        r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
        BASE64URL.encode(public)
    );
    BASE64URL.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
}
