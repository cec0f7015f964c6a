//! The Lease of a cluster.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::lifecycle::election::{Claim, LeaseError, Leases};
use crate::lifecycle::lease::Seen;

/// The [`Leases`] of a cluster: one Lease by its name.
pub struct KubeLease {
    api: Api<Lease>,
    name: String,
}

impl KubeLease {
    /// The Lease of this name.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
        }
    }

    async fn write(
        &self,
        claim: Claim,
        version: Option<String>,
    ) -> Result<Option<Seen>, LeaseError> {
        let replaces = version.is_some();
        let lease = lease(&self.name, claim, version);
        let params = PostParams::default();
        let written = if replaces {
            self.api.replace(&self.name, &params, &lease).await
        } else {
            self.api.create(&params, &lease).await
        };
        match written {
            Ok(lease) => Ok(Some(seen(lease))),
            // Another was first; or, on a replace, somebody deleted it.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 404 && replaces => Ok(None),
            Err(error) => Err(LeaseError::Api(error)),
        }
    }
}

impl Leases for KubeLease {
    fn get(&self) -> BoxFuture<'_, Result<Option<Seen>, LeaseError>> {
        async move {
            let found = self.api.get_opt(&self.name).await;
            Ok(found.map_err(LeaseError::Api)?.map(seen))
        }
        .boxed()
    }

    fn put(
        &self,
        claim: Claim,
        version: Option<String>,
    ) -> BoxFuture<'_, Result<Option<Seen>, LeaseError>> {
        self.write(claim, version).boxed()
    }
}

fn lease(name: &str, claim: Claim, version: Option<String>) -> Lease {
    Lease {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            resource_version: version,
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: claim.holder,
            lease_duration_seconds: i32::try_from(claim.duration.as_secs()).ok(),
            lease_transitions: Some(claim.transitions),
            acquire_time: claim.acquired.map(MicroTime),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..LeaseSpec::default()
        }),
    }
}

fn seen(lease: Lease) -> Seen {
    let spec = lease.spec.unwrap_or_default();
    let seconds = spec
        .lease_duration_seconds
        .and_then(|it| u64::try_from(it).ok());
    Seen {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration: Duration::from_secs(seconds.unwrap_or(0)),
        transitions: spec.lease_transitions.unwrap_or(0),
        acquired: spec.acquire_time.map(|time| time.0),
        version: lease.metadata.resource_version.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_seen() {
        let claim = Claim {
            holder: Some("pod-a_1".into()),
            duration: Duration::from_secs(15),
            transitions: 4,
            acquired: Some(Timestamp::UNIX_EPOCH),
        };
        let read = seen(lease("l", claim.clone(), Some("7".into())));
        assert_eq!(read.holder, claim.holder);
        assert_eq!((read.duration, read.transitions), (claim.duration, 4));
        assert_eq!(
            (read.acquired, read.version.as_str()),
            (claim.acquired, "7")
        );
    }

    #[test]
    fn an_empty_holder_and_an_empty_lease_are_free() {
        let back = Claim {
            holder: Some(String::new()),
            duration: Duration::from_secs(15),
            transitions: 4,
            acquired: None,
        };
        assert_eq!(seen(lease("l", back, None)).holder, None);
        assert_eq!(seen(Lease::default()).holder, None);
    }
}
