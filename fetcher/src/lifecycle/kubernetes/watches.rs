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
/// How many seconds of a grace are left for what was missed to be said.
const SPARE: u64 = 2;

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

/// For how many seconds a server keeps a watch of pods open. A job that ended loses its tokens a grace later, so silence
/// that may hide a new pod of it is noticed before: the watch is open again by then, or has failed.
#[must_use]
pub fn patience(grace_seconds: u64) -> u32 {
    let earlier = grace_seconds.saturating_sub(SPARE);
    // None at all would be without end.
    u32::try_from(earlier).map_or(PATIENCE, |earlier| earlier.clamp(1, PATIENCE))
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
mod tests;
