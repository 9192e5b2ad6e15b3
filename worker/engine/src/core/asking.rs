//! A strategy that is a process: what it is asked, and what its answer does. Whoever drives the engine carries the one to the
//! process and the other back; nothing else is stepped between.
//!
//! Ticks that only move prices are told many at once. They are taken to see what they would tell, and the engine goes back:
//! they are taken once more when the process has read so far. So how many are told at once changes nothing.

use std::collections::BTreeMap;

use super::context::{Context, Ended};
use super::scope::Scope;
use super::state::State;
use super::turn::Turn;
use super::valuation::Valuation;
use super::view;
use super::{Effect, Engine};
use crate::messages::{AlertKind, Tick};
use crate::numbers::{Notional, NumberError};
use crate::orders::{Cause, Order};
use crate::report::Decision;
use crate::risk::RiskState;
use crate::running_hash::RunningHash;
use crate::strategies::Strategy;
use crate::strategies::process::messages::{Answer, Event, Events, Held, OpenOrder, STATE_MAX};
use crate::strategies::process::{BadAction, Memory, check};

/// Events at most of one batch: of the longest there are, news of orders with marks of letters that are written as escapes, so
/// many take less than three quarters of a line. The rest is for what is held and open.
const EVENTS_MAX: usize = 1_000;

/// Why a process cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// What is held cannot be told exactly.
    #[error("what the strategy holds cannot be told to its process: {0}")]
    Number(#[from] NumberError),
    /// It cannot be written.
    #[error("what its process is asked cannot be written: {0}")]
    Text(#[from] serde_json::Error),
}

/// What a look at coming ticks must not change.
struct Before {
    state: State,
    memory: Memory,
    /// It knows which falls are in the state.
    valuation: Valuation,
    judges: bool,
    owes_transfers: bool,
}

impl Engine {
    /// Whether the strategy is a process.
    pub fn is_process(&mut self) -> bool {
        self.strategy.process().is_some()
    }

    /// Whether the strategy is a process that must be asked before anything else is stepped.
    pub fn asks(&mut self) -> bool {
        self.strategy.process().is_some_and(|process| process.is_waiting())
    }

    /// What a process answered last, as JSON text; `None` where it keeps nothing, or is none.
    pub fn process_state(&mut self) -> Option<String> {
        self.strategy.process().and_then(|process| process.state().map(str::to_owned))
    }

    /// How and why the strategy has failed, as a process or by a panic; `None` where it has not. One that has is told nothing
    /// more.
    pub fn strategy_failure(&self) -> Option<(AlertKind, &str)> {
        self.strategy.failure()
    }

    /// What the process is asked, as batch `number`; `None` where there is nothing to ask. `coming` are ticks that follow and
    /// on which nothing arrives and nothing trades: those of them that tell nothing but themselves are asked with it.
    pub fn ask_process<'t>(
        &mut self,
        number: u64,
        coming: impl Iterator<Item = &'t Tick>,
    ) -> Result<Option<Events>, AskError> {
        if !self.asks() {
            return Ok(None);
        }
        let mut asked = self.standing_told(number)?;
        let Some(process) = self.strategy.process() else { return Ok(None) };
        asked.events = process.waiting(EVENTS_MAX).to_vec();
        let queued = asked.events.len();
        if queued == process.count() && self.round == 0 {
            let most = EVENTS_MAX.saturating_sub(queued);
            asked.events.extend(self.look_ahead(coming.take(most)));
        }
        if let Some(process) = self.strategy.process() {
            process.is_asked(queued, asked.events.len());
        }
        Ok(Some(asked))
    }

    /// What the process wants after it has read `answer.consumed` events of what was asked last. What it wants as of a tick
    /// that is not taken yet is done with that tick: it is one of the ticks that come next, and nothing may come between.
    /// On an error nothing has changed but that it may be asked again.
    pub fn process_answered(&mut self, answer: Answer) -> Result<Vec<Effect>, BadAction> {
        let state = answer.state.map(|state| state.get().to_owned());
        if let Some(bytes) = state.as_ref().map(String::len).filter(|bytes| *bytes > STATE_MAX) {
            return Err(BadAction::State { bytes });
        }
        let wanted = check(answer.actions, &self.config.instruments, self.state.sequence)?;
        let Some(process) = self.strategy.process() else { return Err(BadAction::NotAsked) };
        if !process.consume(answer.consumed, &wanted)? {
            process.owes(wanted, state);
            return Ok(Vec::new());
        }
        let Some(seen) = self.state.markets.last().cloned() else { return Err(BadAction::NotAsked) };
        let mut turn = Turn::new(seen.event_time());
        let scope = Scope { config: &self.config, state: &mut self.state, turn: &mut turn };
        let mut context = Context::new(scope, &seen, self.round);
        process.carry_out(wanted, state, &mut context);
        if let Ended::Held(reason) = context.end() {
            self.hold(&mut turn, reason);
        }
        Ok(turn.effects)
    }

    /// The process has failed: it is told nothing more, nothing more is traded, and all of its orders are cancelled. So it
    /// stays until another program, or another one under other parameters, is asked.
    #[must_use]
    pub fn process_failed(&mut self, kind: AlertKind, why: &str) -> Vec<Effect> {
        let now = self.state.markets.last().map_or(self.state.as_of, Tick::event_time);
        let mut turn = Turn::new(now);
        if let Some(process) = self.strategy.process() {
            process.fail(kind, why);
        }
        self.stop_trading(&mut turn, kind, why);
        turn.effects
    }

    /// A strategy that panicked in what was stepped is called no more, nothing more is traded, and all of its orders are
    /// cancelled. So it stays until it is started under other parameters.
    pub(super) fn stop_where_failed(&mut self, turn: &mut Turn) {
        let halts = &self.state.halts;
        let failure = self.strategy.failure().filter(|(kind, _)| !halts.contains(kind));
        if let Some((kind, why)) = failure.map(|(kind, why)| (kind, why.to_owned())) {
            self.stop_trading(turn, kind, &why);
        }
    }

    fn stop_trading(&mut self, turn: &mut Turn, kind: AlertKind, why: &str) {
        self.halt(turn, kind, why);
        let decision = Decision::new(kind.as_str(), format!("Nothing more is traded: {why}."));
        self.scope(turn).decide(decision);
        let cause = self.state.markets.last().map_or(Cause { sequence: 0, time: turn.now }, Cause::of);
        let own: Vec<_> = self.state.orders.iter().filter(|order| !order.flattens).map(Order::sequence).collect();
        for sequence in own {
            self.scope(turn).cancel(sequence, cause);
        }
        turn.effects.push(Effect::StateChanged);
    }

    /// The events of ticks that tell nothing but themselves and lead to nothing, up to the first that does not. The engine
    /// stays as it is.
    fn look_ahead<'t>(&mut self, coming: impl Iterator<Item = &'t Tick>) -> Vec<Event> {
        let mut coming = coming.peekable();
        if coming.peek().is_none() {
            return Vec::new();
        }
        let Some(memory) = self.strategy.process().map(|process| process.remembered()) else { return Vec::new() };
        let (judges, owes_transfers) = (self.judges, self.owes_transfers);
        let (state, valuation) = (self.state.clone(), self.valuation.clone());
        let before = Before { state, memory, valuation, judges, owes_transfers };
        let mut quiet = 0_usize;
        for tick in coming {
            let known = self.process_events();
            let leads_on = !tick.last && self.tick(tick.event_time(), tick).is_empty();
            if !leads_on || self.process_events() != known.saturating_add(1) || self.state.risk != before.state.risk {
                break;
            }
            quiet = quiet.saturating_add(1);
        }
        let Before { state, memory, valuation, judges, owes_transfers } = before;
        (self.state, self.valuation) = (state, valuation);
        (self.judges, self.owes_transfers) = (judges, owes_transfers);
        let mut events = self.strategy.process().map(|process| process.go_back(memory)).unwrap_or_default();
        events.truncate(quiet);
        events
    }

    fn process_events(&mut self) -> usize {
        self.strategy.process().map_or(0, |process| process.count())
    }

    /// All but the events.
    fn standing_told(&mut self, number: u64) -> Result<Events, AskError> {
        let mut position = BTreeMap::new();
        for (index, instrument) in self.config.instruments.iter() {
            let reserved = self.state.orders.reserved(index);
            let free = self.state.ledger.held(index.get()).minus(reserved)?;
            let coins = Held { free: free.base.into(), reserved: reserved.base.into() };
            position.insert(instrument.symbol.base().to_string(), coins);
            let cash = Held { free: free.quote, reserved: reserved.quote };
            position.insert(instrument.symbol.quote().to_string(), cash);
        }
        let (orders, risk) = (self.orders_told(), view::risk_told(&self.state));
        let now = self.state.equity()?;
        let told = Events { batch: 0, position, equity: Notional::ZERO, orders, risk, events: Vec::new() };
        let standing = RunningHash::of(&serde_json::to_string(&told)?);
        let process = self.strategy.process();
        let equity = process.map_or(now, |process| process.equity_of(standing, now));
        Ok(Events { batch: number, equity, ..told })
    }

    fn orders_told(&mut self) -> Vec<OpenOrder> {
        let Some(process) = self.strategy.process() else { return Vec::new() };
        let orders = self.state.orders.iter().filter(|order| !order.flattens && !order.state.is_final());
        let told = orders.filter_map(|order| {
            Some(OpenOrder {
                id: order.sequence(),
                tag: process.tag_of(order.sequence()),
                symbol: self.config.instruments.at(order.instrument).symbol.to_string(),
                side: order.side,
                price: order.price?,
                quantity: order.quantity,
                filled: order.filled,
            })
        });
        told.collect()
    }
}

impl State {
    /// Another program is asked than the one that failed, or other parameters hold: it trades again, where nothing else has
    /// halted it.
    pub(super) fn release_failed(&mut self, strategy: &mut dyn Strategy) {
        let Some(kind) = strategy.take_released() else { return };
        self.halts.retain(|halt| *halt != kind);
        self.halt = self.halts.first().copied();
        if self.halt.is_none() {
            self.risk = RiskState::AllowAll;
        }
        self.holding = None;
    }
}
