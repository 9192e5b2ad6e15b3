//! What is kept of limits and exits: in the record what each needs and nothing else, and of one that is taken out nothing.

use engine::messages::{OrderStatus, Side};
use engine::risk::{ExitParameters, RiskParameters};
use engine::testkit::{Market, START_MS, ended};
use engine::{Config, Engine, Event};
use serde_json::{Value, json};

use crate::bench::commands;
use crate::scripted::{Action, SCRIPTED, Wanted, rest, start};
use crate::stand::{MARKET, Stand, buy, config, market, sell};

/// What the record holds of limits and exits.
fn kept(engine: &Engine) -> Value {
    engine.snapshot().unwrap()["stops"].clone()
}

fn risk(risk: Value) -> RiskParameters {
    serde_json::from_value(risk).unwrap()
}

/// Takes all limits and the exit out, and back in after a tick at this price.
fn out_and_in(stand: &mut Stand, price: &str) {
    let (before, exit) = (stand.config.risk.clone(), stand.config.exit.clone());
    stand.edit_bounds(risk(json!({"maxOrdersPerMinute": 600})), None);
    stand.run([price]);
    let left = kept(&stand.engine);
    assert_eq!((&left["measures"], &left["exitMeasures"]), (&Value::Null, &Value::Null), "nothing needs anything");
    stand.edit_bounds(before, exit);
}

#[test]
fn parameters_are_written_as_they_were_given() {
    for given in [
        json!({"maxDrawdownPercent": "5", "onBreach": "CancelOrders"}),
        json!({"onBreach": "Flatten", "cooldown": {"rejects": 3, "seconds": 60}}),
        json!({"maxExposure": {"USDT": "5"}, "priceCollarPercent": "1.5"}),
    ] {
        let written = serde_json::to_value(risk(given.clone())).unwrap();
        for (name, value) in given.as_object().unwrap() {
            assert_eq!(written[name], *value, "{written}");
        }
    }
    let usual = serde_json::to_value(risk(json!({"onBreach": "StopOpening"}))).unwrap();
    assert_eq!(usual["onBreach"], Value::Null, "the hash of parameters is without what nobody set");
}

#[test]
fn of_each_limit_only_its_own_measure_is_kept() {
    let mut stand = Stand::limited(&[], ("1", "900"), json!({"maxDrawdownPercent": 10}));
    stand.run(["100"]);
    assert_eq!(kept(&stand.engine), Value::Null, "the peak is the ledger's");
    let mut stand = Stand::limited(&[], ("1", "900"), json!({"maxDailyLossPercent": 10}));
    stand.run(["100"]);
    let day = START_MS / 86_400_000;
    assert_eq!(kept(&stand.engine), json!({"measures": {"day": {"number": day, "equity": "1000"}}}));
    let lossy: [&[Action]; 2] = [&[market(Side::Buy, "1")], &[market(Side::Sell, "1")]];
    let mut stand = Stand::limited(&lossy, ("0", "1000"), json!({"maxConsecutiveLosses": 3}));
    stand.run(["100", "99"]);
    assert_eq!(kept(&stand.engine), json!({"measures": {"losses": 1}}));
    let mut stand = Stand::limited(&[], ("1", "900"), json!({"maxExposure": {"USDT": 90}}));
    stand.run(["100"]);
    let latch = json!({"since": START_MS, "index": 0, "figure": "100", "threshold": "90"});
    assert_eq!(kept(&stand.engine), json!({"limits": [["maxExposure", latch]]}));
    let mut stand = Stand::exiting(&[], ("1", "900"), json!({"afterHours": 2}));
    stand.run(["100"]);
    assert_eq!(kept(&stand.engine), json!({"exitMeasures": {"since": START_MS}}));
}

#[test]
fn the_measures_of_a_limit_that_was_taken_out_begin_anew() {
    let mut stand = Stand::limited(&[], ("1", "0"), json!({"maxDailyLossPercent": 10}));
    stand.run(["1000"]);
    out_and_in(&mut stand, "900");
    stand.run(["880", "792"]);
    assert_eq!(stand.latched(), [""; 0], "of 880, on the first tick under it");
    stand.run(["791.99"]);
    assert_eq!(stand.latched(), ["maxDailyLossPercent 4 10 10"]);

    let lossy: [&[Action]; 2] = [&[market(Side::Buy, "1")], &[market(Side::Sell, "1")]];
    let actions: Vec<_> = lossy.iter().copied().cycle().take(7).collect();
    let mut stand = Stand::limited(&actions, ("0", "1000"), json!({"maxConsecutiveLosses": 1}));
    stand.run(["100", "99"]);
    // The tick without a limit buys.
    out_and_in(&mut stand, "100");
    stand.run(["99", "100"]);
    assert_eq!(stand.latched(), [""; 0], "one since then");
    stand.run(["99", "100"]);
    assert_eq!(stand.latched(), ["maxConsecutiveLosses 6 2 1"]);
}

/// A released drawdown is measured from where it was released, until it is taken out: then again from the ledger's peak.
#[test]
fn a_released_peak_goes_with_its_limit() {
    let mut stand = Stand::limited(&[], ("1", "0"), json!({"maxDrawdownPercent": 10}));
    stand.run(["1000", "800"]);
    stand.release();
    stand.run(["790"]);
    assert_eq!(stand.latched(), [""; 0], "of 800");
    out_and_in(&mut stand, "790");
    stand.run(["790"]);
    assert_eq!(stand.latched(), ["maxDrawdownPercent 4 21 10"]);
    // As the peak of a profit that is given back.
    let mut stand = Stand::exiting(&[], ("1", "900"), json!({"giveBackPercent": 50, "action": "StopOpening"}));
    stand.run(["100", "200", "150"]);
    stand.release();
    stand.run(["151", "140"]);
    assert_eq!(stand.latched(), [""; 0], "40 of 51");
    out_and_in(&mut stand, "140");
    stand.run(["140"]);
    assert_eq!(stand.latched(), ["giveBackPercent 6 40 50"], "of 100 again");
}

#[test]
fn hours_begin_with_the_last_tick_before_their_rule_and_end_with_it() {
    let hour = Market { tick_ms: 3_600_000, ..MARKET };
    let none = || config(&[], ("1", "900"), json!({}), Value::Null);
    let mut stand = Stand::in_market(&hour, none());
    stand.run(["100", "100"]);
    let exit = serde_json::from_value(json!({"afterHours": 2})).unwrap();
    stand.edit_bounds(risk(json!({})), Some(exit));
    stand.run(["100"]);
    assert_eq!(stand.latched(), [""; 0], "one since the last before it");
    out_and_in(&mut stand, "100");
    stand.run(["100"]);
    assert_eq!(stand.latched(), [""; 0], "one again");
    stand.run(["100"]);
    assert_eq!(stand.latched(), ["afterHours 5 2 2"]);
}

#[test]
fn rejections_are_forgotten_with_their_cooldown() {
    let limits = json!({"cooldown": {"rejects": 2, "seconds": 600}, "maxOrdersPerMinute": 600});
    let place: &[Action] = &[Action::Place(Wanted { post_only: true, ..rest(Side::Buy, "1", "99") })];
    let config = config(&[place, place, place, place], ("1", "1000"), limits.clone(), Value::Null);
    let mut engine = start(config.clone());
    let edited = |engine: &Engine, risk| {
        Engine::restore(Config { risk, ..config.clone() }, &SCRIPTED, &engine.snapshot().unwrap()).unwrap()
    };
    let take = |engine: &mut Engine, sequence| {
        let tick = MARKET.tick(sequence, "100");
        let sent = commands(&engine.step(tick.event_time(), Event::Tick(tick)));
        for command in &sent {
            let news = ended(command, OrderStatus::Rejected);
            let _ = engine.step(news.time, Event::OrderUpdate(news));
        }
        sent.len()
    };
    assert_eq!(take(&mut engine, 0), 1);
    engine = edited(&engine, risk(json!({"maxOrdersPerMinute": 600})));
    assert_eq!(kept(&engine), Value::Null);
    engine = edited(&engine, risk(limits));
    assert_eq!(take(&mut engine, 1), 1);
    assert_eq!(take(&mut engine, 2), 1, "one is not two");
    assert_eq!(take(&mut engine, 3), 0);
}

/// Each alert, as `severity current threshold message`.
fn told(stand: &Stand) -> Vec<String> {
    let alert = |effect: &engine::Effect| {
        let engine::Effect::Alert(alert) = effect else { return None };
        Some(format!("{:?} {} {} {}", alert.severity, alert.current_value, alert.threshold, alert.message))
    };
    stand.effects.iter().filter_map(alert).collect()
}

#[test]
fn an_alert_says_the_figure_the_limit_and_what_is_done() {
    let lossy: [&[Action]; 2] = [&[market(Side::Buy, "1")], &[market(Side::Sell, "1")]];
    let anything: &[&[Action]] = &[&[]];
    for (actions, limit, prices, expected) in [
        (
            anything,
            json!({"maxDrawdownPercent": 10}),
            "1000 850",
            "Critical 15 10 The equity is 15 % below its peak, maxDrawdownPercent is 10: nothing is opened before it is \
             released.",
        ),
        (
            anything,
            json!({"maxDailyLossPercent": "2.5", "onBreach": "CancelOrders"}),
            "1000 970",
            "Critical 3 2.5 The equity is 3 % below the first of this day, maxDailyLossPercent is 2.5: all orders are \
             cancelled, and nothing is opened before it is released.",
        ),
        (
            &lossy,
            json!({"maxConsecutiveLosses": 0}),
            "100 99 99",
            "Critical 1 0 1 sales in a row have lost, maxConsecutiveLosses is 0: nothing is opened before it is released.",
        ),
        (
            anything,
            json!({"maxExposure": {"USDT": 90}, "onBreach": "Flatten"}),
            "100",
            "Critical 100 90 Coins and open buys are worth 100, maxExposure is 90: all coins are sold, and nothing is \
             opened before it is released.",
        ),
    ] {
        let cash = if actions.len() > 1 { "1000" } else { "0" };
        let mut stand = Stand::limited(actions, ("1", cash), limit);
        stand.run(prices.split(' '));
        assert_eq!(told(&stand), [expected]);
    }
}

#[test]
fn an_alert_of_an_exit_says_its_rule_and_what_is_done() {
    for (exit, prices, expected) in [
        (
            json!({"stopLossPercent": 10}),
            "100 90",
            "Critical 90 90 stopLossPercent: the price of what is held is 90, held against 90: all coins are sold.",
        ),
        (
            json!({"takeProfitPercent": 10, "action": "StopOpening"}),
            "100 200",
            "Critical 100 100 takeProfitPercent: the net profit is 100, held against 100: the coins are kept.",
        ),
        (
            json!({"belowPrice": 90}),
            "89.5",
            "Critical 89.5 90 belowPrice: the price is 89.5, held against 90: all coins are sold.",
        ),
    ] {
        let mut stand = Stand::exiting(&[], ("1", "900"), exit);
        stand.run(prices.split(' '));
        assert_eq!(told(&stand), [expected]);
    }
    let hour = Market { tick_ms: 3_600_000, ..MARKET };
    let mut stand = Stand::in_market(&hour, config(&[], ("1", "900"), json!({}), json!({"afterHours": 1})));
    stand.run(["100", "100"]);
    assert_eq!(
        told(&stand),
        ["Critical 1 1 afterHours: the hours since the first tick is 1, held against 1: all coins are sold."]
    );
    stand.release();
    let since = engine::time::rfc3339::text(engine::time::Timestamp::from_millis(START_MS + 3_600_000));
    assert_eq!(told(&stand)[1], format!("Info   afterHours {since} is released; its measure starts anew."));
}

/// A sale that rests reduces: it passes a limit, and is cancelled for an exit alone.
#[test]
fn what_is_cancelled_follows_from_what_is_latched() {
    let both: &[Action] = &[buy("1", "50"), sell("0.5", "300")];
    let risk = json!({"maxDrawdownPercent": 5});
    let exit = json!({"belowPrice": 30, "action": "StopOpening"});
    let mut stand = Stand::of(config(&[both], ("1", "900"), risk, exit));
    stand.run(["100", "49.99", "40"]);
    assert_eq!(stand.log.len(), 3, "{:?}", stand.log);
    stand.run(["30"]);
    assert_eq!(stand.log[3..], ["3: cancel 2"]);
}

/// What is latched goes on to be carried out, also where its limit was taken out meanwhile.
#[test]
fn coins_are_sold_on_after_their_limit_was_taken_out() {
    for (limits, exit) in
        [(json!({"maxDrawdownPercent": 5, "onBreach": "Flatten"}), Value::Null), (json!({}), json!({"belowPrice": 60}))]
    {
        let mut stand = Stand::of(config(&[], ("1", "900"), limits, exit));
        stand.run(["100"]);
        stand.bid("40", "40", "0.4");
        let without = risk(json!({"maxOrdersPerMinute": 600}));
        stand.edit_bounds(without, None);
        stand.bid("39", "39", "0.5");
        stand.run(["38", "37"]);
        assert_eq!(stand.log, ["1: Sell 0.4 @ 40", "2: Sell 0.5 @ 39", "3: Sell 0.1 @ 38"]);
        assert_eq!(stand.latched().len(), 1);
    }
}

/// Of a limit that the next process does not have, the measure is forgotten at once.
#[test]
fn what_another_process_measured_for_a_limit_that_is_gone_is_forgotten() {
    let lossy: [&[Action]; 2] = [&[market(Side::Buy, "1")], &[market(Side::Sell, "1")]];
    for (limits, exit) in [(json!({"maxConsecutiveLosses": 3}), Value::Null), (json!({}), json!({"afterHours": 9}))] {
        let mut stand = Stand::of(config(&lossy, ("0", "1000"), limits, exit));
        stand.run(["100", "99"]);
        assert_ne!(kept(&stand.engine), Value::Null);
        stand.edit_bounds(risk(json!({})), None);
        assert_eq!(kept(&stand.engine), Value::Null);
    }
}

/// The peak of a profit that was released rises with the equity again.
#[test]
fn a_released_profit_has_a_new_peak() {
    let exit = json!({"giveBackPercent": 50, "action": "StopOpening"});
    let mut stand = Stand::exiting(&[], ("1", "900"), exit);
    stand.run(["100", "200", "150"]);
    stand.release();
    stand.run(["180", "141"]);
    assert_eq!(stand.latched(), [""; 0], "41 of 80");
    stand.run(["140"]);
    assert_eq!(stand.latched(), ["giveBackPercent 5 40 40"]);
}

#[test]
fn figures_of_an_exit_are_within_their_bounds() {
    let refused = |exit: Value| {
        let exit: ExitParameters = serde_json::from_value(exit).unwrap();
        exit.validate("exit").iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
    };
    let range = |name: &str, value: &str, most: &str| {
        format!("exit.{name}: {value} is out of range; write above 0, up to {most}, or leave it out")
    };
    for (name, most, beyond, text) in [
        ("stopLossPercent", "100", "100.000000001", "100"),
        ("takeProfitPercent", "100000", "100000.000000001", "100000"),
        ("giveBackPercent", "100", "100.000000001", "100"),
    ] {
        assert_eq!((refused(json!({name: most})), refused(json!({name: "0.01"}))), (String::new(), String::new()));
        assert_eq!(refused(json!({name: beyond})), range(name, beyond, text));
        assert_eq!(refused(json!({name: 0})), range(name, "0", text));
    }
    for name in ["belowPrice", "abovePrice"] {
        assert_eq!(refused(json!({name: "999999999.99"})), "");
        for value in ["0", "1000000000", "1000000001"] {
            let expected = "is out of range; write a price above 0 and below 1000000000, or leave it out";
            assert_eq!(refused(json!({name: value})), format!("exit.{name}: {value} {expected}"));
        }
    }
    assert_eq!(refused(json!({"belowPrice": 90, "abovePrice": "90.01"})), "");
    for (below, above) in [("90", "90"), ("91", "90")] {
        let expected =
            format!("is not below abovePrice {above}, so it would end at once; lower one or raise the other");
        let exit = json!({"belowPrice": below, "abovePrice": above});
        assert_eq!(refused(exit), format!("exit.belowPrice: {below} {expected}"));
    }
    assert_eq!((refused(json!({"afterHours": 1})), refused(json!({"afterHours": 87_600}))), Default::default());
    for hours in [0, 87_601] {
        let expected = format!("exit.afterHours: {hours} is out of range; write 1 to 87600");
        assert_eq!(refused(json!({"afterHours": hours})), expected);
    }
}
