//! The simplest moves of somebody who holds ClusterRole `edit` in the namespace: each must fail.
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::workload;

const USER: &str = "kube2hadoop.io/user";
const STAMP: &str = "kube2hadoop.io/stamp";

/// Bob's running pod, which alice is after.
fn bobs_pod(scene: &Scene<'_>) -> Result<Value> {
    scene.create(&scene.stage.bob, &workload::pod("victim", "sleep 3600"))?;
    scene.running("victim")?;
    scene.get("pod", "victim")
}

/// What the API server answers when alice runs this; it must refuse.
fn alice_fails(scene: &Scene<'_>, args: &[&str]) -> Result<String> {
    let args: Vec<&str> = args
        .iter()
        .copied()
        .chain(["-n", &scene.namespace])
        .collect();
    match scene.stage.alice.run(&args) {
        Ok(answer) => bail!("alice succeeded with kubectl {}: {answer}", args.join(" ")),
        Err(error) => Ok(format!("{error:#}")),
    }
}

fn still_bobs(scene: &Scene<'_>, before: &Value) -> Result<()> {
    let now = scene.get("pod", "victim")?;
    for key in [USER, STAMP] {
        ensure!(
            annotation(&now, key) == annotation(before, key),
            "{key} was changed"
        );
    }
    Ok(())
}

fn forged() -> String {
    json!({"metadata": {"annotations": {USER: "alice", STAMP: "e30.e30.AA"}}}).to_string()
}

pub(super) fn a_copied_stamp_on_a_pod(scene: &Scene<'_>) -> Result<()> {
    let victim = bobs_pod(scene)?;
    let mut pod = workload::pod("copy", "hdfs dfs -ls /user/bob 2>&1");
    pod["metadata"]["annotations"] = json!({
        USER: "bob", "kube2hadoop.io/submitter": "bob@example.com", STAMP: annotation(&victim, STAMP),
    });
    scene.create(&scene.stage.alice, &pod)?;
    let made = scene.get("pod", "copy")?;
    ensure!(
        annotation(&made, USER).as_deref() == Some("alice"),
        "alice's pod runs as {:?}",
        annotation(&made, USER)
    );
    ensure!(
        annotation(&made, STAMP) != annotation(&victim, STAMP),
        "the copied stamp was kept"
    );
    ensure!(
        scene.ended("copy")? == "Failed",
        "alice could list bob's directory"
    );
    says(&scene.logs("copy")?, &["Permission denied: user=alice"])
}

pub(super) fn a_stamp_edited_on_a_running_pod(scene: &Scene<'_>) -> Result<()> {
    let before = bobs_pod(scene)?;
    let refusal = alice_fails(
        scene,
        &["patch", "pod", "victim", "--type=merge", "-p", &forged()],
    )?;
    says(&refusal, &["kube2hadoop"])?;
    let removed = json!({"metadata": {"annotations": null}}).to_string();
    alice_fails(
        scene,
        &["patch", "pod", "victim", "--type=merge", "-p", &removed],
    )?;
    alice_fails(
        scene,
        &[
            "annotate",
            "--overwrite",
            "pod",
            "victim",
            "kube2hadoop.io/user=alice",
        ],
    )?;
    // What is not ours may still be changed.
    scene.stage.alice.run(&[
        "label",
        "pod",
        "victim",
        "color=red",
        "-n",
        &scene.namespace,
    ])?;
    still_bobs(scene, &before)
}

pub(super) fn a_stamp_edited_through_the_status(scene: &Scene<'_>) -> Result<()> {
    let before = bobs_pod(scene)?;
    // `edit` may not write pods/status: an admin's role that may is the harder case.
    let patch = [
        "patch",
        "pod",
        "victim",
        "--subresource=status",
        "--type=merge",
        "-p",
        &forged(),
        "-n",
        &scene.namespace,
    ];
    ensure!(
        scene.admin().run(&patch).is_err(),
        "the status subresource took a forged stamp"
    );
    still_bobs(scene, &before)
}

pub(super) fn a_stamp_brought_by_a_binding(scene: &Scene<'_>) -> Result<()> {
    let mut pod = workload::pod("unbound", "true");
    pod["spec"]["schedulerName"] = json!("nobody");
    scene.create(&scene.stage.bob, &pod)?;
    let node = text(
        &scene.admin().json(&["get", "nodes"])?,
        "/items/0/metadata/name",
    );
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": {"name": "unbound", "namespace": scene.namespace, "annotations": {USER: "alice", STAMP: "e30.e30.AA"}},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    let at = format!(
        "/api/v1/namespaces/{}/pods/unbound/binding",
        scene.namespace
    );
    let refusal = scene
        .admin()
        .create_raw(&at, &binding)
        .err()
        .context("the binding carried a stamp onto the pod")?;
    says(&format!("{refusal:#}"), &["kube2hadoop"])
}

pub(super) fn a_stamp_edited_on_a_template(scene: &Scene<'_>) -> Result<()> {
    scene.create(
        &scene.stage.bob,
        &workload::deployment("server", 1, "sleep 3600"),
    )?;
    let bobs = scene.get("deployment", "server")?;
    let stamp =
        annotation(&bobs["spec"]["template"], STAMP).context("bob's template has no stamp")?;

    // Edited in place: what she writes under our keys is not believed, and the code is still bob's.
    let edit = json!({"spec": {"template": {"metadata": {"annotations": {USER: "alice", STAMP: "e30.e30.AA"}}}}});
    let patch = [
        "patch",
        "deployment",
        "server",
        "--type=merge",
        "-p",
        &edit.to_string(),
        "-n",
        &scene.namespace,
    ];
    if scene.stage.alice.run(&patch).is_ok() {
        let now = scene.get("deployment", "server")?;
        ensure!(
            annotation(&now["spec"]["template"], STAMP).as_deref() == Some(&stamp),
            "a forged stamp stands"
        );
        ensure!(
            annotation(&now["spec"]["template"], USER).as_deref() == Some("bob"),
            "a forged user stands"
        );
    }

    // Copied to a workload of her own: stamped anew, for her.
    let mut own = workload::deployment("server-two", 1, "sleep 3600");
    own["spec"]["template"]["metadata"]["annotations"] = json!({USER: "bob", STAMP: stamp});
    scene.create(&scene.stage.alice, &own)?;
    let own = scene.get("deployment", "server-two")?;
    ensure!(
        annotation(&own["spec"]["template"], USER).as_deref() == Some("alice"),
        "a copied stamp stands"
    );
    Ok(())
}

pub(super) fn a_token_minted_for_somebodys_pod(scene: &Scene<'_>) -> Result<()> {
    bobs_pod(scene)?;
    let bound = [
        "create",
        "token",
        "default",
        "--bound-object-kind=Pod",
        "--bound-object-name=victim",
    ];
    let with_audience = [bound.as_slice(), &["--audience=kube2hadoop"]].concat();
    for args in [
        bound.as_slice(),
        &with_audience,
        &["create", "token", "default", "--audience=kube2hadoop"],
    ] {
        says(&alice_fails(scene, args)?, &["kube2hadoop"])?;
    }
    // A plain token is nobody's business.
    scene
        .stage
        .alice
        .run(&["create", "token", "default", "-n", &scene.namespace])?;
    Ok(())
}

pub(super) fn another_image_in_somebodys_pod(scene: &Scene<'_>) -> Result<()> {
    bobs_pod(scene)?;
    let swap = json!([{"op": "replace", "path": "/spec/containers/0/image", "value": "evil:1"}])
        .to_string();
    let refusal = alice_fails(
        scene,
        &["patch", "pod", "victim", "--type=json", "-p", &swap],
    )?;
    says(&refusal, &["only the submitter"])
}

pub(super) fn a_superuser_by_run_as(scene: &Scene<'_>) -> Result<()> {
    let long = "a".repeat(10_000);
    for user in [
        "hdfs",
        "root",
        "bob",
        "../x",
        "a b",
        "",
        "*)(uid=*))(|(uid=*",
        "al\\69ce",
        "alice@EXAMPLE.COM",
        "alice/host",
        &long,
    ] {
        let mut pod = workload::labelled(workload::pod("super", "true"), "enabled");
        pod["metadata"]["annotations"] = json!({"kube2hadoop.io/run-as": user});
        let refusal = scene.refused(&scene.stage.alice, &pod)?;
        says(&refusal, &["run-as"])?;
        ensure!(
            refusal.len() < 2_000,
            "the answer repeats what it was given"
        );
    }
    Ok(())
}

pub(super) fn a_bearer_of_another_audience(scene: &Scene<'_>) -> Result<()> {
    let token = scene
        .stage
        .alice
        .run(&["create", "token", "default", "-n", &scene.namespace])?;
    let answer = scene.stage.ask_fetcher(token.trim())?;
    ensure!(
        answer.status == 401,
        "the fetcher answered {} {}",
        answer.status,
        answer.body
    );
    ensure!(
        !answer.body.contains(token.trim()),
        "the answer repeats the token"
    );
    Ok(())
}

pub(super) fn no_bearer_and_garbage(scene: &Scene<'_>) -> Result<()> {
    for bearer in ["", "garbage", &"x".repeat(6_000)] {
        let answer = scene.stage.ask_fetcher(bearer)?;
        ensure!(
            answer.status == 401 || answer.status == 400,
            "{} {}",
            answer.status,
            answer.body
        );
    }
    Ok(())
}

/// A misspelt label is answered, in a labelled namespace and in any other: never a silent third way.
pub(super) fn a_label_of_a_strange_value(scene: &Scene<'_>) -> Result<()> {
    let elsewhere = scene.another_namespace(false)?;
    for value in ["ENABLED", "true", "", "enabled.", "Disabled"] {
        let pod = workload::labelled(workload::pod("odd", "true"), value);
        let mut deployment = workload::deployment("odd", 1, "true");
        let labels = "/spec/template/metadata/labels";
        workload::set(&mut deployment, labels, "kube2hadoop.io/inject", value);
        for namespace in [&scene.namespace, &elsewhere] {
            for object in [&pod, &deployment] {
                let answer = scene.stage.alice.create(namespace, object);
                let refusal = answer
                    .err()
                    .with_context(|| format!("inject={value:?} was taken"))?;
                let told = ["kube2hadoop.io/inject must be", "enabled", "disabled"];
                says(&format!("{refusal:#}"), &told)?;
            }
        }
    }
    Ok(())
}
