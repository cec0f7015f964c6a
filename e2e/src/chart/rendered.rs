//! What the chart renders, and the copy of it that the webhook's unit tests read without Helm.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Form, KUBE_VERSION, RELEASE, chart};
use crate::{places, process, toolchain};

const COPY: &str = "webhook/tests/fixtures/webhook.yaml";
const KEY: &str = "  webhook.yaml: |\n";

/// The webhook's configuration with the least values, and the copy: they must not differ.
pub(super) fn compare() -> Result<()> {
    let manifest = manifest_with(Form::Inside, "webhook-config", &[])?;
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
        let manifest = manifest_with(Form::Inside, template, &more)?;
        ensure!(
            manifest.contains(&wanted),
            "{template} has no «{wanted}»:\n{manifest}"
        );
    }
    Ok(())
}

/// One template with the least values of that form and these options of Helm.
pub(super) fn manifest_with(form: Form, template: &str, more: &[&str]) -> Result<String> {
    let mut helm = Command::new(toolchain::HELM.binary("helm")?);
    helm.args(["template", RELEASE]).arg(chart());
    helm.args(["--namespace", RELEASE, "--kube-version", KUBE_VERSION]);
    helm.arg("--show-only")
        .arg(format!("templates/{template}.yaml"));
    helm.arg("--values").arg(form.least_values()).args(more);
    process::run(&mut helm)
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
