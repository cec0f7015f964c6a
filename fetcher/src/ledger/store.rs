//! Where replicas meet: a place that creates a record once, and replaces it by version.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use thiserror::Error;

use super::place::Place;
use super::record::{Record, Versioned};

/// Why the place could not be asked; the ledger then works alone.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error(
        "failed to reach the shared ledger: see that its namespace exists and that kube2hadoop-fetcher may use Secrets there"
    )]
    Api(#[source] kube::Error),
    #[error("the shared ledger gave no answer within {seconds} s")]
    Slow { seconds: u64 },
    /// Two keys whose hashes are alike, or a record that somebody renamed: its tokens are another's.
    #[error(
        "{name} in the shared ledger is the record of another job, user or service: delete it if nobody uses it"
    )]
    Taken { name: String },
}

/// Whether a write found things as it expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Done; the record's new version.
    Yes(String),
    /// Somebody else was first.
    No,
}

/// Optimistic concurrency over one record a place.
pub trait Store: Send + Sync + 'static {
    fn get<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>>;

    /// Writes a record; with `version` only over that one, without only where there is none.
    fn put<'a>(
        &'a self,
        place: &'a Place,
        record: Record,
        version: Option<String>,
    ) -> BoxFuture<'a, Result<Written, StoreError>>;

    /// Takes the record of that version away; whether it is gone.
    fn delete<'a>(
        &'a self,
        place: &'a Place,
        version: String,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
}

/// A store within the process: for tests, and for what runs without a cluster.
#[derive(Default)]
pub struct InMemory {
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    writes: u64,
    by_place: HashMap<Place, (u64, Record)>,
}

impl Store for InMemory {
    fn get<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        let state = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let found = state
            .by_place
            .get(place)
            .map(|(version, record)| Versioned {
                record: record.clone(),
                version: version.to_string(),
            });
        async { Ok(found) }.boxed()
    }

    fn put<'a>(
        &'a self,
        place: &'a Place,
        record: Record,
        version: Option<String>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        let mut state = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let current = state
            .by_place
            .get(place)
            .map(|(version, _)| version.to_string());
        let written = if current == version {
            state.writes += 1;
            let next = state.writes;
            state.by_place.insert(place.clone(), (next, record));
            Written::Yes(next.to_string())
        } else {
            Written::No
        };
        async { Ok(written) }.boxed()
    }

    fn delete<'a>(
        &'a self,
        place: &'a Place,
        version: String,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let mut state = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let current = state
            .by_place
            .get(place)
            .map(|(version, _)| version.to_string());
        let gone = current.is_none_or(|current| current == version);
        if gone {
            state.by_place.remove(place);
        }
        async move { Ok(gone) }.boxed()
    }
}
