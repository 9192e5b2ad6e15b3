//! What the operator counts, and its admin address.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

/// Counters. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    #[expect(missing_docs, reason = "the name says it")]
    pub reconciles: Counter,
    /// Reconciles that failed.
    pub errors: Counter,
    /// Writes to the API server.
    pub writes: Counter,
    /// Objects that do not read as their kind.
    pub unreadable: Counter,
    /// Resources released because their namespace was being deleted.
    pub released: Counter,
}

impl Metrics {
    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("glm_operator");
        registry.register("reconciles", "Reconciles", self.reconciles.clone());
        registry.register("reconcile_errors", "Reconciles that failed", self.errors.clone());
        registry.register("writes", "Writes to the API server", self.writes.clone());
        registry.register("unreadable_objects", "Objects that do not read as their kind", self.unreadable.clone());
        registry.register(
            "released_namespaces",
            "Resources released because their namespace was being deleted",
            self.released.clone(),
        );
        registry
    }
}

/// Serves `/healthz`, `/readyz` and `/metrics` until it is dropped. Redis away never makes the operator unready.
pub async fn serve(listener: TcpListener, metrics: Metrics) -> Infallible {
    let registry = Arc::new(metrics.registry());
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|| async { "ready\n" }))
        .route("/metrics", get(text))
        .with_state(registry);
    process::admin::serve(listener, routes).await
}

async fn text(State(registry): State<Arc<Registry>>) -> (StatusCode, String) {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
