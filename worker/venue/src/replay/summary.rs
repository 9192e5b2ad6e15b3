//! What files hold, each and joined in time. May not read them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::instrument::Symbol;
use engine::time::Timestamp;

use super::error::{DataError, Place};
use super::findings::Finding;
use super::format::Format;
use super::intervals;
use super::lines::Digest;

/// What the files of one symbol hold, joined in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The market.
    pub symbol: Symbol,
    /// The files in the order of their times; never empty.
    pub files: Vec<FileSummary>,
    /// Ticks in all files; never 0.
    pub ticks: u64,
    /// Trades that are missing between ticks of one recording: their numbers are left out.
    pub missed: u64,
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
    #[expect(missing_docs, reason = "the name says it")]
    pub format: Format,
    /// Candles, ticks, or trades of the market.
    pub rows: u64,
    /// Ticks that it is replayed as; never 0.
    pub ticks: u64,
    /// Trades that are missing between these: their numbers are left out.
    pub missed: u64,
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
    /// Where a recording ends in the midst of its packed text: what is whole before it is read.
    pub torn: Option<Place>,
    /// Its text.
    pub digest: Digest,
}

/// Joins files, which are put in the order of their times.
pub(super) fn join(mut files: Vec<FileSummary>, symbol: &Symbol) -> Result<Summary, DataError> {
    files.sort_by(|a, b| (a.first, a.ends, &a.path).cmp(&(b.first, b.ends, &b.path)));
    let (Some(first), Some(last)) = (files.first(), files.last()) else { return Err(DataError::NoFile) };
    let mut summary = Summary {
        symbol: symbol.clone(),
        first: first.first,
        last: last.last,
        ticks: files.iter().map(|file| file.ticks).sum(),
        missed: files.iter().map(|file| file.missed).fold(0, u64::saturating_add),
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
pub(super) fn missing_between(earlier: &FileSummary, later: &FileSummary) -> Result<u64, DataError> {
    let (ends, begins) = (earlier.ends.millis(), later.first.millis());
    if earlier.path == later.path {
        return Err(DataError::Twice { file: Arc::clone(&earlier.name) });
    }
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

impl FileSummary {
    /// Of a file of which nothing was read yet.
    pub(super) fn blank(path: &Path, name: Arc<str>, format: Format) -> Self {
        let none = Timestamp::default();
        Self {
            path: path.to_owned(),
            name,
            format,
            rows: 0,
            ticks: 0,
            missed: 0,
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
            torn: None,
            digest: Digest::default(),
        }
    }
}
