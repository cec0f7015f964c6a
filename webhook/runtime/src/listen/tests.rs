use axum::Extension;
use axum::routing::get;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::*;

mod drain;

fn trusting(certificate: &rcgen::Certificate) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// Far more than the kernel keeps for a peer that does not read.
const LARGE: usize = 1024 * 1024;

pub(crate) async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(10), read).await;
    read.expect("an answer").unwrap();
    answer
}

/// Without TLS, until what is beside the address is dropped.
async fn plain(limits: Limits) -> (std::net::SocketAddr, crate::shutdown::Trigger) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (running, shutdown) = Shutdown::new();
    let router = Router::new()
        .route("/", get(|| async { "served" }))
        .route("/large", get(|| async { vec![b'x'; LARGE] }));
    tokio::spawn(serve_plain(listener, router, limits, shutdown));
    (address, running)
}

#[tokio::test]
async fn who_says_nothing_keeps_no_place() {
    let limits = Limits {
        max_connections: 1,
        first_header_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let (address, _running) = plain(limits).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut next = TcpStream::connect(address).await.unwrap();
    let answer = answer(&mut next, REQUEST).await;
    assert!(answer.ends_with("served"), "{answer}");
}

#[tokio::test]
async fn who_reads_no_answers_keeps_no_place() {
    let limits = Limits {
        max_connections: 1,
        stall_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let (address, _running) = plain(limits).await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    let pipelined = b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100);
    deaf.write_all(&pipelined).await.unwrap();
    let mut next = TcpStream::connect(address).await.unwrap();
    let answer = answer(&mut next, REQUEST).await;
    assert!(answer.ends_with("served"), "{answer}");
}

#[tokio::test]
async fn who_has_asked_once_may_ask_again_later() {
    let limits = Limits {
        first_header_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let (address, _running) = plain(limits).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let kept = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(kept).await.unwrap();
    tokio::time::sleep(3 * limits.first_header_timeout).await;
    let answers = answer(&mut stream, REQUEST).await;
    assert_eq!(answers.matches("served").count(), 2, "{answers}");
}

#[tokio::test]
async fn headers_without_end_are_not_kept() {
    let (address, _running) = plain(Limits::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut endless = b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ".to_vec();
    endless.resize(READ_AHEAD, b'x');
    let answer = answer(&mut stream, &endless).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_request_says_where_it_came_from() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls = ServingTls::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let told = |Extension(Peer(address)): Extension<Peer>| async move { address.to_string() };
    let listener = TcpListener::bind("[::]:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_running, shutdown) = Shutdown::new();
    let router = Router::new().route("/", get(told));
    tokio::spawn(serve(listener, tls, router, Limits::default(), shutdown));

    // Over a socket of both kinds an IPv4 address is still one.
    let stream = TcpStream::connect(("127.0.0.1", address.port()))
        .await
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = trusting(&made.cert).connect(name, stream).await.unwrap();
    let answer = answer(&mut stream, REQUEST).await;
    assert!(answer.ends_with("127.0.0.1"), "{answer}");
}
