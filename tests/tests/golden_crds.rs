//! Golden files of the kinds: the definitions for the API server, and the one table of all defaults.
//!
//! `UPDATE=1` writes them anew; the difference is then read by a human.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crds::{TradingAccountSpec, TradingStrategySpec};
use engine::strategies::grid::AdaptiveParameters;
use engine::strategies::ladder::LadderParameters;
use engine::strategies::position_control::PositionControlParameters;
use serde_json::{Value, json};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares `actual` with a committed file, or writes it if asked to.
#[track_caller]
fn assert_golden(path: &str, actual: &str) {
    let file = repository().join(path);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(file.parent().expect("a file in a folder")).expect("create the folder");
        std::fs::write(&file, actual).expect("write the golden file");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(expected == actual, "{path} is out of step; run with UPDATE=1 and read the difference. Now:\n{actual}");
}

#[test]
fn the_definitions_are_those_that_the_types_make() {
    for file in crds::yaml() {
        let text = format!("# Generated from the types in crds/src. Do not edit.\n{}", file.text);
        assert_golden(&format!("crds/yaml/{}", file.name), &text);
        assert!(!text.contains("nullable"), "{}: a stored null would lose the default", file.name);
    }
}

/// The spec of the least valid strategy, with rules because a replay has none of its own.
fn least_strategy() -> Value {
    let least = json!({
        "accountRef": {"name": "paper"},
        "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001"}}],
        "capital": {"USDT": 3000},
        "strategy": {"grid": {}},
    });
    let spec: TradingStrategySpec = serde_json::from_value(least).expect("the least strategy");
    assert_eq!(spec.validate(), Vec::new());
    let mut spec = serde_json::to_value(spec).expect("a spec is data");
    // What is not written by default has defaults within.
    spec["strategy"]["grid"]["adaptive"] = json!(AdaptiveParameters::default());
    spec["strategy"]["positionControl"] = json!(PositionControlParameters::default());
    spec
}

/// The parameters of the least valid ladder, which the least strategy does not have.
fn least_ladder() -> Value {
    let least = json!({"lowerPrice": 500, "upperPrice": 700});
    let parameters: LadderParameters = serde_json::from_value(least).expect("the least ladder");
    assert_eq!(parameters.validate("ladder"), Vec::new());
    serde_json::to_value(parameters).expect("parameters are data")
}

/// The spec of the least valid account.
fn least_account() -> Value {
    let least = json!({
        "venue": {"paper": {"balances": {"USDT": 10000}}},
        "marketData": {"replay": {"file": "prices.csv"}},
    });
    let spec: TradingAccountSpec = serde_json::from_value(least).expect("the least account");
    assert_eq!(spec.validate(), Vec::new());
    serde_json::to_value(spec).expect("a spec is data")
}

/// The default of each field below `schema`, as the schema has it; `value` is what serde makes of the least spec.
fn collect_defaults(schema: &Value, value: &Value, path: &str, rows: &mut Vec<(String, String)>) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let inner = if field.get("items").is_some() { &field["items"] } else { field };
        if inner.get("properties").is_some() {
            let ladder = least_ladder();
            let value = match (path.as_str(), field.get("items")) {
                ("spec.strategy.ladder", _) => &ladder,
                (_, Some(_)) => &value[name][0],
                (_, None) => &value[name],
            };
            if let Some(default) = field.get("default") {
                assert_eq!(default, value, "{path}: the schema's default is not serde's");
            }
            collect_defaults(inner, value, &path, rows);
            continue;
        }
        let description = field["description"].as_str().unwrap_or_default();
        let default = match field.get("default") {
            // One of two, and the least account writes this one.
            None if path == "spec.marketData.replay.file" => "none: files".to_owned(),
            // Of the other member of the union.
            Some(_) if path == "spec.strategy.custom.parameters" => "{}".to_owned(),
            _ if required.contains(&json!(name)) => "must be written".to_owned(),
            // Of what is not there by default.
            Some(default) if value.is_null() => default.as_str().map_or_else(|| default.to_string(), ToOwned::to_owned),
            Some(default) => {
                assert_eq!(default, &value[name], "{path}: the schema's default is not serde's");
                let text = default.as_str().map_or_else(|| default.to_string(), ToOwned::to_owned);
                let told = [format!("Default {text}"), format!("Default \"{text}\"")];
                assert!(told.iter().any(|told| description.contains(told.as_str())), "{path}: {text}: {description}");
                text
            }
            // Where the value is absent by default, the description says what that means.
            None => {
                assert_eq!(value[name], Value::Null, "{path}: serde has a default, the schema has none");
                described(&path, description)
            }
        };
        rows.push((path, default));
    }
}

/// What follows "Default" in a description.
fn described(path: &str, description: &str) -> String {
    if path == "spec.strategy.grid.quantity" {
        return "none: orderPercent".to_owned();
    }
    let (_, text) =
        description.split_once("Default").unwrap_or_else(|| panic!("{path} tells no default: {description}"));
    let text = text.trim_start_matches([':', ' ']);
    text.split(". ").next().unwrap_or(text).trim_end_matches('.').to_owned()
}

#[test]
fn all_defaults_stand_in_one_table() {
    let mut table = "\
# Defaults

Generated from the schemas; the same as what a worker reads from a file. A test keeps it so.
"
    .to_owned();
    for definition in crds::crd::definitions() {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned();
        let value = if kind == "TradingStrategy" { least_strategy() } else { least_account() };
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let mut rows = Vec::new();
        collect_defaults(schema, &value, "spec", &mut rows);
        write!(table, "\n## {kind}\n\n| field | default |\n|---|---|\n").expect("write to a string");
        for (field, default) in rows {
            writeln!(table, "| `{field}` | {default} |").expect("write to a string");
        }
    }
    assert_golden("tests/golden/defaults.md", &table);
}
