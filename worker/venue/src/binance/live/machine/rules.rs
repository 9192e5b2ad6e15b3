//! Rules of the followed markets: asked for once, then each hour and after a loss.

use std::collections::BTreeMap;

use engine::instrument::Symbol;
use engine::time::Timestamp;

use super::super::clock::Now;
use super::super::exchange_info::ExchangeInfo;
use super::super::faults::Failure;
use super::{Action, Machine};
use crate::binance::symbols;
use crate::live::{MarketRules, MarketState, News};

/// Rules are asked for again after so long.
const REFRESH_MILLIS: u64 = 3_600_000;
/// And no sooner than this, however often connections are lost.
const LEAST_MILLIS: u64 = 60_000;
/// A clock that is off by more is told of.
const CLOCK_OFF_MILLIS: i64 = 1_000;

/// When rules are asked for.
#[derive(Debug, Default)]
pub(super) struct Asking {
    under_way: bool,
    due_at: u64,
    asked_at: u64,
    failed: bool,
    /// The venue's clock minus this machine's, as it was told of last.
    told_offset: i64,
}

impl Machine {
    /// Rules may have changed.
    pub(super) fn refresh_rules(&mut self, now: u64) {
        let soonest = now.max(self.rules.asked_at.saturating_add(LEAST_MILLIS));
        self.rules.due_at = self.rules.due_at.min(soonest);
    }

    /// A market whose trades stop while its connection lives may have halted: the venue's list says it, its streams do not.
    pub(super) fn look_at_quiet_markets(&mut self, now: u64) {
        if !self.is_up() {
            return;
        }
        let mut any = false;
        for market in self.markets.values_mut() {
            any |= market.may_have_halted(now);
        }
        if any {
            self.refresh_rules(now);
        }
    }

    /// Asks for the rules of all followed markets, if it is time.
    pub(super) fn ask_rules(&mut self, now: u64) {
        let is_due = now >= self.rules.due_at || self.followed.values().any(|followed| followed.rules.is_none());
        if self.followed.is_empty() || self.rules.under_way || !is_due || now < self.requests.next_at {
            return;
        }
        let its = self.followed.keys().filter(|symbol| self.product.has(symbol));
        let names: std::collections::BTreeSet<String> = its.map(symbols::name).collect();
        (self.rules.under_way, self.rules.asked_at) = (true, now);
        self.actions.push(Action::AskRules { host: self.requests.host, names: names.into_iter().collect() });
    }

    /// The rules could not be had.
    pub(in super::super) fn rules_failed(&mut self, failure: &Failure, now: u64) {
        self.rules.under_way = false;
        if self.request_failed(failure, now) && !std::mem::replace(&mut self.rules.failed, true) {
            let words = format!("rules of the markets: {}; those that are known stay", failure.fault);
            self.news.push_back(News::Notice(words));
        }
    }

    /// The rules came, `took` milliseconds after they were asked for.
    pub(in super::super) fn rules_came(&mut self, info: &ExchangeInfo, took: u64, now: Now) {
        (self.rules.under_way, self.rules.failed) = (false, false);
        self.rules.due_at = now.millis.saturating_add(REFRESH_MILLIS);
        self.request_served();
        self.judge_clock(info.server_time, took, now.wall);
        let mut changed = BTreeMap::new();
        let mut entering = Vec::new();
        for (symbol, followed) in &mut self.followed {
            let rules = rules_of(symbol, info);
            if followed.rules.as_ref() == Some(&rules) {
                continue;
            }
            if rules.state != MarketState::Unknown && !self.markets.contains_key(&symbols::name(symbol)) {
                entering.push((symbol.clone(), followed.known));
            }
            changed.insert(symbol.clone(), rules.clone());
            followed.rules = Some(rules);
        }
        for (symbol, known) in entering {
            let name = symbols::name(&symbol);
            self.enter(symbol, &name, known);
        }
        if !changed.is_empty() {
            self.news.push_back(News::Rules(changed));
        }
    }

    /// Tells of a clock that is wrong. The answer was written at some moment of the time that it took.
    fn judge_clock(&mut self, server: Timestamp, took: u64, wall: Timestamp) {
        let took = i64::try_from(took).unwrap_or(i64::MAX);
        let offset = server.millis().saturating_sub(wall.millis().saturating_sub(took / 2));
        if offset.abs() <= CLOCK_OFF_MILLIS + took / 2 || (offset - self.rules.told_offset).abs() <= CLOCK_OFF_MILLIS {
            return;
        }
        self.rules.told_offset = offset;
        let (amount, direction) = (offset.abs(), if offset > 0 { "behind" } else { "ahead of" });
        self.news.push_back(News::Notice(format!(
            "this machine's clock is {amount} ms {direction} the exchange's; trades keep the exchange's times, but ages are \
             wrong by as much; let the machine set its clock by NTP"
        )));
    }
}

/// What the venue says of one market.
fn rules_of(symbol: &Symbol, info: &ExchangeInfo) -> MarketRules {
    match info.markets.iter().find(|listed| listed.symbol == symbol.as_str()) {
        Some(listed) => MarketRules { state: listed.state, steps: listed.steps.clone(), suggestion: None },
        None => MarketRules { state: MarketState::Unknown, steps: None, suggestion: info.nearest(symbol) },
    }
}
