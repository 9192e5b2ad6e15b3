//! Reads files once and says what they hold, so that what is wrong with them comes out before trading starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::instrument::Symbol;
use engine::time::Timestamp;

use super::candles::{CandleReader, TICKS_PER_CANDLE};
use super::error::DataError;
use super::format::{CandleColumns, Format, Layout};
use super::lines::{Digest, Lines};
use super::observation::Observation;
use super::recording::RecordingReader;
use super::ticks::TickReader;

/// What the files of one symbol hold, joined in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The market.
    pub symbol: Symbol,
    /// The files in the order of their times; never empty.
    pub files: Vec<FileSummary>,
    /// Ticks in all files; never 0.
    pub ticks: u64,
    /// Time of the first row.
    pub first: Timestamp,
    /// Time of the last row; of a candle, its open time.
    pub last: Timestamp,
    /// Places where candles or trades are missing, those between files of candles included.
    pub gaps: u64,
    /// Candles or trades that are missing there.
    pub missing: u64,
}

/// What one file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSummary {
    /// The file.
    pub path: PathBuf,
    /// The path as messages show it.
    pub name: Arc<str>,
    /// Its format.
    pub format: Format,
    /// Candles, ticks, or trades of the market.
    pub rows: u64,
    /// Ticks that it is replayed as; never 0.
    pub ticks: u64,
    /// Time of the first row.
    pub first: Timestamp,
    /// Time of the last row; of a candle, its open time.
    pub last: Timestamp,
    /// How long a candle is.
    pub interval_ms: Option<i64>,
    /// Places where candles, or trades by their ids, are missing.
    pub gaps: u64,
    /// Candles or trades that are missing there.
    pub missing: u64,
    /// Trades that a recording holds twice or too late, and that are left out.
    pub repeated: u64,
    /// Its text.
    pub digest: Digest,
}

impl FileSummary {
    /// Until when the file says something about the market.
    const fn ends(&self) -> Timestamp {
        match self.interval_ms {
            Some(interval) => self.last.plus_millis(interval),
            None => self.last,
        }
    }
}

/// Reads all of `paths` and joins them.
pub(crate) fn scan(paths: &[PathBuf], symbol: &Symbol) -> Result<Summary, DataError> {
    let mut files = paths.iter().map(|path| scan_file(path, symbol)).collect::<Result<Vec<_>, _>>()?;
    files.sort_by(|a, b| (a.first, a.ends(), &a.path).cmp(&(b.first, b.ends(), &b.path)));
    let (Some(first), Some(last)) = (files.first(), files.last()) else { return Err(DataError::NoFile) };
    let mut summary = Summary {
        symbol: symbol.clone(),
        first: first.first,
        last: last.last,
        ticks: files.iter().map(|file| file.ticks).sum(),
        gaps: files.iter().map(|file| file.gaps).sum(),
        missing: files.iter().map(|file| file.missing).sum(),
        files: Vec::new(),
    };
    for pair in files.windows(2) {
        let [earlier, later] = pair else { continue };
        let missing = missing_between(earlier, later)?;
        summary.gaps += u64::from(missing > 0);
        summary.missing += missing;
    }
    summary.files = files;
    Ok(summary)
}

/// Candles between two files, which must not overlap.
fn missing_between(earlier: &FileSummary, later: &FileSummary) -> Result<u64, DataError> {
    let (ends, begins) = (earlier.ends().millis(), later.first.millis());
    if begins < ends {
        let (first, second) = (Arc::clone(&earlier.name), Arc::clone(&later.name));
        return Err(DataError::Overlap { first, ends, second, begins });
    }
    match (earlier.interval_ms, later.interval_ms) {
        (Some(interval), Some(other)) if interval == other => {
            Ok(u64::try_from((begins - ends) / interval).unwrap_or_default())
        }
        _ => Ok(0),
    }
}

/// Opens a file, tells its layout, and stands before its first row.
pub(crate) fn open(path: &Path) -> Result<(Lines, Layout), DataError> {
    let mut lines = Lines::open(path)?;
    if !lines.advance()? {
        return Err(DataError::NoRows { file: lines.file() });
    }
    let layout = Layout::detect(lines.line()).map_err(|problem| DataError::Header { place: lines.place(), problem })?;
    if !layout.has_header() {
        lines.step_back();
    }
    Ok((lines, layout))
}

fn scan_file(path: &Path, symbol: &Symbol) -> Result<FileSummary, DataError> {
    let (lines, layout) = open(path)?;
    let file = lines.file();
    match layout {
        Layout::Ticks(columns) => {
            let mut reader = TickReader::new(lines, columns);
            let (rows, span) = count(|| reader.next())?;
            let (first, last) = span.ok_or(DataError::NoRows { file: Arc::clone(&file) })?;
            Ok(FileSummary {
                rows,
                ticks: rows,
                first,
                last,
                digest: reader.digest(),
                ..blank(path, file, Format::Ticks)
            })
        }
        Layout::Candles(columns) | Layout::BinanceCandles { columns, .. } => {
            scan_candles(path, lines, layout.format(), columns)
        }
        Layout::Recording => scan_recording(path, RecordingReader::new(lines, symbol), file),
    }
}

fn blank(path: &Path, name: Arc<str>, format: Format) -> FileSummary {
    let none = Timestamp::default();
    FileSummary {
        path: path.to_owned(),
        name,
        format,
        rows: 0,
        ticks: 0,
        first: none,
        last: none,
        interval_ms: None,
        gaps: 0,
        missing: 0,
        repeated: 0,
        digest: Digest::default(),
    }
}

type Span = Option<(Timestamp, Timestamp)>;

fn count(mut next: impl FnMut() -> Result<Option<Observation>, DataError>) -> Result<(u64, Span), DataError> {
    let (mut rows, mut span) = (0, None);
    while let Some(Observation { time, .. }) = next()? {
        rows += 1;
        span = Some((span.map_or(time, |(first, _)| first), time));
    }
    Ok((rows, span))
}

/// The steps between successive open times.
#[derive(Default)]
struct Steps {
    smallest: Option<i64>,
    /// How many are as small as the smallest.
    smallest_count: u64,
    count: u64,
    /// Their greatest common divisor: the smallest step itself if all are on its grid.
    divisor: i64,
}

impl Steps {
    fn add(&mut self, step: i64) {
        self.count += 1;
        let (mut a, mut b) = (self.divisor, step);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        self.divisor = a;
        match self.smallest {
            Some(smallest) if step > smallest => {}
            Some(smallest) if step == smallest => self.smallest_count += 1,
            _ => (self.smallest, self.smallest_count) = (Some(step), 1),
        }
    }
}

fn scan_candles(path: &Path, lines: Lines, format: Format, columns: CandleColumns) -> Result<FileSummary, DataError> {
    let file = lines.file();
    let mut reader = CandleReader::new(lines, format, columns, None);
    let Some(first) = reader.next()? else { return Err(DataError::NoRows { file }) };
    let (mut steps, mut last, mut rows) = (Steps::default(), first.open_time, 1);
    while let Some(candle) = reader.next()? {
        steps.add(candle.open_time.millis() - last.millis());
        last = candle.open_time;
        rows += 1;
    }
    let own_length = first.close_time.map(|close| close.millis() - first.open_time.millis() + 1);
    let interval = match steps.smallest.or(own_length) {
        Some(interval) if interval > 0 => interval,
        _ => return Err(DataError::OneCandle { file }),
    };
    if rows > 1 && steps.divisor != interval {
        find_off_grid(path, interval)?;
    }
    let span = last.millis() - first.open_time.millis();
    Ok(FileSummary {
        rows,
        ticks: rows * TICKS_PER_CANDLE,
        first: first.open_time,
        last,
        interval_ms: Some(interval),
        gaps: steps.count - steps.smallest_count,
        digest: reader.digest(),
        missing: u64::try_from(span / interval).unwrap_or_default().saturating_sub(rows - 1),
        ..blank(path, file, format)
    })
}

/// Reads the file again with the interval known, which fails at the first candle that is off its grid.
fn find_off_grid(path: &Path, interval_ms: i64) -> Result<(), DataError> {
    let (lines, layout) = open(path)?;
    let format = layout.format();
    if let Layout::Candles(columns) | Layout::BinanceCandles { columns, .. } = layout {
        let mut reader = CandleReader::new(lines, format, columns, Some(interval_ms));
        while reader.next()?.is_some() {}
    }
    Ok(())
}

fn scan_recording(path: &Path, mut reader: RecordingReader, file: Arc<str>) -> Result<FileSummary, DataError> {
    let (ticks, ticks_span) = count(|| reader.next())?;
    let (seen, symbol) = (reader.seen(), reader.market().to_owned());
    if seen.trades == 0 && seen.quotes == 0 {
        return Err(DataError::NoSymbol { file, symbol, found: seen.other_markets() });
    }
    let (Some((first, last)), Some(_)) = (seen.span, ticks_span) else {
        return Err(DataError::NoTick { file, symbol, trades: seen.trades, quotes: seen.quotes });
    };
    Ok(FileSummary {
        rows: seen.trades,
        ticks,
        first,
        last,
        gaps: seen.sequence.gaps,
        missing: seen.sequence.missed,
        repeated: seen.sequence.duplicates + seen.sequence.regressions,
        digest: reader.digest(),
        ..blank(path, file, Format::BinanceStream)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_step_is_the_interval_and_larger_ones_are_gaps() {
        let mut steps = Steps::default();
        for step in [120, 60, 60, 180, 60] {
            steps.add(step);
        }
        assert_eq!((steps.smallest, steps.smallest_count, steps.count, steps.divisor), (Some(60), 3, 5, 60));
    }

    #[test]
    fn a_step_off_the_grid_shows_in_the_divisor() {
        let mut steps = Steps::default();
        for step in [60, 60, 90] {
            steps.add(step);
        }
        assert_eq!((steps.smallest, steps.divisor), (Some(60), 30));
    }
}
