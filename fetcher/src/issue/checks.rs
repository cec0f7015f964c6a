//! Whether Hadoop still knows tokens that shall be handed out again: whoever holds one can cancel it.
//!
//! Asked in bounded time and number: who has a token must not wait for a Hadoop that is slow.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::chain;
use crate::hadoop::{Issued, TokenService};

/// Hadoop answers within milliseconds; a pod that waits so long for nothing has lost little.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a service that took longer is not asked: one pod waits for nothing then, not each.
const PAUSE: Duration = Duration::from_secs(10);
/// Checks of one service at a time, beside the calls for new tokens.
const AT_A_TIME: usize = 16;

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Known,
    Unknown,
    Undecided,
}

impl Verdict {
    /// As metrics write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::Undecided => "undecided",
        }
    }
}

/// The checks of one service.
pub(super) struct Checks {
    places: Semaphore,
    paused_until: Mutex<Option<Instant>>,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            places: Semaphore::new(AT_A_TIME),
            paused_until: Mutex::default(),
        }
    }
}

impl Checks {
    pub(super) async fn verdict(&self, service: &dyn TokenService, issued: &Issued) -> Verdict {
        // Who waits in vain for a place waits for others like it: that says nothing about the service.
        let Ok(_place) = timeout(PATIENCE, self.places.acquire()).await else {
            return Verdict::Undecided;
        };
        if self.paused().is_some_and(|until| Instant::now() < until) {
            return Verdict::Undecided;
        }
        let asked = timeout(PATIENCE, ask(service, issued)).await;
        asked.unwrap_or_else(|_| {
            tracing::warn!(
                service = service.name(),
                "no answer whether a token is still known"
            );
            *self.paused() = Some(Instant::now() + PAUSE);
            Verdict::Undecided
        })
    }

    fn paused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(service: &dyn TokenService, issued: &Issued) -> Verdict {
    let mut verdict = Verdict::Known;
    for token in issued.distinct() {
        match service.is_known(token).await {
            Ok(true) => {}
            Ok(false) => return Verdict::Unknown,
            Err(error) => {
                let error = chain::text(&error);
                tracing::debug!(service = service.name(), error, "a token was not checked");
                verdict = Verdict::Undecided;
            }
        }
    }
    verdict
}

#[cfg(test)]
mod tests;
