//! Transfers as `backtest` and `run` show them.

use serde_json::{Value, json};

use super::folder::{Folder, MANIFEST, V1, prices, with};

/// Vector V1 with these transfers.
fn folder(transfers: &str) -> Folder {
    let line = format!("  risk: {{maxOrdersPerMinute: 10}}\n{transfers}");
    Folder::of(&with(MANIFEST, "  risk: {maxOrdersPerMinute: 10}\n", &line), &prices(V1))
}

fn run(folder: &Folder, arguments: &str) -> String {
    let finished = folder.worker(arguments);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    finished.stdout
}

fn backtest(transfers: &str) -> Value {
    serde_json::from_str(&run(&folder(transfers), "backtest grid.yaml --data prices.csv")).unwrap()
}

const ALL: &str = "  transfers:
  - {id: june, asset: USDT, amount: 600}
  - {id: too-much, asset: BNB, amount: \"-5.5\"}
  - {id: coins, asset: BNB, amount: \"-1\"}
";

#[test]
fn what_the_manifest_asks_for_is_booked_with_the_first_tick() {
    let (plain, moved) = (backtest(""), backtest(ALL));
    let decided = json!([
        {"id": "june", "state": "Booked"}, {"id": "too-much", "state": "Refused"}, {"id": "coins", "state": "Booked"},
    ]);
    assert_eq!((plain["final"].get("transfers"), &moved["final"]["transfers"]), (None, &decided));
    assert_eq!(plain["hashes"]["parameters"], moved["hashes"]["parameters"]);
    // The equity at 600 is 6000 in both: 600 of cash came, and a coin worth 600 went. So each order is of the same size as
    // long as the price is 600, and of less as it rises: at 612.50 of 4 × 612.50 + 3600 = 6050, a tenth is 0.987 coins.
    assert_eq!(moved["trades"][0]["quantity"], "0.987");
    assert_eq!((&moved["trades"][0]["price"], &moved["trades"][0]["index"]), (&json!("612.50"), &json!(7)));
}

#[test]
fn backtest_says_why_one_is_refused() {
    let finished = folder(ALL).worker("backtest grid.yaml --data prices.csv");
    let expected =
        "grid-bnb-1: TransferRefused: Transfer too-much of -5.5 BNB is refused: 5 BNB is free, 0 is reserved";
    assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    assert_eq!(finished.stderr.matches("TransferRefused").count(), 1, "{}", finished.stderr);
}

/// Only cash came: the same trades in size as from so much capital, and net is the change of equity without it.
#[test]
fn money_that_was_put_in_trades_as_capital_and_is_no_profit() {
    let moved = backtest("  transfers: [{id: june, asset: USDT, amount: 600}]\n");
    let rich = with(MANIFEST, "  risk: {maxOrdersPerMinute: 10}\n", "");
    let rich =
        with(&rich, "capital: {USDT: 3000, BNB: 5}", "capital: {USDT: 3600, BNB: 5}\n  risk: {maxOrdersPerMinute: 10}");
    let rich = Folder::of(&rich, &prices(V1));
    let rich: Value = serde_json::from_str(&run(&rich, "backtest grid.yaml --data prices.csv")).unwrap();
    for name in ["trades", "pnl", "orders"] {
        assert_eq!(moved[name], rich[name], "{name}");
    }
    assert_eq!(moved["final"]["equity"], rich["final"]["equity"]);
    assert_eq!(moved["final"]["position"], rich["final"]["position"]);
}

#[test]
fn run_shows_them_with_its_figures() {
    let folder = folder(ALL);
    let output = run(&folder, "run grid.yaml --output json");
    let strategy = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let strategy = strategy.into_iter().find(|one| one["kind"] == "TradingStrategy").unwrap();
    let (shown, net) = (strategy["status"]["transfers"].as_array().unwrap(), &strategy["status"]["pnl"]["net"]);
    let states: Vec<_> =
        shown.iter().map(|one| (one["id"].as_str().unwrap(), one["state"].as_str().unwrap())).collect();
    assert_eq!(states, [("june", "Booked"), ("too-much", "Refused"), ("coins", "Booked")]);
    let message = shown[1]["message"].as_str().unwrap();
    assert!(message.starts_with("Transfer too-much of -5.5 BNB is refused: 5 BNB is free, 0 is reserved"), "{message}");
    assert_eq!(strategy["status"]["summary"]["alert"].as_str().unwrap().split(", ").next(), Some("TransferRefused"));
    assert_eq!(*net, backtest(ALL)["pnl"]["net"]);
    let table = folder.worker("run grid.yaml");
    assert!(table.stderr.contains("TransferRefused"), "{}", table.stderr);
    assert!(table.stdout.contains("TransferRefused"), "{}", table.stdout);
}
