//! What each action of a callback sees of those before it, and what is denied.

use engine::fees::{Fees, PaidIn};
use engine::messages::{CommandKind, NewOrder, OrderCommand, OrderStatus, Side, SignalSide, TimeInForce};
use engine::strategies::DesiredState;
use engine::{Config, Effect, Engine, Event};

use crate::bench::{commands, news, step_tick, step_update, tick};
use crate::scripted::{Action, Script, Wanted, acting, at_600, reserved, rest, restored, start, tell, told, usual};

fn buy(quantity: &str, price: &str) -> Action {
    Action::Place(rest(Side::Buy, quantity, price))
}

fn sell(quantity: &str, price: &str) -> Action {
    Action::Place(rest(Side::Sell, quantity, price))
}

fn placed(command: &OrderCommand) -> &NewOrder {
    command.kind.order().unwrap()
}

/// What one action does on the first tick, with 5 BNB and 3000 USDT at 600: the quantity and price, or the denial.
fn does(config: Config, action: Action) -> String {
    let script = Script { ticks: vec![vec![action]], ..Script::default() };
    let mut engine = start(Config { parameters: serde_json::json!(script), ..config });
    let commands = at_600(&mut engine, 0);
    let said = told(&engine).trim_start_matches("tick 0, ").to_owned();
    match &commands[..] {
        [command] => {
            let order = placed(command);
            let post_only = if order.post_only { " post-only" } else { "" };
            format!("{} @ {}{post_only}", order.quantity, order.price.unwrap())
        }
        _ => said,
    }
}

fn with_fees(maker: &str, taker: &str, paid_in: PaidIn) -> Config {
    let fees = Fees { maker_percent: maker.parse().unwrap(), taker_percent: taker.parse().unwrap(), paid_in };
    Config { fees, ..usual(&Script::default()) }
}

fn with_order_limit(most: &str) -> Config {
    let mut config = usual(&Script::default());
    config.risk.max_order_notional.insert("USDT".parse().unwrap(), most.parse().unwrap());
    config
}

/// Each bound, and one unit past it.
#[test]
fn each_bound_of_an_order_is_held_at_the_last_digit() {
    let usual = || usual(&Script::default());
    let ioc = |quantity: &str, price: &str| {
        Action::Place(Wanted { time_in_force: TimeInForce::ImmediateOrCancel, ..rest(Side::Buy, quantity, price) })
    };
    let market = |side, quantity: &str| Action::Place(Wanted { price: None, ..rest(side, quantity, "1") });
    let cases = vec![
        // All the cash, and one lot more; all the coins, and one lot more.
        (usual(), buy("5", "600"), "5 @ 600.00"),
        (usual(), buy("5.001", "600"), "InsufficientFunds"),
        (usual(), sell("5", "600"), "5 @ 600.00"),
        (usual(), sell("5.001", "600"), "InsufficientFunds"),
        (usual(), market(Side::Buy, "5"), "5 @ 600.00"),
        (usual(), Action::Place(Wanted { post_only: true, ..rest(Side::Buy, "5", "600") }), "5 @ 600.00 post-only"),
        (usual(), market(Side::Buy, "5.001"), "InsufficientFunds"),
        // An order that may rest pays the larger fee, one that only takes the taker's: 2997.003 and 2970.297 are most.
        (with_fees("0.1", "0", PaidIn::Quote), buy("4.995", "600"), "4.995 @ 600.00"),
        (with_fees("0.1", "0", PaidIn::Quote), buy("4.996", "600"), "InsufficientFunds"),
        (with_fees("0", "1", PaidIn::Quote), buy("4.950", "600"), "4.95 @ 600.00"),
        (with_fees("0", "1", PaidIn::Quote), buy("4.951", "600"), "InsufficientFunds"),
        (with_fees("1", "0", PaidIn::Quote), ioc("5", "600"), "5 @ 600.00"),
        (with_fees("0", "1", PaidIn::Quote), ioc("4.951", "600"), "InsufficientFunds"),
        // A fee that comes out of the coins takes no cash; a sale never needs more than the coins.
        (with_fees("1", "1", PaidIn::Received), buy("5", "600"), "5 @ 600.00"),
        (with_fees("1", "1", PaidIn::Quote), sell("5", "600"), "5 @ 600.00"),
        // A limit off the tick is never made worse: down to buy, up to sell.
        (usual(), buy("1", "599.999"), "1 @ 599.99"),
        (usual(), sell("1", "600.001"), "1 @ 600.01"),
        (usual(), buy("100", "0.01"), "100 @ 0.01"),
        (usual(), buy("100", "0.009"), "BelowTickSize"),
        // Lots are floored, never rounded; less than one is none.
        (usual(), buy("1.0019", "600"), "1.001 @ 600.00"),
        (usual(), buy("0.001", "1000"), "0.001 @ 1000.00"),
        (usual(), buy("0.0009", "600"), "BelowLotSize"),
        // Worth 1 at least.
        (usual(), buy("0.002", "500"), "0.002 @ 500.00"),
        (usual(), buy("0.002", "499.99"), "BelowMinNotional"),
        // Worth at most what a manifest says.
        (with_order_limit("600"), buy("1", "600"), "1 @ 600.00"),
        (with_order_limit("600"), buy("1", "600.01"), "MaxOrderNotional"),
        (with_order_limit("599.99"), market(Side::Sell, "1"), "MaxOrderNotional"),
        // Figures that cannot be.
        (usual(), buy("999999999999999", "999999999"), "TooManyDigits"),
        (usual(), sell("999999999999999", "999999999"), "TooManyDigits"),
    ];
    for (config, action, expected) in cases {
        let name = format!("{action:?}");
        assert_eq!(does(config, action), expected, "{name}");
    }
}

#[test]
fn a_tick_is_stale_from_the_first_millisecond_past_its_age() {
    for (age, sent) in [(0, 1), (5_000, 1), (5_001, 0)] {
        let mut engine = acting(&[&[buy("1", "500")]]);
        let tick = tick(0, "600".parse().unwrap());
        let effects = engine.tick(tick.event_time().plus_millis(age), &tick);
        assert_eq!(commands(&effects).len(), sent, "{age} ms");
    }
}

#[test]
fn a_marketable_order_takes_the_best_price_within_its_slippage() {
    let place = |side, slippage: &str| {
        let wanted = Wanted { price: None, slippage: Some(slippage.to_owned()), ..rest(side, "1", "1") };
        start(with_script(usual(&Script::default()), vec![vec![Action::Place(wanted)]]))
    };
    let quote = |bid: &str, ask: &str| engine::messages::Tick {
        bid: bid.parse().ok(),
        ask: ask.parse().ok(),
        ..tick(0, "600".parse().unwrap())
    };
    for (side, slippage, bid, ask, expected) in [
        (Side::Buy, "0.1", "599", "600.6", "600.60"),
        (Side::Buy, "0.1", "599", "600.601", "SlippageTooHigh"),
        (Side::Sell, "0.1", "599.4", "601", "599.40"),
        (Side::Sell, "0.1", "599.399", "601", "SlippageTooHigh"),
        // Outwards to the tick, so that it still crosses.
        (Side::Buy, "1", "599", "600.601", "600.61"),
        (Side::Sell, "1", "599.409", "601", "599.40"),
    ] {
        let mut engine = place(side, slippage);
        let tick = quote(bid, ask);
        let sent = commands(&engine.tick(tick.event_time(), &tick));
        let price = sent.first().map(|command| placed(command).price.unwrap().to_string());
        assert_eq!(price.unwrap_or_else(|| engine.report().decision.reason), expected, "{side} {slippage} {bid} {ask}");
        if let Some(command) = sent.first() {
            let order = placed(command);
            assert_eq!((order.time_in_force, order.post_only), (TimeInForce::ImmediateOrCancel, false));
            assert_eq!(command.expires_at.millis_since(command.time), 30_000);
            assert!(order.counts && !order.reduce_only && order.lot_size.is_some());
        }
    }
}

#[test]
fn each_order_sees_what_those_before_it_reserve() {
    let mut engine = acting(&[&[
        buy("2", "500"),
        buy("4", "500"),
        buy("0.002", "500"),
        sell("4", "700"),
        sell("1.001", "700"),
        sell("1", "700"),
    ]]);
    assert_eq!(at_600(&mut engine, 0).len(), 4);
    assert_eq!(told(&engine), "tick 0, sent 1, sent 2, InsufficientFunds, sent 3, InsufficientFunds, sent 4");
    assert_eq!(reserved(&engine), ("5".to_owned(), "3000".to_owned()));
    let mut engine = acting(&[&[buy("2", "500"), buy("5", "500")]]);
    at_600(&mut engine, 0);
    let message = engine.report().decision.message;
    assert!(message.contains("needs 2500 USDT, has 2000 free of 3000; lower quantity"), "{message}");
}

#[test]
fn what_has_ended_or_traded_reserves_only_its_rest() {
    let mut engine = acting(&[&[buy("2", "500"), sell("2", "700")]]);
    let commands = at_600(&mut engine, 0);
    assert_eq!(reserved(&engine), ("2".to_owned(), "1000".to_owned()));
    step_update(&mut engine, &news(&commands[0], &[25], &crate::bench::USUAL)[1]);
    assert_eq!(reserved(&engine), ("2".to_owned(), "750".to_owned()), "half of a coin was bought");
    let config = usual(&Script::default());
    assert_eq!(reserved(&restored(&engine, config)), ("2".to_owned(), "750".to_owned()));
    tell(&mut engine, &commands[1], OrderStatus::Canceled);
    assert_eq!(reserved(&engine), ("0".to_owned(), "750".to_owned()));
    // A cancel's answer overtakes the last fill: what it says has traded is still reserved.
    let late = engine::messages::OrderUpdate {
        cumulative_quantity: "1".parse().unwrap(),
        ..crate::scripted::update(&commands[0], OrderStatus::Canceled, None)
    };
    step_update(&mut engine, &late);
    assert_eq!((reserved(&engine).1, engine.missing_fills().len()), ("250".to_owned(), 1));
}

#[test]
fn a_restart_under_other_fees_reserves_by_them() {
    let mut engine = start(with_script(with_fees("0", "0", PaidIn::Quote), vec![vec![buy("2", "500")]]));
    at_600(&mut engine, 0);
    assert_eq!(reserved(&engine).1, "1000");
    let engine = restored(&engine, with_fees("1", "0.5", PaidIn::Quote));
    assert_eq!(reserved(&engine).1, "1010");
}

fn with_script(config: Config, ticks: Vec<Vec<Action>>) -> Config {
    Config { parameters: serde_json::json!(Script { ticks, ..Script::default() }), ..config }
}

#[test]
fn ten_thousand_orders_at_once_are_256_and_the_rest_is_denied_and_told_once() {
    let mut config = usual(&Script::default());
    config.risk.max_orders_per_minute = 600;
    let each = |tag| Action::Place(Wanted { tag, ..rest(Side::Buy, "0.01", "500") });
    let mut engine = start(with_script(config, vec![(0..10_000).map(each).collect()]));
    let effects = step_tick(&mut engine, &tick(0, "600".parse().unwrap()));
    assert_eq!((commands(&effects).len(), engine.open_orders().len()), (256, 256));
    let told =
        effects.iter().filter(|effect| matches!(effect, Effect::Signal(signal) if signal.side == SignalSide::Hold));
    let counts = engine.report().orders;
    assert_eq!((told.count(), counts.denied, counts.denied_reasons["TooManyActions"]), (1, 1, 1));
    assert_eq!(engine.reserved().quote.to_string(), "1280");
}

#[test]
fn the_257th_cancel_waits_for_the_next_callback() {
    let orders = |_| buy("0.01", "500");
    let cancels = || (1..=257).map(Action::Cancel).collect::<Vec<_>>();
    let ticks = vec![(0..256).map(orders).collect(), vec![orders(0)], cancels(), cancels()];
    let mut config = usual(&Script::default());
    config.risk.max_orders_per_minute = 600;
    let mut engine = start(with_script(config, ticks));
    assert_eq!((at_600(&mut engine, 0).len(), at_600(&mut engine, 1).len()), (256, 1));
    let sent = at_600(&mut engine, 2);
    assert!(sent.len() == 256 && sent.iter().all(|command| command.kind == CommandKind::Cancel));
    assert_eq!(engine.report().decision.reason, "TooManyActions");
    assert_eq!(at_600(&mut engine, 3).len(), 0, "each is sent once, and the actions are used up by those");
}

#[test]
fn a_denial_is_told_anew_for_each_mark_and_not_once_a_tick() {
    let short = |tag| Action::Place(Wanted { tag, ..rest(Side::Buy, "9", "600") });
    let tick_of = || vec![short(1), short(2), short(1)];
    let mut engine = start(with_script(usual(&Script::default()), vec![tick_of(), tick_of(), tick_of()]));
    for sequence in 0..3 {
        at_600(&mut engine, sequence);
        assert_eq!(engine.report().orders.denied, 2, "tick {sequence}");
        engine = restored(&engine, with_script(usual(&Script::default()), vec![tick_of(), tick_of(), tick_of()]));
    }
}

#[test]
fn of_what_is_gone_nothing_is_cancelled_and_it_is_counted() {
    let mut engine = acting(&[&[buy("1", "500")], &[Action::Cancel(1)], &[Action::Cancel(1), Action::Cancel(77)]]);
    let order = at_600(&mut engine, 0).remove(0);
    let cancel = at_600(&mut engine, 1).remove(0);
    assert_eq!(
        (&cancel.kind, cancel.sequence, &cancel.client_order_id),
        (&CommandKind::Cancel, 1, &order.client_order_id)
    );
    tell(&mut engine, &order, OrderStatus::Canceled);
    assert_eq!((at_600(&mut engine, 2).len(), engine.late_cancels()), (0, 2));
    assert_eq!(engine.report().orders.denied, 0);
}

#[test]
fn a_cancel_that_is_under_way_is_not_sent_again() {
    let mut engine =
        acting(&[&[buy("1", "500"), sell("1", "700")], &[Action::Cancel(1), Action::Cancel(1)], &[Action::Cancel(1)]]);
    at_600(&mut engine, 0);
    assert_eq!((at_600(&mut engine, 1).len(), at_600(&mut engine, 2).len(), engine.late_cancels()), (1, 0, 0));
    let cause = engine.open_orders().next().unwrap().cancel.unwrap();
    assert_eq!(cause.sequence, 1);
    assert_eq!(engine.report().decision.reason, "Scripted", "a cancel is no decision of its own");
    // Pausing cancels what buys, but for what is being cancelled; stopping then the rest.
    let now = tick(2, "600".parse().unwrap()).event_time();
    let control = |engine: &mut Engine, desired| commands(&engine.step(now, Event::Control(desired))).len();
    assert_eq!(control(&mut engine, DesiredState::Paused), 0);
    assert_eq!(control(&mut engine, DesiredState::Stopped), 1);
    assert_eq!(control(&mut engine, DesiredState::Stopped), 0);
}

#[test]
fn a_replacement_sees_what_the_old_order_reserved_and_both_together_reserve_once() {
    let all = |price: &str| rest(Side::Buy, "5", price);
    let mut engine = acting(&[
        &[Action::Place(all("600"))],
        &[Action::Replace(1, rest(Side::Buy, "5.001", "600")), Action::Replace(1, all("590"))],
        // While that is under way it shares with nobody else.
        &[Action::Replace(1, all("580")), Action::Replace(2, all("580")), buy("0.002", "500")],
    ]);
    let first = at_600(&mut engine, 0).remove(0);
    tell(&mut engine, &first, OrderStatus::Accepted);
    let second = at_600(&mut engine, 1).remove(0);
    let CommandKind::Replace { of, known_quantity, order } = &second.kind else { panic!("{second:?}") };
    assert_eq!((of, known_quantity.to_string()), (&first.client_order_id, "0".to_owned()));
    assert_eq!((order.price.unwrap().to_string(), second.sequence), ("590.00".to_owned(), 2));
    assert_eq!(reserved(&engine).1, "3000", "only one of them can trade");
    assert_eq!(at_600(&mut engine, 2).len(), 0);
    assert!(
        told(&engine).ends_with("tick 2, InsufficientFunds, InsufficientFunds, InsufficientFunds"),
        "{}",
        told(&engine)
    );
    let engine = &mut restored(&engine, usual(&Script::default()));
    assert_eq!(reserved(engine).1, "3000");
    tell(engine, &first, OrderStatus::Canceled);
    assert_eq!(reserved(engine).1, "2950", "the new one alone");
}

#[test]
fn a_replacement_that_comes_too_late_reserves_nothing_more() {
    let ticks: [&[Action]; 2] = [&[buy("5", "600")], &[Action::Replace(1, rest(Side::Buy, "5", "590"))]];
    for (parts, cash) in [(vec![100], "0"), (vec![40], "1800")] {
        let mut engine = acting(&ticks);
        let first = at_600(&mut engine, 0).remove(0);
        let second = at_600(&mut engine, 1).remove(0);
        step_update(&mut engine, &news(&first, &parts, &crate::bench::USUAL)[1]);
        assert_eq!(reserved(&engine).1, cash, "of {parts:?} % the rest");
        let late = engine::messages::OrderUpdate {
            reason: "ReplaceRaced".to_owned(),
            ..crate::scripted::update(&second, OrderStatus::Rejected, None)
        };
        step_update(&mut engine, &late);
        assert!(told(&engine).ends_with("2 closed: ReplaceRaced at 1"), "{}", told(&engine));
        assert_eq!(engine.open_orders().filter(|order| order.cancel.is_some()).count(), 0);
    }
}

#[test]
fn of_several_replacements_that_come_too_late_none_reserves_anything() {
    let again = |price| Action::Replace(1, rest(Side::Buy, "1", price));
    let ticks: [&[Action]; 2] = [&[buy("2", "600")], &[again("590"), again("580"), again("570")]];
    for (parts, cash) in [(vec![100], "0"), (vec![40], "720")] {
        let mut engine = acting(&ticks);
        let first = at_600(&mut engine, 0).remove(0);
        assert_eq!((at_600(&mut engine, 1).len(), reserved(&engine).1.as_str()), (3, "2350"));
        step_update(&mut engine, &news(&first, &parts, &crate::bench::USUAL)[1]);
        assert_eq!(reserved(&engine).1, cash, "of {parts:?} % the rest");
        assert_eq!(reserved(&restored(&engine, usual(&Script::default()))).1, cash, "as its record says");
    }
}

#[test]
fn what_is_filled_cannot_be_replaced() {
    let mut engine = acting(&[&[buy("1", "600")], &[Action::Replace(1, rest(Side::Buy, "1", "590"))]]);
    let order = at_600(&mut engine, 0).remove(0);
    step_update(&mut engine, &news(&order, &[100], &crate::bench::USUAL)[1]);
    assert_eq!(at_600(&mut engine, 1).len(), 0);
    assert!(told(&engine).ends_with("tick 1, NothingToReplace"));
    assert_eq!(engine.report().orders.denied_reasons["NothingToReplace"], 1);
}

#[test]
fn what_reduces_passes_where_opening_is_denied() {
    // 9.9 coins at 600 are 99 % of the equity; a fee of 7000 leaves less than nothing.
    let definition = engine::strategies::Definition {
        position_bounds: engine::risk::PositionBounds::Bind,
        ..crate::scripted::SCRIPTED
    };
    let reduce = |side| Action::Place(Wanted { reduce: true, ..rest(side, "0.1", "600") });
    let ticks = vec![vec![sell("0.1", "600"), reduce(Side::Sell), reduce(Side::Buy)]];
    let poor = Config { capital: crate::bench::USUAL.capital("0.9", "5500"), ..usual(&Script::default()) };
    let poor = with_script(poor, ticks);
    let mut engine = Engine::new(poor, &definition).unwrap();
    let commands = at_600(&mut engine, 0);
    assert_eq!(told(&engine), "tick 0, PositionLimit, sent 1, sent 2", "coins are worth 9 %: only buys open");
    assert!(placed(&commands[0]).reduce_only);
    let now = tick(1, "600".parse().unwrap()).event_time();
    for desired in [DesiredState::Paused, DesiredState::Stopped] {
        let mut engine = acting(&[&[], &[reduce(Side::Sell)]]);
        at_600(&mut engine, 0);
        drop(engine.step(now, Event::Control(desired)));
        assert_eq!(at_600(&mut engine, 1).len(), 0, "{desired:?}: no order is sent");
    }
}

#[test]
fn the_order_rate_bounds_resting_orders_too() {
    let mut config = usual(&Script::default());
    config.risk.max_orders_per_minute = 2;
    let mut engine = start(with_script(config, vec![vec![buy("1", "500"); 3]]));
    assert_eq!(at_600(&mut engine, 0).len(), 2);
    assert!(told(&engine).ends_with("sent 2, OrderRateExceeded"));
}
