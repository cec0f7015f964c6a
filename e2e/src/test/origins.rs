//! Every way in which Kubernetes itself makes pods.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::scene::{Scene, annotation, text};
use crate::process::wait_until;
use crate::workload;

/// A CronJob begins within a minute, and all of them start a Java on two cores.
const DEADLINE: Duration = Duration::from_secs(240);

pub(super) fn all_of_them_write_as_their_submitter(scene: &Scene<'_>) -> Result<()> {
    let directory = format!("/user/alice/{}", scene.namespace);
    scene.stage.hadoop.hdfs("alice", &["-mkdir", &directory])?;
    let origins = origins(&directory);
    for (_, object) in &origins {
        scene.create(&scene.stage.alice, object)?;
    }
    let mut files = vec!["-stat".to_owned(), "%u".to_owned()];
    for (origin, _) in &origins {
        let pod = wrote(scene, origin)?;
        let user = annotation(&pod, "kube2hadoop.io/user");
        ensure!(
            user.as_deref() == Some("alice"),
            "the pod of the {origin} is {user:?}'s"
        );
        let owner = text(&pod, "/metadata/ownerReferences/0/kind");
        let made_by = match *origin {
            "Deployment" => "ReplicaSet",
            "CronJob" => "Job",
            "Pod" => "",
            itself => itself,
        };
        ensure!(
            owner == made_by,
            "the pod of the {origin} belongs to a {owner}"
        );
        files.push(format!("{directory}/{origin}"));
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let owners = scene.stage.hadoop.hdfs("hdfs", &files)?;
    ensure!(
        owners.lines().count() == origins.len() && owners.lines().all(|owner| owner == "alice"),
        "the files belong to {owners}"
    );
    Ok(())
}

/// The pod of this origin, once it has written its file.
fn wrote(scene: &Scene<'_>, origin: &str) -> Result<Value> {
    wait_until(
        &format!("the pod of the {origin} to write"),
        DEADLINE,
        || {
            let Some(pod) = scene.pods(&format!("origin={origin}"))?.into_iter().next() else {
                return Ok(None);
            };
            // There are no logs before its container has started.
            let said = scene
                .logs(&text(&pod, "/metadata/name"))
                .unwrap_or_default();
            Ok(said.contains("wrote").then_some(pod))
        },
    )
}

fn origins(directory: &str) -> Vec<(&'static str, Value)> {
    [
        "CronJob",
        "Pod",
        "ReplicationController",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
    ]
    .map(|kind| (kind, origin(kind, directory)))
    .to_vec()
}

fn origin(kind: &str, directory: &str) -> Value {
    let script = format!("hdfs dfs -touchz {directory}/{kind} && echo wrote; sleep 3600");
    let mut template = workload::template(&script);
    template["metadata"]["labels"] = json!({"origin": kind});
    template["spec"]["terminationGracePeriodSeconds"] = json!(0);
    let name = kind.to_lowercase();
    if kind == "Pod" {
        template["metadata"]["name"] = json!(name);
        template["apiVersion"] = json!("v1");
        template["kind"] = json!("Pod");
        return template;
    }
    let batch = matches!(kind, "Job" | "CronJob");
    if !batch {
        template["spec"]["restartPolicy"] = json!("Always");
    }
    let mut spec = json!({"template": template});
    match kind {
        "Job" => spec["backoffLimit"] = json!(0),
        "CronJob" => {
            spec = json!({"schedule": "* * * * *", "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": spec}});
        }
        "ReplicationController" => spec["selector"] = json!({"origin": kind}),
        _ => spec["selector"] = json!({"matchLabels": {"origin": kind}}),
    }
    if kind == "StatefulSet" {
        spec["serviceName"] = json!(name);
    }
    let group = match kind {
        "ReplicationController" => "v1",
        "Job" | "CronJob" => "batch/v1",
        _ => "apps/v1",
    };
    json!({"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec})
}
