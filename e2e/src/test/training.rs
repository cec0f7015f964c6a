//! Pods made by an operator of somebody else's, which the administrator has listed as trusted.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::training::TrainingOperator;
use crate::workload;

const USER: &str = "kube2hadoop.io/user";

pub(super) fn replicas_read_hdfs_as_the_submitter(scene: &Scene<'_>) -> Result<()> {
    let _operator = TrainingOperator::start(scene.stage.provider.as_ref(), scene.admin())?;
    let kinds = json!({"apiGroups": ["kubeflow.org"], "resources": ["tfjobs", "pytorchjobs"], "verbs": ["*"]});
    scene.rule(&kinds, &["alice@example.com", "bob@example.com"])?;
    let jobs = [
        (
            "TFJob",
            "tfReplicaSpecs",
            "tensorflow",
            [("Chief", 1), ("Worker", 2)],
        ),
        (
            "PyTorchJob",
            "pytorchReplicaSpecs",
            "pytorch",
            [("Master", 1), ("Worker", 1)],
        ),
    ];
    for (kind, replicas, container, roles) in jobs {
        scene.create(&scene.stage.alice, &job(kind, replicas, container, &roles))?;
    }
    for (kind, _, container, roles) in jobs {
        let name = kind.to_lowercase();
        let wait = [
            "wait",
            "--for=condition=Succeeded",
            &format!("{name}/{name}"),
            "--timeout=200s",
            "-n",
            &scene.namespace,
        ];
        scene.admin().run(&wait)?;
        let pods = scene.pods(&format!("training.kubeflow.org/job-name={name}"))?;
        let wanted: i32 = roles.iter().map(|(_, count)| count).sum();
        ensure!(
            i32::try_from(pods.len())? == wanted,
            "{kind} has {} pods",
            pods.len()
        );
        for pod in &pods {
            let user = annotation(pod, USER);
            ensure!(
                user.as_deref() == Some("alice"),
                "a pod of {kind} runs as {user:?}"
            );
            let name = text(pod, "/metadata/name");
            scene.ended(&name)?;
            let said =
                scene
                    .admin()
                    .run(&["logs", "-n", &scene.namespace, &name, "-c", container])?;
            says(&said, &["hello from HDFS", "Permission denied: user=alice"])?;
        }
    }
    bobs_stamp_is_of_no_use(scene)
}

fn job(kind: &str, replicas: &str, container: &str, roles: &[(&str, i32)]) -> Value {
    let script = "hdfs dfs -cat /data/public/greeting; hdfs dfs -ls /user/bob 2>&1 || true";
    let mut template = workload::template(script);
    template["spec"]["containers"][0]["name"] = json!(container);
    let mut specs = json!({});
    for (role, count) in roles {
        specs[*role] = json!({"replicas": count, "restartPolicy": "Never", "template": template});
    }
    let name = kind.to_lowercase();
    json!({
        "apiVersion": "kubeflow.org/v1", "kind": kind, "metadata": {"name": name},
        "spec": {replicas: specs, "runPolicy": {"cleanPodPolicy": "None"}},
    })
}

/// A trusted operator makes pods of it, and they are still alice's.
fn bobs_stamp_is_of_no_use(scene: &Scene<'_>) -> Result<()> {
    let mut bobs = job("TFJob", "tfReplicaSpecs", "tensorflow", &[("Worker", 0)]);
    bobs["metadata"]["name"] = json!("bobs");
    scene.create(&scene.stage.bob, &bobs)?;
    let template = "/spec/tfReplicaSpecs/Worker/template";
    let bobs = scene.get("tfjob", "bobs")?;
    let annotations = bobs
        .pointer(&format!("{template}/metadata/annotations"))
        .cloned();
    ensure!(
        annotations.as_ref().is_some_and(|all| all[USER] == "bob"),
        "bob's job is not stamped"
    );

    let mut copy = job("TFJob", "tfReplicaSpecs", "tensorflow", &[("Worker", 1)]);
    copy["metadata"]["name"] = json!("copy");
    copy["spec"]["tfReplicaSpecs"]["Worker"]["template"]["metadata"]["annotations"] =
        json!(annotations);
    scene.create(&scene.stage.alice, &copy)?;
    let pod = scene.pod_of("training.kubeflow.org/job-name=copy")?;
    let user = annotation(&pod, USER);
    ensure!(
        user.as_deref() == Some("alice"),
        "with bob's stamp it runs as {user:?}"
    );
    Ok(())
}
