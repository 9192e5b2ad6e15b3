//! What a process tells of itself over HTTP: `/healthz` (itself, never a remote call), `/readyz`, `/metrics`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::shutdown::Shutdown;

/// How a role is. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    role: &'static str,
    status: Mutex<Status>,
    metrics: Metrics,
    registry: Registry,
}

#[derive(Debug, Clone)]
struct Status {
    /// A stable word; empty when ready.
    reason: String,
    message: String,
    /// The store was away; ready again with its next answer.
    store_away: bool,
}

#[derive(Debug, Clone, Default)]
struct Metrics {
    ready: Gauge,
    epoch: Gauge,
    incarnation: Gauge,
    commits: Counter,
    ticks: Counter,
    orders: Counter,
    fills: Counter,
    poison: Counter,
}

impl Health {
    /// A role that has not started.
    pub fn new(role: &'static str) -> Self {
        let metrics = Metrics::default();
        let mut registry = Registry::with_prefix("glm");
        registry.register("ready", "1 when the role does its work", metrics.ready.clone());
        registry.register("lease_epoch", "Epoch of the lease", metrics.epoch.clone());
        registry.register("lease_incarnation", "Incarnation of the lease", metrics.incarnation.clone());
        registry.register("commits", "Commits of the record", metrics.commits.clone());
        registry.register("ticks", "Market data ticks taken or published", metrics.ticks.clone());
        registry.register("orders", "Order commands made or taken", metrics.orders.clone());
        registry.register("fills", "Trades told on or booked", metrics.fills.clone());
        registry.register("poison_entries", "Entries that did not read", metrics.poison.clone());
        let message = "the role has not started".to_owned();
        let status = Mutex::new(Status { reason: "Starting".to_owned(), message, store_away: false });
        Self(Arc::new(Inner { role, status, metrics, registry }))
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        // A panic while this short lock is held leaves a whole status behind.
        self.0.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The role does its work.
    pub fn ready(&self) {
        let mut status = self.status();
        if !status.reason.is_empty() {
            tracing::info!(role = self.0.role, "ready");
        }
        *status = Status { reason: String::new(), message: String::new(), store_away: false };
        self.0.metrics.ready.set(1);
    }

    /// The role cannot do its work, for this reason.
    pub fn not_ready(&self, reason: &str, message: &str) {
        let mut status = self.status();
        if status.reason != reason {
            tracing::warn!(role = self.0.role, reason, "not ready: {message}");
        }
        let store_away = status.reason.is_empty() || status.store_away;
        *status = Status { reason: reason.to_owned(), message: message.to_owned(), store_away };
        self.0.metrics.ready.set(0);
    }

    /// The role waits for a human, for this reason; an answer of the store does not change that.
    pub fn blocked(&self, reason: &str, message: &str) {
        self.not_ready(reason, message);
        self.status().store_away = false;
    }

    /// The store answers again.
    pub fn reachable(&self) {
        if self.status().store_away {
            self.ready();
        }
    }

    /// A lease was taken.
    pub fn leased(&self, epoch: u64, incarnation: u64) {
        self.0.metrics.epoch.set(i64::try_from(epoch).unwrap_or(i64::MAX));
        self.0.metrics.incarnation.set(i64::try_from(incarnation).unwrap_or(i64::MAX));
    }

    /// A commit was stored.
    pub fn committed(&self) {
        self.0.metrics.commits.inc();
        self.reachable();
    }

    /// Ticks were taken or published.
    pub fn ticks(&self, count: u64) {
        self.0.metrics.ticks.inc_by(count);
    }

    /// An order command was made or taken.
    pub fn order(&self) {
        self.0.metrics.orders.inc();
    }

    /// A trade was told on or booked.
    pub fn fill(&self) {
        self.0.metrics.fills.inc();
    }

    /// An entry did not read.
    pub fn poison(&self) {
        self.0.metrics.poison.inc();
    }
}

/// Opens the address; a process that cannot be watched does not start.
pub async fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "admin address open");
    Ok(listener)
}

/// Serves until asked to stop.
pub async fn serve(listener: TcpListener, health: Health, mut shutdown: Shutdown) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health);
    axum::serve(listener, routes).with_graceful_shutdown(async move { shutdown.wait().await }).await
}

async fn readyz(State(health): State<Health>) -> (StatusCode, String) {
    let status = health.status().clone();
    if status.reason.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{}: {}\n", status.reason, status.message))
    }
}

async fn metrics(State(health): State<Health>) -> (StatusCode, String) {
    let mut text = String::new();
    match encode(&mut text, &health.0.registry) {
        Ok(()) => (StatusCode::OK, text),
        Err(error) => {
            let mut text = String::new();
            let _ = writeln!(text, "{error}");
            (StatusCode::INTERNAL_SERVER_ERROR, text)
        }
    }
}
