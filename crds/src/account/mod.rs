//! The kind `TradingAccount`: where orders go, where prices come from, and the money there.

pub mod balances;
mod limits;
mod live;
pub mod status;
mod validate;

use engine::fees::Fees;
use engine::instrument::Symbol;
use engine::numbers::ExactDecimal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Amounts;
use crate::name::FileName;

pub use limits::AccountLimits;
pub use live::{Binance, BinanceMarket, Proxy, ProxySecret, ProxyUrl};
pub use status::TradingAccountStatus;
pub(crate) use validate::{BOTH, NO_FILE};

/// What a trading account is.
#[allow(clippy::duplicated_attributes, reason = "the lint takes columns of one type for a repeated attribute")]
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "glm.trading",
    version = "v1alpha1",
    kind = "TradingAccount",
    plural = "tradingaccounts",
    shortname = "tacct",
    category = "glm",
    namespaced,
    status = "TradingAccountStatus",
    derive = "PartialEq",
    doc = "An account that trades for its strategies: a venue, its market data and the money there.",
    printcolumn(name = "Venue", type_ = "string", json_path = ".status.summary.venue"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".status.summary.mode"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Strategies", type_ = "integer", json_path = ".status.summary.strategies"),
    printcolumn(name = "Halted", type_ = "string", json_path = ".status.summary.halted"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct TradingAccountSpec {
    /// Where orders go: exactly one member, paper. Cannot be changed later to another member: create a second
    /// account instead.
    pub venue: Venue,
    /// Where prices come from: exactly one member, replay or binance.
    pub market_data: MarketData,
    /// Limits over all strategies of the account, which its gateway holds. Changed at any time, without a new pod. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<AccountLimits>,
}

/// Where orders go. A struct of options, because the API server's schema of an enum with fields cannot be
/// read by humans.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Venue {
    /// A simulated venue with simulated money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<PaperVenue>,
}

/// A simulated venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaperVenue {
    /// The amount of each asset in the account, such as {USDT: 10000, BNB: 20}; 1 to 16 entries. The capital of
    /// the account's strategies together must not exceed it. Quote decimals.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16))]
    pub balances: Amounts,
    /// What the venue takes for a trade. Default: nothing.
    #[serde(default)]
    pub fees: Fees,
    /// Milliseconds from an order's tick until it meets the market; 0 to 60000. Default 0: the same tick.
    #[serde(default)]
    #[schemars(range(min = 0, max = 60000))]
    pub latency_ms: u32,
    /// When an order that waits in the book trades on a tick without quotes: Through, when the price is beyond the order's
    /// own, or Touch, when it is at it. With quotes the best price decides. Default Through.
    #[serde(default)]
    pub resting_fills: RestingFills,
}

/// When an order that waits in the book trades on a tick without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum RestingFills {
    /// When the price is beyond the order's own.
    #[default]
    Through,
    /// When the price is at the order's own or beyond it.
    Touch,
}

/// Where prices come from. A struct of options, as [`Venue`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarketData {
    /// Prices from files, in their own time. With file all strategies of the account trade one symbol, with files each
    /// trades some of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
    /// Live prices of Binance, without a key. Each strategy trades markets of its own; rules that it does not write are the
    /// venue's. Accounts of a namespace that take them by the same way share one feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binance: Option<Binance>,
}

/// Prices from files: of one market, or of several in one order, by time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// The bare name of a CSV file, a gzipped one or a recording, such as btcusdt-1h-2020q2.csv.gz; no folder.
    /// It lies beside the manifest, or in the image's /replay. Of one market: that of the account's oldest strategy.
    /// Write either file or files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileName>,
    /// A file for each market, where strategies trade several; 1 to 16 entries, each symbol once. Ticks of one time come
    /// by symbol. Write either file or files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["symbol"])
    )]
    pub files: Option<Vec<ReplayFile>>,
    /// How much faster than it happened; above 0, up to 1000000. Default 1. Quote decimals.
    #[serde(default = "Replay::default_speed")]
    pub speed: ExactDecimal,
    /// Whether the file starts again at its end. Default false: the replay ends there.
    #[serde(default)]
    pub repeat: bool,
}

/// The file of one market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayFile {
    /// The market, such as BTC/USDT.
    pub symbol: Symbol,
    /// The bare name of its file, as in file.
    pub file: FileName,
}

impl TradingAccountSpec {
    /// A paper account without fees that holds `balances`: for a strategy whose own account is in no file.
    pub fn free_paper(balances: Amounts) -> Self {
        let paper =
            PaperVenue { balances, fees: Fees::default(), latency_ms: 0, resting_fills: RestingFills::default() };
        Self { venue: Venue { paper: Some(paper) }, market_data: MarketData::default(), limits: None }
    }
}

impl Replay {
    /// The files that are named with their markets.
    pub fn files(&self) -> &[ReplayFile] {
        self.files.as_deref().unwrap_or_default()
    }

    const fn default_speed() -> ExactDecimal {
        ExactDecimal::from_integer(1)
    }
}
