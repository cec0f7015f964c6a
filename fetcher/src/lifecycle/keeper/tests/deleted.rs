//! Records that are not there any more, and versions that begin anew.

use super::*;

#[test]
fn after_a_restore_a_list_of_lower_versions_counts() {
    let mut keeper = watching();
    let job = key("a", "alice", "ns1");
    keeper.entry_seen(entry(&job, 100, live(None)), 0);
    keeper.entries_restart();
    keeper.entry_seen(entry(&job, 50, live(None)), 0);
    assert_eq!(keeper.entries_complete(0), []);
    assert_eq!(keeper.take(19 * HOUR).unwrap().entry.version, "50");
}

#[test]
fn only_records_of_live_tokens_are_missed() {
    let mut keeper = watching();
    let job = key("a", "alice", "ns1");
    let place = Place::current(&job);
    for (state, now, missed) in [
        (live(None), 24 * HOUR - 1, true),
        (live(Some(1)), 24 * HOUR - 1, true),
        (live(None), 24 * HOUR, false),
        (State::Claimed, 0, false),
    ] {
        keeper.entry_seen(entry(&job, 1, state), 0);
        let gone = keeper.entry_gone(place.name(), now);
        assert_eq!(gone.is_some(), missed, "{state:?}");
    }
}

#[test]
fn what_we_take_away_is_not_missed() {
    let job = key("a", "alice", "ns1");
    let place = Place::current(&job);
    let cancelling = || {
        let mut keeper = watching();
        keeper.pod_gone("u1", 0);
        keeper.entry_seen(entry(&job, 2, live(Some(0))), 0);
        let task = keeper.take(HOUR).unwrap();
        assert_eq!(task.deed, Deed::Cancel(Why::JobEnded));
        (keeper, task)
    };
    let (mut keeper, _) = cancelling();
    assert_eq!(keeper.entry_gone(place.name(), HOUR), None, "under way");

    let (mut keeper, task) = cancelling();
    let slow = Outcome::Failed {
        reason: "ledger-unavailable",
        lasting: false,
    };
    keeper.settle(&task, slow, HOUR);
    let gone = keeper.entry_gone(place.name(), HOUR);
    assert_eq!(gone, None, "done, and answered too late");
}
