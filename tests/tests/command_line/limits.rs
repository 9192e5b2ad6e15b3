//! Limits and exits as `backtest` shows them.

use serde_json::{Value, json};

use super::folder::{Folder, MANIFEST, V1, prices, with};

/// The result of vector V1 with this line in the place of the one about risk.
fn result(line: &str) -> Value {
    let manifest = with(MANIFEST, "  risk: {maxOrdersPerMinute: 10}\n", line);
    let folder = Folder::of(&manifest, &prices(V1));
    let finished = folder.worker("backtest grid.yaml --data prices.csv");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap()
}

fn trades(result: &Value) -> Vec<String> {
    let line = |trade: &Value| {
        let text = |name: &str| trade[name].as_str().unwrap().to_owned();
        format!("{} {} {} @ {}", trade["index"], text("side"), text("quantity"), text("price"))
    };
    result["trades"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn a_breached_limit_stands_in_the_result_and_denies_what_opens() {
    let result = result("  risk: {maxDrawdownPercent: 1}\n");
    // The peak is 5 × 615 + 3000 = 6075; at 600.25 there are 4.011 × 600.25 + 3605.7625 = 6013.36525, 1.0146 % less.
    let limits = json!([{"name": "maxDrawdownPercent", "index": 9, "figure": "1.01", "threshold": "1"}]);
    assert_eq!(result["final"]["limits"], limits);
    assert_eq!(result["final"].get("stopped"), None);
    assert_eq!(trades(&result), ["7 Sell 0.989 @ 612.50"]);
    assert_eq!(result["orders"]["denied"], json!({"LimitReached": 1}));
    assert_eq!(result["final"]["equity"], "5980.2745");
}

#[test]
fn what_is_not_breached_leaves_no_trace_but_in_the_hash_of_the_parameters() {
    let (usual, limited) = (result(""), result("  risk: {maxDrawdownPercent: 50}\n"));
    assert_ne!(usual["hashes"]["parameters"], limited["hashes"]["parameters"]);
    let written = result("  risk: {onBreach: StopOpening}\n  exit: {action: Flatten}\n");
    assert_eq!(usual, written, "what acts by default alone is the same");
    for name in ["trades", "final", "pnl", "orders", "warnings"] {
        assert_eq!(usual[name], limited[name], "{name}");
    }
    assert_eq!((usual["final"].get("limits"), usual["final"].get("stopped")), (None, None));
}

#[test]
fn a_limit_that_flattens_sells_all_and_goes_on_reducing_only() {
    let result = result("  risk: {maxDailyLossPercent: \"0.5\", onBreach: Flatten}\n");
    // From 6000: at 588.5 and below 5970; 590 leaves 5.014 × 590 + 3005.5673 = 5963.8273.
    let [limit] = &result["final"]["limits"].as_array().unwrap()[..] else { panic!("{result}") };
    assert_eq!((limit["name"].as_str(), limit["index"].as_u64()), (Some("maxDailyLossPercent"), Some(14)));
    assert_eq!(limit["figure"], "0.6");
    assert_eq!(trades(&result)[2..], ["14 Sell 5.014 @ 590.00"]);
    assert_eq!(result["final"]["position"], json!({"BNB": "0", "USDT": "5963.8273"}));
}

#[test]
fn an_exit_stands_in_the_result_with_its_rule_and_its_tick() {
    // 5 × 612 + 3000 is 60 more than what was opened: one percent.
    let result = result("  exit: {takeProfitPercent: 1}\n");
    assert_eq!(result["final"]["stopped"], json!({"reason": "ExitReached", "rule": "takeProfitPercent", "index": 3}));
    assert_eq!(trades(&result), ["3 Sell 5 @ 612.00"]);
    assert_eq!(result["final"]["position"], json!({"BNB": "0", "USDT": "6060"}));
    assert_eq!(result["pnl"]["net"], "60");
    assert_eq!((&result["orders"]["denied"], &result["ticks"]), (&json!({}), &json!(22)));
}

#[test]
fn an_exit_that_holds_at_once_is_reached_on_the_first_tick() {
    let result = result("  exit: {abovePrice: 600, action: StopOpening}\n");
    assert_eq!(result["final"]["stopped"], json!({"reason": "ExitReached", "rule": "abovePrice", "index": 0}));
    assert_eq!(trades(&result), Vec::<String>::new());
    assert_eq!(result["final"]["position"], json!({"BNB": "5", "USDT": "3000"}));
}

/// A strategy with ten coins and an exit at 100, behind a latency.
fn beyond_latency(exit: &str, data: &str) -> Value {
    let manifest = format!(
        "apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {{name: paper}}
spec: {{venue: {{paper: {{balances: {{USDT: 100000, BNB: 100}}, latencyMs: 1500}}}}, marketData: {{replay: {{file: prices.csv}}}}}}
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {{name: grid}}
spec:
  accountRef: {{name: paper}}
  instruments: [{{symbol: BNB/USDT, rules: {{tickSize: \"0.01\", lotSize: \"0.1\"}}}}]
  capital: {{USDT: 1000, BNB: 10}}
  strategy: {{grid: {{gridSizePercent: 1}}}}
  {exit}
"
    );
    let folder = Folder::of(&manifest, data);
    let finished = folder.worker("backtest grid.yaml --data prices.csv");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn what_a_flatten_leaves_is_sold_from_the_next_tick_on_behind_a_latency_too() {
    let rows = (0..6).map(|n| format!("{},{p},{p},{p},3,3\n", 1_700_000_000_000_i64 + 2_000 * n, p = 100 + n));
    let data = format!("time,price,bid,ask,bidSize,askSize\n{}", rows.collect::<String>());
    let result = beyond_latency("exit: {abovePrice: 100}", &data);
    // Sent on ticks 0, 2 and 4, each arrives on the one after.
    assert_eq!(trades(&result), ["1 Sell 3 @ 101.00", "3 Sell 3 @ 103.00", "5 Sell 3 @ 105.00"]);
    assert_eq!(result["final"]["position"]["BNB"], "1");
}

#[test]
fn nothing_is_sent_once_the_data_have_ended() {
    let data = "time,price\n1700000000000,100\n1700000001000,100.5\n";
    let result = beyond_latency("exit: {abovePrice: 100}", data);
    assert_eq!((&result["orders"]["expired"], &result["trades"]), (&json!(1), &json!([])));
}

#[test]
fn exposure_that_the_price_has_breached_denies_in_its_own_word() {
    let data =
        "time,price\n1700000000000,100\n1700000010000,130\n1700000020000,90\n1700000030000,92\n1700000040000,93\n";
    let result = beyond_latency("risk: {maxExposure: {USDT: 1200}, maxPositionPercent: 90}", data);
    assert_eq!(result["final"]["limits"][0]["name"], "maxExposure");
    assert_eq!(result["orders"]["denied"], json!({"MaxExposure": 1}));
}
