//! Plug-in strategies: the trait, the registry, one folder each. Adding one touches the registry and the
//! manifest's union, nothing else.

mod caught;
mod figures;
pub mod grid;
pub mod ladder;
mod needs;
pub mod position_control;
pub mod process;
mod registry;

use serde::{Deserialize, Serialize};

use crate::fees::Fees;
use crate::instrument::{Asset, InstrumentIndex, Instruments};
use crate::market::Bar;
use crate::messages::{AlertKind, Fill, Liquidity, Side, Tick, TimeInForce};
use crate::numbers::{Notional, Price, Quantity, Ratio};
use crate::orders::OrderState;
use crate::time::Timestamp;

pub use crate::core::Context;
pub(crate) use caught::Caught;
pub use figures::{Figure, Figures, Standing};
pub use needs::{BarsOf, Needs, NeedsError};
use process::Process;
pub use registry::{Definition, Registry, StrategyError, parameters, remembered};

/// How large an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderSize {
    /// A share of the strategy's equity.
    EquityShare(Ratio),
    /// A fixed amount of base.
    Fixed(Quantity),
    /// An amount of base that follows from the market, and the parameter that makes it smaller or larger.
    Chosen(Quantity, &'static str),
}

/// How an order names its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// At the best price there is now, and not beyond it: what cannot be had at once is dropped.
    Marketable {
        /// How far that price may lie from the tick's.
        max_slippage: Ratio,
    },
    /// At a price or better.
    Limit {
        /// The worst price.
        price: Price,
        /// How long it stands.
        time_in_force: TimeInForce,
        /// Whether it may only wait in the book.
        post_only: bool,
    },
}

/// What an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To trade as the strategy likes; bounded by its position limits.
    Open,
    /// To make the position smaller, never past flat; position limits do not bind it.
    Reduce,
}

/// An order that a strategy proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The market, by its place among those of the strategy.
    pub instrument: InstrumentIndex,
    /// Buy or Sell.
    pub side: Side,
    /// How large.
    pub size: OrderSize,
    /// At which price.
    pub kind: OrderKind,
    /// What for.
    pub purpose: Purpose,
    /// The strategy's own mark of it, such as a level; 0 where it needs none.
    pub tag: u32,
    /// Why, as a stable word.
    pub reason: &'static str,
    /// Why, in words.
    pub message: String,
}

/// News of one of the strategy's orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEvent {
    /// The order's sequence, as [`Context::place`] gave it.
    pub order: u64,
    /// The market, by its place among those of the strategy.
    #[serde(default, skip_serializing_if = "InstrumentIndex::is_first")]
    pub instrument: InstrumentIndex,
    /// The strategy's own mark of it.
    pub tag: u32,
    /// Buy or Sell.
    pub side: Side,
    /// Event time.
    pub time: Timestamp,
    /// Of an order's end: how it failed, where it was neither filled nor cancelled.
    #[serde(skip)]
    pub failed: Option<OrderState>,
    /// What has happened.
    pub news: OrderNews,
}

/// What happened to an order. One that is not even sent makes no news: [`Context::place`] has said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderNews {
    /// The venue has it.
    Accepted,
    /// A trade of it was booked.
    Filled(Execution),
    /// It is closed, filled or not. Told once for each order, and once more where an order of which nothing had traded
    /// turns out to have traded after all.
    Closed(Outcome),
}

/// One trade of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// In base.
    pub quantity: Quantity,
    /// At which price.
    pub price: Price,
    /// The fee in `fee_asset`.
    pub fee: Notional,
    /// The asset the fee was taken from.
    pub fee_asset: Asset,
    /// Maker or Taker.
    pub liquidity: Liquidity,
}

impl Execution {
    /// That of a fill.
    pub fn of(fill: &Fill) -> Self {
        Self {
            quantity: fill.quantity,
            price: fill.price,
            fee: fill.fee,
            fee_asset: fill.fee_asset.clone(),
            liquidity: fill.liquidity,
        }
    }
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// A trading strategy: it proposes, the engine sizes and risk decides.
///
/// Each callback may place, cancel and replace orders, at most [`Context::ACTIONS_MAX`]. It may hold any state that
/// [`Strategy::snapshot`] saves and its [`Definition::start`] restores. It may not read a clock, use chance or do input and
/// output: the same events must give the same signals.
pub trait Strategy: Send + std::fmt::Debug {
    /// What it needs beside ticks. It follows from the parameters, so it stays as it is.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The same for these markets, where it names them by their symbols.
    fn needs_of(&self, _instruments: &Instruments) -> Result<Needs, NeedsError> {
        Ok(self.needs())
    }

    /// A bar that it needs has closed, by the tick that it gets next: it is the last of [`Context::bars`]. What the venue
    /// made of orders on that tick has been told.
    fn on_bar(&mut self, _bar: &Bar, _of: BarsOf, _context: &mut Context<'_>) {}

    /// Bars that it needs are missing again: it is called no more before they are there, so what followed from them goes.
    fn on_warming_up(&mut self) {}

    /// A tick has arrived, of the market [`Context::index`]; all news of orders before it has been told. Not called before
    /// each market had one.
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>);

    /// There is news of one of its orders.
    fn on_order(&mut self, _event: &OrderEvent, _context: &mut Context<'_>) {}

    /// On a simulated venue: all news of orders that arrived on the last tick in one go has been told.
    fn on_round(&mut self, _context: &mut Context<'_>) {}

    /// Ticks of a market are missing: forget what depends on having seen each one.
    fn on_gap(&mut self, instrument: InstrumentIndex);

    /// The words for a reason that [`Context::hold`] gave last.
    fn explain(&self, _reason: &str) -> String {
        String::new()
    }

    /// What is odd about the parameters: a function of them, the fees and the price alone. Judged at the first tick
    /// under them: the last one of the first market.
    fn warnings(&self, _first: &Tick, _fees: &Fees) -> Vec<Warning> {
        Vec::new()
    }

    /// What it has found on its way that a human should know, each kind once.
    fn found(&self) -> Vec<Warning> {
        Vec::new()
    }

    /// Which of that holds now.
    fn alerts(&self) -> Vec<AlertKind> {
        self.found().into_iter().map(|warning| warning.kind).collect()
    }

    /// Its parameters in a few words, for people; empty where there is nothing to say.
    fn described(&self, _instruments: &Instruments) -> String {
        String::new()
    }

    /// Where it starts and what it does first, for people, if the first market's first price is `first`.
    fn start_line(&self, _first: Price, _instruments: &Instruments) -> Option<String> {
        None
    }

    /// What it would do next, for people, with the first market at `price`.
    fn outlook(&self, _price: Price, _instruments: &Instruments) -> Option<String> {
        None
    }

    /// How far from the tick's price all of its coins may be sold, where a limit or an exit asks for that; half a percent where
    /// it says nothing.
    fn max_slippage(&self) -> Option<Ratio> {
        None
    }

    /// Itself, where it is a process, which whoever drives the engine asks.
    #[doc(hidden)]
    fn process(&mut self) -> Option<&mut Process> {
        None
    }

    /// Why it is told nothing more, where it has failed: as a process, or by a panic.
    #[doc(hidden)]
    fn failure(&self) -> Option<(AlertKind, &str)> {
        None
    }

    /// For what it failed before, where it is asked again now; once.
    #[doc(hidden)]
    fn take_released(&mut self) -> Option<AlertKind> {
        None
    }

    /// All state, to be restored by the definition's `start`.
    fn snapshot(&self) -> Result<serde_json::Value, serde_json::Error>;

    /// What the resource's status shows; [`Strategy::outcome`] where that says it all.
    fn figures(&self) -> Figures {
        self.outcome()
    }

    /// What a backtest's result shows: state, without what follows from parameters.
    fn outcome(&self) -> Figures {
        Figures::new()
    }

    /// The same as [`Strategy::figures`] where what the books say is known.
    fn figures_at(&self, _standing: &Standing) -> Figures {
        self.figures()
    }

    /// The same as [`Strategy::outcome`] where what the books say is known.
    fn outcome_at(&self, _standing: &Standing) -> Figures {
        self.outcome()
    }
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
