//! Holds or awaits the lease, and says until when this replica may act.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::lease::{Observed, Seen, Step, acting, decide};
use crate::chain;

/// Why the lease could not be read or written.
#[derive(Debug, Error)]
pub enum LeaseError {
    #[error(
        "failed to reach the Lease: see that kube2hadoop-fetcher may get, create and update it in its namespace"
    )]
    Api(#[source] kube::Error),
    #[error("the API server gave no answer within {seconds} s")]
    Slow { seconds: u64 },
}

/// What a candidate writes.
#[derive(Debug, Clone)]
pub struct Claim {
    /// None gives the lease back.
    pub holder: Option<String>,
    pub duration: Duration,
    pub transitions: i32,
    pub acquired: Option<Timestamp>,
}

/// The one Lease that candidates meet at.
pub trait Leases: Send + Sync + 'static {
    fn get(&self) -> BoxFuture<'_, Result<Option<Seen>, LeaseError>>;

    /// Writes over that version, or creates without one; none if somebody was first.
    fn put(
        &self,
        claim: Claim,
        version: Option<String>,
    ) -> BoxFuture<'_, Result<Option<Seen>, LeaseError>>;
}

/// Until when this replica leads; none: it does not.
pub type Leadership = Option<Instant>;

/// One candidate.
pub struct Elector {
    leases: Arc<dyn Leases>,
    me: String,
    duration: Duration,
    started: Instant,
    observed: Option<Observed>,
}

impl Elector {
    /// Stands as `me` for a Lease of this duration.
    #[must_use]
    pub fn new(leases: Arc<dyn Leases>, me: String, duration: Duration) -> Self {
        Self {
            leases,
            me,
            duration,
            started: Instant::now(),
            observed: None,
        }
    }

    /// Stands for election for ever.
    pub async fn campaign(&mut self, leadership: &watch::Sender<Leadership>) {
        let mut said = String::new();
        loop {
            let began = Instant::now();
            match self.step().await {
                Ok(true) => {
                    said.clear();
                    leadership.send_replace(Some(began + acting(self.duration)));
                }
                Ok(false) => {
                    said.clear();
                    leadership.send_replace(None);
                }
                // What was promised stands, and runs out by itself.
                Err(error) => {
                    let error = chain::text(&error);
                    if error != said {
                        tracing::warn!(error, "the election is disturbed");
                        said = error;
                    }
                }
            }
            tokio::time::sleep(self.pause()).await;
        }
    }

    /// Gives the lease back, so that another takes over at once. Nothing may act any more by then.
    pub async fn release(&mut self) {
        match self.give_back().await {
            Ok(true) => tracing::info!("the lease is given back"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(error = chain::text(&error), "the lease was not given back");
            }
        }
    }

    /// Read anew, since a renewal may have been cut off halfway.
    async fn give_back(&mut self) -> Result<bool, LeaseError> {
        let seen = self.within(self.leases.get()).await?;
        let Some(seen) = seen.filter(|seen| seen.holder.as_ref() == Some(&self.me)) else {
            return Ok(false);
        };
        let back = Claim {
            holder: None,
            duration: self.duration,
            transitions: seen.transitions,
            acquired: seen.acquired,
        };
        let written = self
            .within(self.leases.put(back, Some(seen.version)))
            .await?;
        Ok(written.is_some())
    }

    /// One look, and one write if it is our turn; whether we lead.
    async fn step(&mut self) -> Result<bool, LeaseError> {
        let now = self.now();
        let seen = self.within(self.leases.get()).await?;
        self.observed = seen.map(|seen| Observed::next(self.observed.as_ref(), seen, now));
        let step = decide(self.observed.as_ref(), self.now(), &self.me);
        if step == Step::Wait {
            return Ok(false);
        }
        let before = self.observed.as_ref().map(|observed| &observed.seen);
        let version = before.map(|seen| seen.version.clone());
        let written = self
            .within(self.leases.put(self.claim(&step, before), version))
            .await?;
        let Some(seen) = written else {
            return Ok(false);
        };
        if step != Step::Renew {
            tracing::info!(me = %self.me, "leading");
        }
        self.observed = Some(Observed::next(self.observed.as_ref(), seen, now));
        Ok(true)
    }

    fn claim(&self, step: &Step, before: Option<&Seen>) -> Claim {
        let transitions = before.map_or(0, |seen| seen.transitions);
        let (transitions, acquired) = match step {
            Step::Renew => (transitions, before.and_then(|seen| seen.acquired)),
            Step::Take => (transitions.saturating_add(1), None),
            Step::Create | Step::Wait => (transitions, None),
        };
        Claim {
            holder: Some(self.me.clone()),
            duration: self.duration,
            transitions,
            acquired: acquired.or_else(|| Some(Timestamp::now())),
        }
    }

    async fn within<T>(
        &self,
        question: impl Future<Output = Result<T, LeaseError>>,
    ) -> Result<T, LeaseError> {
        let limit = self.duration / 5;
        timeout(limit, question).await.unwrap_or_else(|_| {
            Err(LeaseError::Slow {
                seconds: limit.as_secs(),
            })
        })
    }

    /// Several tries fit into the time that a leader acts without renewing.
    fn pause(&self) -> Duration {
        self.duration / 8
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
pub(super) mod tests;
