//! When commands arrive, and what cancels and replacements come to.

use super::*;

#[test]
fn latency_holds_a_command_until_the_first_tick_at_or_after_it() {
    let mut exchange = exchange_of(&json!({}), 1500);
    exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600.50"))), &quotes(5, "600", "600.5"));
    for sequence in [5, 6] {
        let early = quotes(sequence, "600", "600.5");
        assert!(!exchange.has_arrivals(&early));
        assert_eq!((exchange.match_resting(&early), exchange.arrive(&early)), (Vec::new(), Vec::new()));
    }
    let at = quotes(7, "600", "600.3");
    assert_eq!(exchange.match_resting(&at), []);
    let report = exchange.arrive(&at);
    assert_eq!((told(&report), report[0].matched), (vec!["1 Filled 1 1 @ 600.30".to_owned()], Some(7)));
    assert!(!exchange.has_arrivals(&at) && exchange.is_idle());
}

#[test]
fn a_command_does_not_arrive_on_a_tick_before_the_one_that_caused_it() {
    let mut exchange = exchange();
    exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600"))), &quotes(5, "600", "600.5"));
    let before = Tick { time: Some(Timestamp::from_millis(9_000)), ..quotes(4, "600", "600.5") };
    assert!(!exchange.has_arrivals(&before));
    assert_eq!(exchange.arrive(&before), []);
    // Nor on a tick of another market.
    let other = Tick { symbol: "ETH/USDT".parse().unwrap(), ..quotes(6, "600", "600.5") };
    assert_eq!((exchange.has_arrivals(&other), exchange.arrive(&other)), (false, Vec::new()));
    assert_eq!(told(&exchange.arrive(&quotes(5, "600", "600.5"))), ["1 Accepted 0"]);
    assert_eq!(exchange.match_resting(&Tick { sequence: 6, ..other }), []);
}

#[test]
fn commands_act_in_the_order_in_which_they_were_sent() {
    let mut exchange = exchange_of(&json!({}), 1500);
    let away = quotes(1, "700", "701");
    exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600"))), &away);
    exchange.admit(&command(2, CommandKind::Create(order(Side::Buy, "601"))), &away);
    exchange.admit(&command(1, CommandKind::Cancel), &away);
    exchange.admit(&command(9, CommandKind::Cancel), &away);
    assert_eq!(told(&exchange.arrive(&quotes(3, "700", "701"))), ["1 Accepted 0", "2 Accepted 0", "1 Canceled 0"]);
    assert!(exchange.has(&id(2)) && !exchange.has(&id(1)));
}

#[test]
fn a_cancel_has_the_latency_too_and_can_lose_to_a_fill() {
    let mut exchange = exchange_of(&json!({}), 1500);
    exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600"))), &quotes(1, "700", "701"));
    assert_eq!(told(&exchange.arrive(&quotes(3, "700", "701"))), ["1 Accepted 0"]);
    exchange.admit(&command(1, CommandKind::Cancel), &quotes(4, "700", "701"));
    assert_eq!(exchange.arrive(&quotes(5, "700", "701")), []);
    // What rests is matched before the cancel arrives.
    let at = tick(6, ("599", None), ("600", Some("0.4")));
    assert_eq!(told(&exchange.match_resting(&at)), ["1 PartiallyFilled 0.4 0.4 @ 600"]);
    assert_eq!(told(&exchange.arrive(&at)), ["1 Canceled 0.4"]);
    assert!(exchange.is_idle());
}

#[test]
fn a_cancel_that_comes_too_late_says_nothing() {
    let mut exchange = exchange_of(&json!({}), 1500);
    exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600"))), &quotes(1, "700", "701"));
    assert_eq!(told(&exchange.arrive(&quotes(3, "700", "701"))), ["1 Accepted 0"]);
    exchange.admit(&command(1, CommandKind::Cancel), &quotes(4, "700", "701"));
    assert_eq!(told(&exchange.match_resting(&quotes(6, "599", "600"))), ["1 Filled 1 1 @ 600"]);
    assert!(exchange.has_arrivals(&quotes(6, "599", "600")));
    assert_eq!(exchange.arrive(&quotes(6, "599", "600")), []);
    assert!(exchange.is_idle());
}

#[test]
fn a_replacement_is_placed_only_if_the_old_order_ended_as_it_was_known() {
    // What trades while the replacement is on its way, what the strategy knew, what is told.
    let cases: [(Option<&str>, &str, &[&str]); 5] = [
        (None, "0", &["1 Canceled 0", "2 Accepted 0"]),
        (None, "0.4", &["1 Canceled 0", "2 RejectedReplaceRaced 0"]),
        (Some("0.4"), "0", &["1 Canceled 0.4", "2 RejectedReplaceRaced 0"]),
        (Some("0.4"), "0.4", &["1 Canceled 0.4", "2 Accepted 0"]),
        (Some("1"), "0", &["2 RejectedReplaceRaced 0"]),
    ];
    for (traded, known, expected) in cases {
        let mut exchange = exchange_of(&json!({}), 1500);
        exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600"))), &quotes(1, "700", "701"));
        exchange.arrive(&quotes(3, "700", "701"));
        exchange.admit(&replace(2, 1, known, order(Side::Buy, "590")), &quotes(4, "700", "701"));
        if traded.is_some() {
            assert_eq!(exchange.match_resting(&tick(5, ("599", None), ("600", traded))).len(), 1);
        }
        assert_eq!(told(&exchange.arrive(&quotes(6, "700", "701"))), *expected, "{traded:?} {known}");
        assert!(!exchange.has(&id(1)));
    }
}

#[test]
fn a_replacement_of_what_ended_as_known_is_placed_and_of_what_is_gone_it_is_not() {
    let mut exchange = exchange_of(&json!({}), 1500);
    exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600"))), &quotes(1, "700", "701"));
    exchange.arrive(&quotes(3, "700", "701"));
    exchange.admit(&replace(2, 1, "0", order(Side::Buy, "590")), &quotes(4, "700", "701"));
    assert_eq!(exchange.cancel(&id(1), Timestamp::from_millis(4_500)).unwrap().status, OrderStatus::Canceled);
    assert_eq!(told(&exchange.arrive(&quotes(6, "700", "701"))), ["2 Accepted 0"]);
    exchange.admit(&replace(3, 1, "0", order(Side::Buy, "580")), &quotes(6, "700", "701"));
    assert_eq!(told(&exchange.arrive(&quotes(8, "700", "701"))), ["3 RejectedReplaceRaced 0"]);
}

#[test]
fn a_replacement_of_one_that_was_rejected_is_placed_whatever_it_was_rejected_for() {
    // Both ended without a trade, as was known of them.
    let raced = (replace(2, 1, "0.4", order(Side::Buy, "590")), "2 RejectedReplaceRaced 0");
    let taking = NewOrder { post_only: true, ..order(Side::Buy, "701") };
    let post_only = (replace(2, 1, "0", taking), "2 RejectedPostOnlyWouldTake 0");
    for (second, expected) in [raced, post_only] {
        let mut exchange = exchange_of(&json!({}), 1500);
        exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600"))), &quotes(1, "700", "701"));
        exchange.arrive(&quotes(3, "700", "701"));
        exchange.admit(&second, &quotes(4, "700", "701"));
        exchange.admit(&replace(3, 2, "0", order(Side::Buy, "580")), &quotes(4, "700", "701"));
        assert_eq!(told(&exchange.arrive(&quotes(6, "700", "701"))), ["1 Canceled 0", expected, "3 Accepted 0"]);
    }
}

#[test]
fn an_order_can_be_cancelled_at_once_whether_it_rests_or_is_on_its_way() {
    let mut exchange = exchange_of(&json!({}), 1500);
    let time = Timestamp::from_millis(1_000);
    exchange.admit(&command(1, CommandKind::Create(order(Side::Buy, "600"))), &quotes(1, "700", "701"));
    let canceled = exchange.cancel(&id(1), time).unwrap();
    assert_eq!((canceled.status, canceled.matched, canceled.time), (OrderStatus::Canceled, None, time));
    assert_eq!((exchange.cancel(&id(1), time), exchange.is_idle()), (None, true));
    // Without its order a replacement still cancels.
    exchange.admit(&command(2, CommandKind::Create(order(Side::Buy, "600"))), &quotes(1, "700", "701"));
    exchange.arrive(&quotes(3, "700", "701"));
    exchange.admit(&replace(3, 2, "0", order(Side::Buy, "590")), &quotes(3, "700", "701"));
    assert_eq!(exchange.cancel(&id(3), time).unwrap().status, OrderStatus::Canceled);
    assert_eq!(told(&exchange.arrive(&quotes(5, "700", "701"))), ["2 Canceled 0"]);
    assert!(exchange.is_idle());
}
