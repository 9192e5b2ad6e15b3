//! Money first, state second: a trade of an order of ours is booked once, whatever its news says beside it and
//! however late it comes; what cannot be then halts; what cannot be booked is never passed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "the bench serves other tests too")]
#[path = "properties/bench.rs"]
mod bench;

use engine::messages::{AlertKind, Fill, OrderCommand, OrderStatus, OrderUpdate, SignalSide};
use engine::numbers::Quantity;
use engine::strategies::DesiredState;
use engine::testkit::{alerts, halted};
use engine::{Effect, Engine, Event};
use serde_json::{Value, json};

use bench::{USUAL, commands, config, news, restore, start, step_tick, step_update, tick};

/// An engine whose first sale, 0.993 at 608, is open, at tick 2.
fn selling() -> (Engine, OrderCommand) {
    let mut engine = start(&config(&USUAL, &json!({"basePrice": 600})));
    let mut made = Vec::new();
    for (sequence, price) in (0..).zip(["600", "610", "608"]) {
        made.extend(commands(&step_tick(&mut engine, &tick(sequence, price.parse().unwrap()))));
    }
    assert_eq!(made.len(), 1);
    (engine, made.remove(0))
}

/// The news of an order that trades whole: accepted, then its one trade.
fn whole(command: &OrderCommand) -> (OrderUpdate, Fill) {
    let mut news = news(command, &[100], &USUAL);
    assert_eq!(news.len(), 2);
    let fill = news.pop().unwrap().fill.unwrap();
    (news.remove(0), fill)
}

fn ended(bare: &OrderUpdate, status: OrderStatus, cumulative: &str) -> OrderUpdate {
    OrderUpdate { status, cumulative_quantity: cumulative.parse().unwrap(), fill: None, ..bare.clone() }
}

fn traded(bare: &OrderUpdate, status: OrderStatus, fill: &Fill) -> OrderUpdate {
    OrderUpdate { status, cumulative_quantity: fill.cumulative_quantity, fill: Some(fill.clone()), ..bare.clone() }
}

fn coins(engine: &Engine) -> String {
    engine.report().position["BNB"].to_string()
}

fn poison(effects: &[Effect]) -> Option<&str> {
    match effects {
        [Effect::Poison(why)] => Some(why),
        _ => None,
    }
}

fn net_is_the_change_of_equity(engine: &Engine) {
    let performance = engine.performance().unwrap();
    assert_eq!(performance.profit.net, performance.equity.minus(performance.opening_equity).unwrap());
}

#[test]
fn a_trade_told_after_the_end_is_booked_once_and_moves_the_base() {
    let (mut engine, command) = selling();
    let (bare, fill) = whole(&command);
    step_update(&mut engine, &ended(&bare, OrderStatus::Canceled, "0"));
    assert_eq!((engine.open_orders().len(), coins(&engine).as_str()), (0, "5"));
    // A restart in between forgets nothing.
    let mut engine = restore(&config(&USUAL, &json!({"basePrice": 600})), &engine.snapshot().unwrap());
    let effects = step_update(&mut engine, &traded(&bare, OrderStatus::Canceled, &fill));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Position(_))), "{effects:?}");
    assert_eq!(effects.last(), Some(&Effect::StateChanged), "{effects:?}");
    let shown = engine.state_snapshot().unwrap();
    let shown: Value = serde_json::from_str(shown.state.get()).unwrap();
    assert!(shown.get("ledger").is_some() && shown.get("closed").is_none(), "{shown:?}");
    assert_eq!(coins(&engine), "4.007");
    assert_eq!((engine.report().orders.filled, engine.report().strategy["basePrice"].as_str()), (1, "608.00"));
    let before = engine.snapshot().unwrap();
    assert!(step_update(&mut engine, &traded(&bare, OrderStatus::Canceled, &fill)).is_empty(), "told again");
    assert_eq!(engine.snapshot().unwrap()["ledger"], before["ledger"]);
    assert_eq!((halted(&engine), engine.snapshot().unwrap()["anomalies"].clone()), (None, json!(0)));
    net_is_the_change_of_equity(&engine);
}

#[test]
fn the_base_moves_once_for_each_order_also_with_a_late_part() {
    let (mut engine, command) = selling();
    let news = news(&command, &[50, 40], &USUAL);
    step_update(&mut engine, &news[1]);
    step_update(&mut engine, &OrderUpdate { cumulative_quantity: news[1].cumulative_quantity, ..news[3].clone() });
    assert_eq!((engine.open_orders().len(), engine.report().strategy["basePrice"].as_str()), (0, "608.00"));
    step_update(&mut engine, &news[2]);
    assert_eq!((coins(&engine).as_str(), engine.report().strategy["basePrice"].as_str()), ("4.107", "608.00"));
    assert_eq!(engine.report().orders.filled, 1, "one order, though its second part came late");
    assert_eq!(halted(&engine), None);
    net_is_the_change_of_equity(&engine);
}

#[test]
fn an_overfill_is_booked_and_then_nothing_more_is_traded() {
    let (mut engine, command) = selling();
    let (bare, fill) = whole(&command);
    step_update(&mut engine, &traded(&bare, OrderStatus::Filled, &fill));
    // The same order, sent twice, has traded twice.
    let twice = fill.cumulative_quantity.plus(fill.quantity).unwrap();
    let second = Fill { trade_id: "second".into(), cumulative_quantity: twice, ..fill };
    let effects = step_update(&mut engine, &traded(&bare, OrderStatus::Filled, &second));
    assert_eq!(coins(&engine), "3.014");
    assert_eq!(
        (halted(&engine).as_deref(), alerts(&effects).as_slice()),
        (Some("OrderAnomaly"), &[AlertKind::OrderAnomaly][..])
    );
    net_is_the_change_of_equity(&engine);
    let restored = restore(&config(&USUAL, &json!({"basePrice": 600})), &engine.snapshot().unwrap());
    assert_eq!(halted(&restored).as_deref(), Some("OrderAnomaly"), "the halt outlives a restart");
    for (sequence, price) in (3..).zip(["590", "580", "585", "610", "608"]) {
        assert!(commands(&step_tick(&mut engine, &tick(sequence, price.parse().unwrap()))).is_empty());
    }
}

#[test]
fn what_cannot_be_is_booked_and_halts() {
    let cases: [(&[OrderStatus], OrderStatus); 5] = [
        (&[OrderStatus::Accepted], OrderStatus::Denied),
        (&[OrderStatus::Rejected], OrderStatus::PartiallyFilled),
        (&[OrderStatus::Denied], OrderStatus::Filled),
        (&[OrderStatus::Canceled], OrderStatus::Filled),
        (&[OrderStatus::Rejected], OrderStatus::Rejected),
    ];
    for (before, status) in cases {
        let (mut engine, command) = selling();
        let (bare, fill) = whole(&command);
        for status in before {
            step_update(&mut engine, &ended(&bare, *status, "0"));
        }
        let effects = step_update(&mut engine, &traded(&bare, status, &fill));
        assert_eq!(coins(&engine), "4.007", "{before:?} then {status:?}");
        assert_eq!(halted(&engine).as_deref(), Some("OrderAnomaly"), "{before:?} then {status:?}");
        assert_eq!(alerts(&effects), [AlertKind::OrderAnomaly]);
        net_is_the_change_of_equity(&engine);
    }
}

#[test]
fn a_trade_of_the_other_side_is_booked_as_it_was_and_halts() {
    let (mut engine, command) = selling();
    let (bare, fill) = whole(&command);
    let fill = Fill { side: engine::messages::Side::Buy, ..fill };
    step_update(&mut engine, &traded(&bare, OrderStatus::Filled, &fill));
    assert_eq!((coins(&engine).as_str(), halted(&engine).as_deref()), ("5.993", Some("OrderAnomaly")));
    net_is_the_change_of_equity(&engine);
}

#[test]
fn a_trade_of_an_order_that_is_not_known_is_never_passed_in_silence() {
    let (mut engine, command) = selling();
    let (bare, fill) = whole(&command);
    let of = |sequence: u64| {
        let client_order_id = format!("glm-abc-{sequence}").parse().unwrap();
        OrderUpdate { client_order_id, ..traded(&bare, OrderStatus::Filled, &fill) }
    };
    let before = engine.snapshot().unwrap();
    let effects = step_update(&mut engine, &of(7));
    assert!(poison(&effects).unwrap().contains("never made this one"), "{effects:?}");
    let effects = step_update(&mut engine, &OrderUpdate { fill: None, ..of(7) });
    assert!(poison(&effects).unwrap().contains("0.993 traded"), "a figure alone tells of a trade too: {effects:?}");
    assert_eq!(engine.snapshot().unwrap(), before, "the event was not taken");
    // Old news without a trade, and news of other ledgers, is left out.
    assert!(step_update(&mut engine, &ended(&of(7), OrderStatus::Canceled, "0")).is_empty());
    let other = OrderUpdate { client_order_id: "glm-other-1".parse().unwrap(), ..of(1) };
    assert!(step_update(&mut engine, &other).is_empty());
}

#[test]
fn a_trade_of_an_order_that_was_closed_too_long_ago_is_never_passed_in_silence() {
    let mut engine = start(&config(&USUAL, &json!({"basePrice": 600})));
    let mut first = None;
    let mut sequence = 0;
    while engine.report().orders.denied < 65 {
        let price = ["610", "608"][usize::try_from(sequence % 2).unwrap()];
        // A minute between ticks keeps the order rate out of it.
        let mut tick = tick(sequence, price.parse().unwrap());
        tick.time = Some(engine::time::Timestamp::from_millis(i64::try_from(sequence).unwrap() * 60_000));
        for command in commands(&step_tick(&mut engine, &tick)) {
            let (bare, fill) = whole(&command);
            step_update(&mut engine, &ended(&bare, OrderStatus::Denied, "0"));
            first.get_or_insert_with(|| traded(&bare, OrderStatus::Denied, &fill));
        }
        sequence += 1;
    }
    let effects = step_update(&mut engine, &first.unwrap());
    assert!(poison(&effects).unwrap().contains("cannot be known"), "{effects:?}");
}

#[test]
fn an_end_that_tells_of_more_than_was_booked_names_what_is_missing() {
    let (mut engine, command) = selling();
    let (bare, fill) = whole(&command);
    step_update(&mut engine, &ended(&bare, OrderStatus::Filled, "0.993"));
    let missing = engine.missing_fills();
    assert_eq!(missing.len(), 1);
    assert_eq!((&missing[0].client_order_id, missing[0].ended), (&command.client_order_id, true));
    assert_eq!((missing[0].told.to_string(), missing[0].booked), ("0.993".to_owned(), Quantity::ZERO));
    assert_eq!((engine.open_orders().len(), halted(&engine)), (1, None));
    step_update(&mut engine, &traded(&bare, OrderStatus::Filled, &fill));
    assert_eq!((engine.missing_fills(), engine.open_orders().len()), (Vec::new(), 0));
    assert_eq!(coins(&engine), "4.007");
}

#[test]
fn filled_means_all_of_it_whatever_the_figure_beside_it_says() {
    let (mut engine, command) = selling();
    let (bare, _) = whole(&command);
    step_update(&mut engine, &ended(&bare, OrderStatus::Filled, "0"));
    assert_eq!(engine.missing_fills()[0].told.to_string(), "0.993");
}

#[test]
fn a_closed_order_that_turns_out_to_have_traded_is_open_until_that_is_booked() {
    let (mut engine, command) = selling();
    let (bare, fill) = whole(&command);
    step_update(&mut engine, &ended(&bare, OrderStatus::Expired, "0"));
    step_update(&mut engine, &ended(&bare, OrderStatus::Expired, "0.993"));
    assert_eq!((engine.missing_fills().len(), engine.open_orders().len()), (1, 1));
    assert!(commands(&step_tick(&mut engine, &tick(3, "607".parse().unwrap()))).is_empty(), "it waits");
    let cancels = engine.step(bare.time, Event::Control(DesiredState::Stopped));
    assert!(cancels.is_empty(), "what has ended is not cancelled");
    step_update(&mut engine, &traded(&bare, OrderStatus::Expired, &fill));
    assert_eq!((engine.missing_fills().len(), engine.open_orders().len(), coins(&engine).as_str()), (0, 0, "4.007"));
    assert_eq!(engine.report().orders.filled, 1);
}

#[test]
fn why_an_order_ended_is_told_once_and_shown() {
    let holds = |effects: &[Effect]| -> Vec<(String, String)> {
        let told = |effect: &Effect| {
            let Effect::Signal(signal) = effect else { return None };
            (signal.side == SignalSide::Hold).then(|| (signal.reason.clone(), signal.message.clone()))
        };
        effects.iter().filter_map(told).collect()
    };
    for (status, reason, word, message) in [
        (
            OrderStatus::Denied,
            "InsufficientBook",
            "InsufficientBook",
            "Sell 0.993 limit 608.00 was refused before it reached the venue: InsufficientBook.",
        ),
        (
            OrderStatus::Rejected,
            "TickUnavailable",
            "TickUnavailable",
            "Sell 0.993 limit 608.00 was refused by the venue: TickUnavailable.",
        ),
        (OrderStatus::Expired, "", "Expired", "Sell 0.993 limit 608.00 has expired."),
        (OrderStatus::Canceled, "", "Canceled", "Sell 0.993 limit 608.00 was cancelled."),
    ] {
        let (mut engine, command) = selling();
        let (bare, _) = whole(&command);
        let update = OrderUpdate { reason: reason.into(), ..ended(&bare, status, "0") };
        let told = holds(&step_update(&mut engine, &update));
        assert_eq!(told, [(word.to_owned(), message.to_owned())]);
        let decision = engine.report().decision;
        assert_eq!((decision.reason.as_str(), decision.message.as_str()), (word, message));
        assert!(step_update(&mut engine, &update).is_empty(), "told again, it is no news");
        // A wish of a human stays what is shown.
        let (mut engine, command) = selling();
        let (bare, _) = whole(&command);
        drop(engine.step(bare.time, Event::Control(DesiredState::Paused)));
        step_tick(&mut engine, &tick(3, "608".parse().unwrap()));
        let told =
            holds(&step_update(&mut engine, &OrderUpdate { reason: reason.into(), ..ended(&bare, status, "0") }));
        assert_eq!((told.len(), engine.report().decision.reason.as_str()), (1, "Paused"));
    }
    let (mut engine, command) = selling();
    let news = news(&command, &[50], &USUAL);
    step_update(&mut engine, &news[1]);
    let told = holds(&step_update(&mut engine, &OrderUpdate { reason: "NoSize".into(), ..news[2].clone() }));
    assert_eq!(told[0].1, "Sell 0.993 limit 608.00 has expired after 0.496 had traded: NoSize.");
}

/// A price that 8 digits do not show is an average all the same: the order has traded.
#[test]
fn an_order_at_a_tiny_price_has_traded() {
    let market = bench::Market { tick_size: "0.000000001", lot_size: "1", min_notional: "0", ..USUAL };
    let mut config = config(&market, &json!({"basePrice": "0.000000003", "quantity": 1_000_000, "gridSizePercent": 2}));
    config.capital = market.capital("1000000000000", "3000");
    let mut engine = start(&config);
    let mut made = Vec::new();
    for (sequence, price) in (0..).zip(["0.000000003", "0.000000005", "0.000000004"]) {
        made.extend(commands(&step_tick(&mut engine, &tick(sequence, price.parse().unwrap()))));
    }
    let (bare, fill) = whole(&made[0]);
    step_update(&mut engine, &traded(&bare, OrderStatus::Filled, &fill));
    assert_eq!(engine.report().strategy["basePrice"], "0.000000004");
}

#[test]
fn a_state_of_the_release_before_is_taken_up() {
    let (mut engine, command) = selling();
    let mut saved = engine.snapshot().unwrap();
    for added in ["closed", "halt"] {
        saved.as_object_mut().unwrap().remove(added).unwrap();
    }
    saved["orders"][0].as_object_mut().unwrap().remove("closedWith");
    saved["risk"] = Value::from("Halted");
    let mut old = restore(&config(&USUAL, &json!({"basePrice": 600})), &saved);
    assert_eq!(halted(&old).as_deref(), Some("LedgerBroken"), "what that release halted for");
    let (bare, fill) = whole(&command);
    for engine in [&mut engine, &mut old] {
        step_update(engine, &traded(&bare, OrderStatus::Filled, &fill));
    }
    assert_eq!(coins(&old), coins(&engine));
}
