//! A tick: limits first, then news of orders on it, then the strategy.

use super::Engine;
use super::bars::WARMING_UP;
use super::calm::{Calm, Standing};
use super::context::{Context, Ended};
use super::scope::Scope;
use super::sequence::{Follows, Gap, follows};
use super::state::Judged;
use super::turn::Turn;
use crate::client_order_id::ClientOrderId;
use crate::instrument::InstrumentIndex;
use crate::messages::{AlertKind, Severity, Tick};
use crate::numbers::{Notional, NumberError, Ratio};
use crate::report::Decision;
use crate::risk::RiskState;
use crate::strategy::{DesiredState, Warning};

/// The books at a tick's price.
struct Valued {
    position: Notional,
    equity: Notional,
    /// Whether the fall from the peak, if there is one, could be followed.
    fall_is_known: bool,
}

impl Engine {
    pub(super) fn on_tick(&mut self, turn: &mut Turn, tick: &Tick) {
        if !self.is_new(turn, tick) {
            return;
        }
        self.state.ticks = self.state.ticks.saturating_add(1);
        self.state.as_of = turn.now;
        self.follow(turn, tick);
        self.round = 0;
        if !self.state.news.is_empty() {
            self.tell_kept(turn, tick);
        }
        let before = turn.effects.len();
        let may_act = self.state.bars.is_empty() || self.on_bars(turn, InstrumentIndex::FIRST, tick);
        let ended = if may_act {
            let mut context = Context::new(Scope { config: &self.config, state: &mut self.state, turn }, tick, 0);
            self.strategy.on_tick(tick, &mut context);
            context.end()
        } else {
            Ended::Held(WARMING_UP)
        };
        if !std::mem::replace(&mut self.judged, true) {
            // What is odd is told before what was done, but judged after: the strategy has seen its first tick.
            let done = turn.effects.split_off(before);
            self.judge(turn, tick);
            turn.effects.extend(done);
        }
        match ended {
            Ended::Held(reason) => self.hold(turn, reason),
            Ended::Silent if self.state.desired != DesiredState::Running => self.hold(turn, ""),
            Ended::Silent if !self.state.bars.is_empty() => self.end_of_warming_up(),
            Ended::Acted | Ended::Silent => {}
        }
        match &mut self.state.last_tick {
            Some(last) => last.clone_from(tick),
            none => *none = Some(tick.clone()),
        }
    }

    /// Judges the parameters at the first tick under them, and tells what is new.
    fn judge(&mut self, turn: &mut Turn, tick: &Tick) {
        let price = self.judged_at(tick.price);
        self.state.judged = Some(Judged { parameters: self.parameters_hash(), price });
        self.warnings = self.strategy.warnings(&Tick { price, ..tick.clone() }, &self.config.fees);
        let kinds: Vec<_> = self.warnings.iter().map(|warning| warning.kind).collect();
        for warning in self.warnings.iter().filter(|warning| !self.state.warned.contains(&warning.kind)) {
            turn.alert(&self.config, Severity::Warning, warning.clone());
        }
        self.state.warned = kinds;
    }

    /// Whether a tick is to be taken: one that was delivered before is not.
    fn is_new(&mut self, turn: &mut Turn, tick: &Tick) -> bool {
        let Some(last) = &self.state.last_tick else {
            if tick.sequence > 0 {
                self.state.bars.on_join(InstrumentIndex::FIRST);
            }
            return true;
        };
        let expected = last.sequence.saturating_add(1);
        match follows(last, self.state.gap, tick) {
            Follows::Next => self.state.behind = false,
            Follows::After(gap) => {
                self.on_gap(turn, gap);
                self.state.behind = false;
            }
            Follows::Same => return false,
            Follows::Before => {
                if !std::mem::replace(&mut self.state.behind, true) {
                    let message = format!(
                        "Ticks from {} on are delivered again: they are left out until tick {expected} comes.",
                        tick.sequence
                    );
                    turn.alarm(&self.config, AlertKind::MarketDataGap, message, expected.abs_diff(tick.sequence));
                }
                return false;
            }
            // What was taken under the higher number may have been false: it is seen, it goes on, nothing is traded.
            Follows::Contradiction(why) => {
                self.halt(turn, AlertKind::TickAnomaly, &why);
                self.strategy.on_gap();
                self.state.bars.on_gap(InstrumentIndex::FIRST);
                (self.state.gap, self.state.behind) = (None, false);
            }
        }
        true
    }

    /// Values the books at the tick's price and evaluates the position limits, before any signal; not where both are
    /// known to stay as they are.
    fn follow(&mut self, turn: &mut Turn, tick: &Tick) {
        if self.calm.is_some_and(|calm| calm.covers(&Standing::of(&self.state), tick.price)) {
            return;
        }
        let Ok(valued) = self.value(tick) else {
            self.calm = None;
            return self.halt(turn, AlertKind::LedgerBroken, "the equity cannot be exact in 28 digits");
        };
        self.follow_limits(turn, &valued);
        let standing = Standing::of(&self.state);
        self.calm = valued.fall_is_known.then(|| Calm::with(self.calm, standing, tick.price));
    }

    /// Values the books at the tick's price and follows peak and fall.
    fn value(&mut self, tick: &Tick) -> Result<Valued, NumberError> {
        self.state.ledger.open_at(tick.price)?;
        let position = tick.price.times(self.state.ledger.base())?;
        let equity = position.plus(self.state.ledger.quote())?;
        if equity >= self.state.peak {
            self.state.peak = equity;
            return Ok(Valued { position, equity, fall_is_known: true });
        }
        let fall = self.state.peak.minus(equity)?.share_of(self.state.peak);
        self.state.deepest_fall = self.state.deepest_fall.max(fall.unwrap_or_default());
        Ok(Valued { position, equity, fall_is_known: fall.is_some() || self.state.peak == Notional::ZERO })
    }

    /// Evaluates the position limits.
    fn follow_limits(&mut self, turn: &mut Turn, valued: &Valued) {
        if self.state.risk == RiskState::Halted {
            return;
        }
        let (position, equity) = (valued.position, valued.equity);
        let limits = self.limits;
        let risk = limits.state(self.bounds, position, equity);
        if risk == self.state.risk {
            return;
        }
        self.state.risk = risk;
        let (severity, message, threshold) = match risk {
            RiskState::AllowAll | RiskState::Halted => {
                (Severity::Info, "The position is within its limits again.", Ratio::ZERO)
            }
            RiskState::BuyOnly => {
                (Severity::Warning, "The coins are worth too little of the equity: only buys are sent.", limits.least)
            }
            RiskState::SellOnly => {
                (Severity::Warning, "The coins are worth too much of the equity: only sells are sent.", limits.largest)
            }
            RiskState::ReduceOnly => {
                (Severity::Critical, "Nothing is left of the equity: only what reduces is sent.", Ratio::ZERO)
            }
        };
        let warning = Warning {
            kind: AlertKind::PositionLimit,
            message: message.to_owned(),
            current_value: position.share_of(equity).unwrap_or_default().percent().to_string(),
            threshold: threshold.percent().to_string(),
        };
        turn.alert(&self.config, severity, warning);
    }

    pub(super) fn hold(&mut self, turn: &mut Turn, reason: &'static str) {
        if self.state.holding.is_some_and(|held| std::ptr::eq(held, reason)) {
            return;
        }
        let (reason, message) = match self.state.desired {
            DesiredState::Running => (reason, None),
            DesiredState::Paused => ("Paused", Some("Paused on request: follows prices, sends no order.")),
            DesiredState::Stopped => ("Stopped", Some("Stopped on request.")),
        };
        if self.state.told == reason && self.state.decision.reason == reason {
            self.state.holding = Some(reason);
            return;
        }
        let message = message.map_or_else(|| self.words_for(reason), str::to_owned);
        let decision = Decision::new(reason, message);
        if self.state.told == reason {
            // Since it was told, an order was denied for a reason that had been told too.
            self.state.decide(decision);
        } else {
            self.scope(turn).decide(decision);
        }
    }

    fn words_for(&self, reason: &'static str) -> String {
        if reason == WARMING_UP { self.bars_missing() } else { self.strategy.explain(reason) }
    }

    /// The store went back in time: sequences up to this one are used.
    pub(super) fn on_recovered(&mut self, turn: &mut Turn, highest: u64) {
        self.state.sequence = self.state.sequence.max(highest.min(ClientOrderId::SEQUENCE_MAX));
        self.scope(turn).next_sequence();
    }

    fn on_gap(&mut self, turn: &mut Turn, gap: Gap) {
        self.strategy.on_gap();
        self.state.bars.on_gap(InstrumentIndex::FIRST);
        self.state.gap = Some(gap);
        let message = format!("Ticks {} to {} are missing: highs and lows start afresh.", gap.first, gap.last);
        turn.alarm(&self.config, AlertKind::MarketDataGap, message, gap.count());
    }
}
