//! What a process tells of itself over HTTP: `/healthz` (itself, never a remote call), `/readyz`, `/metrics`.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use engine::Engine;
use engine::numbers::Ratio;
use engine::orders::OrderState;
use engine::report::OrderCounts;
use engine::risk::Limit;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rust_decimal::prelude::ToPrimitive;
use tokio::net::TcpListener;
use venue::live::Traffic;

mod feed;

use feed::FeedMetrics;

/// The role is on its way.
const STARTING: &str = "Starting";
/// The store may not be used as it is.
const UNFIT: &str = "StoreUnfit";

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
    /// Why the store does not do what it is asked; empty while it does.
    store: (String, String),
    /// That memory is full, though nothing of the role's own waits for room; empty while there is room.
    full: (String, String),
    /// Why the store may not be used, whatever the role says; empty while it may.
    unfit: String,
    /// What is worth knowing of a role that is ready; empty if nothing is.
    remark: String,
}

impl Status {
    /// Why it is not ready; `None` if it is.
    fn problem(&self) -> Option<(&str, &str)> {
        if !self.unfit.is_empty() {
            return Some((UNFIT, &self.unfit));
        }
        let words = [(&self.store.0, &self.store.1), (&self.full.0, &self.full.1), (&self.reason, &self.message)];
        let first = words.into_iter().find(|(reason, _)| !reason.is_empty());
        first.map(|(reason, message)| (reason.as_str(), message.as_str()))
    }
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
    feed: FeedMetrics,
    denials: Family<Denied, Counter>,
    ended: Family<Ended, Counter>,
    halted: Gauge,
    limits: Family<Used, Gauge<f64, AtomicU64>>,
}

/// The label of a denial.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Denied {
    reason: String,
}

/// The label of an order that is closed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    state: &'static str,
}

/// The label of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Used {
    limit: &'static str,
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
        if role == "feed" {
            metrics.feed.register(&mut registry);
        }
        if role == "strategy" {
            registry.register("denials", "Orders that our own checks refused", metrics.denials.clone());
            registry.register("orders_ended", "Orders that are closed", metrics.ended.clone());
        }
        if matches!(role, "strategy" | "gateway") {
            registry.register("halted", "1 while nothing is opened: halted, a limit, an exit", metrics.halted.clone());
            registry.register("limit_used_ratio", "How much of a limit is used up; 1 is all", metrics.limits.clone());
        }
        registry.register("poison_entries", "Entries that did not read", metrics.poison.clone());
        let status = Mutex::new(Status {
            reason: STARTING.to_owned(),
            message: "the role has not started".to_owned(),
            store: (String::new(), String::new()),
            full: (String::new(), String::new()),
            unfit: String::new(),
            remark: String::new(),
        });
        Self(Arc::new(Inner { role, status, metrics, registry }))
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        // A panic while this short lock is held leaves a whole status behind.
        self.0.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        let mut status = self.status();
        let before = status.problem().map(|(reason, _)| reason.to_owned());
        change(&mut status);
        let now = status.problem();
        self.0.metrics.ready.set(i64::from(now.is_none()));
        match now {
            None if before.is_some() => tracing::info!(role = self.0.role, "ready"),
            Some((STARTING, _)) | None => {}
            Some((reason, message)) if before.as_deref() != Some(reason) => {
                tracing::warn!(role = self.0.role, reason, "not ready: {message}");
            }
            Some(_) => {}
        }
    }

    /// The role is on its way: it does this.
    pub fn starting(&self, what: &str) {
        self.change(|status| (status.reason, status.message) = (STARTING.to_owned(), what.to_owned()));
    }

    /// The role does its work.
    pub fn ready(&self) {
        self.change(|status| {
            status.reason.clear();
            status.message.clear();
        });
    }

    /// Whether the role is ready, and what it says of that.
    pub fn readiness(&self) -> (bool, String) {
        let status = self.status();
        match status.problem() {
            Some((reason, message)) => (false, format!("{reason}: {message}")),
            None if status.remark.is_empty() => (true, "ready".to_owned()),
            None => (true, format!("ready; {}", status.remark)),
        }
    }

    /// Says something of a role that is ready; nothing more with an empty text.
    pub fn remark(&self, remark: &str) {
        self.change(|status| remark.clone_into(&mut status.remark));
    }

    /// The store may not be used, for this reason, or may be with an empty one. The role's own word stays beside it.
    pub fn store_unfit(&self, reason: &str) {
        self.change(|status| reason.clone_into(&mut status.unfit));
    }

    /// Memory of the store is full, for this reason, or has room again with an empty one. The role's own word stays.
    pub fn store_full(&self, reason: &str, message: &str) {
        self.change(|status| status.full = (reason.to_owned(), message.to_owned()));
    }

    /// The role cannot do its work, for this reason, until it says otherwise: an answer of the store does not change that.
    pub fn not_ready(&self, reason: &str, message: &str) {
        self.change(|status| (status.reason, status.message) = (reason.to_owned(), message.to_owned()));
    }

    /// The store does not do what it is asked, for this reason. The role's own word stays beside it.
    pub fn store_away(&self, reason: &str, message: &str) {
        self.change(|status| status.store = (reason.to_owned(), message.to_owned()));
    }

    /// The store answers again.
    pub fn reachable(&self) {
        if !self.status().store.0.is_empty() {
            self.store_away("", "");
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

    /// How many orders are closed, and how they ended, over the whole life of the ledger.
    pub fn ended(&self, counts: &OrderCounts) {
        let up_to = |counter: &Counter, count: u64| {
            counter.inc_by(count.saturating_sub(counter.get()));
        };
        let states = [
            (OrderState::Filled, counts.filled),
            (OrderState::Expired, counts.expired),
            (OrderState::Rejected, counts.rejected),
            (OrderState::Denied, counts.denied),
        ];
        for (state, count) in states {
            up_to(&self.0.metrics.ended.get_or_create(&Ended { state: state.as_str() }), count);
        }
        for (reason, count) in &counts.denied_reasons {
            up_to(&self.0.metrics.denials.get_or_create(&Denied { reason: reason.clone() }), *count);
        }
    }

    /// How much of each limit of a strategy is used up, and whether it opens anything.
    pub fn limits(&self, engine: &Engine) {
        self.0.metrics.halted.set(i64::from(engine.is_held_back()));
        let used = engine.limits_used();
        for limit in Limit::ALL {
            self.limit_used(limit, used.iter().find(|(one, _)| *one == limit).map(|(_, ratio)| *ratio));
        }
    }

    /// Whether a limit of the account holds all of its strategies back, and how much of its exposure is used up.
    pub fn account_limits(&self, is_halted: bool, exposure: Option<Ratio>) {
        self.0.metrics.halted.set(i64::from(is_halted));
        self.limit_used(Limit::MaxExposure, exposure);
    }

    fn limit_used(&self, limit: Limit, used: Option<Ratio>) {
        let label = Used { limit: limit.as_str() };
        match used {
            Some(ratio) => {
                self.0.metrics.limits.get_or_create(&label).set(ratio.get().to_f64().unwrap_or(f64::MAX));
            }
            None => {
                self.0.metrics.limits.remove(&label);
            }
        }
    }

    /// An entry did not read.
    pub fn poison(&self) {
        self.0.metrics.poison.inc();
    }

    /// Ticks of a live source are missing, for this cause.
    pub fn gap(&self, cause: &str) {
        self.0.metrics.feed.gap(cause);
    }

    /// What has passed between a live source and its venue since `before`.
    pub fn passed(&self, before: &Traffic, traffic: &Traffic) {
        self.0.metrics.feed.passed(before, traffic);
    }

    /// How many milliseconds old the last ticks of a live source are, by market; `told` are the markets of which it was told.
    pub fn tick_ages<'a>(&self, told: &mut BTreeSet<String>, ages: impl Iterator<Item = (&'a str, i64)>) {
        self.0.metrics.feed.ages(told, ages);
    }
}

#[cfg(test)]
impl Health {
    /// What `/metrics` answers.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0.registry).unwrap();
        text
    }
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, health: Health) -> Infallible {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health);
    process::admin::serve(listener, routes).await
}

async fn readyz(State(health): State<Health>) -> (StatusCode, String) {
    let (is_ready, text) = health.readiness();
    (if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, format!("{text}\n"))
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

#[cfg(test)]
mod tests {
    use engine::Config;
    use engine::risk::RiskParameters;
    use engine::testkit::{Bench, Market};

    use super::*;

    #[test]
    fn orders_are_counted_over_the_whole_ledger_and_once() {
        let health = Health::new("strategy");
        let mut counts = OrderCounts { filled: 7, expired: 2, ..OrderCounts::default() };
        counts.deny("BelowMinNotional");
        // As a process tells them that takes up a ledger, and after each of its commits.
        health.ended(&counts);
        health.ended(&counts);
        counts.deny("BelowMinNotional");
        counts.rejected = 1;
        health.ended(&counts);
        let text = health.metrics();
        for line in [
            "glm_denials_total{reason=\"BelowMinNotional\"} 2\n",
            "glm_orders_ended_total{state=\"Filled\"} 7\n",
            "glm_orders_ended_total{state=\"Expired\"} 2\n",
            "glm_orders_ended_total{state=\"Rejected\"} 1\n",
            "glm_orders_ended_total{state=\"Denied\"} 2\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(!Health::new("feed").metrics().contains("glm_denials"));
    }

    #[test]
    fn how_much_of_a_limit_is_used_up_is_told_while_it_is_set() {
        let (health, usual) = (Health::new("strategy"), Market::USUAL.config(&serde_json::json!({})));
        let risk: RiskParameters = serde_json::from_str(r#"{"maxDrawdownPercent": 1}"#).unwrap();
        let mut bench = Bench::grid(&Market::USUAL, Config { risk, ..usual });
        // 5 coins and 3000: of 6000 a quarter of one percent is lost, then 1.25 %.
        for (price, used, halted) in [("600", "0.0", 0), ("597", "0.25", 0), ("585", "1.25", 1)] {
            bench.run([price]);
            health.limits(&bench.engine);
            let text = health.metrics();
            for line in [
                format!("glm_limit_used_ratio{{limit=\"maxDrawdownPercent\"}} {used}\n"),
                format!("glm_halted {halted}\n"),
            ] {
                assert!(text.contains(&line), "{line} is not in {text}");
            }
        }
        bench.edit(|config| config.risk = RiskParameters::default());
        health.limits(&bench.engine);
        assert!(!health.metrics().contains("glm_limit_used_ratio{"), "{}", health.metrics());
    }
    #[test]
    fn a_gateway_tells_how_much_of_its_accounts_exposure_is_used_up() {
        let health = Health::new("gateway");
        health.account_limits(false, Some("0.5".parse().unwrap()));
        let [used, halted] = ["glm_limit_used_ratio{limit=\"maxExposure\"} 0.5\n", "glm_halted 0\n"];
        assert!(health.metrics().contains(used) && health.metrics().contains(halted), "{}", health.metrics());
        health.account_limits(true, None);
        assert!(health.metrics().contains("glm_halted 1\n") && !health.metrics().contains("glm_limit_used_ratio{"));
    }
}
