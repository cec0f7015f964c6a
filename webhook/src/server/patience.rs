//! How long the API server waits for an answer, and how that is shared out: what comes later is for nobody.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// For the way there and back.
const ON_THE_WAY: Duration = Duration::from_secs(1);
/// For the decision, once the questions are answered or given up.
const DECIDING: Duration = Duration::from_millis(500);
/// For one question.
const EACH: Duration = Duration::from_secs(2);

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience(Duration);

impl Patience {
    /// Of an API server that waits so many seconds: at least 2.
    pub fn of(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds).saturating_sub(ON_THE_WAY))
    }

    pub(super) fn whole(self) -> Duration {
        self.0
    }

    /// Of a request that comes now.
    pub(super) fn begin(self) -> Until {
        Until(Instant::now() + self.0.saturating_sub(DECIDING))
    }
}

/// Until when a request's questions must be answered, however many they are.
#[derive(Clone, Copy, Debug)]
pub struct Until(Instant);

impl Until {
    /// The answer, if it comes in time.
    pub(super) async fn answer<T>(self, asked: impl Future<Output = T>) -> Option<T> {
        let latest = self.0.min(Instant::now() + EACH);
        timeout_at(latest, asked).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn questions_without_an_answer_leave_time_for_the_decision_however_many_they_are() {
        for seconds in [2, 5, 30] {
            let (began, patience) = (Instant::now(), Patience::of(seconds));
            let until = patience.begin();
            for _ in 0..20 {
                let asked = Instant::now();
                assert!(until.answer(pending::<()>()).await.is_none());
                assert!(asked.elapsed() <= EACH);
            }
            let took = began.elapsed();
            assert!(took < patience.whole(), "{took:?}");
            assert!(patience.whole() < Duration::from_secs(seconds));
            assert!(until.answer(std::future::ready(())).await.is_some());
        }
    }
}
