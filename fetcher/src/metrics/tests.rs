//! What operators read of them.

#[path = "../../../webhook/runtime/tests/dashboard/mod.rs"]
mod dashboard;

use super::*;
use crate::lifecycle::metrics::StateLabel;

/// A family shows itself from its first label on.
fn label_each(metrics: &Metrics) {
    let upkeep = &metrics.upkeep;
    let outcome = OutcomeLabel { outcome: "any" };
    for family in [
        &metrics.requests,
        &metrics.hadoop_issues,
        &metrics.hadoop_checks,
        &upkeep.renewals,
        &upkeep.cancellations,
    ] {
        family.get_or_create(&outcome).inc();
    }
    let service = ServiceLabel {
        service: "any".into(),
    };
    metrics.handed_out.get_or_create(&service).inc();
    metrics.hadoop_overflows.get_or_create(&service).inc();
    metrics.hadoop_degraded.get_or_create(&service).inc();
    metrics.hadoop_waiting.get_or_create(&service).inc();
    metrics.hadoop_seconds.get_or_create(&service).observe(1.0);
    let (reason, state) = ("any", "any");
    upkeep.endings.get_or_create(&ReasonLabel { reason }).inc();
    upkeep.records.get_or_create(&StateLabel { state }).inc();
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let mut registry = Registry::default();
    label_each(&Metrics::new(&mut registry));
    dashboard::asks_for_metrics_of(&registry, "kube2hadoop_fetcher_", 16);
}
