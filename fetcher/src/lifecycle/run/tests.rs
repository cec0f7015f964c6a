use std::sync::atomic::Ordering;

use prometheus_client::registry::Registry;

use super::*;
use crate::audit::Audit;
use crate::events::Recorder;
use crate::ledger::Key;
use crate::ledger::place::Place;
use crate::ledger::record::Record;
use crate::ledger::store::Store;
use crate::lifecycle::election::tests::Shelf;
use crate::lifecycle::jobs::tests::pod;
use crate::metrics::Metrics;

mod cancelled;
mod deaths;
mod storms;
mod world;

use world::{DAY, HOUR, Process, Replica, World};

fn key(job: &str, user: &str) -> Key {
    Key {
        job: serde_json::from_value(job.into()).unwrap(),
        user: user.parse().unwrap(),
        service: "ns1".parse().unwrap(),
    }
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn two(world: &World) -> [Replica; 2] {
    ["one", "two"].map(|name| world.replica(name, Process::new(None)))
}

/// Both run until the story ends.
async fn during(replicas: [&Replica; 2], story: impl Future<Output = ()>) {
    tokio::select! {
        _ = async { tokio::join!(replicas[0].run(), replicas[1].run()) } => {}
        () = story => {}
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_live_as_long_as_their_job_and_no_longer() {
    let world = World::new();
    world.pods.set(vec![pod("u1", "a")]);
    for user in ["alice", "bob"] {
        world.issue(&key("a", user)).await;
    }
    let story = async {
        pass(5 * DAY).await;
        assert_eq!(world.hadoop.alive(), 2, "five intervals later");
        let renewals = world.hadoop.renewals.load(Ordering::SeqCst);
        assert!(renewals < 2 * 12);
        assert_eq!(world.renewals("renewed"), renewals as u64);
        assert_eq!(
            (world.records("held"), world.metrics.live_jobs.get()),
            (2, 1)
        );
        assert!(world.metrics.next_expiry.get() * 1000.0 > world.now() as f64);
        world.pods.end("u1");
        pass(HOUR).await;
        assert_eq!((world.hadoop.known().len(), world.ledger.len()), (0, 0));
    };
    world.run_during(story).await;
    assert_eq!(
        (world.cancellations("cancelled"), world.records("held")),
        (2, 0)
    );
    let audit = world.audited();
    assert!(audit.contains(r#""event":"cancelled""#) && audit.contains(r#""reason":"job-ended""#));
    assert!(!audit.contains("secret"), "no password, no token");
}

#[tokio::test(start_paused = true)]
async fn jobs_that_ended_while_nobody_watched_are_cancelled_at_start() {
    let world = World::new();
    world.issue(&key("a", "alice")).await;
    world.run_during(pass(5 * 60_000)).await;
    assert_eq!((world.hadoop.known().len(), world.ledger.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_hadoop_forgot_leaves_the_ledger() {
    let world = World::new();
    world.pods.set(vec![pod("u1", "a")]);
    world.issue(&key("a", "alice")).await;
    world.hadoop.forget();
    world.run_during(pass(DAY)).await;
    assert_eq!(world.ledger.len(), 0);
    assert!(world.audited().contains(r#""event":"lost""#));
    assert_eq!(world.noticed(), ["TokenLost"]);
    assert_eq!(world.endings("token-unknown"), 1);
}

#[tokio::test(start_paused = true)]
async fn who_has_a_token_whose_record_was_deleted_hears_of_it() {
    let world = World::new();
    world.pods.set(vec![pod("u1", "a")]);
    let place = world.issue(&key("a", "alice")).await;
    let story = async {
        pass(HOUR).await;
        let found = world.ledger.get(&place).await.unwrap().unwrap();
        world.ledger.delete(&place, found.version).await.unwrap();
        pass(HOUR).await;
    };
    world.run_during(story).await;
    assert_eq!(world.noticed(), ["TokenWillBeLost"]);
    let audit = world.audited();
    assert!(audit.contains(r#""event":"will-be-lost""#), "{audit}");
    assert_eq!(world.endings("record-deleted"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_renewal_revives_a_token() {
    let world = World::new();
    world.pods.set(vec![pod("u1", "a")]);
    world.issue(&key("a", "alice")).await;
    world.hadoop.down.store(true, Ordering::SeqCst);
    let story = async {
        pass(26 * HOUR).await;
        assert_eq!(world.hadoop.alive(), 0);
        world.hadoop.down.store(false, Ordering::SeqCst);
        pass(HOUR).await;
        assert_eq!(world.hadoop.alive(), 1);
    };
    world.run_during(story).await;
    assert_eq!(world.noticed(), ["TokenWillBeLost"]);
    assert_eq!(
        (world.endings("renewals-fail"), world.renewals("renewed")),
        (1, 1)
    );
    assert!(world.renewals("hadoop-standby") > 1);
    let audit = world.audited();
    let lines: Vec<_> = audit
        .lines()
        .filter(|line| line.contains("will-be-lost"))
        .collect();
    assert!(
        lines.len() == 1 && lines[0].contains(r#""reason":"hadoop-standby""#),
        "{audit}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_life_is_told_in_time_and_the_next_asker_gets_new_tokens() {
    let world = World::new();
    world.pods.set(vec![pod("u1", "a")]);
    let place = world.issue(&key("a", "alice")).await;
    let story = async {
        pass(6 * DAY + 20 * HOUR).await;
        let found = world.ledger.get(&place).await.unwrap().unwrap();
        assert!(matches!(found.record, Record::Worn { .. }));
        assert_eq!(world.hadoop.alive(), 1, "who has it keeps it");
        pass(DAY).await;
        assert_eq!((world.hadoop.known().len(), world.ledger.len()), (0, 0));
    };
    world.run_during(story).await;
    assert_eq!(world.noticed(), ["TokenEndsSoon"]);
    assert_eq!(world.endings("max-date"), 1);
    assert!(world.audited().contains(r#""event":"ends-soon""#));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_life_is_told_once_whoever_leads() {
    let world = World::new();
    world.pods.set(vec![pod("u1", "a")]);
    world.issue(&key("a", "alice")).await;
    world.run_during(pass(6 * DAY + 12 * HOUR)).await;
    world.run_during(pass(HOUR)).await;
    assert_eq!(world.noticed(), ["TokenEndsSoon"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_tokens_that_a_replica_put_aside_is_told() {
    let world = World::new();
    world.pods.set(vec![pod("u1", "a")]);
    let place = world.issue(&key("a", "alice")).await;
    world.run_during(pass(6 * DAY)).await;
    pass(12 * HOUR).await;
    let found = world.ledger.get(&place).await.unwrap().unwrap();
    let worn = Record::Worn {
        issued: Arc::clone(found.record.issued().unwrap()),
        since: world.now(),
    };
    let version = Some(found.version);
    world.ledger.put(&place, worn, version).await.unwrap();
    world.run_during(pass(HOUR)).await;
    assert_eq!(world.noticed(), ["TokenEndsSoon"]);
}

#[tokio::test(start_paused = true)]
async fn a_denied_user_and_a_dead_claim_are_cleared_away() {
    let world = World::new();
    world.denies("eve");
    world.pods.set(vec![pod("u1", "a")]);
    world.issue(&key("a", "eve")).await;
    let claim = Record::Claimed { since: world.now() };
    let place = Place::current(&key("a", "alice"));
    world.ledger.put(&place, claim, None).await.unwrap();
    world.run_during(pass(5 * 60_000)).await;
    assert_eq!((world.hadoop.known().len(), world.ledger.len()), (0, 0));
    assert!(world.audited().contains(r#""reason":"user-denied""#));
    assert_eq!(world.metrics.claims_dropped.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_denied_from_now_on_loses_what_is_live() {
    let world = World::new();
    world.pods.set(vec![pod("u1", "a")]);
    world.issue(&key("a", "alice")).await;
    world.issue(&key("a", "bob")).await;
    let story = async {
        pass(HOUR).await;
        assert_eq!(world.hadoop.alive(), 2);
        world.denies("alice");
        pass(60_000).await;
        assert_eq!((world.hadoop.known().len(), world.ledger.len()), (1, 1));
    };
    world.run_during(story).await;
}

#[tokio::test(start_paused = true)]
async fn cancellations_that_fail_are_tried_again() {
    let world = World::new();
    world.issue(&key("a", "alice")).await;
    world.hadoop.down.store(true, Ordering::SeqCst);
    let story = async {
        pass(3 * HOUR).await;
        assert_eq!((world.hadoop.known().len(), world.ledger.len()), (1, 1));
        assert!(world.cancellations("hadoop-standby") > 1);
        assert_eq!(world.records("worn"), 1);
        world.hadoop.down.store(false, Ordering::SeqCst);
        pass(HOUR).await;
        assert_eq!((world.hadoop.known().len(), world.ledger.len()), (0, 0));
    };
    world.run_during(story).await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_gives_the_lease_back() {
    let world = World::new();
    let story = async {
        pass(5_000).await;
        assert!(world.shelf.holder().is_some());
        assert_eq!(world.metrics.leader.get(), 1);
    };
    world.run_during(story).await;
    assert_eq!(world.shelf.holder(), None);
    assert_eq!(world.metrics.leader.get(), 0);
}
