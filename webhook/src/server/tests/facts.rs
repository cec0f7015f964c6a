//! What is asked of the API server for run-as, and how often.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::admission::{Caller, Connect};
use crate::identity::{Directory, Verdict};
use crate::ldap::Directories;

/// Answers, and what was asked.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) default_run_as: Option<&'static str>,
    pub(super) in_scope: bool,
    pub(super) answer: Option<bool>,
    pub(super) pod: Mutex<Option<Pod>>,
    /// Neither pod nor namespace can be read.
    pub(super) unreadable: bool,
    pub(super) questions: Mutex<Vec<Question>>,
    /// LDAP's answer, and what it was asked.
    pub(super) membership: Option<bool>,
    pub(super) filters: Mutex<Vec<String>>,
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

    fn namespace(&self, name: String) -> BoxFuture<'_, Result<Option<Arc<Namespace>>, Unread>> {
        if self.unreadable {
            return Box::pin(std::future::ready(Err(Unread)));
        }
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name);
        if self.in_scope {
            let label = ("kube2hadoop.io/inject".to_owned(), "enabled".to_owned());
            namespace.metadata.labels = Some([label].into());
        }
        let default = self.default_run_as;
        namespace.metadata.annotations =
            default.map(|user| [("kube2hadoop.io/run-as".to_owned(), user.to_owned())].into());
        Box::pin(std::future::ready(Ok(Some(Arc::new(namespace)))))
    }

    fn may_use(&self, question: Question) -> BoxFuture<'_, Option<bool>> {
        self.questions.lock().unwrap().push(question);
        Box::pin(std::future::ready(self.answer))
    }
}

impl Directories for Recorder {
    fn has(&self, _: Arc<Directory>, filter: String) -> BoxFuture<'_, Option<bool>> {
        self.filters.lock().unwrap().push(filter);
        Box::pin(std::future::ready(self.membership))
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
            callers: Callers::new(
                cluster,
                Arc::clone(&recorder) as _,
                Arc::new(AtomicBool::new(true)),
            ),
            recorder,
            policy,
            keys: Keys {
                verifying: signing.public(),
                signing,
                ca: String::new().into(),
            },
        }
    }

    /// Groups grant these users, too.
    fn with_groups(mut self, grantable: &str) -> Self {
        let filter = "(&(cn={account})(memberUid={user})(mail={submitter}))";
        let ldap = json!({"urls": ["ldaps://ldap"], "caFile": "ca.crt", "base": "dc=x", "filter": filter,
            "cacheSeconds": 5, "grantable": [grantable]});
        self.policy.identity.run_as.ldap = Some(serde_json::from_value(ldap).unwrap());
        self
    }

    pub(super) async fn find(&self, review: &Value) -> Caller {
        let body = review.to_string();
        let request = parse(body.as_bytes()).unwrap();
        let until = Patience::of(5).begin();
        let found = self.callers.find(&request, &self.policy, &self.keys, until);
        found.await
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
            (authority.user.as_str(), authority.rbac),
            ("etl", Some(Verdict::Granted))
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

/// Where RBAC has a say, it has the first one.
#[tokio::test(start_paused = true)]
async fn ldap_is_asked_once_in_a_while_where_rbac_refuses() {
    let asking = |answer, membership| {
        let recorder = Recorder {
            answer,
            membership,
            ..Recorder::default()
        };
        Asking::new(recorder, "^etl$").with_groups("^(etl|ops)$")
    };
    let filters = |asking: &Asking| asking.recorder.filters.lock().unwrap().clone();

    let member = asking(Some(false), Some(true));
    for _ in 0..3 {
        assert_eq!(member.denied(&wanting(ALICE, "etl")).await, None);
    }
    let wanted = "(&(cn=etl)(memberUid=alice)(mail=alice@example.com))";
    assert_eq!(
        (filters(&member), member.asked()),
        (vec![wanted.to_owned()], 1)
    );
    // It knows nothing of namespaces and of the groups in Kubernetes.
    let mut elsewhere = wanting(ALICE, "etl");
    elsewhere["request"]["namespace"] = json!("team-z");
    elsewhere["request"]["userInfo"]["groups"] = json!([]);
    assert_eq!(member.denied(&elsewhere).await, None);
    assert_eq!((filters(&member).len(), member.asked()), (1, 2));
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(member.denied(&wanting(ALICE, "etl")).await, None);
    assert_eq!((filters(&member).len(), member.asked()), (2, 2));
    assert_eq!(member.denied(&wanting(ALICE, "ops")).await, None);
    assert_eq!(member.asked(), 2, "RBAC cannot grant ops");

    let stranger = asking(Some(false), Some(false));
    for _ in 0..2 {
        let denied = stranger.denied(&wanting(ALICE, "etl")).await.unwrap();
        assert!(
            denied.contains("membership in the LDAP group of etl"),
            "{denied}"
        );
    }
    assert_eq!(filters(&stranger).len(), 1);

    let granted = asking(Some(true), Some(false));
    assert_eq!(granted.denied(&wanting(ALICE, "etl")).await, None);
    assert!(filters(&granted).is_empty());

    let silent = asking(Some(false), None);
    for asked in 1..3 {
        let denied = silent.denied(&wanting(ALICE, "etl")).await.unwrap();
        assert!(denied.contains("no LDAP server answered"), "{denied}");
        assert_eq!(
            filters(&silent).len(),
            asked,
            "what is not known is asked again"
        );
    }
}

/// Names are none of a directory's business where nothing can come of it.
#[tokio::test]
async fn ldap_is_not_asked_about_pods_service_accounts_in_scope_and_strange_names() {
    let recorder = Recorder {
        membership: Some(true),
        in_scope: true,
        ..Recorder::default()
    };
    let mut asking = Asking::new(recorder, "").with_groups("^ops$");
    let rules = json!([{"match": "^.*(?<end>e)$", "user": "us${end}r"}]);
    asking.policy.identity.mappings = serde_json::from_value(rules).unwrap();
    asking.policy.identity.allow_namespace_editors = true;
    assert_eq!(asking.denied(&wanting("alice", "ops")).await, None);
    let mut by_a_pod = by_driver("uid-1");
    by_a_pod["request"]["object"]["metadata"]["annotations"] =
        json!({"kube2hadoop.io/run-as": "ops"});
    for review in [
        wanting("system:serviceaccount:team-a:e", "ops"),
        wanting("\u{ff41}lice", "ops"),
        wanting("alice*", "ops"),
        wanting(" alice", "ops"),
        wanting(&"e".repeat(300), "ops"),
        wanting("alice", "ops)(cn=*"),
        wanting("alice", "hdfs"),
        by_a_pod,
    ] {
        assert!(asking.denied(&review).await.is_some(), "{review}");
    }
    assert_eq!(asking.recorder.filters.lock().unwrap().len(), 1);
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

/// It may have a default: neither the submitter's own user nor any other but one that is asked for is right.
#[tokio::test]
async fn in_a_namespace_that_cannot_be_read_nobody_is_taken_for_themselves() {
    for grantable in ["^etl$", ""] {
        let recorder = Recorder {
            unreadable: true,
            ..Recorder::default()
        };
        let asking = Asking::new(recorder, grantable);
        let denied = asking.denied(&review(ALICE, &Value::Null)).await.unwrap();
        assert!(denied.contains("could not be read"), "{denied}");
        assert_eq!(asking.denied(&wanting(ALICE, "alice")).await, None);
    }
}

#[tokio::test]
async fn a_default_that_nobody_may_have_is_refused() {
    let recorder = Recorder {
        default_run_as: Some("etl"),
        ..Recorder::default()
    };
    let off = Asking::new(recorder, "");
    let denied = off.denied(&review(ALICE, &Value::Null)).await.unwrap();
    assert!(denied.contains("runAs.grantable"), "{denied}");
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

/// In a cluster with a driver's pod, whose stamp is good.
fn with_driver() -> Asking {
    let signing = SigningKey::generate().unwrap();
    let recorder = Recorder {
        pod: Mutex::new(Some(driver(&signing))),
        ..Recorder::default()
    };
    let mut asking = Asking::new(recorder, "");
    asking.keys.verifying = signing.public();
    asking
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_submits_much_is_read_once_in_a_while_and_its_stamp_checked_each_time() {
    let mut asking = with_driver();
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

/// Nobody saw it come into being, so that anybody may have written its stamp.
#[tokio::test]
async fn a_pod_of_a_namespace_that_is_left_out_hands_nothing_on() {
    let mut asking = with_driver();
    assert!(asking.find(&by_driver("uid-1")).await.pod.is_some());
    asking.policy.identity.excluded_namespaces = ["team-b".to_owned()].into();
    assert!(asking.find(&by_driver("uid-1")).await.pod.is_none());
}

#[tokio::test]
async fn a_pod_is_who_its_stamp_says_within_the_window_that_is_configured() {
    let signing = SigningKey::generate().unwrap();
    let mut late = driver(&signing);
    let created = late.metadata.creation_timestamp.as_mut().unwrap();
    created.0 = "2023-11-14T22:14:25Z".parse().unwrap();
    let recorder = Recorder {
        pod: Mutex::new(Some(late)),
        ..Recorder::default()
    };
    let mut asking = Asking::new(recorder, "");
    asking.keys.verifying = signing.public();
    for (seconds, known) in [(30, false), (64, false), (65, true)] {
        asking.policy.stamp_window_seconds = seconds;
        let caller = asking.find(&by_driver("uid-1")).await;
        assert_eq!(caller.pod.is_some(), known, "{seconds}");
    }
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
