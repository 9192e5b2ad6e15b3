//! Opens a file and stands before its first row. May not read rows.

use std::path::Path;

use engine::instrument::Symbol;

use super::columns::{CandleColumns, Times};
use super::error::DataError;
use super::fields::Fields;
use super::header::names_symbol;
use super::layout::Layout;
use super::lines::Lines;

/// Opens a file, tells its layout, and stands before its first row, which is the oldest.
pub(crate) fn open(path: &Path, symbol: &Symbol) -> Result<(Lines, Layout), DataError> {
    let (mut lines, layout) = head(path, symbol)?;
    let Layout::Candles(columns) = layout else { return Ok((lines, layout)) };
    if columns.times != Times::AnyUnit {
        return Ok((lines, layout));
    }
    let is_turned = newest_first(&mut lines, &columns)?;
    let (lines, layout) = head(path, symbol)?;
    Ok((if is_turned { lines.turned(path)? } else { lines }, layout))
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

/// A file that is not there and is named `BTCUSDT=FILE` was meant as `BTC/USDT=FILE`.
pub(super) fn spelling(error: DataError, path: &Path, symbol: &Symbol) -> DataError {
    let DataError::Open { file, cause, remedy } = error else { return error };
    let named = path.to_str().and_then(|text| text.split_once('='));
    match named {
        Some((name, rest)) if cause.kind() == std::io::ErrorKind::NotFound && names_symbol(name, symbol) => {
            DataError::Open { file, cause, remedy: format!("write the symbol with a slash: {symbol}={rest}").into() }
        }
        Some(_) | None => DataError::Open { file, cause, remedy },
    }
}
