//! A folder of data files that goes away with the test, and what tests do with it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use engine::instrument::Symbol;
use engine::messages::Tick;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;
use venue::replay::{Replay, Summary};

/// The market of all tests.
pub fn symbol() -> Symbol {
    "BTC/USDT".parse().unwrap()
}

/// A folder that goes away with the test.
pub struct Folder(TempDir);

impl Folder {
    /// A new, empty folder.
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// The path of `name` inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Why `paths` are refused, without the folder's own name.
    #[track_caller]
    pub fn error(&self, paths: &[PathBuf]) -> String {
        self.shortened(&Replay::scan(paths, &symbol()).unwrap_err().to_string())
    }

    /// `text` without the folder's own name.
    pub fn shortened(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// `rows`, each with an end of line.
pub fn text(rows: impl IntoIterator<Item = String>) -> String {
    rows.into_iter().flat_map(|row| [row, "\n".to_owned()]).collect()
}

/// Compresses `bytes`.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file of the crate's test data.
pub fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// Scans `paths`.
#[track_caller]
pub fn scan(paths: &[PathBuf]) -> Summary {
    Replay::scan(paths, &symbol()).unwrap()
}

/// All ticks of `paths`.
#[track_caller]
pub fn ticks(paths: &[PathBuf]) -> Vec<Tick> {
    Replay::open(scan(paths)).collect::<Result<_, _>>().unwrap()
}

/// What is left of a file of candles after some of its bytes were overwritten and its end was cut off.
pub fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (
        prop::sample::select(&["candles-btcusdt-1h.csv.gz", "binance-candles-btcusdt-1h.csv"][..]),
        prop::collection::vec((0_usize..4_000, prop::sample::select(&b"0,.-{}\n\xff9"[..])), 0..4),
        0_usize..4_000,
    )
        .prop_map(|(source, damage, length)| {
            let mut bytes = fs::read(testdata(source)).unwrap();
            for (at, byte) in damage {
                if let Some(slot) = bytes.get_mut(at) {
                    *slot = byte;
                }
            }
            bytes.truncate(length);
            bytes
        })
}
