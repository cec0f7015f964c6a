//! One connection: made over TLS, bound, and asked one question after the other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kube2hadoop_client::secret::SecretString;
use ldap3::{
    DerefAliases, Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchOptions, StdStream,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::problem::Problem;
use super::start_tls;
use crate::identity::{Bind, Directory};

/// Firewalls and balancers forget connections without a word, most of them after a minute or more.
const IDLE: Duration = Duration::from_secs(30);
/// A password, a CA or an account that is replaced counts after this at the latest.
const AGE: Duration = Duration::from_secs(300);
/// Search references of one answer: it is about one entry.
const MOST_REFERENCES: usize = 64;
/// No attributes, RFC 4511 4.5.1.8.
const NOTHING: [&str; 1] = ["1.1"];
const SIZE_LIMIT_EXCEEDED: u32 = 4;
const REFERRAL: u32 = 10;

/// A connection that is bound. It ends when this is dropped.
pub(super) struct Connection {
    /// Of its server in the directory's list.
    pub(super) place: usize,
    ldap: Ldap,
    driver: JoinHandle<()>,
    opened: Instant,
    used: Instant,
}

impl Connection {
    /// Connects, encrypts and binds.
    pub(super) async fn open(directory: &Directory, place: usize) -> Result<Self, Problem> {
        let server = directory.servers.get(place).ok_or(Problem::Late)?;
        let tls = trusting(&directory.ca_file).await?;
        let address = (server.host.as_str(), server.port);
        let mut stream = TcpStream::connect(address)
            .await
            .map_err(Problem::Connect)?;
        if server.start_tls {
            start_tls::ask(&mut stream).await?;
        }
        let stream = stream.into_std().map_err(Problem::Connect)?;
        let settings = LdapConnSettings::new()
            .set_config(tls)
            .set_std_stream(StdStream::Tcp(stream));
        // Over the stream that is there already: what is left to do is the handshake.
        let url = format!("ldaps://{}", server.host);
        let handshake = LdapConnAsync::with_settings(settings, &url).await;
        let (driver, ldap) = handshake.map_err(|error| Problem::Handshake(plainly(&error)))?;
        let now = Instant::now();
        let mut connection = Self {
            place,
            ldap,
            // What ends it shows at the next question.
            driver: tokio::spawn(async { drop(driver.drive().await) }),
            opened: now,
            used: now,
        };
        if let Some(bind) = &directory.bind {
            connection.bind(bind).await?;
        }
        Ok(connection)
    }

    async fn bind(&mut self, bind: &Bind) -> Result<(), Problem> {
        let password = password(&bind.password_file).await?;
        let result = self.ldap.simple_bind(&bind.dn, password.expose()).await;
        match result.map_err(broken)? {
            granted if granted.rc == 0 => Ok(()),
            refused => Err(Problem::Bind(refused.into())),
        }
    }

    /// Does the filter describe an entry below the base? What is in it is not asked for.
    pub(super) async fn has(&mut self, base: &str, filter: &str) -> Result<bool, Problem> {
        let options = SearchOptions::new()
            .deref(DerefAliases::Never)
            .sizelimit(1)
            .typesonly(true);
        let ldap = self.ldap.with_search_options(options);
        let search = ldap.streaming_search(base, Scope::Subtree, filter, NOTHING);
        let mut search = search.await.map_err(broken)?;
        let (mut found, mut references) = (false, 0);
        while let Some(item) = search.next().await.map_err(broken)? {
            if item.is_ref() || item.is_intermediate() {
                references += 1;
            } else {
                found = true;
            }
            if references > MOST_REFERENCES {
                return Err(Problem::Referred);
            }
        }
        let result = search.finish().await;
        self.used = Instant::now();
        match result.rc {
            0 => Ok(found),
            SIZE_LIMIT_EXCEEDED if found => Ok(true),
            REFERRAL => Err(Problem::Referred),
            _ => Err(Problem::Search(result.into())),
        }
    }

    /// May it be asked once more?
    pub(super) fn is_good(&mut self) -> bool {
        self.used.elapsed() < IDLE && self.opened.elapsed() < AGE && !self.ldap.is_closed()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The error itself is let go: one of its forms holds the request that could not be sent, password and all.
fn broken(error: LdapError) -> Problem {
    Problem::Broken(plainly(&error))
}

fn plainly(error: &LdapError) -> String {
    match error {
        LdapError::Io { source } => source.to_string(),
        LdapError::OpSend { .. } | LdapError::ResultRecv { .. } | LdapError::EndOfStream => {
            "the server closed it".to_owned()
        }
        other => other.to_string(),
    }
}

/// As it is now: the kubelet replaces the file when the Secret changes.
async fn password(path: &Path) -> Result<SecretString, Problem> {
    let read = tokio::fs::read_to_string(path).await;
    let text = read
        .map(SecretString::from)
        .map_err(|source| Problem::Password {
            path: path.to_owned(),
            source,
        })?;
    // An editor ends it with a line break, which is no part of it.
    let password = text.expose().trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(Problem::NoPassword(path.to_owned()));
    }
    Ok(password.to_owned().into())
}

/// Servers whose certificates come from the CAs in this file, and no others.
async fn trusting(path: &Path) -> Result<Arc<ClientConfig>, Problem> {
    let failed = |source| Problem::Ca {
        path: path.to_owned(),
        source,
    };
    let pem = tokio::fs::read(path)
        .await
        .map_err(|error| failed(rustls::pki_types::pem::Error::Io(error)))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(failed)?)?;
    }
    if roots.is_empty() {
        return Err(Problem::NoCa(path.to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ))
}
