//! What Hadoop last said of a key's tokens: whoever holds the text of one can cancel it, and nobody tells us.

use std::time::Duration;

use tokio::time::Instant;

use crate::issue::Issued;

/// How long tokens are handed out on Hadoop's last word of them, in milliseconds: so many dead ones a pod that cancels
/// what its job shares can spread, and so seldom it can have us issue anew.
pub const CONFIRM_MILLIS: u64 = 10_000;

/// Hadoop's last word, as far as this replica heard; by a watch that nobody sets back.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::ledger) struct LastSaid {
    at: Option<Instant>,
    /// These it did not know.
    lost: Option<Number>,
}

/// The issue date, and Hadoop's own number.
type Number = (u64, i32);

fn number(issued: &Issued) -> Number {
    (issued.issued_at, issued.sequence_number)
}

impl LastSaid {
    /// It knows the tokens, or has just issued them.
    pub(super) fn known(at: Instant) -> Self {
        Self {
            at: Some(at),
            lost: None,
        }
    }

    pub(super) fn unknown(at: Instant, issued: &Issued) -> Self {
        Self {
            at: Some(at),
            lost: Some(number(issued)),
        }
    }

    /// Until when it holds, if nothing was said before.
    pub(super) fn holds_until(self, asked_at: Instant) -> Instant {
        self.at.unwrap_or(asked_at) + Duration::from_millis(CONFIRM_MILLIS)
    }

    /// Whether these may be handed out; nothing where Hadoop has to be asked. What was said of the key's tokens holds
    /// for those that another replica has put there since: were they asked about at once, a pod that cancels whatever
    /// it gets would have replicas issue in turns, without a pause.
    pub(super) fn of(self, issued: &Issued, now: u64) -> Option<bool> {
        if self.lost == Some(number(issued)) {
            return Some(false);
        }
        let recent = |at: Instant| at.elapsed() < Duration::from_millis(CONFIRM_MILLIS);
        // Hadoop's clock, or another replica's, may be a little ahead.
        let renewed = now.abs_diff(issued.renewed_at) < CONFIRM_MILLIS;
        let holds = issued.tokens.is_empty() || self.at.is_some_and(recent) || renewed;
        holds.then_some(true)
    }
}
