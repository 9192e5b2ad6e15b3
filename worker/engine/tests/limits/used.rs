//! What a limit's metric shows: how much of it is used up; and whether a strategy opens anything.

use engine::Event;
use engine::messages::{OrderStatus, Side};
use engine::strategies::DesiredState;
use engine::testkit::ended;
use serde_json::{Value, json};

use crate::bench::commands;
use crate::scripted::{Action, rest, start};
use crate::stand::{MARKET, Stand, buy, config, market};

/// What is used of each limit, as `name ratio`.
fn used(stand: &Stand) -> Vec<String> {
    let shown = |(limit, ratio): (engine::risk::Limit, engine::numbers::Ratio)| {
        format!("{} {}", limit.as_str(), ratio.get().normalize())
    };
    stand.engine.limits_used().into_iter().map(shown).collect()
}

fn limited(actions: &[&[Action]], risk: Value) -> Stand {
    // One coin and 900 of cash: 1000 at a price of 100.
    Stand::limited(actions, ("1", "900"), risk)
}

#[test]
fn a_fall_is_used_in_parts_of_the_fall_that_is_allowed() {
    for name in ["maxDrawdownPercent", "maxDailyLossPercent"] {
        let mut stand = limited(&[], json!({ name: 4 }));
        assert_eq!(used(&stand), [""; 0], "no price yet");
        stand.run(["100"]);
        assert_eq!(used(&stand), [format!("{name} 0")]);
        stand.run(["90"]);
        assert_eq!(used(&stand), [format!("{name} 0.25")], "10 of 40");
        stand.run(["60"]);
        assert_eq!(used(&stand), [format!("{name} 1")], "all of it");
        stand.run(["40"]);
        assert_eq!(used(&stand), [format!("{name} 1.5")]);
    }
}

/// Above the first equity of the day nothing is used, however far above; a peak rises with it.
#[test]
fn a_gain_uses_nothing() {
    for name in ["maxDrawdownPercent", "maxDailyLossPercent"] {
        let mut stand = limited(&[], json!({ name: 4 }));
        stand.run(["100", "200"]);
        assert_eq!(used(&stand), [format!("{name} 0")]);
    }
    let mut stand = limited(&[], json!({"maxDrawdownPercent": 4, "maxDailyLossPercent": 4}));
    stand.run(["100", "200", "178"]);
    // 22 below the peak of 1100, of 44; 78 above the day's first.
    assert_eq!(used(&stand), ["maxDrawdownPercent 0.5", "maxDailyLossPercent 0"]);
}

#[test]
fn losses_and_exposure_are_used_in_parts_of_their_maxima() {
    let lossy: [&[Action]; 2] = [&[market(Side::Buy, "1")], &[market(Side::Sell, "1")]];
    let risk = json!({"maxConsecutiveLosses": 4, "maxExposure": {"USDT": 400}});
    let mut stand = limited(&lossy, risk.clone());
    stand.run(["100"]);
    assert_eq!(used(&stand), ["maxConsecutiveLosses 0", "maxExposure 0.5"], "two coins");
    stand.run(["90", "90"]);
    assert_eq!(used(&stand), ["maxConsecutiveLosses 0.25", "maxExposure 0.225"]);
    // A buy that is open counts at its own price.
    let mut stand = limited(&[&[buy("2", "50")]], risk);
    stand.run(["100"]);
    assert_eq!(used(&stand), ["maxConsecutiveLosses 0", "maxExposure 0.5"]);
}

/// Of a buy and the one that takes its place only one can trade: the later one counts. Where that was not placed the first
/// one counts again.
#[test]
fn a_buy_that_is_replaced_does_not_count_beside_the_other() {
    let replaced = [Action::Replace(1, rest(Side::Buy, "1", "60"))];
    let actions: [&[Action]; 2] = [&[buy("1", "50")], &replaced];
    let risk = json!({"maxExposure": {"USDT": 400}});
    let mut engine = start(config(&actions, ("1", "900"), risk, Value::Null));
    let mut take = |sequence, status| {
        let tick = MARKET.tick(sequence, "100");
        let sent = commands(&engine.step(tick.event_time(), Event::Tick(tick)));
        let before = engine.limits_used()[0].1.get().normalize().to_string();
        let news = ended(&sent[0], status);
        let _ = engine.step(news.time, Event::OrderUpdate(news));
        (before, engine.limits_used()[0].1.get().normalize().to_string())
    };
    assert_eq!(take(0, OrderStatus::Accepted), ("0.375".to_owned(), "0.375".to_owned()), "100 and 50");
    assert_eq!(take(1, OrderStatus::Rejected), ("0.4".to_owned(), "0.375".to_owned()), "100 and 60, then 50 again");
}

#[test]
fn of_what_is_not_set_and_of_none_allowed_nothing_is_shown() {
    let mut stand = limited(&[], json!({"maxConsecutiveLosses": 0}));
    stand.run(["100"]);
    assert_eq!(used(&stand), [""; 0], "there is no share of none");
    let mut stand = limited(&[], json!({}));
    stand.run(["100"]);
    assert_eq!(used(&stand), [""; 0]);
}

#[test]
fn it_is_held_back_by_a_limit_and_by_an_exit_until_they_are_released() {
    let coin = ("1", "900");
    let mut stand = Stand::of(config(&[], coin, json!({"maxDrawdownPercent": 1}), json!({"abovePrice": 300})));
    stand.run(["100"]);
    assert!(!stand.engine.is_held_back());
    stand.run(["80"]);
    assert!(stand.engine.is_held_back(), "by a limit");
    stand.release();
    assert!(!stand.engine.is_held_back());
    stand.run(["300"]);
    assert!(stand.engine.is_held_back(), "by an exit");
    // Paused by a human it is held back by nobody.
    let mut stand = limited(&[], json!({}));
    stand.run(["100"]);
    let _ = stand.engine.step(stand.report().as_of, Event::Control(DesiredState::Paused));
    assert!(!stand.engine.is_held_back());
}
