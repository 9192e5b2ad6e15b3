//! The admin address.

use std::convert::Infallible;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use super::Metrics;

/// Serves `/healthz`, `/readyz` and `/metrics` until it is dropped.
pub async fn serve(listener: TcpListener, metrics: Metrics) -> Infallible {
    process::admin::serve(listener, routes(metrics)).await
}

/// Ready is who knows all objects of its namespaces. Redis away never makes it unready: the objects say so.
pub(super) fn routes(metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(text))
        .with_state(metrics)
}

async fn ready(State(metrics): State<Metrics>) -> (StatusCode, String) {
    match metrics.unread() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(unread) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {unread}\n")),
    }
}

async fn text(State(metrics): State<Metrics>) -> (StatusCode, String) {
    match metrics.text() {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
