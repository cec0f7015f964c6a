//! The shared ledger: one Secret of type kube2hadoop.io/delegation-token for each key.
//!
//! Labels and the name hold hashes, since users and jobs are no label values; annotations are for people.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client};
use kube2hadoop_client::contract::Timestamp;
use kube2hadoop_client::credentials::Credentials;
use tokio::time::timeout;

use super::Key;
use super::record::{Record, Versioned};
use super::store::{Store, StoreError, Written};
use crate::clock::timestamp;
use crate::issue::Issued;

/// The Secrets' type: nothing else of the cluster mistakes them for its own.
pub const TYPE: &str = "kube2hadoop.io/delegation-token";
const USER: &str = "kube2hadoop.io/user";
const JOB: &str = "kube2hadoop.io/job";
const SERVICE: &str = "kube2hadoop.io/service";
const STATE: &str = "kube2hadoop.io/state";
const SINCE: &str = "kube2hadoop.io/since";
const ISSUED: &str = "kube2hadoop.io/issued";
const EXPIRES: &str = "kube2hadoop.io/expires";
const MAX_DATE: &str = "kube2hadoop.io/max-date";
const SEQUENCE: &str = "kube2hadoop.io/sequence-number";
const JOB_HASH: &str = "kube2hadoop.io/job-hash";
const USER_HASH: &str = "kube2hadoop.io/user-hash";
const CREDENTIALS: &str = "credentials";
const LIMIT: Duration = Duration::from_secs(5);

/// The [`Store`] of a cluster.
pub struct Secrets {
    api: Api<Secret>,
}

impl Secrets {
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
        }
    }

    async fn write(
        &self,
        key: &Key,
        record: &Record,
        version: Option<String>,
    ) -> Result<Written, StoreError> {
        let secret = secret(key, record, version);
        let params = PostParams::default();
        let written = match (&secret.metadata.resource_version, &secret.metadata.name) {
            (Some(_), Some(name)) => within(self.api.replace(name, &params, &secret)).await,
            _ => within(self.api.create(&params, &secret)).await,
        };
        match written {
            Ok(stored) => Ok(Written::Yes(
                stored.metadata.resource_version.unwrap_or_default(),
            )),
            // 409 is AlreadyExists or a stale version; 404 on a replace, that it is gone.
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

    async fn remove(&self, key: &Key, version: String) -> Result<(), StoreError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                resource_version: Some(version),
                uid: None,
            }),
            ..DeleteParams::default()
        };
        match within(self.api.delete(&name(key), &params)).await {
            Err(StoreError::Api(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {
                Ok(())
            }
            other => other.map(drop),
        }
    }
}

impl Store for Secrets {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        async move {
            let found = within(self.api.get_opt(&name(key))).await?;
            Ok(found.map(read))
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        record: Record,
        version: Option<String>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        async move { self.write(key, &record, version).await }.boxed()
    }

    fn delete<'a>(
        &'a self,
        key: &'a Key,
        version: String,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.remove(key, version).boxed()
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

/// The Secret's name: the same in every replica.
fn name(key: &Key) -> String {
    format!(
        "token-{}",
        hash(&[key.job.as_str(), key.user.as_str(), key.service.as_str()])
    )
}

/// Forty hexadecimal digits of SHA-256; parts are set apart by NUL, which none may contain.
fn hash(parts: &[&str]) -> String {
    let sum = digest(&SHA256, parts.join("\0").as_bytes());
    sum.as_ref()
        .iter()
        .take(20)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn secret(key: &Key, record: &Record, version: Option<String>) -> Secret {
    let job = key.job.as_str();
    let mut annotations = BTreeMap::from([
        (USER.to_owned(), key.user.to_string()),
        (JOB.to_owned(), job.to_owned()),
        (SERVICE.to_owned(), key.service.to_string()),
    ]);
    let mut note = |name: &str, value: String| annotations.insert(name.to_owned(), value);
    let data = match record {
        Record::Claimed { since } => {
            note(STATE, "claimed".into());
            note(SINCE, since.to_string());
            None
        }
        Record::Held(issued) => {
            note(STATE, "held".into());
            note(ISSUED, timestamp(issued.issued_at).to_string());
            note(EXPIRES, timestamp(issued.expires_at).to_string());
            note(MAX_DATE, timestamp(issued.max_date).to_string());
            note(SEQUENCE, issued.sequence_number.to_string());
            Some(BTreeMap::from([(
                CREDENTIALS.to_owned(),
                ByteString(file(issued)),
            )]))
        }
    };
    let labels = [
        (
            "app.kubernetes.io/managed-by".to_owned(),
            "kube2hadoop-fetcher".to_owned(),
        ),
        (JOB_HASH.to_owned(), hash(&[job])),
        (USER_HASH.to_owned(), hash(&[key.user.as_str()])),
    ];
    Secret {
        metadata: ObjectMeta {
            name: Some(name(key)),
            labels: Some(labels.into()),
            annotations: Some(annotations),
            resource_version: version,
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.into()),
        data,
        ..Secret::default()
    }
}

fn file(issued: &Issued) -> Vec<u8> {
    let mut credentials = Credentials::new();
    for (alias, token) in &issued.tokens {
        // What is longer than Hadoop reads was refused when it came from Hadoop.
        let _ = credentials.add(alias.clone(), token.clone());
    }
    credentials.to_bytes().expose().to_vec()
}

/// A Secret that cannot be read counts as a claim of long ago, so that it is written anew.
fn read(secret: Secret) -> Versioned {
    let version = secret.metadata.resource_version.clone().unwrap_or_default();
    let record = held(&secret).map_or_else(
        || Record::Claimed {
            since: claimed_since(&secret),
        },
        Record::Held,
    );
    Versioned { record, version }
}

fn annotation<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
    secret
        .metadata
        .annotations
        .as_ref()?
        .get(name)
        .map(String::as_str)
}

fn millis(secret: &Secret, name: &str) -> Option<u64> {
    let time: Timestamp = annotation(secret, name)?.parse().ok()?;
    time.unix_seconds().checked_mul(1000)
}

fn claimed_since(secret: &Secret) -> u64 {
    annotation(secret, SINCE)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn held(secret: &Secret) -> Option<Arc<Issued>> {
    if secret.type_.as_deref() != Some(TYPE) || annotation(secret, STATE) != Some("held") {
        return None;
    }
    let credentials = Credentials::parse(&secret.data.as_ref()?.get(CREDENTIALS)?.0).ok()?;
    Some(Arc::new(Issued {
        tokens: credentials
            .tokens()
            .map(|(alias, token)| (alias.to_owned(), token.clone()))
            .collect(),
        issued_at: millis(secret, ISSUED)?,
        expires_at: millis(secret, EXPIRES)?,
        max_date: millis(secret, MAX_DATE)?,
        sequence_number: annotation(secret, SEQUENCE)?.parse().ok()?,
    }))
}

#[cfg(test)]
mod tests;
