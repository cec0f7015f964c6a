//! What the service counts; every label has a bounded set of values.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::lifecycle::metrics::Upkeep;

/// `outcome`: `issued`, or a problem's slug (a fixed list).
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    pub outcome: &'static str,
}

/// `service`: one of the configured services.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ServiceLabel {
    pub service: String,
}

/// Shared by all parts; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    pub requests: Family<Outcome, Counter>,
    pub request_seconds: Histogram,
    pub running: Gauge,
    pub waiting: Gauge,
    pub ledger_keys: Gauge,
    pub hadoop_issues: Family<Outcome, Counter>,
    /// 1 while the service's last call failed.
    pub hadoop_degraded: Family<ServiceLabel, Gauge>,
    pub guards_missing: Gauge,
    pub events_dropped: Counter,
    /// Seconds since 1970 at which the serving certificate was last replaced.
    pub certificate_loaded: Gauge<f64, AtomicU64>,
    pub upkeep: Upkeep,
}

impl Metrics {
    /// Makes the metrics and registers them.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            request_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            running: Gauge::default(),
            waiting: Gauge::default(),
            ledger_keys: Gauge::default(),
            hadoop_issues: Family::default(),
            hadoop_degraded: Family::default(),
            guards_missing: Gauge::default(),
            events_dropped: Counter::default(),
            certificate_loaded: Gauge::default(),
            upkeep: Upkeep::default(),
        };
        let ours = registry.sub_registry_with_prefix("kube2hadoop_fetcher");
        metrics.register(ours);
        metrics.upkeep.register(ours);
        metrics
    }

    fn register(&self, to: &mut Registry) {
        to.register(
            "requests",
            "Token requests by outcome",
            self.requests.clone(),
        );
        to.register(
            "request_seconds",
            "Duration of token requests",
            self.request_seconds.clone(),
        );
        to.register("running", "Requests being worked on", self.running.clone());
        to.register(
            "waiting",
            "Requests waiting for their turn",
            self.waiting.clone(),
        );
        to.register(
            "ledger_keys",
            "Keys (job, user, service) in the ledger",
            self.ledger_keys.clone(),
        );
        to.register(
            "hadoop_issues",
            "Calls for new tokens by outcome",
            self.hadoop_issues.clone(),
        );
        to.register(
            "hadoop_degraded",
            "1 while a service's last call failed",
            self.hadoop_degraded.clone(),
        );
        to.register(
            "guards_missing",
            "Guards that are not in force",
            self.guards_missing.clone(),
        );
        to.register(
            "events_dropped",
            "Kubernetes Events not sent",
            self.events_dropped.clone(),
        );
        to.register(
            "certificate_loaded_timestamp_seconds",
            "When the serving certificate was last replaced",
            self.certificate_loaded.clone(),
        );
    }
}
