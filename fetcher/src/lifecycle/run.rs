//! The loop: elected, watch, do what is due, tell; not elected, wait.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use kube2hadoop_runtime::shutdown::Shutdown;
use kube2hadoop_stamp::DenyList;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::deeds::Doer;
use super::election::{Elector, Leadership};
use super::herald::Herald;
use super::jobs::LivePod;
use super::keeper::{Keeper, News, Outcome, Task, Totals};
use super::kubernetes::watches::Sighting;
use super::timing::Terms;
use crate::ledger::record::Entry;

/// How often the gauges are counted anew.
const COUNT: Duration = Duration::from_secs(15);
/// Nothing is slept through for longer: the wall clock may be set.
const LONGEST_NAP: u64 = 60_000;

/// Watches, opened anew by each leader.
pub trait Sources: Send + Sync + 'static {
    fn pods(&self) -> BoxStream<'static, Sighting<LivePod>>;
    fn entries(&self) -> BoxStream<'static, Sighting<Entry>>;
}

/// All that a leader works with.
pub struct Lifecycle {
    pub doer: Doer,
    pub herald: Herald,
    pub sources: Box<dyn Sources>,
    pub terms: Terms,
    /// Whose tokens are cancelled, as things stand.
    pub deny: watch::Receiver<DenyList>,
    /// Deeds of one service at a time.
    pub concurrency: usize,
    /// The least time that a deed keeps its place, so that an overdue ledger does not storm a NameNode.
    pub pace: Duration,
}

/// Takes part in the election and works while elected, until shutdown.
pub async fn run(lifecycle: Arc<Lifecycle>, mut elector: Elector, shutdown: Shutdown) {
    let (tell, leadership) = watch::channel(None);
    tokio::select! {
        () = elector.campaign(&tell) => {}
        () = lifecycle.work(leadership) => {}
        () = shutdown.requested() => {}
    }
    // Whatever was under way has been dropped by now: nobody acts in our name any more.
    lifecycle.herald.metrics.leader.set(0);
    elector.release().await;
}

impl Lifecycle {
    async fn work(&self, mut leadership: watch::Receiver<Leadership>) {
        loop {
            // The sender lives as long as this future does.
            if leadership.wait_for(is_held).await.is_err() {
                return;
            }
            self.herald.metrics.leader.set(1);
            tokio::select! {
                () = self.lead() => {}
                () = lost(&mut leadership) => {}
            }
            tracing::warn!("no longer leading");
            self.herald.metrics.leader.set(0);
            self.herald.metrics.show(&Totals::default());
        }
    }

    async fn lead(&self) {
        let mut deny = self.deny.clone();
        let denied = deny.borrow_and_update().clone();
        let mut keeper = Keeper::new(self.terms.clone(), denied, self.concurrency);
        let (mut entries, mut pods) = (self.sources.entries(), self.sources.pods());
        let mut under_way = FuturesUnordered::new();
        let mut count = tokio::time::interval(COUNT);
        let mut missed = 0;
        loop {
            while let Some(task) = keeper.take(self.now()) {
                under_way.push(self.perform(task));
            }
            tokio::select! {
                Some((task, outcome)) = under_way.next() => self.settle(&mut keeper, &task, outcome),
                Some(sighting) = entries.next() => missed += self.note_entry(&mut keeper, sighting),
                Some(sighting) = pods.next() => note_pod(&mut keeper, sighting, self.now()),
                Ok(()) = deny.changed() => keeper.deny(deny.borrow_and_update().clone()),
                _ = count.tick() => {
                    self.herald.metrics.show(&keeper.totals(self.now()));
                    warn_of(std::mem::take(&mut missed));
                }
                () = sleep(self.nap(keeper.next_due())) => {}
            }
        }
    }

    async fn perform(&self, task: Task) -> (Task, Outcome) {
        let pace = sleep(self.pace);
        // Boxed: hundreds of these are kept, and the largest deed would size them all.
        let (outcome, ()) = tokio::join!(self.doer.perform(&task).boxed(), pace);
        (task, outcome)
    }

    fn settle(&self, keeper: &mut Keeper, task: &Task, outcome: Outcome) {
        if let Some(news) = keeper.settle(task, outcome, self.now()) {
            self.herald
                .tell(news, &task.entry, keeper.pods(&task.entry));
        }
    }

    /// How many records of live tokens somebody else took away.
    fn note_entry(&self, keeper: &mut Keeper, sighting: Sighting<Entry>) -> usize {
        let now = self.now();
        let mut missed = Vec::new();
        match sighting {
            Sighting::Restart => keeper.entries_restart(),
            Sighting::Seen(entry) => keeper.entry_seen(entry, now),
            Sighting::Gone(name) => missed.extend(keeper.entry_gone(&name, now)),
            Sighting::Complete => missed = keeper.entries_complete(now),
            Sighting::Trouble(error) => tracing::warn!(error, "the ledger is not being watched"),
        }
        for entry in &missed {
            self.herald
                .tell(News::RecordDeleted, entry, keeper.pods(entry));
        }
        missed.len()
    }

    fn nap(&self, due: Option<u64>) -> Duration {
        let wait = due.map_or(LONGEST_NAP, |due| due.saturating_sub(self.now()));
        Duration::from_millis(wait.min(LONGEST_NAP))
    }

    fn now(&self) -> u64 {
        self.doer.clock.now_millis()
    }
}

fn is_held(leadership: &Leadership) -> bool {
    leadership.is_some_and(|until| Instant::now() < until)
}

/// Ends when the lease is somebody else's, or was not renewed in time.
async fn lost(leadership: &mut watch::Receiver<Leadership>) {
    loop {
        let Some(until) = *leadership.borrow_and_update() else {
            return;
        };
        tokio::select! {
            changed = leadership.changed() => if changed.is_err() { return },
            () = sleep_until(until) => return,
        }
    }
}

/// One line for as many as somebody deletes at a time.
fn warn_of(missed: usize) {
    if missed > 0 {
        tracing::warn!(
            records = missed,
            "records of live tokens were deleted from the ledger by somebody else: these tokens are renewed and cancelled no more"
        );
    }
}

fn note_pod(keeper: &mut Keeper, sighting: Sighting<LivePod>, now: u64) {
    match sighting {
        Sighting::Restart => keeper.pods_restart(),
        Sighting::Seen(pod) => keeper.pod_seen(pod),
        Sighting::Gone(uid) => keeper.pod_gone(&uid, now),
        Sighting::Complete => keeper.pods_complete(now),
        Sighting::Trouble(error) => {
            tracing::warn!(error, "the pods are not being watched");
            keeper.pods_trouble(now);
        }
    }
}

#[cfg(test)]
mod tests;
