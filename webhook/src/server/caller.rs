//! The facts about who asks that only the API server knows. Most requests need none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube2hadoop_stamp::{PodClaims, PodFacts, names};

use crate::admission::{Caller, Keys, Policy};
use crate::review::Request;

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
/// Well inside the API server's own patience with us.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between creation and stamp of the asking pod, in seconds; as the fetcher's default.
const WINDOW: u64 = 30;

/// What is asked of the API server.
pub trait Cluster: Send + Sync {
    /// The pod, or none where there is none or it cannot be read.
    fn pod(&self, namespace: String, name: String) -> BoxFuture<'_, Option<Pod>>;
    /// The namespace, likewise.
    fn namespace(&self, name: String) -> BoxFuture<'_, Option<Namespace>>;
}

impl Cluster for kube::Client {
    fn pod(&self, namespace: String, name: String) -> BoxFuture<'_, Option<Pod>> {
        let api = kube::Api::namespaced(self.clone(), &namespace);
        Box::pin(async move { api.get_opt(&name).await.ok().flatten() })
    }

    fn namespace(&self, name: String) -> BoxFuture<'_, Option<Namespace>> {
        let api = kube::Api::all(self.clone());
        Box::pin(async move { api.get_opt(&name).await.ok().flatten() })
    }
}

/// Looks callers up.
pub struct Callers {
    cluster: Arc<dyn Cluster>,
    /// Are the guards in place? Without them a pod-bound token proves nothing.
    guarded: Arc<AtomicBool>,
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callers").finish_non_exhaustive()
    }
}

impl Callers {
    /// `guarded` is kept up to date by whoever watches the guards.
    pub fn new(cluster: Arc<dyn Cluster>, guarded: Arc<AtomicBool>) -> Self {
        Self { cluster, guarded }
    }

    /// The facts that the decision on this request needs.
    pub async fn find(&self, request: &Request<'_>, policy: &Policy, keys: &Keys) -> Caller {
        let Some((namespace, account)) = service_account(&request.user_info.username) else {
            return Caller::default();
        };
        let kind = &request.kind;
        if policy.identity.trusted_controllers.serve(
            &request.user_info.username,
            &kind.group,
            &kind.kind,
        ) {
            return Caller::default();
        }
        if request.user_info.is_pod() {
            let pod = self
                .pod(request, namespace, account, &policy.issuer, keys)
                .await;
            return Caller {
                pod,
                ..Caller::default()
            };
        }
        Caller {
            service_account_in_scope: self.in_scope(namespace).await,
            ..Caller::default()
        }
    }

    /// What cannot be read counts as in scope: that is the answer which gives nothing away.
    async fn in_scope(&self, namespace: &str) -> bool {
        let found =
            tokio::time::timeout(PATIENCE, self.cluster.namespace(namespace.to_owned())).await;
        let Ok(Some(namespace)) = found else {
            return true;
        };
        let labels = namespace.metadata.labels.unwrap_or_default();
        labels
            .get(names::INJECT_LABEL)
            .is_some_and(|value| value != "disabled")
    }

    async fn pod(
        &self,
        request: &Request<'_>,
        namespace: &str,
        account: &str,
        issuer: &str,
        keys: &Keys,
    ) -> Option<PodClaims> {
        if !self.guarded.load(Ordering::Relaxed) {
            return None;
        }
        let extra = request.user_info.extra.as_ref()?;
        let ([name], [uid]) = (extra.pod_name.as_slice(), extra.pod_uid.as_slice()) else {
            return None;
        };
        let found = self.cluster.pod(namespace.to_owned(), name.to_string());
        let pod = tokio::time::timeout(PATIENCE, found).await.ok().flatten()?;
        stamped(&pod, account, uid, issuer, keys)
    }
}

/// The pod's verified claims, with the job that its own submissions belong to.
fn stamped(pod: &Pod, account: &str, uid: &str, issuer: &str, keys: &Keys) -> Option<PodClaims> {
    let metadata = &pod.metadata;
    let own = pod.spec.as_ref()?.service_account_name.as_deref()?;
    if metadata.uid.as_deref() != Some(uid) || own != account {
        return None;
    }
    let stamp = metadata.annotations.as_ref()?.get(names::STAMP)?;
    let mut claims = keys.verifying.verify_pod(stamp, issuer).ok()?;
    let facts = PodFacts {
        namespace: metadata.namespace.as_deref()?,
        service_account: own,
        name: metadata.name.as_deref()?,
        generate_name: metadata.generate_name.as_deref(),
        created_at: u64::try_from(metadata.creation_timestamp.as_ref()?.0.as_second()).ok()?,
    };
    claims.check_pod(&facts, WINDOW).ok()?;
    claims.job = Some(claims.job_id(uid));
    Some(claims)
}

/// Namespace and name in `system:serviceaccount:NAMESPACE:NAME`.
fn service_account(username: &str) -> Option<(&str, &str)> {
    username.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')
}
