//! Closed candles, page by page, as the venue answers them. May not ask for them.

use std::borrow::Cow;

use engine::market::{Bar, Interval};
use engine::time::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::data;

/// Candles on a page.
pub(super) const PAGE: usize = 1_000;

/// Opening time, open, high, low, close, volume, closing time, volume in quote, count of trades, and three more.
#[derive(Deserialize)]
struct Row<'a>(
    i64,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    i64,
    IgnoredAny,
    u64,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
);

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// Its closed candles with trades.
    pub bars: Vec<Bar>,
    /// When the next page begins, if there is one.
    pub next: Option<Timestamp>,
}

/// Reads a page of candles that open at `from` or later and, at `now` by the venue's clock, are over.
pub(super) fn read(text: &str, interval: Interval, from: Timestamp, now: Timestamp) -> Result<Page, String> {
    let rows: Vec<Row<'_>> = serde_json::from_str(text).map_err(|problem| problem.to_string())?;
    let mut bars = Vec::with_capacity(rows.len());
    let mut next = from;
    for (index, row) in rows.iter().enumerate() {
        let place = |problem: &dyn std::fmt::Display| format!("candle {}: {problem}", index + 1);
        let bar = bar(row).map_err(|problem| place(&problem))?;
        if bar.open_time < next {
            return Err(place(&"it opens before the one before it ends"));
        }
        next = bar.open_time.plus_millis(interval.millis());
        // A candle that nobody traded in is none.
        if bar.ticks > 0 && row.6 < now.millis() {
            bar.check(interval).map_err(|problem| place(&problem))?;
            bars.push(bar);
        }
    }
    Ok(Page { bars, next: (rows.len() >= PAGE).then_some(next) })
}

fn bar(row: &Row<'_>) -> Result<Bar, String> {
    let price = |name: &str, text: &str| data::price(text).map_err(|problem| format!("{name}: {problem}"));
    Ok(Bar {
        open_time: data::checked_millis(row.0).map_err(|problem| format!("openTime: {problem}"))?,
        open: price("open", &row.1)?,
        high: price("high", &row.2)?,
        low: price("low", &row.3)?,
        close: price("close", &row.4)?,
        volume: data::volume(&row.5).map_err(|problem| format!("volume: {problem}"))?,
        ticks: row.8,
    })
}
