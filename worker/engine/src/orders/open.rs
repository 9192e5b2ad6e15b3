//! Open orders by sequence, and what they reserve in all: kept with each change, never summed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::{Funds, Holder, Order, Places, Replaced, Share, Terms};
use crate::client_order_id::ClientOrderId;
use crate::instrument::InstrumentIndex;
use crate::numbers::{Notional, NumberError, Quantity};

/// An order, and what of the sum is its part.
#[derive(Debug, Clone)]
struct Open {
    order: Order,
    reserved: Funds,
}

/// What all of them may take: cash, and coins of each market.
#[derive(Debug, Clone, Default)]
struct Reserved {
    quote: Notional,
    coins: Vec<Quantity>,
}

impl Reserved {
    /// Of one market's coins, and of the cash, which all markets share.
    fn of(&self, instrument: InstrumentIndex) -> Funds {
        let base = self.coins.get(instrument.get()).copied().unwrap_or(Quantity::ZERO);
        Funds { base, quote: self.quote }
    }

    /// One order takes `now` where it took `before`.
    fn change(&mut self, instrument: InstrumentIndex, before: Funds, now: Funds) -> Result<(), NumberError> {
        let changed = self.of(instrument).minus(before)?.plus(now)?;
        let place = instrument.get();
        if self.coins.len() <= place {
            self.coins.resize(place.saturating_add(1), Quantity::ZERO);
        }
        if let Some(coins) = self.coins.get_mut(place) {
            *coins = changed.base;
        }
        self.quote = changed.quote;
        Ok(())
    }
}

/// Orders that are not closed, or closed ones of which more has traded, by the venue's word, than is booked. All of one
/// ledger, so the sequence names an order.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenOrders {
    open: BTreeMap<u64, Open>,
    reserved: Reserved,
    terms: Terms,
    /// Who asks for whose place, while both are open.
    places: Places<u64>,
    /// Those that are not in the record as they are here.
    changed: BTreeSet<u64>,
    /// Those that the record holds.
    stored: BTreeSet<u64>,
}

impl OpenOrders {
    /// Saved ones. They reserve nothing before [`Self::follow`].
    pub fn saved(orders: impl IntoIterator<Item = Order>) -> Self {
        let open = orders.into_iter().map(|order| (order.sequence(), Open { order, reserved: Funds::NONE }));
        Self { open: open.collect(), ..Self::default() }
    }

    /// Those that differ from the record's, by sequence; `None` for one that the record must not hold any more.
    pub fn changed(&self) -> impl Iterator<Item = (u64, Option<&Order>)> {
        let open = self.changed.iter().map(|sequence| (*sequence, self.get(*sequence)));
        open.filter(|(sequence, order)| order.is_some() || self.stored.contains(sequence))
    }

    /// The record holds orders of these sequences as they are here.
    pub fn are_stored(&mut self, sequences: BTreeSet<u64>) {
        self.stored = sequences;
    }

    /// The record holds what [`Self::changed`] gave last.
    pub fn committed(&mut self) {
        for sequence in std::mem::take(&mut self.changed) {
            if self.open.contains_key(&sequence) {
                self.stored.insert(sequence);
            } else {
                self.stored.remove(&sequence);
            }
        }
    }

    pub fn new(terms: Terms) -> Self {
        Self { terms, ..Self::default() }
    }

    /// All of them, by sequence.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Order> {
        self.open.values().map(|open| &open.order)
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// What they may take in all: of the coins of this market, and of the cash.
    pub fn reserved(&self, instrument: InstrumentIndex) -> Funds {
        self.reserved.of(instrument)
    }

    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The order of this sequence.
    pub fn get(&self, sequence: u64) -> Option<&Order> {
        self.open.get(&sequence).map(|open| &open.order)
    }

    /// The order of this id.
    pub fn of(&self, id: &ClientOrderId) -> Option<&Order> {
        self.get(id.sequence()).filter(|order| order.client_order_id == *id)
    }

    /// The order of this sequence, to mark what was sent. What it reserves must not change by it.
    pub fn marked(&mut self, sequence: u64) -> Option<&mut Order> {
        let open = self.open.get_mut(&sequence)?;
        self.changed.insert(sequence);
        Some(&mut open.order)
    }

    /// Whether another takes the place of this one, so that only one of them can trade.
    pub fn is_replaced(&self, sequence: u64) -> bool {
        let asking = self.places.asking(&sequence).next();
        asking.and_then(|asking| self.get(*asking)).is_some_and(|asking| self.share_of(asking) != Share::All)
    }

    /// What an order that asks for the place of this one now may take as well, because only one of them can trade; nothing
    /// where another asks already, and where this one still waits for a place itself. `None` where no such order is open.
    pub fn shared_with_replacement(&self, sequence: u64) -> Result<Option<Funds>, NumberError> {
        let Some(open) = self.open.get(&sequence) else { return Ok(None) };
        let is_first = self.places.asking(&sequence).next().is_none();
        match Share::of(holder(&open.order, open.order.filled), is_first, false) {
            Share::Beyond => open.order.reserve(&self.terms).map(Some),
            Share::All | Share::Nothing => Ok(Some(Funds::NONE)),
        }
    }

    /// Takes an order up, a new one or one that [`Self::take`] gave. Where what it reserves cannot be exact it is taken up
    /// too, and reserves nothing.
    pub fn put(&mut self, order: Order) -> Result<(), NumberError> {
        let (sequence, filled) = (order.sequence(), order.filled);
        if let Some(replaced) = order.replaces {
            self.places.ask(replaced.sequence, sequence);
        }
        self.open.insert(sequence, Open { order, reserved: Funds::NONE });
        self.changed.insert(sequence);
        self.reserve(sequence)?;
        self.race(sequence, |replaced| Some(Replaced { raced: replaced.known_quantity != filled, ..replaced }))
    }

    /// Gives an order away; what it reserves is free until it is put back.
    pub fn take(&mut self, id: &ClientOrderId) -> Result<Option<Order>, NumberError> {
        if self.of(id).is_none() {
            return Ok(None);
        }
        let Some(open) = self.open.remove(&id.sequence()) else { return Ok(None) };
        self.changed.insert(id.sequence());
        self.reserved.change(open.order.instrument, open.reserved, Funds::NONE)?;
        Ok(Some(open.order))
    }

    /// An order that was taken is closed: one that takes its place reserves all of its own, or is too late.
    pub fn close(&mut self, order: &Order) -> Result<(), NumberError> {
        let sequence = order.sequence();
        if let Some(replaced) = &order.replaces {
            self.places.leave(&replaced.sequence, &sequence);
            // It was not placed. So the old one was not cancelled, unless it has ended too.
            if let Some(old) = self.marked(replaced.sequence).filter(|_| order.filled.is_zero()) {
                old.cancel = None;
            }
            // Who asks for that place too may be the first now.
            self.reserve_asking(replaced.sequence)?;
        }
        let filled = order.filled;
        self.race(sequence, |replaced| {
            let raced = replaced.known_quantity != filled;
            raced.then_some(Replaced { raced, ..replaced })
        })
    }

    /// Follows what `change` makes of the orders that ask for the place of this one.
    fn race(&mut self, of: u64, change: impl Fn(Replaced) -> Option<Replaced>) -> Result<(), NumberError> {
        let asking: Vec<u64> = self.places.asking(&of).copied().collect();
        for sequence in asking {
            let before = self.get(sequence).and_then(|asking| asking.replaces);
            let after = before.and_then(&change);
            if before != after
                && let Some(asking) = self.marked(sequence)
            {
                asking.replaces = after;
            }
            if after.is_none() || !self.open.contains_key(&of) {
                self.places.leave(&of, &sequence);
            }
            self.reserve(sequence)?;
            // It waits no more, so one that asks for its own place shares with it.
            self.reserve_asking(sequence)?;
        }
        Ok(())
    }

    fn reserve_asking(&mut self, of: u64) -> Result<(), NumberError> {
        let asking: Vec<u64> = self.places.asking(&of).copied().collect();
        asking.into_iter().try_for_each(|sequence| self.reserve(sequence))
    }

    /// Counts anew what the order of this sequence reserves.
    fn reserve(&mut self, sequence: u64) -> Result<(), NumberError> {
        let Some(open) = self.open.get(&sequence) else { return Ok(()) };
        let (before, instrument) = (open.reserved, open.order.instrument);
        let now = self.part_of(&open.order)?;
        self.reserved.change(instrument, before, now)?;
        if let Some(open) = self.open.get_mut(&sequence) {
            open.reserved = now;
        }
        Ok(())
    }

    /// What an order adds to the sum: of one that takes another's place what it may take beyond that one.
    fn part_of(&self, order: &Order) -> Result<Funds, NumberError> {
        let all = order.reserve(&self.terms)?;
        match self.share_of(order) {
            Share::All => Ok(all),
            Share::Nothing => Ok(Funds::NONE),
            Share::Beyond => {
                let old = order.replaces.and_then(|replaced| self.get(replaced.sequence));
                all.beyond(old.map_or(Ok(Funds::NONE), |old| old.reserve(&self.terms))?)
            }
        }
    }

    fn share_of(&self, order: &Order) -> Share {
        let Some(replaced) = order.replaces else { return Share::All };
        let holder = match self.get(replaced.sequence) {
            _ if replaced.raced => Holder::Raced,
            Some(old) => holder(old, replaced.known_quantity),
            None => Holder::Gone,
        };
        Share::of(holder, self.places.is_first(&replaced.sequence, &order.sequence()), !order.filled.is_zero())
    }

    /// Follows the account's fees, which an edit may have changed while nothing ran.
    pub fn follow(&mut self, terms: Terms) -> Result<(), NumberError> {
        let stored = std::mem::take(&mut self.stored);
        let orders = std::mem::take(&mut self.open).into_values().map(|open| open.order);
        let orders: Vec<Order> = orders.collect();
        *self = Self::new(terms);
        for order in orders {
            self.put(order)?;
        }
        // Only what it reserves may be another than before, and that is not saved.
        self.changed.retain(|sequence| !stored.contains(sequence));
        self.stored = stored;
        Ok(())
    }
}

/// How an open order stands for one that asks for its place and knows of so much that has traded.
fn holder(old: &Order, known_quantity: Quantity) -> Holder {
    if old.filled != known_quantity {
        Holder::Raced
    } else if old.waits() {
        Holder::Waits
    } else {
        Holder::Holds
    }
}

impl Serialize for OpenOrders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}
