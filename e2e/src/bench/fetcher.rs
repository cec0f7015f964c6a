//! What the fetcher costs: doing nothing, for a token that the job holds already, and for a job of a thousand pods.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::load;
use super::server::{Measured, Sent, Server, Size};
use super::table::Row;
use crate::process;
use crate::stage::{LEDGER, NAMESPACE, Stage};
use crate::test::{Scene, text};
use crate::workload;

const PROGRAM: &str = "kube2hadoop-fetcher";
const WARM_UP: Size = Size::new(8, 200);
const BUSY: Size = Size::new(16, 2_000);
/// The pods of one job, all at once, each with a connection of its own.
const JOB: Size = Size {
    fresh: true,
    ..Size::new(1_000, 1_000)
};

/// The fetcher's RECHECK_MILLIS, and a little more.
const RECHECK: Duration = Duration::from_millis(2_500);

/// MB resident of the larger replica.
pub(super) fn idle() -> Result<f64> {
    let replicas = process::pids_in_pods(PROGRAM)
        .into_iter()
        .map(load::resident_mb);
    let replicas: Vec<f64> = replicas.collect::<Result<_>>()?;
    replicas
        .into_iter()
        .reduce(f64::max)
        .context("no fetcher runs")
}

/// Attestation by the API server included, which runs on the same two cores.
pub(super) fn run(stage: &Stage, idle: f64) -> Result<Vec<Row>> {
    let scene = Scene::open(stage, "bench::fetcher")?;
    let outcome = measure(&scene);
    scene.close()?;
    let mut rows = vec![Row::new("MB resident, idle", idle).at_most(20.0).digits(1)];
    rows.extend(outcome?);
    Ok(rows)
}

fn measure(scene: &Scene<'_>) -> Result<Vec<Row>> {
    let bench = Bench {
        generator: load::build()?,
        server: Server::find(scene.stage, PROGRAM)?,
        body: body("{}")?,
    };
    let mut rows = held(&bench, scene)?;
    rows.extend(job(&bench, scene)?);
    Ok(rows)
}

struct Bench {
    generator: PathBuf,
    server: Server,
    body: NamedTempFile,
}

impl Bench {
    fn ask(&self, bearer: &NamedTempFile, size: Size) -> Result<Measured> {
        let sent = Sent {
            path: "/v1/tokens",
            body: self.body.path(),
            vary: None,
            header: Some(format!("authorization:{}", bearer.path().display())),
            expect: Some("credentials"),
        };
        let measured = self.server.load(&self.generator, sent, size)?;
        let failed = measured.report.failed;
        ensure!(failed == 0, "{failed} answers held no tokens");
        Ok(measured)
    }
}

/// One pod asks again and again.
fn held(bench: &Bench, scene: &Scene<'_>) -> Result<Vec<Row>> {
    let bearer = bearer_of_a_pod(scene, "asker")?;
    bench.ask(&bearer, WARM_UP)?;
    let measured = bench.ask(&bearer, BUSY)?;
    Ok(vec![
        Row::new(
            "token held: requests in a second",
            measured.report.per_second,
        ),
        Row::new("token held: CPU µs of each", measured.cpu_per_request),
        Row::new(
            "token held: p50 at 16 connections, µs",
            measured.report.p50 as f64,
        ),
    ])
}

/// A thousand times the same pod, since they would be stamped alike, of a job for which nobody has tokens.
fn job(bench: &Bench, scene: &Scene<'_>) -> Result<Vec<Row>> {
    let bearer = bearer_of_a_pod(scene, "job")?;
    let earlier = given(scene, "job")?;
    forget_tokens(scene)?;
    let api_server = process::pids_of("kube-apiserver");
    let api_server_cpu = || {
        api_server
            .iter()
            .map(|pid| load::cpu_seconds(*pid))
            .sum::<Result<f64>>()
    };
    let before = api_server_cpu()?;
    let measured = bench.ask(&bearer, JOB)?;
    let of_api_server = api_server_cpu()? - before;
    let pods = JOB.requests as f64;
    let later = given(scene, "job")?;
    let issues = later.iter().map(|(service, numbers)| {
        let known = earlier.get(service).map_or(0, BTreeSet::len);
        numbers.len() - known
    });
    let most = issues
        .max()
        .context("the audit log says nothing of the job")?;
    Ok(vec![
        Row::new("job of 1,000 pods: tokens got of each service", most as f64).at_most(1.0),
        Row::new(
            "job of 1,000 pods: s of the fetcher's core",
            measured.cpu_per_request * pods / 1e6,
        )
        .at_most(2.0)
        .digits(2),
        Row::new(
            "job of 1,000 pods: s of the API server's CPU",
            of_api_server,
        )
        .digits(2),
        Row::new(
            "job of 1,000 pods: s until the last is served",
            pods / measured.report.per_second,
        )
        .digits(2),
    ])
}

/// Takes the tokens that the pods' own init containers have got out of the ledger.
fn forget_tokens(scene: &Scene<'_>) -> Result<()> {
    for record in scene.ledger()? {
        let name = text(&record, "/metadata/name");
        scene
            .admin()
            .run(&["delete", "secret", &name, "-n", LEDGER])?;
    }
    // A replica looks there again so long after it looked last.
    std::thread::sleep(RECHECK);
    Ok(())
}

/// By the audit log: the sequence numbers of the tokens that the pod was given, by service.
fn given(scene: &Scene<'_>, pod: &str) -> Result<BTreeMap<String, BTreeSet<i64>>> {
    let fetchers = "app.kubernetes.io/component=fetcher";
    let logs = ["logs", "-n", NAMESPACE, "-l", fetchers, "--tail=-1"];
    let printed = scene.admin().run(&logs)?;
    let lines = printed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut given: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for line in lines {
        let (name, namespace) = (text(&line, "/pod/name"), text(&line, "/pod/namespace"));
        if let Some(number) = line["sequenceNumber"].as_i64()
            && (name.as_str(), &namespace) == (pod, &scene.namespace)
        {
            given
                .entry(text(&line, "/service"))
                .or_default()
                .insert(number);
        }
    }
    Ok(given)
}

fn body(text: &str) -> Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

/// The projected token of a pod that mounts one of our audience itself.
fn bearer_of_a_pod(scene: &Scene<'_>, name: &str) -> Result<NamedTempFile> {
    let volume = json!({"name": "identity", "projected": {"sources": [
        {"serviceAccountToken": {"audience": "kube2hadoop", "path": "token"}},
    ]}});
    let mut pod = workload::pod(name, "sleep 3600");
    pod["spec"]["volumes"] = json!([volume]);
    pod["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "identity", "mountPath": "/identity"}]);
    scene.create(&scene.stage.alice, &pod)?;
    scene.running(name)?;
    let read = ["exec", name, "-c", "main", "-n", &scene.namespace];
    let token = scene
        .admin()
        .run(&[read.as_slice(), &["--", "cat", "/identity/token"]].concat())?;
    body(&format!("Bearer {}", token.trim()))
}
