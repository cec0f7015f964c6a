//! The main job, for a person to watch: label a namespace, and a pod reads secure HDFS as its submitter.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::stage::Stage;
use crate::test::Scene;
use crate::test::{annotation, text};
use crate::{places, workload};

/// Runs the demo on what is up and leaves everything up.
pub fn run(stage: &Stage) -> Result<()> {
    let scene = Scene::named(stage, "team-a")?;
    say(
        "An admin labelled the namespace team-a with kube2hadoop.io/inject=enabled. Nothing else was prepared.",
    );
    alice_works(&scene)?;
    bob_is_refused(&scene)?;
    elsewhere_nothing_happens(&scene)?;
    what_to_type_next();
    Ok(())
}

fn alice_works(scene: &Scene<'_>) -> Result<()> {
    say("alice@example.com submits a Job; its YAML knows nothing of Kube2Hadoop:");
    let script = "hdfs dfs -ls /user/alice; echo 'written from a pod' | hdfs dfs -put -f - /user/alice/demo.txt; hdfs dfs -cat /user/alice/demo.txt";
    let job = workload::job("alice-etl", script);
    for line in script.split("; ") {
        println!("    $ {line}");
    }
    let started = Instant::now();
    scene.replace(&scene.stage.alice, &job)?;
    let pod = scene.pod_of_job("alice-etl")?;
    let name = text(&pod, "/metadata/name");
    let printed = scene.succeeded(&name)?;
    println!(
        "  {name} ended after {:.1} s and printed:",
        started.elapsed().as_secs_f32()
    );
    indent(&printed);
    explain(scene, &scene.get("pod", &name)?)
}

fn bob_is_refused(scene: &Scene<'_>) -> Result<()> {
    say("bob@example.com submits a Job that lists alice's private directory:");
    scene.replace(
        &scene.stage.bob,
        &workload::job("bob-spy", "hdfs dfs -ls /user/alice 2>&1"),
    )?;
    let name = text(&scene.pod_of_job("bob-spy")?, "/metadata/name");
    ensure!(
        scene.ended(&name)? == "Failed",
        "bob could list alice's directory"
    );
    let printed = scene.logs(&name)?;
    indent(
        printed
            .lines()
            .find(|line| line.contains("Permission denied"))
            .unwrap_or(&printed),
    );
    explain(scene, &scene.get("pod", &name)?)
}

fn elsewhere_nothing_happens(scene: &Scene<'_>) -> Result<()> {
    say("The same pod in a namespace without the label:");
    let namespace = scene.another_namespace(false)?;
    let pod = workload::pod("plain", "true");
    scene.stage.alice.run(&[
        "delete",
        "pod",
        "plain",
        "--ignore-not-found",
        "-n",
        &namespace,
    ])?;
    scene.stage.alice.create(&namespace, &pod)?;
    let made = scene
        .admin()
        .json(&["get", "pod", "plain", "-n", &namespace])?;
    ensure!(
        made["spec"]["initContainers"].is_null(),
        "something was injected"
    );
    println!("  no init container, no volume of ours, no stamp");
    Ok(())
}

/// Who the pod ran as, by whose word, with which tokens, and how long each step took.
fn explain(scene: &Scene<'_>, pod: &Value) -> Result<()> {
    let note = |key: &str| annotation(pod, key).unwrap_or_default();
    println!("  submitted by  {}", note("kube2hadoop.io/submitter"));
    println!("  Hadoop user   {}", note("kube2hadoop.io/user"));
    let job = text(pod, "/metadata/labels/batch.kubernetes.io~1job-name");
    let job = format!("{}/Job.batch/{job}", scene.namespace);
    for record in scene.ledger()? {
        let note = |key: &str| annotation(&record, key).unwrap_or_default();
        if note("kube2hadoop.io/job") != job {
            continue;
        }
        println!(
            "  token         of {}, number {}, issued {}, good until {} unless renewed",
            note("kube2hadoop.io/service"),
            note("kube2hadoop.io/sequence-number"),
            note("kube2hadoop.io/issued"),
            note("kube2hadoop.io/expires"),
        );
    }
    let at = |pointer: &str| text(pod, pointer);
    println!("  pod created   {}", at("/metadata/creationTimestamp"));
    let init = "/status/initContainerStatuses/0/state/terminated";
    let (begun, ended) = (format!("{init}/startedAt"), format!("{init}/finishedAt"));
    println!(
        "  fetch-token   {} to {}: {}",
        at(&begun),
        at(&ended),
        at(&format!("{init}/message")).trim()
    );
    let main = "/status/containerStatuses/0/state/terminated";
    println!(
        "  application   {} to {}",
        at(&format!("{main}/startedAt")),
        at(&format!("{main}/finishedAt"))
    );
    Ok(())
}

fn what_to_type_next() {
    say("Everything is still up. What to type next:");
    let alice = places::kubeconfig_of("alice@example.com");
    println!("  export KUBECONFIG={}", alice.display());
    println!("  cargo e2e kubectl get pods -n team-a");
    println!(
        "  cargo e2e kubectl describe pod -n team-a -l batch.kubernetes.io/job-name=alice-etl"
    );
    println!("  cargo e2e test     # all tests");
    println!("  cargo e2e down     # removes everything again");
}

fn say(line: &str) {
    println!("\n{line}");
}

fn indent(text: &str) {
    for line in text.lines() {
        println!("    {line}");
    }
}
