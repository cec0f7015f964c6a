//! What is told of certificates, keys and guards: all that fails there is seen long before it hurts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// `certificate`: `ca`, `webhook` or `fetcher`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabel {
    certificate: &'static str,
}

/// Gauges of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    failing: Gauge,
    expiry: Family<CertificateLabel, Gauge>,
    guards_missing: Gauge,
}

impl Metrics {
    /// Registers everything.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            failing: Gauge::default(),
            expiry: Family::default(),
            guards_missing: Gauge::default(),
        };
        registry.register(
            "provision_failing",
            "1 while the last round of upkeep of certificates, keys and caBundle failed",
            metrics.failing.clone(),
        );
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the CA that signs, our own certificate and the fetcher's end",
            metrics.expiry.clone(),
        );
        registry.register(
            "guards_missing",
            "Guards that are not in force",
            metrics.guards_missing.clone(),
        );
        metrics
    }

    pub(super) fn provided(&self, all: bool) {
        self.failing.set(i64::from(!all));
    }

    /// `end` is in seconds since 1970.
    pub(crate) fn ends(&self, certificate: &'static str, end: u64) {
        let end = i64::try_from(end).unwrap_or(i64::MAX);
        let label = CertificateLabel { certificate };
        self.expiry.get_or_create(&label).set(end);
    }

    pub(super) fn guards_missing(&self, guards: usize) {
        let guards = i64::try_from(guards).unwrap_or(i64::MAX);
        self.guards_missing.set(guards);
    }
}
