//! Which sides a strategy may trade, by the share of equity that its coins are worth.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::messages::Side;
use crate::numbers::{Notional, Ratio};

/// Which orders are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub enum RiskState {
    /// Both sides.
    #[default]
    AllowAll,
    /// The coins are worth too little: no sells.
    BuyOnly,
    /// The coins are worth too much: no buys.
    SellOnly,
    /// Nothing: the ledger is broken.
    Halted,
}

impl RiskState {
    /// Whether orders of `side` are allowed.
    pub const fn allows(self, side: Side) -> bool {
        match (self, side) {
            (Self::AllowAll, _) | (Self::BuyOnly, Side::Buy) | (Self::SellOnly, Side::Sell) => true,
            (Self::Halted, _) | (Self::BuyOnly, Side::Sell) | (Self::SellOnly, Side::Buy) => false,
        }
    }
}

/// The least and the largest share of equity in coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionLimits {
    /// Below it, only buys.
    pub least: Ratio,
    /// Above it, only sells.
    pub largest: Ratio,
}

impl PositionLimits {
    /// The state for coins worth `position` of `equity`. Both comparisons are strict.
    pub fn state(&self, position: Notional, equity: Notional) -> RiskState {
        if equity <= Notional::ZERO {
            return RiskState::AllowAll;
        }
        if position.compare_with(equity, self.largest) == Ordering::Greater {
            RiskState::SellOnly
        } else if position.compare_with(equity, self.least) == Ordering::Less {
            RiskState::BuyOnly
        } else {
            RiskState::AllowAll
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_are_strict() {
        let percent = |text: &str| Ratio::from_percent(text.parse().unwrap());
        let limits = PositionLimits { least: percent("10"), largest: percent("90") };
        let state = |position: &str| limits.state(position.parse().unwrap(), "1000".parse().unwrap());
        assert_eq!(state("100"), RiskState::AllowAll);
        assert_eq!(state("99.999999999"), RiskState::BuyOnly);
        assert_eq!(state("900"), RiskState::AllowAll);
        assert_eq!(state("900.000000001"), RiskState::SellOnly);
    }
}
