//! Which job holds which tokens: one issue per (job, user, service), however many ask.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use kube2hadoop_stamp::{HadoopUser, JobId};
use tokio::time::Instant;
use tracing::Instrument;

pub mod place;
pub mod record;
pub mod secrets;
mod share;
pub mod store;
mod under_way;

pub use share::{CONFIRM_MILLIS, STALE_MILLIS, Sharing};
use share::{LastSaid, Question};

use crate::audit::Audit;
use crate::clock::Clock;
use crate::issue::{IssueFailure, Issued, Issuer};
use crate::service::ServiceName;
use under_way::UnderWay;

/// What shares one token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    pub job: JobId,
    pub user: HadoopUser,
    pub service: ServiceName,
}

/// How long a token of the shared ledger is handed out without another look there, in milliseconds:
/// so long may a replica not notice that it was cancelled.
pub const RECHECK_MILLIS: u64 = 2_000;
/// A token whose renewal is so late is handed out no more.
const MAX_MARGIN_MILLIS: u64 = 600_000;

/// The ledger's rules.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// A token is handed out while at least this part of its life is left.
    pub min_life_fraction: f64,
    pub capacity: usize,
    pub failure_millis: u64,
    /// Whether tokens are renewed up to their maximum date while their job lives.
    pub renewed: bool,
}

impl Rules {
    /// Whether a token may still be handed out at `now` (milliseconds).
    #[must_use]
    pub fn usable(&self, issued: &Issued, now: u64) -> bool {
        now < self.refresh_at(issued) && !(self.renewed && now >= overdue_at(issued))
    }

    /// From when on a newer token is to be had, in milliseconds since 1970.
    #[must_use]
    pub fn refresh_at(&self, issued: &Issued) -> u64 {
        let end = self.good_until(issued);
        let life = end.saturating_sub(issued.issued_at);
        // Milliseconds of a life fit an f64 exactly, and a fraction of them is no larger.
        let kept = (life as f64 * self.min_life_fraction) as u64;
        end.saturating_sub(kept)
    }

    /// When the tokens stop working, as far as that is in our hands.
    #[must_use]
    pub fn good_until(&self, issued: &Issued) -> u64 {
        if self.renewed {
            issued.max_date
        } else {
            issued.expires_at
        }
    }
}

/// Tokens that are not yet renewed by then will perhaps never be.
fn overdue_at(issued: &Issued) -> u64 {
    let interval = issued.expires_at.saturating_sub(issued.renewed_at);
    issued
        .expires_at
        .saturating_sub((interval / 10).min(MAX_MARGIN_MILLIS))
}

type Outcome = Result<Arc<Issued>, IssueFailure>;
type Pending = Shared<BoxFuture<'static, Outcome>>;

/// What is repeated for a while is repeated by a watch that nobody sets back.
enum Slot {
    Held {
        issued: Arc<Issued>,
        /// From then on the shared ledger is asked whether that still holds.
        fresh_until: Instant,
        said: LastSaid,
    },
    Pending(Pending),
    Failed {
        failure: IssueFailure,
        until: Instant,
    },
}

/// The tokens of one replica, shared with the others through its [`Sharing`].
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    slots: Mutex<HashMap<Key, Slot>>,
    issuer: Arc<dyn Issuer>,
    sharing: Sharing,
    rules: Rules,
    clock: Clock,
    audit: Audit,
    issues: UnderWay,
}

impl Ledger {
    /// What Hadoop issues is written to the audit log at once: who asked for it may be gone.
    #[must_use]
    pub fn new(
        issuer: Arc<dyn Issuer>,
        sharing: Sharing,
        rules: Rules,
        clock: Clock,
        audit: Audit,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                slots: Mutex::default(),
                issuer,
                sharing,
                rules,
                clock,
                audit,
                issues: UnderWay::default(),
            }),
        }
    }

    /// The tokens of a key: held ones, or new ones from the one issue that all who ask now share.
    ///
    /// # Errors
    /// What the issue failed with; the same for all who waited.
    pub async fn tokens(&self, key: &Key) -> Outcome {
        let pending = match self.inner.look(key) {
            Found::Answer(outcome) => return outcome,
            Found::Wait(pending) => pending,
        };
        pending.await
    }

    /// From when on the holder should ask again.
    #[must_use]
    pub fn refresh_at(&self, issued: &Issued) -> u64 {
        self.inner.rules.refresh_at(issued)
    }

    /// When the tokens stop working while their job lives.
    #[must_use]
    pub fn good_until(&self, issued: &Issued) -> u64 {
        self.inner.rules.good_until(issued)
    }

    /// Begins no more issues, and brings what is issued to the shared ledger without long pauses: the process ends soon.
    pub fn close(&self) {
        self.inner.issuer.close();
        self.inner.sharing.hurry();
    }

    /// Waits until every issue under way has ended, and all that was issued has its place in the shared ledger: what
    /// a process that ends leaves behind otherwise, nobody can cancel.
    pub async fn settled(&self) {
        self.inner.issues.ended().await;
        self.inner.sharing.settled().await;
    }

    /// How many keys hold tokens, are being issued for, or have just failed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.lock().len()
    }

    /// Whether there is no such key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

enum Found {
    Answer(Outcome),
    Wait(Pending),
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(self: &Arc<Self>, key: &Key) -> Found {
        let now = self.clock.now_millis();
        let mut slots = self.lock();
        let (mut held, mut said) = (None, LastSaid::default());
        match slots.get(key) {
            Some(Slot::Held {
                issued,
                fresh_until,
                said: last,
            }) if self.rules.usable(issued, now) => {
                if Instant::now() < *fresh_until {
                    return Found::Answer(Ok(Arc::clone(issued)));
                }
                (held, said) = (Some(Arc::clone(issued)), *last);
            }
            Some(Slot::Failed { failure, until }) if Instant::now() < *until => {
                return Found::Answer(Err(failure.clone()));
            }
            Some(Slot::Pending(pending)) => return Found::Wait(pending.clone()),
            _ => {}
        }
        make_room(&mut slots, self.rules.capacity, now);
        let pending = self.start(key.clone(), held, said);
        slots.insert(key.clone(), Slot::Pending(pending.clone()));
        Found::Wait(pending)
    }

    /// The issue runs on its own: who asked first may hang up without failing the others.
    fn start(self: &Arc<Self>, key: Key, held: Option<Arc<Issued>>, mut said: LastSaid) -> Pending {
        let inner = Arc::clone(self);
        let begun = self.issues.begin();
        let issue = async move {
            let _begun = begun;
            let forget = ForgetPending {
                inner: &inner,
                key: &key,
            };
            let asked_at = Instant::now();
            let question = Question {
                key: &key,
                issuer: &*inner.issuer,
                rules: &inner.rules,
                clock: &inner.clock,
                audit: &inner.audit,
            };
            let outcome = inner.sharing.obtain(question, held, &mut said).await;
            inner.settle(&key, &outcome, asked_at, said);
            drop(forget);
            outcome
        };
        let task = tokio::spawn(issue.in_current_span());
        task.map(|joined| joined.unwrap_or_else(|_| Err(IssueFailure::BrokenOff)))
            .boxed()
            .shared()
    }

    fn settle(&self, key: &Key, outcome: &Outcome, asked_at: Instant, said: LastSaid) {
        let slot = match outcome {
            Ok(issued) => Slot::Held {
                issued: Arc::clone(issued),
                fresh_until: self.sharing.fresh_until(asked_at, said),
                said,
            },
            Err(failure) => Slot::Failed {
                failure: failure.clone(),
                until: Instant::now() + Duration::from_millis(self.rules.failure_millis),
            },
        };
        self.lock().insert(key.clone(), slot);
    }
}

/// An issue that panics must not leave its key waiting for ever.
struct ForgetPending<'a> {
    inner: &'a Inner,
    key: &'a Key,
}

impl Drop for ForgetPending<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(slot) = self.inner.lock().entry(self.key.clone())
            && matches!(slot.get(), Slot::Pending(_))
        {
            slot.remove();
        }
    }
}

/// Drops what is of no use any more; then, if need be, what ends soonest. Issues under way stay.
fn make_room(slots: &mut HashMap<Key, Slot>, capacity: usize, now: u64) {
    if slots.len() < capacity {
        return;
    }
    slots.retain(|_, slot| serves(slot, now));
    // A sixteenth at a time, so that a full ledger does not sort itself for every request.
    let surplus = (slots.len() + 1).saturating_sub(capacity - capacity / 16);
    if slots.len() < capacity {
        return;
    }
    let mut ending: Vec<(u64, Key)> = slots
        .iter()
        .filter_map(|(key, slot)| Some((ends(slot)?, key.clone())))
        .collect();
    ending.sort_unstable_by_key(|(end, _)| *end);
    for (_, key) in ending.iter().take(surplus) {
        slots.remove(key);
    }
}

fn serves(slot: &Slot, now: u64) -> bool {
    match slot {
        Slot::Held { issued, .. } => now < issued.expires_at,
        Slot::Failed { until, .. } => Instant::now() < *until,
        Slot::Pending(_) => true,
    }
}

fn ends(slot: &Slot) -> Option<u64> {
    match slot {
        Slot::Held { issued, .. } => Some(issued.expires_at),
        // Within seconds.
        Slot::Failed { .. } => Some(0),
        Slot::Pending(_) => None,
    }
}

#[cfg(test)]
mod tests;
