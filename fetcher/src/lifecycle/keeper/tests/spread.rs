//! What was issued together is not renewed together.

use super::*;

#[test]
fn ten_thousand_tokens_of_one_minute_are_not_renewed_in_one() {
    const TOKENS: u64 = 10_000;
    const MINUTE: u64 = 60_000;
    let terms = Terms {
        renew_fraction: 0.7,
        renew_spread: 0.2,
        grace: GRACE,
        claim: 60_000,
    };
    let mut keeper = Keeper::new(terms, DenyList::default(), usize::MAX);
    keeper.pods_restart();
    keeper.pod_seen(pod("u1", "a"));
    keeper.pods_complete(0);
    let of = |number: u64, version, renewed_at| {
        let renewed = State::Live(Live {
            issued_at: number * MINUTE / TOKENS,
            renewed_at,
            expires_at: renewed_at + 24 * HOUR,
            max_date: 168 * HOUR,
            sequence_number: i32::try_from(number).unwrap(),
            tokens: 1,
            worn: None,
        });
        entry(&key("a", &format!("u{number}"), "ns1"), version, renewed)
    };
    for number in 0..TOKENS {
        keeper.entry_seen(of(number, 1, number * MINUTE / TOKENS), 0);
    }
    let (mut busiest, mut all) = (0, 0);
    for now in (0..24 * HOUR).step_by(MINUTE as usize) {
        let mut renewed = 0;
        while let Some(task) = keeper.take(now) {
            assert_eq!(task.deed, Deed::Renew);
            let State::Live(live) = task.entry.state else {
                panic!("it has tokens");
            };
            let number = u64::try_from(live.sequence_number).unwrap();
            keeper.settle(&task, Outcome::Stands(of(number, 2, now)), now);
            renewed += 1;
        }
        busiest = busiest.max(renewed);
        all += renewed;
    }
    assert_eq!(all, TOKENS, "each once, before its day is over");
    // A fifth of a day has 288 minutes.
    assert!(busiest < 2 * TOKENS / 288, "{busiest} in one minute");
}
