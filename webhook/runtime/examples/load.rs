//! A load generator for the benchmarks: keep-alive HTTPS requests with one body, bounded in count.
//!
//! `load --url URL --address HOST:PORT --ca FILE --body FILE [--vary TEXT] [--header NAME:FILE] [--expect TEXT]
//! [--connections N] [--requests N] [--fresh] [--awake]` prints one line of JSON: requests per second, p50 and p99 in
//! microseconds, how many answers were not 200 or lack the text, and the size of the last answer.
//! With `--vary` each request carries, where the body has the text, a number that no other one ever did. With `--fresh`
//! each request pays for a connection of its own. With `--awake` it never sleeps.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a tool for the developer's terminal"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Request, Uri, header};
use futures::StreamExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

struct Load {
    uri: Uri,
    address: String,
    body: Bytes,
    /// What stands in the body for a number, and the least of them.
    vary: Option<(String, u128)>,
    header: Option<(HeaderName, HeaderValue)>,
    tls: TlsConnector,
    expect: Option<String>,
    fresh: bool,
    left: AtomicUsize,
    failed: AtomicUsize,
    answer_bytes: AtomicUsize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str, default: usize| {
        value(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let uri: Uri = value("--url")
        .expect("--url is needed")
        .parse()
        .expect("--url is no URL");
    let port = uri.port_u16().unwrap_or(443);
    let header = value("--header").map(|pair| {
        let (name, file) = pair.split_once(':').expect("--header takes NAME:FILE");
        let text = std::fs::read_to_string(file).expect("the header's file cannot be read");
        (
            name.parse().expect("no header name"),
            HeaderValue::from_str(text.trim()).expect("no header value"),
        )
    });
    let load = Arc::new(Load {
        address: value("--address")
            .unwrap_or_else(|| format!("{}:{port}", uri.host().expect("--url has no host"))),
        uri,
        body: std::fs::read(value("--body").expect("--body is needed"))
            .expect("--body cannot be read")
            .into(),
        vary: value("--vary").map(|text| (text, nanoseconds())),
        header,
        tls: connector(&value("--ca").expect("--ca is needed")),
        expect: value("--expect"),
        fresh: flag("--fresh"),
        left: AtomicUsize::new(number("--requests", 20_000)),
        failed: AtomicUsize::new(0),
        answer_bytes: AtomicUsize::new(0),
    });
    let connections = number("--connections", 16);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("no runtime");
    runtime.block_on(async {
        if flag("--awake") {
            tokio::spawn(stay_awake());
        }
        run(&load, connections).await;
    });
}

/// Never lets the processor sleep: the server that sends an answer to a sleeper pays for waking it, by an interrupt
/// that costs as much as the answer where processors are virtual.
async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

/// Since 1970.
fn nanoseconds() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("the clock is before 1970").as_nanos()
}

fn connector(ca: &str) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).expect("--ca cannot be read") {
        roots
            .add(certificate.expect("--ca holds no certificate"))
            .expect("--ca is no root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn run(load: &Arc<Load>, connections: usize) {
    let started = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(connection(Arc::clone(load))))
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.expect("a connection's task panicked"));
    }
    let seconds = started.elapsed().as_secs_f64();
    taken.sort_unstable();
    let quantile = |q: f64| {
        let at = (taken.len() as f64 * q) as usize;
        taken
            .get(at.min(taken.len().saturating_sub(1)))
            .map_or(0, |took| took.as_micros())
    };
    println!(
        "{{\"requests\":{},\"failed\":{},\"perSecond\":{:.0},\"p50\":{},\"p99\":{},\"answerBytes\":{}}}",
        taken.len(),
        load.failed.load(Ordering::Relaxed),
        taken.len() as f64 / seconds,
        quantile(0.5),
        quantile(0.99),
        load.answer_bytes.load(Ordering::Relaxed),
    );
}

/// Sends until nothing is left, and gives how long each request took.
async fn connection(load: Arc<Load>) -> Vec<Duration> {
    let mut taken = Vec::new();
    let mut open: Option<SendRequest<Body>> = None;
    while let Ok(number) = load
        .left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        })
    {
        let started = Instant::now();
        let mut sender = match open.take() {
            Some(sender) if !load.fresh => sender,
            _ => connect(&load).await,
        };
        let answer = sender
            .send_request(request(&load, number))
            .await
            .expect("the server closed the connection");
        let status = answer.status();
        let mut body = Body::new(answer.into_body()).into_data_stream();
        let mut text = Vec::new();
        while let Some(chunk) = body.next().await {
            text.extend_from_slice(&chunk.expect("the answer broke off"));
        }
        taken.push(started.elapsed());
        load.answer_bytes.store(text.len(), Ordering::Relaxed);
        let expected = |wanted: &String| String::from_utf8_lossy(&text).contains(wanted.as_str());
        if status != 200 || !load.expect.as_ref().is_none_or(expected) {
            load.failed.fetch_add(1, Ordering::Relaxed);
        }
        open = Some(sender);
    }
    taken
}

async fn connect(load: &Load) -> SendRequest<Body> {
    let stream = TcpStream::connect(&load.address)
        .await
        .expect("nothing listens there");
    stream
        .set_nodelay(true)
        .expect("a socket takes TCP_NODELAY");
    let host = load.uri.host().expect("--url has a host").to_owned();
    let name = ServerName::try_from(host).expect("the host is no server name");
    let stream = load
        .tls
        .connect(name, stream)
        .await
        .expect("the TLS handshake failed");
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .expect("no HTTP/1.1 there");
    tokio::spawn(connection);
    sender
}

fn request(load: &Load, number: usize) -> Request<Body> {
    let mut request = Request::post(load.uri.path())
        .header(header::HOST, load.uri.host().unwrap_or_default())
        .header(header::CONTENT_TYPE, "application/json");
    if let Some((name, value)) = &load.header {
        request = request.header(name, value);
    }
    let body = match &load.vary {
        None => load.body.clone(),
        Some((text, least)) => {
            let number = (least + number as u128).to_string();
            let body = String::from_utf8_lossy(&load.body).replace(text, &number);
            body.into()
        }
    };
    request
        .body(Body::from(body))
        .expect("a request of valid parts")
}
