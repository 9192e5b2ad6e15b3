//! Exits: each rule exactly at its figure and one step before it, in the order of the fields, once and for good.

use engine::messages::{AlertKind, Side};
use engine::testkit::{Market, START_MS, alerts};
use serde_json::{Value, json};

use crate::scripted::Action;
use crate::stand::{MARKET, Stand, buy, config, market, sell};

/// What is reached on a path of prices with one coin and 900 of cash, opened at 100: an equity of 1000.
fn reached(exit: Value, prices: &str) -> String {
    let mut stand = Stand::exiting(&[], ("1", "900"), exit);
    stand.run(prices.split(' '));
    stand.latched().join(" ")
}

#[test]
fn a_stop_loss_is_of_the_average_cost() {
    let exit = json!({"stopLossPercent": 15});
    assert_eq!(reached(exit.clone(), "100 85.01"), "");
    assert_eq!(reached(exit.clone(), "100 85"), "stopLossPercent 1 85 85");
    // Bought at 100 and at 90: 95 on average, and 80.75 is the bound.
    let mut stand = Stand::exiting(&[&[], &[market(Side::Buy, "1")]], ("1", "900"), exit.clone());
    stand.run(["100", "90", "80.76"]);
    assert_eq!(stand.latched(), Vec::<String>::new());
    stand.run(["80.75"]);
    assert_eq!(stand.latched(), ["stopLossPercent 3 80.75 80.75"]);
    // Without coins there is no cost.
    let mut stand = Stand::exiting(&[&[market(Side::Sell, "1")]], ("1", "900"), exit);
    stand.run(["100", "1"]);
    assert_eq!(stand.latched(), Vec::<String>::new());
}

#[test]
fn a_profit_is_taken_at_its_share_of_the_opening_equity() {
    let exit = json!({"takeProfitPercent": 20});
    assert_eq!(reached(exit.clone(), "100 299.99"), "");
    assert_eq!(reached(exit, "100 300"), "takeProfitPercent 1 200 200");
}

#[test]
fn a_profit_is_given_back_once_it_is_armed() {
    let armed = json!({"takeProfitPercent": 20, "giveBackPercent": 5});
    assert_eq!(reached(armed.clone(), "100 299.99 100"), "", "never armed");
    assert_eq!(reached(armed.clone(), "100 300 290.01"), "", "armed, not taken");
    assert_eq!(reached(armed.clone(), "100 300 290"), "giveBackPercent 2 190 190");
    assert_eq!(reached(armed, "100 300 400 385"), "giveBackPercent 3 285 285");
    let alone = json!({"giveBackPercent": 50});
    assert_eq!(reached(alone.clone(), "100 99 100"), "", "no peak above 0");
    assert_eq!(reached(alone.clone(), "100 101 100.51"), "");
    assert_eq!(reached(alone, "100 101 100.50"), "giveBackPercent 2 0.5 0.5");
    assert_eq!(reached(json!({"giveBackPercent": 100}), "100 101 100.01"), "");
    assert_eq!(reached(json!({"giveBackPercent": 100}), "100 101 100"), "giveBackPercent 2 0 0");
}

#[test]
fn prices_end_it_at_their_bounds_also_at_once() {
    let exit = json!({"belowPrice": 90, "abovePrice": "110.5"});
    assert_eq!(reached(exit.clone(), "100 90.01 110.49"), "");
    assert_eq!(reached(exit.clone(), "100 90"), "belowPrice 1 90 90");
    assert_eq!(reached(exit.clone(), "110.50"), "abovePrice 0 110.5 110.5");
    assert_eq!(reached(exit, "1"), "belowPrice 0 1 90");
}

#[test]
fn hours_are_those_of_the_ticks() {
    let hour = Market { tick_ms: 1_800_000, ..MARKET };
    let mut stand = Stand::in_market(&hour, config(&[], ("1", "900"), json!({}), json!({"afterHours": 2})));
    stand.run(["100", "100"]);
    stand.restart();
    stand.run(["100"]);
    let almost = hour.tick(3, "100");
    stand.take(&engine::messages::Tick {
        time: Some(engine::time::Timestamp::from_millis(START_MS + 7_199_999)),
        ..almost
    });
    assert_eq!(stand.latched(), Vec::<String>::new());
    stand.run(["100"]);
    assert_eq!(stand.latched(), ["afterHours 4 2 2"]);
}

#[test]
fn the_first_in_the_order_of_the_fields_wins() {
    let all =
        json!({"afterHours": 1, "abovePrice": 50, "belowPrice": 40, "stopLossPercent": 10, "giveBackPercent": 10});
    assert_eq!(reached(all.clone(), "100"), "abovePrice 0 100 50");
    let both = json!({"stopLossPercent": 10, "belowPrice": 95});
    assert_eq!(reached(both, "100 80"), "stopLossPercent 1 80 90");
}

#[test]
fn an_exit_cancels_all_sells_all_and_sends_nothing_more() {
    let both: &[Action] = &[buy("1", "50"), sell("0.5", "300")];
    let actions = [both, &[], &[buy("1", "60"), sell("0.1", "70")]];
    let mut stand = Stand::exiting(&actions, ("1", "900"), json!({"belowPrice": 80}));
    stand.run(["100", "80"]);
    // The order for all coins follows in the round after the news of the cancels.
    assert_eq!(stand.log[2..], ["1: cancel 1", "1: cancel 2", "1: Sell 1 @ 80"]);
    stand.restart();
    stand.run(["75", "74"]);
    assert_eq!(stand.log.len(), 5, "{:?}", stand.log);
    assert!(stand.told().ends_with("tick 2, Stopped, Stopped, tick 3"), "{}", stand.told());
    let report = stand.report();
    assert_eq!((report.orders.denied, report.orders.filled), (0, 1), "a stop is shown as that, not as a denial");
    assert_eq!((report.decision.reason.as_str(), report.summary.alert.as_str()), ("ExitReached", "ExitReached"));
    let stopped = report.stopped.unwrap();
    assert_eq!((stopped.reason.as_str(), stopped.rule.as_str()), ("ExitReached", "belowPrice"));
    assert_eq!((stopped.since.millis(), stopped.figure.as_str()), (START_MS + 1_000, "80"));
    assert_eq!(alerts(&stand.effects), [AlertKind::ExitReached]);
    assert!(stand.engine.has_exited());
}

#[test]
fn an_exit_that_stops_opening_keeps_the_coins() {
    let both: &[Action] = &[buy("1", "50"), sell("0.5", "300")];
    let exit = json!({"belowPrice": 80, "action": "StopOpening"});
    let mut stand = Stand::exiting(&[both, &[], &[sell("1", "70")]], ("1", "900"), exit);
    stand.run(["100", "80", "70", "60"]);
    assert_eq!(stand.log[2..], ["1: cancel 1", "1: cancel 2"]);
    assert!(stand.engine.has_exited());
    assert_eq!(stand.report().position["BNB"].to_string(), "1");
}

#[test]
fn an_exit_is_released_by_its_rule_and_since() {
    let mut stand = Stand::exiting(&[&[], &[], &[], &[buy("1", "60")]], ("1", "900"), json!({"giveBackPercent": 50}));
    stand.run(["100", "200", "150"]);
    assert_eq!(stand.latched(), ["giveBackPercent 2 50 50"]);
    stand.release();
    assert!(stand.report().stopped.is_none() && !stand.engine.has_exited());
    stand.run(["150"]);
    assert_eq!(stand.log, ["2: Sell 1 @ 150", "3: rests Buy 1 @ 60"]);
    assert_eq!(stand.latched(), Vec::<String>::new(), "its measure is that of now: 50, not 100");
    let mut stand = Stand::exiting(&[], ("1", "900"), json!({"belowPrice": 80, "action": "StopOpening"}));
    stand.run(["80"]);
    stand.release();
    stand.run(["80"]);
    assert_eq!(stand.latched(), ["belowPrice 1 80 80"], "what holds still is reached again");
}

#[test]
fn rules_without_a_figure_are_none() {
    let mut stand = Stand::exiting(&[], ("1", "900"), json!({"action": "StopOpening"}));
    stand.run(["100", "1"]);
    assert_eq!(stand.engine.bounds().1, None);
    assert_eq!(stand.latched(), Vec::<String>::new());
}

#[test]
fn limits_are_judged_before_exits_and_what_is_flattened_is_flattened_once() {
    let risk = json!({"maxDrawdownPercent": 5, "onBreach": "Flatten"});
    let mut stand = Stand::of(config(&[], ("1", "900"), risk, json!({"belowPrice": 40})));
    stand.run(["100", "40", "39"]);
    assert_eq!(stand.latched(), ["maxDrawdownPercent 1 6 5", "belowPrice 1 40 40"]);
    assert_eq!(stand.log, ["1: Sell 1 @ 40"]);
    assert_eq!(alerts(&stand.effects), [AlertKind::MaxDrawdown, AlertKind::ExitReached]);
}

#[test]
fn after_an_exit_that_keeps_the_coins_no_limit_sells_them() {
    let risk = json!({"maxDrawdownPercent": 5, "onBreach": "Flatten"});
    let exit = json!({"belowPrice": 99, "action": "StopOpening"});
    let mut stand = Stand::of(config(&[], ("1", "900"), risk, exit));
    stand.run(["100", "99", "40", "39"]);
    assert_eq!(stand.latched(), ["maxDrawdownPercent 2 6 5", "belowPrice 1 99 99"]);
    assert_eq!(stand.log, Vec::<String>::new());
}
