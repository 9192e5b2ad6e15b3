//! What position control says of itself and of why it does what it does.

use super::*;

/// What is said at each reason, figures and all.
#[test]
fn each_reason_says_its_figures() {
    let parameters = json!({"lookBackDays": 2, "sellTargetPercent": 40, "buyTargetPercent": 60});
    let mut bench = bench(("4", "2500"), &parameters);
    days(&mut bench, 3, &["600", "610", "605"]);
    let message = |bench: &Bench| bench.engine.report().decision.message;
    let outlook = |bench: &Bench| bench.engine.performance().and_then(|performance| performance.outlook);
    assert_eq!(message(&bench), "Sells above 610, buys below 600: high and low of 2 days.");
    assert_eq!(outlook(&bench).as_deref(), Some("would sell above 610.00, buy below 600.00"));
    take(&mut bench, start() + 2 * DAY + 1, "620");
    assert_eq!(message(&bench), "620.00 is above the high 610.00 of 2 days, from 49.8 to 40 %");
    take(&mut bench, start() + 2 * DAY + 2, "620.01");
    assert_eq!(message(&bench), "Coins are 40 % of the equity: less than a lot, or than minNotional, is missing.");
    let words = "Beyond 600 to 610, the prices of 2 days, but coins are 42.66 % of the equity: it sells above 50 %, buys below \
                 60 %.";
    let mut kept =
        super::bench(("3", "2500"), &json!({"lookBackDays": 2, "sellTargetPercent": 50, "buyTargetPercent": 60}));
    days(&mut kept, 3, &["600", "610", "605"]);
    take(&mut kept, start() + 2 * DAY + 1, "620");
    assert_eq!(message(&kept), words);
    assert_eq!(outlook(&super::bench(("3", "2500"), &parameters)), None, "nothing is known yet");
}

#[test]
fn what_a_position_limit_forbids_is_said() {
    let message = |bench: &Bench| bench.engine.report().decision.message;
    let mut bench = bench(("0.5", "10000"), &json!({"lookBackDays": 1, "sellTargetPercent": 0}));
    days(&mut bench, 2, &["600"]);
    take(&mut bench, start() + DAY + 1, "601");
    assert_eq!(message(&bench), "Above 600, but its position limit allows no sell.");
    let mut bench = super::bench(("10", "100"), &json!({"lookBackDays": 1, "buyTargetPercent": 100}));
    days(&mut bench, 2, &["600"]);
    take(&mut bench, start() + DAY + 1, "599");
    assert_eq!(message(&bench), "Below 600, but its position limit allows no buy.");
}

/// While its order is open it sends no other, and says so; what it says of itself names its days.
#[test]
fn it_waits_for_its_order_and_says_what_it_is() {
    let mut bench = bench(("8", "1000"), &json!({"lookBackDays": 1}));
    days(&mut bench, 2, &["600"]);
    let sent = bench.take(tick(&bench, start() + DAY + 1, "601"));
    assert_eq!(sent.len(), 1);
    assert!(bench.take(tick(&bench, start() + DAY + 2, "602")).is_empty());
    assert_eq!(bench.reason(), "OrderOpen");
    assert_eq!(bench.engine.report().decision.message, "Waits for its order to be over.");
    let made = |parameters: Value| (CONTROL.start)(&parameters, None).unwrap();
    let instruments = MARKET.instrument().into();
    let usual = made(json!({"lookBackDays": 1}));
    assert_eq!(
        usual.described(&instruments),
        "position control: to 50 % above the high of 1 day, to 70 % below their low"
    );
    let first = "600".parse().unwrap();
    let line = |days: u32| made(json!({"lookBackDays": days})).start_line(first, &instruments).unwrap();
    assert_eq!(line(1), "starts once 1 day that follow one another are over");
    assert_eq!(line(52), "starts once 52 days that follow one another are over");
    let own = made(json!({"maxSlippagePercent": "0.3"})).max_slippage().unwrap();
    assert_eq!(own.percent().normalize().to_string(), "0.3");
}

/// A trade that is told while days are missing again: the share of before is forgotten, and not looked at anew.
#[test]
fn while_days_are_missing_no_share_is_shown() {
    let mut bench = bench(("8", "1000"), &json!({"lookBackDays": 1}));
    days(&mut bench, 2, &["600"]);
    let sent = bench.take(tick(&bench, start() + DAY + 1, "601"));
    assert!(figures(&bench).contains_key("sharePercent"));
    // A day without any tick.
    let _ = bench.take(tick(&bench, start() + 3 * DAY, "601"));
    assert_eq!(bench.reason(), "WarmingUp");
    let fill = bench.fill_of(&sent[0]);
    let _ = bench.update(engine::testkit::filled(fill));
    assert_eq!(bench.engine.report().orders.filled, 1);
    assert!(!figures(&bench).contains_key("sharePercent"), "{:?}", figures(&bench));
}
