//! What the API server makes of a manifest: its defaults, its columns, its explanations.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::apiserver::{client, install, kubectl, kubectl_json, namespace};

const LEAST: &str = "
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: grid}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}]
  capital: {USDT: 3000}
  strategy: {grid: {}}
---
apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {name: paper}
spec:
  venue: {paper: {balances: {USDT: 10000}}}
  marketData: {replay: {file: prices.csv}}
";

/// The same with nulls where a default belongs.
const NULLS: &str = "
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: nulls}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\", minNotional: null}}]
  capital: {USDT: 3000}
  strategy: {grid: {basePrice: null, gridSizePercent: null, quantity: null}}
  risk: null
  state: null
";

async fn least(hint: &str) -> String {
    let client = client().await;
    install(&client).await;
    let namespace = namespace(&client, hint).await;
    let said = kubectl(&["create", "--namespace", &namespace, "-f", "-"], LEAST);
    assert!(said.ok, "{}", said.stderr);
    namespace
}

/// The rows of the golden table below a kind's heading.
fn golden(kind: &str) -> BTreeMap<String, String> {
    let table = include_str!("../../golden/defaults.md");
    let part = table.split("\n## ").find(|part| part.starts_with(kind)).unwrap();
    let rows = part.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
    rows.map(|(field, default)| (field.to_owned(), default.to_owned())).collect()
}

/// The value at a dotted path; of a list, its first item.
fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(object, |value, step| {
        let value = &value[step];
        value.get(0).unwrap_or(value)
    })
}

/// What the least manifests do not write; below it nothing is stored.
const NOT_WRITTEN: [&str; 12] = [
    "spec.marketData.binance.",
    "spec.exit.",
    "spec.risk.cooldown.",
    "spec.strategy.custom.",
    "spec.strategy.grid.adaptive.",
    "spec.strategy.grid.range.",
    "spec.strategy.ladder.",
    "spec.strategy.positionControl.",
    "spec.strategy.process.",
    "spec.worker.",
    "spec.marketData.replay.files.",
    "spec.transfers.",
];

/// Strategies that write the rest, and where.
const OTHERS: [(&str, &str, &[&str]); 5] = [
    ("ladder", "{ladder: {lowerPrice: 500, upperPrice: 700}}", &["spec.strategy.ladder.", "spec.exit."]),
    ("control", "{positionControl: {}}", &["spec.strategy.positionControl.", "spec.risk.cooldown."]),
    (
        "adaptive",
        "{grid: {adaptive: {}, range: {lowerPrice: 500, upperPrice: 700}}}",
        &["spec.strategy.grid.adaptive.", "spec.strategy.grid.range."],
    ),
    ("process", "{process: {command: [mean], source: {configMap: files}}}", &["spec.strategy.process."]),
    ("custom", "{custom: {name: mine}}", &["spec.strategy.custom."]),
];

/// Holds what is stored of a field against its default; whether there is one that is no word.
fn is_filled(object: &Value, field: &str, default: &str) -> bool {
    let stored = at(object, field);
    match default {
        // Of two that exclude each other, the least account writes this one.
        "must be written" | "none: files" => assert!(!stored.is_null(), "{field}"),
        // Absent: the words say what that means, or it is the program's own, so that no hash of parameters changes by it.
        _ if stored.is_null() => {
            let is_told = default == "never" || default.contains(' ') || field == "spec.risk.onBreach";
            assert!(is_told, "{field}: {default} is not stored");
        }
        default => {
            let text = stored.as_str().map_or_else(|| stored.to_string(), ToOwned::to_owned);
            assert_eq!(text, default, "{field}");
            return true;
        }
    }
    false
}

/// A strategy of this name, with these limits; or the API server's refusal.
fn created(namespace: &str, name: &str, strategy: &str, risk: &str) -> Result<(), String> {
    let manifest = format!(
        "apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {{name: {name}}}
spec:
  accountRef: {{name: paper}}
  instruments: [{{symbol: BNB/USDT, rules: {{tickSize: \"0.01\", lotSize: \"0.001\"}}}}]
  capital: {{USDT: 3000}}
  strategy: {strategy}
  risk: {{{risk}}}
  exit: {{}}
"
    );
    let said = kubectl(&["create", "--namespace", namespace, "-f", "-"], &manifest);
    if said.ok { Ok(()) } else { Err(said.stderr) }
}

/// Of a strategy without defaults each limit stands alone.
#[tokio::test]
async fn a_position_limit_is_held_against_a_default_where_the_strategy_has_one() {
    let namespace = least("limits").await;
    let refused = |most: u32| format!("is not below maxPositionPercent {most}; lower one or raise the other");
    for (strategy, has_defaults) in [
        ("{grid: {}}", true),
        ("{positionControl: {}}", true),
        ("{ladder: {lowerPrice: 500, upperPrice: 700}}", true),
        ("{custom: {name: mine}}", false),
        ("{process: {command: [mean]}}", false),
    ] {
        let name = strategy.trim_start_matches('{').split(':').next().unwrap().to_lowercase();
        for (place, risk, most) in [(1, "minPositionPercent: 95", 90), (2, "maxPositionPercent: \"5\"", 5)] {
            let done = created(&namespace, &format!("{name}-{place}"), strategy, risk);
            let is_as_wanted = match &done {
                Ok(()) => !has_defaults,
                Err(said) => has_defaults && said.contains(&refused(most)),
            };
            assert!(is_as_wanted, "{strategy} {risk}: {done:?}");
        }
        let both = created(&namespace, &name, strategy, "minPositionPercent: 20, maxPositionPercent: 20").unwrap_err();
        assert!(both.contains(&refused(20)), "{strategy}: {both}");
    }
}

#[tokio::test]
async fn the_stored_defaults_are_those_of_the_golden_table() {
    let namespace = least("defaults").await;
    let mut filled = 0;
    for (kind, resource) in [("TradingStrategy", "ts/grid"), ("TradingAccount", "tacct/paper")] {
        let object = kubectl_json(&["get", "--namespace", &namespace, resource]);
        for (field, default) in golden(kind) {
            if NOT_WRITTEN.iter().any(|of| field.starts_with(of)) {
                assert!(at(&object, &field).is_null(), "{field}");
            } else {
                filled += usize::from(is_filled(&object, &field, &default));
            }
        }
    }
    assert!(filled >= 14, "only {filled} defaults");
    for (name, strategy, written) in OTHERS {
        created(&namespace, name, strategy, "cooldown: {}").unwrap();
        let object = kubectl_json(&["get", "--namespace", &namespace, &format!("ts/{name}")]);
        let rows =
            golden("TradingStrategy").into_iter().filter(|(field, _)| written.iter().any(|of| field.starts_with(of)));
        let filled = rows.filter(|(field, default)| is_filled(&object, field, default)).count();
        assert!(filled >= 1, "{name} has no default");
    }
}

#[tokio::test]
async fn a_null_is_stored_nowhere() {
    let namespace = least("nulls").await;
    let said = kubectl(&["create", "--namespace", &namespace, "-f", "-"], NULLS);
    assert!(said.ok, "{}", said.stderr);
    let of = |name: &str| kubectl_json(&["get", "--namespace", &namespace, name])["spec"].clone();
    assert_eq!(of("ts/nulls"), of("ts/grid"), "a null is the same as no field");
    // Server-side apply refuses a null where there is no default to put in its place.
    let applied =
        kubectl(&["apply", "--server-side", "--force-conflicts", "--namespace", &namespace, "-f", "-"], NULLS);
    assert!(!applied.ok && applied.stderr.contains("spec.strategy.grid.basePrice"), "{}", applied.stderr);
}

#[tokio::test]
async fn the_columns_are_those_that_scripts_rely_on() {
    let namespace = least("columns").await;
    let status = json!({"status": {
        "mode": "Paper", "state": "Running", "epoch": 7, "worker": {"pod": "strategy-grid-7", "node": "node1"},
        "conditions": [{"type": "Ready", "status": "True", "reason": "Trading", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        "asOf": "2026-01-01T00:00:00Z", "position": {}, "risk": {"state": "AllowAll", "reason": ""}, "recentTrades": [],
        "decision": {"reason": "PriceBetweenBands", "message": ""}, "strategy": {},
        "orders": {"open": 1, "unknown": 0, "filled": 3, "denied": 0, "rejected": 0},
        "summary": {"symbol": "BNB/USDT", "position": "6.027 BNB", "netPnl": "-20.47 USDT",
            "lastTrade": "Buy 1.013 @ 586.40", "alert": "-"},
    }})
    .to_string();
    let arguments = ["patch", "--namespace", &namespace, "ts/grid", "--subresource=status", "--type=merge", "--patch"];
    let said = kubectl(&[&arguments[..], &[&status]].concat(), "");
    assert!(said.ok, "{}", said.stderr);
    let table = |arguments: &[&str]| {
        let said = kubectl(&[&["get", "--namespace", &namespace], arguments].concat(), "");
        said.stdout
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("|"))
            .collect::<Vec<_>>()
    };
    let narrow = table(&["ts"]);
    assert_eq!(narrow[0], "NAME|MODE|SYMBOL|STATE|READY|TRADES|POSITION|NET-PNL|ALERT|AGE");
    assert!(narrow[1].starts_with("grid|Paper|BNB/USDT|Running|True|3|6.027 BNB|-20.47 USDT|-|"), "{narrow:?}");
    let wide = table(&["tradingstrategies", "-o", "wide"]);
    assert!(wide[0].ends_with("|AGE|ACCOUNT|STRATEGY|ORDERS|EPOCH|NODE|LAST-TRADE"), "{wide:?}");
    assert!(wide[1].ends_with("|paper|1|7|node1|Buy 1.013 @ 586.40"), "{wide:?}");
    assert_eq!(table(&["tacct"])[0], "NAME|VENUE|MODE|READY|STRATEGIES|HALTED|AGE");
    // The category names both kinds, and strategies can be asked for by account.
    let all = table(&["glm", "-o", "name"]);
    assert_eq!(all, ["tradingaccount.glm.trading/paper", "tradingstrategy.glm.trading/grid"]);
    assert_eq!(table(&["ts", "--field-selector", "spec.accountRef.name=paper", "-o", "name"]).len(), 1);
    assert_eq!(table(&["ts", "--field-selector", "spec.accountRef.name=other", "-o", "name"]).len(), 0);
}

#[tokio::test]
async fn kubectl_explain_reads_well() {
    least("explain").await;
    for (field, words) in [
        ("ts", "A trading strategy with its own money"),
        ("ts.spec.strategy.grid.gridSizePercent", "in percent; 0.01 to 50. Default 2, unless adaptive is"),
        ("ts.spec.capital", "Cannot be changed later: create a second strategy instead."),
        ("ts.spec.strategy", "exactly one member of grid, ladder, positionControl, custom and process."),
        ("ts.spec.state", "Paused watches prices but sends no new order"),
        ("ts.status.conditions", "Accepted, Ready, Reconciling and Stalled."),
        ("tacct.spec.marketData.replay.file", "It lies beside the manifest, or in the image's /replay."),
        (
            "tacct.spec.venue.paper.latencyMs",
            "Milliseconds from an order's tick until it meets the market; 0 to 60000.",
        ),
    ] {
        let said = kubectl(&["explain", field], "");
        assert!(said.ok, "{field}: {}", said.stderr);
        let flat = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{field}: {flat}");
    }
}
