//! Entering somebody's pod: whoever is in it has its tokens.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::audit;
use super::scene::{Scene, says};
use crate::process::wait_until;
use crate::workload;

/// Into a pod, with what each asks of a plain request.
const WAYS: [(&str, &str); 4] = [
    ("exec", "?command=true&stdout=true"),
    ("attach", "?stdout=true"),
    ("portforward", "?ports=80"),
    ("proxy", "/"),
];
/// Both replicas of the webhook take over a changed file.
const FOLLOWED: Duration = Duration::from_secs(120);

/// As installed. kubectl shows the warning where it makes plain requests; of an upgraded connection the audit log
/// tells.
pub(super) fn is_warned_of(scene: &Scene<'_>) -> Result<()> {
    scene.create(&scene.stage.bob, &workload::pod("victim", "sleep 3600"))?;
    scene.running("victim")?;
    for (way, query) in WAYS {
        let path = format!(
            "/api/v1/namespaces/{}/pods/victim/{way}{query}",
            scene.namespace
        );
        let said = |who: &crate::kubectl::Kubectl| -> Result<String> {
            let answer = who.command().args(["get", "--raw", &path]).output()?;
            Ok(String::from_utf8_lossy(&answer.stderr).into_owned())
        };
        let warning = format!(
            "kube2hadoop: this pod acts in Hadoop as bob for bob@example.com, and so could whoever enters it by {way}"
        );
        says(&said(&scene.stage.alice)?, &[&warning])?;
        let own = said(&scene.stage.bob)?;
        ensure!(
            !own.contains("kube2hadoop"),
            "bob is warned of his own pod: {own}"
        );
    }
    for who in [&scene.stage.alice, &scene.stage.bob] {
        let exec = ["exec", "victim", "-n", &scene.namespace, "--", "true"];
        who.run(&exec)?;
    }
    let noted = |line: &Value| {
        line["submitter"] == "alice@example.com"
            && line["subResource"] == "exec"
            && line["outcome"] == "warned"
    };
    audit::tells(scene, "alice's exec", |lines| lines.iter().any(noted)).map(drop)
}

/// An administrator who wants it tighter changes one word of the configuration.
pub(super) fn can_be_denied(scene: &Scene<'_>) -> Result<()> {
    scene.create(&scene.stage.bob, &workload::pod("victim", "sleep 3600"))?;
    scene.running("victim")?;
    let strict = |text: &str| text.replace(r#""connect":"warn""#, r#""connect":"deny""#);
    let _restored = scene.stage.reconfigured("kube2hadoop-webhook", strict)?;
    let exec = ["exec", "victim", "-n", &scene.namespace, "--", "true"];
    let mut refused_in_a_row = 0;
    wait_until("both replicas to keep alice out", FOLLOWED, || {
        scene.stage.nudge_kubelet()?;
        refused_in_a_row = match scene.stage.alice.run(&exec) {
            Ok(_) => 0,
            Err(_) => refused_in_a_row + 1,
        };
        Ok((refused_in_a_row > 8).then_some(()))
    })?;
    for (way, query) in WAYS {
        let path = format!(
            "/api/v1/namespaces/{}/pods/victim/{way}{query}",
            scene.namespace
        );
        let answer = scene.stage.alice.run(&["get", "--raw", &path]);
        let refusal = answer
            .err()
            .with_context(|| format!("alice entered by {way}"))?;
        let told = format!(
            "this pod acts in Hadoop as bob for bob@example.com, and so could whoever enters it by {way}"
        );
        says(&format!("{refusal:#}"), &[&told])?;
    }
    scene.stage.bob.run(&exec).map(drop)
}
