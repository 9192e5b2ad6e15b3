//! The life of one order as its strategy sees it: one transition function, no input or output.

use serde::{Deserialize, Serialize};

use crate::client_order_id::ClientOrderId;
use crate::messages::{Fill, OrderStatus, OrderUpdate, Side};
use crate::numbers::{Notional, NumberError, Price, Quantity};
use crate::time::Timestamp;

/// Where an order stands.
///
/// `Committed → Sent → Accepted → (PartiallyFilled) → Filled | Canceled | Expired | Rejected | Denied`;
/// `Unknown` is a state of its own, left only by news from the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderState {
    /// In the store, not yet seen by the gateway.
    Committed,
    /// On its way to the venue.
    Sent,
    /// The venue has it.
    Accepted,
    /// A part has traded.
    PartiallyFilled,
    /// Nobody knows yet whether the venue has it.
    Unknown,
    /// All has traded.
    Filled,
    /// Cancelled on request.
    Canceled,
    /// The venue dropped the rest.
    Expired,
    /// The venue refused it.
    Rejected,
    /// We refused it.
    Denied,
}

impl OrderState {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "Committed",
            Self::Sent => "Sent",
            Self::Accepted => "Accepted",
            Self::PartiallyFilled => "PartiallyFilled",
            Self::Unknown => "Unknown",
            Self::Filled => "Filled",
            Self::Canceled => "Canceled",
            Self::Expired => "Expired",
            Self::Rejected => "Rejected",
            Self::Denied => "Denied",
        }
    }

    /// Whether the venue does no more with it. Fills may still be on their way to us.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Committed | Self::Sent | Self::Accepted | Self::PartiallyFilled | Self::Unknown => false,
            Self::Filled | Self::Canceled | Self::Expired | Self::Rejected | Self::Denied => true,
        }
    }

    /// How far along the order is: news of a lower rank is old news.
    const fn rank(self) -> u8 {
        match self {
            Self::Committed => 0,
            Self::Sent => 1,
            Self::Unknown => 2,
            Self::Accepted => 3,
            Self::PartiallyFilled => 4,
            Self::Filled | Self::Canceled | Self::Expired | Self::Rejected | Self::Denied => 5,
        }
    }

    /// The state after `status` arrives. `Err` names a pair that cannot be; the state then stays.
    ///
    /// News may overtake each other, so older news than what is known changes nothing: a late `Accepted`
    /// after `Filled` is no anomaly. Two different ends are.
    pub fn after(self, status: OrderStatus) -> Result<Self, ImpossibleTransition> {
        let next = match status {
            OrderStatus::Sent => Self::Sent,
            OrderStatus::Accepted => Self::Accepted,
            OrderStatus::PartiallyFilled => Self::PartiallyFilled,
            OrderStatus::Unknown => Self::Unknown,
            OrderStatus::Filled => Self::Filled,
            OrderStatus::Canceled => Self::Canceled,
            OrderStatus::Expired => Self::Expired,
            OrderStatus::Rejected => Self::Rejected,
            OrderStatus::Denied => Self::Denied,
        };
        let impossible = ImpossibleTransition { from: self, to: next };
        match (self, next) {
            (from, to) if from == to => Ok(to),
            // A refusal after the venue had the order, or after a part traded, contradicts what was told.
            (Self::Accepted | Self::PartiallyFilled, Self::Denied) | (Self::PartiallyFilled, Self::Rejected) => {
                Err(impossible)
            }
            (from, to) if from.is_final() && to.is_final() => Err(impossible),
            (from, to) if to.rank() < from.rank() => Ok(from),
            (_, to) => Ok(to),
        }
    }
}

/// A pair of state and news that cannot be: counted, never a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {from:?} cannot become {to:?}")]
pub struct ImpossibleTransition {
    /// The known state.
    pub from: OrderState,
    /// What the news says.
    pub to: OrderState,
}

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
    #[error("an order that is {0:?} has traded")]
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
    /// The order's sum cannot be exact.
    #[error(transparent)]
    Number(#[from] NumberError),
}

/// One order of a strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id.
    pub client_order_id: ClientOrderId,
    /// Buy or Sell.
    pub side: Side,
    /// What was ordered.
    pub quantity: Quantity,
    /// The limit; absent for a market order.
    pub price: Option<Price>,
    /// Where it stands.
    pub state: OrderState,
    /// What the venue says has traded in all.
    pub cumulative: Quantity,
    /// What has been booked here.
    pub filled: Quantity,
    /// Worth of what has been booked.
    pub notional: Notional,
    /// Ids of the booked trades.
    pub trades: Vec<String>,
    /// Sequence of the last tick the gateway has matched it against, on a simulated venue.
    pub matched: Option<u64>,
    /// Why it ended as it did.
    pub reason: String,
    /// Event time of the last news.
    pub time: Timestamp,
    /// What had traded when it was last closed; absent until then. A trade can be told after the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_with: Option<Quantity>,
}

impl Order {
    /// An order just committed.
    pub fn committed(
        client_order_id: ClientOrderId,
        side: Side,
        quantity: Quantity,
        price: Option<Price>,
        time: Timestamp,
    ) -> Self {
        Self {
            client_order_id,
            side,
            quantity,
            price,
            state: OrderState::Committed,
            cumulative: Quantity::ZERO,
            filled: Quantity::ZERO,
            notional: Notional::ZERO,
            trades: Vec::new(),
            matched: None,
            reason: String::new(),
            time,
            closed_with: None,
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

    /// Applies news. A new trade is counted first, whatever the rest of the news says.
    pub fn apply(&mut self, update: &OrderUpdate) -> Applied {
        let trade = update.fill.as_ref().filter(|fill| !self.trades.contains(&fill.trade_id));
        let mut anomaly = trade.and_then(|fill| self.count(fill).err());
        match self.state.after(update.status) {
            Ok(state) => self.state = state,
            Err(impossible) => anomaly = anomaly.or(Some(impossible.into())),
        }
        if trade.is_some() && matches!(self.state, OrderState::Rejected | OrderState::Denied) {
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
        Applied { trade: trade.is_some(), anomaly }
    }

    fn count(&mut self, fill: &Fill) -> Result<(), OrderAnomaly> {
        self.trades.push(fill.trade_id.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [OrderStatus; 9] = [
        OrderStatus::Sent,
        OrderStatus::Accepted,
        OrderStatus::PartiallyFilled,
        OrderStatus::Filled,
        OrderStatus::Canceled,
        OrderStatus::Expired,
        OrderStatus::Rejected,
        OrderStatus::Denied,
        OrderStatus::Unknown,
    ];

    #[test]
    fn the_usual_life_passes() {
        let mut state = OrderState::Committed;
        for status in [
            OrderStatus::Sent,
            OrderStatus::Unknown,
            OrderStatus::Accepted,
            OrderStatus::PartiallyFilled,
            OrderStatus::Expired,
        ] {
            state = state.after(status).unwrap();
        }
        assert_eq!(state, OrderState::Expired);
    }

    #[test]
    fn old_news_changes_nothing_and_two_ends_are_an_anomaly() {
        assert_eq!(OrderState::Filled.after(OrderStatus::Accepted), Ok(OrderState::Filled));
        assert_eq!(OrderState::Accepted.after(OrderStatus::Unknown), Ok(OrderState::Accepted));
        assert!(OrderState::Filled.after(OrderStatus::Canceled).is_err());
        assert!(OrderState::PartiallyFilled.after(OrderStatus::Rejected).is_err());
    }

    #[test]
    fn an_end_is_never_left() {
        for end in
            [OrderState::Filled, OrderState::Canceled, OrderState::Expired, OrderState::Rejected, OrderState::Denied]
        {
            for status in ALL {
                assert_eq!(end.after(status).unwrap_or(end), end, "{end:?} after {status:?}");
            }
        }
    }
}
