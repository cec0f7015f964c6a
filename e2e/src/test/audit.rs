//! What the webhook's audit log says: a line for each decision about somebody.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::scene::Scene;
use crate::process::wait_until;
use crate::stage::NAMESPACE;

/// A line is written after its answer is given.
const DEADLINE: Duration = Duration::from_secs(10);

/// The lines about the scene's namespace, of all replicas, as soon as they tell this.
pub(super) fn tells(
    scene: &Scene<'_>,
    what: &str,
    told: impl Fn(&[Value]) -> bool,
) -> Result<Vec<Value>> {
    wait_until(
        &format!("the audit log to tell of {what}"),
        DEADLINE,
        || Ok(Some(lines(scene)?).filter(|lines| told(lines))),
    )
}

fn lines(scene: &Scene<'_>) -> Result<Vec<Value>> {
    let webhook = "app.kubernetes.io/component=webhook";
    let logs = ["logs", "-l", webhook, "--tail=-1", "-n", NAMESPACE];
    let logs = scene.admin().run(&logs)?;
    let lines = logs
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let here = |line: &Value| line["event"] == "admission" && line["namespace"] == *scene.namespace;
    Ok(lines.filter(here).collect())
}
