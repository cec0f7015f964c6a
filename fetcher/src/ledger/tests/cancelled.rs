//! Tokens that a pod cancels behind our back: any pod of a job can, with nothing but the token.

use super::api_server::ApiServer;
use super::replicas::{ask_all, replicas};
use super::*;
use crate::ledger::share::CONFIRM_MILLIS;

const JOB: &str = "team/Job.batch/a";

/// A replica of a world in which a leader renews.
pub(super) fn renewing(hadoop: &Arc<Hadoop>, server: &Arc<ApiServer>) -> Ledger {
    let rules = Rules {
        renewed: true,
        ..RULES
    };
    let (issuer, sharing) = (Arc::clone(hadoop), Sharing::through(server.store()));
    Ledger::new(issuer, sharing, rules, hadoop.clock(), unread())
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_a_cancellation_gets_a_token_that_job_mates_share() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let replicas = replicas(&hadoop, &server, 3, 0);
    let job = key(JOB, "alice");
    assert_eq!(ask_all(&replicas, &job).await, [1, 1, 1]);
    hadoop.pass(CONFIRM_MILLIS).await;
    hadoop.cancel(1);
    assert_eq!(ask_all(&replicas, &job).await, [2, 2, 2]);
    hadoop.pass(CONFIRM_MILLIS).await;
    assert_eq!(ask_all(&replicas, &job).await, [2, 2, 2]);
    let current = Place::current(&job);
    assert_eq!(
        server.names(),
        [current.name()],
        "without a leader none is left to be taken away"
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_finds_the_cancelled_token_due_for_renewal() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let replicas = [(); 2].map(|()| renewing(&hadoop, &server));
    let job = key(JOB, "alice");
    ask_all(&replicas, &job).await;
    hadoop.pass(CONFIRM_MILLIS).await;
    hadoop.cancel(1);
    assert_eq!(ask_all(&replicas, &job).await, [2, 2]);

    let place = Place::aside(&job, &issued(0, 1));
    let aside = server.store().get(&place).await.unwrap().unwrap().record;
    let Record::Worn { issued, since } = aside else {
        panic!("{aside:?} is handed out");
    };
    assert_eq!(issued.sequence_number, 1);
    assert_eq!(issued.expires_at, since, "its renewal is due");
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_pods_makes_one_check_a_replica_and_what_is_new_needs_none() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let replicas = replicas(&hadoop, &server, 3, 0);
    let job = key(JOB, "alice");
    ask_all(&replicas, &job).await;
    hadoop.pass(CONFIRM_MILLIS - 1).await;
    ask_all(&replicas, &job).await;
    assert_eq!(hadoop.checks(), 0);
    hadoop.pass(1).await;
    let pods = (0..1000).map(|pod| replicas[pod % 3].tokens(&job));
    let answers = join_all(pods).await;
    assert!(answers.iter().all(Result::is_ok));
    hadoop.pass(CONFIRM_MILLIS - 1).await;
    ask_all(&replicas, &job).await;
    assert_eq!((hadoop.checks(), hadoop.count()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_is_as_good_as_a_check() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let replicas = replicas(&hadoop, &server, 1, 0);
    let job = key(JOB, "alice");
    ask_all(&replicas, &job).await;
    hadoop.pass(HOUR).await;
    let (store, place) = (server.store(), Place::current(&job));
    let held = store.get(&place).await.unwrap().unwrap();
    let renewed = Issued {
        renewed_at: hadoop.now.load(Ordering::SeqCst),
        ..Issued::clone(held.record.issued().unwrap())
    };
    let record = Record::Held(Arc::new(renewed));
    store.put(&place, record, Some(held.version)).await.unwrap();
    assert_eq!(ask_all(&replicas, &job).await, [1]);
    assert_eq!(hadoop.checks(), 0);
}

/// What a pod gets it cancels at once, and asks again, at whichever replica.
async fn issues_of_a_minute(minutes_apart: u64) -> usize {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let replicas = replicas(&hadoop, &server, 2, minutes_apart);
    let job = key(JOB, "alice");
    for _ in 0..60 {
        for number in ask_all(&replicas, &job).await {
            hadoop.cancel(number);
        }
        hadoop.pass(1_000).await;
    }
    hadoop.count()
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_cancels_whatever_it_gets_has_no_more_issued_than_checks_allow() {
    assert_eq!(issues_of_a_minute(0).await, 6);
    // Replicas whose clocks do not agree cannot count for each other.
    assert!((6..=12).contains(&issues_of_a_minute(4).await));
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_conflicts_brings_no_dead_token_back() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let replicas = replicas(&hadoop, &server, 2, 0);
    let job = key(JOB, "alice");
    ask_all(&replicas, &job).await;
    hadoop.pass(CONFIRM_MILLIS).await;
    hadoop.cancel(1);
    server.conflicts.store(5, Ordering::SeqCst);
    assert_eq!(ask_all(&replicas, &job).await, [2, 2]);
    assert_eq!(hadoop.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_replica_without_a_shared_ledger_notices_too() {
    let hadoop = Hadoop::new();
    let ledger = hadoop.ledger(Sharing::alone());
    let job = key(JOB, "alice");
    for (pass, number, checks) in [
        (0, 1, 0),
        (CONFIRM_MILLIS, 1, 1),
        (CONFIRM_MILLIS - 1, 1, 1),
    ] {
        hadoop.pass(pass).await;
        assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, number);
        assert_eq!(hadoop.checks(), checks);
    }
    hadoop.cancel(1);
    hadoop.pass(1).await;
    assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, 2);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_too_long_for_a_new_token_is_told_so_and_gets_no_dead_one() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let replicas = replicas(&hadoop, &server, 1, 0);
    let job = key(JOB, "busy");
    let (store, place) = (server.store(), Place::current(&job));
    let record = Record::Held(Arc::new(issued(0, 5)));
    store.put(&place, record, None).await.unwrap();
    hadoop.now.store(HOUR, Ordering::SeqCst);
    assert_eq!(ask_all(&replicas, &job).await, [5]);
    hadoop.cancel(5);
    hadoop.pass(CONFIRM_MILLIS).await;
    let refused = replicas[0].tokens(&job).await;
    assert!(matches!(refused, Err(IssueFailure::Busy { .. })));
    assert_eq!(server.names(), [place.name()], "nothing was claimed");
}
