//! Turns: so many requests at a time, so many more waiting, and a quick no to the rest.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::metrics::{Counted, Metrics};

/// Two bounds: those that work, and those that are here at all.
pub(crate) struct Turns {
    working: Semaphore,
    present: Semaphore,
    metrics: Metrics,
}

/// A request's place; the next one moves up when it is dropped.
pub(super) struct Turn<'a> {
    _working: SemaphorePermit<'a>,
    _present: SemaphorePermit<'a>,
    metrics: &'a Metrics,
}

impl Turns {
    #[must_use]
    pub(crate) fn new(running: usize, waiting: usize, metrics: Metrics) -> Self {
        let most = Semaphore::MAX_PERMITS;
        Self {
            working: Semaphore::new(running.min(most)),
            present: Semaphore::new(running.saturating_add(waiting).min(most)),
            metrics,
        }
    }

    /// Waits for a turn; none if too many wait already.
    pub(super) async fn take(&self) -> Option<Turn<'_>> {
        let present = self.present.try_acquire().ok()?;
        let waiting = Counted::up(self.metrics.waiting.clone());
        let working = self.working.acquire().await.ok()?;
        drop(waiting);
        self.metrics.running.inc();
        Some(Turn {
            _working: working,
            _present: present,
            metrics: &self.metrics,
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.metrics.running.dec();
    }
}
