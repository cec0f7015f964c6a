//! Whether the admission policies that attestation rests on are in force.
//!
//! A pod-bound token proves a pod only while nobody but nodes can mint one.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kube::Client;
use kube2hadoop_runtime::guards::{BELIEVED, GuardProblem, Lookout};
use kube2hadoop_runtime::readiness::Gate;
use kube2hadoop_runtime::shutdown::Shutdown;
use tokio::time::Instant;

use crate::metrics::Metrics;

/// How long a removed guard may go unnoticed.
const PERIOD: Duration = Duration::from_secs(10);

/// What was found at the last look; cheap to clone.
#[derive(Clone)]
pub(crate) struct Guarded {
    required: bool,
    last: Arc<RwLock<Option<Look>>>,
}

struct Look {
    at: Instant,
    problem: Option<Arc<str>>,
}

impl Guarded {
    /// Not in force until looked at; always fine where they are not required.
    #[must_use]
    pub(crate) fn new(required: bool) -> Self {
        Self {
            required,
            last: Arc::default(),
        }
    }

    /// What is wrong with the guards, where that counts. A look is believed no longer than an API server's silence.
    #[must_use]
    pub(crate) fn problem(&self) -> Option<Arc<str>> {
        if !self.required {
            return None;
        }
        match &*self.last.read().unwrap_or_else(PoisonError::into_inner) {
            None => Some("they were not checked yet".into()),
            Some(look) if look.at.elapsed() >= BELIEVED => {
                Some("they are not checked any more: please report what is logged above".into())
            }
            Some(look) => look.problem.clone(),
        }
    }

    /// Notes what a look found; where guards are not required, requests go on.
    pub(crate) fn note(&self, found: Option<&str>) {
        let look = Look {
            at: Instant::now(),
            problem: found.map(Arc::from),
        };
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(look);
    }
}

/// Looks again and again until shutdown.
pub(crate) async fn follow(
    guarded: Guarded,
    client: Client,
    mut guards: Lookout,
    gate: Gate,
    metrics: Metrics,
    shutdown: Shutdown,
) {
    let mut said = None;
    loop {
        let problems = guards.look(&client).await;
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
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = shutdown.requested() => return,
        }
    }
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
    use std::convert::Infallible;
    use std::sync::Mutex;

    use http::{Request, Response};
    use kube::client::Body;
    use kube2hadoop_runtime::guards::GuardNames;
    use kube2hadoop_runtime::readiness::Readiness;
    use prometheus_client::registry::Registry;
    use serde_json::{Value, json};
    use tower::service_fn;

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

    #[tokio::test(start_paused = true)]
    async fn guards_that_nobody_looks_at_any_more_are_believed_for_a_minute() {
        let guarded = Guarded::new(true);
        guarded.note(None);
        tokio::time::sleep(BELIEVED / 2).await;
        assert!(guarded.problem().is_none());
        tokio::time::sleep(BELIEVED / 2).await;
        assert!(guarded.problem().is_some());
        guarded.note(None);
        assert!(guarded.problem().is_none());
    }

    /// Answers for every guard as the chart installs it, but for one of them with this status.
    fn api_server(other: Arc<Mutex<Option<(&'static str, u16)>>>) -> Client {
        let service = service_fn(move |request: Request<Body>| {
            let (kind, name) = request.uri().path().rsplit_once('/').unwrap();
            let other = other.lock().unwrap();
            let (status, answer) = match *other {
                Some((guard, status)) if guard == name => {
                    let message = json!({"status": "Failure", "message": "no", "code": status});
                    (status, message)
                }
                _ if kind.ends_with("bindings") => (200, binding(name)),
                _ => (200, policy(name)),
            };
            let body = Body::from(answer.to_string().into_bytes());
            let answer = Response::builder().status(status).body(body).unwrap();
            futures::future::ready(Ok::<_, Infallible>(answer))
        });
        Client::new(service, "kube2hadoop")
    }

    fn policy(name: &str) -> Value {
        let rule = json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]});
        let spec = json!({"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "false"}]});
        json!({"metadata": {"name": name}, "spec": spec})
    }

    fn binding(name: &str) -> Value {
        let spec = json!({"policyName": name, "validationActions": ["Deny"]});
        json!({"metadata": {"name": name}, "spec": spec})
    }

    #[tokio::test(start_paused = true)]
    async fn each_guard_counts_and_only_silence_is_waited_out() {
        let guards = GuardNames::default();
        for (_, name) in guards.by_key() {
            let name: &'static str = name.clone().leak();
            let other = Arc::new(Mutex::new(None));
            let guarded = Guarded::new(true);
            let readiness = Readiness::new();
            let (_trigger, shutdown) = Shutdown::new();
            let following = tokio::spawn(follow(
                guarded.clone(),
                api_server(Arc::clone(&other)),
                Lookout::new(guards.all()),
                readiness.gate("guards"),
                Metrics::new(&mut Registry::default()),
                shutdown,
            ));
            let in_force_while = async |answer: Option<u16>| {
                *other.lock().unwrap() = answer.map(|status| (name, status));
                tokio::time::sleep(PERIOD * 3 / 2).await;
                assert_eq!(
                    guarded.problem().is_none(),
                    readiness.closed().is_empty(),
                    "{name}"
                );
                guarded.problem().is_none()
            };
            for (answer, in_force) in [
                (None, true),
                (Some(503), true),
                (Some(403), false),
                (Some(503), false),
                (None, true),
                (Some(404), false),
            ] {
                assert_eq!(in_force_while(answer).await, in_force, "{name}: {answer:?}");
            }
            following.abort();
        }
    }
}
