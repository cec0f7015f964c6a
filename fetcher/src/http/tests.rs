mod bench;
mod endings;
mod legacy;
mod logged;
mod slow;

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube2hadoop_client::contract::TokenResponse;
use kube2hadoop_client::credentials::Credentials;
use kube2hadoop_runtime::listen;
use kube2hadoop_runtime::shutdown::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::*;
use crate::metrics::ServiceLabel;
use bench::*;

#[tokio::test]
async fn a_stamped_pod_gets_its_tokens() {
    let mut bench = bench(4, 4);
    let answer = tokens(bench.ask("alice", "{}").await).await;
    assert_eq!(answer.user, "alice");
    assert_eq!(answer.expires_at.to_string(), "2023-11-15T22:13:20Z");
    assert_eq!(answer.refresh_at.to_string(), "2023-11-15T10:13:20Z");
    assert_eq!(answer.conf.values().next().unwrap().0, b"<configuration/>");
    let file = Credentials::parse(answer.credentials.expose()).unwrap();
    assert_eq!(file.len(), 2);
    let lines = bench.audit.read();
    let events: Vec<_> = lines.iter().map(|line| &line["event"]).collect();
    assert_eq!(
        events,
        ["obtained", "obtained", "issued", "issued"],
        "one for each service"
    );
    assert_eq!(lines[2]["sequenceNumber"], 7);
    assert_eq!(lines[2]["who"]["user"], "alice");
    let notice = bench.notices.next().await.unwrap();
    assert_eq!(
        (notice.reason.as_str(), notice.warning),
        ("TokenIssued", false)
    );
    for name in ["ns1", "kms"] {
        let label = ServiceLabel {
            service: name.into(),
        };
        let handed_out = &bench.service.metrics.handed_out;
        assert_eq!(handed_out.get_or_create(&label).get(), 1, "{name}");
    }
    assert_eq!(bench.service.metrics.ledger_keys.get(), 2);
}

#[tokio::test]
async fn only_what_is_asked_for_is_handed_out() {
    let bench = bench(4, 4);
    let answer = tokens(bench.ask("alice", r#"{"services":["kms"]}"#).await).await;
    let file = Credentials::parse(answer.credentials.expose()).unwrap();
    assert_eq!(file.len(), 1);
    let narrow = tokens(bench.ask("narrow", "{}").await).await;
    let file = Credentials::parse(narrow.credentials.expose()).unwrap();
    assert_eq!(file.len(), 1);
}

#[tokio::test]
async fn where_there_is_no_kms_one_looks_again_in_time_and_other_tokens_live_on() {
    let bench = bench(4, 4);
    let dates =
        |answer: TokenResponse| [answer.refresh_at, answer.expires_at].map(|it| it.to_string());
    let only = tokens(bench.ask("keyless", r#"{"services":["kms"]}"#).await).await;
    assert_eq!(
        dates(only),
        ["2023-11-14T22:43:20Z", "2023-11-14T23:13:20Z"]
    );
    let both = tokens(bench.ask("keyless", "{}").await).await;
    assert_eq!(
        dates(both),
        ["2023-11-15T10:13:20Z", "2023-11-15T22:13:20Z"]
    );
}

#[tokio::test]
async fn refusals_are_problems_with_a_stable_type() {
    let cases = [
        ("unstamped", "{}", 403, "not-stamped", "no-stamp", false),
        (
            "nobody",
            "{}",
            503,
            "hadoop-unavailable",
            "hadoop-standby",
            true,
        ),
        (
            "narrow",
            r#"{"services":["kms"]}"#,
            403,
            "service-not-granted",
            "service-not-granted",
            false,
        ),
        (
            "alice",
            r#"{"services":["yarn"]}"#,
            400,
            "unknown-service",
            "unknown-service",
            false,
        ),
        (
            "alice",
            r#"{"services":["a b"]}"#,
            400,
            "invalid-request",
            "invalid-request",
            false,
        ),
        (
            "alice",
            r#"{"services":[]}"#,
            400,
            "invalid-request",
            "invalid-request",
            false,
        ),
        (
            "alice",
            "",
            400,
            "invalid-request",
            "invalid-request",
            false,
        ),
        (
            "alice",
            "[",
            400,
            "invalid-request",
            "invalid-request",
            false,
        ),
        ("a b", "{}", 401, "unauthenticated", "no-token", false),
    ];
    for (bearer, body, status, kind, reason, retryable) in cases {
        let bench = bench(4, 4);
        let response = bench.ask(bearer, body).await;
        assert_eq!(response.status().as_u16(), status, "{bearer} {body}");
        let problem = problem(response).await;
        assert_eq!(
            (problem.name(), problem.status, problem.retryable),
            (kind, status, retryable)
        );
        let lines = bench.audit.read();
        assert_eq!(lines.len(), 1);
        assert_eq!(
            (lines[0]["event"].as_str(), lines[0]["reason"].as_str()),
            (Some("refused"), Some(reason))
        );
    }
}

#[tokio::test]
async fn who_comes_too_often_is_told_when_to_come_again() {
    let bench = bench(4, 4);
    let response = bench.ask("busy", "{}").await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "7");
    let problem = problem(response).await;
    assert_eq!((problem.name(), problem.retryable), ("overloaded", true));
    assert!(
        problem.detail.contains("try again in 7 s"),
        "{}",
        problem.detail
    );
}

#[tokio::test]
async fn a_refusal_is_told_to_the_pods_owner() {
    let mut bench = bench(4, 4);
    bench.ask("unstamped", "{}").await;
    let notice = bench.notices.next().await.unwrap();
    assert_eq!((notice.reason.as_str(), notice.warning), ("NoStamp", true));
    assert_eq!(notice.pod, pod());
}

#[tokio::test]
async fn other_paths_and_methods_are_problems_too() {
    let bench = bench(4, 4);
    let response = bench
        .send(request(Method::POST, "/v2/tokens", "alice", "{}".into()))
        .await;
    assert_eq!(
        (response.status(), problem(response).await.retryable),
        (StatusCode::NOT_FOUND, false)
    );
    let response = bench
        .send(request(Method::GET, TOKENS_PATH, "alice", String::new()))
        .await;
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(
        (response.status(), problem(response).await.retryable),
        (StatusCode::METHOD_NOT_ALLOWED, false)
    );
}

#[tokio::test]
async fn a_huge_body_is_not_read() {
    let bench = bench(4, 4);
    let response = bench
        .ask(
            "alice",
            &format!("{{\"services\":[\"{}\"]}}", "a".repeat(MAX_REQUEST_BYTES)),
        )
        .await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(problem(response).await.name() == "body-too-large");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_called_too_large() {
    let bench = bench(4, 4);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (_running, shutdown) = Shutdown::new();
    let service = router(Arc::clone(&bench.service));
    tokio::spawn(listen::serve_plain(
        listener,
        service,
        listen::Limits::default(),
        shutdown,
    ));
    let head = format!("POST {TOKENS_PATH} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer alice\r\n");
    let bad_chunk = "transfer-encoding: chunked\r\n\r\nno number\r\n";
    stream
        .write_all((head + bad_chunk).as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(10), read).await;
    read.expect("an answer").unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("the body broke off: "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn whose_body_does_not_come_takes_nobodys_turn() {
    let bench = bench(1, 0);
    let mut silent = request(Method::POST, TOKENS_PATH, "alice", String::new());
    *silent.body_mut() =
        Body::from_stream(futures::stream::pending::<Result<Vec<u8>, Infallible>>());
    let began = Instant::now();
    let (refused, served) = tokio::join!(bench.send(silent), bench.ask("alice", "{}"));
    assert_eq!(served.status(), StatusCode::OK);
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    let problem = problem(refused).await;
    assert_eq!(
        (problem.name(), problem.retryable),
        ("request-timeout", true)
    );
}

#[tokio::test(start_paused = true)]
async fn what_hadoop_holds_up_ends_in_time_and_the_queue_is_bounded() {
    let bench = bench(1, 1);
    let (first, second, third) = tokio::join!(
        bench.ask("slow", "{}"),
        bench.ask("slow", "{}"),
        bench.ask("slow", "{}")
    );
    assert_eq!(first.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(third.headers()["retry-after"], "1");
    assert_eq!(bench.service.metrics.running.get(), 0);
    assert_eq!(bench.service.metrics.waiting.get(), 0);
}

#[tokio::test]
async fn without_guards_nobody_gets_anything() {
    let mut bench = bench(4, 4);
    Arc::get_mut(&mut bench.service).unwrap().guarded = Guarded::new(true);
    let response = bench.ask("alice", "{}").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(problem(response).await.name() == "guard-missing");
    bench.service.guarded.note(None);
    assert_eq!(bench.ask("alice", "{}").await.status(), StatusCode::OK);
    bench
        .service
        .guarded
        .note(Some("policy kube2hadoop-token-guard is not there"));
    assert!(
        problem(bench.ask("alice", "{}").await)
            .await
            .detail
            .contains("token-guard")
    );
}

#[tokio::test]
async fn no_secret_reaches_the_audit() {
    let bench = bench(4, 4);
    bench.ask("alice", "{}").await;
    let bytes = bench.audit.0.lock().unwrap().clone();
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.contains("the-password") && !text.contains(&STANDARD.encode("the-password")));
}
