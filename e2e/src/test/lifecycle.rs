//! Tokens live no longer than their job; that they live as long is seen in the worst case, among the faults.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::scene::{Scene, says};
use crate::process::wait_until;
use crate::workload;

/// The fetcher's grace, the time until a marked record is cancelled, and a busy machine.
const CANCELLED: Duration = Duration::from_secs(120);

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
