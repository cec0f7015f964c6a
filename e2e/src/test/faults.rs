//! Parts that die, or are cut off, in the middle of work: no pod fails by it, and nothing is lost.

use std::collections::BTreeSet;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::operations;
use super::scene::{Scene, says, text};
use super::silent::SilentNode;
use super::soak::{Size, soak};
use crate::process::wait_until;
use crate::stage::Answer;
use crate::workload::{self, HAS_TOKENS};

/// Pods on a busy machine, one of whose init containers may have tried for 45 s.
const ALL_ENDED: Duration = Duration::from_secs(150);
/// The lease, and a candidate's turn.
const SUCCEEDED: Duration = Duration::from_secs(45);

/// So many pods at once, each a job of its own.
fn burst(scene: &Scene<'_>, name: &str, pods: usize) -> Result<()> {
    let item = |number| {
        let mut pod = workload::pod(&format!("{name}-{number}"), HAS_TOKENS);
        workload::set(&mut pod, "/metadata/labels", "burst", name);
        pod
    };
    let items: Vec<Value> = (0..pods).map(item).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    scene.create(&scene.stage.alice, &list).map(drop)
}

/// All of the burst succeeded, and no init container had to be started twice.
fn nobody_failed(scene: &Scene<'_>, name: &str, pods: usize) -> Result<()> {
    let selector = format!("burst={name}");
    wait_until(&format!("{pods} pods to end"), ALL_ENDED, || {
        let all = scene.pods(&selector)?;
        let phases: Vec<String> = all.iter().map(|pod| text(pod, "/status/phase")).collect();
        let failed = phases.iter().filter(|phase| *phase == "Failed").count();
        ensure!(failed == 0, "{failed} pods of the burst failed");
        let done = phases.iter().filter(|phase| *phase == "Succeeded").count();
        Ok((done == pods).then_some(()))
    })?;
    for pod in scene.pods(&selector)? {
        let again = pod.pointer("/status/initContainerStatuses/0/restartCount");
        ensure!(again == Some(&json!(0)), "an init container gave up: {pod}");
    }
    Ok(())
}

/// Waits until a token of the scene's jobs is there or on its way: the burst is in the middle of it.
fn under_way(scene: &Scene<'_>) -> Result<()> {
    wait_until("the first token", SUCCEEDED, || {
        Ok((!scene.ledger()?.is_empty()).then_some(()))
    })
}

fn kill_all(scene: &Scene<'_>) -> Result<()> {
    scene.stage.fetchers()?.iter().try_for_each(|it| it.kill())
}

/// What killed replicas left is cancelled by those that come after them: the NameNode counts as many tokens as before.
pub(super) fn killed_fetchers_leak_no_token(scene: &Scene<'_>) -> Result<()> {
    let size = Size { jobs: 40, kills: 2 };
    soak(scene, size).map(drop)
}

/// Thirty pods of one Job ask both replicas at the same time.
pub(super) fn replicas_share_one_issue(scene: &Scene<'_>) -> Result<()> {
    const PODS: usize = 30;
    let node = SilentNode::up(scene)?;
    scene.create(&scene.stage.alice, &node.job("wide", PODS))?;
    let bearers = scene.silent_tokens(&node, PODS)?;
    let (door, replicas) = (&scene.stage.door()?, scene.stage.fetchers()?);
    ensure!(replicas.len() == 2, "{} replicas run", replicas.len());
    let asked: Vec<Result<Answer>> = thread::scope(|scope| {
        let askers: Vec<_> = bearers
            .iter()
            .zip(replicas.iter().cycle())
            .map(|(bearer, replica)| scope.spawn(move || door.ask_replica(replica, bearer)))
            .collect();
        askers
            .into_iter()
            .map(|asker| asker.join().unwrap_or_else(|_| bail!("an asker panicked")))
            .collect()
    });
    let mut files = BTreeSet::new();
    for answer in asked {
        let Answer { status, body } = answer?;
        ensure!(status == 200, "a pod was answered {status}: {body}");
        files.insert(text(&serde_json::from_str(&body)?, "/credentials"));
    }
    ensure!(
        files.len() == 1,
        "the job has {} sets of tokens",
        files.len()
    );
    let records = scene.ledger()?;
    ensure!(records.len() == 2, "there are {} records", records.len());
    scene.end_silent_pods()
}

/// Both replicas die while a burst of pods asks.
pub(super) fn a_burst_outlives_its_fetchers(scene: &Scene<'_>) -> Result<()> {
    let _promptness = scene.stage.killable_fetchers()?;
    burst(scene, "burst", 16)?;
    under_way(scene)?;
    kill_all(scene)?;
    nobody_failed(scene, "burst", 16)
}

/// The active NameNode is killed in the middle of a burst, and the other one takes over; more pods ask while it starts
/// again and is made active, and others when it writes nothing for a while.
pub(super) fn a_burst_outlives_a_failover_and_safe_mode(scene: &Scene<'_>) -> Result<()> {
    burst(scene, "failover", 12)?;
    under_way(scene)?;
    let crashed = scene.stage.hadoop.crash_active()?;
    nobody_failed(scene, "failover", 12)?;
    burst(scene, "restart", 6)?;
    drop(crashed);
    nobody_failed(scene, "restart", 6)?;
    let safe_mode = scene.stage.hadoop.safe_mode()?;
    burst(scene, "safe", 2)?;
    wait_until("a pod to hear of the safe mode", SUCCEEDED, || {
        let said = scene
            .admin()
            .run(&["get", "events", "-n", &scene.namespace])?;
        Ok(said.contains("is in safe mode").then_some(()))
    })?;
    drop(safe_mode);
    nobody_failed(scene, "safe", 2)
}

/// Who has tokens needs no KDC, and neither does who comes later to the same job. A new job of replicas that have no
/// session with Hadoop hears what is away, and gets its tokens when that is back.
pub(super) fn a_job_with_tokens_grows_without_a_kdc(scene: &Scene<'_>) -> Result<()> {
    let script = format!("{HAS_TOKENS}; sleep 600");
    scene.create(
        &scene.stage.alice,
        &workload::deployment("grows", 1, &script),
    )?;
    let ready = |replicas: u32| {
        let wanted = format!("--for=jsonpath={{.status.readyReplicas}}={replicas}");
        scene.admin().run(&[
            "wait",
            "deployment/grows",
            &wanted,
            "--timeout=90s",
            "-n",
            &scene.namespace,
        ])
    };
    ready(1)?;
    let outage = scene.stage.hadoop.without_kdc()?;
    let grow = [
        "scale",
        "deployment/grows",
        "--replicas=3",
        "-n",
        &scene.namespace,
    ];
    scene.admin().run(&grow)?;
    ready(3)?;
    let _promptness = scene.stage.killable_fetchers();
    kill_all(scene)?;
    scene.create(&scene.stage.alice, &workload::pod("new", HAS_TOKENS))?;
    scene.init_says("new", &["KDC", "krb5.conf"])?;
    drop(outage);
    scene.succeeded("new").map(drop)
}

/// A leader that hears nothing of the API server stops by itself, and the other replica takes over.
pub(super) fn a_leader_cut_off_is_succeeded(scene: &Scene<'_>) -> Result<()> {
    let another = |than: Option<&str>| {
        wait_until("a replica to lead", SUCCEEDED, || {
            let leader = scene.stage.leader()?;
            Ok(leader.filter(|leader| Some(leader.pod.as_str()) != than))
        })
    };
    let leader = another(None)?;
    let parted = scene.stage.parted(&leader)?;
    let successor = another(Some(&leader.pod))?;
    // Half of what pods ask goes to the one that cannot answer: they come again.
    burst(scene, "meanwhile", 4)?;
    nobody_failed(scene, "meanwhile", 4)?;
    drop(parted);
    let now = another(None)?;
    ensure!(now.pod == successor.pod, "{} took the lead back", now.pod);
    Ok(())
}

/// No API server for 20 s, and the fetchers killed once the node has found it again: held tokens work all the time, are
/// renewed in time, and are replaced where a sidecar does so. The test bench's Hadoop ends a token after 90 s unless it
/// is renewed, and after 180 s for good; from half of that on there are new ones.
pub(super) fn tokens_outlive_an_outage_and_kills(scene: &Scene<'_>) -> Result<()> {
    let file = format!("/secure-zone/{}", scene.namespace);
    let patient = format!(
        "sleep 20; hdfs dfs -ls /user/alice; echo during; sleep 85; \
         hdfs dfs -ls /user/alice; echo late | hdfs dfs -put - {file}; hdfs dfs -cat {file}"
    );
    let refreshed = "tokens() { base64 -w0 $HADOOP_TOKEN_FILE_LOCATION; }; first=$(tokens); tries=0; \
         while [ \"$(tokens)\" = \"$first\" ]; do sleep 1; tries=$((tries+1)); [ $tries -lt 140 ]; done; \
         echo $first | base64 -d > /tmp/first; hdfs dfs -ls /user/alice; echo new ones work; \
         HADOOP_TOKEN_FILE_LOCATION=/tmp/first hdfs dfs -ls /user/alice; echo old ones work; \
         head -1 /var/run/kube2hadoop/fetcher-ca.crt";
    let mut refreshed = workload::pod("refreshed", refreshed);
    workload::set(
        &mut refreshed,
        "/metadata/annotations",
        "kube2hadoop.io/refresh",
        "enabled",
    );
    scene.create(&scene.stage.alice, &workload::pod("patient", &patient))?;
    scene.create(&scene.stage.alice, &refreshed)?;
    scene.running("patient")?;
    scene.running("refreshed")?;
    let outage = scene.stage.without_api_server()?;
    sleep(Duration::from_secs(20));
    drop(outage);
    let back = Instant::now();
    let _promptness = scene.stage.killable_fetchers()?;
    kill_all(scene)?;
    says(
        &scene.succeeded("refreshed")?,
        &["new ones work", "old ones work", "BEGIN CERTIFICATE"],
    )?;
    says(&scene.succeeded("patient")?, &["during", "late"])?;
    operations::nothing_is_forbidden_since(scene, back)
}
