//! The stamp: a signed statement of who runs a pod. The webhook signs it, the fetcher verifies it.
//!
//! Compact JWS (RFC 7515) with EdDSA (RFC 8037). Template stamps and pod stamps have different `typ`s and are
//! never taken for each other.

mod claims;
mod error;
mod jws;
mod keys;
pub mod names;
mod user;

pub use claims::{
    JobId, ObjectName, Origin, PodClaims, PodFacts, TemplateClaims, is_generated_from,
};
pub use error::StampError;
pub use keys::{SigningKey, VerifyingKeys};
pub use user::{DEFAULT_DENIED, DenyList, HadoopUser, InvalidDenyList, InvalidUser};

#[cfg(test)]
mod tests;
