//! What the operator counts, and its admin address.

mod fleet;
mod page;
mod reconciles;
mod requests;
mod serve;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use fleet::Process;
pub use page::{ALL, Description, PREFIX};
pub use reconciles::{counted, span};
pub use requests::{CountRequests, client};
pub use serve::serve;
pub use store::CountedStore;

use fleet::{BackingOff, Fleet, ObjectState, PodState, Silent};
use requests::Request;
use store::Call;

/// What is reconciled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A TradingStrategy.
    Strategy,
    /// A TradingAccount.
    Account,
    /// A live source of market data, which is no object.
    Feed,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Strategy, Self::Account, Self::Feed];

    /// As it stands in labels and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strategy => "TradingStrategy",
            Self::Account => "TradingAccount",
            Self::Feed => "Feed",
        }
    }
}

/// The labels of reconciles.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    kind: &'static str,
    outcome: &'static str,
}

/// The labels of how long reconciles take.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Path {
    kind: &'static str,
    path: &'static str,
}

/// The label of watches.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Watched {
    resource: String,
}

/// All that is counted. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Metrics {
    reconciles: Family<Outcome, Counter>,
    durations: Family<Path, Histogram>,
    requests: Family<Request, Counter>,
    calls: Family<Call, Counter>,
    watch_errors: Family<Watched, Counter>,
    events_lost: Counter,
    /// Resources released because their namespace was being deleted.
    pub released: Counter,
    objects: Family<ObjectState, Gauge>,
    pods: Family<PodState, Gauge>,
    silent: Family<Silent, Gauge>,
    backing_off: Family<BackingOff, Gauge>,
    fleet: Arc<Fleet>,
}

/// The bounds of the buckets of a reconcile, in seconds; none takes longer than the last.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Default for Metrics {
    fn default() -> Self {
        Self {
            reconciles: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            requests: Family::default(),
            calls: Family::default(),
            watch_errors: Family::default(),
            events_lost: Counter::default(),
            released: Counter::default(),
            objects: Family::default(),
            pods: Family::default(),
            silent: Family::default(),
            backing_off: Family::default(),
            fleet: Arc::default(),
        }
    }
}

impl Metrics {
    /// A watch failed; it is tried again.
    pub fn watch_failed(&self, resource: &str, namespace: &str, why: String) {
        self.watch_errors.get_or_create(&Watched { resource: resource.to_owned() }).inc();
        self.fleet.watch_failed(resource, namespace, why);
    }

    /// An Event could not be written.
    pub fn event_lost(&self) {
        self.events_lost.inc();
    }

    /// All that is counted, as Prometheus reads it.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        self.count_fleet();
        let mut text = String::new();
        encode(&mut text, &self.registry())?;
        Ok(text)
    }

    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        for one in &ALL {
            (one.register)(self, one, &mut registry);
        }
        registry
    }
}

/// Counts a call when it ends, however it does: one that is given up has no answer.
struct Pending<L: Clone + std::hash::Hash + Eq> {
    counters: Family<L, Counter>,
    label: L,
}

impl<L: Clone + std::hash::Hash + Eq> Drop for Pending<L> {
    fn drop(&mut self) {
        self.counters.get_or_create(&self.label).inc();
    }
}
