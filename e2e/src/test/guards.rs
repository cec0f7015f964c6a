//! The guards hold with the webhook scaled to zero: nothing that is stamped changes hands meanwhile.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::workload;

const USER: &str = "kube2hadoop.io/user";
const STAMP: &str = "kube2hadoop.io/stamp";
const IMMUTABLE: &str = "annotations of a pod cannot change after it is created";

/// What alice may do besides `edit`, so that only a guard stands between her and bob's pod.
fn everything() -> Value {
    json!({"apiGroups": ["", "apps"], "verbs": ["*"], "resources": [
        "pods", "pods/status", "pods/binding", "bindings", "pods/ephemeralcontainers", "pods/resize", "serviceaccounts/token",
        "statefulsets", "controllerrevisions",
    ]})
}

pub(super) fn they_hold_without_the_webhook(scene: &Scene<'_>) -> Result<()> {
    let bob = &scene.stage.bob;
    scene.create(bob, &workload::pod("victim", "sleep 3600"))?;
    let mut unbound = workload::pod("unbound", "true");
    unbound["spec"]["schedulerName"] = json!("nobody");
    scene.create(bob, &unbound)?;
    scene.create(bob, &stateful_set())?;
    scene.running("victim")?;
    let revision = scene.pod_of("app=stateful")?;
    let revision = text(&revision, "/metadata/labels/controller-revision-hash");
    scene.rule(&everything(), &["alice@example.com"])?;

    let _restored = scene.stage.without_webhook()?;
    let victim = scene.get("pod", "victim")?;
    edits(scene, &victim)?;
    code(scene, &victim)?;
    binding(scene)?;
    history(scene, &revision)?;
    tokens(scene)?;
    let refusal = scene.refused(&scene.stage.alice, &workload::pod("late", "true"))?;
    says(&refusal, &["failed calling webhook", "kube2hadoop"])?;
    let now = scene.get("pod", "victim")?;
    for key in [USER, STAMP] {
        ensure!(
            annotation(&now, key) == annotation(&victim, key),
            "{key} was changed"
        );
    }
    // What is not ours may be changed by others, and the code by its submitter.
    let label = [
        "label",
        "pod",
        "victim",
        "color=red",
        "-n",
        &scene.namespace,
    ];
    scene.stage.alice.run(&label)?;
    let image = format!("main={}-of-bobs", workload::HADOOP_CLIENT);
    let own = ["set", "image", "pod/victim", &image, "-n", &scene.namespace];
    bob.run(&own).map(drop)
}

fn stateful_set() -> Value {
    let mut set = workload::deployment("stateful", 1, "sleep 3600");
    set["kind"] = json!("StatefulSet");
    set["spec"]["serviceName"] = json!("stateful");
    set
}

fn refused(scene: &Scene<'_>, args: &[&str], input: &Value, parts: &[&str]) -> Result<()> {
    let args = [args, &["-n", &scene.namespace]].concat();
    match scene.stage.alice.run_with_input(&args, &input.to_string()) {
        Ok(answer) => bail!("alice succeeded with kubectl {}: {answer}", args.join(" ")),
        Err(error) => says(&format!("{error:#}"), parts)
            .with_context(|| format!("kubectl {}", args.join(" "))),
    }
}

/// By patch, annotate, server-side apply, replace and the status subresource.
fn edits(scene: &Scene<'_>, victim: &Value) -> Result<()> {
    let forged =
        json!({"metadata": {"annotations": {USER: "alice", STAMP: "e30.e30.AA"}}}).to_string();
    let removed = json!({"metadata": {"annotations": null}}).to_string();
    let removal =
        json!([{"op": "remove", "path": "/metadata/annotations/kube2hadoop.io~1user"}]).to_string();
    let services =
        json!({"metadata": {"annotations": {"kube2hadoop.io/services": "x"}}}).to_string();
    let none = &Value::Null;
    let patch = ["patch", "pod", "victim", "-p"];
    for (kind, patched) in [
        ("merge", &forged),
        ("strategic", &forged),
        ("merge", &removed),
        ("json", &removal),
        ("merge", &services),
    ] {
        let kind = format!("--type={kind}");
        let args = [patch.as_slice(), &[patched, &kind]].concat();
        refused(scene, &args, none, &[IMMUTABLE])?;
    }
    let status = [
        patch.as_slice(),
        &[&forged, "--type=merge", "--subresource=status"],
    ]
    .concat();
    refused(scene, &status, none, &[IMMUTABLE])?;
    let annotate = [
        "annotate",
        "--overwrite",
        "pod",
        "victim",
        "kube2hadoop.io/user=alice",
    ];
    refused(scene, &annotate, none, &[IMMUTABLE])?;
    let unlabel = ["label", "pod", "victim", "kube2hadoop.io/injected-"];
    refused(scene, &unlabel, none, &["label kube2hadoop.io/injected"])?;

    let mut applied = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "victim"}});
    applied["metadata"]["annotations"] = json!({USER: "alice"});
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    refused(scene, &apply, &applied, &[IMMUTABLE])?;
    let mut replaced = victim.clone();
    replaced["metadata"]["annotations"] = json!({});
    refused(scene, &["replace", "-f", "-"], &replaced, &[IMMUTABLE])
}

/// Another image, and a container that needs no mount to read /proc/1/root.
fn code(scene: &Scene<'_>, victim: &Value) -> Result<()> {
    let image = ["set", "image", "pod/victim", "main=evil:1"];
    refused(scene, &image, &Value::Null, &["only the submitter"])?;
    let mut with = victim.clone();
    with["spec"]["ephemeralContainers"] = json!([{
        "name": "spy", "image": workload::HADOOP_CLIENT, "imagePullPolicy": "Never", "targetContainerName": "main",
        "command": ["/bin/sh", "-c", "cat /proc/1/root/var/run/kube2hadoop/hdfs-delegation-token"],
    }]);
    let path = format!(
        "/api/v1/namespaces/{}/pods/victim/ephemeralcontainers",
        scene.namespace
    );
    let answer = scene
        .stage
        .alice
        .run_with_input(&["replace", "--raw", &path, "-f", "-"], &with.to_string());
    let refusal = answer
        .err()
        .context("alice's container entered bob's pod")?;
    says(&format!("{refusal:#}"), &["only the submitter"])
}

fn binding(scene: &Scene<'_>) -> Result<()> {
    let node = text(
        &scene.admin().json(&["get", "nodes"])?,
        "/items/0/metadata/name",
    );
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": {"name": "unbound", "namespace": scene.namespace, "annotations": {USER: "alice", STAMP: "e30.e30.AA"}},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    for at in ["pods/unbound/binding", "bindings"] {
        let path = format!("/api/v1/namespaces/{}/{at}", scene.namespace);
        let answer = scene.stage.alice.create_raw(&path, &binding);
        let refusal = answer
            .err()
            .context("the binding carried a stamp onto the pod")?;
        says(&format!("{refusal:#}"), &[IMMUTABLE])?;
    }
    Ok(())
}

/// With our keys in it and without: what has none is merged over the template, which has them.
fn history(scene: &Scene<'_>, revision: &str) -> Result<()> {
    let revision = scene.get("controllerrevision", revision)?;
    let mut with = revision.clone();
    let metadata = json!({"name": "by-hand", "labels": revision["metadata"]["labels"], "ownerReferences": revision["metadata"]["ownerReferences"]});
    with["metadata"] = metadata;
    with["revision"] = json!(7);
    let stamp = with.pointer("/data/spec/template/metadata/annotations/kube2hadoop.io~1stamp");
    ensure!(
        stamp.is_some(),
        "the history of a stamped workload has no stamp: {}",
        with["data"]
    );
    let mut without = with.clone();
    without["data"] = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "command": ["evil"]}]}}}});
    for data in [&with, &without] {
        let parts = ["a ControllerRevision made by hand runs other code under an old stamp"];
        refused(scene, &["create", "-f", "-"], data, &parts)?;
    }
    let name = text(&revision, "/metadata/name");
    let patch = json!({"revision": 9}).to_string();
    let args = [
        "patch",
        "controllerrevision",
        &name,
        "--type=merge",
        "-p",
        &patch,
    ];
    refused(
        scene,
        &args,
        &Value::Null,
        &["only the controllers write them"],
    )
}

fn tokens(scene: &Scene<'_>) -> Result<()> {
    let bound = [
        "create",
        "token",
        "default",
        "--bound-object-kind=Pod",
        "--bound-object-name=victim",
    ];
    let audience = "--audience=kube2hadoop";
    let none = &Value::Null;
    refused(
        scene,
        &bound,
        none,
        &["only nodes mint tokens that are bound to a pod"],
    )?;
    let both = [bound.as_slice(), &[audience]].concat();
    refused(scene, &both, none, &["only nodes mint tokens"])?;
    let plain = ["create", "token", "default", audience];
    refused(
        scene,
        &plain,
        none,
        &["only nodes mint tokens of audience kube2hadoop"],
    )?;
    // A plain token is nobody's business.
    let own = ["create", "token", "default", "-n", &scene.namespace];
    scene.stage.alice.run(&own).map(drop)
}
