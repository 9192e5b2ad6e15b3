//! Trades of one market with the quotes before them. A recording and a live connection make the same of the same messages.

use engine::time::Timestamp;

use super::sequence::{BookOrder, SequenceCheck, TradeOrder};
use super::stream::{Aggregate, BookTicker, Trade};
use crate::observation::{Observation, Quote};

/// What is known of a market between two of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct QuotedTrades {
    /// The order of the market's events.
    pub sequence: SequenceCheck,
    quote: Option<Quote>,
}

impl QuotedTrades {
    /// As if the trade `id` were the last one.
    pub(crate) fn after(id: u64) -> Self {
        Self { sequence: SequenceCheck::after(id), quote: None }
    }

    /// Takes note of a trade: how it follows, and what it is with its quotes, if it is new and there are any.
    pub(crate) fn trade(
        &mut self,
        trade: &Trade<'_>,
        received: Option<Timestamp>,
    ) -> (TradeOrder, Option<Observation>) {
        let order = self.sequence.trade(trade.id);
        (order, self.observed(order, trade, received))
    }

    /// The same of an aggregate.
    pub(crate) fn aggregate(
        &mut self,
        aggregate: &Aggregate<'_>,
        received: Option<Timestamp>,
    ) -> (TradeOrder, Option<Observation>) {
        let order = self.sequence.aggregate(aggregate.trade.id, aggregate.first, aggregate.last);
        (order, self.observed(order, &aggregate.trade, received))
    }

    fn observed(&self, order: TradeOrder, trade: &Trade<'_>, received: Option<Timestamp>) -> Option<Observation> {
        let observation = Observation {
            time: trade.time,
            received: received.unwrap_or(trade.time),
            price: trade.price,
            volume: trade.quantity,
            quote: self.quote,
        };
        (order.is_new() && self.quote.is_some()).then_some(observation)
    }

    /// Takes note of a quote, if it is none from before the last one. A crossed one changes nothing and is given back.
    pub(crate) fn book(&mut self, book: &BookTicker<'_>) -> Result<BookOrder, Quote> {
        let quote =
            Quote { bid: book.bid, ask: book.ask, bid_size: Some(book.bid_size), ask_size: Some(book.ask_size) };
        if quote.crossed().is_some() {
            return Err(quote);
        }
        let order = self.sequence.book(book.update_id);
        if order == BookOrder::Current {
            self.quote = Some(quote);
        }
        Ok(order)
    }
}
