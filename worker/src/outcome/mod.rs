//! The result of a strategy on recorded data, in the form of the contract: the same inputs give the same
//! bytes, whether it ran in `backtest` or as separate processes.

pub(crate) mod candles;
pub(crate) mod clock;
pub(crate) mod hashes;
pub(crate) mod untraded;
pub(crate) mod warning;

use std::collections::BTreeMap;

use engine::client_order_id::ClientOrderId;
use engine::messages::Side;
use engine::numbers::{Notional, Price, Quantity};
use engine::orders::OrderState;
use engine::report::{OrderCounts, Pnl, Trade, TransferReport, TransferState};
use engine::risk::EXIT_REACHED;
use engine::strategies::Figures;
use engine::{Engine, Performance};
use serde::Serialize;

use crate::outcome::hashes::{DataHash, Hashes, Made};
use warning::Warning;

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
    /// Its orders that are closed, by how they ended.
    pub orders: EndedOrders,
    /// What a human should know of its data and its parameters.
    pub warnings: Vec<Warning>,
    /// What the data hold, where they were at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataCounts>,
    /// What it was made of and what it is.
    pub hashes: Hashes,
    /// Its orders that are not closed, where it may go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_orders: Option<Vec<OpenOrder>>,
}

/// Orders by how they ended; one of which a part has traded is filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedOrders {
    /// At least a part has traded.
    pub filled: u64,
    /// The venue dropped them.
    pub expired: u64,
    /// The venue refused them.
    pub rejected: u64,
    /// Our own checks refused them, by reason.
    pub denied: BTreeMap<String, u64>,
}

/// What data hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DataCounts {
    pub ticks: u64,
    /// Candles, or trades of a recording, that are missing.
    pub missing: u64,
}

/// An order that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenOrder {
    client_order_id: ClientOrderId,
    symbol: String,
    side: Side,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
    quantity: Quantity,
    filled: Quantity,
    status: OrderState,
}

/// Where a strategy stood at the last tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct End {
    /// What it held, by asset.
    pub position: BTreeMap<String, Notional>,
    /// The last price, of the first market.
    pub price: Price,
    /// The last price of each market, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: BTreeMap<String, Price>,
    /// What all was worth.
    pub equity: Notional,
    /// Its own state.
    pub strategy: Figures,
    /// The limits that are latched, by the tick on which each was breached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<EndedLimit>,
    /// The exit that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<EndedBy>,
    /// The transfers that were decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<EndedTransfer>,
}

/// A transfer that was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedTransfer {
    /// Its name in the manifest.
    pub id: String,
    /// Booked or Refused.
    pub state: TransferState,
}

/// A limit that is latched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedLimit {
    name: &'static str,
    /// The 0-based tick on which it was breached.
    index: u64,
    figure: String,
    threshold: String,
}

/// An exit that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedBy {
    reason: &'static str,
    rule: &'static str,
    /// The 0-based tick on which it was reached.
    index: u64,
}

fn limits(engine: &Engine) -> Vec<EndedLimit> {
    let latched = engine.latched_limits().iter().map(|(limit, latch)| EndedLimit {
        name: limit.as_str(),
        index: latch.index,
        figure: latch.figure.clone(),
        threshold: latch.threshold.clone(),
    });
    latched.collect()
}

fn stopped(engine: &Engine) -> Option<EndedBy> {
    let (rule, latch) = engine.exit_reached()?;
    Some(EndedBy { reason: EXIT_REACHED, rule: rule.as_str(), index: latch.index })
}

impl Outcome {
    /// The result of an engine, its trades and the ticks it took; `None` before the first tick.
    pub fn of(name: &str, engine: &Engine, trades: &[Trade], made: Made, data: Option<&DataHash>) -> Option<Self> {
        let Performance { ticks, price, prices, equity, outcome, .. } = engine.performance()?;
        let several = prices.len() > 1;
        let prices =
            prices.into_iter().filter(|_| several).map(|(symbol, price)| (symbol.to_string(), price)).collect();
        let report = engine.report();
        let OrderCounts { filled, expired, rejected, denied_reasons, .. } = report.orders;
        Some(Self {
            strategy: name.to_owned(),
            ticks,
            trades: trades.to_vec(),
            trades_missing: 0,
            end: End {
                position: report.position,
                price,
                prices,
                equity,
                strategy: outcome,
                limits: limits(engine),
                stopped: stopped(engine),
                transfers: report
                    .transfers
                    .into_iter()
                    .map(|TransferReport { id, state, .. }| EndedTransfer { id, state })
                    .collect(),
            },
            pnl: report.pnl?,
            orders: EndedOrders { filled, expired, rejected, denied: denied_reasons },
            warnings: warning::of_parameters(engine).collect(),
            data: None,
            hashes: Hashes::of(made, engine, data),
            open_orders: None,
        })
    }
}

impl OpenOrder {
    /// All of them.
    pub fn all(engine: &Engine) -> Vec<Self> {
        let markets = engine.instruments();
        let open = engine.open_orders().map(|order| Self {
            client_order_id: order.client_order_id.clone(),
            symbol: markets.get(order.instrument).unwrap_or(markets.first()).symbol.to_string(),
            side: order.side,
            price: order.price,
            quantity: order.quantity,
            filled: order.filled,
            status: order.state,
        });
        open.collect()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}
