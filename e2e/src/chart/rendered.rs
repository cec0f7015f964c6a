//! What the chart renders, and the copy of it that the webhook's unit tests read without Helm.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{KUBE_VERSION, RELEASE, chart, least_values};
use crate::{places, process, toolchain};

const COPY: &str = "webhook/tests/fixtures/webhook.yaml";
const KEY: &str = "  webhook.yaml: |\n";

/// The webhook's configuration with the least values, and the copy: they must not differ.
pub(super) fn compare() -> Result<()> {
    let manifest = manifest("templates/webhook-config.yaml")?;
    let rendered = value(&manifest).context("the webhook's ConfigMap has no key webhook.yaml")?;
    let copy = std::fs::read_to_string(places::repository().join(COPY))?;
    ensure!(
        copy == rendered,
        "{COPY} is not what the chart renders: make it this\n{rendered}"
    );
    Ok(())
}

fn manifest(template: &str) -> Result<String> {
    let mut helm = Command::new(toolchain::HELM.binary("helm")?);
    helm.args(["template", RELEASE]).arg(chart());
    helm.args(["--namespace", RELEASE, "--kube-version", KUBE_VERSION]);
    helm.args(["--show-only", template, "--values"]);
    process::run(helm.arg(least_values("lint")))
}

/// The last key's block of text, which Helm indents by four.
fn value(manifest: &str) -> Option<String> {
    let (_, block) = manifest.split_once(KEY)?;
    let lines = block.trim_end().lines();
    Some(
        lines
            .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line)))
            .collect(),
    )
}
