//! One order, one or more ticks: what trades, at what price, for which fee, and what becomes of the rest.

mod commands;
mod edges;
mod kept;
mod markets;

use engine::messages::{Liquidity, OrderType};
use serde_json::{Value, json};

use super::*;

/// A tick with quotes, each a price with the size on offer.
fn tick(sequence: u64, bid: (&str, Option<&str>), ask: (&str, Option<&str>)) -> Tick {
    let size = |text: Option<&str>| text.map(|text| text.parse().unwrap());
    Tick {
        bid: Some(bid.0.parse().unwrap()),
        ask: Some(ask.0.parse().unwrap()),
        bid_size: size(bid.1),
        ask_size: size(ask.1),
        ..trade(sequence, bid.0)
    }
}

/// A tick without quotes.
fn trade(sequence: u64, price: &str) -> Tick {
    let time = Timestamp::from_millis(1000 * i64::try_from(sequence).unwrap());
    Tick::trade("BNB/USDT".parse().unwrap(), price.parse().unwrap(), time, sequence)
}

fn quotes(sequence: u64, bid: &str, ask: &str) -> Tick {
    tick(sequence, (bid, None), (ask, None))
}

fn id(sequence: u64) -> ClientOrderId {
    ClientOrderId::new("abc".parse().unwrap(), sequence)
}

/// An order of 1 by 0.001, good till cancelled.
fn order(side: Side, limit: &str) -> NewOrder {
    NewOrder {
        side,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::GoodTillCanceled,
        post_only: false,
        counts: true,
        quantity: "1".parse().unwrap(),
        lot_size: Some("0.001".parse().unwrap()),
        price: Some(limit.parse().unwrap()),
        reduce_only: false,
    }
}

fn command(sequence: u64, kind: CommandKind) -> OrderCommand {
    OrderCommand::new("s", id(sequence), kind, "BNB/USDT".parse().unwrap(), Timestamp::from_millis(0))
}

fn replace(sequence: u64, of: u64, known: &str, order: NewOrder) -> OrderCommand {
    command(sequence, CommandKind::Replace { of: id(of), known_quantity: known.parse().unwrap(), order })
}

fn exchange_of(fees: &Value, latency_ms: u32) -> Exchange {
    Exchange::new(serde_json::from_value(fees.clone()).unwrap(), latency_ms, RestingFills::Through)
}

fn exchange() -> Exchange {
    exchange_of(&json!({}), 0)
}

/// Sends an order on a tick on which it arrives.
fn placed(exchange: &mut Exchange, sequence: u64, order: NewOrder, at: &Tick) -> VenueReport {
    exchange.admit(&command(sequence, CommandKind::Create(order)), at);
    assert!(exchange.has_arrivals(at));
    let mut reports = exchange.arrive(at);
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0)
}

/// Order, status, reason, cumulative quantity and the prices of the trades.
fn told(reports: &[VenueReport]) -> Vec<String> {
    let told = |report: &VenueReport| {
        let trades: Vec<_> =
            report.trades.iter().map(|trade| format!(" {} @ {}", trade.quantity, trade.price)).collect();
        let (sequence, reason) = (report.client_order_id.sequence(), &report.reason);
        format!("{sequence} {:?}{reason} {}{}", report.status, report.cumulative_quantity, trades.concat())
    };
    reports.iter().map(told).collect()
}

#[test]
fn what_arrives_takes_at_the_best_price_and_the_rest_waits_or_is_dropped() {
    use TimeInForce::{FillOrKill as Fok, GoodTillCanceled as Gtc, ImmediateOrCancel as Ioc};
    // Limit, ask, size at the ask, time in force, post only, expected.
    let cases = [
        ("600.50", "600.5", None, Gtc, false, "Filled 1 1 @ 600.50"),
        ("601.00", "600.5", None, Gtc, false, "Filled 1 1 @ 600.50"),
        ("600.49", "600.5", None, Gtc, false, "Accepted 0"),
        ("600.49", "600.5", None, Gtc, true, "Accepted 0"),
        ("600.50", "600.5", None, Gtc, true, "RejectedPostOnlyWouldTake 0"),
        ("600.50", "600.5", Some("0.4"), Gtc, true, "RejectedPostOnlyWouldTake 0"),
        ("600.50", "600.5", Some("0.4"), Gtc, false, "PartiallyFilled 0.4 0.4 @ 600.50"),
        ("600.50", "600.5", Some("0.4009"), Gtc, false, "PartiallyFilled 0.4 0.4 @ 600.50"),
        ("600.50", "600.5", Some("0.0009"), Gtc, false, "Accepted 0"),
        ("600.50", "600.5", Some("0"), Gtc, false, "Accepted 0"),
        ("600.50", "600.5", Some("0"), Gtc, true, "Accepted 0"),
        ("600.50", "600.5", None, Ioc, false, "Filled 1 1 @ 600.50"),
        ("600.49", "600.5", None, Ioc, false, "ExpiredNotMarketable 0"),
        ("600.50", "600.5", Some("0.4"), Ioc, false, "ExpiredNoSize 0.4 0.4 @ 600.50"),
        ("600.50", "600.5", Some("0.0009"), Ioc, false, "ExpiredNoSize 0"),
        ("600.50", "600.5", Some("0"), Ioc, false, "ExpiredNoSize 0"),
        ("600.50", "600.5", None, Fok, false, "Filled 1 1 @ 600.50"),
        ("600.50", "600.5", Some("1"), Fok, false, "Filled 1 1 @ 600.50"),
        ("600.50", "600.5", Some("0.999"), Fok, false, "ExpiredNoSize 0"),
        ("600.49", "600.5", None, Fok, false, "ExpiredNotMarketable 0"),
    ];
    for (limit, ask, size, time_in_force, post_only, expected) in cases {
        let at = tick(5, ("600", None), (ask, size));
        let mut exchange = exchange();
        let order = NewOrder { time_in_force, post_only, ..order(Side::Buy, limit) };
        let report = placed(&mut exchange, 1, order, &at);
        assert_eq!(told(std::slice::from_ref(&report)), [format!("1 {expected}")], "{limit} {ask} {size:?}");
        assert_eq!((report.matched, report.time), (Some(5), at.event_time()));
        let rests = expected.starts_with("Accepted") || expected.starts_with("Partially");
        assert_eq!((exchange.has(&id(1)), exchange.is_idle()), (rests, !rests), "{expected}");
        assert!(
            report.trades.iter().all(|trade| trade.liquidity == Liquidity::Taker && trade.trade_id == "glm-abc-1-1")
        );
    }
}

#[test]
fn a_sell_mirrors_a_buy_and_takes_at_the_bid() {
    for (limit, expected) in
        [("600.00", "Filled 1 1 @ 600.00"), ("599.00", "Filled 1 1 @ 600.00"), ("600.01", "Accepted 0")]
    {
        let report = placed(&mut exchange(), 1, order(Side::Sell, limit), &quotes(5, "600", "600.5"));
        assert_eq!(told(&[report]), [format!("1 {expected}")], "{limit}");
    }
}

#[test]
fn a_market_order_is_bound_by_its_worst_price_and_never_rests() {
    for time_in_force in [TimeInForce::GoodTillCanceled, TimeInForce::ImmediateOrCancel] {
        for (worst, size, expected) in [
            (None, None, "Filled 1 1 @ 600.5"),
            (Some("600.50"), None, "Filled 1 1 @ 600.50"),
            (Some("600.49"), None, "ExpiredNotMarketable 0"),
            (Some("601"), Some("0.4"), "ExpiredNoSize 0.4 0.4 @ 600.5"),
        ] {
            let price = worst.map(|worst| worst.parse().unwrap());
            let order = NewOrder { order_type: OrderType::Market, time_in_force, price, ..order(Side::Buy, "1") };
            let mut exchange = exchange();
            let report = placed(&mut exchange, 1, order, &tick(5, ("600", None), ("600.5", size)));
            assert_eq!(told(&[report]), [format!("1 {expected}")], "{worst:?}");
            assert!(exchange.is_idle());
        }
    }
}

#[test]
fn a_limit_order_without_a_price_takes_and_never_rests() {
    let order = NewOrder { price: None, ..order(Side::Buy, "1") };
    let report = placed(&mut exchange(), 1, order, &tick(5, ("600", None), ("600.5", Some("0.4"))));
    assert_eq!(told(&[report]), ["1 ExpiredNoSize 0.4 0.4 @ 600.5"]);
}

#[test]
fn nothing_trades_on_a_side_where_nobody_is() {
    let mut at = quotes(5, "600", "600.5");
    (at.bid, at.bid_size) = (None, Some(Quantity::ZERO));
    for (limit, time_in_force, expected) in [
        ("600", TimeInForce::ImmediateOrCancel, "ExpiredNoSize 0"),
        ("1", TimeInForce::ImmediateOrCancel, "ExpiredNoSize 0"),
        ("1", TimeInForce::GoodTillCanceled, "Accepted 0"),
    ] {
        let mut exchange = exchange();
        let order = NewOrder { time_in_force, ..order(Side::Sell, limit) };
        assert_eq!(told(&[placed(&mut exchange, 1, order, &at)]), [format!("1 {expected}")]);
        at.sequence = 6;
        assert_eq!(exchange.match_resting(&at), []);
        at.sequence = 5;
    }
}

/// On a tick with quotes: at the best price; without: by the price, beyond it or, with Touch, at it.
#[test]
fn what_rests_fills_when_a_tick_touches_it() {
    use RestingFills::{Through, Touch};
    let cases = [
        (Through, Side::Buy, "600", quotes(6, "599", "600"), true),
        (Through, Side::Buy, "600", quotes(6, "590", "599.99"), true),
        (Through, Side::Buy, "600", quotes(6, "599", "600.01"), false),
        (Touch, Side::Buy, "600", quotes(6, "599", "600.01"), false),
        (Through, Side::Buy, "600", trade(6, "600"), false),
        (Touch, Side::Buy, "600", trade(6, "600"), true),
        (Through, Side::Buy, "600", trade(6, "599.99"), true),
        (Touch, Side::Buy, "600", trade(6, "600.01"), false),
        (Through, Side::Buy, "600", tick(6, ("599", None), ("599", Some("0"))), false),
        (Touch, Side::Buy, "600", Tick { ask_size: Some(Quantity::ZERO), ..trade(6, "1") }, false),
        (Through, Side::Sell, "600", quotes(6, "600", "601"), true),
        (Through, Side::Sell, "600", quotes(6, "600.01", "601"), true),
        (Through, Side::Sell, "600", quotes(6, "599.99", "601"), false),
        (Through, Side::Sell, "600", trade(6, "600"), false),
        (Touch, Side::Sell, "600", trade(6, "600"), true),
        (Through, Side::Sell, "600", trade(6, "600.01"), true),
        (Touch, Side::Sell, "600", trade(6, "599.99"), false),
        (Through, Side::Sell, "600", tick(6, ("601", Some("0")), ("602", None)), false),
    ];
    for (fills, side, limit, at, touched) in cases {
        let mut exchange = Exchange { fills, ..exchange() };
        let away = if side == Side::Buy { quotes(5, "700", "701") } else { quotes(5, "400", "401") };
        assert_eq!(placed(&mut exchange, 1, order(side, limit), &away).status, OrderStatus::Accepted);
        assert_eq!(touches(fills, side, limit.parse().unwrap(), &at), touched, "{fills:?} {side} {at:?}");
        let expected = if touched { vec![format!("1 Filled 1 1 @ {limit}")] } else { Vec::new() };
        assert_eq!(told(&exchange.match_resting(&at)), expected, "{fills:?} {side} {at:?}");
        assert_eq!(exchange.is_idle(), touched);
    }
}

#[test]
fn the_size_on_offer_bounds_each_resting_order_alone_and_its_trades_count() {
    let mut exchange = exchange();
    for sequence in [1, 2] {
        placed(&mut exchange, sequence, order(Side::Buy, "600.00"), &quotes(5, "700", "701"));
    }
    let part = exchange.match_resting(&tick(6, ("599", None), ("600", Some("0.7009"))));
    assert_eq!(told(&part), ["1 PartiallyFilled 0.7 0.7 @ 600.00", "2 PartiallyFilled 0.7 0.7 @ 600.00"]);
    assert_eq!(exchange.match_resting(&tick(7, ("599", None), ("600", Some("0.0009")))), []);
    let rest = exchange.match_resting(&tick(8, ("599", None), ("600", Some("0.7"))));
    assert_eq!(told(&rest), ["1 Filled 1 0.3 @ 600.00", "2 Filled 1 0.3 @ 600.00"]);
    let ids: Vec<_> = part.iter().chain(&rest).map(|report| report.trades[0].trade_id.as_str()).collect();
    assert_eq!(ids, ["glm-abc-1-1", "glm-abc-2-1", "glm-abc-1-2", "glm-abc-2-2"]);
    assert!(exchange.is_idle());
}

#[test]
fn buys_fill_from_the_highest_down_then_sells_from_the_lowest_up_and_equal_prices_by_sequence() {
    let mut exchange = exchange();
    let orders = [
        (1, Side::Sell, "510"),
        (2, Side::Buy, "590"),
        (3, Side::Buy, "595"),
        (4, Side::Buy, "590"),
        (5, Side::Sell, "505"),
        (6, Side::Sell, "510"),
        (7, Side::Buy, "501"),
    ];
    for (sequence, side, limit) in orders {
        let away = if side == Side::Buy { quotes(5, "700", "701") } else { quotes(5, "400", "401") };
        placed(&mut exchange, sequence, order(side, limit), &away);
    }
    let filled = exchange.match_resting(&quotes(6, "530", "531"));
    let sequences: Vec<_> = filled.iter().map(|report| report.client_order_id.sequence()).collect();
    assert_eq!(sequences, [3, 2, 4, 5, 1, 6]);
    assert!(exchange.has(&id(7)));
}

#[test]
fn fees_are_exact_for_maker_and_taker_in_quote_or_in_what_is_received() {
    let fees = json!({"takerPercent": "0.075", "makerPercent": "0.02"});
    let received = json!({"takerPercent": "0.075", "makerPercent": "0.02", "paidIn": "Received"});
    let fee = |fees: &Value, side, rests| {
        let limit = if side == Side::Buy { "600.50" } else { "600" };
        let order = NewOrder { quantity: "0.333".parse().unwrap(), ..order(side, limit) };
        let mut exchange = exchange_of(fees, 0);
        let away = if side == Side::Buy { quotes(4, "700", "701") } else { quotes(4, "400", "401") };
        let now = quotes(5, "600", "600.5");
        let mut report = placed(&mut exchange, 1, order, if rests { &away } else { &now });
        if rests {
            report = exchange.match_resting(&now).remove(0);
        }
        let trade = report.trades.remove(0);
        assert_eq!(trade.liquidity, if rests { Liquidity::Maker } else { Liquidity::Taker });
        format!("{} {} = {}", trade.fee, trade.fee_asset, trade.fee_quote)
    };
    assert_eq!(fee(&fees, Side::Buy, false), "0.149974875 USDT = 0.149974875");
    assert_eq!(fee(&received, Side::Buy, false), "0.00024975 BNB = 0.149974875");
    assert_eq!(fee(&received, Side::Sell, false), "0.14985 USDT = 0.14985");
    assert_eq!(fee(&fees, Side::Buy, true), "0.0399933 USDT = 0.0399933");
    assert_eq!(fee(&received, Side::Buy, true), "0.0000666 BNB = 0.0399933");
    assert_eq!(fee(&received, Side::Sell, true), "0.03996 USDT = 0.03996");
}

/// What never arrived when the data end is Expired; what rests stays.
#[test]
fn what_has_not_arrived_with_the_last_tick_expires() {
    let mut exchange = exchange_of(&json!({}), 1500);
    exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600"))), &quotes(1, "700", "701"));
    exchange.arrive(&quotes(3, "700", "701"));
    let last = Tick { last: true, ..quotes(4, "700", "701") };
    exchange.admit(&command(2, CommandKind::Create(order(Side::Buy, "590"))), &quotes(2, "700", "701"));
    exchange.admit(&command(3, CommandKind::Create(order(Side::Buy, "580"))), &last);
    exchange.admit(&command(1, CommandKind::Cancel), &last);
    exchange.admit(&replace(4, 1, "0", order(Side::Buy, "570")), &last);
    assert!(exchange.has_arrivals(&last));
    let expected = ["2 Accepted 0", "3 ExpiredMarketDataEnded 0", "4 ExpiredMarketDataEnded 0"];
    assert_eq!(told(&exchange.arrive(&last)), expected);
    assert!(exchange.has(&id(1)) && exchange.has(&id(2)) && !exchange.has_arrivals(&last));
}

#[test]
fn an_order_whose_figures_are_out_of_bounds_is_rejected() {
    let quantity = "999999999999".parse().unwrap();
    let order = NewOrder { quantity, ..order(Side::Buy, "999999999") };
    let mut exchange = exchange();
    let report = placed(&mut exchange, 1, order, &quotes(5, "999999998", "999999999"));
    assert_eq!(
        (report.status, report.trades.len(), report.cumulative_quantity),
        (OrderStatus::Rejected, 0, Quantity::ZERO)
    );
    assert!(exchange.is_idle());
}
