//! A ladder's pairs, counted from its orders that traded whole: the rule in words, and nothing of the ladder.

use std::collections::BTreeMap;

use engine::messages::Side;
use rust_decimal::{Decimal, RoundingStrategy};

/// What has traded whole between two neighbouring levels and waits for its other half.
struct Half {
    quantity: Decimal,
    fees: Decimal,
}

/// The bounds of an arithmetic ladder, and how many gaps lie between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub lower: Decimal,
    pub upper: Decimal,
    pub levels: u32,
}

/// An arithmetic ladder's.
pub(super) struct Pairs {
    shape: Shape,
    tick: Decimal,
    halves: BTreeMap<u32, Half>,
    pub matched: u64,
    pub profit: Decimal,
    /// Buys that were asked for above its first levels.
    pub moves: u64,
}

/// No ladder of a world has so many levels above its first one.
const LEVELS_MAX: u32 = 20_000;

impl Pairs {
    pub fn of(shape: Shape, tick: Decimal) -> Self {
        let (halves, profit) = (BTreeMap::new(), Decimal::ZERO);
        Self { shape, tick, halves, matched: 0, profit, moves: 0 }
    }

    /// Between other bounds, and what it has gained goes on.
    pub fn start_anew(&mut self, shape: Shape) {
        self.shape = shape;
        self.halves.clear();
    }

    /// An order was asked for. No ladder buys at its upper bound that was not moved up.
    pub fn asked(&mut self, side: Side, price: Decimal) {
        self.moves += u64::from(side == Side::Buy && price >= self.shape.upper);
    }

    fn level(&self, number: u32) -> Decimal {
        let Shape { lower, upper, levels } = self.shape;
        let step = Decimal::from(number) * (upper - lower);
        let exact = (lower * Decimal::from(levels) + step) / Decimal::from(levels);
        (exact / self.tick).round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven) * self.tick
    }

    /// An order at a level has traded whole. `Err` where there is no such level.
    pub fn whole(&mut self, side: Side, price: Decimal, half: (Decimal, Decimal)) -> Result<(), String> {
        let number = (0..LEVELS_MAX).take_while(|number| self.level(*number) <= price).last();
        let number = number.filter(|number| self.level(*number) == price);
        let number = number.ok_or_else(|| format!("a ladder's {side} at {price} is at none of its levels"))?;
        let lower = match side {
            Side::Buy => number,
            Side::Sell => number.checked_sub(1).ok_or("a ladder sells at its lowest level")?,
        };
        let (quantity, fees) = half;
        match self.halves.remove(&lower) {
            Some(first) => {
                self.matched += 1;
                let width = self.level(lower + 1) - self.level(lower);
                self.profit += first.quantity.min(quantity) * width - first.fees - fees;
            }
            None => {
                self.halves.insert(lower, Half { quantity, fees });
            }
        }
        Ok(())
    }
}
