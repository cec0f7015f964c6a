//! The router: reads a body, gathers the facts, asks [`admit`], writes the answer.

mod asking;
mod authority;
mod bodies;
mod cached;
mod caller;
mod cluster;
mod patience;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::FutureExt;
use kube2hadoop_runtime::audit::AuditLog;
use tokio::sync::watch;

pub use bodies::Bodies;
pub use caller::Callers;
pub use cluster::{ApiServer, Cluster, Question, Unread};
pub use patience::{Patience, Until};

use crate::admission::{AdmissionError, Context, Keys, Policy, Scope, admit};
use crate::audit;
use crate::metrics::Metrics;
use crate::review::{ReviewError, parse};

const JSON: &str = "application/json";

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
    /// Replaced whole when the configuration changes.
    pub policy: watch::Receiver<Arc<Policy>>,
    pub keys: Arc<CurrentKeys>,
    pub callers: Callers,
    pub patience: Patience,
    pub bodies: Bodies,
    pub metrics: Metrics,
    pub audit: AuditLog,
}

/// Why a request gets no review back.
#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error("want content type application/json")]
    ContentType,
    #[error("the body is over 3 MB, more than any object that the API server stores")]
    TooLarge,
    #[error("objects of more than {} KiB take all the memory that there is for them: try again", bodies::SMALL / 1024)]
    NoRoom,
    #[error("the body broke off: {0}")]
    Broken(#[source] axum::Error),
    #[error("the request took longer than {0:?}, and the API server waits no longer")]
    TooSlow(Duration),
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
            Self::Review(_) | Self::Broken(_) => StatusCode::BAD_REQUEST,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Admission(error) => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::NoKeys | Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Self::Answer(_) | Self::Defect => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The entries of the webhook configuration, apart from any listener.
pub fn router(webhook: Arc<Webhook>) -> Router {
    Router::new()
        .route(
            "/mutate/namespace",
            post(|state, headers, body| mutate(Scope::Namespace, state, headers, body)),
        )
        .route(
            "/mutate/object",
            post(|state, headers, body| mutate(Scope::Object, state, headers, body)),
        )
        .route(
            "/mutate/legacy",
            post(|state, headers, body| mutate(Scope::Legacy, state, headers, body)),
        )
        .with_state(webhook)
}

async fn mutate(
    scope: Scope,
    State(webhook): State<Arc<Webhook>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (patience, until) = (webhook.patience.whole(), webhook.patience.begin());
    let work = async {
        is_json(&headers)?;
        let (body, _room) = webhook.bodies.read(body, until).await?;
        webhook.answer(scope, &body, until).await
    };
    // A defect must not take down the connection that other requests share.
    let guarded = AssertUnwindSafe(tokio::time::timeout(patience, work)).catch_unwind();
    let answer = match guarded.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(HttpError::TooSlow(patience)),
        Err(_) => Err(HttpError::Defect),
    };
    match answer {
        Ok(json) => ([(header::CONTENT_TYPE, JSON)], json).into_response(),
        Err(error) => {
            webhook.metrics.unanswered();
            tracing::warn!(%error, "a request got no review back");
            (error.status(), format!("{error}\n")).into_response()
        }
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), HttpError> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    match content_type.is_some_and(|value| value.trim().eq_ignore_ascii_case(JSON)) {
        true => Ok(()),
        false => Err(HttpError::ContentType),
    }
}

impl Webhook {
    async fn answer(&self, scope: Scope, body: &[u8], until: Until) -> Result<Vec<u8>, HttpError> {
        let started = Instant::now();
        let request = parse(body)?;
        let keys = self.keys.get().ok_or(HttpError::NoKeys)?;
        let policy = Arc::clone(&self.policy.borrow());
        let caller = self.callers.find(&request, &policy, &keys, until).await;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let context = Context {
            policy: &policy,
            keys: &keys,
            scope,
            caller: &caller,
            now,
        };
        let decision = admit(&request, &context)?;
        audit::line(&self.audit, now, &request, &decision);
        self.metrics.decided(&decision, started.elapsed());
        Ok(decision.answer.into_json(&request.uid)?)
    }
}

#[cfg(test)]
mod tests;
