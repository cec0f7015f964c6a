//! Which services of Hadoop give no tokens now: as issues show, and where nobody asks for any, a look at each. It
//! closes no gate, since jobs that have tokens need no more: a replica without Kerberos is not dead.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use kube2hadoop_runtime::readiness::Readiness;
use kube2hadoop_runtime::shutdown::Shutdown;
use tokio::time::Instant;

use crate::chain;
use crate::hadoop::HadoopError;
use crate::lifecycle::deeds::Services;
use crate::metrics::{Metrics, ServiceLabel};
use crate::service::ServiceName;

/// How long a service may be away unseen.
const PERIOD: Duration = Duration::from_secs(60);
/// How long it is told what no look shows, after the last issue that failed by it: less than the chart's alert waits, so
/// that one restart of a NameNode is none.
const TOLD_FOR: Duration = Duration::from_secs(240);

/// Says it at `/readyz` and in a metric, and in the log when it begins and ends.
#[derive(Clone)]
pub struct Health {
    metrics: Metrics,
    readiness: Readiness,
    /// Services that are ill, and until when a good look is no sign that they are well.
    ill: Arc<Mutex<BTreeMap<ServiceName, Instant>>>,
}

impl Health {
    /// All is well as far as is known.
    #[must_use]
    pub fn new(metrics: Metrics, readiness: Readiness) -> Self {
        Self {
            metrics,
            readiness,
            ill: Arc::default(),
        }
    }

    /// Looks at each service once a minute until shutdown.
    pub(crate) async fn follow(self, services: Services, shutdown: Shutdown) {
        let looking = async {
            loop {
                self.look(&services).await;
                tokio::time::sleep(PERIOD).await;
            }
        };
        tokio::select! {
            () = looking => {}
            () = shutdown.requested() => {}
        }
    }

    /// All at once: those of one realm wait together for its KDC.
    async fn look(&self, services: &Services) {
        let looks = services.iter().map(|(name, service)| async move {
            self.looked(name, service.answers().await);
        });
        join_all(looks).await;
    }

    fn looked(&self, name: &ServiceName, answers: Result<(), HadoopError>) {
        let until = self.ill().get(name).copied();
        match answers {
            Err(error) if error.retryable() => self.is_ill(name, &error, Duration::ZERO),
            _ if until.is_some_and(|until| Instant::now() < until) => {}
            _ => self.is_well(name),
        }
    }

    /// What came of an issue; a user whom Hadoop refuses says nothing of the service.
    pub(super) fn issued(&self, name: &ServiceName, failed: Option<&HadoopError>) {
        match failed {
            Some(error @ (HadoopError::SafeMode { .. } | HadoopError::Failed { .. })) => {
                self.is_ill(name, error, TOLD_FOR);
            }
            Some(error) if error.retryable() => self.is_ill(name, error, Duration::ZERO),
            _ => self.is_well(name),
        }
    }

    fn is_ill(&self, name: &ServiceName, error: &HadoopError, told_for: Duration) {
        let error = chain::text(error);
        let until = Instant::now() + told_for;
        if self.ill().insert(name.clone(), until).is_none() {
            tracing::warn!(service = %name, error, "a service of Hadoop gives no tokens");
        }
        self.tell(name, Some(error));
    }

    fn is_well(&self, name: &ServiceName) {
        if self.ill().remove(name).is_some() {
            tracing::info!(service = %name, "a service of Hadoop gives tokens again");
        }
        self.tell(name, None);
    }

    fn tell(&self, name: &ServiceName, remark: Option<String>) {
        let degraded = &self.metrics.hadoop_degraded;
        let label = ServiceLabel::of(name);
        degraded.get_or_create(&label).set(remark.is_some().into());
        self.readiness.remark(name.as_str(), remark);
    }

    fn ill(&self) -> MutexGuard<'_, BTreeMap<ServiceName, Instant>> {
        self.ill.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
