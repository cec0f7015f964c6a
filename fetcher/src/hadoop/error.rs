//! Why a Hadoop service gave no token, and what to change.

use std::sync::Arc;

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
    /// A host that has only just started, or that is too busy.
    #[error("{service} cannot answer yet ({message}): it is asked again")]
    NotReady { service: String, message: String },
    /// Of a host whose address belongs into the token.
    #[error(
        "the address of {host}, which Java clients look for in the token, was not found ({reason}): see that the fetcher's DNS answers"
    )]
    Unresolved { host: String, reason: String },
    /// We could not get a Kerberos ticket.
    #[error(transparent)]
    Kerberos(#[from] Arc<SpnegoError>),
    /// The server did not take our ticket.
    #[error("{host} refused our Kerberos ticket: {message}{}", .fault.advice())]
    TicketRefused {
        host: String,
        message: String,
        fault: TicketFault,
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
    Unknown {
        service: String,
        message: String,
        /// Whether a server that never saw the token says the same.
        perhaps_a_stranger: bool,
    },
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
    /// The service could not, by no fault of what was asked.
    #[error(
        "{service} failed with {exception}: {message}; it is asked again, and its own log says more"
    )]
    Failed {
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

/// Why a server does not take a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketFault {
    ClockSkew,
    OldKeytab,
    /// Two tickets in one microsecond.
    Replay,
    Other,
}

impl TicketFault {
    /// From GSSException's text.
    pub(super) fn of(text: &str) -> Self {
        let faults = [
            ("Clock skew", Self::ClockSkew),
            ("Checksum failed", Self::OldKeytab),
            ("Request is a replay", Self::Replay),
        ];
        let found = faults.into_iter().find(|(words, _)| text.contains(words));
        found.map_or(Self::Other, |(_, fault)| fault)
    }

    fn advice(self) -> &'static str {
        match self {
            Self::ClockSkew => "; synchronise its clock with NTP",
            Self::OldKeytab => "; its HTTP keytab is older than the KDC's key: export it anew",
            Self::Replay | Self::Other => {
                "; see that hadoop.http.authentication.type is kerberos there"
            }
        }
    }
}

impl HadoopError {
    /// Stable name: a metric label.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.told().0
    }

    /// Whether asking again may help without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.told().1
    }

    /// Whether the token is gone, so that a new one has to be issued.
    #[must_use]
    pub fn lost(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// Whether another host of the service, to which the token is no stranger, may still know it.
    pub(super) fn perhaps_a_stranger(&self) -> bool {
        matches!(
            self,
            Self::Unknown {
                perhaps_a_stranger: true,
                ..
            }
        )
    }

    /// Whether another host of the service may still answer.
    pub(super) fn next_host(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::AllStandby { .. }
            | Self::NotReady { .. }
            | Self::TicketRefused { .. }
            | Self::Failed { .. }
            | Self::BadAnswer { .. } => true,
            Self::Kerberos(error) => error.no_kdc() || error.of_one_host(),
            _ => false,
        }
    }

    /// Its name, and whether to ask again.
    fn told(&self) -> (&'static str, bool) {
        match self {
            Self::Unreachable { .. } => ("hadoop-unreachable", true),
            Self::AllStandby { .. } => ("hadoop-standby", true),
            Self::SafeMode { .. } => ("hadoop-safe-mode", true),
            Self::NotReady { .. } => ("hadoop-not-ready", true),
            Self::Unresolved { .. } => ("hadoop-unresolved", true),
            // A KDC comes back, a keytab is replaced: who waits gets its token then.
            Self::Kerberos(error) => (error.reason(), true),
            Self::TicketRefused { .. } => ("ticket-refused", true),
            Self::NotImpersonated { .. } => ("proxy-user-not-allowed", false),
            Self::HostNotAllowed { .. } => ("proxy-host-not-allowed", false),
            Self::UserDenied(_) => ("user-denied", false),
            Self::Unknown { .. } => ("token-unknown", true),
            Self::NotRenewer { .. } => ("not-renewer", false),
            Self::Refused { .. } => ("hadoop-refused", false),
            Self::Failed { .. } => ("hadoop-failed", true),
            Self::BadAnswer { .. } => ("hadoop-bad-answer", true),
        }
    }
}
