//! What lies between documents and between files.

use crds::manifest::{Manifest, check_references, read, read_files};

fn strategy(name: &str, account: &str, symbol: &str, capital: &str) -> String {
    format!(
        "apiVersion: glm.trading/v1alpha1\nkind: TradingStrategy\nmetadata: {{name: {name}}}\nspec:\n  accountRef: \
         {{name: {account}}}\n  instruments: [{{symbol: {symbol}, rules: {{tickSize: \"0.01\", lotSize: \"0.001\"}}}}]\n  capital: {{{capital}}}\n  strategy: {{grid: {{}}}}\n"
    )
}

fn account(name: &str, balances: &str) -> String {
    format!(
        "apiVersion: glm.trading/v1alpha1\nkind: TradingAccount\nmetadata: {{name: {name}}}\nspec:\n  venue: {{paper: \
         {{balances: {{{balances}}}}}}}\n  marketData: {{replay: {{file: prices.csv}}}}\n"
    )
}

fn texts(files: &[(&str, String)]) -> (String, String) {
    let reading = read_files(files.iter().map(|(name, text)| (*name, text.as_str())));
    (reading.errors.to_string(), reading.unresolved.to_string())
}

#[test]
fn an_unknown_account_is_told_apart_from_errors() {
    let lone = texts(&[("a.yaml", strategy("g", "paper", "BNB/USDT", "USDT: 1"))]);
    assert_eq!(
        lone,
        (
            String::new(),
            "a.yaml:5: spec.accountRef.name: \"paper\" not found in this file; add a TradingAccount of that name in \
             namespace default"
                .to_owned()
        )
    );
    let two = [("a.yaml", strategy("g", "papr", "BNB/USDT", "USDT: 1")), ("b.yaml", account("paper", "USDT: 1"))];
    assert_eq!(texts(&two).1, "a.yaml:5: spec.accountRef.name: \"papr\" not found in these files; they have: paper");
    let elsewhere = account("paper", "USDT: 1").replace("{name: paper}", "{name: paper, namespace: other}");
    let found = texts(&[("a.yaml", strategy("g", "paper", "BNB/USDT", "USDT: 1")), ("b.yaml", elsewhere)]);
    assert!(found.1.contains("in namespace default"), "{found:?}");
}

#[test]
fn a_name_is_used_once_for_each_kind_and_namespace() {
    let twice = format!("{}---\n{}", account("paper", "USDT: 1"), account("paper", "USDT: 2"));
    let expected = "metadata.name: duplicate name \"paper\"; first at a.yaml:3; rename one";
    assert_eq!(read("a.yaml", &twice).unwrap_err().to_string(), format!("a.yaml:10: {expected}"));
    let files = [("a.yaml", account("paper", "USDT: 1")), ("b.yaml", account("paper", "USDT: 2"))];
    assert_eq!(texts(&files).0, format!("b.yaml:3: {expected}"));
    let other_kind = [("a.yaml", account("x", "USDT: 1")), ("b.yaml", strategy("x", "x", "BNB/USDT", "USDT: 1"))];
    assert_eq!(texts(&other_kind), (String::new(), String::new()));
}

#[test]
fn capital_of_all_strategies_stays_within_the_account() {
    let files = [
        ("a.yaml", account("paper", "USDT: 10000")),
        ("b.yaml", strategy("g-1", "paper", "BNB/USDT", "USDT: 8000")),
        ("c.yaml", strategy("g-2", "paper", "BNB/USDT", "USDT: 3000, BNB: 1")),
        ("d.yaml", strategy("g-3", "paper", "BNB/USDT", "USDT: 2000")),
    ];
    let expected = "\
c.yaml:7: spec.capital.BNB: 1 exceeds what account \"paper\" has left: 0 of 0 BNB; lower it or raise balances
c.yaml:7: spec.capital.USDT: 3000 exceeds what account \"paper\" has left: 2000 of 10000 USDT; lower it or raise balances";
    assert_eq!(texts(&files).0, expected);
    let manifests: Vec<Manifest> = files.iter().flat_map(|(name, text)| read(name, text).unwrap()).collect();
    let found: Vec<String> = check_references(&manifests).errors.iter().map(ToString::to_string).collect();
    assert_eq!(found.join("\n"), expected);
}

/// What is added counts as capital does; what is taken out is given back once it is booked, which no file tells.
#[test]
fn what_transfers_add_stays_within_the_account_too() {
    let with = |name: &str, capital: &str, transfers: &str| {
        let text = strategy(name, "paper", "BNB/USDT", capital);
        text.replace("  strategy:", &format!("  transfers: [{transfers}]\n  strategy:"))
    };
    let moved = "{id: out, asset: USDT, amount: \"-500\"}, {id: in, asset: USDT, amount: 6000}";
    let files = [
        ("a.yaml", account("paper", "USDT: 10000")),
        ("b.yaml", with("g-1", "USDT: 3000", moved)),
        ("c.yaml", with("g-2", "USDT: 900", "{id: in, asset: USDT, amount: 101}")),
    ];
    let expected = "c.yaml:8: spec.transfers[0].amount: 101 exceeds what account \"paper\" has left: 100 of 10000 USDT; lower \
                    it or raise balances";
    assert_eq!(texts(&files).0, expected);
}

#[test]
fn rules_that_nobody_gives_are_told_apart_from_errors() {
    let bare = |name: &str| {
        strategy(name, "paper", "BNB/USDT", "USDT: 1").replace(", rules: {tickSize: \"0.01\", lotSize: \"0.001\"}", "")
    };
    let files = [("a.yaml", account("paper", "USDT: 10000")), ("b.yaml", bare("g-1")), ("c.yaml", bare("g-2"))];
    let (errors, unresolved) = texts(&files);
    let told: Vec<_> = unresolved.lines().map(|line| line.split(" has no rules").next().unwrap()).collect();
    let expected = ["b.yaml:6: spec.instruments[0].rules: BNB/USDT", "c.yaml:6: spec.instruments[0].rules: BNB/USDT"];
    assert_eq!((errors, told), (String::new(), expected.to_vec()));
}

#[test]
fn a_value_out_of_range_hides_no_excess_of_capital() {
    let wide = strategy("g", "paper", "BNB/USDT", "USDT: 3000").replace("grid: {}", "grid: {gridSizePercent: 200}");
    let (errors, _) = texts(&[("a.yaml", account("paper", "USDT: 1000")), ("b.yaml", wide)]);
    let places: Vec<_> = errors.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(places, ["spec.capital.USDT", "spec.strategy.grid.gridSizePercent"], "{errors}");
}

#[test]
fn a_replay_has_one_symbol() {
    let files = [
        ("a.yaml", account("paper", "USDT: 10000")),
        ("b.yaml", strategy("g-1", "paper", "BNB/USDT", "USDT: 1")),
        ("c.yaml", strategy("g-2", "paper", "ETH/USDT", "USDT: 1")),
    ];
    assert_eq!(
        texts(&files).0,
        "c.yaml:6: spec.instruments[0].symbol: ETH/USDT differs from BNB/USDT of \"g-1\" (b.yaml:6); account \"paper\" \
         replays one file: write marketData.replay.files, with a file for each symbol, or create a second account"
    );
}

#[test]
fn good_files_are_read_with_their_lines_and_what_programs_added() {
    let text = format!(
        "# a comment\n---\n{}status: {{state: Running, epoch: 1.5}}\n---\n{}",
        strategy("g", "paper", "BNB/USDT", "USDT: \"3000.50\""),
        account("paper", "USDT: 10000")
    );
    let manifests = read("a.yaml", &text).unwrap();
    let Manifest::Strategy(strategy) = &manifests[0] else { panic!("{manifests:?}") };
    assert_eq!((strategy.name.as_str(), strategy.namespace.as_str()), ("g", "default"));
    assert_eq!((strategy.file(), strategy.line_of("spec.capital.USDT")), ("a.yaml", 9));
    assert_eq!(strategy.error("spec.capital", "x").to_string(), "a.yaml:9: spec.capital: x");
    assert_eq!(manifests[1].kind(), "TradingAccount");
    assert_eq!(read_files([("a.yaml", text.as_str())]).complete().unwrap(), manifests);
}

#[test]
fn line_ends_and_marks_of_other_systems_do_not_matter() {
    let text = account("paper", "USDT: 10000");
    let plain = read("a.yaml", &text).unwrap();
    for other in [
        text.replace('\n', "\r\n"),
        format!("\u{feff}{text}"),
        format!("{text}...\n"),
        format!("%YAML 1.2\n---\n{text}"),
    ] {
        let read = read("a.yaml", &other).unwrap();
        assert_eq!((read[0].name(), read.len()), (plain[0].name(), 1), "{other:?}");
    }
}
