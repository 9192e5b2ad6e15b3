//! The engine: one strategy, its books, its orders, its limits. An event in, effects out.
//!
//! It may not read a clock, use chance, or do input and output; it never fails, it refuses with a reason.

mod asking;
mod bars;
mod context;
mod denials;
mod flatten;
mod markets;
mod news;
mod orders;
mod scope;
mod sequence;
mod state;
mod stops;
mod sub_account;
#[cfg(test)]
mod tests;
mod ticks;
mod transfers;
mod turn;
mod valuation;
mod view;

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::to_raw_value;

use crate::client_order_id::{ClientOrderId, LedgerId};
use crate::fees::Fees;
use crate::instrument::{Asset, Instrument, InstrumentIndex, Instruments, Symbol};
use crate::ledger::LedgerError;
use crate::market::{Bar, History, LookBack};
use crate::messages::{OrderCommand, OrderUpdate, PositionUpdate, RiskAlert, StateSnapshot, StrategySignal, Tick};
use crate::numbers::{Notional, Price};
use crate::orders::{Funds, Order, Terms};
use crate::report::{OrderCounts, Report};
use crate::risk::{Approved, ExitParameters, PositionLimits, RiskParameters};
use crate::running_hash::RunningHash;
use crate::strategies::{BarsOf, Caught, Definition, DesiredState, Strategy, StrategyError, Warning};
use crate::time::Timestamp;
use crate::transfers::WantedTransfers;

pub use asking::AskError;
pub use bars::SavedBarsError;
use bars::{Bars, ClosedBars};
pub use context::Context;
pub(crate) use news::NEVER_ARRIVED;
pub use orders::MissingFill;
pub use state::{Changes, RestoreError, SavedBooks, SnapshotError};
use state::{Saved, State, Stored, Whole};
use turn::Turn;
use valuation::Valuation;
pub use view::Performance;

/// What an engine is made from.
#[derive(Debug, Clone)]
pub struct Config {
    /// The strategy's name.
    pub name: String,
    /// Its ledger's id.
    pub ledger: LedgerId,
    /// What it trades.
    pub instruments: Instruments,
    /// The opening amount of each asset; of what is not named none.
    pub capital: BTreeMap<Asset, Notional>,
    /// The account's fees.
    pub fees: Fees,
    /// The strategy's limits.
    pub risk: RiskParameters,
    /// The rules that end it; none where it never ends by itself.
    pub exit: Option<ExitParameters>,
    /// Money to be put in or taken out.
    pub transfers: WantedTransfers,
    /// Where a human wants it to be.
    pub desired: DesiredState,
    /// The strategy's parameters, as JSON.
    pub parameters: Value,
}

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its strategy cannot be started.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// Its books cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What happens to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "an event is made, stepped and dropped; none is stored")]
pub enum Event {
    /// The market moved.
    Tick(Tick),
    /// Bars that had closed before the first tick. Left out where ticks have closed some already.
    History {
        /// Of which market and interval.
        of: BarsOf,
        /// The bars.
        history: History,
    },
    /// News of an order.
    OrderUpdate(OrderUpdate),
    /// A human wants it elsewhere.
    Control(DesiredState),
    /// A human wants these transfers: those that were not decided are, at once or, before the first tick of each market,
    /// with that.
    Transfers(WantedTransfers),
    /// The store went back in time: order sequences up to this one are used.
    Recovered {
        /// The highest used sequence.
        highest_sequence: u64,
    },
}

/// What an engine wants done. All of it goes out in one commit, or nothing does.
///
/// [`Effect::Poison`] is the exception: it comes alone, and then nothing of the engine has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// For `strategy.signal`.
    Signal(StrategySignal),
    /// For `order.command`.
    Command(Approved<OrderCommand>),
    /// For `position.update`.
    Position(PositionUpdate),
    /// For `risk.alert`.
    Alert(RiskAlert),
    /// An order was closed: outsiders are told the state as it is when this goes out, see [`Engine::state_snapshot`].
    StateChanged,
    /// The event was not taken: it tells of a trade that cannot be booked, for the reason given here. Whoever
    /// gave it must not pass it, and must trade nothing more, before a human has looked.
    Poison(String),
}

/// One strategy at work.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    kind: &'static str,
    limits: PositionLimits,
    /// Whether a limit or an exit is judged on each tick, or something is done for one.
    judges: bool,
    /// Whether a transfer may be wanted that is not decided.
    owes_transfers: bool,
    strategy: Box<dyn Strategy>,
    /// What is odd about the parameters. Not saved: an edit makes a new engine, which judges anew.
    warnings: Vec<Warning>,
    /// Whether they were judged at a tick of this engine.
    judged: bool,
    state: State,
    /// The round of the last tick taken, as [`Engine::begin_round`] said.
    round: u32,
    /// What of the state its record holds as it is.
    stored: Stored,
    /// What all is worth, and between which worths ticks change nothing.
    valuation: Valuation,
}

impl Engine {
    /// A strategy that has seen nothing yet.
    pub fn new(config: Config, definition: &Definition) -> Result<Self, StartError> {
        definition.admits(&config.instruments)?;
        let strategy = Caught::start(definition, &config.parameters, None)?;
        let mut state = State::new(&config)?;
        state.bars = Bars::needed_by(&*strategy, definition, &config.instruments)?;
        Ok(Self::with(config, definition, strategy, state))
    }

    /// A strategy as it was when the document `saved` was taken, under the parameters of `config`.
    pub fn restore(config: Config, definition: &Definition, saved: &Value) -> Result<Self, RestoreError> {
        Self::take_up(config, definition, Saved::read(saved)?)
    }

    /// A strategy as it was when these fields of its record were committed, under the parameters of `config`. Fields of
    /// other names than those of [`Engine::changes`] are left out.
    pub fn restore_fields<'a>(
        config: Config,
        definition: &Definition,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, RestoreError> {
        Self::take_up(config, definition, Saved::read_fields(fields)?)
    }

    fn take_up(config: Config, definition: &Definition, saved: Saved) -> Result<Self, RestoreError> {
        definition.admits(&config.instruments)?;
        let Saved { mut state, bars, strategy } = saved;
        let config = state.in_its_order(config)?;
        state.orders.follow(Terms::of(&config.fees)).map_err(RestoreError::Reserved)?;
        let mut strategy = Caught::start(definition, &config.parameters, Some(&strategy))?;
        state.release_failed(&mut *strategy);
        let needed = Bars::needed_by(&*strategy, definition, &config.instruments)?;
        state.bars = needed.take_up(bars, |index| state.markets.tick_of(index).is_some())?;
        let mut engine = Self::with(config, definition, strategy, state);
        engine.follow_bounds();
        if let (Some(first), None) =
            (engine.state.markets.tick_of(InstrumentIndex::FIRST), engine.state.markets.without_tick())
        {
            // So that it shows what holds now, also where no tick will come any more. Told with the next tick.
            let first = Tick { price: engine.judged_at(first.price), ..first.clone() };
            engine.warnings = engine.strategy.warnings(&first, &engine.config.fees);
        }
        Ok(engine)
    }

    fn with(config: Config, definition: &Definition, strategy: Box<dyn Strategy>, state: State) -> Self {
        let kind = definition.name;
        let limits = config.risk.position_limits(definition.position_bounds);
        let exit = config.exit.clone().filter(|exit| !exit.is_never());
        let judges = config.risk.is_judged() || exit.is_some() || state.stops.moves();
        Self {
            config: Config { exit, ..config },
            kind,
            limits,
            judges,
            owes_transfers: true,
            strategy,
            warnings: Vec::new(),
            judged: false,
            state,
            round: 0,
            stored: Stored::default(),
            valuation: Valuation::default(),
        }
    }

    /// At which price the parameters are judged: that of the first tick under them, which is `now` where they are new. The
    /// release before judged them at the first tick of the ledger.
    fn judged_at(&self, now: Price) -> Price {
        match &self.state.judged {
            Some(judged) if judged.parameters == self.parameters_hash() => judged.price,
            Some(_) => now,
            None => self.state.ledger.opening().map_or(now, |opening| opening.price),
        }
    }

    fn parameters_hash(&self) -> String {
        RunningHash::of(&self.config.parameters.to_string())
    }

    /// All state as one document, for [`Engine::restore`].
    pub fn snapshot(&self) -> Result<Value, SnapshotError> {
        Ok(serde_json::to_value(self.whole(true)?)?)
    }

    /// All state but for the closed orders that it remembers, which are most of the bytes and only judge later news.
    pub fn state_snapshot(&self) -> Result<StateSnapshot, SnapshotError> {
        Ok(StateSnapshot {
            strategy: self.config.name.clone(),
            ledger: self.config.ledger.clone(),
            version: state::VERSION,
            state: to_raw_value(&self.whole(false)?)?,
            time: self.state.as_of,
        })
    }

    /// All state as JSON text: that of [`Self::snapshot`].
    pub fn saved(&self) -> Result<String, SnapshotError> {
        Ok(serde_json::to_string(&self.whole(true)?)?)
    }

    fn whole(&self, with_closed: bool) -> Result<Whole<'_>, SnapshotError> {
        let State { orders, closed, bars, .. } = &self.state;
        let strategy = self.strategy.snapshot()?;
        let closed_bars = (with_closed && !bars.is_empty()).then_some(ClosedBars(bars));
        Ok(Whole { state: &self.state, orders, closed: with_closed.then_some(closed), closed_bars, strategy })
    }

    /// The fields of its record that have changed since the last commit of which [`Engine::committed`] told; all of them
    /// after a start.
    pub fn changes(&mut self) -> Result<Changes, SnapshotError> {
        self.stored.changes(&self.state, &self.strategy.snapshot()?)
    }

    /// The record holds what [`Engine::changes`] gave last.
    pub fn committed(&mut self) {
        self.stored.committed(&mut self.state);
    }

    /// Takes one event at `now`, which on a replay is the tick's own time. An effect that is dropped is an order,
    /// or an alert, that never was.
    #[must_use]
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
        let mut turn = Turn::new(now);
        match event {
            Event::Tick(tick) => self.on_tick(&mut turn, &tick),
            Event::History { of, history } => self.on_history(&mut turn, of, history),
            Event::OrderUpdate(update) => self.on_order_update(&mut turn, &update),
            Event::Control(desired) => self.on_control(&mut turn, desired),
            Event::Transfers(wanted) => self.on_transfers(&mut turn, wanted),
            Event::Recovered { highest_sequence } => self.on_recovered(&mut turn, highest_sequence),
        }
        self.stop_where_failed(&mut turn);
        turn.effects
    }

    /// Takes a tick as [`Engine::step`] takes it as an event. Where it leads to nothing, nothing is allocated.
    #[must_use]
    pub fn tick(&mut self, now: Timestamp, tick: &Tick) -> Vec<Effect> {
        let mut turn = Turn::new(now);
        self.on_tick(&mut turn, tick);
        self.stop_where_failed(&mut turn);
        turn.effects
    }

    /// What it trades, in the order of the manifest.
    pub const fn instruments(&self) -> &Instruments {
        &self.config.instruments
    }

    /// The first instrument that it trades.
    pub const fn instrument(&self) -> &Instrument {
        self.config.instruments.first()
    }

    /// The number at its source of the last tick taken; `None` before the first.
    pub fn last_sequence(&self) -> Option<u64> {
        self.last_tick().map(|tick| tick.source_sequence)
    }

    /// The last tick taken, of whichever market; `None` before the first.
    pub fn last_tick(&self) -> Option<&Tick> {
        self.state.markets.last()
    }

    /// The last tick taken of this market; `None` before its first.
    pub fn last_tick_of(&self, symbol: &Symbol) -> Option<&Tick> {
        self.state.markets.tick_of(self.config.instruments.index_of(symbol)?)
    }

    /// The last price of each market, in the order of its ledger; `None` of one without a tick yet.
    pub fn prices(&self) -> impl Iterator<Item = (&Symbol, Option<Price>)> {
        let symbols = self.config.instruments.iter().map(|(_, instrument)| &instrument.symbol);
        symbols.zip(self.state.markets.prices())
    }

    /// How many ticks were taken.
    pub const fn ticks(&self) -> u64 {
        self.state.ticks
    }

    /// The highest order sequence that was used; 0 before the first order.
    pub const fn highest_order(&self) -> u64 {
        self.state.sequence
    }

    /// How many trades were booked.
    pub const fn trades(&self) -> u64 {
        self.state.trades
    }

    /// The SHA-256 over the [`Trade::line`](crate::report::Trade::line) of each of them, in hex; `None` where the
    /// release before, which kept none, booked some.
    pub fn trades_hash(&self) -> Option<String> {
        self.state.trades_hash.as_ref().map(RunningHash::hex)
    }

    /// Orders that are closed, by how they ended. Of those that are not, see [`Engine::report`].
    pub const fn ended_orders(&self) -> &OrderCounts {
        &self.state.counts
    }

    /// What is odd about the parameters, as judged at the first tick under them, and what the strategy has found since.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = self.warnings.clone();
        warnings.extend(self.strategy.found());
        warnings
    }

    /// The orders that are not closed, also those of which a trade is missing, by sequence.
    pub fn open_orders(&self) -> impl ExactSizeIterator<Item = &Order> {
        self.state.orders.iter()
    }

    /// The order of this id; `None` where it is closed, or not of this ledger.
    pub fn open_order(&self, id: &ClientOrderId) -> Option<&Order> {
        self.state.orders.of(id)
    }

    /// What is held, reserved or not: of a market's coins, and of the cash.
    pub fn held_of(&self, index: InstrumentIndex) -> Funds {
        self.state.ledger.held(index.get())
    }

    /// What open orders may take, fees included: of the first market's coins, and of the cash.
    pub fn reserved(&self) -> Funds {
        self.reserved_of(InstrumentIndex::FIRST)
    }

    /// The same, with the coins of any market.
    pub fn reserved_of(&self, index: InstrumentIndex) -> Funds {
        self.state.orders.reserved(index)
    }

    /// How often a strategy cancelled an order that was closed already.
    pub const fn late_cancels(&self) -> u64 {
        self.state.late_cancels
    }

    /// On a simulated venue: that the news which is stepped next is of this round of the last tick taken. What makes news
    /// on the tick on which it is sent is the next round; past the last, creations and replacements are denied.
    pub const fn begin_round(&mut self, round: u32) {
        self.round = round;
    }

    /// Why nothing is traded while bars are missing that the strategy looks back on, with how many; `None` where none are,
    /// or it trades all the same.
    pub fn warming_up(&self) -> Option<String> {
        self.state.bars.is_warming_up().then(|| self.bars_missing())
    }

    /// The bars that the strategy needs, and on how many of each it looks back.
    pub fn needed_bars(&self) -> impl Iterator<Item = (BarsOf, LookBack)> {
        self.state.bars.needed()
    }

    /// The closed bars of one series, the oldest first.
    pub fn bars(&self, of: BarsOf) -> &[Bar] {
        self.state.bars.closed(of)
    }

    /// Where a human wants it to be.
    pub const fn desired(&self) -> DesiredState {
        self.state.desired
    }

    /// Whether the last tick of a replay was taken, of each market.
    pub fn data_ended(&self) -> bool {
        self.state.markets.are_over()
    }

    /// How many ticks of markets that are not its own were left out.
    pub const fn foreign_ticks(&self) -> u64 {
        self.state.foreign_ticks
    }

    /// What the resource's status shows.
    pub fn report(&self) -> Report {
        view::report(self)
    }

    /// Figures of the whole run; `None` before the first tick.
    pub fn performance(&self) -> Option<Performance> {
        view::performance(self)
    }
}
