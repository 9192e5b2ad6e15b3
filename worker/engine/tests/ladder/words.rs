//! What a ladder says of itself, of its bounds and fees, and of what is left out; and what it needs before any price is known.

use engine::Config;
use engine::fees::{Fees, PaidIn};
use engine::instrument::Instruments;
use engine::messages::AlertKind;
use engine::strategies::ladder::{DEFINITION, LadderParameters, Plan};
use engine::strategies::{Strategy, Warning};
use engine::testkit::{Bench, Market, alerts};
use serde_json::{Value, json};

use super::{accept, config, fill, parameters, placed};

fn made(parameters: &Value) -> Box<dyn Strategy> {
    (DEFINITION.start)(parameters, None).unwrap()
}

fn instruments() -> Instruments {
    Market::USUAL.instrument().into()
}

fn message(bench: &Bench) -> String {
    bench.engine.report().decision.message
}

fn alert(bench: &Bench) -> String {
    bench.engine.report().summary.alert
}

fn fees(maker_percent: &str, taker_percent: &str, paid_in: PaidIn) -> Fees {
    Fees { maker_percent: maker_percent.parse().unwrap(), taker_percent: taker_percent.parse().unwrap(), paid_in }
}

/// What it warns of, of this kind.
fn warned(bench: &Bench, kind: AlertKind) -> Option<Warning> {
    bench.engine.warnings().into_iter().find(|warning| warning.kind == kind)
}

#[test]
fn what_rests_is_said_with_the_levels_next_to_the_price() {
    let (mut bench, commands) = placed(&parameters());
    assert_eq!(bench.tick("601"), []);
    assert_eq!(message(&bench), "3 buys rest from 580.00 down, 3 sells from 620.00 up.");
    let outlook = |bench: &Bench| bench.engine.performance().and_then(|performance| performance.outlook);
    assert_eq!(outlook(&bench).as_deref(), Some("3 buys rest from 580.00 down, 3 sells from 620.00 up"));
    // All sells trade: the empty level is the highest.
    for command in &commands[3..] {
        let buys = fill(&mut bench, command);
        accept(&mut bench, &buys);
    }
    assert_eq!(bench.engine.report().strategy["empty"].to_string(), "660.00");
    assert_eq!(bench.tick("661"), []);
    assert_eq!(outlook(&bench).as_deref(), Some("6 buys rest from 640.00 down, 0 sells up"));
    let waiting = Bench::of(&Market::USUAL, config(&parameters()), &DEFINITION);
    assert_eq!(outlook(&waiting), None);
}

#[test]
fn each_reason_for_nothing_has_its_words() {
    let triggered = json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6, "triggerPrice": 620});
    let words = |reason| made(&triggered).explain(reason);
    assert_eq!(words("LadderOutside"), "Starts once the price is between 540 and 660.");
    assert_eq!(words("OrderOpen"), "Waits for its order to be over.");
    assert_eq!(words("TradingHeld"), "Nothing may be placed now; it starts once both sides may be.");
    assert_eq!(words("LevelsMerge"), "Two levels are one price at this tick size; write fewer levels.");
    assert_eq!(words("WaitingForTrigger"), "Starts once the price has reached 620.");
    assert_eq!(words("SomethingElse"), "");
    let mut bench = Bench::of(&Market::USUAL, config(&triggered), &DEFINITION);
    assert_eq!((bench.tick("600"), bench.reason()), (vec![], "WaitingForTrigger".to_owned()));
    // What merges was refused before; a tick size that was edited since is met here.
    let merged = json!({"lowerPrice": 600, "upperPrice": "600.02", "levels": 6});
    let mut bench = Bench::of(&Market::USUAL, config(&merged), &DEFINITION);
    assert_eq!((bench.tick("600"), bench.reason()), (vec![], "LevelsMerge".to_owned()));
}

#[test]
fn it_says_what_it_is_and_how_it_starts() {
    let sized = made(&parameters());
    let usual = made(&json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6}));
    assert_eq!(sized.described(&instruments()), "ladder of 6 steps from 540 to 660, 0.1 BNB per order");
    assert_eq!(usual.described(&instruments()), "ladder of 6 steps from 540 to 660, 99 % of equity in its orders");
    let start = |first: &str| sized.start_line(first.parse().unwrap(), &instruments()).unwrap();
    assert_eq!(start("600"), "start 600.00: 3 buys below 600.00, 3 sells above");
    assert_eq!(start("610.01"), "start 610.01: 4 buys below 620.00, 2 sells above");
    assert_eq!(start("540"), "start 540.00: 0 buys below 540.00, 6 sells above");
    assert_eq!(start("660"), "start 660.00: 6 buys below 660.00, 0 sells above");
    for outside in ["539.99", "660.01"] {
        assert_eq!(start(outside), "starts once the price is between 540 and 660");
    }
    let triggered = json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6, "triggerPrice": 620});
    let first = "600".parse().unwrap();
    let waits = made(&triggered).start_line(first, &instruments());
    assert_eq!(waits.as_deref(), Some("starts once the price has reached 620"));
    let reached = (DEFINITION.start)(&triggered, Some(&json!({"triggered": true}))).unwrap();
    let line = reached.start_line(first, &instruments());
    assert_eq!(line.as_deref(), Some("start 600.00: 3 buys below 600.00, 3 sells above"));
    assert_eq!(sized.max_slippage().unwrap().percent().to_string(), "0.1");
}

#[test]
fn before_its_first_tick_it_shows_that_there_is_nothing() {
    let sized = made(&parameters());
    let expected = json!({"matchedTrades": 0, "gridProfit": "0"});
    assert_eq!(serde_json::to_value(sized.outcome()).unwrap(), expected);
    let expected = json!({"matchedTrades": 0, "gridProfit": "0", "levels": 6, "left": 0,
        "resting": {"buys": 0, "sells": 0}});
    assert_eq!(serde_json::to_value(sized.figures()).unwrap(), expected);
}

/// A ladder under these fees, after a first tick in it.
fn charged(ladder: &Value, maker_percent: &str, first: &str) -> Option<Warning> {
    let fees = fees(maker_percent, "0", PaidIn::Quote);
    let mut bench = Bench::of(&Market::USUAL, Config { fees, ..config(ladder) }, &DEFINITION);
    bench.tick(first);
    warned(&bench, AlertKind::LadderBelowFees)
}

#[test]
fn steps_that_fees_eat_up_are_counted() {
    // 20 less 1.7 % of both levels: 1.3 and 0.62 above 540 and 560, then less than nothing.
    let warning = charged(&parameters(), "1.7", "600").unwrap();
    let message = "4 of 6 steps cost more in fees than they gain, the first above 580.00: write fewer levels.";
    let shown = (warning.message.as_str(), warning.current_value.as_str(), warning.threshold.as_str());
    assert_eq!(shown, (message, "-2.1", "0"));
    // 5 % of 95 and 105 is all of the 10 between them.
    let even = json!({"lowerPrice": 95, "upperPrice": 115, "levels": 2, "quantity": "0.1"});
    let message = "2 of 2 steps cost more in fees than they gain, the first above 95.00: write fewer levels.";
    assert_eq!(charged(&even, "5", "100").unwrap().message, message);
    assert_eq!(charged(&parameters(), "0.1", "600"), None);
}

#[test]
fn ticks_outside_its_bounds_are_counted_and_told_once() {
    let mut bench = Bench::of(&Market::USUAL, config(&parameters()), &DEFINITION);
    assert_eq!(warned(&bench, AlertKind::LadderOutside), None);
    bench.tick("661");
    let message = |bench: &Bench| warned(bench, AlertKind::LadderOutside).unwrap().message;
    let one = "1 tick before its start lay outside 540 to 660, the first at 661 on 2023-11-14T22:13:20";
    assert!(message(&bench).starts_with(one), "{}", message(&bench));
    assert_eq!((bench.reason(), alert(&bench)), ("LadderOutside".to_owned(), "LadderOutside".to_owned()));
    bench.tick("539.5");
    assert!(message(&bench).starts_with(&one.replace("1 tick ", "2 ticks ")), "{}", message(&bench));
    assert!(message(&bench).ends_with(": nothing is placed there. Move the bounds, or wait."));
    let warning = warned(&bench, AlertKind::LadderOutside).unwrap();
    assert_eq!((warning.current_value.as_str(), warning.threshold.as_str()), ("661", "540 to 660"));
    assert_eq!(alerts(&bench.effects), [AlertKind::LadderOutside]);
    // Once it has started the alert is over; the result still tells of it.
    assert_eq!(bench.tick("600").len(), 6);
    assert_eq!(alert(&bench), "");
    assert!(warned(&bench, AlertKind::LadderOutside).is_some());
}

#[test]
fn levels_that_are_left_out_are_counted_in_words() {
    let of_cash = |cash: &str| {
        let config = Config { capital: Market::USUAL.capital("5", cash), ..config(&parameters()) };
        let mut bench = Bench::of(&Market::USUAL, config, &DEFINITION);
        let commands = bench.tick("600");
        accept(&mut bench, &commands);
        bench
    };
    let mut two = of_cash("100");
    assert_eq!(two.tick("600"), []);
    assert_eq!(message(&two), "1 buys rest from 580.00 down, 3 sells from 620.00 up; 2 left out.");
    assert_eq!((two.reason(), alert(&two)), ("LadderShort".to_owned(), "LadderShort".to_owned()));
    let shown = |bench: &Bench| warned(bench, AlertKind::LadderShort).unwrap();
    let start = "2 levels were left out, the first at 540.00 on 2023-11-14T22:13:20";
    assert!(shown(&two).message.starts_with(start), "{:?}", shown(&two));
    let end = ": not covered, or denied. Lower quantity, write fewer levels, or give it more capital.";
    assert!(shown(&two).message.ends_with(end), "{:?}", shown(&two));
    assert_eq!((shown(&two).current_value.as_str(), shown(&two).threshold.as_str()), ("2", "0"));
    let one = of_cash("115");
    assert!(shown(&one).message.starts_with("1 level was left out, the first at 540.00 on "), "{:?}", shown(&one));
    let none = of_cash("168");
    assert_eq!((warned(&none, AlertKind::LadderShort), alert(&none)), (None, String::new()));
}

fn plan(ladder: &Value, fees: &Fees) -> Plan {
    let parameters: LadderParameters = serde_json::from_value(ladder.clone()).unwrap();
    Plan::of(&parameters, &Market::USUAL.instrument(), fees).unwrap()
}

#[test]
fn what_each_level_needs_is_listed() {
    let plan = |fees| plan(&parameters(), &fees);
    let (coins, cash) = ("0.2".parse().unwrap(), "200".parse().unwrap());
    // From 540: six coins at 540, a tenth each. From 660: 540 to 640, a tenth each.
    let expected = [
        "a step gains 2 USDT after fees",
        "needs 324 USDT at 540.00, short by 16 and 354 USDT at 660.00, short by 22",
        "    0 540.00  buy needs 54 USDT",
        "    1 560.00  buy needs 56 USDT, sell needs 0.1 BNB",
        "    2 580.00  buy needs 58 USDT, sell needs 0.1 BNB",
        "    3 600.00  buy needs 60 USDT, sell needs 0.1 BNB",
        "    4 620.00  buy needs 62 USDT, sell needs 0.1 BNB",
        "    5 640.00  buy needs 64 USDT, sell needs 0.1 BNB",
        "    6 660.00  sell needs 0.1 BNB",
    ];
    assert_eq!(plan(Fees::default()).lines(coins, cash), expected);
    // With just what a start at 540 needs, 108 of it in coins, nothing is short there.
    let there = plan(Fees::default()).lines(coins, "216".parse().unwrap());
    assert_eq!(there[1], "needs 324 USDT at 540.00 and 354 USDT at 660.00, short by 6");
    // The larger of both fees is reserved; the maker's is taken out of a gain.
    let charged = plan(fees("1", "2", PaidIn::Quote)).lines("5".parse().unwrap(), "3000".parse().unwrap());
    let expected = [
        "a step gains 0.7 to 0.9 USDT after fees",
        "needs 330.48 USDT at 540.00 and 361.08 USDT at 660.00",
        "    0 540.00  buy needs 55.08 USDT",
    ];
    assert_eq!(charged[..3], expected);
    let of_coins = plan(fees("2", "1", PaidIn::Received)).lines("5".parse().unwrap(), "3000".parse().unwrap());
    assert_eq!(of_coins[1..3], ["needs 324 USDT at 540.00 and 354 USDT at 660.00", "    0 540.00  buy needs 54 USDT"]);
    let nearest = plan(Fees::default()).nearest("610".parse().unwrap()).unwrap();
    assert_eq!((nearest.0, nearest.1.to_string()), (3, "600.00".to_owned()), "of two equally near the lower");
}

#[test]
fn a_size_that_follows_from_the_equity_is_told_for_a_start_in_the_middle() {
    let ladder = json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6});
    // 99 % of 1,600 over 540 + 560 + 580 + 3 x 600.
    let lines = plan(&ladder, &Fees::default()).lines("1".parse().unwrap(), "1000".parse().unwrap());
    let expected = [
        "a step gains 20 to 20 USDT per BNB after fees",
        "orders of 0.455 BNB if it starts at 600.00",
        "    0 540.00  buy needs 245.7 USDT",
    ];
    assert_eq!(lines[..3], expected);
    assert_eq!(lines.len(), 9);
}
