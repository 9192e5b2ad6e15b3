//! Stops and deletions that users need when something is broken, seen on a real cluster: each of these once lost money
//! or held a stop back.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::sync::LazyLock;

use tests::cluster::manifest::{edit, part, quickstart, watcher};
use tests::cluster::{Kind, Platform, PodHistory, Scenario, await_that, condition, signal_container, text};

const STRATEGY: &str = "grid-btc-1";
const RESOURCE: &str = "ts/grid-btc-1";

static PLATFORM: LazyLock<Platform> =
    LazyLock::new(|| Platform::install("stops", &["lowered", "frozen", "foreground", "symbols", "sources"], &[]));

/// A field of an owner's record in the store.
fn record(scenario: &Scenario, owner: &str, field: &str) -> String {
    PLATFORM.redis(&["hget", &format!("glm:{{{}/paper}}:state:{owner}", scenario.namespace), field])
}

/// How many ticks the strategy has taken.
fn position(scenario: &Scenario) -> u64 {
    record(scenario, "strategy-grid-btc-1", "field:position").parse().unwrap_or(0)
}

/// Waits until the strategy has taken so many more ticks.
fn await_ticks(scenario: &Scenario, more: u64) {
    let wanted = position(scenario) + more;
    await_that(&format!("{more} more ticks are taken"), 120, || {
        let now = position(scenario);
        if now >= wanted { Ok(()) } else { Err(format!("{now} of {wanted}")) }
    });
}

/// How many fills the account's gateway has told of.
fn fills(scenario: &Scenario) -> u64 {
    let stream = format!("glm:{{{}/paper}}:order.fill", scenario.namespace);
    PLATFORM.redis(&["xlen", &stream]).parse().expect("a number")
}

#[test]
fn a_pause_passes_after_the_balance_was_lowered() {
    let scenario = Scenario::of(&PLATFORM, "lowered");
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    scenario.patch("tacct/paper", r#"{"spec":{"venue":{"paper":{"balances":{"USDT":"2000"}}}}}"#);
    scenario.patch(RESOURCE, r#"{"spec":{"state":"Paused"}}"#);
    let paused = scenario.await_strategy(STRATEGY, "Paused", 90, |strategy| {
        text(strategy, "/status/state") == "Paused" && condition(strategy, "Ready").starts_with("True Paused")
    });
    assert!(condition(&paused, "Accepted").starts_with("True"), "what was admitted is not judged again");
    let before = fills(&scenario);
    await_ticks(&scenario, 100);
    assert_eq!(fills(&scenario), before, "it traded on");
}

/// The gateway hangs while a strategy is deleted: the deletion waits for it, and nothing is traded afterwards.
fn deleted_beside_a_frozen_gateway(name: &str, more: &[&str]) {
    let scenario = Scenario::of(&PLATFORM, name);
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    let gateway = scenario.pod_of("gateway", "paper").expect("there is a gateway");
    signal_container(&gateway, "SIGSTOP");
    let delete = ["delete", RESOURCE, "--wait=false"];
    scenario.kubectl(&delete.into_iter().chain(more.iter().copied()).collect::<Vec<_>>());
    scenario.await_strategy(STRATEGY, "it says what it waits for", 30, |strategy| {
        condition(strategy, "Ready").contains("has not acknowledged Closed")
    });
    assert_eq!(record(&scenario, "strategy-grid-btc-1", "_closed"), "", "the ledger is closed before its gateway knew");
    // Its node starts it again after a while; this is sooner.
    signal_container(&gateway, "SIGCONT");
    scenario.await_gone(Kind::Strategy, STRATEGY, 90);
    assert_ne!(record(&scenario, "strategy-grid-btc-1", "_closed"), "", "the ledger is open");
    let before = fills(&scenario);
    scenario.await_object((Kind::Account, "paper"), "nobody reads prices", 90, |account| {
        condition(account, "Ready").contains("no strategy reads prices")
    });
    assert_eq!(fills(&scenario), before, "it was traded for a strategy that is gone");
}

#[test]
fn a_deletion_waits_for_a_frozen_gateway() {
    deleted_beside_a_frozen_gateway("frozen", &[]);
}

#[test]
fn a_foreground_deletion_waits_for_a_frozen_gateway() {
    deleted_beside_a_frozen_gateway("foreground", &["--cascade=foreground"]);
}

#[test]
fn a_strategy_of_another_symbol_does_not_take_the_feed() {
    let scenario = Scenario::of(&PLATFORM, "symbols");
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    let feed = text(&scenario.pod_of("feed", "paper").expect("there is a feed"), "/metadata/uid");
    let other = edit(&watcher("aaa"), "symbol: BTC/USDT", "symbol: ETH/USDT");
    scenario.apply(&edit(&other, "BTC: \"0.0001\"", "ETH: \"0.0001\""));
    let refused = scenario.await_strategy("aaa", "SymbolMismatch", 30, |strategy| {
        condition(strategy, "Accepted").starts_with("False SymbolMismatch")
    });
    assert!(condition(&refused, "Accepted").contains("create a second account"), "{}", condition(&refused, "Accepted"));
    await_ticks(&scenario, 20);
    assert_eq!(text(&scenario.pod_of("feed", "paper").expect("there is a feed"), "/metadata/uid"), feed);
    scenario.await_trading(STRATEGY);
}

#[test]
fn a_feed_that_cannot_read_its_file_is_tried_five_times_and_says_why() {
    let scenario = Scenario::of(&PLATFORM, "sources");
    let mut history = PodHistory::begin(&scenario.namespace);
    scenario.apply(&edit(&part(&quickstart(), "TradingAccount"), "btcusdt-1h-2020q2.csv.gz", "SOURCES.md"));
    scenario.apply(&part(&quickstart(), "TradingStrategy"));
    let stuck = scenario.await_object((Kind::Account, "paper"), "CrashLoop", 180, |account| {
        condition(account, "Ready").starts_with("False CrashLoop") && text(account, "/status/state") == "Quarantined"
    });
    let told = condition(&stuck, "Ready");
    assert!(told.contains("SOURCES.md") && told.contains("glm.trading/release: \"CrashLoop 5\""), "{told}");
    assert_eq!(history.pods_of("feed-paper"), 5);
    history.expect_one_at_a_time();
    // The data are mended: a change of the spec is enough.
    scenario.patch("tacct/paper", r#"{"spec":{"marketData":{"replay":{"file":"btcusdt-1h-2020q2.csv.gz"}}}}"#);
    scenario.await_trading(STRATEGY);
}
