//! A NameNode that takes what it is sent and answers seconds later.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::scene::Scene;
use super::silent::SilentNode;
use crate::hadoop::Hanging;
use crate::process::wait_until;
use crate::stage::{Answer, Door, Replica};

/// Jobs of their own that ask for their first tokens.
const JOBS: usize = 32;
/// Under `hadoop.timeoutSeconds`: a call that was given up would be answered all the same, and
/// leave a token that nobody has.
const HANGS: Duration = Duration::from_secs(10);
/// Until all of the jobs wait.
const ASKED: Duration = Duration::from_secs(8);
/// What a pod waits at most to hear whether its job's tokens are still known, and for its answer.
const CHECKED: Duration = Duration::from_secs(3);
/// Who comes after it.
const AT_ONCE: Duration = Duration::from_secs(1);

/// New jobs wait for it and are served, each by one token; who comes to a job that has tokens waits for nothing.
pub(super) fn a_namenode_that_hangs_costs_new_jobs_nothing_but_time(
    scene: &Scene<'_>,
) -> Result<()> {
    let node = SilentNode::up(scene)?;
    let jobs = Jobs::made(scene, &node)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    jobs.ask_while(scene.stage.hadoop.hanging()?)?;
    let issued = scene.stage.hadoop.tokens_since(u64::try_from(since)?)?;
    ensure!(issued.len() == JOBS, "{} tokens were issued", issued.len());
    scene.end_silent_pods()
}

struct Jobs<'a> {
    scene: &'a Scene<'a>,
    door: Door,
    replicas: Vec<Replica>,
    /// Pods of one job, which has its tokens.
    early: Vec<String>,
    /// The pods of the others.
    new: Vec<String>,
}

impl<'a> Jobs<'a> {
    fn made(scene: &'a Scene<'a>, node: &SilentNode<'_>) -> Result<Self> {
        let alice = &scene.stage.alice;
        scene.create(alice, &node.job("early", 2))?;
        let early = scene.silent_tokens(node, 2)?;
        let new: Vec<Value> = (0..JOBS).map(|it| node.pod(&format!("job-{it}"))).collect();
        let new = json!({"apiVersion": "v1", "kind": "List", "items": new});
        scene.create(alice, &new)?;
        let new = "kube2hadoop-e2e=silent,!batch.kubernetes.io/job-name";
        let jobs = Self {
            scene,
            door: scene.stage.door()?,
            replicas: scene.stage.fetchers()?,
            early,
            new: scene.silent_tokens_of(node, new, JOBS)?,
        };
        jobs.served(jobs.replicas.iter().zip(&jobs.early))?;
        Ok(jobs)
    }

    /// All new ones ask at a time, and have to wait for the NameNode.
    fn ask_while(&self, hanging: Hanging) -> Result<()> {
        let began = Instant::now();
        let answered = &AtomicUsize::new(0);
        thread::scope(|scope| {
            let asks = self.replicas.iter().cycle().zip(&self.new);
            let askers: Vec<_> = asks
                .map(|ask| {
                    scope.spawn(move || {
                        let served = self.served([ask]);
                        answered.fetch_add(1, Ordering::Relaxed);
                        served
                    })
                })
                .collect();
            let meanwhile = self.all_wait().and_then(|()| self.early_is_served());
            sleep(HANGS.saturating_sub(began.elapsed()));
            let early = answered.load(Ordering::Relaxed);
            drop(hanging);
            for asker in askers {
                asker
                    .join()
                    .unwrap_or_else(|_| bail!("an asker panicked"))?;
            }
            ensure!(early == 0, "{early} did not wait for the NameNode");
            meanwhile
        })
    }

    /// Each has claimed its place in the ledger for both services.
    fn all_wait(&self) -> Result<()> {
        wait_until("all to wait", ASKED, || {
            let records = self.scene.ledger()?.len();
            Ok((records == 2 * (JOBS + 1)).then_some(()))
        })
    }

    /// Once asked in vain whether it knows a job's tokens, the NameNode is not asked again for a while.
    fn early_is_served(&self) -> Result<()> {
        for replica in &self.replicas {
            let bearers = self.early.iter().cycle();
            for (bearer, limit) in bearers.zip([CHECKED, AT_ONCE, AT_ONCE]) {
                let asked = Instant::now();
                self.served([(replica, bearer)])?;
                let took = asked.elapsed();
                ensure!(took < limit, "tokens that were there took {took:?}");
            }
        }
        Ok(())
    }

    /// Each at the first time of asking.
    fn served<'b>(&self, asks: impl IntoIterator<Item = (&'b Replica, &'b String)>) -> Result<()> {
        for (replica, bearer) in asks {
            let Answer { status, body } = self.door.ask_replica(replica, bearer)?;
            ensure!(status == 200, "a pod was answered {status}: {body}");
        }
        Ok(())
    }
}
