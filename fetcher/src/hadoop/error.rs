//! Why a Hadoop service gave no token, and what to change.

use std::sync::Arc;

use ::http::StatusCode;
use kube2hadoop_stamp::HadoopUser;
use thiserror::Error;

use super::product::Product;
use super::spnego::SpnegoError;

/// One failed call. The texts go to users and logs: they hold no token and no URL with one.
#[derive(Debug, Error, Clone)]
pub enum HadoopError {
    /// No host of the service answered.
    #[error(
        "no host of {service} answered ({tried}): see that it runs and that its addresses in the Hadoop configuration are right"
    )]
    Unreachable { service: String, tried: String },
    /// Every NameNode or ResourceManager is standby.
    #[error(
        "every host of {service} is standby: make one active (-transitionToActive of `hdfs haadmin` or `yarn rmadmin`)"
    )]
    AllStandby { service: String },
    /// The active NameNode does not write now.
    #[error("{service} is in safe mode and issues no tokens until it leaves it: {message}")]
    SafeMode { service: String, message: String },
    /// We could not get a Kerberos ticket.
    #[error(transparent)]
    Kerberos(#[from] Arc<SpnegoError>),
    /// The server did not take our ticket.
    #[error("{host} refused our Kerberos ticket: {message}{advice}")]
    TicketRefused {
        host: String,
        message: String,
        advice: &'static str,
    },
    /// Proxy user rights: groups and users.
    #[error(
        "{service} does not let us act for {user} ({message}): add {user} or one of their groups to {prefix}.{principal}.users or {prefix}.{principal}.groups in its {file}, and see that the user and the groups are known on its hosts",
        prefix = .product.proxy_prefix(), file = .product.proxy_file()
    )]
    NotImpersonated {
        service: String,
        product: Product,
        principal: String,
        user: String,
        message: String,
    },
    /// Proxy user rights: hosts.
    #[error(
        "{service} does not let us act for others from this address ({message}): add it to {prefix}.{principal}.hosts in its {file}",
        prefix = .product.proxy_prefix(), file = .product.proxy_file()
    )]
    HostNotAllowed {
        service: String,
        product: Product,
        principal: String,
        message: String,
    },
    /// A user nobody may be.
    #[error("tokens of {0} are never issued: it is on the deny list")]
    UserDenied(HadoopUser),
    /// Cancelled, expired for good, or forgotten by its issuer.
    #[error("{service} no longer knows the token ({message}): issue a new one")]
    Unknown { service: String, message: String },
    /// Somebody else is the token's renewer.
    #[error(
        "{service} lets only the token's renewer renew it ({message}): set hadoop.renewer to the short name of our principal"
    )]
    NotRenewer { service: String, message: String },
    /// The service refused, and no rule of ours says why.
    #[error("{service} refused with {exception}: {message}")]
    Refused {
        service: String,
        exception: String,
        message: String,
    },
    /// Not what such a service answers.
    #[error(
        "{host} did not answer like a Hadoop service ({what}): see that the http(s) addresses in the Hadoop configuration name its web port, and that no proxy is in between"
    )]
    BadAnswer { host: String, what: String },
}

impl HadoopError {
    /// Stable name: the last part of the problem's `type`, and a metric label.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.wire().0
    }

    /// The HTTP status towards the pod.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.wire().1
    }

    /// Whether asking again may help without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.wire().2
    }

    /// Whether the token is gone, so that a new one has to be issued.
    #[must_use]
    pub fn lost(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// Whether another host of the service may still answer.
    pub(super) fn next_host(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::AllStandby { .. } | Self::BadAnswer { .. } => true,
            Self::Kerberos(error) => error.no_kdc(),
            _ => false,
        }
    }

    fn wire(&self) -> (&'static str, StatusCode, bool) {
        match self {
            Self::Unreachable { .. } => {
                ("hadoop-unreachable", StatusCode::SERVICE_UNAVAILABLE, true)
            }
            Self::AllStandby { .. } => ("hadoop-standby", StatusCode::SERVICE_UNAVAILABLE, true),
            Self::SafeMode { .. } => ("hadoop-safe-mode", StatusCode::SERVICE_UNAVAILABLE, true),
            // A KDC comes back, a keytab is replaced: who waits gets its token then.
            Self::Kerberos(error) => (error.reason(), StatusCode::SERVICE_UNAVAILABLE, true),
            Self::TicketRefused { .. } => ("ticket-refused", StatusCode::SERVICE_UNAVAILABLE, true),
            Self::NotImpersonated { .. } => {
                ("proxy-user-not-allowed", StatusCode::FORBIDDEN, false)
            }
            Self::HostNotAllowed { .. } => ("proxy-host-not-allowed", StatusCode::FORBIDDEN, false),
            Self::UserDenied(_) => ("user-denied", StatusCode::FORBIDDEN, false),
            Self::Unknown { .. } => ("token-unknown", StatusCode::BAD_GATEWAY, true),
            Self::NotRenewer { .. } => ("not-renewer", StatusCode::BAD_GATEWAY, false),
            Self::Refused { .. } => ("hadoop-refused", StatusCode::BAD_GATEWAY, false),
            Self::BadAnswer { .. } => ("hadoop-bad-answer", StatusCode::BAD_GATEWAY, true),
        }
    }
}
