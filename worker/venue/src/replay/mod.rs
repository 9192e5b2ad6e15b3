//! Recorded market data as a stream of ticks, read as it is needed. May not wait, and knows no clock.
//!
//! [`Replay::scan`] reads all files once and refuses what is wrong with them; [`Replay::open`] then gives the
//! ticks. Who can take ticks back reads files only once, with a [`Reading`]: it gives the same ticks while it scans. The
//! same files give the same ticks, each time.

mod backwards;
mod candles;
mod columns;
mod error;
mod fields;
mod findings;
mod format;
mod header;
mod intervals;
mod layout;
mod lines;
mod opening;
mod reading;
mod recording;
mod scan;
mod statement;
mod summary;
mod tape;
mod ticks;
mod whole;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::instrument::Symbol;
use engine::messages::Tick;
use engine::numbers::Price;

use crate::observation::{Numbers, Observation};
use candles::{CandleReader, CandleTicks};
pub use error::{Contradiction, DataError, Place, RowRemedy, ValueError};
pub use findings::Finding;
pub use format::Format;
use layout::Layout;
pub use lines::Digest;
pub use reading::{Reading, Void};
use recording::RecordingReader;
pub use statement::{TradeStream, recorded_line, trades_line};
pub use summary::{FileSummary, Summary};
pub use tape::Tape;
use ticks::TickReader;
pub use whole::whole_bars;

/// The ticks of scanned files, in order. After an error it gives nothing more.
pub struct Replay {
    summary: Arc<Summary>,
    /// The file that the next tick is in.
    file: usize,
    /// That file, if it is open, and how many of its ticks are out.
    current: Option<(FileTicks, u64)>,
    /// The next tick's numbers, if none is missing before it.
    next: Numbers,
}

impl Replay {
    /// Reads `paths` once, checks every line, and says what they hold. Files are joined in time; they are replayed
    /// as they are now, so leave them alone until the replay is over.
    pub fn scan(paths: &[PathBuf], symbol: &Symbol) -> Result<Summary, DataError> {
        scan_all(paths, symbol, &[])
    }

    /// As [`Self::scan`], and counts the ticks with prices between two steps of `tick_size`.
    pub fn scan_for(paths: &[PathBuf], symbol: &Symbol, tick_size: Price) -> Result<Summary, DataError> {
        scan_all(paths, symbol, &[tick_size])
    }

    /// The format of a file, by its first line.
    pub fn format(path: &Path, symbol: &Symbol) -> Result<Format, DataError> {
        Ok(opening::open(path, symbol)?.1.format())
    }

    /// Stands before the first tick.
    pub fn open(summary: impl Into<Arc<Summary>>) -> Self {
        Self { summary: summary.into(), file: 0, current: None, next: Numbers::default() }
    }

    /// Stands before the tick at `position`, as [`Self::seek`].
    pub fn open_at(summary: impl Into<Arc<Summary>>, position: u64) -> Result<Self, DataError> {
        let mut replay = Self::open(summary);
        replay.seek(position)?;
        Ok(replay)
    }

    /// Goes to the tick at `position`, forward or back; past the last tick there is none. Files before it are not read, its
    /// own is read from the start.
    pub fn seek(&mut self, position: u64) -> Result<(), DataError> {
        self.current = None;
        self.file = 0;
        self.next = Numbers::default();
        for file in &self.summary.files {
            if self.next.position + file.ticks > position {
                break;
            }
            self.next.position += file.ticks;
            self.next.sequence = self.next.sequence.saturating_add(file.ticks).saturating_add(file.missed);
            self.file += 1;
        }
        while self.next.position < position && self.observe()?.is_some() {}
        Ok(())
    }

    /// What is replayed.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// How many ticks there are before the next one.
    pub const fn position(&self) -> u64 {
        self.next.position
    }

    /// The next observation and its numbers; none after the last file. Holds each file to what it was when it was scanned.
    fn observe(&mut self) -> Result<Option<(Observation, Numbers)>, DataError> {
        while let Some(file) = self.summary.files.get(self.file) {
            let (ticks, given) = match &mut self.current {
                Some(current) => current,
                None => self.current.insert((FileTicks::open(file, &self.summary.symbol)?, 0)),
            };
            match ticks.next()? {
                Some(observation) if *given < file.ticks => {
                    *given += 1;
                    let numbers = self.next.take(&observation);
                    return Ok(Some((observation, numbers)));
                }
                None if *given == file.ticks => {
                    self.current = None;
                    self.file += 1;
                }
                Some(_) | None => return Err(DataError::Changed { file: Arc::clone(&file.name) }),
            }
        }
        Ok(None)
    }
}

impl Iterator for Replay {
    type Item = Result<Tick, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.observe() {
            Ok(observed) => {
                let (observation, numbers) = observed?;
                let last = self.next.position == self.summary.ticks;
                Some(Ok(observation.into_tick(&self.summary.symbol, numbers, last)))
            }
            Err(error) => {
                (self.current, self.file) = (None, self.summary.files.len());
                Some(Err(error))
            }
        }
    }
}

fn scan_all(paths: &[PathBuf], symbol: &Symbol, tick_sizes: &[Price]) -> Result<Summary, DataError> {
    let file = |path: &PathBuf| scan::file(path, symbol, tick_sizes).map(|noted| noted.for_tick_size(0));
    summary::join(paths.iter().map(file).collect::<Result<_, _>>()?, symbol)
}

/// The ticks of one file in any format.
enum FileTicks {
    Ticks(TickReader),
    Candles(CandleTicks),
    Recording(RecordingReader),
}

impl FileTicks {
    fn open(file: &FileSummary, symbol: &Symbol) -> Result<Self, DataError> {
        let (lines, layout) = opening::open(&file.path, symbol)?;
        let format = layout.format();
        match (layout, file.interval_ms) {
            (Layout::Ticks(columns), None) => Ok(Self::Ticks(TickReader::new(lines, columns, symbol))),
            (Layout::Candles(columns) | Layout::BinanceCandles { columns, .. }, Some(interval_ms)) => {
                let reader = CandleReader::new(lines, format, columns, symbol);
                Ok(Self::Candles(CandleTicks::new(reader, interval_ms)))
            }
            (Layout::Recording, None) => Ok(Self::Recording(RecordingReader::new(lines, symbol))),
            _ => Err(DataError::Changed { file: Arc::clone(&file.name) }),
        }
    }

    fn next(&mut self) -> Result<Option<Observation>, DataError> {
        match self {
            Self::Ticks(reader) => reader.next(),
            Self::Candles(candles) => candles.next(),
            Self::Recording(reader) => reader.next(),
        }
    }
}
