//! From the creation of a pod to its application's first instruction: with the token, with an init container
//! that does nothing, and without any.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::median;
use super::table::Row;
use crate::stage::Stage;
use crate::test::Scene;
use crate::workload;

const ROUNDS: usize = 10;
const FIRST_INSTRUCTION: &str = "date +%s.%N";

/// Interleaves the three kinds of pod, and compares their medians.
pub(super) fn run(stage: &Stage) -> Result<Vec<Row>> {
    let scene = Scene::open(stage, "bench::pod_start")?;
    let outcome = measure(&scene);
    scene.close()?;
    outcome
}

fn measure(scene: &Scene<'_>) -> Result<Vec<Row>> {
    let (mut labelled, mut idle, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        labelled.push(start(
            scene,
            &workload::pod(&format!("labelled-{round}"), FIRST_INSTRUCTION),
        )?);
        idle.push(start(scene, &idle_init(&format!("idle-{round}")))?);
        plain.push(start(scene, &opted_out(&format!("plain-{round}")))?);
    }
    let of = |times: &[f64]| 1000.0 * median(times).unwrap_or_default();
    let (labelled, idle, plain) = (of(&labelled), of(&idle), of(&plain));
    Ok(vec![
        Row::new("ms with the token, p50", labelled).over(idle),
        Row::new(
            "ms more than an init container doing nothing",
            labelled - idle,
        )
        .at_most(100.0),
        Row::new("ms more than no init container", labelled - plain),
    ])
}

fn opted_out(name: &str) -> Value {
    workload::labelled(workload::pod(name, FIRST_INSTRUCTION), "disabled")
}

/// The same pod with our own tiny image as init container, told only to print its version.
fn idle_init(name: &str) -> Value {
    let mut pod = opted_out(name);
    let mut init = pod["spec"]["containers"][0].clone();
    init["name"] = json!("idle");
    init["image"] = json!(workload::INIT_IMAGE);
    init["command"] = json!(["/kube2hadoop-client", "--version"]);
    pod["spec"]["initContainers"] = json!([init]);
    pod
}

/// Seconds from just before the creation to what the application printed first.
fn start(scene: &Scene<'_>, pod: &Value) -> Result<f64> {
    let created = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    scene.create(&scene.stage.alice, pod)?;
    let name = pod["metadata"]["name"]
        .as_str()
        .context("the pod has no name")?;
    let printed: f64 = scene.succeeded(name)?.trim().parse()?;
    Ok(printed - created)
}
