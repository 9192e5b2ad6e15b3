//! Ticks while their files are scanned, for who can take them back: each file is read once. May not know who takes them.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use engine::instrument::Symbol;
use engine::messages::Tick;
use engine::numbers::Price;

use super::candles::{Candle, Quarters};
use super::error::DataError;
use super::scan::{self, CandleScan, Candles, FileScan, Noted, TickScan};
use super::summary::{self, FileSummary, Summary};
use crate::observation::{Numbers, Observation};

/// Candles that are read ahead of the one whose ticks go out: so many tell how long the others are.
const CANDLES_AHEAD: usize = 4_096;

/// Why the ticks that were given are void.
#[derive(Debug, thiserror::Error)]
pub enum Void {
    /// The data are refused, in the words of [`super::Replay::scan`].
    #[error(transparent)]
    Refused(#[from] DataError),
    /// Nothing is wrong with the data, but only a scan of all tells their ticks: candles of which the first are no
    /// pattern for the length of the others, or files that begin at one time.
    #[error("the ticks of these files are known only after a scan; scan them first")]
    ScanFirst,
}

/// The ticks of files, in order, while they are scanned. They count only once the last one is out and
/// [`Self::finish`] has given what the files hold: what is wrong with them may come last.
pub struct Reading {
    symbol: Symbol,
    tick_sizes: Vec<Price>,
    /// The files as they were named.
    named: Vec<PathBuf>,
    /// Those that are not begun, in the order of their times.
    waiting: VecDeque<PathBuf>,
    current: Option<FileReading>,
    /// Those that are read whole.
    done: Vec<Noted>,
    /// The next tick: only the end behind it tells that it is the last.
    held: Option<Observation>,
    /// The next tick's numbers, if none is missing before it.
    next: Numbers,
    failed: bool,
}

impl Reading {
    /// Stands before the first tick. Of several files the first rows are read, which tell their order. Prices are held
    /// against each of `tick_sizes`.
    pub fn open(paths: &[PathBuf], symbol: &Symbol, tick_sizes: &[Price]) -> Result<Self, Void> {
        let mut reading = Self {
            symbol: symbol.clone(),
            tick_sizes: tick_sizes.to_vec(),
            named: paths.to_vec(),
            waiting: paths.to_vec().into(),
            current: None,
            done: Vec::new(),
            held: None,
            next: Numbers::default(),
            failed: false,
        };
        match paths {
            [] => return Err(DataError::NoFile.into()),
            [_] => {}
            _ => reading.waiting = reading.in_time()?,
        }
        reading.held = reading.observe().map_err(|void| reading.told(void))?;
        Ok(reading)
    }

    /// What the files hold, for each of the tick sizes in their order, once the last tick is out.
    pub fn finish(self) -> Result<Vec<Summary>, Void> {
        if self.failed || self.held.is_some() || self.current.is_some() || !self.waiting.is_empty() {
            return Err(Void::ScanFirst);
        }
        let summary = |number| {
            let files = self.done.iter().map(|noted| noted.for_tick_size(number)).collect();
            Ok(summary::join(files, &self.symbol)?)
        };
        (0..self.tick_sizes.len()).map(summary).collect()
    }

    /// The files in the order of their first rows.
    fn in_time(&self) -> Result<VecDeque<PathBuf>, Void> {
        let first = |path: &PathBuf| FileScan::open(path, &self.symbol, &[]).and_then(FileScan::first_time);
        let mut files = Vec::new();
        for path in &self.named {
            let first = first(path).map_err(|error| self.told(error.into()))?;
            files.push((first.ok_or_else(|| self.told(Void::ScanFirst))?, path.clone()));
        }
        files.sort();
        // Of those that begin at one time, only their ends tell which is the earlier.
        if files.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Void::ScanFirst);
        }
        Ok(files.into_iter().map(|(_, path)| path).collect())
    }

    fn observe(&mut self) -> Result<Option<Observation>, Void> {
        loop {
            if let Some(file) = &mut self.current {
                if let Some(observation) = file.next()? {
                    return Ok(Some(observation));
                }
            } else {
                let Some(path) = self.waiting.pop_front() else { return Ok(None) };
                return self.begin(&path).map(Some);
            }
            if let Some(file) = self.current.take() {
                self.done.push(file.finish()?);
            }
        }
    }

    /// Opens a file and gives its first tick.
    fn begin(&mut self, path: &Path) -> Result<Observation, Void> {
        let mut file = FileReading::of(FileScan::open(path, &self.symbol, &self.tick_sizes)?);
        let Some(observation) = file.next()? else {
            // Without a tick it is refused.
            file.finish()?;
            return Err(Void::ScanFirst);
        };
        if let Some(earlier) = self.done.last() {
            summary::missing_between(&earlier.summary, &file.begun())?;
        }
        self.current = Some(file);
        Ok(observation)
    }

    /// Of several files, what a scan in the order of their names says first.
    fn told(&self, void: Void) -> Void {
        if self.named.len() == 1 || matches!(void, Void::ScanFirst) {
            return void;
        }
        let file = |path: &PathBuf| match self.done.iter().find(|noted| noted.summary.path == *path) {
            Some(noted) => Ok(noted.summary.clone()),
            None => scan::file(path, &self.symbol, &[]).map(|noted| noted.summary),
        };
        let files = self.named.iter().map(file).collect::<Result<_, _>>();
        files.and_then(|files| summary::join(files, &self.symbol)).map_or_else(Void::Refused, |_| void)
    }
}

impl Iterator for Reading {
    type Item = Result<Tick, Void>;

    fn next(&mut self) -> Option<Self::Item> {
        let observation = self.held.take()?;
        match self.observe() {
            Ok(following) => self.held = following,
            Err(void) => {
                self.failed = true;
                return Some(Err(self.told(void)));
            }
        }
        let numbers = self.next.take(&observation);
        Some(Ok(observation.into_tick(&self.symbol, numbers, self.held.is_none())))
    }
}

/// One file that is read.
enum FileReading {
    Ticks(Box<TickScan>),
    Candles(Quarters, Box<CandleReading>),
}

impl FileReading {
    fn of(scan: FileScan) -> Self {
        match scan {
            FileScan::Ticks(scan) => Self::Ticks(scan),
            FileScan::Candles(scan) => Self::Candles(Quarters::default(), Box::new(CandleReading::of(*scan))),
        }
    }

    fn next(&mut self) -> Result<Option<Observation>, Void> {
        match self {
            Self::Ticks(scan) => Ok(scan.next()?),
            Self::Candles(quarters, candles) => quarters.next(|| candles.next()),
        }
    }

    /// What the file holds, as far as its first tick tells.
    fn begun(&self) -> FileSummary {
        match self {
            Self::Ticks(scan) => scan.begun(),
            Self::Candles(_, candles) => candles.scan.begun(),
        }
    }

    fn finish(self) -> Result<Noted, DataError> {
        match self {
            Self::Ticks(scan) => scan.finish(),
            Self::Candles(_, candles) => candles.finish(),
        }
    }
}

/// A file of candles that is read ahead.
struct CandleReading {
    scan: CandleScan,
    /// Once it is read whole.
    ended: Option<Candles>,
    ahead: VecDeque<Candle>,
    /// By which the ticks were made before the end of the file told it.
    guessed_ms: Option<i64>,
}

impl CandleReading {
    fn of(scan: CandleScan) -> Self {
        Self { scan, ended: None, ahead: VecDeque::with_capacity(CANDLES_AHEAD), guessed_ms: None }
    }

    /// The next candle, and how long it is.
    fn next(&mut self) -> Result<Option<(Candle, i64)>, Void> {
        while self.ended.is_none() && self.ahead.len() < CANDLES_AHEAD {
            self.read()?;
        }
        let Some(candle) = self.ahead.pop_front() else { return Ok(None) };
        let interval_ms = match &self.ended {
            Some(candles) => candles.interval_ms,
            None => *self.guessed_ms.get_or_insert_with(|| self.scan.interval_so_far()),
        };
        Ok(Some((candle, candle.span(self.ahead.front()).length(interval_ms))))
    }

    /// Reads one candle. At the end it holds the lengths that were guessed against the right ones.
    fn read(&mut self) -> Result<(), Void> {
        if let Some(candle) = self.scan.next()? {
            self.ahead.push_back(candle);
            return Ok(());
        }
        let candles = self.scan.finish()?;
        if self.guessed_ms.is_some_and(|guessed_ms| !candles.are_as_long_by(guessed_ms)) {
            return Err(Void::ScanFirst);
        }
        self.ended = Some(candles);
        Ok(())
    }

    fn finish(mut self) -> Result<Noted, DataError> {
        self.ended.map_or_else(|| self.scan.finish(), Ok).map(|candles| candles.noted)
    }
}
