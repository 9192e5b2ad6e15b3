//! All that an engine remembers, and its saved form. Readers accept this version and the one before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Config;
use super::closed::ClosedOrders;
use super::sequence::Gap;
use crate::ledger::Ledger;
use crate::messages::{AlertKind, Side, Tick, text};
use crate::numbers::{Notional, NumberError, Price, Ratio};
use crate::order::Order;
use crate::report::{Decision, OrderCounts, RecentTrade};
use crate::risk::{OrderRate, RiskState};
use crate::running_hash::RunningHash;
use crate::strategy::{DesiredState, StrategyError};
use crate::time::Timestamp;

/// The version of the saved form.
pub(super) const VERSION: u32 = 1;

/// Why saved state could not be taken up.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It was written by a newer program.
    #[error("the state has version {found}, this program reads up to {VERSION}; run the newer image")]
    NewerVersion {
        /// The state's version.
        found: u64,
    },
    /// It does not read.
    #[error("the saved state does not read: {0}")]
    Broken(#[from] serde_json::Error),
    /// The strategy's part does not read.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// Its books, of more digits than are kept now, do not add up in the digits that are.
    #[error("the saved ledger cannot be rounded to {PLACES} digits after the point: {0}")]
    Digits(#[from] NumberError),
}

/// Why the state could not be put into its saved form. Nothing may then be committed in its place.
#[derive(Debug, thiserror::Error)]
#[error("the state cannot be saved: {0}")]
pub struct SnapshotError(#[from] serde_json::Error);

/// Parameters that were judged: they stay judged at this price, however often the process dies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Judged {
    /// Their SHA-256.
    pub parameters: String,
    /// The price of the first tick under them.
    pub price: Price,
}

/// All that an engine remembers but what its strategy does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct State {
    /// Version of this form.
    pub version: u32,
    /// The books.
    pub ledger: Ledger,
    /// Orders that are not closed, or closed ones of which more has traded, by the venue's word, than is booked.
    pub orders: Vec<Order>,
    /// The newest closed orders.
    #[serde(default)]
    pub closed: ClosedOrders,
    /// The highest order sequence used.
    pub sequence: u64,
    /// Orders of the last minute.
    pub rate: OrderRate,
    /// Which sides are allowed.
    pub risk: RiskState,
    /// Why it is halted; absent while it is not, and in a state that the release before halted for its ledger.
    #[serde(default)]
    pub halt: Option<AlertKind>,
    /// Where a human wants it to be.
    pub desired: DesiredState,
    /// How many ticks were taken.
    pub ticks: u64,
    /// The last tick taken.
    pub last_tick: Option<Tick>,
    /// What was missing before one of the ticks taken; the newest.
    #[serde(default)]
    pub gap: Option<Gap>,
    /// Whether ticks come that were delivered before.
    #[serde(default)]
    pub behind: bool,
    /// Event time of the last event.
    pub as_of: Timestamp,
    /// Why an order of each side was last denied before it was sent.
    #[serde(default)]
    pub denials: BTreeMap<Side, String>,
    /// Ended orders by how they ended.
    pub counts: OrderCounts,
    /// Trades booked.
    #[serde(default)]
    pub trades: u64,
    /// The hash of these trades; absent where the release before booked some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trades_hash: Option<RunningHash>,
    /// Updates that could not be.
    pub anomalies: u64,
    /// The newest trades, newest first.
    pub recent_trades: Vec<RecentTrade>,
    /// Why it acted or did not, last.
    pub decision: Decision,
    /// The reason that was published last: an order that is denied once more is shown, but not told.
    #[serde(default)]
    pub told: String,
    /// All that it was halted for. Under the name of the release before, which kept warnings about parameters here too.
    #[serde(rename = "warnings")]
    pub halts: Vec<AlertKind>,
    /// The warnings about parameters that were told last: what stays as it is, is not told again after a restart.
    #[serde(default)]
    pub warned: Vec<AlertKind>,
    /// What was judged last, and at which price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// The highest equity so far.
    pub peak: Notional,
    /// The deepest fall from a peak, as a share of it.
    pub deepest_fall: Ratio,
    /// The strategy's own memory.
    pub strategy: Value,
}

/// Bytes of a saved state that remembers as many closed orders as it may.
const ROOM: usize = 8 * 1024;

/// Digits after the point that money is kept with.
const PLACES: usize = 18;

/// Whether one of the amounts in `ledger` has more digits after the point than are kept. The release that kept 28 wrote
/// them only with data finer than its rules.
fn has_more_digits(ledger: &Value) -> bool {
    let is_long = |amount: &Value| {
        let fraction = amount.as_str().and_then(|text| text.split_once('.'));
        fraction.is_some_and(|(_, fraction)| fraction.len() > PLACES)
    };
    ledger.as_object().is_some_and(|fields| fields.values().any(is_long))
}

impl State {
    pub fn new(config: &Config) -> Self {
        Self {
            version: VERSION,
            ledger: Ledger::new(config.instrument.symbol.clone(), config.base, config.quote),
            orders: Vec::new(),
            closed: ClosedOrders::default(),
            sequence: 0,
            rate: OrderRate::default(),
            risk: RiskState::AllowAll,
            halt: None,
            desired: config.desired,
            ticks: 0,
            last_tick: None,
            gap: None,
            behind: false,
            as_of: Timestamp::default(),
            denials: BTreeMap::new(),
            counts: OrderCounts::default(),
            trades: 0,
            trades_hash: Some(RunningHash::default()),
            anomalies: 0,
            recent_trades: Vec::new(),
            decision: Decision::waiting(),
            told: Decision::waiting().reason,
            halts: Vec::new(),
            warned: Vec::new(),
            judged: None,
            peak: Notional::ZERO,
            deepest_fall: Ratio::ZERO,
            strategy: Value::Null,
        }
    }

    pub fn restore(saved: &Value) -> Result<Self, RestoreError> {
        let found = saved.get("version").and_then(Value::as_u64).unwrap_or(0);
        if found > u64::from(VERSION) {
            return Err(RestoreError::NewerVersion { found });
        }
        let mut state = Self::deserialize(saved)?;
        if saved.get("ledger").is_some_and(has_more_digits) {
            state.ledger.settle_rounding()?;
        }
        let (halts, warned): (Vec<_>, Vec<_>) =
            state.halts.into_iter().partition(|kind| AlertKind::HALTING.contains(kind));
        state.halts = halts;
        state.warned.extend(warned);
        state.counts.settle_reasons();
        if state.told.is_empty() {
            state.told.clone_from(&state.decision.reason);
        }
        Ok(state)
    }

    pub fn saved_with(&self, strategy: Value) -> Result<Value, SnapshotError> {
        let mut saved = serde_json::to_value(self)?;
        if let Some(fields) = saved.as_object_mut() {
            // It is a field already, so it keeps its place.
            fields.insert("strategy".to_owned(), strategy);
        }
        Ok(saved)
    }

    pub fn text_with(&mut self, strategy: Value) -> Result<String, SnapshotError> {
        // Only for as long as it is written: what the strategy remembers is its own.
        let before = std::mem::replace(&mut self.strategy, strategy);
        let text = text(&self, ROOM);
        self.strategy = before;
        Ok(text?)
    }
}
