//! Why a pod gets no token, and what the wire says of it.

use kube2hadoop_client::contract::ProblemType;
use kube2hadoop_stamp::StampError;
use thiserror::Error;

use crate::service::InvalidServiceName;

/// Each message tells what to change: it ends in the pod's termination message.
#[derive(Debug, Error)]
pub enum Refusal {
    #[error(
        "the token of the pod was refused: {reason}; mount a projected token of this service's audience"
    )]
    TokenRejected { reason: String },
    #[error(
        "the API server does not find the pod of the token: {reason}; try again. A pod that was deleted gets no more tokens"
    )]
    PodUnconfirmed { reason: String },
    #[error(
        "the token is not bound to a pod on a node; use the token that the kubelet projects into the pod"
    )]
    NotAPod,
    #[error("pods of namespace {namespace} get no Hadoop tokens; run it in another namespace")]
    NamespaceExcluded { namespace: String },
    #[error("pod {pod} is not known to the API server yet, or was deleted; try again")]
    PodNotFound { pod: String },
    #[error("pod {pod} was replaced by another of its name; ask with the new pod's token")]
    PodReplaced { pod: String },
    #[error("pod {pod} is not known to run on a node yet; try again")]
    PodNotBound { pod: String },
    #[error(
        "pod {pod} runs on another node than its token says; delete the pod and let it be made again"
    )]
    NodeMismatch { pod: String },
    #[error(
        "pod {pod} runs as another service account than its token says; use the token that the kubelet projects into it"
    )]
    ServiceAccountMismatch { pod: String },
    #[error("the address of pod {pod} is not known to the API server yet; try again")]
    AddressUnknown { pod: String },
    #[error(
        "the request does not come from the address of pod {pod}; ask from within the pod. Where addresses are translated on the way, let Kube2Hadoop inject the pod, and the administrator leave fetcher.attestPodIp off (attestation.podIp in fetcher.yaml)"
    )]
    AddressMismatch { pod: String },
    #[error(
        "pod {pod} is on the host network, where its address proves nothing; take it off, or let Kube2Hadoop inject it"
    )]
    HostNetwork { pod: String },
    #[error("pod {pod} has ended (phase {phase}); tokens are for pods that are pending or running")]
    PodEnded { pod: String, phase: String },
    #[error(
        "pod {pod} is a static pod's mirror, which nobody submitted; submit it through the API server"
    )]
    MirrorPod { pod: String },
    #[error(
        "pod {pod} is a Windows pod, which gets no token; set spec.os.name to linux if it is not"
    )]
    WindowsPod { pod: String },
    #[error(
        "pod {pod} carries no stamp: it was made without the webhook; label its namespace kube2hadoop.io/inject=enabled and make the pod again"
    )]
    NoStamp { pod: String },
    #[error("the pod's stamp is not valid here: {0}; make the pod again, through the webhook")]
    StampInvalid(#[source] StampError),
    #[error(
        "the pod's stamp cannot be verified yet: {0}; try again, and if that does not help make the pod again"
    )]
    StampKeyUnknown(#[source] StampError),
    #[error(
        "the pod's stamp and its creation time are too far apart: {0}; make the pod again, and if that does not help set the clocks of webhook and API server right"
    )]
    StampClock(#[source] StampError),
    #[error("Hadoop user {user} is on the deny list; run the pod as another user")]
    UserDenied { user: String },
    #[error("the pod's annotation kube2hadoop.io/services cannot be read: {0}")]
    ServicesAnnotation(#[source] InvalidServiceName),
    #[error("no stamp keys are loaded yet; try again, or see the readiness of kube2hadoop-fetcher")]
    StampKeysMissing,
    #[error("the API server cannot be asked about the pod: {reason}; try again")]
    ApiUnavailable { reason: String },
    #[error(
        "this service may not ask the API server about pods: {reason}; give kube2hadoop-fetcher its ClusterRole"
    )]
    ApiForbidden { reason: String },
}

impl Refusal {
    pub(super) fn from_stamp(error: StampError) -> Self {
        match error {
            StampError::Clock { .. } => Self::StampClock(error),
            // A new key is signed with moments before every replica has read it.
            StampError::UnknownKey(_) => Self::StampKeyUnknown(error),
            other => Self::StampInvalid(other),
        }
    }

    /// Stable name: the reason in audit, Events and metrics; finer than the problem's type.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.wire().0
    }

    /// What the wire says.
    #[must_use]
    pub fn problem_type(&self) -> ProblemType {
        self.wire().1
    }

    fn wire(&self) -> (&'static str, ProblemType) {
        use ProblemType as P;
        match self {
            Self::TokenRejected { .. } => ("token-rejected", P::Unauthenticated),
            Self::PodUnconfirmed { .. } => ("pod-unconfirmed", P::PodNotVisible),
            Self::NotAPod => ("token-not-of-a-pod", P::PodMismatch),
            Self::NamespaceExcluded { .. } => ("namespace-excluded", P::NamespaceExcluded),
            Self::PodNotFound { .. } => ("pod-not-found", P::PodNotVisible),
            Self::PodNotBound { .. } => ("pod-not-bound", P::PodNotVisible),
            Self::PodReplaced { .. } => ("pod-replaced", P::PodMismatch),
            Self::NodeMismatch { .. } => ("node-mismatch", P::PodMismatch),
            Self::ServiceAccountMismatch { .. } => ("service-account-mismatch", P::PodMismatch),
            Self::AddressUnknown { .. } => ("address-unknown", P::PodNotVisible),
            Self::AddressMismatch { .. } => ("address-mismatch", P::PodMismatch),
            Self::HostNetwork { .. } => ("host-network", P::UnsupportedPod),
            Self::PodEnded { .. } => ("pod-ended", P::PodMismatch),
            Self::MirrorPod { .. } => ("mirror-pod", P::UnsupportedPod),
            Self::WindowsPod { .. } => ("windows-pod", P::UnsupportedPod),
            Self::NoStamp { .. } => ("no-stamp", P::NotStamped),
            Self::StampInvalid(_) => ("stamp-invalid", P::StampInvalid),
            Self::StampKeyUnknown(_) => ("stamp-key-unknown", P::StampKeyUnknown),
            Self::StampClock(_) => ("stamp-clock", P::StampClock),
            Self::UserDenied { .. } => ("user-denied", P::UserDenied),
            Self::ServicesAnnotation(_) => ("services-annotation", P::ServiceNotGranted),
            Self::StampKeysMissing => ("stamp-keys-missing", P::StampKeyUnknown),
            Self::ApiUnavailable { .. } => ("api-unavailable", P::KubernetesUnavailable),
            // An operator's mistake, mended without touching the pod.
            Self::ApiForbidden { .. } => ("api-forbidden", P::KubernetesUnavailable),
        }
    }
}
