//! The pod whose credential asks: what of it never changes, and so need not be read twice.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube2hadoop_stamp::{PodClaims, PodFacts, names};

use crate::admission::{Keys, Policy};

/// How long a pod that was read is remembered. What is remembered cannot change, its stamp least of all: the guards see
/// to that. Its credential dies with it.
pub(super) const REMEMBERED: Duration = Duration::from_secs(60);

/// Namespace, name and uid.
pub(super) type Key = (String, String, String);

/// A stamped pod, as far as its stamp is checked against it.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    namespace: String,
    name: String,
    uid: String,
    account: String,
    generate_name: Option<String>,
    /// Seconds since 1970.
    created_at: u64,
    stamp: String,
}

impl Asking {
    /// None where the pod carries no stamp.
    pub(super) fn of(pod: Pod) -> Option<Self> {
        let metadata = pod.metadata;
        Some(Self {
            stamp: metadata.annotations?.remove(names::STAMP)?,
            namespace: metadata.namespace?,
            name: metadata.name?,
            uid: metadata.uid?,
            account: pod.spec?.service_account_name?,
            generate_name: metadata.generate_name,
            created_at: u64::try_from(metadata.creation_timestamp?.0.as_second()).ok()?,
        })
    }

    /// Is it the pod that the credential names?
    pub(super) fn is(&self, (namespace, name, uid): &Key, account: &str) -> bool {
        (&self.namespace, &self.name, &self.uid) == (namespace, name, uid)
            && self.account == account
    }

    /// The verified claims, with the job that its own submissions belong to. Verified each time: a key may be taken out.
    pub(super) fn claims(&self, policy: &Policy, keys: &Keys) -> Option<PodClaims> {
        let verified = keys.verifying.verify_pod(&self.stamp, &policy.issuer);
        let mut claims = verified.ok()?;
        let facts = PodFacts {
            namespace: &self.namespace,
            service_account: &self.account,
            name: &self.name,
            generate_name: self.generate_name.as_deref(),
            created_at: self.created_at,
        };
        claims.check_pod(&facts, policy.stamp_window_seconds).ok()?;
        claims.job = Some(claims.job_id(&self.uid));
        Some(claims)
    }
}
