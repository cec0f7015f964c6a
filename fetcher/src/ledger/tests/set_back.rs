//! A wall clock that is set back: what is repeated for seconds is not repeated for hours.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_failure_is_forgotten_as_soon() {
    let hadoop = Hadoop::new();
    hadoop.failing.store(true, Ordering::SeqCst);
    let ledger = hadoop.ledger(Sharing::alone());
    let job = key("team/Job.batch/a", "alice");
    assert!(ledger.tokens(&job).await.is_err());
    hadoop.failing.store(false, Ordering::SeqCst);
    hadoop.set_back(1, RULES.failure_millis).await;
    assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, 2);
}

#[tokio::test(start_paused = true)]
async fn the_shared_ledger_is_asked_as_soon() {
    let hadoop = Hadoop::new();
    let store = Arc::new(InMemory::default());
    let ledger = hadoop.ledger(Sharing::through(Arc::clone(&store) as Arc<dyn Store>));
    let job = key("team/Job.batch/a", "alice");
    ledger.tokens(&job).await.unwrap();
    let place = Place::current(&job);
    let held = store.get(&place).await.unwrap().unwrap();
    store.delete(&place, held.version).await.unwrap();
    hadoop.set_back(1, RECHECK_MILLIS).await;
    assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, 2);
}

#[tokio::test(start_paused = true)]
async fn hadoop_is_asked_as_soon() {
    let hadoop = Hadoop::new();
    let ledger = hadoop.ledger(Sharing::alone());
    let job = key("team/Job.batch/a", "alice");
    ledger.tokens(&job).await.unwrap();
    hadoop.cancel(1);
    hadoop.set_back(1, CONFIRM_MILLIS).await;
    assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, 2);
}
