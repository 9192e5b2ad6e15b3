//! Topic `market.tick`: one trade or quote of one market.

use serde::{Deserialize, Serialize};

use crate::instrument::Symbol;
use crate::numbers::{Price, Quantity, Volume};
use crate::time::Timestamp;

use super::Side;

/// One change of one market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tick {
    /// The market.
    pub symbol: Symbol,
    /// Last traded price, without trailing zeros.
    pub price: Price,
    /// What was traded, in base.
    pub volume: Volume,
    /// Best price to sell at; the price itself where the source has no quotes. Where the source quotes the side
    /// as empty there is no price, and the size is 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bid: Option<Price>,
    /// Best price to buy at; as `bid`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ask: Option<Price>,
    /// Base on offer at `bid`; unlimited where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bid_size: Option<Quantity>,
    /// Base on offer at `ask`; unlimited where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ask_size: Option<Quantity>,
    /// The venue's time, where it gives one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<Timestamp>,
    /// When the feed had it.
    pub received: Timestamp,
    /// Dense per source and symbol, from 0: a hole is a gap.
    pub sequence: u64,
    /// The last tick of a replay that does not repeat.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub last: bool,
}

impl Tick {
    /// A trade of which no more is known than its price: no volume, no quotes, received at its own time.
    pub const fn trade(symbol: Symbol, price: Price, time: Timestamp, sequence: u64) -> Self {
        Self {
            symbol,
            price,
            volume: Volume::ZERO,
            bid: None,
            ask: None,
            bid_size: None,
            ask_size: None,
            time: Some(time),
            received: time,
            sequence,
            last: false,
        }
    }

    /// The venue's time, else when it was received.
    pub fn event_time(&self) -> Timestamp {
        self.time.unwrap_or(self.received)
    }

    /// Whether nobody buys: the source quotes the side as empty.
    pub fn has_no_bid(&self) -> bool {
        self.bid.is_none() && self.bid_size.is_some_and(Quantity::is_zero)
    }

    /// Whether nobody sells: the source quotes the side as empty.
    pub fn has_no_ask(&self) -> bool {
        self.ask.is_none() && self.ask_size.is_some_and(Quantity::is_zero)
    }

    /// The best price for an order of this side.
    pub fn best(&self, side: Side) -> Price {
        match side {
            Side::Buy => self.best_ask(),
            Side::Sell => self.best_bid(),
        }
    }

    /// The price to buy at.
    pub fn best_ask(&self) -> Price {
        self.ask.unwrap_or(self.price)
    }

    /// The price to sell at.
    pub fn best_bid(&self) -> Price {
        self.bid.unwrap_or(self.price)
    }
}
