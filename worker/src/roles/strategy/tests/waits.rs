//! A worker of the simulated venue that waits for a word, and a gateway that is not there: the test says its words.

use bus::{MessageBus, StateStore, StreamId, Topic};
use crds::record::{POSITION, REPORT};
use engine::messages::Inbox;
use engine::strategies::DesiredState;
use engine::testkit::quoting::Market;
use serde_json::{Value, json};

use crate::roles::IDLE;
use crate::roles::strategy::barrier::ADVANCE;
use crate::simulation::account::{Account, Role, at_once};

const SEED: u64 = 3;

struct Bench {
    account: Account,
    worker: Role,
}

impl Bench {
    /// Ticks, of which the quoter sends orders on the first few.
    fn start() -> Self {
        let mut bench = Self::of(Account::quoting(SEED, 0));
        bench.step();
        bench
    }

    /// Who starts behind ticks joins at the last of them.
    fn of(account: Account) -> Self {
        let mut worker = account.start_paper_worker(1);
        assert!(worker.step().is_none(), "the worker ended");
        for tick in Market::of(SEED, 100) {
            account.tick(&tick);
        }
        Self { account, worker }
    }

    fn step(&mut self) {
        for _ in 0..3 {
            self.account.bus.clock().advance(i64::try_from(IDLE.as_millis()).unwrap() / 3);
            assert!(self.worker.step().is_none(), "the worker ended");
        }
    }

    fn engine(&self) -> Value {
        self.account.field(&self.account.strategy, crate::roles::saved::ENGINE).unwrap()
    }

    fn position(&self) -> Option<Value> {
        self.account.field(&self.account.strategy, POSITION)
    }

    fn commands(&self, kind: &str) -> Vec<Value> {
        let commands = self.account.bus.committed(&self.account.topic(Topic::OrderCommand));
        commands.into_iter().filter(|command| command["command"] == kind).collect()
    }

    /// The Advance that is waited for.
    fn awaited(&self) -> Value {
        let advance = self.account.field(&self.account.strategy, ADVANCE).unwrap();
        assert_eq!(advance["answered"], Value::Null, "it is not answered");
        advance
    }

    fn say(&mut self, news: &Inbox) {
        self.account.publish(self.account.strategy.inbox().clone(), news);
        self.step();
    }

    /// News of all orders that it has sent.
    fn tell_of_all(&mut self, status: &str) {
        for order in self.commands("Create") {
            let update = json!({"clientOrderId": order["clientOrderId"], "status": status, "reason": "",
                "cumulativeQuantity": "0", "time": order["time"]});
            self.say(&Inbox::OrderUpdate(serde_json::from_value(update).unwrap()));
        }
    }

    fn word(&mut self, round: u32) {
        let tick = self.awaited()["tick"].as_str().unwrap().to_owned();
        self.say(&Inbox::Word { tick, symbol: None, round });
    }
}

#[test]
fn it_takes_no_tick_past_one_on_which_it_sent_orders_but_follows_its_register_and_stops() {
    let mut bench = Bench::start();
    let (position, sent) = (bench.position(), bench.commands("Create").len());
    assert!(sent > 0);
    let advances = bench.commands("Advance");
    assert_eq!(advances.len(), 1);
    assert_eq!((&advances[0]["round"], &advances[0]["sequence"]), (&json!(1), &json!(0)));
    assert_eq!(advances[0]["tick"], bench.awaited()["tick"]);
    // With the tick itself, as it stands in its stream.
    let id = advances[0]["tick"].as_str().unwrap().parse().unwrap();
    let ticks = bench.account.ticks_from(id);
    assert_eq!(advances[0]["market"], ticks[0], "{ticks:?}");
    bench.step();
    assert_eq!(bench.position(), position, "it waits");
    // No nudge tells of it.
    bench.account.want(DesiredState::Stopped);
    bench.step();
    bench.step();
    assert_eq!(bench.engine()["desired"], "Stopped");
    assert_eq!(bench.commands("Cancel").len(), sent, "what it has sent is to be cancelled");
    assert_eq!(bench.commands("Advance").len(), 1, "one at a time");
    bench.worker.ask_to_stop();
    assert!(matches!(bench.worker.step(), Some(Ok(()))));
}

#[test]
fn it_asks_again_after_a_restart_and_goes_on_with_the_word_for_which_it_waits_only() {
    let mut bench = Bench::start();
    let awaited = bench.awaited();
    for epoch in 2..4 {
        bench.worker = bench.account.start_paper_worker(epoch);
        bench.step();
    }
    let mut advances = bench.commands("Advance");
    assert_eq!(advances.len(), 3);
    // What it does not know any more the gateway reads.
    let carried: Vec<_> = advances.iter_mut().map(|it| it.as_object_mut().unwrap().remove("market")).collect();
    assert!(carried[0].is_some() && carried[1..] == [None, None], "{carried:?}");
    assert!(advances.iter().all(|advance| advance == &advances[0]), "{advances:?}");
    bench.word(0);
    bench.word(2);
    bench.say(&Inbox::Word { tick: "1-0".to_owned(), symbol: None, round: 1 });
    assert_eq!(bench.awaited(), awaited);
    bench.tell_of_all("Rejected");
    bench.word(1);
    // Told twice, as where it was asked twice.
    let tick = awaited["tick"].as_str().unwrap().to_owned();
    bench.say(&Inbox::Word { tick, symbol: None, round: 1 });
    assert_ne!(bench.awaited()["tick"], awaited["tick"]);
}

/// What was to be told before the word is lost. It is asked for in half a minute, and nothing is traded past it.
#[test]
fn a_word_without_news_of_an_order_is_not_traded_past() {
    let mut bench = Bench::start();
    let position = bench.position();
    bench.word(1);
    bench.step();
    assert_eq!(bench.position(), position);
    bench.tell_of_all("Rejected");
    assert_ne!(bench.position(), position);
}

#[test]
fn nothing_of_a_batch_is_applied_before_its_word() {
    let mut bench = Bench::start();
    let order = bench.commands("Create")[0].clone();
    let update = json!({"clientOrderId": order["clientOrderId"], "status": "Rejected", "reason": "PostOnlyWouldTake",
        "cumulativeQuantity": "0", "time": order["time"]});
    bench.say(&Inbox::OrderUpdate(serde_json::from_value(update).unwrap()));
    assert_eq!(bench.engine()["counts"]["rejected"], json!(0));
    // Nor by a successor.
    bench.worker = bench.account.start_paper_worker(2);
    bench.step();
    assert_eq!(bench.engine()["counts"]["rejected"], json!(0));
    bench.word(1);
    assert_eq!(bench.engine()["counts"]["rejected"], json!(1));
}

#[test]
fn without_room_for_its_commands_it_waits_and_denies_nothing() {
    let account = Account::quoting(SEED, 0);
    let mut ids: Vec<StreamId> = Vec::new();
    for _ in 0..1_000 {
        ids.push(account.publish(account.topic(Topic::OrderCommand), &json!({"no": "command"})));
    }
    let mut bench = Bench::of(account);
    bench.step();
    assert_eq!((bench.position(), bench.commands("Create").len()), (None, 0), "nothing is stored");
    bench.account.want(DesiredState::Paused);
    bench.step();
    let stream = bench.account.topic(Topic::OrderCommand);
    assert!(at_once(bench.account.bus.last_id(&stream)).unwrap().is_some());
    at_once(bench.account.bus.trim(&stream, ids[999])).unwrap();
    bench.step();
    bench.step();
    assert!(!bench.commands("Create").is_empty() && bench.commands("Advance").len() == 1);
    let engine = bench.engine();
    assert_eq!((&engine["counts"]["denied"], &engine["desired"]), (&json!(0), &json!("Paused")));
}

/// As at the end of a deletion, when the gateway answers its closed ledger no more.
#[test]
fn a_worker_that_is_stopped_takes_its_news_without_a_word() {
    let mut bench = Bench::start();
    bench.account.want(DesiredState::Stopped);
    bench.step();
    bench.step();
    let open = |bench: &Bench| bench.account.field(&bench.account.strategy, REPORT).unwrap()["orders"]["open"].clone();
    assert_ne!(open(&bench), json!(0));
    bench.tell_of_all("Canceled");
    assert_eq!(open(&bench), json!(0));
    bench.word(1);
}

/// What it cancels while it waits for what rests to be matched is as of the tick before. The venue is past that one already:
/// the cancel acts on the tick that comes.
#[test]
fn what_is_sent_while_a_tick_is_matched_acts_on_that_tick() {
    let mut bench = Bench::start();
    let matching = |bench: &Bench| bench.awaited()["round"] == json!(0);
    while !matching(&bench) {
        for order in bench.commands("Create") {
            let update = json!({"clientOrderId": order["clientOrderId"], "status": "Accepted", "reason": "",
                "cumulativeQuantity": "0", "time": order["time"]});
            bench.account.publish(
                bench.account.strategy.inbox().clone(),
                &Inbox::OrderUpdate(serde_json::from_value(update).unwrap()),
            );
        }
        let round = bench.awaited()["round"].as_u64().unwrap();
        bench.word(round.try_into().unwrap());
    }
    let tick = bench.awaited()["tick"].clone();
    let cancels = bench.commands("Cancel").len();
    bench.account.want(DesiredState::Stopped);
    bench.step();
    bench.step();
    assert!(bench.commands("Cancel").len() > cancels);
    bench.word(0);
    let advances = bench.commands("Advance");
    let last = advances.last().unwrap();
    assert_eq!((&last["tick"], &last["round"]), (&tick, &json!(1)), "{advances:?}");
}

/// As where the tick on which they arrive is gone from its stream: the word tells nothing of them.
#[test]
fn orders_of_which_nothing_is_told_when_they_arrive_are_asked_for_on_each_tick_until_something_is() {
    let mut bench = Bench::of(Account::quoting(SEED, 1_500));
    bench.step();
    assert!(!bench.commands("Create").is_empty());
    // Nothing new is sent that would be waited for.
    bench.account.want(DesiredState::Paused);
    bench.step();
    bench.tell_of_all("Sent");
    let mut positions = Vec::new();
    for _ in 0..10 {
        let round = bench.awaited()["round"].as_u64().unwrap();
        positions.push(bench.position().unwrap().as_u64().unwrap());
        bench.word(round.try_into().unwrap());
    }
    let steps: Vec<_> = positions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(steps[steps.len() - 4..], [1; 4], "{positions:?}");
}

/// A gateway of the release before denies what it does not read, by the order that it names.
#[test]
fn it_says_that_its_gateway_is_older_until_there_is_one_that_gives_its_word() {
    let mut bench = Bench::start();
    let (position, awaited) = (bench.position(), bench.awaited());
    assert_eq!(bench.worker.health.readiness(), (true, "ready".to_owned()));
    let denial = json!({"kind": "OrderUpdate", "clientOrderId": bench.commands("Advance")[0]["clientOrderId"],
        "status": "Denied", "reason": "CommandUnreadable", "cumulativeQuantity": "0", "time": 0,
        "subAccount": {"BNB": "1", "USDT": "1"}});
    for _ in 0..2 {
        bench.account.publish(bench.account.strategy.inbox().clone(), &denial);
        bench.step();
        let (is_ready, text) = bench.worker.health.readiness();
        assert!(!is_ready && text.starts_with("GatewayOlder: "), "{text}");
    }
    assert_eq!((bench.position(), bench.awaited()), (position.clone(), awaited));
    bench.tell_of_all("Rejected");
    bench.word(1);
    assert_eq!(bench.worker.health.readiness(), (true, "ready".to_owned()));
    assert_ne!(bench.position(), position, "it goes on");
}

/// A gateway of the release before has followed ticks by itself, and the one after it gives the word.
#[test]
fn what_was_told_ahead_of_a_word_waits_for_its_tick_and_holds_none_before_it() {
    let mut bench = Bench::start();
    let taken = bench.position().and_then(|position| position.as_u64()).unwrap();
    let told =
        |bench: &Bench| bench.account.field(&bench.account.strategy, REPORT).unwrap()["orders"]["expired"].clone();
    let ids: Vec<Value> = bench.commands("Create").iter().map(|command| command["clientOrderId"].clone()).collect();
    for id in &ids {
        let update = json!({"kind": "OrderUpdate", "clientOrderId": id, "status": "Expired", "reason": "NoSize",
            "cumulativeQuantity": "0", "matched": taken + 1, "time": 0});
        bench.account.publish(bench.account.strategy.inbox().clone(), &update);
    }
    bench.step();
    assert_eq!(told(&bench), 0);
    bench.word(1);
    let position = bench.position().and_then(|position| position.as_u64());
    assert_eq!((position, told(&bench)), (Some(taken + 1), json!(0)), "what may arrive on that tick is waited for");
    bench.word(1);
    assert_eq!(told(&bench), ids.len());
}
