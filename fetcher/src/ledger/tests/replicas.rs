//! Several replicas over the Secrets of one API server.

use std::time::Duration;

use super::api_server::ApiServer;
use super::cancelled::renewing;
use super::*;

/// So many replicas; each one's clock is so many minutes further ahead than the last one's.
pub(super) fn replicas(
    hadoop: &Arc<Hadoop>,
    server: &Arc<ApiServer>,
    count: u64,
    minutes: u64,
) -> Vec<Ledger> {
    let replica = |number: u64| {
        let clock = hadoop.clock();
        let clock = Clock::from_fn(move || clock.now_millis() + number * minutes * 60_000);
        let sharing = Sharing::through(server.store());
        let issuer = Arc::clone(hadoop) as Arc<dyn Issuer>;
        Ledger::new(issuer, sharing, RULES, clock, unread())
    };
    (0..count).map(replica).collect()
}

pub(super) async fn ask_all(replicas: &[Ledger], key: &Key) -> Vec<i32> {
    let answers = join_all(replicas.iter().map(|replica| replica.tokens(key))).await;
    let number = |answer: &Outcome| answer.as_ref().unwrap().sequence_number;
    answers.iter().map(number).collect()
}

/// The next so many issues take so long.
fn slow(hadoop: &Arc<Hadoop>, issues: usize, seconds: u64) {
    hadoop.let_go.forget_permits(Semaphore::MAX_PERMITS);
    let hadoop = Arc::clone(hadoop);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        hadoop.let_go.add_permits(issues);
    });
}

#[tokio::test(start_paused = true)]
async fn a_thousand_pods_over_three_replicas_cost_one_issue_for_each_service() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let replicas = replicas(&hadoop, &server, 3, 0);
    let keys = ["ns1", "kms"].map(|service| Key {
        service: service.parse().unwrap(),
        ..key("team/Job.batch/a", "alice")
    });
    let pods = (0..1000).map(|pod| {
        let (replica, keys) = (&replicas[pod % 3], &keys);
        async move { join_all(keys.iter().map(|key| replica.tokens(key))).await }
    });
    let answers = join_all(pods).await;
    assert_eq!((hadoop.count(), server.names().len()), (2, 2));
    let numbers = |answer: &Vec<Outcome>| -> Vec<i32> {
        let number = |outcome: &Outcome| outcome.as_ref().unwrap().sequence_number;
        answer.iter().map(number).collect()
    };
    let first = numbers(&answers[0]);
    assert!(answers.iter().all(|answer| numbers(answer) == first));
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_conflicts_costs_no_second_issue() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    server.conflicts.store(10, Ordering::SeqCst);
    let replicas = replicas(&hadoop, &server, 3, 0);
    let job = key("team/Job.batch/a", "alice");
    assert_eq!(ask_all(&replicas, &job).await, [1, 1, 1]);
    let held = server.store().get(&Place::current(&job)).await.unwrap();
    assert!(matches!(held.unwrap().record, Record::Held(_)));
}

#[tokio::test(start_paused = true)]
async fn worn_tokens_get_their_place_in_a_storm_too() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let job = key("team/Job.batch/a", "alice");
    let now = hadoop.now.load(Ordering::SeqCst);
    let old = Arc::new(issued(now, 7));
    let worn = Record::Worn {
        issued: Arc::clone(&old),
        since: now,
    };
    let store = server.store();
    store.put(&Place::current(&job), worn, None).await.unwrap();
    server.conflicts.store(3, Ordering::SeqCst);
    let replicas = [(); 2].map(|()| renewing(&hadoop, &server));
    assert_eq!(ask_all(&replicas, &job).await, [1, 1]);
    let aside = store.get(&Place::aside(&job, &old)).await.unwrap();
    assert_eq!(
        aside.unwrap().record.issued().unwrap().sequence_number,
        7,
        "pods may hold it still"
    );
}

#[tokio::test(start_paused = true)]
async fn where_nobody_renews_a_key_has_one_record_however_often_it_is_refreshed() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let replicas = replicas(&hadoop, &server, 2, 0);
    let job = key("team/Job.batch/a", "alice");
    for turn in 1..=10 {
        assert_eq!(ask_all(&replicas, &job).await, [turn, turn]);
        assert_eq!(server.names(), [Place::current(&job).name()]);
        hadoop.pass(24 * HOUR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_namenode_is_no_dead_replica() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    slow(&hadoop, 1, 2 * STALE_MILLIS / 1000);
    let replicas = replicas(&hadoop, &server, 2, 0);
    let job = key("team/Job.batch/a", "alice");
    assert_eq!(ask_all(&replicas, &job).await, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn replicas_whose_clocks_are_minutes_apart_share_all_the_same() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    slow(&hadoop, 1, 10);
    let replicas = replicas(&hadoop, &server, 3, 4);
    let job = key("team/Job.batch/a", "alice");
    assert_eq!(ask_all(&replicas, &job).await, [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_the_same_name_gives_nobody_anothers_token() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    let (alice, bob) = (
        key("team/Job.batch/a", "alice"),
        key("team/Job.batch/a", "bob"),
    );
    let store = server.store();
    let held = Record::Held(Arc::new(issued(hadoop.now.load(Ordering::SeqCst), 99)));
    store.put(&Place::current(&bob), held, None).await.unwrap();
    let name = Place::current(&alice);
    server.rename(Place::current(&bob).name(), name.name());

    let replicas = [(); 2].map(|()| renewing(&hadoop, &server));
    let numbers = ask_all(&replicas, &alice).await;
    assert!(!numbers.contains(&99), "alice has bob's token: {numbers:?}");
    let mut stands = vec![name.name().to_owned()];
    for (replica, number) in replicas.iter().zip(1..) {
        replica.settled().await;
        stands.push(Place::aside(&alice, &issued(0, number)).name().to_owned());
    }
    stands.sort();
    assert_eq!(
        server.names(),
        stands,
        "bob's record is untouched, and alice's stand aside"
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_waits_for_what_it_has_begun() {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    slow(&hadoop, 1, 3);
    let replicas = replicas(&hadoop, &server, 1, 0);
    let job = key("team/Job.batch/a", "alice");
    let mut pod = Box::pin(replicas[0].tokens(&job));
    assert!(futures::poll!(&mut pod).is_pending());
    drop(pod);
    replicas[0].settled().await;
    let held = server.store().get(&Place::current(&job)).await.unwrap();
    assert!(matches!(held.unwrap().record, Record::Held(_)));
}

/// Two replicas are asked, one after the other; how many tokens were issued, and what stands in the ledger then.
async fn with_a_late_answer(write: usize, seconds: u64) -> (usize, Vec<String>) {
    let (hadoop, server) = (Hadoop::new(), Arc::new(ApiServer::default()));
    server.late.store(write, Ordering::SeqCst);
    slow(&hadoop, 2, seconds);
    let replicas = [(); 2].map(|()| renewing(&hadoop, &server));
    let job = key("team/Job.batch/a", "alice");
    let second = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        replicas[1].tokens(&job).await
    };
    let (first, second) = tokio::join!(replicas[0].tokens(&job), second);
    assert_eq!(
        [first, second].map(|it| it.unwrap().sequence_number),
        [1, 1]
    );
    for replica in &replicas {
        replica.settled().await;
    }
    (hadoop.count(), server.names())
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_done_counts_though_its_answer_came_too_late() {
    let current = Place::current(&key("team/Job.batch/a", "alice"));
    let one_issue_and_record = (1, vec![current.name().to_owned()]);
    let (claim, sign, tokens) = ((1, 1), (2, 2 * STALE_MILLIS / 1000), (2, 1));
    for (write, seconds) in [claim, sign, tokens] {
        let came_of_it = with_a_late_answer(write, seconds).await;
        assert_eq!(came_of_it, one_issue_and_record, "{write} {seconds}");
    }
}
