//! The order book of a symbol.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::amount::Amount;
use crate::source::{Quote, Sides};

/// Levels made up on each side where the source tells of none.
const LEVELS: i128 = 20;

/// Levels by price.
#[derive(Default)]
pub struct Book {
    update: u64,
    bids: BTreeMap<Amount, Amount>,
    asks: BTreeMap<Amount, Amount>,
}

impl Book {
    /// All of it is known anew.
    pub fn replace(&mut self, update: u64, sides: &Sides) {
        *self = Self { update, ..Self::default() };
        self.set(sides);
    }

    /// Some levels are.
    pub fn change(&mut self, last: u64, sides: &Sides) {
        // Older than the snapshot: the levels in it are newer.
        if last > self.update {
            self.update = last;
            self.set(sides);
        }
    }

    fn set(&mut self, sides: &Sides) {
        for (levels, changes) in [(&mut self.bids, &sides.bids), (&mut self.asks, &sides.asks)] {
            for &(price, quantity) in changes {
                if quantity == Amount::ZERO {
                    levels.remove(&price);
                } else {
                    levels.insert(price, quantity);
                }
            }
        }
    }

    /// As REST answers it: the best `limit` levels of each side.
    pub fn answer(&self, limit: usize, quote: &Quote, tick: Amount) -> Value {
        if self.bids.is_empty() && self.asks.is_empty() {
            let level =
                |price: Amount, quantity, step: i128| (price + Amount::from_units(step * tick.units()), quantity);
            let side = |(price, quantity): (Amount, Amount), sign: i128| {
                let levels = (0..LEVELS).map(|step| level(price, quantity, sign * step));
                levels.filter(|level| level.0 > Amount::ZERO).take(limit).collect::<Vec<_>>()
            };
            return json!({"lastUpdateId": quote.update, "bids": side(quote.bid, -1), "asks": side(quote.ask, 1)});
        }
        let bids: Vec<_> = self.bids.iter().rev().take(limit).collect();
        let asks: Vec<_> = self.asks.iter().take(limit).collect();
        json!({"lastUpdateId": self.update, "bids": bids, "asks": asks})
    }
}
