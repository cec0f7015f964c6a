//! Watches what others may change, so that the next round of upkeep does not wait for its time.

use std::fmt::Debug;
use std::sync::Arc;

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube2hadoop_runtime::shutdown::Shutdown;
use tokio::sync::Notify;

use super::shared::Shared;

/// Metadata is enough to tell that something changed, and keeps key material out of one more place.
type Changes<K> = Api<PartialObjectMeta<K>>;

/// Watches the registration, the CA and the signing keys, until shutdown.
pub(super) fn spawn(shared: &Shared, wake: &Arc<Notify>, shutdown: &Shutdown) {
    let configurations: Changes<MutatingWebhookConfiguration> = Api::all(shared.watches.clone());
    let name = shared.webhook_configuration.clone();
    let configuration = watch(configurations, name, Arc::clone(wake));
    let [ca, keys] = [&shared.secrets.ca, &shared.secrets.signing_keys].map(|name| {
        let secrets: Changes<Secret> = Api::namespaced(shared.watches.clone(), &shared.namespace);
        watch(secrets, name.clone(), Arc::clone(wake))
    });
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = futures::future::join3(configuration, ca, keys) => {}
            () = shutdown.requested() => {}
        }
    });
}

async fn watch<K>(objects: Changes<K>, name: String, wake: Arc<Notify>)
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + Send + 'static,
{
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let events = watcher(objects, only).default_backoff();
    pin_mut!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(_) => wake.notify_one(),
            Err(error) => {
                tracing::warn!(%error, name, "cannot watch; changes are seen a little later");
            }
        }
    }
}
