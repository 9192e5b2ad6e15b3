//! What a strategy sees and may do when it is called. Each action is judged at once and in turn: it sees what those
//! before it changed. What is sent leaves with the step's other effects.

use super::Effect;
use super::scope::Scope;
use crate::fees::Fees;
use crate::instrument::{Instrument, InstrumentIndex, Instruments};
use crate::market::Bar;
use crate::messages::{OrderCommand, OrderStatus, Severity, Side, Tick, TimeInForce};
use crate::numbers::{Notional, NumberError, Price, Quantity};
use crate::orders::{Cause, Funds, Order, Replaced};
use crate::report::Decision;
use crate::risk::{Approved, Cooldown, Denial, OrderCheck, Refusal, RiskState};
use crate::strategies::{BarsOf, DesiredState, Intent, OrderKind, Warning};
use crate::time::Timestamp;

/// A callback of a strategy.
pub struct Context<'a> {
    scope: Scope<'a>,
    /// The last tick taken, of whichever market.
    tick: &'a Tick,
    /// How often what was sent on this tick has already made news on it.
    round: u32,
    actions: u32,
    held: Option<&'static str>,
    acted: bool,
    /// Whether an action is being carried out.
    at_work: bool,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a callback as of tick {}, after {} actions", self.tick.sequence, self.actions)
    }
}

/// An order that may be sent.
struct Proposed {
    command: Approved<OrderCommand>,
    replaces: Option<Replaced>,
}

/// How a callback ended where no order was proposed.
pub(super) enum Ended {
    /// A reason was given why nothing is done.
    Held(&'static str),
    /// An order was sent, or was denied and is told.
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
        Self { scope, tick, round, actions: 0, held: None, acted: false, at_work: false }
    }

    pub(super) const fn end(self) -> Ended {
        match (self.held, self.acted) {
            (Some(reason), _) => Ended::Held(reason),
            (None, true) => Ended::Acted,
            (None, false) => Ended::Silent,
        }
    }

    /// Whether an action is being carried out: what panics then is the engine's.
    pub(crate) const fn is_at_work(&self) -> bool {
        self.at_work
    }

    /// Event time.
    pub const fn now(&self) -> Timestamp {
        self.scope.turn.now
    }

    /// The markets, in the order of the manifest.
    pub const fn instruments(&self) -> &Instruments {
        &self.scope.config.instruments
    }

    /// The first market: the only one of a strategy that trades one.
    pub const fn instrument(&self) -> &Instrument {
        self.scope.config.instruments.first()
    }

    /// The last tick taken, of whichever market; in `on_tick` the one that has arrived.
    pub const fn tick(&self) -> &Tick {
        self.tick
    }

    /// The market of [`Self::tick`].
    pub const fn index(&self) -> InstrumentIndex {
        self.scope.state.markets.last_market()
    }

    /// How many ticks were taken, of all markets.
    pub const fn ticks(&self) -> u64 {
        self.scope.state.ticks
    }

    /// The last tick of a market.
    pub fn tick_of(&self, index: InstrumentIndex) -> Option<&Tick> {
        self.scope.state.markets.tick_of(index)
    }

    /// Coins of the first market that are held, those that orders reserve among them.
    pub const fn position(&self) -> Quantity {
        self.scope.state.ledger.base()
    }

    /// The same, of any market.
    pub fn position_of(&self, index: InstrumentIndex) -> Quantity {
        self.scope.state.ledger.held(index.get()).base
    }

    /// What is held and no order reserves: coins of the first market, and cash.
    pub fn available(&self) -> Result<Funds, NumberError> {
        self.available_of(InstrumentIndex::FIRST)
    }

    /// The same, with the coins of any market.
    pub fn available_of(&self, index: InstrumentIndex) -> Result<Funds, NumberError> {
        let state = &self.scope.state;
        state.ledger.held(index.get()).minus(state.orders.reserved(index))
    }

    /// What all is worth at the last prices.
    pub fn equity(&self) -> Result<Notional, NumberError> {
        self.scope.state.equity()
    }

    /// How long to wait, in event time, before what the venue has rejected is tried again: `risk.cooldown.seconds`, or a
    /// minute.
    pub fn cooldown_ms(&self) -> i64 {
        const USUAL_MS: i64 = 60_000;
        self.scope.config.risk.cooldown.map_or(USUAL_MS, Cooldown::milliseconds)
    }

    /// The orders that are not closed, by sequence.
    pub fn orders(&self) -> impl ExactSizeIterator<Item = &Order> {
        self.scope.state.orders.iter()
    }

    /// The order of this sequence; `None` once it is closed.
    pub fn order(&self, sequence: u64) -> Option<&Order> {
        self.scope.state.orders.get(sequence)
    }

    /// The newest closed bars of a series that the strategy [needs](crate::strategies::Strategy::needs), the oldest first, at
    /// most as many as it looks back on; none of another. The bar that is being made is not among them, nor anywhere else:
    ///
    /// ```
    /// # use engine::{market::{Bar, Interval}, strategies::{BarsOf, Context}};
    /// fn last(context: &Context<'_>) -> Option<Bar> {
    ///     context.bars(BarsOf::first(Interval::OneHour)).last().copied()
    /// }
    /// ```
    ///
    /// ```compile_fail,E0599
    /// # use engine::{market::{Bar, Interval}, strategies::{BarsOf, Context}};
    /// fn last(context: &Context<'_>) -> Option<Bar> {
    ///     context.unfinished(BarsOf::first(Interval::OneHour)).last().copied()
    /// }
    /// ```
    ///
    /// ```compile_fail,E0616
    /// # use engine::{market::{Bar, Interval}, strategies::{BarsOf, Context}};
    /// fn last(context: &Context<'_>) -> Option<Bar> {
    ///     context.scope.state.bars.closed(BarsOf::first(Interval::OneHour)).last().copied()
    /// }
    /// ```
    pub fn bars(&self, of: BarsOf) -> &[Bar] {
        self.scope.state.bars.closed(of)
    }

    /// Whether an order is not closed.
    pub fn has_open_orders(&self) -> bool {
        !self.scope.state.orders.is_empty()
    }

    /// Which sides are allowed now. Advice: risk holds it on every order.
    pub const fn permissions(&self) -> RiskState {
        self.scope.state.risk
    }

    /// Whether the trading state and what a human wants let orders of this side through. Advice too.
    pub const fn allows(&self, side: Side) -> bool {
        matches!(self.scope.state.desired, DesiredState::Running) && self.scope.state.risk.allows(side)
    }

    /// Whether a halt, a latched limit or an exit that was reached holds it back. What reduces may pass all the same.
    pub fn is_held_back(&self) -> bool {
        self.scope.state.is_held_back()
    }

    /// The account's fees.
    pub const fn fees(&self) -> &Fees {
        &self.scope.config.fees
    }

    /// The largest worth of an order in the first market, where the limits have one.
    pub fn largest_order(&self) -> Option<Notional> {
        self.scope.config.risk.order_notional_limit(&self.instrument().symbol)
    }

    /// What a limit order would reserve, fee included.
    pub fn would_reserve(
        &self,
        side: Side,
        time_in_force: TimeInForce,
        quantity: Quantity,
        price: Price,
    ) -> Result<Funds, NumberError> {
        self.scope.state.orders.terms().reserve(side, time_in_force, quantity, price)
    }

    /// What an open order would leave to one that is sent in its place now; `None` where it is closed.
    pub fn would_leave(&self, sequence: u64) -> Result<Option<Funds>, NumberError> {
        self.scope.state.orders.shared_with_replacement(sequence)
    }

    /// Tells a human of something. It is the strategy's to tell it once.
    pub fn warn(&mut self, warning: Warning) {
        self.scope.turn.alert(self.scope.config, Severity::Warning, warning);
    }

    /// Says why nothing is done: a stable reason, for which [`Strategy::explain`](crate::strategies::Strategy::explain)
    /// gives the words when they are needed.
    pub const fn hold(&mut self, reason: &'static str) {
        self.held = Some(reason);
    }

    /// Shows why what is done is done, under a stable reason; told when that is another one than was told last.
    pub(crate) fn say(&mut self, reason: String, message: String) {
        self.acted = true;
        let decision = Decision::new(reason, message);
        if self.scope.state.told == decision.reason {
            self.scope.state.decide(decision);
        } else {
            self.scope.decide(decision);
        }
    }

    /// Sends an order; gives its sequence, or why it was denied. A denial is counted and told.
    pub fn place(&mut self, intent: Intent) -> Result<u64, Denial> {
        self.place_as(intent, true)
    }

    /// The same for an order that does not count towards the order rates of strategy and account: one of a plan whose size
    /// bounds how many there are.
    pub(crate) fn place_uncounted(&mut self, intent: Intent) -> Result<u64, Denial> {
        self.place_as(intent, false)
    }

    fn place_as(&mut self, intent: Intent, counts: bool) -> Result<u64, Denial> {
        self.at_work = true;
        let approved = self.may_send().and_then(|()| self.approve(&intent, (Funds::NONE, None), counts));
        let admitted = approved.map(|command| Proposed { command, replaces: None });
        let sent = self.conclude(intent, admitted);
        self.at_work = false;
        sent
    }

    /// Cancels an order. Of one that is closed, or is being cancelled, nothing is sent.
    pub fn cancel(&mut self, sequence: u64) {
        let Some(order) = self.scope.state.orders.get(sequence).filter(|order| !order.state.is_final()) else {
            self.scope.state.late_cancels = self.scope.state.late_cancels.saturating_add(1);
            return;
        };
        let wanted = (order.instrument, order.side, 0);
        self.at_work = true;
        match self.count_action() {
            Ok(()) => self.scope.cancel(sequence, Cause::of(self.tick)),
            Err(refusal) => self.tell_denied(wanted, &refusal, &format!("cancel of order {sequence}")),
        }
        self.at_work = false;
    }

    /// Sends an order in the place of another; gives the new one's sequence, or why it was denied and the old one stays.
    /// What the old one reserves is free for it. It is placed only if of the old one no more trades than is known here.
    pub fn replace(&mut self, of: u64, intent: Intent) -> Result<u64, Denial> {
        self.replace_as(of, intent, true)
    }

    /// The same for an order that does not count towards the order rates, as with [`Self::place_uncounted`].
    pub(crate) fn replace_uncounted(&mut self, of: u64, intent: Intent) -> Result<u64, Denial> {
        self.replace_as(of, intent, false)
    }

    fn replace_as(&mut self, of: u64, intent: Intent, counts: bool) -> Result<u64, Denial> {
        self.at_work = true;
        let admitted = self.may_send().and_then(|()| self.approve_replacement(of, &intent, counts));
        let admitted = self.conclude(intent, admitted);
        if admitted.is_ok() {
            let cause = Cause::of(self.tick);
            if let Some(order) = self.scope.state.orders.marked(of) {
                order.cancel = Some(cause);
            }
        }
        self.at_work = false;
        admitted
    }

    fn approve_replacement(&mut self, of: u64, intent: &Intent, counts: bool) -> Result<Proposed, Refusal> {
        let orders = &self.scope.state.orders;
        let open = orders.get(of).filter(|order| !order.state.is_final());
        let Some((id, known_quantity)) = open.map(|order| (order.client_order_id.clone(), order.filled)) else {
            let message = format!("order {of}, which it should replace, is closed");
            return Err(Refusal::new(Denial::NothingToReplace, message));
        };
        if orders.get(of).is_some_and(|order| order.instrument != intent.instrument) {
            let message = format!("order {of}, which it should replace, is of another market");
            return Err(Refusal::new(Denial::NothingToReplace, message));
        }
        let shared = orders.shared_with_replacement(of)?.unwrap_or(Funds::NONE);
        let replaces = Some(Replaced { sequence: of, known_quantity, raced: false });
        let freed = (shared != Funds::NONE).then_some(of);
        let command = self.approve(intent, (shared, freed), counts)?.in_place_of(id, known_quantity);
        Ok(Proposed { command, replaces })
    }

    /// Whether one more order may be sent in this callback and in this round.
    fn may_send(&mut self) -> Result<(), Refusal> {
        self.count_action()?;
        if self.scope.state.bars.is_warming_up() {
            // Only news of orders that were sent under other parameters comes so far.
            let message = "bars that it looks back on are missing".to_owned();
            return Err(Refusal::new(Denial::WarmingUp, message));
        }
        if self.round > Self::ROUNDS_MAX {
            let message = format!("orders of one tick have made news {} times on it", Self::ROUNDS_MAX);
            return Err(Refusal::new(Denial::TooManyRounds, message));
        }
        Ok(())
    }

    fn count_action(&mut self) -> Result<(), Refusal> {
        if self.actions >= Self::ACTIONS_MAX {
            let message = format!("{} orders, cancels and replacements are sent at once already", Self::ACTIONS_MAX);
            return Err(Refusal::new(Denial::TooManyActions, message));
        }
        self.actions = self.actions.saturating_add(1);
        Ok(())
    }

    /// With `shared`, what an order that it replaces, which is named with it, may take, as if it were free.
    fn approve(
        &mut self,
        intent: &Intent,
        (shared, replaced): (Funds, Option<u64>),
        counts: bool,
    ) -> Result<Approved<OrderCommand>, Refusal> {
        let Some(sequence) = self.scope.next_sequence() else {
            return Err(Refusal::new(Denial::Halted, "no order id is left".to_owned()));
        };
        let index = intent.instrument;
        let (available, equity) = (self.available_of(index)?.plus(shared)?, self.equity());
        let exposure = self.scope.config.risk.exposure_limit().map(|_| self.scope.state.exposure(replaced));
        let Scope { config, state, turn } = &mut self.scope;
        let Some(tick) = state.markets.tick_of(index) else {
            return Err(Refusal::new(Denial::NoQuote, "that market has no price yet".to_owned()));
        };
        let check = OrderCheck {
            strategy: &config.name,
            ledger_id: &config.ledger,
            sequence,
            instrument: config.instruments.at(index),
            terms: state.orders.terms(),
            available,
            risk: &config.risk,
            state: state.risk,
            desired: state.desired,
            stops: &state.stops,
            exposure,
            held: state.ledger.held(index.get()),
            equity,
            cause: self.tick,
            tick,
            now: turn.now,
            counts,
        };
        check.approve(intent, &mut state.rate)
    }

    fn conclude(&mut self, intent: Intent, admitted: Result<Proposed, Refusal>) -> Result<u64, Denial> {
        match admitted {
            Ok(proposed) => {
                self.acted = true;
                Ok(self.send(intent, proposed))
            }
            Err(refusal) => {
                self.deny(&intent, &refusal);
                Err(refusal.denial)
            }
        }
    }

    fn send(&mut self, intent: Intent, proposed: Proposed) -> u64 {
        let Proposed { command, replaces } = proposed;
        let sequence = command.get().sequence;
        // A cancel never comes this way.
        if let Some(order) = command.get().kind.order() {
            let id = command.get().client_order_id.clone();
            let (cause, now) = (Cause::of(self.tick), self.now());
            self.scope.state.sequence = sequence;
            let instrument = intent.instrument;
            let order = Order { instrument, replaces, ..Order::ordered(id, order, intent.tag, cause, now) };
            self.scope.put(order);
            let Scope { config, state, turn } = &mut self.scope;
            state.decide(Decision::new(intent.reason, intent.message));
            intent.reason.clone_into(&mut state.told);
            if let Some(order) = state.orders.get(sequence) {
                turn.signal(config, order, &state.decision);
            }
        }
        self.scope.turn.effects.push(Effect::Command(command));
        sequence
    }

    fn deny(&mut self, intent: &Intent, refusal: &Refusal) {
        if matches!(refusal.denial, Denial::Paused | Denial::Stopped) {
            // What a human wants is shown as that, not as an order that was denied.
            self.held = Some("");
            return;
        }
        // What binds all that is done at once is told once for its side, not once for each mark.
        let tag = if refusal.denial.is_of_callback() { 0 } else { intent.tag };
        let wanted = format!("at {} ({})", self.price_of(intent), intent.message);
        self.tell_denied((intent.instrument, intent.side, tag), refusal, &wanted);
    }

    /// What is not sent is counted and told when the reason differs from the last one of its market, side and mark: never
    /// once a tick. Why the last tick led to no order is shown in any case.
    fn tell_denied(&mut self, what: (InstrumentIndex, Side, u32), refusal: &Refusal, wanted: &str) {
        let (instrument, side, _) = what;
        self.acted = true;
        let message = format!("{side} {wanted}: {}.", refusal.message);
        let decision = Decision::new(refusal.denial.as_str(), message);
        if self.scope.state.denials.is_told(what, &decision.reason) {
            self.scope.state.decide(decision);
        } else {
            self.scope.state.counts.deny(&decision.reason);
            self.scope.conclude(instrument, OrderStatus::Denied, decision);
        }
    }

    /// The price that an intent speaks of.
    fn price_of(&self, intent: &Intent) -> Price {
        let tick_size = self.instruments().at(intent.instrument).tick_size;
        match intent.kind {
            OrderKind::Marketable { .. } => {
                self.tick_of(intent.instrument).unwrap_or(self.tick).best(intent.side).shown_in(tick_size)
            }
            OrderKind::Limit { price, .. } => price,
        }
    }
}
