//! When to look again what became of another's claim: soon at first, as most issues take milliseconds, then seldom, as
//! a Hadoop that is slow must not make the API server slow.

use std::time::Duration;

use aws_lc_rs::rand;
use tokio::time::{Instant, sleep};

/// Pauses double from the first to the last, and differ a little: the keys of a burst do not all look at once.
pub(super) const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(2);
/// How long others are waited for; longer than a dead one's claim lasts.
const PATIENCE: Duration = Duration::from_secs(40);

/// The looks of one who waits.
pub(super) struct Looks {
    until: Instant,
    pause: Duration,
}

impl Looks {
    pub(super) fn begin() -> Self {
        Self {
            until: Instant::now() + PATIENCE,
            pause: FIRST,
        }
    }

    /// Pauses until the next look; whether there is one.
    pub(super) async fn rest(&mut self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        sleep(self.pause).await;
        self.pause = unlike_others((self.pause * 2).min(LAST));
        true
    }
}

/// Up to a quarter shorter.
fn unlike_others(pause: Duration) -> Duration {
    let mut random = [0];
    let _ = rand::fill(&mut random);
    let [part] = random;
    pause - pause / 1024 * u32::from(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_look_is_soon_and_the_later_ones_are_few() {
        let (begun, mut looks) = (Instant::now(), Looks::begin());
        assert!(looks.rest().await);
        assert_eq!(begun.elapsed(), FIRST);
        let mut count = 1;
        while looks.rest().await {
            count += 1;
        }
        assert!(begun.elapsed() >= PATIENCE && begun.elapsed() < PATIENCE + 2 * LAST);
        assert!((20..40).contains(&count), "{count} looks");
    }
}
