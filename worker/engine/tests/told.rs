//! What happened is told: orders that did not trade once each, warnings as the parameters are now, trades with a hash.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "the bench serves other tests too")]
#[path = "properties/bench.rs"]
mod bench;
#[path = "release_before/state_v1.rs"]
mod state_v1;

use engine::Effect;
use engine::Engine;
use engine::messages::{AlertKind, OrderStatus, OrderUpdate};
use engine::numbers::Quantity;
use engine::report::Trade;
use engine::running_hash::RunningHash;
use engine::testkit::{Bench, alerts, holds};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use bench::{Market, USUAL, cases, commands, config, news, restore, start, step_tick, step_update, tick};
use state_v1::of_the_release_before;

const FEES: Market = Market { taker_percent: "0.1", ..USUAL };

fn at(engine: &mut Engine, sequence: u64, price: &str) -> Vec<Effect> {
    step_tick(engine, &tick(sequence, price.parse().unwrap()))
}

fn column(engine: &Engine) -> String {
    engine.report().summary.alert
}

#[test]
fn a_warning_goes_with_the_edit_that_mends_it_and_comes_with_the_one_that_brings_it() {
    let (fine, wide) = (json!({"gridSizePercent": "0.1"}), json!({"gridSizePercent": 2}));
    let mut engine = start(&config(&FEES, &fine));
    assert_eq!(column(&engine), "");
    assert_eq!(alerts(&at(&mut engine, 0, "600")), [AlertKind::GridBelowFees]);
    assert_eq!(alerts(&at(&mut engine, 1, "600")), []);
    assert_eq!(column(&engine), "GridBelowFees");
    let saved = engine.snapshot().unwrap();
    assert_eq!(saved["warnings"], json!([]), "a warning is no state");
    let mut mended = restore(&config(&FEES, &wide), &saved);
    assert_eq!(column(&mended), "", "also where no tick comes any more");
    assert_eq!(alerts(&at(&mut mended, 2, "600")), []);
    assert_eq!(column(&mended), "");
    let mut worse = restore(&config(&FEES, &fine), &mended.snapshot().unwrap());
    assert_eq!(column(&worse), "GridBelowFees");
    assert_eq!(alerts(&at(&mut worse, 3, "600")), [AlertKind::GridBelowFees], "told with the next tick");
    assert_eq!(worse.warnings().len(), 1);
    let mut same = restore(&config(&FEES, &fine), &worse.snapshot().unwrap());
    assert_eq!(alerts(&at(&mut same, 4, "600")), [], "a restart alone is no news");
    assert_eq!(column(&same), "GridBelowFees");
}

#[test]
fn a_base_price_is_far_as_long_as_no_trade_has_moved_it() {
    let far = config(&USUAL, &json!({"basePrice": 700}));
    let mut engine = start(&far);
    at(&mut engine, 0, "600");
    assert_eq!(column(&engine), "BasePriceFar");
    let near = config(&USUAL, &json!({"basePrice": 600}));
    let mut engine = restore(&near, &engine.snapshot().unwrap());
    assert_eq!(column(&engine), "");
    // It buys at 594, which is the base from then on; wherever the market goes, basePrice says nothing any more.
    at(&mut engine, 1, "590");
    let command = commands(&at(&mut engine, 2, "593")).remove(0);
    for update in news(&command, &[100], &USUAL) {
        step_update(&mut engine, &update);
    }
    at(&mut engine, 3, "800");
    assert_eq!(column(&restore(&near, &engine.snapshot().unwrap())), "");
}

/// The price under which parameters were judged is that of the first tick under them, however often the process dies.
#[test]
fn a_restart_alone_makes_no_base_price_far() {
    let near = config(&USUAL, &json!({"basePrice": 600}));
    let mut paused = near.clone();
    paused.desired = engine::strategies::DesiredState::Paused;
    let mut engine = start(&paused);
    at(&mut engine, 0, "600");
    at(&mut engine, 1, "1200");
    let mut again = restore(&paused, &engine.snapshot().unwrap());
    assert_eq!(column(&again), "");
    assert_eq!(alerts(&at(&mut again, 2, "1200")), []);
    let mut edited = config(&USUAL, &json!({"basePrice": 601}));
    edited.desired = paused.desired;
    assert_eq!(column(&restore(&edited, &again.snapshot().unwrap())), "BasePriceFar", "the market is elsewhere now");
}

#[test]
fn what_the_release_before_saved_as_warnings_halts_and_does_not_warn() {
    let parameters = json!({"gridSizePercent": 2});
    let mut engine = start(&config(&FEES, &parameters));
    at(&mut engine, 0, "600");
    let mut saved = of_the_release_before(engine.snapshot().unwrap());
    saved["warnings"] = json!(["GridBelowFees", "BasePriceFar", "LedgerBroken", "AccountMismatch"]);
    (saved["risk"], saved["halt"]) = (json!("Halted"), json!("LedgerBroken"));
    saved.as_object_mut().unwrap().remove("told").unwrap();
    saved["counts"].as_object_mut().unwrap().remove("deniedReasons").unwrap();
    saved["counts"]["denied"] = json!(3);
    let old = restore(&config(&FEES, &parameters), &saved);
    assert_eq!(column(&old), "LedgerBroken, AccountMismatch");
    assert!(old.is_mismatched());
    let counts = serde_json::to_value(old.report().orders).unwrap();
    assert_eq!((&counts["denied"], &counts["deniedReasons"]), (&json!(3), &json!({"Unrecorded": 3})));
    assert_eq!(old.snapshot().unwrap()["warnings"], json!(["LedgerBroken", "AccountMismatch"]));
    assert_eq!(old.report().risk.reason, "LedgerBroken");
}

#[test]
fn the_thousandth_identical_denial_writes_nothing() {
    let config = config(&Market { min_notional: "100000", ..USUAL }, &json!({"basePrice": 600}));
    let mut engine = start(&config);
    let mut told = Vec::new();
    at(&mut engine, 0, "600");
    at(&mut engine, 1, "612");
    // Down to where it turns, and up again: denied on each second tick, waiting for the fall between.
    for sequence in 0..2_000 {
        let effects = at(&mut engine, sequence + 2, if sequence % 2 == 0 { "609" } else { "611.90" });
        if sequence > 3 {
            assert_eq!(effects, [], "tick {sequence}");
        }
        told.extend(holds(&effects));
        // Whatever it remembers of what it told is saved.
        if sequence % 500 == 0 {
            engine = restore(&config, &engine.snapshot().unwrap());
        }
    }
    assert_eq!(told, ["BelowMinNotional", "WaitingForFall"]);
    let report = engine.report();
    assert_eq!((report.orders.denied, report.orders.denied_reasons["BelowMinNotional"]), (1, 1));
    at(&mut engine, 2_002, "609");
    assert_eq!(engine.report().decision.reason, "BelowMinNotional", "the last tick's reason is shown all the same");
}

/// How many orders were denied, expired and rejected.
fn counts(engine: &Engine) -> [u64; 3] {
    let counts = engine.ended_orders();
    [counts.denied, counts.expired, counts.rejected]
}

#[test]
fn each_order_that_ends_untraded_is_counted_and_told_once() {
    let config = config(&USUAL, &json!({"basePrice": 600}));
    for (status, counted) in
        [(OrderStatus::Denied, [2, 0, 0]), (OrderStatus::Expired, [0, 2, 0]), (OrderStatus::Rejected, [0, 0, 2])]
    {
        let mut engine = start(&config);
        let mut told = Vec::new();
        at(&mut engine, 0, "600");
        at(&mut engine, 1, "612");
        // Twice in the same way, on ticks that follow each other: two orders are two orders.
        for sequence in 2..4 {
            let command = commands(&at(&mut engine, sequence, "609")).remove(0);
            let update = OrderUpdate {
                client_order_id: command.client_order_id,
                status,
                reason: "Why".into(),
                cumulative_quantity: Quantity::ZERO,
                fill: None,
                matched: None,
                time: command.time,
            };
            for _ in 0..2 {
                told.extend(holds(&step_update(&mut engine, &update)));
                engine = restore(&config, &engine.snapshot().unwrap());
            }
        }
        assert_eq!((told, counts(&engine)), (vec!["Why".to_owned(), "Why".to_owned()], counted), "{status:?}");
    }
}

/// A position is told with each trade, at the average of what its coins cost; without coins there is none.
#[test]
fn a_position_is_told_with_what_its_coins_cost() {
    let market = Market { min_notional: "0", ..USUAL };
    let mut config = market.config(&json!({"basePrice": 600, "quantity": "1", "minTradeIntervalSeconds": 0}));
    config.capital = market.capital("1", "3000");
    config.risk = serde_json::from_value(json!({"minPositionPercent": 0})).unwrap();
    let mut bench = Bench::grid(&market, config);
    // The coin that it had at 600, sold; another one bought, and a second.
    bench.run("600 615 612.50 580 590 570 575".split(' '));
    let told = |effect: &Effect| {
        let Effect::Position(position) = effect else { return None };
        Some((position.quantity.to_string(), position.average_price.map(|price| price.to_string())))
    };
    let told: Vec<_> = bench.effects.iter().filter_map(told).collect();
    let at = |quantity: &str, price: &str| (quantity.to_owned(), Some(price.to_owned()));
    assert_eq!(told, [("0".to_owned(), None), at("1", "590"), at("2", "582.5")]);
}

#[test]
fn an_empty_side_of_a_quote_denies_the_order_that_wants_it() {
    for (way, word) in [(["612", "609"], "nobody buys"), (["588", "591"], "nobody sells")] {
        let mut engine = start(&config(&USUAL, &json!({"basePrice": 600})));
        at(&mut engine, 0, "600");
        at(&mut engine, 1, way[0]);
        let price: Decimal = way[1].parse().unwrap();
        let mut empty = tick(2, price);
        (empty.bid_size, empty.ask_size) = (Some(Quantity::ZERO), Some(Quantity::ZERO));
        let effects = step_tick(&mut engine, &empty);
        assert_eq!((holds(&effects), commands(&effects).len()), (vec!["NoQuote".to_owned()], 0));
        let report = engine.report();
        assert!(report.decision.message.contains(word), "{}", report.decision.message);
        assert_eq!(report.orders.denied_reasons["NoQuote"], 1);
        // The chance stands: with the next quote it trades.
        assert_eq!(commands(&step_tick(&mut engine, &tick(3, price))).len(), 1);
    }
}

#[test]
fn a_record_of_the_release_before_has_no_hash_of_its_trades() {
    let config = config(&USUAL, &json!({}));
    let mut engine = start(&config);
    at(&mut engine, 0, "600");
    let mut saved = engine.snapshot().unwrap();
    saved.as_object_mut().unwrap().remove("tradesHash").unwrap();
    let old = restore(&config, &saved);
    assert_eq!((old.trades_hash(), old.snapshot().unwrap().get("tradesHash")), (None, None));
}

proptest! {
    #![proptest_config(cases(64))]

    /// The hash that is kept while trades come is that of their list, however often the state was saved between.
    #[test]
    fn the_running_hash_is_that_of_the_printed_trades(
        moves in proptest::collection::vec(-30_i64..=30, 20..120),
        parts in proptest::collection::vec(proptest::collection::vec(1_u8..=60, 0..4), 40),
        saves in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let config = config(&FEES, &json!({}));
        let mut engine = start(&config);
        let (mut cents, mut printed, mut orders) = (60_000, String::new(), 0);
        for (sequence, step) in moves.iter().enumerate() {
            cents += step * 40;
            let effects = step_tick(&mut engine, &tick(sequence as u64, Decimal::new(cents, 2)));
            for command in commands(&effects) {
                let updates = news(&command, &parts[orders % parts.len()], &FEES);
                let again = saves[orders % saves.len()];
                for update in updates.iter().chain(updates.iter().filter(|_| again)) {
                    let booked = engine.trades();
                    step_update(&mut engine, update);
                    if engine.trades() > booked {
                        let fill = update.fill.as_ref().unwrap();
                        printed.push_str(&Trade::of(fill, engine.trade_index(fill)).line());
                    }
                    if again {
                        engine = restore(&config, &engine.snapshot().unwrap());
                    }
                }
                orders += 1;
            }
        }
        let mut hash = RunningHash::default();
        hash.update(printed.as_bytes());
        prop_assert_eq!(engine.trades_hash(), Some(hash.hex()));
        let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(lines.len() as u64, engine.trades());
    }
}
