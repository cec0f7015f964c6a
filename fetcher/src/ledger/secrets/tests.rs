use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

use super::super::tests::{issued, key};
use super::form::{CREDENTIALS, NEXT_RENEWAL, USER, read};
use super::*;
use crate::ledger::record::State;
use k8s_openapi::ByteString;
use std::sync::Arc;

const NOW: u64 = 1_700_000_000_000;
const PATH: &str = "/api/v1/namespaces/ledger/secrets";

fn store() -> (Secrets, Handle<Request<Body>, Response<Body>>) {
    let (service, server) = mock::pair();
    (
        Secrets::new(Client::new(service, "default"), "ledger"),
        server,
    )
}

fn stored(place: &Place, record: &Record, version: Option<String>) -> Secret {
    form::secret(place, record, None, version)
}

fn failure(code: u16, reason: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code,
    })
}

async fn answer(
    server: &mut Handle<Request<Body>, Response<Body>>,
    status: u16,
    body: Option<Value>,
) -> (Method, String, Value) {
    let next = tokio::time::timeout(Duration::from_secs(1), server.next_request());
    let (request, respond) = next.await.unwrap().unwrap();
    let (head, sent) = request.into_parts();
    let sent: Value =
        serde_json::from_slice(&sent.collect().await.unwrap().to_bytes()).unwrap_or_default();
    // Without a body of its own the server stores what it is sent, as the real one does.
    let mut stored = body.unwrap_or_else(|| sent.clone());
    if status < 300 {
        stored["metadata"]["resourceVersion"] = json!("42");
    }
    let response = Response::builder()
        .status(status)
        .body(Body::from(stored.to_string().into_bytes()));
    respond.send_response(response.unwrap());
    (head.method, head.uri.path().to_owned(), sent)
}

#[test]
fn a_record_survives_its_secret() {
    let job = Place::current(&key("team/Job.batch/a", "alice"));
    let record = Record::Held(Arc::new(issued(NOW, 7)));
    let Versioned {
        record: Record::Held(held),
        version,
    } = read(stored(&job, &record, Some("9".into())))
    else {
        panic!("it was held");
    };
    assert_eq!(version, "9");
    let written = issued(NOW, 7);
    assert_eq!(held.tokens, written.tokens);
    assert_eq!(
        (
            held.issued_at,
            held.expires_at,
            held.max_date,
            held.sequence_number
        ),
        (
            written.issued_at,
            written.expires_at,
            written.max_date,
            written.sequence_number
        )
    );
    let claimed = read(stored(&job, &Record::Claimed { since: NOW }, None));
    assert!(matches!(claimed.record, Record::Claimed { since: NOW }));
}

#[test]
fn metadata_alone_tells_the_state() {
    let job = Place::current(&key("team/Job.batch/a", "alice"));
    let worn = Record::Worn {
        issued: Arc::new(issued(NOW, 7)),
        since: NOW + 1,
    };
    for record in [
        worn,
        Record::Held(Arc::new(issued(NOW, 7))),
        Record::Claimed { since: 5 },
    ] {
        let made = stored(&job, &record, Some("9".into()));
        let found = entry(&made.metadata).unwrap();
        assert_eq!((&found.place, found.version.as_str()), (&job, "9"));
        assert_eq!(found.state, State::of(&record));
        assert_eq!(State::of(&read(made).record), State::of(&record));
    }
    let mut renamed = stored(&job, &Record::Claimed { since: 5 }, Some("9".into()));
    renamed.metadata.name = Some("token-of-somebody-else".into());
    assert_eq!(entry(&renamed.metadata), None);
}

#[test]
fn what_cannot_be_read_is_a_claim_of_long_ago() {
    let job = Place::current(&key("team/Job.batch/a", "alice"));
    let mut broken = stored(&job, &Record::Held(Arc::new(issued(NOW, 7))), None);
    broken
        .data
        .as_mut()
        .unwrap()
        .insert(CREDENTIALS.into(), ByteString(b"HDTS".to_vec()));
    assert!(matches!(read(broken).record, Record::Claimed { since: 0 }));
    let mut foreign = stored(&job, &Record::Held(Arc::new(issued(NOW, 7))), None);
    foreign.type_ = Some("Opaque".into());
    assert!(matches!(read(foreign).record, Record::Claimed { since: 0 }));
}

#[test]
fn names_are_hashes_labels_for_selectors_and_annotations_for_people() {
    let job = Place::current(&key("team/Job.batch/a", "alice"));
    let made = stored(&job, &Record::Claimed { since: NOW }, None);
    let labels = made.metadata.labels.unwrap();
    for (label, value) in [
        (USER, "alice"),
        ("kube2hadoop.io/service", "ns1"),
        ("kube2hadoop.io/namespace", "team"),
        ("kube2hadoop.io/state", "claimed"),
    ] {
        assert_eq!(labels[label], value);
    }
    assert!(labels.values().all(|value| value.len() <= 63));
    assert_eq!(made.metadata.annotations.unwrap()[USER], "alice");
    for (other, user) in [("team/Job.batch/a", "bob"), ("team/Job.batch/b", "alice")] {
        assert_ne!(job.name(), Place::current(&key(other, user)).name());
    }
}

#[test]
fn what_kubernetes_takes_for_no_label_is_none() {
    for user in ["_alice", "alice_", &"a".repeat(64)] {
        let job = Place::current(&key("team/Job.batch/a", user));
        let made = stored(&job, &Record::Claimed { since: NOW }, None);
        assert_eq!(made.metadata.labels.unwrap().get(USER), None, "{user}");
        assert_eq!(made.metadata.annotations.unwrap()[USER], user);
    }
}

#[tokio::test]
async fn a_claim_is_a_create() {
    let (store, mut server) = store();
    let job = Place::current(&key("team/Job.batch/a", "alice"));
    let claim = store.put(&job, Record::Claimed { since: NOW }, None);
    let (written, (method, path, sent)) = tokio::join!(claim, answer(&mut server, 201, None));
    assert_eq!(written.unwrap(), Written::Yes("42".into()));
    assert_eq!((method, path.as_str()), (Method::POST, PATH));
    assert_eq!(sent["type"], TYPE);
}

#[tokio::test]
async fn who_comes_second_is_told_so() {
    let (store, mut server) = store();
    let job = Place::current(&key("team/Job.batch/a", "alice"));
    let claim = store.put(&job, Record::Claimed { since: NOW }, None);
    let busy = answer(&mut server, 409, Some(failure(409, "AlreadyExists")));
    assert_eq!(tokio::join!(claim, busy).0.unwrap(), Written::No);
    let replace = store.put(&job, Record::Claimed { since: NOW }, Some("9".into()));
    let gone = answer(&mut server, 404, Some(failure(404, "NotFound")));
    let (written, (method, _, sent)) = tokio::join!(replace, gone);
    assert_eq!(written.unwrap(), Written::No);
    assert_eq!(method, Method::PUT);
    assert_eq!(sent["metadata"]["resourceVersion"], "9");
}

#[tokio::test]
async fn only_the_version_that_was_claimed_is_deleted() {
    let (store, mut server) = store();
    let job = Place::current(&key("team/Job.batch/a", "alice"));
    let gone = answer(&mut server, 409, Some(failure(409, "Conflict")));
    let (deleted, (method, _, sent)) = tokio::join!(store.delete(&job, "9".into()), gone);
    assert!(!deleted.unwrap(), "what stands there is another");
    assert_eq!(method, Method::DELETE);
    assert_eq!(sent["preconditions"]["resourceVersion"], "9");
}

#[tokio::test]
async fn a_missing_namespace_is_an_error() {
    let (store, mut server) = store();
    let job = Place::current(&key("team/Job.batch/a", "alice"));
    let claim = store.put(&job, Record::Claimed { since: NOW }, None);
    let gone = answer(&mut server, 404, Some(failure(404, "NotFound")));
    assert!(tokio::join!(claim, gone).0.is_err());
}

#[tokio::test]
async fn people_read_when_a_token_will_be_renewed() {
    let (store, mut server) = store();
    let store = store.noting(Arc::new(|live, _| live.renewed_at.checked_add(3_600_000)));
    let place = Place::current(&key("team/Job.batch/a", "alice"));
    let writing = async {
        let record = Record::Held(Arc::new(issued(NOW, 7)));
        store.put(&place, record, None).await.unwrap();
        store
            .put(&place, Record::Claimed { since: NOW }, None)
            .await
            .unwrap();
    };
    let reading = async {
        let (_, _, held) = answer(&mut server, 201, None).await;
        let at = &held["metadata"]["annotations"][NEXT_RENEWAL];
        assert_eq!(at, "2023-11-14T23:13:20Z");
        let (_, _, claimed) = answer(&mut server, 201, None).await;
        assert_eq!(claimed["metadata"]["annotations"].get(NEXT_RENEWAL), None);
    };
    tokio::join!(writing, reading);
}

#[tokio::test]
async fn a_record_under_our_name_that_is_anothers_gives_no_tokens() {
    let alice = Place::current(&key("team/Job.batch/a", "alice"));
    for (job, user) in [("team/Job.batch/a", "bob"), ("team/Job.batch/b", "alice")] {
        let other = Place::current(&key(job, user));
        let record = Record::Held(Arc::new(issued(NOW, 7)));
        let mut secret = serde_json::to_value(stored(&other, &record, None)).unwrap();
        secret["metadata"]["name"] = json!(alice.name());
        let (store, mut server) = store();
        let (found, _) = tokio::join!(store.get(&alice), answer(&mut server, 200, Some(secret)));
        assert!(
            matches!(found, Err(StoreError::Taken { .. })),
            "{job} {user}: {found:?}"
        );
    }
}
