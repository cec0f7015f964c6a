//! How long a token works without renewal: only a renewal tells.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kube2hadoop_client::credentials::{Identifier, Token};

use super::{HadoopError, TokenService};

/// The interval of one service, once learnt.
pub(super) struct Interval {
    learnt_millis: AtomicU64,
    /// What the configuration says, for when we may not renew.
    assumed_millis: u64,
}

impl Interval {
    pub(super) fn assumed(interval: Duration) -> Self {
        let assumed_millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        Self {
            learnt_millis: AtomicU64::new(0),
            assumed_millis,
        }
    }

    /// When a token that was just issued stops working. The first one is renewed at once to find out.
    pub(super) async fn expiry(
        &self,
        service: &dyn TokenService,
        token: &Token,
        dates: Dates,
    ) -> u64 {
        let mut millis = self.learnt_millis.load(Ordering::Relaxed);
        if millis == 0 {
            millis = match service.renew(token).await {
                // The renewal was some milliseconds after the issue; intervals are whole seconds.
                Ok(until) => self.learn(until.saturating_sub(dates.issued) / 1000 * 1000),
                Err(HadoopError::NotRenewer { .. }) => self.learn(self.assumed_millis),
                Err(_) => self.assumed_millis,
            };
        }
        dates.issued.saturating_add(millis).min(dates.max)
    }

    fn learn(&self, millis: u64) -> u64 {
        self.learnt_millis.store(millis, Ordering::Relaxed);
        millis
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
