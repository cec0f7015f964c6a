//! The API server as a process reaches it: an answer is waited for so long and no longer, and a watch without end.

use std::time::Duration;

use axum::http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tokio::time::timeout;
use tower::service_fn;

/// How long a whole answer may take. Without a limit, a node that vanishes holds a request until TCP gives up, a quarter
/// of an hour later, and a process that was stopped holds it for ever.
const LIMIT: Duration = Duration::from_secs(5);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[error("the API server gave no answer within {} s", LIMIT.as_secs())]
struct Unanswered;

/// Two clients over the same connections.
#[derive(Clone)]
pub struct Clients {
    /// For what is answered at once: a request ends within the limit, whatever becomes of the API server.
    pub calls: Client,
    /// For watches, and the lists that they begin with.
    pub watches: Client,
}

impl Clients {
    /// Of the pod that we run in, or of KUBECONFIG.
    ///
    /// # Errors
    /// Neither is there.
    pub async fn try_default() -> kube::Result<Self> {
        Client::try_default().await.map(Self::new)
    }

    /// Over this one.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            calls: bounded(client.clone()),
            watches: client,
        }
    }
}

fn bounded(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request| {
        let client = client.clone();
        async move {
            let answer = timeout(LIMIT, whole(&client, request)).await;
            answer.unwrap_or_else(|_| Err(kube::Error::Service(Unanswered.into())))
        }
    });
    Client::new(service, namespace)
}

/// The answer when all of it has come.
async fn whole(client: &Client, request: Request<Body>) -> kube::Result<Response<Body>> {
    let (head, body) = client.send(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Response::from_parts(head, Body::from(body)))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use axum::body::Bytes;
    use futures::{StreamExt, stream};
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use tokio::time::Instant;

    use super::*;

    /// Takes a request and answers so much of it, but never the end.
    fn stopped(answered: Option<&'static str>) -> Clients {
        let service = service_fn(move |_: Request<Body>| async move {
            let Some(text) = answered else {
                return pending().await;
            };
            let begun = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from(text)))]);
            let body = StreamBody::new(begun.chain(stream::pending()));
            Ok::<_, Infallible>(Response::new(body))
        });
        Clients::new(Client::new(service, "default"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_never_answered_ends_all_the_same() {
        for answered in [None, Some(r#"{"metadata": "#)] {
            let maps: Api<ConfigMap> = Api::default_namespaced(stopped(answered).calls);
            let asked = Instant::now();
            let answer = timeout(LIMIT * 100, maps.get("a")).await;
            let error = answer.expect("it waits without end").unwrap_err();
            assert!(matches!(&error, kube::Error::Service(_)), "{error:?}");
            assert!(
                error.to_string().contains("no answer within 5 s"),
                "{error}"
            );
            assert!(asked.elapsed() < LIMIT * 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_may_be_silent_for_long() {
        let maps: Api<ConfigMap> = Api::default_namespaced(stopped(Some("")).watches);
        let mut events = maps
            .watch(&kube::api::WatchParams::default(), "0")
            .await
            .unwrap()
            .boxed();
        assert!(timeout(LIMIT * 100, events.next()).await.is_err());
    }
}
