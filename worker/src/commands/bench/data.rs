//! Reading recorded data: files made here, in a folder that is taken away again.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use engine::instrument::{Symbol, SymbolError};
use flate2::Compression;
use flate2::write::GzEncoder;
use venue::replay::Replay;

use super::instructions::Instructions;
use super::{START_MS, Taken, measure};
use crate::process::exit::Failure;

/// A candle's length.
const MINUTE_MS: i64 = 60_000;
/// How many ticks a candle becomes.
const TICKS_A_CANDLE: u32 = 4;

/// A file in a folder of its own, both gone when it is dropped.
pub(super) struct File(PathBuf);

impl File {
    pub fn of(name: &str, bytes: &[u8]) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("worker-bench-{}", std::process::id()));
        let file = Self(folder.join(name));
        fs::create_dir_all(&folder).and_then(|()| fs::write(&file.0, bytes)).map_err(|error| file.refuse(&error))?;
        Ok(file)
    }

    /// Another file in the same folder.
    pub fn beside(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.0.with_file_name(name);
        fs::write(&path, bytes).map_err(|error| self.refuse(&error))?;
        Ok(path)
    }

    fn refuse(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::error(format!("{}: {error}", self.0.display()))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What cannot be taken away lies in the folder for what nobody needs any more.
        let _ = self.0.parent().map(fs::remove_dir_all);
    }
}

/// Ticks of a CSV with quotes, sizes and volume, a second pass as every replay makes one: the first one checks.
pub fn csv(counter: &mut Instructions, ticks: u32) -> Result<Taken, Failure> {
    let mut text = "time,price,bid,ask,bidSize,askSize,volume\n".to_owned();
    for row in 0..ticks {
        let (time, cents) = (START_MS + i64::from(row) * 1_000, walk(row));
        let (price, bid, ask) = (Cents(cents), Cents(cents - 1), Cents(cents + 1));
        let _ = writeln!(text, "{time},{price},{bid},{ask},1.25,0.75,0.{:05}", row % 90_000 + 1);
    }
    read(counter, ticks, &File::of("ticks.csv", text.as_bytes())?)
}

/// Ticks of gzipped candles.
pub fn candles_gz(counter: &mut Instructions, ticks: u32) -> Result<Taken, Failure> {
    let mut text = "open_time_ms,open,high,low,close,volume\n".to_owned();
    // One candle alone would not tell how long it is.
    let candles = ticks.div_ceil(TICKS_A_CANDLE).max(2);
    for row in 0..candles {
        let time = START_MS / MINUTE_MS * MINUTE_MS + i64::from(row) * MINUTE_MS;
        let (open, close) = (walk(row), walk(row + 1));
        let (high, low) = (Cents(open.max(close) + 7), Cents(open.min(close) - 7));
        let _ = writeln!(text, "{time},{},{high},{low},{},{}.5", Cents(open), Cents(close), row % 1_000);
    }
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    let packed = gz.write_all(text.as_bytes()).and_then(|()| gz.finish());
    let packed = packed.map_err(|error| Failure::error(format!("candles.csv.gz: {error}")))?;
    read(counter, candles, &File::of("candles.csv.gz", &packed)?)
}

/// Ticks of a recording, two messages each: the quotes before a trade, and the trade.
pub fn recordings(counter: &mut Instructions, ticks: u32) -> Result<Taken, Failure> {
    let mut text = String::new();
    for row in 0..ticks {
        let (time, cents) = (START_MS + i64::from(row) * 1_000, walk(row));
        let (price, bid, ask) = (Cents(cents), Cents(cents - 1), Cents(cents + 1));
        let update = u64::from(row) * 3 + 50_093_239_212;
        let _ = writeln!(
            text,
            "{}000000 {{\"stream\":\"bnbusdt@bookTicker\",\"data\":{{\"u\":{update},\"s\":\"BNBUSDT\",\
             \"b\":\"{bid}000000\",\"B\":\"1.25000000\",\"a\":\"{ask}000000\",\"A\":\"0.75000000\"}}}}",
            time + 20
        );
        let (id, volume, maker) = (u64::from(row) + 735_683_259, row % 90_000 + 1, row % 2 == 0);
        let _ = writeln!(
            text,
            "{}000000 {{\"stream\":\"bnbusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{},\"s\":\"BNBUSDT\",\
             \"t\":{id},\"p\":\"{price}000000\",\"q\":\"0.{volume:05}000\",\"T\":{time},\"m\":{maker},\"M\":true}}}}",
            time + 30,
            time + 1
        );
    }
    read(counter, ticks.saturating_mul(2), &File::of("recording.jsonl", text.as_bytes())?)
}

/// A price in hundredths of the quote asset.
struct Cents(i64);

impl std::fmt::Display for Cents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// A price that goes up and down.
fn walk(row: u32) -> i64 {
    let place = i64::from(row % 2_000);
    60_000 + if place < 1_000 { place } else { 2_000 - place }
}

fn read(counter: &mut Instructions, rows: u32, file: &File) -> Result<Taken, Failure> {
    let symbol: Symbol = "BNB/USDT".parse().map_err(|error: SymbolError| file.refuse(&error))?;
    let summary = Arc::new(Replay::scan(std::slice::from_ref(&file.0), &symbol).map_err(|error| file.refuse(&error))?);
    let taken = measure(counter, || {
        let mut count = 0_u64;
        for tick in Replay::open(summary) {
            std::hint::black_box(tick.map_err(|error| file.refuse(&error))?);
            count += 1;
        }
        Ok((count, ()))
    })?;
    Ok(Taken { rows: Some(rows.into()), ..taken })
}
