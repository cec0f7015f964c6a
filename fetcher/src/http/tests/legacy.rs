//! Legacy mode on the wire.

use std::net::Ipv4Addr;

use axum::body::to_bytes;
use kube2hadoop_runtime::listen::Peer;
use tower::ServiceExt;

use super::super::legacy::{PATH, router};
use super::*;

const WEB: &str = "?pod-name=web-0&namespace=team&token-kinds=HDFS_DELEGATION_TOKEN&cluster-name=x";

async fn ask(bench: &Bench, method: Method, query: &str, from: [u8; 4]) -> (StatusCode, String) {
    let mut request = request(method, &format!("{PATH}{query}"), "", String::new());
    let peer = Peer(Ipv4Addr::from(from).into());
    request.extensions_mut().insert(peer);
    let router = router(Arc::clone(&bench.service));
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_pod_of_old_gets_the_credentials_file_in_base64() {
    let bench = bench(4, 4);
    let (status, body) = ask(&bench, Method::GET, WEB, [10, 0, 0, 7]).await;
    assert_eq!(status, StatusCode::OK);
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    let file = STANDARD.decode(answer["Token"].as_str().unwrap()).unwrap();
    assert_eq!(Credentials::parse(&file).unwrap().len(), 2);
    let lines = bench.audit.read();
    let issued = lines.iter().filter(|line| line["event"] == "issued");
    assert_eq!(issued.count(), 2);
}

#[tokio::test]
async fn a_refusal_has_a_code_and_not_the_word_that_means_success() {
    let bench = bench(4, 4);
    let cases = [
        (Method::GET, WEB, [10, 0, 0, 8], 403, "address-mismatch"),
        (
            Method::GET,
            "?pod-name=gone&namespace=team",
            [10, 0, 0, 7],
            503,
            "pod-not-found",
        ),
        (
            Method::GET,
            "?pod-name=..&namespace=team",
            [10, 0, 0, 7],
            400,
            "invalid-request",
        ),
        (
            Method::GET,
            "?pod-name=web-0&pod-name=web-1&namespace=team",
            [10, 0, 0, 7],
            400,
            "invalid-request",
        ),
        (
            Method::GET,
            "?pod-name=web-0&namespace=team&token-kinds=Token",
            [10, 0, 0, 7],
            400,
            "invalid-request",
        ),
        (Method::GET, "", [10, 0, 0, 7], 400, "invalid-request"),
        (Method::POST, WEB, [10, 0, 0, 7], 400, "invalid-request"),
    ];
    for (method, query, from, wanted, reason) in cases {
        let (status, body) = ask(&bench, method, query, from).await;
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (status.as_u16(), answer["ErrorCode"].as_str()),
            (wanted, Some(reason)),
            "{query}"
        );
        assert!(!body.contains("Token"), "{body}");
    }
}
