//! The strategies of `examples/python-strategy`, run by the worker.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::worker_binary::run_worker;

use super::folder::with;

const STOCK: &str = "    grid:
      gridSizePercent: 2                    # sells 2 % above the base price, buys 2 % below
      orderPercent: 10                      # each order: 10 % of the strategy's equity
";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples")
}

/// What `backtest` prints of the quickstart with this strategy in the place of its own, and with a latency.
fn backtest(strategy: &str, latency_ms: u32) -> Value {
    let manifest = std::fs::read_to_string(examples().join("quickstart.yaml")).unwrap();
    let manifest = with(
        &with(&manifest, STOCK, strategy),
        "    paper:  ",
        &format!("    paper:\n      latencyMs: {latency_ms}\n      #"),
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("manifest.yaml"), manifest).unwrap();
    let data = examples().join("btcusdt-1h-2020q2.csv.gz");
    let source = format!("python={}", examples().join("python-strategy").display());
    let mut arguments = vec!["backtest", "manifest.yaml", "--data", data.to_str().unwrap()];
    if strategy.contains("process") {
        arguments.extend(["--source", &source]);
    }
    let done = run_worker(folder.path(), &arguments);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}

fn process(script: &str, parameters: &str) -> String {
    format!(
        "    process:\n      command: [python3, /strategies/{script}]\n      source: {{configMap: python}}\n      \
         parameters: {{{parameters}}}\n"
    )
}

#[test]
fn the_grid_in_python_makes_the_trades_of_the_stock_grid_byte_for_byte() {
    for latency in [0, 1_500] {
        let stock = backtest(STOCK, latency);
        let python = backtest(&process("grid.py", "gridSizePercent: 2, orderPercent: 10"), latency);
        assert!(stock["trades"].as_array().unwrap().len() > 20, "{stock}");
        assert_eq!(python["trades"], stock["trades"]);
        assert_eq!(python["hashes"]["trades"], stock["hashes"]["trades"]);
        assert_eq!((&python["pnl"], &python["orders"]), (&stock["pnl"], &stock["orders"]));
    }
}

#[test]
fn the_moving_average_trades_as_in_its_test_kit() {
    let outcome = backtest(&process("mean.py", "window: 20"), 0);
    let kit = "
import glm.testkit as testkit
from mean import Mean
made = testkit.run(Mean, '../btcusdt-1h-2020q2.csv.gz', capital={'USDT': '3000', 'BTC': '0.34'}, fee_percent='0.1').trades
print([[t.index, t.side, str(t.price), format(t.quantity.normalize(), 'f')] for t in made].__repr__().replace(\"'\", '\"'))
";
    let mut python = std::process::Command::new("python3");
    let python = python.args(["-B", "-c", kit]).current_dir(examples().join("python-strategy"));
    let done = python.output().unwrap();
    let kit: Value =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)));
    let trades = outcome["trades"].as_array().unwrap().iter();
    let made: Vec<Value> = trades
        .map(|trade| serde_json::json!([trade["index"], trade["side"], trade["price"], trade["quantity"]]))
        .collect();
    assert!(made.len() > 50, "{outcome}");
    assert_eq!(Value::from(made), kit);
}
