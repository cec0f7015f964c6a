//! Kerberos over HTTP (RFC 4559), by the system's GSSAPI library.
//!
//! The library finds the keytab by KRB5_CLIENT_KTNAME, gets and renews tickets itself, and keeps them
//! where KRB5CCNAME says (a MEMORY cache).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{
    GSS_MECH_KRB5, GSS_MECH_SPNEGO, GSS_NT_HOSTBASED_SERVICE, GSS_NT_KRB5_PRINCIPAL,
};
use libgssapi::oid::{Oid, OidSet};
use thiserror::Error;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::keytab::Keytab;
use super::realms::Realms;

mod error;

pub use error::SpnegoError;

/// Blocking calls at a time for one realm: a KDC that does not answer must use up neither the threads nor the turns of
/// other realms' hosts. The library waits on when we have given up.
const MAX_BLOCKING: usize = 8;

/// `name@REALM` or `name/host@REALM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal(String);

/// A text that is no principal.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no principal: write name@REALM or name/host@REALM, as `klist -k` shows it")]
pub struct InvalidPrincipal(String);

impl FromStr for Principal {
    type Err = InvalidPrincipal;

    fn from_str(text: &str) -> Result<Self, InvalidPrincipal> {
        let fits = text.split_once('@').is_some_and(|(name, realm)| {
            let plain = |part: &str| {
                !part.is_empty()
                    && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@')
            };
            plain(realm) && name.split('/').count() <= 2 && name.split('/').all(plain)
        });
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPrincipal(text.into()))
        }
    }
}

impl Principal {
    /// What Hadoop's default rules make of it.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.0.split(['/', '@']).next().unwrap_or_default()
    }

    /// What stands after the @.
    #[must_use]
    pub fn realm(&self) -> &str {
        self.0.split('@').nth(1).unwrap_or_default()
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Authenticates us to web servers.
pub trait Negotiate: Send + Sync {
    /// Begins an exchange with the service HTTP of that host; a token serves once.
    fn start<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Box<dyn Exchange>, SpnegoError>>;
}

/// One exchange under way.
pub trait Exchange: Send {
    /// What goes into `Authorization: Negotiate`, before base64.
    fn token(&self) -> &[u8];

    /// Checks the server's answer, so that nobody else can pose as it. Gives how long the ticket serves for more
    /// exchanges, without a KDC.
    fn finish(
        self: Box<Self>,
        answer: Vec<u8>,
    ) -> BoxFuture<'static, Result<Duration, SpnegoError>>;
}

/// The GSSAPI library, as one principal.
pub struct Spnego {
    principal: Principal,
    realms: Realms,
    /// By realm; no more than hosts that are called.
    slots: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

impl Spnego {
    /// Negotiates as this principal, by the keytab of KRB5_CLIENT_KTNAME.
    #[must_use]
    pub fn new(principal: Principal) -> Self {
        Self {
            realms: Realms::of_site("", principal.realm()),
            principal,
            slots: Mutex::default(),
        }
    }

    /// With the realms that the site's krb5.conf names.
    #[must_use]
    pub fn knowing(self, realms: Realms) -> Self {
        Self { realms, ..self }
    }

    /// Gets a ticket for HTTP at that host and says what is wrong where that fails; sends nothing there.
    ///
    /// # Errors
    /// The keytab's, the KDC's or the clock's fault, told apart.
    pub async fn probe(&self, host: &str) -> Result<(), SpnegoError> {
        let (principal, name) = (self.principal.clone(), host.to_owned());
        self.blocking(host, move || {
            begin(&principal, &name, GSS_MECH_KRB5)
                .map(drop)
                .map_err(|error| *error)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        host: &str,
        work: impl FnOnce() -> Result<T, SpnegoError> + Send + 'static,
    ) -> Result<T, SpnegoError> {
        let slot = self
            .slots(host)
            .acquire_owned()
            .await
            .map_err(|_| SpnegoError::Stopped)?;
        let run = move || {
            let _slot = slot;
            work()
        };
        tokio::task::spawn_blocking(run)
            .await
            .map_err(|_| SpnegoError::Stopped)?
    }

    fn slots(&self, host: &str) -> Arc<Semaphore> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let of_realm = slots.entry(self.realms.of(host));
        Arc::clone(of_realm.or_insert_with(|| Arc::new(Semaphore::new(MAX_BLOCKING))))
    }
}

impl Negotiate for Spnego {
    fn start<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Box<dyn Exchange>, SpnegoError>> {
        let (principal, name) = (self.principal.clone(), host.to_owned());
        async move {
            let started = self
                .blocking(host, move || start(&principal, &name))
                .await?;
            Ok(Box::new(started) as Box<dyn Exchange>)
        }
        .boxed()
    }
}

/// A context that waits for the server's answer.
struct Started {
    context: ClientCtx,
    host: String,
    token: Zeroizing<Vec<u8>>,
}

impl Exchange for Started {
    fn token(&self) -> &[u8] {
        &self.token
    }

    fn finish(
        self: Box<Self>,
        answer: Vec<u8>,
    ) -> BoxFuture<'static, Result<Duration, SpnegoError>> {
        let work = move || {
            let mut this = *self;
            this.context
                .step(Some(&answer), None)
                .map_err(|error| SpnegoError::NotMutual {
                    host: this.host.clone(),
                    text: error.to_string(),
                })?;
            // A context that wants more steps has not proven who the server is.
            if !this.context.is_complete() {
                return Err(SpnegoError::NotMutual {
                    host: this.host,
                    text: "the exchange did not end".into(),
                });
            }
            Ok(this.context.lifetime().unwrap_or_default())
        };
        async move {
            tokio::task::spawn_blocking(work)
                .await
                .map_err(|_| SpnegoError::Stopped)?
        }
        .boxed()
    }
}

/// Errors of the SPNEGO mechanism are all alike, so plain Kerberos gets the ticket: its errors say more, and a KDC that
/// does not answer is waited for once.
fn start(principal: &Principal, host: &str) -> Result<Started, SpnegoError> {
    let ticket = begin(principal, host, GSS_MECH_KRB5);
    let started = ticket.and_then(|_| begin(principal, host, GSS_MECH_SPNEGO));
    started.map_err(|error| *error)
}

fn begin(
    principal: &Principal,
    host: &str,
    mech: Oid<'static>,
) -> Result<Started, Box<SpnegoError>> {
    let explain = |error: libgssapi::error::Error| Box::new(explain(error, principal, host));
    let mut mechs = OidSet::new();
    mechs.add(GSS_MECH_KRB5).map_err(explain)?;
    mechs.add(GSS_MECH_SPNEGO).map_err(explain)?;
    let ours = Name::new(principal.0.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL)).map_err(explain)?;
    let credential =
        Cred::acquire(Some(&ours), None, CredUsage::Initiate, Some(&mechs)).map_err(explain)?;
    let target = format!("HTTP@{host}");
    let target = Name::new(target.as_bytes(), Some(GSS_NT_HOSTBASED_SERVICE)).map_err(explain)?;
    let mut context = ClientCtx::new(
        Some(credential),
        target,
        CtxFlags::GSS_C_MUTUAL_FLAG,
        Some(mech),
    );
    let token = context.step(None, None).map_err(explain)?;
    let token = token
        .map(|token| Zeroizing::new(token.to_vec()))
        .unwrap_or_default();
    Ok(Started {
        context,
        host: host.to_owned(),
        token,
    })
}

/// What is wrong with the keytab is only said by the keytab itself.
fn explain(error: libgssapi::error::Error, principal: &Principal, host: &str) -> SpnegoError {
    let keytab = std::env::var("KRB5_CLIENT_KTNAME").ok();
    let checked = Keytab::from_env_value(keytab.as_deref())
        .and_then(|(path, keytab)| keytab.key_version(&path, &principal.0));
    match checked {
        Err(keytab) => SpnegoError::Keytab(keytab),
        Ok(_) => SpnegoError::from_codes(error.minor, error.to_string(), principal, host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_checked() {
        for (text, short) in [
            ("kube2hadoop@R.COM", "kube2hadoop"),
            ("rm/host.test@R", "rm"),
        ] {
            assert_eq!(text.parse::<Principal>().unwrap().short_name(), short);
        }
        for bad in [
            "", "a", "a@", "@R", "a/@R", "/h@R", "a/b/c@R", "a@R@S", "a b@R", "a@R\n",
        ] {
            assert!(bad.parse::<Principal>().is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_realm_whose_kdc_is_silent_holds_up_no_other() {
        let spnego = Spnego::new("k2h@A.COM".parse().unwrap());
        let (come_back, silence) = std::sync::mpsc::channel::<()>();
        let silence = Arc::new(Mutex::new(silence));
        let wait = || {
            let silence = Arc::clone(&silence);
            let work = move || {
                let _ = silence.lock().map(|it| it.recv());
                Ok(())
            };
            spnego.blocking("nn.a.com", work).boxed()
        };
        let mut silent: Vec<_> = (0..=MAX_BLOCKING).map(|_| wait()).collect();
        for call in &mut silent {
            assert!(call.now_or_never().is_none());
        }
        assert_eq!(spnego.slots("kms.a.com").available_permits(), 0);
        let other = spnego.blocking("nn.b.com", || Ok(()));
        let other = tokio::time::timeout(Duration::from_secs(5), other).await;
        other.unwrap().unwrap();
        drop(come_back);
        for call in silent {
            call.await.unwrap();
        }
    }
}
