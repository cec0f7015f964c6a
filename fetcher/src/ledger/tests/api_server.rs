//! An API server as far as Secrets go: versions, preconditions, and conflicts that are none of the record's.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::ledger::secrets::Secrets;

#[derive(Default)]
pub(super) struct ApiServer {
    secrets: Mutex<BTreeMap<String, Value>>,
    requests: AtomicUsize,
    /// Of so many writes only the last is done; 0 and 1: all are.
    pub(super) conflicts: AtomicUsize,
    /// This write is done, and answered later than anybody waits; 0: none is.
    pub(super) late: AtomicUsize,
}

type Answer = Result<Value, (u16, &'static str)>;

impl ApiServer {
    /// The shared ledger, as one replica reaches it.
    pub(super) fn store(self: &Arc<Self>) -> Arc<dyn Store> {
        let server = Arc::clone(self);
        let service = tower::service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Arc::new(Secrets::new(Client::new(service, "default"), "ledger"))
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.secrets.lock().unwrap().keys().cloned().collect()
    }

    /// The record is found under another name from now on, whoever it is of.
    pub(super) fn rename(&self, from: &str, to: &str) {
        let mut secrets = self.secrets.lock().unwrap();
        let mut secret = secrets.remove(from).unwrap();
        secret["metadata"]["name"] = json!(to);
        secrets.insert(to.into(), secret);
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let sent = body.collect().await.unwrap().to_bytes();
        let sent: Value = serde_json::from_slice(&sent).unwrap_or_default();
        tokio::task::yield_now().await;
        let name = head.uri.path().rsplit('/').next().unwrap().to_owned();
        let answer = if head.method == Method::GET {
            let found = self.secrets.lock().unwrap().get(&name).cloned();
            found.ok_or((404, "NotFound"))
        } else {
            let answer = self.write(&head.method, &name, sent);
            if self.requests.load(Ordering::SeqCst) == self.late.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            answer
        };
        let (status, body) = match answer {
            Ok(secret) => (200, secret),
            Err((code, reason)) => (
                code,
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": reason, "reason": reason, "code": code}),
            ),
        };
        let body = Body::from(body.to_string().into_bytes());
        Response::builder().status(status).body(body).unwrap()
    }

    fn write(&self, method: &Method, name: &str, mut sent: Value) -> Answer {
        let request = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        if !request.is_multiple_of(self.conflicts.load(Ordering::SeqCst).max(1)) {
            return Err((409, "Conflict"));
        }
        let mut secrets = self.secrets.lock().unwrap();
        let version = |secret: &Value| secret["metadata"]["resourceVersion"].clone();
        if *method == Method::POST {
            let name = sent["metadata"]["name"].as_str().unwrap().to_owned();
            if secrets.contains_key(&name) {
                return Err((409, "AlreadyExists"));
            }
            sent["metadata"]["resourceVersion"] = json!(request.to_string());
            secrets.insert(name, sent.clone());
            return Ok(sent);
        }
        let current = secrets.get(name).map(version).ok_or((404, "NotFound"))?;
        if *method == Method::DELETE {
            if sent["preconditions"]["resourceVersion"] != current {
                return Err((409, "Conflict"));
            }
            return Ok(secrets.remove(name).unwrap());
        }
        if version(&sent) != current {
            return Err((409, "Conflict"));
        }
        sent["metadata"]["resourceVersion"] = json!(request.to_string());
        secrets.insert(name.into(), sent.clone());
        Ok(sent)
    }
}
