//! Any body that is posted as an AdmissionReview: it is answered or refused without a panic, the patch can be applied,
//! and nobody becomes somebody else by it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube2hadoop_stamp::names;
use kube2hadoop_webhook::admission::{Caller, Context, Decision, Outcome, Scope, admit};
use kube2hadoop_webhook::kinds::{Kind, at, at_mut};
use kube2hadoop_webhook::review::{Operation, Request, parse};
use serde_json::Value;

use crate::people::{NAMESPACE, NOW, WORLD};

/// By every entry of the registration, with and without what the API server knows of the caller.
pub fn holds(data: &[u8]) {
    let Some(body) = WORLD.with_stamps(data) else {
        assert!(parse(data).is_err(), "no text, and yet a review");
        return;
    };
    let Ok(request) = parse(body.as_bytes()) else {
        return;
    };
    // What is skipped unparsed may be nothing that a number or a string can be: it is answered all the same.
    let review = serde_json::from_str(&body).ok();
    for scope in [Scope::Namespace, Scope::Legacy, Scope::Object] {
        for caller in &WORLD.callers {
            let asked = Asked {
                request: &request,
                review: review.as_ref(),
                scope,
                caller,
            };
            asked.holds();
        }
    }
}

struct Asked<'a> {
    request: &'a Request<'a>,
    review: Option<&'a Value>,
    scope: Scope,
    caller: &'a Caller,
}

impl Asked<'_> {
    fn holds(&self) {
        let Some(decision) = decide(self.request, self.scope, self.caller) else {
            return;
        };
        let outcome = decision.outcome;
        let answer = decision.answer.into_json(&self.request.uid).unwrap();
        let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
        let response = &answer["response"];
        assert_eq!(
            response["uid"], *self.request.uid,
            "another request's answer"
        );
        assert_eq!(response["allowed"], outcome != Outcome::Denied);
        let Some(review) = self.review else {
            return;
        };
        let after = patched(review, response);
        if after.is_object() && outcome != Outcome::Denied && self.is_about_an_object() {
            self.nobody_else(&after, &review["request"]["oldObject"]);
            self.nothing_smuggled(&after);
            self.the_same_again(review, &after);
        }
    }

    /// A pod is settled when it is made, a workload at every change, and subresources are the guards' business.
    fn is_about_an_object(&self) -> bool {
        let subresource = self.request.sub_resource.as_deref().unwrap_or_default();
        let operation = match self.request.operation {
            Operation::Create => true,
            Operation::Update => !self.is_pod(),
            Operation::Delete | Operation::Connect => false,
        };
        subresource.is_empty() && operation && !self.is_a_controllers_replica_set()
    }

    fn is_pod(&self) -> bool {
        self.request.kind.group.is_empty() && &*self.request.kind.kind == "Pod"
    }

    fn is_trusted(&self) -> bool {
        let (who, kind) = (&self.request.user_info, &self.request.kind);
        let policy = &WORLD.policy.identity;
        policy.trusts(&who.username, &kind.group, &kind.kind)
    }

    /// Its template is never altered: what it carries is judged when its pods come.
    fn is_a_controllers_replica_set(&self) -> bool {
        &*self.request.kind.kind == "ReplicaSet" && self.is_trusted()
    }

    fn kind(&self) -> Option<&'static Kind> {
        let kind = &self.request.kind;
        WORLD.policy.kinds.find(&kind.group, &kind.kind)
    }

    /// The places of metadata with which pods are made.
    fn metadata(&self, object: &Value) -> Vec<Vec<String>> {
        if self.is_pod() {
            return vec![vec!["metadata".to_owned()]];
        }
        let spots = self.kind().map(|kind| kind.spots(object));
        let spots = spots.into_iter().flatten();
        spots.map(|spot| spot.metadata).collect()
    }

    /// Whoever is named is named by a stamp of ours, and is who the rules say.
    fn nobody_else(&self, after: &Value, before: &Value) {
        for place in self.metadata(after) {
            let named = |object| at(object, &place).map(Named::of).unwrap_or_default();
            let (now, before) = (named(after), named(before));
            let update = self.request.operation == Operation::Update;
            if !now.is_anybody() || (update && now == before) {
                continue;
            }
            let (user, submitter) = self.verified(now.stamp.expect("a user without a stamp"));
            assert_eq!(now.user, Some(&*user), "not the stamp's user");
            assert_eq!(
                now.submitter,
                Some(&*submitter),
                "not the stamp's submitter"
            );
            let kept = update && now.stamp == before.stamp;
            assert!(
                kept || Some(&*user) == self.rightful(),
                "somebody else's stamp"
            );
        }
    }

    fn verified(&self, stamp: &str) -> (String, String) {
        let (keys, issuer) = (WORLD.verifying(), &WORLD.policy.issuer);
        if self.is_pod() {
            let claims = keys.verify_pod(stamp, issuer).expect("a pod's stamp");
            assert_eq!(Some(&*claims.ns), self.request.namespace.as_deref());
            return (claims.sub.to_string(), claims.submitter);
        }
        let claims = keys
            .verify_template(stamp, issuer)
            .expect("a template's stamp");
        assert_eq!(Some(&*claims.ns), self.request.namespace.as_deref());
        (claims.sub.to_string(), claims.submitter)
    }

    /// Who may be named: the pod's user, bob in what a controller makes of his Job, or the person who asks.
    fn rightful(&self) -> Option<&str> {
        let who = &self.request.user_info;
        let caller = self.caller.pod.as_ref().map(|pod| pod.sub.as_str());
        match (who.is_pod(), caller) {
            (true, Some(user)) => Some(user),
            (_, _) if self.is_trusted() => {
                let here = self.request.namespace.as_deref() == Some(NAMESPACE);
                here.then_some("bob")
            }
            (true, None) => None,
            (false, _) => who.username.strip_suffix("@example.com"),
        }
    }

    /// An operator may write anything that stands in its object onto its pods.
    fn nothing_smuggled(&self, after: &Value) {
        let Some(kind) = self.kind().filter(|kind| kind.has_an_operator()) else {
            return;
        };
        if self.request.operation != Operation::Create || self.is_trusted() {
            return;
        }
        let mut rest = after.clone();
        for place in self.metadata(after) {
            if let Some(Value::Object(metadata)) = at_mut(&mut rest, &place) {
                metadata.retain(|key, _| !matches!(&**key, "annotations" | "labels"));
            }
        }
        for path in &kind.not_code {
            path.remove(&mut rest);
        }
        let text = rest["spec"].to_string();
        for key in names::OWN_KEYS {
            assert!(!text.contains(key), "{key} came in: {text}");
        }
    }

    /// Another webhook changes something, and the API server asks again.
    fn the_same_again(&self, review: &Value, after: &Value) {
        let mut again = review.clone();
        again["request"]["object"] = after.clone();
        let body = again.to_string();
        let Ok(request) = parse(body.as_bytes()) else {
            return;
        };
        if let Some(decision) = decide(&request, self.scope, self.caller) {
            let patch = decision.answer.patch;
            assert!(patch.is_empty(), "not twice the same: {patch:?} of {after}");
        }
    }
}

/// The object as the API server stores it.
fn patched(review: &Value, response: &Value) -> Value {
    let mut object = review["request"]["object"].clone();
    if let Some(patch) = response["patch"].as_str() {
        let patch = STANDARD.decode(patch).expect("a patch is base64");
        let patch: json_patch::Patch = serde_json::from_slice(&patch).expect("a JSON patch");
        json_patch::patch(&mut object, &patch).expect("the patch fits the object");
    }
    object
}

fn decide(request: &Request<'_>, scope: Scope, caller: &Caller) -> Option<Decision> {
    let context = Context {
        policy: &WORLD.policy,
        keys: &WORLD.keys,
        scope,
        caller,
        now: NOW,
    };
    admit(request, &context).ok()
}

/// What metadata says of who it is.
#[derive(Default, PartialEq)]
struct Named<'a> {
    user: Option<&'a str>,
    submitter: Option<&'a str>,
    stamp: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn of(metadata: &'a Value) -> Self {
        let annotation = |key| metadata.get("annotations")?.get(key)?.as_str();
        Self {
            user: annotation(names::USER),
            submitter: annotation(names::SUBMITTER),
            stamp: annotation(names::STAMP),
        }
    }

    fn is_anybody(&self) -> bool {
        *self != Self::default()
    }
}
