use proptest::prelude::*;

use super::*;

fn labelled(name: &str, value: &str) -> Value {
    let mut pod = pod(name);
    pod["metadata"]["labels"] = json!({"kube2hadoop.io/inject": value});
    pod
}

#[test]
fn who_asks_and_how_decides() {
    #[rustfmt::skip]
    let cases = [
        (Scope::Namespace, ALICE, pod("p"), Outcome::Injected),
        (Scope::Namespace, NOBODY, pod("p"), Outcome::Skipped),
        (Scope::Namespace, NOBODY, labelled("p", "enabled"), Outcome::Denied),
        (Scope::Namespace, ALICE, labelled("p", "disabled"), Outcome::Untouched),
        (Scope::Namespace, ALICE, labelled("p", "ENABLED"), Outcome::Denied),
        (Scope::Object, ALICE, pod("p"), Outcome::Untouched),
        (Scope::Object, ALICE, labelled("p", "enabled"), Outcome::Injected),
        (Scope::Object, NOBODY, labelled("p", "enabled"), Outcome::Denied),
    ];
    for (scope, user, pod, wanted) in cases {
        let after = World::new(scope).create(user, &pod);
        assert_eq!(after.decision.outcome, wanted, "{scope:?} {user} {pod}");
    }
}

#[test]
fn pods_know_a_fetcher_outside_by_its_own_ca() {
    let mut world = World::new(Scope::Namespace);
    let ca = |world: &World| {
        let made = world.create(ALICE, &pod("p")).object;
        let env = made["spec"]["initContainers"][0]["env"].as_array().cloned();
        let mut env = env.unwrap().into_iter();
        env.find(|it| it["name"] == "KUBE2HADOOP_CA").unwrap()["value"].clone()
    };
    assert_eq!(ca(&world), "PEM");
    world.policy.inject.fetcher_ca = Some("THEIRS".to_owned().into());
    assert_eq!(ca(&world), "THEIRS");
}

#[test]
fn a_persons_pod_is_theirs() {
    let world = World::new(Scope::Namespace);
    let claims = world
        .pod_stamp(&world.create(ALICE, &pod("p")).object)
        .unwrap();
    assert_eq!(
        (claims.sub.as_str(), claims.iat, claims.ns.as_str()),
        ("alice", NOW, "team")
    );
    assert_eq!(
        (claims.pod, claims.origin),
        (ObjectName::Name("p".into()), None)
    );
}

#[test]
fn what_a_request_carries_counts_for_nothing() {
    let world = World::new(Scope::Namespace);
    let bobs = world.create(BOB, &pod("p")).object;
    for (scope, user, wanted) in [
        (Scope::Namespace, ALICE, Some("alice".to_owned())),
        (Scope::Namespace, NOBODY, None),
        (Scope::Object, ALICE, None),
    ] {
        let world = World {
            scope,
            ..World::new(scope)
        };
        let world = World {
            keys: Keys {
                signing: SigningKey::generate().unwrap(),
                ..world.keys
            },
            ..world
        };
        let mut copied = pod("p");
        copied["metadata"]["annotations"] = bobs["metadata"]["annotations"].clone();
        let after = world.create(user, &copied);
        let annotations = &after.object["metadata"]["annotations"];
        assert_eq!(
            annotations
                .get("kube2hadoop.io/user")
                .and_then(Value::as_str),
            wanted.as_deref()
        );
        assert_ne!(
            annotations["kube2hadoop.io/stamp"],
            bobs["metadata"]["annotations"]["kube2hadoop.io/stamp"]
        );
    }
}

#[test]
fn kinds_that_are_skipped_are_stripped_all_the_same() {
    let world = World::new(Scope::Namespace);
    let mut windows = pod("p");
    windows["spec"]["os"] = json!({"name": "windows"});
    let mut mirror = pod("p");
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    for mut pod in [windows, mirror] {
        pod["metadata"]["annotations"]["kube2hadoop.io/stamp"] = json!("a.b.c");
        let after = world.create(ALICE, &pod);
        assert_eq!(after.decision.outcome, Outcome::Skipped);
        assert!(
            after.object["metadata"]["annotations"]
                .get("kube2hadoop.io/stamp")
                .is_none()
        );
        assert!(after.object["metadata"]["annotations"]["kube2hadoop.io/skipped"].is_string());
    }
}

#[test]
fn a_copy_of_an_injected_pod_is_injected_anew_or_has_nothing_of_ours() {
    let own = json!({
        "volumes": [{"name": "own"}],
        "initContainers": [{"name": "setup", "env": [{"name": "HADOOP_CONF_DIR", "value": "/own"}], "volumeMounts": []}],
        "containers": [{"name": "main", "env": [{"name": "A"}], "volumeMounts": [{"name": "own", "mountPath": "/own"}]}],
    });
    let mut before = pod("p");
    before["metadata"]["annotations"] = json!({"kube2hadoop.io/refresh": "enabled"});
    before["spec"] = own.clone();
    let world = World::new(Scope::Namespace);
    let made = world.create(ALICE, &before).object;
    let mut disabled = made.clone();
    disabled["metadata"]["labels"]["kube2hadoop.io/inject"] = json!("disabled");
    // kubectl debug --copy-to takes labels and annotations off.
    let mut bare = made.clone();
    bare["metadata"] = json!({"name": "p"});
    let object = World::new(Scope::Object);
    for (world, user, copy, wanted) in [
        (&world, NOBODY, &made, Outcome::Skipped),
        (&world, NOBODY, &bare, Outcome::Skipped),
        (&world, ALICE, &disabled, Outcome::Stripped),
        (&object, ALICE, &made, Outcome::Stripped),
        (&object, ALICE, &bare, Outcome::Stripped),
    ] {
        let after = world.create(user, copy);
        assert_eq!(after.decision.outcome, wanted, "{copy}");
        assert_eq!(after.object["spec"], own, "{user} {copy}");
    }
    bare["metadata"]["annotations"] = json!({"kube2hadoop.io/refresh": "enabled"});
    let after = world.create(ALICE, &bare);
    assert_eq!(after.object["spec"], made["spec"], "{}", after.denied());
}

#[test]
fn a_pod_of_legacy_mode_is_stamped_and_its_spec_left_alone() {
    let mut world = World::new(Scope::Legacy);
    let mut claimed = pod("p");
    claimed["metadata"]["annotations"] = json!({"iddecorator.username": "bob"});
    let after = world.create(ALICE, &claimed);
    assert_eq!(after.decision.outcome, Outcome::Stamped);
    assert_eq!(after.object["spec"], claimed["spec"]);
    assert_eq!(
        after.object["metadata"]["annotations"]["iddecorator.username"],
        "alice"
    );
    // The fetcher renews the tokens of pods that carry it, and cancels the others'.
    assert_eq!(
        after.object["metadata"]["labels"]["kube2hadoop.io/injected"],
        "true"
    );
    assert_eq!(
        world.pod_stamp(&after.object).unwrap().sub.as_str(),
        "alice"
    );
    world.now += 5;
    assert!(world.create(ALICE, &after.object).unpatched());
    // Nobody is nobody here, too, and whoever asks by the label of today gets all of today.
    let after = world.create(NOBODY, &claimed).object;
    let annotations = &after["metadata"]["annotations"];
    assert!(
        annotations.get("iddecorator.username").is_none(),
        "{annotations}"
    );
    claimed["metadata"]["labels"] = json!({"kube2hadoop.io/inject": "enabled"});
    let after = world.create(ALICE, &claimed);
    assert_eq!(after.decision.outcome, Outcome::Injected);
}

#[test]
fn a_template_of_legacy_mode_is_stamped() {
    let world = World::new(Scope::Legacy);
    let job = world
        .create(ALICE, &workload("batch/v1", "Job", "etl"))
        .object;
    let pod = child(&job["spec"]["template"], ("batch/v1", "Job", "etl"), None);
    let pod = world.create(JOBS, &pod);
    assert_eq!(pod.decision.outcome, Outcome::Stamped);
    assert_eq!(world.pod_stamp(&pod.object).unwrap().sub.as_str(), "alice");
}

#[test]
fn a_second_call_keeps_a_young_stamp_byte_for_byte() {
    let mut world = World::new(Scope::Namespace);
    let once = world.create(ALICE, &pod("p")).object;
    world.now += 5;
    assert!(world.create(ALICE, &once).unpatched());
    world.now += 60;
    let again = world.create(ALICE, &once).object;
    assert_eq!(world.pod_stamp(&again).unwrap().iat, world.now);
}

#[test]
fn a_second_call_for_a_controllers_pod_keeps_its_origin() {
    let mut world = World::new(Scope::Namespace);
    let job = world
        .create(ALICE, &workload("batch/v1", "Job", "etl"))
        .object;
    let pod = child(&job["spec"]["template"], ("batch/v1", "Job", "etl"), None);
    let once = world.create(JOBS, &pod).object;
    let claims = world.pod_stamp(&once).unwrap();
    assert_eq!(claims.job_id("u").as_str(), "team/Job.batch/etl");
    assert_eq!(claims.pod, ObjectName::GenerateName("etl-".into()));
    world.now += 5;
    assert!(world.create(JOBS, &once).unpatched());
    world.now += 60;
    assert!(world.pod_stamp(&world.create(JOBS, &once).object).is_none());
}

#[test]
fn a_deployments_pod_is_its_submitters_and_another_deployments_is_not() {
    let world = World::new(Scope::Namespace);
    let web = world
        .create(ALICE, &workload("apps/v1", "Deployment", "web"))
        .object;
    let of = |name, hash| {
        let pod = child(
            &web["spec"]["template"],
            ("apps/v1", "ReplicaSet", name),
            Some(hash),
        );
        world
            .pod_stamp(&world.create(REPLICA_SETS, &pod).object)
            .map(|claims| claims.sub.to_string())
    };
    assert_eq!(of("web-68f6", "68f6"), Some("alice".into()));
    assert_eq!(of("web-two-68f6", "68f6"), None);
    assert_eq!(of("web-68f6", "other"), None);
}

#[test]
fn a_pods_pod_inherits_user_and_job() {
    let mut world = World::new(Scope::Namespace);
    let mut claims = world
        .pod_stamp(&world.create(ALICE, &pod("driver")).object)
        .unwrap();
    claims.job = Some(JobId::of_pod("team", "u0"));
    world.caller.pod = Some(claims);
    let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": "team", "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:team:default", "extra": {
            "authentication.kubernetes.io/pod-name": ["driver"], "authentication.kubernetes.io/pod-uid": ["u0"]}},
        "object": pod("executor"),
    }})
    .to_string();
    let request = parse(body.as_bytes()).unwrap();
    let ask = |caller: &Caller| {
        let World {
            policy,
            keys,
            scope,
            now,
            ..
        } = &world;
        let decision = admit(
            &request,
            &Context {
                policy,
                keys,
                scope: *scope,
                caller,
                now: *now,
            },
        )
        .unwrap();
        let mut object = pod("executor");
        json_patch::patch(&mut object, &decision.answer.patch.patch()).unwrap();
        world.pod_stamp(&object)
    };
    let inherited = ask(&world.caller).unwrap();
    assert_eq!(
        (inherited.sub.as_str(), inherited.job_id("u1").as_str()),
        ("alice", "team/Pod/u0")
    );
    assert!(ask(&Caller::default()).is_none());
}

proptest! {
    /// Whatever an unmapped user sends, no stamp and no user comes out.
    #[test]
    fn nobody_stays_nobody(
        label in proptest::option::of("enabled|disabled|x"),
        annotations in proptest::collection::btree_map(
            "kube2hadoop\\.io/(user|submitter|stamp|run-as|skipped|injected|services)", "[a-z.]{0,12}", 0..6),
        labels in proptest::collection::btree_map("kube2hadoop\\.io/(user|stamp|injected)", "[a-z]{1,5}", 0..3),
        owner in proptest::option::of("[a-z]{1,4}"),
        object_scope: bool,
    ) {
        let world = World::new(if object_scope { Scope::Object } else { Scope::Namespace });
        let mut pod = pod("p");
        pod["metadata"]["annotations"] = json!(annotations);
        pod["metadata"]["labels"] = json!(labels);
        if let Some(label) = label {
            pod["metadata"]["labels"]["kube2hadoop.io/inject"] = json!(label);
        }
        if let Some(owner) = owner {
            pod["metadata"]["ownerReferences"] =
                json!([{"apiVersion": "batch/v1", "kind": "Job", "name": owner, "controller": true}]);
        }
        let after = world.create(NOBODY, &pod);
        if after.decision.answer.denied.is_none() {
            for map in ["annotations", "labels"] {
                for key in ["user", "submitter", "stamp", "injected"] {
                    let key = format!("kube2hadoop.io/{key}");
                    prop_assert!(after.object["metadata"][map].get(key).is_none());
                }
            }
        }
    }
}
