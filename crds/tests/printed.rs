//! Manifests as kubectl, kustomize, Helm and generators print them, and what readers of YAML disagree about.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use crds::manifest::{Reading, read, read_files};

const SPEC: &str = "\
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.1\"}}]
  capital: {USDT: 3000, BNB: 5}
  strategy: {grid: {gridSizePercent: 2}}
";

const ACCOUNT: &str = "\
apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {name: paper}
spec:
  venue: {paper: {balances: {USDT: 3000, BNB: 5}}}
  marketData: {replay: {file: d.csv}}
";

fn strategy(metadata: &str) -> String {
    format!("apiVersion: glm.trading/v1alpha1\nkind: TradingStrategy\nmetadata:\n{metadata}{SPEC}")
}

fn reading(text: &str) -> Reading {
    read_files([("m.yaml", text)])
}

/// Names of what was read, notes and errors, a line each.
fn told(text: &str) -> (Vec<String>, String, String) {
    let Reading { manifests, left_out, errors, .. } = reading(text);
    (manifests.iter().map(|manifest| manifest.name().to_string()).collect(), left_out.to_string(), errors.to_string())
}

fn errors(text: &str) -> String {
    read("bad.yaml", text).expect_err(text).to_string()
}

#[test]
fn what_a_server_adds_is_let_through() {
    let printed = strategy(
        "  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {\"apiVersion\":\"glm.trading/v1alpha1\"}
  creationTimestamp: \"2026-01-01T00:00:00Z\"
  deletionGracePeriodSeconds: 0
  deletionTimestamp: \"2026-01-01T00:00:00Z\"
  finalizers:
  - glm.trading/ledger
  generation: 3
  managedFields:
  - apiVersion: glm.trading/v1alpha1
    fieldsType: FieldsV1
    fieldsV1: {f:spec: {f:strategy: {f:grid: {.: {}, f:gridSizePercent: {}}}}}
    manager: kubectl
    operation: Update
  name: g
  namespace: default
  ownerReferences: [{apiVersion: v1, kind: X, name: x, uid: a}]
  resourceVersion: \"812\"
  generateName: grid-
  selfLink: /apis
  uid: 6ea1b8f0-3f3c-4f5e-9f5e-0a8f0d1c2b3a
",
    ) + "status:\n  observedGeneration: 3\n  conditions: []\n";
    assert_eq!(told(&printed), (vec!["g".to_owned()], String::new(), String::new()));
    let generated = strategy("  creationTimestamp: null\n  name: g\n") + "status: {}\n";
    assert_eq!(told(&generated).2, "");
    let json = serde_json::json!({"apiVersion": "glm.trading/v1alpha1", "kind": "TradingStrategy",
        "metadata": {"name": "g", "uid": "x", "generation": 1},
        "spec": {"accountRef": {"name": "paper"}, "instruments": [{"symbol": "BNB/USDT"}],
            "capital": {"USDT": "3000"}, "strategy": {"grid": {}}}});
    assert_eq!(told(&serde_json::to_string_pretty(&json).unwrap()).2, "");
}

/// `text` as the entry of a list.
fn item(text: &str) -> String {
    format!("- {}\n", text.trim_end().replace('\n', "\n  "))
}

#[test]
fn a_list_is_its_items() {
    for kind in ["apiVersion: v1\nkind: List\n", "apiVersion: glm.trading/v1alpha1\nkind: TradingStrategyList\n"] {
        let items = item(&strategy("  name: g\n")) + &item(ACCOUNT);
        let list = format!("{kind}items:\n{items}metadata:\n  resourceVersion: \"\"\n");
        assert_eq!(told(&list), (vec!["g".to_owned(), "paper".to_owned()], String::new(), String::new()), "{list}");
        let bad = list.replace("gridSizePercent: 2", "gridSizePercent: 2.5");
        let said = "m.yaml:12: spec.strategy.grid.gridSizePercent: 2.5 is a float; write \"2.5\"";
        assert_eq!(told(&bad).2, said);
    }
    let nested =
        format!("kind: List\nitems:\n- kind: List\n  items:\n{}", item(&item(ACCOUNT)).replacen("- - ", "  - ", 1));
    assert_eq!(told(&nested).0, ["paper"], "{nested}");
    assert_eq!(
        errors("kind: List\nitems: []\n"),
        "bad.yaml:1: holds no document; write a TradingStrategy or a TradingAccount"
    );
    assert_eq!(
        errors("kind: List\n"),
        "bad.yaml:1: kind: List has no items; write its documents below items, or divided by ---"
    );
    assert_eq!(errors("kind: List\nitems: [5]\n"), "bad.yaml:2: not a map; write apiVersion, kind, metadata and spec");
}

#[test]
fn foreign_kinds_are_left_out_with_a_note() {
    let around = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: bots}}\n---\n{}---\napiVersion: apps/v1\nkind: Deployment\n\
         metadata: {{name: web}}\nspec: {{on: [1.5, yes]}}\n---\n{ACCOUNT}",
        strategy("  name: g\n")
    );
    let notes = "m.yaml:1: Namespace \"bots\" of v1 is not ours and is left out\n\
                 m.yaml:15: Deployment \"web\" of apps/v1 is not ours and is left out";
    assert_eq!(told(&around), (vec!["g".to_owned(), "paper".to_owned()], notes.to_owned(), String::new()));
    // Who names only such files is told so.
    let only = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let said =
        "m.yaml:1: ConfigMap \"x\" of v1 is not ours and is left out; write a TradingStrategy or a TradingAccount";
    assert_eq!(told(only).2, said);
    let both = read_files([("a.yaml", only), ("b.yaml", ACCOUNT)]);
    assert_eq!((both.errors.to_string(), both.manifests.len()), (String::new(), 1));
    // A slip in a kind of ours is no foreign kind.
    for (version, kind) in [("v1", "TradingAcount"), ("glm.trading/v1alpha1", "ConfigMap"), ("glm.trading/v1", "X")] {
        let said = errors(&format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n"));
        assert!(said.starts_with(&format!("bad.yaml:2: kind: {kind} is not known here; ")), "{said}");
    }
}

#[test]
fn a_key_that_some_readers_take_for_something_else_is_refused() {
    for (key, taken) in [
        ("ON", "true or false"),
        ("Y", "true or false"),
        ("N", "true or false"),
        ("NO", "true or false"),
        ("YES", "true or false"),
        ("OFF", "true or false"),
        ("TRUE", "true or false"),
        ("NULL", "nothing"),
        ("1E3", "another number"),
        ("0X10", "another number"),
        ("010", "another number"),
    ] {
        let with = |key: &str| {
            let traded = strategy("  name: g\n").replace("BNB/USDT", &format!("\"{}/USDT\"", key.trim_matches('"')));
            traded.replace("BNB: 5", &format!("{key}: 5"))
        };
        let expected = format!("bad.yaml:8: spec.capital.{key}: {key} is {taken} to some programs; write \"{key}\"");
        assert_eq!(errors(&with(key)), expected);
        assert!(read("good.yaml", &with(&format!("\"{key}\""))).is_ok(), "{key}");
        let balances = ACCOUNT.replace("BNB: 5", &format!("{key}: 5"));
        let expected = expected.replace("8: spec.capital", "5: spec.venue.paper.balances");
        assert_eq!(errors(&balances), expected);
    }
    let label = ACCOUNT.replace("{name: paper}", "{name: paper, labels: {y: \"1\"}}");
    assert_eq!(errors(&label), "bad.yaml:3: metadata.labels.y: y is true or false to some programs; write \"y\"");
    // All programs make the same text of a plain whole number.
    assert!(read("good.yaml", &ACCOUNT.replace("BNB: 5", "4: 5, 1INCH: 3")).is_ok());
}

#[test]
fn what_can_never_trade_is_refused() {
    let grid = |grid: &str| strategy("  name: g\n").replace("gridSizePercent: 2", grid);
    for (text, expected) in [
        (
            grid("quantity: \"0.25\""),
            "9: spec.strategy.grid.quantity: 0.25 is not a multiple of lotSize 0.1; write 0.2 or 0.3",
        ),
        (
            grid("quantity: \"0.05\""),
            "9: spec.strategy.grid.quantity: 0.05 is not a multiple of lotSize 0.1, but below it; write 0.1 or a multiple \
             of it",
        ),
        (
            grid("quantity: \"999999999999999.05\""),
            "9: spec.strategy.grid.quantity: 999999999999999.05 is not a multiple of lotSize 0.1; write 999999999999999 or \
             999999999999999.1",
        ),
        (
            grid("basePrice: \"0.005\""),
            "9: spec.strategy.grid.basePrice: 0.005 is below tickSize 0.01; write the tick size of this market",
        ),
        (
            strategy("  name: g\n").replace("\"0.1\"}", "\"0.1\", minNotional: 10}")
                + "  risk: {maxOrderNotional: {USDT: 5}}\n",
            "10: spec.risk.maxOrderNotional.USDT: 5 is below minNotional 10 of BNB/USDT, so no order could pass; write 10 \
             or more",
        ),
    ] {
        assert_eq!(errors(&text), format!("bad.yaml:{expected}"), "{text}");
    }
    for good in
        ["quantity: \"0.2\"", "quantity: 7", "quantity: \"0.300\"", "basePrice: \"0.01\"", "basePrice: \"600.123\""]
    {
        assert!(read("good.yaml", &grid(good)).is_ok(), "{good}");
    }
    let ladder = |more: &str| {
        strategy("  name: g\n")
            .replace("grid: {gridSizePercent: 2}", &format!("ladder: {{lowerPrice: 500, upperPrice: 700{more}}}"))
    };
    for (text, expected) in [
        (ladder(", quantity: \"0.25\""), "ladder.quantity: 0.25 is not a multiple of lotSize 0.1; write 0.2 or 0.3"),
        (ladder(", levels: 201"), "ladder.levels: 201 is out of range; write 2 to 200"),
        (
            ladder("").replace("700", "\"500.05\""),
            "ladder.levels: 20 give two levels the same price at tickSize 0.01; write 5 or fewer",
        ),
        (
            ladder("").replace("500", "700"),
            "ladder.lowerPrice: 700 is not below upperPrice 700; lower one or raise the other",
        ),
        (
            ladder("").replace("500", "\"0.005\""),
            "ladder.lowerPrice: 0.005 is below tickSize 0.01; write the tick size of this market",
        ),
    ] {
        let told = errors(&text);
        assert!(told.starts_with("bad.yaml:") && told.contains(&format!(": spec.strategy.{expected}")), "{told}");
    }
    for good in ["", ", quantity: \"0.2\", spacing: Geometric", ", levels: 200, triggerPrice: 800"] {
        assert!(read("good.yaml", &ladder(good)).is_ok(), "{good}");
    }
    let whole = grid("quantity: 300").replace("lotSize: \"0.1\"", "lotSize: 100");
    assert!(read("good.yaml", &whole).is_ok());
    let equal = strategy("  name: g\n").replace("\"0.1\"}", "\"0.1\", minNotional: 10}");
    assert!(read("good.yaml", &(equal + "  risk: {maxOrderNotional: {USDT: \"10.0\"}}\n")).is_ok());
}

#[test]
fn no_fault_hides_another() {
    for (text, expected) in [
        // An unknown field and a float beside a value out of range.
        (
            strategy("  name: g\n")
                .replace("gridSizePercent: 2", "gridSize: 2, orderPercent: 1000, maxSlippagePercent: 0.5"),
            &["strategy.grid.gridSize", "strategy.grid.maxSlippagePercent", "strategy.grid.orderPercent"][..],
        ),
        // What cannot be read within a list or a map hides nothing outside, nor its neighbours.
        (
            strategy("  name: g\n")
                .replace("symbol: BNB/USDT", "symbol: BNBUSDT")
                .replace("0.01", "0")
                .replace(": 2}", ": 99}"),
            &["instruments[0].symbol", "instruments[0].rules.tickSize", "strategy.grid.gridSizePercent"],
        ),
        (
            strategy("  name: g\n").replace("USDT: 3000,", "USDT: 3000.5, ETH: 1,").replace(": 2}", ": 99}"),
            &["capital.USDT", "capital.ETH", "strategy.grid.gridSizePercent"],
        ),
        (
            strategy("  name: g\n").replace("  accountRef: {name: paper}\n", "").replace(": 2}", ": 99}")
                + "  risk: {minPositionPercent: 95}\n",
            &["accountRef", "strategy.grid.gridSizePercent", "risk.minPositionPercent"],
        ),
        (
            ACCOUNT
                .replace(
                    "balances: {USDT: 3000, BNB: 5}",
                    "balances: {USDT: 1.5}, fees: {takerPercent: 11}, latency: 5",
                )
                .replace("d.csv", "d.csv, speed: 0"),
            &[
                "venue.paper.balances.USDT",
                "venue.paper.latency",
                "venue.paper.fees.takerPercent",
                "marketData.replay.speed",
            ],
        ),
    ] {
        let said = errors(&text);
        let mut found: Vec<&str> = said.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
        let mut expected: Vec<String> = expected.iter().map(|path| format!("spec.{path}")).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{said}");
    }
}

#[test]
fn a_fault_of_form_hides_nothing_before_it_and_nothing_between_documents() {
    let before = format!("{}---\na: [1\n", ACCOUNT.replace("d.csv", "a/d.csv"));
    let said = errors(&before);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(
        said.starts_with("bad.yaml:6: spec.marketData.replay.file: ") && said.contains("not valid YAML: "),
        "{said}"
    );

    // An unknown field is no reason not to count the money.
    let unknown =
        strategy("  name: g\n").replace("gridSizePercent: 2", "gridSize: 2").replace("USDT: 3000", "USDT: 4000");
    let said = told(&format!("{unknown}---\n{ACCOUNT}")).2;
    let places: Vec<&str> = said.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(places, ["spec.capital.USDT", "spec.strategy.grid.gridSize"], "{said}");
}

#[test]
fn a_tab_is_named() {
    let said = errors(&ACCOUNT.replace("USDT: 3000", "USDT:\t3000"));
    assert_eq!(said, "bad.yaml:5: a tab within the line; use a space");
}
