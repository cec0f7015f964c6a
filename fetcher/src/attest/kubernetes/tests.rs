use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use kube2hadoop_stamp::SigningKey;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

use super::super::tests::{claims, terms};
use super::*;

const CREATED: &str = "2023-11-14T22:13:20Z";

type ApiServer = Handle<Request<Body>, Response<Body>>;

fn bearer() -> BearerToken {
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", "Bearer the-token".parse().unwrap());
    BearerToken::from_headers(&headers).unwrap()
}

fn attestor(key: &SigningKey) -> (KubeAttestor, ApiServer) {
    let (service, server) = mock::pair();
    let keys = Arc::new(StampKeys::default());
    keys.replace(&crate::stamp_keys::jwks_of(key)).unwrap();
    let client = Client::new(service, "default");
    (
        KubeAttestor::new(
            client,
            "kube2hadoop".into(),
            watch::channel(terms()).1,
            keys,
        ),
        server,
    )
}

/// Answers one request, and hands out what was asked.
async fn answer(server: &mut ApiServer, status: u16, body: Value) -> (Method, String, Value) {
    let next = tokio::time::timeout(Duration::from_secs(1), server.next_request());
    let (request, respond) = next.await.unwrap().unwrap();
    let (head, sent) = request.into_parts();
    let sent = sent.collect().await.unwrap().to_bytes();
    let response = Response::builder()
        .status(status)
        .body(Body::from(body.to_string().into_bytes()));
    respond.send_response(response.unwrap());
    (
        head.method,
        head.uri.path().to_owned(),
        serde_json::from_slice(&sent).unwrap_or_default(),
    )
}

fn review() -> Value {
    json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {}, "spec": {},
        "status": {
            "authenticated": true,
            "audiences": ["kube2hadoop"],
            "user": {
                "username": "system:serviceaccount:team:default",
                "extra": {
                    "authentication.kubernetes.io/pod-name": ["web-0"],
                    "authentication.kubernetes.io/pod-uid": ["u1"],
                    "authentication.kubernetes.io/node-name": ["n1"],
                },
            },
        },
    })
}

fn pod(stamp: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web-0", "namespace": "team", "uid": "u1", "creationTimestamp": CREATED,
            "annotations": {"kube2hadoop.io/stamp": stamp},
        },
        "spec": {"nodeName": "n1", "serviceAccountName": "default", "containers": []},
        "status": {"phase": "Pending"},
    })
}

fn failure(code: u16, reason: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": format!("it is {reason}"), "reason": reason, "code": code,
    })
}

#[tokio::test]
async fn token_and_pod_are_asked_for_and_the_stamp_decides() {
    let key = SigningKey::generate().unwrap();
    let (attestor, mut server) = attestor(&key);
    let stamp = key.sign_pod(&claims()).unwrap();
    let api = async {
        let (method, path, sent) = answer(&mut server, 201, review()).await;
        assert_eq!(
            (method, path.as_str()),
            (Method::POST, "/apis/authentication.k8s.io/v1/tokenreviews")
        );
        assert_eq!(
            sent["spec"],
            json!({"audiences": ["kube2hadoop"], "token": "the-token"})
        );
        let (method, path, _) = answer(&mut server, 200, pod(&stamp)).await;
        assert_eq!(
            (method, path.as_str()),
            (Method::GET, "/api/v1/namespaces/team/pods/web-0")
        );
    };
    let bearer = bearer();
    let (granted, ()) = tokio::join!(attestor.attest(&bearer, None), api);
    assert_eq!(granted.unwrap().user.as_str(), "alice");
}

/// One refusal: what the API server answers to the review and to the pod.
async fn refused(review: (u16, Value), pod: Option<(u16, Value)>) -> Denied {
    let (attestor, mut server) = attestor(&SigningKey::generate().unwrap());
    let api = async {
        answer(&mut server, review.0, review.1).await;
        if let Some((status, body)) = pod {
            answer(&mut server, status, body).await;
        }
    };
    let bearer = bearer();
    let (denied, ()) = tokio::join!(attestor.attest(&bearer, None), api);
    denied.unwrap_err()
}

#[tokio::test]
async fn a_pod_that_is_not_there_yet_is_named_and_retryable() {
    let denied = refused((201, review()), Some((404, failure(404, "NotFound")))).await;
    assert_eq!(denied.refusal.reason(), "pod-not-found");
    assert!(denied.refusal.problem_type().retryable());
    assert_eq!(denied.pod.unwrap().name, "web-0");
}

#[tokio::test]
async fn an_api_server_in_trouble_is_retryable_and_blames_no_pod() {
    let denied = refused((500, failure(500, "InternalError")), None).await;
    assert_eq!(denied.refusal.reason(), "api-unavailable");
    assert!(denied.refusal.problem_type().retryable());
    assert_eq!(denied.pod, None);
}

#[tokio::test]
async fn a_missing_right_of_ours_is_told_apart() {
    let denied = refused((403, failure(403, "Forbidden")), None).await;
    assert_eq!(denied.refusal.reason(), "api-forbidden");
}

#[tokio::test]
async fn a_stamp_of_another_key_is_refused() {
    let foreign = SigningKey::generate().unwrap().sign_pod(&claims()).unwrap();
    let denied = refused((201, review()), Some((200, pod(&foreign)))).await;
    assert_eq!(denied.refusal.reason(), "stamp-key-unknown");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_hangs_is_given_up() {
    let (attestor, _server) = attestor(&SigningKey::generate().unwrap());
    let denied = attestor.attest(&bearer(), None).await.unwrap_err();
    assert_eq!(denied.refusal.reason(), "api-unavailable");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_asked_about_in_turns() {
    let (attestor, mut server) = attestor(&SigningKey::generate().unwrap());
    let bearer = bearer();
    let crowd = (0..2 * AT_A_TIME).map(|_| attestor.attest(&bearer, None));
    let unanswered = async {
        let mut questions = Vec::new();
        let patience = Duration::from_secs(1);
        while let Ok(question) = timeout(patience, server.next_request()).await {
            questions.push(question);
        }
        questions.len()
    };
    let asked = tokio::select! {
        _ = futures::future::join_all(crowd) => panic!("nobody was answered"),
        asked = unanswered => asked,
    };
    assert_eq!(asked, AT_A_TIME);
}
