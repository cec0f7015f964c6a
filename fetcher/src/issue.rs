//! What the token service asks of Hadoop, whatever the Hadoop service is.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use kube2hadoop_client::contract::{FileContent, FileName, ProblemType};
use kube2hadoop_stamp::HadoopUser;
use thiserror::Error;

mod checks;
pub mod configured;
pub mod health;
pub mod pressure;

use crate::hadoop::HadoopError;
pub use crate::hadoop::Issued;
use crate::service::ServiceName;

/// Gets tokens. A trait, so that the service is tested and measured without Hadoop.
pub trait Issuer: Send + Sync + 'static {
    /// The configured services, in a stable order.
    fn services(&self) -> &[ServiceName];

    /// The Hadoop configuration for pods.
    fn client_conf(&self) -> &BTreeMap<FileName, FileContent>;

    /// Waits, in bounded time, until tokens of `user` may be asked for: before anything is written for them. Who has a
    /// place keeps it while it asks.
    fn turn<'a>(
        &'a self,
        _user: &'a HadoopUser,
        _service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Option<pressure::Place>, IssueFailure>> {
        std::future::ready(Ok(None)).boxed()
    }

    /// Begins no more issues: who waits for one is told to ask another replica.
    fn close(&self) {}

    /// Gets new tokens of `user` at `service`, for whoever had its turn.
    fn issue<'a>(
        &'a self,
        user: &'a HadoopUser,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Issued, IssueFailure>>;

    /// Whether Hadoop still knows tokens that `service` issued. Answers soon, and with yes unless no is certain.
    fn knows<'a>(&'a self, _service: &'a ServiceName, _issued: &'a Issued) -> BoxFuture<'a, bool> {
        std::future::ready(true).boxed()
    }
}

/// Why there are no tokens; shared by all who waited for them.
#[derive(Debug, Error, Clone)]
pub enum IssueFailure {
    #[error(transparent)]
    Hadoop(#[from] HadoopError),
    #[error("service {0} is not configured")]
    NoSuchService(ServiceName),
    #[error("{service} is asked for as many tokens as it shall be: try again in {seconds} s")]
    Busy { service: ServiceName, seconds: u64 },
    #[error("the issue was broken off; try again")]
    BrokenOff,
    #[error("another replica is still at it; try again")]
    ElsewhereBusy,
    #[error("this replica is being stopped; try again, and another one answers")]
    Stopping,
}

impl IssueFailure {
    /// Stable name: the reason in audit, Events and metrics; finer than the problem's type.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Hadoop(error) => error.reason(),
            Self::NoSuchService(_) => "unknown-service",
            Self::Busy { .. } => "hadoop-busy",
            Self::BrokenOff => "issue-broken-off",
            Self::ElsewhereBusy => "issue-elsewhere",
            Self::Stopping => "replica-stopping",
        }
    }

    /// When to come again, in seconds, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Busy { seconds, .. } => Some(*seconds),
            _ => None,
        }
    }

    /// What the wire says.
    #[must_use]
    pub fn problem_type(&self) -> ProblemType {
        match self {
            Self::Hadoop(HadoopError::UserDenied(_)) => ProblemType::UserDenied,
            Self::Hadoop(error) if error.retryable() => ProblemType::HadoopUnavailable,
            Self::Hadoop(_) => ProblemType::HadoopRefused,
            Self::NoSuchService(_) => ProblemType::UnknownService,
            Self::Busy { .. } => ProblemType::Overloaded,
            Self::Stopping => ProblemType::ShuttingDown,
            Self::BrokenOff | Self::ElsewhereBusy => ProblemType::HadoopUnavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use kube2hadoop_client::credentials::Token;

    use super::Issued;

    /// One token with this identifier.
    pub(super) fn issued(identifier: u8) -> Issued {
        let (identifier, password) = (vec![identifier], vec![2]);
        let token = Token::new(identifier.into(), password.into(), "k", "s").unwrap();
        Issued {
            tokens: vec![("s".into(), token)],
            issued_at: 0,
            renewed_at: 0,
            expires_at: 1,
            max_date: 2,
            sequence_number: 1,
        }
    }
}
