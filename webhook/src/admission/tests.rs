//! Whole requests, with real keys: who asks for what, and what the object is afterwards.

use kube2hadoop_stamp::{JobId, ObjectName, SigningKey};
use serde_json::{Value, json};

use super::*;
use crate::review::parse;

mod custom_resources;
mod operators;
mod pods;
mod properties;
mod reasons;
mod workloads;

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const NOBODY: &str = "mallory";
const JOBS: &str = "system:serviceaccount:kube-system:job-controller";
const CRON_JOBS: &str = "system:serviceaccount:kube-system:cronjob-controller";
const DEPLOYMENTS: &str = "system:serviceaccount:kube-system:deployment-controller";
const REPLICA_SETS: &str = "system:serviceaccount:kube-system:replicaset-controller";
const NOW: u64 = 1_000_000;

struct World {
    policy: Policy,
    keys: Keys,
    scope: Scope,
    caller: Caller,
    now: u64,
}

impl World {
    fn new(scope: Scope) -> Self {
        let signing = SigningKey::generate().unwrap();
        let mapping =
            json!({"mappings": [{"match": r"^(?<n>[a-z]+)@example\.com$", "user": "${n}"}]});
        let inject = json!({"image": "client:1", "fetcherUrl": "https://fetcher:443"});
        Self {
            policy: Policy {
                identity: serde_json::from_value(mapping).unwrap(),
                inject: serde_json::from_value(inject).unwrap(),
                issuer: "k".into(),
                stamp_window_seconds: 30,
                unmapped_update: UnmappedUpdate::Deny,
                kinds: serde_json::from_value(json!([])).unwrap(),
                connect: Connect::Deny,
            },
            keys: Keys {
                verifying: signing.public(),
                signing,
                ca: "PEM".to_owned().into(),
            },
            scope,
            caller: Caller::default(),
            now: NOW,
        }
    }

    fn ask(&self, user: &str, operation: &str, object: &Value, old: &Value) -> After {
        let (group, version) = object["apiVersion"]
            .as_str()
            .unwrap()
            .rsplit_once('/')
            .unwrap_or(("", "v1"));
        let body =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
                "uid": "u1", "kind": {"group": group, "version": version, "kind": object["kind"]},
                "namespace": "team", "operation": operation, "userInfo": {"username": user},
                "object": object, "oldObject": old,
            }})
            .to_string();
        let request = parse(body.as_bytes()).unwrap();
        let context = Context {
            policy: &self.policy,
            keys: &self.keys,
            scope: self.scope,
            caller: &self.caller,
            now: self.now,
        };
        let decision = admit(&request, &context).unwrap();
        let mut object = object.clone();
        json_patch::patch(&mut object, &decision.answer.patch.patch()).unwrap();
        After { object, decision }
    }

    fn create(&self, user: &str, object: &Value) -> After {
        self.ask(user, "CREATE", object, &Value::Null)
    }

    fn update(&self, user: &str, object: &Value, old: &Value) -> After {
        self.ask(user, "UPDATE", object, old)
    }

    /// The verified user of a template.
    fn template_user(&self, template: &Value) -> Option<String> {
        let stamp = template["metadata"]["annotations"]["kube2hadoop.io/stamp"].as_str()?;
        Some(
            self.keys
                .verifying
                .verify_template(stamp, "k")
                .ok()?
                .sub
                .to_string(),
        )
    }

    fn pod_stamp(&self, pod: &Value) -> Option<PodClaims> {
        let stamp = pod["metadata"]["annotations"]["kube2hadoop.io/stamp"].as_str()?;
        self.keys.verifying.verify_pod(stamp, "k").ok()
    }
}

struct After {
    object: Value,
    decision: Decision,
}

impl After {
    fn denied(&self) -> &str {
        self.decision.answer.denied.as_deref().unwrap_or_default()
    }

    fn warned(&self, word: &str) -> bool {
        self.decision
            .answer
            .warnings
            .iter()
            .any(|warning| warning.contains(word))
    }

    fn unpatched(&self) -> bool {
        self.decision.answer.patch.is_empty()
    }
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "main"}]}})
}

fn workload(api_version: &str, kind: &str, name: &str) -> Value {
    let template = json!({"spec": {"containers": [{"name": "main", "image": "one"}]}});
    let spec = if kind == "CronJob" {
        json!({"jobTemplate": {"spec": {"template": template}}})
    } else {
        json!({"template": template})
    };
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// What a controller makes of a template.
fn child(template: &Value, owner: (&str, &str, &str), hash: Option<&str>) -> Value {
    let mut pod = template.clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["generateName"] = json!(format!("{}-", owner.2));
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": owner.0, "kind": owner.1, "name": owner.2, "controller": true}]);
    if let Some(hash) = hash {
        pod["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    }
    pod
}
