//! What the webhook makes and keeps: the CA, the certificates, the signing key, the caBundle.
//!
//! Replicas agree through the API server: whoever writes first wins, and the others read what was written.

mod agree;
mod ca;
mod leaf;
mod metrics;
mod registration;
mod shared;
mod signing;
mod upkeep;
mod wake;

pub use agree::AgreeError;
pub use ca::{Authority, CaError};
pub use metrics::Metrics;
pub use shared::ProvisionError;
pub use signing::SigningError;
pub use upkeep::Upkeep;
