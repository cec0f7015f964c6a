use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;

const SHARED: &str = "{hadoop: {principal: a@R}, ledger: {namespace: kube2hadoop-ledger}}";

/// An API server that refuses some of what it is asked about, and what is written to a namespace that is not there.
#[derive(Default)]
struct ApiServer {
    /// Verb and resource.
    refused: Vec<(&'static str, &'static str)>,
    without_namespace: bool,
    asked: Mutex<Vec<Value>>,
    written: Mutex<Vec<String>>,
}

impl ApiServer {
    fn client(self: &Arc<Self>) -> Client {
        let server = Arc::clone(self);
        let service = service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let (status, answer) = server.answer(&head.uri.to_string(), &body);
                let body = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
            }
        });
        Client::new(service, "kube2hadoop")
    }

    fn answer(&self, uri: &str, body: &[u8]) -> (u16, Value) {
        let sent: Value = serde_json::from_slice(body).unwrap();
        if !uri.contains("selfsubjectaccessreviews") {
            self.written.lock().unwrap().push(uri.to_owned());
            return if self.without_namespace {
                let message = "namespaces \"kube2hadoop-ledger\" not found";
                (
                    404,
                    json!({"status": "Failure", "message": message, "reason": "NotFound", "code": 404}),
                )
            } else {
                (201, sent)
            };
        }
        let attributes = sent["spec"]["resourceAttributes"].clone();
        let is = |(verb, resource): &(&str, &str)| {
            attributes["verb"] == *verb && attributes["resource"] == *resource
        };
        let allowed = !self.refused.iter().any(is);
        self.asked.lock().unwrap().push(attributes);
        (
            201,
            json!({"metadata": {}, "spec": {}, "status": {"allowed": allowed}}),
        )
    }
}

async fn found(config: &str, server: ApiServer) -> (Vec<(bool, String)>, Arc<ApiServer>) {
    let config: Config = serde_yaml_ng::from_str(config).unwrap();
    let server = Arc::new(server);
    let findings = check(&config, &server.client()).await.into_iter();
    let found = findings.map(|finding| (finding.ok, finding.detail));
    (found.collect(), server)
}

#[tokio::test]
async fn all_rights_and_a_secret_that_is_only_tried() {
    let (found, server) = found(SHARED, ApiServer::default()).await;
    assert!(
        found.len() == 2 && found.iter().all(|(ok, _)| *ok),
        "{found:?}"
    );
    let written = server.written.lock().unwrap();
    assert_eq!(
        *written,
        ["/api/v1/namespaces/kube2hadoop-ledger/secrets?&dryRun=All"]
    );
    let asked = server.asked.lock().unwrap();
    let lease = json!({"verb": "update", "group": "coordination.k8s.io", "resource": "leases",
        "name": "kube2hadoop-fetcher", "namespace": "kube2hadoop"});
    assert!(asked.contains(&lease), "{asked:?}");
}

#[tokio::test]
async fn each_missing_right_is_named_with_its_role() {
    let cases = [
        (
            "create",
            "tokenreviews",
            "create tokenreviews in the cluster",
            CLUSTER_ROLE,
        ),
        ("get", "pods", "get pods in the cluster", CLUSTER_ROLE),
        ("watch", "pods", "watch pods", CLUSTER_ROLE),
        ("create", "events", "create events", CLUSTER_ROLE),
        (
            "update",
            "leases",
            "update leases kube2hadoop-fetcher in namespace kube2hadoop",
            ROLE,
        ),
        (
            "create",
            "secrets",
            "create secrets in namespace kube2hadoop-ledger",
            LEDGER_ROLE,
        ),
        ("delete", "secrets", "delete secrets", LEDGER_ROLE),
    ];
    for (verb, resource, says, role) in cases {
        let server = ApiServer {
            refused: vec![(verb, resource)],
            ..ApiServer::default()
        };
        let (found, server) = found(SHARED, server).await;
        let [(false, detail)] = &found[..] else {
            panic!("{verb} {resource}: {found:?}");
        };
        assert!(detail.contains(says) && detail.contains(role), "{detail}");
        assert!(server.written.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_ledger_that_nobody_can_write_is_named() {
    let server = ApiServer {
        without_namespace: true,
        ..ApiServer::default()
    };
    let (found, _) = found(SHARED, server).await;
    let (ok, detail) = &found[1];
    assert!(!ok && detail.contains("not found"), "{detail}");
}

#[tokio::test]
async fn what_the_configuration_does_not_need_is_not_asked_for() {
    let alone = "{hadoop: {principal: a@R}, events: false}";
    let (found, server) = found(alone, ApiServer::default()).await;
    assert!(found.len() == 1 && found[0].0, "{found:?}");
    let asked = server.asked.lock().unwrap();
    let verbs: Vec<_> = asked.iter().map(|it| it["verb"].clone()).collect();
    assert_eq!(verbs, ["create", "get"]);
}
