//! The record that says who issues: kept fresh while Hadoop takes its time, then replaced by the tokens.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};

use crate::chain;
use crate::clock::Clock;
use crate::issue::Issued;
use crate::ledger::place::Place;
use crate::ledger::record::{Record, Versioned};
use crate::ledger::store::{Store, StoreError, Written};

/// How often who waits for Hadoop says that it lives; several of these fit into the time until others take over.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// Tries at writing where a store answers that it is too busy, and the pause between them.
const MAX_WRITES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// A claim of ours.
pub(super) struct Claim<'a> {
    store: &'a dyn Store,
    place: &'a Place,
    clock: &'a Clock,
    version: String,
    /// What our signs of life said: one that was answered too late stands there all the same.
    signs: Vec<u64>,
}

impl<'a> Claim<'a> {
    pub(super) fn new(
        store: &'a dyn Store,
        place: &'a Place,
        clock: &'a Clock,
        version: String,
    ) -> Self {
        Self {
            store,
            place,
            clock,
            version,
            signs: Vec::new(),
        }
    }

    /// Waits for an issue, and says meanwhile that somebody lives who does.
    pub(super) async fn held_during<T>(&mut self, issue: impl Future<Output = T>) -> T {
        let mut issue = pin!(issue);
        loop {
            let pause = pin!(tokio::time::sleep(SIGN_OF_LIFE));
            if let Either::Left((outcome, _)) = select(issue.as_mut(), pause).await {
                return outcome;
            }
            let sign = pin!(self.sign());
            // A sign that is on its way is waited for: its version is what the tokens replace.
            match select(issue.as_mut(), sign).await {
                Either::Left((outcome, sign)) => {
                    sign.await;
                    return outcome;
                }
                Either::Right(((), _)) => {}
            }
        }
    }

    async fn sign(&mut self) {
        let since = self.clock.now_millis();
        self.signs.push(since);
        let (claim, version) = (Record::Claimed { since }, Some(self.version.clone()));
        match self.store.put(self.place, claim, version).await {
            Ok(Written::Yes(version)) => self.version = version,
            Ok(Written::No) | Err(_) => {
                if let Ok(Some(version)) = found_again(self.store, self.place, &self.signs).await {
                    self.version = version;
                }
            }
        }
    }

    /// Puts the tokens where all replicas look; whether they stand there.
    pub(super) async fn enter(&self, issued: &Arc<Issued>) -> bool {
        let entered = self.try_to_enter(issued).await;
        entered.unwrap_or_else(|error| {
            let error = chain::text(&error);
            tracing::warn!(error, "new tokens did not get into the shared ledger yet");
            false
        })
    }

    async fn try_to_enter(&self, issued: &Arc<Issued>) -> Result<bool, StoreError> {
        let mut version = Some(self.version.clone());
        for _ in 0..MAX_WRITES {
            let held = Record::Held(Arc::clone(issued));
            if let Written::Yes(_) = self.store.put(self.place, held, version.clone()).await? {
                return Ok(true);
            }
            match self.store.get(self.place).await? {
                // The claim was taken for a dead one's, and dropped.
                None => version = None,
                // Nobody else wrote: the store was too busy.
                Some(found) if Some(&found.version) == version.as_ref() => {}
                Some(found) if says(&found.record, &self.signs) => version = Some(found.version),
                Some(_) => return Ok(false),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }

    /// Nothing was issued: the next who asks may try.
    pub(super) async fn give_back(self) {
        if let Err(error) = self.store.delete(self.place, self.version).await {
            let error = chain::text(&error);
            tracing::warn!(
                error,
                "a claim on the shared ledger stays until it is stale"
            );
        }
    }
}

/// The version of the claim that stands there, if it says one of these times: it is ours, though its writing was
/// answered too late.
pub(super) async fn found_again(
    store: &dyn Store,
    place: &Place,
    signs: &[u64],
) -> Result<Option<String>, StoreError> {
    let found = store.get(place).await?;
    let ours = found.filter(|Versioned { record, .. }| says(record, signs));
    Ok(ours.map(|found| found.version))
}

fn says(record: &Record, signs: &[u64]) -> bool {
    matches!(record, Record::Claimed { since } if signs.contains(since))
}
