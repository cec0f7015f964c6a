//! What each way to an identity costs the webhook, in time and in calls of the API server: a mapping rule, a template's
//! stamp, inheritance, a granted run-as.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::server::{Sent, Server, Size};
use super::table::Row;
use super::{load, webhook};
use crate::process::wait_until;
use crate::stage::Stage;
use crate::test::Scene;
use crate::workload;

const WARM_UP: Size = Size::new(1, 500);
const ALONE: Size = Size::new(1, 5_000);
const JOB_CONTROLLER: &str = "system:serviceaccount:kube-system:job-controller";
/// Whom the chart of the test bench lets RBAC grant.
const RUN_AS: &str = "etl-bench";
/// Another number in each request: what is asked about it has never been asked before.
const EACH: &str = "NUMBER-OF-THE-REQUEST";

/// A review, and what its answer says about who decided.
struct Way {
    name: &'static str,
    review: Value,
    expect: &'static str,
}

/// p50, p99 and calls of each way.
pub(super) fn run(stage: &Stage) -> Result<Vec<Row>> {
    let scene = Scene::open(stage, "bench::identity")?;
    let outcome = measure(&scene);
    scene.close()?;
    outcome
}

fn measure(scene: &Scene<'_>) -> Result<Vec<Row>> {
    let generator = load::build()?;
    let server = Server::find(scene.stage, "kube2hadoop-webhook")?;
    let mut rows = Vec::new();
    for way in ways(scene)? {
        let mut body = NamedTempFile::new()?;
        body.write_all(way.review.to_string().as_bytes())?;
        let sent = Sent {
            path: "/mutate/namespace",
            body: body.path(),
            vary: Some(EACH),
            header: None,
            expect: Some(way.expect),
        };
        server.load(&generator, sent.clone(), WARM_UP)?;
        let before = server.api_calls()?;
        let report = server.load(&generator, sent, ALONE)?.report;
        ensure!(
            report.failed == 0,
            "{} answers about {} do not hold {}",
            report.failed,
            way.name,
            way.expect
        );
        let calls = (server.api_calls()? - before) / ALONE.requests as f64;
        let row = |what, value| Row::new(format!("{}, {what}", way.name), value);
        rows.extend([
            row("p50", report.p50 as f64),
            row("p99", report.p99 as f64),
            row("API calls of each", calls).digits(2),
        ]);
    }
    Ok(rows)
}

fn ways(scene: &Scene<'_>) -> Result<Vec<Way>> {
    let alice = json!({"username": "alice@example.com", "groups": ["system:authenticated"]});
    let way = |name, review, expect| Way {
        name,
        review,
        expect,
    };
    let by_driver = of_stamped_pod(scene)?;
    let granted = of_granted(scene, &alice)?;
    Ok(vec![
        way(
            "a user's pod, by a mapping rule",
            of_pod(scene, &alice)?,
            r#""rule":"mapping"#,
        ),
        way(
            "a user's Job, by a mapping rule",
            of_job(scene, &alice)?,
            r#""rule":"mapping"#,
        ),
        way(
            "a Job's pod, by its template's stamp",
            of_controller(scene)?,
            r#""rule":"template"#,
        ),
        way(
            "a stamped pod's pod, by inheritance",
            by_driver.clone(),
            r#""rule":"inherit"#,
        ),
        way(
            "a stamped pod's pod, not remembered",
            of_another_pod(&by_driver),
            "the pod that asks has no valid stamp",
        ),
        way(
            "a user's pod, run-as by RBAC",
            granted.clone(),
            r#""user":"etl-bench""#,
        ),
        way(
            "a user's pod, run-as by RBAC, not remembered",
            never_asked(&granted),
            r#""user":"etl-bench""#,
        ),
    ])
}

/// The recorded pod in the scene's namespace, submitted by `who`.
fn of_pod(scene: &Scene<'_>, who: &Value) -> Result<Value> {
    let mut review: Value = serde_json::from_str(&webhook::recorded()?)?;
    let request = &mut review["request"];
    request["userInfo"] = who.clone();
    request["namespace"] = json!(scene.namespace);
    request["object"]["metadata"]["namespace"] = json!(scene.namespace);
    Ok(review)
}

fn of_job(scene: &Scene<'_>, who: &Value) -> Result<Value> {
    let mut review = of_pod(scene, who)?;
    let request = &mut review["request"];
    request["kind"] = json!({"group": "batch", "version": "v1", "kind": "Job"});
    request["name"] = json!("bench");
    request["object"] = workload::job("bench", "true");
    Ok(review)
}

/// As the job controller makes it of a template that the API server has let the webhook stamp.
fn of_controller(scene: &Scene<'_>) -> Result<Value> {
    let job = workload::job("bench", "true");
    let stamped = scene.stage.alice.create_with(
        &scene.namespace,
        &job,
        &["--dry-run=server", "-o", "json"],
    )?;
    let stamped: Value = serde_json::from_str(&stamped)?;
    let mut review = of_pod(scene, &json!({"username": JOB_CONTROLLER}))?;
    let request = &mut review["request"];
    request["name"] = Value::Null;
    let spec = request["object"]["spec"].take();
    request["object"] = json!({"apiVersion": "v1", "kind": "Pod", "spec": spec, "metadata": {
        "generateName": "bench-",
        "namespace": scene.namespace,
        "annotations": stamped["spec"]["template"]["metadata"]["annotations"],
        "ownerReferences": [
            {"apiVersion": "batch/v1", "kind": "Job", "name": "bench", "uid": "u", "controller": true}],
    }});
    request["object"]["spec"]["serviceAccountName"] = json!("default");
    Ok(review)
}

/// As a driver asks for its executors: with its own pod's credential.
fn of_stamped_pod(scene: &Scene<'_>) -> Result<Value> {
    scene.create(&scene.stage.alice, &workload::pod("driver", "sleep 3600"))?;
    scene.running("driver")?;
    let uid = scene.get("pod", "driver")?["metadata"]["uid"].take();
    let who = json!({
        "username": format!("system:serviceaccount:{}:default", scene.namespace),
        "extra": {
            "authentication.kubernetes.io/pod-name": ["driver"],
            "authentication.kubernetes.io/pod-uid": [uid],
        },
    });
    of_pod(scene, &who)
}

/// With the credential of a pod that is gone: what is no caller is not remembered, so each costs what the first one of
/// a living pod costs.
fn of_another_pod(by_driver: &Value) -> Value {
    let mut review = by_driver.clone();
    let extra = &mut review["request"]["userInfo"]["extra"];
    extra["authentication.kubernetes.io/pod-uid"] = json!(["gone"]);
    review
}

/// RBAC is asked about all that the API server says of the caller, the uid too.
fn never_asked(granted: &Value) -> Value {
    let mut review = granted.clone();
    review["request"]["userInfo"]["uid"] = json!(EACH);
    review
}

fn of_granted(scene: &Scene<'_>, who: &Value) -> Result<Value> {
    let resource = format!("hadoopusers.kube2hadoop.io/{RUN_AS}");
    scene.grant("use", &resource)?;
    let mut review = of_pod(scene, who)?;
    let annotations = &mut review["request"]["object"]["metadata"]["annotations"];
    annotations["kube2hadoop.io/run-as"] = json!(RUN_AS);
    let ask = ["auth", "can-i", "use", &resource, "-n", &scene.namespace];
    wait_until("the grant", std::time::Duration::from_secs(20), || {
        Ok(scene.stage.alice.run(&ask).ok())
    })
    .context("alice is not granted the run-as")?;
    Ok(review)
}
