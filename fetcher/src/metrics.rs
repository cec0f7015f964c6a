//! What the service counts; every label has a bounded set of values.

use std::sync::atomic::AtomicU64;

use kube2hadoop_runtime::reload::Reloads;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::lifecycle::metrics::Upkeep;
use crate::service::ServiceName;

/// `outcome`: `issued`, or a problem's slug (a fixed list).
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    pub outcome: &'static str,
}

/// `reason`: a fixed list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    pub reason: &'static str,
}

/// `service`: one of the configured services.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ServiceLabel {
    pub service: String,
}

impl ServiceLabel {
    /// The service's name as a label.
    #[must_use]
    pub fn of(name: &ServiceName) -> Self {
        Self {
            service: name.to_string(),
        }
    }
}

/// One more in a gauge for as long as this lives: who gives up is counted down too.
pub struct Counted(Gauge);

impl Counted {
    /// Counts up now.
    #[must_use]
    pub fn up(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Shared by all parts; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    pub requests: Family<OutcomeLabel, Counter>,
    pub request_seconds: Histogram,
    pub running: Gauge,
    pub waiting: Gauge,
    pub ledger_keys: Gauge,
    /// Tokens that were issued and have no place in the shared ledger yet.
    pub ledger_unplaced: Gauge,
    pub hadoop_issues: Family<OutcomeLabel, Counter>,
    /// Files that are read at the start only, and are not what they were.
    pub read_once_changed: Gauge,
    /// Whether tokens that were held are still known: `known`, `unknown` or `undecided`.
    pub hadoop_checks: Family<OutcomeLabel, Counter>,
    /// Tokens in answers to pods; the issues among them are few where jobs share.
    pub handed_out: Family<ServiceLabel, Counter>,
    /// 1 while the service gives no tokens.
    pub hadoop_degraded: Family<ServiceLabel, Gauge>,
    /// Calls for new tokens that wait for their turn.
    pub hadoop_waiting: Family<ServiceLabel, Gauge>,
    /// Calls that were turned away, since too many waited.
    pub hadoop_overflows: Family<ServiceLabel, Counter>,
    pub hadoop_seconds: Family<ServiceLabel, Histogram, fn() -> Histogram>,
    pub guards_missing: Gauge,
    pub events_dropped: Counter,
    /// Seconds since 1970 at which the serving certificate was last replaced.
    pub certificate_loaded: Gauge<f64, AtomicU64>,
    pub upkeep: Upkeep,
    pub reloads: Reloads,
}

fn of_durations() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Metrics {
    /// Makes the metrics and registers them.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let ours = registry.sub_registry_with_prefix("kube2hadoop_fetcher");
        let metrics = Self {
            requests: Family::default(),
            request_seconds: of_durations(),
            running: Gauge::default(),
            waiting: Gauge::default(),
            ledger_keys: Gauge::default(),
            ledger_unplaced: Gauge::default(),
            hadoop_issues: Family::default(),
            read_once_changed: Gauge::default(),
            hadoop_checks: Family::default(),
            handed_out: Family::default(),
            hadoop_degraded: Family::default(),
            hadoop_waiting: Family::default(),
            hadoop_overflows: Family::default(),
            hadoop_seconds: Family::new_with_constructor(of_durations),
            guards_missing: Gauge::default(),
            events_dropped: Counter::default(),
            certificate_loaded: Gauge::default(),
            upkeep: Upkeep::default(),
            reloads: Reloads::new(ours),
        };
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
            "ledger_unplaced",
            "Tokens that were issued and have no place in the shared ledger yet",
            self.ledger_unplaced.clone(),
        );
        to.register(
            "hadoop_issues",
            "Calls for new tokens by outcome",
            self.hadoop_issues.clone(),
        );
        to.register(
            "read_once_changed",
            "Files that are read at the start only and have changed since: restart the fetcher",
            self.read_once_changed.clone(),
        );
        to.register(
            "hadoop_checks",
            "Checks whether held tokens are still known, by outcome",
            self.hadoop_checks.clone(),
        );
        to.register(
            "handed_out",
            "Tokens in answers to pods; more than hadoop_issues, since the pods of a job share",
            self.handed_out.clone(),
        );
        to.register(
            "hadoop_degraded",
            "1 while a service gives no tokens, as calls for them show, or a look once a minute",
            self.hadoop_degraded.clone(),
        );
        to.register(
            "hadoop_waiting",
            "Calls for new tokens that wait for their turn",
            self.hadoop_waiting.clone(),
        );
        to.register(
            "hadoop_overflows",
            "Calls for new tokens that were turned away, since too many waited",
            self.hadoop_overflows.clone(),
        );
        to.register(
            "hadoop_seconds",
            "Duration of calls for new tokens",
            self.hadoop_seconds.clone(),
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

#[cfg(test)]
mod tests;
