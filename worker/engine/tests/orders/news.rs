//! When the strategy is told what, and what its answers may do.

use engine::messages::{AlertKind, Fill, OrderStatus, OrderUpdate, Side};
use engine::orders::Order;
use engine::{Effect, Event};

use crate::bench::{USUAL, commands, news, step_update, tick};
use crate::scripted::{Action, Script, acting, at_600, rest, restored, start, tell, told, update, usual};

fn buy() -> Action {
    Action::Place(rest(Side::Buy, "1", "600"))
}

#[test]
fn news_of_the_coming_tick_is_booked_at_once_and_told_with_that_tick() {
    let script = Script { ticks: vec![vec![buy(), buy()], vec![Action::Hold]], ..Script::default() };
    let mut engine = start(usual(&script));
    let orders = at_600(&mut engine, 0);
    tell(&mut engine, &orders[0], OrderStatus::Accepted);
    for order in &orders {
        let filled = OrderUpdate { matched: Some(1), ..news(order, &[100], &USUAL).remove(1) };
        let effects = step_update(&mut engine, &filled);
        assert!(matches!(effects[..], [Effect::Position(_)]), "{effects:?}");
    }
    assert_eq!((engine.trades(), engine.open_orders().len()), (2, 0), "booked");
    assert_eq!(told(&engine), "tick 0, sent 1, sent 2, 1 accepted at 0");
    // Also after a restart in between.
    let mut engine = restored(&engine, usual(&script));
    let effects = engine.tick(tick(1, "600".parse().unwrap()).event_time(), &tick(1, "600".parse().unwrap()));
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::StateChanged)).count(), 2);
    let expected = "1 accepted at 0, 1 filled 1 @ 600.00 at 1, 1 closed with 1 at 1, 2 filled 1 @ 600.00 at 1, \
                    2 closed with 1 at 1, tick 1";
    assert!(told(&engine).ends_with(expected), "{}", told(&engine));
    at_600(&mut engine, 2);
    assert!(told(&engine).ends_with("tick 1, tick 2"), "told once");
}

#[test]
fn a_strategy_that_answers_its_own_news_ends_with_the_sixteenth_round() {
    let script = Script { ticks: vec![vec![buy()]], on_order: vec![Action::Place(rest(Side::Buy, "0.01", "600"))] };
    let mut engine = start(usual(&script));
    let mut sent = at_600(&mut engine, 0);
    let mut rounds = 0;
    while let Some(order) = sent.pop() {
        rounds += 1;
        engine.begin_round(rounds);
        sent = commands(&tell(&mut engine, &order, OrderStatus::Accepted));
    }
    assert_eq!((rounds, engine.report().decision.reason.as_str()), (17, "TooManyRounds"));
    assert_eq!(engine.report().orders.denied_reasons["TooManyRounds"], 1);
    // The next tick starts anew; a cancel is sent in any round.
    at_600(&mut engine, 1);
    let script = Script { on_order: vec![Action::Cancel(1)], ..Script::default() };
    let mut engine = restored(&engine, usual(&script));
    engine.begin_round(17);
    let open = engine.open_orders().last().unwrap().client_order_id.clone();
    let news = OrderUpdate {
        client_order_id: open,
        ..update(&at_600(&mut acting(&[&[buy()]]), 0)[0], OrderStatus::Canceled, None)
    };
    assert_eq!(commands(&step_update(&mut engine, &news)).len(), 1);
}

#[test]
fn one_trade_id_with_two_contents_halts_and_books_nothing_more() {
    for is_closed in [false, true] {
        let mut engine = acting(&[&[buy()], &[buy()]]);
        let order = at_600(&mut engine, 0).remove(0);
        let parts: &[u8] = if is_closed { &[100] } else { &[50] };
        let told = news(&order, parts, &USUAL).remove(1);
        step_update(&mut engine, &told);
        step_update(&mut engine, &told);
        assert_eq!((engine.trades(), engine.report().risk.reason), (1, String::new()), "told twice is told once");
        let fill = told.fill.clone().unwrap();
        let other = OrderUpdate { fill: Some(Fill { quantity: "0.4".parse().unwrap(), ..fill }), ..told };
        let mut engine = restored(&engine, usual(&Script::default()));
        let before = engine.snapshot().unwrap()["ledger"].clone();
        let effects = engine.step(other.time, Event::OrderUpdate(other.clone()));
        let alert = effects.iter().find_map(|effect| match effect {
            Effect::Alert(alert) => Some((alert.kind, alert.message.clone())),
            Effect::Signal(_) | Effect::Command(_) | Effect::Position(_) | Effect::StateChanged | Effect::Poison(_) => {
                None
            }
        });
        let (kind, message) = alert.unwrap();
        assert_eq!(kind, AlertKind::OrderAnomaly);
        assert!(message.contains("was told with two contents"), "{message}");
        assert_eq!((engine.trades(), engine.snapshot().unwrap()["ledger"].clone()), (1, before));
        let engine = restored(&engine, usual(&Script::default()));
        assert_eq!(engine.report().risk.reason, "OrderAnomaly", "latched");
    }
}

#[test]
fn a_replacement_that_was_denied_leaves_the_old_order_to_be_cancelled() {
    let mut engine = acting(&[&[buy()], &[Action::Replace(1, rest(Side::Buy, "1", "590"))], &[Action::Cancel(1)]]);
    let first = at_600(&mut engine, 0).remove(0);
    tell(&mut engine, &first, OrderStatus::Accepted);
    let second = at_600(&mut engine, 1).remove(0);
    tell(&mut engine, &second, OrderStatus::Denied);
    assert_eq!(engine.open_orders().map(Order::sequence).collect::<Vec<_>>(), [1]);
    assert_eq!(at_600(&mut engine, 2).len(), 1, "the cancel");
}

/// Also one that still waits for a place itself, with which the denied one shared nothing.
#[test]
fn a_replacement_of_a_replacement_that_was_denied_leaves_the_old_one_to_be_cancelled() {
    let replace = |of| Action::Replace(of, rest(Side::Buy, "1", "590"));
    let mut engine = acting(&[&[buy()], &[replace(1)], &[replace(2)], &[Action::Cancel(2)]]);
    let first = at_600(&mut engine, 0).remove(0);
    tell(&mut engine, &first, OrderStatus::Accepted);
    let second = at_600(&mut engine, 1).remove(0);
    tell(&mut engine, &second, OrderStatus::Sent);
    let third = at_600(&mut engine, 2).remove(0);
    tell(&mut engine, &third, OrderStatus::Denied);
    assert_eq!(engine.open_orders().map(Order::sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(at_600(&mut engine, 3).len(), 1, "the cancel");
}
