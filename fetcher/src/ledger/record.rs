//! What replicas tell each other about a key.

use std::sync::Arc;

use super::place::Place;
use crate::issue::Issued;

/// The state of one key.
#[derive(Debug, Clone)]
pub enum Record {
    /// A replica is at it since then (milliseconds since 1970).
    Claimed {
        since: u64,
    },
    Held(Arc<Issued>),
    /// Nobody gets these any more since then: they near their end, or are about to be cancelled.
    Worn {
        issued: Arc<Issued>,
        since: u64,
    },
}

impl Record {
    /// The tokens, handed out or not.
    #[must_use]
    pub fn issued(&self) -> Option<&Arc<Issued>> {
        match self {
            Self::Claimed { .. } => None,
            Self::Held(issued) | Self::Worn { issued, .. } => Some(issued),
        }
    }
}

/// A record as it was read.
#[derive(Debug, Clone)]
pub struct Versioned {
    pub record: Record,
    pub version: String,
}

/// What stands in the ledger, without the tokens; times in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub place: Place,
    pub version: String,
    pub state: State,
}

/// What a record says, as far as its metadata tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Without the time that its holder noted: the clocks may be minutes apart.
    Claimed,
    Live(Live),
}

/// Tokens that were issued and not yet cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    pub issued_at: u64,
    pub renewed_at: u64,
    pub expires_at: u64,
    pub max_date: u64,
    pub sequence_number: i32,
    /// How many there are; none where the service has nothing to protect.
    pub tokens: usize,
    /// Since when nobody gets them any more.
    pub worn: Option<u64>,
}

impl State {
    /// The state of a record that was read whole.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let live = |issued: &Issued, worn| {
            Self::Live(Live {
                issued_at: issued.issued_at,
                renewed_at: issued.renewed_at,
                expires_at: issued.expires_at,
                max_date: issued.max_date,
                sequence_number: issued.sequence_number,
                tokens: issued.tokens.len(),
                worn,
            })
        };
        match record {
            Record::Claimed { .. } => Self::Claimed,
            Record::Held(issued) => live(issued, None),
            Record::Worn { issued, since } => live(issued, Some(*since)),
        }
    }
}
