//! What a commit writes of an exchange, and what it reads of the release before.

use super::*;

#[test]
fn an_order_of_the_release_before_has_no_lot() {
    let order = NewOrder { lot_size: None, ..order(Side::Buy, "600.50") };
    let report = placed(&mut exchange(), 1, order, &tick(5, ("600", None), ("600.5", Some("0.4005"))));
    assert_eq!(report.cumulative_quantity.to_string(), "0.4005");
}

/// As the release before wrote it into field `venue` of its gateway's record.
#[test]
fn an_order_that_waited_in_a_record_of_the_release_before_is_held() {
    let saved = json!({"clientOrderId": "glm-abc-1", "symbol": "BNB/USDT", "due": 6500, "matched": 5,
        "order": {"side": "Buy", "orderType": "Limit", "timeInForce": "ImmediateOrCancel", "quantity": "1",
            "lotSize": "0.001", "price": "600.50", "reduceOnly": false}});
    let mut exchange = exchange_of(&json!({}), 1500);
    exchange.take_up(&saved).unwrap();
    assert!(exchange.has_changes());
    assert_eq!(exchange.arrive(&quotes(6, "600", "600.5")), []);
    assert_eq!(told(&exchange.arrive(&quotes(7, "600", "600.5"))), ["1 Filled 1 1 @ 600.50"]);
    assert!(exchange.take_up(&json!({"clientOrderId": "glm-abc-1"})).is_err());
}

#[test]
fn a_commit_writes_what_changed_and_nothing_else() {
    let mut exchange = exchange_of(&json!({}), 1500);
    let names = |exchange: &mut Exchange| {
        let changes = exchange.take_changes().unwrap();
        (changes.set.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), changes.delete)
    };
    let none: Vec<String> = Vec::new();
    for sequence in [1, 2] {
        exchange.admit(&command(sequence, CommandKind::Create(order(Side::Buy, "600"))), &quotes(1, "700", "701"));
    }
    assert_eq!(names(&mut exchange), (vec!["held:0".to_owned(), "held:1".to_owned()], none.clone()));
    exchange.arrive(&quotes(2, "700", "701"));
    assert_eq!((exchange.has_changes(), names(&mut exchange)), (false, (none.clone(), none.clone())));
    exchange.arrive(&quotes(3, "700", "701"));
    let (set, deleted) = names(&mut exchange);
    assert_eq!(
        (set, deleted),
        (vec!["resting:1".to_owned(), "resting:2".to_owned()], vec!["held:0".to_owned(), "held:1".to_owned()])
    );
    exchange.match_resting(&tick(4, ("599", None), ("600", Some("0.0001"))));
    assert_eq!(names(&mut exchange), (none.clone(), none.clone()));
    exchange.cancel(&id(1), Timestamp::from_millis(0));
    assert_eq!(names(&mut exchange), (none, vec!["resting:1".to_owned()]));
}

#[test]
fn what_arrives_before_a_commit_leaves_no_trace_in_it() {
    let mut exchange = exchange();
    let order = NewOrder { time_in_force: TimeInForce::ImmediateOrCancel, ..order(Side::Buy, "600") };
    placed(&mut exchange, 1, order, &quotes(1, "599", "600"));
    assert_eq!(exchange.take_changes().unwrap(), Changes::default());
}

#[test]
fn a_record_that_does_not_read_is_refused_with_its_field() {
    let taker = json!({"id": "glm-abc-1", "symbol": "BNB/USDT", "cumulative": "0", "trades": 0,
        "order": {"side": "Buy", "orderType": "Limit", "timeInForce": "IOC", "quantity": "1", "price": "1", "reduceOnly": false}});
    for (name, value, expected) in [
        ("resting:1", "{}".to_owned(), "resting:1: missing field"),
        ("resting:1", taker.to_string(), "order glm-abc-1 cannot rest"),
        ("held:x", "{}".to_owned(), "\"held:x\" is no field"),
        ("held:1", "{}".to_owned(), "held:1: missing field"),
        ("waiting:1", "{}".to_owned(), "\"waiting:1\" is no field"),
    ] {
        let error = exchange().restore(name, &value).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
