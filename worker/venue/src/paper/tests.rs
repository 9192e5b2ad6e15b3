//! One order, one or more ticks: what trades, at what price, for which fee.

use super::*;
use engine::messages::{OrderType, Side, TimeInForce};
use engine::numbers::Volume;

fn tick(sequence: u64, bid: (&str, Option<&str>), ask: (&str, Option<&str>)) -> Tick {
    let time = Timestamp::from_millis(1000 * i64::try_from(sequence).unwrap());
    let size = |text: Option<&str>| text.map(|text| text.parse().unwrap());
    Tick {
        symbol: "BNB/USDT".parse().unwrap(),
        price: bid.0.parse().unwrap(),
        volume: Volume::ZERO,
        bid: Some(bid.0.parse().unwrap()),
        ask: Some(ask.0.parse().unwrap()),
        bid_size: size(bid.1),
        ask_size: size(ask.1),
        time: Some(time),
        received: time,
        sequence,
        last: false,
    }
}

fn order(side: Side, quantity: &str, limit: Option<&str>, at: &Tick) -> OrderCommand {
    OrderCommand {
        client_order_id: "glm-abc-1".parse().unwrap(),
        strategy: "s".into(),
        ledger: "abc".parse().unwrap(),
        sequence: 1,
        kind: CommandKind::Create(NewOrder {
            side,
            order_type: if limit.is_some() { OrderType::Limit } else { OrderType::Market },
            time_in_force: TimeInForce::ImmediateOrCancel,
            post_only: false,
            counts: true,
            quantity: quantity.parse().unwrap(),
            lot_size: Some("0.001".parse().unwrap()),
            price: limit.map(|limit| limit.parse().unwrap()),
            reduce_only: false,
        }),
        symbol: "BNB/USDT".parse().unwrap(),
        tick: None,
        time: at.event_time(),
        expires_at: at.event_time().plus_millis(30_000),
    }
}

fn venue(fees: &str, latency_ms: u32) -> PaperVenue {
    PaperVenue::new(serde_json::from_str(fees).unwrap(), latency_ms)
}

fn report(outcome: Outcome) -> VenueReport {
    match outcome {
        Outcome::Done(report) => *report,
        Outcome::Refused(reason) | Outcome::Unknown(reason) => panic!("{reason}"),
    }
}

#[test]
fn a_buy_trades_at_the_ask_and_a_sell_at_the_bid() {
    let at = tick(5, ("600", None), ("600.5", None));
    let buy = report(venue("{}", 0).execute(&order(Side::Buy, "1", Some("600.50"), &at), &at));
    assert_eq!(
        (buy.status, buy.trades[0].price.to_string().as_str(), buy.matched),
        (OrderStatus::Filled, "600.50", Some(5))
    );
    let sell = report(venue("{}", 0).execute(&order(Side::Sell, "1", Some("600.00"), &at), &at));
    assert_eq!(sell.trades[0].price.to_string(), "600.00");
    let market = report(venue("{}", 0).execute(&order(Side::Buy, "1", None, &at), &at));
    assert_eq!(market.status, OrderStatus::Filled);
}

#[test]
fn what_does_not_cross_is_dropped() {
    let at = tick(5, ("600", None), ("600.5", None));
    let report = report(venue("{}", 0).execute(&order(Side::Buy, "1", Some("600.49"), &at), &at));
    assert_eq!(
        (report.status, report.reason.as_str(), report.trades.len()),
        (OrderStatus::Expired, "NotMarketable", 0)
    );
}

#[test]
fn the_size_on_offer_bounds_the_trade() {
    let at = tick(5, ("600", Some("0")), ("600.5", Some("0.4")));
    let buy = report(venue("{}", 0).execute(&order(Side::Buy, "1", Some("600.50"), &at), &at));
    assert_eq!((buy.status, buy.cumulative_quantity.to_string().as_str()), (OrderStatus::Expired, "0.4"));
    let sell = report(venue("{}", 0).execute(&order(Side::Sell, "1", Some("600.00"), &at), &at));
    assert_eq!((sell.reason.as_str(), sell.trades.len()), ("NoSize", 0));
}

#[test]
fn what_trades_is_whole_lots() {
    for (lot_size, offered, expected) in [
        ("0.1", "0.257", "0.2"),
        ("0.1", "0.2", "0.2"),
        ("0.1", "0.099", "0"),
        ("0.25", "0.74", "0.5"),
        ("1", "0.999999999", "0"),
        // The order itself is never cut, whatever a newer lot size says.
        ("0.7", "1", "1"),
    ] {
        let at = tick(5, ("600", Some(offered)), ("600.5", Some(offered)));
        for (side, limit) in [(Side::Buy, "600.50"), (Side::Sell, "600.00")] {
            let mut command = order(side, "1", Some(limit), &at);
            if let CommandKind::Create(order) = &mut command.kind {
                order.lot_size = Some(lot_size.parse().unwrap());
            }
            let report = report(venue("{}", 0).execute(&command, &at));
            assert_eq!(report.cumulative_quantity.to_string(), expected, "{offered} by {lot_size}");
            assert_eq!(report.trades.len(), usize::from(expected != "0"));
            assert_eq!(report.reason, if expected == "1" { "" } else { "NoSize" });
        }
    }
}

#[test]
fn an_order_of_the_release_before_has_no_lot() {
    let at = tick(5, ("600", None), ("600.5", Some("0.4005")));
    let mut command = order(Side::Buy, "1", Some("600.50"), &at);
    if let CommandKind::Create(order) = &mut command.kind {
        order.lot_size = None;
    }
    let text = serde_json::to_string(&command).unwrap();
    assert!(!text.contains("lotSize"), "{text}");
    let read: OrderCommand = serde_json::from_str(&text).unwrap();
    assert_eq!(report(venue("{}", 0).execute(&read, &at)).cumulative_quantity.to_string(), "0.4005");
}

#[test]
fn nothing_trades_on_a_side_where_nobody_is() {
    let mut at = tick(5, ("600", None), ("600.5", None));
    (at.bid, at.bid_size) = (None, Some(Quantity::ZERO));
    for limit in [Some("600"), Some("1"), None] {
        let sell = report(venue("{}", 0).execute(&order(Side::Sell, "1", limit, &at), &at));
        assert_eq!((sell.status, sell.reason.as_str(), sell.trades.len()), (OrderStatus::Expired, "NoSize", 0));
    }
    let buy = report(venue("{}", 0).execute(&order(Side::Buy, "1", Some("600.50"), &at), &at));
    assert_eq!(buy.status, OrderStatus::Filled);
}

#[test]
fn fees_are_exact_in_quote_or_in_what_is_received() {
    let at = tick(5, ("600", None), ("600.5", None));
    let fee = |fees: &str, side| {
        let limit = if side == Side::Buy { "600.50" } else { "600" };
        let trade = report(venue(fees, 0).execute(&order(side, "0.333", Some(limit), &at), &at)).trades.remove(0);
        format!("{} {} = {}", trade.fee, trade.fee_asset, trade.fee_quote)
    };
    let quote = r#"{"takerPercent": "0.075"}"#;
    let received = r#"{"takerPercent": "0.075", "paidIn": "Received"}"#;
    assert_eq!(fee(quote, Side::Buy), "0.149974875 USDT = 0.149974875");
    assert_eq!(fee(received, Side::Buy), "0.00024975 BNB = 0.149974875");
    assert_eq!(fee(received, Side::Sell), "0.14985 USDT = 0.14985");
}

#[test]
fn latency_delays_to_the_first_tick_at_or_after_it() {
    let at = tick(5, ("600", None), ("600.5", None));
    let mut venue = venue("{}", 1500);
    let accepted = report(venue.execute(&order(Side::Buy, "1", Some("600.50"), &at), &at));
    assert_eq!((accepted.status, accepted.matched), (OrderStatus::Accepted, Some(5)));
    assert_eq!(venue.wanted_ticks(), [("BNB/USDT".parse().unwrap(), 5)]);

    // The gateway dies here: the order lives in its record.
    let saved = venue.save().unwrap();
    let mut venue = self::venue("{}", 1500);
    venue.restore(&saved).unwrap();

    venue.observe(&at);
    assert_eq!(venue.take_reports(), []);
    venue.observe(&tick(6, ("600", None), ("600.4", None)));
    let waiting = venue.take_reports();
    assert_eq!((waiting[0].status, waiting[0].matched), (OrderStatus::Accepted, Some(6)));
    venue.observe(&tick(7, ("600", None), ("600.3", None)));
    let filled = venue.take_reports();
    assert_eq!(
        (filled[0].status, filled[0].trades[0].price.to_string().as_str(), filled[0].matched),
        (OrderStatus::Filled, "600.30", Some(7))
    );
    assert_eq!(venue.wanted_ticks(), []);
}

#[test]
fn a_waiting_order_can_be_cancelled_once() {
    let at = tick(5, ("600", None), ("600.5", None));
    let mut venue = venue("{}", 1500);
    venue.execute(&order(Side::Buy, "1", Some("600.50"), &at), &at);
    let id = "glm-abc-1".parse().unwrap();
    assert_eq!(report(venue.cancel_waiting(&id)).status, OrderStatus::Canceled);
    assert_eq!(venue.cancel_waiting(&id), Outcome::Refused("UnknownOrder".into()));
}
