use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use kube2hadoop_client::contract::{FileContent, FileName};
use kube2hadoop_stamp::HadoopUser;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;
use crate::issue::{IssueFailure, Issued};
use crate::service::ServiceName;

async fn noticed(task: End, stop: &Shutdown) -> bool {
    let wait = Duration::from_secs(60);
    tokio::time::timeout(wait, died(task, stop)).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_task_that_dies_is_noticed_and_one_that_is_asked_to_end_is_not_missed() {
    let (trigger, stop) = Shutdown::new();
    let asked = stop.clone();
    let lives = watched(tokio::spawn(async move { asked.requested().await }));
    assert!(!noticed(lives.clone(), &stop).await);
    let panics = watched(tokio::spawn(async { panic!("as the test wants it") }));
    assert!(noticed(panics.clone(), &stop).await);
    assert!(noticed(watched(tokio::spawn(async {})), &stop).await);
    trigger.request();
    assert!(!noticed(lives, &stop).await);
    assert!(noticed(panics, &stop).await);
}

/// A Hadoop without services.
#[derive(Default)]
struct Nothing(BTreeMap<FileName, FileContent>);

impl Issuer for Nothing {
    fn services(&self) -> &[ServiceName] {
        &[]
    }

    fn client_conf(&self) -> &BTreeMap<FileName, FileContent> {
        &self.0
    }

    fn issue<'a>(
        &'a self,
        _: &'a HadoopUser,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Issued, IssueFailure>> {
        let refused = IssueFailure::NoSuchService(service.clone());
        std::future::ready(Err(refused)).boxed()
    }
}

/// An API server that keeps one Lease, has nothing else, and takes its time.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Option<Value>>>);

impl Shelf {
    fn client(&self) -> Client {
        let shelf = self.clone();
        let service = service_fn(move |request| {
            let shelf = shelf.clone();
            async move { Ok::<_, Infallible>(shelf.answer(request).await) }
        });
        Client::new(service, "kube2hadoop")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let sent = body.collect().await.unwrap().to_bytes();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut lease = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_lease = head.uri.path().contains("/leases");
        if of_lease && head.method != Method::GET {
            *lease = Some(serde_json::from_slice(&sent).unwrap());
        }
        let (status, answer) = match &*lease {
            Some(lease) if of_lease => (200, lease.clone()),
            _ => (
                404,
                json!({"status": "Failure", "reason": "NotFound", "code": 404}),
            ),
        };
        let answer = Body::from(answer.to_string().into_bytes());
        Response::builder().status(status).body(answer).unwrap()
    }

    fn holder(&self) -> Option<String> {
        let lease = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = lease.as_ref()?.pointer("/spec/holderIdentity")?.as_str()?;
        Some(holder.to_owned())
    }
}

fn config() -> Config {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fetcher.yaml");
    let text = "hadoop: {principal: kube2hadoop@EXAMPLE.COM}\nledger: {namespace: ledger}\n";
    std::fs::write(&path, text).unwrap();
    Config::parse(&File::read(&path).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_certificate_gives_the_lease_back_too() {
    let shelf = Shelf::default();
    let clients = Clients::new(shelf.client());
    let (trigger, shutdown) = Shutdown::new();
    let config = config();
    let (_changes, standing) = Standing::new(&config);
    let parts = Parts {
        standing,
        client: clients.calls,
        watches: clients.watches,
        services: Services::new(),
        issuer: Arc::new(Nothing::default()),
        readiness: Readiness::new(),
        metrics: Metrics::new(&mut Registry::default()),
        shutdown,
        config,
    };
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "listen")
        .await
        .unwrap();
    let story = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(shelf.holder().is_some());
        trigger.request();
    };
    let (ended, ()) = tokio::join!(parts.serve(listener, None), story);
    ended.unwrap();
    assert_eq!(shelf.holder(), None);
}
