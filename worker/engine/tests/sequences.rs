//! Numbers of ticks and of orders: nothing wraps, nothing is left out in silence, what is saved can be read again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "the bench serves other tests too")]
#[path = "properties/bench.rs"]
mod bench;

use engine::client_order_id::ClientOrderId;
use engine::messages::{AlertKind, OrderStatus, OrderUpdate, Tick};
use engine::testkit::{alerts, halted};
use engine::time::Timestamp;
use engine::{Effect, Engine, Event};
use serde_json::json;

use bench::{USUAL, commands, config, news, restore, start, step_tick, step_update, tick};

fn grid() -> Engine {
    start(&config(&USUAL, &json!({"basePrice": 600})))
}

fn at(sequence: u64, price: &str) -> Tick {
    tick(sequence, price.parse().unwrap())
}

#[test]
fn a_false_tick_far_ahead_halts_with_the_first_true_one_and_prices_go_on() {
    let mut engine = grid();
    step_tick(&mut engine, &at(0, "600"));
    let false_one = Tick { sequence: u64::MAX, ..at(1, "601") };
    assert_eq!(alerts(&step_tick(&mut engine, &false_one)), [AlertKind::MarketDataGap]);
    // It came back from the store, and the true ones go on where they were.
    let mut engine = restore(&config(&USUAL, &json!({"basePrice": 600})), &engine.snapshot().unwrap());
    let effects = step_tick(&mut engine, &at(1, "602"));
    assert_eq!(
        (alerts(&effects).as_slice(), halted(&engine).as_deref()),
        (&[AlertKind::TickAnomaly][..], Some("TickAnomaly"))
    );
    for (sequence, price) in (2..).zip(["610", "615", "608"]) {
        assert!(
            step_tick(&mut engine, &at(sequence, price))
                .iter()
                .all(|effect| !matches!(effect, Effect::Alert(_) | Effect::Command(_)))
        );
        assert_eq!(engine.last_sequence(), Some(sequence));
    }
    assert_eq!(engine.report().price.unwrap().to_string(), "608");
    assert!(engine.report().summary.alert.contains("TickAnomaly"));
}

#[test]
fn a_younger_tick_under_a_lower_number_was_never_delivered() {
    // A source that starts to count anew, as after the loss of its record, and a second tick under one number.
    for (sequence, time, price) in [(0, 20_000, "601"), (9, 9_000, "602")] {
        let mut engine = grid();
        for sequence in 0..10 {
            step_tick(&mut engine, &at(sequence, "600"));
        }
        let time = Timestamp::from_millis(1_700_000_000_000 + time);
        let tick = Tick { time: Some(time), received: time, ..at(sequence, price) };
        assert_eq!(alerts(&step_tick(&mut engine, &tick)), [AlertKind::TickAnomaly]);
        assert_eq!(halted(&engine).as_deref(), Some("TickAnomaly"));
    }
}

#[test]
fn ticks_that_are_delivered_again_are_left_out_and_told_once() {
    let path = ["600", "610", "612", "615", "611", "612", "608", "600"];
    let (mut once, mut again) = (grid(), grid());
    let mut told = Vec::new();
    let (mut expected, mut made) = (Vec::new(), Vec::new());
    for (sequence, price) in (0..).zip(path) {
        expected.extend(commands(&step_tick(&mut once, &at(sequence, price))));
        made.extend(commands(&step_tick(&mut again, &at(sequence, price))));
        assert!(step_tick(&mut again, &at(sequence, price)).is_empty(), "the last one twice is nothing to tell");
        if sequence == 3 {
            // Its feed starts from the first tick, as one does whose record was made anew.
            for (sequence, price) in (0..=3).zip(path) {
                told.extend(alerts(&step_tick(&mut again, &at(sequence, price))));
            }
        }
    }
    assert_eq!(told, [AlertKind::MarketDataGap]);
    assert_eq!((&made, made.len(), halted(&again)), (&expected, 1, None));
    assert_eq!(again.report(), once.report());
}

#[test]
fn the_last_sequence_is_used_once_and_then_nothing_more_is_traded() {
    let mut engine = grid();
    for (sequence, price) in (0..).zip(["600", "610"]) {
        step_tick(&mut engine, &at(sequence, price));
    }
    let last = ClientOrderId::SEQUENCE_MAX;
    let recovered = Event::Recovered { highest_sequence: last - 1 };
    assert!(engine.step(Timestamp::from_millis(0), recovered).is_empty());
    let command = commands(&step_tick(&mut engine, &at(2, "608"))).remove(0);
    assert_eq!(command.sequence, last);
    let mut engine = restore(&config(&USUAL, &json!({"basePrice": 600})), &engine.snapshot().unwrap());
    step_update(&mut engine, &OrderUpdate { status: OrderStatus::Expired, ..news(&command, &[], &USUAL).remove(0) });
    let effects = step_tick(&mut engine, &at(3, "607.90"));
    assert_eq!((commands(&effects), alerts(&effects)), (Vec::new(), vec![AlertKind::SequenceExhausted]));
    assert_eq!(engine.report().decision.reason, "Halted");
    assert_eq!(halted(&engine).as_deref(), Some("SequenceExhausted"));
}

#[test]
fn a_sequence_that_no_id_can_name_halts_and_what_is_saved_can_be_read() {
    for highest_sequence in [ClientOrderId::SEQUENCE_MAX, u64::MAX - 1, u64::MAX] {
        let mut engine = grid();
        for (sequence, price) in (0..).zip(["600", "610"]) {
            step_tick(&mut engine, &at(sequence, price));
        }
        let effects = engine.step(Timestamp::from_millis(0), Event::Recovered { highest_sequence });
        assert_eq!(alerts(&effects), [AlertKind::SequenceExhausted]);
        assert!(commands(&step_tick(&mut engine, &at(2, "608"))).is_empty());
        let text = engine.snapshot().unwrap().to_string();
        let engine = restore(&config(&USUAL, &json!({"basePrice": 600})), &serde_json::from_str(&text).unwrap());
        assert_eq!(halted(&engine).as_deref(), Some("SequenceExhausted"));
    }
}

#[test]
fn the_last_number_of_ticks_is_one_like_others() {
    let mut engine = grid();
    for sequence in [u64::MAX - 1, u64::MAX] {
        assert_eq!(alerts(&step_tick(&mut engine, &at_most(sequence))), []);
    }
    assert!(step_tick(&mut engine, &at_most(u64::MAX)).is_empty());
    assert_eq!(halted(&engine), None);
}

/// A tick of any number, all at one time.
fn at_most(sequence: u64) -> Tick {
    Tick { sequence, ..at(0, "600") }
}
