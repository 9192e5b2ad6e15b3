//! The fields of records that more than one program reads: what a worker tells to who writes the status, and
//! to its feed.

use engine::report::LatchedLimit;
use serde::{Deserialize, Serialize};

use crate::roles::Stance;

/// The field that holds the report, for who writes the status.
pub const REPORT: &str = "report";
/// Who has told something, in a report of a gateway, where it is the account itself: its status is to be looked at.
pub const ACCOUNT: &str = "account";
/// The field that tells how far a strategy has taken the ticks: the sequence of the last one.
pub const POSITION: &str = "position";
/// The field that tells when the ledger was opened, in milliseconds UTC.
pub const STARTED_AT: &str = "startedAt";
/// The fields that stay readable when a ledger is closed; the streams that only it needed go.
pub const KEPT: [&str; 2] = [REPORT, STARTED_AT];
/// What the name of a field begins with that holds an order at a gateway.
pub const ORDER: &str = "order:";
/// What the name of a field begins with that holds the stance that a gateway follows for a ledger, as a word of
/// [`Stance`]: its acknowledgement.
pub const STANCE: &str = "stance:";
/// The stance in such a field; `None` where there is none, or one of a newer version.
pub fn acknowledged(field: Option<impl AsRef<str>>) -> Option<Stance> {
    serde_json::from_str(field?.as_ref()).ok()
}

/// The field of a gateway that tells which limits of its account are latched; absent while none is.
pub const LATCHED: &str = "latched";

/// The limits in such a field; `None` where it does not read.
pub fn latched(field: Option<impl AsRef<str>>) -> Option<Vec<LatchedLimit>> {
    field.map_or_else(|| Some(Vec::new()), |text| serde_json::from_str(text.as_ref()).ok())
}

/// The field that tells what a strategy's worker is doing.
pub const PHASE: &str = "phase";
/// The field that names the strategies for which a feed has waited for long, divided by commas; absent while it waits
/// for nobody.
pub const WAITS_FOR: &str = "waitsFor";

/// What a strategy's worker is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// In one word.
    pub state: PhaseState,
    /// Why, as a stable word.
    pub reason: String,
    /// Why, in words; empty where the reason says it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The generation that trades.
    pub generation: u64,
    /// What of an edit its worker follows by its register; nothing, where the release before wrote this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<String>,
    /// The edit that its worker cannot follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedEdit>,
}

/// The word of who follows edited parameters by its register.
pub const PARAMETERS: &str = "parameters";

/// The reason of who trades nothing, because no engine can be made of its spec.
pub const INVALID_SPEC: &str = "InvalidSpec";

/// The reason of who has had no tick of one of its markets yet: none of them is traded before.
pub const WAITING_FOR_MARKET_DATA: &str = "WaitingForMarketData";
/// The reason of who lacks bars on which it looks back.
pub const WARMING_UP: &str = "WarmingUp";

/// An edit that a worker cannot follow: what it followed before goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedEdit {
    /// The edit's generation.
    pub generation: u64,
    /// Why, in words.
    pub message: String,
}

/// What a strategy's worker is doing, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PhaseState {
    /// It trades.
    Running,
    /// It watches and sends no new order.
    Paused,
    /// It has ended.
    Stopped,
    /// It trades no more until a human decides.
    Quarantined,
}

impl Phase {
    /// Whether its worker follows edited parameters by its register.
    pub fn follows_parameters(&self) -> bool {
        self.follows.iter().any(|word| word == PARAMETERS)
    }

    /// The phase in a record's field; `None` before the first commit.
    pub fn of(field: Option<impl AsRef<str>>) -> Option<Self> {
        serde_json::from_str(field?.as_ref()).ok()
    }

    /// Whether the strategy takes ticks: a feed waits for those that do.
    pub fn takes_ticks(&self) -> bool {
        match self.state {
            PhaseState::Running | PhaseState::Paused => true,
            PhaseState::Stopped | PhaseState::Quarantined => false,
        }
    }

    /// Whether its worker trades nothing, because no engine can be made of its spec.
    pub fn is_of_invalid_spec(&self) -> bool {
        self.reason == INVALID_SPEC
    }

    /// The field's value.
    pub fn to_field(&self) -> (String, String) {
        // Two words, a text and a number: this cannot fail.
        (PHASE.to_owned(), serde_json::to_string(self).unwrap_or_default())
    }
}
