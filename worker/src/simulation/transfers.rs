//! Transfers in the roles: those of the manifest leave what `backtest` gives, whatever dies; those that a register brings are
//! each booked once, and the gateway's sub-account follows each once.

mod gateways;

use std::collections::BTreeMap;

use bus::Topic;
use crds::roles::StrategyDesired;
use engine::instrument::Asset;
use engine::messages::{CommandKind, OrderCommand};
use engine::numbers::Notional;
use engine::report::TransferState;
use engine::testkit::quoting::{Chance, Market};
use engine::transfers::{WantedTransfer, WantedTransfers};
use serde_json::{Value, json};

use super::account::Account;
use super::quoting::Story;

/// Stories of each kind.
const SEEDS: u64 = 20;
/// Ticks of a story.
const TICKS: u64 = 120;

#[test]
fn what_stands_in_the_manifest_is_traded_with_as_in_backtest_whatever_dies() {
    let mut met = BTreeMap::<String, u32>::new();
    for seed in 0..SEEDS {
        let told = std::panic::catch_unwind(|| {
            let mut account = Account::quoting(seed, if seed.is_multiple_of(2) { 0 } else { 1_500 });
            account.spec.spec.transfers = serde_json::from_value(json!([
                {"id": "june", "asset": "USDT", "amount": 500}, {"id": "coins", "asset": "BNB", "amount": "1.25"},
                {"id": "out", "asset": "BNB", "amount": "-0.75"}, {"id": "most", "asset": "USDT", "amount": "-99999"},
            ]))
            .unwrap();
            assert_eq!(account.spec.spec.validate(), []);
            let mut story = Story::on(account, Chance::of(seed));
            story.replay(seed);
            story.until(|story| followed(story) == 3);
            story.both_books_agree();
            story.engine().transfers()
        });
        for transfer in told.unwrap_or_else(|_| panic!("seed {seed}")) {
            *met.entry(format!("{} {:?}", transfer.id, transfer.state)).or_default() += 1;
        }
    }
    let all = ["coins Booked", "june Booked", "most Refused", "out Booked"];
    assert_eq!(met.into_iter().collect::<Vec<_>>(), all.map(|one| (one.to_owned(), 20)));
}

/// The last transfer that the gateway's sub-account has followed.
fn followed(story: &Story) -> u64 {
    book(story)["transfers"].as_u64().unwrap_or(0)
}

fn book(story: &Story) -> Value {
    let account = &story.account;
    account.field(&account.gateway, &format!("book:{}", account.ledger)).unwrap_or_default()
}

/// A human with money to move, now and then.
#[derive(Default)]
struct Human {
    wanted: WantedTransfers,
    made: u64,
}

impl Human {
    /// Adds an entry or takes the first out.
    fn edit(&mut self, story: &mut Story) {
        self.wanted.generation += 1;
        if story.chance.one_in(4) && !self.wanted.list.is_empty() {
            self.wanted.list.remove(0);
        } else {
            self.made += 1;
            let is_cash = story.chance.one_in(2);
            let size = 1 + story.chance.below(if is_cash { 400 } else { 1_500 });
            let sign = if story.chance.one_in(2) { "-" } else { "" };
            let amount =
                if is_cash { format!("{sign}{size}") } else { format!("{sign}{}.{:03}", size / 1_000, size % 1_000) };
            let asset = if is_cash { "USDT" } else { "BNB" };
            let (id, amount) = (format!("t{}", self.made), amount.parse().unwrap());
            self.wanted.list.push(WantedTransfer { id, asset: asset.parse().unwrap(), amount });
        }
        let desired = StrategyDesired {
            transfers: Some(self.wanted.clone()),
            ..StrategyDesired::of(&story.account.spec.spec, 1)
        };
        let owner = story.account.strategy.clone();
        story.account.register(&owner, &desired);
        if story.chance.one_in(2) {
            story.account.nudge(&owner);
        }
    }
}

/// Sums by asset of what was moved.
fn moved<'a>(transfers: impl Iterator<Item = (&'a str, Notional)>) -> BTreeMap<String, Notional> {
    let mut sums = BTreeMap::<String, Notional>::new();
    for (asset, amount) in transfers {
        let sum = sums.entry(asset.to_owned()).or_default();
        *sum = sum.plus(amount).unwrap();
    }
    sums
}

/// Judged apart: what was told to the account, each number once.
fn told(story: &Story) -> BTreeMap<u64, (Asset, Notional)> {
    let mut told = BTreeMap::new();
    for command in story.account.bus.committed(&story.account.topic(Topic::OrderCommand)) {
        let command: OrderCommand = serde_json::from_value(command).unwrap();
        if let CommandKind::Transfer(transfer) = command.kind {
            let one = (transfer.asset, transfer.amount);
            assert_eq!(*told.entry(transfer.number).or_insert_with(|| one.clone()), one, "a number is one transfer");
        }
    }
    told
}

fn is_decided(story: &Story, wanted: &WantedTransfers) -> bool {
    let decided = story.engine().transfers();
    wanted.list.iter().all(|one| decided.iter().any(|decided| decided.id == one.id))
}

/// How many transfers its record has booked, whoever was told of them.
fn booked(story: &Story) -> u64 {
    if story.engine_ticks() == 0 { 0 } else { story.engine().last_transfer() }
}

fn story(seed: u64) -> Story {
    Story::on(Account::quoting(seed, if seed.is_multiple_of(2) { 0 } else { 1_500 }), Chance::of(seed))
}

/// A market to its end, with a human who moves money; something else may happen at each tick. Gives how many transfers are
/// booked.
fn edited(story: &mut Story, seed: u64, mut happens: impl FnMut(&mut Story, u64)) -> usize {
    let mut human = Human::default();
    for (number, tick) in (0..).zip(Market::of(seed, TICKS)) {
        story.account.tick(&tick);
        if story.chance.one_in(6) {
            human.edit(story);
        }
        story.trouble();
        for _ in 0..story.chance.below(8) {
            story.go_on();
        }
        happens(story, number);
    }
    story.account.bus.forget_plan();
    story.until(Story::has_ended);
    story.until(|story| is_decided(story, &human.wanted));
    each_is_followed_once(story)
}

/// The ledger and the sub-account hold the same transfers, each once, and profit is what was earned. Gives how many.
fn each_is_followed_once(story: &mut Story) -> usize {
    let (engine, told) = (story.engine(), told(story));
    story.until(|story| followed(story) == told.len() as u64);
    story.both_books_agree();
    let booked: Vec<_> = engine.transfers().into_iter().filter(|one| one.state == TransferState::Booked).collect();
    let by_engine = moved(booked.iter().map(|one| (one.asset.as_str(), one.amount)));
    assert_eq!(by_engine, moved(told.values().map(|(asset, amount)| (asset.as_str(), *amount))));
    let by_gateway: BTreeMap<String, Notional> =
        serde_json::from_value(book(story)["transferred"].clone()).unwrap_or_default();
    assert_eq!(by_engine, by_gateway);
    assert!(told.keys().copied().eq(1..=told.len() as u64), "{told:?}");
    let performance = engine.performance().unwrap();
    let earned = performance.equity.minus(performance.opening_equity).unwrap().minus(performance.transferred).unwrap();
    assert_eq!(performance.profit.net, earned);
    booked.len()
}

#[test]
fn what_a_register_brings_is_booked_and_followed_once_whatever_dies() {
    let mut booked = 0;
    for seed in 0..SEEDS {
        let told = std::panic::catch_unwind(|| edited(&mut story(seed), seed, |_, _| ()));
        booked += told.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(booked > 100, "{booked}");
}
