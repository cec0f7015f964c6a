//! Tokens that nobody gets any more, or that found no place where all look: they stand aside.

use std::sync::Arc;
use std::time::Duration;

use kube2hadoop_runtime::shutdown::Shutdown;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::issue::Issued;
use crate::ledger::Key;
use crate::ledger::place::Place;
use crate::ledger::record::Record;
use crate::ledger::store::{Store, StoreError, Written};
use crate::ledger::under_way::Begun;

/// Pauses double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// Pods may hold these still: they stand aside, to be renewed and cancelled with the job. Whether they stand there.
pub(super) async fn put_aside(
    store: &dyn Store,
    key: &Key,
    worn: &Record,
    now: u64,
) -> Result<bool, StoreError> {
    let Some(issued) = worn.issued() else {
        return Ok(true);
    };
    if issued.tokens.is_empty() || issued.max_date <= now {
        return Ok(true);
    }
    let since = match worn {
        Record::Worn { since, .. } => *since,
        _ => now,
    };
    let record = Record::Worn {
        issued: Arc::clone(issued),
        since,
    };
    let aside = Place::aside(key, issued);
    Ok(match store.put(&aside, record, None).await? {
        Written::Yes(_) => true,
        // Whoever put the same tokens there before was as right; but a conflict may be a quota's, too.
        Written::No => store.get(&aside).await?.is_some(),
    })
}

/// Tokens without a place in the ledger would never be cancelled: they are brought there in the background, for as
/// long as they work without being renewed. `hurry` shortens the pauses.
pub(super) fn remember(
    store: &Arc<dyn Store>,
    key: &Key,
    issued: &Arc<Issued>,
    clock: &Clock,
    (begun, hurry): (Begun, Shutdown),
) {
    let (store, key, clock) = (Arc::clone(store), key.clone(), clock.clone());
    let expires_at = issued.expires_at;
    let record = Record::Worn {
        issued: Arc::clone(issued),
        since: clock.now_millis(),
    };
    tokio::spawn(async move {
        let _begun = begun;
        let mut pause = FIRST_PAUSE;
        while !matches!(
            place(&*store, &key, &record, clock.now_millis()).await,
            Ok(true)
        ) {
            if clock.now_millis() >= expires_at {
                tracing::error!(user = %key.user, job = %key.job, service = %key.service,
                    "a token never found a place in the shared ledger: it has ended, since nobody renewed it");
                return;
            }
            pause = rest(pause, &hurry).await;
        }
    });
}

/// Puts tokens aside, unless they stand where all look: a write may have been done, and answered too late.
async fn place(
    store: &dyn Store,
    key: &Key,
    record: &Record,
    now: u64,
) -> Result<bool, StoreError> {
    let aside = |record: &Record| Some(Place::aside(key, record.issued()?));
    match store.get(&Place::current(key)).await {
        Ok(Some(found)) if aside(&found.record) == aside(record) => Ok(true),
        Ok(_) | Err(StoreError::Taken { .. }) => put_aside(store, key, record, now).await,
        Err(error) => Err(error),
    }
}

/// Pauses, and gives the next pause. Whoever is in a hurry is woken, and sleeps no more than the first one.
async fn rest(pause: Duration, hurry: &Shutdown) -> Duration {
    if hurry.is_requested() {
        sleep(FIRST_PAUSE).await;
        return FIRST_PAUSE;
    }
    tokio::select! {
        () = hurry.requested() => FIRST_PAUSE,
        () = sleep(pause) => (pause * 2).min(LAST_PAUSE),
    }
}
