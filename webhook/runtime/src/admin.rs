//! The admin port, in the clear and apart from the service's own: /livez, /readyz, /metrics.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::readiness::Readiness;
use crate::shutdown::Shutdown;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Admin {
    readiness: Readiness,
    registry: Arc<Registry>,
    shutdown: Shutdown,
}

/// Serves the admin port until the process ends.
///
/// # Errors
/// An address that cannot be bound.
pub async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    registry: Arc<Registry>,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let router = router(readiness, registry, shutdown.clone());
    // Metrics stay readable while requests drain: the process ends this when it ends.
    axum::serve(listener, router).await
}

fn router(readiness: Readiness, registry: Arc<Registry>, shutdown: Shutdown) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Admin {
            readiness,
            registry,
            shutdown,
        })
}

async fn readyz(State(admin): State<Admin>) -> Response {
    if admin.shutdown.is_requested() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response();
    }
    let closed = admin.readiness.closed();
    let (status, mut text) = match closed.is_empty() {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
    };
    // Writing to a String does not fail.
    for (gate, reason) in closed {
        let _ = writeln!(text, "{gate}: {reason}");
    }
    for (about, remark) in admin.readiness.remarks() {
        let _ = writeln!(text, "{about}: {remark}");
    }
    (status, text).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &admin.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn ask(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_names_what_is_missing_and_ends_with_shutdown() {
        let readiness = Readiness::new();
        let gate = readiness.gate("tls");
        let (trigger, shutdown) = Shutdown::new();
        let remarks = readiness.clone();
        let router = router(readiness, Arc::new(Registry::default()), shutdown);
        gate.not_ready("no certificate");
        assert_eq!(
            ask(&router, "/readyz").await,
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "tls: no certificate\n".into()
            )
        );
        gate.ready();
        assert_eq!(
            ask(&router, "/readyz").await,
            (StatusCode::OK, "ok\n".into())
        );
        remarks.remark("ns1", Some("no KDC answers".into()));
        assert_eq!(
            ask(&router, "/readyz").await,
            (StatusCode::OK, "ok\nns1: no KDC answers\n".into()),
            "what is held is handed out all the same"
        );
        remarks.remark("ns1", None);
        assert_eq!(ask(&router, "/readyz").await.1, "ok\n");
        trigger.request();
        assert_eq!(
            ask(&router, "/readyz").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(ask(&router, "/livez").await.0, StatusCode::OK);
        assert_eq!(
            ask(&router, "/metrics").await,
            (StatusCode::OK, "# EOF\n".into())
        );
    }
}
