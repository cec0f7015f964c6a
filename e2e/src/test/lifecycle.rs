//! Tokens live as long as their job, and no longer.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::scene::{Scene, says};
use crate::process::wait_until;
use crate::workload;

/// The fetcher's grace, the time until a marked record is cancelled, and a busy machine.
const CANCELLED: Duration = Duration::from_secs(120);

/// The test bench's Hadoop ends a token after 90 s unless it is renewed.
pub(super) fn a_live_pods_tokens_are_renewed(scene: &Scene<'_>) -> Result<()> {
    let file = format!("/secure-zone/{}", scene.namespace);
    let script = format!(
        "sleep 100; hdfs dfs -ls /user/alice; echo late | hdfs dfs -put - {file}; hdfs dfs -cat {file}"
    );
    scene.create(&scene.stage.alice, &workload::pod("patient", &script))?;
    says(&scene.succeeded("patient")?, &["late"])
}

/// Whoever kept a copy of an ended pod's token has nothing.
pub(super) fn an_ended_pods_tokens_are_cancelled(scene: &Scene<'_>) -> Result<()> {
    let script = "base64 -w0 $HADOOP_TOKEN_FILE_LOCATION";
    scene.create(&scene.stage.alice, &workload::pod("owner", script))?;
    let copy = scene.succeeded("owner")?;
    wait_until("the ledger to forget the pod", CANCELLED, || {
        Ok(scene.ledger()?.is_empty().then_some(()))
    })?;
    let script = format!(
        "echo {} | base64 -d > /tmp/copy; HADOOP_TOKEN_FILE_LOCATION=/tmp/copy hdfs dfs -ls /user/alice 2>&1",
        copy.trim()
    );
    scene.create(&scene.stage.alice, &workload::pod("thief", &script))?;
    let phase = scene.ended("thief")?;
    ensure!(
        phase == "Failed",
        "the copy still works: {}",
        scene.logs("thief")?
    );
    says(&scene.logs("thief")?, &["can't be found in cache"])
}
