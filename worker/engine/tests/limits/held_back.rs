//! What is latched holds a strategy back on each later tick: under its word, also where an order stayed open because the one
//! in its place came too late; and a strategy that is halted is judged by nothing more.

use engine::messages::{CommandKind, OrderStatus, Side};
use engine::testkit::{ended, halted};
use engine::{Config, Event};
use serde_json::{Value, json};

use crate::bench::commands;
use crate::scripted::{Action, rest, start};
use crate::stand::{MARKET, Stand, buy, config};

#[test]
fn an_opening_is_denied_by_the_word_of_what_is_latched() {
    let each: &[Action] = &[buy("1", "10")];
    let actions = [&[][..], &[], each];
    for (limit, on_breach, word) in [
        ("maxExposure", "StopOpening", "MaxExposure"),
        ("maxExposure", "Flatten", "LimitReached"),
        ("maxDrawdownPercent", "StopOpening", "LimitReached"),
    ] {
        let most = if limit == "maxExposure" { json!({"USDT": 105}) } else { json!(5) };
        let mut stand = Stand::limited(&actions, ("1", "900"), json!({limit: most, "onBreach": on_breach}));
        let price = if limit == "maxExposure" { "110" } else { "40" };
        stand.run(["100"]);
        // Nobody buys: where coins are to be sold they still are.
        stand.bid(price, "0", "0");
        stand.bid(price, "0", "0");
        assert_eq!(stand.latched().len(), 1, "{limit}");
        assert!(stand.told().ends_with(&format!("tick 2, {word}")), "{limit} {on_breach}: {}", stand.told());
        assert_eq!(stand.report().orders.denied_reasons[word], 1);
    }
}

/// Which orders are cancelled on the tick after what was to take the place of one has been rejected.
fn cancelled_later(side: Side, config: impl Fn(&[&[Action]]) -> Config) -> Vec<u64> {
    let (first, second) = if side == Side::Buy { ("50", "51") } else { ("300", "301") };
    let replaced = [Action::Replace(1, rest(side, "0.5", second))];
    let actions: [&[Action]; 2] = [&[Action::Place(rest(side, "0.5", first))], &replaced];
    let mut engine = start(config(&actions));
    let mut take = |sequence, price, answer: Option<OrderStatus>| {
        let tick = MARKET.tick(sequence, price);
        let sent = commands(&engine.step(tick.event_time(), Event::Tick(tick)));
        if let (Some(status), Some(command)) = (answer, sent.first()) {
            let news = ended(command, status);
            let _ = engine.step(news.time, Event::OrderUpdate(news));
        }
        sent
    };
    assert_eq!(take(0, "100", Some(OrderStatus::Accepted)).len(), 1);
    assert_eq!(take(1, "100", None).len(), 1, "one in its place is on its way");
    take(2, "60", Some(OrderStatus::Rejected));
    let sent = take(3, "60", None);
    assert!(sent.iter().all(|command| command.kind == CommandKind::Cancel), "{sent:?}");
    sent.iter().map(|command| command.sequence).collect()
}

#[test]
fn what_stays_open_is_cancelled_as_what_is_latched_says() {
    let exit = |actions: &[&[Action]]| {
        config(actions, ("1", "900"), json!({}), json!({"belowPrice": 70, "action": "StopOpening"}))
    };
    let limit = |on_breach: &'static str| {
        move |actions: &[&[Action]]| {
            config(actions, ("1", "900"), json!({"maxDrawdownPercent": 3, "onBreach": on_breach}), Value::Null)
        }
    };
    for side in [Side::Buy, Side::Sell] {
        assert_eq!(cancelled_later(side, exit), [1], "{side:?}, an exit that keeps the coins");
        assert_eq!(cancelled_later(side, limit("Flatten")), [1], "{side:?}, all is sold");
    }
    assert_eq!(cancelled_later(Side::Buy, limit("StopOpening")), [1]);
    assert_eq!(cancelled_later(Side::Sell, limit("StopOpening")), [0; 0], "what reduces passes");
}

#[test]
fn a_strategy_that_is_halted_is_judged_no_more() {
    for (limits, exit) in [(json!({"maxDrawdownPercent": 5}), Value::Null), (json!({}), json!({"belowPrice": 90}))] {
        let mut engine = start(config(&[&[buy("1", "95")]], ("1", "900"), limits, exit));
        let tick = MARKET.tick(0, "100");
        let sent = commands(&engine.step(tick.event_time(), Event::Tick(tick)));
        // Ten times what was ordered.
        let fill = MARKET.fill(&sent[0], "10".parse().unwrap(), "95".parse().unwrap());
        let news = engine::testkit::filled(fill);
        let _ = engine.step(news.time, Event::OrderUpdate(news));
        assert!(halted(&engine).is_some());
        let tick = MARKET.tick(1, "40");
        let _ = engine.step(tick.event_time(), Event::Tick(tick));
        assert_eq!((engine.latched_limits(), engine.exit_reached()), (&[][..], None));
    }
}

/// What was tried to be sold before a release counts no more: the next sale follows with the news of the last cancel.
#[test]
fn after_a_release_coins_are_sold_at_once_again() {
    let actions: [&[Action]; 3] = [&[], &[], &[buy("1", "50")]];
    let mut stand = Stand::exiting(&actions, ("1", "900"), json!({"belowPrice": 90}));
    stand.run(["100"]);
    stand.bid("90", "0", "0");
    stand.release();
    stand.run(["100", "90"]);
    assert_eq!(stand.log, ["2: rests Buy 1 @ 50", "3: cancel 1", "3: Sell 1 @ 90"]);
}
