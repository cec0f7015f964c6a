//! A ledger that does not write, one that is out of reach, and clocks that disagree.

use super::*;

const MINUTE: u64 = 60_000;
const INTERVAL: u64 = 20 * MINUTE;

#[tokio::test(start_paused = true)]
async fn conflicts_at_nearly_every_write_cost_time_and_nothing_else() {
    let world = World::with(INTERVAL, 0);
    world.ledger.conflicts.store(5, Ordering::SeqCst);
    let [one, two] = two(&world);
    let story = async {
        world.pods.set(vec![pod("u1", "a"), pod("u2", "a")]);
        let key = key("a", "alice");
        let answers = tokio::join!(one.answer(&key), two.answer(&key));
        assert_eq!(answers, (Some(1), Some(1)));
        pass(3 * INTERVAL).await;
        assert_eq!(world.hadoop.working(), [1], "renewed in time");
        world.pods.end("u1");
        world.pods.end("u2");
        pass(10 * MINUTE).await;
        assert_eq!((world.hadoop.alive(), world.ledger.len()), (0, 0));
    };
    during([&one, &two], story).await;
    assert_eq!(world.hadoop.issued(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_happens_while_the_ledger_is_out_of_reach_is_made_up_for() {
    let world = World::with(INTERVAL, 0);
    let [one, two] = two(&world);
    let story = async {
        world.pods.set(vec![pod("u1", "a"), pod("u2", "b")]);
        one.answer(&key("a", "alice")).await.unwrap();
        one.answer(&key("b", "alice")).await.unwrap();
        world.ledger.down.store(true, Ordering::SeqCst);
        world.pods.set(vec![pod("u3", "c")]);
        let apart = two.answer(&key("c", "alice")).await.unwrap();
        world.pods.end("u2");
        // All renewals come due in that time.
        pass(INTERVAL - MINUTE).await;
        world.ledger.down.store(false, Ordering::SeqCst);
        pass(INTERVAL).await;
        assert!(world.ledger.ever_held(apart));
        assert_eq!(
            world.hadoop.working(),
            [1, apart],
            "and 2, of the ended job, is cancelled"
        );
        world.pods.end("u1");
        world.pods.end("u3");
        pass(10 * MINUTE).await;
        assert_eq!((world.hadoop.alive(), world.ledger.len()), (0, 0));
    };
    during([&one, &two], story).await;
}

#[tokio::test(start_paused = true)]
async fn hadoops_clock_may_be_minutes_from_ours() {
    for minutes in [-5, 5] {
        let world = World::with(INTERVAL, minutes * 60_000);
        let [one, two] = two(&world);
        let story = async {
            world.pods.set(vec![pod("u1", "a")]);
            let key = key("a", "alice");
            one.answer(&key).await.unwrap();
            for _ in 0..120 {
                assert_eq!(world.hadoop.alive(), 1, "{minutes} minutes ahead");
                pass(30_000).await;
            }
            assert_eq!(two.answer(&key).await, Some(1), "good for a while yet");
            world.pods.end("u1");
            pass(15 * MINUTE).await;
            assert_eq!((world.hadoop.alive(), world.ledger.len()), (0, 0));
        };
        during([&one, &two], story).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_clock_is_minutes_ahead_takes_no_claim_for_a_dead_ones() {
    for [first, second] in [[4, 0], [0, 4]] {
        let world = World::with(INTERVAL, 0);
        let replica = |name, minutes| {
            let process = Process::new(None);
            world.replica_ahead(name, process, minutes * MINUTE)
        };
        let [one, two] = [replica("one", first), replica("two", second)];
        let story = async {
            // One of them leads by now.
            pass(10_000).await;
            world.pods.set(vec![pod("u1", "a")]);
            world.hadoop.slow.store(12, Ordering::SeqCst);
            let key = key("a", "alice");
            let answers = tokio::join!(one.answer(&key), two.answer(&key));
            assert_eq!(answers, (Some(1), Some(1)));
        };
        during([&one, &two], story).await;
        assert_eq!(world.hadoop.issued(), 1);
    }
}
