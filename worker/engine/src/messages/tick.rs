//! Topic `market.tick`: one trade or quote of one market.

use serde::{Deserialize, Serialize};

use crate::instrument::Symbol;
use crate::numbers::{Price, Quantity, Volume};
use crate::time::Timestamp;

use super::Side;

/// One change of one market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "TickDocument", into = "TickDocument")]
pub struct Tick {
    /// The market.
    pub symbol: Symbol,
    /// Last traded price, without trailing zeros.
    pub price: Price,
    /// What was traded, in base.
    pub volume: Volume,
    /// Best price to sell at; the price itself where the source has no quotes. Where the source quotes the side
    /// as empty there is no price, and the size is 0.
    pub bid: Option<Price>,
    /// Best price to buy at; as `bid`.
    pub ask: Option<Price>,
    /// Base on offer at `bid`; unlimited where absent.
    pub bid_size: Option<Quantity>,
    /// Base on offer at `ask`; unlimited where absent.
    pub ask_size: Option<Quantity>,
    /// The venue's time, where it gives one.
    pub time: Option<Timestamp>,
    /// When the feed had it.
    pub received: Timestamp,
    /// Dense per source over all its symbols, from 0: the order in which they happened.
    pub source_sequence: u64,
    /// Dense per source and symbol, from 0: a hole is a gap.
    pub sequence: u64,
    /// The last tick of a replay that does not repeat.
    pub last: bool,
}

/// The wire form.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TickDocument {
    symbol: Symbol,
    price: Price,
    volume: Volume,
    #[serde(skip_serializing_if = "Option::is_none")]
    bid: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bid_size: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask_size: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    received: Timestamp,
    /// Absent in one of the release before, whose sources had one symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_sequence: Option<u64>,
    sequence: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    last: bool,
}

impl TickDocument {
    /// A tick whose number at its source is written only where that says more than the one at its symbol.
    pub(crate) fn short(tick: &Tick) -> Self {
        let says_more = tick.source_sequence != tick.sequence;
        Self { source_sequence: says_more.then_some(tick.source_sequence), ..Self::from(tick.clone()) }
    }
}

impl From<Tick> for TickDocument {
    fn from(tick: Tick) -> Self {
        let Tick { symbol, price, volume, bid, ask, bid_size, ask_size, time, received, sequence, last, .. } = tick;
        let source_sequence = Some(tick.source_sequence);
        Self { symbol, price, volume, bid, ask, bid_size, ask_size, time, received, source_sequence, sequence, last }
    }
}

impl From<TickDocument> for Tick {
    fn from(read: TickDocument) -> Self {
        let TickDocument {
            symbol, price, volume, bid, ask, bid_size, ask_size, time, received, sequence, last, ..
        } = read;
        let source_sequence = read.source_sequence.unwrap_or(sequence);
        Self { symbol, price, volume, bid, ask, bid_size, ask_size, time, received, source_sequence, sequence, last }
    }
}

impl Tick {
    /// A trade of which no more is known than its price: no volume, no quotes, received at its own time. It is of a source
    /// with one symbol.
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
            source_sequence: sequence,
            sequence,
            last: false,
        }
    }

    /// Becomes a later tick of the same market: the name stays where it is.
    pub(crate) fn replace_with(&mut self, tick: &Self) {
        let Self { symbol, price, volume, bid, ask, bid_size, ask_size, time, received, .. } = tick;
        let Self { source_sequence, sequence, last, .. } = *tick;
        self.symbol.clone_from(symbol);
        (self.price, self.volume, self.bid, self.ask) = (*price, *volume, *bid, *ask);
        (self.bid_size, self.ask_size, self.time, self.received) = (*bid_size, *ask_size, *time, *received);
        (self.source_sequence, self.sequence, self.last) = (source_sequence, sequence, last);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_of_the_release_before_has_one_number_and_a_saved_one_writes_it_once() {
        let old = r#"{"symbol":"BNB/USDT","price":"600","volume":"0","received":5,"sequence":7}"#;
        let read: Tick = serde_json::from_str(old).unwrap();
        assert_eq!((read.sequence, read.source_sequence, read.last), (7, 7, false));
        let text = |tick: &TickDocument| serde_json::to_string(tick).unwrap();
        assert_eq!(text(&TickDocument::short(&read)), old);
        let new = old.replace("\"sequence\"", "\"sourceSequence\":7,\"sequence\"");
        assert_eq!(serde_json::to_string(&read).unwrap(), new);
        let other = Tick { source_sequence: 9, last: true, ..read };
        let short = text(&TickDocument::short(&other));
        assert_eq!(short, serde_json::to_string(&other).unwrap());
        assert_eq!(serde_json::from_str::<Tick>(&short).unwrap(), other);
    }
}
