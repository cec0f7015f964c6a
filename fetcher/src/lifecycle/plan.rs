//! What has to be done about one record, and when: a pure decision.

use super::jobs::Life;
use super::schedule::Name;
use super::timing::{SETTLE_MILLIS, Terms, ends_soon_at, interval, renew_at, retry_after};
use crate::ledger::record::{Entry, Live, State};

/// Younger tokens are left alone whatever the grace: their pod may not have been seen yet.
const YOUNG_MILLIS: u64 = 30_000;

/// Why tokens are cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    JobEnded,
    UserDenied,
    MaxDate,
}

impl Why {
    /// As audit and metrics write it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::JobEnded => "job-ended",
            Self::UserDenied => "user-denied",
            Self::MaxDate => "max-date",
        }
    }
}

/// What the leader does with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A claim whose holder died.
    DropClaim,
    Renew,
    /// Its end is near: who asks next gets new tokens, and who has these is told.
    Retire,
    /// The first half of cancelling: from now on nobody gets these tokens.
    Wear,
    /// The second half, some time after the first.
    Cancel(Why),
    /// Nothing to cancel, or no hope to.
    Forget,
}

/// What the decision rests on besides the record.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    pub life: Life,
    pub denied: bool,
    /// The pods were told that the end is near.
    pub told: bool,
    pub failed: Option<Failed>,
    pub seen: Seen,
}

/// When the leader first saw it, by the leader's own clock: the replica that wrote it may have another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// These tokens.
    pub tokens: u64,
    /// The record as it stands.
    pub version: u64,
}

/// The last deed failed that many times, lately at that time.
#[derive(Debug, Clone, Copy)]
pub struct Failed {
    pub deed: Deed,
    pub times: u32,
    pub at: u64,
}

/// The next deed, and when it is due (milliseconds since 1970).
#[must_use]
pub fn next(entry: &Entry, situation: &Situation, terms: &Terms) -> (u64, Deed) {
    let name: Name = entry.place.name().into();
    let (at, deed) = match &entry.state {
        State::Claimed => (
            situation.seen.version.saturating_add(terms.claim),
            Deed::DropClaim,
        ),
        State::Live(live) if live.tokens == 0 => (end(live, situation, terms).0, Deed::Forget),
        State::Live(live) => of_live(live, &name, situation, terms),
    };
    let Some(failed) = situation.failed.filter(|failed| failed.deed == deed) else {
        return (at, deed);
    };
    let interval = match &entry.state {
        State::Live(live) => interval(live),
        State::Claimed => terms.claim,
    };
    let again = failed
        .at
        .saturating_add(retry_after(failed.times, interval, &name));
    (at.max(again), given_up(deed, again, &entry.state))
}

/// What is not renewed ends by itself: after that a cancellation that keeps failing is in vain.
fn given_up(deed: Deed, at: u64, state: &State) -> Deed {
    match (deed, state) {
        (Deed::Cancel(_), State::Live(live)) if at >= live.expires_at => Deed::Forget,
        _ => deed,
    }
}

fn of_live(live: &Live, name: &Name, situation: &Situation, terms: &Terms) -> (u64, Deed) {
    let (end, why) = end(live, situation, terms);
    let ending = match live.worn {
        None => (end, Deed::Wear),
        Some(_) => (
            end.max(situation.seen.version.saturating_add(SETTLE_MILLIS)),
            Deed::Cancel(why),
        ),
    };
    let wanted = match why {
        Why::MaxDate => true,
        // An end that a disturbed watch puts off again and again must not cost an unseen pod its tokens.
        Why::JobEnded => live.expires_at <= ending.0,
        Why::UserDenied => false,
    };
    let renewal = renew_at(live, name, terms).filter(|_| wanted);
    let renewal = renewal.map(|at| (at, Deed::Renew));
    let telling = why == Why::MaxDate && !situation.told;
    let retirement = telling.then(|| (ends_soon_at(live), Deed::Retire));
    [Some(ending), renewal, retirement]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
        .unwrap_or(ending)
}

/// When the tokens are of no more use, as things stand.
fn end(live: &Live, situation: &Situation, terms: &Terms) -> (u64, Why) {
    if situation.denied {
        return (0, Why::UserDenied);
    }
    match situation.life {
        // A pod that got them just now may be one that the watch has not shown yet.
        Life::Ended { since } => {
            let quiet = since
                .saturating_add(terms.grace)
                .max(young_until(situation, terms));
            (quiet.min(live.max_date), Why::JobEnded)
        }
        Life::Alive | Life::Unknown => (live.max_date, Why::MaxDate),
    }
}

fn young_until(situation: &Situation, terms: &Terms) -> u64 {
    let young = terms.grace.max(YOUNG_MILLIS);
    situation.seen.tokens.saturating_add(young)
}

#[cfg(test)]
mod tests;
