//! Who leads, decided from what a Lease says; no clock, no network.
//!
//! As Kubernetes' own controllers do, a candidate never compares clocks: another's lease has run out when it did
//! not change for its duration, by our own watch.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// What a Lease says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// None: it was given back.
    pub holder: Option<String>,
    pub duration: Duration,
    pub transitions: i32,
    pub acquired: Option<Timestamp>,
    pub version: String,
}

/// A Lease, and since when it has said that (milliseconds of a clock that never jumps).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    pub seen: Seen,
    pub since: u64,
}

impl Observed {
    /// What was seen now: only a change starts the watch anew.
    #[must_use]
    pub fn next(before: Option<&Self>, seen: Seen, now: u64) -> Self {
        let since = match before {
            Some(before) if before.seen.version == seen.version => before.since,
            _ => now,
        };
        Self { seen, since }
    }
}

/// What a candidate does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// There is no Lease yet.
    Create,
    /// It was given back, or its holder is gone.
    Take,
    /// It is ours.
    Renew,
    /// Somebody else leads.
    Wait,
}

/// Decides; `me` must differ among all candidates, restarts of one pod included.
#[must_use]
pub fn decide(observed: Option<&Observed>, now: u64, me: &str) -> Step {
    let Some(Observed { seen, since }) = observed else {
        return Step::Create;
    };
    let duration = u64::try_from(seen.duration.as_millis()).unwrap_or(u64::MAX);
    match seen.holder.as_deref() {
        Some(holder) if holder == me => Step::Renew,
        None | Some("") => Step::Take,
        Some(_) if now >= since.saturating_add(duration) => Step::Take,
        Some(_) => Step::Wait,
    }
}

/// How long a leader acts after it began to renew its lease: others wait for the whole duration, so that between
/// the two there is time for what was under way to end.
#[must_use]
pub fn acting(duration: Duration) -> Duration {
    duration * 2 / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(holder: Option<&str>, version: &str) -> Seen {
        Seen {
            holder: holder.map(Into::into),
            duration: Duration::from_secs(15),
            transitions: 3,
            acquired: None,
            version: version.into(),
        }
    }

    #[test]
    fn each_case_has_its_step() {
        let at = |holder, since| {
            Some(Observed {
                seen: seen(holder, "1"),
                since,
            })
        };
        let cases = [
            (None, 0, Step::Create),
            (at(None, 0), 0, Step::Take),
            (at(Some(""), 0), 0, Step::Take),
            (at(Some("me"), 0), 14_999, Step::Renew),
            (at(Some("me"), 0), 99_000, Step::Renew),
            (at(Some("other"), 0), 0, Step::Wait),
            (at(Some("other"), 0), 14_999, Step::Wait),
            (at(Some("other"), 0), 15_000, Step::Take),
            (at(Some("other"), 10_000), 24_999, Step::Wait),
        ];
        for (observed, now, step) in cases {
            assert_eq!(
                decide(observed.as_ref(), now, "me"),
                step,
                "{observed:?} at {now}"
            );
        }
    }

    #[test]
    fn only_a_change_starts_the_watch_anew() {
        let first = Observed::next(None, seen(Some("other"), "1"), 1_000);
        let same = Observed::next(Some(&first), seen(Some("other"), "1"), 9_000);
        assert_eq!(same.since, 1_000);
        let renewed = Observed::next(Some(&same), seen(Some("other"), "2"), 9_000);
        assert_eq!(renewed.since, 9_000);
    }

    #[test]
    fn a_leader_stops_before_another_may_begin() {
        assert!(acting(Duration::from_secs(15)) < Duration::from_secs(15));
    }
}
