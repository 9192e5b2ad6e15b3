//! Reads a file and says what it holds, so that what is wrong with it comes out. May not join files.

use std::path::Path;
use std::sync::Arc;

use engine::instrument::Symbol;
use engine::numbers::Price;
use engine::time::Timestamp;

use super::candles::{Candle, CandleReader, TICKS_PER_CANDLE};
use super::error::{Contradiction, DataError, Place, RowRemedy};
use super::findings::Finer;
use super::format::Format;
use super::intervals::Intervals;
use super::layout::Layout;
use super::opening;
use super::recording::RecordingReader;
use super::summary::FileSummary;
use super::ticks::TickReader;
use crate::observation::Observation;

/// A file that is read; all that its rows say is kept.
pub(super) enum FileScan {
    Ticks(Box<TickScan>),
    Candles(Box<CandleScan>),
}

/// What was noted of a file.
#[derive(Debug, Clone)]
pub(super) struct Noted {
    /// Without the prices that are finer than a tick size.
    pub summary: FileSummary,
    /// These, for each tick size.
    finer: Vec<Finer>,
}

impl Noted {
    fn new(path: &Path, name: Arc<str>, format: Format, tick_sizes: &[Price]) -> Self {
        let finer = tick_sizes.iter().map(|tick_size| Finer::than(*tick_size)).collect();
        Self { summary: FileSummary::blank(path, name, format), finer }
    }

    /// What the file holds, for the tick size of this number; without one where none was given.
    pub(super) fn for_tick_size(&self, number: usize) -> FileSummary {
        let summary = self.summary.clone();
        match self.finer.get(number) {
            Some(finer) => FileSummary { finer: finer.finding.clone(), finest_places: finer.places, ..summary },
            None => summary,
        }
    }
}

/// Reads a file whole.
pub(super) fn file(path: &Path, symbol: &Symbol, tick_sizes: &[Price]) -> Result<Noted, DataError> {
    match FileScan::open(path, symbol, tick_sizes)? {
        FileScan::Ticks(mut scan) => {
            while scan.next()?.is_some() {}
            scan.finish()
        }
        FileScan::Candles(mut scan) => {
            while scan.next()?.is_some() {}
            scan.finish().map(|candles| candles.noted)
        }
    }
}

impl FileScan {
    /// Stands before the first row; prices are held against these tick sizes.
    pub(super) fn open(path: &Path, symbol: &Symbol, tick_sizes: &[Price]) -> Result<Self, DataError> {
        let (lines, layout) = opening::open(path, symbol).map_err(|error| opening::spelling(error, path, symbol))?;
        let format = layout.format();
        let noted = Noted::new(path, lines.file(), format, tick_sizes);
        Ok(match layout {
            Layout::Ticks(columns) => {
                let rows = Rows::Csv(Box::new(TickReader::new(lines, columns, symbol)));
                Self::Ticks(Box::new(TickScan { rows, noted }))
            }
            Layout::Recording => {
                let rows = Rows::Recording(Box::new(RecordingReader::new(lines, symbol)));
                Self::Ticks(Box::new(TickScan { rows, noted }))
            }
            Layout::Candles(columns) | Layout::BinanceCandles { columns, .. } => {
                let reader = CandleReader::new(lines, format, columns, symbol);
                let (intervals, last) = (Intervals::default(), None);
                Self::Candles(Box::new(CandleScan { reader, intervals, last, noted }))
            }
        })
    }

    /// Reads up to the first tick and gives the time of the first row; none where there is no tick.
    pub(super) fn first_time(mut self) -> Result<Option<Timestamp>, DataError> {
        Ok(match &mut self {
            Self::Ticks(scan) => scan.next()?.map(|_| scan.begun().first),
            Self::Candles(scan) => scan.next()?.map(|candle| candle.open_time),
        })
    }
}

/// A file of ticks.
pub(super) struct TickScan {
    rows: Rows,
    noted: Noted,
}

enum Rows {
    Csv(Box<TickReader>),
    Recording(Box<RecordingReader>),
}

impl Rows {
    fn next(&mut self) -> Result<Option<Observation>, DataError> {
        match self {
            Self::Csv(reader) => good(|| reader.next()),
            Self::Recording(reader) => good(|| reader.next()),
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Csv(reader) => reader.place(),
            Self::Recording(reader) => reader.place(),
        }
    }
}

impl TickScan {
    pub(super) fn next(&mut self) -> Result<Option<Observation>, DataError> {
        let Some(tick) = self.rows.next()? else { return Ok(None) };
        let Noted { summary, finer } = &mut self.noted;
        if summary.ticks == 0 {
            summary.first = tick.time;
        } else if let step @ 1.. = tick.time.millis_since(summary.last) {
            summary.step_ms = Some(summary.step_ms.map_or(step, |least| least.min(step)));
        }
        summary.last = tick.time;
        summary.ticks += 1;
        summary.missed = summary.missed.saturating_add(tick.missed);
        if tick.quote.is_some_and(|quote| quote.has_empty_side()) {
            summary.empty_quotes.add(|| self.rows.place());
        }
        for finer in finer {
            finer.note(tick.prices(), || self.rows.place());
        }
        Ok(Some(tick))
    }

    /// What the file holds as far as it was read: its name, and the time of its first row. Of a recording that is the
    /// first trade, which may have no quote to go with it.
    pub(super) fn begun(&self) -> FileSummary {
        let summary = self.noted.summary.clone();
        match &self.rows {
            Rows::Csv(_) => summary,
            Rows::Recording(reader) => {
                FileSummary { first: reader.seen().span.map_or(summary.first, |(first, _)| first), ..summary }
            }
        }
    }

    /// What the file holds, once it is read whole.
    pub(super) fn finish(self) -> Result<Noted, DataError> {
        let Noted { summary, finer } = self.noted;
        let summary = match self.rows {
            Rows::Csv(mut reader) => {
                if summary.ticks == 0 {
                    return Err(DataError::NoRows { file: summary.name });
                }
                FileSummary { rows: summary.ticks, ends: summary.last, digest: reader.digest(), ..summary }
            }
            Rows::Recording(mut reader) => recorded(summary, &mut reader)?,
        };
        Ok(Noted { summary, finer })
    }
}

/// What a recording holds that was read whole.
fn recorded(summary: FileSummary, reader: &mut RecordingReader) -> Result<FileSummary, DataError> {
    let (digest, seen, symbol) = (reader.digest(), reader.seen(), reader.market().to_owned());
    if seen.trades == 0 && seen.quotes == 0 {
        let file = summary.name;
        if seen.raw > 0 {
            let stream = symbol.to_ascii_lowercase();
            return Err(DataError::RawStream { file, symbol, stream, count: seen.raw });
        }
        return Err(DataError::NoSymbol { file, symbol, found: seen.other_markets() });
    }
    let Some((first, last)) = seen.span.filter(|_| summary.ticks > 0) else {
        return Err(DataError::NoTick { file: summary.name, symbol, trades: seen.trades, quotes: seen.quotes });
    };
    Ok(FileSummary {
        rows: seen.trades,
        first,
        last,
        ends: last,
        gaps: seen.ticks.sequence.gaps,
        missing: seen.ticks.sequence.missed,
        first_gap: seen.first_gap.clone(),
        other_markets: seen.others.clone(),
        repeated: seen.ticks.sequence.duplicates + seen.ticks.sequence.regressions,
        torn: reader.torn(),
        digest,
        ..summary
    })
}

/// A file of candles.
pub(super) struct CandleScan {
    reader: CandleReader,
    intervals: Intervals,
    last: Option<Candle>,
    noted: Noted,
}

/// What a file of candles holds.
pub(super) struct Candles {
    pub noted: Noted,
    /// How long its candles are where the data do not say it.
    pub interval_ms: i64,
    /// The lengths of all of them.
    intervals: Intervals,
}

impl Candles {
    /// Whether the candles are as long with a guess of [`Self::interval_ms`] as with the right one, the last one apart.
    pub(super) fn are_as_long_by(&self, guessed_ms: i64) -> bool {
        self.intervals.are_alike(guessed_ms, self.interval_ms)
    }
}

impl CandleScan {
    pub(super) fn next(&mut self) -> Result<Option<Candle>, DataError> {
        let Some(candle) = good(|| self.reader.next())? else { return Ok(None) };
        let Noted { summary, finer } = &mut self.noted;
        for finer in finer {
            for price in candle.prices {
                finer.note([price], || self.reader.place());
            }
        }
        match self.last {
            Some(last) => self.intervals.add(last.span(Some(&candle)), self.reader.line()),
            None => summary.first = candle.open_time,
        }
        summary.rows += 1;
        self.last = Some(candle);
        Ok(Some(candle))
    }

    /// How long most candles are, as far as they were read.
    pub(super) fn interval_so_far(&self) -> i64 {
        match self.intervals.clone().finish() {
            Ok(found) => found.map_or(0, |found| found.interval_ms),
            Err(irregular) => irregular.interval_ms,
        }
    }

    /// What the file holds as far as it was read: its name, and the time of its first row.
    pub(super) fn begun(&self) -> FileSummary {
        self.noted.summary.clone()
    }

    /// What the file holds, once it is read whole.
    pub(super) fn finish(&mut self) -> Result<Candles, DataError> {
        let summary = &self.noted.summary;
        let file = Arc::clone(&summary.name);
        let Some(last) = self.last else { return Err(DataError::NoRows { file }) };
        self.intervals.add(last.span(None), 0);
        let place = |line| Place { file: Arc::clone(&file), line };
        let found = self.intervals.finish().map_err(|irregular| DataError::Row {
            place: place(irregular.line),
            column: self.reader.time_name(),
            problem: Contradiction::Irregular {
                interval_ms: irregular.interval_ms,
                regular: irregular.regular,
                steps: irregular.steps,
            },
        })?;
        let Some(found) = found else { return Err(DataError::OneCandle { file }) };
        let last_ms = last.span(None).own.unwrap_or(found.last_ms);
        let summary = FileSummary {
            ticks: summary.rows * TICKS_PER_CANDLE,
            last: last.open_time,
            ends: last.open_time.plus_millis(last_ms),
            step_ms: Some(found.interval_ms / TICKS_PER_CANDLE.cast_signed()),
            interval_ms: Some(found.interval_ms),
            gaps: found.gaps,
            missing: found.missing,
            first_gap: found.first_gap.map(place),
            digest: self.reader.digest(),
            ..summary.clone()
        };
        let noted = Noted { summary, finer: self.noted.finer.clone() };
        Ok(Candles { noted, interval_ms: found.interval_ms, intervals: std::mem::take(&mut self.intervals) })
    }
}

/// The next row. Of rows that contradict themselves among good ones the first is told, with how many are like it: to
/// be told one a run would be no help.
fn good<T>(mut next: impl FnMut() -> Result<Option<T>, DataError>) -> Result<Option<T>, DataError> {
    let first = match next() {
        Err(first) if contradicts_itself(&first) => first,
        row => return row,
    };
    let mut more = 0;
    loop {
        match next() {
            Ok(Some(_)) => {}
            Err(error) if contradicts_itself(&error) => more += 1,
            Ok(None) | Err(_) => break,
        }
    }
    Err(if more == 0 { first } else { DataError::Rows { first: Box::new(first), more } })
}

/// Whether a row among good ones is wrong in itself.
const fn contradicts_itself(error: &DataError) -> bool {
    matches!(
        error,
        DataError::Row {
            problem: Contradiction::HighBelowLow { remedy: RowRemedy::Row, .. }
                | Contradiction::OutsideCandle { remedy: RowRemedy::Row, .. }
                | Contradiction::Crossed { remedy: RowRemedy::Row | RowRemedy::Message, .. },
            ..
        }
    )
}
