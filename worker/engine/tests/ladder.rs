//! A ladder that is paused, refused, halted and edited: what is left without an order, and when it comes back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "ladder/left_out.rs"]
mod left_out;
#[path = "ladder/words.rs"]
mod words;
#[path = "ladder/written_apart.rs"]
mod written_apart;

use engine::messages::{AlertKind, CommandKind, OrderCommand, OrderStatus, OrderUpdate};
use engine::strategies::DesiredState;
use engine::strategies::ladder::DEFINITION;
use engine::testkit::{Bench, Market, alerts, ended, filled};
use engine::{Config, Engine, Event};
use serde_json::{Value, json};

/// Six steps of 20 from 540 to 660 around 600, of a tenth of a coin each. Five coins cover all sells.
fn parameters() -> Value {
    json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6, "quantity": "0.1"})
}

fn config(parameters: &Value) -> Config {
    Market::USUAL.config(parameters)
}

/// A ladder at 600 whose orders rest.
fn placed(parameters: &Value) -> (Bench, Vec<OrderCommand>) {
    let mut bench = Bench::of(&Market::USUAL, config(parameters), &DEFINITION);
    let commands = bench.tick("600");
    accept(&mut bench, &commands);
    (bench, commands)
}

fn accept(bench: &mut Bench, commands: &[OrderCommand]) {
    for command in commands.iter().filter(|command| command.kind.order().is_some()) {
        assert_eq!(bench.update(ended(command, OrderStatus::Accepted)), []);
    }
}

/// Each as `Buy 0.1 @ 580.00`, a cancel as `cancel 3`.
fn lines(commands: &[OrderCommand]) -> Vec<String> {
    let line = |command: &OrderCommand| match &command.kind {
        CommandKind::Create(order) | CommandKind::Replace { order, .. } => {
            format!("{} {} @ {}", order.side, order.quantity, order.price.unwrap())
        }
        CommandKind::Cancel => format!("cancel {}", command.sequence),
        CommandKind::Advance { .. } | CommandKind::Transfer(_) => "no order".to_owned(),
    };
    commands.iter().map(line).collect()
}

fn at<'a>(commands: &'a [OrderCommand], price: &str) -> &'a OrderCommand {
    let is_there = |command: &&OrderCommand| {
        command.kind.order().and_then(|order| order.price).is_some_and(|found| found.to_string() == price)
    };
    commands.iter().find(is_there).unwrap()
}

/// All of an order trades at its own price.
fn fill(bench: &mut Bench, command: &OrderCommand) -> Vec<OrderCommand> {
    let fill = bench.fill_of(command);
    bench.update(filled(fill))
}

fn refuse(bench: &mut Bench, command: &OrderCommand, status: OrderStatus, reason: &str) -> Vec<OrderCommand> {
    bench.update(OrderUpdate { reason: reason.to_owned(), ..ended(command, status) })
}

/// How many buys rest, and how many levels are left out.
fn resting(bench: &Bench) -> (Value, Value) {
    let shown = serde_json::to_value(bench.engine.report().strategy).unwrap();
    (shown["resting"]["buys"].clone(), shown["left"].clone())
}

fn counts(command: &OrderCommand) -> bool {
    command.kind.order().unwrap().counts
}

#[test]
fn levels_are_placed_from_the_empty_one_outwards_and_count_towards_no_rate() {
    let (mut bench, commands) = placed(&parameters());
    let expected = [
        "Buy 0.1 @ 580.00",
        "Buy 0.1 @ 560.00",
        "Buy 0.1 @ 540.00",
        "Sell 0.1 @ 620.00",
        "Sell 0.1 @ 640.00",
        "Sell 0.1 @ 660.00",
    ];
    assert_eq!(lines(&commands), expected);
    assert!(commands.iter().all(|command| !counts(command)));
    assert_eq!(bench.tick("601"), []);
    assert_eq!(bench.reason(), "LadderRests");
    let figures = serde_json::to_value(bench.engine.report().strategy).unwrap();
    let expected = json!({"levels": 6, "empty": "600.00", "resting": {"buys": 3, "sells": 3}, "left": 0,
        "matchedTrades": 0, "gridProfit": "0", "floatingProfit": "5", "buyAndHold": "5"});
    assert_eq!(figures, expected);
}

/// More levels than `maxOrdersPerMinute` allows orders.
#[test]
fn more_levels_than_orders_a_minute_are_placed_at_once() {
    let (_, commands) = placed(&json!({"lowerPrice": 500, "upperPrice": 700, "levels": 20, "quantity": "0.1"}));
    assert_eq!(commands.len(), 20);
}

#[test]
fn a_pause_cancels_the_buys_and_they_come_back_after_it() {
    let (mut bench, commands) = placed(&parameters());
    let cancels = bench.step(commands[0].time, Event::Control(DesiredState::Paused));
    assert_eq!(lines(&cancels), ["cancel 1", "cancel 2", "cancel 3"]);
    for command in &commands[..3] {
        assert_eq!(bench.update(ended(command, OrderStatus::Canceled)), []);
    }
    // A sell trades meanwhile; its buy may not be sent.
    assert_eq!(fill(&mut bench, at(&commands, "620.00")), []);
    assert_eq!(bench.tick("621"), []);
    bench.restart();
    bench.step(commands[0].time, Event::Control(DesiredState::Running));
    let back = bench.tick("621");
    let expected = ["Buy 0.1 @ 600.00", "Buy 0.1 @ 580.00", "Buy 0.1 @ 560.00", "Buy 0.1 @ 540.00"];
    assert_eq!(lines(&back), expected);
    assert!(back.iter().all(|command| !counts(command)));
    assert_eq!(bench.tick("621"), [], "once");
    assert_eq!(bench.engine.report().orders.denied, 0, "a pause is no denial");
}

/// What was cancelled comes back only where it would rest.
#[test]
fn a_level_that_would_take_at_once_does_not_come_back() {
    let (mut bench, commands) = placed(&parameters());
    bench.step(commands[0].time, Event::Control(DesiredState::Paused));
    for command in &commands[..3] {
        bench.update(ended(command, OrderStatus::Canceled));
    }
    bench.step(commands[0].time, Event::Control(DesiredState::Running));
    assert_eq!(lines(&bench.tick("570")), ["Buy 0.1 @ 560.00", "Buy 0.1 @ 540.00"]);
    assert_eq!(lines(&bench.tick("581")), ["Buy 0.1 @ 580.00"]);
}

#[test]
fn a_refused_level_comes_back_after_a_minute_and_counts_then() {
    for (status, counted) in [(OrderStatus::Rejected, true), (OrderStatus::Expired, false)] {
        let (mut bench, commands) = placed(&parameters());
        // At tick 0, so it is placed again on the tick 60 s after it.
        assert_eq!(refuse(&mut bench, at(&commands, "560.00"), status, "Maintenance"), []);
        for _ in 1..60 {
            assert_eq!(bench.tick("600"), []);
            bench.restart();
        }
        let back = bench.tick("600");
        assert_eq!((lines(&back), counts(&back[0])), (vec!["Buy 0.1 @ 560.00".to_owned()], counted), "{status:?}");
    }
}

/// The usual ladder under these limits.
fn limited(parameters: &Value, risk: Value) -> Bench {
    let risk = serde_json::from_value(risk).unwrap();
    Bench::of(&Market::USUAL, Config { risk, ..config(parameters) }, &DEFINITION)
}

#[test]
fn what_a_latched_limit_cancelled_comes_back_after_its_release_and_not_before() {
    let mut bench = limited(&parameters(), json!({"maxDrawdownPercent": 1, "onBreach": "CancelOrders"}));
    let commands = bench.tick("600");
    accept(&mut bench, &commands);
    assert_eq!(lines(&bench.tick("585")), ["cancel 1", "cancel 2", "cancel 3", "cancel 4", "cancel 5", "cancel 6"]);
    for command in &commands {
        assert_eq!(bench.update(ended(command, OrderStatus::Canceled)), []);
    }
    // Sells would pass, but they are levels of a ladder that is held back.
    assert_eq!(bench.tick("585"), []);
    bench.restart();
    assert_eq!(bench.tick("586"), []);
    let latched = bench.engine.report().latched();
    let _ = bench.engine.release(commands[0].time, &latched[0]);
    assert_eq!(bench.tick("586").len(), 6);
}

#[test]
fn a_first_purchase_that_a_bound_denies_has_ended_and_the_levels_are_placed_without_it() {
    let parameters = json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6, "quantity": 2});
    let mut bench = limited(&parameters, json!({"maxExposure": {"USDT": 3100}}));
    // Six coins are needed and five are there: worth 3,000, and one more is too much.
    assert_eq!(lines(&bench.tick("600")), ["Sell 2 @ 620.00", "Sell 2 @ 640.00"]);
    assert_eq!(bench.engine.report().orders.denied_reasons["MaxExposure"], 4, "the purchase and each buy");
    assert_eq!(bench.tick("601"), [], "it is not tried again");
}

#[test]
fn the_levels_wait_for_the_first_purchase() {
    let parameters = json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6, "quantity": 2});
    let mut bench = Bench::of(&Market::USUAL, config(&parameters), &DEFINITION);
    let purchase = bench.tick("600");
    assert_eq!((lines(&purchase), bench.reason()), (vec!["Buy 1 @ 600.00".to_owned()], "OrderOpen".to_owned()));
    accept(&mut bench, &purchase);
    assert_eq!(bench.tick("600"), []);
    let mut late = Bench::of(&Market::USUAL, config(&parameters), &DEFINITION);
    let never = late.tick("600");
    assert_eq!(refuse(&mut late, &never[0], OrderStatus::Expired, "MarketDataEnded"), [], "nothing arrives any more");
    let levels = fill(&mut bench, &purchase[0]);
    let expected = ["Buy 2 @ 580.00", "Buy 2 @ 560.00", "Sell 2 @ 620.00", "Sell 2 @ 640.00", "Sell 2 @ 660.00"];
    assert_eq!(lines(&levels), expected);
}

#[test]
fn a_halt_places_nothing_more() {
    let (mut bench, commands) = placed(&parameters());
    // Told twice with two contents: nothing is true any more.
    let one = bench.fill_of(at(&commands, "580.00"));
    let mut other = one.clone();
    other.quantity = "0.05".parse().unwrap();
    bench.update(OrderUpdate { status: OrderStatus::PartiallyFilled, ..filled(other) });
    bench.update(OrderUpdate { status: OrderStatus::PartiallyFilled, ..filled(one) });
    assert!(engine::testkit::halted(&bench.engine).is_some());
    assert_eq!(fill(&mut bench, at(&commands, "620.00")), []);
    assert_eq!(bench.tick("630"), []);
}

/// The next engine of the same ledger, under other parameters.
fn edited(bench: &mut Bench, parameters: &Value) {
    let saved = serde_json::from_str(&bench.engine.saved().unwrap()).unwrap();
    bench.engine = Engine::restore(config(parameters), &DEFINITION, &saved).unwrap();
}

#[test]
fn edited_bounds_cancel_all_and_start_anew_and_the_profit_goes_on() {
    let (mut bench, commands) = placed(&parameters());
    let sell = fill(&mut bench, at(&commands, "580.00"));
    assert_eq!(lines(&sell), ["Sell 0.1 @ 600.00"]);
    let again = fill(&mut bench, &sell[0]);
    assert_eq!(lines(&again), ["Buy 0.1 @ 580.00"]);
    edited(&mut bench, &json!({"lowerPrice": 590, "upperPrice": 610, "levels": 2, "quantity": "0.1"}));
    let cancels = bench.tick("601");
    assert!(cancels.len() == 6 && cancels.iter().all(|command| command.kind == CommandKind::Cancel));
    assert_eq!(bench.tick("601"), [], "they are not all over");
    let open: Vec<_> = commands.iter().filter(|one| !["580.00"].contains(&price(one).as_str())).chain(&again).collect();
    let mut started = Vec::new();
    for command in &open {
        assert_eq!(started, []);
        started = bench.update(ended(command, OrderStatus::Canceled));
    }
    // As of that tick: 600 is nearest.
    assert_eq!(lines(&started), ["Buy 0.1 @ 590.00", "Sell 0.1 @ 610.00"]);
    let figures = bench.engine.report().strategy;
    assert_eq!((figures["matchedTrades"].to_string(), figures["gridProfit"].to_string()), ("1".into(), "2".into()));
}

/// Nothing is open that news could come of: the next tick starts it.
#[test]
fn edited_bounds_of_a_ladder_without_orders_start_with_the_tick() {
    let (mut bench, commands) = placed(&parameters());
    bench.step(commands[0].time, Event::Control(DesiredState::Stopped));
    for command in &commands {
        assert_eq!(bench.update(ended(command, OrderStatus::Canceled)), []);
    }
    edited(&mut bench, &json!({"lowerPrice": 590, "upperPrice": 610, "levels": 2, "quantity": "0.1"}));
    bench.step(commands[0].time, Event::Control(DesiredState::Running));
    assert_eq!(lines(&bench.tick("601")), ["Buy 0.1 @ 590.00", "Sell 0.1 @ 610.00"]);
}

/// Of the ladder before nothing is shown while the one after it waits.
#[test]
fn edited_bounds_that_the_price_is_outside_of_leave_no_level() {
    let (mut bench, commands) = placed(&parameters());
    edited(&mut bench, &json!({"lowerPrice": 700, "upperPrice": 720, "levels": 2, "quantity": "0.1"}));
    assert_eq!(bench.tick("600").len(), 6);
    for command in &commands {
        assert_eq!(bench.update(ended(command, OrderStatus::Canceled)), []);
    }
    let shown = serde_json::to_value(bench.engine.report().strategy).unwrap();
    let shown = (shown.get("empty"), &shown["left"], &shown["resting"]);
    assert_eq!(shown, (None, &json!(0), &json!({"buys": 0, "sells": 0})));
    assert_eq!((bench.tick("600"), bench.reason()), (vec![], "LadderOutside".to_owned()));
}

fn price(command: &OrderCommand) -> String {
    command.kind.order().unwrap().price.unwrap().to_string()
}

#[test]
fn an_edited_quantity_holds_for_what_is_placed_from_then_on() {
    let (mut bench, commands) = placed(&parameters());
    edited(&mut bench, &json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6, "quantity": "0.2"}));
    assert_eq!(bench.tick("600"), []);
    // The buy brought a tenth, so a tenth is sold; the buy after it is of the new size.
    let sell = fill(&mut bench, at(&commands, "580.00"));
    assert_eq!(lines(&sell), ["Sell 0.1 @ 600.00"]);
    assert_eq!(lines(&fill(&mut bench, &sell[0])), ["Buy 0.2 @ 580.00"]);
}

/// 99 % of 3 are less than a thousandth of each order; with a size of its own it starts.
#[test]
fn a_ladder_that_had_no_size_starts_once_it_is_given_one() {
    let unsized_one = json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6});
    let capital = Market::USUAL.capital("0.005", "0");
    let config = |parameters: &Value| Config { capital: capital.clone(), ..config(parameters) };
    let mut bench = Bench::of(&Market::USUAL, config(&unsized_one), &DEFINITION);
    assert_eq!((bench.tick("600"), bench.reason()), (vec![], "LadderShort".to_owned()));
    assert_eq!(bench.tick("600"), []);
    let saved = serde_json::from_str(&bench.engine.saved().unwrap()).unwrap();
    let sized = json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6, "quantity": "0.002"});
    bench.engine = Engine::restore(config(&sized), &DEFINITION, &saved).unwrap();
    assert_eq!(lines(&bench.tick("600")), ["Sell 0.002 @ 620.00", "Sell 0.002 @ 640.00"]);
}

#[test]
fn what_is_left_out_is_told_once_and_tried_after_fills() {
    // Five coins cover the sells; 100 of cash cover one buy of 58.
    let config = Config { capital: Market::USUAL.capital("5", "100"), ..config(&parameters()) };
    let mut bench = Bench::of(&Market::USUAL, config, &DEFINITION);
    let commands = bench.tick("600");
    assert_eq!(lines(&commands)[..1], ["Buy 0.1 @ 580.00"]);
    assert_eq!((commands.len(), alerts(&bench.effects)), (4, vec![AlertKind::LadderShort]));
    accept(&mut bench, &commands);
    assert_eq!((bench.tick("600"), bench.engine.report().summary.alert.as_str()), (vec![], "LadderShort"));
    assert_eq!(bench.engine.report().orders.denied, 2);
    // 62 more: the counter buy at 600 first, and what is left of it covers no other. Then 64: one at 560.
    assert_eq!(lines(&fill(&mut bench, at(&commands, "620.00"))), ["Buy 0.1 @ 600.00"]);
    assert_eq!(bench.tick("630"), []);
    assert_eq!(lines(&fill(&mut bench, at(&commands, "640.00"))), ["Buy 0.1 @ 620.00"]);
    assert_eq!(bench.engine.report().orders.denied, 2, "the reasons are the same");
    assert_eq!(alerts(&bench.effects), [AlertKind::LadderShort]);
    let warnings = bench.engine.warnings();
    assert!(warnings[0].message.starts_with("2 levels were left out, the first at 540.00 on "), "{warnings:?}");
}

/// The buy at 600 is denied, so the one at 540 was not cancelled: it is a level as before, and is followed by its sell.
#[test]
fn a_level_whose_replacement_was_denied_has_not_left() {
    let trailing = json!({"lowerPrice": 540, "upperPrice": 600, "levels": 3, "quantity": "0.1", "trailingUp": true});
    let (mut bench, commands) = placed(&trailing);
    let moved = bench.tick("620");
    assert_eq!(lines(&moved), ["Buy 0.1 @ 600.00"]);
    assert_eq!(refuse(&mut bench, &moved[0], OrderStatus::Denied, "InsufficientBook"), []);
    assert_eq!(resting(&bench), (json!(3), json!(0)));
    assert_eq!(lines(&fill(&mut bench, at(&commands, "540.00"))), ["Sell 0.1 @ 560.00"]);
}

/// Three steps below 600 that follow the price, on a market with this least worth of an order.
fn trailing(min_notional: &'static str, cash: &str, risk: Value) -> Bench {
    let parameters = json!({"lowerPrice": 540, "upperPrice": 600, "levels": 3, "quantity": "0.1", "trailingUp": true});
    let market = Market { min_notional, ..Market::USUAL };
    let (capital, risk) = (market.capital("0.001", cash), serde_json::from_value(risk).unwrap());
    let mut bench = Bench::of(&market, Config { capital, risk, ..market.config(&parameters) }, &DEFINITION);
    let commands = bench.tick("600");
    accept(&mut bench, &commands);
    bench
}

/// Two levels above the ladder: the first step takes the last of what is allowed, and the second is denied.
#[test]
fn it_moves_up_as_far_as_money_and_limits_reach_to_the_last_digit() {
    let denied = |bench: &Bench, why: &str| bench.engine.report().orders.denied_reasons.get(why).copied();
    // 58, 56 and 54, and 6 more for the buy at 600.
    let mut poor = trailing("1", "174", json!({}));
    assert_eq!(lines(&poor.tick("640")), ["Buy 0.1 @ 600.00"]);
    assert_eq!(denied(&poor, "InsufficientFunds"), Some(1));
    let mut poorer = trailing("1", "173.99", json!({}));
    assert_eq!(poorer.tick("620"), []);
    assert_eq!(denied(&poorer, "InsufficientFunds"), Some(1));
    let mut limited = trailing("1", "3000", json!({"maxOrderNotional": {"USDT": 60}}));
    assert_eq!(lines(&limited.tick("640")), ["Buy 0.1 @ 600.00"]);
    assert_eq!(denied(&limited, "MaxOrderNotional"), Some(1));
    // Buys at 580 and below are worth too little: those at 600 and 620 are not.
    let mut least = trailing("60", "3000", json!({}));
    assert_eq!(denied(&least, "BelowMinNotional"), Some(3));
    assert_eq!(lines(&least.tick("640")), ["Buy 0.1 @ 600.00", "Buy 0.1 @ 620.00"]);
}

/// One that trades whole before its replacement is placed is followed by its sell; what was to take its place is gone.
#[test]
fn a_level_whose_buy_trades_before_it_is_replaced_has_not_left() {
    let trailing = json!({"lowerPrice": 540, "upperPrice": 600, "levels": 3, "quantity": "0.1", "trailingUp": true});
    let (mut bench, commands) = placed(&trailing);
    let moved = bench.tick("620");
    let sell = fill(&mut bench, at(&commands, "540.00"));
    assert_eq!(lines(&sell), ["Sell 0.1 @ 560.00"]);
    assert_eq!(refuse(&mut bench, &moved[0], OrderStatus::Rejected, "ReplaceRaced"), []);
    // It goes on from 540, and only once that is sold again it moves.
    assert_eq!(bench.tick("620"), []);
    assert_eq!(lines(&fill(&mut bench, &sell[0])), ["Buy 0.1 @ 540.00"]);
}
