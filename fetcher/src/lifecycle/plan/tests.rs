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
    seen: Seen {
        tokens: HOUR,
        version: HOUR,
    },
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
    let marked = |situation| Situation {
        seen: Seen {
            tokens: HOUR,
            version: 9 * HOUR,
        },
        ..situation
    };
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
            worn(HOUR),
            marked(ended(5)),
            (settled, Deed::Cancel(Why::JobEnded)),
        ),
        ("denied", LIVE, denied, (0, Deed::Wear)),
        (
            "denied, marked",
            worn(HOUR),
            marked(denied),
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
    let claim = entry(State::Claimed);
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
