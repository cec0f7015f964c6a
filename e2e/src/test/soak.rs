//! Many jobs while replicas are killed in the middle of their requests, and their leader while it cancels; then the
//! NameNode is asked what is left.

use std::fmt;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::scene::Scene;
use super::silent::SilentNode;
use crate::hadoop::LoggedToken;
use crate::process::wait_until;
use crate::stage::{Answer, Door, Replica, Stage};
use crate::workload;

/// Jobs that ask in one go.
const WAVE: usize = 20;
/// Requests at a time.
const AT_A_TIME: usize = 4;
/// Containers that were killed often start ever later.
const ANSWERED: Duration = Duration::from_secs(120);
/// Grace, the settling of marked records, and JMX, which lags by ten seconds.
const CLEARED: Duration = Duration::from_secs(120);
/// The longest that a replica has a token which stands nowhere yet.
const UNRECORDED: Duration = Duration::from_secs(5);
/// What a dead replica had sent is answered so much later.
const ANSWERED_IN_VAIN: Duration = Duration::from_secs(1);

/// How much of it.
#[derive(Args, Clone, Copy, Debug)]
pub struct Size {
    /// Jobs, each with tokens of its own.
    #[arg(long, default_value_t = 300)]
    pub jobs: usize,
    /// Replicas of the fetcher that are killed while jobs ask; one more is while it cancels.
    #[arg(long, default_value_t = 10)]
    pub kills: usize,
}

/// What was seen.
#[derive(Default, Debug)]
pub struct Seen {
    pub kills: Vec<Kill>,
    /// Requests that got no answer, or were told to come again.
    pub broken_off: usize,
    pub tokens_before: u64,
    pub tokens_after: u64,
}

/// A replica that died.
#[derive(Debug)]
pub struct Kill {
    pod: String,
    address: String,
    /// In milliseconds since 1970.
    at: u64,
    /// What only it knew of.
    pub lost: Vec<LoggedToken>,
}

impl Kill {
    fn of(replica: Replica, at: u64) -> Self {
        Self {
            pod: replica.pod,
            address: replica.address,
            at,
            lost: Vec::new(),
        }
    }

    /// Whether a token was on its way to this replica, or just arrived, when that died.
    fn explains(&self, token: &LoggedToken) -> bool {
        let since = self.at.saturating_sub(millis(UNRECORDED));
        let until = self.at.saturating_add(millis(ANSWERED_IN_VAIN));
        token.asked_from == self.address && (since..=until).contains(&token.issued_at)
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} died with {} tokens", self.pod, self.lost.len())?;
        for token in &self.lost {
            let (number, at) = (token.sequence_number, token.issued_at);
            let (by, side) = (
                at.abs_diff(self.at),
                if at > self.at { "after" } else { "before" },
            );
            write!(f, "; {number} was issued {by} ms {side}")?;
        }
        Ok(())
    }
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
        seen.kills.len(),
        seen.broken_off,
        seen.tokens_before,
        seen.tokens_after,
    );
    seen.kills.iter().for_each(|kill| println!("{kill}"));
    Ok(())
}

/// All jobs get tokens, none stays in the ledger, and none at the NameNode but what a kill left: a token whose text was
/// on its way to a replica that died. Each of these is traced to its kill, and ends by itself.
pub(super) fn soak(scene: &Scene<'_>, size: Size) -> Result<Seen> {
    let node = SilentNode::up(scene)?;
    let _promptness = scene.stage.killable_fetchers()?;
    let began = now()?;
    let mut seen = Seen {
        tokens_before: scene.stage.hadoop.tokens_issued()?,
        ..Seen::default()
    };
    let mut left = size.jobs;
    while left > 0 {
        let jobs = left.min(WAVE);
        let bearers = make(scene, &node, left - jobs..left)?;
        let turn = seen.kills.len();
        let wave = wave(scene.stage, &bearers, (turn < size.kills).then_some(turn))?;
        seen.kills.extend(wave.kill);
        seen.broken_off += wave.broken_off;
        left -= jobs;
        // The last two end together: there shall be much to cancel.
        if left > WAVE {
            scene.end_silent_pods()?;
        }
    }
    seen.kills.push(kill_while_cancelling(scene, began)?);
    wait_until("the ledger to be empty", CLEARED, || {
        Ok(scene.ledger()?.is_empty().then_some(()))
    })?;
    let tokens = scene.stage.hadoop.tokens_since(began)?;
    let issued = tokens.len();
    ensure!(issued >= size.jobs, "the NameNodes noted {issued} tokens");
    let lost = trace(tokens, &mut seen.kills)?;
    seen.tokens_after = wait_until("the NameNode to count as before", CLEARED, || {
        let now = scene.stage.hadoop.tokens_issued()?;
        Ok((now <= seen.tokens_before + lost).then_some(now))
    })?;
    Ok(seen)
}

/// Makes a wave's pods, each a job of its own, and gives their bearer tokens.
fn make(scene: &Scene<'_>, node: &SilentNode<'_>, numbers: Range<usize>) -> Result<Vec<String>> {
    let (jobs, wave) = (numbers.len(), numbers.start.to_string());
    let items: Vec<Value> = numbers
        .map(|number| {
            let mut pod = node.pod(&format!("job-{number}"));
            workload::set(&mut pod, "/metadata/labels", "wave", &wave);
            pod
        })
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    scene.create(&scene.stage.alice, &list)?;
    scene.silent_tokens_of(node, &format!("wave={wave}"), jobs)
}

/// Ends all pods, and kills who leads when that has begun to cancel their tokens.
fn kill_while_cancelling(scene: &Scene<'_>, began: u64) -> Result<Kill> {
    let stage = scene.stage;
    let cancelled = || {
        let tokens = stage.hadoop.tokens_since(began)?;
        anyhow::Ok(tokens.iter().filter(|token| token.cancelled).count())
    };
    let before = cancelled()?;
    scene.end_silent_pods()?;
    let leader = wait_until("a leader to cancel", CLEARED, || {
        // Looked up first: there is no time afterwards.
        let leader = stage.leader()?;
        Ok(leader.filter(|_| cancelled().is_ok_and(|now| now > before)))
    })?;
    let at = now()?;
    leader.kill()?;
    Ok(Kill::of(leader, at))
}

/// Gives each token that was not cancelled to the kill that explains it; how many there are.
fn trace(tokens: Vec<LoggedToken>, kills: &mut [Kill]) -> Result<u64> {
    let mut lost = 0;
    for token in tokens.into_iter().filter(|token| !token.cancelled) {
        let kill = kills.iter_mut().find(|kill| kill.explains(&token));
        let Some(kill) = kill else {
            bail!("nobody cancelled {token:?}, and no kill explains it");
        };
        kill.lost.push(token);
        // Each asker has one request under way.
        ensure!(
            kill.lost.len() <= AT_A_TIME,
            "too many for one kill: {kill}"
        );
        lost += 1;
    }
    Ok(lost)
}

fn now() -> Result<u64> {
    Ok(millis(SystemTime::now().duration_since(UNIX_EPOCH)?))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

struct Wave {
    kill: Option<Kill>,
    broken_off: usize,
}

/// Everybody asks until they have their tokens, a few at a time; in the middle of it a replica dies.
fn wave(stage: &Stage, bearers: &[String], turn: Option<usize>) -> Result<Wave> {
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
        let kill = turn.map(|turn| kill(stage, turn)).transpose()?.flatten();
        let mut broken_off = 0;
        for asker in askers {
            broken_off += asker
                .join()
                .unwrap_or_else(|_| bail!("an asker panicked"))?;
        }
        Ok(Wave { kill, broken_off })
    })
}

/// A replica whose container waits for its next start has no process: it is killed another time.
fn kill(stage: &Stage, turn: usize) -> Result<Option<Kill>> {
    let mut replicas = stage.fetchers()?;
    ensure!(!replicas.is_empty(), "no replica of the fetcher is there");
    let replica = replicas.swap_remove(turn % replicas.len());
    let at = now()?;
    let killed = replica.kill().is_ok();
    Ok(killed.then(|| Kill::of(replica, at)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn token(asked_from: &str, issued_at: u64, cancelled: bool) -> LoggedToken {
        LoggedToken {
            sequence_number: 7,
            issued_at,
            asked_from: asked_from.into(),
            cancelled,
        }
    }

    fn traced(tokens: Vec<LoggedToken>) -> Result<u64> {
        let kill = Kill {
            pod: "fetcher".into(),
            address: "10.0.0.1".into(),
            at: 100_000,
            lost: Vec::new(),
        };
        trace(tokens, &mut [kill])
    }

    #[test]
    fn only_what_the_dead_replica_had_just_asked_for_is_explained() {
        let lost = token("10.0.0.1", 99_900, false);
        assert_eq!(traced(vec![lost.clone(), token("", 0, true)]).unwrap(), 1);
        for leaked in [
            token("10.0.0.2", 99_900, false),
            token("10.0.0.1", 94_999, false),
            token("10.0.0.1", 101_001, false),
        ] {
            assert!(traced(vec![leaked]).is_err());
        }
        assert!(traced(vec![lost; AT_A_TIME + 1]).is_err());
    }
}
