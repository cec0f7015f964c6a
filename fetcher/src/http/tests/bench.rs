//! The service between a stand-in API server and a stand-in Hadoop.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::IpAddr;
use std::sync::Mutex;

use axum::body::{Body, to_bytes};
use axum::http::{Method, StatusCode};
use futures::FutureExt;
use futures::future::BoxFuture;
use kube2hadoop_client::contract::{FETCHER_PATIENCE, Problem, TokenResponse};
use kube2hadoop_client::credentials::Token;
use kube2hadoop_stamp::HadoopUser;
use prometheus_client::registry::Registry;
use tower::ServiceExt;

use super::super::*;
use crate::attest::{Denied, Grant, PodName, PodRef, Refusal};
use crate::bearer::BearerToken;
use crate::clock::Clock;
use crate::hadoop::HadoopError;
use crate::issue::{IssueFailure, Issued};
use crate::ledger::{Rules, Sharing};
use crate::service::ServiceName;

pub(super) const NOW: u64 = 1_700_000_000_000;

pub(super) fn pod() -> PodRef {
    PodRef {
        namespace: "team".into(),
        name: "web-0".into(),
        uid: "u1".into(),
    }
}

fn grant(user: &str, services: Option<BTreeSet<ServiceName>>) -> Grant {
    Grant {
        user: user.parse().unwrap(),
        submitter: "alice@example.com".into(),
        job: serde_json::from_value("team/Job.batch/a".into()).unwrap(),
        services,
        pod: pod(),
    }
}

/// Knows the bearers `alice` and her likes, `narrow` (annotation: only ns1) and `unstamped`; `bob.7` is a pod of bob's
/// job 7.
struct Attestation;

impl Attestor for Attestation {
    fn attest<'a>(
        &'a self,
        token: &'a BearerToken,
        _from: Option<IpAddr>,
    ) -> BoxFuture<'a, Result<Grant, Denied>> {
        if let Some((user, job)) = token.expose().split_once('.') {
            let mut grant = grant(user, None);
            grant.job = serde_json::from_value(format!("team/Job.batch/{job}").into()).unwrap();
            return async { Ok(grant) }.boxed();
        }
        let services = match token.expose() {
            "alice" | "nobody" | "slow" | "busy" | "keyless" => None,
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
        let grant = grant(user, services);
        async { Ok(grant) }.boxed()
    }

    /// The pod team/web-0 has the address 10.0.0.7.
    fn attest_by_address<'a>(
        &'a self,
        pod: &'a PodName,
        from: Option<IpAddr>,
    ) -> BoxFuture<'a, Result<Grant, Denied>> {
        let name = format!("{}/{}", pod.namespace(), pod.name());
        let refusal = if name != "team/web-0" {
            Some(Refusal::PodNotFound { pod: name })
        } else if from != Some(IpAddr::from([10, 0, 0, 7])) {
            Some(Refusal::AddressMismatch { pod: name })
        } else {
            None
        };
        async move {
            match refusal {
                Some(refusal) => Err(Denied { refusal, pod: None }),
                None => Ok(grant("alice", None)),
            }
        }
        .boxed()
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
                "busy" => {
                    return Err(IssueFailure::Busy {
                        service: service.clone(),
                        seconds: 7,
                    });
                }
                "slow" => std::future::pending().await,
                // What a cluster without a KMS comes to.
                "keyless" if service.as_str() == "kms" => {
                    return Ok(Issued {
                        tokens: Vec::new(),
                        expires_at: NOW + 3_600_000,
                        max_date: NOW + 3_600_000,
                        ..issued(service)
                    });
                }
                _ => {}
            }
            Ok(issued(service))
        }
        .boxed()
    }
}

/// Keeps what is written to a log.
#[derive(Clone, Default)]
pub(super) struct Lines(pub(super) Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    pub(super) fn read(&self) -> Vec<serde_json::Value> {
        let bytes = self.0.lock().unwrap();
        bytes
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    }
}

pub(super) struct Bench {
    pub(super) service: Arc<Service>,
    pub(super) audit: Lines,
    pub(super) notices: crate::events::Waiting,
}

pub(super) fn bench(running: usize, waiting: usize) -> Bench {
    bench_with(
        Arc::new(Hadoop {
            services: vec!["ns1".parse().unwrap(), "kms".parse().unwrap()],
            conf: conf(),
        }),
        running,
        waiting,
    )
}

pub(super) fn conf() -> BTreeMap<FileName, FileContent> {
    BTreeMap::from([(
        "core-site.xml".try_into().unwrap(),
        FileContent(b"<configuration/>".to_vec()),
    )])
}

/// A token of this service, issued now.
pub(super) fn issued(service: &ServiceName) -> Issued {
    let token = Token::new(
        vec![1].into(),
        b"the-password".to_vec().into(),
        "HDFS_DELEGATION_TOKEN",
        service.as_str(),
    )
    .unwrap();
    Issued {
        tokens: vec![(format!("ha-hdfs:{service}"), token)],
        issued_at: NOW,
        renewed_at: NOW,
        expires_at: NOW + 86_400_000,
        max_date: NOW + 604_800_000,
        sequence_number: 7,
    }
}

pub(super) fn bench_with(issuer: Arc<dyn Issuer>, running: usize, waiting: usize) -> Bench {
    let metrics = Metrics::new(&mut Registry::default());
    let clock = Clock::from_fn(|| NOW);
    let audit = Lines::default();
    let (events, notices) = Recorder::new(metrics.clone());
    let rules = Rules {
        renewed: false,
        min_life_fraction: 0.5,
        capacity: 10_000,
        failure_millis: 0,
    };
    let written = Audit::to(audit.clone(), clock.clone());
    let ledger = Ledger::new(
        Arc::clone(&issuer),
        Sharing::alone(),
        rules,
        clock,
        written.clone(),
    );
    let service = Service {
        attestor: Arc::new(Attestation),
        ledger,
        guarded: Guarded::new(false),
        audit: written,
        events,
        turns: Turns::new(running, waiting, metrics.clone()),
        conf: issuer.client_conf().clone(),
        bundle: Bundle::default(),
        request_limit: FETCHER_PATIENCE,
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
    pub(super) async fn send(&self, request: axum::http::Request<Body>) -> Response {
        router(Arc::clone(&self.service))
            .oneshot(request)
            .await
            .unwrap()
    }

    pub(super) async fn ask(&self, bearer: &str, body: &str) -> Response {
        self.send(request(Method::POST, TOKENS_PATH, bearer, body.to_owned()))
            .await
    }
}

pub(super) fn request(
    method: Method,
    path: &str,
    bearer: &str,
    body: String,
) -> axum::http::Request<Body> {
    let head = axum::http::Request::builder().method(method).uri(path);
    head.header("authorization", format!("Bearer {bearer}"))
        .body(Body::from(body))
        .unwrap()
}

pub(super) async fn problem(response: Response) -> Problem {
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

pub(super) async fn tokens(response: Response) -> TokenResponse {
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap()
}
