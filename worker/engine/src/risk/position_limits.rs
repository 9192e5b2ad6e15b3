//! Which sides a strategy may trade: by what its equity is, and by the share of it that its coins are worth.

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
    /// Nothing is left of the equity: only what reduces.
    ReduceOnly,
    /// Nothing: what is known no longer tells the truth.
    Halted,
}

impl RiskState {
    /// Whether orders of `side` are allowed.
    pub const fn allows(self, side: Side) -> bool {
        match (self, side) {
            (Self::AllowAll, _) | (Self::BuyOnly, Side::Buy) | (Self::SellOnly | Self::ReduceOnly, Side::Sell) => true,
            (Self::Halted, _) | (Self::BuyOnly, Side::Sell) | (Self::SellOnly | Self::ReduceOnly, Side::Buy) => false,
        }
    }
}

/// Whether `minPositionPercent` and `maxPositionPercent` bind a strategy's orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionBounds {
    /// They do, on every order; one that is not written is 10, or 90.
    Bind,
    /// Those do that are written.
    Written,
    /// They are accepted and bind nothing.
    Free,
}

/// The least and the largest share of equity in coins, where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionLimits {
    /// Below it, only buys.
    pub min: Option<Ratio>,
    /// Above it, only sells.
    pub max: Option<Ratio>,
}

impl PositionLimits {
    /// The state for coins worth `position` of `equity`. Both comparisons are strict. Without any equity there is
    /// no share to judge, so nothing may be opened, whether there are limits or not.
    pub fn state(&self, position: Notional, equity: Notional) -> RiskState {
        if equity <= Notional::ZERO {
            RiskState::ReduceOnly
        } else if self.max.is_some_and(|max| position.compare_with(equity, max) == Ordering::Greater) {
            RiskState::SellOnly
        } else if self.min.is_some_and(|min| position.compare_with(equity, min) == Ordering::Less) {
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
        let limits = PositionLimits { min: Some(percent("10")), max: Some(percent("90")) };
        let of =
            |limits: PositionLimits, position: &str| limits.state(position.parse().unwrap(), "1000".parse().unwrap());
        let state = |position: &str| of(limits, position);
        assert_eq!(state("100"), RiskState::AllowAll);
        assert_eq!(state("99.999999999"), RiskState::BuyOnly);
        assert_eq!(state("900"), RiskState::AllowAll);
        assert_eq!(state("900.000000001"), RiskState::SellOnly);
        // Each by itself.
        let (least, most) = (PositionLimits { max: None, ..limits }, PositionLimits { min: None, ..limits });
        assert_eq!([of(least, "99"), of(least, "901")], [RiskState::BuyOnly, RiskState::AllowAll]);
        assert_eq!([of(most, "99"), of(most, "901")], [RiskState::AllowAll, RiskState::SellOnly]);
    }

    #[test]
    fn without_equity_only_what_reduces_passes() {
        let none = PositionLimits { min: None, max: None };
        for limits in [PositionLimits { min: Some(Ratio::ZERO), max: Some(Ratio::ONE) }, none] {
            for equity in ["0", "-0.000000001"] {
                let state = limits.state("5".parse().unwrap(), equity.parse().unwrap());
                assert_eq!(state, RiskState::ReduceOnly);
                assert!(state.allows(Side::Sell) && !state.allows(Side::Buy));
            }
        }
        let one = "1".parse().unwrap();
        assert_eq!(none.state("5".parse().unwrap(), one), RiskState::AllowAll);
    }
}
