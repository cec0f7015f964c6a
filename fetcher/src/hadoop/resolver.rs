//! What addresses names stand for. A name server that fails for a moment must not decide what a token is good for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use tokio::net::lookup_host;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::HadoopError;
use super::host::HostPort;

const PATIENCE: Duration = Duration::from_secs(3);
/// Lookups at a time: each holds a thread until the system's resolver gives up, long after we did.
const AT_A_TIME: usize = 16;

/// Looks names up, without a bound.
pub(super) trait Lookup: Send + Sync + 'static {
    fn lookup(&self, address: HostPort) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's: /etc/hosts, and DNS.
struct System;

impl Lookup for System {
    fn lookup(&self, address: HostPort) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        async move {
            let found = lookup_host((address.host.as_str(), address.port)).await?;
            Ok(found.collect())
        }
        .boxed()
    }
}

/// Asks a [`Lookup`], so many at a time, and not for long.
pub(super) struct Resolver {
    lookup: Box<dyn Lookup>,
    slots: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn system() -> Self {
        Self::by(System)
    }

    pub(super) fn by(lookup: impl Lookup) -> Self {
        Self {
            lookup: Box::new(lookup),
            slots: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    /// `ip:port`, the token service that Java looks for unless use_ip is off; nothing if there is no such name, which no
    /// client finds either.
    ///
    /// # Errors
    /// Nobody says whether there is.
    pub(super) async fn by_ip(&self, address: &HostPort) -> Result<Option<String>, HadoopError> {
        let failed = |reason: String| HadoopError::Unresolved {
            host: address.host.clone(),
            reason,
        };
        let all = match timeout(PATIENCE, self.ask(address)).await {
            Ok(Ok(all)) => all,
            Ok(Err(error)) if is_no_name(&error) => return Ok(None),
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
        };
        let first = all.iter().find(|it| it.is_ipv4()).or(all.first());
        Ok(first.map(|it| format!("{}:{}", it.ip(), it.port())))
    }

    async fn ask(&self, address: &HostPort) -> io::Result<Vec<SocketAddr>> {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let lookup = self.lookup.lookup(address.clone());
        let asked = async move {
            let _slot = slot;
            lookup.await
        };
        tokio::spawn(asked).await?
    }
}

/// Of getaddrinfo's failures, those that are answers (EAI_NONAME, EAI_NODATA); only their text tells them apart.
fn is_no_name(error: &io::Error) -> bool {
    let text = error.to_string();
    ["not known", "No address associated"]
        .iter()
        .any(|it| text.contains(it))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Never answers; counts who asks.
    struct Mute(Arc<AtomicUsize>);

    impl Lookup for Mute {
        fn lookup(&self, _address: HostPort) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            std::future::pending().boxed()
        }
    }

    fn address(text: &str) -> HostPort {
        HostPort::parse(text, 8020).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_name_server_is_waited_for_briefly_and_by_few() {
        let asked = Arc::new(AtomicUsize::new(0));
        let resolver = Resolver::by(Mute(Arc::clone(&asked)));
        let rm = address("rm.test");
        let answers = (0..3 * AT_A_TIME).map(|_| resolver.by_ip(&rm));
        for answer in futures::future::join_all(answers).await {
            assert!(answer.unwrap_err().retryable());
        }
        assert_eq!(asked.load(Ordering::SeqCst), AT_A_TIME);
    }

    #[tokio::test]
    async fn an_address_needs_no_name_server() {
        let resolver = Resolver::system();
        for (text, ip) in [("127.0.0.1", "127.0.0.1:8020"), ("[::1]:1", "::1:1")] {
            let found = resolver.by_ip(&address(text)).await.unwrap();
            assert_eq!(found.as_deref(), Some(ip));
        }
    }
}
