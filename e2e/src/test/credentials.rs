//! Credentials that an attacker can come by: of service accounts, of other pods, of pods that are gone.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::kubectl::Kubectl;
use crate::process::wait_until;
use crate::workload;

const USER: &str = "kube2hadoop.io/user";
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);

/// A pod that asks by its own label, so that nobody is told why.
fn asking(name: &str) -> Value {
    workload::labelled(workload::pod(name, "true"), "enabled")
}

/// The test bench maps service accounts named robot. Of a namespace in scope, every editor could be it.
pub(super) fn a_mapped_service_account_of_the_namespace(scene: &Scene<'_>) -> Result<()> {
    let home = scene.namespace.as_str();
    scene.service_account("robot", &["edit"])?;
    let robot = format!("system:serviceaccount:{home}:robot");
    let told = [
        robot.as_str(),
        "is a service account of a namespace in scope",
        "submit as yourself",
    ];

    let alice = &scene.stage.alice;
    let mapped_as = format!("--as={robot}");
    let impersonated = alice.create_with(home, &asking("robots"), &[&mapped_as]);
    let refusal = impersonated
        .err()
        .context("alice is etl by impersonation")?;
    says(&format!("{refusal:#}"), &told)?;

    let minted = scene.minted(home, "robot")?;
    says(&scene.refused(&minted, &asking("robots"))?, &told)?;

    let legacy = scene.bearer(&legacy_token(scene)?)?;
    says(&scene.refused(&legacy, &asking("robots"))?, &told)?;

    // The credential of a pod that is not injected: never taken for its service account's.
    let unstamped = pod_token(scene, "disabled", "robot")?;
    let refusal = scene.refused(&scene.bearer(&unstamped)?, &asking("robots"))?;
    says(&refusal, &["the pod that asks has no valid stamp"])?;

    // A person who uses the service account in a pod of her own is still herself.
    let mut pod = asking("hers");
    pod["spec"]["serviceAccountName"] = json!("robot");
    scene.create(alice, &pod)?;
    let made = scene.get("pod", "hers")?;
    ensure!(
        annotation(&made, USER).as_deref() == Some("alice"),
        "alice's pod runs as {:?}",
        annotation(&made, USER)
    );
    // Where nobody else may edit, the mapping holds.
    let outside = scene.another_namespace(false)?;
    scene.service_account_of(&outside, "robot", &["edit"])?;
    let robot = scene.minted(&outside, "robot")?;
    scene.create(&robot, &asking("robots"))?;
    let made = scene.get("pod", "robots")?;
    ensure!(
        annotation(&made, USER).as_deref() == Some("etl"),
        "the robot's pod runs as {:?}",
        annotation(&made, USER)
    );
    Ok(())
}

/// The token of a Secret that alice makes, which the controller fills.
fn legacy_token(scene: &Scene<'_>) -> Result<String> {
    let account = json!({"kubernetes.io/service-account.name": "robot"});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "legacy", "annotations": account},
    });
    scene.create(&scene.stage.alice, &secret)?;
    let get = ["get", "secret", "legacy", "-n", &scene.namespace];
    let token = wait_until("the legacy token", DEADLINE, || {
        let secret = scene.stage.alice.json(&get)?;
        Ok(secret["data"]["token"].as_str().map(str::to_owned))
    })?;
    let token = base64::engine::general_purpose::STANDARD.decode(token)?;
    Ok(String::from_utf8(token)?)
}

/// The API token that the kubelet gave a running pod of alice's.
fn pod_token(scene: &Scene<'_>, inject: &str, account: &str) -> Result<String> {
    let name = format!("holder-{inject}");
    let script = "cat /var/run/secrets/kubernetes.io/serviceaccount/token; echo; sleep 3600";
    let mut pod = workload::labelled(workload::pod(&name, script), inject);
    pod["spec"]["serviceAccountName"] = json!(account);
    scene.create(&scene.stage.alice, &pod)?;
    scene.running(&name)?;
    printed(scene, &name)
}

pub(super) fn printed(scene: &Scene<'_>, pod: &str) -> Result<String> {
    wait_until("the pod's token", DEADLINE, || {
        let line = scene.logs(pod)?;
        Ok(Some(line.trim().to_owned()).filter(|token| !token.is_empty()))
    })
}

/// A notebook's own credential: what it submits is its user's, and that Job's pods read HDFS.
pub(super) fn what_a_pod_submits_is_its_users(scene: &Scene<'_>) -> Result<()> {
    scene.service_account("notebook", &["edit"])?;
    let notebook = scene.bearer(&pod_token(scene, "enabled", "notebook")?)?;
    scene.create(
        &notebook,
        &workload::job(
            "submitted",
            "hdfs dfs -ls /user/alice && hdfs dfs -ls /user/bob 2>&1 || true",
        ),
    )?;
    let pod = scene.pod_of_job("submitted")?;
    for (key, value) in [
        (USER, "alice"),
        ("kube2hadoop.io/submitter", "alice@example.com"),
    ] {
        ensure!(
            annotation(&pod, key).as_deref() == Some(value),
            "{key} is {:?}",
            annotation(&pod, key)
        );
    }
    let said = scene.succeeded(&text(&pod, "/metadata/name"))?;
    says(&said, &["Permission denied: user=alice"])?;
    // All of it is one job: its pods hold one set of tokens.
    let mut jobs: Vec<_> = scene
        .ledger()?
        .iter()
        .filter_map(|record| annotation(record, "kube2hadoop.io/job"))
        .collect();
    jobs.dedup();
    ensure!(jobs.len() == 1, "there are tokens of {jobs:?}");

    let mut spy = asking("spy");
    spy["metadata"]["annotations"] = json!({"kube2hadoop.io/run-as": "bob"});
    says(&scene.refused(&notebook, &spy)?, &["run-as"])?;
    // With the pod its credential goes, and with it what it could submit.
    scene.delete_pod(&scene.stage.alice, "holder-enabled")?;
    wait_until("the ended pod's credential to be refused", DEADLINE, || {
        let late = notebook.create_with(&scene.namespace, &asking("late"), &["--dry-run=server"]);
        let refusal = late.err().map(|error| format!("{error:#}"));
        Ok(refusal.filter(|why| why.contains("asked for the client to provide credentials")))
    })
    .map(drop)
}

/// It shares the node's address with every other such pod: an address proves nothing.
pub(super) fn a_pod_on_the_host_network(scene: &Scene<'_>) -> Result<()> {
    let script = "hdfs dfs -ls /user/alice && hdfs dfs -ls /user/bob 2>&1 || true";
    let on_host = |who: &Kubectl, name: &str, script: &str| {
        let mut pod = workload::pod(name, script);
        pod["spec"]["hostNetwork"] = json!(true);
        pod["spec"]["dnsPolicy"] = json!("ClusterFirstWithHostNet");
        scene.create(who, &pod)
    };
    on_host(&scene.stage.bob, "bobs", "sleep 3600")?;
    scene.running("bobs")?;
    on_host(&scene.stage.alice, "hers", script)?;
    says(
        &scene.succeeded("hers")?,
        &["Permission denied: user=alice"],
    )
}

/// Each writes their own name into the code: whoever's name is there last is who answers for it.
pub(super) fn two_users_racing_on_one_workload(scene: &Scene<'_>) -> Result<()> {
    let people = [("alice", &scene.stage.alice), ("bob", &scene.stage.bob)];
    let mut web = workload::deployment("web", 0, "true");
    web["spec"]["revisionHistoryLimit"] = json!(50);
    scene.create(&scene.stage.alice, &web)?;
    let namespace = scene.namespace.as_str();
    std::thread::scope(|scope| {
        let writers = people.map(|(name, who)| {
            scope.spawn(move || {
                (0..8).try_for_each(|turn| {
                    let value = format!("AUTHOR={name}-{turn}");
                    let set = ["set", "env", "deployment/web", &value, "-n", namespace];
                    who.run(&set).map(drop)
                })
            })
        });
        writers.into_iter().try_for_each(|writer| {
            writer
                .join()
                .unwrap_or_else(|_| anyhow::bail!("a writer panicked"))
        })
    })?;
    let get = ["get", "deployments,replicasets", "-n", &scene.namespace];
    let all = scene.admin().json(&get)?;
    let mut seen = 0;
    for object in all["items"].as_array().into_iter().flatten() {
        let template = &object["spec"]["template"];
        let author = text(template, "/spec/containers/0/env/0/value");
        if author.is_empty() {
            continue;
        }
        let user = annotation(template, USER).unwrap_or_default();
        ensure!(
            author.starts_with(&user) && !user.is_empty(),
            "{author} runs as {user:?}"
        );
        seen += 1;
    }
    ensure!(seen > 1, "nobody's change is there");
    Ok(())
}
