//! What the decision needs to know of a token and of a pod, cut out of the API's types.

use std::net::IpAddr;

use k8s_openapi::api::authentication::v1::TokenReviewStatus;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use kube2hadoop_stamp::names;

use super::{PodRef, Refusal};

const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// Set by the kubelet on its static pods' mirrors.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// The pod that a reviewed token is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundPod {
    pub namespace: String,
    pub service_account: String,
    pub name: String,
    pub uid: String,
    pub node: String,
}

impl BoundPod {
    /// `namespace/name`, for messages.
    #[must_use]
    pub fn display_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// As audit lines and Events name it.
    #[must_use]
    pub fn pod_ref(&self) -> PodRef {
        PodRef {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
        }
    }
}

/// Reads a TokenReview's answer.
///
/// # Errors
/// A token that was not accepted for our audience, or proves no pod on a node.
pub fn bound_pod(status: TokenReviewStatus, audience: &str) -> Result<BoundPod, Refusal> {
    if status.authenticated != Some(true) {
        return Err(rejected(status.error));
    }
    // An API server that knows no audiences answers without any: its yes would not be about us.
    if !status
        .audiences
        .unwrap_or_default()
        .iter()
        .any(|one| one == audience)
    {
        return Err(Refusal::TokenRejected {
            reason: format!("it is not for the audience {audience}"),
        });
    }
    let user = status.user.unwrap_or_default();
    let extra = user.extra.unwrap_or_default();
    let single = |key: &str| match extra.get(key).map(Vec::as_slice) {
        Some([value]) if !value.is_empty() => Some(value.clone()),
        _ => None,
    };
    let account = user.username.unwrap_or_default();
    let bound = || {
        let (namespace, service_account) = account
            .strip_prefix("system:serviceaccount:")?
            .split_once(':')?;
        Some(BoundPod {
            namespace: namespace.into(),
            service_account: service_account.into(),
            name: single(POD_NAME)?,
            uid: single(POD_UID)?,
            node: single(NODE_NAME)?,
        })
    };
    bound().ok_or(Refusal::NotAPod)
}

/// What an API server says of a token whose pod it did not find: deleted, or merely not read just then
/// (pkg/serviceaccount/claims.go of Kubernetes; texts of several authenticators stand in one list).
fn rejected(said: Option<String>) -> Refusal {
    const INVALIDATED: &str = "service account token has been invalidated";
    const OTHER_POD: [&str; 2] = ["pod UID (", "does not match service account pod ref claim"];
    let reason = said.unwrap_or_else(|| "it was not accepted".into());
    if reason.contains(INVALIDATED) || OTHER_POD.iter().all(|part| reason.contains(part)) {
        return Refusal::PodUnconfirmed { reason };
    }
    Refusal::TokenRejected { reason }
}

/// What a pod is, as far as the decision needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodView {
    pub namespace: String,
    pub name: String,
    pub generate_name: Option<String>,
    pub uid: String,
    /// None before the scheduler has bound it.
    pub node: Option<String>,
    pub service_account: String,
    pub phase: String,
    pub deleting: bool,
    /// No container of it is running, or waiting to.
    pub nothing_runs: bool,
    pub mirror: bool,
    pub windows: bool,
    /// It shares its node's addresses.
    pub host_network: bool,
    /// As the kubelet reported them; none at first.
    pub addresses: Vec<IpAddr>,
    /// Seconds since 1970.
    pub created_at: u64,
    pub stamp: Option<String>,
    pub services: Option<String>,
}

impl From<Pod> for PodView {
    fn from(pod: Pod) -> Self {
        let meta = pod.metadata;
        let spec = pod.spec.unwrap_or_default();
        let status = pod.status.unwrap_or_default();
        let mut annotations = meta.annotations.unwrap_or_default();
        let created = meta.creation_timestamp.map_or(0, |time| time.0.as_second());
        Self {
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            generate_name: meta.generate_name,
            uid: meta.uid.unwrap_or_default(),
            node: spec.node_name.filter(|node| !node.is_empty()),
            service_account: spec.service_account_name.unwrap_or_default(),
            nothing_runs: nothing_runs(&status),
            addresses: addresses(&status),
            phase: status.phase.unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
            mirror: annotations.contains_key(MIRROR),
            host_network: spec.host_network == Some(true),
            windows: spec
                .os
                .is_some_and(|os| os.name.eq_ignore_ascii_case("windows")),
            created_at: u64::try_from(created).unwrap_or(0),
            stamp: annotations.remove(names::STAMP),
            services: annotations.remove(names::SERVICES),
        }
    }
}

fn addresses(status: &PodStatus) -> Vec<IpAddr> {
    let all = status.pod_ips.iter().flatten().map(|it| it.ip.as_str());
    all.chain(status.pod_ip.as_deref())
        .filter_map(|address| address.parse().ok())
        .collect()
}

fn nothing_runs(status: &PodStatus) -> bool {
    let lists = [&status.init_container_statuses, &status.container_statuses];
    !lists.into_iter().flatten().flatten().any(is_live)
}

fn is_live(container: &ContainerStatus) -> bool {
    container
        .state
        .as_ref()
        .is_some_and(|state| state.running.is_some() || state.waiting.is_some())
}
