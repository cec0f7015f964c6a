//! Tokens that others renew, replace and cancel.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use super::*;

/// A replica of a world in which tokens are renewed.
fn renewing(hadoop: &Arc<Hadoop>, sharing: Sharing) -> Ledger {
    let rules = Rules {
        renewed: true,
        ..RULES
    };
    Ledger::new(
        Arc::clone(hadoop) as Arc<dyn Issuer>,
        sharing,
        rules,
        hadoop.clock(),
        unread(),
    )
}

#[test]
fn what_is_renewed_is_good_until_its_maximum_date() {
    let rules = Rules {
        renewed: true,
        ..RULES
    };
    let token = Issued {
        renewed_at: 60 * HOUR,
        expires_at: 84 * HOUR,
        ..issued(0, 1)
    };
    assert_eq!(rules.good_until(&token), 168 * HOUR);
    assert!(rules.usable(&token, 83 * HOUR));
    assert!(!rules.usable(&token, 84 * HOUR), "half of its whole life");
    let forgotten = issued(0, 1);
    assert!(rules.usable(&forgotten, 23 * HOUR));
    assert!(
        !rules.usable(&forgotten, 24 * HOUR - 600_000),
        "its renewal is overdue"
    );
}

#[tokio::test(start_paused = true)]
async fn worn_tokens_stand_aside_and_who_asks_next_gets_new_ones() {
    let hadoop = Hadoop::new();
    let store = Arc::new(InMemory::default());
    let job = key("team/Job.batch/a", "alice");
    let now = hadoop.now.load(Ordering::SeqCst);
    let old = Arc::new(issued(now, 7));
    let worn = record::Record::Worn {
        issued: Arc::clone(&old),
        since: now,
    };
    store
        .put(&place::Place::current(&job), worn, None)
        .await
        .unwrap();
    let ledger = renewing(
        &hadoop,
        Sharing::through(Arc::clone(&store) as Arc<dyn Store>),
    );
    assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, 1);
    let aside = store
        .get(&place::Place::aside(&job, &old))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(aside.record.issued().unwrap().sequence_number, 7);
}

#[tokio::test(start_paused = true)]
async fn a_replica_soon_notices_that_tokens_were_cancelled_elsewhere() {
    let hadoop = Hadoop::new();
    let store = Arc::new(InMemory::default());
    let job = key("team/Job.batch/a", "alice");
    let ledger = renewing(
        &hadoop,
        Sharing::through(Arc::clone(&store) as Arc<dyn Store>),
    );
    ledger.tokens(&job).await.unwrap();
    let place = place::Place::current(&job);
    let held = store.get(&place).await.unwrap().unwrap();
    store.delete(&place, held.version).await.unwrap();
    assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, 1);
    hadoop.pass(RECHECK_MILLIS).await;
    assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, 2);
}

/// A store that nobody reaches for a while.
#[derive(Default)]
struct Flaky {
    store: InMemory,
    down: AtomicBool,
}

impl Flaky {
    fn reach(&self) -> Result<(), store::StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(store::StoreError::Slow { seconds: 5 });
        }
        Ok(())
    }
}

impl Store for Flaky {
    fn get<'a>(
        &'a self,
        place: &'a place::Place,
    ) -> BoxFuture<'a, Result<Option<record::Versioned>, store::StoreError>> {
        async { self.reach().and(self.store.get(place).await) }.boxed()
    }

    fn put<'a>(
        &'a self,
        place: &'a place::Place,
        record: record::Record,
        version: Option<String>,
    ) -> BoxFuture<'a, Result<store::Written, store::StoreError>> {
        async {
            self.reach()?;
            self.store.put(place, record, version).await
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        place: &'a place::Place,
        version: String,
    ) -> BoxFuture<'a, Result<bool, store::StoreError>> {
        async {
            self.reach()?;
            self.store.delete(place, version).await
        }
        .boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_shared_ledger_known_tokens_serve_and_new_ones_are_entered_later() {
    let hadoop = Hadoop::new();
    let store = Arc::new(Flaky::default());
    let unplaced = Gauge::default();
    let sharing = Sharing::through(Arc::clone(&store) as Arc<dyn Store>);
    let ledger = renewing(&hadoop, sharing.showing(unplaced.clone()));
    let known = key("team/Job.batch/a", "alice");
    ledger.tokens(&known).await.unwrap();
    store.down.store(true, Ordering::SeqCst);
    hadoop.pass(RECHECK_MILLIS).await;
    assert_eq!(ledger.tokens(&known).await.unwrap().sequence_number, 1);
    let new = key("team/Job.batch/b", "alice");
    let issued = ledger.tokens(&new).await.unwrap();
    assert_eq!(unplaced.get(), 1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    store.down.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let aside = store
        .get(&place::Place::aside(&new, &issued))
        .await
        .unwrap();
    assert!(aside.is_some(), "it will be renewed and cancelled");
    assert_eq!(unplaced.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_stops_enters_what_it_issued_without_a_long_pause() {
    let hadoop = Hadoop::new();
    let store = Arc::new(Flaky::default());
    let ledger = renewing(
        &hadoop,
        Sharing::through(Arc::clone(&store) as Arc<dyn Store>),
    );
    store.down.store(true, Ordering::SeqCst);
    let job = key("team/Job.batch/a", "alice");
    let issued = ledger.tokens(&job).await.unwrap();
    // The pauses have become a minute long.
    tokio::time::sleep(Duration::from_secs(70)).await;
    ledger.close();
    tokio::time::sleep(Duration::from_secs(2)).await;
    store.down.store(false, Ordering::SeqCst);
    let settled = tokio::time::timeout(Duration::from_secs(2), ledger.settled());
    assert!(settled.await.is_ok());
    let aside = store.get(&Place::aside(&job, &issued)).await.unwrap();
    assert!(aside.is_some());
}
