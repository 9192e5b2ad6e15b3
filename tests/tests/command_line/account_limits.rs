//! Limits of an account: `run` holds all of its strategies to them together, `backtest` says that it does not.

use serde_json::{Value, json};
use tests::worker_binary::Finished;

use super::folder::{Folder, MANIFEST, V1, prices, strategy_of, with};

/// Vector V1 for two strategies, 6,000 USDT each, on an account with these limits.
fn manifest(limits: &str) -> String {
    let account = format!("      file: prices.csv\n  limits: {limits}\n");
    let limited = with(MANIFEST, "      file: prices.csv\n", &account);
    format!("{limited}---\n{}", strategy_of(MANIFEST).replace("grid-bnb-1", "second"))
}

fn run(limits: &str) -> Finished {
    let finished = Folder::of(&manifest(limits), &prices(V1)).worker("run grid.yaml --output json");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("  limits    paper       hold over all its strategies"), "{}", finished.stderr);
    finished
}

/// The account's status, and that of each strategy.
fn statuses(finished: &Finished) -> (Value, Vec<Value>) {
    let mut all: Vec<Value> =
        finished.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].take()).collect();
    (all.remove(0), all)
}

fn sides(status: &Value) -> Vec<&str> {
    status["recentTrades"].as_array().unwrap().iter().rev().map(|trade| trade["side"].as_str().unwrap()).collect()
}

#[test]
fn what_opens_is_held_to_them_and_what_reduces_passes() {
    for (limits, reason) in
        [("{maxOrderNotional: {USDT: 1}}", "MaxOrderNotional"), ("{maxExposure: {USDT: 1}}", "MaxExposure")]
    {
        let (account, strategies) = statuses(&run(limits));
        for status in &strategies {
            assert!(
                !sides(status).is_empty() && sides(status).iter().all(|side| *side == "Sell"),
                "{limits}: {status}"
            );
            assert!(
                status["orders"]["deniedReasons"][reason].as_u64().is_some_and(|count| count > 0),
                "{limits}: {status}"
            );
        }
        // Coins alone are worth more than the one, from the first price on; the other latches nothing.
        let latched = &account["risk"]["limits"];
        if reason == "MaxExposure" {
            assert_eq!(
                (&latched[0]["name"], &latched[0]["threshold"]),
                (&json!("maxExposure"), &json!("1")),
                "{account}"
            );
            assert_eq!(account["summary"]["halted"], "MaxExposure");
        } else {
            assert_eq!((account.get("risk"), &account["summary"]["halted"]), (None, &json!("")));
        }
    }
}

#[test]
fn limits_that_nothing_reaches_change_nothing() {
    let limits = "{maxExposure: {USDT: 100000}, maxOrderNotional: {USDT: 100000}, maxOrdersPerMinute: 600}";
    let (_, limited) = statuses(&run(limits));
    let (_, usual) = statuses(&run("{}"));
    for (limited, usual) in limited.iter().zip(&usual) {
        assert_eq!((&limited["pnl"], sides(limited)), (&usual["pnl"], sides(usual)));
        assert_eq!(sides(usual), ["Sell", "Buy", "Buy"]);
    }
}

/// One opening a minute of the market's time, for both: the second strategy's, on the same tick, is denied.
#[test]
fn one_strategy_uses_up_what_the_other_may_send() {
    let (_, strategies) = statuses(&run("{maxOrdersPerMinute: 1}"));
    let bought = strategies.iter().map(|status| sides(status).iter().filter(|side| **side == "Buy").count());
    let denied = strategies.iter().map(|status| &status["orders"]["deniedReasons"]["OrderRateExceeded"]);
    let denied: u64 = denied.map(|count| count.as_u64().unwrap_or(0)).sum();
    let bought: usize = bought.sum();
    assert!(denied > 0 && bought > 0 && bought < 4, "{denied} denied, {bought} bought of 4");
}

#[test]
fn backtest_trades_without_them_and_says_so() {
    let data = prices(V1);
    let limited = Folder::of(&manifest("{maxOrderNotional: {USDT: 1}}"), &data);
    let usual = Folder::of(&manifest("{}").replace("  limits: {}\n", ""), &data);
    let of = |folder: &Folder| folder.worker("backtest grid.yaml --data prices.csv");
    let (limited, usual) = (of(&limited), of(&usual));
    assert_eq!((limited.code, &limited.stdout), (Some(0), &usual.stdout));
    assert!(limited.stderr.contains("account paper has limits: its gateway judges them"), "{}", limited.stderr);
    assert!(!usual.stderr.contains("limits"), "{}", usual.stderr);
}

#[test]
fn validate_names_the_line_of_a_limit_that_denies_all() {
    let folder = Folder::of(&manifest("{maxExposure: {USDT: 0}}"), "");
    let words = "grid.yaml:14: spec.limits.maxExposure.USDT: 0 would deny every order; write an amount above 0";
    folder.refuses("validate grid.yaml", 4, words);
}
