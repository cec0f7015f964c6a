//! One issue among all replicas: who creates the record issues, the others read what came of it.

use std::sync::Arc;
use std::time::Duration;

use kube2hadoop_runtime::shutdown::{Shutdown, Trigger};
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use super::RECHECK_MILLIS;
use super::place::Place;
use super::record::{Record, Versioned};
use super::store::{Store, StoreError, Written};
use super::under_way::UnderWay;
use crate::chain;
use crate::issue::{IssueFailure, Issued, pressure};

mod aside;
mod claim;
mod looks;
mod question;
mod said;

use aside::{put_aside, remember};
use claim::{Claim, found_again};
use looks::Looks;
pub(super) use question::Question;
pub use said::CONFIRM_MILLIS;
pub(super) use said::LastSaid;

/// A claim that says the same for so long is of a replica that died between claim and token.
pub const STALE_MILLIS: u64 = 15_000;
/// No two clocks are so far apart: an older claim is dead at the first look.
const ANCIENT_MILLIS: u64 = 600_000;

/// Whether and through what replicas share.
pub struct Sharing {
    store: Option<Arc<dyn Store>>,
    /// Tokens that found no place in the ledger yet.
    unplaced: UnderWay,
    /// Whether they have little time left to find one.
    hurry: (Trigger, Shutdown),
}

/// What comes next for who asks.
enum Turn {
    /// It is ours to issue, under the record of that version.
    Issue {
        version: String,
        at_hadoop: Option<pressure::Place>,
    },
    Use(Arc<Issued>),
    /// Hadoop shall not be asked now: nothing was claimed.
    Refuse(IssueFailure),
    Wait,
}

/// What a look at the store came to.
enum Found {
    Decided(Turn),
    /// Nobody has tokens that still serve, nor is at it.
    Free(Option<Versioned>),
}

/// Another's claim, and since when it says the same by our own watch: replicas' clocks may be minutes apart.
#[derive(Default)]
struct Watched(Option<(String, Instant)>);

impl Watched {
    fn for_long(&mut self, version: &str) -> bool {
        match &self.0 {
            Some((same, since)) if same == version => {
                since.elapsed() >= Duration::from_millis(STALE_MILLIS)
            }
            _ => {
                self.0 = Some((version.to_owned(), Instant::now()));
                false
            }
        }
    }
}

impl Sharing {
    /// Each replica has its own tokens.
    #[must_use]
    pub fn alone() -> Self {
        Self {
            store: None,
            unplaced: UnderWay::default(),
            hurry: Shutdown::new(),
        }
    }

    /// All replicas have the tokens of this store.
    #[must_use]
    pub fn through(store: Arc<dyn Store>) -> Self {
        Self {
            store: Some(store),
            ..Self::alone()
        }
    }

    /// Shows how many tokens have no place in the ledger yet.
    #[must_use]
    pub fn showing(mut self, unplaced: Gauge) -> Self {
        self.unplaced = UnderWay::shown_by(unplaced);
        self
    }

    /// Until when an answer that was asked for then is handed out without asking again.
    pub(super) fn fresh_until(&self, asked_at: Instant, said: LastSaid) -> Instant {
        match self.store {
            Some(_) => asked_at + Duration::from_millis(RECHECK_MILLIS),
            None => said.holds_until(asked_at),
        }
    }

    /// Tokens without a place are tried again at once, and every second from then on.
    pub(super) fn hurry(&self) {
        self.hurry.0.request();
    }

    /// Waits until every token that was issued has its place.
    pub(super) async fn settled(&self) {
        self.unplaced.ended().await;
    }

    /// Gets the key's tokens from another replica, or from Hadoop; `held` are those we gave out before, and `said` what
    /// Hadoop last said of them.
    pub(super) async fn obtain(
        &self,
        question: Question<'_>,
        held: Option<Arc<Issued>>,
        said: &mut LastSaid,
    ) -> Result<Arc<Issued>, IssueFailure> {
        let Some(store) = &self.store else {
            return match held {
                Some(issued) if question.may_reuse(&issued, said).await => Ok(issued),
                _ => question.wait_and_issue(said).await,
            };
        };
        let place = Place::current(question.key);
        let mut watched = Watched::default();
        let mut looks = Looks::begin();
        loop {
            match turn(&**store, &place, question, said, &mut watched).await {
                Ok(Turn::Use(issued)) => return Ok(issued),
                Ok(Turn::Refuse(failure)) => return Err(failure),
                Ok(Turn::Issue { version, at_hadoop }) => {
                    let claim = Claim::new(&**store, &place, question.clock, version);
                    let issue = question.issue(at_hadoop, said);
                    return self.issue_under(store, claim, question, issue).await;
                }
                Ok(Turn::Wait) if looks.rest().await => {}
                Ok(Turn::Wait) => return Err(IssueFailure::ElsewhereBusy),
                Err(error) => {
                    // What was good two seconds ago, or a second token, is better than none at all.
                    tracing::warn!(
                        error = chain::text(&error),
                        "working without the shared ledger"
                    );
                    return match held {
                        Some(issued) if question.may_reuse(&issued, said).await => Ok(issued),
                        _ => self.issue_apart(store, question, said).await,
                    };
                }
            }
        }
    }

    async fn issue_under(
        &self,
        store: &Arc<dyn Store>,
        mut claim: Claim<'_>,
        question: Question<'_>,
        issue: impl Future<Output = Result<Arc<Issued>, IssueFailure>>,
    ) -> Result<Arc<Issued>, IssueFailure> {
        match claim.held_during(issue).await {
            Ok(issued) => {
                if !claim.enter(&issued).await {
                    self.remember(store, question, &issued);
                }
                Ok(issued)
            }
            Err(failure) => {
                claim.give_back().await;
                Err(failure)
            }
        }
    }

    async fn issue_apart(
        &self,
        store: &Arc<dyn Store>,
        question: Question<'_>,
        said: &mut LastSaid,
    ) -> Result<Arc<Issued>, IssueFailure> {
        let issued = question.wait_and_issue(said).await?;
        self.remember(store, question, &issued);
        Ok(issued)
    }

    fn remember(&self, store: &Arc<dyn Store>, question: Question<'_>, issued: &Arc<Issued>) {
        if !question.rules.renewed {
            return;
        }
        let begun = self.unplaced.begin();
        let hurry = self.hurry.1.clone();
        remember(store, question.key, issued, question.clock, (begun, hurry));
    }
}

async fn turn(
    store: &dyn Store,
    place: &Place,
    question: Question<'_>,
    said: &mut LastSaid,
    watched: &mut Watched,
) -> Result<Turn, StoreError> {
    let mut found = match look(store, place, question, said, watched).await? {
        Found::Free(found) => found,
        Found::Decided(turn) => return Ok(turn),
    };
    // Who waits for Hadoop has claimed nothing yet: there are never more claims to keep fresh than calls at a time.
    let begun = Instant::now();
    let at_hadoop = match question.turn().await {
        Ok(at_hadoop) => at_hadoop,
        Err(failure) => return Ok(Turn::Refuse(failure)),
    };
    // Another replica may have had its turn meanwhile.
    if begun.elapsed() >= looks::FIRST {
        found = match look(store, place, question, said, watched).await? {
            Found::Free(found) => found,
            Found::Decided(turn) => return Ok(turn),
        };
    }
    Ok(match claim(store, place, question, found).await? {
        Some(version) => Turn::Issue { version, at_hadoop },
        None => Turn::Wait,
    })
}

async fn look(
    store: &dyn Store,
    place: &Place,
    question: Question<'_>,
    said: &mut LastSaid,
    watched: &mut Watched,
) -> Result<Found, StoreError> {
    let now = question.clock.now_millis();
    let mut found = store.get(place).await?;
    if let Some(Versioned { record, .. }) = &mut found
        && let Record::Held(issued) = record
        && question.rules.usable(issued, now)
    {
        if question.may_reuse(issued, said).await {
            return Ok(Found::Decided(Turn::Use(Arc::clone(issued))));
        }
        *record = question.lost(issued);
    }
    if let Some(Versioned { record, version }) = &found
        && let Record::Claimed { since } = record
        && now < since.saturating_add(ANCIENT_MILLIS)
        && !watched.for_long(version)
    {
        return Ok(Found::Decided(Turn::Wait));
    }
    Ok(Found::Free(found))
}

/// Claims a free place; the claim's version, unless another replica was quicker.
async fn claim(
    store: &dyn Store,
    place: &Place,
    question: Question<'_>,
    found: Option<Versioned>,
) -> Result<Option<String>, StoreError> {
    let now = question.clock.now_millis();
    let version = match found {
        None => None,
        // Where nobody renews, nobody would take away what stands aside.
        Some(worn)
            if !question.rules.renewed
                || put_aside(store, question.key, &worn.record, now).await? =>
        {
            Some(worn.version)
        }
        Some(_) => return Ok(None),
    };
    let claim = Record::Claimed { since: now };
    match store.put(place, claim, version).await {
        Ok(Written::Yes(version)) => Ok(Some(version)),
        Ok(Written::No) => Ok(None),
        // It may have been done, and answered too late.
        Err(error) => match found_again(store, place, &[now]).await? {
            Some(version) => Ok(Some(version)),
            None => Err(error),
        },
    }
}
