//! Kubernetes Events on the pod, so that its owner sees what happened without our logs.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::attest::PodRef;
use crate::metrics::Metrics;

/// So many wait that a pod hears when it asks; what does not fit is dropped, since it is a courtesy, and the next try
/// says it again.
const QUEUE: usize = 1024;
/// So many wait that are said once only: those of the largest jobs, about 10 MB.
const ONCE_QUEUE: usize = 16_384;
/// The API server has other work: no more than a hundred Events in a second.
const PACE: Duration = Duration::from_millis(10);
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
    queues: Option<Senders>,
    metrics: Metrics,
}

/// Three queues, so that nothing pushes out what matters more.
#[derive(Clone)]
struct Queues<T> {
    /// Warnings that nobody says again.
    once: T,
    /// Warnings that the next try brings again.
    warnings: T,
    ordinary: T,
}

type Senders = Queues<mpsc::Sender<Notice>>;

/// The notices that wait to be sent.
pub struct Waiting(Queues<mpsc::Receiver<Notice>>);

impl Waiting {
    /// The next one, by its weight; none once the recorder is gone.
    pub async fn next(&mut self) -> Option<Notice> {
        let Queues {
            once,
            warnings,
            ordinary,
        } = &mut self.0;
        tokio::select! {
            biased;
            Some(notice) = once.recv() => Some(notice),
            Some(notice) = warnings.recv() => Some(notice),
            Some(notice) = ordinary.recv() => Some(notice),
            else => None,
        }
    }
}

impl Recorder {
    /// A recorder, and what [`send_all`] sends.
    #[must_use]
    pub fn new(metrics: Metrics) -> (Self, Waiting) {
        let (once, all_once) = mpsc::channel(ONCE_QUEUE);
        let (warnings, all_warnings) = mpsc::channel(QUEUE);
        let (ordinary, all_ordinary) = mpsc::channel(QUEUE);
        let queues = Queues {
            once,
            warnings,
            ordinary,
        };
        let waiting = Queues {
            once: all_once,
            warnings: all_warnings,
            ordinary: all_ordinary,
        };
        let recorder = Self {
            queues: Some(queues),
            metrics,
        };
        (recorder, Waiting(waiting))
    }

    /// A recorder that records nothing.
    #[must_use]
    pub fn silent(metrics: Metrics) -> Self {
        Self {
            queues: None,
            metrics,
        }
    }

    /// Takes what a pod hears of its request.
    pub fn record(&self, notice: Notice) {
        if notice.warning {
            self.put(notice, |queues| &queues.warnings);
        } else {
            self.put(notice, |queues| &queues.ordinary);
        }
    }

    /// Takes what is said once only.
    pub fn record_once(&self, notice: Notice) {
        self.put(notice, |queues| &queues.once);
    }

    fn put(&self, notice: Notice, queue: fn(&Senders) -> &mpsc::Sender<Notice>) {
        if let Some(queues) = &self.queues
            && queue(queues).try_send(notice).is_err()
        {
            self.metrics.events_dropped.inc();
        }
    }
}

/// Sends notices, one after the other, until the recorder is gone; the client's calls must end whatever becomes of the
/// API server. That a right is missing is said once, until one is sent again.
pub(crate) async fn send_all(client: Client, mut waiting: Waiting, metrics: Metrics) {
    let mut said = false;
    while let Some(notice) = waiting.next().await {
        let (sent, ()) = tokio::join!(send(&client, notice), sleep(PACE));
        let Err(error) = sent else {
            said = false;
            continue;
        };
        metrics.events_dropped.inc();
        tracing::debug!(%error, "an Event was not sent");
        if is_forbidden(&error) && !std::mem::replace(&mut said, true) {
            tracing::warn!(%error, "pods hear nothing: let kube2hadoop-fetcher create events in their namespaces");
        }
    }
}

/// By RBAC: a namespace that is being deleted takes none either.
fn is_forbidden(error: &kube::Error) -> bool {
    let denied = |message: &str| message.contains("cannot create resource");
    matches!(error, kube::Error::Api(status) if status.code == 403 && denied(&status.message))
}

async fn send(client: &Client, notice: Notice) -> kube::Result<()> {
    let api: Api<Event> = Api::namespaced(client.clone(), &notice.pod.namespace);
    let event = event(notice, Timestamp::now());
    api.create(&PostParams::default(), &event).await.map(drop)
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
pub(crate) fn reason(slug: &str) -> String {
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
    use std::convert::Infallible;

    use http::{Request, Response};
    use http_body_util::BodyExt;
    use kube::client::Body;
    use kube2hadoop_runtime::api_server::Clients;
    use tokio::time::timeout;

    use super::*;

    fn recorder() -> (Recorder, Waiting, Metrics) {
        let metrics = Metrics::new(&mut prometheus_client::registry::Registry::default());
        let (recorder, waiting) = Recorder::new(metrics.clone());
        (recorder, waiting, metrics)
    }

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
        let (recorder, _waiting, metrics) = recorder();
        for _ in 0..QUEUE + 3 {
            recorder.record(notice("a", "b"));
        }
        assert_eq!(metrics.events_dropped.get(), 3);
    }

    #[tokio::test]
    async fn what_matters_more_is_neither_pushed_out_nor_kept_waiting() {
        let (recorder, mut waiting, metrics) = recorder();
        let issued = Notice {
            warning: false,
            ..notice("issued", "")
        };
        for _ in 0..QUEUE {
            recorder.record(issued.clone());
            recorder.record(notice("refused", ""));
        }
        recorder.record_once(notice("lost", ""));
        let mut order = Vec::new();
        for _ in 0..2 * QUEUE + 1 {
            order.push(waiting.next().await.unwrap().pod.name);
        }
        order.dedup();
        assert_eq!(order, ["lost", "refused", "issued"]);
        assert_eq!(metrics.events_dropped.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_holds_up_the_others_for_a_while_only() {
        let (recorder, waiting, metrics) = recorder();
        let (told, mut heard) = mpsc::unbounded_channel();
        let server = tower::service_fn(move |request: Request<Body>| {
            let told = told.clone();
            async move {
                if request.uri().path().contains("/silent/") {
                    std::future::pending::<()>().await;
                }
                let body = request.into_body().collect().await.unwrap().to_bytes();
                told.send(body.clone()).unwrap();
                Ok::<_, Infallible>(Response::new(Body::from(body.to_vec())))
            }
        });
        let mut silent = notice("web-0", "");
        silent.pod.namespace = "silent".into();
        recorder.record_once(silent);
        recorder.record(notice("web-1", ""));
        let client = Clients::new(Client::new(server, "default")).calls;
        tokio::spawn(send_all(client, waiting, metrics.clone()));
        let event = timeout(Duration::from_secs(10), heard.recv())
            .await
            .unwrap()
            .unwrap();
        let event: Event = serde_json::from_slice(&event).unwrap();
        assert_eq!(event.involved_object.name.as_deref(), Some("web-1"));
        assert_eq!(metrics.events_dropped.get(), 1);
    }
}
