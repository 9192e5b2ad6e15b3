//! Every number that a strategy's manifest takes: what is exactly at a bound is taken, one step beyond it is refused at its
//! place. The schema names them, so that none is forgotten.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use std::collections::BTreeSet;

use crds::manifest::read;
use serde_json::{Value, json};

/// The smallest step of a decimal, and what is that much beyond a bound.
const STEP: &str = "0.000000001";
const BEYOND_1: &str = "1.000000001";
const BEYOND_10: &str = "10.000000001";
const BEYOND_50: &str = "50.000000001";
const BEYOND_99: &str = "99.000000001";
const BEYOND_100: &str = "100.000000001";
/// The highest price, and what is above it.
const HIGHEST: &str = "999999999.999999999";
const TOO_HIGH: u64 = 1_000_000_000;

/// A number: its path in the spec, what stands beside it, what is taken, what is refused.
type Bounded = (&'static str, Value, Value, Value);

fn grid() -> Vec<Bounded> {
    let none = json!({});
    vec![
        ("strategy.grid.basePrice", none.clone(), json!([STEP, HIGHEST]), json!([0, TOO_HIGH])),
        ("strategy.grid.gridSizePercent", none.clone(), json!(["0.01", 50]), json!(["0.009999999", BEYOND_50])),
        ("strategy.grid.flipThresholdFactor", none.clone(), json!([0, 1]), json!([BEYOND_1])),
        ("strategy.grid.orderPercent", none.clone(), json!([STEP, 100]), json!([0, BEYOND_100])),
        ("strategy.grid.quantity", none.clone(), json!([STEP]), json!([0])),
        ("strategy.grid.minTradeIntervalSeconds", none.clone(), json!([0, 86_400]), json!([86_401])),
        ("strategy.grid.maxSlippagePercent", none.clone(), json!([0, 10]), json!([BEYOND_10])),
        ("strategy.grid.adaptive.minPercent", none.clone(), json!(["0.01", 4]), json!(["0.009999999", "4.000000001"])),
        (
            "strategy.grid.adaptive.maxPercent",
            json!({"minPercent": "0.01"}),
            json!(["0.01", 50]),
            json!(["0.009999999", BEYOND_50]),
        ),
        ("strategy.grid.adaptive.basePercent", none.clone(), json!(["0.01", 50]), json!(["0.009999999", BEYOND_50])),
        ("strategy.grid.adaptive.centreVolatility", none.clone(), json!([0, 10]), json!([BEYOND_10])),
        ("strategy.grid.adaptive.sensitivity", none, json!([0, 1_000]), json!(["1000.000000001"])),
        (
            "strategy.grid.range.lowerPrice",
            json!({"upperPrice": HIGHEST}),
            json!([STEP, "999999999.999999998"]),
            json!([0, HIGHEST]),
        ),
        (
            "strategy.grid.range.upperPrice",
            json!({"lowerPrice": STEP}),
            json!(["0.000000002", HIGHEST]),
            json!([TOO_HIGH]),
        ),
    ]
}

fn others() -> Vec<Bounded> {
    let (none, bounds) = (json!({}), json!({"lowerPrice": 500, "upperPrice": 700}));
    vec![
        ("strategy.ladder.lowerPrice", json!({"upperPrice": HIGHEST}), json!([STEP]), json!([0, HIGHEST])),
        ("strategy.ladder.upperPrice", json!({"lowerPrice": 500}), json!([HIGHEST]), json!([TOO_HIGH])),
        ("strategy.ladder.levels", bounds.clone(), json!([2, 200]), json!([1, 201])),
        ("strategy.ladder.quantity", bounds.clone(), json!([STEP]), json!([0])),
        ("strategy.ladder.reservePercent", bounds.clone(), json!([0, 99]), json!([BEYOND_99])),
        ("strategy.ladder.triggerPrice", bounds.clone(), json!([STEP, HIGHEST]), json!([0, TOO_HIGH])),
        ("strategy.ladder.maxSlippagePercent", bounds, json!([0, 10]), json!([BEYOND_10])),
        ("strategy.positionControl.lookBackDays", none.clone(), json!([1, 1_000]), json!([0, 1_001])),
        ("strategy.positionControl.sellTargetPercent", none.clone(), json!([0, 100]), json!([BEYOND_100])),
        ("strategy.positionControl.buyTargetPercent", none.clone(), json!([0, 100]), json!([BEYOND_100])),
        ("strategy.positionControl.usePercent", none.clone(), json!([STEP, 100]), json!([0, BEYOND_100])),
        ("strategy.positionControl.maxSlippagePercent", none, json!([0, 10]), json!([BEYOND_10])),
        ("strategy.process.timeoutMs", json!({"command": ["a"]}), json!([10, 60_000]), json!([9, 60_001])),
    ]
}

fn limits() -> Vec<Bounded> {
    let none = json!({});
    vec![
        ("risk.minPositionPercent", json!({"maxPositionPercent": 100}), json!([0, "99.999999999"]), json!([100])),
        ("risk.maxPositionPercent", json!({"minPositionPercent": 0}), json!([STEP, 100]), json!([BEYOND_100])),
        ("risk.maxOrderNotional.USDT", none.clone(), json!([STEP]), json!([0])),
        ("risk.maxOrdersPerMinute", none.clone(), json!([1, 600]), json!([0, 601])),
        ("risk.maxTickAgeSeconds", none.clone(), json!([1, 3_600]), json!([0, 3_601])),
        ("risk.maxDrawdownPercent", none.clone(), json!([STEP, 100]), json!([0, BEYOND_100])),
        ("risk.maxDailyLossPercent", none.clone(), json!([STEP, 100]), json!([0, BEYOND_100])),
        ("risk.maxConsecutiveLosses", none.clone(), json!([0, 1_000]), json!([1_001])),
        ("risk.maxExposure.USDT", none.clone(), json!([STEP]), json!([0])),
        ("risk.priceCollarPercent", none.clone(), json!([STEP, 100]), json!([0, BEYOND_100])),
        ("risk.cooldown.rejects", none.clone(), json!([1, 100]), json!([0, 101])),
        ("risk.cooldown.seconds", none.clone(), json!([1, 86_400]), json!([0, 86_401])),
        ("exit.stopLossPercent", none.clone(), json!([STEP, 100]), json!([0, BEYOND_100])),
        ("exit.takeProfitPercent", none.clone(), json!([STEP, 100_000]), json!([0, "100000.000000001"])),
        ("exit.giveBackPercent", none.clone(), json!([STEP, 100]), json!([0, BEYOND_100])),
        ("exit.belowPrice", none.clone(), json!([STEP, HIGHEST]), json!([0, TOO_HIGH])),
        ("exit.abovePrice", none.clone(), json!([STEP, HIGHEST]), json!([0, TOO_HIGH])),
        ("exit.afterHours", none, json!([1, 87_600]), json!([0, 87_601])),
    ]
}

fn all() -> Vec<Bounded> {
    [grid(), others(), limits()].concat()
}

/// A manifest with this value at a path of its spec, beside others of the same place.
fn manifest(path: &str, beside: &Value, value: &Value) -> String {
    let (place, field) = path.rsplit_once('.').unwrap();
    let mut spec =
        json!({"accountRef": {"name": "paper"}, "instruments": [{"symbol": "BNB/USDT"}], "capital": {"USDT": 3000}});
    if !path.starts_with("strategy.") {
        spec["strategy"] = json!({"grid": {}});
    }
    let at = place.split('.').fold(&mut spec, |at, step| &mut at[step]);
    *at = beside.clone();
    at[field] = value.clone();
    let head = json!({"apiVersion": "glm.trading/v1alpha1", "kind": "TradingStrategy", "metadata": {"name": "one"}, "spec": spec});
    serde_json::to_string_pretty(&head).unwrap()
}

#[test]
fn what_is_at_a_bound_is_taken_and_one_step_beyond_is_refused_at_its_place() {
    for (path, beside, within, beyond) in all() {
        for value in within.as_array().unwrap() {
            let read = read("good.yaml", &manifest(path, &beside, value));
            assert!(read.is_ok(), "{path}: {value}: {read:?}");
        }
        for value in beyond.as_array().unwrap() {
            let text = manifest(path, &beside, value);
            let told = read("bad.yaml", &text).expect_err(&text).to_string();
            let shown = value.to_string();
            let is_named = told.contains(&format!("spec.{path}: {} ", shown.trim_matches('"')));
            assert!(is_named, "{path}: {value}: {told}");
        }
    }
}

/// The paths of all numbers below a place of a schema; of a map the values of one asset.
fn numbers(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    if schema["type"] == "integer" || schema["x-kubernetes-int-or-string"] == true {
        found.insert(path.to_owned());
    }
    if schema["additionalProperties"].is_object() {
        numbers(&schema["additionalProperties"], &format!("{path}.USDT"), found);
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        numbers(inner, &format!("{path}.{name}"), found);
    }
}

#[test]
fn no_number_is_forgotten() {
    let definitions = crds::crd::definitions();
    let kind = definitions.iter().find(|one| one["spec"]["names"]["kind"] == "TradingStrategy").unwrap();
    let spec = &kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    let mut found = BTreeSet::new();
    for place in ["strategy", "risk", "exit"] {
        numbers(&spec[place], place, &mut found);
    }
    let listed: BTreeSet<_> = all().into_iter().map(|(path, ..)| path.to_owned()).collect();
    assert_eq!(found, listed);
}
