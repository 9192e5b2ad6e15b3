//! A folder with a manifest and its data, and the worker run in it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use engine::running_hash::RunningHash;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;
use tests::worker_binary::{Finished, Running, run_worker, worker_binary};

/// The time of the first tick of [`ticks`].
pub const START_MS: i64 = 1_700_000_000_000;
/// From one of its ticks to the next.
pub const STEP_MS: i64 = 60_000;

/// Vector V1: each rule of the grid once.
pub const V1: &str = "600 606 611 612 613 615 612.60 612.50 605 600.25 598 596 597 598.40 590 586.40 587.50 586.40 \
                      584.00 586.00 586.40 592";

/// A valid account and a valid strategy, one field to a line where a case may change it.
pub const MANIFEST: &str = "\
apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata:
  name: paper
spec:
  venue:
    paper:
      balances: {USDT: 10000, BNB: 20}
      fees: {takerPercent: 0}
      latencyMs: 0
  marketData:
    replay:
      file: prices.csv
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata:
  name: grid-bnb-1
spec:
  accountRef:
    name: paper
  instruments:
  - symbol: BNB/USDT
    rules: {tickSize: \"0.01\", lotSize: \"0.001\"}
  capital: {USDT: 3000, BNB: 5}
  strategy:
    grid:
      basePrice: 600
      gridSizePercent: 2
  risk: {maxOrdersPerMinute: 10}
";

/// `text` with `old`, which must be there, replaced.
#[track_caller]
pub fn with(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old:?} is not in {text}");
    text.replacen(old, new, 1)
}

/// Only the strategy of a manifest of two documents.
pub fn strategy_of(manifest: &str) -> &str {
    manifest.split_once("---\n").unwrap().1
}

/// Ticks, a minute apart; each of `rows` is a price, or a price and more columns, divided by commas.
pub fn ticks<'a>(header: &str, rows: impl IntoIterator<Item = &'a str>) -> String {
    let rows = rows.into_iter().zip(0..).map(|(row, index)| format!("{},{row}\n", START_MS + STEP_MS * index));
    format!("{header}\n{}", rows.collect::<String>())
}

/// Prices, a minute apart.
pub fn prices(text: &str) -> String {
    ticks("time,price", text.split_whitespace())
}

/// Compresses a text.
pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A file of the repository, as an argument.
pub fn repository_file(path: &str) -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path);
    root.to_str().unwrap().to_owned()
}

/// Puts the Python package where a user would: beside his scripts.
pub fn copy_python_package(into: &Path) {
    let package = into.join("glm");
    fs::create_dir(&package).unwrap();
    for module in fs::read_dir(repository_file("examples/python-strategy/glm")).unwrap() {
        let module = module.unwrap().path();
        if module.is_file() {
            fs::copy(&module, package.join(module.file_name().unwrap())).unwrap();
        }
    }
}

/// A folder that goes away with the test.
pub struct Folder(TempDir);

impl Folder {
    /// With these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    /// With this manifest as `grid.yaml`, and these data as `prices.csv`.
    pub fn of(manifest: &str, data: &str) -> Self {
        Self::with(&[("grid.yaml", manifest), ("prices.csv", data)])
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), content).unwrap();
    }

    /// Makes a named pipe.
    pub fn pipe(&self, name: &str) {
        let made = std::process::Command::new("mkfifo").arg(self.0.path().join(name)).status();
        assert!(made.unwrap().success());
    }

    /// Runs the worker with arguments divided by spaces.
    pub fn worker(&self, arguments: &str) -> Finished {
        run_worker(self.0.path(), &arguments.split(' ').collect::<Vec<_>>())
    }

    /// Starts the worker.
    pub fn start(&self, arguments: &str) -> Running {
        Running::start(self.0.path(), &arguments.split(' ').collect::<Vec<_>>())
    }

    /// Runs the worker with a stdout whose reader has gone; its exit code and its talk.
    pub fn with_a_closed_pipe(&self, arguments: &str) -> (Option<i32>, String) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(worker_binary());
        command.args(arguments.split(' ')).current_dir(self.0.path()).env_clear().stdout(writer);
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// What a command that must succeed prints; it may say nothing.
    #[track_caller]
    pub fn prints(&self, arguments: &str) -> String {
        let Finished { code, stdout, stderr } = self.worker(arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "worker {arguments}: {stdout}");
        stdout
    }

    /// A command that must fail with this exit code and these words, and print nothing.
    #[track_caller]
    pub fn refuses(&self, arguments: &str, code: i32, words: &str) {
        let finished = self.worker(arguments);
        let expected = Finished { code: Some(code), stdout: String::new(), stderr: format!("{words}\n") };
        assert_eq!(finished, expected, "worker {arguments}");
    }
}

/// The figures that `backtest` prints of a manifest on data.
#[track_caller]
pub fn backtest(manifest: &str, data: &str) -> String {
    let finished = Folder::of(manifest, data).worker("backtest grid.yaml --data prices.csv");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    figures(&finished.stdout)
}

/// Ticks, trades, and where it ended, of each line that `backtest` prints. What stands behind them is held against them,
/// and left out.
#[track_caller]
pub fn figures(printed: &str) -> String {
    let line = |line: &str| {
        let result: Value = serde_json::from_str(line).unwrap();
        let (trades, orders) = (result["trades"].as_array().unwrap(), &result["orders"]);
        let mut hash = RunningHash::default();
        for trade in trades {
            hash.update(format!("{trade}\n").as_bytes());
        }
        assert_eq!(result["hashes"]["trades"], hash.hex(), "{line}");
        assert_eq!(
            (&result["data"]["ticks"], orders["filled"].as_u64()),
            (&result["ticks"], Some(trades.len() as u64))
        );
        let (figures, _) = line.split_once(",\"orders\":{").unwrap();
        format!("{figures}}}\n")
    };
    printed.lines().map(line).collect()
}
