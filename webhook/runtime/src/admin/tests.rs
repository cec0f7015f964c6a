use axum::body::{Body, to_bytes};
use axum::http::Request;
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::*;
use crate::listen::tests::answer;

/// The port, as it is served with these limits.
async fn port(limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_, shutdown) = Shutdown::new();
    let router = router(Readiness::new(), Arc::new(Registry::default()), shutdown);
    tokio::spawn(on(listener, router, limits));
    address
}

#[tokio::test]
async fn silence_on_every_connection_keeps_no_probe_out() {
    let address = port(Limits {
        header_timeout: Duration::from_millis(50),
        ..limits()
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut probe = TcpStream::connect(address).await.unwrap();
    let ask = b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = answer(&mut probe, ask).await;
    assert!(answer.ends_with("ok\n"), "{answer}");
}

#[tokio::test]
async fn headers_without_end_are_not_kept() {
    let mut stream = TcpStream::connect(port(limits()).await).await.unwrap();
    let mut endless = b"GET /livez HTTP/1.1\r\nhost: a\r\nx: ".to_vec();
    endless.resize(listen::READ_AHEAD, b'x');
    let answer = answer(&mut stream, &endless).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

async fn ask(router: &Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn readiness_names_what_is_missing_and_ends_with_shutdown() {
    let readiness = Readiness::new();
    let gate = readiness.gate("tls");
    let (trigger, shutdown) = Shutdown::new();
    let remarks = readiness.clone();
    let router = router(readiness, Arc::new(Registry::default()), shutdown);
    gate.not_ready("no certificate");
    assert_eq!(
        ask(&router, "/readyz").await,
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "tls: no certificate\n".into()
        )
    );
    gate.ready();
    assert_eq!(
        ask(&router, "/readyz").await,
        (StatusCode::OK, "ok\n".into())
    );
    remarks.remark("ns1", Some("no KDC answers".into()));
    assert_eq!(
        ask(&router, "/readyz").await,
        (StatusCode::OK, "ok\nns1: no KDC answers\n".into()),
        "what is held is handed out all the same"
    );
    remarks.remark("ns1", None);
    assert_eq!(ask(&router, "/readyz").await.1, "ok\n");
    trigger.request();
    assert_eq!(
        ask(&router, "/readyz").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(ask(&router, "/livez").await.0, StatusCode::OK);
    assert_eq!(
        ask(&router, "/metrics").await,
        (StatusCode::OK, "# EOF\n".into())
    );
}
