//! HTTP/1.1, over TLS but for one caller, bounded in connections and in the time that a slow peer is given.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::shutdown::Shutdown;
use crate::tls::ServingTls;

/// How long to wait after a failed accept: the usual cause, too many open files, passes by itself.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The longest headers, in bytes, and the most that is read ahead of a body: as much as one TLS record carries.
pub const READ_AHEAD: usize = 16 * 1024;

/// Bytes that one connection can make us keep, rounded up from what was measured: 64 KiB where a handshake does not end,
/// 75 KiB where nobody reads the answers to many requests.
pub const KEPT: usize = 80 * 1024;

/// Where a request came from, among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What one connection, and all of them together, may take. Nothing is bounded by address: behind a translating node or
/// proxy many pods have one, and the API server's must never be turned away.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's queue.
    pub max_connections: u32,
    /// From accept to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From there, or without TLS from accept, to the end of the first request's headers: who connects has one to make.
    pub first_header_timeout: Duration,
    /// From an answer to the end of the next request's headers; of the first request too, where this is shorter.
    pub header_timeout: Duration,
    /// How long a peer may take nothing of an answer, or of many.
    pub stall_timeout: Duration,
    /// How long new connections are still taken after shutdown was requested: until every node knows that this
    /// replica is going, some go on sending here.
    pub linger: Duration,
    /// How long requests in flight may go on after that.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            handshake_timeout: Duration::from_secs(5),
            first_header_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(5),
            drain: Duration::from_secs(20),
        }
    }
}

/// Serves the router until shutdown is requested, then lets what is in flight end.
pub async fn serve(
    listener: TcpListener,
    tls: ServingTls,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) {
    accept(listener, Some(tls), router, limits, shutdown).await;
}

/// [`serve`] without TLS: whoever is on the way reads and changes everything.
pub async fn serve_plain(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) {
    accept(listener, None, router, limits, shutdown).await;
}

async fn accept(
    listener: TcpListener,
    tls: Option<ServingTls>,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) {
    let places = Arc::new(Semaphore::new(limits.max_connections as usize));
    let (close, closing) = Shutdown::new();
    let over = async {
        shutdown.requested().await;
        tokio::time::sleep(limits.linger).await;
    };
    tokio::pin!(over);
    loop {
        let stream = tokio::select! {
            () = over.as_mut() => break,
            stream = next(&listener, &places) => stream,
        };
        let Some((stream, peer, place)) = stream else {
            continue;
        };
        let (tls, router, closing) = (tls.clone(), router.clone(), closing.clone());
        tokio::spawn(async move {
            connection((stream, peer), tls, router, limits, closing).await;
            drop(place);
        });
    }
    drop(listener);
    close.request();
    // Every place free again: every connection has ended.
    let drained = places.acquire_many(limits.max_connections);
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!(
            seconds = limits.drain.as_secs(),
            "drain deadline passed with connections still open"
        );
    }
}

async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        // An IPv4 address is written as such, whatever the socket.
        Ok((stream, from)) => Some((stream, Peer(from.ip().to_canonical()), place)),
        Err(error) => {
            tracing::warn!(%error, "failed to accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Serves one connection. Its failures are the peer's business and are told at debug level only.
async fn connection(
    (stream, peer): (TcpStream, Peer),
    tls: Option<ServingTls>,
    router: Router,
    limits: Limits,
    closing: Shutdown,
) {
    // Answers are written in one go; waiting for more would only add latency.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return requests(stream, peer, router, limits, closing).await;
    };
    let handshake = TlsAcceptor::from(tls.current()).accept(stream);
    let stream = tokio::select! {
        // A handshake carries no request yet, so it holds no drain.
        () = closing.requested() => return,
        done = tokio::time::timeout(limits.handshake_timeout, handshake) => match done {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "the TLS handshake failed"),
            Err(_) => return tracing::debug!("the TLS handshake timed out"),
        },
    };
    requests(stream, peer, router, limits, closing).await;
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: Router,
    limits: Limits,
    closing: Shutdown,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(READ_AHEAD);
    let heard = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&heard);
    let router = router.map_request(move |mut request: Request<Incoming>| {
        hears.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(peer);
        request
    });
    // While an answer waits to be written, hyper reads no header, and so its own timer stands still.
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(limits.stall_timeout));
    let stream = pin!(stream);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = pin!(served);
    let mut silence = pin!(async {
        tokio::time::sleep(limits.first_header_timeout).await;
        if heard.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    });
    let mut draining = false;
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = closing.requested(), if !draining => {
                draining = true;
                served.as_mut().graceful_shutdown();
            }
            () = silence.as_mut() => return tracing::debug!("no request came on a connection"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
