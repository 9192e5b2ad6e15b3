//! Any valid spec that is printed as YAML or JSON is read back as the same value.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use std::collections::BTreeMap;

use crds::manifest::{Manifest, read};
use crds::{TradingAccount, TradingAccountSpec, TradingStrategy, TradingStrategySpec, yaml_text};
use engine::numbers::ExactDecimal;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A decimal from `least` to `most` with up to `places` digits after the point, as an integer or as text.
fn decimal(least: u32, most: u32, places: u32) -> impl Strategy<Value = Value> {
    let scale = 10_u32.pow(places);
    (least * scale..=most * scale, any::<bool>()).prop_map(move |(mantissa, integer)| {
        if integer && mantissa % scale == 0 {
            return json!(mantissa / scale);
        }
        json!(ExactDecimal::from_scaled(mantissa, places))
    })
}

/// A map with some of `fields`.
fn some_of(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| prop::option::of(value).prop_map(move |value| value.map(|value| (name.to_owned(), value))))
        .collect();
    fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect()))
}

fn name() -> impl Strategy<Value = String> {
    // Some of these are words that YAML readers take for booleans, null or numbers.
    prop_oneof![
        "[a-z][a-z0-9-]{0,20}[a-z0-9]",
        Just("no".into()),
        Just("null".into()),
        Just("1e3".into()),
        Just("7".into())
    ]
}

fn strategy() -> impl Strategy<Value = Value> {
    let grid = some_of(vec![
        ("basePrice", decimal(9, 4000, 2).boxed()),
        ("gridSizePercent", decimal(1, 50, 3).boxed()),
        ("flipThresholdFactor", decimal(0, 1, 4).boxed()),
        ("orderPercent", decimal(1, 100, 1).boxed()),
        ("minTradeIntervalSeconds", (0_u32..=86400).prop_map(Value::from).boxed()),
        ("maxSlippagePercent", decimal(0, 10, 2).boxed()),
    ]);
    let risk = some_of(vec![
        ("minPositionPercent", decimal(0, 49, 2).boxed()),
        ("maxPositionPercent", decimal(50, 100, 2).boxed()),
        ("maxOrderNotional", decimal(5, 9000, 2).prop_map(|amount| json!({"USDT": amount})).boxed()),
        ("maxOrdersPerMinute", (1_u32..=600).prop_map(Value::from).boxed()),
        ("maxTickAgeSeconds", (1_u32..=3600).prop_map(Value::from).boxed()),
        ("maxDrawdownPercent", decimal(1, 99, 2).boxed()),
        ("maxDailyLossPercent", decimal(1, 99, 2).boxed()),
        ("maxConsecutiveLosses", (0_u32..=1000).prop_map(Value::from).boxed()),
        ("maxExposure", decimal(1, 9000, 2).prop_map(|amount| json!({"USDT": amount})).boxed()),
        ("priceCollarPercent", decimal(1, 99, 2).boxed()),
        ("cooldown", (1_u32..=100).prop_map(|rejects| json!({"rejects": rejects})).boxed()),
        (
            "onBreach",
            prop::sample::select(vec!["StopOpening", "CancelOrders", "Flatten"]).prop_map(Value::from).boxed(),
        ),
    ]);
    let rules = (decimal(1, 9, 4), decimal(1, 9, 5))
        .prop_map(|(tick, lot)| json!({"tickSize": tick, "lotSize": lot, "minNotional": 5}));
    let exit = some_of(vec![
        ("stopLossPercent", decimal(1, 99, 2).boxed()),
        ("takeProfitPercent", decimal(1, 9000, 2).boxed()),
        ("giveBackPercent", decimal(1, 99, 2).boxed()),
        ("belowPrice", decimal(1, 99, 2).boxed()),
        ("abovePrice", decimal(100, 9000, 2).boxed()),
        ("afterHours", (1_u32..=87_600).prop_map(Value::from).boxed()),
        ("action", prop::sample::select(vec!["Flatten", "StopOpening"]).prop_map(Value::from).boxed()),
    ]);
    let state = prop::sample::select(vec!["Running", "Paused", "Stopped"]);
    let transfers = prop::collection::btree_map(name(), (decimal(1, 9, 8), any::<bool>()), 0..5).prop_map(|all| {
        let entry = |(id, (amount, out)): (String, (Value, bool))| {
            let size = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
            let amount = if out { json!(format!("-{size}")) } else { amount };
            json!({"id": id, "asset": if out { "USDT" } else { "BNB" }, "amount": amount})
        };
        all.into_iter().map(entry).collect::<Vec<_>>()
    });
    (name(), decimal(1, 9000, 3), decimal(0, 9000, 3), rules, grid, risk, exit, state, transfers).prop_map(
        |(account, quote, base, rules, grid, risk, exit, state, transfers)| {
            json!({
                "transfers": transfers,
                "accountRef": {"name": account},
                "instruments": [{"symbol": "BNB/USDT", "rules": rules}],
                "capital": {"USDT": quote, "BNB": base},
                "strategy": {"grid": grid},
                "risk": risk,
                "exit": exit,
                "state": state,
            })
        },
    )
}

fn account() -> impl Strategy<Value = Value> {
    let balances = prop::collection::btree_map("[A-Z0-9]{1,20}", decimal(0, 9000, 3), 1..=16)
        .prop_map(|balances: BTreeMap<String, Value>| json!(balances));
    let fees = some_of(vec![
        ("makerPercent", decimal(0, 10, 4).boxed()),
        ("takerPercent", decimal(0, 10, 4).boxed()),
        ("paidIn", prop::sample::select(vec!["Quote", "Received"]).prop_map(Value::from).boxed()),
    ]);
    let amounts = |least| decimal(least, 9000, 2).prop_map(|amount| json!({"USDT": amount}));
    let limits = some_of(vec![
        ("maxExposure", amounts(1).boxed()),
        ("maxOrderNotional", amounts(1).boxed()),
        ("maxOrdersPerMinute", (1_u32..=600).prop_map(Value::from).boxed()),
    ]);
    let file = "[a-z0-9_][a-z0-9._-]{0,30}";
    (balances, fees, 0_u32..=60000, file, decimal(1, 4000, 2), any::<bool>(), prop::option::of(limits)).prop_map(
        |(balances, fees, latency, file, speed, repeat, limits)| {
            let mut spec = json!({
                "venue": {"paper": {"balances": balances, "fees": fees, "latencyMs": latency}},
                "marketData": {"replay": {"file": file, "speed": speed, "repeat": repeat}},
            });
            if let Some(limits) = limits {
                spec["limits"] = limits;
            }
            spec
        },
    )
}

/// The only document of `resource`, printed in both ways.
fn read_both(resource: &Value) -> [Manifest; 2] {
    let texts = [yaml_text::print(resource), serde_json::to_string_pretty(resource).unwrap()];
    texts.map(|text| match read("printed.yaml", &text) {
        Ok(mut manifests) => manifests.remove(0),
        Err(errors) => panic!("{errors}\n{text}"),
    })
}

proptest! {
    #[test]
    fn a_strategy_is_read_as_it_was_printed(name in name(), written in strategy()) {
        let spec: TradingStrategySpec = serde_json::from_value(written.clone()).unwrap();
        prop_assert_eq!(spec.validate(), Vec::new());
        // As it was written, and with every default filled in, as the API server prints it.
        let full = serde_json::to_value(TradingStrategy::new(&name, spec.clone())).unwrap();
        let mut short = full.clone();
        short["spec"] = written;
        for manifest in [read_both(&full), read_both(&short)].concat() {
            let Manifest::Strategy(document) = manifest else { panic!("{full}") };
            prop_assert_eq!(document.name.as_str(), name.as_str());
            prop_assert_eq!(&document.spec, &spec);
        }
    }

    #[test]
    fn an_account_is_read_as_it_was_printed(name in name(), written in account()) {
        let spec: TradingAccountSpec = serde_json::from_value(written.clone()).unwrap();
        prop_assert_eq!(spec.validate(), Vec::new());
        let full = serde_json::to_value(TradingAccount::new(&name, spec.clone())).unwrap();
        let mut short = full.clone();
        short["spec"] = written;
        for manifest in [read_both(&full), read_both(&short)].concat() {
            let Manifest::Account(document) = manifest else { panic!("{full}") };
            prop_assert_eq!(document.name.as_str(), name.as_str());
            prop_assert_eq!(&document.spec, &spec);
        }
    }

    #[test]
    fn no_text_makes_the_reading_panic(text in "[ \n\t:{}\\[\\],&*!?|>\"'#~a-c0-9-]{0,200}") {
        let _ = read("any.yaml", &text);
    }
}
