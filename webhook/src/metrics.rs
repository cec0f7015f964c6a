//! What is counted. Every label has a bounded set of values.

use std::time::Duration;

use kube2hadoop_runtime::reload::Reloads;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::admission::{Decision, Outcome};
use crate::identity::Rule;
use crate::{ldap, provision};

/// Seconds.
const BUCKETS: [f64; 8] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.1, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: &'static str,
    rule: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKey {
    kid: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCall {
    about: &'static str,
}

/// What the API server was asked on the way to an answer. Clones share it.
#[derive(Clone, Debug)]
pub struct ApiCalls(Family<OfCall, Counter>);

impl ApiCalls {
    const ABOUT: [&str; 3] = ["pod", "namespace", "access"];

    pub(crate) fn count(&self, about: &'static str) {
        self.0.get_or_create(&OfCall { about }).inc();
    }
}

impl Default for ApiCalls {
    /// All of them, so that what is not there is seen to be none.
    fn default() -> Self {
        let calls = Family::<OfCall, Counter>::default();
        for about in Self::ABOUT {
            calls.get_or_create(&OfCall { about }).inc_by(0);
        }
        Self(calls)
    }
}

/// Counters of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    admissions: Family<Labels, Counter>,
    templates_by_kid: Family<OfKey, Counter>,
    unanswered: Counter,
    seconds: Histogram,
    pub(crate) api_calls: ApiCalls,
    pub(crate) reloads: Reloads,
    pub(crate) ldap: ldap::Metrics,
    pub(crate) provision: provision::Metrics,
}

impl Metrics {
    /// Registers everything.
    pub fn new(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("kube2hadoop_webhook");
        let metrics = Self {
            admissions: Family::default(),
            templates_by_kid: Family::default(),
            unanswered: Counter::default(),
            seconds: Histogram::new(BUCKETS),
            api_calls: ApiCalls::default(),
            reloads: Reloads::new(registry),
            ldap: ldap::Metrics::new(registry),
            provision: provision::Metrics::new(registry),
        };
        registry.register(
            "admissions",
            "Admission requests by outcome and rule",
            metrics.admissions.clone(),
        );
        registry.register(
            "templates_by_kid",
            "Decisions that rested on a template's stamp, by the key that signed it",
            metrics.templates_by_kid.clone(),
        );
        registry.register(
            "unanswered",
            "Requests that got no review back: unreadable, too slow, or for want of keys or memory",
            metrics.unanswered.clone(),
        );
        registry.register(
            "admission_seconds",
            "Time to an answer",
            metrics.seconds.clone(),
        );
        registry.register(
            "api_calls",
            "Calls of the API server that an admission waited for, by what they were about",
            metrics.api_calls.0.clone(),
        );
        metrics
    }

    pub(crate) fn decided(&self, decision: &Decision, took: Duration) {
        let rule = match decision.rule {
            Some(Rule::Inherit) => "inherit",
            Some(Rule::Template) => "template",
            Some(Rule::Mapping(_)) => "mapping",
            None => "none",
        };
        self.admissions
            .get_or_create(&Labels {
                outcome: name(decision.outcome),
                rule,
            })
            .inc();
        // Only keys of ours are named.
        if let Some(kid) = decision.template_key.clone() {
            self.templates_by_kid.get_or_create(&OfKey { kid }).inc();
        }
        self.seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn unanswered(&self) {
        self.unanswered.inc();
    }
}

/// The outcome in one word.
pub(crate) fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Untouched => "untouched",
        Outcome::Stripped => "stripped",
        Outcome::Skipped => "skipped",
        Outcome::Injected => "injected",
        Outcome::Stamped => "stamped",
        Outcome::Kept => "kept",
        Outcome::Warned => "warned",
        Outcome::Denied => "denied",
    }
}

#[cfg(test)]
#[path = "../runtime/tests/dashboard/mod.rs"]
mod dashboard;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Server;
    use crate::review::Answer;

    fn decision(template_key: Option<&str>) -> Decision {
        Decision {
            answer: Answer::default(),
            outcome: Outcome::Kept,
            user: None,
            rule: Some(Rule::Template),
            template_key: template_key.map(str::to_owned),
        }
    }

    fn text_of(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn the_key_that_a_template_needs_is_counted() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        for template_key in [Some("old"), None, Some("old")] {
            metrics.decided(&decision(template_key), Duration::ZERO);
        }
        let text = text_of(&registry);
        let line = r#"kube2hadoop_webhook_templates_by_kid_total{kid="old"} 2"#;
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn the_dashboard_asks_for_metrics_that_there_are() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        // A family shows itself from its first label on.
        metrics.decided(&decision(None), Duration::ZERO);
        metrics.ldap.asked(None, Duration::ZERO);
        let server = Server {
            host: "ldap.test".into(),
            port: 636,
            start_tls: false,
        };
        metrics.ldap.failed(&server);
        metrics.provision.ends("ca", 1);
        dashboard::asks_for_metrics_of(&registry, "kube2hadoop_webhook_", 5);
    }
}
