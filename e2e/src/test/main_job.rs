//! The way of a pod, from a user's YAML to data in HDFS.

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::scene::{INIT_CONTAINER, Scene, annotation, says, text};
use crate::workload;

const USER: &str = "kube2hadoop.io/user";
const SUBMITTER: &str = "kube2hadoop.io/submitter";
const STAMP: &str = "kube2hadoop.io/stamp";

pub(super) fn a_job_reads_and_writes_as_its_submitter(scene: &Scene<'_>) -> Result<()> {
    let file = format!("/user/alice/{}", scene.namespace);
    let script = format!(
        "hdfs dfs -ls /user/alice; echo hello | hdfs dfs -put - {file}; hdfs dfs -cat {file}"
    );
    scene.create(&scene.stage.alice, &workload::job("etl", &script))?;
    let pod = scene.pod_of_job("etl")?;
    says(&scene.succeeded(&text(&pod, "/metadata/name"))?, &["hello"])?;

    ensure!(
        annotation(&pod, USER).as_deref() == Some("alice"),
        "stamped as {:?}",
        annotation(&pod, USER)
    );
    ensure!(
        annotation(&pod, SUBMITTER).as_deref() == Some("alice@example.com"),
        "wrong submitter"
    );
    let owner = scene.stage.hadoop.hdfs("hdfs", &["-stat", "%u", &file])?;
    ensure!(owner.trim() == "alice", "the file belongs to {owner}");
    Ok(())
}

pub(super) fn hdfs_refuses_bob_by_name(scene: &Scene<'_>) -> Result<()> {
    scene.create(
        &scene.stage.bob,
        &workload::job("spy", "hdfs dfs -ls /user/alice 2>&1"),
    )?;
    let pod = text(&scene.pod_of_job("spy")?, "/metadata/name");
    ensure!(
        scene.ended(&pod)? == "Failed",
        "bob could list alice's directory"
    );
    says(&scene.logs(&pod)?, &["Permission denied: user=bob"])
}

pub(super) fn an_unlabelled_namespace_is_untouched(scene: &Scene<'_>) -> Result<()> {
    let namespace = scene.another_namespace(false)?;
    let before = workload::pod("plain", "true");
    scene.stage.alice.create(&namespace, &before)?;
    let pod = scene
        .admin()
        .json(&["get", "pod", "plain", "-n", &namespace])?;
    ensure!(
        pod["spec"]["initContainers"].is_null(),
        "an init container was injected"
    );
    ensure!(annotation(&pod, STAMP).is_none(), "a stamp was made");
    Ok(())
}

pub(super) fn a_labelled_pod_in_an_unlabelled_namespace(scene: &Scene<'_>) -> Result<()> {
    let namespace = scene.another_namespace(false)?;
    let pod = workload::labelled(workload::pod("opted-in", "true"), "enabled");
    scene.stage.alice.create(&namespace, &pod)?;
    let pod = scene
        .admin()
        .json(&["get", "pod", "opted-in", "-n", &namespace])?;
    ensure!(
        annotation(&pod, USER).as_deref() == Some("alice"),
        "not stamped: {}",
        pod["metadata"]
    );
    injected(&pod)
}

pub(super) fn a_pod_may_opt_out(scene: &Scene<'_>) -> Result<()> {
    let pod = workload::labelled(workload::pod("opted-out", "true"), "disabled");
    scene.create(&scene.stage.alice, &pod)?;
    let pod = scene.get("pod", "opted-out")?;
    ensure!(
        pod["spec"]["initContainers"].is_null(),
        "an init container was injected"
    );
    Ok(())
}

pub(super) fn a_deployment_keeps_its_submitter(scene: &Scene<'_>) -> Result<()> {
    let script = "hdfs dfs -touchz /user/alice/deployed; sleep 3600";
    scene.create(
        &scene.stage.alice,
        &workload::deployment("server", 1, script),
    )?;
    let wait = [
        "rollout",
        "status",
        "deployment/server",
        "--timeout=150s",
        "-n",
        &scene.namespace,
    ];
    scene.admin().run(&wait)?;
    let pods = scene.pods("app=server")?;
    let [pod] = pods.as_slice() else {
        bail!("wanted one pod, found {}", pods.len())
    };
    ensure!(
        annotation(pod, USER).as_deref() == Some("alice"),
        "stamped as {:?}",
        annotation(pod, USER)
    );

    // A restart by somebody else runs the same code, so it stays alice's.
    scene.stage.bob.run(&[
        "rollout",
        "restart",
        "deployment/server",
        "-n",
        &scene.namespace,
    ])?;
    let deployment = scene.get("deployment", "server")?;
    let template = &deployment["spec"]["template"];
    ensure!(
        annotation(template, USER).as_deref() == Some("alice"),
        "a restart changed the user"
    );

    // Other code is answered for by whoever brings it.
    let env = [
        "set",
        "env",
        "deployment/server",
        "X=1",
        "-n",
        &scene.namespace,
    ];
    scene.stage.bob.run(&env)?;
    let deployment = scene.get("deployment", "server")?;
    let template = &deployment["spec"]["template"];
    ensure!(
        annotation(template, USER).as_deref() == Some("bob"),
        "bob's change still runs as alice"
    );
    Ok(())
}

pub(super) fn an_encryption_zone_by_the_kms_token(scene: &Scene<'_>) -> Result<()> {
    let file = format!("/secure-zone/{}", scene.namespace);
    let script = format!("echo secret | hdfs dfs -put - {file}; hdfs dfs -cat {file}");
    scene.create(&scene.stage.alice, &workload::pod("zone", &script))?;
    says(&scene.succeeded("zone")?, &["secret"])
}

pub(super) fn the_pods_of_a_job_share_one_token(scene: &Scene<'_>) -> Result<()> {
    let mut job = workload::job("many", "md5sum < $HADOOP_TOKEN_FILE_LOCATION");
    job["spec"]["parallelism"] = json!(4);
    job["spec"]["completions"] = json!(4);
    scene.create(&scene.stage.alice, &job)?;
    let wait = [
        "wait",
        "--for=condition=complete",
        "job/many",
        "--timeout=150s",
        "-n",
        &scene.namespace,
    ];
    scene.admin().run(&wait)?;
    let pods = scene.pods("batch.kubernetes.io/job-name=many")?;
    let mut files = pods
        .iter()
        .map(|pod| scene.logs(&text(pod, "/metadata/name")))
        .collect::<Result<Vec<_>>>()?;
    files.sort_unstable();
    files.dedup();
    ensure!(
        pods.len() == 4 && files.len() == 1,
        "{} pods hold {} different token files",
        pods.len(),
        files.len()
    );
    Ok(())
}

pub(super) fn an_injected_pod_meets_restricted_pod_security(scene: &Scene<'_>) -> Result<()> {
    let label = "pod-security.kubernetes.io/enforce=restricted";
    scene
        .admin()
        .run(&["label", "namespace", &scene.namespace, label])?;
    scene.create(
        &scene.stage.alice,
        &workload::pod("strict", "hdfs dfs -ls /data/public"),
    )?;
    injected(&scene.get("pod", "strict")?)?;
    scene.succeeded("strict")?;
    Ok(())
}

pub(super) fn a_dry_run_tells_the_same(scene: &Scene<'_>) -> Result<()> {
    let dry = scene.stage.alice.create_with(
        &scene.namespace,
        &workload::pod("dry", "true"),
        &["--dry-run=server", "-o", "json"],
    )?;
    let pod: Value = serde_json::from_str(&dry)?;
    ensure!(
        annotation(&pod, USER).as_deref() == Some("alice"),
        "the dry run shows no stamp"
    );
    injected(&pod)?;
    ensure!(scene.get("pod", "dry").is_err(), "the dry run made a pod");
    Ok(())
}

pub(super) fn somebody_elses_settings_stay(scene: &Scene<'_>) -> Result<()> {
    let mut pod = workload::pod(
        "own",
        "test \"$HADOOP_CONF_DIR\" = /own && test -s $HADOOP_TOKEN_FILE_LOCATION",
    );
    pod["spec"]["containers"][0]["env"] = json!([{"name": "HADOOP_CONF_DIR", "value": "/own"}]);
    let answer = scene.create(&scene.stage.alice, &pod)?;
    says(&answer, &["HADOOP_CONF_DIR"])?;
    scene.succeeded("own")?;
    Ok(())
}

/// Fails unless the pod carries all that the webhook injects.
fn injected(pod: &Value) -> Result<()> {
    let init = text(pod, "/spec/initContainers/0/name");
    ensure!(
        init == INIT_CONTAINER,
        "the first init container is «{init}»"
    );
    ensure!(
        pod["metadata"]["labels"]["kube2hadoop.io/injected"] == "true",
        "the label injected is missing"
    );
    ensure!(annotation(pod, STAMP).is_some(), "the stamp is missing");
    Ok(())
}
