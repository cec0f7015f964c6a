use super::*;
use crate::ledger::Key;
use crate::ledger::place::Place;
use crate::ledger::record::Live;
use crate::lifecycle::jobs::tests::pod;
use crate::lifecycle::plan::Why;
use crate::lifecycle::timing::SETTLE_MILLIS;

mod deleted;
mod spread;

const HOUR: u64 = 3_600_000;
const GRACE: u64 = 60_000;

fn keeper() -> Keeper {
    let terms = Terms {
        renew_fraction: 0.75,
        renew_spread: 0.0,
        grace: GRACE,
        claim: 60_000,
    };
    Keeper::new(terms, DenyList::default().and("eve"), 2)
}

fn key(job: &str, user: &str, service: &str) -> Key {
    Key {
        job: serde_json::from_value(job.into()).unwrap(),
        user: user.parse().unwrap(),
        service: service.parse().unwrap(),
    }
}

fn entry(key: &Key, version: u64, state: State) -> Entry {
    Entry {
        place: Place::current(key),
        version: version.to_string(),
        state,
    }
}

fn live(worn: Option<u64>) -> State {
    State::Live(Live {
        issued_at: 0,
        renewed_at: 0,
        expires_at: 24 * HOUR,
        max_date: 168 * HOUR,
        sequence_number: 7,
        tokens: 1,
        worn,
    })
}

fn deeds(keeper: &mut Keeper, now: u64) -> Vec<Deed> {
    std::iter::from_fn(|| keeper.take(now))
        .map(|task| task.deed)
        .collect()
}

/// A keeper that has seen all pods: those of job `a`.
fn watching() -> Keeper {
    let mut keeper = keeper();
    keeper.pods_restart();
    keeper.pod_seen(pod("u1", "a"));
    keeper.pods_complete(0);
    keeper
}

#[test]
fn a_live_job_is_renewed_and_an_ended_one_cancelled_in_two_steps() {
    let mut keeper = watching();
    let job = key("a", "alice", "ns1");
    keeper.entry_seen(entry(&job, 1, live(None)), 0);
    assert_eq!(keeper.next_due(), Some(18 * HOUR));
    keeper.pod_gone("u1", HOUR);
    assert_eq!(keeper.take(HOUR + GRACE - 1), None);
    let task = keeper.take(HOUR + GRACE).unwrap();
    assert_eq!(task.deed, Deed::Wear);
    let marked = entry(&job, 2, live(Some(HOUR + GRACE)));
    assert_eq!(
        keeper.settle(&task, Outcome::Stands(marked), HOUR + GRACE),
        None
    );
    let settled = HOUR + GRACE + SETTLE_MILLIS;
    assert_eq!(keeper.take(settled - 1), None);
    let task = keeper.take(settled).unwrap();
    assert_eq!(task.deed, Deed::Cancel(Why::JobEnded));
    let news = keeper.settle(&task, Outcome::Gone, settled);
    assert_eq!(news, Some(News::Cancelled("job-ended")));
    assert_eq!(keeper.totals(settled), Totals::default());
}

#[test]
fn a_pod_that_comes_between_mark_and_cancellation_keeps_the_tokens() {
    let mut keeper = watching();
    let job = key("a", "alice", "ns1");
    keeper.pod_gone("u1", HOUR);
    keeper.entry_seen(entry(&job, 2, live(Some(HOUR + GRACE))), 0);
    keeper.pod_seen(pod("u2", "a"));
    assert_eq!(deeds(&mut keeper, 10 * HOUR), []);
    assert_eq!(deeds(&mut keeper, 19 * HOUR), [Deed::Renew]);
}

#[test]
fn nothing_is_cancelled_before_all_pods_were_seen_or_while_they_are_not() {
    let mut keeper = keeper();
    keeper.entry_seen(entry(&key("a", "alice", "ns1"), 1, live(None)), 0);
    keeper.pods_restart();
    assert_eq!(deeds(&mut keeper, 10 * HOUR), []);
    keeper.pods_complete(10 * HOUR);
    keeper.pods_trouble(10 * HOUR + GRACE - 1);
    assert_eq!(deeds(&mut keeper, 10 * HOUR + GRACE), [], "put off");
    assert_eq!(deeds(&mut keeper, 10 * HOUR + 3 * GRACE), [Deed::Wear]);
}

#[test]
fn nothing_is_cancelled_while_pods_are_listed_anew() {
    let mut keeper = watching();
    for job in ["a", "b"] {
        keeper.entry_seen(entry(&key(job, "alice", "ns1"), 1, live(None)), 0);
    }
    keeper.pod_gone("u1", HOUR);
    keeper.pods_restart();
    assert_eq!(deeds(&mut keeper, 2 * HOUR), [], "nor is it renewed yet");
    keeper.pod_seen(pod("u2", "a"));
    keeper.pods_complete(2 * HOUR);
    let task = keeper.take(2 * HOUR).unwrap();
    assert_eq!(
        (task.deed, task.entry.place.key.job.as_str()),
        (Deed::Wear, "b")
    );
    assert_eq!(keeper.take(2 * HOUR), None);
}

#[test]
fn jobs_that_ended_while_nobody_led_are_found_by_the_first_list() {
    let mut keeper = keeper();
    for job in ["a", "b"] {
        keeper.entry_seen(entry(&key(job, "alice", "ns1"), 1, live(None)), 0);
    }
    keeper.pods_restart();
    keeper.pod_seen(pod("u1", "a"));
    keeper.pods_complete(HOUR);
    let task = keeper.take(HOUR + GRACE).unwrap();
    assert_eq!(
        (task.deed, task.entry.place.key.job.as_str()),
        (Deed::Wear, "b")
    );
    assert_eq!(keeper.take(HOUR + GRACE), None);
}

#[test]
fn a_denied_user_loses_tokens_at_once() {
    let mut keeper = watching();
    keeper.entry_seen(entry(&key("a", "eve", "ns1"), 1, live(None)), 0);
    assert_eq!(deeds(&mut keeper, 1), [Deed::Wear]);
}

#[test]
fn stale_claims_are_dropped_and_young_ones_left() {
    let mut keeper = watching();
    keeper.entry_seen(entry(&key("b", "alice", "ns1"), 1, State::Claimed), HOUR);
    assert_eq!(deeds(&mut keeper, HOUR + 59_999), []);
    let task = keeper.take(HOUR + 60_000).unwrap();
    assert_eq!(task.deed, Deed::DropClaim);
    assert_eq!(
        keeper.settle(&task, Outcome::Gone, HOUR),
        Some(News::ClaimDropped)
    );
}

#[test]
fn a_service_that_is_down_keeps_no_other_waiting() {
    let mut keeper = watching();
    for number in 0..5 {
        keeper.entry_seen(
            entry(&key("a", &format!("u{number}"), "ns1"), 1, live(None)),
            0,
        );
    }
    keeper.entry_seen(entry(&key("a", "alice", "kms"), 1, live(None)), 0);
    let begun: Vec<_> = std::iter::from_fn(|| keeper.take(20 * HOUR)).collect();
    let of = |name| {
        begun
            .iter()
            .filter(|task| task.entry.place.key.service.as_str() == name)
            .count()
    };
    assert_eq!((of("ns1"), of("kms")), (2, 1));
    assert_eq!(keeper.totals(20 * HOUR).overdue, 3);
    assert_eq!(keeper.next_due(), None, "nothing may begin: no busy loop");
}

#[test]
fn failures_are_told_once_when_it_gets_serious_and_tried_until_the_end() {
    let mut keeper = watching();
    let job = key("a", "alice", "ns1");
    keeper.entry_seen(entry(&job, 1, live(None)), 0);
    let (mut now, mut news) = (0, Vec::new());
    while now < 160 * HOUR {
        now = keeper.next_due().unwrap().max(now);
        let task = keeper.take(now).unwrap();
        if task.deed != Deed::Renew {
            break;
        }
        let failed = Outcome::Failed {
            reason: "hadoop-standby",
            lasting: false,
        };
        news.extend(keeper.settle(&task, failed, now));
    }
    let warned = news.iter().filter(|it| matches!(it, News::WillBeLost(_)));
    assert_eq!(warned.count(), 1);
    assert!(news.len() > 100, "{} tries", news.len());
    assert!(now > 48 * HOUR, "a late renewal is tried too");
}

#[test]
fn what_will_not_pass_is_told_at_once() {
    let mut keeper = watching();
    keeper.entry_seen(entry(&key("a", "alice", "ns1"), 1, live(None)), 0);
    let task = keeper.take(19 * HOUR).unwrap();
    let failed = Outcome::Failed {
        reason: "not-renewer",
        lasting: true,
    };
    let news = keeper.settle(&task, failed, 19 * HOUR);
    assert_eq!(news, Some(News::WillBeLost("not-renewer")));
}

#[test]
fn an_older_sighting_does_not_undo_our_own_write() {
    let mut keeper = watching();
    let job = key("a", "alice", "ns1");
    keeper.entry_seen(entry(&job, 1, live(None)), 0);
    let task = keeper.take(19 * HOUR).unwrap();
    let renewed = State::Live(Live {
        issued_at: 0,
        renewed_at: 19 * HOUR,
        expires_at: 41 * HOUR,
        max_date: 168 * HOUR,
        sequence_number: 7,
        tokens: 1,
        worn: None,
    });
    let stands = Outcome::Stands(entry(&job, 3, renewed));
    assert_eq!(keeper.settle(&task, stands, 19 * HOUR), Some(News::Renewed));
    keeper.entry_seen(entry(&job, 2, live(None)), 0);
    assert_eq!(keeper.totals(0).next_expiry, Some(41 * HOUR));
}

#[test]
fn a_record_that_changed_under_a_deed_is_kept() {
    let mut keeper = watching();
    let job = key("a", "alice", "ns1");
    keeper.entry_seen(entry(&job, 1, State::Claimed), 0);
    let task = keeper.take(HOUR).unwrap();
    keeper.entry_seen(entry(&job, 2, live(None)), 0);
    assert_eq!(deeds(&mut keeper, 20 * HOUR), [], "one deed at a time");
    keeper.settle(&task, Outcome::Gone, HOUR);
    assert_eq!(keeper.totals(0).held, 1);
    assert_eq!(deeds(&mut keeper, 20 * HOUR), [Deed::Renew]);
}

#[test]
fn a_later_list_of_the_ledger_forgets_what_it_lacks() {
    let mut keeper = watching();
    keeper.entries_restart();
    for user in ["alice", "bob"] {
        keeper.entry_seen(entry(&key("a", user, "ns1"), 1, live(None)), 0);
    }
    assert_eq!(keeper.entries_complete(0), []);
    keeper.entries_restart();
    keeper.entry_seen(entry(&key("a", "bob", "ns1"), 1, live(None)), 0);
    let missed = entry(&key("a", "alice", "ns1"), 1, live(None));
    assert_eq!(keeper.entries_complete(0), [missed]);
    assert_eq!(keeper.totals(0).held, 1);
}

#[test]
fn the_end_of_life_is_told_once() {
    let mut keeper = watching();
    let job = key("a", "alice", "ns1");
    let last = |worn| {
        State::Live(Live {
            issued_at: 0,
            renewed_at: 144 * HOUR,
            expires_at: 168 * HOUR,
            max_date: 168 * HOUR,
            sequence_number: 7,
            tokens: 1,
            worn,
        })
    };
    keeper.entry_seen(entry(&job, 1, last(None)), 0);
    let now = 160 * HOUR;
    let task = keeper.take(now).unwrap();
    assert_eq!(task.deed, Deed::Retire);
    let stands = Outcome::Stands(entry(&job, 2, last(Some(now))));
    assert_eq!(keeper.settle(&task, stands, now), Some(News::EndsSoon));
    assert_eq!(keeper.next_due(), Some(168 * HOUR));
    let task = keeper.take(168 * HOUR).unwrap();
    assert_eq!(task.deed, Deed::Cancel(Why::MaxDate));
}
