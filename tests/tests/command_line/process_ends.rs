//! Strategies that are processes under what ends or bounds any strategy: on two markets, with an exit, with a limit that sells
//! all, with bounds of the position. `run` does what `backtest` does.

use engine::testkit::quoting::Market;
use serde_json::Value;

use super::folder::{Folder, MANIFEST, repository_file, with};

const TICKS: u64 = 2_000;

/// Buys and sells in whichever market moves, at once and at rest, and cancels what has rested.
const BOTH: &str = r#"
import json, sys
start = json.loads(sys.stdin.readline())
print('{"v":1,"type":"ready"}', flush=True)
count = start["state"] or 0
for line in sys.stdin:
    m = json.loads(line)
    if m["type"] == "stop":
        break
    actions, consumed = [], 0
    for event in m["events"]:
        consumed += 1
        if event["type"] != "tick":
            continue
        count += 1
        if count % 7 == 0:
            place = {"tag": event["symbol"], "symbol": event["symbol"], "side": "Buy" if count % 2 else "Sell", "quantity": "0.05"}
            if count % 3 == 0:
                place["price"] = event["price"]
                place["postOnly"] = True
            actions.append({"place": place})
            for order in m["orders"][:-3]:
                actions.append({"cancel": {"id": order["id"]}})
        # It is told of all that it holds.
        assert sorted(m["position"]) == ["BNB", "ETH", "USDT"]
        if actions:
            break
    answer = {"v": 1, "type": "answer", "batch": m["batch"], "consumed": consumed, "actions": actions, "state": count}
    print(json.dumps(answer), flush=True)
"#;

/// The manifest with a process that is this program, and these limits beside the rate of orders.
fn process(risk: &str) -> String {
    let grid = "    grid:\n      basePrice: 600\n      gridSizePercent: 2\n";
    let process = "    process:\n      command: [python3, /strategies/program.py]\n      parameters: {seed: 5}\n      \
        source: {configMap: strategies}\n      timeoutMs: 20000\n";
    let risk = format!("risk: {{maxOrdersPerMinute: 600{risk}}}");
    with(&with(MANIFEST, grid, process), "risk: {maxOrdersPerMinute: 10}", &risk)
}

fn folder(manifest: &str, program: &str) -> Folder {
    let folder = Folder::of(manifest, &Market::of(5, TICKS).csv());
    std::fs::create_dir(folder.path().join("programs")).unwrap();
    folder.write("programs/program.py", program);
    folder
}

fn quoter() -> String {
    std::fs::read_to_string(repository_file("tests/processes/quoter.py")).unwrap()
}

/// What `backtest` prints of it, and the status that `run` ends with. Both must have gone well.
fn both(folder: &Folder, data: &str) -> (Value, Value) {
    let backtest = folder.worker(&format!("backtest grid.yaml --source strategies=programs --data {data}"));
    assert_eq!(backtest.code, Some(0), "{}", backtest.stderr);
    let run = folder.worker("run grid.yaml --output json --source strategies=programs");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let last: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    let (result, status): (Value, _) = (serde_json::from_str(&backtest.stdout).unwrap(), last["status"].clone());
    assert_eq!(status["orders"]["filled"], result["orders"]["filled"]);
    assert_eq!((&status["pnl"], &status["position"]), (&result["pnl"], &result["final"]["position"]));
    (result, status)
}

#[test]
fn on_two_markets_it_trades_in_both_and_alike_in_backtest_and_run() {
    let manifest = process("");
    let files = "files: [{symbol: BNB/USDT, file: prices.csv}, {symbol: ETH/USDT, file: eth.csv}]";
    let manifest = with(&manifest, "file: prices.csv", files);
    let manifest = with(&manifest, "balances: {", "balances: {ETH: 5, ");
    let manifest = with(&manifest, "capital: {", "capital: {ETH: 5, ");
    let rules = "rules: {tickSize: \"0.01\", lotSize: \"0.001\"}";
    let more = format!("{rules}\n  - symbol: ETH/USDT\n    {rules}");
    let folder = folder(&with(&manifest, rules, &more), BOTH);
    folder.write("eth.csv", Market::of(6, TICKS).named("ETH/USDT").csv());
    let (result, status) = both(&folder, "BNB/USDT=prices.csv ETH/USDT=eth.csv");
    assert_eq!(result["ticks"], 2 * TICKS);
    let trades = result["trades"].as_array().unwrap();
    for symbol in ["BNB/USDT", "ETH/USDT"] {
        for side in ["Buy", "Sell"] {
            let made = trades.iter().filter(|trade| trade["symbol"] == symbol && trade["side"] == side).count();
            assert!(made >= 20, "{symbol} {side}: {made}");
        }
    }
    let held: Vec<_> = status["position"].as_object().unwrap().keys().collect();
    assert_eq!(held, ["BNB", "ETH", "USDT"]);
}

#[test]
fn an_exit_and_a_limit_sell_what_it_holds_and_it_trades_no_more() {
    let exit = "  exit: {abovePrice: \"601.5\"}\n";
    for (manifest, rule) in [
        (process("") + exit, "abovePrice"),
        (process(", maxDrawdownPercent: \"0.1\", onBreach: Flatten"), "maxDrawdownPercent"),
    ] {
        let (result, status) = both(&folder(&manifest, &quoter()), "prices.csv");
        let (index, word) = if rule == "abovePrice" {
            assert_eq!(result["final"]["stopped"]["rule"], rule, "{result}");
            (&result["final"]["stopped"]["index"], "ExitReached")
        } else {
            assert_eq!(result["final"]["limits"][0]["name"], rule, "{result}");
            (&result["final"]["limits"][0]["index"], "LimitReached")
        };
        let index = index.as_u64().unwrap();
        assert!(index > 100 && index < TICKS - 100, "{rule} at {index} is no test of what comes before and after");
        let trades = result["trades"].as_array().unwrap();
        let (before, after): (Vec<_>, Vec<_>) = trades.iter().partition(|trade| trade["index"].as_u64() < Some(index));
        assert!(before.len() > 3, "{rule}: {before:?}");
        // What trades on the tick itself may be its own; then all is sold, tick by tick as there is an offer, and no more.
        assert!(after.iter().all(|trade| trade["index"] == index || trade["side"] == "Sell"), "{after:?}");
        let last = after.last().unwrap();
        assert!(last["side"] == "Sell" && last["index"].as_u64() < Some(index + 50), "{rule} at {index}: {last}");
        assert_eq!(
            (&result["final"]["position"]["BNB"], &status["orders"]["open"]),
            (&"0".into(), &0.into()),
            "{rule}"
        );
        assert!(status.to_string().contains(word), "{rule}: {status}");
    }
}

#[test]
fn bounds_of_the_position_bind_it_where_they_are_written() {
    for (risk, denied) in [("", 0), (", maxPositionPercent: 52", 1), (", minPositionPercent: 48", 1)] {
        let (result, _) = both(&folder(&process(risk), &quoter()), "prices.csv");
        let told = result["orders"]["denied"]["PositionLimit"].as_u64().unwrap_or(0);
        assert_eq!(u64::from(told > 0), denied, "{risk}: {}", result["orders"]);
    }
}
