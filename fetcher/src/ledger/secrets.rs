//! The shared ledger: one Secret of type kube2hadoop.io/delegation-token for each key.
//!
//! The name is a hash; labels are what people select by, annotations what they read.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client};
use tokio::time::timeout;

use super::place::Place;
use super::record::{Entry, Live, Record, State, Versioned};
use super::store::{Store, StoreError, Written};

mod form;

/// The Secrets' type: nothing else of the cluster mistakes them for its own.
pub const TYPE: &str = "kube2hadoop.io/delegation-token";
const LIMIT: Duration = Duration::from_secs(5);

/// When tokens under this name will be renewed, if they will be; for people, who read it on the Secret.
pub type NextRenewal = Arc<dyn Fn(&Live, &str) -> Option<u64> + Send + Sync>;

/// The [`Store`] of a cluster.
pub struct Secrets {
    api: Api<Secret>,
    next_renewal: Option<NextRenewal>,
}

impl Secrets {
    /// The Secrets of this namespace.
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            next_renewal: None,
        }
    }

    /// Notes on each record when it will be renewed.
    #[must_use]
    pub fn noting(mut self, next_renewal: NextRenewal) -> Self {
        self.next_renewal = Some(next_renewal);
        self
    }

    fn next_renewal(&self, place: &Place, record: &Record) -> Option<u64> {
        match State::of(record) {
            State::Live(live) => self.next_renewal.as_ref()?(&live, place.name()),
            State::Claimed => None,
        }
    }

    async fn write(
        &self,
        place: &Place,
        record: &Record,
        version: Option<String>,
    ) -> Result<Written, StoreError> {
        let next_renewal = self.next_renewal(place, record);
        let secret = form::secret(place, record, next_renewal, version);
        let params = PostParams::default();
        let written = match (&secret.metadata.resource_version, &secret.metadata.name) {
            (Some(_), Some(name)) => within(self.api.replace(name, &params, &secret)).await,
            _ => within(self.api.create(&params, &secret)).await,
        };
        match written {
            Ok(stored) => Ok(Written::Yes(
                stored.metadata.resource_version.unwrap_or_default(),
            )),
            // 409 is AlreadyExists, a stale version, or a conflict behind the API server, such as a quota's;
            // 404 on a replace, that it is gone.
            Err(StoreError::Api(kube::Error::Api(status))) if matches!(status.code, 409) => {
                Ok(Written::No)
            }
            Err(StoreError::Api(kube::Error::Api(status)))
                if status.code == 404 && secret.metadata.resource_version.is_some() =>
            {
                Ok(Written::No)
            }
            Err(error) => Err(error),
        }
    }

    async fn remove(&self, place: &Place, version: String) -> Result<bool, StoreError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                resource_version: Some(version),
                uid: None,
            }),
            ..DeleteParams::default()
        };
        match within(self.api.delete(place.name(), &params)).await {
            Ok(_) => Ok(true),
            Err(StoreError::Api(kube::Error::Api(status))) if status.code == 404 => Ok(true),
            // Another version stands there, or the store is too busy to say.
            Err(StoreError::Api(kube::Error::Api(status))) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What a Secret's metadata alone tells; none if it is no record of ours.
#[must_use]
pub fn entry(meta: &ObjectMeta) -> Option<Entry> {
    form::entry(meta)
}

impl Store for Secrets {
    fn get<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        async move {
            let found = within(self.api.get_opt(place.name())).await?;
            if found
                .as_ref()
                .is_some_and(|secret| form::is_anothers(&secret.metadata, &place.key))
            {
                return Err(StoreError::Taken {
                    name: place.name().to_owned(),
                });
            }
            Ok(found.map(form::read))
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        place: &'a Place,
        record: Record,
        version: Option<String>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        async move { self.write(place, &record, version).await }.boxed()
    }

    fn delete<'a>(
        &'a self,
        place: &'a Place,
        version: String,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.remove(place, version).boxed()
    }
}

async fn within<T>(question: impl Future<Output = kube::Result<T>>) -> Result<T, StoreError> {
    match timeout(LIMIT, question).await {
        Ok(answer) => answer.map_err(StoreError::Api),
        Err(_) => Err(StoreError::Slow {
            seconds: LIMIT.as_secs(),
        }),
    }
}

#[cfg(test)]
mod tests;
