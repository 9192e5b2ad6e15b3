//! A tick on which nothing happens allocates nothing, whatever the grid is doing: counted by the allocator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "the bench serves other tests too")]
#[path = "properties/bench.rs"]
mod bench;

use allocation_counter::measure;
use engine::messages::Tick;
use engine::strategies::position_control;
use engine::testkit::crossing::CROSSING;
use engine::time::Timestamp;
use engine::{Engine, Event};
use serde_json::json;

use bench::{USUAL, commands, config, news, start, step_tick, step_update, tick};

/// Ticks at these prices in turn, numbered from `first`.
fn ticks(first: u64, prices: &[&str], count: usize) -> Vec<Tick> {
    let prices = prices.iter().cycle().take(count);
    (first..).zip(prices).map(|(sequence, price)| tick(sequence, price.parse().unwrap())).collect()
}

/// How often memory was taken while `engine` took `ticks`, after the first of them.
fn allocations(engine: &mut Engine, ticks: &[Tick]) -> u64 {
    step_tick(engine, &ticks[0]);
    let counted = measure(|| {
        for tick in &ticks[1..] {
            assert!(engine.tick(tick.event_time(), tick).is_empty(), "tick {} is not quiet", tick.sequence);
        }
    });
    counted.count_total
}

#[test]
fn quiet_ticks_allocate_nothing() {
    let mut engine = start(&config(&USUAL, &json!({"basePrice": 600})));
    // Between the bands; new peaks and new falls are among them.
    assert_eq!(allocations(&mut engine, &ticks(0, &["600", "601.5", "599.01", "604", "596.37"], 10_000)), 0);
    // Above the upper band, each a new high, none turns.
    assert_eq!(allocations(&mut engine, &ticks(10_000, &["610", "610.01", "610.5", "611", "611.99"], 5)), 0);
    // Below the lower band.
    assert_eq!(allocations(&mut engine, &ticks(10_005, &["590", "589.5", "588", "588.2"], 4)), 0);
}

#[test]
fn ticks_after_a_trade_and_while_an_order_is_open_allocate_nothing() {
    let mut engine = start(&config(&USUAL, &json!({"basePrice": 600})));
    step_tick(&mut engine, &tick(0, "600".parse().unwrap()));
    step_tick(&mut engine, &tick(1, "615".parse().unwrap()));
    let commands = commands(&step_tick(&mut engine, &tick(2, "610".parse().unwrap())));
    assert_eq!(commands.len(), 1);
    assert_eq!(allocations(&mut engine, &ticks(3, &["611", "612", "613"], 100)), 0, "its order is open");
    for update in news(&commands[0], &[100], &USUAL) {
        step_update(&mut engine, &update);
    }
    assert_eq!(engine.trades(), 1);
    assert_eq!(allocations(&mut engine, &ticks(103, &["611", "610", "612"], 100)), 0, "the base has moved");
}

/// A bar is made in its place; only one that closes takes room.
#[test]
fn ticks_that_make_bars_allocate_nothing_until_one_closes() {
    let parameters = json!({"bars": 2});
    let mut engine = Engine::new(config(&USUAL, &parameters), &CROSSING).unwrap();
    // A tick a second, the first one 20 seconds into a minute.
    let within = |minute: u64| ticks(60 * minute - 20, &["600", "601.5", "599.01"], 60);
    assert_eq!(allocations(&mut engine, &within(1)), 0, "it warms up");
    for minute in 2..16 {
        for tick in ticks(60 * minute - 20, &["600", "601.5"], 60) {
            let _ = engine.tick(tick.event_time(), &tick);
        }
    }
    assert_eq!(engine.warming_up(), None);
    assert_eq!(allocations(&mut engine, &within(16)), 0, "it trades");
}

/// It looks at its share of coins with each tick.
#[test]
fn position_control_allocates_nothing_within_a_day() {
    const MIDNIGHT: i64 = 1_700_006_400_000;
    let later = |tick: Tick, time: i64| Tick { time: Some(Timestamp::from_millis(time)), ..tick };
    let mut engine = Engine::new(USUAL.config(&json!({"lookBackDays": 1})), &position_control::DEFINITION).unwrap();
    for (tick, time) in ticks(0, &["600", "650", "620"], 3).into_iter().zip([0, 1, 86_400_000]) {
        let _ = engine.tick(Timestamp::default(), &later(tick, MIDNIGHT + time));
    }
    assert_eq!((engine.warming_up(), engine.report().strategy["high"].as_str()), (None, "650"));
    let within = ticks(3, &["620", "631.5", "600", "649.01", "650"], 10_000);
    let within: Vec<_> = (86_400_001..).zip(within).map(|(time, tick)| later(tick, MIDNIGHT + time)).collect();
    assert_eq!(allocations(&mut engine, &within), 0);
}

/// The event holds the tick itself: that is a copy, and no allocation either.
#[test]
fn a_quiet_tick_as_an_event_allocates_nothing() {
    let mut engine = start(&config(&USUAL, &json!({"basePrice": 600})));
    let ticks = ticks(0, &["600", "601"], 1_000);
    step_tick(&mut engine, &ticks[0]);
    let counted = measure(|| {
        for tick in &ticks[1..] {
            assert!(engine.step(tick.event_time(), Event::Tick(tick.clone())).is_empty());
        }
    });
    assert_eq!(counted.count_total, 0);
    assert!(measure(|| drop(Box::new(1_u64))).count_total > 0, "the counter counts");
}
