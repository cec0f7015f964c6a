//! What the leader's gauges show.

use super::Keeper;
use crate::ledger::record::State;

/// Counted over everything at once, now and then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub claimed: usize,
    pub held: usize,
    pub worn: usize,
    /// Deeds that are due and wait for their turn.
    pub overdue: usize,
    pub jobs: usize,
    /// When the first token stops working unless it is renewed, in milliseconds since 1970.
    pub next_expiry: Option<u64>,
}

impl Keeper {
    /// Counts; `now` in milliseconds.
    #[must_use]
    pub fn totals(&self, now: u64) -> Totals {
        let mut totals = Totals {
            overdue: self
                .schedules
                .values()
                .map(|due| due.schedule.overdue(now))
                .sum(),
            jobs: self.jobs.len(),
            ..Totals::default()
        };
        for kept in self.kept.values() {
            totals.count(kept.entry.state);
        }
        totals
    }
}

impl Totals {
    fn count(&mut self, state: State) {
        let State::Live(live) = state else {
            self.claimed += 1;
            return;
        };
        match live.worn {
            Some(_) => self.worn += 1,
            None => self.held += 1,
        }
        if live.tokens > 0 {
            let first = self.next_expiry.unwrap_or(u64::MAX);
            self.next_expiry = Some(first.min(live.expires_at));
        }
    }
}
