//! The key that stamps are signed with, in a Secret; its public half, and those of retired keys, in a ConfigMap.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use kube2hadoop_stamp::{SigningKey, StampError, VerifyingKeys};

use super::AgreeError;

const CURRENT: &str = "signing.der";
/// A JWK Set of public keys that verify and no longer sign.
const RETIRED: &str = "retired.json";

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error(transparent)]
    Agree(#[from] AgreeError),
    #[error(
        "the signing key's Secret is damaged ({0}): restore it; deleting it revokes every stamp"
    )]
    Damaged(#[from] StampError),
    #[error("the signing key's Secret is damaged: retired.json is no UTF-8")]
    Retired,
}

/// Reads the key, or makes the first one.
pub(super) fn key(
    data: &mut BTreeMap<String, ByteString>,
) -> Result<(SigningKey, VerifyingKeys), SigningError> {
    let key = match data.get(CURRENT) {
        Some(der) => SigningKey::from_pkcs8_der(&der.0)?,
        None => {
            let key = SigningKey::generate()?;
            data.insert(CURRENT.into(), ByteString(key.to_pkcs8_der()?.to_vec()));
            key
        }
    };
    let mut verifying = key.public();
    if let Some(retired) = data.get(RETIRED) {
        let text = std::str::from_utf8(&retired.0).map_err(|_| SigningError::Retired)?;
        verifying.merge(VerifyingKeys::from_jwks(text)?);
    }
    Ok((key, verifying))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_replica_makes_the_key_and_the_second_reads_it() {
        let mut data = BTreeMap::new();
        let (first, _) = key(&mut data).unwrap();
        let (second, verifying) = key(&mut data).unwrap();
        assert_eq!(first.kid(), second.kid());
        assert_eq!(verifying, first.public());
    }

    #[test]
    fn retired_keys_verify() {
        let mut data = BTreeMap::new();
        key(&mut data).unwrap();
        let retired = SigningKey::generate().unwrap();
        data.insert(
            RETIRED.into(),
            ByteString(retired.public().to_jwks().into_bytes()),
        );
        let (_, verifying) = key(&mut data).unwrap();
        assert!(verifying.kids().any(|kid| kid == retired.kid()));
        data.insert(RETIRED.into(), ByteString(b"{".to_vec()));
        assert!(key(&mut data).is_err());
    }
}
