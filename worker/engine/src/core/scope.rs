//! All of an engine but its strategy, for one step: what may be done while the strategy is asked.

use super::state::State;
use super::turn::Turn;
use super::{Config, Effect, Engine};
use crate::client_order_id::ClientOrderId;
use crate::instrument::InstrumentIndex;
use crate::messages::{AlertKind, OrderStatus};
use crate::orders::{Cause, Order};
use crate::report::Decision;
use crate::risk::{Approved, RiskState};

/// Configuration, state and the step under way.
pub(super) struct Scope<'a> {
    pub config: &'a Config,
    pub state: &'a mut State,
    pub turn: &'a mut Turn,
}

impl Engine {
    pub(super) const fn scope<'a>(&'a mut self, turn: &'a mut Turn) -> Scope<'a> {
        Scope { config: &self.config, state: &mut self.state, turn }
    }

    /// Trades nothing more, for good: what is known no longer tells the truth.
    pub(super) fn halt(&mut self, turn: &mut Turn, kind: AlertKind, why: &str) {
        self.scope(turn).halt(kind, why);
    }
}

impl Scope<'_> {
    /// Trades nothing more, for good: what is known no longer tells the truth.
    pub fn halt(&mut self, kind: AlertKind, why: &str) {
        if self.state.risk != RiskState::Halted {
            self.state.risk = RiskState::Halted;
            self.state.halt = Some(kind);
        }
        if !self.state.halts.contains(&kind) {
            self.state.halts.push(kind);
            self.turn.alarm(self.config, kind, format!("Nothing more is traded: {why}."), 1);
        }
    }

    /// The next order's sequence. Without one left it halts: a used id would be another order's.
    pub fn next_sequence(&mut self) -> Option<u64> {
        let next = self.state.sequence.checked_add(1).filter(|next| *next <= ClientOrderId::SEQUENCE_MAX);
        if next.is_none() {
            let why = format!("order {} is the last one that an id can name", ClientOrderId::SEQUENCE_MAX);
            self.halt(AlertKind::SequenceExhausted, &why);
        }
        next
    }

    /// Takes an open order up, a new one or one of which there was news.
    pub fn put(&mut self, order: Order) {
        if let Err(error) = self.state.orders.put(order) {
            self.halt(AlertKind::LedgerBroken, &format!("what its orders reserve cannot be counted: {error}"));
        }
    }

    /// Cancels an open order once; nothing is sent where that was done before, or where the venue is done with it.
    pub fn cancel(&mut self, sequence: u64, cause: Cause) {
        let (config, now) = (self.config, self.turn.now);
        let Some(order) = self.state.orders.marked(sequence) else { return };
        if order.state.is_final() || order.cancel.is_some() {
            return;
        }
        order.cancel = Some(cause);
        let instrument = config.instruments.at(order.instrument);
        let cancel = Approved::cancel(&config.name, &order.client_order_id, instrument, now);
        self.turn.effects.push(Effect::Command(cancel));
    }

    /// Records a decision not to act and publishes it.
    pub fn decide(&mut self, decision: Decision) {
        self.turn.hold(self.config, &decision);
        self.state.told.clone_from(&decision.reason);
        self.state.decide(decision);
    }

    /// Records how an order ended of which not all has traded, and publishes it.
    pub fn conclude(&mut self, instrument: InstrumentIndex, status: OrderStatus, end: Decision) {
        self.turn.outcome(self.config, instrument, status, &end);
        self.state.told.clone_from(&end.reason);
        self.state.decide(end);
    }
}
