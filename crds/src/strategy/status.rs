//! What a strategy's status shows. The figures are the engine's report.

use engine::report::Report;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;

/// What the strategy does and did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TradingStrategyStatus {
    /// The newest generation that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The generation that trades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_generation: Option<i64>,
    /// What the strategy does now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StrategyState>,
    /// Whose money is traded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Counts the workers that have traded for this strategy; only the newest can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub epoch: Option<u64>,
    /// The strategy's own books.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
    /// Where the worker runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Worker>,
    /// Workers that ended before they had been ready for a minute, one after the other; absent once one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<Restarts>,
    /// Accepted, Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The figures; absent before the first report.
    #[serde(flatten)]
    pub report: Option<Report>,
}

/// What is going on: Pending, Starting, Running, Paused, Stopping, Stopped, Degraded (it may be trading, but
/// nobody can say), Quarantined (a human must decide) or Deleting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StrategyState {
    /// It waits for what it needs.
    Pending,
    /// Its worker starts.
    Starting,
    /// It trades.
    Running,
    /// It watches prices and sends no new order.
    Paused,
    /// It cancels its orders.
    Stopping,
    /// It has ended.
    Stopped,
    /// It may be trading, but reports, prices or the store are missing.
    Degraded,
    /// It trades no more until a human decides.
    Quarantined,
    /// It is being deleted.
    Deleting,
}

/// Whose money is traded: Paper is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Simulated money.
    Paper,
}

/// The books of an owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The books' id; it stands in each client order id.
    pub id: String,
    /// The uid of the resource when the books were taken up: under another uid (a restored backup, a moved
    /// cluster) nothing trades until the annotation glm.trading/ledger says resume or discard.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource_uid: String,
    /// When the books were opened, in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub started_at: String,
}

/// Where a process runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Worker {
    /// The pod's name.
    pub pod: String,
    /// The node's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// Processes that ended before they had been ready for a minute, one after the other. The pauses between them grow; after
/// five nothing is tried again until the spec or the image changes, or the annotation glm.trading/release says
/// "CrashLoop COUNT".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restarts {
    /// How many in a row.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub count: u32,
    /// The exit code of the last one; absent where its node gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<i32>,
    /// When the last end was seen, in UTC.
    #[serde(default)]
    pub at: String,
    /// The last lines of its log, at most 1 kB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// A digest of what they were made from: what is made from something else is tried at once.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
}
