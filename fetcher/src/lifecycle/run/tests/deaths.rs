//! A replica is killed at each step that it takes, and another goes on: only a token that nobody has can be left.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;

const MINUTE: u64 = 60_000;
/// Hadoop ends a token after this time unless it is renewed, and after seven times of it for good.
const INTERVAL: u64 = 20 * MINUTE;

struct Story {
    world: World,
    mortal: Replica,
    other: Replica,
    /// The token that each live pod holds.
    held: Mutex<BTreeMap<&'static str, i32>>,
    handed_out: Mutex<Vec<i32>>,
}

impl Story {
    fn with(dies_at: Option<usize>) -> Self {
        let world = World::with(INTERVAL, 0);
        Self {
            mortal: world.replica("mortal", Process::new(dies_at)),
            other: world.replica("other", Process::new(None)),
            world,
            held: Mutex::default(),
            handed_out: Mutex::default(),
        }
    }

    async fn play(&self) {
        tokio::select! {
            _ = async { tokio::join!(self.mortal.run(), self.other.run()) } => {}
            () = self.what_is_held_works() => {}
            () = self.pods_come_and_go() => {}
        }
    }

    /// Two jobs; one outlives the half of its token's life, and gets another one.
    async fn pods_come_and_go(&self) {
        tokio::join!(
            self.begins("a1", "a", [&self.mortal, &self.other]),
            self.begins("a2", "a", [&self.other, &self.mortal]),
            self.begins("b1", "b", [&self.mortal, &self.other]),
        );
        pass(30 * MINUTE).await;
        self.ends("a1");
        pass(45 * MINUTE).await;
        self.begins("b2", "b", [&self.mortal, &self.other]).await;
        self.ends("a2");
        pass(10 * MINUTE).await;
        self.ends("b1");
        self.ends("b2");
        pass(INTERVAL + 5 * MINUTE).await;
    }

    /// A pod asks one replica, and the other one where that does not answer.
    async fn begins(&self, uid: &'static str, job: &str, replicas: [&Replica; 2]) {
        self.world.pods.set(vec![pod(uid, job)]);
        let key = key(job, "alice");
        for replica in replicas.iter().cycle() {
            if let Some(number) = replica.answer(&key).await {
                self.held.lock().unwrap().insert(uid, number);
                self.handed_out.lock().unwrap().push(number);
                return;
            }
            pass(1_000).await;
        }
    }

    fn ends(&self, uid: &'static str) {
        self.held.lock().unwrap().remove(uid);
        self.world.pods.end(uid);
    }

    async fn what_is_held_works(&self) {
        loop {
            let working = self.world.hadoop.working();
            for (uid, number) in &*self.held.lock().unwrap() {
                assert!(working.contains(number), "the token of {uid} has ended");
            }
            pass(30_000).await;
        }
    }

    /// Tokens that were issued and never entered: nobody can cancel them.
    fn lost(&self) -> Vec<i32> {
        let all = 1..=self.world.hadoop.issued();
        all.filter(|number| !self.world.ledger.ever_held(*number))
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn whenever_a_replica_is_killed_only_a_token_that_nobody_has_is_left() {
    let mut losses = 0;
    for step in 1.. {
        let story = Story::with(Some(step));
        story.play().await;
        let lost = story.lost();
        assert_eq!(story.world.ledger.len(), 0, "killed at step {step}");
        assert_eq!(
            story.world.hadoop.known(),
            lost,
            "killed at step {step}: all but what was never entered is cancelled"
        );
        assert_eq!(
            story.world.hadoop.alive(),
            0,
            "what nobody renews has ended"
        );
        let handed_out = story.handed_out.lock().unwrap();
        assert!(
            lost.iter().all(|number| !handed_out.contains(number)),
            "killed at step {step}: a pod has a token that the ledger does not know"
        );
        assert!(lost.len() <= 1, "one issue was under way");
        losses += lost.len();
        if !story.mortal.process.is_dead() {
            assert!(step > 100, "only {step} steps were taken");
            break;
        }
    }
    assert!(losses > 0, "the moment between issue and entry was met");
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_job_share_a_token_whichever_replica_they_ask() {
    let story = Story::with(None);
    story.play().await;
    let handed_out = story.handed_out.lock().unwrap();
    assert_eq!(handed_out.len(), 4);
    assert_eq!(
        story.world.hadoop.issued(),
        3,
        "two jobs, and one of them late again"
    );
}
