//! A tick: limits first, then the strategy, then the order checks.

use super::{Effect, Engine};
use crate::messages::{AlertKind, RiskAlert, Severity, SignalSide, StrategySignal, Tick};
use crate::numbers::{Notional, Price, Ratio};
use crate::order::Order;
use crate::report::Decision;
use crate::risk::{Approved, Denial, OrderCheck, Refusal, RiskState};
use crate::strategy::{DesiredState, Intent, Signal, View, Warning};
use crate::time::Timestamp;

impl Engine {
    pub(super) fn on_tick(&mut self, now: Timestamp, tick: Tick, effects: &mut Vec<Effect>) {
        match self.last_sequence() {
            // Delivered before: the engine has seen it.
            Some(last) if tick.sequence <= last => return,
            Some(last) if tick.sequence > last + 1 => self.on_gap(now, last, &tick, effects),
            Some(_) | None => {}
        }
        let first = self.state.last_tick.is_none();
        self.state.ticks += 1;
        self.state.as_of = now;
        if self.value(&tick).is_err() {
            self.halt(now, "the equity cannot be exact in 28 digits", effects);
        }
        self.follow_limits(now, &tick, effects);
        let view = View {
            now,
            instrument: &self.config.instrument,
            risk: self.state.risk,
            order_open: !self.state.orders.is_empty(),
        };
        let intent = self.strategy.on_tick(&tick, &view);
        if first {
            for warning in self.strategy.warnings(&tick, &self.config.fees) {
                self.warn(now, warning, effects);
            }
        }
        match intent {
            Intent::Hold(reason) => self.hold(now, reason, &tick, effects),
            Intent::Trade(signal) => self.propose(now, signal, &tick, effects),
        }
        self.state.last_tick = Some(tick);
    }

    /// Values the books at the tick's price and follows peak and fall.
    fn value(&mut self, tick: &Tick) -> Result<(), crate::numbers::NumberError> {
        self.state.ledger.open_at(tick.price)?;
        let equity = self.state.ledger.equity_at(tick.price)?;
        if equity >= self.state.peak {
            self.state.peak = equity;
        } else if let Some(fall) = self.state.peak.minus(equity)?.share_of(self.state.peak) {
            self.state.deepest_fall = self.state.deepest_fall.max(fall);
        }
        Ok(())
    }

    /// Evaluates the position limits before any signal.
    fn follow_limits(&mut self, now: Timestamp, tick: &Tick, effects: &mut Vec<Effect>) {
        if self.state.risk == RiskState::Halted {
            return;
        }
        let (Ok(position), Ok(equity)) =
            (tick.price.times(self.state.ledger.base()), self.state.ledger.equity_at(tick.price))
        else {
            return;
        };
        let limits = self.config.risk.position_limits();
        let risk = limits.state(position, equity);
        if risk == self.state.risk {
            return;
        }
        self.state.risk = risk;
        let (message, threshold) = match risk {
            RiskState::AllowAll => ("The position is within its limits again.", Ratio::ZERO),
            RiskState::BuyOnly => ("The coins are worth too little of the equity: only buys are sent.", limits.least),
            RiskState::SellOnly => ("The coins are worth too much of the equity: only sells are sent.", limits.largest),
            RiskState::Halted => return,
        };
        let severity = if risk == RiskState::AllowAll { Severity::Info } else { Severity::Warning };
        let share = position.share_of(equity).unwrap_or_default();
        let warning = Warning {
            kind: AlertKind::PositionLimit,
            message: message.to_owned(),
            current_value: share.percent().to_string(),
            threshold: threshold.percent().to_string(),
        };
        self.alert(now, severity, warning, effects);
    }

    fn hold(&mut self, now: Timestamp, reason: &'static str, tick: &Tick, effects: &mut Vec<Effect>) {
        let reason = match self.state.desired {
            DesiredState::Running => reason,
            DesiredState::Paused => "Paused",
            DesiredState::Stopped => "Stopped",
        };
        if self.state.decision.reason != reason {
            let message = self.strategy.explain(reason);
            self.decide(now, SignalSide::Hold, Decision::new(reason, message), tick.price, effects);
        }
    }

    fn propose(&mut self, now: Timestamp, signal: Signal, tick: &Tick, effects: &mut Vec<Effect>) {
        let outcome = self.check(now, &signal, tick);
        match outcome {
            Ok(command) => self.order(now, &signal, command, tick, effects),
            Err(refusal) => {
                self.state.counts.denied += 1;
                let reason = refusal.denial.as_str();
                let message = format!("{} {}: {}.", signal.request.side, signal.message, refusal.message);
                self.decide(now, SignalSide::Hold, Decision::new(reason, message), tick.price, effects);
            }
        }
    }

    fn check(
        &mut self,
        now: Timestamp,
        signal: &Signal,
        tick: &Tick,
    ) -> Result<Approved<crate::messages::OrderCommand>, Refusal> {
        if self.state.desired != DesiredState::Running {
            let message = "the strategy is not to trade now; set state: Running".to_owned();
            return Err(Refusal { denial: Denial::Paused, message });
        }
        let check = OrderCheck {
            strategy: &self.config.name,
            ledger_id: &self.config.ledger,
            sequence: self.state.sequence + 1,
            instrument: &self.config.instrument,
            fees: &self.config.fees,
            risk: &self.config.risk,
            ledger: &self.state.ledger,
            tick,
            now,
        };
        check.approve(&signal.request, &mut self.state.rate)
    }

    fn order(
        &mut self,
        now: Timestamp,
        signal: &Signal,
        command: Approved<crate::messages::OrderCommand>,
        tick: &Tick,
        effects: &mut Vec<Effect>,
    ) {
        let crate::messages::CommandKind::Create(order) = &command.get().kind else { return };
        self.state.sequence = command.get().sequence;
        let id = command.get().client_order_id.clone();
        self.state.orders.push(Order::committed(id, order.side, order.quantity, order.price, now));
        let side = match order.side {
            crate::messages::Side::Buy => SignalSide::Buy,
            crate::messages::Side::Sell => SignalSide::Sell,
        };
        let price = order.price.unwrap_or(tick.price);
        self.decide(now, side, Decision::new(signal.reason, signal.message.clone()), price, effects);
        effects.push(Effect::Command(command));
    }

    /// Records a decision and publishes it.
    fn decide(
        &mut self,
        now: Timestamp,
        side: SignalSide,
        decision: Decision,
        price: Price,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(Effect::Signal(StrategySignal {
            strategy: self.config.name.clone(),
            ledger: self.config.ledger.clone(),
            side,
            symbol: self.config.instrument.symbol.clone(),
            confidence: Ratio::ONE,
            target_price: (side != SignalSide::Hold).then_some(price),
            reason: decision.reason.clone(),
            message: decision.message.clone(),
            time: now,
        }));
        self.state.decision = decision;
    }

    fn on_gap(&mut self, now: Timestamp, last: u64, tick: &Tick, effects: &mut Vec<Effect>) {
        self.strategy.on_gap();
        let warning = Warning {
            kind: AlertKind::MarketDataGap,
            message: format!("Ticks {} to {} are missing: highs and lows start afresh.", last + 1, tick.sequence - 1),
            current_value: (tick.sequence - last - 1).to_string(),
            threshold: "0".to_owned(),
        };
        self.alert(now, Severity::Warning, warning, effects);
    }

    fn warn(&mut self, now: Timestamp, warning: Warning, effects: &mut Vec<Effect>) {
        self.state.warnings.push(warning.kind);
        self.alert(now, Severity::Warning, warning, effects);
    }

    pub(super) fn alert(&self, now: Timestamp, severity: Severity, warning: Warning, effects: &mut Vec<Effect>) {
        effects.push(Effect::Alert(RiskAlert {
            strategy: self.config.name.clone(),
            ledger: self.config.ledger.clone(),
            kind: warning.kind,
            severity,
            message: warning.message,
            current_value: warning.current_value,
            threshold: warning.threshold,
            time: now,
        }));
    }

    /// Trades nothing more: the books no longer tell the truth.
    pub(super) fn halt(&mut self, now: Timestamp, why: &str, effects: &mut Vec<Effect>) {
        if self.state.risk == RiskState::Halted {
            return;
        }
        self.state.risk = RiskState::Halted;
        let warning = Warning {
            kind: AlertKind::LedgerBroken,
            message: format!("Nothing more is traded: {why}."),
            current_value: Notional::ZERO.to_string(),
            threshold: String::new(),
        };
        self.warn_once(now, warning, effects);
    }

    fn warn_once(&mut self, now: Timestamp, warning: Warning, effects: &mut Vec<Effect>) {
        if !self.state.warnings.contains(&warning.kind) {
            self.state.warnings.push(warning.kind);
        }
        self.alert(now, Severity::Critical, warning, effects);
    }
}
