//! The result of a strategy on recorded data, in the form of the contract: the same inputs give the same
//! bytes, whether it ran in `backtest` or as separate processes.

use std::collections::BTreeMap;

use engine::messages::{Fill, Side};
use engine::numbers::{Notional, Price, Quantity};
use engine::report::Pnl;
use engine::strategy::Figures;
use engine::time::Timestamp;
use engine::{Engine, Performance};
use serde::Serialize;

/// One strategy's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The strategy's name.
    pub strategy: String,
    /// How many ticks it took.
    pub ticks: u64,
    /// Its trades, in order.
    pub trades: Vec<Trade>,
    /// How many of them, the oldest, are no longer kept.
    #[serde(skip_serializing_if = "is_none")]
    pub trades_missing: u64,
    /// Where it stood at the last tick.
    #[serde(rename = "final")]
    pub end: End,
    /// Its profit at the last tick.
    pub pnl: Pnl,
}

/// One trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trade {
    /// The 0-based tick on which it happened.
    pub index: u64,
    /// Milliseconds UTC.
    pub time: Timestamp,
    /// The market.
    pub symbol: String,
    /// Buy or Sell.
    pub side: Side,
    /// With the tick size's digits.
    pub price: Price,
    /// In base.
    pub quantity: Quantity,
    /// Never rounded.
    pub fee: Notional,
    /// The asset the fee was taken from.
    pub fee_asset: String,
}

/// Where a strategy stood at the last tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct End {
    /// What it held, by asset.
    pub position: BTreeMap<String, Notional>,
    /// The last price.
    pub price: Price,
    /// What all was worth.
    pub equity: Notional,
    /// Its own state.
    pub strategy: Figures,
}

impl Outcome {
    /// The result of an engine and its trades; `None` before the first tick.
    pub fn of(name: &str, engine: &Engine, fills: &[Fill]) -> Option<Self> {
        let Performance { ticks, price, equity, outcome, .. } = engine.performance()?;
        let report = engine.report();
        Some(Self {
            strategy: name.to_owned(),
            ticks,
            trades: fills.iter().map(Trade::of).collect(),
            trades_missing: 0,
            end: End { position: report.position, price, equity, strategy: outcome },
            pnl: report.pnl?,
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Trade {
    fn of(fill: &Fill) -> Self {
        Self {
            index: fill.tick_sequence.unwrap_or_default(),
            time: fill.time,
            symbol: fill.symbol.to_string(),
            side: fill.side,
            price: fill.price,
            quantity: fill.quantity,
            fee: fill.fee,
            fee_asset: fill.fee_asset.to_string(),
        }
    }
}
