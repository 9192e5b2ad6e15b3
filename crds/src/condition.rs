//! Conditions as Kubernetes' own tools read them, each with the generation it speaks of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The spec is valid and its references exist.
pub const ACCEPTED: &str = "Accepted";
/// The resource does what its spec asks for.
pub const READY: &str = "Ready";
/// A change is under way.
pub const RECONCILING: &str = "Reconciling";
/// A human is needed.
pub const STALLED: &str = "Stalled";

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can say now.
    Unknown,
}

/// One aspect of the resource's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Accepted, Ready, Reconciling or Stalled. Tools of others may add their own.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub type_: String,
    /// True, False or Unknown.
    pub status: ConditionStatus,
    /// Why, in one word for programs, such as Trading or AccountNotFound.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// Why, in a sentence for humans, with what to do about it.
    #[schemars(length(max = 32768))]
    pub message: String,
    /// The metadata.generation that this condition speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the status last changed, in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
}
