//! Changes of a workload: who changes the code answers for it, and nothing else changes hands.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::expectations::{stamp_of, user_of};
use super::scene::{Scene, says, text};
use crate::kubectl::Kubectl;
use crate::process::wait_until;
use crate::workload;

const DEADLINE: Duration = Duration::from_secs(60);

pub(super) fn only_code_changes_the_user(scene: &Scene<'_>) -> Result<()> {
    let (alice, bob) = (&scene.stage.alice, &scene.stage.bob);
    scene.create(alice, &workload::deployment("web", 0, "true"))?;
    let first = scene.get("deployment", "web")?;
    let run = |who: &Kubectl, args: &[&str]| {
        let args = [args, &["-n", &scene.namespace]].concat();
        who.run(&args)
    };
    let pause = json!({"spec": {"minReadySeconds": 1}, "metadata": {"annotations": {"note": "x"}}})
        .to_string();
    for args in [
        ["scale", "deployment/web", "--replicas=1"].as_slice(),
        &["label", "deployment/web", "color=red"],
        &["patch", "deployment/web", "--type=merge", "-p", &pause],
        &["scale", "deployment/web", "--replicas=0"],
        &["rollout", "restart", "deployment/web"],
    ] {
        run(bob, args)?;
        let now = scene.get("deployment", "web")?;
        ensure!(
            stamp_of(&now) == stamp_of(&first),
            "kubectl {args:?} made it {}'s",
            user_of(&now)
        );
    }
    // Whatever the way in which code comes, it is its author's.
    let image = |image: &str| {
        json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}})
            .to_string()
    };
    let step = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "b:2"}]).to_string();
    for (who, user, kind, patch) in [
        (bob, "bob", "strategic", image("b:1")),
        (alice, "alice", "strategic", image("a:1")),
        (bob, "bob", "json", step),
    ] {
        let kind = format!("--type={kind}");
        run(who, &["patch", "deployment/web", &kind, "-p", &patch])?;
        let now = scene.get("deployment", "web")?;
        ensure!(
            user_of(&now) == user,
            "{user}'s change by {kind} runs as {}",
            user_of(&now)
        );
    }
    Ok(())
}

pub(super) fn an_undo_is_its_callers_and_finds_the_old_replica_set(
    scene: &Scene<'_>,
) -> Result<()> {
    let (alice, bob) = (&scene.stage.alice, &scene.stage.bob);
    scene.create(alice, &workload::deployment("web", 0, "true"))?;
    let hash = |user: &str, count: usize| {
        wait_until(
            &format!("{count} ReplicaSets and one of {user}"),
            DEADLINE,
            || {
                let deployment = scene.get("deployment", "web")?;
                let seen = deployment["status"]["observedGeneration"]
                    == deployment["metadata"]["generation"];
                let list =
                    scene
                        .admin()
                        .json(&["get", "rs", "-l", "app=web", "-n", &scene.namespace])?;
                let sets = list["items"].as_array().cloned().unwrap_or_default();
                let now = sets.iter().find(|set| {
                stamp_of(set) == stamp_of(&deployment)
                    && set["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
                        == deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
            });
                ensure!(
                    user_of(&deployment) == user,
                    "it runs as {}",
                    user_of(&deployment)
                );
                ensure!(sets.len() <= count, "there are {} ReplicaSets", sets.len());
                Ok(now
                    .filter(|_| seen && sets.len() == count)
                    .map(|set| text(set, "/metadata/name")))
            },
        )
    };
    let namespace = scene.namespace.as_str();
    let hers = hash("alice", 1)?;
    bob.run(&["set", "env", "deployment/web", "X=1", "-n", namespace])?;
    let his = hash("bob", 2)?;
    alice.run(&["rollout", "undo", "deployment/web", "-n", namespace])?;
    ensure!(
        hash("alice", 2)? == hers,
        "alice's undo made another ReplicaSet"
    );
    bob.run(&["rollout", "undo", "deployment/web", "-n", namespace])?;
    ensure!(hash("bob", 2)? == his, "bob's undo made another ReplicaSet");
    // To what bob wrote, but by alice: hers, and so a ReplicaSet of its own.
    alice.run(&["rollout", "undo", "deployment/web", "-n", namespace])?;
    hash("alice", 2)?;
    alice.run(&["rollout", "undo", "deployment/web", "-n", namespace])?;
    let third = hash("alice", 3)?;
    ensure!(third != his && third != hers, "alice runs bob's ReplicaSet");
    Ok(())
}

pub(super) fn a_namespace_labelled_late(scene: &Scene<'_>) -> Result<()> {
    let late = scene.another_namespace(false)?;
    let alice = &scene.stage.alice;
    for object in [
        workload::deployment("web", 0, "true"),
        workload::job("batch", "sleep 3600"),
    ] {
        alice.create(&late, &object)?;
    }
    let label = ["label", "namespace", &late, "kube2hadoop.io/inject=enabled"];
    scene.admin().run(&label)?;
    let get = |kind: &str, name: &str| scene.admin().json(&["get", kind, name, "-n", &late]);

    let mut told = String::new();
    // The webhook may learn of the label a moment later.
    wait_until("the label to be seen", DEADLINE, || {
        let restart = ["rollout", "restart", "deployment/web", "-n", &late];
        told = scene.stage.bob.told(&restart)?;
        Ok((user_of(&get("deployment", "web")?) == "bob").then_some(()))
    })?;
    says(
        &told,
        &["this had no valid stamp; it runs as bob from now on"],
    )?;

    let told = alice.told(&["label", "job/batch", "color=red", "-n", &late])?;
    says(
        &told,
        &["a running Job cannot get one: delete it and create it again"],
    )?;
    ensure!(
        user_of(&get("job", "batch")?).is_empty(),
        "a running Job was stamped"
    );
    Ok(())
}
