//! One seeded world: a market, both roles, trouble for a while, then quiet, then the audit.

use std::collections::{BTreeMap, BTreeSet};

use bus::Topic;
use engine::client_order_id::ClientOrderId;
use engine::strategies::DesiredState;
use engine::testkit::quoting::Chance;

use super::account::{Account, Role, tick};
use super::auditor;
use super::bus::Trouble;
use super::kind;
use super::script::Weather;

/// Steps with trouble.
const WILD_STEPS: u64 = 120;
/// Steps without any news, after which both views must agree with the exchange's.
const QUIET_STEPS: u64 = 40;
/// Steps without trouble within which it must have become so quiet.
const CALM_STEPS: u64 = 1_000;

/// Which role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Gateway,
    Worker,
}

pub(super) struct World {
    chance: Chance,
    account: Account,
    gateway: Role,
    worker: Role,
    weather: Weather,
    /// Frozen at a commit while a successor took over; some wake up later.
    zombies: Vec<(u64, Role)>,
    restarts: usize,
    woke_up: usize,
    strangers: usize,
    cents: i64,
    sequence: u64,
}

/// Entries that are lost at most: one, and fewer answers about it than a worker asks for.
const LOST_MAX: usize = 3;

/// Steps of quiet time after which the worker asks for its open orders.
const ASK_AGAIN_STEPS: u64 = 30;

/// How often what was met.
pub(super) type Met = BTreeMap<String, usize>;

impl World {
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        let account = Account::at(kind::drawn(&mut chance));
        let weather =
            Weather { is_dark: chance.one_in(5), orders_stay: chance.one_in(2), understates: chance.one_in(3) };
        account.exchange.draw_from(Some(chance.clone()), weather);
        if chance.one_in(3) {
            account.exchange.confuse_answers();
        }
        let (gateway, worker) = (account.start_gateway(1), account.start_worker(1));
        Self {
            chance,
            account,
            gateway,
            worker,
            weather,
            zombies: Vec::new(),
            restarts: 0,
            woke_up: 0,
            strangers: 0,
            cents: 60_000,
            sequence: 0,
        }
    }

    /// The story of this world: what the auditor finds wrong, and what was met on the way.
    pub fn run(mut self) -> (Vec<String>, Met) {
        for _ in 0..WILD_STEPS {
            self.trouble();
            self.go_on(true);
        }
        // Where orders stay until they are cancelled, they are, and that can fail at first; elsewhere they must
        // end by themselves.
        let wish = if self.weather.orders_stay { DesiredState::Stopped } else { DesiredState::Running };
        self.account.wish(wish);
        self.go_on(true);
        self.account.bus.forget_plan();
        self.account.exchange.draw_from(None, Weather::default());
        while !self.zombies.is_empty() {
            self.wake();
        }
        let mut findings = Vec::new();
        if !self.becomes_quiet() {
            findings.push("it never becomes quiet".to_owned());
        }
        findings.extend(auditor::audit(&self.account));
        (findings, self.met())
    }

    fn becomes_quiet(&mut self) -> bool {
        let mut quiet = 0;
        for step in 1..=CALM_STEPS {
            if step % ASK_AGAIN_STEPS == 0 {
                self.account.ask_again();
            }
            let before = self.account.bus.count(self.account.strategy.inbox());
            self.go_on(false);
            let told = self.account.bus.count(self.account.strategy.inbox()) > before;
            quiet = if told { 0 } else { quiet + 1 };
            if quiet == QUIET_STEPS {
                return true;
            }
        }
        false
    }

    fn met(&self) -> Met {
        let mut met = Met::new();
        for entry in self.account.bus.committed(self.account.strategy.inbox()) {
            *met.entry(entry["reason"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
            *met.entry(entry["status"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let requests = self.account.exchange.requests();
        let ids: BTreeSet<_> = requests.iter().map(|(id, _)| id).collect();
        met.insert("SentAgain".to_owned(), requests.len() - ids.len());
        met.insert("NeverSent".to_owned(), self.account.in_doubt_for_good().len());
        met.insert("Restarted".to_owned(), self.restarts);
        met.insert("WokeUp".to_owned(), self.woke_up);
        met.insert("NewsLost".to_owned(), self.account.bus.lost());
        met.insert("StrangerReported".to_owned(), self.strangers);
        let alerts = self.account.bus.committed(&self.account.topic(Topic::RiskAlert));
        let told = alerts.iter().filter(|alert| alert["kind"] == "OrderAnomaly").count();
        met.insert("StrangerTold".to_owned(), told);
        met.extend(self.account.exchange.met().into_iter().map(|(what, count)| (what.to_owned(), count)));
        met
    }

    fn wake(&mut self) {
        if let Some((number, mut zombie)) = self.zombies.pop() {
            // It goes on where it stopped; whatever it does must harm nobody.
            self.account.bus.release(number);
            self.woke_up += 1;
            zombie.step();
        }
    }

    fn trouble(&mut self) {
        if self.chance.one_in(6) {
            let trouble = match self.chance.below(3) {
                0 => Trouble::Before,
                1 => Trouble::After,
                _ => Trouble::Torn,
            };
            let owner = if self.chance.one_in(3) { &self.account.strategy } else { &self.account.gateway };
            let after = u32::try_from(self.chance.below(4)).unwrap();
            self.account.bus.plan(&owner.clone(), after, trouble);
        }
        if self.chance.one_in(12) {
            // Now and then for so long that commands expire while nothing can be settled.
            let longest = if self.chance.one_in(8) { 60_000 } else { 8_000 };
            self.account.exchange.fall_silent(self.chance.below_i64(longest));
        }
        if self.chance.one_in(20) {
            self.account.exchange.disconnect(self.chance.below_i64(5_000));
        }
        if self.chance.one_in(20) {
            self.report_stranger();
        }
        if self.chance.one_in(15) {
            // As a worker does that has heard nothing for long.
            let commands = self.account.bus.committed(&self.account.topic(Topic::OrderCommand));
            let which = usize::try_from(self.chance.below(commands.len() as u64)).unwrap();
            if let Some(command) = commands.get(which).filter(|command| command["command"] == "Create") {
                self.account.command(command);
            }
        }
        if self.chance.one_in(15) {
            let wish = if self.chance.one_in(2) { DesiredState::Paused } else { DesiredState::Running };
            self.account.wish(wish);
        }
        if self.chance.one_in(10) {
            self.wake();
        }
        // A lost entry that told of a trade after its order's end cannot be told again: the strategy halts, which has its
        // own test, `what_cannot_be_told_again_halts_the_strategy_for_good`.
        // One whose answers are all lost too halts as well.
        if !self.weather.understates && self.account.bus.lost() < LOST_MAX && self.chance.one_in(30) {
            self.account.bus.lose_next(self.account.strategy.inbox());
        }
    }

    /// An order that nobody here has made, of another ledger or of this one.
    fn report_stranger(&mut self) {
        let Some(mut report) = self.account.exchange.placed().first().map(|placed| placed.shown(0)) else { return };
        let ledger = if self.chance.one_in(2) { "other" } else { &self.account.ledger };
        report.client_order_id = ClientOrderId::new(ledger.parse().unwrap(), 900_000 + self.sequence);
        self.account.exchange.report_foreign(report);
        self.strangers += 1;
    }

    /// Time passes, the price moves, both roles do what they can.
    fn go_on(&mut self, wild: bool) {
        let (time, step) =
            if wild { (50 + self.chance.below_i64(900), self.chance.below_i64(1_601) - 800) } else { (700, 0) };
        self.account.bus.clock().advance(time);
        self.cents = (self.cents + step).clamp(30_000, 90_000);
        self.account.tick(&tick(self.sequence, self.cents, self.account.bus.clock().now()));
        self.sequence += 1;
        for _ in 0..2 {
            let first = if self.chance.one_in(2) { Who::Gateway } else { Who::Worker };
            let second = if first == Who::Gateway { Who::Worker } else { Who::Gateway };
            self.step(first);
            self.step(second);
        }
    }

    fn step(&mut self, who: Who) {
        let role = match who {
            Who::Gateway => &mut self.gateway,
            Who::Worker => &mut self.worker,
        };
        if let Some(ended) = role.step() {
            panic!("{who:?} ended: {ended:?}");
        }
        if let Some((number, _)) = self.account.bus.take_stopped() {
            self.restarts += 1;
            let next = role.epoch + self.chance.below(2);
            let successor = match who {
                Who::Gateway => self.account.start_gateway(next),
                Who::Worker => self.account.start_worker(next),
            };
            let stopped = std::mem::replace(role, successor);
            // Half of them crash, the others are only frozen.
            if self.chance.one_in(2) {
                self.zombies.push((number, stopped));
            }
        }
    }
}
