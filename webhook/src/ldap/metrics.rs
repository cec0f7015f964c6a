//! What is counted of LDAP. The servers are those of the configuration.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::identity::Server;

/// Seconds.
const BUCKETS: [f64; 8] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 2.0];

/// `outcome`: `granted`, `refused` or `failed`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabel {
    server: String,
}

/// Counters of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    questions: Family<OutcomeLabel, Counter>,
    seconds: Histogram,
    failures: Family<ServerLabel, Counter>,
}

impl Metrics {
    /// Registers everything.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            questions: Family::default(),
            seconds: Histogram::new(BUCKETS),
            failures: Family::default(),
        };
        registry.register(
            "ldap_questions",
            "Questions to LDAP by outcome; failed: no server answered",
            metrics.questions.clone(),
        );
        registry.register(
            "ldap_seconds",
            "Time to LDAP's answer",
            metrics.seconds.clone(),
        );
        registry.register(
            "ldap_server_failures",
            "Times that an LDAP server could not be asked",
            metrics.failures.clone(),
        );
        metrics
    }

    pub(crate) fn asked(&self, answer: Option<bool>, took: Duration) {
        let outcome = match answer {
            Some(true) => "granted",
            Some(false) => "refused",
            None => "failed",
        };
        self.questions
            .get_or_create(&OutcomeLabel { outcome })
            .inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn failed(&self, server: &Server) {
        let server = server.to_string();
        self.failures.get_or_create(&ServerLabel { server }).inc();
    }
}
