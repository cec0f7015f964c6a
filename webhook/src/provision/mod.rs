//! What the webhook makes and keeps: the CA, the certificates, the signing key, the caBundle.
//!
//! Replicas agree through the API server: whoever writes first wins, and the others read what was written.

mod agree;
mod ca;
mod leaf;
mod registration;
mod signing;
mod upkeep;

pub use agree::AgreeError;
pub use ca::{Authority, CaError};
pub use signing::SigningError;
pub use upkeep::{Upkeep, UpkeepError};
