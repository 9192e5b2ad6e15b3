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
    /// Trades that are missing since the last one that had quotes; nothing before the first.
    missed: Option<u64>,
}

impl QuotedTrades {
    /// As if the trade `id` were the last one.
    pub(crate) fn after(id: u64) -> Self {
        Self { sequence: SequenceCheck::after(id), ..Self::default() }
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

    /// Takes note of a trade that has a number and makes no observation.
    pub(crate) fn unquoted(&mut self, id: u64) -> TradeOrder {
        let order = self.sequence.trade(id);
        self.miss(order);
        order
    }

    fn miss(&mut self, order: TradeOrder) {
        if let (TradeOrder::AfterGap { missed }, Some(sum)) = (order, &mut self.missed) {
            *sum = sum.saturating_add(missed);
        }
    }

    fn observed(&mut self, order: TradeOrder, trade: &Trade<'_>, received: Option<Timestamp>) -> Option<Observation> {
        self.miss(order);
        let observation = Observation {
            time: trade.time,
            received: received.unwrap_or(trade.time),
            price: trade.price,
            volume: trade.quantity,
            quote: self.quote,
            missed: self.missed.unwrap_or(0),
        };
        let is_told = order.is_new() && self.quote.is_some();
        if is_told {
            self.missed = Some(0);
        }
        is_told.then_some(observation)
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
