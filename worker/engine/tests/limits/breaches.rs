//! Limits that latch: when, what they do, and how they are released.

use engine::messages::{AlertKind, Side};
use engine::risk::{PositionBounds, Release};
use engine::testkit::{Market, START_MS, alerts};
use engine::time::{Timestamp, rfc3339};
use serde_json::json;

use crate::scripted::Action;
use crate::stand::{MARKET, Stand, buy, market, sell};

/// One coin and no cash: the equity is the price.
const COIN: (&str, &str) = ("1", "0");

#[test]
fn a_drawdown_is_latched_one_step_beyond_and_stays() {
    let mut stand = Stand::limited(&[], COIN, json!({"maxDrawdownPercent": 10}));
    stand.run(["900", "1000", "900"]);
    assert_eq!(stand.latched(), Vec::<String>::new());
    stand.run(["899.99", "950", "890"]);
    assert_eq!(stand.latched(), ["maxDrawdownPercent 3 10 10"]);
    stand.restart();
    stand.run(["1200"]);
    let report = stand.report();
    let [limit] = &report.risk.limits[..] else { panic!("{:?}", report.risk) };
    assert_eq!((limit.name.as_str(), limit.since.millis()), ("maxDrawdownPercent", START_MS + 3_000));
    assert_eq!((limit.figure.as_str(), limit.threshold.as_str()), ("10", "10"));
    assert_eq!(report.summary.alert, "MaxDrawdown");
    assert_eq!(alerts(&stand.effects), [AlertKind::MaxDrawdown]);
    assert_eq!(serde_json::to_value(&report.risk).unwrap()["limits"][0]["since"], "2023-11-14T22:13:23Z");
}

#[test]
fn a_daily_loss_is_of_the_first_equity_of_the_utc_day_and_stays_latched_on_the_next() {
    // Eight hours a tick: 22:13, then 06:13, 14:13 and 22:13 of the next day.
    let hours = Market { tick_ms: 8 * 3_600_000, ..MARKET };
    let config = crate::stand::config(&[], COIN, json!({"maxDailyLossPercent": 2}), json!(null));
    let mut stand = Stand::in_market(&hours, config);
    stand.run(["1000", "970", "960", "950.60"]);
    assert_eq!(stand.latched(), Vec::<String>::new(), "970 − 19.4 = 950.6");
    stand.run(["900", "882", "881.99", "881"]);
    assert_eq!(stand.latched(), ["maxDailyLossPercent 6 2 2"]);
    stand.run(["2000"]);
    assert_eq!(stand.latched(), ["maxDailyLossPercent 6 2 2"]);
}

/// The equity of a day is that after the fills of its first tick: 950 of cash and the coin bought at 45.
#[test]
fn the_days_first_equity_is_after_its_fills() {
    let day = Market { tick_ms: 24 * 3_600_000, ..MARKET };
    let risk = json!({"maxDailyLossPercent": 1, "maxOrdersPerMinute": 600});
    let config = crate::stand::config(&[&[buy("10", "95")]], ("0", "1000"), risk, json!(null));
    let mut stand = Stand::in_market(&day, config);
    // On the second day all is spent at 95 and worth 900: that is the day's first equity.
    stand.run(["100", "90"]);
    assert_eq!(stand.latched(), Vec::<String>::new());
    assert_eq!(stand.log, ["0: rests Buy 10 @ 95", "1: Buy 10 @ 95"]);
}

#[test]
fn the_fourth_loss_in_a_row_latches_three() {
    let lossy = [market(Side::Buy, "1")];
    let sale = [market(Side::Sell, "1")];
    let round: [&[Action]; 2] = [&lossy, &sale];
    let actions: Vec<&[Action]> = round.iter().copied().cycle().take(14).collect();
    let mut stand = Stand::limited(&actions, ("0", "1000"), json!({"maxConsecutiveLosses": 3}));
    // Loss, loss, nothing, loss, gain; then four losses. Judged on the tick after the sale.
    let prices = "100 99 100 99 100 100 100 99 100 101";
    stand.run(prices.split(' '));
    stand.run("100 99 100 99".split(' '));
    let mut more = Stand::limited(
        &round.iter().copied().cycle().take(20).collect::<Vec<_>>(),
        ("0", "1000"),
        json!({"maxConsecutiveLosses": 3}),
    );
    more.run(prices.split(' '));
    more.run("100 99 100 99 100 99 100 99".split(' '));
    assert_eq!(more.latched(), Vec::<String>::new(), "three, and a fourth that is not judged yet");
    more.run(["100"]);
    assert_eq!(more.latched(), ["maxConsecutiveLosses 18 4 3"]);
    assert!(more.told().ends_with("tick 18, LimitReached"), "{}", more.told());
    assert_eq!(stand.latched(), Vec::<String>::new());
}

/// Of one order in parts all trades are one result; fees count.
#[test]
fn a_fee_makes_a_sale_at_cost_a_loss() {
    let fees = Market { taker_percent: "0.1", ..MARKET };
    let actions: [&[Action]; 2] = [&[market(Side::Buy, "1")], &[market(Side::Sell, "1")]];
    for (price, latched) in [("100.10", 1), ("100.11", 0)] {
        let mut config = crate::stand::config(&actions, ("0", "1000"), json!({"maxConsecutiveLosses": 0}), json!(null));
        config.fees = fees.fees();
        let mut stand = Stand::in_market(&fees, config);
        // The fee of the purchase is not the sale's: proceeds − cost − the sale's own fee of a thousandth.
        stand.run(["100", price, "100"]);
        assert_eq!(stand.latched().len(), latched, "{price}: {:?}", stand.log);
    }
}

#[test]
fn an_exposure_is_latched_by_the_price_alone() {
    let mut stand = Stand::limited(&[&[buy("1", "90")]], ("5", "1000"), json!({"maxExposure": {"USDT": 690}}));
    stand.run(["100", "120", "120.01"]);
    assert_eq!(stand.latched(), ["maxExposure 2 690.05 690"]);
    assert_eq!(stand.log, ["0: rests Buy 1 @ 90", "2: cancel 1"]);
    assert_eq!(stand.report().summary.alert, "MaxExposure");
}

#[test]
fn what_is_lost_already_latches_on_the_first_tick_under_the_limit() {
    let mut stand = Stand::limited(&[], ("5", "0"), json!({"maxExposure": {"USDT": 499}}));
    stand.run(["100"]);
    assert_eq!(stand.latched(), ["maxExposure 0 500 499"]);
    let mut stand = Stand::limited(&[], COIN, json!({}));
    stand.run(["1000", "800"]);
    let risk = serde_json::from_value(json!({"maxDrawdownPercent": 15})).unwrap();
    stand.edit_bounds(risk, None);
    stand.run(["801"]);
    assert_eq!(stand.latched(), ["maxDrawdownPercent 2 19.9 15"]);
}

/// A buy at rest and a sale at rest, and on later ticks one more of each.
fn resting(on_breach: &str) -> Stand {
    let both: &[Action] = &[buy("1", "80"), sell("1", "300")];
    let actions = [both, &[], &[buy("1", "70"), sell("1", "290")]];
    Stand::limited(&actions, ("5", "1000"), json!({"maxDrawdownPercent": 5, "onBreach": on_breach}))
}

#[test]
fn a_breach_cancels_what_its_action_says_and_opens_nothing() {
    for (action, cancels) in [("StopOpening", &["1: cancel 1"][..]), ("CancelOrders", &["1: cancel 1", "1: cancel 2"])]
    {
        let mut stand = resting(action);
        stand.run(["100", "84.99", "84", "84"]);
        assert_eq!(stand.latched().len(), 1);
        assert_eq!(stand.log[2..2 + cancels.len()], *cancels, "{action}");
        assert!(stand.told().contains("tick 2, LimitReached, sent 3"), "{}", stand.told());
        let counts = stand.report().orders;
        assert_eq!(counts.denied_reasons["LimitReached"], 1);
    }
}

#[test]
fn each_limit_latches_by_itself_in_the_order_of_the_fields() {
    let risk = json!({"maxExposure": {"USDT": 10}, "maxDailyLossPercent": 1, "maxDrawdownPercent": 2});
    let mut stand = Stand::limited(&[], ("0.1", "100"), risk);
    stand.run(["100", "85", "88", "50", "101"]);
    // 110; 108.5 is 1.36 % less; 105 is 4.55 %.
    assert_eq!(
        stand.latched(),
        ["maxDailyLossPercent 1 1.36 1", "maxDrawdownPercent 3 4.55 2", "maxExposure 4 10.1 10"]
    );
    assert_eq!(stand.report().summary.alert, "MaxDailyLoss, MaxDrawdown, MaxExposure");
    let risk = json!({"maxDailyLossPercent": 1, "maxDrawdownPercent": 1});
    let mut stand = Stand::limited(&[], COIN, risk);
    stand.run(["100", "50"]);
    assert_eq!(stand.latched(), ["maxDrawdownPercent 1 50 1", "maxDailyLossPercent 1 50 1"]);
}

#[test]
fn a_release_works_once_and_starts_the_measure_anew() {
    let mut stand = Stand::limited(
        &[&[], &[], &[buy("1", "50")], &[buy("1", "50")]],
        ("1", "1000"),
        json!({"maxDrawdownPercent": 10}),
    );
    stand.run(["1000", "700", "700"]);
    assert_eq!(stand.latched(), ["maxDrawdownPercent 1 15 10"]);
    let since = stand.report().risk.limits[0].since;
    let release = |name: &str, since: Timestamp| Release { name: name.to_owned(), since };
    let now = stand.report().as_of;
    for wrong in [release("maxDrawdownPercent", since.plus_millis(1)), release("maxExposure", since)] {
        assert!(stand.engine.release(now, &wrong).is_empty(), "{wrong}");
    }
    assert_eq!(stand.latched().len(), 1);
    let right: Release = format!("maxDrawdownPercent {}", rfc3339::text(since)).parse().unwrap();
    assert!(!stand.engine.release(now, &right).is_empty());
    assert!(stand.engine.release(now, &right).is_empty(), "once");
    assert_eq!((stand.latched().len(), stand.report().summary.alert), (0, String::new()));
    stand.restart();
    assert!(stand.engine.release(now, &right).is_empty(), "nor after a restart");
    // From 1700 on, not from 2000: 1530 is the bound.
    stand.run(["530", "529.99"]);
    assert_eq!(stand.latched(), ["maxDrawdownPercent 4 10 10"]);
    assert!(stand.told().contains("tick 2, LimitReached, tick 3, sent 1, "), "{}", stand.told());
}

#[test]
fn a_release_of_the_other_measures_starts_them_anew_too() {
    let mut stand = Stand::limited(&[], COIN, json!({"maxDailyLossPercent": 10}));
    stand.run(["1000", "800"]);
    stand.release();
    stand.run(["720"]);
    assert_eq!(stand.latched(), Vec::<String>::new());
    stand.run(["719.99"]);
    assert_eq!(stand.latched(), ["maxDailyLossPercent 3 10 10"]);
    let round: [&[Action]; 2] = [&[market(Side::Buy, "1")], &[market(Side::Sell, "1")]];
    let actions: Vec<_> = round.iter().copied().cycle().take(6).collect();
    let mut stand = Stand::limited(&actions, ("0", "1000"), json!({"maxConsecutiveLosses": 1}));
    stand.run("100 99 100 99 100".split(' '));
    assert_eq!(stand.latched(), ["maxConsecutiveLosses 4 2 1"]);
    stand.release();
    stand.run(["100", "100"]);
    assert_eq!(stand.latched(), Vec::<String>::new());
}

#[test]
fn a_limit_that_is_taken_out_stays_latched_and_forgets_its_measure() {
    let mut stand = Stand::limited(&[&[], &[], &[buy("1", "50")]], COIN, json!({"maxDrawdownPercent": 10}));
    stand.run(["1000", "800"]);
    stand.edit_bounds(serde_json::from_value(json!({})).unwrap(), None);
    stand.run(["800"]);
    assert!(stand.told().ends_with("tick 2, LimitReached"), "{}", stand.told());
    stand.restart();
    assert_eq!(stand.latched().len(), 1);
    stand.release();
    assert_eq!(stand.latched().len(), 0);
}

/// The bytes of a strategy without limits are those of the release before.
#[test]
fn without_limits_nothing_is_saved_for_them() {
    let mut stand = Stand::limited(&[&[market(Side::Buy, "1")], &[market(Side::Sell, "1")]], ("0", "1000"), json!({}));
    stand.run(["100", "99", "98"]);
    let saved = stand.engine.saved().unwrap();
    assert!(!saved.contains("stops") && !saved.contains("flattens"), "{saved}");
    let spec = stand.config.risk.clone().with_position_defaults(PositionBounds::Bind);
    let spec = serde_json::to_value(spec).unwrap();
    let names: Vec<_> = spec.as_object().unwrap().keys().collect();
    let before = ["minPositionPercent", "maxPositionPercent", "maxOrdersPerMinute", "maxTickAgeSeconds"];
    assert_eq!(names, before, "the hash of parameters is over these");
}

/// Two ticks of one time: what is latched anew has another since, so that a release that comes again does nothing about it.
#[test]
fn a_release_does_nothing_about_what_is_latched_by_a_tick_of_the_same_time() {
    let mut stand = Stand::limited(&[], COIN, json!({"maxExposure": {"USDT": 1}}));
    stand.run(["100"]);
    let release = stand.report().latched().remove(0);
    stand.release();
    let again = MARKET.tick(1, "100");
    stand.take(&engine::messages::Tick { time: MARKET.tick(0, "100").time, ..again });
    stand.restart();
    let latched = stand.report().latched();
    assert_eq!(latched, [Release { since: release.since.plus_millis(1), ..release.clone() }]);
    assert!(stand.engine.release(stand.report().as_of, &release).is_empty());
    assert_eq!(stand.report().latched(), latched);
}
