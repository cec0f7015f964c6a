//! Many jobs while replicas are killed in the middle of their requests; then the NameNode is asked what is left.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::scene::Scene;
use super::silent::SilentNode;
use crate::process::wait_until;
use crate::stage::{Answer, Door, Stage};

/// Jobs that ask in one go.
const WAVE: usize = 20;
/// Requests at a time.
const AT_A_TIME: usize = 4;
/// Containers that were killed often start ever later.
const ANSWERED: Duration = Duration::from_secs(120);
/// Grace, the settling of marked records, and JMX, which lags by ten seconds.
const CLEARED: Duration = Duration::from_secs(120);

/// How much of it.
#[derive(Args, Clone, Copy, Debug)]
pub struct Size {
    /// Jobs, each with tokens of its own.
    #[arg(long, default_value_t = 300)]
    pub jobs: usize,
    /// Replicas of the fetcher that are killed while jobs ask.
    #[arg(long, default_value_t = 10)]
    pub kills: usize,
}

/// What was seen.
#[derive(Default, Debug)]
pub struct Seen {
    pub kills: usize,
    /// Requests that got no answer, or were told to come again.
    pub broken_off: usize,
    pub tokens_before: u64,
    pub tokens_after: u64,
}

/// `cargo e2e soak`.
pub fn run(stage: &Stage, size: Size) -> Result<()> {
    let scene = Scene::open(stage, "soak")?;
    let began = Instant::now();
    let outcome = soak(&scene, size);
    scene.close()?;
    let seen = outcome?;
    println!(
        "{} jobs in {:.0} s, {} replicas killed, {} requests broken off; the NameNode held {} tokens before and {} after",
        size.jobs,
        began.elapsed().as_secs_f32(),
        seen.kills,
        seen.broken_off,
        seen.tokens_before,
        seen.tokens_after,
    );
    Ok(())
}

/// All jobs get tokens, none stays in the ledger, and none at the NameNode but what a kill left: a token whose text
/// was on its way to a replica that died. At most one for each request that a kill can have broken off, and it ends by
/// itself.
pub(super) fn soak(scene: &Scene<'_>, size: Size) -> Result<Seen> {
    let node = SilentNode::up(scene)?;
    let _promptness = scene.stage.killable_fetchers();
    let mut seen = Seen {
        tokens_before: scene.stage.hadoop.tokens_issued()?,
        ..Seen::default()
    };
    let mut left = size.jobs;
    while left > 0 {
        let jobs = left.min(WAVE);
        let items: Vec<Value> = (left - jobs..left)
            .map(|number| node.pod(&format!("job-{number}")))
            .collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        scene.create(&scene.stage.alice, &list)?;
        let bearers = scene.silent_tokens(&node, jobs)?;
        let kill = (seen.kills < size.kills).then_some(seen.kills);
        let wave = wave(scene.stage, &bearers, kill)?;
        seen.kills += usize::from(wave.killed);
        seen.broken_off += wave.broken_off;
        scene.end_silent_pods()?;
        left -= jobs;
    }
    wait_until("the ledger to be empty", CLEARED, || {
        Ok(scene.ledger()?.is_empty().then_some(()))
    })?;
    let explained = u64::try_from(seen.broken_off.min(seen.kills * AT_A_TIME))?;
    seen.tokens_after = wait_until("the NameNode to count as before", CLEARED, || {
        let now = scene.stage.hadoop.tokens_issued()?;
        Ok((now <= seen.tokens_before + explained).then_some(now))
    })?;
    Ok(seen)
}

struct Wave {
    killed: bool,
    broken_off: usize,
}

/// Everybody asks until they have their tokens, a few at a time; in the middle of it a replica dies.
fn wave(stage: &Stage, bearers: &[String], kill: Option<usize>) -> Result<Wave> {
    let door = stage.door()?;
    let share = bearers.len().div_ceil(AT_A_TIME).max(1);
    thread::scope(|scope| {
        let askers: Vec<_> = bearers
            .chunks(share)
            .map(|bearers| {
                let door = &door;
                let insist = move |bearer: &String| insist(door, bearer);
                scope.spawn(move || bearers.iter().map(insist).sum::<Result<usize>>())
            })
            .collect();
        // A replica whose container waits for its next start has no process: it is killed another time.
        let killed = match kill {
            Some(turn) => {
                let replicas = stage.fetchers()?;
                let replica = replicas.iter().cycle().nth(turn);
                replica.is_some_and(|it| it.kill().is_ok())
            }
            None => false,
        };
        let mut broken_off = 0;
        for asker in askers {
            broken_off += asker
                .join()
                .unwrap_or_else(|_| bail!("an asker panicked"))?;
        }
        Ok(Wave { killed, broken_off })
    })
}

/// Asks as a pod's client would; how often it got nothing.
fn insist(door: &Door, bearer: &str) -> Result<usize> {
    let deadline = Instant::now() + ANSWERED;
    let mut broken_off = 0;
    loop {
        match door.ask(bearer) {
            Ok(Answer { status: 200, .. }) => return Ok(broken_off),
            Ok(Answer { status, body }) => {
                ensure!(matches!(status, 429 | 500..), "refused: {status} {body}");
                ensure!(Instant::now() < deadline, "no tokens: {status} {body}");
            }
            Err(error) => ensure!(Instant::now() < deadline, "no answer: {error:#}"),
        }
        broken_off += 1;
        thread::sleep(Duration::from_millis(500));
    }
}
