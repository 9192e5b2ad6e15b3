//! Reads files once and says what they hold, so that what is wrong with them comes out before trading starts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::instrument::Symbol;
use engine::numbers::Price;
use engine::time::Timestamp;

use super::candles::{Candle, CandleReader, TICKS_PER_CANDLE};
use super::error::{Contradiction, DataError, Place, RowRemedy};
use super::findings::{Finding, Step};
use super::format::{CandleColumns, Fields, Format, Layout, TickColumns, Times};
use super::header::names_symbol;
use super::intervals::{self, Intervals};
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
    /// The least time between two ticks at different times; absent where all are at one.
    pub step_ms: Option<i64>,
    /// Places where candles or trades are missing, those between files of candles included.
    pub gaps: u64,
    /// Candles or trades that are missing there.
    pub missing: u64,
    /// The first row behind such a place; of two files, the first of the later.
    pub first_gap: Option<Place>,
    /// Ticks with a price between two steps of the tick size that the scan was given.
    pub finer: Finding,
    /// Digits after the point of the finest of these prices; 0 where there is none.
    pub finest_places: u32,
    /// Ticks with nobody on one side of their quote.
    pub empty_quotes: Finding,
    /// Messages of other markets that recordings hold, by their names there; of the first ten.
    pub other_markets: BTreeMap<String, Finding>,
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
    /// Until when the file says something about the market.
    pub ends: Timestamp,
    /// The least time between two ticks at different times; absent where all are at one. Of candles that of most.
    pub step_ms: Option<i64>,
    /// How long most candles are.
    pub interval_ms: Option<i64>,
    /// Places where candles, or trades by their ids, are missing.
    pub gaps: u64,
    /// Candles or trades that are missing there.
    pub missing: u64,
    /// The first row behind such a place.
    pub first_gap: Option<Place>,
    /// Ticks with a price between two steps of the tick size that the scan was given.
    pub finer: Finding,
    /// Digits after the point of the finest of these prices; 0 where there is none.
    pub finest_places: u32,
    /// Ticks with nobody on one side of their quote.
    pub empty_quotes: Finding,
    /// Messages of other markets that a recording holds, by their names there; of the first ten.
    pub other_markets: BTreeMap<String, Finding>,
    /// Trades that a recording holds twice or too late, and that are left out.
    pub repeated: u64,
    /// Its text.
    pub digest: Digest,
}

/// Reads all of `paths` and joins them; prices are held against `tick_size`, where it is given.
pub(crate) fn scan(paths: &[PathBuf], symbol: &Symbol, tick_size: Option<Price>) -> Result<Summary, DataError> {
    let scan = Scan { symbol, step: tick_size.map(Step::new) };
    let mut files = paths.iter().map(|path| scan.file(path)).collect::<Result<Vec<_>, _>>()?;
    files.sort_by(|a, b| (a.first, a.ends, &a.path).cmp(&(b.first, b.ends, &b.path)));
    let (Some(first), Some(last)) = (files.first(), files.last()) else { return Err(DataError::NoFile) };
    let mut summary = Summary {
        symbol: symbol.clone(),
        first: first.first,
        last: last.last,
        ticks: files.iter().map(|file| file.ticks).sum(),
        step_ms: files.iter().filter_map(|file| file.step_ms).min(),
        gaps: 0,
        missing: 0,
        first_gap: None,
        finer: Finding::default(),
        finest_places: 0,
        empty_quotes: Finding::default(),
        other_markets: BTreeMap::new(),
        files: Vec::new(),
    };
    let mut earlier: Option<&FileSummary> = None;
    for file in &files {
        let between = earlier.replace(file).map_or(Ok(0), |earlier| missing_between(earlier, file))?;
        let gap = (between > 0).then(|| Place { file: Arc::clone(&file.name), line: 1 });
        summary.gaps += file.gaps + u64::from(between > 0);
        summary.missing += file.missing + between;
        summary.first_gap = summary.first_gap.or(gap).or_else(|| file.first_gap.clone());
        summary.finer.join(&file.finer);
        summary.finest_places = summary.finest_places.max(file.finest_places);
        summary.empty_quotes.join(&file.empty_quotes);
        for (market, finding) in &file.other_markets {
            summary.other_markets.entry(market.clone()).or_default().join(finding);
        }
    }
    summary.files = files;
    Ok(summary)
}

/// Candles between two files, which must not overlap.
fn missing_between(earlier: &FileSummary, later: &FileSummary) -> Result<u64, DataError> {
    let (ends, begins) = (earlier.ends.millis(), later.first.millis());
    if begins < ends {
        let (first, second) = (Arc::clone(&earlier.name), Arc::clone(&later.name));
        return Err(DataError::Overlap { first, ends, second, begins });
    }
    match (earlier.interval_ms, later.interval_ms) {
        // Files of a month each hold candles of different lengths.
        (Some(interval), Some(other)) if interval == other || intervals::are_months(interval, other) => {
            Ok(intervals::missing_in(begins - ends, interval))
        }
        _ => Ok(0),
    }
}

/// Opens a file, tells its layout, and stands before its first row, which is the oldest.
pub(crate) fn open(path: &Path, symbol: &Symbol) -> Result<(Lines, Layout), DataError> {
    let (mut lines, layout) = head(path, symbol)?;
    if let Layout::Candles(columns) = layout
        && columns.times == Times::AnyUnit
        && newest_first(&mut lines, &columns)?
    {
        let (lines, layout) = head(path, symbol)?;
        return Ok((lines.turned(path)?, layout));
    }
    head(path, symbol)
}

/// The layout of a file, and its lines behind the header.
fn head(path: &Path, symbol: &Symbol) -> Result<(Lines, Layout), DataError> {
    let mut lines = Lines::open(path)?;
    let none = |lines: &Lines| DataError::NoRows { file: lines.file() };
    if !lines.advance()? {
        return Err(none(&lines));
    }
    // CryptoDataDownload names itself before the header.
    if lines.line().starts_with("http") && lines.line().contains("://") && !lines.advance()? {
        return Err(none(&lines));
    }
    let layout =
        Layout::detect(lines.line(), symbol).map_err(|problem| DataError::Header { place: lines.place(), problem })?;
    if !layout.has_header() {
        lines.step_back();
    }
    Ok((lines, layout))
}

/// Whether the second row is older than the first.
fn newest_first(lines: &mut Lines, columns: &CandleColumns) -> Result<bool, DataError> {
    let mut times = [None, None];
    for time in &mut times {
        if lines.advance()? {
            *time = crate::data::any_unit(Fields::split(lines.line()).get(columns.open_time)).ok();
        }
    }
    Ok(matches!(times, [Some(first), Some(second)] if second < first))
}

/// What a scan holds against each file.
struct Scan<'a> {
    symbol: &'a Symbol,
    step: Option<Step>,
}

impl Scan<'_> {
    fn file(&self, path: &Path) -> Result<FileSummary, DataError> {
        let (lines, layout) = open(path, self.symbol).map_err(|error| spelling(error, path, self.symbol))?;
        match layout {
            Layout::Ticks(columns) => self.ticks(path, lines, columns),
            Layout::Candles(columns) | Layout::BinanceCandles { columns, .. } => {
                self.candles(path, lines, layout.format(), columns)
            }
            Layout::Recording => self.recording(path, lines),
        }
    }

    fn ticks(&self, path: &Path, lines: Lines, columns: TickColumns) -> Result<FileSummary, DataError> {
        let file = lines.file();
        let mut reader = TickReader::new(lines, columns, self.symbol);
        let mut summary = blank(path, Arc::clone(&file), Format::Ticks);
        while let Some(tick) = good(|| reader.next())? {
            self.note(&mut summary, &tick, || reader.place());
        }
        if summary.ticks == 0 {
            return Err(DataError::NoRows { file });
        }
        Ok(FileSummary { rows: summary.ticks, ends: summary.last, digest: reader.digest(), ..summary })
    }

    fn recording(&self, path: &Path, lines: Lines) -> Result<FileSummary, DataError> {
        let file = lines.file();
        let mut reader = RecordingReader::new(lines, self.symbol);
        let mut summary = blank(path, Arc::clone(&file), Format::BinanceStream);
        while let Some(tick) = good(|| reader.next())? {
            self.note(&mut summary, &tick, || reader.place());
        }
        let (seen, symbol) = (reader.seen(), reader.market().to_owned());
        if seen.trades == 0 && seen.quotes == 0 {
            if seen.raw > 0 {
                let stream = symbol.to_ascii_lowercase();
                return Err(DataError::RawStream { file, symbol, stream, count: seen.raw });
            }
            return Err(DataError::NoSymbol { file, symbol, found: seen.other_markets() });
        }
        let Some((first, last)) = seen.span.filter(|_| summary.ticks > 0) else {
            return Err(DataError::NoTick { file, symbol, trades: seen.trades, quotes: seen.quotes });
        };
        Ok(FileSummary {
            rows: seen.trades,
            first,
            last,
            ends: last,
            gaps: seen.sequence.gaps,
            missing: seen.sequence.missed,
            first_gap: seen.first_gap.clone(),
            other_markets: seen.others.clone(),
            repeated: seen.sequence.duplicates + seen.sequence.regressions,
            digest: reader.digest(),
            ..summary
        })
    }

    /// Takes note of one tick.
    fn note(&self, summary: &mut FileSummary, tick: &Observation, place: impl Fn() -> Place) {
        if summary.ticks == 0 {
            summary.first = tick.time;
        } else if let step @ 1.. = tick.time.millis_since(summary.last) {
            summary.step_ms = Some(summary.step_ms.map_or(step, |least| least.min(step)));
        }
        summary.last = tick.time;
        summary.ticks += 1;
        if tick.quote.is_some_and(|quote| quote.has_empty_side()) {
            summary.empty_quotes.add(&place);
        }
        if let Some(places) = self.step.and_then(|step| step.finest(tick)) {
            summary.finer.add(&place);
            summary.finest_places = summary.finest_places.max(places);
        }
    }

    fn candles(
        &self,
        path: &Path,
        lines: Lines,
        format: Format,
        columns: CandleColumns,
    ) -> Result<FileSummary, DataError> {
        let file = lines.file();
        let mut reader = CandleReader::new(lines, format, columns, self.symbol);
        let mut finer = (Finding::default(), 0);
        let Some(first) = self.candle(&mut reader, &mut finer)? else { return Err(DataError::NoRows { file }) };
        let (mut intervals, mut last, mut rows) = (Intervals::default(), first, 1);
        while let Some(candle) = self.candle(&mut reader, &mut finer)? {
            intervals.add(last.span(Some(&candle)), reader.line());
            last = candle;
            rows += 1;
        }
        intervals.add(last.span(None), 0);
        let place = |line| Place { file: Arc::clone(&file), line };
        let found = intervals.finish().map_err(|irregular| DataError::Row {
            place: place(irregular.line),
            column: columns.time_name,
            problem: Contradiction::Irregular {
                interval_ms: irregular.interval_ms,
                regular: irregular.regular,
                steps: irregular.steps,
            },
        })?;
        let Some(found) = found else { return Err(DataError::OneCandle { file }) };
        let last_ms = last.span(None).own.unwrap_or(found.last_ms);
        Ok(FileSummary {
            rows,
            ticks: rows * TICKS_PER_CANDLE,
            first: first.open_time,
            last: last.open_time,
            ends: last.open_time.plus_millis(last_ms),
            step_ms: Some(found.interval_ms / TICKS_PER_CANDLE.cast_signed()),
            interval_ms: Some(found.interval_ms),
            gaps: found.gaps,
            missing: found.missing,
            first_gap: found.first_gap.map(place),
            finer: finer.0,
            finest_places: finer.1,
            digest: reader.digest(),
            ..blank(path, Arc::clone(&file), format)
        })
    }

    fn candle(&self, reader: &mut CandleReader, finer: &mut (Finding, u32)) -> Result<Option<Candle>, DataError> {
        let candle = good(|| reader.next())?;
        if let (Some(candle), Some(step)) = (&candle, self.step) {
            for price in candle.prices {
                if let Some(places) = step.places(price) {
                    finer.0.add(|| reader.place());
                    finer.1 = finer.1.max(places);
                }
            }
        }
        Ok(candle)
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

/// A file that is not there and is named `BTCUSDT=FILE` was meant as `BTC/USDT=FILE`.
fn spelling(error: DataError, path: &Path, symbol: &Symbol) -> DataError {
    let DataError::Open { file, cause, remedy } = error else { return error };
    let named = path.to_str().and_then(|text| text.split_once('='));
    match named {
        Some((name, rest)) if cause.kind() == std::io::ErrorKind::NotFound && names_symbol(name, symbol) => {
            DataError::Open { file, cause, remedy: format!("write the symbol with a slash: {symbol}={rest}").into() }
        }
        Some(_) | None => DataError::Open { file, cause, remedy },
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
        ends: none,
        step_ms: None,
        interval_ms: None,
        gaps: 0,
        missing: 0,
        first_gap: None,
        finer: Finding::default(),
        finest_places: 0,
        empty_quotes: Finding::default(),
        other_markets: BTreeMap::new(),
        repeated: 0,
        digest: Digest::default(),
    }
}
