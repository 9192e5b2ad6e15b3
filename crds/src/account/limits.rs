//! The limits of an account, over all of its strategies: the words of a strategy's own.

use engine::instrument::Symbol;
use engine::numbers::Notional;
use engine::validation::Violation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Amounts;

/// What all strategies of the account together may do. Only orders that open are held to it: what reduces and what cancels
/// passes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountLimits {
    /// The largest worth of all strategies' coins and open buys, by quote asset, such as {USDT: 5000}. An order beyond it is
    /// denied; where prices alone lead beyond it, it latches: no strategy of the account opens before it is released.
    /// Default: no limit. Quote decimals.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub max_exposure: Amounts,
    /// The largest worth of one order that opens, by quote asset, such as {USDT: 1000}. Default: no limit. Quote decimals.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub max_order_notional: Amounts,
    /// The most orders that open, of all strategies, in any 60 seconds; 1 to 600. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 600))]
    pub max_orders_per_minute: Option<u32>,
}

impl AccountLimits {
    /// The highest `maxOrdersPerMinute`.
    pub const ORDERS_PER_MINUTE_MAX: u32 = 600;

    /// The largest worth of one order in `symbol`, if there is one.
    pub fn order_notional_limit(&self, symbol: &Symbol) -> Option<Notional> {
        amount(&self.max_order_notional, symbol)
    }

    /// The largest exposure in the currency of `symbol`, if there is one.
    pub fn exposure_limit(&self, symbol: &Symbol) -> Option<Notional> {
        amount(&self.max_exposure, symbol)
    }

    /// All that is wrong with these limits.
    pub(crate) fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (name, limits) in [("maxExposure", &self.max_exposure), ("maxOrderNotional", &self.max_order_notional)] {
            for (asset, limit) in limits.iter().filter(|(_, limit)| limit.get().is_zero()) {
                let remedy = "would deny every order; write an amount above 0";
                violations.push(Violation::new(format!("{path}.{name}.{asset}"), limit, remedy));
            }
        }
        let most = Self::ORDERS_PER_MINUTE_MAX;
        if let Some(count) = self.max_orders_per_minute.filter(|count| !(1..=most).contains(count)) {
            let remedy = format!("is out of range; write 1 to {most}");
            violations.push(Violation::new(format!("{path}.maxOrdersPerMinute"), count, remedy));
        }
        violations
    }
}

/// What is allowed in the currency of a market. An amount that was accepted is in range.
fn amount(limits: &Amounts, symbol: &Symbol) -> Option<Notional> {
    limits.get(symbol.quote()).and_then(|limit| Notional::new(limit.get()).ok())
}
