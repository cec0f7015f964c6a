//! The admin port, in the clear and apart from the service's own: /livez, /readyz, /metrics.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::listen::{self, Limits};
use crate::readiness::Readiness;
use crate::shutdown::Shutdown;

/// Of a probe and a scrape or two at a time; who else comes must not take the memory of those who are served.
const MAX_CONNECTIONS: u32 = 64;
/// Probes ask at once. Who scrapes may connect anew.
const SILENCE: Duration = Duration::from_secs(10);
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
    on(listener, router(readiness, registry, shutdown), limits()).await;
    Ok(())
}

fn limits() -> Limits {
    Limits {
        max_connections: MAX_CONNECTIONS,
        header_timeout: SILENCE,
        ..Limits::default()
    }
}

async fn on(listener: TcpListener, router: Router, limits: Limits) {
    // Metrics stay readable while requests drain: the process ends this when it ends.
    let (_, never) = Shutdown::new();
    listen::serve_plain(listener, router, limits, never).await;
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
mod tests;
