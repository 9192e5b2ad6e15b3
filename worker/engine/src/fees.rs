//! What a venue takes for a trade.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numbers::{ExactDecimal, Ratio};
use crate::validation::Violation;

/// The asset a fee is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum PaidIn {
    /// Always the quote asset.
    #[default]
    Quote,
    /// The asset received: base when buying, quote when selling.
    Received,
}

/// Fees of a venue, in percent of each trade's worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fees {
    /// Fee of an order that waited in the book, in percent of the trade's worth; 0 to 10, at most 4 digits
    /// after the point. The grid's orders never wait, so it is not charged to them. Default 0. Quote decimals.
    #[serde(default = "Fees::none")]
    pub maker_percent: ExactDecimal,
    /// Fee of an order that traded at once, in percent of the trade's worth; 0 to 10, at most 4 digits after
    /// the point. Default 0. Quote decimals.
    #[serde(default = "Fees::none")]
    pub taker_percent: ExactDecimal,
    /// The asset a fee is taken from: Quote, or Received (base when buying). Default Quote.
    #[serde(default)]
    pub paid_in: PaidIn,
}

impl Default for Fees {
    fn default() -> Self {
        Self { maker_percent: Self::none(), taker_percent: Self::none(), paid_in: PaidIn::default() }
    }
}

impl Fees {
    const fn none() -> ExactDecimal {
        ExactDecimal::from_integer(0)
    }

    /// The taker's share of a trade's worth.
    pub fn taker(&self) -> Ratio {
        Ratio::from_percent(self.taker_percent)
    }

    /// The maker's share of a trade's worth.
    pub fn maker(&self) -> Ratio {
        Ratio::from_percent(self.maker_percent)
    }

    /// All that is wrong with these fees.
    pub fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (name, value) in [("makerPercent", self.maker_percent), ("takerPercent", self.taker_percent)] {
            if value > ExactDecimal::from_integer(10) {
                violations.push(Violation::new(format!("{path}.{name}"), value, "is out of range; write 0 to 10"));
            } else if value.get().normalize().scale() > 4 {
                violations.push(Violation::new(
                    format!("{path}.{name}"),
                    value,
                    "has more than 4 digits after the point; fees are never rounded",
                ));
            }
        }
        violations
    }
}
