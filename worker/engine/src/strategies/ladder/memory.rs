//! All that a ladder remembers. What lies between two neighbouring levels is a gap: it holds one order, a buy at its lower
//! level or a sell at its upper one, and whatever trades there, its next order is in the same gap.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::parameters::{LadderParameters, Spacing};
use crate::messages::Side;
use crate::numbers::{ExactDecimal, Notional, Price, Quantity};
use crate::time::Timestamp;

/// What a ladder starts anew with, when it is edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shape {
    lower_price: ExactDecimal,
    upper_price: ExactDecimal,
    levels: u32,
    spacing: Spacing,
}

impl Shape {
    pub const fn of(parameters: &LadderParameters) -> Self {
        let LadderParameters { lower_price, upper_price, levels, spacing, .. } = *parameters;
        Self { lower_price, upper_price, levels, spacing }
    }
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Nothing is placed yet.
    #[default]
    Waiting,
    /// Orders of a ladder before this one are being cancelled.
    Clearing,
    /// The coins that the sells need are bought by this order.
    Buying(u64),
    /// Its levels are placed.
    Working,
}

/// An order of a gap that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Open {
    pub order: u64,
    pub quantity: Quantity,
    /// What it has brought of the coins, fees taken out.
    pub coins: Quantity,
    /// What it has cost in fees, in quote.
    pub fees: Notional,
}

impl Open {
    pub const fn new(order: u64, quantity: Quantity) -> Self {
        Self { order, quantity, coins: Quantity::ZERO, fees: Notional::ZERO }
    }
}

/// Why a gap has no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Left {
    /// It is not covered, or was denied for what it is: tried again after fills.
    Short,
    /// Nothing was allowed then: tried again as soon as something is.
    Held,
    /// It failed: placed again from then on.
    Failed {
        until: Timestamp,
        /// Whether placing it again counts towards the order rates.
        counts: bool,
    },
}

/// What has traded whole and waits for its other half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Half {
    pub quantity: Quantity,
    pub fees: Notional,
}

/// One gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Gap {
    /// The number of its lower level; 0 in a record of the release before.
    #[serde(default)]
    pub level: u32,
    /// Of its order, or of the one that it wants.
    pub side: Side,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
    /// How much its sell is of, where that is not as much as every order's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coins: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half: Option<Half>,
}

impl Gap {
    /// One above this level that wants an order of this side and had none.
    pub const fn new(level: u32, side: Side) -> Self {
        Self { level, side, open: None, left: None, coins: None, half: None }
    }

    /// The number of the level at which its order lies.
    pub const fn number(&self) -> u32 {
        match self.side {
            Side::Buy => self.level,
            Side::Sell => self.level.saturating_add(1),
        }
    }

    fn has(&self, order: u64) -> bool {
        self.open.as_ref().is_some_and(|open| open.order == order)
    }
}

/// A gap that was moved up while its order may still trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Leaving {
    gap: Gap,
    /// The lower level of the gap that has joined in its place.
    to: u32,
}

/// How often something was seen, and on which tick first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    pub count: u64,
    pub first: Timestamp,
    /// At which price, or which level.
    pub at: Price,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Memory {
    /// What it was started with; none before its first tick.
    pub shape: Option<Shape>,
    /// The market's tick size, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tick_size: Option<Price>,
    /// The first price it saw, from where a trigger is reached.
    pub first: Option<Price>,
    /// Whether the trigger was reached.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub triggered: bool,
    pub stage: Stage,
    /// The number of the lowest level: 0 until it is moved up.
    pub lowest: u32,
    /// The levels from that one on, and the one above the highest, which it may be moved to; where levels are missing in
    /// between, not all of them.
    pub prices: Vec<Price>,
    /// From the lowest one up.
    pub gaps: VecDeque<Gap>,
    /// Those that were moved up and may come back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaving: Vec<Leaving>,
    /// The size of an order as the equity at the start gave it.
    pub quantity: Quantity,
    /// Pairs of a buy and a sell in one gap.
    pub matched_trades: u64,
    /// What these have gained, fees taken out.
    pub grid_profit: Notional,
    /// Whether news with fills came since levels that are left out were tried again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_filled: bool,
    /// The tick on which they were tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<u64>,
    /// Levels that were left out, most at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short: Option<Seen>,
    /// Ticks outside the bounds before it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside: Option<Seen>,
}

impl Memory {
    /// Numbers the gaps of a record of the release before, whose ladders had no holes.
    pub fn number_gaps(&mut self) {
        if self.gaps.iter().skip(1).any(|gap| gap.level == 0) {
            let numbers = (self.lowest..).zip(&mut self.gaps);
            numbers.for_each(|(number, gap)| gap.level = number);
        }
    }

    /// The gap whose order this is.
    pub fn place_of(&self, order: u64) -> Option<usize> {
        self.gaps.iter().position(|gap| gap.has(order))
    }

    /// How many orders of this side rest or are on their way.
    pub fn resting(&self, side: Side) -> usize {
        self.gaps.iter().filter(|gap| gap.side == side && gap.open.is_some()).count()
    }

    /// How many levels have no order, but should.
    pub fn left(&self) -> usize {
        self.gaps.iter().filter(|gap| gap.open.is_none()).count()
    }

    /// The number of the level without an order, below which are the buys.
    pub fn empty(&self) -> Option<u32> {
        let first_sell = self.gaps.iter().find(|gap| gap.side == Side::Sell).map(|gap| gap.level);
        first_sell.or_else(|| Some(self.gaps.back()?.level.saturating_add(1)))
    }

    /// The lowest gap leaves, this one joins above all others.
    pub fn join(&mut self, gap: Gap) {
        let to = gap.level;
        if let Some(gap) = self.gaps.pop_front().filter(|gap| gap.open.is_some()) {
            self.leaving.push(Leaving { gap, to });
        }
        self.gaps.push_back(gap);
    }

    /// The order whose gap has left for the gap of this place.
    pub fn left_for(&self, place: usize) -> Option<u64> {
        let to = self.gaps.get(place)?.level;
        self.leaving.iter().find(|leaving| leaving.to == to)?.gap.open.as_ref().map(|open| open.order)
    }

    /// The order of a gap that was moved up has ended without a trade: it has left for good.
    pub fn has_left(&mut self, order: u64) {
        self.leaving.retain(|leaving| !leaving.gap.has(order));
    }

    /// The gap of an order that was moved up comes back, and the one in its place goes: that one's order is never placed. Says
    /// whether there was such a gap.
    pub fn come_back(&mut self, order: u64) -> bool {
        let Some(place) = self.leaving.iter().position(|leaving| leaving.gap.has(order)) else { return false };
        let Leaving { gap, mut to } = self.leaving.remove(place);
        // The one in its place may have been moved up itself.
        while let Some(next) = self.leaving.iter().position(|leaving| leaving.gap.level == to) {
            to = self.leaving.remove(next).to;
        }
        self.gaps.retain(|joined| joined.level != to || joined.side == Side::Sell);
        let place = self.gaps.partition_point(|other| other.level < gap.level);
        self.gaps.insert(place, gap);
        true
    }

    /// Forgets all of a ladder but what it has gained.
    pub fn start_anew(&mut self) {
        (self.gaps, self.leaving) = (VecDeque::new(), Vec::new());
        (self.prices, self.lowest) = (Vec::new(), 0);
        (self.quantity, self.has_filled, self.tried) = (Quantity::ZERO, false, None);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn numbers(saved: &serde_json::Value) -> Vec<u32> {
        let mut memory: Memory = serde_json::from_value(saved.clone()).unwrap();
        memory.number_gaps();
        memory.gaps.iter().map(|gap| gap.level).collect()
    }

    #[test]
    fn gaps_of_the_release_before_are_numbered_from_the_lowest_and_others_stay_as_they_are() {
        let before = json!({"lowest": 3, "gaps": [{"side": "Buy"}, {"side": "Buy"}, {"side": "Sell"}]});
        assert_eq!(numbers(&before), [3, 4, 5]);
        let unmoved = json!({"lowest": 0, "gaps": [{"level": 0, "side": "Buy"}, {"level": 1, "side": "Sell"}]});
        assert_eq!(numbers(&unmoved), [0, 1]);
        let with_a_hole = json!({"lowest": 2, "gaps": [{"level": 2, "side": "Sell"}, {"level": 6, "side": "Buy"}]});
        assert_eq!(numbers(&with_a_hole), [2, 6]);
    }

    #[test]
    fn a_gap_comes_back_to_its_place_and_takes_the_place_of_what_was_moved_on_since() {
        let open = |order| Some(Open::new(order, Quantity::ZERO));
        let gap = |level, order| Gap { open: open(order), ..Gap::new(level, Side::Buy) };
        let mut memory = Memory { gaps: [gap(0, 1), gap(1, 2)].into(), ..Memory::default() };
        // The first goes to 2, the second to 3, and what is at 2 goes on to 4.
        for (level, order) in [(2, 3), (3, 4), (4, 5)] {
            memory.join(gap(level, order));
        }
        let levels = |memory: &Memory| memory.gaps.iter().map(|gap| gap.level).collect::<Vec<_>>();
        assert_eq!((levels(&memory), memory.left_for(1)), (vec![3, 4], Some(3)));
        memory.has_left(2);
        assert!(!memory.come_back(2), "it has left for good");
        assert!(memory.come_back(1));
        assert_eq!(levels(&memory), [0, 3]);
        assert!(memory.leaving.is_empty() && !memory.come_back(3), "order 3 was to take its place");
    }
}
