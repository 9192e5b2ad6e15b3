//! Levels without an order at the edges: exactly at the touch, after a part has traded, passed over and then denied, and
//! behind a trigger that is edited.

use engine::messages::{Side, Tick};
use engine::numbers::Quantity;

use super::*;

/// A ladder of which all six orders were cancelled by a stop that is over.
fn cancelled() -> Bench {
    let (mut bench, commands) = placed(&parameters());
    bench.step(commands[0].time, Event::Control(DesiredState::Stopped));
    for command in &commands {
        assert_eq!(bench.update(ended(command, OrderStatus::Canceled)), []);
    }
    bench.step(commands[0].time, Event::Control(DesiredState::Running));
    bench
}

/// An order at the best price of the other side would trade at once.
#[test]
fn a_level_exactly_at_the_touch_does_not_come_back() {
    let others =
        ["Buy 0.1 @ 560.00", "Buy 0.1 @ 540.00", "Sell 0.1 @ 620.00", "Sell 0.1 @ 640.00", "Sell 0.1 @ 660.00"];
    let mut low = cancelled();
    let mut back = lines(&low.tick("580"));
    back.sort();
    let mut expected = others.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(back, expected);
    assert_eq!(lines(&low.tick("580.01")), ["Buy 0.1 @ 580.00"]);
    let mut high = cancelled();
    let back = lines(&high.tick("620"));
    assert!(back.len() == 5 && !back.contains(&"Sell 0.1 @ 620.00".to_owned()), "{back:?}");
    assert_eq!(lines(&high.tick("619.99")), ["Sell 0.1 @ 620.00"]);
}

/// With nobody on the other side each level rests, wherever the last price was.
#[test]
fn a_level_comes_back_where_nobody_could_take_it() {
    let empty = |bench: &Bench, side: Side| {
        let mut tick = Market::USUAL.tick(bench.sequence, "570");
        match side {
            Side::Buy => (tick.bid, tick.bid_size) = (None, Some(Quantity::ZERO)),
            Side::Sell => (tick.ask, tick.ask_size) = (None, Some(Quantity::ZERO)),
        }
        tick
    };
    let mut unsold = cancelled();
    let tick = empty(&unsold, Side::Sell);
    assert_eq!(unsold.take(tick).len(), 6, "nobody sells, so no buy takes");
    let mut unbought = cancelled();
    let tick = Tick { price: "630".parse().unwrap(), ..empty(&unbought, Side::Buy) };
    assert_eq!(unbought.take(tick).len(), 6, "nobody buys, so no sell takes");
}

/// `0.04` of an order of a tenth trades, then it ends.
fn ends_in_part(bench: &mut Bench, command: &OrderCommand) {
    let mut part = bench.fill_of(command);
    part.quantity = "0.04".parse().unwrap();
    part.cumulative_quantity = part.quantity;
    let told = OrderUpdate { status: OrderStatus::PartiallyFilled, ..filled(part.clone()) };
    assert_eq!(bench.update(told), []);
    let end = ended(command, OrderStatus::Expired);
    let end = OrderUpdate { cumulative_quantity: part.quantity, reason: "Maintenance".to_owned(), ..end };
    assert_eq!(bench.update(end), []);
}

#[test]
fn what_is_left_of_a_sell_is_sold_and_a_buy_is_of_all_again() {
    let (mut bench, commands) = placed(&parameters());
    ends_in_part(&mut bench, at(&commands, "620.00"));
    ends_in_part(&mut bench, at(&commands, "580.00"));
    let mut back = Vec::new();
    for _ in 0..61 {
        back.extend(lines(&bench.tick("600")));
    }
    assert_eq!(back, ["Buy 0.1 @ 580.00", "Sell 0.06 @ 620.00"]);
}

/// Five levels at once, of three that there are: the first two are passed over. Where one of those that stay is denied, its
/// old order may not stay behind, and its place is kept.
#[test]
fn a_denial_amid_levels_that_are_passed_over_leaves_no_order_behind() {
    let mut bench = trailing("1", "3000", json!({"maxExposure": {"USDT": 190}}));
    let moved = bench.tick("700");
    assert_eq!(lines(&moved), ["Buy 0.1 @ 640.00", "Buy 0.1 @ 660.00", "cancel 1"]);
    assert_eq!(resting(&bench), (json!(2), json!(1)));
    // The first of them is denied already, or nothing is passed over: what is there stays.
    let limit = |most: u64| trailing("1", "3000", json!({"maxExposure": {"USDT": most}}));
    assert_eq!(limit(175).tick("700"), []);
    assert_eq!(lines(&limit(178).tick("640")), ["Buy 0.1 @ 600.00"]);
    let mut rich = trailing("1", "3000", json!({}));
    assert_eq!(lines(&rich.tick("700")), ["Buy 0.1 @ 640.00", "Buy 0.1 @ 660.00", "Buy 0.1 @ 680.00"]);
}

/// It is reached from where the first price was, and that price itself reaches it from anywhere.
#[test]
fn an_edited_trigger_is_judged_from_the_first_price() {
    let triggered = |trigger: &str| json!({"lowerPrice": 540, "upperPrice": 660, "levels": 6, "quantity": "0.1", "triggerPrice": trigger});
    let waiting = |then: &str, price: &str| {
        let mut bench = Bench::of(&Market::USUAL, config(&triggered("640")), &DEFINITION);
        assert_eq!((bench.tick("600"), bench.reason()), (vec![], "WaitingForTrigger".to_owned()));
        edited(&mut bench, &triggered(then));
        bench.tick(price).len()
    };
    assert_eq!(waiting("600", "595"), 6, "the first price is the trigger");
    assert_eq!((waiting("610", "609.99"), waiting("610", "610")), (0, 6), "from below");
    assert_eq!((waiting("590", "590.01"), waiting("590", "590")), (0, 6), "from above");
}

/// A strategy that failed, and was released, may have missed the end of an order that was to be replaced: it does not rest
/// any more, so it takes nobody's place back.
#[test]
fn an_order_that_ended_unseen_does_not_come_back() {
    let parameters = json!({"lowerPrice": 540, "upperPrice": 600, "levels": 3, "quantity": "0.1", "trailingUp": true});
    let (mut bench, commands) = placed(&parameters);
    let moved = bench.tick("620");
    let mut before: Value = serde_json::from_str(&bench.engine.saved().unwrap()).unwrap();
    let missed = leaving(&mut before).clone();
    assert_eq!(missed.as_array().unwrap().len(), 1);
    bench.update(ended(at(&commands, "540.00"), OrderStatus::Canceled));
    accept(&mut bench, &moved);
    let mut saved: Value = serde_json::from_str(&bench.engine.saved().unwrap()).unwrap();
    strategy(&mut saved)["leaving"] = missed;
    bench.engine = Engine::restore(config(&parameters), &DEFINITION, &serde_json::from_value(saved).unwrap()).unwrap();
    assert_eq!(refuse(&mut bench, &moved[0], OrderStatus::Expired, "Maintenance"), []);
    assert_eq!(resting(&bench), (json!(2), json!(1)));
}

/// What the ladder remembers, in a saved state.
fn strategy(saved: &mut Value) -> &mut Value {
    &mut saved["strategy"]
}

fn leaving(saved: &mut Value) -> &mut Value {
    &mut strategy(saved)["leaving"]
}
