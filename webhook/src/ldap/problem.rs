//! Why a server could not be asked. None of it holds a password, nor what was asked.

use std::path::PathBuf;

use ldap3::LdapResult;
use rustls::pki_types::pem;

/// What failed with one server.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("failed to read the CA certificates in {path}: {source}")]
    Ca { path: PathBuf, source: pem::Error },
    #[error("{0} holds no certificate: caFile is a PEM file with at least one")]
    NoCa(PathBuf),
    #[error("failed to set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("failed to read the password in {path}: {source}")]
    Password {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{0} is empty, and a bind without password would be an anonymous one")]
    NoPassword(PathBuf),
    #[error("failed to connect: {0}")]
    Connect(#[source] std::io::Error),
    #[error("the server gave no TLS when asked for it: {0}")]
    StartTls(#[from] super::start_tls::StartTlsError),
    #[error("no TLS with this server: {0}")]
    Handshake(String),
    #[error("the bind was refused: {0}")]
    Bind(Refusal),
    #[error("the search was refused: {0}")]
    Search(Refusal),
    #[error("the server refers to others instead of answering, which is not followed")]
    Referred,
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("no answer in time")]
    Late,
}

/// The bounded words of a server that refuses.
#[derive(Debug, thiserror::Error)]
#[error("{code} {text}")]
pub(super) struct Refusal {
    /// RFC 4511, appendix A.
    code: u32,
    text: String,
}

impl From<LdapResult> for Refusal {
    fn from(result: LdapResult) -> Self {
        let text = match result.rc {
            32 => {
                "there is no entry of the name in runAs.ldap.base, or none that the bind DN may see"
                    .to_owned()
            }
            49 => "bind DN or password is wrong".to_owned(),
            50 => "the rights do not suffice".to_owned(),
            _ => result.text.chars().take(200).collect(),
        };
        Self {
            code: result.rc,
            text,
        }
    }
}
