//! The simplest moves of somebody who holds ClusterRole `edit` in the namespace: each must fail.
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::chart::LEFT_OUT;
use crate::stage::{LEDGER, NAMESPACE};
use crate::workload;

const USER: &str = "kube2hadoop.io/user";
const STAMP: &str = "kube2hadoop.io/stamp";

/// Bob's running pod, which alice is after.
fn bobs_pod(scene: &Scene<'_>) -> Result<Value> {
    scene.create(&scene.stage.bob, &workload::pod("victim", "sleep 3600"))?;
    scene.running("victim")?;
    scene.get("pod", "victim")
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

/// The webhook believes whoever reaches its port. What it signs there is of no use where the API server asks it anew;
/// where the API server does not ask, it signs nothing, and no pod gets a token.
pub(super) fn a_review_made_up(scene: &Scene<'_>) -> Result<()> {
    let stage = scene.stage;
    for namespace in [LEFT_OUT, "kube-system", NAMESPACE, LEDGER] {
        let answer = stage.ask_webhook(&bobs_review(namespace))?;
        ensure!(
            answer["response"]["allowed"] == false && answer["response"]["patch"].is_null(),
            "for {namespace} it answers {answer}"
        );
        let told = text(&answer, "/response/status/message");
        says(&told, &[namespace, "is left out"])?;
    }
    let signed = stage.ask_webhook(&bobs_review(&scene.namespace))?;
    let patch = STANDARD.decode(text(&signed, "/response/patch"))?;
    let patch: Vec<Value> = serde_json::from_slice(&patch)?;
    let stamp = patch.iter().find_map(|op| op["value"][STAMP].as_str());
    let stamp = stamp.context("it signed nothing")?;
    let mut pod = workload::pod("made-up", "true");
    pod["metadata"]["annotations"] = json!({USER: "bob", STAMP: stamp});
    scene.create(&stage.alice, &pod)?;
    let made = scene.get("pod", "made-up")?;
    ensure!(
        annotation(&made, USER).as_deref() == Some("alice"),
        "alice's pod runs as {:?}",
        annotation(&made, USER)
    );

    let unseen = Scene::named(stage, LEFT_OUT)?;
    let bearer = unseen.talker(&scene.namespace)?;
    let answer = stage.ask_fetcher(&bearer)?;
    unseen.delete_pod(&stage.alice, &scene.namespace)?;
    ensure!(answer.status == 403, "{} {}", answer.status, answer.body);
    says(&answer.body, &["namespace-excluded"])
}

/// As the API server would ask about a pod of bob's.
fn bobs_review(namespace: &str) -> Value {
    let pod = workload::labelled(workload::pod("made-up", "true"), "enabled");
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "made-up", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE",
        "namespace": namespace, "name": "made-up", "userInfo": {"username": "bob@example.com"}, "object": pod,
    }})
}
