//! Which jobs have live pods, and since when the others have none.

use std::collections::{BTreeMap, HashMap, HashSet};

use kube2hadoop_stamp::JobId;

use crate::attest::PodRef;

/// How long a silent watch may have hidden a new pod.
const UNSURE_MILLIS: u64 = 60_000;
/// Older ends than this no longer decide anything.
const REMEMBERED_MILLIS: u64 = 3_600_000;

/// A pod that was injected and has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePod {
    pub pod: PodRef,
    pub job: JobId,
    /// It keeps its own file fresh.
    pub refreshes: bool,
}

/// What is known of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Not all pods were seen yet.
    Unknown,
    Alive,
    /// No pod is alive, since then at the latest.
    Ended {
        since: u64,
    },
}

/// The live pods of all jobs.
#[derive(Debug, Default)]
pub struct Jobs {
    alive: HashMap<JobId, BTreeMap<String, LivePod>>,
    job_of: HashMap<String, JobId>,
    ended: HashMap<JobId, u64>,
    /// Pods of a list that is not complete yet.
    listing: Option<HashSet<String>>,
    complete_since: Option<u64>,
    unsure_until: u64,
}

impl Jobs {
    /// A list begins; until it is complete nothing is taken for gone.
    pub fn restart(&mut self) {
        self.listing = Some(HashSet::new());
    }

    /// A pod is alive; answers its job if that was not alive before.
    pub fn seen(&mut self, pod: LivePod) -> Option<JobId> {
        let uid = pod.pod.uid.clone();
        if let Some(listing) = &mut self.listing {
            listing.insert(uid.clone());
        }
        let job = pod.job.clone();
        self.ended.remove(&job);
        self.job_of.insert(uid.clone(), job.clone());
        let pods = self.alive.entry(job.clone()).or_default();
        let first = pods.is_empty();
        pods.insert(uid, pod);
        first.then_some(job)
    }

    /// A pod has ended or is gone; answers its job if that was its last one.
    pub fn gone(&mut self, uid: &str, now: u64) -> Option<JobId> {
        let job = self.job_of.remove(uid)?;
        let pods = self.alive.get_mut(&job)?;
        pods.remove(uid);
        if !pods.is_empty() {
            return None;
        }
        self.alive.remove(&job);
        self.ended.insert(job.clone(), now);
        Some(job)
    }

    /// The list is complete: what it did not hold is gone. Answers the jobs that ended by that, and
    /// whether it is the first list, which decides for every job.
    pub fn complete(&mut self, now: u64) -> (Vec<JobId>, bool) {
        let listed = self.listing.take().unwrap_or_default();
        let missing: Vec<String> = self
            .job_of
            .keys()
            .filter(|uid| !listed.contains(*uid))
            .cloned()
            .collect();
        let ended = missing
            .iter()
            .filter_map(|uid| self.gone(uid, now))
            .collect();
        let first = self.complete_since.is_none();
        self.complete_since.get_or_insert(now);
        self.ended
            .retain(|_, since| now < since.saturating_add(REMEMBERED_MILLIS));
        (ended, first)
    }

    /// The watch is disturbed: pods may have come that we do not see.
    pub fn trouble(&mut self, now: u64) {
        self.unsure_until = now.saturating_add(UNSURE_MILLIS);
    }

    #[must_use]
    pub fn life(&self, job: &JobId) -> Life {
        if self.alive.contains_key(job) {
            return Life::Alive;
        }
        let Some(complete_since) = self.complete_since else {
            return Life::Unknown;
        };
        let since = self.ended.get(job).copied().unwrap_or(complete_since);
        Life::Ended {
            since: since.max(self.unsure_until),
        }
    }

    /// The live pods of a job.
    pub fn pods(&self, job: &JobId) -> impl Iterator<Item = &LivePod> {
        self.alive.get(job).into_iter().flat_map(BTreeMap::values)
    }

    /// How many jobs have live pods.
    #[must_use]
    pub fn len(&self) -> usize {
        self.alive.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alive.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str) -> JobId {
        serde_json::from_value(name.into()).unwrap()
    }

    fn pod(uid: &str, of: &str) -> LivePod {
        LivePod {
            pod: PodRef {
                namespace: "team".into(),
                name: uid.into(),
                uid: uid.into(),
            },
            job: job(of),
            refreshes: false,
        }
    }

    #[test]
    fn nothing_has_ended_before_all_pods_were_seen() {
        let mut jobs = Jobs::default();
        jobs.restart();
        jobs.seen(pod("u1", "a"));
        assert_eq!(jobs.life(&job("a")), Life::Alive);
        assert_eq!(jobs.life(&job("b")), Life::Unknown);
        assert_eq!(jobs.complete(5), (vec![], true));
        assert_eq!(jobs.life(&job("b")), Life::Ended { since: 5 });
    }

    #[test]
    fn the_last_pod_ends_its_job_and_a_new_one_revives_it() {
        let mut jobs = Jobs::default();
        jobs.restart();
        assert_eq!(jobs.seen(pod("u1", "a")), Some(job("a")));
        assert_eq!(jobs.seen(pod("u2", "a")), None);
        jobs.complete(5);
        assert_eq!(jobs.gone("u1", 10), None);
        assert_eq!(jobs.gone("u1", 11), None, "twice is once");
        assert_eq!(jobs.gone("u2", 12), Some(job("a")));
        assert_eq!(jobs.life(&job("a")), Life::Ended { since: 12 });
        jobs.seen(pod("u3", "a"));
        assert_eq!(jobs.life(&job("a")), Life::Alive);
        assert_eq!((jobs.pods(&job("a")).count(), jobs.len()), (1, 1));
    }

    #[test]
    fn what_a_later_list_lacks_is_gone() {
        let mut jobs = Jobs::default();
        jobs.restart();
        jobs.seen(pod("u1", "a"));
        jobs.seen(pod("u2", "b"));
        jobs.complete(5);
        jobs.restart();
        jobs.seen(pod("u2", "b"));
        assert_eq!(
            jobs.life(&job("a")),
            Life::Alive,
            "the list is not complete"
        );
        assert_eq!(jobs.complete(9), (vec![job("a")], false));
    }

    #[test]
    fn a_disturbed_watch_puts_every_end_off() {
        let mut jobs = Jobs::default();
        jobs.restart();
        jobs.complete(5);
        jobs.trouble(1_000);
        let since = 1_000 + UNSURE_MILLIS;
        assert_eq!(jobs.life(&job("a")), Life::Ended { since });
    }
}
