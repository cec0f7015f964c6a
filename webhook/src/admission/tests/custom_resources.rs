use super::*;

fn spark(name: &str) -> Value {
    json!({"apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication", "metadata": {"name": name},
        "spec": {"mainApplicationFile": "local:///a.py", "driver": {"serviceAccount": "spark"}, "executor": {}}})
}

fn workflow(name: &str) -> Value {
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name}, "spec": {
        "entrypoint": "main", "templates": [{"name": "main", "container": {"image": "one"}}]}})
}

fn tf_job() -> Value {
    let replica =
        json!({"replicas": 1, "template": {"spec": {"containers": [{"name": "tensorflow"}]}}});
    json!({"apiVersion": "kubeflow.org/v1", "kind": "TFJob", "metadata": {"name": "mnist"},
        "spec": {"tfReplicaSpecs": {"Chief": replica, "Worker": replica}}})
}

fn set(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    object
}

const STAMP: &str = "kube2hadoop.io/stamp";

/// The user in the verified stamp among these annotations.
fn user(world: &World, annotations: &Value) -> Option<String> {
    world.template_user(&json!({"metadata": {"annotations": annotations}}))
}

#[test]
fn every_template_of_a_custom_resource_is_stamped() {
    let world = World::new(Scope::Namespace);
    let template = json!({"spec": {"containers": []}});
    let ray = json!({"headGroupSpec": {"template": template}, "workerGroupSpecs": [{"template": template}]});
    #[rustfmt::skip]
    let cases = [
        (tf_job(), &["/spec/tfReplicaSpecs/Chief/template/metadata", "/spec/tfReplicaSpecs/Worker/template/metadata"][..]),
        (spark("etl"), &["/spec/driver", "/spec/executor"]),
        (json!({"apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "ScheduledSparkApplication", "metadata": {"name": "x"},
            "spec": {"template": spark("x")["spec"]}}), &["/spec/template/driver", "/spec/template/executor"]),
        (json!({"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "x"}, "spec": ray}),
            &["/spec/headGroupSpec/template/metadata", "/spec/workerGroupSpecs/0/template/metadata"]),
        (json!({"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": "x"}, "spec": {"rayClusterSpec": ray}}),
            &["/spec/rayClusterSpec/workerGroupSpecs/0/template/metadata"]),
        (workflow("x"), &["/spec/podMetadata"]),
        (json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": "x"},
            "spec": {"workflowSpec": workflow("x")["spec"]}}), &["/spec/workflowSpec/podMetadata"]),
        (workload("argoproj.io/v1alpha1", "Rollout", "x"), &["/spec/template/metadata"]),
        (json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": {"name": "x"},
            "spec": {"templates": [{"name": "a", "template": template}]}}), &["/spec/templates/0/template/metadata"]),
        (json!({"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "metadata": {"name": "x"},
            "spec": {"replicatedJobs": [{"template": {"spec": {"template": template}}}]}}),
            &["/spec/replicatedJobs/0/template/spec/template/metadata"]),
        (json!({"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "metadata": {"name": "x"},
            "spec": {"leaderWorkerTemplate": {"workerTemplate": template}}}),
            &["/spec/leaderWorkerTemplate/workerTemplate/metadata"]),
    ];
    for (object, places) in cases {
        let after = world.create(ALICE, &object);
        for place in places {
            let annotations = after
                .object
                .pointer(place)
                .map(|place| &place["annotations"]);
            let user = annotations.and_then(|annotations| user(&world, annotations));
            assert_eq!(
                user.as_deref(),
                Some("alice"),
                "{place} of {object}: {}",
                after.denied()
            );
        }
        assert!(
            world.create(ALICE, &after.object).unpatched(),
            "again: {object}"
        );
        assert!(
            world.update(ALICE, &object, &after.object).object == after.object,
            "applied again: {object}"
        );
    }
}

#[test]
fn code_outside_of_templates_is_code_and_declared_fields_are_not() {
    let world = World::new(Scope::Namespace);
    let (bobs, jobs) = (
        world.create(BOB, &spark("etl")).object,
        world.create(BOB, &tf_job()).object,
    );
    let running = world.create(BOB, &workflow("etl")).object;
    #[rustfmt::skip]
    let cases = [
        (&bobs, "/spec/suspend", json!(true), "bob"),
        (&jobs, "/spec/tfReplicaSpecs/Worker/replicas", json!(7), "bob"),
        (&jobs, "/spec/tfReplicaSpecs/Worker/restartPolicy", json!("Never"), "alice"),
        (&running, "/spec/shutdown", json!("Stop"), "bob"),
        (&running, "/spec/arguments", json!({"parameters": []}), "alice"),
        (&running, "/status", json!({"phase": "Running"}), "bob"),
        // The controller runs what it finds there instead of the spec.
        (&running, "/status", json!({"storedWorkflowTemplateSpec": {"entrypoint": "evil"}}), "alice"),
    ];
    for (before, pointer, value, wanted) in cases {
        let after = world
            .update(ALICE, &set(before, pointer, value), before)
            .object;
        let places = [
            "/spec/driver",
            "/spec/tfReplicaSpecs/Worker/template/metadata",
            "/spec/podMetadata",
        ];
        let annotations = places
            .iter()
            .find_map(|place| Some(&after.pointer(place)?["annotations"]));
        assert_eq!(
            user(&world, annotations.unwrap()).as_deref(),
            Some(wanted),
            "{pointer}"
        );
        let nobodys = world.update(NOBODY, &after, before);
        assert_eq!(nobodys.denied().is_empty(), wanted == "bob", "{pointer}");
    }
}

/// Spark's operator puts the sidecars that the object has by then into pods that were stamped before.
#[test]
fn a_spark_application_changes_hands_by_no_update() {
    let mut world = World::new(Scope::Namespace);
    world.policy.unmapped_update = UnmappedUpdate::Drop;
    let bobs = world.create(BOB, &spark("etl")).object;
    let disabled = json!({"labels": {"kube2hadoop.io/inject": "disabled"}});
    for (pointer, value) in [
        ("/spec/driver", disabled),
        ("/spec/driver", Value::Null),
        ("/spec/mainApplicationFile", json!("http://evil/x.py")),
        ("/spec/driver/serviceAccount", json!("other")),
        ("/spec/executor", json!({"sidecars": [{"name": "evil"}]})),
    ] {
        let changed = set(&bobs, pointer, value);
        let denied = world.update(ALICE, &changed, &bobs);
        assert!(denied.denied().contains("pods that run as bob: delete it"));
        assert!(!world.update(NOBODY, &changed, &bobs).denied().is_empty());
        assert_eq!(world.update(BOB, &changed, &bobs).denied(), "", "{pointer}");
    }
}

#[test]
fn what_steps_gave_is_code_of_those_that_follow() {
    const ARGO: &str = "system:serviceaccount:argo:argo";
    let mut world = World::new(Scope::Namespace);
    let operators =
        json!([{"serviceAccount": "argo/argo", "kinds": ["Pod", "Workflow.argoproj.io"]}]);
    world.policy.identity.trusted_operators = serde_json::from_value(operators).unwrap();
    let bobs = world.create(BOB, &workflow("etl")).object;
    let mut labelled = workflow("etl");
    labelled["spec"]["podMetadata"] = json!({"labels": {"kube2hadoop.io/inject": "enabled"}});
    let labelled = world.create(BOB, &labelled).object;
    let of = |object: &Value| user(&world, &object["spec"]["podMetadata"]["annotations"]);
    for status in [
        json!({"nodes": {"etl-1": {"outputs": {"parameters": [{"name": "x", "value": "rm"}]}}}}),
        json!({"compressedNodes": "H4sI"}),
        json!({"offloadNodeStatusVersion": "fnv:1"}),
        json!({"outputs": {"result": "rm"}}),
    ] {
        let by = |who| world.update(who, &set(&bobs, "/status", status.clone()), &bobs);
        assert_eq!(of(&by(ARGO).object).as_deref(), Some("bob"), "{status}");
        assert_eq!(of(&by(ALICE).object).as_deref(), Some("alice"), "{status}");
        // An operator that nobody listed goes on; its pods would get no token anyhow.
        for bobs in [&bobs, &labelled] {
            let nobodys = world.update(NOBODY, &set(bobs, "/status", status.clone()), bobs);
            assert_eq!(
                (nobodys.denied(), of(&nobodys.object)),
                ("", None),
                "{status}"
            );
            assert!(nobodys.warned("without a Hadoop token"));
        }
    }
    let both = set(&bobs, "/status", json!({"outputs": {}}));
    let both = set(&both, "/spec/entrypoint", json!("other"));
    assert!(world.update(NOBODY, &both, &bobs).denied().contains("bob"));
}

#[test]
fn nobody_puts_a_reference_in_a_templates_place() {
    let mut world = World::new(Scope::Namespace);
    let rollout = workload("argoproj.io/v1alpha1", "Rollout", "web");
    let bobs = world.create(BOB, &rollout).object;
    let reference = json!({"apiVersion": "v1", "kind": "PodTemplate", "name": "evil"});
    let referring = set(&bobs, "/spec", json!({"workloadRef": reference}));
    let after = world.update(NOBODY, &referring, &bobs);
    assert!(after.denied().contains("what bob@example.com submitted"));
    assert_eq!(world.update(ALICE, &referring, &bobs).denied(), "");
    world.policy.unmapped_update = UnmappedUpdate::Drop;
    assert_eq!(world.update(NOBODY, &referring, &bobs).denied(), "");
}

#[test]
fn a_stamp_comes_in_by_no_other_door() {
    let bobs = {
        let world = World::new(Scope::Namespace);
        let after = world.create(BOB, &spark("etl")).object;
        after["spec"]["driver"]["annotations"][STAMP].clone()
    };
    let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "x", "controller": true}]);
    let driver = "spark.kubernetes.driver";
    #[rustfmt::skip]
    let cases = [
        (spark("x"), "/spec/sparkConf", json!({format!("{driver}.annotation.{STAMP}"): bobs})),
        (spark("x"), "/spec/sparkConf", json!({format!("{driver}.podTemplateFile"): "http://evil/template.yaml"})),
        (spark("x"), "/spec/driver/template", json!({"metadata": {"annotations": {STAMP: bobs}}})),
        (spark("x"), "/spec/driver/template", json!({"metadata": {"ownerReferences": owner}})),
        (spark("x"), "/spec/hadoopConf", json!({"a": format!("x {STAMP}=b")})),
        (workflow("x"), "/spec/templates", json!([{"metadata": {"annotations": {STAMP: bobs}}}])),
        (workflow("x"), "/spec/templates", json!([{"metadata": {"annotations": {"kube2hadoop.io/{{inputs.parameters.k}}": bobs}}}])),
        (workflow("x"), "/status", json!({"storedTemplates": {"a": {"metadata": {"annotations": {STAMP: bobs}}}}})),
        (json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "x"}, "spec": {}}),
            "/spec/podMetadata", json!({"annotations": {STAMP: bobs}})),
        (tf_job(), "/spec/tfReplicaSpecs/Worker/template/spec/containers", json!([{"name": "a", "args": ["kube2hadoop.io/user"]}])),
    ];
    for (object, pointer, value) in cases {
        let evil = set(&object, pointer, value);
        for scope in [Scope::Namespace, Scope::Object] {
            let world = World::new(scope);
            for user in [ALICE, NOBODY] {
                assert!(
                    !world.create(user, &evil).denied().is_empty(),
                    "{pointer} {evil}"
                );
                assert!(
                    !world.update(user, &evil, &object).denied().is_empty(),
                    "{pointer} {evil}"
                );
            }
            // What stood there before is nobody's doing now, and keeps no controller from its books.
            assert_eq!(world.update(NOBODY, &evil, &evil).denied(), "", "{pointer}");
        }
    }
}

#[test]
fn a_stamp_copied_to_a_declared_place_is_taken_off() {
    let world = World::new(Scope::Namespace);
    let bobs = world.create(BOB, &spark("etl")).object;
    let after = world.create(NOBODY, &bobs);
    assert!(
        after.object["spec"]["driver"]["annotations"]
            .get(STAMP)
            .is_none()
    );
    let after = world.create(ALICE, &bobs).object;
    assert_eq!(
        user(&world, &after["spec"]["driver"]["annotations"]).as_deref(),
        Some("alice")
    );
}

#[test]
fn what_refers_to_anothers_code_is_nobodys() {
    let world = World::new(Scope::Namespace);
    let reference = json!({"name": "shared"});
    let by_spec = set(
        &workflow("x"),
        "/spec/workflowTemplateRef",
        reference.clone(),
    );
    let by_step = set(
        &workflow("x"),
        "/spec/templates",
        json!([{"steps": [[{"templateRef": reference}]]}]),
    );
    for object in [by_spec, by_step] {
        let after = world.create(ALICE, &object);
        assert!(
            after.warned("refers to another object"),
            "{:?}",
            after.decision.answer
        );
        assert!(
            after.object["spec"]["podMetadata"]["annotations"]
                .get(STAMP)
                .is_none()
        );
    }
}

#[test]
fn an_administrators_kind_needs_no_code() {
    let mut world = World::new(Scope::Namespace);
    let own = json!([{"group": "example.org", "kind": "Training", "resource": "trainings",
        "templates": ["/spec/replicas/*/template"], "notCode": ["/spec/replicas/*/count"]}]);
    world.policy.kinds = serde_json::from_value(own).unwrap();
    let object = json!({"apiVersion": "example.org/v1", "kind": "Training", "metadata": {"name": "x"},
        "spec": {"replicas": {"a/b": {"count": 1, "template": {"spec": {}}}}}});
    let bobs = world.create(BOB, &object).object;
    let metadata = &bobs["spec"]["replicas"]["a/b"]["template"]["metadata"];
    assert_eq!(
        user(&world, &metadata["annotations"]).as_deref(),
        Some("bob")
    );
    let scaled = set(&bobs, "/spec/replicas/a~1b/count", json!(2));
    assert!(world.update(ALICE, &scaled, &bobs).unpatched());
    assert!(world.update(NOBODY, &scaled, &bobs).unpatched());
}

#[test]
fn a_job_of_another_group_is_no_job_of_kubernetes() {
    let mut world = World::new(Scope::Namespace);
    let own = json!([{"group": "batch.example.org", "kind": "Job", "resource": "jobs", "templates": ["/spec/template"]}]);
    world.policy.kinds = serde_json::from_value(own).unwrap();
    let job = workload("batch.example.org/v1", "Job", "x");
    let after = world.update(ALICE, &job, &job).object;
    assert_eq!(
        world.template_user(&after["spec"]["template"]).as_deref(),
        Some("alice")
    );
}

#[test]
fn what_is_missing_on_the_way_to_the_metadata_is_made() {
    let mut world = World::new(Scope::Namespace);
    let place = json!({"path": "/spec", "metadata": "pods/extra/metadata", "serviceAccount": "pods/account"});
    let kind = json!({"group": "example.org", "kind": "Training", "resource": "trainings", "templates": [place]});
    world.policy.kinds = serde_json::from_value(json!([kind])).unwrap();
    for spec in [
        json!({}),
        json!({"pods": null}),
        json!({"pods": {"account": "sa", "extra": {}}}),
        json!({"pods": {"extra": {"metadata": {"labels": {"app": "a"}}}}}),
    ] {
        let object = json!({"apiVersion": "example.org/v1", "kind": "Training", "metadata": {"name": "t"}, "spec": spec});
        let after = world.create(ALICE, &object);
        let annotations = &after.object["spec"]["pods"]["extra"]["metadata"]["annotations"];
        assert_eq!(
            user(&world, annotations).as_deref(),
            Some("alice"),
            "{spec}"
        );
        assert!(world.create(ALICE, &after.object).unpatched(), "{spec}");
    }
}
