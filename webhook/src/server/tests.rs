//! Requests as the API server sends them, over the router and with a fake cluster.

use std::sync::atomic::AtomicBool;

use axum::body::to_bytes;
use axum::http::Request;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube2hadoop_stamp::{JobId, ObjectName, PodClaims, SigningKey};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::config::Config;
use crate::identity::Directory;
use crate::ldap::Directories;

mod audit;
mod bodies;
mod connect;
mod facts;

const REVIEW: &str = include_str!("../../tests/fixtures/pod-create-review.json");
const CONFIG: &str = include_str!("../../tests/fixtures/webhook.yaml");
const ISSUER: &str = "kube2hadoop";
const ACCOUNT: &str = "system:serviceaccount:team-b:driver";

/// What the fake API server does when it is asked for a pod or a namespace.
#[derive(Default)]
enum Scenario {
    #[default]
    NothingThere,
    Pod(Box<Pod>),
    Namespace(Box<Namespace>),
    Hangs,
    Panics,
}

impl Cluster for Scenario {
    fn pod(&self, _: String, _: String) -> BoxFuture<'_, Result<Option<Pod>, Unread>> {
        Box::pin(async move {
            match self {
                Self::Pod(pod) => Ok(Some((**pod).clone())),
                Self::Hangs => std::future::pending().await,
                Self::Panics => panic!("a defect"),
                _ => Ok(None),
            }
        })
    }

    fn namespace(&self, _: String) -> BoxFuture<'_, Result<Option<Arc<Namespace>>, Unread>> {
        Box::pin(async move {
            match self {
                Self::Namespace(namespace) => Ok(Some(Arc::new((**namespace).clone()))),
                Self::Hangs => std::future::pending().await,
                _ => Ok(None),
            }
        })
    }

    fn may_use(&self, _: Question) -> BoxFuture<'_, Option<bool>> {
        Box::pin(std::future::ready(None))
    }
}

/// For whom nothing is asked of LDAP.
struct NoDirectory;

impl Directories for NoDirectory {
    fn has(&self, _: Arc<Directory>, filter: String) -> BoxFuture<'_, Option<bool>> {
        panic!("asked for {filter}")
    }
}

struct World {
    router: Router,
    keys: Arc<CurrentKeys>,
    registry: Registry,
    audit: audit::Lines,
}

impl World {
    fn new(scenario: Scenario, guarded: bool) -> Self {
        Self::with_key(scenario, guarded, SigningKey::generate().unwrap())
    }

    fn with_key(scenario: Scenario, guarded: bool, signing: SigningKey) -> Self {
        let mut registry = Registry::default();
        let keys = Arc::new(CurrentKeys::default());
        keys.set(Keys {
            verifying: signing.public(),
            signing,
            ca: "PEM".to_owned().into(),
        });
        let config: Config = serde_yaml_ng::from_str(CONFIG).unwrap();
        let guarded = Arc::new(AtomicBool::new(guarded));
        let audit = audit::Lines::default();
        let webhook = Webhook {
            policy: watch::channel(Arc::new(config.into_policy())).1,
            keys: Arc::clone(&keys),
            callers: Callers::new(Arc::new(scenario), Arc::new(NoDirectory), guarded),
            patience: Patience::of(5),
            bodies: Bodies::default(),
            metrics: Metrics::new(&mut registry),
            audit: AuditLog::to(audit.clone()),
        };
        Self {
            router: router(Arc::new(webhook)),
            keys,
            registry,
            audit,
        }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn post(&self, body: impl Into<Body>) -> (StatusCode, String) {
        self.send(request("/mutate/namespace", JSON, body)).await
    }

    /// The response to a review that can be read.
    async fn review(&self, review: &Value) -> Value {
        let (status, text) = self.post(review.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["response"]["uid"], review["request"]["uid"]);
        answer["response"].take()
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

fn request(path: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path)
        .header(header::CONTENT_TYPE, content_type)
        .body(body.into())
        .unwrap()
}

/// The recorded review of a pod, submitted by this user.
fn review(username: &str, extra: &Value) -> Value {
    let mut review: Value = serde_json::from_str(REVIEW).unwrap();
    review["request"]["userInfo"] = json!({"username": username, "extra": extra});
    review
}

/// The mutated pod.
fn patched(review: &Value, response: &Value) -> Value {
    use base64::Engine;
    let patch = response["patch"].as_str().unwrap();
    let patch = base64::engine::general_purpose::STANDARD
        .decode(patch)
        .unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut object = review["request"]["object"].clone();
    json_patch::patch(&mut object, &patch).unwrap();
    object
}

#[tokio::test]
async fn a_pod_of_a_mapped_user_is_stamped_and_counted() {
    let world = World::new(Scenario::NothingThere, true);
    let review = review("alice@example.com", &Value::Null);
    let response = world.review(&review).await;
    assert_eq!(response["allowed"], true);
    let pod = patched(&review, &response);
    assert_eq!(
        pod["metadata"]["annotations"]["kube2hadoop.io/user"],
        "alice"
    );
    let metrics = world.metrics();
    let line = r#"kube2hadoop_webhook_admissions_total{outcome="injected",rule="mapping"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn what_is_no_review_is_refused_with_the_reason() {
    let world = World::new(Scenario::NothingThere, true);
    let no_uid = REVIEW.replacen(r#""uid":"705ab4f5"#, r#""uidd":"705ab4f5"#, 1);
    let old = REVIEW.replacen("admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1);
    let other = REVIEW.replacen("AdmissionReview", "Pod", 1);
    let nested = "[".repeat(100_000);
    let no_object = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "kind": {"version": "v1", "kind": "Pod"}, "operation": "CREATE", "namespace": "n"}})
    .to_string();
    let cases = [
        ("", "EOF"),
        ("{", "EOF"),
        ("null", "no AdmissionReview"),
        ("[]", "no AdmissionReview"),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}"#,
            "no request",
        ),
        (&no_uid, "no uid"),
        (&old, "v1beta1"),
        (&other, "got admission.k8s.io/v1 Pod"),
        (&nested, "no AdmissionReview"),
        (&no_object, "no object"),
    ];
    for (body, reason) in cases {
        let (status, text) = world.post(body.to_owned()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
        assert!(text.contains(reason), "want «{reason}» in {text}");
    }
    let (status, _) = world.post(vec![0xff_u8; 100]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        world
            .metrics()
            .contains("kube2hadoop_webhook_unanswered_total 11")
    );
}

#[tokio::test]
async fn what_is_not_for_us_is_refused_by_http() {
    let world = World::new(Scenario::NothingThere, true);
    let (status, text) = world.post(vec![b' '; 3 * 1024 * 1024 + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(text.contains("over 3 MB"), "{text}");
    let plain = request("/mutate/object", "text/plain", REVIEW);
    assert_eq!(
        world.send(plain).await.0,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let get = Request::get("/mutate/object").body(Body::empty()).unwrap();
    assert_eq!(world.send(get).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let elsewhere = request("/mutate", JSON, REVIEW);
    assert_eq!(world.send(elsewhere).await.0, StatusCode::NOT_FOUND);
    let with_charset = request("/mutate/object", "application/json; charset=utf-8", REVIEW);
    assert_eq!(world.send(with_charset).await.0, StatusCode::OK);
}

#[tokio::test]
async fn without_a_key_nothing_is_answered() {
    let world = World::new(Scenario::NothingThere, true);
    *world.keys.0.write().unwrap() = None;
    assert_eq!(world.post(REVIEW).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

/// An own label makes a refusal a denial, so that it can be told from a pod that only starts without a token.
fn labelled(mut review: Value) -> Value {
    review["request"]["object"]["metadata"]["labels"] = json!({"kube2hadoop.io/inject": "enabled"});
    review
}

fn denied(response: &Value) -> &str {
    response["status"]["message"].as_str().unwrap_or_default()
}

/// The driver pod of alice's job, as the API server has it.
fn driver(signing: &SigningKey) -> Pod {
    let claims = PodClaims {
        iss: ISSUER.into(),
        ns: "team-b".into(),
        sa: "driver".into(),
        sub: "alice".parse().unwrap(),
        submitter: "alice@example.com".into(),
        pod: ObjectName::Name("driver-0".into()),
        origin: None,
        job: None,
        iat: 1_700_000_000,
    };
    let stamp = signing.sign_pod(&claims).unwrap();
    serde_json::from_value(json!({
        "metadata": {"name": "driver-0", "namespace": "team-b", "uid": "uid-1",
            "creationTimestamp": "2023-11-14T22:13:25Z", "annotations": {"kube2hadoop.io/stamp": stamp}},
        "spec": {"serviceAccountName": "driver", "containers": []},
    }))
    .unwrap()
}

fn by_driver(uid: &str) -> Value {
    labelled(review(
        ACCOUNT,
        &json!({"authentication.kubernetes.io/pod-name": ["driver-0"], "authentication.kubernetes.io/pod-uid": [uid]}),
    ))
}

async fn asked_by_driver(guarded: bool, uid: &str, spoil: impl FnOnce(&mut Pod)) -> (Value, Value) {
    let signing = SigningKey::generate().unwrap();
    let mut pod = driver(&signing);
    spoil(&mut pod);
    let world = World::with_key(Scenario::Pod(Box::new(pod)), guarded, signing);
    let mut review = by_driver(uid);
    review["request"]["namespace"] = json!("team-b");
    review["request"]["object"]["metadata"]["namespace"] = json!("team-b");
    let response = world.review(&review).await;
    (review, response)
}

#[tokio::test]
async fn what_a_stamped_pod_submits_runs_as_the_same_user_in_the_same_job() {
    let (review, response) = asked_by_driver(true, "uid-1", |_| {}).await;
    assert_eq!(denied(&response), "");
    let pod = patched(&review, &response);
    let annotations = &pod["metadata"]["annotations"];
    assert_eq!(annotations["kube2hadoop.io/user"], "alice");
    assert_eq!(response["auditAnnotations"]["rule"], "inherit");
    let stamp = annotations["kube2hadoop.io/stamp"].as_str().unwrap();
    let claims = stamp.split('.').nth(1).unwrap();
    use base64::Engine;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    let claims: PodClaims = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims.job, Some(JobId::of_pod("team-b", "uid-1")));
}

#[tokio::test]
async fn a_pod_that_is_not_what_its_credential_says_is_nobody() {
    let nobody = "the pod that asks has no valid stamp";
    let refused = |(_, response): (Value, Value)| denied(&response).contains(nobody);
    assert!(
        refused(asked_by_driver(false, "uid-1", |_| {}).await),
        "no guard"
    );
    assert!(
        refused(asked_by_driver(true, "uid-2", |_| {}).await),
        "another uid"
    );
    let other_account = |pod: &mut Pod| {
        pod.spec.get_or_insert_default().service_account_name = Some("default".into());
    };
    assert!(refused(asked_by_driver(true, "uid-1", other_account).await));
    let renamed = |pod: &mut Pod| pod.metadata.name = Some("copy".into());
    assert!(refused(asked_by_driver(true, "uid-1", renamed).await));
    let late = |pod: &mut Pod| {
        let created = pod.metadata.creation_timestamp.as_mut().unwrap();
        created.0 = "2023-11-14T22:14:25Z".parse().unwrap();
    };
    assert!(refused(asked_by_driver(true, "uid-1", late).await));
}

/// Whoever reaches the port may ask as anybody about anything.
#[tokio::test]
async fn nothing_is_signed_for_namespaces_that_the_api_server_leaves_out() {
    let world = World::new(Scenario::NothingThere, true);
    for namespace in ["kube-system", "kube2hadoop", "kube2hadoop-ledger"] {
        let mut review = labelled(review("bob@example.com", &Value::Null));
        review["request"]["namespace"] = json!(namespace);
        let response = world.review(&review).await;
        assert!(denied(&response).contains("left out"), "{response}");
        assert_eq!(response["patch"], Value::Null);
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_never_answers_gives_nobody_in_time() {
    let world = World::new(Scenario::Hangs, true);
    let started = tokio::time::Instant::now();
    let response = world.review(&by_driver("uid-1")).await;
    assert!(!denied(&response).is_empty());
    assert!(started.elapsed() < Patience::of(5).whole());
}

#[tokio::test]
async fn a_defect_is_answered_with_500_and_the_next_request_as_ever() {
    let world = World::new(Scenario::Panics, true);
    let (status, text) = world.post(by_driver("uid-1").to_string()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains("defect"), "{text}");
    world
        .review(&review("alice@example.com", &Value::Null))
        .await;
}

#[tokio::test]
async fn a_service_account_of_a_labelled_or_unknown_namespace_is_in_scope() {
    let namespace = |labels: Value| -> Scenario {
        let namespace = json!({"metadata": {"name": "team-b", "labels": labels}});
        Scenario::Namespace(serde_json::from_value(namespace).unwrap())
    };
    let enabled = namespace(json!({"kube2hadoop.io/inject": "enabled"}));
    for (scenario, in_scope) in [
        (enabled, true),
        (
            namespace(json!({"kube2hadoop.io/inject": "disabled"})),
            false,
        ),
        (namespace(json!({})), false),
        (Scenario::NothingThere, true),
    ] {
        let signing = SigningKey::generate().unwrap();
        let keys = Keys {
            verifying: signing.public(),
            signing,
            ca: String::new().into(),
        };
        let config: Config = serde_yaml_ng::from_str(CONFIG).unwrap();
        let guarded = Arc::new(AtomicBool::new(true));
        let callers = Callers::new(Arc::new(scenario), Arc::new(NoDirectory), guarded);
        let body = review(ACCOUNT, &Value::Null).to_string();
        let request = parse(body.as_bytes()).unwrap();
        let (policy, until) = (config.into_policy(), Patience::of(5).begin());
        let caller = callers.find(&request, &policy, &keys, until).await;
        assert_eq!(caller.service_account_in_scope, in_scope);
    }
}
