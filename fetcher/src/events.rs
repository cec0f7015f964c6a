//! Kubernetes Events on the pod, so that its owner sees what happened without our logs.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::mpsc;

use crate::attest::PodRef;
use crate::metrics::Metrics;

/// Events wait here; what does not fit is dropped, since they are a courtesy.
const QUEUE: usize = 1024;
/// The API server's own limit of an Event's message.
const MAX_MESSAGE: usize = 1024;

/// What is told about a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub pod: PodRef,
    pub warning: bool,
    pub reason: String,
    pub message: String,
}

/// Takes notices without ever waiting.
#[derive(Clone)]
pub struct Recorder {
    queue: Option<mpsc::Sender<Notice>>,
    metrics: Metrics,
}

impl Recorder {
    /// A recorder, and the queue that [`send_all`] empties.
    #[must_use]
    pub fn new(metrics: Metrics) -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (
            Self {
                queue: Some(sender),
                metrics,
            },
            receiver,
        )
    }

    /// A recorder that records nothing.
    #[must_use]
    pub fn silent(metrics: Metrics) -> Self {
        Self {
            queue: None,
            metrics,
        }
    }

    pub fn record(&self, notice: Notice) {
        if let Some(queue) = &self.queue
            && queue.try_send(notice).is_err()
        {
            self.metrics.events_dropped.inc();
        }
    }
}

/// Sends notices, one after the other, until the recorder is gone.
pub async fn send_all(client: Client, mut queue: mpsc::Receiver<Notice>, metrics: Metrics) {
    while let Some(notice) = queue.recv().await {
        let api: Api<Event> = Api::namespaced(client.clone(), &notice.pod.namespace);
        if let Err(error) = api
            .create(&PostParams::default(), &event(notice, Timestamp::now()))
            .await
        {
            metrics.events_dropped.inc();
            tracing::debug!(%error, "an Event was not sent");
        }
    }
}

fn event(notice: Notice, at: Timestamp) -> Event {
    let PodRef {
        namespace,
        name,
        uid,
    } = notice.pod;
    // Names of Events are prefixes plus five characters, and a pod's name may be as long as both.
    let prefix: String = name.chars().take(200).collect();
    Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{prefix}.")),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Pod".into()),
            namespace: Some(namespace),
            name: Some(name),
            uid: Some(uid),
            ..ObjectReference::default()
        },
        type_: Some(if notice.warning { "Warning" } else { "Normal" }.into()),
        reason: Some(notice.reason),
        message: Some(notice.message.chars().take(MAX_MESSAGE).collect()),
        source: Some(EventSource {
            component: Some("kube2hadoop-fetcher".into()),
            ..EventSource::default()
        }),
        first_timestamp: Some(Time(at)),
        last_timestamp: Some(Time(at)),
        count: Some(1),
        ..Event::default()
    }
}

/// `stamp-clock` → `StampClock`: Events' reasons are written so.
#[must_use]
pub fn reason(slug: &str) -> String {
    slug.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(name: &str, message: &str) -> Notice {
        Notice {
            pod: PodRef {
                namespace: "team".into(),
                name: name.into(),
                uid: "u1".into(),
            },
            warning: true,
            reason: reason("stamp-clock"),
            message: message.into(),
        }
    }

    #[test]
    fn an_event_is_about_the_pod() {
        let made = event(notice("web-0", "no stamp"), Timestamp::UNIX_EPOCH);
        assert_eq!(made.involved_object.uid.as_deref(), Some("u1"));
        assert_eq!(made.metadata.generate_name.as_deref(), Some("web-0."));
        assert_eq!(made.reason.as_deref(), Some("StampClock"));
        assert_eq!(made.type_.as_deref(), Some("Warning"));
    }

    #[test]
    fn limits_of_the_api_server_are_kept() {
        let made = event(
            notice(&"p".repeat(253), &"é".repeat(3000)),
            Timestamp::UNIX_EPOCH,
        );
        assert!(made.metadata.generate_name.unwrap().len() <= 248);
        assert_eq!(made.message.unwrap().chars().count(), 1024);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let metrics = Metrics::new(&mut prometheus_client::registry::Registry::default());
        let (recorder, _queue) = Recorder::new(metrics.clone());
        for _ in 0..QUEUE + 3 {
            recorder.record(notice("a", "b"));
        }
        assert_eq!(metrics.events_dropped.get(), 3);
    }
}
