//! What is asked of the API server for run-as, and how often.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::admission::{Caller, Connect};
use crate::identity::Verdict;

/// Answers, and what was asked.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) default_run_as: Option<&'static str>,
    pub(super) answer: Option<bool>,
    pub(super) pod: Mutex<Option<Pod>>,
    pub(super) unreadable: bool,
    pub(super) questions: Mutex<Vec<Question>>,
    pub(super) pods_read: Mutex<Vec<String>>,
}

impl Cluster for Recorder {
    fn pod(&self, _: String, name: String) -> BoxFuture<'_, Result<Option<Pod>, Unread>> {
        self.pods_read.lock().unwrap().push(name);
        let pod = self.pod.lock().unwrap().clone();
        Box::pin(std::future::ready(if self.unreadable {
            Err(Unread)
        } else {
            Ok(pod)
        }))
    }

    fn namespace(&self, name: String) -> BoxFuture<'_, Option<Arc<Namespace>>> {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name);
        let default = self.default_run_as;
        namespace.metadata.annotations =
            default.map(|user| [("kube2hadoop.io/run-as".to_owned(), user.to_owned())].into());
        Box::pin(std::future::ready(Some(Arc::new(namespace))))
    }

    fn may_use(&self, question: Question) -> BoxFuture<'_, Option<bool>> {
        self.questions.lock().unwrap().push(question);
        Box::pin(std::future::ready(self.answer))
    }
}

pub(super) struct Asking {
    pub(super) recorder: Arc<Recorder>,
    callers: Callers,
    pub(super) policy: Policy,
    pub(super) keys: Keys,
}

impl Asking {
    pub(super) fn new(recorder: Recorder, grantable: &str) -> Self {
        let signing = SigningKey::generate().unwrap();
        let config: Config = serde_yaml_ng::from_str(CONFIG).unwrap();
        let mut policy = config.into_policy();
        let run_as =
            json!({"grantable": if grantable.is_empty() { vec![] } else { vec![grantable] }});
        policy.identity.run_as = serde_json::from_value(run_as).unwrap();
        policy.connect = Connect::Deny;
        let recorder = Arc::new(recorder);
        let cluster: Arc<dyn Cluster> = Arc::clone(&recorder) as _;
        Self {
            callers: Callers::new(cluster, Arc::new(AtomicBool::new(true))),
            recorder,
            policy,
            keys: Keys {
                verifying: signing.public(),
                signing,
                ca: String::new(),
            },
        }
    }

    pub(super) async fn find(&self, review: &Value) -> Caller {
        let body = review.to_string();
        let request = parse(body.as_bytes()).unwrap();
        self.callers.find(&request, &self.policy, &self.keys).await
    }

    pub(super) async fn denied(&self, review: &Value) -> Option<String> {
        let caller = self.find(review).await;
        let body = review.to_string();
        let context = Context {
            policy: &self.policy,
            keys: &self.keys,
            scope: Scope::Object,
            caller: &caller,
            now: 1,
        };
        let decision = admit(&parse(body.as_bytes()).unwrap(), &context).unwrap();
        decision.answer.denied
    }

    /// Calls of the API server; namespaces are watched.
    fn calls(&self) -> usize {
        self.asked() + self.read()
    }

    fn asked(&self) -> usize {
        self.recorder.questions.lock().unwrap().len()
    }

    pub(super) fn read(&self) -> usize {
        self.recorder.pods_read.lock().unwrap().len()
    }
}

pub(super) const ALICE: &str = "alice@example.com";

fn wanting(username: &str, run_as: &str) -> Value {
    let mut review = review(username, &json!({"scopes": ["a"]}));
    review["request"]["userInfo"]["groups"] = json!(["etl-team"]);
    review["request"]["object"]["metadata"]["annotations"]["kube2hadoop.io/run-as"] = json!(run_as);
    review
}

#[tokio::test(start_paused = true)]
async fn rbac_is_asked_once_in_a_while_about_the_whole_caller() {
    let recorder = Recorder {
        answer: Some(true),
        ..Recorder::default()
    };
    let asking = Asking::new(recorder, "^etl$");
    for _ in 0..3 {
        let authority = asking.find(&wanting(ALICE, "etl")).await.authority.unwrap();
        assert_eq!(
            (authority.user.as_str(), authority.verdict),
            ("etl", Verdict::Granted)
        );
    }
    let wanted = Question {
        username: ALICE.into(),
        uid: None,
        groups: vec!["etl-team".into()],
        extra: BTreeMap::from([("scopes".into(), vec!["a".into()])]),
        namespace: "team-a".into(),
        user: "etl".into(),
    };
    assert_eq!(*asking.recorder.questions.lock().unwrap(), [wanted]);
    // Another caller, even of the same name but with other groups, is another question.
    let mut other = wanting(ALICE, "etl");
    other["request"]["userInfo"]["groups"] = json!([]);
    asking.find(&other).await;
    assert_eq!(asking.asked(), 2);
    tokio::time::advance(Duration::from_secs(11)).await;
    asking.find(&other).await;
    assert_eq!(asking.asked(), 3);
}

#[tokio::test]
async fn nobody_is_asked_where_the_answer_is_known() {
    let asking = Asking::new(Recorder::default(), "^etl$");
    let plain = review(ALICE, &Value::Null);
    assert_eq!(asking.find(&plain).await.authority, None);
    for (username, run_as) in [
        (ALICE, "alice"),
        (ALICE, "hdfs"),
        (ALICE, "bob"),
        (ALICE, "../etl"),
        ("mallory", "etl"),
    ] {
        assert_eq!(
            asking.find(&wanting(username, run_as)).await.authority,
            None,
            "{username} {run_as}"
        );
    }
    assert_eq!(asking.asked(), 0);
    let off = Asking::new(Recorder::default(), "");
    assert!(
        off.denied(&wanting(ALICE, "etl"))
            .await
            .unwrap()
            .contains("runAs.grantable")
    );
    assert_eq!(off.asked(), 0);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_no_grant_and_is_asked_again() {
    let asking = Asking::new(Recorder::default(), "^etl$");
    for asked in 1..3 {
        let denied = asking.denied(&wanting(ALICE, "etl")).await.unwrap();
        assert!(denied.contains("try again"), "{denied}");
        assert_eq!(asking.asked(), asked);
    }
}

#[tokio::test]
async fn a_namespace_has_a_default_that_must_be_granted_too() {
    for (answer, wanted) in [(true, None), (false, Some("not granted"))] {
        let recorder = Recorder {
            default_run_as: Some("etl"),
            answer: Some(answer),
            ..Recorder::default()
        };
        let asking = Asking::new(recorder, "^etl$");
        let denied = asking.denied(&review(ALICE, &Value::Null)).await;
        assert_eq!(denied.is_some(), wanted.is_some(), "{denied:?}");
        assert!(
            denied
                .unwrap_or_default()
                .contains(wanted.unwrap_or_default())
        );
        // Oneself is always granted.
        assert_eq!(asking.denied(&wanting(ALICE, "alice")).await, None);
    }
}

#[tokio::test]
async fn a_template_is_asked_about_too() {
    let recorder = Recorder {
        answer: Some(true),
        ..Recorder::default()
    };
    let asking = Asking::new(recorder, "^etl$");
    let metadata = json!({"annotations": {"kube2hadoop.io/run-as": "etl"}});
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "kind": {"group": "apps", "version": "v1", "kind": "Deployment"}, "namespace": "team",
        "operation": "CREATE", "userInfo": {"username": ALICE}, "object": {
            "metadata": {"name": "d"}, "spec": {"template": {"metadata": metadata}}}}});
    let authority = asking.find(&review).await.authority;
    assert_eq!(authority.unwrap().user.as_str(), "etl");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_submits_much_is_read_once_in_a_while_and_its_stamp_checked_each_time() {
    let signing = SigningKey::generate().unwrap();
    let recorder = Recorder {
        pod: Mutex::new(Some(driver(&signing))),
        ..Recorder::default()
    };
    let mut asking = Asking::new(recorder, "");
    asking.keys.verifying = signing.public();
    let known = async |asking: &Asking, uid| asking.find(&by_driver(uid)).await.pod.is_some();
    for _ in 0..3 {
        assert!(known(&asking, "uid-1").await);
    }
    assert_eq!(asking.read(), 1);
    // A pod of the same name is another pod; what is no caller is not remembered either.
    for _ in 0..2 {
        assert!(!known(&asking, "uid-2").await);
    }
    assert_eq!(asking.read(), 3);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(known(&asking, "uid-1").await);
    assert_eq!(asking.read(), 4);
    // A key that is taken out takes its stamps with it at once.
    asking.keys.verifying = SigningKey::generate().unwrap().public();
    assert!(!known(&asking, "uid-1").await);
    assert_eq!(asking.read(), 4);
}

/// What an admission costs the API server: the first time, and when it is asked the same again.
#[tokio::test]
async fn no_admission_costs_more_than_one_call() {
    let plain = |username: &str| review(username, &Value::Null);
    let with_run_as = |mut review: Value| {
        review["request"]["object"]["metadata"]["annotations"]["kube2hadoop.io/run-as"] =
            json!("etl");
        review
    };
    let job_controller = "system:serviceaccount:kube-system:job-controller";
    #[rustfmt::skip]
    let cases = [
        ("a person", plain(ALICE), [0, 0]),
        ("nobody", plain("mallory"), [0, 0]),
        ("a controller", plain(job_controller), [0, 0]),
        ("a service account", plain(ACCOUNT), [0, 0]),
        ("a person who runs as another", with_run_as(plain(ALICE)), [1, 0]),
        ("nobody who would run as another", with_run_as(plain("mallory")), [0, 0]),
        ("a stamped pod", by_driver("uid-1"), [1, 0]),
        ("a stamped pod that would run as another", with_run_as(by_driver("uid-1")), [1, 0]),
    ];
    for (who, review, wanted) in cases {
        let signing = SigningKey::generate().unwrap();
        let recorder = Recorder {
            answer: Some(true),
            pod: Mutex::new(Some(driver(&signing))),
            ..Recorder::default()
        };
        let mut asking = Asking::new(recorder, "^etl$");
        asking.keys.verifying = signing.public();
        asking.find(&review).await;
        let first = asking.calls();
        asking.find(&review).await;
        assert_eq!([first, asking.calls() - first], wanted, "{who}");
    }
}
