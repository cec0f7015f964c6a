//! Does what was decided about a record: at Hadoop first, then in the ledger, so that a process that dies in
//! between leaves a record from which the next one does the same again, without harm.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chain;
use crate::clock::Clock;
use crate::hadoop::{HadoopError, Issued, TokenService};
use crate::ledger::place::Place;
use crate::ledger::record::{Entry, Record, State, Versioned};
use crate::ledger::store::{Store, StoreError, Written};
use crate::service::ServiceName;

use super::keeper::{Outcome, Task};
use super::plan::Deed;

/// The services by the name that the ledger writes.
pub type Services = BTreeMap<ServiceName, Arc<dyn TokenService>>;

/// What deeds are done with.
pub struct Doer {
    pub store: Arc<dyn Store>,
    pub services: Services,
    pub clock: Clock,
}

/// Why a deed was not done; only what comes of it is told.
enum Undone {
    Changed,
    Failed { reason: &'static str, lasting: bool },
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = chain::text(&error), "the ledger was not reached");
        Self::Failed {
            reason: "ledger-unavailable",
            lasting: false,
        }
    }
}

impl From<HadoopError> for Undone {
    fn from(error: HadoopError) -> Self {
        Self::Failed {
            reason: error.reason(),
            lasting: !error.retryable(),
        }
    }
}

impl Doer {
    /// Does what a task says, at Hadoop and in the ledger. A record that changed meanwhile is left alone.
    pub async fn perform(&self, task: &Task) -> Outcome {
        let entry = &task.entry;
        let done = match task.deed {
            Deed::DropClaim | Deed::Forget => self.delete(entry).await,
            Deed::Wear | Deed::Retire => self.wear(entry).await,
            Deed::Renew => self.renew(entry).await,
            Deed::Cancel(_) => self.cancel(entry).await,
        };
        match done {
            Ok(outcome) => outcome,
            Err(Undone::Changed) => Outcome::Changed,
            Err(Undone::Failed { reason, lasting }) => Outcome::Failed { reason, lasting },
        }
    }

    /// Gone only if it is: of a record that did not change the watch tells nothing, and nobody would look after it any
    /// more.
    async fn delete(&self, entry: &Entry) -> Result<Outcome, Undone> {
        let version = entry.version.clone();
        match self.store.delete(&entry.place, version).await? {
            true => Ok(Outcome::Gone),
            false => Err(Undone::Changed),
        }
    }

    async fn wear(&self, entry: &Entry) -> Result<Outcome, Undone> {
        match self.read(entry).await? {
            Record::Held(issued) => {
                let since = self.clock.now_millis();
                self.write(entry, Record::Worn { issued, since }).await
            }
            Record::Worn { .. } => Ok(Outcome::Stands(entry.clone())),
            Record::Claimed { .. } => Err(Undone::Changed),
        }
    }

    async fn renew(&self, entry: &Entry) -> Result<Outcome, Undone> {
        let record = self.read(entry).await?;
        let issued = record.issued().ok_or(Undone::Changed)?;
        let renewed_at = self.clock.now_millis();
        match self.renew_all(&entry.place, issued).await {
            Ok(until) => {
                let renewed = Arc::new(Issued {
                    renewed_at,
                    expires_at: until.unwrap_or(issued.expires_at),
                    ..Issued::clone(issued)
                });
                self.write(entry, with(&record, renewed)).await
            }
            Err(HadoopError::Unknown { message, .. }) => {
                tracing::warn!(job = %entry.place.key.job, service = %entry.place.key.service, message, "a token is gone");
                // What is left of the set is of no use without it.
                let _ = self.cancel_all(&entry.place, issued).await;
                self.delete(entry).await?;
                Ok(Outcome::Lost)
            }
            Err(error) => {
                tracing::warn!(job = %entry.place.key.job, service = %entry.place.key.service,
                    error = chain::text(&error), "a token was not renewed");
                Err(error.into())
            }
        }
    }

    async fn cancel(&self, entry: &Entry) -> Result<Outcome, Undone> {
        // Tokens that somebody may still be given are never cancelled.
        let Record::Worn { issued, .. } = self.read(entry).await? else {
            return Err(Undone::Changed);
        };
        if let Err(error) = self.cancel_all(&entry.place, &issued).await {
            tracing::warn!(job = %entry.place.key.job, service = %entry.place.key.service,
                error = chain::text(&error), "a token was not cancelled");
            return Err(error.into());
        }
        self.delete(entry).await
    }

    /// Until when the first of them works now.
    async fn renew_all(&self, place: &Place, issued: &Issued) -> Result<Option<u64>, HadoopError> {
        let service = self.service(place)?;
        let mut first = None;
        for token in issued.distinct() {
            let until = service.renew(token).await?;
            first = Some(first.map_or(until, |first: u64| first.min(until)));
        }
        Ok(first)
    }

    /// All are tried, whatever becomes of one.
    async fn cancel_all(&self, place: &Place, issued: &Issued) -> Result<(), HadoopError> {
        let service = self.service(place)?;
        let mut outcome = Ok(());
        for token in issued.distinct() {
            outcome = service.cancel(token).await.and(outcome);
        }
        outcome
    }

    fn service(&self, place: &Place) -> Result<&Arc<dyn TokenService>, HadoopError> {
        let name = &place.key.service;
        self.services
            .get(name)
            .ok_or_else(|| HadoopError::Unreachable {
                service: name.to_string(),
                tried: "it is no longer in the Hadoop configuration".into(),
            })
    }

    /// The record, if it is the one that the decision was about.
    async fn read(&self, entry: &Entry) -> Result<Record, Undone> {
        match self.store.get(&entry.place).await? {
            Some(Versioned { record, version }) if version == entry.version => Ok(record),
            _ => Err(Undone::Changed),
        }
    }

    async fn write(&self, entry: &Entry, record: Record) -> Result<Outcome, Undone> {
        let state = State::of(&record);
        let version = Some(entry.version.clone());
        match self.store.put(&entry.place, record, version).await? {
            Written::Yes(version) => Ok(Outcome::Stands(Entry {
                place: entry.place.clone(),
                version,
                state,
            })),
            Written::No => Err(Undone::Changed),
        }
    }
}

/// The same record with other tokens.
fn with(record: &Record, issued: Arc<Issued>) -> Record {
    match record {
        Record::Worn { since, .. } => Record::Worn {
            issued,
            since: *since,
        },
        Record::Held(_) | Record::Claimed { .. } => Record::Held(issued),
    }
}
