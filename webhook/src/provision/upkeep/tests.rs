//! Replicas against one fake API server that knows conflicts.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use k8s_openapi::ByteString;
use kube::Client;
use kube::client::Body;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;

const CONFIG: &str = include_str!("../../../tests/fixtures/webhook.yaml");
const CA: &str = "/api/v1/namespaces/kube2hadoop/secrets/kube2hadoop-ca";
const KEYS: &str = "/api/v1/namespaces/kube2hadoop/secrets/kube2hadoop-signing-keys";
const JWKS: &str = "/api/v1/namespaces/kube2hadoop/configmaps/kube2hadoop-stamp-keys";
const FETCHER: &str = "/api/v1/namespaces/kube2hadoop/secrets/kube2hadoop-fetcher-tls";
const REGISTRATION: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/kube2hadoop";
const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";

const DAY: u64 = 24 * 60 * 60;

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Objects by path, with the optimistic concurrency of the real one.
#[derive(Default)]
struct ApiServer {
    objects: Mutex<BTreeMap<String, Value>>,
    writes: Mutex<Vec<String>>,
    /// What is asked of it below this path meets a replica that stops.
    stopping: Mutex<Option<&'static str>>,
}

impl ApiServer {
    fn installed() -> Arc<Self> {
        let server = Self::default();
        let webhook = json!({"name": "a", "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": {}});
        server.put(
            REGISTRATION,
            json!({"metadata": {"name": "kube2hadoop"}, "webhooks": [webhook]}),
        );
        let config: Config = serde_yaml_ng::from_str(CONFIG).unwrap();
        let rules = json!({"resourceRules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]});
        for (_, name) in config.guards.by_key() {
            let policy =
                json!({"matchConstraints": rules, "validations": [{"expression": "false"}]});
            let binding = json!({"policyName": name, "validationActions": ["Deny"]});
            let metadata = json!({"name": name});
            server.put(
                &format!("{POLICIES}/{name}"),
                json!({"metadata": metadata, "spec": policy}),
            );
            let bindings = POLICIES.replace("policies", "policybindings");
            server.put(
                &format!("{bindings}/{name}"),
                json!({"metadata": metadata, "spec": binding}),
            );
        }
        Arc::new(server)
    }

    fn put(&self, path: &str, object: Value) {
        self.objects.lock().unwrap().insert(path.into(), object);
    }

    fn get(&self, path: &str) -> Value {
        let objects = self.objects.lock().unwrap();
        objects.get(path).cloned().unwrap_or_default()
    }

    fn stopping(&self) -> Option<&'static str> {
        *self.stopping.lock().unwrap()
    }

    fn stop(&self, below: Option<&'static str>) {
        *self.stopping.lock().unwrap() = below;
    }

    fn remove(&self, path: &str) {
        self.objects.lock().unwrap().remove(path);
    }

    /// Writes one value of a Secret, as somebody else would.
    fn write(&self, path: &str, key: &str, value: &str) {
        let mut object = self.get(path);
        object["data"][key] = json!(ByteString(value.as_bytes().to_vec()));
        self.put(path, object);
    }

    fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }

    fn client(self: &Arc<Self>) -> Client {
        let server = Arc::clone(self);
        let service = service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move {
                // Everybody gets a turn between any two requests.
                tokio::task::yield_now().await;
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let (status, answer) = server.answer(&head.method, head.uri.path(), &body);
                let body = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
            }
        });
        Client::new(service, "kube2hadoop")
    }

    fn answer(&self, method: &Method, path: &str, body: &[u8]) -> (StatusCode, Value) {
        let mut objects = self.objects.lock().unwrap();
        let failure = |status: StatusCode, reason: &str| {
            let json = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": reason, "reason": reason, "code": status.as_u16()});
            (status, json)
        };
        if self.stopping().is_some_and(|below| path.starts_with(below)) {
            return failure(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");
        }
        if *method == Method::GET {
            return match objects.get(path) {
                Some(object) => (StatusCode::OK, object.clone()),
                None => failure(StatusCode::NOT_FOUND, "NotFound"),
            };
        }
        let sent: Value = serde_json::from_slice(body).unwrap();
        let (path, old) = if *method == Method::POST {
            let path = format!("{path}/{}", sent["metadata"]["name"].as_str().unwrap());
            if objects.contains_key(&path) {
                return failure(StatusCode::CONFLICT, "AlreadyExists");
            }
            (path, None)
        } else {
            (path.to_owned(), objects.get(path).cloned())
        };
        let mut new = sent.clone();
        if *method == Method::PATCH {
            new = old.clone().unwrap();
            let patch: json_patch::Patch = serde_json::from_value(sent).unwrap();
            json_patch::patch(&mut new, &patch).unwrap();
        }
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        if let Some(old) = old
            && version(&old) != version(&new)
        {
            return failure(StatusCode::CONFLICT, "Conflict");
        }
        let mut writes = self.writes.lock().unwrap();
        writes.push(path.clone());
        let next = objects.len() * 1000 + writes.len();
        new["metadata"]["resourceVersion"] = json!(next.to_string());
        objects.insert(path, new.clone());
        (StatusCode::OK, new)
    }
}

struct Replica {
    upkeep: Upkeep,
    keys: Arc<CurrentKeys>,
    guarded: Arc<AtomicBool>,
    readiness: Readiness,
    registry: Registry,
}

impl Replica {
    fn of(server: &Arc<ApiServer>) -> Self {
        Self::configured(server, CONFIG)
    }

    fn configured(server: &Arc<ApiServer>, config: &str) -> Self {
        let config: Config = serde_yaml_ng::from_str(config).unwrap();
        let (keys, guarded) = (Arc::<CurrentKeys>::default(), Arc::<AtomicBool>::default());
        let readiness = Readiness::new();
        let mut registry = Registry::default();
        let upkeep = Upkeep::new(
            Clients::new(server.client()),
            &config,
            Arc::clone(&keys),
            Arc::clone(&guarded),
            Metrics::new(&mut registry),
            &readiness,
        );
        Self {
            upkeep,
            keys,
            guarded,
            readiness,
            registry,
        }
    }

    /// The value of a gauge.
    fn gauge(&self, name: &str) -> Option<u64> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name));
        Some(values.next()?.trim().parse().unwrap())
    }

    /// As if it had been issued so many seconds earlier.
    fn age_leaf(&mut self, by: u64) {
        self.upkeep.leaf.as_mut().unwrap().made -= by;
    }

    /// The public key's name and the CA that pods are told.
    fn tells(&self) -> (String, String) {
        let keys = self.keys.get().unwrap();
        (keys.signing.kid().to_owned(), keys.ca.to_string())
    }
}

#[tokio::test]
async fn a_fetcher_outside_needs_no_certificate_of_ours() {
    let server = ApiServer::installed();
    let config = CONFIG.replace(", fetcherTls: kube2hadoop-fetcher-tls", "");
    let mut replica = Replica::configured(&server, &config);
    assert!(replica.upkeep.round().await);
    assert_eq!(server.get(FETCHER), Value::Null);
    assert!(server.get(KEYS)["data"].is_object());
}

#[tokio::test]
async fn replicas_that_start_at_once_agree() {
    let server = ApiServer::installed();
    let (mut one, mut two) = (Replica::of(&server), Replica::of(&server));
    let done = tokio::join!(one.upkeep.round(), two.upkeep.round());
    assert_eq!(done, (true, true));
    assert_eq!(one.tells(), two.tells());
    let signers = [&one, &two].map(|replica| replica.upkeep.leaf.as_ref().unwrap().ca.clone());
    assert_eq!(signers[0], signers[1]);
    assert!(one.tells().1.contains(&signers[0]));
    assert!(one.readiness.closed().is_empty() && two.readiness.closed().is_empty());
    let created = server.writes();
    for path in [CA, KEYS, FETCHER] {
        let times = created.iter().filter(|written| *written == path).count();
        assert_eq!(times, 1, "{path} was written more than once");
    }
    assert!(
        server.get(JWKS)["data"]["keys.json"]
            .as_str()
            .unwrap()
            .contains(&one.tells().0)
    );
    assert!(server.get(FETCHER)["data"]["tls.key"].is_string());
}

#[tokio::test]
async fn a_round_without_changes_writes_nothing() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    assert!(replica.upkeep.round().await);
    server.writes();
    assert!(replica.upkeep.round().await);
    assert_eq!(server.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_others_change_is_healed() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    replica.upkeep.round().await;
    let bundle =
        |registration: &Value| registration["webhooks"][0]["clientConfig"]["caBundle"].clone();
    let right = server.get(REGISTRATION);
    let mut spoilt = right.clone();
    spoilt["webhooks"][0]["clientConfig"]["caBundle"] = json!("c3RyYW5nZQ==");
    server.put(REGISTRATION, spoilt);
    server.remove(JWKS);
    server.remove(FETCHER);
    assert!(replica.upkeep.round().await);
    assert_eq!(bundle(&server.get(REGISTRATION)), bundle(&right));
    assert!(server.get(JWKS)["data"]["keys.json"].is_string());
    assert!(server.get(FETCHER)["data"]["tls.crt"].is_string());
}

#[tokio::test]
async fn a_new_signing_key_is_picked_up() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    replica.upkeep.round().await;
    let before = replica.tells();
    server.remove(KEYS);
    assert!(replica.upkeep.round().await);
    assert_ne!(replica.tells().0, before.0);
    assert_eq!(replica.tells().1, before.1);
}

#[tokio::test]
async fn a_guard_that_goes_takes_readiness_and_inheritance_with_it() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    replica.upkeep.round().await;
    assert!(replica.guarded.load(Ordering::Relaxed));
    server.remove(&format!("{POLICIES}/kube2hadoop-token-guard"));
    replica.upkeep.round().await;
    assert!(!replica.guarded.load(Ordering::Relaxed));
    let closed = replica.readiness.closed();
    assert_eq!(closed.len(), 1);
    assert!(
        closed[0].1.contains("kube2hadoop-token-guard is missing"),
        "{closed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_replaced_takes_no_guard_with_it() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    replica.upkeep.round().await;
    server.stop(Some(POLICIES));
    replica.upkeep.round().await;
    assert!(replica.guarded.load(Ordering::Relaxed));
    assert_eq!(replica.readiness.closed(), []);
    tokio::time::advance(Duration::from_secs(60)).await;
    replica.upkeep.round().await;
    assert!(!replica.guarded.load(Ordering::Relaxed), "for a minute");
    server.stop(None);
    replica.upkeep.round().await;
    assert!(replica.guarded.load(Ordering::Relaxed));
    assert_eq!(replica.readiness.closed(), []);
}

#[tokio::test]
async fn a_missing_registration_is_named_until_it_comes() {
    let server = ApiServer::installed();
    let registration = server.get(REGISTRATION);
    server.remove(REGISTRATION);
    let mut replica = Replica::of(&server);
    assert!(!replica.upkeep.round().await);
    let closed = replica.readiness.closed();
    assert!(closed[0].1.contains("kube2hadoop"), "{closed:?}");
    assert!(replica.upkeep.tls.is_none());
    server.put(REGISTRATION, registration);
    assert!(replica.upkeep.round().await);
    assert!(replica.readiness.closed().is_empty());
}

#[tokio::test]
async fn a_later_failure_takes_nothing_away() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    replica.upkeep.round().await;
    let mut damaged = server.get(CA);
    damaged["data"].as_object_mut().unwrap().remove("ca.key");
    server.put(CA, damaged);
    assert!(!replica.upkeep.round().await);
    assert!(replica.readiness.closed().is_empty());
    assert!(replica.keys.get().is_some());
}

#[tokio::test]
async fn what_fails_starves_nothing_else() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    replica.upkeep.round().await;
    let (kid, _) = replica.tells();
    let before = server.get(FETCHER);
    replica.age_leaf(5 * DAY);
    server.write(FETCHER, "made", &(now() - 5 * DAY).to_string());
    server.write(KEYS, "revoke", &kid);
    server.remove(REGISTRATION);

    assert!(!replica.upkeep.round().await);
    assert!(now() - replica.upkeep.leaf.as_ref().unwrap().made < DAY);
    let after = server.get(FETCHER);
    assert_ne!(before["data"]["tls.crt"], after["data"]["tls.crt"]);
    assert_ne!(replica.tells().0, kid);
    let published = server.get(JWKS)["data"]["keys.json"].to_string();
    assert!(!published.contains(&kid), "{published}");
    assert!(replica.readiness.closed().is_empty());
}

#[tokio::test]
async fn keys_are_revoked_without_a_ca() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    replica.upkeep.round().await;
    let (kid, ca) = replica.tells();
    server.write(CA, "ca.made", "soon");
    server.write(KEYS, "revoke", &kid);
    assert!(!replica.upkeep.round().await);
    let (left, told) = replica.tells();
    assert_ne!(left, kid);
    assert_eq!(told, ca);
}

#[tokio::test]
async fn a_new_ca_waits_until_the_api_server_trusts_it() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    replica.upkeep.round().await;
    let served = |replica: &Replica| replica.upkeep.leaf.as_ref().unwrap().ca.clone();
    let (before, registration) = (served(&replica), server.get(REGISTRATION));
    server.remove(CA);
    server.remove(REGISTRATION);
    assert!(!replica.upkeep.round().await);
    assert_eq!(served(&replica), before);
    server.put(REGISTRATION, registration);
    assert!(replica.upkeep.round().await);
    assert_ne!(served(&replica), before);
}

#[tokio::test]
async fn a_certificate_that_ends_takes_readiness_with_it() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    replica.upkeep.round().await;
    let right = server.get(CA);
    server.write(CA, "ca.made", "soon");
    let closed = async |replica: &mut Replica| {
        replica.upkeep.round().await;
        replica.readiness.closed().len()
    };
    replica.age_leaf(7 * DAY - 2 * NEAR);
    assert_eq!(closed(&mut replica).await, 0);
    replica.age_leaf(NEAR);
    assert_eq!(closed(&mut replica).await, 1);
    server.put(CA, right);
    server.remove(REGISTRATION);
    assert_eq!(closed(&mut replica).await, 0);
}

#[tokio::test]
async fn what_fails_or_ends_is_measured() {
    let server = ApiServer::installed();
    let mut replica = Replica::of(&server);
    replica.upkeep.round().await;
    let measured =
        |replica: &Replica| ["provision_failing", "guards_missing"].map(|name| replica.gauge(name));
    assert_eq!(measured(&replica), [Some(0), Some(0)]);
    for (certificate, days) in [("ca", 365), ("webhook", 7), ("fetcher", 7)] {
        let name = format!("certificate_expiry_timestamp_seconds{{certificate=\"{certificate}\"}}");
        let end = replica.gauge(&name).unwrap();
        let left = end.saturating_sub(now());
        assert!(
            (days - 1) * DAY < left && left <= days * DAY,
            "{name}: {left}"
        );
    }
    server.remove(REGISTRATION);
    server.remove(&format!("{POLICIES}/kube2hadoop-token-guard"));
    replica.upkeep.round().await;
    assert_eq!(measured(&replica), [Some(1), Some(1)]);
}
