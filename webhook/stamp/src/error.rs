//! Why a stamp is not believed.

/// Why a stamp is refused. The texts reach the person who looks at the pod.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    #[error("the stamp is no compact JWS")]
    Malformed,
    #[error("the stamp's algorithm is not EdDSA")]
    Algorithm,
    #[error("the stamp is of type «{0}», not of the one wanted here")]
    Type(String),
    #[error("the stamp's key {0} is not known, or was revoked: recreate the workload")]
    UnknownKey(String),
    #[error("the stamp's signature is wrong")]
    Signature,
    #[error("the stamp's claims cannot be read: {0}")]
    Claims(String),
    #[error("the stamp was made by another installation, «{0}»")]
    Issuer(String),
    #[error("the stamp is for namespace {0}")]
    Namespace(String),
    #[error("the stamp is for service account {0}")]
    ServiceAccount(String),
    #[error("the stamp is for another pod")]
    Pod,
    #[error(
        "the pod was created at {created_at} and stamped at {stamped_at} (seconds since 1970), more than {window} s apart: \
         a copied stamp, or the clocks of API server and webhook differ"
    )]
    Clock {
        created_at: u64,
        stamped_at: u64,
        window: u64,
    },
    #[error("the keys are no JSON Web Key Set of Ed25519 keys: {0}")]
    Keys(String),
    #[error("the signing key cannot be read: it is no Ed25519 key in PKCS#8")]
    SigningKey,
}
