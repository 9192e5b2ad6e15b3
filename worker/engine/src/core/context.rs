//! What a strategy sees and may do when it is called. Each action is judged at once and in turn: it sees what those
//! before it changed. What is sent leaves with the step's other effects.

use super::Effect;
use super::scope::Scope;
use crate::instrument::Instrument;
use crate::messages::{CommandKind, OrderCommand, OrderStatus, Side, SignalSide, Tick};
use crate::numbers::{Notional, NumberError, Price, Quantity};
use crate::orders::{Cause, Order};
use crate::report::Decision;
use crate::risk::{Approved, Denial, OrderCheck, Refusal, RiskState};
use crate::strategy::{Intent, OrderKind};
use crate::time::Timestamp;

/// A callback of a strategy.
pub struct Context<'a> {
    scope: Scope<'a>,
    tick: &'a Tick,
    /// How often what was sent on this tick has already made news on it.
    round: u32,
    actions: u32,
    held: Option<&'static str>,
    acted: bool,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("tick", &self.tick.sequence)
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}

/// How a callback ended where no order was proposed.
pub(super) enum Ended {
    /// A reason was given why nothing is done.
    Held(&'static str),
    /// Something was done, or was denied and is told.
    Acted,
    /// Nothing was said.
    Silent,
}

impl<'a> Context<'a> {
    /// How many actions a callback has.
    pub const ACTIONS_MAX: u32 = 256;
    /// How many rounds a tick has.
    pub const ROUNDS_MAX: u32 = 16;

    pub(super) const fn new(scope: Scope<'a>, tick: &'a Tick, round: u32) -> Self {
        Self { scope, tick, round, actions: 0, held: None, acted: false }
    }

    pub(super) const fn end(self) -> Ended {
        match (self.held, self.acted) {
            (Some(reason), _) => Ended::Held(reason),
            (None, true) => Ended::Acted,
            (None, false) => Ended::Silent,
        }
    }

    /// Event time.
    pub const fn now(&self) -> Timestamp {
        self.scope.turn.now
    }

    /// The market.
    pub const fn instrument(&self) -> &Instrument {
        &self.scope.config.instrument
    }

    /// The last tick; in `on_tick` the one that has arrived.
    pub const fn tick(&self) -> &Tick {
        self.tick
    }

    /// Coins held, those that orders reserve among them.
    pub const fn position(&self) -> Quantity {
        self.scope.state.ledger.base()
    }

    /// What all is worth at the tick's price.
    pub fn equity(&self) -> Result<Notional, NumberError> {
        self.scope.state.ledger.equity_at(self.tick.price)
    }

    /// The orders that are not closed, by sequence.
    pub fn orders(&self) -> impl ExactSizeIterator<Item = &Order> {
        self.scope.state.orders.iter()
    }

    /// The order of this sequence; `None` once it is closed.
    pub fn order(&self, sequence: u64) -> Option<&Order> {
        self.scope.state.orders.get(sequence)
    }

    /// Whether an order is not closed.
    pub fn has_open_orders(&self) -> bool {
        !self.scope.state.orders.is_empty()
    }

    /// Which sides are allowed now. Advice: risk holds it on every order.
    pub const fn permissions(&self) -> RiskState {
        self.scope.state.risk
    }

    /// Says why nothing is done: a stable reason, for which [`Strategy::explain`](crate::strategy::Strategy::explain)
    /// gives the words when they are needed.
    pub const fn hold(&mut self, reason: &'static str) {
        self.held = Some(reason);
    }

    /// Sends an order; gives its sequence, or why it was denied. A denial is counted and told.
    pub fn place(&mut self, intent: Intent) -> Result<u64, Denial> {
        let admitted = self.may_open().and_then(|()| self.approve(&intent));
        self.conclude(&intent, admitted)
    }

    /// Cancels an order. Of one that is closed, or is being cancelled, nothing is sent.
    pub fn cancel(&mut self, sequence: u64) {
        let cause = Cause::of(self.tick);
        let (config, now) = (self.scope.config, self.now());
        let Some(order) = self.scope.state.orders.get_mut(sequence) else { return };
        if order.state.is_final() || order.cancel.is_some() {
            return;
        }
        order.cancel = Some(cause);
        let cancel = Approved::cancel(&config.name, &order.client_order_id, &config.instrument, now);
        self.scope.turn.effects.push(Effect::Command(cancel));
        self.acted = true;
    }

    /// Sends an order in the place of another; gives the new one's sequence, or why it was denied and the old one stays.
    pub fn replace(&mut self, of: u64, intent: Intent) -> Result<u64, Denial> {
        let replaced = self.scope.state.orders.get(of).filter(|order| !order.state.is_final());
        let replaced = replaced.map(|order| (order.client_order_id.clone(), order.filled));
        let admitted = match replaced {
            Some((id, known)) => {
                self.may_open().and_then(|()| self.approve(&intent)).map(|approved| approved.in_place_of(id, known))
            }
            None => Err(Refusal::new(Denial::NothingToReplace, format!("order {of} is closed; place a new one"))),
        };
        let admitted = self.conclude(&intent, admitted);
        if admitted.is_ok() {
            let cause = Cause::of(self.tick);
            if let Some(order) = self.scope.state.orders.get_mut(of) {
                order.cancel = Some(cause);
            }
        }
        admitted
    }

    /// Whether one more order may be sent in this callback and in this round.
    fn may_open(&mut self) -> Result<(), Refusal> {
        if self.round > Self::ROUNDS_MAX {
            let message = format!("orders of one tick have made news {} times on it", Self::ROUNDS_MAX);
            return Err(Refusal::new(Denial::TooManyRounds, message));
        }
        if self.actions >= Self::ACTIONS_MAX {
            let message = format!("{} orders were sent at once already", Self::ACTIONS_MAX);
            return Err(Refusal::new(Denial::TooManyActions, message));
        }
        self.actions = self.actions.saturating_add(1);
        Ok(())
    }

    fn approve(&mut self, intent: &Intent) -> Result<Approved<OrderCommand>, Refusal> {
        let Some(sequence) = self.scope.next_sequence() else {
            return Err(Refusal::new(Denial::Halted, "no order id is left".to_owned()));
        };
        let Scope { config, state, turn } = &mut self.scope;
        let check = OrderCheck {
            strategy: &config.name,
            ledger_id: &config.ledger,
            sequence,
            instrument: &config.instrument,
            fees: &config.fees,
            risk: &config.risk,
            state: state.risk,
            desired: state.desired,
            ledger: &state.ledger,
            tick: self.tick,
            now: turn.now,
        };
        check.approve(intent, &mut state.rate)
    }

    fn conclude(&mut self, intent: &Intent, admitted: Result<Approved<OrderCommand>, Refusal>) -> Result<u64, Denial> {
        match admitted {
            Ok(command) => {
                self.acted = true;
                Ok(self.send(intent, command))
            }
            Err(refusal) => {
                self.deny(intent, &refusal);
                Err(refusal.denial)
            }
        }
    }

    fn send(&mut self, intent: &Intent, command: Approved<OrderCommand>) -> u64 {
        let Scope { config, state, turn } = &mut self.scope;
        let OrderCommand { client_order_id, sequence, kind, .. } = command.get();
        let sequence = *sequence;
        match kind {
            CommandKind::Create(order) | CommandKind::Replace { order, .. } => {
                state.sequence = sequence;
                let cause = Cause::of(self.tick);
                state.orders.insert(Order::ordered(client_order_id.clone(), order, intent.tag, cause, turn.now));
                let side = match order.side {
                    Side::Buy => SignalSide::Buy,
                    Side::Sell => SignalSide::Sell,
                };
                state.decision = Decision::new(intent.reason, intent.message.clone());
                intent.reason.clone_into(&mut state.told);
                turn.signal(config, side, order.price, &state.decision);
            }
            CommandKind::Cancel | CommandKind::Advance { .. } => {}
        }
        turn.effects.push(Effect::Command(command));
        sequence
    }

    /// An order that is not sent is counted and told when the reason differs from the last one of its side and mark:
    /// never once a tick. Why the last tick led to no order is shown in any case.
    fn deny(&mut self, intent: &Intent, refusal: &Refusal) {
        if matches!(refusal.denial, Denial::Paused | Denial::Stopped) {
            // What a human wants is shown as that, not as an order that was denied.
            self.held = Some("");
            return;
        }
        self.acted = true;
        let (side, price) = (intent.side, self.price_of(intent));
        let message = format!("{side} at {price} ({}): {}.", intent.message, refusal.message);
        let decision = Decision::new(refusal.denial.as_str(), message);
        // What binds a whole callback is told once for its side, not once for each mark.
        let tag = match refusal.denial.is_of_callback() {
            true => 0,
            false => intent.tag,
        };
        if self.scope.state.denials.is_told(side, tag, &decision.reason) {
            self.scope.state.decision = decision;
        } else {
            self.scope.state.counts.deny(&decision.reason);
            self.scope.conclude(OrderStatus::Denied, decision);
        }
    }

    /// The price that an intent speaks of.
    fn price_of(&self, intent: &Intent) -> Price {
        let tick_size = self.instrument().tick_size;
        match intent.kind {
            OrderKind::Marketable { .. } => self.tick.best(intent.side).shown_in(tick_size),
            OrderKind::Limit { price, .. } => price,
        }
    }
}
