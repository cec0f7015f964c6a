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

/// Whatever is left out of the registration, the webhook signs nothing for and the fetcher gives nothing to.
pub(super) fn leaves_out_alike() -> Result<()> {
    let more = [
        "--set=webhook.excludedNamespaces={unseen}",
        "--set=fetcher.excludedNamespaces={quiet}",
    ];
    let all = r#""kube-system","kube2hadoop","kube2hadoop-ledger","unseen""#;
    let signs_nothing = format!("excludedNamespaces: [{all}]");
    let gives_nothing = format!(r#"excludedNamespaces: [{all},"quiet"]"#);
    let is_not_asked = format!("operator: NotIn, values: [{all}]");
    for (template, wanted) in [
        ("registration", is_not_asked),
        ("webhook-config", signs_nothing),
        ("fetcher-config", gives_nothing),
    ] {
        let manifest = manifest_with(&format!("templates/{template}.yaml"), &more)?;
        ensure!(
            manifest.contains(&wanted),
            "{template} has no «{wanted}»:\n{manifest}"
        );
    }
    Ok(())
}

fn manifest(template: &str) -> Result<String> {
    manifest_with(template, &[])
}

pub(super) fn manifest_with(template: &str, more: &[&str]) -> Result<String> {
    let mut helm = Command::new(toolchain::HELM.binary("helm")?);
    helm.args(["template", RELEASE]).arg(chart());
    helm.args(["--namespace", RELEASE, "--kube-version", KUBE_VERSION]);
    helm.args(more).args(["--show-only", template, "--values"]);
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
