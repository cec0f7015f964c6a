//! The router: reads a body, gathers the facts, asks [`admit`], writes the answer.

mod caller;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

pub use caller::{Callers, Cluster};

use crate::admission::{AdmissionError, Context, Keys, Policy, Scope, admit};
use crate::audit;
use crate::metrics::Metrics;
use crate::review::{ReviewError, parse};

/// etcd takes 1.5 MiB an object; a review of an UPDATE carries two.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// The keys at this moment; replaced whole.
#[derive(Debug, Default)]
pub struct CurrentKeys(RwLock<Option<Arc<Keys>>>);

impl CurrentKeys {
    /// The keys, once there are any.
    pub fn get(&self) -> Option<Arc<Keys>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// From now on these.
    pub fn set(&self, keys: Keys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(keys));
    }
}

/// What every request needs.
#[derive(Debug)]
pub struct Webhook {
    pub policy: Policy,
    pub keys: Arc<CurrentKeys>,
    pub callers: Callers,
    pub metrics: Metrics,
}

/// Why a request gets no review back.
#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error(transparent)]
    Review(#[from] ReviewError),
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    #[error("no signing key is loaded yet")]
    NoKeys,
    #[error("the answer cannot be written: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("the request met a defect of the webhook: please report it, with the object")]
    Defect,
}

impl HttpError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Review(_) => StatusCode::BAD_REQUEST,
            Self::Admission(error) => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
            Self::Answer(_) | Self::Defect => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The two entries of the webhook configuration, apart from any listener.
pub fn router(webhook: Arc<Webhook>) -> Router {
    Router::new()
        .route(
            "/mutate/namespace",
            post(|state, body| mutate(Scope::Namespace, state, body)),
        )
        .route(
            "/mutate/object",
            post(|state, body| mutate(Scope::Object, state, body)),
        )
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(webhook)
}

async fn mutate(scope: Scope, State(webhook): State<Arc<Webhook>>, body: Bytes) -> Response {
    match webhook.answer(scope, &body).await {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => {
            webhook.metrics.unreadable();
            tracing::warn!(%error, "a request got no review back");
            (error.status(), error.to_string()).into_response()
        }
    }
}

impl Webhook {
    async fn answer(&self, scope: Scope, body: &[u8]) -> Result<Vec<u8>, HttpError> {
        let started = Instant::now();
        let request = parse(body)?;
        let keys = self.keys.get().ok_or(HttpError::NoKeys)?;
        let caller = self.callers.find(&request, &self.policy, &keys).await;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let context = Context {
            policy: &self.policy,
            keys: &keys,
            scope,
            caller: &caller,
            now,
        };
        // A defect must not take down the connection that other requests share.
        let decided = catch_unwind(AssertUnwindSafe(|| admit(&request, &context)));
        let decision = decided.map_err(|_| HttpError::Defect)??;
        audit::line(&request, &decision);
        self.metrics.decided(&decision, started.elapsed());
        Ok(decision.answer.to_json(&request.uid)?)
    }
}
