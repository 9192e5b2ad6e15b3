//! The strategies of `examples/python-strategy`, run by the worker.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::worker_binary::run_worker;

use super::folder::{copy_python_package, with};

const STOCK: &str = "    grid:
      gridSizePercent: 2                    # sells 2 % above the base price, buys 2 % below
      orderPercent: 10                      # each order: 10 % of the strategy's equity
";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples")
}

/// What `backtest` prints of the quickstart with this strategy in the place of its own, with a latency and files from a folder.
fn backtest(strategy: &str, latency_ms: u32, files: &Path) -> Value {
    let manifest = std::fs::read_to_string(examples().join("quickstart.yaml")).unwrap();
    let manifest = with(
        &with(&manifest, STOCK, strategy),
        "    paper:  ",
        &format!("    paper:\n      latencyMs: {latency_ms}\n      #"),
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("manifest.yaml"), manifest).unwrap();
    let data = examples().join("btcusdt-1h-2020q2.csv.gz");
    let source = format!("python={}", files.display());
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
    let files = examples().join("python-strategy");
    for latency in [0, 1_500] {
        let stock = backtest(STOCK, latency, &files);
        let python = backtest(&process("grid.py", "gridSizePercent: 2, orderPercent: 10"), latency, &files);
        assert!(stock["trades"].as_array().unwrap().len() > 20, "{stock}");
        assert_eq!(python["trades"], stock["trades"]);
        assert_eq!(python["hashes"]["trades"], stock["hashes"]["trades"]);
        assert_eq!((&python["pnl"], &python["orders"]), (&stock["pnl"], &stock["orders"]));
    }
}

/// What the package's test kit makes of it, with the money of the quickstart: its trades, and for which reasons orders were denied.
fn in_test_kit(folder: &Path, script: &str, class: &str) -> Value {
    let kit = format!(
        "
import json
from glm import testkit
from {script} import {class}
money = dict(capital={{'USDT': '3000', 'BTC': '0.34'}}, fee_percent='0.1')
result = testkit.run({class}, '{data}', **money)
amount = lambda value: format(value.normalize(), 'f')
trades = [[t.index, t.side, str(t.price), amount(t.quantity), amount(t.fee)] for t in result.trades]
print(json.dumps([trades, sorted(set(reason for _, reason in result.denied))]))
",
        data = examples().join("btcusdt-1h-2020q2.csv.gz").display()
    );
    let mut python = std::process::Command::new("python3");
    let path = examples().join("python-strategy");
    let done = python.args(["-B", "-c", &kit]).current_dir(folder).env("PYTHONPATH", path).output().unwrap();
    serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)))
}

/// Around the three candles that the file lacks: what is told is the same everywhere, and no gap.
#[test]
fn candles_that_a_file_lacks_are_told_alike_by_backtest_run_and_test_kit() {
    let script = "
import glm

class Hole(glm.Strategy):
    def bars(self):
        return [glm.Bars('BTC/USDT', '1h', 1), glm.Bars('BTC/USDT', '4h', 1)]
    def tell(self, *told):
        if 1593295200000 <= told[1] <= 1593331200000:
            print('heard', *told, flush=True)
    def on_bar(self, bar, context):
        self.tell(bar.interval, bar.open_time, bar.close)
    def on_tick(self, tick, context):
        self.tell('tick', tick.time, tick.price)
    def on_gap(self, symbol, context):
        print('heard', 'gap', symbol, flush=True)

if __name__ == '__main__':
    glm.run(Hole)
";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hole.py"), script).unwrap();
    copy_python_package(folder.path());
    let told = |said: &str| {
        let lines = said.lines().filter_map(|line| line.split_once("heard ")).map(|(_, told)| told.to_owned());
        lines.collect::<Vec<_>>()
    };
    let manifest = std::fs::read_to_string(examples().join("quickstart.yaml")).unwrap();
    let manifest = with(&manifest, STOCK, &process("hole.py", ""));
    std::fs::write(folder.path().join("manifest.yaml"), manifest).unwrap();
    let file = "btcusdt-1h-2020q2.csv.gz";
    std::fs::copy(examples().join(file), folder.path().join(file)).unwrap();
    let runs = [
        "backtest manifest.yaml --source python=. --data btcusdt-1h-2020q2.csv.gz",
        "run manifest.yaml --source python=.",
    ];
    let [backtest, run] = runs.map(|arguments| {
        let done = run_worker(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        told(&done.stderr)
    });
    let kit = format!(
        "from glm import testkit\nfrom hole import Hole\ntestkit.run(Hole, '{file}', capital={{'USDT': '3000'}})"
    );
    let done =
        std::process::Command::new("python3").args(["-B", "-c", &kit]).current_dir(folder.path()).output().unwrap();
    let kit = told(&String::from_utf8(done.stdout).unwrap());
    assert!(kit.len() > 20 && !kit.iter().any(|told| told.starts_with("gap")), "{kit:?}");
    // Of two hours, of one after three that are missing, and the hours one by one.
    for bar in ["4h 1593302400000 8971.8", "4h 1593316800000 9023.09", "1h 1593320400000 8961.59"] {
        assert!(kit.iter().any(|told| told.starts_with(bar)), "{bar}: {kit:?}");
    }
    assert_eq!((&backtest, &run), (&kit, &kit));
}

/// The same of what `backtest` printed.
fn in_backtest(outcome: &Value) -> Value {
    let fields = ["index", "side", "price", "quantity", "fee"];
    let row = |trade: &Value| fields.map(|field| trade[field].clone());
    let trades: Vec<_> = outcome["trades"].as_array().unwrap().iter().map(row).collect();
    let denied: BTreeSet<_> = outcome["orders"]["denied"].as_object().unwrap().keys().collect();
    serde_json::json!([trades, denied])
}

#[test]
fn the_test_kit_gives_the_trades_and_denials_of_backtest() {
    let crowded = tempfile::tempdir().unwrap();
    let tests = examples().parent().unwrap().join("tests/processes");
    std::fs::copy(tests.join("crowd.py"), crowded.path().join("crowd.py")).unwrap();
    copy_python_package(crowded.path());
    let here = examples().join("python-strategy");
    let strategies = [
        (here.as_path(), "mean", "Mean", 50, &[][..]),
        (here.as_path(), "grid", "Grid", 20, &[][..]),
        (crowded.path(), "crowd", "Crowd", 2_000, &["InsufficientFunds", "OrderRateExceeded"][..]),
    ];
    for (folder, script, class, trades_min, denied) in strategies {
        let outcome = backtest(&process(&format!("{script}.py"), ""), 0, folder);
        let made = in_backtest(&outcome);
        assert!(made[0].as_array().unwrap().len() >= trades_min, "{script}: {outcome}");
        assert_eq!(made[1], serde_json::json!(denied), "{script}");
        assert_eq!(made, in_test_kit(folder, script, class), "{script}");
    }
}
