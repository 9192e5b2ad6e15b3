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
    /// One that wants an order of this side and had none.
    pub const fn new(side: Side) -> Self {
        Self { side, open: None, left: None, coins: None, half: None }
    }
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
    /// The levels from that one on, and the one above the highest, which it may be moved to.
    pub prices: Vec<Price>,
    /// From the lowest one up.
    pub gaps: VecDeque<Gap>,
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
    /// The level at which the order of a gap lies, counted from the lowest.
    pub fn level_of(&self, place: usize) -> Option<(usize, Price)> {
        let level = match self.gaps.get(place)?.side {
            Side::Buy => place,
            Side::Sell => place.checked_add(1)?,
        };
        Some((level, *self.prices.get(level)?))
    }

    /// The gap whose order this is.
    pub fn place_of(&self, order: u64) -> Option<usize> {
        self.gaps.iter().position(|gap| gap.open.as_ref().is_some_and(|open| open.order == order))
    }

    /// How many orders of this side rest or are on their way.
    pub fn resting(&self, side: Side) -> usize {
        self.gaps.iter().filter(|gap| gap.side == side && gap.open.is_some()).count()
    }

    /// How many levels have no order, but should.
    pub fn left(&self) -> usize {
        self.gaps.iter().filter(|gap| gap.open.is_none()).count()
    }

    /// The level without an order, below which are the buys.
    pub fn empty(&self) -> Option<Price> {
        let buys = self.gaps.iter().filter(|gap| gap.side == Side::Buy).count();
        self.prices.get(buys).copied().filter(|_| !self.gaps.is_empty())
    }

    /// Forgets all of a ladder but what it has gained.
    pub fn start_anew(&mut self) {
        (self.gaps, self.prices, self.lowest) = (VecDeque::new(), Vec::new(), 0);
        (self.quantity, self.has_filled, self.tried) = (Quantity::ZERO, false, None);
    }
}
