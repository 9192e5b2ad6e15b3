//! What is traded: data of several markets, and strategies of a user's own.

use crds::manifest::{Manifest, read, read_files};

use crate::{ACCOUNT, STRATEGY, errors};

/// Data of several markets.
#[test]
fn files_and_their_markets() {
    let replay = |text: &str| format!("{}    replay:\n{text}", ACCOUNT.split("    replay:").next().unwrap());
    let files = "      files:\n        - {symbol: BTC/USDT, file: b.csv}\n        - {symbol: ETH/USDT, file: e.csv}\n";
    let strategy = |symbols: &str| {
        let capital = STRATEGY.replace("      gridSizePercent: 2\n      minTradeIntervalSeconds: 30\n", "");
        capital.replace("    grid:\n", "    custom: {name: pair}\n").replace("    - symbol: BNB/USDT\n", symbols)
    };
    let rules = "rules: {tickSize: \"0.01\", lotSize: \"0.001\"}";
    let of = |names: &[&str]| {
        let lines = names.iter().map(|name| format!("    - {{symbol: {name}, {rules}}}\n"));
        lines.collect::<Vec<_>>().concat()
    };
    let both = |account: &str, symbols: &[&str]| format!("{}---\n{}", replay(account), strategy(&of(symbols)));
    assert!(read("good.yaml", &both(files, &["ETH/USDT", "BTC/USDT"])).is_ok());
    for (text, message) in [
        (
            replay("      speed: 1\n"),
            "bad.yaml:15: spec.marketData.replay: names no data; write file for one market, or files for several",
        ),
        (
            replay(&format!("      file: a.csv\n{files}")),
            "bad.yaml:16: spec.marketData.replay.file: a.csv and files are both set; keep one",
        ),
        (replay("      files: []\n"), "bad.yaml:16: spec.marketData.replay.files: 0 entries; write 1 to 16"),
        (
            both("      files: []\n", &["BTC/USDT", "ETH/USDT"]),
            "bad.yaml:16: spec.marketData.replay.files: 0 entries; write 1 to 16",
        ),
        (
            replay(&files.replace("ETH", "BTC")),
            "bad.yaml:18: spec.marketData.replay.files[1].symbol: BTC/USDT is written twice; join its files in one, or keep one entry",
        ),
        (
            replay(&files.replace("ETH/USDT", "ETH/USDT:USDT")),
            "bad.yaml:18: spec.marketData.replay.files[1].symbol: ETH/USDT:USDT is a derivative; this release trades spot, such as BTC/USDT",
        ),
        (
            both(files, &["BTC/USDT", "BNB/USDT"]),
            "bad.yaml:29: spec.instruments[1].symbol: BNB/USDT has no file at account \"paper\", which replays BTC/USDT, ETH/USDT; \
             add one to marketData.replay.files",
        ),
        (
            both("      file: b.csv\n", &["BTC/USDT", "ETH/USDT"]),
            "bad.yaml:27: spec.instruments[1].symbol: ETH/USDT beside BTC/USDT: account \"paper\" replays one file; write \
             marketData.replay.files, with a file for each symbol",
        ),
    ] {
        let told = read_files([("bad.yaml", text.as_str())]).complete().expect_err(&text);
        assert_eq!(told.to_string(), message, "{text}");
    }
}

/// A strategy of a user's own image.
#[test]
fn a_custom_strategy_is_named_and_its_parameters_are_its_own() {
    let custom =
        |text: &str| STRATEGY.replace("    grid:\n      gridSizePercent: 2\n      minTradeIntervalSeconds: 30\n", text);
    let read = |text: &str| read("good.yaml", &custom(text)).expect("a good manifest").remove(0);
    let parameters = |text: &str| match read(text) {
        Manifest::Strategy(strategy) => serde_json::to_value(strategy.spec.strategy).unwrap(),
        Manifest::Account(_) => panic!("a strategy"),
    };
    assert_eq!(
        parameters(
            "    custom: {name: mean, parameters: {window: 20, shift: -3, rate: \"0.5\", on: {a: [x, true]}}}\n"
                .replace("on:", "of:")
                .as_str()
        ),
        serde_json::json!({"custom": {"name": "mean",
            "parameters": {"window": 20, "shift": -3, "rate": "0.5", "of": {"a": ["x", true]}}}})
    );
    assert_eq!(
        parameters("    custom: {name: mean}\n"),
        serde_json::json!({"custom": {"name": "mean", "parameters": {}}})
    );
    for (text, message) in [
        ("    custom: {}\n", "bad.yaml:13: spec.strategy.custom.name: missing; this field must be written"),
        ("    custom: {name: mean, parameters: {rate: 0.5}}\n", "spec.strategy.custom.parameters.rate: 0.5 is a float"),
        ("    custom: {name: \"Mean 1\"}\n", "Mean 1"),
        ("    custom: {name: mean, parameter: {}}\n", "unknown field; did you mean parameters?"),
        ("    custom: {name: mean, parameters: [1]}\n", "spec.strategy.custom.parameters"),
        ("    custom: {name: mean}\n    grid: {}\n", "grid stands beside custom of line 13; keep exactly one"),
    ] {
        let told = errors(&custom(text));
        assert!(told.contains(message), "{text}: {told}");
    }
}
