//! One seeded fleet: strategies of several kinds on one account, its gateway, a market, trouble at any commit, a human who
//! interferes, and an audit whenever all of it has come to rest.

use std::collections::BTreeMap;

use bus::Topic;
use crds::record::{PHASE, POSITION};
use crds::roles::{BookSpec, GatewayDesired, Stance};
use engine::messages::{Fill, Inbox, OrderCommand, Tick};
use engine::report::Trade;
use engine::testkit::quoting::Chance;
use rust_decimal::Decimal;
use serde_json::json;

use super::super::account::{Account, Role};
use super::super::bus::Trouble;
use super::auditor::Books;
use super::member::Member;
use super::{Met, drawn, market};
use crate::commands::backtest;

/// Ticks between two audits.
const AUDIT_EACH: usize = 200;
/// Rounds of a second without a commit after which nothing is under way.
const QUIET_ROUNDS: u32 = 12;
/// Rounds within which that must be so.
const CALM_ROUNDS: u32 = 20_000;

pub(super) struct Fleet {
    pub chance: Chance,
    pub gateway: Role,
    pub members: Vec<Member>,
    ticks: Vec<Tick>,
    published: usize,
    /// Number and price of each tick, by its place in the stream.
    prices: BTreeMap<String, (u64, Decimal)>,
    /// Frozen at a commit while a successor took over.
    frozen: Vec<(u64, Role)>,
    heard: usize,
    /// Nothing is released: what is latched stays so, as in `backtest`.
    pub is_untouched: bool,
    /// The auditor overhears the next trade.
    overhears: bool,
    met: Met,
}

/// The book of a strategy in its gateway's register.
pub(super) fn book(account: &Account, stance: Stance) -> BookSpec {
    let capital = account.spec.spec.capital.clone();
    BookSpec::new(account.spec.name.clone(), account.ledger.parse().unwrap(), capital, stance)
}

impl Fleet {
    pub fn of(seed: u64, ticks: u64) -> Self {
        let mut chance = Chance::of(seed);
        let ticks = market::ticks(&mut chance, ticks);
        let mut specs = drawn::strategies(&mut chance).into_iter();
        let mut first = Account::trading(specs.next().unwrap(), drawn::registry());
        let mut accounts: Vec<_> = specs.map(|spec| first.beside(spec, drawn::registry())).collect();
        let all = || std::iter::once(&first).chain(&accounts);
        let desired = GatewayDesired::of(all().map(|account| book(account, Stance::Open)).collect());
        first.register(&first.gateway.clone(), &desired);
        let mut gateway = first.start_paper_gateway(1);
        accounts.insert(0, first);
        let price = ticks[0].price.get();
        let mut members: Vec<_> = accounts.into_iter().map(|account| Member::at(account, price)).collect();
        // Who starts behind ticks joins at the last of them.
        assert!(gateway.step().is_none() && members.iter_mut().all(|member| member.worker.step().is_none()));
        Self {
            is_untouched: chance.one_in(3),
            chance,
            gateway,
            members,
            ticks,
            published: 0,
            prices: BTreeMap::new(),
            frozen: Vec::new(),
            heard: 0,
            overhears: false,
            met: Met::new(),
        }
    }

    /// The same with an auditor that does not hear of one trade.
    pub fn with_a_bad_auditor(self) -> Self {
        Self { overhears: true, ..self }
    }

    pub fn first(&self) -> &Account {
        &self.members[0].account
    }

    /// The whole part of the last price that was published.
    pub fn dollars(&self) -> i64 {
        self.ticks[self.published - 1].price.get().trunc().to_string().parse().unwrap()
    }

    /// What was met; `Err` tells what does not hold.
    pub fn run(mut self) -> Result<Met, String> {
        let mut next_audit = AUDIT_EACH;
        while self.published < self.ticks.len() {
            let count = usize::try_from(1 + self.chance.below(16)).unwrap();
            self.publish(count);
            self.trouble();
            for _ in 0..self.chance.below(24) {
                self.go_on();
            }
            if self.published >= next_audit {
                next_audit += AUDIT_EACH;
                self.audit()?;
                self.interfere();
            }
        }
        self.audit()?;
        for place in 0..self.members.len() {
            self.is_what_backtest_gives(place)?;
        }
        self.count_ends();
        Ok(self.met)
    }

    fn publish(&mut self, count: usize) {
        let end = (self.published + count).min(self.ticks.len());
        for tick in &self.ticks[self.published..end] {
            let id = self.members[0].account.tick(tick);
            self.prices.insert(id.to_string(), (tick.source_sequence, tick.price.get()));
        }
        self.published = end;
    }

    pub fn meet(&mut self, what: impl Into<String>) {
        *self.met.entry(what.into()).or_default() += 1;
    }

    fn trouble(&mut self) {
        if self.chance.one_in(3) {
            let trouble = self.chance.pick(&[Trouble::Before, Trouble::After, Trouble::Torn, Trouble::Busy]);
            let place = usize::try_from(self.chance.below(self.members.len() as u64 + 1)).unwrap();
            let owner =
                self.members.get(place).map_or(&self.first().gateway, |member| &member.account.strategy).clone();
            let after = u32::try_from(self.chance.below(6)).unwrap();
            self.first().bus.plan(&owner, after, trouble);
        }
        if self.chance.one_in(6)
            && let Some((number, mut role)) = self.frozen.pop()
        {
            // It goes on where it stopped; whatever it does must harm nobody.
            self.first().bus.release(number);
            role.step();
            // Stopped once more, it has crashed, and nobody takes over from it.
            self.first().bus.take_stopped();
            self.meet("WokeUp");
        }
    }

    fn go_on(&mut self) {
        self.first().bus.clock().advance(50);
        let place = usize::try_from(self.chance.below(self.members.len() as u64 + 1)).unwrap();
        self.step(place);
    }

    /// Lets a member's worker go on, or behind the last member the gateway.
    fn step(&mut self, place: usize) {
        let role = self.members.get_mut(place).map_or(&mut self.gateway, |member| &mut member.worker);
        if let Some(ended) = role.step() {
            panic!("role {place} ended: {ended:?}");
        }
        let next = role.epoch + self.chance.below(2);
        let Some((number, _)) = self.first().bus.take_stopped() else { return };
        let successor = match self.members.get(place) {
            Some(member) => member.worker.successor(&member.account, next),
            None => self.gateway.successor(self.first(), next),
        };
        self.meet(if place < self.members.len() { "WorkerReplaced" } else { "GatewayReplaced" });
        let role = self.members.get_mut(place).map_or(&mut self.gateway, |member| &mut member.worker);
        let stopped = std::mem::replace(role, successor);
        if self.chance.one_in(2) {
            self.frozen.push((number, stopped));
        }
    }

    /// Nothing is under way any more. Ticks on which nothing happens are not stored at once, but the last of all is.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.first().bus.forget_plan();
        let last = json!(self.ticks[self.published - 1].source_sequence);
        let is_last = self.published == self.ticks.len();
        let (mut quiet, mut commits) = (0, self.first().bus.commits());
        for _ in 0..CALM_ROUNDS {
            self.first().bus.clock().advance(1_000);
            for place in 0..=self.members.len() {
                self.step(place);
            }
            let now = self.first().bus.commits();
            let is_there = |member: &Member| !is_last || member.position().as_ref() == Some(&last);
            quiet = if now == commits && (quiet > 0 || self.members.iter().all(is_there)) { quiet + 1 } else { 0 };
            commits = now;
            if quiet == QUIET_ROUNDS {
                return Ok(());
            }
        }
        let standing = |member: &Member| {
            let field = |name: &str| member.account.field(&member.account.strategy, name).unwrap_or_default();
            format!("{} at {} {}", member.account.spec.name, field(POSITION), field(PHASE))
        };
        let standing: Vec<_> = self.members.iter().map(standing).collect();
        Err(format!("it never comes to rest behind tick {last}: {}", standing.join("; ")))
    }

    fn audit(&mut self) -> Result<(), String> {
        self.come_to_rest()?;
        self.listen();
        for member in &mut self.members {
            let stored = member.position().and_then(|number| usize::try_from(number.as_u64()?).ok());
            let Some(price) = stored.map(|number| self.ticks[number].price.get()) else {
                return Err(format!("{} has taken no tick", member.account.spec.name));
            };
            let latched = member.audit(price).map_err(|finding| {
                format!("{} behind {} ticks: {finding}", member.account.spec.name, self.published)
            })?;
            for name in latched {
                *self.met.entry(name).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Takes what the streams were told since the last time.
    fn listen(&mut self) {
        let heard = self.first().bus.committed_since(self.heard);
        self.heard += heard.len();
        let of_account = |topic| self.first().topic(topic);
        let (commands, fills) = (of_account(Topic::OrderCommand), of_account(Topic::OrderFill));
        for (stream, text) in heard {
            if stream == commands {
                let command: OrderCommand = serde_json::from_str(&text).unwrap();
                let tick = command.tick.as_ref().and_then(|id| self.prices.get(id)).copied();
                self.books_of(command.ledger.as_str()).command(&command, tick);
            } else if stream == fills && !std::mem::take(&mut self.overhears) {
                let fill: Fill = serde_json::from_str(&text).unwrap();
                self.books_of(fill.ledger.as_str()).fill(&fill);
            } else if let Some(member) = self.members.iter_mut().find(|one| *one.account.strategy.inbox() == stream) {
                match serde_json::from_str(&text).unwrap() {
                    Inbox::OrderUpdate(update) => member.books.update(&update),
                    Inbox::Recovered { .. } | Inbox::Word { .. } | Inbox::Control => {}
                }
            }
        }
    }

    fn books_of(&mut self, ledger: &str) -> &mut Books {
        &mut self.members.iter_mut().find(|member| member.account.ledger == ledger).unwrap().books
    }

    /// A strategy that no human has touched does what it does alone in `backtest`, to the byte.
    fn is_what_backtest_gives(&mut self, place: usize) -> Result<(), String> {
        let member = &self.members[place];
        if member.is_touched {
            return Ok(());
        }
        let Account { spec, ledger, registry, .. } = &member.account;
        let expected = backtest::replayed(spec, ledger, registry, &self.ticks);
        let trades: Vec<_> = expected.trades.iter().map(Trade::line).collect();
        let found = member.trades();
        if found != trades {
            let first = trades.iter().zip(&found).position(|(one, other)| one != other).unwrap_or(trades.len());
            return Err(format!("{} trades otherwise than in backtest from {first} on", spec.name));
        }
        if member.engine().saved().unwrap() != expected.state {
            return Err(format!("{} has another state than in backtest", spec.name));
        }
        self.meet("AsInBacktest");
        Ok(())
    }

    fn count_ends(&mut self) {
        for member in &self.members {
            for end in member.books.ends() {
                *self.met.entry(end).or_default() += 1;
            }
            let report = member.report();
            for transfer in report.transfers {
                *self.met.entry(format!("Transfer {:?}", transfer.state)).or_default() += 1;
            }
            let orders = report.orders;
            for (reason, count) in orders.denied_reasons {
                *self.met.entry(format!("Denied {reason}")).or_default() += count;
            }
            if let Some(pairs) = &member.books.pairs {
                *self.met.entry("MatchedTrades".to_owned()).or_default() += pairs.matched;
                *self.met.entry("MovedUp".to_owned()).or_default() += pairs.moves;
            }
        }
        let troubles = self.first().bus.troubles();
        self.met.extend(troubles);
    }
}
