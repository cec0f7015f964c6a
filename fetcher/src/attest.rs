//! Bearer token → pod → verified stamp → a [`Grant`].
//!
//! The decision is pure ([`bound_pod`], [`grant`]); [`kubernetes`] gets the facts.

use std::collections::BTreeSet;
use std::net::IpAddr;

use futures::future::BoxFuture;
use kube2hadoop_stamp::{DenyList, HadoopUser, JobId, PodFacts, VerifyingKeys};

pub mod kubernetes;
mod pod_name;
mod refusal;
mod view;

pub use pod_name::{InvalidPodName, PodName};
pub use refusal::Refusal;
pub use view::{BoundPod, PodView, bound_pod};

use crate::bearer::BearerToken;
use crate::service::ServiceName;

/// Which pod asked, for events and audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// What a pod may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub user: HadoopUser,
    /// The Kubernetes user name behind it.
    pub submitter: String,
    /// What shares one token.
    pub job: JobId,
    /// The services of the pod's annotation; none: all that are configured.
    pub services: Option<BTreeSet<ServiceName>>,
    pub pod: PodRef,
}

/// A refusal, with the pod it concerns where that is proven.
#[derive(Debug)]
pub struct Denied {
    pub refusal: Refusal,
    pub pod: Option<PodRef>,
}

/// Proves who asks. A trait, so that the service is tested and measured without an API server.
pub trait Attestor: Send + Sync + 'static {
    /// `from` is where the request came from, as far as that is known.
    fn attest<'a>(
        &'a self,
        token: &'a BearerToken,
        from: Option<IpAddr>,
    ) -> BoxFuture<'a, Result<Grant, Denied>>;

    /// Legacy mode: the pod of this name, if the request comes from its address.
    fn attest_by_address<'a>(
        &'a self,
        pod: &'a PodName,
        from: Option<IpAddr>,
    ) -> BoxFuture<'a, Result<Grant, Denied>>;
}

/// What the operator decided about attestation.
#[derive(Debug, Clone)]
pub struct Terms {
    pub issuer: String,
    pub window_seconds: u64,
    pub excluded_namespaces: BTreeSet<String>,
    pub deny: DenyList,
    /// Whether requests must come from the pod's own address.
    pub pod_ip: bool,
}

/// Decides what the pod that a token proves may have; `pod` is what the API server knows of it, and `from` where the
/// request came from.
///
/// # Errors
/// The first condition that does not hold.
pub fn grant(
    bound: &BoundPod,
    pod: Option<&PodView>,
    from: Option<IpAddr>,
    keys: &VerifyingKeys,
    terms: &Terms,
) -> Result<Grant, Refusal> {
    check_namespace(&bound.namespace, terms)?;
    let pod = pod.ok_or_else(|| Refusal::PodNotFound {
        pod: bound.display_name(),
    })?;
    check_identity(bound, pod)?;
    check_kind_and_phase(pod)?;
    if terms.pod_ip {
        check_address(pod, from)?;
    }
    stamped(pod, keys, terms)
}

/// Decides what a pod may have that is proven by nothing but its address.
///
/// # Errors
/// The first condition that does not hold.
pub fn grant_by_address(
    pod: &PodView,
    from: Option<IpAddr>,
    keys: &VerifyingKeys,
    terms: &Terms,
) -> Result<Grant, Refusal> {
    check_namespace(&pod.namespace, terms)?;
    check_kind_and_phase(pod)?;
    if pod.host_network {
        return Err(Refusal::HostNetwork {
            pod: format!("{}/{}", pod.namespace, pod.name),
        });
    }
    check_address(pod, from)?;
    stamped(pod, keys, terms)
}

/// What the pod's stamp says, if it is valid and the pod's own.
fn stamped(pod: &PodView, keys: &VerifyingKeys, terms: &Terms) -> Result<Grant, Refusal> {
    let stamp = pod.stamp.as_deref().ok_or_else(|| Refusal::NoStamp {
        pod: format!("{}/{}", pod.namespace, pod.name),
    })?;
    let claims = keys
        .verify_pod(stamp, &terms.issuer)
        .map_err(Refusal::from_stamp)?;
    claims
        .check_pod(&facts(pod), terms.window_seconds)
        .map_err(Refusal::from_stamp)?;
    if terms.deny.contains(&claims.sub) {
        return Err(Refusal::UserDenied {
            user: claims.sub.to_string(),
        });
    }
    Ok(Grant {
        job: claims.job_id(&pod.uid),
        user: claims.sub,
        submitter: claims.submitter,
        services: pod.services.as_deref().map(parse_services).transpose()?,
        pod: PodRef {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
        },
    })
}

/// Pods of these namespaces never get a token, so their tokens need not even be looked into.
///
/// # Errors
/// [`Refusal::NamespaceExcluded`].
pub fn check_namespace(namespace: &str, terms: &Terms) -> Result<(), Refusal> {
    if terms.excluded_namespaces.contains(namespace) {
        return Err(Refusal::NamespaceExcluded {
            namespace: namespace.into(),
        });
    }
    Ok(())
}

/// The token and the pod must be about the same pod: a name alone may be taken again.
fn check_identity(bound: &BoundPod, pod: &PodView) -> Result<(), Refusal> {
    let name = || bound.display_name();
    if pod.uid != bound.uid {
        return Err(Refusal::PodReplaced { pod: name() });
    }
    match pod.node.as_deref() {
        // The kubelet mounts tokens after binding: a pod without a node is an old view of it.
        None => return Err(Refusal::PodNotBound { pod: name() }),
        Some(node) if node != bound.node => return Err(Refusal::NodeMismatch { pod: name() }),
        Some(_) => {}
    }
    if pod.service_account != bound.service_account {
        return Err(Refusal::ServiceAccountMismatch { pod: name() });
    }
    Ok(())
}

fn check_kind_and_phase(pod: &PodView) -> Result<(), Refusal> {
    let name = || format!("{}/{}", pod.namespace, pod.name);
    if pod.mirror {
        return Err(Refusal::MirrorPod { pod: name() });
    }
    if pod.windows {
        return Err(Refusal::WindowsPod { pod: name() });
    }
    let live = matches!(pod.phase.as_str(), "Pending" | "Running");
    if !live || (pod.deleting && pod.nothing_runs) {
        return Err(Refusal::PodEnded {
            pod: name(),
            phase: pod.phase.clone(),
        });
    }
    Ok(())
}

/// Proves nothing alone, since addresses are taken over; a stolen token is worth less where it is checked.
fn check_address(pod: &PodView, from: Option<IpAddr>) -> Result<(), Refusal> {
    let name = || format!("{}/{}", pod.namespace, pod.name);
    if pod.addresses.is_empty() {
        return Err(Refusal::AddressUnknown { pod: name() });
    }
    match from.filter(|from| pod.addresses.contains(from)) {
        Some(_) => Ok(()),
        None => Err(Refusal::AddressMismatch { pod: name() }),
    }
}

fn facts(pod: &PodView) -> PodFacts<'_> {
    PodFacts {
        namespace: &pod.namespace,
        service_account: &pod.service_account,
        name: &pod.name,
        generate_name: pod.generate_name.as_deref(),
        created_at: pod.created_at,
    }
}

fn parse_services(annotation: &str) -> Result<BTreeSet<ServiceName>, Refusal> {
    annotation
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| name.parse().map_err(Refusal::ServicesAnnotation))
        .collect()
}

#[cfg(test)]
mod tests;
