//! One record as the leader keeps it.

use super::{News, Outcome, Task};
use crate::ledger::record::{Entry, State};
use crate::lifecycle::plan::{Deed, Failed, Seen};
use crate::lifecycle::timing::{ends_soon_at, in_danger};

/// A younger mark may be that of a replica that puts tokens aside, which tells nobody, or of a leader that died before
/// it told.
const YOUNG_MARK_MILLIS: u64 = 300_000;

/// A record, and what was tried and said about it.
pub(super) struct Kept {
    pub(super) entry: Entry,
    pub(super) seen: Seen,
    pub(super) failed: Option<Failed>,
    pub(super) told: bool,
    pub(super) warned: bool,
    pub(super) busy: bool,
}

impl Kept {
    pub(super) fn new(entry: Entry, now: u64) -> Self {
        Self {
            told: was_told(&entry, now),
            entry,
            seen: Seen {
                tokens: now,
                version: now,
            },
            failed: None,
            warned: false,
            busy: false,
        }
    }

    /// A record of other tokens starts afresh.
    pub(super) fn replace(&mut self, entry: Entry, now: u64) {
        let number = |entry: &Entry| match entry.state {
            State::Live(live) => Some((live.issued_at, live.sequence_number)),
            State::Claimed => None,
        };
        if number(&self.entry) == number(&entry) {
            if self.entry.version != entry.version {
                self.seen.version = now;
            }
            self.entry = entry;
        } else {
            let busy = self.busy;
            *self = Self::new(entry, now);
            self.busy = busy;
        }
    }

    pub(super) fn settle(&mut self, task: &Task, outcome: &Outcome, now: u64) -> Option<News> {
        match outcome {
            Outcome::Stands(entry) => {
                self.failed = None;
                self.warned = false;
                self.told |= task.deed == Deed::Retire;
                if !older(&entry.version, &self.entry.version) {
                    self.replace(entry.clone(), now);
                }
            }
            Outcome::Changed => self.fail(task.deed, now),
            Outcome::Failed { reason, lasting } => {
                self.fail(task.deed, now);
                return self.failure(task, reason, *lasting, now);
            }
            Outcome::Gone | Outcome::Lost => {}
        }
        news(task, outcome)
    }

    /// Whether tokens live that this record's end leaves to themselves: it was not us who took it away.
    pub(super) fn is_missed(&self, now: u64) -> bool {
        let taking = |failed: Failed| matches!(failed.deed, Deed::Cancel(_) | Deed::Forget);
        let ours = self.busy || self.failed.is_some_and(taking);
        match self.entry.state {
            State::Live(live) => !ours && live.tokens > 0 && now < live.expires_at,
            State::Claimed => false,
        }
    }

    fn fail(&mut self, deed: Deed, at: u64) {
        let before = self.failed.filter(|failed| failed.deed == deed);
        let times = before.map_or(0, |failed| failed.times).saturating_add(1);
        self.failed = Some(Failed { deed, times, at });
    }

    /// The pods hear of it once, when it is serious.
    fn failure(
        &mut self,
        task: &Task,
        reason: &'static str,
        lasting: bool,
        now: u64,
    ) -> Option<News> {
        let State::Live(live) = task.entry.state else {
            return None;
        };
        match task.deed {
            Deed::Renew => {}
            Deed::Cancel(_) => return Some(News::CancelFailed(reason)),
            // A mark that could not be written is tried again, and nobody's news.
            _ => return None,
        }
        if !self.warned && (lasting || in_danger(&live, now)) {
            self.warned = true;
            return Some(News::WillBeLost(reason));
        }
        Some(News::RenewFailed(reason))
    }
}

/// Whether a leader before us has told the pods that the end is near.
fn was_told(entry: &Entry, now: u64) -> bool {
    let State::Live(live) = &entry.state else {
        return false;
    };
    let told =
        |since: u64| since >= ends_soon_at(live) && since.saturating_add(YOUNG_MARK_MILLIS) <= now;
    live.worn.is_some_and(told)
}

pub(super) fn news(task: &Task, outcome: &Outcome) -> Option<News> {
    match (task.deed, outcome) {
        (Deed::Renew, Outcome::Stands(_)) => Some(News::Renewed),
        (Deed::Retire, Outcome::Stands(_)) => Some(News::EndsSoon),
        (Deed::Cancel(why), Outcome::Gone) => Some(News::Cancelled(why.reason())),
        (Deed::DropClaim, Outcome::Gone) => Some(News::ClaimDropped),
        (Deed::Forget, Outcome::Gone) if task.has_tokens() => Some(News::CancelGivenUp),
        (_, Outcome::Lost) => Some(News::Lost),
        _ => None,
    }
}

/// Kubernetes' versions grow, though they are texts; what is no number is taken for newer.
pub(super) fn older(version: &str, than: &str) -> bool {
    match (version.parse::<u64>(), than.parse::<u64>()) {
        (Ok(version), Ok(than)) => version < than,
        _ => false,
    }
}
