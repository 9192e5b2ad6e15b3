//! The simulated exchange of one ledger: a pure state machine that `backtest` and a paper gateway step alike.
//!
//! Commands are held until they arrive. What arrives can only take on its tick, at the best price there; what may rest
//! is held against each later tick. Each order matches alone: one's own orders do not move the market. No clock but event
//! time, so the same commands on the same ticks trade the same whatever the speed.

mod book;
mod fills;
mod held;
mod matching;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use engine::client_order_id::ClientOrderId;
use engine::fees::Fees;
use engine::instrument::Symbol;
use engine::messages::{CommandKind, NewOrder, OrderCommand, OrderStatus, OrderType, Side, Tick, TimeInForce};
use engine::numbers::{Price, Quantity};
use engine::time::Timestamp;

use crate::VenueReport;
use book::{Book, Resting};
use held::{Held, Queue};
use matching::Crossing;
use record::Changed;

pub use fills::{RestingFills, touches};
pub use record::{Changes, RecordError};

/// The exchange as one ledger sees it.
#[derive(Debug, Clone)]
pub struct Exchange {
    fees: Fees,
    latency_ms: i64,
    fills: RestingFills,
    books: BTreeMap<Symbol, Book>,
    /// Where each resting order stands, by its sequence.
    placed: BTreeMap<u64, (Symbol, Side, Price)>,
    held: Queue,
    /// Markets of which the last tick has come.
    ended: BTreeSet<Symbol>,
    changed: BTreeSet<Changed>,
    /// Numbers of commands below this one may stand in a record.
    recorded: u64,
}

impl Exchange {
    /// An exchange with these fees and this latency, and no orders.
    pub const fn new(fees: Fees, latency_ms: u32, fills: RestingFills) -> Self {
        Self {
            fees,
            latency_ms: latency_ms as i64,
            fills,
            books: BTreeMap::new(),
            placed: BTreeMap::new(),
            held: Queue::new(),
            ended: BTreeSet::new(),
            changed: BTreeSet::new(),
            recorded: 0,
        }
    }

    /// Takes a command on the tick that caused it. It is held until it arrives: on this tick where there is no latency.
    /// [`CommandKind::Advance`] and [`CommandKind::Transfer`] are not for the exchange.
    pub fn admit(&mut self, command: &OrderCommand, cause: &Tick) {
        match &command.kind {
            CommandKind::Create(_) | CommandKind::Cancel | CommandKind::Replace { .. } => {}
            CommandKind::Advance { .. } | CommandKind::Transfer(_) => return,
        }
        let held = Held {
            id: command.client_order_id.clone(),
            symbol: command.symbol.clone(),
            kind: command.kind.clone(),
            due: cause.event_time().plus_millis(self.latency_ms),
            cause: cause.source_sequence,
            ended: None,
        };
        let number = self.held.push(held);
        self.changed.insert(Changed::Held(number));
    }

    /// Whether a command arrives on the very tick that causes it: without latency, and in the same market.
    pub fn is_instant(&self, command: &OrderCommand, cause: &Tick) -> bool {
        self.latency_ms == 0 && command.symbol == cause.symbol
    }

    /// Whether nothing rests and nothing is held.
    pub fn is_idle(&self) -> bool {
        self.placed.is_empty() && self.held.is_empty()
    }

    /// Whether an order of this id rests or is held.
    pub fn has(&self, id: &ClientOrderId) -> bool {
        self.placed.contains_key(&id.sequence()) || self.held.making(id).is_some()
    }

    /// Whether [`Self::match_resting`] could trade anything on this tick.
    pub fn is_touched(&self, tick: &Tick) -> bool {
        let mut resting = self.placed.values().filter(|(symbol, _, _)| *symbol == tick.symbol);
        resting.any(|(_, side, price)| touches(self.fills, *side, *price, tick))
    }

    /// Holds what rests against a tick: buys from the highest price down, then sells from the lowest up, equal prices by
    /// sequence. Looks only at what the tick crosses.
    pub fn match_resting(&mut self, tick: &Tick) -> Vec<VenueReport> {
        let mut reports = Vec::new();
        let Some(book) = self.books.get_mut(&tick.symbol) else { return reports };
        let mut ended = Vec::new();
        for side in [Side::Buy, Side::Sell] {
            for order in book.touched(self.fills, side, tick) {
                match matching::make(&self.fees, order, tick) {
                    Ok(None) => continue,
                    Ok(Some(report)) => reports.push(report),
                    Err(error) => reports
                        .push(VenueReport { reason: error.to_string(), ..order.report(OrderStatus::Expired, tick) }),
                }
                self.changed.insert(Changed::Resting(order.id.sequence()));
                if reports.last().is_some_and(|report| report.status != OrderStatus::PartiallyFilled) {
                    ended.push((order.id.clone(), order.cumulative));
                }
            }
        }
        for (id, cumulative) in ended {
            self.remove(&id);
            self.note_end(&id, cumulative);
        }
        reports
    }

    /// Whether [`Self::arrive`] does anything on this tick.
    pub fn has_arrivals(&self, tick: &Tick) -> bool {
        let ends = tick.last && !self.ended.contains(&tick.symbol);
        ends || self.held.has_arrivals(tick) || self.held.has_any_of(&self.ended)
    }

    /// Lets all that is held and arrives on this tick, or should have before it, act in the order in which it was sent.
    /// No tick of a market comes after its last one: what is held for it then, and what is sent to it later as of a tick of
    /// another market, never arrives, and ends here.
    pub fn arrive(&mut self, tick: &Tick) -> Vec<VenueReport> {
        let mut reports = Vec::new();
        while let Some((number, held)) = self.held.next_arrival(tick) {
            self.note_gone(number);
            self.act(held, tick, &mut reports);
        }
        if tick.last && self.ended.insert(tick.symbol.clone()) {
            self.changed.insert(Changed::Ended(tick.symbol.clone()));
        }
        self.end(tick, &mut reports);
        reports
    }

    fn act(&mut self, held: Held, tick: &Tick, reports: &mut Vec<VenueReport>) {
        match held.kind {
            CommandKind::Create(order) => reports.push(self.place(held.id, held.symbol, order, tick)),
            CommandKind::Cancel => reports.extend(self.cancel_on(&held.id, Some(tick), tick.event_time())),
            CommandKind::Replace { of, known_quantity, order } => {
                let canceled = self.cancel_on(&of, Some(tick), tick.event_time());
                let traded = canceled.as_ref().map(|report| report.cumulative_quantity).or(held.ended);
                reports.extend(canceled);
                reports.push(if traded == Some(known_quantity) {
                    self.place(held.id, held.symbol, order, tick)
                } else {
                    self.note_end(&held.id, Quantity::ZERO);
                    refused(&Resting::new(held.id, held.symbol, order), "ReplaceRaced", tick)
                });
            }
            CommandKind::Advance { .. } | CommandKind::Transfer(_) => {}
        }
    }

    /// What has not arrived with the last tick of its market never arrives.
    fn end(&mut self, tick: &Tick, reports: &mut Vec<VenueReport>) {
        while self.held.has_any_of(&self.ended)
            && let Some((number, held)) = self.held.pop(&self.ended)
        {
            self.note_gone(number);
            let Some(order) = held.kind.order().cloned() else { continue };
            let order = Resting::new(held.id, held.symbol, order);
            let reason = "MarketDataEnded".to_owned();
            reports.push(VenueReport { reason, ..order.report(OrderStatus::Expired, tick) });
            self.note_end(&order.id, Quantity::ZERO);
        }
    }

    /// An order arrives: it takes what it can, and what is left rests if it may.
    fn place(&mut self, id: ClientOrderId, symbol: Symbol, order: NewOrder, tick: &Tick) -> VenueReport {
        let mut order = Resting::new(id, symbol, order);
        let report = match Crossing::of(&order.order, tick) {
            Ok(Crossing::Takes { .. }) if order.order.post_only => refused(&order, "PostOnlyWouldTake", tick),
            Ok(crossing) => matching::take(&self.fees, &mut order, crossing, tick)
                .unwrap_or_else(|error| refused(&order, &error.to_string(), tick)),
            Err(error) => refused(&order, &error.to_string(), tick),
        };
        match (report.status, order.order.price) {
            (OrderStatus::Accepted | OrderStatus::PartiallyFilled, Some(price)) => self.rest(order, price),
            (_, _) => self.note_end(&order.id, order.cumulative),
        }
        report
    }

    fn rest(&mut self, order: Resting, price: Price) {
        let sequence = order.id.sequence();
        self.changed.insert(Changed::Resting(sequence));
        self.placed.insert(sequence, (order.symbol.clone(), order.order.side, price));
        self.books.entry(order.symbol.clone()).or_default().insert(order, price);
    }

    fn remove(&mut self, id: &ClientOrderId) -> Option<Resting> {
        let (symbol, side, price) = self.placed.remove(&id.sequence())?;
        self.changed.insert(Changed::Resting(id.sequence()));
        self.books.get_mut(&symbol)?.remove(side, price, id.sequence())
    }

    /// Cancels an order at once, whether it rests or has not arrived yet, as of no tick; `None` if it is not here.
    pub fn cancel(&mut self, id: &ClientOrderId, time: Timestamp) -> Option<VenueReport> {
        self.cancel_on(id, None, time)
    }

    fn cancel_on(&mut self, id: &ClientOrderId, tick: Option<&Tick>, time: Timestamp) -> Option<VenueReport> {
        let order = match self.remove(id) {
            Some(order) => order,
            None => self.withdraw(id)?,
        };
        self.note_end(id, order.cumulative);
        Some(VenueReport {
            matched: tick.map(|tick| tick.source_sequence),
            ..order.report_at(OrderStatus::Canceled, time)
        })
    }

    /// Takes an order back that has not arrived yet. The order that it would have replaced is cancelled nevertheless.
    fn withdraw(&mut self, id: &ClientOrderId) -> Option<Resting> {
        let number = self.held.making(id)?;
        self.changed.insert(Changed::Held(number));
        let held = self.held.take_order(number)?;
        Some(Resting::new(held.0, held.1, held.2))
    }

    /// A command is held no more. What no record has seen need not be removed from one.
    fn note_gone(&mut self, number: u64) {
        if number < self.recorded {
            self.changed.insert(Changed::Held(number));
        } else {
            self.changed.remove(&Changed::Held(number));
        }
    }

    /// An order has ended: what is to replace it must know with what.
    fn note_end(&mut self, id: &ClientOrderId, cumulative: Quantity) {
        for number in self.held.note_end(id, cumulative) {
            self.changed.insert(Changed::Held(number));
        }
    }
}

fn refused(order: &Resting, reason: &str, tick: &Tick) -> VenueReport {
    VenueReport { reason: reason.to_owned(), ..order.report(OrderStatus::Rejected, tick) }
}

/// Whether what does not trade at once waits in the book.
const fn may_rest(order: &NewOrder) -> bool {
    match (order.time_in_force, order.order_type, order.price) {
        (TimeInForce::GoodTillCanceled, OrderType::Limit, Some(_)) => true,
        (TimeInForce::GoodTillCanceled | TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill, _, _) => false,
    }
}
