//! Watches of live pods and of the ledger's Secrets: metadata only, so that a hundred thousand of them fit.

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{Config, Event, Result as Watched};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use kube2hadoop_stamp::{PodClaims, names};

use crate::attest::PodRef;
use crate::ledger::record::Entry;
use crate::ledger::secrets::{self, TYPE};
use crate::lifecycle::jobs::LivePod;

/// An ended pod leaves the selection, which a watch reports as its deletion.
const NOT_ENDED: &str = "status.phase!=Succeeded,status.phase!=Failed";
/// A connection that went silent is noticed so many seconds later, and those that the client adds.
const PATIENCE: u32 = 60;

/// What a watch says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting<T> {
    /// A list begins, …
    Restart,
    Seen(T),
    /// By name for a record, by uid for a pod.
    Gone(String),
    /// … and is complete.
    Complete,
    /// Nothing is seen until it recovers.
    Trouble(String),
}

/// For how long a server keeps a watch of pods open. A job that ended loses its tokens a grace later, so silence that
/// may hide a new pod of it is noticed within one.
#[must_use]
pub fn patience(grace_seconds: u64) -> u32 {
    u32::try_from(grace_seconds).map_or(PATIENCE, |grace| grace.min(PATIENCE))
}

/// All live injected pods of the cluster.
#[must_use]
pub fn pods(client: Client, patience: u32) -> BoxStream<'static, Sighting<LivePod>> {
    let selection = Config::default()
        .labels(&format!("{}=true", names::INJECTED_LABEL))
        .fields(NOT_ENDED)
        .timeout(patience);
    let api: Api<PartialObjectMeta<Pod>> = Api::all(client);
    let events = watcher(api, selection).default_backoff();
    sightings(events, live_pod, |meta| meta.uid.clone()).boxed()
}

/// All records of the ledger.
#[must_use]
pub fn entries(client: Client, namespace: &str) -> BoxStream<'static, Sighting<Entry>> {
    let selection = Config::default()
        .fields(&format!("type={TYPE}"))
        .timeout(PATIENCE);
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(client, namespace);
    let events = watcher(api, selection).default_backoff();
    sightings(events, secrets::entry, |meta| meta.name.clone()).boxed()
}

fn sightings<K: Resource, T: Send>(
    events: impl Stream<Item = Watched<Event<K>>> + Send,
    read: fn(&ObjectMeta) -> Option<T>,
    id: fn(&ObjectMeta) -> Option<String>,
) -> impl Stream<Item = Sighting<T>> + Send {
    events.filter_map(move |event| {
        let sighting = match event {
            Ok(Event::Init) => Some(Sighting::Restart),
            Ok(Event::InitDone) => Some(Sighting::Complete),
            Ok(Event::Apply(it) | Event::InitApply(it)) => read(it.meta()).map(Sighting::Seen),
            Ok(Event::Delete(it)) => id(it.meta()).map(Sighting::Gone),
            Err(error) => Some(Sighting::Trouble(crate::chain::text(&error))),
        };
        futures::future::ready(sighting)
    })
}

/// The job stands in the stamp. It is read without verification: whoever could forge one would only keep a token
/// alive until its maximum date, while a signing key that was taken out must not end the jobs that run.
fn live_pod(meta: &ObjectMeta) -> Option<LivePod> {
    let notes = meta.annotations.as_ref()?;
    let claims = PodClaims::unverified(notes.get(names::STAMP)?)?;
    let namespace = meta.namespace.clone()?;
    if claims.ns != namespace {
        return None;
    }
    let uid = meta.uid.clone()?;
    Some(LivePod {
        job: claims.job_id(&uid),
        refreshed: notes.get(names::REFRESH).is_some_and(|it| it == "enabled"),
        pod: PodRef {
            namespace,
            name: meta.name.clone()?,
            uid,
        },
    })
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use kube2hadoop_stamp::{ObjectName, SigningKey};

    use super::*;
    use crate::lifecycle::timing::SETTLE_MILLIS;

    fn stamped(namespace: &str) -> Pod {
        let claims = PodClaims {
            iss: "k2h".into(),
            ns: "team".into(),
            sa: "default".into(),
            sub: "alice".parse().unwrap(),
            submitter: "alice@example.com".into(),
            pod: ObjectName::Name("p".into()),
            origin: None,
            job: None,
            iat: 0,
        };
        let stamp = SigningKey::generate().unwrap().sign_pod(&claims).unwrap();
        Pod {
            metadata: ObjectMeta {
                name: Some("p".into()),
                namespace: Some(namespace.into()),
                uid: Some("u1".into()),
                annotations: Some([(names::STAMP.to_owned(), stamp)].into()),
                ..ObjectMeta::default()
            },
            ..Pod::default()
        }
    }

    /// What kube's watcher adds to a server's time before it takes a watch for dead.
    const MARGIN: u64 = 5;

    #[test]
    fn a_watch_that_went_silent_is_noticed_before_tokens_are_cancelled() {
        for grace in [5, 10, 59, 60, 61, 3600, u64::MAX / 1000] {
            let noticed = u64::from(patience(grace)) + MARGIN;
            let cancelled = grace + SETTLE_MILLIS / 1000;
            assert!(noticed < cancelled, "{grace}: {noticed}");
        }
    }

    #[tokio::test]
    async fn events_become_sightings_and_strange_pods_none() {
        let mut unstamped = stamped("team");
        unstamped.metadata.annotations = None;
        let events = vec![
            Ok(Event::Init),
            Ok(Event::InitApply(stamped("team"))),
            Ok(Event::Apply(stamped("elsewhere"))),
            Ok(Event::Apply(unstamped)),
            Ok(Event::InitDone),
            Ok(Event::Delete(stamped("team"))),
            Err(kube::runtime::watcher::Error::NoResourceVersion),
        ];
        let id = |meta: &ObjectMeta| meta.uid.clone();
        let seen: Vec<_> = sightings(stream::iter(events), live_pod, id)
            .collect()
            .await;
        let [restart, pod, complete, gone, trouble] = seen.as_slice() else {
            panic!("{seen:?}");
        };
        assert_eq!(
            (restart, complete),
            (&Sighting::Restart, &Sighting::Complete)
        );
        assert_eq!(gone, &Sighting::Gone("u1".into()));
        assert!(matches!(trouble, Sighting::Trouble(_)));
        let Sighting::Seen(pod) = pod else {
            panic!("{pod:?}");
        };
        assert_eq!(pod.job.as_str(), "team/Pod/u1");
    }
}
