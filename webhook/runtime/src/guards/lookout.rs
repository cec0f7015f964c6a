//! Guards that are looked at again and again: an API server that is silent for a moment takes none of them away.

use std::time::Duration;

use kube::Client;
use tokio::time::Instant;

use super::{Guard, GuardProblem, look_at_all};

/// How long a guard counts as in force after it was last seen so, while nobody says anything about it: an API server is
/// replaced within that time. Much longer, and a guard that went meanwhile would be believed in.
pub const BELIEVED: Duration = Duration::from_secs(60);

/// All guards, and when each was last seen in force.
#[derive(Debug)]
pub struct Lookout {
    guards: Vec<(Guard, LastSeen)>,
}

impl Lookout {
    /// For these, of which none was seen yet.
    #[must_use]
    pub fn new(guards: Vec<Guard>) -> Self {
        let unseen = |guard| (guard, LastSeen::default());
        Self {
            guards: guards.into_iter().map(unseen).collect(),
        }
    }

    /// Looks at all of them, and gives what is wrong; empty means that identity is safe.
    pub async fn look(&mut self, client: &Client) -> Vec<GuardProblem> {
        let found = look_at_all(client, self.guards.iter().map(|(guard, _)| guard)).await;
        let now = Instant::now();
        let seen = self.guards.iter_mut().map(|(_, seen)| seen);
        let judged = seen.zip(found).map(|(seen, found)| seen.judge(found, now));
        judged.filter_map(Result::err).collect()
    }
}

/// When a guard was last seen in force; none: never, or what was seen since was something else.
#[derive(Debug, Default)]
struct LastSeen(Option<Instant>);

impl LastSeen {
    fn judge(&mut self, found: Result<(), GuardProblem>, now: Instant) -> Result<(), GuardProblem> {
        match &found {
            Ok(()) => self.0 = Some(now),
            Err(problem) if problem.is_silence() => {
                let believed = |seen| now.duration_since(seen) < BELIEVED;
                if self.0.is_some_and(believed) {
                    tracing::warn!(%problem, "it was in force a moment ago, and counts as such");
                    return Ok(());
                }
            }
            Err(_) => self.0 = None,
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn unreadable(error: kube::Error) -> Result<(), GuardProblem> {
        Err(GuardProblem::Unreadable("g".into(), error))
    }

    fn answered(code: u16) -> Result<(), GuardProblem> {
        let status = Status::failure("no", "No").with_code(code);
        unreadable(kube::Error::Api(status.boxed()))
    }

    fn reset() -> Result<(), GuardProblem> {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        unreadable(kube::Error::Service(reset.into()))
    }

    #[test]
    fn silence_takes_nothing_away_for_a_minute() {
        let (mut seen, start) = (LastSeen::default(), Instant::now());
        assert!(seen.judge(reset(), start).is_err(), "it was never seen");
        assert!(seen.judge(Ok(()), start).is_ok());
        let (soon, late) = (start + BELIEVED / 2, start + BELIEVED);
        for silence in [reset(), answered(503), answered(500), answered(429)] {
            assert!(seen.judge(silence, soon).is_ok());
        }
        assert!(seen.judge(reset(), late).is_err(), "silence adds nothing");
        assert!(seen.judge(Ok(()), late).is_ok());
        assert!(seen.judge(reset(), late + BELIEVED / 2).is_ok());
    }

    #[test]
    fn an_answer_counts_at_once_and_silence_after_it_helps_nobody() {
        let answers = [
            answered(403),
            answered(401),
            Err(GuardProblem::Missing("g".into())),
            Err(GuardProblem::NotDenying("g".into())),
        ];
        for answer in answers {
            let (mut seen, now) = (LastSeen::default(), Instant::now());
            assert!(seen.judge(Ok(()), now).is_ok());
            assert!(seen.judge(answer, now).is_err());
            assert!(seen.judge(reset(), now).is_err());
        }
    }
}
