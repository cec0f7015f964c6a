//! What holds for every input.

use proptest::prelude::*;

use super::*;

const OURS: [&str; 3] = ["user", "submitter", "stamp"];

/// Some value for every key that Kubernetes lets a person write, some of them ours.
fn entries() -> impl Strategy<Value = Value> {
    let key = "(kube2hadoop\\.io/(user|submitter|stamp|inject|injected|skipped|containers|refresh)|app|a/b)";
    proptest::collection::btree_map(key, "(enabled|disabled|main|[a-z.]{0,8})", 0..5)
        .prop_map(|map| json!(map))
}

fn metadata() -> impl Strategy<Value = Value> {
    (entries(), entries())
        .prop_map(|(labels, annotations)| json!({"labels": labels, "annotations": annotations}))
}

fn container() -> impl Strategy<Value = Value> {
    let env = proptest::collection::btree_map(
        "(A|HADOOP_CONF_DIR|HADOOP_TOKEN_FILE_LOCATION)",
        "[a-z/]{0,5}",
        0..3,
    );
    let mounts = proptest::collection::btree_map("/[a-z]{1,4}", "[a-z]{1,3}", 0..3);
    (any::<bool>(), env, mounts, proptest::option::of(0..5_i64)).prop_map(
        |(empty, env, mounts, user)| {
            let env: Vec<_> = env
                .into_iter()
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect();
            let mounts: Vec<_> = mounts
                .into_iter()
                .map(|(path, name)| json!({"name": name, "mountPath": path}))
                .collect();
            let mut container =
                json!({"name": "main", "image": "one", "env": env, "volumeMounts": mounts});
            if empty {
                container = json!({"name": "main", "image": "one"});
            }
            if let Some(user) = user {
                container["securityContext"] = json!({"runAsUser": user});
            }
            container
        },
    )
}

fn any_pod() -> impl Strategy<Value = Value> {
    let containers = proptest::collection::vec(container(), 1..4);
    (metadata(), containers, proptest::collection::vec(container(), 0..2)).prop_map(|(metadata, mut containers, mut init)| {
        for (index, container) in containers.iter_mut().skip(1).chain(&mut init).enumerate() {
            container["name"] = json!(format!("c{index}"));
        }
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}});
        pod["metadata"]["name"] = json!("p");
        if !init.is_empty() {
            pod["spec"]["initContainers"] = json!(init);
        }
        pod
    })
}

/// A workload of any shape, with metadata of any kind at each of its templates.
fn any_workload() -> impl Strategy<Value = Value> {
    (0..6_usize, metadata(), metadata()).prop_map(|(shape, one, two)| {
        let template = |metadata: &Value| json!({"metadata": metadata, "spec": {"containers": [{"name": "main"}]}});
        let (api_version, kind, spec) = match shape {
            0 => ("apps/v1", "Deployment", json!({"template": template(&one)})),
            1 => ("batch/v1", "CronJob", json!({"jobTemplate": {"spec": {"template": template(&one)}}})),
            2 => ("kubeflow.org/v1", "TFJob", json!({"tfReplicaSpecs": {
                "Chief": {"template": template(&one)}, "a/b": {"template": template(&two)}}})),
            3 => ("sparkoperator.k8s.io/v1beta2", "SparkApplication", json!({"driver": one, "executor": two})),
            4 => ("argoproj.io/v1alpha1", "Workflow", json!({"podMetadata": one, "templates": [{"metadata": two}]})),
            _ => ("ray.io/v1", "RayCluster", json!({
                "headGroupSpec": {"template": template(&one)}, "workerGroupSpecs": [{"template": template(&two)}]})),
        };
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "w"}, "spec": spec})
    })
}

/// Puts a genuine stamp of bob's wherever something stands for a stamp.
fn with_stamps(value: &mut Value, stamp: &str) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| match value {
            Value::String(text) if key == "kube2hadoop.io/stamp" => *text = stamp.to_owned(),
            value => with_stamps(value, stamp),
        }),
        Value::Array(list) => list.iter_mut().for_each(|value| with_stamps(value, stamp)),
        _ => {}
    }
}

/// Is one of our identity keys anywhere below an annotations or labels map, or in any string?
fn names_somebody(value: &Value) -> bool {
    let ours = |text: &str| {
        OURS.iter()
            .any(|key| text.contains(&format!("kube2hadoop.io/{key}")))
    };
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| ours(key) || names_somebody(value)),
        Value::Array(list) => list.iter().any(names_somebody),
        Value::String(text) => ours(text),
        _ => false,
    }
}

fn bobs_stamp(world: &World, object: &Value) -> String {
    let mut plain = object.clone();
    let asks = json!({"labels": {"kube2hadoop.io/inject": "enabled"}});
    plain["spec"] = json!({"template": {"metadata": asks, "spec": {}}});
    plain["apiVersion"] = json!("apps/v1");
    plain["kind"] = json!("Deployment");
    let after = world.create(BOB, &plain).object;
    let stamp = &after["spec"]["template"]["metadata"]["annotations"]["kube2hadoop.io/stamp"];
    stamp.as_str().unwrap().to_owned()
}

/// What the pod was before, as far as it must still be there.
fn is_kept(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => before.iter().all(|(key, value)| {
            let ours = key.starts_with("kube2hadoop.io/");
            ours || after.get(key).is_some_and(|after| is_kept(value, after))
        }),
        // We append, and put one container first.
        (Value::Array(before), Value::Array(after)) => {
            let mut rest = after.iter();
            before
                .iter()
                .all(|item| rest.any(|after| is_kept(item, after)))
        }
        (before, after) => before == after,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nobody_and_their_objects_stay_nobodys(
        object in prop_oneof![any_pod(), any_workload()],
        object_scope: bool,
        user in prop_oneof![Just(NOBODY), Just("system:serviceaccount:team:operator"), Just("")],
        update: bool,
    ) {
        let world = World::new(if object_scope { Scope::Object } else { Scope::Namespace });
        let mut object = object;
        let stamp = bobs_stamp(&world, &object);
        with_stamps(&mut object, &stamp);
        let pod = object["kind"] == "Pod";
        let after = if update && !pod {
            let mut old = object.clone();
            old["spec"] = json!({});
            world.update(user, &object, &old)
        } else {
            world.create(user, &object)
        };
        prop_assert!(!after.denied().is_empty() || !names_somebody(&after.object), "{}", after.object);
    }

    #[test]
    fn twice_is_once(object in prop_oneof![any_pod(), any_workload()], object_scope: bool) {
        let world = World::new(if object_scope { Scope::Object } else { Scope::Namespace });
        let once = world.create(ALICE, &object);
        if once.denied().is_empty() {
            let twice = world.create(ALICE, &once.object);
            prop_assert!(twice.unpatched(), "{:?} of {}", twice.decision.answer, once.object);
        }
    }

    #[test]
    fn the_patch_makes_a_pod_that_is_still_the_persons(pod in any_pod()) {
        let world = World::new(Scope::Namespace);
        let after = world.create(ALICE, &pod);
        prop_assert!(is_kept(&pod, &after.object), "{pod} became {}", after.object);
        if after.decision.outcome == Outcome::Injected {
            let claims = world.pod_stamp(&after.object);
            prop_assert_eq!(claims.map(|claims| claims.sub.to_string()), Some("alice".to_owned()));
        }
    }
}
