//! A strategy's report: the figures of its resource's status, in the form of the contract.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::messages::{Fill, Side};
use crate::numbers::{Notional, Price, Quantity};
use crate::risk::{Limit, Release, RiskState};
use crate::strategies::Figures;
use crate::time::Timestamp;

impl Report {
    /// All that is latched, as a release names it.
    pub fn latched(&self) -> Vec<Release> {
        let exit = self.stopped.iter().map(|stopped| Release { name: stopped.rule.clone(), since: stopped.since });
        self.risk.limits.iter().map(LatchedLimit::release).chain(exit).collect()
    }
}

/// Why the strategy acted or did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// A stable word, such as PriceBetweenBands.
    pub reason: String,
    /// The same in words, with figures.
    pub message: String,
}

impl Decision {
    /// A decision for this reason.
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into() }
    }

    /// Before the first tick.
    pub fn waiting() -> Self {
        Self::new("WaitingForMarketData", "No tick has arrived yet.")
    }
}

/// Profit so far, in one currency. net = realized + unrealized - fees + funding. Transfers leave it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pnl {
    /// The quote asset all figures are in.
    pub currency: String,
    /// Proceeds of what was sold less its cost, before fees.
    pub realized: Notional,
    /// Worth of what is held less its cost.
    pub unrealized: Notional,
    /// Fees, valued in quote at each fill.
    pub fees: Notional,
    /// Funding received; 0 in spot markets.
    pub funding: Notional,
    /// All of it together.
    pub net: Notional,
}

/// Orders by how they stand or ended. Of those that are over each is counted once, but for one of which more is told
/// after its end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderCounts {
    /// Not over yet.
    pub open: u64,
    /// Open, and nobody knows whether the venue has it.
    pub unknown: u64,
    /// Over, and at least a part has traded.
    pub filled: u64,
    /// Refused by our own checks; a reason that stays the same is counted once, not once a tick.
    pub denied: u64,
    /// Those that were denied, by reason.
    #[serde(default)]
    pub denied_reasons: BTreeMap<String, u64>,
    /// Over without a trade: the market went away before the order reached it, or its time was over.
    #[serde(default)]
    pub expired: u64,
    /// Refused by the venue.
    pub rejected: u64,
}

/// The reason of denials that the release before counted without one.
const UNRECORDED: &str = "Unrecorded";

impl OrderCounts {
    /// Gives denials that were counted without a reason one of their own, so that the reasons add up.
    pub(crate) fn settle_reasons(&mut self) {
        let recorded = self.denied_reasons.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        if let Some(missing) = self.denied.checked_sub(recorded).filter(|missing| *missing > 0) {
            let count = self.denied_reasons.entry(UNRECORDED.to_owned()).or_default();
            *count = count.saturating_add(missing);
        }
    }

    /// Counts an order that our own checks refused.
    pub fn deny(&mut self, reason: &str) {
        self.denied = self.denied.saturating_add(1);
        let count = self.denied_reasons.entry(reason.to_owned()).or_default();
        *count = count.saturating_add(1);
    }
}

/// Which orders are allowed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RiskReport {
    /// AllowAll, BuyOnly, SellOnly, ReduceOnly or Halted.
    pub state: RiskState,
    /// Why it is not AllowAll; empty when it is.
    pub reason: String,
    /// The limits that were breached, until each is released by its name and since.
    #[serde(default)]
    pub limits: Vec<LatchedLimit>,
}

/// A limit that was breached. It is released by the annotation glm.trading/release with its name and since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatchedLimit {
    /// The field's name, such as maxDrawdownPercent.
    pub name: String,
    /// Event time of the tick, in UTC.
    #[serde(with = "crate::time::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// What was found.
    pub figure: String,
    /// What it was held against.
    pub threshold: String,
}

impl LatchedLimit {
    /// The word of its alert; its name where this program does not know the limit.
    pub fn alert(&self) -> &str {
        let known = Limit::ALL.into_iter().find(|limit| limit.as_str() == self.name);
        known.map_or(&self.name, |limit| limit.alert().as_str())
    }

    /// What a release names.
    pub fn release(&self) -> Release {
        Release { name: self.name.clone(), since: self.since }
    }

    /// Its name and since, as a release names it.
    pub fn text(&self) -> String {
        self.release().to_string()
    }
}

/// How an exit has ended the strategy. It is released by the annotation glm.trading/release with its rule and since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stopped {
    /// ExitReached.
    pub reason: String,
    /// The field's name, such as takeProfitPercent.
    pub rule: String,
    /// Event time of the tick, in UTC.
    #[serde(with = "crate::time::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// What was found.
    pub figure: String,
    /// What it was held against.
    pub threshold: String,
}

/// What became of a transfer: Booked, for good; or Refused, so that nothing has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TransferState {
    /// It is in the books.
    Booked,
    /// Nothing has moved.
    Refused,
}

/// A transfer that was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferReport {
    /// Its name in the spec. One that was taken out of the spec stays booked.
    pub id: String,
    /// What was moved.
    pub asset: String,
    /// How much; below 0 where it is taken out.
    pub amount: Notional,
    /// Booked or Refused.
    pub state: TransferState,
    /// Event time, in UTC.
    #[serde(with = "crate::time::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// Why it is refused, with what is free; empty where there is nothing to say.
    #[serde(default)]
    pub message: String,
}

/// One trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecentTrade {
    /// When, in UTC.
    #[serde(with = "crate::time::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The market, where the strategy trades several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Buy or Sell.
    pub side: Side,
    /// At which price.
    pub price: Price,
    /// How much base.
    pub quantity: Quantity,
    /// What was paid for it, in feeAsset.
    pub fee: Notional,
    /// The asset the fee was taken from.
    pub fee_asset: String,
}

impl RecentTrade {
    /// The trade of a fill.
    pub fn of(fill: &Fill) -> Self {
        Self {
            time: fill.time,
            symbol: None,
            side: fill.side,
            price: fill.price,
            quantity: fill.quantity,
            fee: fill.fee,
            fee_asset: fill.fee_asset.to_string(),
        }
    }
}

/// One trade, as a result lists it and its hash covers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trade {
    /// The 0-based tick, over all markets of the strategy, on which it happened.
    pub index: u64,
    /// Milliseconds UTC.
    pub time: Timestamp,
    /// The market.
    pub symbol: String,
    /// Buy or Sell.
    pub side: Side,
    /// With the tick size's digits.
    pub price: Price,
    /// In base.
    pub quantity: Quantity,
    /// Never rounded.
    pub fee: Notional,
    /// The asset the fee was taken from.
    pub fee_asset: String,
}

impl Trade {
    /// The trade of a fill, on this tick.
    pub fn of(fill: &Fill, index: u64) -> Self {
        Self {
            index,
            time: fill.time,
            symbol: fill.symbol.to_string(),
            side: fill.side,
            price: fill.price,
            quantity: fill.quantity,
            fee: fill.fee,
            fee_asset: fill.fee_asset.to_string(),
        }
    }

    /// The compact JSON that is printed, and a newline.
    pub fn line(&self) -> String {
        // A struct of texts and numbers always has its JSON.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// Ready text for the columns of `kubectl get`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The kind of strategy, such as grid.
    #[serde(default)]
    pub strategy: String,
    /// The market.
    pub symbol: String,
    /// Base held, with its unit.
    pub position: String,
    /// Net profit with its sign and its unit; two digits, or as many as its market needs.
    pub net_pnl: String,
    /// The newest trade; empty before the first.
    pub last_trade: String,
    /// What a human should know; empty where nothing.
    pub alert: String,
}

/// What a strategy tells of itself. Decimals are exact text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Event time of the figures, in UTC.
    #[serde(with = "crate::time::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub as_of: Timestamp,
    /// Last price of the first market; absent before its first tick.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub price: Option<Price>,
    /// The last price of each market that had a tick, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub prices: BTreeMap<String, Price>,
    /// What is held, by asset.
    pub position: BTreeMap<String, Notional>,
    /// Profit so far; absent before the first tick.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pnl: Option<Pnl>,
    /// Orders by how they stand or ended.
    pub orders: OrderCounts,
    /// Which orders are allowed.
    pub risk: RiskReport,
    /// The exit that has ended it; absent until one is reached.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stopped: Option<Stopped>,
    /// Transfers that were decided.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub transfers: Vec<TransferReport>,
    /// Why the strategy acted or did not, last.
    pub decision: Decision,
    /// The newest five trades, newest first.
    pub recent_trades: Vec<RecentTrade>,
    /// What the strategy shows of itself.
    pub strategy: Figures,
    /// Ready text for columns.
    pub summary: Summary,
}
