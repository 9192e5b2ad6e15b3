//! A tick: limits first, then news of orders on it, then the strategy.

use super::Engine;
use super::bars::WARMING_UP;
use super::context::{Context, Ended};
use super::scope::Scope;
use super::sequence::{Follows, Gap, follows, is_next};
use super::state::Judged;
use super::turn::Turn;
use crate::client_order_id::ClientOrderId;
use crate::instrument::InstrumentIndex;
use crate::messages::{AlertKind, Severity, Tick};
use crate::numbers::{Notional, NumberError, Ratio};
use crate::report::Decision;
use crate::risk::{EXIT_REACHED, RiskState};
use crate::strategies::{DesiredState, Warning};

impl Engine {
    pub(super) fn on_tick(&mut self, turn: &mut Turn, tick: &Tick) {
        let index = self.state.markets.again(tick).or_else(|| self.config.instruments.index_of(&tick.symbol));
        let Some(index) = index else {
            return self.leave_out(turn, tick);
        };
        if !self.is_new(turn, index, tick) {
            return;
        }
        self.state.ticks = self.state.ticks.saturating_add(1);
        self.state.as_of = turn.now;
        self.state.markets.take(index, tick);
        self.round = 0;
        if let Err(error) = self.state.ledger.open_market_at(index.get(), tick.price) {
            self.halt(turn, AlertKind::LedgerBroken, &format!("the opening coins cannot be valued: {error}"));
        }
        if let Some(place) = self.state.markets.without_tick() {
            // No strategy is called yet, but its bars are made.
            self.state.bars.take(index, tick);
            return self.wait_for(turn, place);
        }
        if self.owes_transfers {
            self.decide_transfers(turn);
        }
        self.follow(turn);
        if self.judges {
            self.hold_to_limits(turn, tick);
        }
        if !self.state.news.is_empty() {
            self.tell_kept(turn, tick);
        }
        let before = turn.effects.len();
        let may_act = self.state.bars.is_empty() || self.on_bars(turn, index, tick);
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
            self.judge(turn);
            turn.effects.extend(done);
        }
        match ended {
            Ended::Held(reason) => self.hold(turn, reason),
            Ended::Silent if self.is_at_rest() => self.hold(turn, ""),
            Ended::Silent if !self.state.bars.is_empty() => self.end_of_warming_up(),
            Ended::Acted | Ended::Silent => {}
        }
    }

    /// A tick of a market that is not the strategy's: it changes nothing, and that it came is told once.
    fn leave_out(&mut self, turn: &mut Turn, tick: &Tick) {
        let before = self.state.foreign_ticks;
        self.state.foreign_ticks = before.saturating_add(1);
        if before == 0 {
            let message = format!("Ticks of {} come, which it does not trade: they are left out.", tick.symbol);
            turn.alarm(&self.config, AlertKind::TickAnomaly, message, 1);
        }
    }

    /// Before each market has a price there is no equity, so nothing is judged and nothing is done.
    fn wait_for(&mut self, turn: &mut Turn, place: usize) {
        if self.state.desired != DesiredState::Running {
            return self.hold(turn, "");
        }
        let awaited = self.config.instruments.iter().nth(place);
        let symbol = awaited.map_or_else(String::new, |(_, instrument)| instrument.symbol.to_string());
        let decision = Decision::new(Decision::waiting().reason, format!("No tick of {symbol} has arrived yet."));
        if self.state.decision.message == decision.message {
            return;
        }
        if self.state.told == decision.reason {
            self.state.decide(decision);
        } else {
            self.scope(turn).decide(decision);
        }
    }

    /// Judges the parameters at the first tick under them, and tells what is new.
    fn judge(&mut self, turn: &mut Turn) {
        let Some(first) = self.state.markets.tick_of(InstrumentIndex::FIRST) else { return };
        let price = self.judged_at(first.price);
        let first = Tick { price, ..first.clone() };
        self.state.judged = Some(Judged { parameters: self.parameters_hash(), price });
        self.warnings = self.strategy.warnings(&first, &self.config.fees);
        let kinds: Vec<_> = self.warnings.iter().map(|warning| warning.kind).collect();
        for warning in self.warnings.iter().filter(|warning| !self.state.warned.contains(&warning.kind)) {
            turn.alert(&self.config, Severity::Warning, warning.clone());
        }
        self.state.warned = kinds;
    }

    /// Whether a tick of this market is to be taken: one that was delivered before is not.
    fn is_new(&mut self, turn: &mut Turn, index: InstrumentIndex, tick: &Tick) -> bool {
        let is_again = self.state.markets.last_market() == index;
        let Some(market) = self.state.markets.get_mut(index) else { return false };
        if is_again && market.last_tick.as_ref().is_some_and(|last| is_next(last, tick)) {
            market.behind = false;
            return true;
        }
        let follows = match &market.last_tick {
            None => {
                self.state.bars.on_join(index, tick);
                Follows::Next
            }
            Some(last) => follows(last, market.gap, tick),
        };
        match follows {
            Follows::Next => market.behind = false,
            Follows::After(gap) => {
                (market.gap, market.behind) = (Some(gap), false);
                self.on_gap(turn, index, gap);
            }
            Follows::Same => return false,
            Follows::Before => {
                let expected = market.last_tick.as_ref().map_or(0, |last| last.sequence.saturating_add(1));
                if !std::mem::replace(&mut market.behind, true) {
                    let message = format!(
                        "Ticks{} from {} on are delivered again: they are left out until tick {expected} comes.",
                        self.of_market(index),
                        tick.sequence
                    );
                    turn.alarm(&self.config, AlertKind::MarketDataGap, message, expected.abs_diff(tick.sequence));
                }
                return false;
            }
            // What was taken under the higher number may have been false: it is seen, it goes on, nothing is traded.
            Follows::Contradiction(why) => {
                (market.gap, market.behind) = (None, false);
                self.halt(turn, AlertKind::TickAnomaly, &why);
                self.strategy.on_gap(index);
                self.state.bars.on_gap(index);
                return true;
            }
        }
        self.is_in_order(turn, index, tick);
        true
    }

    /// What comes of one market after a tick of another has a higher number at their source, or the numbers do not tell
    /// the truth.
    fn is_in_order(&mut self, turn: &mut Turn, index: InstrumentIndex, tick: &Tick) {
        let Some(last) = self.state.markets.last() else { return };
        if self.state.markets.last_market() == index || last.source_sequence < tick.source_sequence {
            return;
        }
        let (number, before) = (tick.source_sequence, last.source_sequence);
        let why = format!("tick {number} of {} came after tick {before} of {}", tick.symbol, last.symbol);
        self.halt(turn, AlertKind::TickAnomaly, &why);
        self.strategy.on_gap(index);
        self.state.bars.on_gap(index);
    }

    /// Names a market in a sentence, where there are several.
    fn of_market(&self, index: InstrumentIndex) -> String {
        let instruments = &self.config.instruments;
        if instruments.len() > 1 { format!(" of {}", instruments.at(index).symbol) } else { String::new() }
    }

    /// Values the books at the last prices and evaluates the position limits, before any signal; not where all that follows
    /// is known to stay as it is.
    fn follow(&mut self, turn: &mut Turn) {
        if self.valuation.is_calm_at_price(&self.state) {
            return;
        }
        let valued = self.valuation.position(&self.state).and_then(|position| {
            let position = position.unwrap_or_default();
            Ok((position, position.plus(self.state.ledger.quote())?))
        });
        let Ok((position, equity)) = valued else {
            self.valuation.forget();
            return self.halt(turn, AlertKind::LedgerBroken, "the equity cannot be exact in 28 digits");
        };
        if self.valuation.is_calm(&self.state, position) {
            return;
        }
        let Ok(fall_is_known) = self.follow_peak(equity) else {
            self.valuation.forget();
            return self.halt(turn, AlertKind::LedgerBroken, "the equity cannot be exact in 28 digits");
        };
        self.follow_limits(turn, position, equity);
        if fall_is_known {
            self.valuation.is_known(&self.state, position);
        } else {
            self.valuation.forget();
        }
    }

    /// Follows peak and fall; says whether the fall, if there is one, could be followed.
    fn follow_peak(&mut self, equity: Notional) -> Result<bool, NumberError> {
        if equity >= self.state.peak {
            self.state.peak = equity;
            return Ok(true);
        }
        let fall = self.state.peak.minus(equity)?.share_of(self.state.peak);
        self.state.max_drawdown = self.state.max_drawdown.max(fall.unwrap_or_default());
        Ok(fall.is_some() || self.state.peak == Notional::ZERO)
    }

    /// Evaluates the position limits.
    fn follow_limits(&mut self, turn: &mut Turn, position: Notional, equity: Notional) {
        if self.state.risk == RiskState::Halted {
            return;
        }
        let limits = self.limits;
        let risk = limits.state(position, equity);
        if risk == self.state.risk {
            return;
        }
        self.state.risk = risk;
        let (severity, message, threshold) = match risk {
            RiskState::AllowAll | RiskState::Halted => {
                (Severity::Info, "The position is within its limits again.", None)
            }
            RiskState::BuyOnly => {
                (Severity::Warning, "The coins are worth too little of the equity: only buys are sent.", limits.min)
            }
            RiskState::SellOnly => {
                (Severity::Warning, "The coins are worth too much of the equity: only sells are sent.", limits.max)
            }
            RiskState::ReduceOnly => {
                (Severity::Critical, "Nothing is left of the equity: only what reduces is sent.", None)
            }
        };
        let warning = Warning {
            kind: AlertKind::PositionLimit,
            message: message.to_owned(),
            current_value: position.share_of(equity).unwrap_or_default().percent().to_string(),
            threshold: threshold.unwrap_or(Ratio::ZERO).percent().to_string(),
        };
        turn.alert(&self.config, severity, warning);
    }

    /// Whether it sends nothing of its own, whatever its strategy finds: on request, or because an exit was reached.
    pub(super) const fn is_at_rest(&self) -> bool {
        !matches!(self.state.desired, DesiredState::Running) || self.state.stops.exit().is_some()
    }

    #[inline]
    pub(super) fn hold(&mut self, turn: &mut Turn, reason: &'static str) {
        if !self.state.holding.is_some_and(|held| std::ptr::eq(held, reason)) {
            self.hold_for(turn, reason);
        }
    }

    /// Not for most ticks, on which the reason is that of the tick before.
    #[inline(never)]
    fn hold_for(&mut self, turn: &mut Turn, reason: &'static str) {
        let (reason, message) = match (self.state.desired, self.state.stops.exit()) {
            (DesiredState::Paused, _) => ("Paused", Some("Paused on request: follows prices, sends no order.")),
            (DesiredState::Stopped, _) => ("Stopped", Some("Stopped on request.")),
            (DesiredState::Running, Some(_)) => (EXIT_REACHED, Some("An exit was reached: nothing more is sent.")),
            (DesiredState::Running, None) => (reason, None),
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

    fn on_gap(&mut self, turn: &mut Turn, index: InstrumentIndex, gap: Gap) {
        self.strategy.on_gap(index);
        self.state.bars.on_gap(index);
        let (of, first, last) = (self.of_market(index), gap.first, gap.last);
        let message = format!("Ticks {first} to {last}{of} are missing: highs and lows start afresh.");
        turn.alarm(&self.config, AlertKind::MarketDataGap, message, gap.count());
    }
}
