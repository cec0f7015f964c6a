//! Who gets into whose pod.

use std::sync::Mutex;
use std::time::Duration;

use super::facts::{ALICE, Asking, Recorder};
use super::*;
use crate::admission::{Connect, Target};

fn entering(username: &str, extra: &Value, way: &str) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "kind": {"group": "", "version": "v1", "kind": "PodExecOptions"}, "subResource": way,
        "name": "p", "namespace": "team", "operation": "CONNECT", "userInfo": {"username": username, "extra": extra},
        "object": {"kind": "PodExecOptions", "apiVersion": "v1", "stdin": true, "container": "main", "command": ["sh"]},
        "oldObject": null}})
}

fn pod_of(user: Option<&str>) -> Pod {
    let annotations = user.map(|user| {
        json!({"kube2hadoop.io/stamp": "a.b.c", "kube2hadoop.io/user": user,
            "kube2hadoop.io/submitter": format!("{user}@corp")})
    });
    serde_json::from_value(json!({"metadata": {"name": "p", "annotations": annotations}})).unwrap()
}

fn with_pod(pod: Option<Pod>) -> Recorder {
    Recorder {
        pod: Mutex::new(pod),
        ..Recorder::default()
    }
}

#[tokio::test]
async fn who_enters_a_stamped_pod_is_its_user_or_kept_out() {
    let bobs = || Some(pod_of(Some("bob")));
    for way in ["exec", "attach", "portforward", "proxy"] {
        #[rustfmt::skip]
        let cases = [
            (bobs(), ALICE, true),
            (bobs(), "bob@corp", false),
            (bobs(), "bob@example.com", false),
            (bobs(), "system:serviceaccount:team:default", true),
            (Some(pod_of(None)), ALICE, false),
            (None, ALICE, false),
        ];
        for (pod, username, kept_out) in cases {
            let asking = Asking::new(with_pod(pod), "");
            let denied = asking.denied(&entering(username, &Value::Null, way)).await;
            assert_eq!(denied.is_some(), kept_out, "{way} {username} {denied:?}");
        }
    }
    let asking = Asking::new(with_pod(bobs()), "");
    assert_eq!(
        asking.denied(&entering(ALICE, &Value::Null, "log")).await,
        None
    );
    assert_eq!(asking.read(), 0);
    let unreadable = Recorder {
        unreadable: true,
        ..Recorder::default()
    };
    let asking = Asking::new(unreadable, "");
    let denied = asking
        .denied(&entering("bob@corp", &Value::Null, "exec"))
        .await;
    assert!(denied.unwrap().contains("try again"));
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_of_a_pod_lets_nobody_into_its_successor() {
    let asking = Asking::new(with_pod(Some(pod_of(Some("alice")))), "");
    let alice = entering("alice@corp", &Value::Null, "exec");
    assert_eq!(asking.denied(&alice).await, None);
    *asking.recorder.pod.lock().unwrap() = Some(pod_of(Some("bob")));
    assert!(asking.denied(&alice).await.is_some());
    let reads = asking.read();
    assert!(asking.denied(&alice).await.is_some());
    assert_eq!(asking.read(), reads, "a refusal is remembered");
    let bob = entering("bob@corp", &Value::Null, "exec");
    assert_eq!(asking.denied(&bob).await, None);
    assert_eq!(asking.read(), reads + 1, "an admission is not");
    tokio::time::advance(Duration::from_secs(6)).await;
    *asking.recorder.pod.lock().unwrap() = Some(pod_of(Some("alice")));
    assert_eq!(asking.denied(&alice).await, None);
}

#[tokio::test]
async fn allowed_and_warned_of() {
    let mut asking = Asking::new(with_pod(Some(pod_of(Some("bob")))), "");
    asking.policy.connect = Connect::Allow;
    assert_eq!(
        asking.denied(&entering(ALICE, &Value::Null, "exec")).await,
        None
    );
    assert_eq!(asking.read(), 0);
    asking.policy.connect = Connect::Warn;
    let review = entering(ALICE, &Value::Null, "exec");
    let caller = asking.find(&review).await;
    assert!(matches!(caller.target, Some(Target::Stamped { .. })));
    let body = review.to_string();
    let context = Context {
        policy: &asking.policy,
        keys: &asking.keys,
        scope: Scope::Object,
        caller: &caller,
        now: 1,
    };
    let answer = admit(&parse(body.as_bytes()).unwrap(), &context)
        .unwrap()
        .answer;
    assert_eq!(answer.denied, None);
    assert!(
        answer.warnings[0].contains("as bob for bob@corp"),
        "{:?}",
        answer.warnings
    );
}

#[tokio::test]
async fn a_pod_of_the_same_user_enters_its_sister() {
    let key = SigningKey::generate().unwrap();
    let mut asking = Asking::new(with_pod(Some(driver(&key))), "");
    asking.keys = Keys {
        verifying: key.public(),
        signing: key,
        ca: String::new().into(),
    };
    // The fake gives the same pod for both names: the driver, and what it enters.
    let annotate = |user: &str| {
        let mut pod = asking.recorder.pod.lock().unwrap();
        let annotations = pod.as_mut().unwrap().metadata.annotations.as_mut().unwrap();
        annotations.insert("kube2hadoop.io/user".into(), user.into());
    };
    let extra = json!({"authentication.kubernetes.io/pod-name": ["driver-0"], "authentication.kubernetes.io/pod-uid": ["uid-1"]});
    annotate("alice");
    assert_eq!(
        asking.denied(&entering(ACCOUNT, &extra, "exec")).await,
        None
    );
    annotate("bob");
    assert!(
        asking
            .denied(&entering(ACCOUNT, &extra, "exec"))
            .await
            .is_some()
    );
}
