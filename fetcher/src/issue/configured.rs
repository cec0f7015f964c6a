//! The [`Issuer`] of the operator's Hadoop configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use kube2hadoop_client::contract::{FileContent, FileName, FileNameError};
use kube2hadoop_runtime::readiness::Readiness;
use kube2hadoop_stamp::{DenyList, HadoopUser};
use thiserror::Error;
use tokio::sync::watch;

use super::checks::{Checks, Verdict};
use super::health::Health;
use super::pressure::{Busy, Place, Pressure};
use super::{IssueFailure, Issued, Issuer};
use crate::chain;
use crate::config::{Config, Kms};
use crate::hadoop::{self, HadoopServices, Settings, TokenService};
use crate::metrics::{Counted, Metrics, OutcomeLabel, ServiceLabel};
use crate::service::{InvalidServiceName, ServiceName};

/// What in the Hadoop configuration has to change.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error(transparent)]
    Hadoop(#[from] hadoop::SetupError),
    #[error(
        "a file system of the Hadoop configuration cannot be offered to pods: name it otherwise in dfs.nameservices"
    )]
    Name(#[from] InvalidServiceName),
    #[error("a file of the Hadoop configuration cannot be sent to pods")]
    FileName(#[from] FileNameError),
    #[error(
        "the Hadoop configuration names no service that issues tokens: set fs.defaultFS or dfs.nameservices"
    )]
    Nothing,
}

/// Every service that the configuration names.
pub struct Configured {
    services: HadoopServices,
    names: Vec<ServiceName>,
    client_conf: BTreeMap<FileName, FileContent>,
    pressure: BTreeMap<ServiceName, Pressure>,
    checks: BTreeMap<ServiceName, Checks>,
    metrics: Metrics,
    health: Health,
}

impl Configured {
    /// Reads the Hadoop configuration; contacts nobody.
    ///
    /// # Errors
    /// What has to change, with file and line where there is one.
    pub fn new(
        config: &Config,
        deny: watch::Receiver<DenyList>,
        metrics: Metrics,
    ) -> Result<Self, SetupError> {
        let services = HadoopServices::from_conf(&settings(config, deny))?;
        let names: Vec<_> = services
            .all()
            .iter()
            .map(|service| service.name().parse())
            .collect::<Result<_, _>>()?;
        if names.is_empty() {
            return Err(SetupError::Nothing);
        }
        let files = services.client_conf().iter();
        let client_conf = files
            .map(|(name, content)| {
                Ok((
                    FileName::try_from(name.as_str())?,
                    FileContent(content.clone()),
                ))
            })
            .collect::<Result<_, FileNameError>>()?;
        let limits = config.hadoop.limits;
        let of_each = |name: &ServiceName| (name.clone(), Pressure::new(limits));
        Ok(Self {
            services,
            pressure: names.iter().map(of_each).collect(),
            checks: names
                .iter()
                .map(|name| (name.clone(), Checks::default()))
                .collect(),
            names,
            client_conf,
            health: Health::new(metrics.clone(), Readiness::new()),
            metrics,
        })
    }

    /// Says there which services give no tokens.
    #[must_use]
    pub fn telling(mut self, health: Health) -> Self {
        self.health = health;
        self
    }

    /// Tells of servers that are reached by http; of a KMS when it is first heard of.
    pub fn warn_of_http(&self) {
        self.services.servers().for_each(|it| it.warn_if_plain());
    }

    /// The services themselves, for what happens to tokens after they were issued.
    #[must_use]
    pub fn token_services(&self) -> BTreeMap<ServiceName, Arc<dyn TokenService>> {
        let services = self.services.all().iter().map(Arc::clone);
        self.names.iter().cloned().zip(services).collect()
    }

    async fn call(&self, user: &HadoopUser, name: &ServiceName) -> Result<Issued, IssueFailure> {
        let service = self
            .services
            .get(name.as_str())
            .ok_or_else(|| IssueFailure::NoSuchService(name.clone()))?;
        let started = Instant::now();
        let issued = service.issue(user).await;
        let took = started.elapsed().as_secs_f64();
        let label = ServiceLabel::of(name);
        self.metrics
            .hadoop_seconds
            .get_or_create(&label)
            .observe(took);
        let outcome = issued
            .as_ref()
            .map_or_else(|error| error.reason(), |_| "issued");
        self.metrics
            .hadoop_issues
            .get_or_create(&OutcomeLabel { outcome })
            .inc();
        self.health.issued(name, issued.as_ref().err());
        if let Err(error) = &issued {
            tracing::warn!(service = %name, user = %user, error = chain::text(error), "no token issued");
        }
        Ok(issued?)
    }
}

impl Configured {
    async fn check(&self, name: &ServiceName, issued: &Issued) -> Verdict {
        let (checks, service) = (self.checks.get(name), self.services.get(name.as_str()));
        let verdict = match (checks, service) {
            (Some(checks), Some(service)) => checks.verdict(&**service, issued).await,
            _ => Verdict::Undecided,
        };
        let outcome = verdict.name();
        let checked = &self.metrics.hadoop_checks;
        checked.get_or_create(&OutcomeLabel { outcome }).inc();
        verdict
    }

    async fn wait(
        &self,
        user: &HadoopUser,
        name: &ServiceName,
    ) -> Result<Option<Place>, IssueFailure> {
        let Some(pressure) = self.pressure.get(name) else {
            return Ok(None);
        };
        let label = ServiceLabel::of(name);
        let waiting = Counted::up(self.metrics.hadoop_waiting.get_or_create_owned(&label));
        let turn = pressure.turn(user).await;
        drop(waiting);
        turn.map(Some).map_err(|busy| self.turned_away(name, busy))
    }

    fn turned_away(&self, name: &ServiceName, busy: Busy) -> IssueFailure {
        if self.pressure.get(name).is_some_and(Pressure::is_closed) {
            return IssueFailure::Stopping;
        }
        let label = ServiceLabel::of(name);
        self.metrics.hadoop_overflows.get_or_create(&label).inc();
        let whole = busy.retry_after + Duration::from_millis(999);
        IssueFailure::Busy {
            service: name.clone(),
            seconds: whole.as_secs(),
        }
    }
}

impl Issuer for Configured {
    fn services(&self) -> &[ServiceName] {
        &self.names
    }

    fn client_conf(&self) -> &BTreeMap<FileName, FileContent> {
        &self.client_conf
    }

    fn close(&self) {
        self.pressure.values().for_each(Pressure::close);
    }

    fn turn<'a>(
        &'a self,
        user: &'a HadoopUser,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Option<Place>, IssueFailure>> {
        self.wait(user, service).boxed()
    }

    fn issue<'a>(
        &'a self,
        user: &'a HadoopUser,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Issued, IssueFailure>> {
        self.call(user, service).boxed()
    }

    fn knows<'a>(&'a self, service: &'a ServiceName, issued: &'a Issued) -> BoxFuture<'a, bool> {
        async move { self.check(service, issued).await != Verdict::Unknown }.boxed()
    }
}

/// The Hadoop part of the configuration, as the Hadoop side takes it.
#[must_use]
pub fn settings(config: &Config, deny: watch::Receiver<DenyList>) -> Settings {
    let source = &config.hadoop;
    Settings {
        conf_dir: source.conf_dir.clone(),
        principal: source.principal.clone(),
        renewer: source.renewer().to_owned(),
        ca_file: source.ca_file.clone(),
        require_https: source.require_https,
        krb5_conf: krb5_conf(),
        kms: source.kms == Kms::Auto,
        timeout: Duration::from_secs(source.timeout_seconds),
        deny,
    }
}

/// The file that libkrb5 itself reads first; without one, pods still learn our own realm.
fn krb5_conf() -> String {
    std::fs::read_to_string(krb5_conf_path()).unwrap_or_default()
}

/// Where that file is.
#[must_use]
pub fn krb5_conf_path() -> PathBuf {
    let named = std::env::var("KRB5_CONFIG").unwrap_or_default();
    let first = named.split(':').find(|path| !path.is_empty());
    first.unwrap_or("/etc/krb5.conf").into()
}

#[cfg(test)]
pub(crate) mod tests;
