//! No fetcher in the cluster: pods ask one that runs elsewhere, with the keytab.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::scene::{Scene, says};
use crate::process::wait_until;
use crate::stage::{LEDGER, Outside, Settings};
use crate::workload;

/// Two replicas take over a file.
const TOLD: Duration = Duration::from_secs(90);
const URL_INSIDE: &str = "https://kube2hadoop-fetcher.kube2hadoop.svc:443";

pub(super) fn pods_ask_a_fetcher_outside_the_cluster(scene: &Scene<'_>) -> Result<()> {
    let stage = scene.stage;
    let away = stage.without_fetcher()?;
    let outside = stage.fetcher_outside(&Settings {
        conf_dir: stage.hadoop.conf_dir(),
        ledger: LEDGER.into(),
        lease: "kube2hadoop-fetcher".into(),
    })?;
    installs_its_rights_only(scene, &outside)?;
    let known_by = serde_json::to_string(&outside.ca()?)?;
    let way = format!("fetcherUrl: {}\n  fetcherCa: {known_by}", outside.url);
    let told = stage.reconfigured("kube2hadoop-webhook", |text| {
        text.replace(&format!("fetcherUrl: {URL_INSIDE}"), &way)
    })?;
    pods_are_told(scene, &outside.url)?;
    let script = "hdfs dfs -ls /user/alice && hdfs dfs -ls /user/bob 2>&1 || true";
    scene.create(&stage.alice, &workload::pod("first", script))?;
    says(
        &scene.succeeded("first")?,
        &["Permission denied: user=alice"],
    )?;
    outside.change_certificate("second")?;
    let second = workload::pod("second", workload::HAS_TOKENS);
    scene.create(&stage.alice, &second)?;
    scene.succeeded("second")?;
    lacks_no_right(&outside)?;
    by_certificate(scene, &outside)?;
    drop(told);
    pods_are_told(scene, URL_INSIDE)?;
    drop(outside);
    drop(away);
    Ok(())
}

fn lacks_no_right(outside: &Outside<'_>) -> Result<()> {
    let said = outside.log()?;
    ensure!(!said.contains("is forbidden"), "it lacks a right:\n{said}");
    Ok(())
}

/// The same as a user of the cluster, who has the rights of the chart for that user and no others.
fn by_certificate(scene: &Scene<'_>, outside: &Outside<'_>) -> Result<()> {
    const USER: &str = "fetcher-outside";
    let stage = scene.stage;
    let chart = stage.render_chart_for(outside, Some(USER))?;
    let _rights = stage.with_rights_of(&chart)?;
    outside.act_as(USER)?;
    let third = workload::pod("third", workload::HAS_TOKENS);
    scene.create(&stage.alice, &third)?;
    scene.succeeded("third")?;
    lacks_no_right(outside)
}

/// What the chart would install for it, by the API server's judgement; nothing of it holds or mounts a keytab.
fn installs_its_rights_only(scene: &Scene<'_>, outside: &Outside<'_>) -> Result<()> {
    let rendered = scene.stage.render_chart_for(outside, None)?;
    scene.admin().apply_with(&rendered, &["--dry-run=server"])?;
    let deployed: Vec<&str> = rendered
        .split("\n---\n")
        .filter(|part| part.contains("\nkind: Deployment\n"))
        .collect();
    ensure!(
        deployed.len() == 1 && deployed[0].contains("name: kube2hadoop-webhook"),
        "it installs {deployed:?}"
    );
    for absent in [
        "keytab",
        "krb5-conf",
        "hadoop-conf",
        "fetcher-tls",
        "doctor",
    ] {
        let name = format!("kube2hadoop-{absent}");
        ensure!(!rendered.contains(&name), "it installs {name}");
    }
    says(&rendered, &["name: kube2hadoop-ledger", &outside.url])
}

/// Waits until each replica of the webhook sends pods there.
fn pods_are_told(scene: &Scene<'_>, url: &str) -> Result<()> {
    let pod = workload::pod("asks", "true");
    let asks = || {
        let dry_run = ["--dry-run=server", "-o", "json"];
        let alice = &scene.stage.alice;
        alice.create_with(&scene.namespace, &pod, &dry_run)
    };
    wait_until("all replicas to have read the configuration", TOLD, || {
        scene.stage.nudge_kubelet()?;
        let answers: Result<Vec<_>> = (0..6).map(|_| asks()).collect();
        let told = answers?.iter().all(|made| made.contains(url));
        Ok(told.then_some(()))
    })
}
