//! All metrics of the operator with what they mean: what is served, and the page that tells of them.

use prometheus_client::registry::Registry;

use super::Metrics;

/// What the name of each begins with.
pub const PREFIX: &str = "glm_operator";

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Counter,
    Gauge,
    Histogram,
}

impl Type {
    /// As Prometheus writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Description {
    /// Without prefix and suffix.
    name: &'static str,
    pub type_: Type,
    pub labels: &'static [&'static str],
    pub meaning: &'static str,
    pub(super) register: fn(&Metrics, &Self, &mut Registry),
}

impl Description {
    /// As it is asked for.
    pub fn full_name(&self) -> String {
        let suffix = if self.type_ == Type::Counter { "_total" } else { "" };
        format!("{PREFIX}_{}{suffix}", self.name)
    }
}

/// A metric that is a field of [`Metrics`].
macro_rules! of {
    ($field:ident, $name:literal, $type_:ident, $labels:expr, $meaning:literal) => {
        Description {
            name: $name,
            type_: Type::$type_,
            labels: &$labels,
            meaning: $meaning,
            register: |all, it, registry| registry.register(it.name, it.meaning, all.$field.clone()),
        }
    };
}

/// All there are.
pub const ALL: [Description; 11] = [
    of!(
        durations,
        "reconcile_duration_seconds",
        Histogram,
        ["kind", "path"],
        "How long one reconcile took. path is whole: it looked at everything that the object has"
    ),
    of!(
        reconciles,
        "reconciles",
        Counter,
        ["kind", "outcome"],
        "Reconciles that ended. outcome is Done, or why it is tried again, such as ApiServer, RedisUnavailable, Changed or TimedOut"
    ),
    of!(
        backing_off,
        "backing_off",
        Gauge,
        ["kind"],
        "Objects and live sources whose last reconcile failed and that wait for the next one"
    ),
    of!(
        requests,
        "api_requests",
        Counter,
        ["verb", "resource", "code"],
        "Requests to the API server, each try by itself. code is error where no answer came. A watch counts when it is opened"
    ),
    of!(
        watch_errors,
        "watch_errors",
        Counter,
        ["resource"],
        "Watches that failed and are opened again; the log says why"
    ),
    of!(
        calls,
        "store_requests",
        Counter,
        ["call", "outcome"],
        "Calls to Redis. outcome is ok, unavailable, read_only, memory_full, wrong_type, refused, unreadable, or no_answer where the operator has given up"
    ),
    of!(
        objects,
        "objects",
        Gauge,
        ["kind", "state"],
        "TradingStrategies and TradingAccounts by the state in their status, as last seen; Unreadable where they do not read as their kind"
    ),
    of!(
        pods,
        "pods",
        Gauge,
        ["role", "state"],
        "Pods of the operator, as their last reconcile saw them: Ready, Starting, Waiting (such as ImagePullBackOff), Ended, Deleting"
    ),
    of!(
        silent,
        "silent",
        Gauge,
        ["role"],
        "Processes with a ready pod that have shown no sign of life for more than 30 s"
    ),
    of!(events_lost, "events_lost", Counter, [], "Events that could not be written; the conditions tell the same"),
    of!(released, "released_namespaces", Counter, [], "Resources released because their namespace was being deleted"),
];
