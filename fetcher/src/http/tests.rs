use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Mutex;

use axum::body::{Body, to_bytes};
use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use futures::future::BoxFuture;
use kube2hadoop_client::contract::{Problem, TokenResponse};
use kube2hadoop_client::credentials::{Credentials, Token};
use kube2hadoop_stamp::HadoopUser;
use prometheus_client::registry::Registry;
use tower::ServiceExt;

use super::*;
use crate::attest::{Denied, Grant, PodRef, Refusal};
use crate::bearer::BearerToken;
use crate::clock::Clock;
use crate::hadoop::HadoopError;
use crate::issue::{IssueFailure, Issued};
use crate::ledger::{Rules, Sharing};
use crate::service::ServiceName;

const NOW: u64 = 1_700_000_000_000;

fn pod() -> PodRef {
    PodRef {
        namespace: "team".into(),
        name: "web-0".into(),
        uid: "u1".into(),
    }
}

/// Knows the bearers `alice`, `narrow` (annotation: only ns1) and `unstamped`.
struct Attestation;

impl Attestor for Attestation {
    fn attest<'a>(&'a self, token: &'a BearerToken) -> BoxFuture<'a, Result<Grant, Denied>> {
        let services = match token.expose() {
            "alice" | "nobody" | "slow" => None,
            "narrow" => Some(BTreeSet::from(["ns1".parse().unwrap()])),
            _ => {
                let refusal = Refusal::NoStamp {
                    pod: "team/web-0".into(),
                };
                return async {
                    Err(Denied {
                        refusal,
                        pod: Some(pod()),
                    })
                }
                .boxed();
            }
        };
        let user = if token.expose() == "narrow" {
            "alice"
        } else {
            token.expose()
        };
        let grant = Grant {
            user: user.parse().unwrap(),
            submitter: "alice@example.com".into(),
            job: serde_json::from_value("team/Job.batch/a".into()).unwrap(),
            services,
            pod: pod(),
        };
        async { Ok(grant) }.boxed()
    }
}

struct Hadoop {
    services: Vec<ServiceName>,
    conf: BTreeMap<FileName, FileContent>,
}

impl Issuer for Hadoop {
    fn services(&self) -> &[ServiceName] {
        &self.services
    }

    fn client_conf(&self) -> &BTreeMap<FileName, FileContent> {
        &self.conf
    }

    fn issue<'a>(
        &'a self,
        user: &'a HadoopUser,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Issued, IssueFailure>> {
        async move {
            match user.as_str() {
                "nobody" => {
                    return Err(HadoopError::AllStandby {
                        service: service.to_string(),
                    }
                    .into());
                }
                "slow" => std::future::pending().await,
                _ => {}
            }
            let token = Token::new(
                vec![1].into(),
                b"the-password".to_vec().into(),
                "HDFS_DELEGATION_TOKEN",
                service.as_str(),
            )
            .unwrap();
            Ok(Issued {
                tokens: vec![(format!("ha-hdfs:{service}"), token)],
                issued_at: NOW,
                renewed_at: NOW,
                expires_at: NOW + 86_400_000,
                max_date: NOW + 604_800_000,
                sequence_number: 7,
            })
        }
        .boxed()
    }
}

/// Keeps what the audit writes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn read(&self) -> Vec<serde_json::Value> {
        let bytes = self.0.lock().unwrap();
        bytes
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    }
}

struct Bench {
    service: Arc<Service>,
    audit: Lines,
    notices: tokio::sync::mpsc::Receiver<crate::events::Notice>,
}

fn bench(running: usize, waiting: usize) -> Bench {
    let metrics = Metrics::new(&mut Registry::default());
    let clock = Clock::from_fn(|| NOW);
    let audit = Lines::default();
    let issuer: Arc<dyn Issuer> = Arc::new(Hadoop {
        services: vec!["ns1".parse().unwrap(), "kms".parse().unwrap()],
        conf: BTreeMap::from([(
            "core-site.xml".try_into().unwrap(),
            FileContent(b"<configuration/>".to_vec()),
        )]),
    });
    let (events, notices) = Recorder::new(metrics.clone());
    let rules = Rules {
        renewed: false,
        min_life_fraction: 0.5,
        capacity: 10,
        failure_millis: 1,
    };
    let service = Service {
        attestor: Arc::new(Attestation),
        ledger: Ledger::new(Arc::clone(&issuer), Sharing::alone(), rules, clock.clone()),
        guarded: Guarded::new(false),
        audit: Audit::to(audit.clone(), clock),
        events,
        turns: Turns::new(running, waiting, metrics.clone()),
        conf: issuer.client_conf().clone(),
        request_limit: Duration::from_secs(5),
        metrics,
        issuer,
    };
    Bench {
        service: Arc::new(service),
        audit,
        notices,
    }
}

impl Bench {
    async fn send(&self, request: axum::http::Request<Body>) -> Response {
        router(Arc::clone(&self.service))
            .oneshot(request)
            .await
            .unwrap()
    }

    async fn ask(&self, bearer: &str, body: &str) -> Response {
        self.send(request(Method::POST, TOKENS_PATH, bearer, body.to_owned()))
            .await
    }
}

fn request(method: Method, path: &str, bearer: &str, body: String) -> axum::http::Request<Body> {
    let head = axum::http::Request::builder().method(method).uri(path);
    head.header("authorization", format!("Bearer {bearer}"))
        .body(Body::from(body))
        .unwrap()
}

async fn problem(response: Response) -> Problem {
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let id = response.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let problem: Problem = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(problem.request_id, Some(id));
    problem
}

async fn tokens(response: Response) -> TokenResponse {
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap()
}

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
    assert_eq!(lines.len(), 2, "one for each service");
    assert_eq!(lines[0]["event"], "issued");
    assert_eq!(lines[0]["sequenceNumber"], 7);
    assert_eq!(lines[0]["who"]["user"], "alice");
    let notice = bench.notices.recv().await.unwrap();
    assert_eq!(
        (notice.reason.as_str(), notice.warning),
        ("TokenIssued", false)
    );
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
async fn a_refusal_is_told_to_the_pods_owner() {
    let mut bench = bench(4, 4);
    bench.ask("unstamped", "{}").await;
    let notice = bench.notices.recv().await.unwrap();
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
