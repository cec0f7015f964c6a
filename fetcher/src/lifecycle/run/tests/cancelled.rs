//! A pod cancels the token that its job shares: the next pod has another, and who has the dead one is told soon.

use super::*;

const JOB: &str = "a";

#[tokio::test(start_paused = true)]
async fn a_cancelled_token_is_replaced_and_told_of_within_seconds() {
    let world = World::new();
    let [one, two] = two(&world);
    let key = key(JOB, "alice");
    world.pods.set(vec![pod("u1", JOB)]);
    let story = async {
        assert_eq!(one.answer(&key).await, Some(1));
        pass(HOUR).await;
        world.hadoop.forget();
        let answers = tokio::join!(one.answer(&key), two.answer(&key));
        assert_eq!(answers, (Some(2), Some(2)));
        pass(5_000).await;
        assert_eq!(world.noticed(), ["TokenLost"]);
        assert!(world.audited().contains(r#""event":"lost""#));
        assert_eq!((world.ledger.len(), world.hadoop.working()), (1, vec![2]));
    };
    during([&one, &two], story).await;
}

#[tokio::test(start_paused = true)]
async fn where_hadoop_cannot_be_asked_the_held_token_serves() {
    let world = World::new();
    let [one, two] = two(&world);
    let key = key(JOB, "alice");
    world.pods.set(vec![pod("u1", JOB)]);
    let story = async {
        assert_eq!(one.answer(&key).await, Some(1));
        pass(HOUR).await;
        world.hadoop.down.store(true, Ordering::SeqCst);
        assert_eq!(two.answer(&key).await, Some(1));
        assert_eq!(world.hadoop.issued(), 1);
    };
    during([&one, &two], story).await;
    assert!(world.noticed().is_empty());
}
