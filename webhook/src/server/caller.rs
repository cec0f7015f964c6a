//! The facts about who asks that only the API server knows. Most requests need none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube2hadoop_stamp::{PodClaims, names};

use super::asking::{self, Asking};
use super::authority::Authorities;
use super::cached::Cached;
use super::cluster::{Cluster, Unread};
use super::patience::Until;
use crate::admission::{Caller, Connect, Keys, Policy, Target, asks, is_way_in};
use crate::identity::SERVICE_ACCOUNT;
use crate::ldap::Directories;
use crate::review::{Operation, Request};

/// How long a connection may be refused without reading the pod anew.
const REFUSED: Duration = Duration::from_secs(5);
pub(super) const BOUND: usize = 1024;

/// Looks callers up.
pub struct Callers {
    cluster: Arc<dyn Cluster>,
    /// Are the guards in place? Without them a pod-bound token proves nothing.
    guarded: Arc<AtomicBool>,
    authorities: Authorities,
    /// By namespace and name, stamped pods that somebody was kept out of.
    targets: Cached<(String, String), Target>,
    asking: Cached<asking::Key, Asking>,
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callers").finish_non_exhaustive()
    }
}

impl Callers {
    /// `guarded` is kept up to date by whoever watches the guards.
    pub fn new(
        cluster: Arc<dyn Cluster>,
        directories: Arc<dyn Directories>,
        guarded: Arc<AtomicBool>,
    ) -> Self {
        Self {
            authorities: Authorities::new(Arc::clone(&cluster), directories),
            cluster,
            guarded,
            targets: Cached::new(BOUND),
            asking: Cached::new(BOUND),
        }
    }

    /// The facts that the decision on this request needs.
    pub async fn find(
        &self,
        request: &Request<'_>,
        policy: &Policy,
        keys: &Keys,
        until: Until,
    ) -> Caller {
        if request.operation == Operation::Connect {
            return self.connecting(request, policy, keys, until).await;
        }
        let (username, kind) = (&*request.user_info.username, &request.kind);
        let account = service_account(username);
        if account.is_some() && policy.identity.trusts(username, &kind.group, &kind.kind) {
            return Caller::default();
        }
        if request.user_info.is_pod() {
            return Caller {
                pod: self.asking_pod(request, policy, keys, until).await,
                ..Caller::default()
            };
        }
        let mut caller = Caller::default();
        if let Some((namespace, _)) = account {
            caller.service_account_in_scope = self.in_scope(namespace, until).await;
        }
        self.run_as(request, policy, &mut caller, until).await;
        caller
    }

    /// What cannot be read counts as in scope: that is the answer which gives nothing away.
    async fn in_scope(&self, namespace: &str, until: Until) -> bool {
        let Ok(Some(namespace)) = self.namespace(namespace, until).await else {
            return true;
        };
        let labels = namespace.metadata.labels.as_ref();
        let label = |key| labels.and_then(|labels| labels.get(key));
        label(names::INJECT_LABEL).is_some_and(|value| value != "disabled")
            || label(names::LEGACY_LABEL).is_some_and(|value| value == "enabled")
    }

    async fn namespace(&self, name: &str, until: Until) -> Result<Option<Arc<Namespace>>, Unread> {
        let found = self.cluster.namespace(name.to_owned());
        until.answer(found).await.unwrap_or(Err(Unread))
    }

    /// Whom the object asks to run as, or its namespace by default, and whether the caller may.
    async fn run_as(
        &self,
        request: &Request<'_>,
        policy: &Policy,
        caller: &mut Caller,
        until: Until,
    ) {
        let Some(namespace) = request.namespace.as_deref() else {
            return;
        };
        match self.namespace(namespace, until).await {
            Ok(found) => caller.namespace_run_as = found.as_deref().and_then(default_run_as),
            Err(Unread) => caller.namespace_unread = true,
        }
        let own = asks::run_as(request, &policy.kinds);
        let asked = own.as_ref().or(caller.namespace_run_as.as_ref());
        let username = &*request.user_info.username;
        let wish = asked.and_then(|asked| policy.identity.wish(username, asked));
        if let Some(wish) = wish {
            let run_as = &policy.identity.run_as;
            let in_scope = caller.service_account_in_scope;
            let found = self
                .authorities
                .find(request, namespace, run_as, wish, in_scope, until);
            caller.authority = Some(found.await);
        }
    }

    async fn connecting(
        &self,
        request: &Request<'_>,
        policy: &Policy,
        keys: &Keys,
        until: Until,
    ) -> Caller {
        let way = request.sub_resource.as_deref().unwrap_or_default();
        let (Some(namespace), Some(name)) = (&request.namespace, &request.name) else {
            return Caller::default();
        };
        if policy.connect == Connect::Allow || !is_way_in(way) {
            return Caller::default();
        }
        let pod = if request.user_info.is_pod() {
            self.asking_pod(request, policy, keys, until).await
        } else {
            None
        };
        let mut caller = Caller {
            pod,
            ..Caller::default()
        };
        let key = (namespace.to_string(), name.to_string());
        caller.target = self.targets.get(&key);
        // A name may pass to another pod meanwhile: what is remembered keeps out, and lets nobody in.
        if !caller.is_kept_out(request, &policy.identity) {
            caller.target = Some(self.target(&key, until).await);
        }
        if let Some(target @ Target::Stamped { .. }) = &caller.target
            && caller.is_kept_out(request, &policy.identity)
        {
            self.targets.put(key, target.clone(), REFUSED);
        }
        caller
    }

    async fn target(&self, (namespace, name): &(String, String), until: Until) -> Target {
        let found = self.cluster.pod(namespace.clone(), name.clone());
        match until.answer(found).await {
            Some(Ok(pod)) => pod.map_or(Target::Free, |pod| target(&pod)),
            Some(Err(Unread)) | None => Target::Unknown,
        }
    }

    /// The claims of the pod whose credential this is, if the user name is its service account.
    async fn asking_pod(
        &self,
        request: &Request<'_>,
        policy: &Policy,
        keys: &Keys,
        until: Until,
    ) -> Option<PodClaims> {
        let (namespace, account) = service_account(&request.user_info.username)?;
        // Where pods come into being unseen, what they carry is no proof.
        let excluded = policy.identity.excluded_namespaces.contains(namespace);
        if excluded || !self.guarded.load(Ordering::Relaxed) {
            return None;
        }
        let extra = request.user_info.extra.as_ref()?;
        let ([name], [uid]) = (extra.pod_name.as_slice(), extra.pod_uid.as_slice()) else {
            return None;
        };
        let key = (namespace.to_owned(), name.to_string(), uid.to_string());
        let known = self.asking.get(&key);
        let pod = match known.clone() {
            Some(pod) => pod,
            None => self.read_asking(&key, until).await?,
        };
        if !pod.is(&key, account) {
            return None;
        }
        let claims = pod.claims(policy, keys)?;
        if known.is_none() {
            self.asking.put(key, pod, asking::REMEMBERED);
        }
        Some(claims)
    }

    async fn read_asking(
        &self,
        (namespace, name, _): &asking::Key,
        until: Until,
    ) -> Option<Asking> {
        let found = self.cluster.pod(namespace.clone(), name.clone());
        Asking::of(until.answer(found).await?.ok()??)
    }
}

/// The user that a namespace asks for where an object asks for none.
fn default_run_as(namespace: &Namespace) -> Option<String> {
    let annotations = namespace.metadata.annotations.as_ref()?;
    annotations.get(names::RUN_AS).cloned()
}

/// Any stamp counts here, also of a key that was taken out since: the tokens are in the pod.
fn target(pod: &Pod) -> Target {
    let annotations = pod.metadata.annotations.as_ref();
    let annotation = |key| annotations.and_then(|all| all.get(key)).cloned();
    if annotation(names::STAMP).is_none() {
        return Target::Free;
    }
    Target::Stamped {
        user: annotation(names::USER).unwrap_or_default(),
        submitter: annotation(names::SUBMITTER).unwrap_or_default(),
    }
}

/// Namespace and name in `system:serviceaccount:NAMESPACE:NAME`.
fn service_account(username: &str) -> Option<(&str, &str)> {
    username.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')
}
