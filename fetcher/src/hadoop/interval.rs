//! How long a token works without renewal: only a renewal tells.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube2hadoop_client::credentials::{Identifier, Token};
use tokio::time::Instant;

use super::{HadoopError, TokenService};

/// How long what was learnt is believed: a server may be started anew with another interval.
const BELIEVED: Duration = Duration::from_secs(3600);
/// One at a time learns it anew; the others go by what it was.
const LEARNING: Duration = Duration::from_secs(60);

/// The interval of one server.
pub(super) struct Interval {
    learnt: Mutex<Option<Learnt>>,
    /// What the configuration says, for when we may not renew.
    assumed_millis: u64,
}

#[derive(Clone, Copy)]
struct Learnt {
    millis: u64,
    until: Instant,
}

impl Interval {
    pub(super) fn assumed(interval: Duration) -> Self {
        let assumed_millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        Self {
            learnt: Mutex::default(),
            assumed_millis,
        }
    }

    /// When a token that was just issued stops working. The first one is renewed at once to find out, and one an hour.
    pub(super) async fn expiry(
        &self,
        service: &dyn TokenService,
        token: &Token,
        dates: Dates,
    ) -> u64 {
        let millis = match self.believed() {
            Some(millis) => millis,
            None => match service.renew(token).await {
                // The renewal was some milliseconds after the issue; intervals are whole seconds.
                Ok(until) => self.learn(until.saturating_sub(dates.issued) / 1000 * 1000),
                Err(HadoopError::NotRenewer { .. }) => self.learn(self.assumed_millis),
                Err(_) => self
                    .learnt()
                    .map_or(self.assumed_millis, |learnt| learnt.millis),
            },
        };
        dates.issued.saturating_add(millis).min(dates.max)
    }

    /// Nothing for the one who shall learn it.
    fn believed(&self) -> Option<u64> {
        let mut learnt = self.learnt();
        let learnt = learnt.as_mut()?;
        let now = Instant::now();
        if now < learnt.until {
            return Some(learnt.millis);
        }
        learnt.until = now + LEARNING;
        None
    }

    fn learn(&self, millis: u64) -> u64 {
        let until = Instant::now() + BELIEVED;
        *self.learnt() = Some(Learnt { millis, until });
        millis
    }

    fn learnt(&self) -> MutexGuard<'_, Option<Learnt>> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token's dates, milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dates {
    pub(super) issued: u64,
    pub(super) max: u64,
}

impl Dates {
    pub(super) fn of(identifier: &Identifier) -> Self {
        let millis = |date: i64| u64::try_from(date).unwrap_or_default();
        Self {
            issued: millis(identifier.issue_date),
            max: millis(identifier.max_date),
        }
    }
}

#[cfg(test)]
mod tests;
