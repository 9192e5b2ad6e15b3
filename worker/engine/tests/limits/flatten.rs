//! Selling all coins: one order for all whole lots within the slippage, the rest on each next tick, dust stays.

use engine::messages::{CommandKind, OrderStatus, Side};
use engine::strategies::DesiredState;
use engine::testkit::{Bench, Market, ended};
use engine::{Config, Effect, Event};
use serde_json::json;

use crate::bench::commands;
use crate::scripted::{Action, rest, start};
use crate::stand::{MARKET, Stand, buy, config, market, sell};

fn flattening(coins: &str) -> Stand {
    Stand::exiting(&[&[market(Side::Buy, "0.0001")]], (coins, "900"), json!({"belowPrice": 90}))
}

#[test]
fn what_is_left_is_sold_on_each_next_tick() {
    let mut stand = flattening("1");
    stand.run(["100"]);
    stand.bid("90", "90", "0.4");
    stand.restart();
    stand.bid("89", "89", "0.25");
    assert!(!stand.engine.has_exited());
    stand.run(["88", "87"]);
    assert_eq!(stand.log, ["1: Sell 0.4 @ 90", "2: Sell 0.25 @ 89", "3: Sell 0.35 @ 88"]);
    assert!(stand.engine.has_exited());
}

#[test]
fn beyond_the_slippage_it_waits_for_a_better_tick() {
    let mut stand = flattening("1");
    stand.run(["100"]);
    // Half a percent of 90 is 0.45.
    stand.bid("90", "89.54", "5");
    assert_eq!(stand.report().decision.reason, "ExitReached");
    stand.bid("90", "0", "0");
    stand.bid("90", "89.54", "5");
    assert_eq!(stand.log, Vec::<String>::new());
    let denied = stand.report().orders.denied_reasons;
    assert_eq!((denied["SlippageTooHigh"], denied["NoQuote"]), (2, 1), "told when the reason is another one");
    stand.bid("90", "89.55", "5");
    assert_eq!(stand.log, ["4: Sell 1 @ 89.55"]);
}

#[test]
fn a_grid_sells_within_its_own_slippage() {
    let exit = serde_json::from_value(json!({"belowPrice": 590})).unwrap();
    let usual = Market::USUAL.config(&json!({"basePrice": 600, "maxSlippagePercent": 2}));
    let mut bench = Bench::grid(&Market::USUAL, Config { exit: Some(exit), ..usual });
    bench.run(["600"]);
    let tick = Market::USUAL.tick(1, "590");
    let sent = bench.take(engine::messages::Tick { bid: Some("578.20".parse().unwrap()), ..tick });
    let CommandKind::Create(order) = &sent[0].kind else { panic!("{sent:?}") };
    assert_eq!((order.quantity.to_string(), order.price.unwrap().to_string()), ("5".to_owned(), "578.20".to_owned()));
    assert!(order.reduce_only && !order.counts, "it counts towards no rate");
}

#[test]
fn dust_stays_and_is_named() {
    let mut stand = flattening("1.0007");
    stand.run(["100", "90", "89"]);
    assert_eq!(stand.log, ["1: Sell 1 @ 90"]);
    assert!(stand.engine.has_exited());
    let named = |effect: &Effect| matches!(effect, Effect::Signal(signal) if signal.message.contains("but 0.0007 BNB"));
    assert!(stand.effects.iter().any(named), "{:?}", stand.effects);
    let small = Market { min_notional: "50", ..MARKET };
    let mut stand = Stand::in_market(
        &small,
        Config {
            instruments: small.instrument().into(),
            ..config(&[], ("0.5", "900"), json!({}), json!({"belowPrice": 99}))
        },
    );
    stand.run(["100", "99", "200"]);
    assert_eq!(stand.log, Vec::<String>::new(), "49.5 is less than an order, and at 200 it is over");
    assert!(stand.engine.has_exited());
}

#[test]
fn nothing_passes_a_limit_before_all_is_sold_then_what_reduces_does() {
    let risk = json!({"maxDrawdownPercent": 5, "onBreach": "Flatten"});
    let each: &[Action] = &[buy("1", "10"), sell("0.001", "95")];
    let actions = [&[][..], &[], each, each];
    let mut stand = Stand::limited(&actions, ("1", "900"), risk);
    stand.run(["100"]);
    stand.bid("40", "20", "1");
    stand.bid("40", "20", "1");
    assert!(stand.told().ends_with("tick 2, LimitReached, LimitReached"), "{}", stand.told());
    stand.bid("40", "40", "0.9");
    assert!(stand.told().ends_with("tick 3, LimitReached, LimitReached"), "{}", stand.told());
    stand.run(["40", "40"]);
    assert_eq!(stand.log, ["3: Sell 0.9 @ 40", "4: Sell 0.1 @ 40"]);
    assert_eq!(stand.report().decision.reason, "LimitReached");
}

#[test]
fn a_pause_does_not_hold_it_up_and_a_stop_does() {
    for (desired, sold) in [(DesiredState::Paused, 1), (DesiredState::Stopped, 0)] {
        let mut stand = flattening("1");
        stand.run(["100"]);
        let _ = stand.engine.step(stand.report().as_of, Event::Control(desired));
        stand.run(["90", "89"]);
        assert_eq!(stand.log.len(), sold, "{desired:?}");
    }
}

/// With an order of the strategy on its way, a cancel of it, then the sale: never two at once.
#[test]
fn it_waits_for_every_order_to_end() {
    let actions: [&[Action]; 1] = [&[sell("0.5", "200")]];
    let mut engine = start(config(&actions, ("1", "900"), json!({}), json!({"belowPrice": 90})));
    let take = |engine: &mut engine::Engine, sequence, price| {
        let tick = MARKET.tick(sequence, price);
        commands(&engine.step(tick.event_time(), Event::Tick(tick)))
    };
    let placed = take(&mut engine, 0, "100");
    let cancel = take(&mut engine, 1, "90");
    assert!(matches!(cancel[0].kind, CommandKind::Cancel) && cancel.len() == 1);
    assert!(take(&mut engine, 2, "89").is_empty(), "the cancel is not answered");
    let canceled = ended(&placed[0], OrderStatus::Canceled);
    let sold = commands(&engine.step(canceled.time, Event::OrderUpdate(canceled)));
    assert_eq!(sold.len(), 1, "as of the last tick");
    assert!(take(&mut engine, 3, "88").is_empty(), "it is on its way");
}

/// An order in the place of another comes too late, so that one stays: it is cancelled with the next tick, and then sold for.
#[test]
fn what_stays_because_its_replacement_was_rejected_is_cancelled_too() {
    let replaced = [Action::Replace(1, rest(Side::Buy, "1", "91"))];
    let actions: [&[Action]; 2] = [&[buy("1", "90")], &replaced];
    let mut engine = start(config(&actions, ("1", "900"), json!({}), json!({"belowPrice": 95})));
    let mut take = |sequence, price, told: &[(usize, OrderStatus)]| {
        let tick = MARKET.tick(sequence, price);
        let sent = commands(&engine.step(tick.event_time(), Event::Tick(tick)));
        for (place, status) in told {
            let news = ended(&sent[*place], *status);
            let _ = engine.step(news.time, Event::OrderUpdate(news));
        }
        sent.iter().map(|command| (command.sequence, command.kind.clone())).collect::<Vec<_>>()
    };
    take(0, "100", &[(0, OrderStatus::Accepted)]);
    assert_eq!(take(1, "100", &[]).len(), 1);
    assert_eq!(take(2, "95", &[(0, OrderStatus::Rejected)]), [(2, CommandKind::Cancel)]);
    assert_eq!(take(3, "94", &[(0, OrderStatus::Canceled)]), [(1, CommandKind::Cancel)]);
    assert_eq!(take(4, "93", &[]).len(), 0, "it was sent with the news of the cancel");
    assert_eq!(engine.open_orders().next().map(|order| (order.side, order.flattens)), Some((Side::Sell, true)));
}

/// With the news of the last sale it is done: no further tick is needed to see that what is left is none, or dust.
#[test]
fn it_is_done_with_the_news_of_the_last_sale() {
    for coins in ["1", "1.0007"] {
        let mut stand = flattening(coins);
        stand.run(["100", "90"]);
        assert_eq!(stand.log, ["1: Sell 1 @ 90"]);
        assert!(stand.engine.has_exited(), "{coins}");
    }
}

#[test]
fn coins_of_exactly_the_least_notional_are_sold() {
    for (coins, sold) in [("0.5", 1), ("0.499", 0)] {
        let small = Market { min_notional: "45", ..MARKET };
        let config = config(&[], (coins, "900"), json!({}), json!({"belowPrice": 90}));
        let mut stand = Stand::in_market(&small, Config { instruments: small.instrument().into(), ..config });
        stand.run(["100", "90"]);
        assert_eq!((stand.log.len(), stand.engine.has_exited()), (sold, true), "{coins}: {:?}", stand.log);
    }
}
