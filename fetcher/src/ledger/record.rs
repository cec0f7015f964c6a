//! What replicas tell each other about a key.

use std::sync::Arc;

use crate::issue::Issued;

/// The state of one key.
#[derive(Debug, Clone)]
pub enum Record {
    /// A replica is at it since then (milliseconds since 1970).
    Claimed {
        since: u64,
    },
    Held(Arc<Issued>),
}

/// A record as it was read.
#[derive(Debug, Clone)]
pub struct Versioned {
    pub record: Record,
    pub version: String,
}
