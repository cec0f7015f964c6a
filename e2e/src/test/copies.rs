//! What belongs to somebody else, put on an object of the attacker's own: it runs as whoever brings it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::workload;

const USER: &str = "kube2hadoop.io/user";
const STAMP: &str = "kube2hadoop.io/stamp";

/// What alice gets, before anything is made.
fn dry(scene: &Scene<'_>, object: &Value) -> Result<Value> {
    let options = ["--dry-run=server", "-o", "json"];
    let made = scene
        .stage
        .alice
        .create_with(&scene.namespace, object, &options)?;
    Ok(serde_json::from_str(&made)?)
}

/// Bob's annotations with this stamp, as alice may have read them.
fn bobs(stamp: &str) -> Value {
    json!({USER: "bob", "kube2hadoop.io/submitter": "bob@example.com", STAMP: stamp})
}

fn stamp_of(object: &Value) -> Result<String> {
    annotation(object, STAMP).context("it has no stamp")
}

/// Is it alice's, with a stamp that is not the copied one?
fn is_alices(what: &str, object: &Value, copied: &str) -> Result<()> {
    let user = annotation(object, USER);
    ensure!(user.as_deref() == Some("alice"), "{what} runs as {user:?}");
    let submitter = annotation(object, "kube2hadoop.io/submitter");
    ensure!(
        submitter.as_deref() == Some("alice@example.com"),
        "{what} is {submitter:?}'s"
    );
    ensure!(stamp_of(object)? != copied, "{what} keeps the copied stamp");
    Ok(())
}

fn pod_with(annotations: Value, owners: Value) -> Value {
    let mut pod = workload::pod("copy", "true");
    pod["metadata"]["annotations"] = annotations;
    pod["metadata"]["ownerReferences"] = owners;
    pod
}

fn owner(object: &Value) -> Value {
    json!([{
        "apiVersion": object["apiVersion"], "kind": object["kind"], "controller": true,
        "name": object["metadata"]["name"], "uid": object["metadata"]["uid"],
    }])
}

pub(super) fn stamps_of_other_pods(scene: &Scene<'_>) -> Result<()> {
    let elsewhere = scene.another_namespace(true)?;
    scene.create(&scene.stage.bob, &workload::pod("bobs", "true"))?;
    scene.create(&scene.stage.alice, &workload::pod("own", "true"))?;
    let (bob, there) = (&scene.stage.bob, workload::pod("there", "true"));
    bob.create(&elsewhere, &there)?;
    let there = scene
        .admin()
        .json(&["get", "pod", "there", "-n", &elsewhere])?;
    let sources = [
        ("her own pod", scene.get("pod", "own")?),
        ("bob's pod", scene.get("pod", "bobs")?),
        ("bob's pod of another namespace", there),
    ];
    for (whose, source) in sources {
        let stamp = stamp_of(&source)?;
        let pod = pod_with(bobs(&stamp), Value::Null);
        is_alices(
            &format!("the stamp of {whose} on a pod"),
            &dry(scene, &pod)?,
            &stamp,
        )?;
        let mut template = workload::deployment("copy", 1, "true");
        template["spec"]["template"]["metadata"]["annotations"] = bobs(&stamp);
        let made = dry(scene, &template)?;
        let made = &made["spec"]["template"];
        is_alices(&format!("the stamp of {whose} on a template"), made, &stamp)?;
    }
    Ok(())
}

pub(super) fn a_templates_stamp_and_an_owner_made_up(scene: &Scene<'_>) -> Result<()> {
    let sleep = "sleep 3600";
    scene.create(&scene.stage.bob, &workload::deployment("web", 1, sleep))?;
    let deployment = scene.get("deployment", "web")?;
    let stamp = stamp_of(&deployment["spec"]["template"])?;
    let set = scene.replica_set_of("web")?;
    let hash = text(&set, "/metadata/labels/pod-template-hash");

    // A pod that says it is of bob's ReplicaSet, in every word.
    let mut pod = pod_with(bobs(&stamp), owner(&set));
    pod["metadata"]["labels"] = json!({"app": "web", "pod-template-hash": hash});
    is_alices(
        "a pod with bob's ReplicaSet as owner",
        &dry(scene, &pod)?,
        &stamp,
    )?;

    // A Deployment and a ReplicaSet of her own whose names begin like his.
    let mut own = workload::deployment("web-two", 1, sleep);
    own["spec"]["template"]["metadata"]["annotations"] = bobs(&stamp);
    let made = dry(scene, &own)?;
    is_alices(
        "a Deployment whose name begins like bob's",
        &made["spec"]["template"],
        &stamp,
    )?;
    own["kind"] = json!("ReplicaSet");
    own["metadata"] = json!({"name": "web-evil", "ownerReferences": owner(&deployment)});
    own["spec"]["selector"]["matchLabels"] = json!({"app": "web-two", "pod-template-hash": "evil"});
    own["spec"]["template"]["metadata"]["labels"] =
        json!({"app": "web-two", "pod-template-hash": "evil"});
    let made = dry(scene, &own)?;
    is_alices(
        "a ReplicaSet with bob's Deployment as owner",
        &made["spec"]["template"],
        &stamp,
    )?;

    // Its pods are made by a trusted controller, and are still hers.
    scene.create(&scene.stage.alice, &own)?;
    let pod = scene.pod_of("pod-template-hash=evil")?;
    is_alices("the pod of a ReplicaSet made by hand", &pod, &stamp)
}

/// Whoever can write pods by way of an operator that nobody has listed gets nothing of the stamp they bring.
pub(super) fn a_stamp_through_an_unlisted_operator(scene: &Scene<'_>) -> Result<()> {
    scene.create(
        &scene.stage.bob,
        &workload::deployment("web", 1, "sleep 3600"),
    )?;
    let stamp = stamp_of(&scene.get("deployment", "web")?["spec"]["template"])?;
    let set = scene.replica_set_of("web")?;
    scene.service_account("operator", &["edit"])?;
    let operator = scene.minted(&scene.namespace, "operator")?;
    let mut pod = pod_with(bobs(&stamp), owner(&set));
    pod["metadata"]["labels"] =
        json!({"pod-template-hash": set["metadata"]["labels"]["pod-template-hash"]});
    let answer = operator.create(&scene.namespace, &pod)?;
    says(
        &answer,
        &[
            "starts without a Hadoop token",
            &format!(
                "no mapping rule knows the user «system:serviceaccount:{}:operator»",
                scene.namespace
            ),
        ],
    )?;
    let made = scene.get("pod", "copy")?;
    for key in [USER, STAMP, "kube2hadoop.io/submitter"] {
        ensure!(annotation(&made, key).is_none(), "{key} stayed on the pod");
    }
    let label = json!({"kube2hadoop.io/inject": "enabled"});
    pod["metadata"]["labels"] = label;
    let refusal = scene.refused(&operator, &pod)?;
    says(&refusal, &["no mapping rule knows the user"])
}

/// An operator that is listed makes ReplicaSets whose names and labels alice chose, as argo-rollouts does of Experiments.
pub(super) fn a_stamp_through_a_listed_operators_replica_set(scene: &Scene<'_>) -> Result<()> {
    let web = workload::deployment("web", 0, "true");
    scene.create(&scene.stage.bob, &web)?;
    let web = scene.get("deployment", "web")?;
    let stamp = stamp_of(&web["spec"]["template"])?;
    let sets = json!({"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["create"]});
    scene.rule(&sets, &["rollouts"])?;
    let make = |owners: Value| {
        let labels = json!({"app": "web", "pod-template-hash": "evil"});
        let mut template = web["spec"]["template"].clone();
        template["metadata"]["labels"] = labels.clone();
        let set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "web-evil", "labels": labels, "ownerReferences": owners},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        });
        let options = ["--dry-run=server", "-o", "json", "--as=rollouts"];
        scene.admin().create_with(&scene.namespace, &set, &options)
    };
    let made: Value = serde_json::from_str(&make(owner(&web))?)?;
    let kept = stamp_of(&made["spec"]["template"])?;
    ensure!(
        kept == stamp,
        "the ReplicaSet of bob's Deployment lost its stamp"
    );
    let experiment = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": {"name": "web", "uid": "alices"},
    });
    let refusal = make(owner(&experiment)).err();
    let refusal = refusal.context("a ReplicaSet of alice's Experiment carries bob's stamp")?;
    says(
        &format!("{refusal:#}"),
        &["its template's stamp is for another object"],
    )
}

/// A kind that Kube2Hadoop knows, with the stamp of another object of it; a kind that it does not know does nothing
/// without an operator.
pub(super) fn a_custom_resource_with_a_copied_stamp(scene: &Scene<'_>) -> Result<()> {
    scene.define(
        "sparkoperator.k8s.io",
        "SparkApplication",
        "sparkapplications",
    )?;
    scene.grant("*", "sparkapplications.sparkoperator.k8s.io")?;
    let application = |name: &str, annotations: Value| {
        json!({
            "apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication", "metadata": {"name": name},
            "spec": {"mainApplicationFile": "local:///a.py", "driver": {"annotations": annotations}},
        })
    };
    scene.create(&scene.stage.bob, &application("bobs", json!({})))?;
    let made = scene.get("sparkapplication", "bobs")?;
    let stamp = made["spec"]["driver"]["annotations"][STAMP]
        .as_str()
        .context("bob's application has no stamp")?
        .to_owned();
    let copied = dry(scene, &application("copy", bobs(&stamp)))?;
    let driver = json!({"metadata": copied["spec"]["driver"]});
    is_alices("a SparkApplication with bob's stamp", &driver, &stamp)?;

    let conf = format!("spark.kubernetes.driver.annotation.{STAMP}");
    let template = "spark.kubernetes.driver.podTemplateFile".to_owned();
    for (key, named) in [(conf, STAMP), (template, "podTemplateFile")] {
        let mut smuggler = application("smuggler", json!({}));
        smuggler["spec"]["sparkConf"] = json!({key: stamp});
        says(&scene.refused(&scene.stage.alice, &smuggler)?, &[named])?;
    }
    Ok(())
}
