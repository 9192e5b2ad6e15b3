//! The saved form of version 1, as the release before wrote it. Frozen: it is read, and never written any more.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Judged, Saved, State, VERSION};
use crate::client_order_id::ClientOrderId;
use crate::core::bars::{Bars, SavedBars};
use crate::core::denials::Denials;
use crate::core::markets::{Market, Markets};
use crate::core::sequence::Gap;
use crate::ledger::v1::Ledger;
use crate::messages::{AlertKind, Side, Tick};
use crate::numbers::{Notional, Price, Quantity, Ratio};
use crate::orders::{ClosedOrders, OpenOrders, Order, OrderState, TradeIds};
use crate::report::{Decision, OrderCounts, RecentTrade};
use crate::risk::{OrderRate, RiskState, Stops};
use crate::running_hash::RunningHash;
use crate::strategies::DesiredState;
use crate::time::Timestamp;
use crate::transfers::Transfers;

/// All that an engine remembered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StateV1 {
    ledger: Ledger,
    orders: Vec<OrderV1>,
    #[serde(default)]
    closed: Vec<ClosedV1>,
    sequence: u64,
    rate: OrderRate,
    risk: RiskState,
    #[serde(default)]
    halt: Option<AlertKind>,
    desired: DesiredState,
    ticks: u64,
    last_tick: Option<Tick>,
    #[serde(default)]
    gap: Option<Gap>,
    #[serde(default)]
    behind: bool,
    as_of: Timestamp,
    #[serde(default)]
    denials: BTreeMap<Side, String>,
    counts: OrderCounts,
    #[serde(default)]
    trades: u64,
    /// Absent where the release before it booked some.
    #[serde(default)]
    trades_hash: Option<RunningHash>,
    anomalies: u64,
    recent_trades: Vec<RecentTrade>,
    decision: Decision,
    #[serde(default)]
    told: String,
    /// What it was halted for, and with the release before it warnings about parameters too.
    warnings: Vec<AlertKind>,
    #[serde(default)]
    warned: Vec<AlertKind>,
    #[serde(default)]
    judged: Option<Judged>,
    peak: Notional,
    deepest_fall: Ratio,
    strategy: Value,
}

/// An order. Each was an IOC.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderV1 {
    client_order_id: ClientOrderId,
    side: Side,
    quantity: Quantity,
    price: Option<Price>,
    state: OrderState,
    cumulative: Quantity,
    filled: Quantity,
    notional: Notional,
    trades: Vec<String>,
    matched: Option<u64>,
    reason: String,
    time: Timestamp,
    #[serde(default)]
    closed_with: Option<Quantity>,
}

/// A closed order: sequence, side, what was ordered, how it ended, what has traded, what that was worth, trade ids.
#[derive(Debug, Deserialize)]
struct ClosedV1(u64, Side, Quantity, OrderState, Quantity, Notional, Vec<String>);

impl From<OrderV1> for Order {
    fn from(old: OrderV1) -> Self {
        let trades = TradeIds::of_list(&old.client_order_id.to_string(), old.trades);
        Self {
            state: old.state,
            cumulative: old.cumulative,
            filled: old.filled,
            notional: old.notional,
            trades,
            matched: old.matched,
            reason: old.reason,
            closed_with: old.closed_with,
            ..Self::committed(old.client_order_id, old.side, old.quantity, old.price, old.time)
        }
    }
}

impl From<StateV1> for Saved {
    fn from(old: StateV1) -> Self {
        // Warnings about parameters stood among what it was halted for.
        let (halts, warned): (Vec<_>, Vec<_>) =
            old.warnings.into_iter().partition(|kind| AlertKind::HALTING.contains(kind));
        let told = if old.told.is_empty() { old.decision.reason.clone() } else { old.told };
        let mut counts = old.counts;
        counts.settle_reasons();
        let mut closed = ClosedOrders::default();
        for ClosedV1(sequence, side, quantity, state, filled, notional, trades) in old.closed {
            let trades = TradeIds::of_list("", trades);
            closed.remember_as(sequence, (side, quantity), (state, filled, notional), trades);
        }
        let state = State {
            ledger: old.ledger.into(),
            orders: OpenOrders::saved(old.orders.into_iter().map(Order::from)),
            closed,
            sequence: old.sequence,
            rate: old.rate,
            risk: old.risk,
            halt: old.halt,
            desired: old.desired,
            ticks: old.ticks,
            markets: Markets::of(Market { last_tick: old.last_tick, gap: old.gap, behind: old.behind }),
            foreign_ticks: 0,
            as_of: old.as_of,
            denials: Denials::of_sides(old.denials),
            counts,
            trades: old.trades,
            trades_hash: old.trades_hash,
            anomalies: old.anomalies,
            recent_trades: old.recent_trades,
            decision: old.decision,
            told,
            holding: None,
            halts,
            warned: old.warned.into_iter().chain(warned).collect(),
            judged: old.judged,
            transfers: Transfers::default(),
            peak: old.peak,
            max_drawdown: old.deepest_fall,
            stops: Stops::default(),
            version: VERSION,
            bars: Bars::default(),
            news: Vec::new(),
            late_cancels: 0,
        };
        Self { state, bars: SavedBars::default(), strategy: old.strategy }
    }
}
