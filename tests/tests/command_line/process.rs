//! Strategies that are processes, as a user runs them: their files from a folder, the same result from `run` as from
//! `backtest`, and what is said of one that fails.

use engine::testkit::quoting::Market;
use serde_json::Value;

use super::folder::{Folder, MANIFEST, prices, repository_file, with};

/// A process whose files stand in a ConfigMap.
fn manifest(file: &str) -> String {
    let grid = "    grid:\n      basePrice: 600\n      gridSizePercent: 2\n";
    let process = format!(
        "    process:\n      command: [python3, /strategies/{file}]\n      parameters: {{seed: 5}}\n      \
         source: {{configMap: strategies}}\n      timeoutMs: 20000\n"
    );
    with(&with(MANIFEST, grid, &process), "maxOrdersPerMinute: 10", "maxOrdersPerMinute: 600")
}

/// The folder of a user: a manifest, data, and the program below `programs`.
fn folder(file: &str, program: &str) -> Folder {
    let folder = Folder::of(&manifest(file), &Market::of(5, 2_000).csv());
    std::fs::create_dir(folder.path().join("programs")).unwrap();
    folder.write(&format!("programs/{file}"), program);
    folder
}

fn quoter() -> Folder {
    folder("quoter.py", &std::fs::read_to_string(repository_file("tests/processes/quoter.py")).unwrap())
}

const BACKTEST: &str = "backtest grid.yaml --data prices.csv --source strategies=programs";
const RUN: &str = "run grid.yaml --output json --source strategies=programs";

fn result(folder: &Folder) -> Value {
    let finished = folder.worker(BACKTEST);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn run_gives_the_trades_of_backtest() {
    let folder = quoter();
    let result = result(&folder);
    assert!(result["trades"].as_array().unwrap().len() >= 50, "{result}");
    let finished = folder.worker(RUN);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let statuses: Vec<Value> = finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let status = &statuses.iter().find(|status| status["kind"] == "TradingStrategy").unwrap()["status"];
    assert_eq!(status["orders"]["filled"], result["orders"]["filled"]);
    assert_eq!((&status["pnl"], &status["position"]), (&result["pnl"], &result["final"]["position"]));
    assert_eq!(status["summary"]["strategy"], "process");
}

#[test]
fn another_script_is_another_program() {
    let folder = quoter();
    let hashes = |folder: &Folder| result(folder)["hashes"].clone();
    let before = hashes(&folder);
    assert_eq!(before, hashes(&folder));
    let script = std::fs::read_to_string(folder.path().join("programs/quoter.py")).unwrap();
    folder.write("programs/quoter.py", format!("{script}\n# the same\n"));
    let after = hashes(&folder);
    assert_eq!((&before["trades"], &before["parameters"]), (&after["trades"], &after["parameters"]));
    assert_ne!(before["program"], after["program"]);
}

/// It thinks over each of many events of one tick, longer together than anybody waits.
#[test]
fn a_worker_that_is_to_stop_asks_its_process_nothing_more() {
    let program = "import json, sys, time\nsys.stdin.readline()\nprint('{\"v\":1,\"type\":\"ready\"}', flush=True)\n\
        for line in sys.stdin:\n m = json.loads(line)\n if m['type'] == 'stop': break\n e = m['events'][0]\n a = []\n \
        if e['type'] == 'tick': a = [{'place': {'side': 'Buy', 'quantity': '900000', 'price': '500'}}] * 256\n \
        elif e['status'] == 'Denied':\n  print('thinks', file=sys.stderr, flush=True)\n  time.sleep(0.1)\n \
        print(json.dumps({'v': 1, 'type': 'answer', 'batch': m['batch'], 'consumed': 1, 'actions': a}), flush=True)\n";
    let folder = folder("slow.py", program);
    let mut running = folder.start(RUN);
    running.await_talk("thinks");
    running.terminate();
    let finished = running.end();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let asked = finished.stderr.matches("thinks").count();
    assert!(asked < 128, "{asked} of 256 events were told before it stopped");
}

#[test]
fn files_of_a_config_map_are_asked_for() {
    let folder = quoter();
    let path = "grid-bnb-1: spec.strategy.process.source.configMap";
    folder.refuses(
        "backtest grid.yaml --data prices.csv",
        4,
        &format!("{path}: \"strategies\" is in a cluster; write --source strategies=FOLDER"),
    );
    let missing = "backtest grid.yaml --data prices.csv --source strategies=nowhere";
    folder.refuses(missing, 3, "--source strategies=nowhere: there is no such folder");
    let other = format!("{BACKTEST} other=programs");
    let words = "--source other: no strategy has a process with this configMap; leave it out, or correct the name";
    folder.refuses(&other, 4, words);
}

#[test]
fn a_program_that_fails_is_told_with_its_last_lines_and_the_exit_code() {
    let program = "import json, sys\nsys.stdin.readline()\nprint('{\"v\":1,\"type\":\"ready\"}', flush=True)\n\
        sys.stdin.readline()\nraise ValueError('it is over')\n";
    let folder = folder("bad.py", program);
    let backtest = folder.worker(BACKTEST);
    assert_eq!(backtest.code, Some(1), "{}", backtest.stderr);
    let words = "  StrategyCrashed: its process has ended (exit status: 1); its last lines: Traceback";
    assert!(backtest.stderr.contains("\ngrid-bnb-1: 11-14 22:13:"), "{}", backtest.stderr);
    assert!(backtest.stderr.contains(words) && backtest.stderr.contains("ValueError: it is over"), "{backtest:?}");
    let result: Value = serde_json::from_str(&backtest.stdout).unwrap();
    assert_eq!((&result["ticks"], result["trades"].as_array().unwrap().len()), (&2_000.into(), 0));
    let run = folder.worker(RUN);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("StrategyCrashed") && run.stderr.contains("ValueError: it is over"), "{}", run.stderr);
    assert!(run.stdout.contains("\"reason\":\"StrategyCrashed\""), "{}", run.stdout);
    // Once in its log, and once as why it is halted.
    assert_eq!(run.stderr.matches("ValueError: it is over").count(), 2, "{}", run.stderr);
}

/// Two wait, two take at once, and one takes beyond its own price.
#[test]
fn each_trade_is_shown_with_the_tag_of_its_own_order() {
    let program = "import json, sys\nsys.stdin.readline()\nprint('{\"v\":1,\"type\":\"ready\"}', flush=True)\n\
        def order(tag, side, price=None):\n return {'place': {'tag': tag, 'side': side, 'quantity': '1', **({'price': price} if price else {})}}\n\
        first = [order('high', 'Sell', '660'), order('now', 'Buy'), order('then', 'Buy'), order('under', 'Sell', '630'), \
        order('over', 'Buy', '700'), order('low', 'Buy', '570')]\n\
        for line in sys.stdin:\n m = json.loads(line)\n if m['type'] == 'stop': break\n\
        \x20a, first = first, []\n print(json.dumps({'v': 1, 'type': 'answer', 'batch': m['batch'], 'consumed': 1, 'actions': a}), flush=True)\n";
    let folder = folder("tags.py", program);
    folder.write("prices.csv", prices("600 600 569 631 661"));
    let run = folder.worker("run grid.yaml -v --source strategies=programs");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let shown = |line: &str| {
        let (_, trade) = line
            .split_once("  Buy ")
            .map(|(_, rest)| ("Buy", rest))
            .or_else(|| Some(("Sell", line.split_once("  Sell ")?.1)))?;
        Some(trade.split_once("order ")?.1.split(' ').next()?.to_owned())
    };
    let tags: Vec<_> = run.stderr.lines().filter_map(shown).collect();
    assert_eq!(tags, ["now", "then", "over", "low", "under", "high"], "{}", run.stderr);
}

#[test]
fn a_manifest_of_a_process_is_checked() {
    let folder = Folder::with(&[("bad.yaml", &with(&manifest("a.py"), "[python3, /strategies/a.py]", "[]"))]);
    let finished = folder.worker("validate bad.yaml");
    assert_eq!(finished.code, Some(4), "{finished:?}");
    let words = "spec.strategy.process.command: 0 entries; write 1 to 32";
    assert!(finished.stderr.contains(words), "{}", finished.stderr);
    folder.write("bad.yaml", with(&manifest("a.py"), "timeoutMs: 20000", "timeoutMs: 9"));
    let finished = folder.worker("validate bad.yaml");
    assert!(finished.stderr.contains("timeoutMs: 9 is out of range; write 10 to 60000"), "{}", finished.stderr);
}
