//! A strategy that is a process: what it is told and when, what its answer does, and what is left of it when it fails.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use engine::Effect;
use engine::messages::{AlertKind, OrderStatus, Tick};
use engine::strategies::Registry;
use engine::strategies::process::BadAction;
use engine::strategies::process::messages::{Answer, Event, Events, STATE_MAX};
use engine::testkit::{Bench, Market, commands, ended, halted};
use serde_json::{Value, json};

const MARKET: Market = Market { taker_percent: "0.1", ..Market::USUAL };

fn bench(market: &Market, known: &Value) -> Bench {
    let registry = Registry::standard();
    Bench::of(market, market.config(known), registry.get("process").unwrap())
}

fn answer(consumed: usize, actions: &Value) -> Answer {
    serde_json::from_value(json!({"batch": 1, "consumed": consumed, "actions": actions})).unwrap()
}

fn asked(bench: &mut Bench) -> Events {
    bench.engine.ask_process(1, std::iter::empty()).unwrap().unwrap()
}

/// Reads all that it is told, and does this as of the last of it. What it was told.
fn listens(bench: &mut Bench, actions: &Value) -> (Events, Vec<Effect>) {
    let events = asked(bench);
    let effects = bench.engine.process_answered(answer(events.events.len(), actions)).unwrap();
    assert!(!bench.engine.asks());
    (events, effects)
}

fn words(events: &Events) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::Tick(tick) => format!("tick {}", tick.index),
        Event::Bar(bar) => format!("bar {} {}", bar.open_time.millis() / 1000, bar.close),
        Event::Order(order) => format!("order {:?} {:?} {:?} {}", order.id, order.tag, order.status, order.reason),
        Event::Timer { time, every_seconds } => format!("timer {} of {every_seconds}", time.millis() / 1000),
        Event::Gap { symbol } => format!("gap {symbol}"),
    };
    events.events.iter().map(word).collect()
}

#[test]
fn bars_and_timers_are_told_before_the_tick_that_made_them_due_and_nothing_before_all_bars_are_there() {
    let market = Market { tick_ms: 30_000, ..MARKET };
    let bars = json!([{"symbol": "BNB/USDT", "interval": "1m", "lookBack": 2}]);
    let mut bench = bench(&market, &json!({"ready": {"bars": bars, "timers": [{"everySeconds": 90}]}}));
    let mut told = Vec::new();
    for price in 600..609 {
        assert_eq!(bench.tick(&price.to_string()), []);
        if bench.engine.asks() {
            bench.restart();
            told.extend(words(&listens(&mut bench, &json!([])).0));
        }
    }
    let expected = [
        "bar 1699999980 601", // The bars that it looks back on, when all of them are there.
        "bar 1700000040 603",
        "tick 4",
        "tick 5",
        "bar 1700000100 605",
        "tick 6",
        "timer 1700000190 of 90",
        "tick 7",
        "bar 1700000160 607",
        "tick 8",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_is_denied_is_told_with_what_happens_next_and_an_order_from_its_acceptance_to_its_end() {
    let mut bench = bench(&MARKET, &json!({}));
    let _ = bench.tick("600");
    let actions = json!([
        {"place": {"tag": "none", "side": "Sell", "quantity": "0"}},
        {"place": {"tag": "big", "side": "Sell", "quantity": "100", "price": "700"}},
        {"place": {"tag": "a", "side": "Buy", "quantity": "1", "price": "590"}},
        {"say": {"reason": "Opened", "message": "for a test"}},
    ]);
    let (events, effects) = listens(&mut bench, &actions);
    assert_eq!((events.equity.to_string(), events.orders.len()), ("6000".to_owned(), 0));
    let [command] = &commands(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(bench.reason(), "Opened");
    let _ = bench.update(ended(command, OrderStatus::Accepted));
    let (events, _) = listens(&mut bench, &json!([]));
    let none = r#"order None "none" Denied BelowLotSize"#;
    let big = r#"order None "big" Denied InsufficientFunds"#;
    assert_eq!(words(&events), [none, big, r#"order Some(1) "a" Accepted "#]);
    // As of now: something else than prices has changed.
    assert_eq!(
        (events.orders[0].id, &*events.orders[0].tag, events.orders[0].price.to_string()),
        (1, "a", "590.00".to_owned())
    );
    let held = &events.position["USDT"];
    assert_eq!((held.free.to_string(), held.reserved.to_string()), ("2409.41".to_owned(), "590.59".to_owned()));
    let _ = bench.tick("590");
    let (events, effects) = listens(&mut bench, &json!([{"cancel": {"id": 1}}]));
    // Only the price has changed.
    assert_eq!((words(&events), events.equity.to_string()), (vec!["tick 1".to_owned()], "6000".to_owned()));
    assert_eq!(commands(&effects).len(), 1);
    let _ = bench.update(ended(command, OrderStatus::Canceled));
    let (events, _) = listens(&mut bench, &json!([{"cancel": {"id": 1}}]));
    assert_eq!((words(&events), events.orders.len()), (vec![r#"order Some(1) "a" Canceled "#.to_owned()], 0));
    assert_eq!(events.equity.to_string(), "5950");
}

#[test]
fn ticks_that_are_told_ahead_are_taken_once_and_what_is_wanted_is_done_on_the_last_that_was_read() {
    let mut bench = bench(&MARKET, &json!({}));
    let _ = bench.tick("600");
    let coming: Vec<Tick> = (1..8).map(|number| MARKET.tick(number, &(600 + number).to_string())).collect();
    let before = bench.engine.saved().unwrap();
    let events = bench.engine.ask_process(1, coming.iter()).unwrap().unwrap();
    assert_eq!(words(&events).last().unwrap(), "tick 7");
    let saved = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (before, after) = (saved(&before), saved(&bench.engine.saved().unwrap()));
    assert_eq!((&before["ticks"], &before["peak"]), (&after["ticks"], &after["peak"]));
    let sells = json!([{"place": {"side": "Sell", "quantity": "1"}}]);
    assert_eq!(bench.engine.process_answered(answer(5, &sells)).unwrap(), []);
    for tick in &coming[..3] {
        assert_eq!(bench.take(tick.clone()), []);
        assert!(bench.engine.saved().is_err(), "what it answered is of ticks that are not taken yet");
    }
    let sent = bench.take(coming[3].clone());
    assert_eq!((sent.len(), bench.engine.ticks(), bench.engine.asks()), (1, 5, false));
    assert!(bench.engine.saved().is_ok());
    let _ = bench.take(coming[4].clone());
    assert_eq!(words(&asked(&mut bench)), ["tick 5"]);
}

#[test]
fn an_answer_that_cannot_be_does_nothing_of_what_it_wants() {
    let place = json!({"place": {"side": "Buy", "quantity": "1", "price": "590"}});
    let with = |more: Value| json!([place, more]);
    let refused = |answer: Answer| {
        let mut bench = bench(&MARKET, &json!({}));
        let _ = bench.tick("600");
        let _ = asked(&mut bench);
        let problem = bench.engine.process_answered(answer).unwrap_err();
        assert_eq!((bench.engine.highest_order(), bench.engine.open_orders().len()), (0, 0));
        problem.to_string()
    };
    for (more, words) in [
        (json!({"cancel": {"id": 1}}), "actions[1]: no order has id 1"),
        (json!({"replace": {"id": 0, "price": "1"}}), "no order has id 0"),
        (json!({"place": {"side": "Buy", "quantity": "1", "timeInForce": "GTC"}}), "write a price"),
        (json!({"place": {"side": "Buy", "quantity": "1", "postOnly": true}}), "postOnly needs a price"),
        (json!({"place": {"side": "Buy", "quantity": "1", "symbol": "X/Y"}}), "it has BNB/USDT"),
        (json!({"place": {"side": "Buy", "quantity": "1", "tag": "x".repeat(65)}}), "tag is longer than 64"),
        (json!({"say": {"reason": "two words"}}), "a letter first"),
        (json!({"say": {"reason": "Long", "message": "x".repeat(513)}}), "longer than 512"),
    ] {
        let problem = refused(answer(1, &with(more)));
        assert!(problem.contains(words), "{problem}");
    }
    for consumed in [0, 2] {
        assert_eq!(refused(answer(consumed, &json!([]))), BadAction::Consumed { consumed, told: 1 }.to_string());
    }
    let large = json!({"batch": 1, "consumed": 1, "state": "x".repeat(STATE_MAX)});
    assert!(refused(serde_json::from_value(large).unwrap()).contains("keep at most 65536"));
}

/// The worth of it is more than there is.
fn unaffordable() -> Value {
    json!({"place": {"side": "Buy", "quantity": "900000", "price": "590"}})
}

/// Answers each event by itself: what `acts` on, with as many orders that are denied. How many answers ordered on a denial since
/// the tick, and what halts it.
fn retries(bench: &mut Bench, orders: usize, acts: fn(&Event) -> bool) -> (usize, Option<BadAction>) {
    let _ = bench.tick("600");
    let mut retried = 0;
    while bench.engine.asks() {
        let first = asked(bench).events.remove(0);
        let actions = if acts(&first) { vec![unaffordable(); orders] } else { Vec::new() };
        retried += usize::from(is_denied(&first) && acts(&first));
        match bench.engine.process_answered(answer(1, &json!(actions))) {
            Ok(_) => bench.restart(),
            Err(problem) => return (retried, Some(problem)),
        }
    }
    (retried, None)
}

fn is_denied(event: &Event) -> bool {
    matches!(event, Event::Order(order) if order.status == engine::strategies::process::messages::OrderStatus::Denied)
}

#[test]
fn orders_that_are_sent_again_on_each_denial_end_at_16_of_a_tick() {
    let mut bench = bench(&MARKET, &json!({}));
    for denials in [0, 3, 12] {
        assert_eq!(retries(&mut bench, 3, |_| true), (denials, None));
    }
    let (retried, problem) = retries(&mut bench, 3, |_| true);
    assert_eq!((retried, &problem), (17, &Some(BadAction::Retries { denial: "InsufficientFunds".to_owned() })));
    let words = problem.unwrap().to_string();
    assert!(words.contains("16 denials") && words.contains("order again on a later tick"), "{words}");
}

#[test]
fn orders_that_are_sent_again_on_the_next_tick_may_be_denied_for_ever() {
    let mut bench = bench(&MARKET, &json!({}));
    for _ in 0..20 {
        assert_eq!(retries(&mut bench, 20, |event| !is_denied(event)), (0, None));
    }
    let _ = bench.tick("600");
    assert_eq!(asked(&mut bench).events.iter().filter(|event| is_denied(event)).count(), 20);
}

#[test]
fn an_answer_has_at_most_256_actions() {
    let say = json!({"say": {"reason": "Waits"}});
    for action in [say, unaffordable(), json!({"place": {"side": "Buy", "quantity": "0.01", "price": "500"}})] {
        let mut bench = bench(&MARKET, &json!({}));
        let _ = bench.tick("600");
        let _ = asked(&mut bench);
        let problem = bench.engine.process_answered(answer(1, &json!(vec![action.clone(); 257]))).unwrap_err();
        assert_eq!(problem, BadAction::Actions { actions: 257 });
        assert_eq!((bench.engine.highest_order(), bench.engine.report().orders.denied), (0, 0));
        let _ = asked(&mut bench);
        assert!(bench.engine.process_answered(answer(1, &json!(vec![action; 256]))).is_ok());
    }
}

#[test]
fn one_that_failed_is_told_nothing_until_it_is_another_program() {
    let mut bench = bench(&MARKET, &json!({"program": "one"}));
    let _ = bench.tick("600");
    let (_, effects) = listens(&mut bench, &json!([{"place": {"side": "Buy", "quantity": "1", "price": "590"}}]));
    let _ = bench.update(ended(&commands(&effects)[0], OrderStatus::Accepted));
    let effects = bench.engine.process_failed(AlertKind::StrategyTimeout, "it slept");
    assert_eq!(commands(&effects).len(), 1, "its order is cancelled: {effects:?}");
    for _ in 0..2 {
        assert_eq!(halted(&bench.engine).as_deref(), Some("StrategyTimeout"));
        assert_eq!(bench.engine.strategy_failure(), Some((AlertKind::StrategyTimeout, "it slept")));
        let _ = bench.tick("601");
        assert!(!bench.engine.asks());
        bench.restart();
    }
    let saved = serde_json::from_str(&bench.engine.saved().unwrap()).unwrap();
    let registry = Registry::standard();
    let config = MARKET.config(&json!({"program": "two"}));
    bench.engine = engine::Engine::restore(config, registry.get("process").unwrap(), &saved).unwrap();
    assert_eq!((halted(&bench.engine), bench.engine.strategy_failure()), (None, None));
    let _ = bench.tick("602");
    assert_eq!(words(&asked(&mut bench)), ["gap BNB/USDT", "tick 3"]);
}
