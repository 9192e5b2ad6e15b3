//! The kind `TradingStrategy`: what one strategy trades, with which money, by which rules.

mod process;
pub mod status;
mod validate;
mod worker;

use engine::instrument::{Asset, Rules, Symbol};
use engine::market::Interval;
use engine::numbers::SignedDecimal;
use engine::risk::{ExitParameters, PositionBounds, RiskParameters};
use engine::strategies::DesiredState;
use engine::strategies::grid::GridParameters;
use engine::strategies::ladder::LadderParameters;
use engine::strategies::position_control::PositionControlParameters;
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Amounts;
use crate::name::ResourceName;

pub use process::{ProcessSource, ProcessStrategy, SOURCE_FOLDER, source_file};
pub use status::TradingStrategyStatus;
pub use worker::{
    PullSecret, ResourceAmount, ResourceAmounts, TaintEffect, Toleration, TolerationOperator, WorkerResources,
    WorkerSpec,
};

/// What a trading strategy is asked to do.
#[allow(clippy::duplicated_attributes, reason = "the lint takes columns of one type for a repeated attribute")]
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "glm.trading",
    version = "v1alpha1",
    kind = "TradingStrategy",
    plural = "tradingstrategies",
    shortname = "ts",
    category = "glm",
    namespaced,
    status = "TradingStrategyStatus",
    derive = "PartialEq",
    selectable = ".spec.accountRef.name",
    doc = "A trading strategy with its own money: it runs in one worker and its status shows what it did.",
    printcolumn(name = "Mode", type_ = "string", json_path = ".status.mode"),
    printcolumn(name = "Symbol", type_ = "string", json_path = ".status.summary.symbol"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Trades", type_ = "integer", json_path = ".status.orders.filled"),
    printcolumn(name = "Position", type_ = "string", json_path = ".status.summary.position"),
    printcolumn(name = "Net-PnL", type_ = "string", json_path = ".status.summary.netPnl"),
    printcolumn(name = "Alert", type_ = "string", json_path = ".status.summary.alert"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.accountRef.name", priority = 1),
    printcolumn(name = "Strategy", type_ = "string", json_path = ".status.summary.strategy", priority = 1),
    printcolumn(name = "Orders", type_ = "integer", json_path = ".status.orders.open", priority = 1),
    printcolumn(name = "Epoch", type_ = "integer", json_path = ".status.epoch", priority = 1),
    printcolumn(name = "Node", type_ = "string", json_path = ".status.worker.node", priority = 1),
    printcolumn(name = "Last-Trade", type_ = "string", json_path = ".status.summary.lastTrade", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct TradingStrategySpec {
    /// The account that trades for this strategy, in the same namespace. Cannot be changed later: create a
    /// second strategy instead.
    pub account_ref: AccountRef,
    /// What is traded; 1 to 16 entries, each symbol once. Grid, ladder and positionControl trade exactly one. Symbols cannot
    /// be changed later, their rules can.
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["symbol"])
    )]
    pub instruments: Vec<InstrumentSpec>,
    /// The opening amount of each asset, such as {USDT: 3000, BNB: 5}; only the instruments' base and quote,
    /// more than 0 in all. Cannot be changed later: create a second strategy instead. Quote decimals.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16))]
    pub capital: Amounts,
    /// Money added later, or with a negative amount taken out, such as [{id: june, asset: USDT, amount: 500}]; at most 100
    /// entries, each id once. An entry is booked once, at the last price, and cannot be changed once it is there: add
    /// another one. One that is removed stays booked. Taken out is only what no open order reserves; what is refused says
    /// so in status and is tried again with the next change of the spec. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 100),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"])
    )]
    pub transfers: Vec<TransferSpec>,
    /// The strategy and its parameters: exactly one member of grid, ladder, positionControl, custom and process. Write
    /// {grid: {}} for a grid with the default parameters. The parameters can be changed at any time, the member cannot.
    pub strategy: StrategyChoice,
    /// Bounds that each order must keep, and limits of the strategy as a whole. An order beyond one is denied, with the
    /// reason in status; a breached limit stays latched until it is released. All can be changed at any time.
    #[serde(default)]
    pub risk: RiskParameters,
    /// Rules that end the strategy by price, profit or time. Default: it never ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitParameters>,
    /// Running trades; Paused watches prices but sends no new order and cancels opening ones; Stopped cancels
    /// all orders and ends the worker. Default Running.
    #[serde(default)]
    pub state: DesiredState,
    /// What the worker's pod is like: where it runs, with how much, from which image. A change makes a new pod, which goes on
    /// where the one before it ended. Default: as the operator makes them.
    #[serde(default, skip_serializing_if = "WorkerSpec::is_default")]
    pub worker: WorkerSpec,
}

/// A reference to a TradingAccount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountRef {
    /// The name of a TradingAccount in the same namespace: small letters, digits and dashes, at most 45.
    pub name: ResourceName,
}

/// One thing that is traded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentSpec {
    /// Base and quote in capital letters and digits, such as BTC/USDT.
    pub symbol: Symbol,
    /// The venue's rules for orders. Default: those that the market data's source gives; a replay gives none,
    /// so write them here for a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
}

/// Money that is added to a strategy, or taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferSpec {
    /// A name of your choice, by which the transfer is booked once: small letters, digits and dashes, at most 45.
    pub id: ResourceName,
    /// What is moved: an instrument's base or quote, such as USDT.
    #[schemars(schema_with = "asset")]
    pub asset: Asset,
    /// How much is added; a negative amount, such as "-500", is taken out. Not 0. Quote decimals and negative amounts.
    pub amount: SignedDecimal,
}

/// The code of an asset.
fn asset(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "string", "pattern": Asset::PATTERN, "maxLength": Asset::LENGTH_MAX})
}

/// The strategy and its parameters. A struct of options, because the API server's schema of an enum with
/// fields cannot be read by humans.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StrategyChoice {
    /// A trailing grid around a moving base price: sells after a rise that turns down, buys after a fall that
    /// turns up. Write {} for the default parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridParameters>,
    /// The grid bot of the exchanges: buys rest on the levels below the price, sells on those above it, between two
    /// bounds. lowerPrice and upperPrice are required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<LadderParameters>,
    /// Sells coins down to a share of the equity above the high of the last days, buys them up to another one below their
    /// low. Write {} for the default parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_control: Option<PositionControlParameters>,
    /// A strategy of your own worker image, by its name in that program's registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomStrategy>,
    /// A program of your own, in any language: it is told prices and news of its orders on stdin, one JSON document a line,
    /// and answers on stdout with orders. command is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessStrategy>,
}

/// A strategy of a user's own worker image: whoever builds it knows what its parameters mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomStrategy {
    /// Its name in the program's registry: small letters, digits and dashes, at most 45. Cannot be changed later.
    pub name: ResourceName,
    /// Its parameters, as it defines them. Default {}. Can be changed at any time.
    #[serde(default)]
    #[schemars(schema_with = "any_object")]
    pub parameters: Map<String, Value>,
}

/// An object of any fields; its bound is that of an object in the API server.
fn any_object(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Bars that a strategy makes of its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeededBars {
    /// The field below `spec.strategy` that asks for them.
    pub field: &'static str,
    /// How long each is.
    pub interval: Interval,
    /// The field that does without them.
    pub instead: &'static str,
}

impl StrategyChoice {
    /// What of it a worker cannot take while it runs: where the files of a process come from.
    #[must_use]
    pub fn steady(&self) -> Self {
        let source = self.process.as_ref().and_then(|process| process.source.clone());
        let process = source.map(|source| ProcessStrategy {
            command: Vec::new(),
            parameters: Map::new(),
            source: Some(source),
            timeout_ms: 0,
        });
        Self { process, ..Self::default() }
    }

    /// The same choice with the default of a grid's size written, as it stands in records since they are kept.
    #[must_use]
    pub fn with_grid_size(self) -> Self {
        Self { grid: self.grid.map(GridParameters::with_grid_size), ..self }
    }

    /// The same choice with each default written that stands in for others.
    #[must_use]
    pub fn with_defaults(self) -> Self {
        Self { grid: self.grid.map(GridParameters::with_defaults), ..self }
    }

    /// The bars that candles must be short enough for; `None` where it needs none.
    pub fn bars(&self) -> Option<NeededBars> {
        let interval = self.grid.as_ref().and_then(GridParameters::bars)?;
        Some(NeededBars { field: "grid.adaptive", interval, instead: "gridSizePercent" })
    }

    /// Whether the position limits of `spec.risk` bind it.
    pub const fn position_bounds(&self) -> PositionBounds {
        match self {
            Self { custom: Some(_), .. } | Self { process: Some(_), .. } => PositionBounds::Written,
            Self { ladder: Some(_), .. } => PositionBounds::Free,
            Self { .. } => PositionBounds::Bind,
        }
    }

    /// The name of the member that is set, as status shows it; empty where none is.
    pub fn name(&self) -> &str {
        match (&self.grid, &self.ladder, &self.position_control, &self.custom, &self.process) {
            (Some(_), _, _, _, _) => "grid",
            (None, Some(_), _, _, _) => "ladder",
            (None, None, Some(_), _, _) => "positionControl",
            (None, None, None, Some(custom), _) => custom.name.as_str(),
            (None, None, None, None, Some(_)) => "process",
            (None, None, None, None, None) => "",
        }
    }

    /// The parameter to try other values of first; `None` where none stands out.
    pub fn parameter_to_try(&self) -> Option<&'static str> {
        let sized = self.grid.as_ref().filter(|grid| grid.adaptive.is_none());
        sized.map(|_| "gridSizePercent").or_else(|| self.ladder.as_ref().map(|_| "levels"))
    }

    /// What trades exactly one instrument, as a text calls it.
    pub(crate) const fn of_one_instrument(&self) -> Option<&'static str> {
        match (&self.grid, &self.ladder, &self.position_control) {
            (Some(_), _, _) => Some("the grid"),
            (None, Some(_), _) => Some("the ladder"),
            (None, None, Some(_)) => Some("positionControl"),
            (None, None, None) => None,
        }
    }
}
