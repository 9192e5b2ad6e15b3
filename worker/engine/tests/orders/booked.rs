//! Whether a trade is one that an order has booked: what a gateway asks before it books a trade of a venue's list.

use engine::messages::{Fill, OrderUpdate, Side, TimeInForce};

use crate::bench::{USUAL, news, step_update};
use crate::scripted::{Action, Wanted, acting, at_600, rest};

#[test]
fn an_order_knows_its_own_trades_by_their_ids() {
    let mut engine =
        acting(&[&[Action::Place(rest(Side::Buy, "1", "600")), Action::Place(rest(Side::Buy, "1", "600"))]]);
    let orders = at_600(&mut engine, 0);
    let updates: Vec<OrderUpdate> = news(&orders[0], &[40, 60], &USUAL);
    let fills: Vec<Fill> = updates.iter().filter_map(|update| update.fill.clone()).collect();
    let [first, second] = &fills[..] else { panic!("{updates:?}") };
    let part = updates.iter().find(|update| update.fill.as_ref() == Some(first)).unwrap();
    let [one, other] = [0, 1].map(|place: usize| orders[place].client_order_id.clone());
    assert!(!engine.open_order(&one).unwrap().has_booked(first), "not yet");
    let _ = step_update(&mut engine, part);
    let order = engine.open_order(&one).unwrap();
    assert!(order.has_booked(first) && !order.has_booked(second));
    let other = engine.open_order(&other).unwrap();
    assert!(!other.has_booked(first), "another order's");
    let taken_over = Fill { client_order_id: one, trade_id: "x-1".to_owned(), ..first.clone() };
    assert!(!order.has_booked(&taken_over), "an id that it never had");
}

/// An order that only takes is written as the release before wrote all of them: without its time in force.
#[test]
fn the_time_in_force_is_written_where_an_order_may_rest() {
    let takes = Action::Place(Wanted { time_in_force: TimeInForce::ImmediateOrCancel, ..rest(Side::Buy, "1", "600") });
    let mut engine = acting(&[&[takes, Action::Place(rest(Side::Buy, "1", "600"))]]);
    let _ = at_600(&mut engine, 0);
    let saved = engine.snapshot().unwrap();
    let orders = saved["orders"].as_array().unwrap();
    let written: Vec<_> = orders.iter().map(|order| order.get("timeInForce").is_some()).collect();
    assert_eq!(written, [false, true], "{saved}");
}
