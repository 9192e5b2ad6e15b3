//! Every manifest in examples/ runs as a reader of it would run it, and trades as it always did.
//!
//! The figures of all five were also made apart from the product, by a simulation written only from the rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::worker_binary::{Finished, run_worker};

/// Where an example ends.
struct Example {
    file: &'static str,
    data: &'static str,
    ticks: u64,
    trades: usize,
    /// Orders that still rest.
    open: u64,
    position: (&'static str, &'static str, &'static str),
    net: &'static str,
}

const EXAMPLES: [Example; 6] = [
    Example {
        file: "adaptive-grid.yaml",
        data: "btcusdt-1h-2020q2.csv.gz",
        ticks: 5872,
        trades: 21,
        open: 0,
        position: ("BTC", "0.16434", "4851.5766063578"),
        net: "354.9014869578",
    },
    Example {
        file: "ladder.yaml",
        data: "btcusdt-1h-2020q2.csv.gz",
        ticks: 5872,
        trades: 434,
        open: 18,
        position: ("BTC", "0.34137", "3671.259865686"),
        net: "792.389333986",
    },
    Example {
        file: "position-control.yaml",
        data: "btcusdt-1d-2019.csv.gz",
        ticks: 1488,
        trades: 31,
        open: 0,
        position: ("BTC", "0.59559", "1642.5736804617"),
        net: "1951.4080553617",
    },
    Example {
        file: "quickstart.yaml",
        data: "btcusdt-1h-2020q2.csv.gz",
        ticks: 5872,
        trades: 28,
        open: 0,
        position: ("BTC", "0.08514", "5502.6704577611"),
        net: "282.2190103611",
    },
    Example {
        file: "recording.yaml",
        data: "binance-spot-btcusdt-20240808.gz",
        ticks: 9757,
        trades: 4,
        open: 0,
        position: ("BTC", "0.06818", "1879.3370622"),
        net: "-6.7936396",
    },
    Example {
        file: "seed-bnb.yaml",
        data: "seed-bnb-synthetic.csv",
        ticks: 22,
        trades: 3,
        open: 0,
        position: ("BNB", "6.027", "2411.5441"),
        net: "-20.4719",
    },
];

/// The prices of now: nobody knows its figures.
const LIVE: &str = "live-paper.yaml";

#[test]
fn the_example_on_live_prices_is_valid() {
    let valid = worker(&["validate", &format!("examples/{LIVE}")]);
    assert_eq!((valid.stdout.lines().count(), valid.stderr.as_str()), (2, ""), "{}", valid.stdout);
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Runs the worker where a reader stands: at the root of the repository.
#[track_caller]
fn worker(arguments: &[&str]) -> Finished {
    let finished = run_worker(&repository(), arguments);
    assert_eq!(finished.code, Some(0), "worker {arguments:?}: {}", finished.stderr);
    finished
}

#[test]
fn no_example_is_forgotten() {
    let files = fs::read_dir(repository().join("examples")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "yaml")).collect();
    names.sort();
    let mut known: Vec<_> = EXAMPLES.map(|example| example.file).into_iter().chain([LIVE]).collect();
    known.sort_unstable();
    assert_eq!(names, known, "each example has its figures in this file");
}

#[test]
fn each_example_is_valid_and_trades_as_it_always_did() {
    for example in &EXAMPLES {
        let file = format!("examples/{}", example.file);
        let valid = worker(&["validate", &file]);
        let resources = valid.stdout.lines().filter(|line| !line.starts_with(' '));
        assert_eq!((resources.count(), valid.stderr.as_str()), (2, ""), "{file}");

        let run = worker(&["run", &file, "--output", "json"]);
        let strategy: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
        let status = &strategy["status"];
        let (base, held, cash) = example.position;
        let orders = json!({
            "open": example.open, "unknown": 0, "filled": example.trades, "denied": 0, "deniedReasons": {}, "expired": 0, "rejected": 0,
        });
        assert_eq!(status["orders"], orders, "{file}");
        assert_eq!(status["position"], json!({base: held, "USDT": cash}), "{file}");
        assert_eq!(status["pnl"]["net"], example.net, "{file}");
        // Nothing to be warned of: an example shows how it is done.
        assert_eq!(status["summary"]["alert"], "MarketDataEnded", "{file}");
    }
}

#[test]
fn backtest_and_run_agree_on_each_example() {
    for example in &EXAMPLES {
        let (file, data) = (format!("examples/{}", example.file), format!("examples/{}", example.data));
        let backtest = worker(&["backtest", &file, "--data", &data]);
        // What is odd about the real data is said, and nothing else.
        let odd = backtest
            .stderr
            .lines()
            .filter(|line| !line.starts_with("warning: MissingCandles: 3 candles are missing in 1 place, "))
            .filter(|line| !line.ends_with(": 18 orders still open at the end"))
            .filter(|line| {
                !line.ends_with("2 orders traded in part") && !line.contains(" was on offer at the best price ")
            });
        assert_eq!(odd.collect::<Vec<_>>(), Vec::<&str>::new(), "{file}");
        let outcome: Value = serde_json::from_str(&backtest.stdout).unwrap();
        let run = worker(&["run", &file, "--output", "json"]);
        let strategy: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
        let status = &strategy["status"];
        assert_eq!(outcome["ticks"], example.ticks, "{file}");
        assert_eq!(outcome["pnl"], status["pnl"], "{file}");
        assert_eq!(outcome["final"]["position"], status["position"], "{file}");
        let trades = outcome["trades"].as_array().unwrap();
        assert_eq!(trades.len(), example.trades, "{file}");
        let newest = status["recentTrades"].as_array().unwrap();
        for (trade, recent) in trades.iter().rev().zip(newest) {
            for field in ["side", "price", "quantity", "fee", "feeAsset"] {
                assert_eq!(trade[field], recent[field], "{file}: {field}");
            }
        }
        assert_eq!(newest.len(), trades.len().min(5), "{file}");
    }
}

/// What `backtest` prints is the same to the byte, at once and with a latency of 1.5 s: `tests/golden/backtest/` holds what
/// the release before printed. Where a rule has changed, so that other trades are right, its files are written anew with
/// the same command and the change says why.
#[test]
fn each_example_prints_the_same_bytes_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    for example in &EXAMPLES {
        let name = example.file.strip_suffix(".yaml").unwrap();
        let data = format!("examples/{}", example.data);
        let manifest = fs::read_to_string(repository().join("examples").join(example.file)).unwrap();
        for (latency, golden) in [(0, format!("{name}.json")), (1_500, format!("{name}-1500ms.json"))] {
            let slow = manifest.replacen("    paper: ", &format!("    paper:\n      latencyMs: {latency} "), 1);
            assert_ne!(slow, manifest, "the account's venue stands elsewhere in {name}");
            let file = folder.path().join(&golden).with_extension("yaml");
            fs::write(&file, slow).unwrap();
            let printed = worker(&["backtest", file.to_str().unwrap(), "--data", &data]).stdout;
            let golden = format!("tests/golden/backtest/{golden}");
            let expected = fs::read_to_string(repository().join(&golden)).unwrap();
            // Of the version, which is another with each release, only the hash tells.
            let program = |line: &str| {
                let line: Value = serde_json::from_str(line).unwrap();
                line["hashes"]["program"].as_str().unwrap().to_owned()
            };
            let expected = expected.replace(&program(&expected), &program(&printed));
            assert!(printed == expected, "{golden} is not what is printed now:\n{printed}");
        }
    }
}

/// What a reader's first command shows on stdout.
const QUICKSTART: &str = "\
NAME         MODE    SYMBOL     STATE     READY   TRADES   POSITION      NET-PNL        ALERT
grid-btc-1   Paper   BTC/USDT   Stopped   True    28       0.08514 BTC   +282.22 USDT   MarketDataEnded

  equity    5998.51 -> 6280.73 USDT, +4.70 % (buy-and-hold: +1.81 %); max drawdown 4.22 %
  net       282.22 = realized 296.59 + unrealized 2.87 - fees 17.24
  holds     0.08514 BTC at 9138.59 + 5502.67 USDT; would sell above 9282.37, buy below 8918.35
";

/// And on stderr, but for the seconds it took.
const QUICKSTART_TALK: [&str; 2] = [
    "\
Paper trading: no exchange, no key, no server. State is in memory and forgotten at exit (keep it: --redis URL).

  account   paper       10000 USDT, 1 BTC; fees 0.1 %, paid in USDT
  strategy  grid-btc-1  BTC/USDT, grid 2 %, 10 % of equity per order; capital 3000 USDT + 0.34 BTC = 5998.51 USDT
  data      btcusdt-1h-2020q2.csv.gz: 1,468 real candles, 2020-04-30 21:00 to 2020-07-01 03:00 UTC, 3 missing

  start 8819.15: sells after a turn above 8995.53, buys after a turn below 8642.77
  04-30 23:45  Buy   0.06880 @ 8620.00  fee 0.59   low 8573.98, turned up 0.4 %
  05-01 10:15  Sell  0.06817 @ 8815.82  fee 0.60   high 8860.00, turned down 0.4 %
  ...          26 more (-v shows all, and each order not sent, with why)
  data ended: 5,872 ticks in ",
    " s


Next: change gridSizePercent, run again | worker backtest ... --data FILE | kubectl apply -f examples/quickstart.yaml
",
];

#[test]
fn the_first_command_shows_this() {
    let finished = worker(&["run", "examples/quickstart.yaml"]);
    assert_eq!(finished.stdout, QUICKSTART);
    let [before, after] = QUICKSTART_TALK;
    let seconds = finished.stderr.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    let seconds = seconds.unwrap_or_else(|| panic!("other words:\n{}", finished.stderr));
    assert!(seconds.parse::<f64>().is_ok_and(|seconds| seconds < 60.0), "{seconds}");
}

#[test]
fn the_readme_shows_the_same_screen() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let [before, after] = QUICKSTART_TALK;
    let (ended, next) = after.split_once("\n\n").unwrap();
    let shown = readme.split_once(before).unwrap_or_else(|| panic!("README.md does not hold:\n{before}")).1;
    // On a terminal, the table stands between the two halves of the talk.
    let end = format!("{ended}\n\n{QUICKSTART}{next}```\n");
    let (seconds, _) = shown.split_once(&end).unwrap_or_else(|| panic!("README.md does not hold:\n{end}"));
    assert!(seconds.parse::<f64>().is_ok(), "{seconds}");
}

/// What the README shows of the ladder, in both languages.
#[test]
fn the_readme_shows_the_ladder_as_it_ends() {
    let finished = worker(&["run", "examples/ladder.yaml"]);
    for readme in ["README.md", "README.zh.md"] {
        let text = fs::read_to_string(repository().join(readme)).unwrap();
        assert!(
            text.contains(&format!("```\n{}```\n", finished.stdout)),
            "{readme} does not hold:\n{}",
            finished.stdout
        );
    }
    assert!(finished.stderr.contains("\nNext: change levels, run again"), "{}", finished.stderr);
    // Each trade stands beside its own level, however long its order rested.
    assert!(finished.stderr.contains("Buy   0.03793 @ 8700.00  fee 0.33   level 5 of 18\n"), "{}", finished.stderr);
}
