//! One issue among all replicas: who creates the record issues, the others read what came of it.

use std::sync::Arc;
use std::time::Duration;

use super::place::Place;
use super::record::Record;
use super::store::{Store, StoreError, Written};
use super::{Key, RECHECK_MILLIS, Rules};
use crate::chain;
use crate::clock::Clock;
use crate::issue::{IssueFailure, Issued, Issuer};

/// How often a replica looks whether the other one is done.
const LOOK: Duration = Duration::from_millis(100);
/// A claim older than this is of a replica that died between claim and token.
pub const STALE_MILLIS: u64 = 30_000;
/// Looks at another's claim before giving up; longer than a claim lasts.
const MAX_LOOKS: u32 = 400;
/// Times that a token which found no place in the ledger is brought there again; pauses double from 1 s.
const MAX_REMINDERS: u32 = 9;

/// Whether and through what replicas share.
pub struct Sharing(Option<Arc<dyn Store>>);

/// What a look at the store came to.
enum Turn {
    /// It is ours to issue, under the record of that version.
    Issue {
        version: String,
    },
    Use(Arc<Issued>),
    /// Hadoop shall not be asked now: nothing was claimed.
    Refuse(IssueFailure),
    Wait,
}

impl Sharing {
    /// Each replica has its own tokens.
    #[must_use]
    pub fn alone() -> Self {
        Self(None)
    }

    #[must_use]
    pub fn through(store: Arc<dyn Store>) -> Self {
        Self(Some(store))
    }

    /// Until when an answer that was asked for then is handed out without asking again.
    pub(super) fn fresh_until(&self, asked_at: u64) -> u64 {
        match self.0 {
            Some(_) => asked_at.saturating_add(RECHECK_MILLIS),
            None => u64::MAX,
        }
    }

    /// Gets the key's tokens from another replica, or from Hadoop; `held` are those we gave out before.
    pub(super) async fn obtain(
        &self,
        key: &Key,
        issuer: &dyn Issuer,
        rules: &Rules,
        clock: &Clock,
        held: Option<Arc<Issued>>,
    ) -> Result<Arc<Issued>, IssueFailure> {
        let Some(store) = &self.0 else {
            return issue(key, issuer).await;
        };
        let place = Place::current(key);
        for _ in 0..MAX_LOOKS {
            match turn(&**store, &place, issuer, rules, clock).await {
                Ok(Turn::Use(issued)) => return Ok(issued),
                Ok(Turn::Refuse(failure)) => return Err(failure),
                Ok(Turn::Issue { version }) => {
                    return issue_under(store, &place, issuer, version, clock).await;
                }
                Ok(Turn::Wait) => tokio::time::sleep(LOOK).await,
                Err(error) => {
                    // What was good two seconds ago, or a second token, is better than none at all.
                    tracing::warn!(
                        error = chain::text(&error),
                        "working without the shared ledger"
                    );
                    return match held {
                        Some(issued) => Ok(issued),
                        None => issue_apart(store, key, issuer, clock).await,
                    };
                }
            }
        }
        Err(IssueFailure::ElsewhereBusy)
    }
}

async fn turn(
    store: &dyn Store,
    place: &Place,
    issuer: &dyn Issuer,
    rules: &Rules,
    clock: &Clock,
) -> Result<Turn, StoreError> {
    let now = clock.now_millis();
    let found = store.get(place).await?;
    match found.as_ref().map(|it| &it.record) {
        Some(Record::Held(issued)) if rules.usable(issued, now) => {
            return Ok(Turn::Use(Arc::clone(issued)));
        }
        Some(Record::Claimed { since }) if now < since.saturating_add(STALE_MILLIS) => {
            return Ok(Turn::Wait);
        }
        _ => {}
    }
    if let Some(failure) = issuer.busy(&place.key.user, &place.key.service) {
        return Ok(Turn::Refuse(failure));
    }
    let version = match found {
        None => None,
        Some(worn) => {
            put_aside(store, &place.key, &worn.record, now).await?;
            Some(worn.version)
        }
    };
    let claim = Record::Claimed { since: now };
    let written = store.put(place, claim, version).await?;
    Ok(match written {
        Written::Yes(version) => Turn::Issue { version },
        Written::No => Turn::Wait,
    })
}

/// Pods may hold these still: they stand aside, to be renewed and cancelled with the job.
async fn put_aside(
    store: &dyn Store,
    key: &Key,
    worn: &Record,
    now: u64,
) -> Result<(), StoreError> {
    let Some(issued) = worn.issued() else {
        return Ok(());
    };
    if issued.tokens.is_empty() || issued.max_date <= now {
        return Ok(());
    }
    let since = match worn {
        Record::Worn { since, .. } => *since,
        _ => now,
    };
    let aside = Record::Worn {
        issued: Arc::clone(issued),
        since,
    };
    // Whoever put the same tokens there before was as right.
    store
        .put(&Place::aside(key, issued), aside, None)
        .await
        .map(drop)
}

async fn issue_under(
    store: &Arc<dyn Store>,
    place: &Place,
    issuer: &dyn Issuer,
    version: String,
    clock: &Clock,
) -> Result<Arc<Issued>, IssueFailure> {
    match issue(&place.key, issuer).await {
        Ok(issued) => {
            let held = Record::Held(Arc::clone(&issued));
            let noted = store.put(place, held, Some(version)).await;
            if !matches!(noted, Ok(Written::Yes(_))) {
                remember(store, &place.key, &issued, clock);
            }
            Ok(issued)
        }
        Err(failure) => {
            if let Err(error) = store.delete(place, version).await {
                let error = chain::text(&error);
                tracing::warn!(
                    error,
                    "a claim on the shared ledger stays until it is stale"
                );
            }
            Err(failure)
        }
    }
}

async fn issue_apart(
    store: &Arc<dyn Store>,
    key: &Key,
    issuer: &dyn Issuer,
    clock: &Clock,
) -> Result<Arc<Issued>, IssueFailure> {
    let issued = issue(key, issuer).await?;
    remember(store, key, &issued, clock);
    Ok(issued)
}

/// Tokens without a place in the ledger would never be cancelled: they are brought there in the background.
fn remember(store: &Arc<dyn Store>, key: &Key, issued: &Arc<Issued>, clock: &Clock) {
    let (store, key, clock) = (Arc::clone(store), key.clone(), clock.clone());
    let record = Record::Worn {
        issued: Arc::clone(issued),
        since: clock.now_millis(),
    };
    tokio::spawn(async move {
        for attempt in 0..MAX_REMINDERS {
            match put_aside(&*store, &key, &record, clock.now_millis()).await {
                Ok(()) => return,
                Err(_) => tokio::time::sleep(Duration::from_secs(1 << attempt)).await,
            }
        }
        tracing::error!(user = %key.user, job = %key.job, service = %key.service,
            "a token has no place in the shared ledger: nobody will renew or cancel it");
    });
}

async fn issue(key: &Key, issuer: &dyn Issuer) -> Result<Arc<Issued>, IssueFailure> {
    issuer.issue(&key.user, &key.service).await.map(Arc::new)
}
