//! Tells what happened to tokens: metrics for operators, audit lines for auditors, Events for the pods' owners.

use kube2hadoop_stamp::names;

use super::jobs::LivePod;
use super::keeper::News;
use super::metrics::Upkeep;
use crate::audit::Audit;
use crate::clock::timestamp;
use crate::events::{Notice, Recorder};
use crate::ledger::record::{Entry, State};
use crate::metrics::{OutcomeLabel, ReasonLabel};

/// Where news goes.
pub struct Herald {
    pub metrics: Upkeep,
    pub audit: Audit,
    pub events: Recorder,
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
        let Some((event, message)) = said(news, entry) else {
            return;
        };
        // Each pod may have an owner of its own who looks at it; the recorder bounds and paces what they come to.
        for live in pods.filter(|live| concerns(news, live)) {
            self.events.record_once(Notice {
                pod: live.pod.clone(),
                warning: true,
                reason: event.into(),
                message: message.clone(),
            });
        }
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

/// A sidecar answers the end of a token's life by itself.
fn concerns(news: News, live: &LivePod) -> bool {
    !(live.refreshed && news == News::EndsSoon)
}

/// What a pod's owner should know, and can do.
fn said(news: News, entry: &Entry) -> Option<(&'static str, String)> {
    let key = &entry.place.key;
    let State::Live(live) = entry.state else {
        return None;
    };
    let whose = format!("the Hadoop token of user {} for {}", key.user, key.service);
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

    fn entry() -> Entry {
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
            worn: None,
        };
        Entry {
            place,
            version: "1".into(),
            state: State::Live(live),
        }
    }

    #[test]
    fn every_pod_of_a_large_job_hears() {
        let metrics = Metrics::new(&mut Registry::default());
        let (events, mut waiting) = Recorder::new(metrics.clone());
        let herald = Herald {
            metrics: metrics.upkeep.clone(),
            audit: Audit::to(std::io::sink(), Clock::system()),
            events,
        };
        let pods: Vec<_> = (0..1000).map(|uid| pod(&format!("u{uid}"), "a")).collect();
        herald.tell(News::Lost, &entry(), pods.iter());
        let heard = std::iter::from_fn(|| waiting.next().now_or_never().flatten());
        assert_eq!((heard.count(), metrics.events_dropped.get()), (1000, 0));
    }

    #[test]
    fn a_refreshed_pod_is_not_told_to_go() {
        let refreshed = LivePod {
            refreshed: true,
            ..pod("u1", "a")
        };
        assert!(concerns(News::EndsSoon, &pod("u1", "a")));
        assert!(!concerns(News::EndsSoon, &refreshed));
        assert!(concerns(News::Lost, &refreshed));
    }
}
