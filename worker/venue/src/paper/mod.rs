//! The paper venue: trades against recorded or live ticks, with no exchange.
//!
//! Each order matches alone, from its own tick plus latency onward: no shared book, no clock but event
//! time, so the same orders on the same ticks trade the same whatever the speed. It keeps its orders in the
//! gateway's record. It may not do input and output.

mod matching;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use engine::client_order_id::ClientOrderId;
use engine::fees::Fees;
use engine::instrument::Symbol;
use engine::messages::{CommandKind, NewOrder, OrderCommand, OrderStatus, Tick};
use engine::numbers::Quantity;
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::venue::{Outcome, Residence, Venue, VenueError, VenueReport};

/// An order that waits for its latency to pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaperOrder {
    client_order_id: ClientOrderId,
    symbol: Symbol,
    order: NewOrder,
    /// Event time from which it can trade.
    due: Timestamp,
    /// Sequence of the last tick it has been held against.
    matched: u64,
}

/// A simulated venue of one account.
#[derive(Debug)]
pub struct PaperVenue {
    fees: Fees,
    latency_ms: i64,
    orders: BTreeMap<ClientOrderId, PaperOrder>,
    reports: Vec<VenueReport>,
}

impl PaperVenue {
    /// A venue with these fees and this latency.
    pub const fn new(fees: Fees, latency_ms: u32) -> Self {
        Self { fees, latency_ms: latency_ms as i64, orders: BTreeMap::new(), reports: Vec::new() }
    }

    /// Takes up the orders that [`Venue::save`] gave.
    pub fn restore(&mut self, saved: &serde_json::Value) -> Result<(), serde_json::Error> {
        let orders: Vec<PaperOrder> = Deserialize::deserialize(saved)?;
        self.orders = orders.into_iter().map(|order| (order.client_order_id.clone(), order)).collect();
        Ok(())
    }

    /// Takes an order on the tick that caused it: traded at once, or waiting for its latency.
    pub fn execute(&mut self, command: &OrderCommand, cause: &Tick) -> Outcome {
        let CommandKind::Create(order) = &command.kind else {
            return self.cancel_waiting(&command.client_order_id);
        };
        let order = PaperOrder {
            client_order_id: command.client_order_id.clone(),
            symbol: command.symbol.clone(),
            order: order.clone(),
            due: command.time.plus_millis(self.latency_ms),
            matched: cause.sequence,
        };
        if cause.event_time() >= order.due {
            return match self.trade(&order, cause) {
                Ok(report) => Outcome::Done(Box::new(report)),
                Err(error) => Outcome::Refused(error.to_string()),
            };
        }
        let report = waiting(&order, OrderStatus::Accepted, cause.event_time());
        self.orders.insert(order.client_order_id.clone(), order);
        Outcome::Done(Box::new(report))
    }

    /// Holds every waiting order against a tick it has not seen.
    pub fn hold_against(&mut self, tick: &Tick) {
        let ids: Vec<_> = self
            .orders
            .values()
            .filter(|order| order.symbol == tick.symbol && order.matched < tick.sequence)
            .map(|order| order.client_order_id.clone())
            .collect();
        for id in ids {
            let Some(mut order) = self.orders.remove(&id) else { continue };
            order.matched = tick.sequence;
            if tick.event_time() < order.due {
                self.reports.push(waiting(&order, OrderStatus::Accepted, tick.event_time()));
                self.orders.insert(id, order);
                continue;
            }
            let report = self.trade(&order, tick).unwrap_or_else(|error| VenueReport {
                reason: error.to_string(),
                ..waiting(&order, OrderStatus::Rejected, tick.event_time())
            });
            self.reports.push(report);
        }
    }

    fn trade(&self, order: &PaperOrder, tick: &Tick) -> Result<VenueReport, engine::numbers::NumberError> {
        let matching = matching::Matching { fees: &self.fees };
        matching.trade(order, tick)
    }

    fn cancel_waiting(&mut self, id: &ClientOrderId) -> Outcome {
        match self.orders.remove(id) {
            Some(order) => Outcome::Done(Box::new(waiting(&order, OrderStatus::Canceled, order.due))),
            None => Outcome::Refused("UnknownOrder".to_owned()),
        }
    }
}

/// The report of an order that has not traded.
fn waiting(order: &PaperOrder, status: OrderStatus, time: Timestamp) -> VenueReport {
    VenueReport {
        client_order_id: order.client_order_id.clone(),
        venue_order_id: order.client_order_id.to_string(),
        status,
        reason: String::new(),
        cumulative_quantity: Quantity::ZERO,
        trades: Vec::new(),
        matched: Some(order.matched),
        time,
    }
}

impl Venue for PaperVenue {
    fn residence(&self) -> Residence {
        Residence::Record
    }

    async fn submit(&mut self, order: &OrderCommand, cause: Option<&Tick>) -> Outcome {
        match cause {
            Some(tick) => self.execute(order, tick),
            None => Outcome::Refused("TickUnavailable".to_owned()),
        }
    }

    async fn cancel(&mut self, id: &ClientOrderId, _symbol: &Symbol) -> Outcome {
        self.cancel_waiting(id)
    }

    async fn lookup(&mut self, id: &ClientOrderId, _symbol: &Symbol) -> Result<Option<VenueReport>, VenueError> {
        Ok(self.orders.get(id).map(|order| waiting(order, OrderStatus::Accepted, order.due)))
    }

    fn take_reports(&mut self) -> Vec<VenueReport> {
        std::mem::take(&mut self.reports)
    }

    fn observe(&mut self, tick: &Tick) {
        self.hold_against(tick);
    }

    fn wanted_ticks(&self) -> Vec<(Symbol, u64)> {
        let mut wanted: BTreeMap<Symbol, u64> = BTreeMap::new();
        for order in self.orders.values() {
            let from = wanted.entry(order.symbol.clone()).or_insert(order.matched);
            *from = (*from).min(order.matched);
        }
        wanted.into_iter().collect()
    }

    fn save(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self.orders.values().collect::<Vec<_>>()).ok()
    }
}
