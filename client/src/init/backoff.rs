//! How long to wait between tries: doubled each time, with jitter, and at least what the server asks for.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const CAP: Duration = Duration::from_secs(10);

/// Capped exponential backoff with full jitter: many pods that start at once shall not come back at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// How long to wait before the next try. `random` is any number. A server's own wish is kept, and
    /// the jitter comes on top.
    pub(super) fn next(&mut self, random: u64, retry_after: Option<Duration>) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.tries.min(16)).min(CAP);
        self.tries += 1;
        let share = random as f64 / u64::MAX as f64;
        retry_after
            .unwrap_or_default()
            .saturating_add(ceiling.mul_f64(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap() {
        let mut backoff = Backoff::default();
        let millis: Vec<_> = (0..8)
            .map(|_| backoff.next(u64::MAX, None).as_millis())
            .collect();
        assert_eq!(millis, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(Backoff::default().next(0, None), Duration::ZERO);
        let half = Backoff::default().next(u64::MAX / 2, None);
        assert_eq!(half.as_millis(), 125);
    }

    #[test]
    fn a_servers_wish_is_never_undercut() {
        let wish = Duration::from_secs(7);
        let waits = [0, u64::MAX].map(|random| Backoff::default().next(random, Some(wish)));
        assert_eq!(waits, [wish, wish + FIRST]);
    }
}
