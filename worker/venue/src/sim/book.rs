//! The orders that rest in one market, by price: a tick looks only at those that it reaches.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use engine::client_order_id::ClientOrderId;
use engine::instrument::Symbol;
use engine::messages::{NewOrder, OrderStatus, Side, Tick};
use engine::numbers::{NumberError, Price, Quantity};
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RestingFills, touches};
use crate::VenueReport;

/// An order at the exchange, and what has traded of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resting {
    pub id: ClientOrderId,
    pub symbol: Symbol,
    pub order: NewOrder,
    /// What has traded in all.
    pub cumulative: Quantity,
    /// How many trades that were: their ids count.
    pub trades: u64,
}

impl Resting {
    /// An order of which nothing has traded.
    pub const fn new(id: ClientOrderId, symbol: Symbol, order: NewOrder) -> Self {
        Self { id, symbol, order, cumulative: Quantity::ZERO, trades: 0 }
    }

    /// What has not traded.
    pub fn rest(&self) -> Result<Quantity, NumberError> {
        self.order.quantity.minus(self.cumulative)
    }

    /// Where it stands as of a tick, without a trade.
    pub fn report(&self, status: OrderStatus, tick: &Tick) -> VenueReport {
        VenueReport { matched: Some(tick.source_sequence), ..self.report_at(status, tick.event_time()) }
    }

    /// Where it stands as of no tick, without a trade.
    pub fn report_at(&self, status: OrderStatus, time: Timestamp) -> VenueReport {
        VenueReport {
            client_order_id: self.id.clone(),
            venue_order_id: self.id.to_string(),
            status,
            reason: String::new(),
            cumulative_quantity: self.cumulative,
            prevented_quantity: Quantity::ZERO,
            trades: Vec::new(),
            matched: None,
            ordered: None,
            time,
        }
    }
}

/// The two sides, each from the price that a tick reaches first, equal prices by sequence.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    buys: BTreeMap<(Reverse<Price>, u64), Resting>,
    sells: BTreeMap<(Price, u64), Resting>,
}

impl Book {
    pub fn insert(&mut self, order: Resting, price: Price) {
        let sequence = order.id.sequence();
        match order.order.side {
            Side::Buy => self.buys.insert((Reverse(price), sequence), order),
            Side::Sell => self.sells.insert((price, sequence), order),
        };
    }

    pub fn remove(&mut self, side: Side, price: Price, sequence: u64) -> Option<Resting> {
        match side {
            Side::Buy => self.buys.remove(&(Reverse(price), sequence)),
            Side::Sell => self.sells.remove(&(price, sequence)),
        }
    }

    pub fn get(&self, side: Side, price: Price, sequence: u64) -> Option<&Resting> {
        match side {
            Side::Buy => self.buys.get(&(Reverse(price), sequence)),
            Side::Sell => self.sells.get(&(price, sequence)),
        }
    }

    /// The orders of a side that the tick touches, in the order in which they fill.
    pub fn touched<'a>(
        &'a mut self,
        fills: RestingFills,
        side: Side,
        tick: &'a Tick,
    ) -> Box<dyn Iterator<Item = &'a mut Resting> + 'a> {
        let reached = move |price| touches(fills, side, price, tick);
        match side {
            Side::Buy => {
                let buys = self.buys.iter_mut().take_while(move |((price, _), _)| reached(price.0));
                Box::new(buys.map(|(_, order)| order))
            }
            Side::Sell => {
                let sells = self.sells.iter_mut().take_while(move |((price, _), _)| reached(*price));
                Box::new(sells.map(|(_, order)| order))
            }
        }
    }
}
