//! What libkrb5's codes mean for an operator.

use kube2hadoop_client::contract::Timestamp;
use thiserror::Error;

use super::Principal;
use crate::hadoop::keytab::KeytabError;

/// ERROR_TABLE_BASE_krb5, as the unsigned minor status of GSSAPI.
const KRB5_BASE: u32 = 2_529_638_912;

/// Why we have no ticket, or do not believe the server.
#[derive(Debug, Error)]
pub enum SpnegoError {
    #[error(transparent)]
    Keytab(KeytabError),
    #[error(
        "no KDC answers: see that it runs, and that krb5.conf (KRB5_CONFIG) has its address ({0})"
    )]
    KdcUnreachable(String),
    #[error(
        "no KDC is known for the realm of {principal}: add the realm to krb5.conf (KRB5_CONFIG) ({text})"
    )]
    RealmUnknown { principal: String, text: String },
    #[error("the KDC does not know {principal}: create it, or change hadoop.principal ({text})")]
    PrincipalUnknown { principal: String, text: String },
    #[error("the KDC has another key of {principal} than the keytab: export it anew ({text})")]
    WrongKey { principal: String, text: String },
    #[error(
        "{principal} is locked or has expired in the KDC: let it have tickets again, and its key not expire ({text})"
    )]
    PrincipalLocked { principal: String, text: String },
    #[error(
        "the ticket of {principal} has ended, and no newer one was to be had: kube2hadoop-fetcher doctor says whether keytab or KDC is at fault ({text})"
    )]
    TicketEnded { principal: String, text: String },
    #[error("our clock and the KDC's differ too much: synchronise both with NTP ({0})")]
    ClockSkew(String),
    #[error(
        "the KDC does not know HTTP/{host}: use the host name of the server's HTTP principal in hdfs-site.xml ({text})"
    )]
    ServerUnknown { host: String, text: String },
    #[error(
        "{host} did not prove that it is the server we meant: see that no proxy answers in its place ({text})"
    )]
    NotMutual { host: String, text: String },
    #[error("Kerberos gave no ticket for HTTP/{host}: {text}")]
    NoTicket { host: String, text: String },
    #[error(
        "Kerberos did not answer in time: see that the KDCs of krb5.conf (KRB5_CONFIG) can be reached, and that those named first answer"
    )]
    Timeout,
    #[error(
        "no KDC answered at {at} for hosts of {realm}, and none has been asked for them since: see that the KDCs of krb5.conf (KRB5_CONFIG) can be reached"
    )]
    Silent { realm: String, at: Timestamp },
    #[error("the service is stopping")]
    Stopped,
}

impl SpnegoError {
    /// From the mechanism's own code: an offset in the table of krb5_err.et.
    pub(super) fn from_codes(minor: u32, text: String, principal: &Principal, host: &str) -> Self {
        let principal = principal.to_string();
        let host = host.to_owned();
        match minor.wrapping_sub(KRB5_BASE) {
            156 => Self::KdcUnreachable(text),
            154 => Self::RealmUnknown { principal, text },
            6 => Self::PrincipalUnknown { principal, text },
            // Expired, revoked or locked, its key expired.
            1 | 18 | 23 => Self::PrincipalLocked { principal, text },
            // Bad integrity, pre-authentication failed.
            31 | 24 => Self::WrongKey { principal, text },
            // libkrb5 tries in vain to get another one, and says only that the old one has ended.
            32 => Self::TicketEnded { principal, text },
            // Found by either side.
            37 | 148 => Self::ClockSkew(text),
            7 => Self::ServerUnknown { host, text },
            _ => Self::NoTicket { host, text },
        }
    }

    /// Whether no KDC was to be had: a host whose ticket or session we have needs none.
    #[must_use]
    pub fn no_kdc(&self) -> bool {
        matches!(
            self,
            Self::KdcUnreachable(_) | Self::Timeout | Self::Silent { .. }
        )
    }

    /// Whether it is about the server that was called: another one may have a principal, or prove who it is.
    #[must_use]
    pub fn of_one_host(&self) -> bool {
        matches!(
            self,
            Self::ServerUnknown { .. } | Self::NotMutual { .. } | Self::NoTicket { .. }
        )
    }

    /// Stable name: a metric label.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Keytab(_) => "keytab",
            Self::KdcUnreachable(_) | Self::Timeout | Self::Silent { .. } => "kdc-unreachable",
            Self::RealmUnknown { .. } => "kerberos-realm-unknown",
            Self::PrincipalUnknown { .. } => "kerberos-principal-unknown",
            Self::PrincipalLocked { .. } => "kerberos-principal-locked",
            Self::WrongKey { .. } => "kerberos-wrong-key",
            Self::TicketEnded { .. } => "kerberos-ticket-ended",
            Self::ClockSkew(_) => "kerberos-clock-skew",
            Self::ServerUnknown { .. } => "kerberos-server-unknown",
            Self::NotMutual { .. } => "kerberos-not-mutual",
            Self::NoTicket { .. } | Self::Stopped => "kerberos-no-ticket",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minor codes as seen with MIT krb5 1.20.1.
    #[test]
    fn codes_are_told_apart() {
        let ours: Principal = "kube2hadoop@EXAMPLE.COM".parse().unwrap();
        for (minor, reason) in [
            (2_529_639_068, "kdc-unreachable"),
            (2_529_639_066, "kerberos-realm-unknown"),
            (2_529_638_918, "kerberos-principal-unknown"),
            (2_529_638_930, "kerberos-principal-locked"),
            (2_529_638_943, "kerberos-wrong-key"),
            (2_529_638_944, "kerberos-ticket-ended"),
            (2_529_639_060, "kerberos-clock-skew"),
            (2_529_638_919, "kerberos-server-unknown"),
            (100_001, "kerberos-no-ticket"),
            (0, "kerberos-no-ticket"),
        ] {
            assert_eq!(
                SpnegoError::from_codes(minor, "x".into(), &ours, "h").reason(),
                reason
            );
        }
    }
}
