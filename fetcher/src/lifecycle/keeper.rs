//! What the leader knows: every record of the ledger, the live pods, and what is due; no clock, no network.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use kube2hadoop_stamp::{DenyList, JobId};

use super::jobs::{Jobs, LivePod};
use super::plan::{self, Deed, Situation};
use super::schedule::{Name, Schedule};
use super::timing::Terms;
use crate::ledger::record::{Entry, State};
use crate::service::ServiceName;

mod kept;
mod totals;

use kept::{Kept, news, older};
pub use totals::Totals;

/// One deed to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub entry: Entry,
    pub deed: Deed,
}

impl Task {
    fn has_tokens(&self) -> bool {
        matches!(self.entry.state, State::Live(live) if live.tokens > 0)
    }
}

/// What came of a deed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The record is now this one.
    Stands(Entry),
    /// The record is gone.
    Gone,
    /// Hadoop no longer knew the tokens; the record is gone.
    Lost,
    /// The record was not as we knew it; the watch will tell.
    Changed,
    /// It has to be tried again; `reason` is a stable name.
    Failed { reason: &'static str, lasting: bool },
}

/// What others should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Renewed,
    Cancelled(&'static str),
    /// A token that lives was dropped: cancelling it failed until it ended by itself.
    CancelGivenUp,
    ClaimDropped,
    Lost,
    EndsSoon,
    /// Renewals fail, and not much time is left.
    WillBeLost(&'static str),
    RenewFailed(&'static str),
    CancelFailed(&'static str),
    /// Somebody took the record away: nobody renews or cancels its tokens any more.
    RecordDeleted,
}

/// The state of one term of leadership.
pub struct Keeper {
    terms: Terms,
    deny: DenyList,
    /// Deeds of one service at a time.
    concurrency: usize,
    kept: HashMap<Name, Kept>,
    by_job: BTreeSet<(JobId, Name)>,
    schedules: BTreeMap<ServiceName, Due>,
    jobs: Jobs,
    listing: Option<HashSet<Name>>,
}

/// A service that is down must not keep the others waiting.
#[derive(Default)]
struct Due {
    schedule: Schedule,
    busy: usize,
}

impl Keeper {
    /// Knows nothing yet, and so does nothing; at most `concurrency` deeds of one service go on at a time.
    #[must_use]
    pub fn new(terms: Terms, deny: DenyList, concurrency: usize) -> Self {
        Self {
            jobs: Jobs::new(terms.grace),
            terms,
            deny,
            concurrency,
            kept: HashMap::new(),
            by_job: BTreeSet::new(),
            schedules: BTreeMap::new(),
            listing: None,
        }
    }

    /// From now on these users are denied.
    pub fn deny(&mut self, deny: DenyList) {
        self.deny = deny;
        self.plan_all();
    }

    fn plan_all(&mut self) {
        let names: Vec<Name> = self.kept.keys().cloned().collect();
        names.iter().for_each(|name| self.plan(name));
    }

    /// A list of the ledger begins.
    pub fn entries_restart(&mut self) {
        self.listing = Some(HashSet::new());
    }

    /// A record is there, or has changed.
    pub fn entry_seen(&mut self, entry: Entry, now: u64) {
        let name: Name = entry.place.name().into();
        if let Some(listing) = &mut self.listing {
            listing.insert(Arc::clone(&name));
        }
        match self.kept.get_mut(&name) {
            // Our own write may be newer than what the watch has come to. A list counts whatever it says: versions start
            // again from lower ones where etcd was restored, and what we wrote since follows on the watch.
            Some(kept) if self.listing.is_none() && older(&entry.version, &kept.entry.version) => {
                return;
            }
            Some(kept) => kept.replace(entry, now),
            None => {
                let job = entry.place.key.job.clone();
                self.by_job.insert((job, Arc::clone(&name)));
                self.kept.insert(Arc::clone(&name), Kept::new(entry, now));
            }
        }
        self.plan(&name);
    }

    /// A record is gone; answers it if somebody else took it away, and its tokens live.
    pub fn entry_gone(&mut self, name: &str, now: u64) -> Option<Entry> {
        let kept = self.forget(name)?;
        kept.is_missed(now).then_some(kept.entry)
    }

    fn forget(&mut self, name: &str) -> Option<Kept> {
        let (name, kept) = self.kept.remove_entry(name)?;
        let key = &kept.entry.place.key;
        if let Some(due) = self.schedules.get_mut(&key.service) {
            due.schedule.remove(&name);
        }
        self.by_job.remove(&(key.job.clone(), name));
        Some(kept)
    }

    /// The list of the ledger is complete; answers what it lacks, as [`Keeper::entry_gone`] does.
    pub fn entries_complete(&mut self, now: u64) -> Vec<Entry> {
        let listed = self.listing.take().unwrap_or_default();
        let missing: Vec<Name> = self
            .kept
            .keys()
            .filter(|name| !listed.contains(*name))
            .cloned()
            .collect();
        let gone = missing.iter();
        gone.filter_map(|name| self.entry_gone(name, now)).collect()
    }

    /// A list of pods begins: nothing is taken for gone until it is complete.
    pub fn pods_restart(&mut self) {
        self.jobs.restart();
    }

    /// A pod that has not ended.
    pub fn pod_seen(&mut self, pod: LivePod) {
        if let Some(job) = self.jobs.seen(pod) {
            self.plan_job(&job);
        }
    }

    /// A pod that ended, `now` in milliseconds.
    pub fn pod_gone(&mut self, uid: &str, now: u64) {
        if let Some(job) = self.jobs.gone(uid, now) {
            self.plan_job(&job);
        }
    }

    /// The list of pods is complete.
    pub fn pods_complete(&mut self, now: u64) {
        self.jobs.complete(now);
        self.plan_all();
    }

    /// The watch of the pods failed.
    pub fn pods_trouble(&mut self, now: u64) {
        self.jobs.trouble(now);
    }

    /// The live pods of a record's job.
    pub fn pods(&self, entry: &Entry) -> impl Iterator<Item = &LivePod> {
        self.jobs.pods(&entry.place.key.job)
    }

    /// When the next deed is due that may begin.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        let free = self
            .schedules
            .values()
            .filter(|due| due.busy < self.concurrency);
        free.filter_map(|due| due.schedule.next()).min()
    }

    /// Takes a deed that is due; it is under way until [`Keeper::settle`].
    pub fn take(&mut self, now: u64) -> Option<Task> {
        let services: Vec<ServiceName> = self
            .schedules
            .iter()
            .filter(|(_, due)| due.busy < self.concurrency)
            .map(|(service, _)| service.clone())
            .collect();
        services
            .iter()
            .find_map(|service| self.take_of(service, now))
    }

    fn take_of(&mut self, service: &ServiceName, now: u64) -> Option<Task> {
        loop {
            let name = self.schedules.get_mut(service)?.schedule.pop_due(now)?;
            // What was planned may have been put off since, by a disturbed watch for example.
            let Some((at, deed)) = self.decide(&name) else {
                continue;
            };
            let due = self.schedules.get_mut(service)?;
            if at > now {
                due.schedule.set(&name, at);
                continue;
            }
            due.busy += 1;
            let kept = self.kept.get_mut(&name)?;
            kept.busy = true;
            let entry = kept.entry.clone();
            return Some(Task { entry, deed });
        }
    }

    /// Notes what came of a deed, and answers what others should hear of.
    pub fn settle(&mut self, task: &Task, outcome: Outcome, now: u64) -> Option<News> {
        let service = &task.entry.place.key.service;
        if let Some(due) = self.schedules.get_mut(service) {
            due.busy = due.busy.saturating_sub(1);
        }
        let name: Name = task.entry.place.name().into();
        let Some(kept) = self.kept.get_mut(&name) else {
            return news(task, &outcome);
        };
        kept.busy = false;
        let news = kept.settle(task, &outcome, now);
        let same = kept.entry.version == task.entry.version;
        if same && matches!(outcome, Outcome::Gone | Outcome::Lost) {
            self.forget(&name);
        } else {
            self.plan(&name);
        }
        news
    }

    fn plan_job(&mut self, job: &JobId) {
        let from = (job.clone(), Name::from(""));
        let of_job = self.by_job.range(from..).take_while(|(of, _)| of == job);
        let names: Vec<Name> = of_job.map(|(_, name)| Arc::clone(name)).collect();
        names.iter().for_each(|name| self.plan(name));
    }

    fn plan(&mut self, name: &Name) {
        let Some((at, _)) = self.decide(name) else {
            return;
        };
        if let Some(kept) = self.kept.get(name).filter(|kept| !kept.busy) {
            let service = kept.entry.place.key.service.clone();
            self.schedules
                .entry(service)
                .or_default()
                .schedule
                .set(name, at);
        }
    }

    fn decide(&self, name: &Name) -> Option<(u64, Deed)> {
        let kept = self.kept.get(name)?;
        let key = &kept.entry.place.key;
        let situation = Situation {
            life: self.jobs.life(&key.job),
            denied: self.deny.contains(&key.user),
            told: kept.told,
            failed: kept.failed,
            seen: kept.seen,
        };
        Some(plan::next(&kept.entry, &situation, &self.terms))
    }
}

#[cfg(test)]
mod tests;
