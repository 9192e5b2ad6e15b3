//! Seeded replays of a strategy that quotes, cancels and replaces at random: a worker and the gateway of the simulated
//! venue on a bus under virtual time, stopped at any commit. What they leave is what `backtest` gives, to the byte.

use std::collections::BTreeMap;

use super::account::{Account, Role, at_once};
use super::bus::Trouble;
use crate::commands::backtest;
use crate::roles::saved;
use crate::roles::strategy::ADVANCE;
use bus::{StateStore, Topic};
use crds::record::{PHASE, POSITION, REPORT};
use crds::roles::Stance;
use engine::Engine;
use engine::messages::Fill;
use engine::orders::OrderState;
use engine::report::Trade;
use engine::strategies::{DesiredState, Figures};
use engine::testkit::quoting::{Chance, Market};
use serde_json::{Value, json};

/// Replays of the usual run.
const SEEDS: u64 = 20;
/// Seeds that once failed. They always run.
const ONCE_FAILED: &[u64] = &[];
/// Ticks of a replay.
const TICKS: u64 = 240;
/// Rounds without a new tick after which the end must have come.
const CALM_ROUNDS: u32 = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Gateway,
    Worker,
}

pub(super) struct Story {
    pub chance: Chance,
    pub account: Account,
    pub gateway: Role,
    pub worker: Role,
    /// Frozen at a commit while a successor took over.
    frozen: Vec<(u64, Role)>,
    stopped: u64,
}

impl Story {
    fn of(seed: u64) -> Self {
        Self::under(seed, &json!({}), &Value::Null)
    }

    /// A quoter under these limits and with this exit.
    pub fn under(seed: u64, limits: &Value, exit: &Value) -> Self {
        let mut chance = Chance::of(seed);
        let latency_ms = if chance.one_in(2) { 0 } else { 1_500 };
        Self::on(Account::quoting_under(seed, latency_ms, limits, exit), chance)
    }

    /// The roles of an account.
    pub fn on(account: Account, chance: Chance) -> Self {
        let (mut gateway, mut worker) = (account.start_paper_gateway(1), account.start_paper_worker(1));
        // Who starts behind ticks joins at the last of them.
        assert!(worker.step().is_none() && gateway.step().is_none());
        Self { chance, account, gateway, worker, frozen: Vec::new(), stopped: 0 }
    }

    /// The figures of the strategy, and how often a role was stopped.
    fn run(mut self, seed: u64) -> (Figures, u64) {
        (self.replay(seed), self.stopped)
    }

    /// Gives the figures that `backtest` gives too.
    pub fn replay(&mut self, seed: u64) -> Figures {
        let ticks: Vec<_> = Market::of(seed, TICKS).collect();
        let expected = backtest::replayed(&self.account.spec, &self.account.ledger, &self.account.registry, &ticks);
        let mut left = &ticks[..];
        while !left.is_empty() {
            let count = usize::try_from(1 + self.chance.below(12)).unwrap().min(left.len());
            for tick in &left[..count] {
                self.account.tick(tick);
            }
            left = &left[count..];
            self.trouble();
            for _ in 0..self.chance.below(8) {
                self.go_on();
            }
        }
        self.account.bus.forget_plan();
        self.until(Self::has_ended);
        let trades: Vec<String> = expected.trades.iter().map(Trade::line).collect();
        assert_eq!(self.trades(), trades);
        assert_eq!(self.state(), expected.state);
        expected.figures
    }

    pub fn until(&mut self, there: impl Fn(&Self) -> bool) {
        let mut rounds = 0;
        while !there(self) {
            self.go_on();
            rounds += 1;
            assert!(rounds < CALM_ROUNDS, "in vain: {:?}", self.account.field(&self.account.strategy, PHASE));
        }
    }

    /// The gateway's record is gone, and another one is made by hand, for a gateway that comes next.
    pub fn lose_gateway(&mut self) {
        self.account.lose_gateway();
        self.gateway = self.account.start_paper_gateway(self.gateway.epoch + 1);
    }

    /// All that the worker's record holds of its engine.
    fn state(&self) -> String {
        self.engine().saved().unwrap()
    }

    pub fn engine(&self) -> Engine {
        let record = at_once(self.account.bus.record(&self.account.strategy)).unwrap().unwrap();
        let Account { spec, ledger, registry, .. } = &self.account;
        saved::engine(spec, ledger, Some(&record.fields), registry).unwrap()
    }

    /// How many ticks its record says that it has taken.
    pub fn engine_ticks(&self) -> u64 {
        let record = at_once(self.account.bus.record(&self.account.strategy)).unwrap().unwrap();
        if record.version == 0 { 0 } else { self.engine().ticks() }
    }

    pub fn trades(&self) -> Vec<String> {
        let fills = self.account.bus.committed(&self.account.topic(Topic::OrderFill));
        let fills = fills.into_iter().map(|fill| serde_json::from_value::<Fill>(fill).unwrap());
        fills.map(|fill| Trade::of(&fill, fill.tick_sequence.unwrap()).line()).collect()
    }

    /// A worker of the next epoch, with what its account says now.
    pub fn start_next_worker(&mut self) {
        self.worker = self.account.start_paper_worker(self.worker.epoch + 1);
    }

    pub fn has_ended(&self) -> bool {
        let phase = self.account.field(&self.account.strategy, PHASE);
        phase.is_some_and(|phase| phase["state"] == "Stopped")
    }

    pub fn trouble(&mut self) {
        if self.chance.one_in(2) {
            let trouble = match self.chance.below(3) {
                0 => Trouble::Before,
                1 => Trouble::After,
                _ => Trouble::Torn,
            };
            let owner = if self.chance.one_in(2) { &self.account.strategy } else { &self.account.gateway };
            let after = u32::try_from(self.chance.below(6)).unwrap();
            self.account.bus.plan(&owner.clone(), after, trouble);
        }
        if self.chance.one_in(4)
            && let Some((number, mut role)) = self.frozen.pop()
        {
            // It goes on where it stopped; whatever it does must harm nobody.
            self.account.bus.release(number);
            role.step();
        }
    }

    pub fn go_on(&mut self) {
        self.account.bus.clock().advance(50);
        let who = if self.chance.one_in(2) { Who::Gateway } else { Who::Worker };
        let role = match who {
            Who::Gateway => &mut self.gateway,
            Who::Worker => &mut self.worker,
        };
        if let Some(ended) = role.step() {
            panic!("{who:?} ended: {ended:?}");
        }
        let Some((number, _)) = self.account.bus.take_stopped() else { return };
        self.stopped += 1;
        let next = role.epoch + self.chance.below(2);
        let successor = role.successor(&self.account, next);
        let stopped = std::mem::replace(role, successor);
        if self.chance.one_in(2) {
            self.frozen.push((number, stopped));
        }
    }
}

fn run(seed: u64) -> (Figures, u64) {
    let told = std::panic::catch_unwind(|| Story::of(seed).run(seed));
    told.unwrap_or_else(|_| panic!("SEED={seed} cargo test -p worker --lib simulation::quoting::a_seed"))
}

#[test]
fn replays_with_crashes_at_any_commit_give_what_backtest_gives() {
    let (mut met, mut stopped) = (BTreeMap::<String, u64>::new(), 0);
    for seed in 0..SEEDS {
        let (figures, stops) = run(seed);
        stopped += stops;
        for (name, count) in figures {
            *met.entry(name).or_default() += count.to_string().parse::<u64>().unwrap();
        }
    }
    let share = |name: &str| 100 * met[name] / met["sent"];
    assert!(share("filled") >= 30 && share("cancelled") >= 30, "{met:?}");
    let enough = ["inPart", "bothOnOneTick", "tooLate", "made", "onNews"].iter().all(|name| met[*name] >= 100);
    assert!(enough && met["raced"] > 0, "{met:?}");
    assert!(stopped > SEEDS, "{stopped}");
}

/// A ladder: what is left out is tried again at the end of a round, wherever its news came from.
#[test]
fn ladders_with_crashes_at_any_commit_trade_as_in_backtest() {
    let mut matched = 0;
    for seed in 0..SEEDS {
        let latency_ms = if seed % 4 < 2 { 0 } else { 1_500 };
        let story = || Story::on(Account::laddering(seed, latency_ms), Chance::of(seed));
        let told = std::panic::catch_unwind(|| story().run(seed));
        let (figures, _) = told.unwrap_or_else(|_| panic!("seed {seed}"));
        matched += figures["matchedTrades"].to_string().parse::<u64>().unwrap();
    }
    assert!(matched > 5 * SEEDS, "{matched}");
}

#[test]
fn replays_that_once_failed_give_what_backtest_gives() {
    for seed in ONCE_FAILED {
        run(*seed);
    }
}

/// The replay of `SEED`; without it, one that is as good as any.
#[test]
fn a_seed() {
    run(std::env::var("SEED").map_or(SEEDS, |seed| seed.parse().unwrap()));
}

/// No tick comes any more, so what it cancels arrives on the last one that came; with a latency its gateway's stance does it.
#[test]
fn a_strategy_that_is_stopped_between_two_ticks_has_no_order_left_before_the_next() {
    for latency_ms in [0, 1_500] {
        let account = Account::quoting(1, latency_ms);
        let (gateway, worker) = (account.start_paper_gateway(1), account.start_paper_worker(1));
        let chance = Chance::of(1);
        let mut story = Story { chance, account, gateway, worker, frozen: Vec::new(), stopped: 0 };
        assert!(story.worker.step().is_none());
        for tick in Market::of(1, 1_000).take(60) {
            story.account.tick(&tick);
        }
        let open =
            |story: &Story| story.account.field(&story.account.strategy, REPORT).unwrap()["orders"]["open"].clone();
        story.until(|story| story.account.field(&story.account.strategy, POSITION) == Some(json!(59)));
        story.until(|story| story.account.field(&story.account.strategy, ADVANCE).unwrap()["answered"] == true);
        assert_ne!(open(&story), json!(0), "something rests");
        story.account.want(DesiredState::Stopped);
        if latency_ms > 0 {
            story.account.follow(Stance::CancelOrders);
        }
        story.until(|story| open(story) == json!(0));
    }
}

/// What a human does at any moment: pauses, stops and resumes, of which the gateway may hear first or last; and ticks that are
/// trimmed before the gateway has read them.
#[test]
fn however_a_human_interferes_each_order_comes_to_its_end_and_both_books_agree() {
    for seed in 0..SEEDS {
        let told = std::panic::catch_unwind(|| Story::of(seed).interfered());
        told.unwrap_or_else(|_| panic!("seed {seed}"));
    }
}

impl Story {
    fn interfered(mut self) {
        for tick in Market::of(1, TICKS) {
            self.account.tick(&tick);
            if self.chance.one_in(6) {
                let (state, stance) = match self.chance.below(4) {
                    0 => (DesiredState::Paused, Stance::StopOpening),
                    1 => (DesiredState::Stopped, Stance::CancelOrders),
                    _ => (DesiredState::Running, Stance::Open),
                };
                let gateway_first = self.chance.one_in(2);
                if gateway_first {
                    self.account.follow(stance);
                } else {
                    self.account.want(state);
                }
                for _ in 0..self.chance.below(6) {
                    self.go_on();
                }
                if gateway_first {
                    self.account.want(state);
                } else {
                    self.account.follow(stance);
                }
            }
            if self.chance.one_in(12) && !tick.last {
                self.account.trim_ticks(&tick);
            }
            self.trouble();
            for _ in 0..self.chance.below(8) {
                self.go_on();
            }
        }
        self.account.bus.forget_plan();
        self.account.want(DesiredState::Running);
        self.account.follow(Stance::Open);
        self.until(Self::has_ended);
        self.both_books_agree();
    }

    /// The strategy's and the gateway's, and what is open at each.
    pub fn both_books_agree(&self) {
        let engine = self.engine();
        let book = self.account.field(&self.account.gateway, &format!("book:{}", self.account.ledger)).unwrap();
        let (amounts, transfers) = (book["amounts"].clone(), book["transfers"].as_u64().unwrap_or(0));
        assert_eq!(engine.differs_from(&serde_json::from_value(amounts).unwrap(), transfers), None);
        let alerts = self.account.bus.committed(&self.account.topic(Topic::RiskAlert));
        assert_eq!(engine.report().risk.reason, "", "{alerts:?}");
        // What rests stays; nothing else is open, here or there.
        let open: Vec<_> = engine.open_orders().map(|order| order.client_order_id.to_string()).collect();
        assert!(
            engine.open_orders().all(|order| matches!(order.state, OrderState::Accepted | OrderState::PartiallyFilled))
        );
        let record = at_once(self.account.bus.record(&self.account.gateway)).unwrap().unwrap();
        let orders = record.fields.iter().filter_map(|(name, order)| Some((name.strip_prefix("order:")?, order)));
        let is_open = |order: &str| !order.contains(r#""stage":{"at":"over"}"#);
        let there: Vec<_> = orders.filter(|(_, order)| is_open(order)).map(|(id, _)| id.to_owned()).collect();
        assert_eq!(open, there);
    }
}

/// With it what rested and what was on its way is gone: it never trades any more, and its strategy is told so.
#[test]
fn with_the_record_of_its_gateway_a_strategy_loses_its_orders_and_nothing_else() {
    for (seed, latency_ms) in [(1, 0), (2, 1_500), (3, 0), (4, 1_500)] {
        let account = Account::quoting(seed, latency_ms);
        let (gateway, worker) = (account.start_paper_gateway(1), account.start_paper_worker(1));
        let chance = Chance::of(seed);
        let mut story = Story { chance, account, gateway, worker, frozen: Vec::new(), stopped: 0 };
        assert!(story.worker.step().is_none());
        let ticks: Vec<_> = Market::of(seed, TICKS).collect();
        let (first, others) = ticks.split_at(60);
        for tick in first {
            story.account.tick(tick);
        }
        story.until(|story| story.account.field(&story.account.strategy, POSITION) == Some(json!(59)));
        story.until(|story| story.account.field(&story.account.strategy, ADVANCE).unwrap()["answered"] == true);
        let open =
            |story: &Story| story.engine().open_orders().map(engine::orders::Order::sequence).collect::<Vec<_>>();
        let before = open(&story);
        assert!(!before.is_empty());
        story.lose_gateway();
        story.until(|story| open(story).iter().all(|order| !before.contains(order)));
        for tick in others {
            story.account.tick(tick);
        }
        story.until(Story::has_ended);
        story.both_books_agree();
    }
}
