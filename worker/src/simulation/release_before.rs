//! A whole store as the release before left it, in the middle of an order: this program's worker and gateway take it up, the
//! order trades on its tick, and what follows is traded as well.
//!
//! `release_before/` holds records and streams byte for byte as that program wrote them (git 83caf4d): a paper account with
//! a latency of 1.5 s, whose order 1 has traded and whose order 2, a buy at 599 or better of 6 s after the start, is to trade
//! on the first tick from 7.5 s on. They are never written anew: what stands in somebody's store does not change with this
//! program.

use bus::{Body, Entry, MessageBus, Record, RegisterVersion, StreamId, StreamKey, Topic};
use engine::strategies::DesiredState;
use serde_json::{Map, Value, json};

use super::account::{Account, Role, at_once, tick};
use super::bus::VirtualBus;
use crate::roles::saved::ENGINE;

const START: i64 = 1_700_000_000_000;
const LATENCY_MS: u32 = 1_500;
const STEP_MS: i64 = 100;

/// A store with both roles on it, each an epoch later.
struct Resumed {
    account: Account,
    gateway: Role,
    worker: Role,
    /// The next tick's sequence.
    sequence: u64,
}

impl Resumed {
    fn of(store: &str) -> Self {
        Self::at(LATENCY_MS, store)
    }

    fn at(latency_ms: u32, store: &str) -> Self {
        let store: Value = serde_json::from_str(store).unwrap();
        let account = Account::with_records(latency_ms, |bus, owner| {
            let role = if owner.name() == "gateway" { "gateway" } else { "strategy" };
            let record = record(&store["records"][role]);
            let ledger = record.ledger.clone();
            bus.put_record(owner, record);
            ledger
        });
        let sequence = put_streams(&account.bus, store["streams"].as_object().unwrap());
        let (gateway, worker) = (account.start_paper_gateway(2), account.start_paper_worker(2));
        Self { account, gateway, worker, sequence }
    }

    fn step(&mut self) {
        for _ in 0..8 {
            assert!(self.gateway.step().is_none(), "the gateway ended");
            assert!(self.worker.step().is_none(), "the worker ended");
            self.account.bus.clock().advance(STEP_MS);
        }
    }

    /// Ticks a second apart at these prices, in cents.
    fn ticks(&mut self, prices: &[i64]) {
        for cents in prices {
            let time = START + i64::try_from(self.sequence).unwrap() * 1_000;
            self.account.tick(&tick(self.sequence, *cents, time));
            self.sequence += 1;
            self.step();
        }
    }

    /// What was traded since, as (order, tick, price).
    fn trades(&self) -> Vec<(u64, u64, String)> {
        let fills = self.account.bus.committed(&self.account.topic(Topic::OrderFill));
        let trade = |fill: &Value| {
            let id: engine::client_order_id::ClientOrderId = fill["clientOrderId"].as_str().unwrap().parse().unwrap();
            let price = fill["price"].as_str().unwrap().to_owned();
            (id.sequence(), fill["tickSequence"].as_u64().unwrap(), price)
        };
        fills.iter().map(trade).collect()
    }

    fn report(&self) -> Value {
        self.account.field(&self.account.strategy, crds::record::REPORT).unwrap()
    }

    /// Both books hold the same, nothing is open, and no command stands unread.
    fn is_settled(&self) {
        let books = &self.account.field(&self.account.strategy, ENGINE).unwrap()["ledger"];
        let book = self.account.field(&self.account.gateway, &format!("book:{}", self.account.ledger)).unwrap();
        assert_eq!(
            book["amounts"],
            json!({"BNB": books["positions"][0]["quantity"], "USDT": books["cash"][0]["amount"]})
        );
        assert_eq!(self.report()["orders"]["open"], 0);
        let commands = self.account.topic(Topic::OrderCommand);
        let unread = at_once(self.account.bus.range(&commands, StreamId::ZERO, StreamId::MAX, 10)).unwrap();
        assert!(unread.is_empty(), "{unread:?}");
    }
}

fn record(saved: &Value) -> Record {
    let text = |name: &str| saved[name].as_str().unwrap().to_owned();
    let number = |name: &str| saved[name].as_u64().unwrap();
    let texts = |name: &str| {
        let members = saved[name].as_object().unwrap().iter();
        members.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    let cursor = |(stream, id): (String, String)| (StreamKey::from_name(stream), id.parse().unwrap());
    let followed = saved["followed"].as_array();
    let version =
        |pair: &Vec<Value>| RegisterVersion { generation: pair[0].as_u64().unwrap(), token: pair[1].as_u64().unwrap() };
    Record {
        uid: text("uid"),
        ledger: text("ledger"),
        epoch: number("epoch"),
        incarnation: number("incarnation"),
        version: number("version"),
        commit_id: text("commitId"),
        cursors: texts("cursors").into_iter().map(cursor).collect(),
        fields: texts("fields").into_iter().map(|(name, value)| (name, value.into())).collect::<bus::Fields>().into(),
        closed: false,
        at_ms: 0,
        beat_ms: 0,
        followed: followed.map(version),
    }
}

/// Puts the entries where they stood; gives the sequence of the tick after the last one.
fn put_streams(bus: &VirtualBus, streams: &Map<String, Value>) -> u64 {
    let mut ticks = 0;
    for (name, entries) in streams {
        for entry in entries.as_array().unwrap() {
            let (id, data) = (entry[0].as_str().unwrap(), entry[1].as_str().unwrap());
            let body = Body::Document { version: 1, data: data.into() };
            bus.put_entry(&StreamKey::from_name(name.as_str()), Entry::new(id.parse().unwrap(), body));
            ticks += u64::from(name.contains("market.tick"));
        }
    }
    ticks
}

#[test]
fn an_order_that_waits_trades_on_its_tick() {
    let mut resumed = Resumed::of(include_str!("release_before/waiting.json"));
    assert_eq!((resumed.report()["orders"]["open"].as_u64(), resumed.sequence), (Some(1), 8));
    resumed.step();
    assert_eq!(resumed.trades(), [], "no tick has come");
    resumed.ticks(&[59_870]);
    assert_eq!(resumed.trades(), [(2, 8, "598.70".to_owned())]);
    resumed.is_settled();
    assert_eq!(resumed.report()["orders"]["filled"], 2);
    // And goes on: a turn after a high is order 3, which meets the first tick 1.5 s later.
    resumed.ticks(&[60_500, 60_400, 60_410, 60_420, 60_000]);
    assert_eq!(resumed.trades()[1..], [(3, 12, "604.20".to_owned())]);
    resumed.is_settled();
}

#[test]
fn a_command_that_stands_unread_is_taken_and_trades_on_its_tick() {
    let mut resumed = Resumed::of(include_str!("release_before/create_unread.json"));
    assert_eq!((resumed.report()["orders"]["open"].as_u64(), resumed.sequence), (Some(1), 7));
    resumed.ticks(&[59_880, 59_870, 59_870]);
    assert_eq!(resumed.trades(), [(2, 8, "598.70".to_owned())]);
    resumed.is_settled();
}

/// The gateway has told already that it has traded on tick 8, which the worker has not taken yet.
#[test]
fn news_that_stand_unread_are_booked_once_and_as_of_their_tick() {
    let mut resumed = Resumed::of(include_str!("release_before/fill_unread.json"));
    assert_eq!((resumed.report()["orders"]["open"].as_u64(), resumed.sequence), (Some(1), 9));
    resumed.step();
    resumed.ticks(&[60_500, 60_400, 60_410, 60_420]);
    assert_eq!(resumed.trades(), [(3, 12, "604.20".to_owned())], "order 2 is not told to outsiders once more");
    resumed.is_settled();
    let recent = resumed.report()["recentTrades"].clone();
    let brief = |trade: &Value| format!("{} {}", trade["time"].as_str().unwrap(), trade["price"].as_str().unwrap());
    let trades: Vec<String> = recent.as_array().unwrap().iter().map(brief).collect();
    let expected = ["2023-11-14T22:13:32Z 604.20", "2023-11-14T22:13:28Z 598.70", "2023-11-14T22:13:24Z 607.50"];
    assert_eq!(trades, expected);
}

/// Without a latency a command acts on the tick that caused it, which the worker has taken; no later one will do.
#[test]
fn a_command_that_stands_unread_trades_on_the_tick_that_caused_it() {
    let mut resumed = Resumed::at(0, include_str!("release_before/create_unread.json"));
    // What the inbox may hold is waited for first.
    for _ in 0..8 {
        resumed.step();
    }
    assert_eq!(resumed.trades(), [(2, 6, "599.00".to_owned())], "no tick has come");
    resumed.ticks(&[59_880]);
    assert_eq!(resumed.trades().len(), 1);
    resumed.is_settled();
}

/// That release's gateway follows ticks by itself: here it had come to tick 11, and its worker to tick 7. Were the order's end
/// known before tick 11, the turn on tick 10 would make another one.
#[test]
fn what_is_told_ahead_is_booked_once_its_tick_is_taken() {
    let store = include_str!("release_before/fill_unread.json");
    let [matched, sequence] = [r#"\"matched\":"#, r#"\"tickSequence\":"#];
    assert!([matched, sequence].iter().all(|name| store.contains(&format!("{name}8"))));
    let store = store.replace(&format!("{matched}8"), &format!("{matched}11"));
    let mut resumed = Resumed::of(&store.replace(&format!("{sequence}8"), &format!("{sequence}11")));
    let open = |resumed: &Resumed| resumed.report()["orders"]["open"].clone();
    resumed.step();
    for cents in [61_500, 61_000] {
        resumed.ticks(&[cents]);
        assert_eq!(open(&resumed), 1, "at {cents}");
    }
    resumed.ticks(&[59_870]);
    assert_eq!((open(&resumed), &resumed.report()["orders"]["filled"]), (json!(0), &json!(2)));
    resumed.ticks(&[59_870, 59_870]);
    assert_eq!(resumed.trades(), [], "it is not told to outsiders once more, and nothing else has traded");
    resumed.is_settled();
}

/// The order that waits is to be cancelled: it has traded whole before, or never will.
#[test]
fn a_cancel_that_stands_unread_is_taken() {
    let mut resumed = Resumed::of(include_str!("release_before/cancel_unread.json"));
    resumed.account.want(DesiredState::Stopped);
    resumed.ticks(&[59_870, 59_870, 59_870, 59_870]);
    let trades = resumed.trades();
    assert!(trades.is_empty() || trades == [(2, 8, "598.70".to_owned())], "{trades:?}");
    resumed.is_settled();
    assert_eq!(resumed.report()["orders"]["filled"], 1 + trades.len());
}

/// The order that has traded is told again to a worker that asks, with its trade, and is not made once more.
#[test]
fn a_remembered_order_is_told_again_and_never_made_twice() {
    let mut resumed = Resumed::of(include_str!("release_before/waiting.json"));
    let remembered =
        resumed.account.field(&resumed.account.gateway, &format!("order:glm-{}-1", resumed.account.ledger));
    let before = resumed.report()["orders"]["filled"].clone();
    resumed.account.command(&remembered.unwrap()["command"]);
    resumed.step();
    let inbox = resumed.account.bus.committed(resumed.account.strategy.inbox());
    let answer = inbox.iter().rfind(|entry| entry["repeat"] == 0).expect("an answer");
    assert_eq!((&answer["status"], &answer["fill"]["price"]), (&json!("Filled"), &json!("607.50")));
    assert_eq!(answer["fill"]["tradeId"], format!("glm-{}-1-1", resumed.account.ledger));
    resumed.ticks(&[59_870]);
    assert_eq!(resumed.trades(), [(2, 8, "598.70".to_owned())]);
    assert_eq!((before, resumed.report()["orders"]["filled"].clone()), (json!(1), json!(2)));
    resumed.is_settled();
}
