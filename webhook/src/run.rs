//! Puts the parts together and runs them until the process is asked to stop.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use kube2hadoop_runtime::api_server::Clients;
use kube2hadoop_runtime::audit::AuditLog;
use kube2hadoop_runtime::config::File;
use kube2hadoop_runtime::logging::{self, LogArgs};
use kube2hadoop_runtime::readiness::Readiness;
use kube2hadoop_runtime::reload::Followed;
use kube2hadoop_runtime::shutdown::Shutdown;
use kube2hadoop_runtime::{admin, config, core_files, listen};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::admission::Policy;
use crate::config::{Config, LoadError};
use crate::ldap::LdapServers;
use crate::metrics::Metrics;
use crate::provision::Upkeep;
use crate::server::{ApiServer, Bodies, Callers, CurrentKeys, Patience, Webhook, router};

/// Mutating admission webhook of Kube2Hadoop.
#[derive(Debug, Parser)]
#[command(name = "kube2hadoop-webhook", version)]
pub struct Args {
    /// The configuration file.
    #[arg(long, default_value = "/etc/kube2hadoop/webhook.yaml")]
    config: PathBuf,
    /// Only check the configuration file: exit code 0, or 64 with the reason.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    log: LogArgs,
    /// Threads that serve; default: as many as there are cores, at most two.
    #[arg(long)]
    workers: Option<NonZeroUsize>,
}

/// One core answers thousands of requests a second: more threads than this would only take memory.
const MOST_WORKERS: usize = 2;

/// Why the service did not start, or stopped before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("failed to start threads: {0}")]
    Threads(#[source] std::io::Error),
    #[error("failed to set up the API server client: run in a pod, or set KUBECONFIG: {0}")]
    Client(#[source] Box<kube::Error>),
    #[error("failed to listen on {address}: {source}")]
    Listen {
        address: std::net::SocketAddr,
        source: std::io::Error,
    },
    #[error("failed to serve the admin port: {0}")]
    Admin(#[source] std::io::Error),
    #[error("the upkeep of certificates and keys died: please report what is logged above")]
    Upkeep,
}

/// Runs the command line and gives the exit code: 64 for a configuration that cannot be used.
pub fn main(args: &Args) -> ExitCode {
    let _unwritten = logging::init(&args.log);
    core_files::forbid();
    let read = File::read(&args.config).map_err(LoadError::from);
    let read = read.and_then(|file| Ok((Config::parse(&file)?, file)));
    let (config, file) = match read {
        Ok(read) => read,
        Err(error) => {
            tracing::error!(%error, "the configuration cannot be used");
            return ExitCode::from(config::EXIT_CODE);
        }
    };
    if args.check {
        return ExitCode::SUCCESS;
    }
    match threads(args.workers).and_then(|runtime| runtime.block_on(run(config, file))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "stopped");
            ExitCode::FAILURE
        }
    }
}

fn threads(workers: Option<NonZeroUsize>) -> Result<Runtime, RunError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = workers.map_or(cores.min(MOST_WORKERS), NonZeroUsize::get);
    let mut builder = if workers == 1 {
        Builder::new_current_thread()
    } else {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(workers);
        builder
    };
    builder.enable_all().build().map_err(RunError::Threads)
}

/// Runs until SIGTERM or SIGINT, then lets requests in flight end.
///
/// # Errors
/// What kept it from starting.
pub async fn run(config: Config, file: File) -> Result<(), RunError> {
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let file = Followed::new(file, Config::LIVE, metrics.reloads.clone());
    let clients = Clients::try_default()
        .await
        .map_err(|error| RunError::Client(Box::new(error)))?;
    let address = config.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| RunError::Listen { address, source })?;
    let shutdown = Shutdown::on_signals();
    let readiness = Readiness::new();
    let admin = admin::serve(
        config.admin,
        readiness.clone(),
        Arc::new(registry),
        shutdown.clone(),
    );
    tokio::select! {
        ended = admin => ended.map_err(RunError::Admin),
        ended = serve((config, file), clients, listener, metrics, &readiness, shutdown) => ended,
    }
}

async fn serve(
    (config, file): (Config, Followed),
    clients: Clients,
    listener: TcpListener,
    metrics: Metrics,
    readiness: &Readiness,
    shutdown: Shutdown,
) -> Result<(), RunError> {
    let keys = Arc::new(CurrentKeys::default());
    let guarded = Arc::new(AtomicBool::new(false));
    let mut upkeep = Upkeep::new(
        clients.clone(),
        &config,
        Arc::clone(&keys),
        Arc::clone(&guarded),
        metrics.provision.clone(),
        readiness,
    );
    let Some(tls) = upkeep.first(&shutdown).await else {
        return Ok(());
    };
    let upkeep = tokio::spawn(upkeep.keep(shutdown.clone()));
    let cluster = ApiServer::new(clients, metrics.api_calls.clone(), shutdown.clone());
    let directories = LdapServers::new(metrics.ldap.clone());
    let callers = Callers::new(Arc::new(cluster), Arc::new(directories), guarded);
    let patience = Patience::of(config.timeout_seconds);
    let (change, policy) = watch::channel(Arc::new(config.into_policy()));
    tokio::spawn(file.follow(move |file| put_in_force(file, &change), shutdown.clone()));
    let (audit, _unwritten) = AuditLog::batched();
    let webhook = Arc::new(Webhook {
        policy,
        keys,
        callers,
        patience,
        bodies: Bodies::default(),
        metrics,
        audit,
    });
    let stop = shutdown.clone();
    let served = listen::serve(
        listener,
        tls,
        router(webhook),
        listen::Limits::default(),
        shutdown,
    );
    let died = async {
        let ended = upkeep.await;
        if stop.is_requested() && ended.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = served => Ok(()),
        // Nobody would renew what is served.
        () = died => Err(RunError::Upkeep),
    }
}

/// Every request that begins from now on is decided by the new policy.
fn put_in_force(file: &File, change: &watch::Sender<Arc<Policy>>) -> Result<(), String> {
    let config = Config::parse(file).map_err(|error| error.to_string())?;
    change.send_replace(Arc::new(config.into_policy()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Connect;

    /// As the chart renders it.
    const CHART: &str = include_str!("../tests/fixtures/webhook.yaml");

    fn file(text: &str) -> File {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("webhook.yaml");
        std::fs::write(&path, text).unwrap();
        File::read(&path).unwrap()
    }

    #[test]
    fn a_changed_file_is_put_in_force_whole_or_not_at_all() {
        let config = Config::parse(&file(CHART)).unwrap();
        let (change, policy) = watch::channel(Arc::new(config.into_policy()));
        assert_eq!(policy.borrow().connect, Connect::Warn);
        let strict = CHART.replace(r#""connect":"warn""#, r#""connect":"deny""#);
        put_in_force(&file(&strict), &change).unwrap();
        assert_eq!(policy.borrow().connect, Connect::Deny);
        let unanchored = CHART.replace("'^(?<name>", "'(?<name>");
        let error = put_in_force(&file(&unanchored), &change).unwrap_err();
        assert!(error.contains("not anchored"), "{error}");
        assert_eq!(policy.borrow().connect, Connect::Deny);
    }
}
