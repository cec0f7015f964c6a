//! Tells what happened to tokens: metrics for operators, audit lines for auditors, Events for the pods' owners.

use kube2hadoop_client::container::REFRESH_CONTAINER;
use kube2hadoop_stamp::names;

use super::jobs::LivePod;
use super::keeper::News;
use super::metrics::Upkeep;
use crate::attest::PodRef;
use crate::audit::Audit;
use crate::clock::timestamp;
use crate::events::{Notice, Recorder};
use crate::ledger::record::{Entry, State};
use crate::metrics::{OutcomeLabel, ReasonLabel};

/// A sidecar comes up to half of what is left later: from this part on, before a token's end is spoken of.
const REFRESHED_EARLY: f64 = 0.2;

/// Where news goes.
pub struct Herald {
    pub metrics: Upkeep,
    pub audit: Audit,
    pub events: Recorder,
    /// At which part of the whole life left a refreshed pod asks for newer tokens.
    pub refreshed_at: f64,
}

impl Herald {
    /// Tells everybody; `pods` are the live pods of the record's job.
    pub fn tell<'a>(&self, news: News, entry: &Entry, pods: impl Iterator<Item = &'a LivePod>) {
        self.count(news);
        let (event, reason) = audited(news);
        let sequence = match entry.state {
            State::Live(live) => Some(live.sequence_number),
            State::Claimed => None,
        };
        if let Some(event) = event {
            self.audit.upkeep(event, &entry.place.key, sequence, reason);
        }
        let all = said(news, entry);
        // Each pod may have an owner of its own who looks at it; the recorder bounds and paces what they come to.
        for live in pods {
            let said = match live.refreshed && news == News::EndsSoon {
                true => self.not_refreshed(entry, live),
                false => all.clone(),
            };
            if let Some((event, message)) = said {
                self.events.record_once(Notice {
                    pod: live.pod.clone(),
                    warning: true,
                    reason: event.into(),
                    message,
                });
            }
        }
    }

    /// A sidecar answers the end of a token's life by itself. If any pod of the job had asked in time, the tokens would
    /// stand aside by now, marked as worn.
    fn not_refreshed(&self, entry: &Entry, to: &LivePod) -> Option<(&'static str, String)> {
        let State::Live(live) = entry.state else {
            return None;
        };
        let missed = live.worn.is_none() && self.refreshed_at >= REFRESHED_EARLY;
        missed.then(|| {
            let (whose, PodRef { namespace, name, .. }) = (whose(entry), &to.pod);
            let ends = timestamp(live.max_date);
            (
                "TokenEndsSoon",
                format!(
                    "{whose} ends at {ends}, and the pod's sidecar has not come for a new one: see kubectl logs -n {namespace} {name} -c {REFRESH_CONTAINER}"
                ),
            )
        })
    }

    fn count(&self, news: News) {
        let metrics = &self.metrics;
        let ends = |reason| {
            metrics.endings.get_or_create(&ReasonLabel { reason }).inc();
        };
        let (family, outcome) = match news {
            News::Renewed => (&metrics.renewals, "renewed"),
            News::RenewFailed(reason) => (&metrics.renewals, reason),
            News::WillBeLost(reason) => {
                ends("renewals-fail");
                (&metrics.renewals, reason)
            }
            News::Cancelled(_) => (&metrics.cancellations, "cancelled"),
            News::CancelFailed(reason) => (&metrics.cancellations, reason),
            News::CancelGivenUp => (&metrics.cancellations, "given-up"),
            News::Lost => return ends("token-unknown"),
            News::EndsSoon => return ends("max-date"),
            News::RecordDeleted => return ends("record-deleted"),
            News::ClaimDropped => {
                metrics.claims_dropped.inc();
                return;
            }
        };
        family.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}

/// The audit line's event and reason; what will be tried again is no event.
fn audited(news: News) -> (Option<&'static str>, Option<&'static str>) {
    match news {
        News::Renewed => (Some("renewed"), None),
        News::Cancelled(why) => (Some("cancelled"), Some(why)),
        News::CancelGivenUp => (Some("cancel-given-up"), None),
        News::Lost => (Some("lost"), Some("token-unknown")),
        News::EndsSoon => (Some("ends-soon"), Some("max-date")),
        News::WillBeLost(reason) => (Some("will-be-lost"), Some(reason)),
        News::RecordDeleted => (Some("will-be-lost"), Some("record-deleted")),
        News::RenewFailed(_) | News::CancelFailed(_) | News::ClaimDropped => (None, None),
    }
}

fn whose(entry: &Entry) -> String {
    let key = &entry.place.key;
    format!("the Hadoop token of user {} for {}", key.user, key.service)
}

/// What a pod's owner should know, and can do.
fn said(news: News, entry: &Entry) -> Option<(&'static str, String)> {
    let State::Live(live) = entry.state else {
        return None;
    };
    let whose = whose(entry);
    match news {
        News::Lost => {
            // Who came since has another one; the watch does not show which that are.
            let unless = live.worn.map(timestamp);
            let unless = unless.map(|at| format!(", unless its containers started after {at}"));
            let unless = unless.unwrap_or_default();
            Some((
                "TokenLost",
                format!(
                    "{whose} was cancelled or forgotten by Hadoop: recreate the pod to get a new one{unless}"
                ),
            ))
        }
        News::EndsSoon => Some((
            "TokenEndsSoon",
            format!(
                "{whose} reaches its maximum lifetime at {} and cannot be renewed beyond: recreate the pod before then, with the annotation {}: enabled if it runs for so long again",
                timestamp(live.max_date),
                names::REFRESH
            ),
        )),
        News::WillBeLost(reason) => Some((
            "TokenWillBeLost",
            format!(
                "{whose} could not be renewed ({reason}) and stops working at {} unless that is repaired",
                timestamp(live.expires_at)
            ),
        )),
        News::RecordDeleted => Some((
            "TokenWillBeLost",
            format!(
                "somebody deleted the record of {whose} from the ledger: nobody renews it, and it stops working at {}; recreate the pod before then",
                timestamp(live.expires_at)
            ),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use prometheus_client::registry::Registry;

    use super::super::jobs::tests::pod;
    use super::*;
    use crate::clock::Clock;
    use crate::ledger::Key;
    use crate::ledger::place::Place;
    use crate::ledger::record::Live;
    use crate::metrics::Metrics;

    fn entry(worn: Option<u64>) -> Entry {
        let place = Place::current(&Key {
            job: pod("u1", "a").job,
            user: "alice".parse().unwrap(),
            service: "ns1".parse().unwrap(),
        });
        let live = Live {
            issued_at: 0,
            renewed_at: 0,
            expires_at: 1,
            max_date: 2,
            sequence_number: 7,
            tokens: 1,
            worn,
        };
        Entry {
            place,
            version: "1".into(),
            state: State::Live(live),
        }
    }

    /// What pods hear.
    fn heard(news: News, entry: &Entry, refreshed_at: f64, pods: &[LivePod]) -> Vec<String> {
        let metrics = Metrics::new(&mut Registry::default());
        let (events, mut waiting) = Recorder::new(metrics.clone());
        let herald = Herald {
            metrics: metrics.upkeep.clone(),
            audit: Audit::to(std::io::sink(), Clock::system()),
            events,
            refreshed_at,
        };
        herald.tell(news, entry, pods.iter());
        assert_eq!(metrics.events_dropped.get(), 0);
        let notices = std::iter::from_fn(|| waiting.next().now_or_never().flatten());
        notices.map(|notice| notice.message).collect()
    }

    #[test]
    fn every_pod_of_a_large_job_hears() {
        let pods: Vec<_> = (0..1000).map(|uid| pod(&format!("u{uid}"), "a")).collect();
        assert_eq!(heard(News::Lost, &entry(None), 0.5, &pods).len(), 1000);
    }

    #[test]
    fn a_refreshed_pod_hears_of_an_end_only_if_no_sidecar_has_come() {
        let refreshed = LivePod {
            refreshed: true,
            ..pod("u1", "a")
        };
        let pods = [refreshed, pod("u2", "a")];
        let told = |news, worn, refreshed_at| heard(news, &entry(worn), refreshed_at, &pods);
        let [of_refreshed, of_other] = &told(News::EndsSoon, None, 0.5)[..] else {
            panic!("both hear");
        };
        let log = "kubectl logs -n team u1 -c kube2hadoop-refresh-token";
        assert!(of_refreshed.contains(log), "{of_refreshed}");
        assert!(of_other.contains("recreate the pod"), "{of_other}");
        let came = told(News::EndsSoon, Some(1), 0.5);
        assert_eq!(&came, std::slice::from_ref(of_other));
        let may_come_yet = told(News::EndsSoon, None, 0.1);
        assert_eq!(&may_come_yet, std::slice::from_ref(of_other));
        assert_eq!(told(News::Lost, Some(1), 0.5).len(), 2);
    }
}
