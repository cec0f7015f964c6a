//! What an operator relies on: installing, healing, readiness, failure of a part.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::scene::{Scene, says, text};
use crate::chart;
use crate::process::wait_until;
use crate::stage::NAMESPACE;
use crate::workload;

const DEADLINE: Duration = Duration::from_secs(90);

pub(super) fn the_chart_is_accepted_by_the_api_server(scene: &Scene<'_>) -> Result<()> {
    let rendered = scene.stage.render_chart()?;
    scene.admin().apply_with(&rendered, &["--dry-run=server"])?;
    Ok(())
}

pub(super) fn nothing_is_forbidden_to_the_services(scene: &Scene<'_>) -> Result<()> {
    nothing_is_forbidden(scene, None)
}

/// The same of what they have done since then.
pub(super) fn nothing_is_forbidden_since(scene: &Scene<'_>, then: Instant) -> Result<()> {
    nothing_is_forbidden(scene, Some(then))
}

/// The rights that the chart gives suffice for all that the services do: what RBAC denies them stands in their logs.
fn nothing_is_forbidden(scene: &Scene<'_>, since: Option<Instant>) -> Result<()> {
    // Nothing seconds are all of time.
    let seconds = since.map_or(0, |then| then.elapsed().as_secs() + 1);
    for component in ["webhook", "fetcher"] {
        let selector = format!("app.kubernetes.io/component={component}");
        let logs = [
            "logs",
            "--prefix",
            "--tail=-1",
            &format!("--since={seconds}s"),
            "-n",
            NAMESPACE,
            "-l",
            &selector,
        ];
        let logs = scene.admin().run(&logs)?;
        ensure!(
            since.is_some() || !logs.is_empty(),
            "the {component} has logged nothing"
        );
        // An API server that has just started does not know its roles yet, and says which it has not found.
        let denied =
            |line: &&str| line.contains("is forbidden: User") && !line.contains("not found");
        if let Some(line) = logs.lines().find(denied) {
            bail!("RBAC denies the {component} something: {line}");
        }
    }
    Ok(())
}

fn webhook_configuration(scene: &Scene<'_>) -> Result<Value> {
    scene
        .admin()
        .json(&["get", "mutatingwebhookconfiguration", "kube2hadoop"])
}

pub(super) fn the_ca_bundle_heals(scene: &Scene<'_>) -> Result<()> {
    let began = Instant::now();
    let before = text(
        &webhook_configuration(scene)?,
        "/webhooks/0/clientConfig/caBundle",
    );
    ensure!(!before.is_empty(), "no caBundle");
    let spoil = json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]).to_string();
    scene.admin().run(&[
        "patch",
        "mutatingwebhookconfiguration",
        "kube2hadoop",
        "--type=json",
        "-p",
        &spoil,
    ])?;
    wait_until("the caBundle to heal", DEADLINE, || {
        let now = text(
            &webhook_configuration(scene)?,
            "/webhooks/0/clientConfig/caBundle",
        );
        Ok((now == before).then_some(()))
    })?;
    nothing_is_forbidden_since(scene, began)
}

pub(super) fn replicas_agree_on_one_ca(scene: &Scene<'_>) -> Result<()> {
    scene.admin().run(&[
        "rollout",
        "restart",
        "deployment/kube2hadoop-webhook",
        "-n",
        NAMESPACE,
    ])?;
    scene.stage.services_ready()?;
    let configuration = webhook_configuration(scene)?;
    let bundles: Vec<&Value> = configuration["webhooks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|webhook| &webhook["clientConfig"]["caBundle"])
        .collect();
    ensure!(
        bundles.len() > 1 && bundles.iter().all(|bundle| bundle == &bundles[0]),
        "two CAs are trusted"
    );
    // Each replica in turn serves: several admissions reach both.
    for turn in 0..6 {
        scene.create(
            &scene.stage.alice,
            &workload::pod(&format!("turn-{turn}"), "true"),
        )?;
    }
    Ok(())
}

/// The list of a component's pods.
fn replicas(scene: &Scene<'_>, component: &str) -> Result<Value> {
    let selector = format!("app.kubernetes.io/component={component}");
    scene
        .admin()
        .json(&["get", "pods", "-n", NAMESPACE, "-l", &selector])
}

/// A guard that only notes, and one that nothing binds: the doctor names it, and no replica takes requests.
pub(super) fn a_missing_guard_shows_in_readiness(scene: &Scene<'_>) -> Result<()> {
    const GUARD: &str = "kube2hadoop-token-guard";
    let _restored = scene.stage.with_lenient_guard(GUARD)?;
    let named = format!("the binding of guard {GUARD} does not deny");
    says(&doctor(scene)?, &[&named, "set its validationActions"])?;
    for component in ["fetcher", "webhook"] {
        let what = format!("the {component} to say that a guard does not deny");
        wait_until(&what, DEADLINE, || {
            let pods = replicas(scene, component)?;
            let ready = pods["items"].as_array().into_iter().flatten().any(is_ready);
            Ok((!ready).then_some(()))
        })?;
    }
    let delete = ["delete", "validatingadmissionpolicybinding", GUARD];
    scene.admin().run(&delete)?;
    let named = format!("guard {GUARD} is not bound");
    says(&doctor(scene)?, &[&named])
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

pub(super) fn the_webhook_down_refuses_labelled_pods_only(scene: &Scene<'_>) -> Result<()> {
    let _restored = scene.stage.without_webhook()?;
    let refusal = scene.refused(&scene.stage.alice, &workload::pod("labelled", "true"))?;
    says(&refusal, &["kube2hadoop"])?;
    let plain = scene.another_namespace(false)?;
    scene
        .stage
        .alice
        .create(&plain, &workload::pod("plain", "true"))?;
    Ok(())
}

pub(super) fn a_fetcher_pod_killed_is_not_missed(scene: &Scene<'_>) -> Result<()> {
    let one = text(&replicas(scene, "fetcher")?, "/items/0/metadata/name");
    scene.admin().run(&[
        "delete",
        "pod",
        &one,
        "-n",
        NAMESPACE,
        "--grace-period=0",
        "--force",
    ])?;
    scene.create(
        &scene.stage.alice,
        &workload::pod("during", "hdfs dfs -ls /user/alice"),
    )?;
    scene.succeeded("during")?;
    scene.stage.services_ready()
}

/// Somebody is put on the deny list: no new pods, and no token that works, without a restart of anything.
pub(super) fn the_deny_list_takes_effect_at_once(scene: &Scene<'_>) -> Result<()> {
    let loses = "hdfs dfs -ls /user/bob && echo had one; while hdfs dfs -ls /user/bob; do sleep 1; done; echo lost it";
    scene.create(&scene.stage.bob, &workload::pod("loses", loses))?;
    wait_until("bob's pod to use its token", DEADLINE, || {
        let ready = scene.running("loses").and_then(|()| scene.logs("loses"));
        Ok(ready.ok().filter(|said| said.contains("had one")))
    })?;
    let denied = "deny: [bob]";
    let identity = |text: &str| text.replace(r#"deny: ["kube2hadoop"]"#, denied);
    let webhook = scene.stage.reconfigured("kube2hadoop-webhook", identity)?;
    let fetcher = scene
        .stage
        .reconfigured("kube2hadoop-fetcher", |text| format!("{denied}\n{text}"))?;
    says(
        &scene.succeeded_after("loses", || scene.stage.nudge_kubelet())?,
        &["lost it"],
    )?;
    may_bob(scene, false)?;
    drop((webhook, fetcher));
    may_bob(scene, true)
}

/// Waits until bob's pods are welcome, or not; both replicas of the webhook must agree.
fn may_bob(scene: &Scene<'_>, may: bool) -> Result<()> {
    let pod = workload::labelled(workload::pod("asks", "true"), "enabled");
    let asks = || {
        let dry_run = ["--dry-run=server"];
        scene
            .stage
            .bob
            .create_with(&scene.namespace, &pod, &dry_run)
    };
    wait_until(
        "all replicas to have read the configuration",
        DEADLINE,
        || {
            scene.stage.nudge_kubelet()?;
            let answers: Vec<_> = (0..6).map(|_| asks()).collect();
            for refusal in answers.iter().filter_map(|answer| answer.as_ref().err()) {
                says(&format!("{refusal:#}"), &["bob", "deny"])?;
            }
            Ok(answers
                .iter()
                .all(|answer| answer.is_ok() == may)
                .then_some(()))
        },
    )
}

pub(super) fn the_doctor_finds_nothing(scene: &Scene<'_>) -> Result<()> {
    is_content(&chart::doctor(scene.admin())?)
}

fn is_content(report: &str) -> Result<()> {
    says(
        report,
        &[
            "ok    guards",
            "ok    rights",
            "ok    ledger",
            "ok    registration",
            "tokens of kms: one was issued for alice and cancelled",
        ],
    )?;
    ensure!(!report.contains("FAIL"), "{report}");
    Ok(())
}

pub(super) fn an_open_registration_is_told_by_the_doctor(scene: &Scene<'_>) -> Result<()> {
    let restored = scene.stage.with_open_registration()?;
    let entry = text(&webhook_configuration(scene)?, "/webhooks/0/name");
    let named = format!("FAIL  registration: entry {entry} lets everything in");
    says(&doctor(scene)?, &[&named, "set its failurePolicy to Fail"])?;
    drop(restored);
    is_content(&doctor(scene)?)
}

/// What the fetcher's doctor prints, whether all is well or not.
fn doctor(scene: &Scene<'_>) -> Result<String> {
    let fetcher = "deployment/kube2hadoop-fetcher";
    let mut kubectl = scene.admin().command();
    kubectl.args(["exec", "-n", NAMESPACE, fetcher, "--"]);
    kubectl.args([
        "/usr/local/bin/kube2hadoop-fetcher",
        "doctor",
        "--user",
        "alice",
    ]);
    let output = kubectl.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
