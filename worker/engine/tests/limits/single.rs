//! What denies single orders and latches nothing: exposure, collar, cooldown.

use engine::messages::{OrderStatus, Side};
use engine::testkit::ended;
use engine::{Engine, Event};
use serde_json::{Value, json};

use crate::bench::commands;
use crate::scripted::{Action, SCRIPTED, Wanted, rest, start, told};
use crate::stand::{MARKET, buy, config, market, sell};

/// What comes of actions on the first tick, at 100, under this limit.
fn comes_of(risk: Value, actions: &[Action]) -> String {
    let mut engine = start(config(&[actions], ("1", "10000"), risk, Value::Null));
    let tick = MARKET.tick(0, "100");
    let _ = engine.step(tick.event_time(), Event::Tick(tick));
    let told = told(&engine);
    let done: Vec<_> = told.split(", ").filter(|line| line.starts_with("sent") || !line.contains(' ')).collect();
    done.join(" ")
}

#[test]
fn an_opening_is_within_the_exposure_that_it_leads_to() {
    let most = |most: &str| json!({"maxExposure": {"USDT": most}});
    assert_eq!(comes_of(most("150"), &[buy("1", "50")]), "sent 1", "100 of coins and 50");
    assert_eq!(comes_of(most("149.999999999"), &[buy("1", "50")]), "MaxExposure");
    // An open buy counts at its own price.
    assert_eq!(comes_of(most("230"), &[buy("1", "50"), buy("1", "80")]), "sent 1 sent 2");
    assert_eq!(comes_of(most("229.999999999"), &[buy("1", "50"), buy("1", "80")]), "sent 1 MaxExposure");
    // One that takes another's place does not count beside it.
    let replaced = [buy("1", "50"), Action::Replace(1, rest(Side::Buy, "1", "60"))];
    assert_eq!(comes_of(most("160"), &replaced), "sent 1 sent 2");
    assert_eq!(comes_of(most("159.999999999"), &replaced), "sent 1 MaxExposure");
    assert_eq!(comes_of(most("100"), &[sell("1", "100"), market(Side::Sell, "1")]), "sent 1 InsufficientFunds");
    assert_eq!(comes_of(most("1"), &[sell("1", "120")]), "sent 1", "what reduces passes, also beyond it");
}

#[test]
fn an_opening_is_within_its_collar() {
    let collar = |percent: &str| json!({"priceCollarPercent": percent});
    for price in ["90", "110"] {
        assert_eq!(comes_of(collar("10"), &[buy("1", price)]), "sent 1", "{price}");
        assert_eq!(comes_of(collar("9.999999999"), &[buy("1", price)]), "PriceCollar", "{price}");
    }
    assert_eq!(comes_of(collar("10"), &[buy("1", "110.01"), buy("1", "89.99")]), "PriceCollar PriceCollar");
    assert_eq!(comes_of(collar("1"), &[sell("1", "200")]), "sent 1", "what reduces passes");
    assert_eq!(comes_of(collar("0.000000001"), &[market(Side::Buy, "1")]), "sent 1");
}

/// A post-only buy that the venue rejects on each of these ticks; what came of each.
fn rejected(risk: Value, count: usize) -> Vec<&'static str> {
    let place = [Action::Place(Wanted { post_only: true, ..rest(Side::Buy, "1", "99") })];
    let actions: Vec<&[Action]> = vec![&place; count];
    let mut engine = start(config(&actions, ("1", "10000"), risk, Value::Null));
    let mut came = Vec::new();
    for sequence in 0..count as u64 {
        let tick = MARKET.tick(sequence, "100");
        let sent = commands(&engine.step(tick.event_time(), Event::Tick(tick)));
        for command in &sent {
            let news = ended(command, OrderStatus::Rejected);
            let _ = engine.step(news.time, Event::OrderUpdate(news));
        }
        came.push(if sent.is_empty() { "denied" } else { "sent" });
        let saved = engine.snapshot().unwrap();
        let again = config(&actions, ("1", "10000"), cooldown(), Value::Null);
        engine = Engine::restore(again, &SCRIPTED, &saved).unwrap();
    }
    assert_eq!(engine.latched_limits(), []);
    came
}

fn cooldown() -> Value {
    json!({"cooldown": {"rejects": 2, "seconds": 3}})
}

#[test]
fn after_rejections_nothing_is_opened_for_a_while() {
    let came = rejected(cooldown(), 8);
    // Rejected at 0 and 1 s: nothing before 4 s, and the one of 1 s is 3 s old by then.
    assert_eq!(came, ["sent", "sent", "denied", "denied", "sent", "sent", "denied", "denied"]);
}

#[test]
fn a_sale_passes_a_cooldown() {
    let place = Action::Place(Wanted { post_only: true, ..rest(Side::Buy, "1", "99") });
    let risk = json!({"cooldown": {"rejects": 1, "seconds": 60}});
    let both = [buy("1", "99"), sell("1", "101")];
    let mut engine = start(config(&[&[place], &both], ("1", "1000"), risk, Value::Null));
    let mut take = |sequence| {
        let tick = MARKET.tick(sequence, "100");
        let sent = commands(&engine.step(tick.event_time(), Event::Tick(tick)));
        if sequence == 0 {
            let news = ended(&sent[0], OrderStatus::Rejected);
            let _ = engine.step(news.time, Event::OrderUpdate(news));
        }
        sent.iter().map(|command| command.kind.order().unwrap().side).collect::<Vec<_>>()
    };
    assert_eq!((take(0), take(1)), (vec![Side::Buy], vec![Side::Sell]));
    assert_eq!(engine.report().orders.denied_reasons["Cooldown"], 1);
}
