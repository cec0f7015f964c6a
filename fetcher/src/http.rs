//! The token service on the wire: a router apart from any port.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::post;
use kube2hadoop_client::contract::{
    FileContent, FileName, MAX_REQUEST_BYTES, REQUEST_ID_HEADER, TOKENS_PATH,
};
use tracing::Instrument;

mod admit;
mod asker;
pub(crate) mod legacy;
mod problem;
mod request_id;
mod tokens;

use crate::attest::Attestor;
use crate::audit::Audit;
use crate::events::Recorder;
use crate::guarded::Guarded;
use crate::issue::Issuer;
use crate::ledger::Ledger;
use crate::metrics::{Metrics, OutcomeLabel};
use crate::serving_cert::Bundle;
pub(crate) use admit::Turns;
use asker::HUNG_UP;
use problem::Answer;
use request_id::RequestId;

/// What the handlers work with.
pub(crate) struct Service {
    pub attestor: Arc<dyn Attestor>,
    pub issuer: Arc<dyn Issuer>,
    pub ledger: Ledger,
    pub guarded: Guarded,
    pub audit: Audit,
    pub events: Recorder,
    pub metrics: Metrics,
    pub turns: Turns,
    /// The Hadoop configuration for pods.
    pub conf: BTreeMap<FileName, FileContent>,
    pub bundle: Bundle,
    /// From a request's head to its answer.
    pub request_limit: Duration,
}

/// The whole service.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(TOKENS_PATH, post(tokens::handle).fallback(wrong_method))
        .fallback(unknown_path)
        .layer(from_fn_with_state(Arc::clone(&service), account))
        .with_state(service)
}

/// Gives every request an id and a place in the metrics.
async fn account(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::new();
    let mut measured = Measured {
        metrics: &service.metrics,
        started: Instant::now(),
        outcome: OutcomeLabel { outcome: HUNG_UP },
    };
    request.extensions_mut().insert(id.clone());
    // What is logged for it, in the ledger and towards Hadoop too, carries the id that the pod's message ends with.
    let span = tracing::info_span!("request", id = id.as_str());
    let mut response = next.run(request).instrument(span).await;
    let outcome = response.extensions_mut().remove::<OutcomeLabel>();
    measured.outcome = outcome.unwrap_or(OutcomeLabel { outcome: "other" });
    response
        .headers_mut()
        .insert(REQUEST_ID_HEADER, id.header());
    response
}

/// A request in the metrics, however it ends.
struct Measured<'a> {
    metrics: &'a Metrics,
    started: Instant,
    outcome: OutcomeLabel,
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let Metrics {
            requests,
            request_seconds,
            ..
        } = self.metrics;
        requests.get_or_create(&self.outcome).inc();
        request_seconds.observe(self.started.elapsed().as_secs_f64());
    }
}

async fn unknown_path(request: Request) -> Response {
    Answer::unknown_path().into_response(&RequestId::of(&request))
}

async fn wrong_method(request: Request) -> Response {
    Answer::wrong_method().into_response(&RequestId::of(&request))
}

#[cfg(test)]
mod tests;
