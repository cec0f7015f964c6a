use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::stream;
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use kube2hadoop_runtime::api_server::{Clients, LIMIT};
use kube2hadoop_stamp::{ObjectName, SigningKey};
use serde_json::json;
use tokio::time::{Instant, timeout};
use tower::service_fn;

use super::*;
use crate::lifecycle::timing::SETTLE_MILLIS;

fn stamped(namespace: &str) -> Pod {
    let claims = PodClaims {
        iss: "k2h".into(),
        ns: "team".into(),
        sa: "default".into(),
        sub: "alice".parse().unwrap(),
        submitter: "alice@example.com".into(),
        pod: ObjectName::Name("p".into()),
        origin: None,
        job: None,
        iat: 0,
    };
    let stamp = SigningKey::generate().unwrap().sign_pod(&claims).unwrap();
    Pod {
        metadata: ObjectMeta {
            name: Some("p".into()),
            namespace: Some(namespace.into()),
            uid: Some("u1".into()),
            annotations: Some([(names::STAMP.to_owned(), stamp)].into()),
            ..ObjectMeta::default()
        },
        ..Pod::default()
    }
}

/// What kube's watcher adds to a server's time before it takes a watch for dead.
const MARGIN: u64 = 5;

#[test]
fn a_watch_that_went_silent_is_open_again_or_fails_before_tokens_are_cancelled() {
    for grace in [5, 10, 59, 60, 61, 3600, u64::MAX / 1000] {
        let noticed = u64::from(patience(grace)) + MARGIN + LIMIT.as_secs();
        let cancelled = grace + SETTLE_MILLIS / 1000;
        assert!(noticed < cancelled, "{grace}: {noticed}");
    }
}

/// Lists no pods, opens one watch that never says anything, and answers no more.
fn falls_silent() -> Client {
    let asked = Arc::new(AtomicU64::new(0));
    let service = service_fn(move |_: Request<Body>| {
        let turn = asked.fetch_add(1, Ordering::SeqCst);
        async move {
            let list = json!({"metadata": {"resourceVersion": "1"}, "items": []});
            let (said, more) = match turn {
                0 => (list.to_string(), stream::empty().boxed()),
                1 => (String::new(), stream::pending().boxed()),
                _ => pending().await,
            };
            let said = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from(said)))]);
            Ok::<_, Infallible>(Response::new(StreamBody::new(said.chain(more))))
        }
    });
    Clients::new(Client::new(service, "kube2hadoop")).watches
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_trouble_before_tokens_are_cancelled() {
    for grace in [5, 60, 3600] {
        let begun = Instant::now();
        let mut seen = pods(falls_silent(), patience(grace));
        assert_eq!(seen.next().await, Some(Sighting::Restart));
        assert_eq!(seen.next().await, Some(Sighting::Complete));
        let trouble = timeout(Duration::from_secs(3600), seen.next()).await;
        assert!(
            matches!(&trouble, Ok(Some(Sighting::Trouble(why))) if why.contains("no answer within 5 s")),
            "{trouble:?}"
        );
        let cancelled = Duration::from_secs(grace) + Duration::from_millis(SETTLE_MILLIS);
        assert!(begun.elapsed() < cancelled, "{grace}");
    }
}

#[tokio::test]
async fn events_become_sightings_and_strange_pods_none() {
    let mut unstamped = stamped("team");
    unstamped.metadata.annotations = None;
    let events = vec![
        Ok(Event::Init),
        Ok(Event::InitApply(stamped("team"))),
        Ok(Event::Apply(stamped("elsewhere"))),
        Ok(Event::Apply(unstamped)),
        Ok(Event::InitDone),
        Ok(Event::Delete(stamped("team"))),
        Err(kube::runtime::watcher::Error::NoResourceVersion),
    ];
    let id = |meta: &ObjectMeta| meta.uid.clone();
    let seen: Vec<_> = sightings(stream::iter(events), live_pod, id)
        .collect()
        .await;
    let [restart, pod, complete, gone, trouble] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!(
        (restart, complete),
        (&Sighting::Restart, &Sighting::Complete)
    );
    assert_eq!(gone, &Sighting::Gone("u1".into()));
    assert!(matches!(trouble, Sighting::Trouble(_)));
    let Sighting::Seen(pod) = pod else {
        panic!("{pod:?}");
    };
    assert_eq!(pod.job.as_str(), "team/Pod/u1");
}
