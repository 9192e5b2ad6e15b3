//! What an account's status shows.

use std::collections::BTreeMap;

use engine::report::LatchedLimit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::strategy::status::{Ledger, Mode, Restarts, StrategyState, Worker};

/// What the account does and holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TradingAccountStatus {
    /// The newest generation that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What the account does now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StrategyState>,
    /// Counts the gateways that have traded for this account; only the newest can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub epoch: Option<u64>,
    /// The account's own books.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
    /// Where the account's gateway runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Worker>,
    /// Gateways that ended before they had been ready for a minute, one after the other; absent once one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<Restarts>,
    /// The market data of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedStatus>,
    /// Accepted, Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The amount of each asset at the venue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balances: Option<BTreeMap<String, String>>,
    /// The amount of each asset that no strategy owns. A negative amount denies openings in that asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unassigned: Option<BTreeMap<String, String>>,
    /// Orders at the venue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<AccountOrders>,
    /// What holds the account's strategies back; absent while nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<AccountRisk>,
    /// How many of the account's strategies are in each state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategies: Option<BTreeMap<String, u32>>,
    /// Ready text for the columns of kubectl get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<AccountSummary>,
}

/// Where prices come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedStatus {
    /// The source's name in keys.
    pub source: String,
    /// Counts the feeds that have run; only the newest can.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub epoch: u64,
    /// The feed's own position in the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
    /// Feeds that ended before they had been ready for a minute, one after the other; absent once one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<Restarts>,
    /// The feed's pod; empty before the first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pod: String,
}

/// What holds the account's strategies back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountRisk {
    /// The limits of the account that were breached, until each is released by its name and since. Meanwhile no strategy of
    /// the account opens anything.
    #[serde(default)]
    pub limits: Vec<LatchedLimit>,
}

impl AccountRisk {
    /// That of an account with these limits latched; `None` without any.
    pub fn of(limits: Vec<LatchedLimit>) -> Option<Self> {
        (!limits.is_empty()).then_some(Self { limits })
    }

    /// The words for the column of what halts the account, divided by commas.
    pub fn halted(risk: Option<&Self>) -> String {
        let words = risk.into_iter().flat_map(|risk| &risk.limits).map(LatchedLimit::alert);
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Orders at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountOrders {
    /// Orders that may still trade.
    pub open: u32,
    /// Orders of which nobody knows whether the venue has them.
    pub unknown: u32,
}

impl AccountOrders {
    /// Counts the orders that a gateway's record holds, each as the JSON of one `order:` field.
    pub fn of<'a>(orders: impl Iterator<Item = &'a str>) -> Self {
        let (mut open, mut unknown) = (0, 0);
        for text in orders {
            let order: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
            match order["stage"]["at"].as_str() {
                Some("over") | None => {}
                Some("unknown") => (open, unknown) = (open + 1, unknown + 1),
                Some(_) => open += 1,
            }
        }
        Self { open, unknown }
    }
}

/// Ready text for the columns of kubectl get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountSummary {
    /// The venue, such as paper.
    pub venue: String,
    /// The money that is traded: Paper is simulated.
    pub mode: Mode,
    /// How many strategies use the account.
    pub strategies: u32,
    /// What halts the account; empty where nothing does.
    pub halted: String,
}
