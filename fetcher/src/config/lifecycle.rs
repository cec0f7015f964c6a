//! What happens to tokens after they were issued.

use serde::Deserialize;

use super::InvalidConfig;

/// Seconds; as values.schema.json has it.
const LEAST_GRACE: u64 = 5;

/// Renewal and cancellation; they need the shared ledger, and are off without `ledger.namespace`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Lifecycle {
    pub enabled: bool,
    /// Name of the Lease, in our namespace, by which one replica leads.
    pub lease: String,
    /// How long others wait for a leader that fell silent.
    pub lease_seconds: u64,
    /// Tokens are renewed at the latest when this part of their interval has passed …
    pub renew_fraction: f64,
    /// … and at the earliest this part of it before that, so that they are not all renewed at once.
    pub renew_spread: f64,
    /// How long a job may be without live pods before its tokens are cancelled.
    pub grace_seconds: u64,
    /// Renewals and cancellations at a time, for each Hadoop service.
    pub concurrency: usize,
    /// The same in a second, at most.
    pub per_second: u32,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            enabled: true,
            lease: "kube2hadoop-fetcher".into(),
            lease_seconds: 15,
            renew_fraction: 0.7,
            renew_spread: 0.2,
            grace_seconds: 60,
            concurrency: 8,
            per_second: 100,
        }
    }
}

impl Lifecycle {
    pub(super) fn validate(&self) -> Result<(), InvalidConfig> {
        if self.lease.trim().is_empty() {
            return Err(InvalidConfig::Empty {
                field: "lifecycle.lease",
            });
        }
        let counts = [
            ("lifecycle.concurrency", self.concurrency as u64),
            ("lifecycle.perSecond", self.per_second.into()),
        ];
        if let Some((field, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(InvalidConfig::Zero { field });
        }
        if !(5..=300).contains(&self.lease_seconds) {
            return Err(InvalidConfig::LeaseSeconds(self.lease_seconds));
        }
        // A watch of pods that lives shorter than this would be begun anew all the time.
        if self.grace_seconds < LEAST_GRACE {
            return Err(InvalidConfig::GraceSeconds(self.grace_seconds));
        }
        // A renewal that fails at first needs time to be tried again.
        let latest = self.renew_fraction;
        let earliest = latest - self.renew_spread;
        if !(0.1..=0.9).contains(&latest) || !(0.05..=latest).contains(&earliest) {
            return Err(InvalidConfig::RenewFraction);
        }
        Ok(())
    }
}
