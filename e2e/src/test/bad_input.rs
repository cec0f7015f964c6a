//! What goes wrong on a working day, and whether the person in front of it is told what to change.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::scene::{Scene, annotation, says};
use crate::workload;

pub(super) fn nobody_by_namespace_label_starts_without_a_token(scene: &Scene<'_>) -> Result<()> {
    let answer = scene.create(
        &scene.stage.stranger,
        &workload::pod("stranger", "test ! -e /var/run/kube2hadoop"),
    )?;
    says(&answer, &["stranger@elsewhere.org"])?;
    let pod = scene.get("pod", "stranger")?;
    ensure!(
        annotation(&pod, "kube2hadoop.io/skipped").is_some(),
        "no annotation says why"
    );
    scene.succeeded("stranger")?;
    Ok(())
}

pub(super) fn nobody_by_their_own_label_is_told_why(scene: &Scene<'_>) -> Result<()> {
    let mut job = workload::job("stranger", "true");
    workload::set(
        &mut job,
        "/spec/template/metadata/labels",
        "kube2hadoop.io/inject",
        "enabled",
    );
    let refusal = scene.refused(&scene.stage.stranger, &job)?;
    says(&refusal, &["stranger@elsewhere.org", "mapping"])
}

pub(super) fn a_denied_user_is_told_why(scene: &Scene<'_>) -> Result<()> {
    let pod = workload::labelled(workload::pod("super", "true"), "enabled");
    let refusal = scene.refused(&scene.stage.superuser, &pod)?;
    says(&refusal, &["hdfs", "deny"])
}

pub(super) fn a_volume_with_our_name(scene: &Scene<'_>) -> Result<()> {
    let mut pod = workload::pod("clash", "true");
    pod["spec"]["volumes"] = json!([{"name": "kube2hadoop", "configMap": {"name": "mine"}}]);
    let refusal = scene.refused(&scene.stage.alice, &pod)?;
    says(&refusal, &["volume", "kube2hadoop", "rename"])
}

pub(super) fn an_unreachable_fetcher_is_named(scene: &Scene<'_>) -> Result<()> {
    let _restored = scene.stage.without_fetcher()?;
    scene.create(&scene.stage.alice, &workload::pod("waiting", "true"))?;
    let message = scene.init_message("waiting")?;
    says(&message, &["https://kube2hadoop-fetcher"])
}

pub(super) fn both_namenodes_standby(scene: &Scene<'_>) -> Result<()> {
    let restored = scene.stage.hadoop.all_standby()?;
    let waiting = workload::pod("waiting", workload::HAS_TOKENS);
    scene.create(&scene.stage.alice, &waiting)?;
    scene.init_says("waiting", &["every host of ns1 is standby"])?;
    drop(restored);
    scene.succeeded("waiting").map(drop)
}

/// One is no loss. Of both the pod tells, and gets its tokens when they are back.
pub(super) fn a_dead_namenode_is_passed_over(scene: &Scene<'_>) -> Result<()> {
    let crashed = scene.stage.hadoop.crash_active()?;
    scene.create(
        &scene.stage.alice,
        &workload::pod("after", "hdfs dfs -ls /user/alice"),
    )?;
    let after = scene.succeeded("after");
    after.context("with one NameNode dead")?;
    crashed.crash_other()?;
    let waiting = workload::pod("waiting", workload::HAS_TOKENS);
    scene.create(&scene.stage.alice, &waiting)?;
    scene.init_says(
        "waiting",
        &["nn1.hadoop.test:9870", "nn2.hadoop.test:9871", "refused"],
    )?;
    drop(crashed);
    scene.succeeded("waiting").map(drop)
}
