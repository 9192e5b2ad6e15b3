//! How results are printed: data to stdout, talk to stderr, the same bytes for the same input.

use engine::client_order_id::LedgerId;
use serde_json::{Value, json};

use super::folder::{Folder, MANIFEST, V1, figures, prices};
use super::vectors::{V1_LINE, with_fee};

const TABLE: &str = "\
NAME         MODE    SYMBOL     STATE     READY   TRADES   POSITION    NET-PNL       ALERT
grid-bnb-1   Paper   BNB/USDT   Stopped   True    3        6.027 BNB   -22.27 USDT   MarketDataEnded

  equity    6000.00 -> 5977.73 USDT, -0.37 % (buy-and-hold: -0.67 %); max drawdown 2.35 %
  net       -22.27 = realized 12.36 + unrealized -32.83 - fees 1.80
  holds     6.027 BNB at 592.00 + 2409.74 USDT; would sell above 598.13, buy below 574.67
";

const BACKTEST_TABLE: &str = "\
grid-bnb-1: 22 ticks, 3 trades
       7  2023-11-14 22:20:20  Sell  0.989 @ 612.50  fee 0.6057625 USDT
      13  2023-11-14 22:26:20  Buy   1.003 @ 598.40  fee 0.6001952 USDT
      20  2023-11-14 22:33:20  Buy   1.013 @ 586.40  fee 0.5940232 USDT
  holds   6.027 BNB + 2409.7441191 USDT = 5977.7281191 USDT at 592
  net     -22.2718809 USDT = realized 12.3625 + unrealized -32.8344 - fees 1.7999809
";

fn folder() -> Folder {
    Folder::of(&with_fee(MANIFEST), &prices(V1))
}

/// The objects of a JSON output, one a line.
fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Takes the ledger, which is another with each start, out of a status.
fn without_ledger(mut object: Value) -> Value {
    let ledger = object["status"].as_object_mut().unwrap().shift_remove("ledger").unwrap();
    let id = ledger["id"].as_str().unwrap();
    assert!(id.len() == LedgerId::LENGTH && id.bytes().all(|byte| LedgerId::ALPHABET.contains(&byte)), "{id}");
    let started = ledger["startedAt"].as_str().unwrap();
    assert!(started.starts_with("20") && started.ends_with('Z'), "{started}");
    object
}

#[test]
fn a_table_for_people() {
    let folder = folder();
    let first = folder.worker("run grid.yaml");
    assert_eq!((first.code, first.stdout.as_str()), (Some(0), TABLE));
    assert_eq!(folder.worker("run grid.yaml --output table").stdout, TABLE, "the same input gives the same bytes");
    assert_eq!(folder.prints("backtest grid.yaml --data prices.csv --output table"), BACKTEST_TABLE);
    let free = Folder::of(MANIFEST, &prices(V1)).prints("backtest grid.yaml --data prices.csv");
    assert_eq!(figures(&free), V1_LINE, "off a terminal, backtest prints JSON");
}

#[test]
fn json_of_run_is_one_resource_a_line() {
    let folder = folder();
    let objects = objects(&folder.worker("run grid.yaml --output json").stdout);
    let [account, strategy] = <[Value; 2]>::try_from(objects).unwrap().map(without_ledger);
    for (object, kind, name) in [(&account, "TradingAccount", "paper"), (&strategy, "TradingStrategy", "grid-bnb-1")] {
        assert_eq!(object["apiVersion"], "glm.trading/v1alpha1");
        assert_eq!(object["kind"], kind);
        assert_eq!(object["metadata"], json!({"name": name, "namespace": "default"}));
    }
    assert_eq!(account["status"]["strategies"], json!({"Stopped": 1}));
    let status = &strategy["status"];
    let expected = json!({
        "observedGeneration": 1,
        "appliedGeneration": 1,
        "state": "Stopped",
        "mode": "Paper",
        "epoch": 1,
        "price": "592",
        "position": {"BNB": "6.027", "USDT": "2409.7441191"},
        "pnl": {
            "currency": "USDT",
            "realized": "12.3625",
            "unrealized": "-32.8344",
            "fees": "1.7999809",
            "funding": "0",
            "net": "-22.2718809",
        },
        "orders": {"open": 0, "unknown": 0, "filled": 3, "denied": 0, "deniedReasons": {}, "expired": 0, "rejected": 0},
        "risk": {"state": "AllowAll", "reason": "", "limits": []},
        "decision": {
            "reason": "PriceBetweenBands",
            "message": "Sells after a turn above 598.128, buys after a turn below 574.672.",
        },
        "strategy": {
            "basePrice": "586.40",
            "upperBand": "598.128",
            "lowerBand": "574.672",
            "gridSizePercent": "2",
        },
        "summary": {
            "strategy": "grid",
            "symbol": "BNB/USDT",
            "position": "6.027 BNB",
            "netPnl": "-22.27 USDT",
            "lastTrade": "Buy 1.013 @ 586.40",
            "alert": "MarketDataEnded",
        },
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&status[field], value, "{field}");
    }
    let ready = |condition: &&Value| condition["type"] == "Ready";
    let ready = status["conditions"].as_array().unwrap().iter().find(ready).unwrap();
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("True"), &json!("MarketDataEnded")));
    let trades: Vec<&Value> = status["recentTrades"].as_array().unwrap().iter().map(|trade| &trade["price"]).collect();
    assert_eq!(trades, ["586.40", "598.40", "612.50"], "newest first");
}

#[test]
fn json_and_yaml_of_run_are_the_same_but_for_the_ledger() {
    let folder = folder();
    let json = |_| objects(&folder.worker("run grid.yaml --output json").stdout).into_iter().map(without_ledger);
    let [first, second] = [1, 2].map(json).map(Iterator::collect::<Vec<_>>);
    assert_eq!(first, second);
    let yaml = folder.worker("run grid.yaml --output yaml").stdout;
    let own = |line: &&str| !line.starts_with("    id: ") && !line.starts_with("    startedAt: ");
    let printed: Vec<&str> = yaml.lines().filter(own).filter(|line| *line != "  ledger:").collect();
    let expected: Vec<String> = first.iter().map(|object| format!("---\n{}", crds::yaml_text::print(object))).collect();
    assert_eq!(printed.join("\n") + "\n", expected.concat());
}

#[test]
fn no_output_off_a_terminal_holds_a_control_character() {
    let folder = folder();
    for arguments in [
        "run grid.yaml",
        "run grid.yaml -v",
        "run grid.yaml --speed 100000",
        "run grid.yaml --output json",
        "run grid.yaml --output yaml",
        "backtest grid.yaml --data prices.csv",
        "backtest grid.yaml --data prices.csv --output table",
        "validate grid.yaml",
        "run nowhere.yaml",
        "--help",
        "run --help",
        "run --speed",
    ] {
        let finished = folder.worker(arguments);
        let all = format!("{}{}", finished.stdout, finished.stderr);
        let control = all.chars().find(|letter| letter.is_control() && *letter != '\n');
        assert!(!all.is_empty() && control.is_none(), "worker {arguments}: {control:?}");
    }
}

#[test]
fn talk_goes_to_stderr() {
    let talk = folder().worker("run grid.yaml").stderr;
    let (before, seconds) = talk.split_once("  data ended: 22 ticks in ").unwrap();
    assert_eq!(
        before,
        "\
Paper trading: no exchange, no key, no server. State is in memory and forgotten at exit (keep it: --redis URL).

  account   paper       10000 USDT, 20 BNB; fees 0.1 %, paid in USDT
  strategy  grid-bnb-1  BNB/USDT, grid 2 %, 10 % of equity per order; capital 3000 USDT + 5 BNB = 6000.00 USDT
  data      prices.csv: 22 ticks, 2023-11-14 22:13 to 2023-11-14 22:34 UTC

  start 600.00: sells after a turn above 612.00, buys after a turn below 588.00
  11-14 22:20  Sell  0.989 @ 612.50  fee 0.61   high 615.00, turned down 0.4 %
  11-14 22:26  Buy   1.003 @ 598.40  fee 0.60   low 596.00, turned up 0.4 %
  ...          1 more (-v shows all, and each order not sent, with why)
"
    );
    assert!(seconds.split_once(" s\n").is_some_and(|(seconds, _)| seconds.parse::<f32>().is_ok()), "{seconds}");
}

#[test]
fn help_and_version_are_asked_for_and_so_no_failure() {
    let folder = folder();
    assert_eq!(folder.prints("--version"), format!("worker {}\n", env!("CARGO_PKG_VERSION")));
    let help = folder.prints("--help");
    for command in ["run", "backtest", "validate", "ledger", "strategy", "gateway", "feed"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
    }
}
