//! The lifecycle of the operator's configuration.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use futures::stream::BoxStream;
use kube::Client;
use kube2hadoop_stamp::DenyList;
use tokio::sync::watch;

use super::deeds::{Doer, Services};
use super::election::Elector;
use super::herald::Herald;
use super::jobs::LivePod;
use super::kubernetes::leases::KubeLease;
use super::kubernetes::watches::{self, Sighting};
use super::metrics::Upkeep;
use super::run::{Lifecycle, Sources};
use super::timing::{Terms, renew_at};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::Config;
use crate::events::Recorder;
use crate::ledger::STALE_MILLIS;
use crate::ledger::record::Entry;
use crate::ledger::secrets::Secrets;

/// What it shares with the rest of the service.
pub struct Parts {
    pub client: Client,
    pub watches: Client,
    pub ledger_namespace: String,
    pub services: Services,
    pub deny: watch::Receiver<DenyList>,
    pub audit: Audit,
    pub events: Recorder,
    pub metrics: Upkeep,
}

/// Makes it, and its candidate for the lead; contacts nobody.
#[must_use]
pub fn lifecycle(config: &Config, parts: Parts) -> (Arc<Lifecycle>, Elector) {
    let wanted = &config.lifecycle;
    let leases = KubeLease::new(parts.client.clone(), &config.namespace, &wanted.lease);
    let duration = Duration::from_secs(wanted.lease_seconds);
    let elector = Elector::new(Arc::new(leases), identity(), duration);
    let lifecycle = Lifecycle {
        doer: Doer {
            store: Arc::new(ledger(config, &parts.client, &parts.ledger_namespace)),
            services: parts.services,
            clock: Clock::system(),
        },
        herald: Herald {
            metrics: parts.metrics,
            audit: parts.audit,
            events: parts.events,
            refreshed_at: config.ledger.min_life_fraction,
        },
        sources: Box::new(Watches {
            client: parts.watches,
            patience: watches::patience(wanted.grace_seconds),
            ledger_namespace: parts.ledger_namespace,
        }),
        terms: terms(config),
        deny: parts.deny,
        concurrency: wanted.concurrency,
        pace: Duration::from_secs(1) * u32::try_from(wanted.concurrency).unwrap_or(u32::MAX)
            / wanted.per_second.max(1),
    };
    (Arc::new(lifecycle), elector)
}

/// The shared ledger, with notes on when each token will be renewed.
#[must_use]
pub fn ledger(config: &Config, client: &Client, namespace: &str) -> Secrets {
    let secrets = Secrets::new(client.clone(), namespace);
    if !config.renews() {
        return secrets;
    }
    let terms = terms(config);
    secrets.noting(Arc::new(move |live, name| {
        renew_at(live, &name.into(), &terms)
    }))
}

fn terms(config: &Config) -> Terms {
    Terms {
        renew_fraction: config.lifecycle.renew_fraction,
        renew_spread: config.lifecycle.renew_spread,
        grace: config.lifecycle.grace_seconds.saturating_mul(1000),
        // Whoever asks takes it over after half of this.
        claim: STALE_MILLIS.saturating_mul(2),
    }
}

/// The pod's name is for people; the random part tells a restarted container from the one before.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "fetcher".into());
    let mut random = [0; 8];
    if rand::fill(&mut random).is_err() {
        return format!("{host}_{}", std::process::id());
    }
    format!("{host}_{:016x}", u64::from_be_bytes(random))
}

struct Watches {
    client: Client,
    patience: u32,
    ledger_namespace: String,
}

impl Sources for Watches {
    fn pods(&self) -> BoxStream<'static, Sighting<LivePod>> {
        watches::pods(self.client.clone(), self.patience)
    }

    fn entries(&self) -> BoxStream<'static, Sighting<Entry>> {
        watches::entries(self.client.clone(), &self.ledger_namespace)
    }
}
