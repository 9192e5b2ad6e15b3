//! One order as its strategy knows it: what was ordered, what has traded, what that was worth. No input or output.

use serde::{Deserialize, Serialize};

use super::trade_ids::Known;
use super::{Funds, ImpossibleTransition, OrderState, Terms, TradeIds, waits_in};
use crate::client_order_id::ClientOrderId;
use crate::instrument::InstrumentIndex;
use crate::messages::{Fill, NewOrder, OrderUpdate, Side, Tick, TimeInForce};
use crate::numbers::{Notional, NumberError, Price, Quantity};
use crate::time::Timestamp;

/// What an update did to an order. Money first, state second: a trade counts whatever else cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// Whether its trade is new and must be booked.
    pub trade: bool,
    /// What of it cannot be.
    pub anomaly: Option<OrderAnomaly>,
}

/// What cannot be of an update. Its trade is counted nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderAnomaly {
    /// The pair of states cannot be.
    #[error(transparent)]
    Transition(#[from] ImpossibleTransition),
    /// A trade of an order that was refused.
    #[error("an order that is {0} has traded")]
    TradedAfterRefusal(OrderState),
    /// More has traded than was ordered.
    #[error("{cumulative} of {ordered} has traded")]
    Overfilled {
        /// What has traded in all.
        cumulative: Quantity,
        /// What was ordered.
        ordered: Quantity,
    },
    /// The trade is of the other side.
    #[error("a {traded} was told of an order to {ordered}")]
    OtherSide {
        /// The order's side.
        ordered: Side,
        /// The trade's side.
        traded: Side,
    },
    /// A trade was told once more, with another content.
    #[error("trade {0} was told with two contents")]
    TwoContents(String),
    /// The order's sum cannot be exact.
    #[error(transparent)]
    Number(#[from] NumberError),
}

/// The tick as of which something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Its number at its source.
    pub sequence: u64,
    /// Its event time.
    pub time: Timestamp,
}

impl Cause {
    /// As of this tick.
    pub fn of(tick: &Tick) -> Self {
        Self { sequence: tick.source_sequence, time: tick.event_time() }
    }
}

/// The order whose place another takes. Both may take the same funds, because only one of them can trade: the new one is
/// placed only if of the old one no more has traded than was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replaced {
    /// The old order's sequence.
    pub sequence: u64,
    /// What was known to have traded of it.
    pub known_quantity: Quantity,
    /// More of it has traded: the new one will be rejected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raced: bool,
}

const fn takes_only() -> TimeInForce {
    TimeInForce::ImmediateOrCancel
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn only_takes(time_in_force: &TimeInForce) -> bool {
    matches!(time_in_force, TimeInForce::ImmediateOrCancel)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(tag: &u32) -> bool {
    *tag == 0
}

/// One order of a strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    #[expect(missing_docs, reason = "the name says it")]
    pub client_order_id: ClientOrderId,
    /// The market, by its place among those of the ledger.
    #[serde(default, skip_serializing_if = "InstrumentIndex::is_first")]
    pub instrument: InstrumentIndex,
    /// Buy or Sell.
    pub side: Side,
    /// What was ordered.
    pub quantity: Quantity,
    /// The limit; absent for a market order.
    pub price: Option<Price>,
    /// How long it stands. Every order of the release before was an IOC.
    #[serde(default = "takes_only", skip_serializing_if = "only_takes")]
    pub time_in_force: TimeInForce,
    /// Whether it may only wait in the book.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub post_only: bool,
    /// The strategy's own mark, such as a level; 0 where it gives none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tag: u32,
    /// The tick that caused it; absent in an order of the release before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The order whose place it takes, while that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
    /// The tick as of which its cancel, or its replacement, was sent; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cause>,
    /// Where it stands.
    pub state: OrderState,
    /// What the venue says has traded in all.
    pub cumulative: Quantity,
    /// What has been booked here.
    pub filled: Quantity,
    /// Worth of what has been booked.
    pub notional: Notional,
    /// Ids of the booked trades.
    pub trades: TradeIds,
    /// The number at its source of the last tick that the gateway has matched it against, on a simulated venue.
    pub matched: Option<u64>,
    /// Why it ended as it did.
    pub reason: String,
    /// Event time of the last news.
    pub time: Timestamp,
    /// Whether it sells for a limit or an exit: it is the engine's own, and the strategy is told nothing of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flattens: bool,
    /// What had traded when it was last closed; absent until then. A trade can be told after the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_with: Option<Quantity>,
}

impl Order {
    /// An order just committed: an IOC of the first market, without a cause.
    pub fn committed(
        client_order_id: ClientOrderId,
        side: Side,
        quantity: Quantity,
        price: Option<Price>,
        time: Timestamp,
    ) -> Self {
        Self {
            client_order_id,
            instrument: InstrumentIndex::FIRST,
            side,
            quantity,
            price,
            time_in_force: takes_only(),
            post_only: false,
            tag: 0,
            cause: None,
            replaces: None,
            cancel: None,
            state: OrderState::Committed,
            cumulative: Quantity::ZERO,
            filled: Quantity::ZERO,
            notional: Notional::ZERO,
            trades: TradeIds::default(),
            matched: None,
            reason: String::new(),
            time,
            flattens: false,
            closed_with: None,
        }
    }

    /// The order that a command asks for, as of a tick.
    pub fn ordered(client_order_id: ClientOrderId, order: &NewOrder, tag: u32, cause: Cause, time: Timestamp) -> Self {
        Self {
            time_in_force: order.time_in_force,
            post_only: order.post_only,
            tag,
            cause: Some(cause),
            ..Self::committed(client_order_id, order.side, order.quantity, order.price, time)
        }
    }

    /// Its sequence, dense within the ledger.
    pub const fn sequence(&self) -> u64 {
        self.client_order_id.sequence()
    }

    /// What may still trade of it.
    pub fn rest(&self) -> Result<Quantity, NumberError> {
        // Of one that has ended only what it traded can still come.
        let all = if self.state.is_final() { self.cumulative.min(self.quantity) } else { self.quantity };
        all.minus(self.filled.min(all))
    }

    /// Whether it asks for another's place and does not have it yet.
    pub const fn waits(&self) -> bool {
        self.replaces.is_some() && waits_in(self.state)
    }

    /// What it may still take, fee included. Nothing is known to bound a buy without a limit.
    pub fn reserve(&self, terms: &Terms) -> Result<Funds, NumberError> {
        match (self.side, self.price) {
            (side, Some(price)) => terms.reserve(side, self.time_in_force, self.rest()?, price),
            (Side::Sell, None) => Ok(Funds { base: self.rest()?, ..Funds::NONE }),
            (Side::Buy, None) => Ok(Funds::NONE),
        }
    }

    /// Closed: the venue is done with it and all that it traded has been booked. A cancel's answer can
    /// overtake the last fill, so the state alone does not tell.
    pub fn is_closed(&self) -> bool {
        self.state.is_final() && !self.lacks_fills()
    }

    /// Whether more has traded, by the venue's word, than has been booked.
    pub fn lacks_fills(&self) -> bool {
        self.filled < self.cumulative
    }

    /// Whether a trade is one of its own that was booked.
    pub fn has_booked(&self, fill: &Fill) -> bool {
        self.client_order_id == fill.client_order_id
            && self.trades.knows(&self.client_order_id.to_string(), fill) != Known::New
    }

    /// Applies news. A new trade is counted first, whatever the rest of the news says.
    pub fn apply(&mut self, update: &OrderUpdate) -> Applied {
        let (trade, mut anomaly) = match &update.fill {
            None => (false, None),
            Some(fill) => {
                let order = self.client_order_id.to_string();
                match self.trades.knows(&order, fill) {
                    Known::New => (true, self.count(&order, fill).err()),
                    Known::Booked => (false, None),
                    Known::Differs => (false, Some(OrderAnomaly::TwoContents(fill.trade_id.clone()))),
                }
            }
        };
        match self.state.after(update.status) {
            Ok(state) => self.state = state,
            Err(impossible) => anomaly = anomaly.or(Some(impossible.into())),
        }
        if trade && matches!(self.state, OrderState::Rejected | OrderState::Denied) {
            anomaly = anomaly.or(Some(OrderAnomaly::TradedAfterRefusal(self.state)));
        }
        let told = self.cumulative;
        self.cumulative = told.max(update.cumulative_quantity).max(self.filled);
        if self.state == OrderState::Filled {
            // Filled means all of it, also where the figure beside it says less.
            self.cumulative = self.cumulative.max(self.quantity);
        }
        if self.cumulative > self.quantity && self.cumulative > told {
            let overfilled = OrderAnomaly::Overfilled { cumulative: self.cumulative, ordered: self.quantity };
            anomaly = anomaly.or(Some(overfilled));
        }
        self.matched = self.matched.max(update.matched);
        self.time = update.time;
        if !update.reason.is_empty() {
            self.reason.clone_from(&update.reason);
        }
        Applied { trade, anomaly }
    }

    fn count(&mut self, order: &str, fill: &Fill) -> Result<(), OrderAnomaly> {
        self.trades.remember(order, fill);
        let filled = self.filled.plus(fill.quantity)?;
        let notional = self.notional.plus(fill.price.times(fill.quantity)?)?;
        (self.filled, self.notional) = (filled, notional);
        if fill.side == self.side {
            Ok(())
        } else {
            Err(OrderAnomaly::OtherSide { ordered: self.side, traded: fill.side })
        }
    }

    /// The average price of what was booked, with at least the digits of its limit, which are those of the tick size;
    /// `None` where nothing was.
    pub fn average_price(&self) -> Result<Option<Price>, NumberError> {
        if self.filled.is_zero() {
            return Ok(None);
        }
        let tick_places = self.price.map_or(0, |price| price.get().scale());
        Price::average(self.notional, self.filled, tick_places).map(Some)
    }
}
