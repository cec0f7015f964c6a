//! What has to be done about one record, and when: a pure decision.

use super::jobs::Life;
use super::schedule::Name;
use super::timing::{SETTLE_MILLIS, Terms, ends_soon_at, interval, renew_at, retry_after};
use crate::ledger::record::{Entry, Live, State};

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
        State::Claimed { since } => (since.saturating_add(terms.claim), Deed::DropClaim),
        State::Live(live) if live.tokens == 0 => (end(live, situation, terms).0, Deed::Forget),
        State::Live(live) => of_live(live, &name, situation, terms),
    };
    let Some(failed) = situation.failed.filter(|failed| failed.deed == deed) else {
        return (at, deed);
    };
    let interval = match &entry.state {
        State::Live(live) => interval(live),
        State::Claimed { .. } => terms.claim,
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
        Some(since) => (
            end.max(since.saturating_add(SETTLE_MILLIS)),
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
            let quiet = since.max(live.issued_at).saturating_add(terms.grace);
            (quiet.min(live.max_date), Why::JobEnded)
        }
        Life::Alive | Life::Unknown => (live.max_date, Why::MaxDate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::place::Place;

    const HOUR: u64 = 3_600_000;
    const TERMS: Terms = Terms {
        renew_fraction: 0.75,
        renew_spread: 0.0,
        grace: 60_000,
        claim: 60_000,
    };
    const CALM: Situation = Situation {
        life: Life::Alive,
        denied: false,
        told: false,
        failed: None,
    };
    const LIVE: Live = Live {
        issued_at: HOUR,
        renewed_at: HOUR,
        expires_at: 25 * HOUR,
        max_date: 169 * HOUR,
        sequence_number: 7,
        tokens: 1,
        worn: None,
    };

    fn entry(state: State) -> Entry {
        let key = crate::ledger::Key {
            job: serde_json::from_value("team/Job.batch/a".into()).unwrap(),
            user: "alice".parse().unwrap(),
            service: "ns1".parse().unwrap(),
        };
        Entry {
            place: Place::current(&key),
            version: "1".into(),
            state,
        }
    }

    fn planned(live: Live, situation: Situation) -> (u64, Deed) {
        next(&entry(State::Live(live)), &situation, &TERMS)
    }

    const RENEWAL: u64 = 19 * HOUR;

    #[test]
    fn each_situation_has_its_deed() {
        let worn = |since| Live {
            worn: Some(since),
            ..LIVE
        };
        let ended = |since| Situation {
            life: Life::Ended { since },
            ..CALM
        };
        let unknown = Situation {
            life: Life::Unknown,
            ..CALM
        };
        let denied = Situation {
            denied: true,
            ..CALM
        };
        let told = Situation { told: true, ..CALM };
        let last = Live {
            renewed_at: 145 * HOUR,
            expires_at: 169 * HOUR,
            ..LIVE
        };
        let soon = 169 * HOUR - 168 * HOUR / 10;
        let settled = 9 * HOUR + SETTLE_MILLIS;
        let cases = [
            ("alive", LIVE, CALM, (RENEWAL, Deed::Renew)),
            ("worn and alive", worn(9), CALM, (RENEWAL, Deed::Renew)),
            ("pods unknown", LIVE, unknown, (RENEWAL, Deed::Renew)),
            (
                "ended",
                LIVE,
                ended(9 * HOUR),
                (9 * HOUR + 60_000, Deed::Wear),
            ),
            (
                "younger than its job's end",
                LIVE,
                ended(5),
                (HOUR + 60_000, Deed::Wear),
            ),
            (
                "marked",
                worn(9 * HOUR),
                ended(5),
                (settled, Deed::Cancel(Why::JobEnded)),
            ),
            ("denied", LIVE, denied, (0, Deed::Wear)),
            (
                "denied, marked",
                worn(9 * HOUR),
                denied,
                (settled, Deed::Cancel(Why::UserDenied)),
            ),
            ("last interval", last, CALM, (soon, Deed::Retire)),
            ("told", last, told, (169 * HOUR, Deed::Wear)),
            (
                "at its end",
                Live {
                    worn: Some(soon),
                    ..last
                },
                told,
                (169 * HOUR, Deed::Cancel(Why::MaxDate)),
            ),
        ];
        for (what, live, situation, expected) in cases {
            assert_eq!(planned(live, situation), expected, "{what}");
        }
    }

    #[test]
    fn claims_and_empty_records_are_only_dropped() {
        let claim = entry(State::Claimed { since: HOUR });
        assert_eq!(
            next(&claim, &CALM, &TERMS),
            (HOUR + 60_000, Deed::DropClaim)
        );
        let empty = Live { tokens: 0, ..LIVE };
        assert_eq!(planned(empty, CALM), (169 * HOUR, Deed::Forget));
    }

    #[test]
    fn a_failure_puts_the_same_deed_off_and_no_other() {
        let at = 20 * HOUR;
        let failed = |deed| Situation {
            failed: Some(Failed { deed, times: 3, at }),
            ..CALM
        };
        let (again, deed) = planned(LIVE, failed(Deed::Renew));
        assert!(again > at && again <= at + 8_000 && deed == Deed::Renew);
        assert_eq!(planned(LIVE, failed(Deed::Wear)), (RENEWAL, Deed::Renew));
    }

    #[test]
    fn a_late_renewal_is_tried_up_to_the_maximum_date() {
        let failed = Failed {
            deed: Deed::Renew,
            times: 30,
            at: 100 * HOUR,
        };
        let (again, deed) = planned(
            LIVE,
            Situation {
                failed: Some(failed),
                ..CALM
            },
        );
        assert!(again > 100 * HOUR && again <= 100 * HOUR + 600_000);
        assert_eq!(deed, Deed::Renew);
    }

    #[test]
    fn a_cancellation_is_tried_until_the_token_ends_by_itself() {
        let worn = Live {
            worn: Some(HOUR),
            ..LIVE
        };
        let ended = |at| Situation {
            life: Life::Ended { since: HOUR },
            failed: Some(Failed {
                deed: Deed::Cancel(Why::JobEnded),
                times: 9,
                at,
            }),
            ..CALM
        };
        assert_eq!(
            planned(worn, ended(2 * HOUR)).1,
            Deed::Cancel(Why::JobEnded)
        );
        assert_eq!(planned(worn, ended(25 * HOUR)).1, Deed::Forget);
    }
}
