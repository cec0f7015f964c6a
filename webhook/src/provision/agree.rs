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

/// Lets `decide` change the data, and writes it where it changed. Gives what all replicas agree on.
///
/// # Errors
/// What the API server says, and what `decide` does not like.
pub(super) async fn agree<K, E>(
    api: &Api<K>,
    name: &str,
    mut decide: impl FnMut(&mut BTreeMap<String, K::Value>) -> Result<(), E>,
) -> Result<BTreeMap<String, K::Value>, E>
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
        decide(object.data())?;
        if exists && *object.data() == before {
            return Ok(before);
        }
        let written = if exists {
            // The resourceVersion that was read goes along: a write in between makes this a conflict.
            api.replace(name, &PostParams::default(), &object).await
        } else {
            api.create(&PostParams::default(), &object).await
        };
        match written {
            Ok(mut written) => return Ok(written.data().clone()),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(failed(error).into()),
        }
    }
    Err(AgreeError::Contended(name.to_owned()).into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::{Method, Request, Response};
    use kube::Client;
    use kube::client::Body;
    use serde_json::{Value, json};
    use tower_test::mock::{Handle, pair};

    use super::*;

    type Server = Handle<Request<Body>, Response<Body>>;
    type Decided = Result<BTreeMap<String, ByteString>, AgreeError>;

    /// Answers one request, and tells what it was.
    async fn answer(server: &mut Server, code: u16, body: Value) -> Method {
        let (request, send) = server.next_request().await.unwrap();
        let body = Body::from(body.to_string().into_bytes());
        send.send_response(Response::builder().status(code).body(body).unwrap());
        request.method().clone()
    }

    fn status(code: u16, reason: &str) -> Value {
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason,
            "reason": reason, "code": code})
    }

    fn secret(version: &str, value: &str) -> Value {
        json!({"metadata": {"name": "s", "resourceVersion": version}, "data": {"value": value}})
    }

    /// Writes «mine» where nothing is there yet, or where what is there is old.
    async fn mine(client: Client) -> Decided {
        let api: Api<Secret> = Api::namespaced(client, "n");
        agree(&api, "s", |data| {
            let value = data
                .entry("value".into())
                .or_insert_with(|| ByteString(b"mine".to_vec()));
            if value.0 == b"old" {
                *value = ByteString(b"mine".to_vec());
            }
            Ok(())
        })
        .await
    }

    async fn against(script: impl AsyncFnOnce(&mut Server)) -> Decided {
        let (service, mut server) = pair::<Request<Body>, Response<Body>>();
        let both = async {
            let client = Client::new(service, "n");
            tokio::join!(mine(client), script(&mut server)).0
        };
        tokio::time::timeout(std::time::Duration::from_secs(1), both)
            .await
            .expect("the script and the code do not fit")
    }

    fn value(decided: Decided) -> Vec<u8> {
        decided.unwrap().remove("value").unwrap().0
    }

    #[tokio::test]
    async fn who_comes_second_to_create_takes_what_the_first_wrote() {
        let decided = against(async |server: &mut Server| {
            assert_eq!(
                answer(server, 404, status(404, "NotFound")).await,
                Method::GET
            );
            assert_eq!(
                answer(server, 409, status(409, "AlreadyExists")).await,
                Method::POST
            );
            assert_eq!(
                answer(server, 200, secret("1", "dGhlaXJz")).await,
                Method::GET
            );
        })
        .await;
        assert_eq!(value(decided), b"theirs");
    }

    #[tokio::test]
    async fn who_comes_second_to_replace_takes_what_the_first_wrote() {
        let decided = against(async |server: &mut Server| {
            assert_eq!(answer(server, 200, secret("1", "b2xk")).await, Method::GET);
            assert_eq!(
                answer(server, 409, status(409, "Conflict")).await,
                Method::PUT
            );
            assert_eq!(
                answer(server, 200, secret("2", "dGhlaXJz")).await,
                Method::GET
            );
        })
        .await;
        assert_eq!(value(decided), b"theirs");
    }

    #[tokio::test]
    async fn endless_conflicts_and_refusals_are_errors_that_name_the_object() {
        let contended = against(async |server: &mut Server| {
            for _ in 0..TRIES {
                answer(server, 404, status(404, "NotFound")).await;
                answer(server, 409, status(409, "AlreadyExists")).await;
            }
        })
        .await;
        assert!(matches!(contended, Err(AgreeError::Contended(name)) if name == "s"));
        let forbidden = against(async |server: &mut Server| {
            answer(server, 403, status(403, "Forbidden")).await;
        })
        .await;
        assert!(
            forbidden
                .unwrap_err()
                .to_string()
                .contains("read or write s")
        );
    }
}
