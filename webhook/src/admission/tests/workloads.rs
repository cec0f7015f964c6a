use super::*;

fn deployment() -> Value {
    workload("apps/v1", "Deployment", "web")
}

fn with_image(object: &Value, image: &str) -> Value {
    let mut object = object.clone();
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    object
}

fn without_our_keys(object: &Value) -> Value {
    let mut object = object.clone();
    object["spec"]["template"]["metadata"] = json!({});
    object
}

#[test]
fn every_built_in_kind_is_stamped() {
    let world = World::new(Scope::Namespace);
    for (api_version, kind) in [
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("batch/v1", "Job"),
        ("v1", "ReplicationController"),
    ] {
        let after = world.create(ALICE, &workload(api_version, kind, "w"));
        assert_eq!(
            world.template_user(&after.object["spec"]["template"]),
            Some("alice".into()),
            "{kind}"
        );
    }
    let mut alone = workload("v1", "PodTemplate", "w");
    alone["template"] = alone["spec"]["template"].take();
    let after = world.create(ALICE, &alone);
    assert_eq!(
        world.template_user(&after.object["template"]),
        Some("alice".into())
    );
    let after = world.create(ALICE, &workload("batch/v1", "CronJob", "w"));
    let template = &after.object["spec"]["jobTemplate"]["spec"]["template"];
    assert_eq!(world.template_user(template), Some("alice".into()));
}

#[test]
fn the_same_apply_makes_the_same_bytes() {
    let world = World::new(Scope::Namespace);
    let once = world.create(ALICE, &deployment()).object;
    assert_eq!(once, world.create(ALICE, &deployment()).object);
    assert!(world.create(ALICE, &once).unpatched());
}

#[test]
fn an_unchanged_template_keeps_its_stamp_whoever_writes() {
    let world = World::new(Scope::Namespace);
    let bobs = world.create(BOB, &deployment()).object;
    for user in [ALICE, NOBODY, DEPLOYMENTS] {
        let mut new = without_our_keys(&bobs);
        new["spec"]["template"]["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/restartedAt": "now"});
        new["spec"]["replicas"] = json!(7);
        let after = world.update(user, &new, &bobs);
        assert_eq!(
            world.template_user(&after.object["spec"]["template"]),
            Some("bob".into()),
            "{user}"
        );
        assert!(after.decision.answer.warnings.is_empty());
    }
    // Also where the namespace's label is gone: taking it off would start a rollout.
    let world = World {
        scope: Scope::Object,
        ..world
    };
    assert!(world.update(NOBODY, &bobs, &bobs).unpatched());
}

#[test]
fn who_changes_the_code_answers_for_it() {
    let world = World::new(Scope::Namespace);
    let bobs = world.create(BOB, &deployment()).object;
    let changed = with_image(&bobs, "evil");
    let after = world.update(ALICE, &changed, &bobs);
    assert_eq!(
        world.template_user(&after.object["spec"]["template"]),
        Some("alice".into())
    );
    assert!(after.warned("no longer as bob"));
    let mut other_sa = bobs.clone();
    other_sa["spec"]["template"]["spec"]["serviceAccountName"] = json!("builder");
    let after = world.update(ALICE, &other_sa, &bobs);
    assert_eq!(
        world.template_user(&after.object["spec"]["template"]),
        Some("alice".into())
    );
}

#[test]
fn nobody_takes_no_stamp_away() {
    let mut world = World::new(Scope::Namespace);
    let bobs = world.create(BOB, &deployment()).object;
    let changed = with_image(&bobs, "two");
    assert!(
        world
            .update(NOBODY, &changed, &bobs)
            .denied()
            .contains("bob")
    );
    world.policy.unmapped_update = UnmappedUpdate::Drop;
    let after = world.update(NOBODY, &changed, &bobs);
    assert!(after.warned("without a Hadoop token"));
    assert_eq!(world.template_user(&after.object["spec"]["template"]), None);
}

#[test]
fn a_template_without_a_valid_stamp_is_stamped_for_whoever_writes() {
    let world = World::new(Scope::Namespace);
    let after = world.update(ALICE, &deployment(), &deployment());
    assert_eq!(
        world.template_user(&after.object["spec"]["template"]),
        Some("alice".into())
    );
    assert!(after.warned("had no valid stamp"));
    // Nobody, or a controller: no rollout starts.
    assert!(
        world
            .update(NOBODY, &deployment(), &deployment())
            .unpatched()
    );
}

#[test]
fn a_running_job_is_left_as_it_is_and_takes_no_old_stamp() {
    let world = World::new(Scope::Namespace);
    let bobs = world
        .create(BOB, &workload("batch/v1", "Job", "etl"))
        .object;
    let job = workload("batch/v1", "Job", "etl");
    let after = world.update(ALICE, &job, &job);
    assert!(after.unpatched() && after.warned("create it again"));
    // Suspended jobs take template annotations: a stamp of an earlier job of this name must not come in.
    let mut suspended = workload("batch/v1", "Job", "etl");
    suspended["spec"]["suspend"] = json!(true);
    let mut resumed = job;
    resumed["spec"]["template"]["metadata"] = bobs["spec"]["template"]["metadata"].clone();
    let after = world.update(NOBODY, &resumed, &suspended);
    assert_eq!(world.template_user(&after.object["spec"]["template"]), None);
}

#[test]
fn a_template_that_asks_itself_is_denied_to_nobody() {
    let world = World::new(Scope::Namespace);
    let mut object = deployment();
    assert_eq!(
        world.create(NOBODY, &object).decision.outcome,
        Outcome::Stripped
    );
    object["spec"]["template"]["metadata"] =
        json!({"labels": {"kube2hadoop.io/inject": "enabled"}});
    assert!(world.create(NOBODY, &object).denied().contains("mappings"));
    let world = World {
        scope: Scope::Object,
        ..world
    };
    assert!(world.create(NOBODY, &object).denied().contains("mappings"));
    assert!(world.create(ALICE, &deployment()).unpatched());
}

#[test]
fn a_copied_stamp_is_nobodys() {
    let world = World::new(Scope::Namespace);
    let bobs = world.create(BOB, &deployment()).object;
    let after = world.create(NOBODY, &bobs);
    assert_eq!(world.template_user(&after.object["spec"]["template"]), None);
    let world = World {
        scope: Scope::Object,
        ..world
    };
    let after = world.create(NOBODY, &bobs);
    assert_eq!(world.template_user(&after.object["spec"]["template"]), None);
}

#[test]
fn a_deployments_replica_set_is_never_altered() {
    let world = World::new(Scope::Namespace);
    let web = world.create(ALICE, &deployment()).object;
    let mut set = workload("apps/v1", "ReplicaSet", "web-68f6");
    set["metadata"]["labels"] = json!({"pod-template-hash": "68f6"});
    set["spec"]["template"] = web["spec"]["template"].clone();
    for scope in [Scope::Namespace, Scope::Object] {
        let world = World {
            scope,
            ..World::new(scope)
        };
        assert!(world.create(DEPLOYMENTS, &set).unpatched());
        assert!(world.update(DEPLOYMENTS, &set, &set).unpatched());
    }
    // Orphaning and the like by others keeps what the Deployment gave.
    assert!(
        world
            .update(
                "system:serviceaccount:kube-system:generic-garbage-collector",
                &set,
                &set
            )
            .unpatched()
    );
}

#[test]
fn a_cron_jobs_job_is_its_own_origin_and_stays_so_when_asked_again() {
    let world = World::new(Scope::Namespace);
    let cron = world
        .create(ALICE, &workload("batch/v1", "CronJob", "nightly"))
        .object;
    let mut job = workload("batch/v1", "Job", "nightly-29");
    job["spec"]["template"] = cron["spec"]["jobTemplate"]["spec"]["template"].clone();
    job["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "controller": true}]);
    let once = world.create(CRON_JOBS, &job).object;
    let pod = child(
        &once["spec"]["template"],
        ("batch/v1", "Job", "nightly-29"),
        None,
    );
    let claims = world.pod_stamp(&world.create(JOBS, &pod).object).unwrap();
    assert_eq!(claims.job_id("u").as_str(), "team/Job.batch/nightly-29");
    assert!(world.create(CRON_JOBS, &once).unpatched());
    // A person who makes a Job from the CronJob is who they are.
    let after = world.create(BOB, &job).object;
    assert_eq!(
        world.template_user(&after["spec"]["template"]),
        Some("bob".into())
    );
}

/// A retired key is needed as long as templates carry its stamps.
#[test]
fn the_key_of_the_template_that_decided_is_told() {
    let mut world = World::new(Scope::Namespace);
    let old = world.keys.signing.kid().to_owned();
    let cron = workload("batch/v1", "CronJob", "nightly");
    let cron = world.create(ALICE, &cron).object;
    let web = world.create(ALICE, &deployment()).object;
    let next = SigningKey::generate().unwrap();
    world.keys.verifying.merge(next.public());
    world.keys.signing = next;
    let mut job = workload("batch/v1", "Job", "nightly-29");
    job["spec"]["template"] = cron["spec"]["jobTemplate"]["spec"]["template"].clone();
    job["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "controller": true}]);
    let key = |after: &After| after.decision.template_key.clone();
    let job = world.create(CRON_JOBS, &job);
    assert_eq!(key(&job), Some(old.clone()));
    let template = &job.object["spec"]["template"];
    let pod = child(template, ("batch/v1", "Job", "nightly-29"), None);
    let pod = world.create(JOBS, &pod);
    assert_eq!(key(&pod).as_deref(), Some(world.keys.signing.kid()));
    // Asked again, the pod has its own stamp; and kept is what a template had.
    assert_eq!(key(&world.create(JOBS, &pod.object)), None);
    assert_eq!(key(&world.update(BOB, &web, &web)), Some(old));
    // A person's word counts for nothing, and so does the stamp that they bring.
    assert_eq!(key(&world.create(ALICE, &web)), None);
}
