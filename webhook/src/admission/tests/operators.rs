use super::*;

const RAY: &str = "system:serviceaccount:ray:operator";
const TRAINING: &str = "system:serviceaccount:kubeflow:training-operator";
const ROLLOUTS: &str = "system:serviceaccount:argo-rollouts:argo-rollouts";
const KUEUE: &str = "system:serviceaccount:kueue-system:kueue";

fn world() -> World {
    let mut world = World::new(Scope::Namespace);
    let identity = json!({
        "mappings": [{"match": r"^(?<n>[a-z]+)@example\.com$", "user": "${n}"}],
        "trustedOperators": [
            {"serviceAccount": "ray/operator", "kinds": ["Pod", "RayCluster.ray.io", "Job.batch"]},
            {"serviceAccount": "kubeflow/training-operator", "kinds": ["Pod"]},
            {"serviceAccount": "argo-rollouts/argo-rollouts", "kinds": ["ReplicaSet.apps"]},
        ],
        "mutators": [{"serviceAccount": "kueue-system/kueue", "annotations": ["kueue.x-k8s.io/podset"]}],
    });
    world.policy.identity = serde_json::from_value(identity).unwrap();
    world
}

fn ray_job() -> Value {
    let template = json!({"spec": {"containers": [{"name": "ray"}]}});
    json!({"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": "train"}, "spec": {
        "entrypoint": "python a.py", "rayClusterSpec": {"headGroupSpec": {"template": template}}}})
}

fn owner(api_version: &str, kind: &str, name: &str) -> Value {
    json!([{"apiVersion": api_version, "kind": kind, "name": name, "controller": true}])
}

/// The cluster that the operator makes of a RayJob.
fn cluster(job: &Value) -> Value {
    json!({"apiVersion": "ray.io/v1", "kind": "RayCluster",
        "metadata": {"name": "train-x2k", "ownerReferences": owner("ray.io/v1", "RayJob", "train")},
        "spec": job["spec"]["rayClusterSpec"]})
}

fn owned_pod(template: &Value, owner: Value) -> Value {
    let mut pod = template.clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("p");
    pod["metadata"]["ownerReferences"] = owner;
    pod
}

#[test]
fn an_operators_chain_is_followed_link_by_link() {
    let world = world();
    let job = world.create(ALICE, &ray_job()).object;
    let made = world.create(RAY, &cluster(&job)).object;
    let template = &made["spec"]["headGroupSpec"]["template"];
    assert_eq!(world.template_user(template).as_deref(), Some("alice"));
    let pod = owned_pod(template, owner("ray.io/v1", "RayCluster", "train-x2k"));
    let claims = world.pod_stamp(&world.create(RAY, &pod).object).unwrap();
    assert_eq!(claims.sub.as_str(), "alice");
    assert_eq!(
        claims.job_id("u").as_str(),
        "team/RayCluster.ray.io/train-x2k"
    );
    // The operator writes it again and again.
    assert!(world.update(RAY, &made, &made).unpatched());
    assert!(world.create(RAY, &made).unpatched());
}

/// The API server names it after the last webhook, and asks again before that.
#[test]
fn what_an_operator_leaves_to_be_named_keeps_its_stamp_when_asked_again() {
    let world = world();
    let job = world.create(ALICE, &ray_job()).object;
    let mut unnamed = cluster(&job);
    unnamed["metadata"] = json!({"generateName": "train-",
        "ownerReferences": owner("ray.io/v1", "RayJob", "train")});
    let once = world.create(RAY, &unnamed).object;
    assert!(world.create(RAY, &once).unpatched());
    // On an object of another prefix the same stamp is somebody else's.
    let mut copied = once;
    copied["metadata"]["generateName"] = json!("train-two-");
    let after = world.create(RAY, &copied).object;
    assert_eq!(
        world.template_user(&after["spec"]["headGroupSpec"]["template"]),
        None
    );
}

#[test]
fn a_copied_stamp_is_dropped_where_the_operator_does_not_serve_or_own() {
    let world = world();
    let job = world.create(BOB, &ray_job()).object;
    let template = &job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"];
    let of = |user, pod: &Value| world.pod_stamp(&world.create(user, pod).object);
    let mine = owned_pod(template, owner("ray.io/v1", "RayJob", "train"));
    assert!(of(RAY, &mine).is_some());
    #[rustfmt::skip]
    let others = [
        owner("ray.io/v1", "RayJob", "train-x"),
        owner("ray.io/v1", "RayJob", "trai"),
        owner("ray.io/v1", "RayCluster", "train"),
        owner("evil.org/v1", "RayJob", "train"),
        json!([]),
    ];
    for other in others {
        assert!(
            of(RAY, &owned_pod(template, other.clone())).is_none(),
            "{other}"
        );
    }
    // A person, or an operator that serves other kinds, who makes up the owner reference.
    assert_eq!(of(ALICE, &mine).unwrap().sub.as_str(), "alice");
    assert!(of("system:serviceaccount:team:default", &mine).is_none());
    let mut copied = cluster(&job);
    copied["metadata"]["ownerReferences"] = owner("ray.io/v1", "RayJob", "train");
    let after = world.create(TRAINING, &copied);
    assert_eq!(
        world.template_user(&after.object["spec"]["headGroupSpec"]["template"]),
        None
    );
    // A kind that nobody knows is not looked at; its pods are nobody's.
    let unknown = owned_pod(template, owner("evil.org/v1", "Thing", "train"));
    assert!(of("system:serviceaccount:team:thing-operator", &unknown).is_none());
}

/// What a trusted operator makes of a template, under a name that its author chose.
fn replica_set(template: &Value, owner: Value, hash: (&str, &str)) -> Value {
    let mut set = workload("apps/v1", "ReplicaSet", "web-xyz");
    set["metadata"]["ownerReferences"] = owner;
    set["spec"]["template"] = template.clone();
    set["spec"]["template"]["metadata"]["labels"] = json!({hash.0: hash.1});
    set
}

#[test]
fn a_replica_set_passes_only_for_its_own_owners() {
    const ARGO: &str = "argoproj.io/v1alpha1";
    const ROLLOUT_HASH: &str = "rollouts-pod-template-hash";
    let world = world();
    let hash = "pod-template-hash";
    #[rustfmt::skip]
    let cases = [
        (("apps/v1", "Deployment", "web"), (hash, "xyz"), DEPLOYMENTS),
        ((ARGO, "Rollout", "web"), (ROLLOUT_HASH, "xyz"), ROLLOUTS),
        // Its own stamp, of a time when bob had made it by hand.
        (("apps/v1", "ReplicaSet", "web-xyz"), (hash, "xyz"), ""),
    ];
    let experiment = owner(ARGO, "Experiment", "web");
    for ((api_version, kind, name), label, maker) in cases {
        let bobs = world.create(BOB, &workload(api_version, kind, name));
        let template = &bobs.object["spec"]["template"];
        let borrowed = replica_set(template, experiment.clone(), label);
        let pod = child(
            &borrowed["spec"]["template"],
            ("apps/v1", "ReplicaSet", "web-xyz"),
            None,
        );
        // Nothing on the pod tells it from bob's.
        let user = world.pod_stamp(&world.create(REPLICA_SETS, &pod).object);
        assert_eq!(user.unwrap().sub.as_str(), "bob");
        let before = replica_set(
            &json!({"metadata": {}, "spec": {}}),
            experiment.clone(),
            label,
        );
        for after in [
            world.create(ROLLOUTS, &borrowed),
            world.update(ROLLOUTS, &borrowed, &before),
        ] {
            assert!(after.denied().contains("for another object"), "{kind}");
        }
        if !maker.is_empty() {
            let own = replica_set(template, owner(api_version, kind, name), label);
            let passed = |after: After| after.decision.outcome == Outcome::Untouched;
            assert!(passed(world.create(maker, &own)), "{kind}");
            // Its owner went without it, and another takes it up.
            let orphan = replica_set(template, json!([]), label);
            let adopted = replica_set(template, owner(api_version, kind, "web-2"), label);
            for (old, new) in [(&own, &own), (&own, &orphan), (&orphan, &adopted)] {
                assert!(passed(world.update(maker, new, old)), "{kind}");
            }
        }
    }
}

/// Its pods get no token by such a stamp, so it keeps no controller from its work.
#[test]
fn a_stamp_that_gives_nothing_holds_no_replica_set_up() {
    let mut world = world();
    let web = world.create(ALICE, &workload("apps/v1", "Deployment", "web"));
    let template = &web.object["spec"]["template"];
    let rollout = owner("argoproj.io/v1alpha1", "Rollout", "web");
    // Of a Rollout that refers to the Deployment.
    let referred = replica_set(template, rollout, ("rollouts-pod-template-hash", "xyz"));
    let outcome = |world: &World, set| world.create(ROLLOUTS, set).decision.outcome;
    assert_eq!(outcome(&world, &referred), Outcome::Untouched);
    // Of a key that was revoked.
    let experiment = owner("argoproj.io/v1alpha1", "Experiment", "web");
    let revoked = replica_set(template, experiment, ("pod-template-hash", "xyz"));
    world.keys.verifying = SigningKey::generate().unwrap().public();
    assert_eq!(outcome(&world, &revoked), Outcome::Untouched);
}

#[test]
fn a_mutator_changes_scheduling_and_keeps_the_stamp() {
    let world = world();
    let mut suspended = workload("batch/v1", "Job", "etl");
    suspended["spec"]["suspend"] = json!(true);
    let bobs = world.create(BOB, &suspended).object;
    let template = |pointer: &str, value: Value| {
        let mut job = bobs.clone();
        job["spec"]["suspend"] = json!(false);
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/");
        job["spec"]["template"].pointer_mut(parent).unwrap()[key] = value;
        job
    };
    #[rustfmt::skip]
    let cases = [
        ("/spec/nodeSelector", json!({"gpu": "a"}), true),
        ("/spec/tolerations", json!([{"key": "a"}]), true),
        ("/spec/schedulingGates", json!([{"name": "a"}]), true),
        ("/metadata/labels", json!({"kueue.x-k8s.io/podset": "main"}), true),
        ("/metadata/annotations/kueue.x-k8s.io~1podset", json!("main"), true),
        ("/metadata/labels", json!({"kube2hadoop.io/inject": "disabled"}), false),
        ("/metadata/annotations/sidecar.istio.io~1inject", json!("true"), false),
        ("/spec/containers", json!([{"name": "main", "image": "evil"}]), false),
        ("/spec/serviceAccountName", json!("other"), false),
        ("/spec/volumes", json!([{"name": "a"}]), false),
    ];
    for (pointer, value, kept) in cases {
        let after = world.update(KUEUE, &template(pointer, value.clone()), &bobs);
        assert_eq!(after.denied().is_empty(), kept, "{pointer} {value}");
        if kept {
            assert_eq!(
                world
                    .template_user(&after.object["spec"]["template"])
                    .as_deref(),
                Some("bob")
            );
            let by_alice = world.update(ALICE, &template(pointer, value), &bobs).object;
            assert_eq!(
                world
                    .template_user(&by_alice["spec"]["template"])
                    .as_deref(),
                Some("alice")
            );
        }
    }
    // It makes nothing of its own: an identity that is not there does not appear.
    let unstamped = world.create(KUEUE, &suspended).object;
    assert_eq!(world.template_user(&unstamped["spec"]["template"]), None);
    let smuggled = world.update(KUEUE, &bobs, &suspended);
    assert_eq!(
        world.template_user(&smuggled.object["spec"]["template"]),
        None
    );
}
