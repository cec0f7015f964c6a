//! Requests for a token that the job already holds.

use std::io::Write;

use anyhow::Result;
use serde_json::json;
use tempfile::NamedTempFile;

use super::load;
use super::server::{Sent, Server, Size};
use crate::stage::Stage;
use crate::test::Scene;
use crate::workload;

const WARM_UP: Size = Size {
    connections: 8,
    requests: 200,
};
const BUSY: Size = Size {
    connections: 16,
    requests: 2_000,
};

/// One real pod asks again and again: attestation by the API server included.
pub(super) fn run(stage: &Stage) -> Result<()> {
    let scene = Scene::open(stage, "bench::fetcher")?;
    let outcome = measure(stage, &scene);
    scene.close()?;
    outcome
}

fn measure(stage: &Stage, scene: &Scene<'_>) -> Result<()> {
    let generator = load::build()?;
    let server = Server::find(stage, "kube2hadoop-fetcher")?;
    let bearer = bearer_of_a_pod(scene)?;
    let mut body = NamedTempFile::new()?;
    body.write_all(b"{}")?;
    let header = Some(format!("authorization:{}", bearer.path().display()));
    let sent = Sent {
        path: "/v1/tokens",
        body: body.path(),
        header,
        expect: Some("credentials"),
    };
    server.load(&generator, sent.clone(), WARM_UP)?;
    let measured = server.load(&generator, sent, BUSY)?;
    anyhow::ensure!(
        measured.report.failed == 0,
        "{} answers were not 200",
        measured.report.failed
    );
    println!("fetcher, token held, attestation by the API server on the same two cores:");
    println!(
        "  16 connections   {:.0} requests/s, {:.0} CPU µs each, p50 {} µs, p99 {} µs, {:.1} MB resident",
        measured.report.per_second,
        measured.cpu_per_request,
        measured.report.p50,
        measured.report.p99,
        measured.resident_mb,
    );
    Ok(())
}

/// The projected token of a pod that mounts one of our audience itself.
fn bearer_of_a_pod(scene: &Scene<'_>) -> Result<NamedTempFile> {
    let mut pod = workload::pod("asker", "sleep 3600");
    pod["spec"]["volumes"] = json!([{"name": "identity", "projected": {"sources": [
        {"serviceAccountToken": {"audience": "kube2hadoop", "path": "token"}},
    ]}}]);
    pod["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "identity", "mountPath": "/identity"}]);
    scene.create(&scene.stage.alice, &pod)?;
    scene.running("asker")?;
    let token = scene.admin().run(&[
        "exec",
        "-n",
        &scene.namespace,
        "asker",
        "-c",
        "main",
        "--",
        "cat",
        "/identity/token",
    ])?;
    let mut file = NamedTempFile::new()?;
    write!(file, "Bearer {}", token.trim())?;
    Ok(file)
}
