//! Puts the parts together and runs them until the process is asked to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use kube::Client;
use kube2hadoop_runtime::api_server::Clients;
use kube2hadoop_runtime::config::File;
use kube2hadoop_runtime::guards::Lookout;
use kube2hadoop_runtime::readiness::Readiness;
use kube2hadoop_runtime::reload::Followed;
use kube2hadoop_runtime::shutdown::Shutdown;
use kube2hadoop_runtime::{admin, listen};
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::attest::kubernetes::KubeAttestor;
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::{Changes, Config, Legacy, Standing};
use crate::events::{self, Recorder};
use crate::guarded::{self, Guarded};
use crate::http::{Service, Turns, legacy, router};
use crate::issue::Issuer;
use crate::issue::configured::{Configured, SetupError};
use crate::issue::health::Health;
use crate::ledger::{Ledger, Rules, Sharing};
use crate::lifecycle;
use crate::lifecycle::deeds::Services;
use crate::metrics::Metrics;
use crate::read_once::ReadOnce;
use crate::serving_cert::{self, Bundle};
use crate::stamp_keys::{self, StampKeys};

/// Why the service did not start, or stopped before it was asked to.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    #[error("the Hadoop configuration cannot be used")]
    Hadoop(#[from] SetupError),
    #[error("failed to set up the API server client: run in a pod, or set KUBECONFIG")]
    Client(#[source] kube::Error),
    #[error("failed to listen on {address}: choose a free address in `{setting}`")]
    Listen {
        address: SocketAddr,
        setting: &'static str,
        source: std::io::Error,
    },
    #[error("failed to serve the admin port")]
    Admin(#[source] std::io::Error),
    #[error("the {0} died: please report what is logged above")]
    Died(&'static str),
}

impl ServeError {
    /// Whether a restart with the same configuration cannot help.
    #[must_use]
    pub(crate) fn is_config(&self) -> bool {
        matches!(self, Self::Hadoop(_))
    }
}

/// Runs the service until SIGTERM or SIGINT, then lets requests in flight end.
///
/// # Errors
/// What kept it from starting.
pub(crate) async fn run(config: Config, file: File) -> Result<(), ServeError> {
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let (changes, standing) = Standing::new(&config);
    let readiness = Readiness::new();
    let read_once = ReadOnce::of(&config);
    let health = Health::new(metrics.clone(), readiness.clone());
    let configured =
        Configured::new(&config, standing.deny.clone(), metrics.clone())?.telling(health.clone());
    configured.warn_of_http();
    let services = configured.token_services();
    let issuer: Arc<dyn Issuer> = Arc::new(configured);
    let clients = Clients::try_default().await.map_err(ServeError::Client)?;
    let listener = bind(config.listen, "listen").await?;
    let legacy = match &config.legacy {
        Some(Legacy { listen }) => Some(bind(*listen, "legacy.listen").await?),
        None => None,
    };
    let shutdown = Shutdown::on_signals();
    tokio::spawn(read_once.follow(metrics.clone(), shutdown.clone()));
    tokio::spawn(health.follow(services.clone(), shutdown.clone()));
    let followed = Followed::new(file, Changes::LIVE, metrics.reloads.clone());
    tokio::spawn(followed.follow(move |file| changes.put_in_force(file), shutdown.clone()));
    let parts = Parts {
        config,
        standing,
        client: clients.calls,
        watches: clients.watches,
        services,
        issuer,
        readiness,
        metrics,
        shutdown,
    };
    let admin = admin::serve(
        parts.config.admin,
        parts.readiness.clone(),
        Arc::new(registry),
        parts.shutdown.clone(),
    );
    tokio::select! {
        ended = admin => ended.map_err(ServeError::Admin),
        ended = parts.serve(listener, legacy) => ended,
    }
}

async fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| ServeError::Listen {
        address,
        setting,
        source,
    })
}

/// How long a connection may be without a request: pods send theirs at once, and no second one. Each holds a place that
/// others wait for.
const SILENCE: Duration = Duration::from_secs(10);
/// Of legacy mode, beside those over TLS: all of them must fit into the memory.
pub(crate) const LEGACY_CONNECTIONS: u32 = 512;
/// Two questions to the API server, or the last of a slow issue.
const GIVING_BACK: Duration = Duration::from_secs(6);

/// The end of a task that lasts until shutdown: whether that was in order.
type End = Shared<BoxFuture<'static, bool>>;

fn watched(task: JoinHandle<()>) -> End {
    task.map(|ended| ended.is_ok()).boxed().shared()
}

/// Ends when the task does by itself. Asked to stop, it ends in order.
async fn died(task: End, stop: &Shutdown) {
    if task.await && stop.is_requested() {
        std::future::pending::<()>().await;
    }
}

/// Leaves nothing behind that others wait for, as far as the time suffices.
async fn give_back(ledger: &Ledger, upkeep: End) {
    let ledger = tokio::time::timeout(GIVING_BACK, ledger.settled());
    // It ends by the same shutdown; what is left to it is giving the lease back.
    let upkeep = tokio::time::timeout(GIVING_BACK, upkeep);
    let (ledger, upkeep) = tokio::join!(ledger, upkeep);
    if ledger.is_err() {
        tracing::error!(
            "tokens were issued that have no place in the shared ledger yet: nobody will cancel them"
        );
    }
    if upkeep.is_err() {
        tracing::warn!("the lease runs out by itself");
    }
}

struct Parts {
    config: Config,
    standing: Standing,
    client: Client,
    watches: Client,
    services: Services,
    issuer: Arc<dyn Issuer>,
    readiness: Readiness,
    metrics: Metrics,
    shutdown: Shutdown,
}

impl Parts {
    async fn serve(
        self,
        listener: TcpListener,
        legacy: Option<TcpListener>,
    ) -> Result<(), ServeError> {
        let (guarded, guards) = self.guarded();
        let service = Arc::new(self.service(guarded));
        let upkeep = self.upkeep(&service);
        let ended = tokio::select! {
            () = self.answer(&service, listener, legacy) => Ok(()),
            // This replica would never lead again, …
            () = died(upkeep.clone(), &self.shutdown) => Err(ServeError::Died("upkeep of tokens")),
            // … or hand out nothing.
            () = died(guards, &self.shutdown) => Err(ServeError::Died("check of the guards")),
        };
        service.ledger.close();
        tracing::info!("drained");
        give_back(&service.ledger, upkeep).await;
        ended
    }

    /// Answers pods from the first certificate until shutdown.
    async fn answer(
        &self,
        service: &Arc<Service>,
        listener: TcpListener,
        legacy: Option<TcpListener>,
    ) {
        let source =
            serving_cert::Source::new(&self.config.tls, &self.client, &self.config.namespace);
        let gate = self.readiness.gate("tls");
        let first = serving_cert::first(&source, &gate, &self.metrics, &self.shutdown).await;
        let Some((tls, pair)) = first else {
            return;
        };
        tokio::spawn(serving_cert::follow(
            tls.clone(),
            pair,
            service.bundle.clone(),
            source,
            self.metrics.clone(),
            self.shutdown.clone(),
        ));
        let limits = listen::Limits {
            max_connections: self.config.limits.connections,
            header_timeout: SILENCE,
            drain: Duration::from_secs(self.config.limits.drain_seconds),
            ..listen::Limits::default()
        };
        tracing::info!(listen = %self.config.listen, "serving");
        let until = || self.shutdown.clone();
        let served = listen::serve(listener, tls, router(Arc::clone(service)), limits, until());
        let legacy = async {
            if let Some(listener) = legacy {
                tracing::warn!("legacy mode is on: tokens are handed out without TLS, by address");
                let router = legacy::router(Arc::clone(service));
                let few = listen::Limits {
                    max_connections: LEGACY_CONNECTIONS.min(limits.max_connections),
                    ..limits
                };
                listen::serve_plain(listener, router, few, until()).await;
            }
        };
        // Whoever comes while others still learn that we go is served as ever; after that, another replica can do it.
        let closing = async {
            self.shutdown.requested().await;
            tokio::time::sleep(limits.linger).await;
            service.ledger.close();
        };
        tokio::join!(served, legacy, closing);
    }

    fn service(&self, guarded: Guarded) -> Service {
        let limits = &self.config.limits;
        let audit = Audit::to(std::io::stdout(), Clock::system());
        Service {
            attestor: Arc::new(self.attestor()),
            ledger: self.ledger(audit.clone()),
            guarded,
            audit,
            events: self.recorder(),
            turns: Turns::new(limits.running, limits.waiting, self.metrics.clone()),
            conf: self.issuer.client_conf().clone(),
            bundle: Bundle::default(),
            request_limit: Duration::from_secs(limits.request_seconds),
            metrics: self.metrics.clone(),
            issuer: Arc::clone(&self.issuer),
        }
    }

    /// Renews and cancels in the background, where replicas share a ledger.
    fn upkeep(&self, service: &Service) -> End {
        let namespace = self.config.ledger.namespace.clone();
        let Some(namespace) = namespace.filter(|_| self.config.renews()) else {
            let stop = self.shutdown.clone();
            return watched(tokio::spawn(async move { stop.requested().await }));
        };
        let parts = lifecycle::configured::Parts {
            client: self.client.clone(),
            watches: self.watches.clone(),
            ledger_namespace: namespace,
            services: self.services.clone(),
            deny: self.standing.deny.clone(),
            audit: service.audit.clone(),
            events: service.events.clone(),
            metrics: self.metrics.upkeep.clone(),
        };
        let (lifecycle, elector) = lifecycle::configured::lifecycle(&self.config, parts);
        watched(tokio::spawn(lifecycle::run::run(
            lifecycle,
            elector,
            self.shutdown.clone(),
        )))
    }

    fn attestor(&self) -> KubeAttestor {
        let config = &self.config;
        let keys = Arc::new(StampKeys::default());
        let source = stamp_keys::Source::new(&config.stamp_keys, &self.client, &config.namespace);
        let gate = self.readiness.gate("stamp-keys");
        tokio::spawn(stamp_keys::follow(
            Arc::clone(&keys),
            source,
            gate,
            self.shutdown.clone(),
        ));
        KubeAttestor::new(
            self.client.clone(),
            config.audience.clone(),
            self.standing.terms.clone(),
            keys,
        )
    }

    fn ledger(&self, audit: Audit) -> Ledger {
        let limits = &self.config.ledger;
        let sharing = limits
            .namespace
            .as_deref()
            .map_or_else(Sharing::alone, |namespace| {
                let secrets = lifecycle::configured::ledger(&self.config, &self.client, namespace);
                Sharing::through(Arc::new(secrets)).showing(self.metrics.ledger_unplaced.clone())
            });
        let rules = Rules {
            min_life_fraction: limits.min_life_fraction,
            capacity: limits.capacity,
            failure_millis: limits.failure_seconds.saturating_mul(1000),
            renewed: self.config.renews(),
        };
        let issuer = Arc::clone(&self.issuer);
        Ledger::new(issuer, sharing, rules, Clock::system(), audit)
    }

    fn guarded(&self) -> (Guarded, End) {
        let guarded = Guarded::new(self.config.policy.require_token_guard);
        let following = tokio::spawn(guarded::follow(
            guarded.clone(),
            self.client.clone(),
            Lookout::new(self.config.guards.all()),
            self.readiness.gate("guards"),
            self.metrics.clone(),
            self.shutdown.clone(),
        ));
        (guarded, watched(following))
    }

    fn recorder(&self) -> Recorder {
        if !self.config.events {
            return Recorder::silent(self.metrics.clone());
        }
        let (recorder, waiting) = Recorder::new(self.metrics.clone());
        tokio::spawn(events::send_all(
            self.client.clone(),
            waiting,
            self.metrics.clone(),
        ));
        recorder
    }
}

#[cfg(test)]
mod tests;
