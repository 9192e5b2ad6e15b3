//! Admission, one situation after the other.

use crds::record::REPORT;
use crds::roles::StrategyDesired;
use serde_json::json;

use super::*;
use crate::strategy::fixture::*;

const EARLY: &str = "2025-12-31T00:00:00Z";
const LATE: &str = "2026-01-02T00:00:00Z";

fn reason(observed: &Observed) -> Option<Reason> {
    validate(observed).err().map(|invalid| invalid.reason)
}

fn new() -> Observed {
    let mut observed = trading();
    observed.status.ledger = None;
    observed.stored = Stored::Missing;
    observed
}

#[test]
fn who_came_first_fixes_the_symbol() {
    let other = |symbol, made, opened| vec![strategy("other", symbol, 1, made, opened).into()];
    for (observed, neighbours, refused) in [
        // With a ledger of an earlier time, of a later one, and of none.
        (trading as fn() -> Observed, other("ETH/USDT", EARLY, Some(EARLY)), true),
        (trading, other("ETH/USDT", EARLY, Some(LATE)), false),
        (trading, other("ETH/USDT", EARLY, None), false),
        (new, other("ETH/USDT", LATE, Some(LATE)), true),
        (new, other("ETH/USDT", EARLY, None), true),
        (new, other("ETH/USDT", LATE, None), false),
        (new, other("BTC/USDT", EARLY, Some(EARLY)), false),
    ] {
        let observed = Observed { neighbours, ..observed() };
        assert_eq!(reason(&observed), refused.then_some(Reason::SymbolMismatch), "{:?}", observed.neighbours);
    }
    let mut observed = new();
    observed.neighbours = other("ETH/USDT", EARLY, None);
    observed.neighbours[0].metadata.deletion_timestamp = observed.neighbours[0].metadata.creation_timestamp.clone();
    assert_eq!(reason(&observed), None, "one that goes without a ledger fixes nothing");
    for (symbol, refused) in [("ETH/USDT", true), ("BTC/USDT", false)] {
        let kept = Some(("gone".to_owned(), symbol.parse().unwrap()));
        let observed = Observed { kept, ..new() };
        assert_eq!(reason(&observed), refused.then_some(Reason::SymbolMismatch), "one that does not read has {symbol}");
    }
}

#[test]
fn each_symbol_needs_a_file_and_a_lone_file_has_one_symbol() {
    let told = |replay: serde_json::Value, instruments: serde_json::Value| {
        let mut observed = trading();
        let mut account = account();
        account.spec.market_data = serde_json::from_value(json!({"replay": replay})).unwrap();
        observed.account = Ok(Some(account.into()));
        observed.spec.instruments = serde_json::from_value(instruments).unwrap();
        observed.spec.strategy = serde_json::from_value(json!({"custom": {"name": "pair"}})).unwrap();
        validate(&observed).err().map(|invalid| (invalid.reason, invalid.message))
    };
    let files = json!({"files": [{"symbol": "BTC/USDT", "file": "b.csv"}, {"symbol": "ETH/USDT", "file": "e.csv"}]});
    let rules = json!({"tickSize": "0.01", "lotSize": "0.001"});
    let of = |symbols: &[&str]| json!(symbols.iter().map(|s| json!({"symbol": s, "rules": rules})).collect::<Vec<_>>());
    assert_eq!(told(files.clone(), of(&["ETH/USDT", "BTC/USDT"])), None);
    let message = "spec.instruments[1].symbol: BNB/USDT has no file at account \"paper\", which replays BTC/USDT, ETH/USDT; \
                   add one to marketData.replay.files";
    assert_eq!(told(files, of(&["BTC/USDT", "BNB/USDT"])), Some((Reason::SymbolMismatch, message.to_owned())));
    let message = "spec.instruments[1].symbol: ETH/USDT beside BTC/USDT: account \"paper\" replays one file; write \
                   marketData.replay.files, with a file for each symbol";
    assert_eq!(
        told(json!({"file": "b.csv"}), of(&["BTC/USDT", "ETH/USDT"])),
        Some((Reason::SymbolMismatch, message.to_owned()))
    );
}

#[test]
fn a_process_is_refused_where_processes_are_switched_off() {
    let mut observed = trading();
    observed.spec.strategy = serde_json::from_value(json!({"process": {"command": ["python3"]}})).unwrap();
    let refused = validate(&observed).unwrap_err();
    assert_eq!(refused.reason, Reason::InvalidSpec);
    assert!(refused.message.contains("set processStrategies.enabled=true"), "{}", refused.message);
    observed.allows_processes = true;
    assert!(validate(&observed).is_ok());
}

#[test]
fn capital_is_judged_before_the_ledger_and_never_again() {
    let taken = |amount: u32| {
        let capital = strategy("other", "BTC/USDT", amount, EARLY, None).spec.capital;
        BTreeMap::from([("other".to_owned(), granted::of(&capital, None, &[]))])
    };
    for (granted, refused) in [(7_000, false), (7_001, true)] {
        let observed = Observed { granted: taken(granted), ..new() };
        assert_eq!(reason(&observed), refused.then_some(Reason::CapitalExceedsAccount), "{granted}");
        let admitted = Observed { granted: taken(granted), ..trading() };
        assert_eq!(reason(&admitted), None);
        // Opened in the store a moment ago, and not yet in the status.
        let mut opened = Observed { granted: taken(granted), ..trading() };
        opened.status.ledger = None;
        assert_eq!(reason(&opened), None);
    }
    // The balance was lowered under what trades.
    let mut observed = trading();
    let mut account = account();
    account.spec = serde_json::from_value(json!({
        "venue": {"paper": {"balances": {"USDT": 2000}}}, "marketData": {"replay": {"file": "prices.csv"}},
    }))
    .unwrap();
    observed.account = Ok(Some(account.into()));
    assert_eq!(reason(&observed), None);
}

use std::collections::BTreeMap;

/// A strategy that trades, whose spec asks for these.
fn asking(transfers: &serde_json::Value) -> Observed {
    let mut observed = trading();
    set(&mut observed, "transfers", transfers.clone());
    observed
}

#[test]
fn money_is_judged_when_it_is_asked_for_first_and_never_again() {
    let usdt = |id: &str, amount: i64| json!({"id": id, "asset": "USDT", "amount": amount.to_string()});
    assert_eq!(reason(&asking(&json!([usdt("a", 7_000)]))), None);
    let refused = validate(&asking(&json!([usdt("out", -3_000), usdt("a", 6_000), usdt("b", 1_001)]))).unwrap_err();
    assert_eq!(refused.reason, Reason::CapitalExceedsAccount);
    let words = "spec.transfers[2].amount: 1001 exceeds what account \"paper\" has left: 1000 of 10000 USDT; ask for less under \
                 another id, or raise balances";
    assert_eq!(refused.message, words);
    // What others have counts, and what the register asks for was granted.
    let mut observed = asking(&json!([usdt("a", 7_000)]));
    observed.granted.insert("other".to_owned(), [("USDT".parse().unwrap(), 1.into())].into());
    assert_eq!(reason(&observed), Some(Reason::CapitalExceedsAccount));
    observed.register = Some(register(&StrategyDesired::of(&observed.spec, 4)));
    assert_eq!(reason(&observed), None);
    // What is booked is had, also where nothing asks for it any more.
    let mut report: serde_json::Value = serde_json::from_str(&reporting(&json!([]), &json!(null)).1).unwrap();
    report["transfers"] = json!([{
        "id": "a", "asset": "USDT", "amount": "6000", "state": "Booked", "time": "2026-01-01T00:00:00Z", "message": "",
    }]);
    for (id, amount, refused) in [("a", 6_000, false), ("b", 1_000, false), ("b", 1_001, true)] {
        let mut observed = asking(&json!([usdt(id, amount)]));
        edit(&mut observed.stored, |record| drop(record.fields.insert(REPORT.to_owned(), report.to_string())));
        assert_eq!(reason(&observed), refused.then_some(Reason::CapitalExceedsAccount), "{id} {amount}");
    }
    // A ledger opens with what its manifest adds.
    let mut opening = new();
    set(&mut opening, "transfers", json!([usdt("a", 7_001)]));
    assert_eq!(reason(&opening), Some(Reason::CapitalExceedsAccount));
}

/// A pod of the release before, which wrote the position limits into each spec, is not made anew for it, nor is one whose
/// manifest leaves them out.
#[test]
fn a_pod_is_made_from_what_the_release_before_made_it_from() {
    let before =
        r#""risk":{"minPositionPercent":"10","maxPositionPercent":"90","maxOrdersPerMinute":10,"maxTickAgeSeconds":5}"#;
    let mut stored = trading();
    set(&mut stored, "risk", json!({"minPositionPercent": "10", "maxPositionPercent": "90"}));
    for observed in [trading(), stored] {
        let documents = PodDocuments::of(&validate(&observed).unwrap()).unwrap();
        for document in [&documents.steady, &documents.whole] {
            assert!(document.contains(before), "{document}");
        }
        let told = observed.spec.risk.min_position_percent.is_some();
        assert_eq!(documents.told.contains(before), told, "{}", documents.told);
    }
}

#[test]
fn what_a_register_tells_asks_for_no_new_pod() {
    let documents = |observed: &Observed| PodDocuments::of(&validate(observed).unwrap()).unwrap();
    let before = documents(&trading());
    let after = documents(&asking(&json!([{"id": "a", "asset": "USDT", "amount": 1}])));
    assert_eq!((&before.steady, &before.whole), (&after.steady, &after.whole));
    assert!(
        after.told.contains("\"transfers\""),
        "what stands there when the ledger opens is booked with the first tick"
    );
    let edited = documents(&edited());
    assert_eq!(edited.steady, before.steady);
    assert_ne!(edited.whole, before.whole, "a worker of the release before takes a new pod for that");
    let told: StrategySpec = serde_json::from_str(&edited.told).unwrap();
    assert_eq!(told.generation, 6, "of document and register the newer one counts");
}
