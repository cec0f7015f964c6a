//! The API server as a process reaches it: an answer is waited for so long and no longer, and only an open watch has
//! no end.

use std::time::Duration;

use axum::http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tokio::time::timeout;
use tower::service_fn;

/// How long a whole answer may take, or a watch to open. Without a limit, a node that vanishes holds a request until TCP
/// gives up, a quarter of an hour later, and a process that was stopped holds it for ever.
pub const LIMIT: Duration = Duration::from_secs(5);
/// How long a page of a list may take: for a rare label, an API server goes through all pods of a cluster before it
/// begins to answer. It gives up after a minute itself.
const PAGE_LIMIT: Duration = Duration::from_secs(60);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[error("the API server gave no answer within {} s", .0.as_secs())]
struct Unanswered(Duration);

/// Two clients over the same connections.
#[derive(Clone)]
pub struct Clients {
    /// For what is answered at once: a request ends within the limit, whatever becomes of the API server.
    pub calls: Client,
    /// For watches, and the lists that they begin with: both fail when they are not answered; what a watch then says may
    /// take for ever.
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
            calls: through(&client, |client, request| async move {
                within(LIMIT, whole(&client, request)).await
            }),
            watches: through(&client, |client, request| async move {
                if is_watch(&request) {
                    within(LIMIT, client.send(request)).await
                } else {
                    within(PAGE_LIMIT, whole(&client, request)).await
                }
            }),
        }
    }
}

/// A client that asks another one in this way.
fn through<F>(client: &Client, ask: impl Fn(Client, Request<Body>) -> F + Send + 'static) -> Client
where
    F: Future<Output = kube::Result<Response<Body>>> + Send + 'static,
{
    let namespace = client.default_namespace().to_owned();
    let client = client.clone();
    let service = service_fn(move |request| ask(client.clone(), request));
    Client::new(service, namespace)
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = kube::Result<T>>,
) -> kube::Result<T> {
    let answer = timeout(limit, answer).await;
    answer.unwrap_or_else(|_| Err(kube::Error::Service(Unanswered(limit).into())))
}

fn is_watch(request: &Request<Body>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|pair| pair == "watch=true")
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
    use kube::api::{ListParams, WatchParams};
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
    async fn a_watch_that_does_not_open_fails_and_so_does_a_list_that_does_not_end() {
        let maps =
            |answered| -> Api<ConfigMap> { Api::default_namespaced(stopped(answered).watches) };
        let begun = Instant::now();
        let watch = maps(None).watch(&WatchParams::default(), "0").await;
        let error = watch.err().unwrap();
        assert!(
            error.to_string().contains("no answer within 5 s"),
            "{error}"
        );
        assert!(begun.elapsed() < LIMIT * 2);
        for answered in [None, Some(r#"{"metadata": "#)] {
            let begun = Instant::now();
            let error = maps(answered).list(&ListParams::default()).await;
            let error = error.unwrap_err();
            assert!(
                error.to_string().contains("no answer within 60 s"),
                "{error}"
            );
            assert!(begun.elapsed() < PAGE_LIMIT * 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_may_be_silent_for_long() {
        let maps: Api<ConfigMap> = Api::default_namespaced(stopped(Some("")).watches);
        let mut events = maps
            .watch(&WatchParams::default(), "0")
            .await
            .unwrap()
            .boxed();
        assert!(timeout(LIMIT * 100, events.next()).await.is_err());
    }
}
