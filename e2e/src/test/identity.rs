//! Who a pod runs as: granted users, and workloads that Kubernetes itself knows nothing of.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says};
use crate::directory::{Door, Slapd};
use crate::process::wait_until;
use crate::workload;

const USER: &str = "kube2hadoop.io/user";
/// The webhook believes a refusal for ten seconds.
const GRANTED: Duration = Duration::from_secs(30);

/// The chart of the test bench lets RBAC grant users whose name begins with etl-.
pub(super) fn run_as_needs_a_role(scene: &Scene<'_>) -> Result<()> {
    let pod = asking("reports", "etl-reports");
    let refusal = scene.refused(&scene.stage.alice, &pod)?;
    says(
        &refusal,
        &[
            "run-as etl-reports is not granted",
            "hadoopusers.kube2hadoop.io/etl-reports",
        ],
    )?;

    scene.grant("use", "hadoopusers.kube2hadoop.io/etl-reports")?;
    let ask = [
        "auth",
        "can-i",
        "use",
        "hadoopusers.kube2hadoop.io/etl-reports",
        "-n",
        &scene.namespace,
    ];
    ensure!(
        scene.stage.alice.run(&ask)?.trim() == "yes",
        "kubectl auth can-i says no"
    );
    wait_until("the grant to be seen", GRANTED, || {
        Ok(scene.create(&scene.stage.alice, &pod).ok())
    })?;
    let stamped = scene.get("pod", "reports")?;
    ensure!(
        annotation(&stamped, USER).as_deref() == Some("etl-reports"),
        "stamped as {:?}",
        annotation(&stamped, USER)
    );
    let refused = scene.succeeded("reports")?;
    ensure!(
        refused.trim() == "user=etl-reports",
        "HDFS knows the reader as {refused}"
    );
    // The grant is alice's alone.
    let refusal = scene.refused(&scene.stage.bob, &asking("theirs", "etl-reports"))?;
    says(&refusal, &["is not granted to bob@example.com"])
}

pub(super) fn a_wildcard_role_grants_nobody(scene: &Scene<'_>) -> Result<()> {
    scene.grant("*", "*.*")?;
    let refusal = scene.refused(&scene.stage.alice, &asking("spy", "bob"))?;
    says(&refusal, &["run-as bob can be granted to nobody"])
}

/// Members of an account's group in LDAP may run as it, as long as an LDAP server of the right CA says so.
pub(super) fn run_as_by_an_ldap_group(scene: &Scene<'_>) -> Result<()> {
    const SILENT: &str = "no LDAP server answered";
    const REFUSED: &str = "membership in the LDAP group of etl-nightly";
    let groups: [(&str, &[&str]); 2] = [("etl-nightly", &["bob", "carol"]), ("etl-weekly", &[])];
    scene.grant("use", "hadoopusers.kube2hadoop.io/etl-weekly")?;
    let attempt = |who: &str| {
        let who = format!("--as={who}");
        let how = [who.as_str(), "--as-group=hadoop-users", "--dry-run=server"];
        let asked =
            scene
                .admin()
                .create_with(&scene.namespace, &asking("try", "etl-nightly"), &how);
        asked.map_or_else(|refusal| format!("{refusal:#}"), |_| "granted".to_owned())
    };

    // It would say yes, but shows another CA's certificate.
    let stranger = Slapd::start(Door::Stranger, &groups)?;
    says(&attempt("bob@example.com"), &[SILENT])?;
    drop(stranger);

    // Nobody is behind the first door, so this is the second.
    let slapd = Slapd::start(Door::Ldaps, &groups)?;
    let told = scene.create(&scene.stage.bob, &asking("nightly", "etl-nightly"))?;
    says(
        &told,
        &["this runs as etl-nightly (mapping[0], run-as by ldap)"],
    )?;
    says(
        &attempt("alice@example.com"),
        &["is not granted to alice@example.com", REFUSED],
    )?;
    for name in ["*", "bob)(cn=*", "*)(memberUid=*))(|(cn=*"] {
        says(
            &attempt(&format!("{name}@guests.example.com")),
            &["is not granted", REFUSED],
        )?;
    }
    drop(slapd);

    let slapd = Slapd::start(Door::StartTls, &groups)?;
    ensure!(
        attempt("carol@example.com") == "granted",
        "carol's group counts for nothing"
    );
    slapd.dismiss("etl-nightly", "carol")?;
    wait_until("carol to be out of the group", GRANTED, || {
        Ok(attempt("carol@example.com").contains(REFUSED).then_some(()))
    })?;
    drop(slapd);

    says(&attempt("dave@example.com"), &[SILENT, "try again"])?;
    scene.create(&scene.stage.alice, &asking("weekly", "etl-weekly"))?;
    let reader = scene.succeeded("nightly")?;
    ensure!(
        reader.trim() == "user=etl-nightly",
        "HDFS knows the reader as {reader}"
    );
    Ok(())
}

/// Of a custom resource everything but the declared fields is code: who changes it answers for it.
pub(super) fn a_training_job_is_its_last_authors(scene: &Scene<'_>) -> Result<()> {
    scene.define("kubeflow.org", "TFJob", "tfjobs")?;
    scene.grant("*", "tfjobs.kubeflow.org")?;
    scene.create(&scene.stage.alice, &training_job())?;
    ensure!(
        author(scene)?.as_deref() == Some("alice"),
        "alice's job is {:?}'s",
        author(scene)?
    );

    change(
        scene,
        &json!([{"op": "replace", "path": "/spec/tfReplicaSpecs/Worker/replicas", "value": 3}]),
    )?;
    ensure!(
        author(scene)?.as_deref() == Some("alice"),
        "scaling made it {:?}'s",
        author(scene)?
    );
    change(
        scene,
        &json!([{"op": "add", "path": "/spec/successPolicy", "value": "AllWorkers"}]),
    )?;
    ensure!(
        author(scene)?.as_deref() == Some("bob"),
        "bob's change runs as {:?}",
        author(scene)?
    );

    let mut smuggled = training_job();
    smuggled["metadata"]["name"] = json!("smuggler");
    smuggled["spec"]["elsewhere"] = json!({"annotations": {"kube2hadoop.io/user": "bob"}});
    let refusal = scene.refused(&scene.stage.alice, &smuggled)?;
    says(&refusal, &["kube2hadoop.io/user"])
}

/// A pod that asks by its own label to run as somebody else, and prints whom HDFS keeps out of alice's directory.
fn asking(name: &str, user: &str) -> Value {
    let script = "hdfs dfs -ls /user/alice 2>&1 | grep -o 'user=[a-z-]*' | head -n 1";
    let mut pod = workload::labelled(workload::pod(name, script), "enabled");
    pod["metadata"]["annotations"] = json!({"kube2hadoop.io/run-as": user});
    pod
}

fn training_job() -> Value {
    let worker = json!({"replicas": 2, "template": workload::template("true")});
    json!({
        "apiVersion": "kubeflow.org/v1",
        "kind": "TFJob",
        "metadata": {"name": "training"},
        "spec": {"tfReplicaSpecs": {"Worker": worker}},
    })
}

/// As bob.
fn change(scene: &Scene<'_>, patch: &Value) -> Result<()> {
    let patch = patch.to_string();
    let args = [
        "patch",
        "tfjob",
        "training",
        "--type=json",
        "-p",
        &patch,
        "-n",
        &scene.namespace,
    ];
    scene.stage.bob.run(&args)?;
    Ok(())
}

fn author(scene: &Scene<'_>) -> Result<Option<String>> {
    let job = scene.get("tfjob", "training")?;
    Ok(annotation(
        &job["spec"]["tfReplicaSpecs"]["Worker"]["template"],
        USER,
    ))
}
