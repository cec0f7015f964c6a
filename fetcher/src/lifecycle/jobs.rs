//! Which jobs have live pods, and since when the others have none.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use kube2hadoop_stamp::JobId;

use crate::attest::PodRef;

/// How long a silent watch may have hidden a new pod.
const UNSURE_MILLIS: u64 = 60_000;
/// How long after its grace an end is remembered; it decides nothing any more.
const REMEMBERED_MILLIS: u64 = 3_600_000;

/// A pod that was injected and has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePod {
    pub pod: PodRef,
    pub job: JobId,
    /// A sidecar gets it new tokens before the old ones end.
    pub refreshed: bool,
}

/// What is known of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Not all pods were seen yet, or they are being listed anew.
    Unknown,
    Alive,
    /// No pod is alive, since then at the latest.
    Ended {
        since: u64,
    },
}

type Uid = Arc<str>;

/// The live pods of all jobs. Flat, since most of a hundred thousand jobs have a single pod.
#[derive(Debug)]
pub struct Jobs {
    /// For how long an end is remembered, and when those were dropped that are older.
    remembered: u64,
    swept_at: u64,
    pods: HashMap<Uid, LivePod>,
    alive: BTreeSet<(JobId, Uid)>,
    count: usize,
    ended: HashMap<JobId, u64>,
    /// Pods of a list that is not complete yet.
    listing: Option<HashSet<Uid>>,
    complete_since: Option<u64>,
    unsure_until: u64,
}

impl Jobs {
    /// Jobs that may be without live pods for this grace (milliseconds).
    #[must_use]
    pub fn new(grace: u64) -> Self {
        Self {
            remembered: grace.saturating_add(REMEMBERED_MILLIS),
            swept_at: 0,
            pods: HashMap::new(),
            alive: BTreeSet::new(),
            count: 0,
            ended: HashMap::new(),
            listing: None,
            complete_since: None,
            unsure_until: 0,
        }
    }

    /// A list begins; until it is complete nothing is taken for gone.
    pub fn restart(&mut self) {
        self.listing = Some(HashSet::new());
    }

    /// A pod is alive; answers its job if that was not alive before.
    pub fn seen(&mut self, pod: LivePod) -> Option<JobId> {
        let uid: Uid = pod.pod.uid.as_str().into();
        if let Some(listing) = &mut self.listing {
            listing.insert(Arc::clone(&uid));
        }
        let job = pod.job.clone();
        let first = !self.is_alive(&job);
        self.alive.insert((job.clone(), Arc::clone(&uid)));
        self.pods.insert(uid, pod);
        if !first {
            return None;
        }
        self.count += 1;
        self.ended.remove(&job);
        Some(job)
    }

    /// A pod has ended or is gone; answers its job if that was its last one.
    pub fn gone(&mut self, uid: &str, now: u64) -> Option<JobId> {
        let (uid, pod) = self.pods.remove_entry(uid)?;
        let last = (pod.job, uid);
        self.alive.remove(&last);
        let (job, _) = last;
        if self.is_alive(&job) {
            return None;
        }
        self.count = self.count.saturating_sub(1);
        self.ended.insert(job.clone(), now);
        self.sweep(now);
        Some(job)
    }

    /// Drops the ends that are too old, now and then, so that each is looked at twice or so.
    fn sweep(&mut self, now: u64) {
        let remembered = self.remembered;
        if now < self.swept_at.saturating_add(remembered) {
            return;
        }
        self.swept_at = now;
        self.ended
            .retain(|_, since| now < since.saturating_add(remembered));
    }

    /// The list is complete: what it did not hold is gone. It decides for every job.
    pub fn complete(&mut self, now: u64) {
        let listed = self.listing.take().unwrap_or_default();
        let missing: Vec<Uid> = self
            .pods
            .keys()
            .filter(|uid| !listed.contains(*uid))
            .cloned()
            .collect();
        for uid in missing {
            self.gone(&uid, now);
        }
        self.complete_since.get_or_insert(now);
    }

    /// The watch is disturbed: pods may have come that we do not see.
    pub fn trouble(&mut self, now: u64) {
        self.unsure_until = now.saturating_add(UNSURE_MILLIS);
    }

    /// What is known of the job.
    #[must_use]
    pub fn life(&self, job: &JobId) -> Life {
        if self.is_alive(job) {
            return Life::Alive;
        }
        // A list may take a minute, and a new pod stand on its last page.
        let complete_since = self.complete_since.filter(|_| self.listing.is_none());
        let Some(complete_since) = complete_since else {
            return Life::Unknown;
        };
        let since = self.ended.get(job).copied().unwrap_or(complete_since);
        Life::Ended {
            since: since.max(self.unsure_until),
        }
    }

    /// The live pods of a job.
    pub fn pods<'a>(&'a self, job: &JobId) -> impl Iterator<Item = &'a LivePod> {
        let of_job = self.uids(job);
        of_job.filter_map(move |uid| self.pods.get(uid))
    }

    /// How many jobs have live pods.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no job has a live pod.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn is_alive(&self, job: &JobId) -> bool {
        self.uids(job).next().is_some()
    }

    fn uids<'a>(&'a self, job: &JobId) -> impl Iterator<Item = &'a Uid> {
        let from = (job.clone(), Uid::from(""));
        let rest = self.alive.range(from..);
        rest.take_while(move |(of, _)| of == job)
            .map(|(_, uid)| uid)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const GRACE: u64 = 60_000;

    fn job(name: &str) -> JobId {
        serde_json::from_value(name.into()).unwrap()
    }

    /// A live pod of the job.
    pub(in crate::lifecycle) fn pod(uid: &str, of: &str) -> LivePod {
        LivePod {
            pod: PodRef {
                namespace: "team".into(),
                name: uid.into(),
                uid: uid.into(),
            },
            job: job(of),
            refreshed: false,
        }
    }

    #[test]
    fn nothing_has_ended_before_all_pods_were_seen() {
        let mut jobs = Jobs::new(GRACE);
        jobs.restart();
        jobs.seen(pod("u1", "a"));
        assert_eq!(jobs.life(&job("a")), Life::Alive);
        assert_eq!(jobs.life(&job("b")), Life::Unknown);
        jobs.complete(5);
        assert_eq!(jobs.life(&job("b")), Life::Ended { since: 5 });
    }

    #[test]
    fn the_last_pod_ends_its_job_and_a_new_one_revives_it() {
        let mut jobs = Jobs::new(GRACE);
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
        let mut jobs = Jobs::new(GRACE);
        jobs.restart();
        jobs.seen(pod("u1", "a"));
        jobs.seen(pod("u2", "b"));
        jobs.complete(5);
        jobs.gone("u1", 7);
        jobs.restart();
        assert_eq!(
            jobs.life(&job("a")),
            Life::Unknown,
            "it may have a pod on a page to come"
        );
        assert_eq!(jobs.life(&job("b")), Life::Alive);
        jobs.complete(9);
        assert_eq!(jobs.life(&job("a")), Life::Ended { since: 7 });
        assert_eq!(jobs.life(&job("b")), Life::Ended { since: 9 });
    }

    #[test]
    fn a_disturbed_watch_puts_every_end_off() {
        let mut jobs = Jobs::new(GRACE);
        jobs.restart();
        jobs.complete(5);
        jobs.trouble(1_000);
        let since = 1_000 + UNSURE_MILLIS;
        assert_eq!(jobs.life(&job("a")), Life::Ended { since });
    }

    #[test]
    fn an_end_is_remembered_for_its_grace_and_not_for_ever() {
        const MINUTE: u64 = 60_000;
        let grace = 2 * REMEMBERED_MILLIS;
        let mut jobs = Jobs::new(grace);
        jobs.restart();
        jobs.complete(0);
        let week = 7 * 24 * 60;
        for minute in 1..=week {
            let (uid, of) = (format!("u{minute}"), format!("j{minute}"));
            jobs.seen(pod(&uid, &of));
            jobs.gone(&uid, minute * MINUTE);
            assert!(jobs.ended.len() <= 6 * 60, "{minute}");
            if let Some(before) = minute.checked_sub(grace / MINUTE).filter(|it| *it > 0) {
                let since = before * MINUTE;
                assert_eq!(
                    jobs.life(&job(&format!("j{before}"))),
                    Life::Ended { since }
                );
            }
        }
    }
}
