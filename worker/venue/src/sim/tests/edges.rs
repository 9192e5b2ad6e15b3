//! What stands at an edge: the last tick of a market, a lot of nothing, a command that is only on its way.

use super::*;

#[test]
fn without_latency_a_command_of_the_same_market_acts_at_once() {
    let other = Tick { symbol: "ETH/USDT".parse().unwrap(), ..quotes(1, "600", "601") };
    let (at, sent) = (quotes(1, "600", "601"), command(1, CommandKind::Create(order(Side::Buy, "600"))));
    assert!(exchange().is_instant(&sent, &at));
    assert!(!exchange().is_instant(&sent, &other), "it arrives on the next tick of its own market");
    let late = exchange_of(&json!({}), 1);
    assert!(!late.is_instant(&sent, &at) && !late.is_instant(&sent, &other));
}

#[test]
fn what_is_on_its_way_ends_with_the_last_tick_of_its_own_market_alone() {
    let mut exchange = exchange_of(&json!({}), 60_000);
    exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600"))), &quotes(1, "600", "601"));
    assert!(!exchange.is_idle(), "it is on its way");
    let last = Tick { last: true, ..quotes(2, "600", "601") };
    let other = Tick { symbol: "ETH/USDT".parse().unwrap(), ..last.clone() };
    assert!(!exchange.has_arrivals(&quotes(2, "600", "601")), "nor with another tick");
    // That the other market has ended is remembered, and nothing more comes of it.
    assert!(exchange.has_arrivals(&other));
    assert_eq!(exchange.arrive(&other), []);
    assert!(!exchange.has_arrivals(&other) && !exchange.is_idle());
    assert!(exchange.has_arrivals(&last));
    assert_eq!(told(&exchange.arrive(&last)), ["1 ExpiredMarketDataEnded 0"]);
    assert!(!exchange.has_arrivals(&last) && exchange.is_idle());
}

#[test]
fn a_lot_of_nothing_divides_no_size() {
    for (lot, traded) in [(Some("0"), "0.1234"), (None, "0.1234"), (Some("0.05"), "0.1")] {
        let lot_size = lot.map(|lot| lot.parse().unwrap());
        let at = tick(1, ("600", None), ("601", Some("0.1234")));
        let report = placed(&mut exchange(), 1, NewOrder { lot_size, ..order(Side::Buy, "601") }, &at);
        assert_eq!(report.cumulative_quantity.to_string(), traded, "{lot:?}");
    }
}

#[test]
fn who_keeps_no_record_has_nothing_to_commit() {
    let mut exchange = exchange();
    let _ = placed(&mut exchange, 1, order(Side::Buy, "599"), &quotes(1, "600", "601"));
    assert!(exchange.has_changes());
    exchange.forget_changes();
    assert!(!exchange.has_changes());
    assert_eq!(exchange.take_changes().unwrap().set, []);
    assert!(exchange.has(&id(1)), "what it holds stays");
}
