//! Why there are no files: the exit code, and what the pod's owner can do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use kube2hadoop_client::contract::Problem;
use thiserror::Error;

use super::cli::UsageError;
use super::service_account::ServiceAccountError;
use super::settings::SettingsError;

/// Why there are no files. Each variant has one exit code, and one advice for the pod's owner.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Usage(#[from] UsageError),
    #[error("{0}")]
    Settings(#[from] SettingsError),
    #[error("the service account token {} cannot be used: {source}", path.display())]
    ServiceAccount {
        path: PathBuf,
        source: ServiceAccountError,
    },
    #[error("the name {host} cannot be resolved")]
    Name { host: String },
    #[error("it cannot be reached: {reason}")]
    Unreachable { reason: String },
    #[error("it did not answer in time ({phase})")]
    Timeout { phase: String },
    #[error("its certificate is not trusted: {reason}")]
    Untrusted { reason: String },
    #[error("{}", said(.problem))]
    Problem {
        problem: Box<Problem>,
        retry_after: Option<Duration>,
    },
    #[error("it answered with HTTP status {status} and no explanation")]
    Status {
        status: u16,
        request_id: Option<String>,
        retry_after: Option<Duration>,
    },
    #[error("its answer cannot be used: {reason}")]
    Protocol {
        reason: String,
        request_id: Option<String>,
    },
    #[error("{} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{source} (attempt {attempt}, {} s after the first)", elapsed.as_secs())]
    Deadline {
        attempt: u32,
        elapsed: Duration,
        source: Box<Self>,
    },
}

impl Failure {
    /// As in BSD's sysexits.h, and as listed in `--help`.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Settings(_) | Self::ServiceAccount { .. } => 64,
            Self::Write { .. } => 74,
            Self::Deadline { .. } => 75,
            Self::Protocol { .. } => 76,
            _ if self.is_retryable() => 75,
            _ => 77,
        }
    }

    pub(super) fn is_retryable(&self) -> bool {
        match self {
            // The CA may be in the middle of a rotation, and a Service may lead to a dying pod.
            Self::Name { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Untrusted { .. } => true,
            Self::Problem { problem, .. } => problem.retryable,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem { retry_after, .. } | Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        match self {
            Self::Problem { problem, .. } => problem.request_id.as_deref(),
            Self::Status { request_id, .. } | Self::Protocol { request_id, .. } => {
                request_id.as_deref()
            }
            Self::Deadline { source, .. } => source.request_id(),
            _ => None,
        }
    }

    /// Whether the fetcher's URL belongs into the message.
    pub(super) fn is_about_the_fetcher(&self) -> bool {
        !matches!(
            self,
            Self::Usage(_) | Self::Settings(_) | Self::ServiceAccount { .. } | Self::Write { .. }
        )
    }

    /// What the pod's owner can do. Empty where the fetcher's own text says it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::Settings(_) => {
                "this container is set up by the kube2hadoop webhook: create the pod anew, and tell the cluster's admin if that does not help"
            }
            Self::ServiceAccount { .. } => {
                "the pod needs the projected token volume that the kube2hadoop webhook adds: create the pod anew"
            }
            Self::Name { .. } => {
                "check that the pod can reach the cluster's DNS (dnsPolicy, network policies)"
            }
            Self::Unreachable { .. } | Self::Timeout { .. } => {
                "check that the kube2hadoop fetcher is running, and that network policies let this pod reach it"
            }
            Self::Untrusted { .. } => {
                "the pod got its CA when it was created: create it anew, and tell the cluster's admin if that does not help"
            }
            Self::Problem { .. } => "",
            Self::Status { .. } | Self::Protocol { .. } => {
                "tell the cluster's admin to check KUBE2HADOOP_URL, and that webhook and fetcher have the same version"
            }
            Self::Write { .. } => {
                "check that the kube2hadoop volume is mounted writable in this container, and is not full"
            }
            Self::Deadline { source, .. } => source.advice(),
        }
    }
}

fn said(problem: &Problem) -> String {
    match problem.detail.as_str() {
        "" => format!("{} ({})", problem.title, problem.name()),
        detail => format!("{} ({}): {detail}", problem.title, problem.name()),
    }
}
