//! Compact JWS, written and read here: three base64url parts, and no header but the one we write.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{SigningKey, StampError, VerifyingKeys};

/// A stamp is a few hundred bytes; nothing longer than this is looked at.
const MAX_LENGTH: usize = 8 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// The first part: it is the same for every stamp of one key and type.
pub(crate) fn header(typ: &str, kid: &str) -> String {
    BASE64URL.encode(format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{kid}"}}"#))
}

pub(crate) fn sign<T: Serialize>(
    key: &SigningKey,
    header: &str,
    claims: &T,
) -> Result<String, StampError> {
    let claims =
        serde_json::to_vec(claims).map_err(|error| StampError::Claims(error.to_string()))?;
    let mut text = String::with_capacity(header.len() + claims.len() * 4 / 3 + 96);
    text.push_str(header);
    text.push('.');
    BASE64URL.encode_string(claims, &mut text);
    let signature = key.signature(text.as_bytes());
    text.push('.');
    BASE64URL.encode_string(signature, &mut text);
    Ok(text)
}

pub(crate) fn verify<T: DeserializeOwned>(
    keys: &VerifyingKeys,
    typ: &str,
    text: &str,
) -> Result<T, StampError> {
    if text.len() > MAX_LENGTH {
        return Err(StampError::Malformed);
    }
    let (signed, signature) = text.rsplit_once('.').ok_or(StampError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(StampError::Malformed)?;
    let header: Header =
        serde_json::from_slice(&decode(header)?).map_err(|_| StampError::Malformed)?;
    if header.alg != "EdDSA" {
        return Err(StampError::Algorithm);
    }
    if header.typ != typ {
        return Err(StampError::Type(header.typ));
    }
    keys.verify(&header.kid, signed.as_bytes(), &decode(signature)?)?;
    serde_json::from_slice(&decode(claims)?).map_err(|error| StampError::Claims(error.to_string()))
}

/// Which key is said to have signed a JWS of this type.
pub(crate) fn signer(typ: &str, text: &str) -> Option<String> {
    let (header, _) = text.split_once('.').filter(|_| text.len() <= MAX_LENGTH)?;
    let header: Header = serde_json::from_slice(&decode(header).ok()?).ok()?;
    (header.typ == typ).then_some(header.kid)
}

/// The claims of any compact JWS, whoever signed it.
pub(crate) fn unverified<T: DeserializeOwned>(text: &str) -> Result<T, StampError> {
    if text.len() > MAX_LENGTH {
        return Err(StampError::Malformed);
    }
    let claims = text.split('.').nth(1).ok_or(StampError::Malformed)?;
    serde_json::from_slice(&decode(claims)?).map_err(|error| StampError::Claims(error.to_string()))
}

fn decode(part: &str) -> Result<Vec<u8>, StampError> {
    BASE64URL.decode(part).map_err(|_| StampError::Malformed)
}
