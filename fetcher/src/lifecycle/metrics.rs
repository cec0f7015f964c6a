//! What the lifecycle counts; the reasons are fixed lists.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::keeper::Totals;
use crate::metrics::{OutcomeLabel, ReasonLabel};

/// `state`: `claimed`, `held` or `worn`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabel {
    pub state: &'static str,
}

/// Gauges are those of the leader; elsewhere they are 0.
#[derive(Clone, Default)]
pub struct Upkeep {
    pub leader: Gauge,
    pub renewals: Family<OutcomeLabel, Counter>,
    pub cancellations: Family<OutcomeLabel, Counter>,
    pub endings: Family<ReasonLabel, Counter>,
    pub claims_dropped: Counter,
    pub records: Family<StateLabel, Gauge>,
    pub queue: Gauge,
    pub live_jobs: Gauge,
    pub next_expiry: Gauge<f64, AtomicU64>,
}

impl Upkeep {
    pub(crate) fn register(&self, to: &mut Registry) {
        let outcomes = [
            ("renewals", "Renewals by outcome", &self.renewals),
            (
                "cancellations",
                "Cancellations by outcome",
                &self.cancellations,
            ),
        ];
        to.register(
            "token_endings",
            "Tokens that end under running pods, by reason",
            self.endings.clone(),
        );
        for (name, help, family) in outcomes {
            to.register(name, help, family.clone());
        }
        let gauges = [
            (
                "leader",
                "1 while this replica renews and cancels",
                &self.leader,
            ),
            (
                "upkeep_queue",
                "Deeds that are due and wait for their turn",
                &self.queue,
            ),
            ("live_jobs", "Jobs with live injected pods", &self.live_jobs),
        ];
        for (name, help, gauge) in gauges {
            to.register(name, help, gauge.clone());
        }
        to.register(
            "claims_dropped",
            "Claims of dead replicas that were removed",
            self.claims_dropped.clone(),
        );
        to.register(
            "ledger_records",
            "Records of the shared ledger by state",
            self.records.clone(),
        );
        to.register(
            "next_expiry_timestamp_seconds",
            "When the first token ends unless it is renewed; 0 if there is none",
            self.next_expiry.clone(),
        );
    }

    /// Shows what the leader counted.
    pub fn show(&self, totals: &Totals) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let states = [
            ("claimed", totals.claimed),
            ("held", totals.held),
            ("worn", totals.worn),
        ];
        for (state, count) in states {
            self.records
                .get_or_create(&StateLabel { state })
                .set(whole(count));
        }
        self.queue.set(whole(totals.overdue));
        self.live_jobs.set(whole(totals.jobs));
        self.next_expiry
            .set(totals.next_expiry.unwrap_or(0) as f64 / 1000.0);
    }
}
