//! When a token is renewed, tried again, and told to end; milliseconds throughout.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::schedule::Name;
use crate::ledger::record::Live;

/// How long after its mark a record is cancelled: by then no replica hands its tokens out any more (it asks the
/// ledger anew every two seconds, and gives up on an answer after five).
pub const SETTLE_MILLIS: u64 = 10_000;
const FIRST_RETRY: u64 = 2_000;
const LAST_RETRY: u64 = 600_000;

/// What the operator decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Renewals are spread up to this part of the interval …
    pub renew_fraction: f64,
    /// … over this part of it.
    pub renew_spread: f64,
    /// How long a job may be without live pods.
    pub grace: u64,
    /// How long a claim says the same when its holder is taken for dead, and nobody else wants it.
    pub claim: u64,
}

/// A number from 0 to 1 that is the same for a name and a turn in every replica.
#[must_use]
pub fn share(name: &str, turn: u32) -> f64 {
    let mut hasher = DefaultHasher::new();
    (name, turn).hash(&mut hasher);
    hasher.finish() as f64 / u64::MAX as f64
}

/// From one renewal until the end without another.
#[must_use]
pub fn interval(live: &Live) -> u64 {
    live.expires_at.saturating_sub(live.renewed_at)
}

/// When to renew; none if the token cannot live longer.
#[must_use]
pub fn renew_at(live: &Live, name: &Name, terms: &Terms) -> Option<u64> {
    // Times in the ledger are whole seconds.
    if live.expires_at.saturating_add(1_000) > live.max_date {
        return None;
    }
    let fraction = terms.renew_fraction - terms.renew_spread * share(name, 0);
    let wait = (interval(live) as f64 * fraction) as u64;
    Some(live.renewed_at.saturating_add(wait))
}

/// How long to wait after that many failures: longer each time, and never so long that the interval passes.
#[must_use]
pub fn retry_after(failures: u32, interval: u64, name: &str) -> u64 {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(20));
    let most = (interval / 10).clamp(1_000, LAST_RETRY);
    let wait = doubled.min(most);
    // Half of it is left to chance: who failed together must not come back together.
    wait / 2 + (wait as f64 / 2.0 * share(name, failures)) as u64
}

/// From when on the token's end is near enough to speak of it.
#[must_use]
pub fn ends_soon_at(live: &Live) -> u64 {
    let life = live.max_date.saturating_sub(live.issued_at);
    live.max_date.saturating_sub(life / 10)
}

/// Whether a failed renewal is late enough to say that the token will be lost.
#[must_use]
pub fn in_danger(live: &Live, now: u64) -> bool {
    now >= live.expires_at.saturating_sub(interval(live) / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn terms() -> Terms {
        Terms {
            renew_fraction: 0.7,
            renew_spread: 0.2,
            grace: 60_000,
            claim: 60_000,
        }
    }

    fn live() -> Live {
        Live {
            issued_at: 0,
            renewed_at: 24 * HOUR,
            expires_at: 48 * HOUR,
            max_date: 168 * HOUR,
            sequence_number: 1,
            tokens: 1,
            worn: None,
        }
    }

    #[test]
    fn renewals_fall_into_their_part_of_the_interval_and_stay_there() {
        for number in 0..1000 {
            let name: Name = format!("token-{number}").into();
            let at = renew_at(&live(), &name, &terms()).unwrap();
            assert!((36 * HOUR..=41 * HOUR).contains(&at), "{at}");
            assert_eq!(renew_at(&live(), &name, &terms()), Some(at));
        }
    }

    #[test]
    fn at_its_maximum_date_no_renewal_is_left() {
        let last = Live {
            expires_at: 168 * HOUR + 500,
            ..live()
        };
        assert_eq!(renew_at(&last, &"t".into(), &terms()), None);
        assert_eq!(ends_soon_at(&live()), 168 * HOUR - 168 * HOUR / 10);
    }

    #[test]
    fn pauses_grow_up_to_a_tenth_of_the_interval() {
        let pause = |failures, interval| retry_after(failures, interval, "t");
        assert!((1_000..=2_000).contains(&pause(1, 24 * HOUR)));
        assert!(pause(6, 24 * HOUR) > pause(3, 24 * HOUR));
        assert!(pause(40, 24 * HOUR) <= 600_000);
        assert!(
            pause(40, 60_000) <= 6_000,
            "test clusters have short intervals"
        );
        assert!(pause(40, 0) >= 500);
    }

    #[test]
    fn danger_is_the_last_quarter() {
        assert!(!in_danger(&live(), 41 * HOUR));
        assert!(in_danger(&live(), 42 * HOUR));
    }
}
