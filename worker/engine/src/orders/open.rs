//! Open orders by sequence, and what they reserve in all: kept with each change, never summed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::{Funds, Order, Replaced, Terms};
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
    /// Of orders that are replaced, while both are open: the one that takes the place.
    replacements: BTreeMap<u64, u64>,
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
        self.replacements.contains_key(&sequence)
    }

    /// What an order that takes the place of this one may take as well, because only one of them can trade. Nothing where
    /// another takes it already, and where this one still waits for a place itself: then both may trade.
    pub fn shared_with_replacement(&self, sequence: u64) -> Result<Option<Funds>, NumberError> {
        let waits = |order: &Order| order.replaces.is_some_and(|replaced| !replaced.apart);
        let is_free = |open: &&Open| !waits(&open.order) && !self.replacements.contains_key(&sequence);
        self.open.get(&sequence).filter(is_free).map(|open| open.order.reserve(&self.terms)).transpose()
    }

    /// Takes an order up, a new one or one that [`Self::take`] gave. Where what it reserves cannot be exact it is taken up
    /// too, and reserves nothing.
    pub fn put(&mut self, order: Order) -> Result<(), NumberError> {
        let (sequence, filled) = (order.sequence(), order.filled);
        if let Some(replaced) = order.replaces.filter(|replaced| !replaced.apart) {
            self.replacements.insert(replaced.sequence, sequence);
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
        if let Some(replaced) = &order.replaces {
            if !replaced.apart {
                self.replacements.remove(&replaced.sequence);
            }
            // It was not placed. So the old one was not cancelled, unless it has ended too.
            if let Some(old) = self.marked(replaced.sequence).filter(|_| order.filled.is_zero()) {
                old.cancel = None;
            }
        }
        let filled = order.filled;
        let settled = |replaced: Replaced| {
            let raced = replaced.known_quantity != filled;
            raced.then_some(Replaced { raced, ..replaced })
        };
        self.race(order.sequence(), settled)?;
        self.replacements.remove(&order.sequence());
        Ok(())
    }

    /// Follows what `change` makes of the order that takes the place of this one.
    fn race(&mut self, of: u64, change: impl FnOnce(Replaced) -> Option<Replaced>) -> Result<(), NumberError> {
        let Some(sequence) = self.replacements.get(&of).copied() else { return Ok(()) };
        let Some(replacement) = self.marked(sequence) else { return Ok(()) };
        let changed = replacement.replaces.and_then(change);
        if replacement.replaces == changed {
            return Ok(());
        }
        replacement.replaces = changed;
        self.reserve(sequence)
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
        let Some(replaced) = order.replaces.filter(|replaced| !replaced.apart) else { return Ok(all) };
        if replaced.raced {
            return Ok(Funds::NONE);
        }
        match self.get(replaced.sequence).map(|old| (old.side, old.time_in_force, old.quantity, old.price)) {
            Some((side, time_in_force, quantity, Some(price))) => {
                let rest = quantity.minus(replaced.known_quantity.min(quantity))?;
                all.beyond(self.terms.reserve(side, time_in_force, rest, price)?)
            }
            Some((_, _, _, None)) | None => Ok(all),
        }
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

impl Serialize for OpenOrders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}
