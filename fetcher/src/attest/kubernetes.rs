//! Asks the API server for the facts: a TokenReview, and the pod.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::{
    Attestor, BoundPod, Denied, Grant, PodName, PodView, Refusal, Terms, bound_pod,
    check_namespace, grant, grant_by_address,
};
use crate::bearer::BearerToken;
use crate::stamp_keys::StampKeys;

/// One question to the API server; the client's own patience is longer than a retry's pause.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// Pods that are asked about at a time. The client speaks HTTP/1.1: to ask about more would take more connections, with
/// a handshake each, and no less time.
const AT_A_TIME: usize = 32;

/// The [`Attestor`] of a real cluster.
pub struct KubeAttestor {
    client: Client,
    turns: Semaphore,
    audience: String,
    /// As they stand: the configuration may change.
    terms: watch::Receiver<Terms>,
    keys: Arc<StampKeys>,
}

impl KubeAttestor {
    /// Asks by this client, of tokens for the audience.
    #[must_use]
    pub fn new(
        client: Client,
        audience: String,
        terms: watch::Receiver<Terms>,
        keys: Arc<StampKeys>,
    ) -> Self {
        Self {
            client,
            turns: Semaphore::new(AT_A_TIME),
            audience,
            terms,
            keys,
        }
    }

    async fn decide(&self, token: &BearerToken, from: Option<IpAddr>) -> Result<Grant, Denied> {
        // It is never closed.
        let _turn = self.turns.acquire().await;
        let unproven = |refusal| Denied { refusal, pod: None };
        let status = self.review(token).await.map_err(unproven)?;
        let bound = bound_pod(status, &self.audience).map_err(unproven)?;
        let decided = self.decide_for(&bound, from).await;
        decided.map_err(|refusal| Denied {
            refusal,
            pod: Some(bound.pod_ref()),
        })
    }

    async fn decide_for(&self, bound: &BoundPod, from: Option<IpAddr>) -> Result<Grant, Refusal> {
        check_namespace(&bound.namespace, &self.terms.borrow())?;
        let keys = self.keys.current().ok_or(Refusal::StampKeysMissing)?;
        let pod = self.pod(&bound.namespace, &bound.name).await?;
        grant(bound, pod.as_ref(), from, &keys, &self.terms.borrow())
    }

    async fn review(&self, token: &BearerToken) -> Result<TokenReviewStatus, Refusal> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                audiences: Some(vec![self.audience.clone()]),
                token: Some(token.expose().to_owned()),
            },
            ..TokenReview::default()
        };
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let answer = ask(api.create(&PostParams::default(), &review)).await?;
        Ok(answer.status.unwrap_or_default())
    }

    /// Read from the API server each time: a cache would lag behind the pod's own start.
    async fn pod(&self, namespace: &str, name: &str) -> Result<Option<PodView>, Refusal> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        Ok(ask(api.get_opt(name)).await?.map(PodView::from))
    }

    async fn decide_by_address(
        &self,
        wanted: &PodName,
        from: Option<IpAddr>,
    ) -> Result<Grant, Denied> {
        let (namespace, name) = (wanted.namespace(), wanted.name());
        let unproven = |refusal| Denied { refusal, pod: None };
        check_namespace(namespace, &self.terms.borrow()).map_err(unproven)?;
        let keys = self.keys.current().ok_or(Refusal::StampKeysMissing);
        let keys = keys.map_err(unproven)?;
        let _turn = self.turns.acquire().await;
        let found = self.pod(namespace, name).await.map_err(unproven)?;
        let pod = found.ok_or_else(|| {
            unproven(Refusal::PodNotFound {
                pod: format!("{namespace}/{name}"),
            })
        })?;
        grant_by_address(&pod, from, &keys, &self.terms.borrow()).map_err(unproven)
    }
}

impl Attestor for KubeAttestor {
    fn attest<'a>(
        &'a self,
        token: &'a BearerToken,
        from: Option<IpAddr>,
    ) -> BoxFuture<'a, Result<Grant, Denied>> {
        self.decide(token, from).boxed()
    }

    fn attest_by_address<'a>(
        &'a self,
        pod: &'a PodName,
        from: Option<IpAddr>,
    ) -> BoxFuture<'a, Result<Grant, Denied>> {
        self.decide_by_address(pod, from).boxed()
    }
}

async fn ask<T>(question: impl Future<Output = kube::Result<T>>) -> Result<T, Refusal> {
    match timeout(ASK_LIMIT, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 401 | 403) => {
            Err(Refusal::ApiForbidden {
                reason: status.message.clone(),
            })
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "the API server gave no answer");
            Err(Refusal::ApiUnavailable {
                reason: brief(&error),
            })
        }
        Err(_) => Err(Refusal::ApiUnavailable {
            reason: format!("no answer within {} s", ASK_LIMIT.as_secs()),
        }),
    }
}

/// What a user may read of it; the whole error is in our log.
fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("it answered {} {}", status.code, status.reason),
        _ => "no connection".into(),
    }
}

#[cfg(test)]
mod tests;
