//! Plug-in strategies: the trait, the registry, one folder each. Adding one touches the registry and the
//! manifest's union, nothing else.

pub mod grid;
mod registry;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fees::Fees;
use crate::instrument::{Instrument, InstrumentKind};
use crate::messages::{AlertKind, Fill, Side, Tick};
use crate::numbers::{Price, Quantity, Ratio};
use crate::risk::{OrderRequest, RiskState};
use crate::time::Timestamp;

pub use registry::{Definition, Registry, StrategyError};

/// How large an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderSize {
    /// A share of the strategy's equity.
    EquityShare(Ratio),
    /// A fixed amount of base.
    Fixed(Quantity),
}

/// What a strategy can trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Kinds of instruments.
    pub kinds: &'static [InstrumentKind],
    /// The most instruments at once.
    pub instruments_max: usize,
}

/// What a strategy may look at when a tick arrives.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Event time.
    pub now: Timestamp,
    /// The market.
    pub instrument: &'a Instrument,
    /// Which sides are allowed; a blocked side is not tracked. Advice: risk holds it on every order.
    pub risk: RiskState,
    /// Whether an order of this strategy is not closed yet.
    pub order_open: bool,
}

/// What a strategy wants on a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Nothing, for this stable reason; [`Strategy::explain`] gives the words when they are needed.
    Hold(&'static str),
    /// An order.
    Trade(Signal),
}

/// An order that a strategy proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// What is asked for.
    pub request: OrderRequest,
    /// Why, as a stable word.
    pub reason: &'static str,
    /// Why, in words.
    pub message: String,
}

/// An order that is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedOrder {
    /// Buy or Sell.
    pub side: Side,
    /// What became of it.
    pub outcome: Outcome,
    /// Event time.
    pub time: Timestamp,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It traded, wholly or in part.
    Traded {
        /// How much.
        quantity: Quantity,
        /// At which average, half-even at 8 digits, or at 18 where 8 show none.
        average: Price,
    },
    /// Nothing of it traded.
    Nothing {
        /// Why, as a stable word.
        why: String,
    },
}

/// Something about the parameters that a human should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What.
    pub kind: AlertKind,
    /// In words, with the remedy.
    pub message: String,
    /// The figure.
    pub current_value: String,
    /// What it is held against.
    pub threshold: String,
}

/// Figures by name, as text; what a strategy shows of itself.
pub type Figures = BTreeMap<String, String>;

/// A trading strategy: it proposes, the engine sizes and risk decides.
///
/// It may hold any state that [`Strategy::snapshot`] saves and its [`Definition::start`] restores. It may
/// not read a clock, use chance or do input and output: the same events must give the same signals.
pub trait Strategy: Send + std::fmt::Debug {
    /// A tick has arrived.
    fn on_tick(&mut self, tick: &Tick, view: &View<'_>) -> Intent;

    /// A trade of one of its orders was booked.
    fn on_fill(&mut self, _fill: &Fill) {}

    /// One of its orders is closed, filled or not. Called once for each order, and once more where an order of
    /// which nothing had traded turns out to have traded after all.
    fn on_closed(&mut self, order: &ClosedOrder);

    /// Ticks are missing: forget what depends on having seen each one.
    fn on_gap(&mut self);

    /// The words for a reason that [`Intent::Hold`] gave last.
    fn explain(&self, reason: &str) -> String;

    /// What is odd about the parameters: a function of them, the fees and the price alone. Judged at the first tick
    /// under them.
    fn warnings(&self, first: &Tick, fees: &Fees) -> Vec<Warning>;

    /// All state, to be restored by the definition's `start`.
    fn snapshot(&self) -> Result<serde_json::Value, serde_json::Error>;

    /// What the resource's status shows.
    fn figures(&self) -> Figures;

    /// What a backtest's result shows: state, without what follows from parameters.
    fn outcome(&self) -> Figures;
}

/// Where a human wants the strategy to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub enum DesiredState {
    /// Trades.
    #[default]
    Running,
    /// Tracks; sends no new order; opening orders are cancelled.
    Paused,
    /// All orders are cancelled; no pod.
    Stopped,
}
