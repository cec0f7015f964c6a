//! Whether the admission policies that attestation rests on are in force.
//!
//! A pod-bound token proves a pod only while nobody but nodes can mint one.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kube::Client;
use kube2hadoop_runtime::guards::{self, Guard, GuardProblem};
use kube2hadoop_runtime::readiness::Gate;
use kube2hadoop_runtime::shutdown::Shutdown;

use crate::metrics::Metrics;

/// How long a removed guard may go unnoticed.
const PERIOD: Duration = Duration::from_secs(10);

/// What was found at the last look; cheap to clone.
#[derive(Clone)]
pub struct Guarded {
    required: bool,
    problem: Arc<RwLock<Option<Arc<str>>>>,
}

impl Guarded {
    /// Not in force until looked at; always fine where they are not required.
    #[must_use]
    pub fn new(required: bool) -> Self {
        let first = required.then(|| Arc::from("they were not checked yet"));
        Self {
            required,
            problem: Arc::new(RwLock::new(first)),
        }
    }

    /// What is wrong with the guards, where that counts.
    #[must_use]
    pub fn problem(&self) -> Option<Arc<str>> {
        self.problem
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes what a look found; where guards are not required, requests go on.
    pub fn note(&self, found: Option<&str>) {
        let problem = found.filter(|_| self.required).map(Arc::from);
        *self.problem.write().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// Looks again and again until shutdown.
pub async fn follow(
    guarded: Guarded,
    client: Client,
    wanted: Vec<Guard>,
    gate: Gate,
    metrics: Metrics,
    shutdown: Shutdown,
) {
    let mut said = None;
    loop {
        let problems = guards::check(&client, &wanted).await;
        if was_only_silence(&guarded, &problems) {
            tracing::warn!("the guards could not be looked at");
        } else {
            metrics
                .guards_missing
                .set(i64::try_from(problems.len()).unwrap_or(i64::MAX));
            let found = describe(&problems);
            guarded.note(found.as_deref());
            report(&guarded, &gate);
            if said.as_ref() != Some(&found) {
                say(found.as_deref());
                said = Some(found);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = shutdown.requested() => return,
        }
    }
}

/// Guards that were in force do not vanish because the API server was silent for a moment.
fn was_only_silence(guarded: &Guarded, problems: &[GuardProblem]) -> bool {
    let silent = |problem: &GuardProblem| matches!(problem, GuardProblem::Unreadable(..));
    guarded.problem().is_none() && !problems.is_empty() && problems.iter().all(silent)
}

fn describe(problems: &[GuardProblem]) -> Option<String> {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn report(guarded: &Guarded, gate: &Gate) {
    match guarded.problem() {
        Some(problem) => gate.not_ready(&*problem),
        None => gate.ready(),
    }
}

fn say(found: Option<&str>) {
    match found {
        Some(problem) => tracing::error!(%problem, "a guard is not in force"),
        None => tracing::info!("the guards are in force"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_guard_counts_only_where_guards_are_required() {
        let strict = Guarded::new(true);
        assert!(strict.problem().is_some(), "nothing was looked at yet");
        strict.note(None);
        assert!(strict.problem().is_none());
        strict.note(Some("gone"));
        assert_eq!(strict.problem().as_deref(), Some("gone"));
        let lax = Guarded::new(false);
        lax.note(Some("gone"));
        assert!(lax.problem().is_none());
    }

    #[test]
    fn silence_keeps_guards_in_force_and_absence_does_not() {
        let silence = || GuardProblem::Unreadable("g".into(), kube::Error::TlsRequired);
        let guarded = Guarded::new(true);
        assert!(
            !was_only_silence(&guarded, &[silence()]),
            "they were never seen"
        );
        guarded.note(None);
        assert!(was_only_silence(&guarded, &[silence()]));
        assert!(!was_only_silence(
            &guarded,
            &[silence(), GuardProblem::Missing("h".into())]
        ));
        assert!(!was_only_silence(&guarded, &[]));
    }
}
