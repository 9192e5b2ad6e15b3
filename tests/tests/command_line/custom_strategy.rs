//! The worker with a strategy of its own in `examples/custom-strategy`: built, tested and run as a stranger would who has
//! copied that folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/custom-strategy")
}

/// Runs cargo there, with the folder in which this test was built: what both use is not built twice.
fn cargo(arguments: &[&str]) -> PathBuf {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).arg("--locked").current_dir(folder()).env("CARGO_TARGET_DIR", &target);
    let done = cargo.output().unwrap();
    assert!(done.status.success(), "cargo {arguments:?}: {}", text(&done.stderr));
    target.join("debug/dips-worker")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| cargo(&["build"]))
}

/// Its manifest, with `old` replaced by `new`, and its data in a folder.
fn copied(old: &str, new: &str) -> TempDir {
    let copied = tempfile::tempdir().unwrap();
    let manifest = fs::read_to_string(folder().join("manifest.yaml")).unwrap();
    assert!(manifest.contains(old), "{old}");
    fs::write(copied.path().join("manifest.yaml"), manifest.replace(old, new)).unwrap();
    let data = "btcusdt-1h-2020q2.csv.gz";
    fs::copy(folder().parent().unwrap().join(data), copied.path().join(data)).unwrap();
    copied
}

fn run(folder: &TempDir, arguments: &str) -> Output {
    Command::new(program()).args(arguments.split(' ')).current_dir(folder.path()).env_clear().output().unwrap()
}

#[test]
fn its_own_tests_pass() {
    cargo(&["test"]);
}

#[test]
fn it_trades_alike_in_backtest_and_run() {
    let folder = copied("fallPercent: 5", "fallPercent: 5");
    let backtest = run(&folder, "backtest manifest.yaml --data btcusdt-1h-2020q2.csv.gz");
    let outcome: Value =
        serde_json::from_slice(&backtest.stdout).unwrap_or_else(|_| panic!("{}", text(&backtest.stderr)));
    let trades = outcome["trades"].as_array().unwrap();
    // Seven of some 450 USDT each; the eighth would take the coins past maxPositionPercent.
    assert_eq!(trades.len(), 7, "{outcome}");
    assert_eq!(outcome["orders"]["denied"]["PositionLimit"], 1, "{outcome}");
    assert!(trades.iter().all(|trade| trade["side"] == "Buy" && trade["quantity"] == "0.05"), "{outcome}");
    assert_eq!(outcome["pnl"]["net"], status(&run(&folder, "run manifest.yaml --output json"))["pnl"]["net"]);
}

/// The status of the last resource that was printed.
fn status(done: &Output) -> Value {
    let last = text(&done.stdout).lines().last().map(str::to_owned);
    let last = last.unwrap_or_else(|| panic!("{}", text(&done.stderr)));
    serde_json::from_str::<Value>(&last).unwrap()["status"].clone()
}

#[test]
fn bad_parameters_are_refused_with_field_value_and_remedy() {
    let folder = copied("fallPercent: 5", "fallPercent: 51");
    let words = "fallPercent: 51 is out of range; write more than 0, at most 50";
    for arguments in ["backtest manifest.yaml --data btcusdt-1h-2020q2.csv.gz", "run manifest.yaml"] {
        let refused = run(&folder, arguments);
        assert!(text(&refused.stderr).contains(words), "{arguments}: {}", text(&refused.stderr));
        assert_eq!(refused.status.code(), Some(4), "{arguments}");
    }
}
