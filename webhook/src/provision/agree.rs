//! One Secret or ConfigMap that several replicas may write: read, decide, write if nobody else did meanwhile.

use std::collections::BTreeMap;
use std::fmt::Debug;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// More conflicts than this in a row are no race of a few replicas.
const TRIES: usize = 8;

/// Why there was no agreement.
#[derive(Debug, thiserror::Error)]
pub enum AgreeError {
    #[error("failed to read or write {name}: {source}")]
    Api { name: String, source: kube::Error },
    #[error("{0} changed under our hands again and again: something else writes it")]
    Contended(String),
}

/// An object that is a map of values.
pub(super) trait Data:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize
{
    type Value: Clone + PartialEq;
    fn data(&mut self) -> &mut BTreeMap<String, Self::Value>;
    fn empty(name: &str) -> Self;
}

impl Data for Secret {
    type Value = ByteString;

    fn data(&mut self) -> &mut BTreeMap<String, ByteString> {
        self.data.get_or_insert_default()
    }

    fn empty(name: &str) -> Self {
        Self {
            metadata: named(name),
            ..Self::default()
        }
    }
}

impl Data for ConfigMap {
    type Value = String;

    fn data(&mut self) -> &mut BTreeMap<String, String> {
        self.data.get_or_insert_default()
    }

    fn empty(name: &str) -> Self {
        Self {
            metadata: named(name),
            ..Self::default()
        }
    }
}

fn named(name: &str) -> ObjectMeta {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(BTreeMap::from([
            label("app.kubernetes.io/name", "kube2hadoop"),
            label("app.kubernetes.io/managed-by", "kube2hadoop-webhook"),
        ])),
        ..ObjectMeta::default()
    }
}

/// Lets `decide` change the data, and writes it where it changed. Gives what it made of the data that stands by then.
///
/// # Errors
/// What the API server says, and what `decide` does not like.
pub(super) async fn agree<K, T, E>(
    api: &Api<K>,
    name: &str,
    mut decide: impl FnMut(&mut BTreeMap<String, K::Value>) -> Result<T, E>,
) -> Result<T, E>
where
    K: Data,
    E: From<AgreeError>,
{
    let failed = |source| AgreeError::Api {
        name: name.to_owned(),
        source,
    };
    for _ in 0..TRIES {
        let found = api.get_opt(name).await.map_err(failed)?;
        let exists = found.is_some();
        let mut object = found.unwrap_or_else(|| K::empty(name));
        let before = object.data().clone();
        let made = decide(object.data())?;
        if exists && *object.data() == before {
            return Ok(made);
        }
        let written = if exists {
            // The resourceVersion that was read goes along: a write in between makes this a conflict.
            api.replace(name, &PostParams::default(), &object).await
        } else {
            api.create(&PostParams::default(), &object).await
        };
        match written {
            Ok(_) => return Ok(made),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(failed(error).into()),
        }
    }
    Err(AgreeError::Contended(name.to_owned()).into())
}

#[cfg(test)]
mod tests;
