//! Strategies whose process does what it must not: each is halted with the word for it and its last lines, its orders are
//! cancelled, and the worker goes on.

use std::fs;

use serde_json::Value;

use super::folder::{Folder, MANIFEST, prices, with};

const SCRIPT: &str = include_str!("hostile/misbehaves.py");
const GRID: &str = "    grid:
      basePrice: 600
      gridSizePercent: 2
";
const CRASHED: &str = "StrategyCrashed";
const TIMEOUT: &str = "StrategyTimeout";
const BAD: &str = "BadAction";

/// What it does, the word for that, and what the words beside it hold.
const CASES: [(&str, &str, &str); 19] = [
    ("exits", CRASHED, "exit status: 0"),
    ("fails", CRASHED, "ZeroDivisionError"),
    ("stalls", TIMEOUT, "tick 1 of BNB/USDT at 2023-11-14T22:14:20Z"),
    ("half", TIMEOUT, "within 1000 ms"),
    ("half-and-exits", CRASHED, "exit status: 0"),
    ("long", BAD, "1048576"),
    ("nan", BAD, "expected value at line 1"),
    ("nan-price", BAD, "NaN"),
    ("instrument", BAD, "ETH/USDT"),
    ("actions", BAD, "1048576"),
    ("consumed", BAD, "1000000"),
    ("batch", BAD, "batch 77"),
    ("text", BAD, "hello"),
    ("bytes", BAD, "UTF-8"),
    ("floods-stdout", BAD, "line 0 of a flood"),
    ("floods-stderr", CRASHED, "the last line"),
    ("memory", CRASHED, "MemoryError"),
    ("forks", CRASHED, "Operation not permitted"),
    (
        "reach",
        CRASHED,
        "reached [], environment ['LC_ALL', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'OPENSSL_CONF', 'PATH'",
    ),
];

fn folder(how: &str) -> Folder {
    // Only who never answers is not given time on a busy machine.
    let time = if ["stalls", "half"].contains(&how) { 1_000 } else { 30_000 };
    let process = format!(
        "    process:\n      command: [python3, mine/misbehaves.py]\n      parameters: {{how: {how}}}\n      timeoutMs: {time}\n"
    );
    let folder = Folder::of(&with(MANIFEST, GRID, &process), &prices("600 601 602 603 604 605 606 607"));
    fs::create_dir(folder.path().join("mine")).unwrap();
    folder.write("mine/misbehaves.py", SCRIPT);
    folder
}

#[test]
fn each_fault_halts_its_strategy_with_its_word_and_its_last_lines() {
    for (how, word, words) in CASES {
        let run = folder(how).worker("run grid.yaml --output json");
        let last = run.stdout.lines().last().unwrap_or_else(|| panic!("{how}: {}", run.stderr));
        let status = &serde_json::from_str::<Value>(last).unwrap()["status"];
        assert!(status["summary"]["alert"].as_str().unwrap().contains(word), "{how}: {status}\n{}", run.stderr);
        let told = format!("{}\n{}", status["decision"], run.stderr);
        assert!(told.contains(words), "{how}: {told}");
        // The order that it left at rest is gone.
        assert_eq!((&status["orders"]["open"], &status["orders"]["filled"]), (&0.into(), &0.into()), "{how}: {status}");
        assert_eq!(status["risk"]["state"], "Halted", "{how}: {status}");
    }
}
