//! Limits and exits at each tick, after its fills and before the strategy's orders: what is breached or reached is latched,
//! and done at once. What was latched is released here too.

use super::turn::Turn;
use super::{Effect, Engine};
use crate::instrument::InstrumentIndex;
use crate::messages::{AlertKind, Fill, Severity, Side, Tick};
use crate::numbers::{Notional, NumberError, Ratio};
use crate::orders::{Cause, Order};
use crate::risk::{
    ExitParameters, ExitRule, Latch, Limit, OnBreach, Release, Released, RiskParameters, RiskState, Standing, Worth,
};
use crate::strategies::Warning;
use crate::time::Timestamp;

impl Engine {
    /// Judges limits, then exits, at this tick; called where it [judges](Engine::judges).
    pub(super) fn hold_to_limits(&mut self, turn: &mut Turn, tick: &Tick) {
        if self.state.risk == RiskState::Halted {
            return;
        }
        self.keep_measures();
        let judged = self.judge_limits(turn, tick).and_then(|worth| self.judge_exit(turn, tick, &worth));
        if judged.is_err() {
            return self.halt(turn, AlertKind::LedgerBroken, "what limits are held against cannot be exact");
        }
        self.cancel_held_back(turn, tick);
        self.go_on_flattening(turn);
        self.judges_anew();
    }

    /// Whether it must judge on the next tick. Only what is done here, and what is asked, changes it.
    fn judges_anew(&mut self) {
        self.judges = self.config.risk.is_judged() || self.config.exit.is_some() || self.state.stops.moves();
    }

    /// Cancels what must not be open while something is latched: also an order that stays because the one in its place came
    /// too late.
    fn cancel_held_back(&mut self, turn: &mut Turn, tick: &Tick) {
        let stops = &self.state.stops;
        if stops.exit().is_some() || stops.flattens() {
            self.cancel_all(turn, tick, false);
        } else if !stops.limits().is_empty() {
            self.cancel_all(turn, tick, true);
        }
    }

    /// What all is worth at the last prices.
    fn worth(&self) -> Result<Worth, NumberError> {
        let exposure = match self.config.risk.exposure_limit() {
            Some(_) => self.state.exposure(None)?,
            None => Notional::ZERO,
        };
        Ok(Worth { equity: self.state.equity()?, peak: self.state.peak, exposure })
    }

    fn judge_limits(&mut self, turn: &mut Turn, tick: &Tick) -> Result<Worth, NumberError> {
        let (time, worth) = (tick.event_time(), self.worth()?);
        self.state.stops.measures.follow(&self.config.risk, time, &worth);
        for limit in Limit::ALL {
            if self.state.stops.is_latched(limit) {
                continue;
            }
            let Some(breach) = self.state.stops.measures.breach(limit, &self.config.risk, &worth) else { continue };
            let (action, has_ended) = (self.config.risk.on_breach, self.state.stops.exit().is_some());
            let (message, shown) = (limit.words(&breach), (breach.figure.clone(), breach.threshold.clone()));
            // After an exit nothing more is sent but what that asks for.
            let since = self.state.stops.since(limit.as_str(), time);
            let latch = Latch::new(since, self.tick_now(), breach, action.flattens() && !has_ended);
            self.state.stops.latch(limit, latch);
            self.tell_latched(turn, limit.alert(), format!("{message}: {}.", done(action)), shown);
            self.cancel_all(turn, tick, action == OnBreach::StopOpening);
        }
        Ok(worth)
    }

    fn judge_exit(&mut self, turn: &mut Turn, tick: &Tick, worth: &Worth) -> Result<(), NumberError> {
        let Some(exit) = &self.config.exit else { return Ok(()) };
        let Some(standing) = self.standing(tick, worth)? else { return Ok(()) };
        let measures = &mut self.state.stops.exit_measures;
        measures.follow(exit, &standing);
        if self.state.stops.exit().is_some() {
            return Ok(());
        }
        let (action, found) = (exit.action, self.state.stops.exit_measures.reached(exit, &standing)?);
        let Some((rule, breach)) = found else { return Ok(()) };
        let shown = (breach.figure.clone(), breach.threshold.clone());
        let (figure, threshold) = &shown;
        let then = if action.flattens() { "all coins are sold" } else { "the coins are kept" };
        let message = format!("{}: {} is {figure}, held against {threshold}: {then}.", rule.as_str(), rule.what());
        let since = self.state.stops.since(rule.as_str(), tick.event_time());
        let latch = Latch::new(since, self.tick_now(), breach, action.flattens());
        self.state.stops.reach(rule, latch);
        self.state.holding = None;
        self.tell_latched(turn, AlertKind::ExitReached, message, shown);
        self.cancel_all(turn, tick, false);
        Ok(())
    }

    fn standing(&self, tick: &Tick, worth: &Worth) -> Result<Option<Standing>, NumberError> {
        let (ledger, first) = (&self.state.ledger, self.state.markets.tick_of(InstrumentIndex::FIRST));
        let opening = ledger.opening_equity_in(ledger.currency()).ok().flatten();
        let Some((opening, price)) = opening.zip(first.map(|tick| tick.price)) else { return Ok(None) };
        let coins = if self.config.instruments.len() > 1 { None } else { ledger.positions().next() };
        let coins =
            coins.map(|coins| Ok::<_, NumberError>((coins.worth_at(price)?, coins.cost(), coins.average_price())));
        let Ok(given) = self.transferred() else { return Ok(None) };
        let (equity, peak, time) = (worth.equity.minus(given)?, worth.peak.minus(given)?, tick.event_time());
        Ok(Some(Standing { equity, peak, opening, price, coins: coins.transpose()?, time }))
    }

    /// The 0-based index of the last tick taken.
    const fn tick_now(&self) -> u64 {
        self.state.ticks.saturating_sub(1)
    }

    fn tell_latched(&self, turn: &mut Turn, kind: AlertKind, message: String, shown: (String, String)) {
        let (current_value, threshold) = shown;
        turn.alert(&self.config, Severity::Critical, Warning { kind, message, current_value, threshold });
        turn.effects.push(Effect::StateChanged);
    }

    /// Cancels open orders: of the strategy's own all, or those that open.
    fn cancel_all(&mut self, turn: &mut Turn, tick: &Tick, only_openings: bool) {
        let own = self.state.orders.iter().filter(|order| !order.flattens);
        let cancelled = own.filter(|order| !only_openings || order.side == Side::Buy).map(Order::sequence);
        for sequence in cancelled.collect::<Vec<_>>() {
            self.scope(turn).cancel(sequence, Cause::of(tick));
        }
    }

    /// A trade of a sale counts towards the losses, where these are bounded.
    pub(super) fn count_sale(&mut self, order: &Order, fill: &Fill, before: Option<Notional>) {
        if self.config.risk.max_consecutive_losses.is_none() || order.side != Side::Sell {
            return;
        }
        if let Some(made) = before.zip(self.made_in(fill)).and_then(|(before, after)| after.minus(before).ok()) {
            self.state.stops.measures.sold(order.sequence(), made);
        }
    }

    /// What was made in the market of a trade so far, without what its coins are worth.
    pub(super) fn made_in(&self, fill: &Fill) -> Option<Notional> {
        let position = self.state.ledger.positions().find(|position| *position.symbol() == fill.symbol)?;
        position.made().ok()
    }

    /// An order has ended: a sale by what it made, any order by whether the venue has rejected it.
    pub(super) fn count_ended(&mut self, turn: &Turn, order: &Order, is_rejected: bool) {
        let measures = &mut self.state.stops.measures;
        if self.config.risk.max_consecutive_losses.is_some() && order.side == Side::Sell {
            measures.sale_ended(order.sequence());
        }
        if let Some(cooldown) = self.config.risk.cooldown.filter(|_| is_rejected) {
            measures.cooling.rejected(cooldown, turn.now);
        }
    }

    /// Goes on under the limits and the exit of now, which may be others than before. What is latched stays so.
    pub(super) fn follow_bounds(&mut self) {
        self.keep_measures();
        self.judges_anew();
    }

    /// Forgets what no limit and no exit of now needs.
    fn keep_measures(&mut self) {
        let last = self.state.markets.last().map(Tick::event_time);
        self.state.stops.measures.keep_for(&self.config.risk);
        self.state.stops.exit_measures.keep_for(self.config.exit.as_ref(), last);
    }

    /// The limits and the exit that it follows.
    pub const fn bounds(&self) -> (&RiskParameters, Option<&ExitParameters>) {
        (&self.config.risk, self.config.exit.as_ref())
    }

    /// Releases what is latched under this name since then, and starts its measure anew at the last prices. Of anything else
    /// nothing is done and nothing told.
    #[must_use]
    pub fn release(&mut self, now: Timestamp, release: &Release) -> Vec<Effect> {
        let mut turn = Turn::new(now);
        let Some(released) = self.state.stops.released(release) else { return turn.effects };
        let equity = self.state.equity().unwrap_or(self.state.peak);
        let kind = match released {
            Released::Limit(limit) => {
                self.state.stops.measures.restart(limit, equity);
                limit.alert()
            }
            Released::Exit(rule) => {
                let earned = self.transferred().ok().and_then(|given| equity.minus(given).ok()).unwrap_or(equity);
                self.state.stops.exit_measures.restart(rule, earned);
                AlertKind::ExitReached
            }
        };
        if !self.state.stops.flattens() {
            self.state.stops.sold_on = None;
        }
        self.state.holding = None;
        self.judges_anew();
        let message = format!("{release} is released; its measure starts anew.");
        let warning = Warning { kind, message, current_value: String::new(), threshold: String::new() };
        turn.alert(&self.config, Severity::Info, warning);
        turn.effects.push(Effect::StateChanged);
        turn.effects
    }

    /// The limits that are latched, by the tick on which each was breached, then in their order.
    pub fn latched_limits(&self) -> &[(Limit, Latch)] {
        self.state.stops.limits()
    }

    /// The exit that was reached.
    pub const fn exit_reached(&self) -> Option<&(ExitRule, Latch)> {
        self.state.stops.exit()
    }

    /// Whether it opens nothing, whatever its strategy finds: it is halted, a limit is latched, or an exit was reached.
    pub fn is_held_back(&self) -> bool {
        self.state.is_held_back()
    }

    /// Whether an exit was reached and all that it asks for is done.
    pub fn has_exited(&self) -> bool {
        self.state.stops.exit().is_some() && !self.state.stops.flattens() && self.state.orders.is_empty()
    }

    /// How much of each limit is used up: 1 is all of it.
    pub fn limits_used(&self) -> Vec<(Limit, Ratio)> {
        if !self.config.risk.is_judged() || self.state.markets.without_tick().is_some() {
            return Vec::new();
        }
        let Ok(worth) = self.worth() else {
            return Vec::new();
        };
        let used = |limit| Some((limit, self.state.stops.measures.used(limit, &self.config.risk, &worth)?));
        Limit::ALL.into_iter().filter_map(used).collect()
    }
}

const fn done(action: OnBreach) -> &'static str {
    match action {
        OnBreach::StopOpening => "nothing is opened before it is released",
        OnBreach::CancelOrders => "all orders are cancelled, and nothing is opened before it is released",
        OnBreach::Flatten => "all coins are sold, and nothing is opened before it is released",
    }
}
