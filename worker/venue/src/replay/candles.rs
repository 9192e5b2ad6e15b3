//! Candles from CSV, and the four ticks of each. May not know files other than its own.

use std::cmp::Ordering;

use engine::numbers::{Price, Quantity};
use engine::time::Timestamp;

use super::error::{Contradiction, DataError};
use super::format::{CandleColumns, Fields, Format, Layout};
use super::lines::{Digest, Lines};
use super::observation::Observation;
use crate::data;

/// What happened in one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candle {
    pub open_time: Timestamp,
    /// Open, high, low and close.
    pub prices: [Price; 4],
    pub volume: Quantity,
    /// Only in Binance's download.
    pub close_time: Option<Timestamp>,
}

/// Ticks that a candle is replayed as.
pub(crate) const TICKS_PER_CANDLE: u64 = 4;

impl Candle {
    /// The tick at the start of the given quarter, 0 to 3: the price goes against the candle's direction first, and
    /// the volume comes on the close, so that nothing is known before it happened.
    pub(crate) fn tick(&self, quarter: u8, interval_ms: i64) -> Observation {
        let [open, high, low, close] = self.prices;
        let rises = close >= open;
        let (price, volume) = match (quarter, rises) {
            (0, _) => (open, Quantity::ZERO),
            (1, true) | (2, false) => (low, Quantity::ZERO),
            (1, false) | (2, true) => (high, Quantity::ZERO),
            _ => (close, self.volume),
        };
        let time = self.open_time.plus_millis(interval_ms * i64::from(quarter) / 4);
        Observation { time, received: time, price, volume, quote: None }
    }
}

/// Reads candles and checks each one and their order.
pub(crate) struct CandleReader {
    lines: Lines,
    format: Format,
    columns: CandleColumns,
    first: Option<Timestamp>,
    previous: Option<Timestamp>,
    interval_ms: Option<i64>,
}

impl CandleReader {
    /// Reads the candles of `lines`; each must lie on the grid of `interval_ms` if it is known already.
    pub(crate) const fn new(lines: Lines, format: Format, columns: CandleColumns, interval_ms: Option<i64>) -> Self {
        Self { lines, format, columns, first: None, previous: None, interval_ms }
    }

    /// The text that was read so far.
    pub(crate) fn digest(&self) -> Digest {
        self.lines.digest()
    }

    pub(crate) fn next(&mut self) -> Result<Option<Candle>, DataError> {
        if !self.lines.advance()? {
            return Ok(None);
        }
        let fields = Fields::split(self.lines.line());
        if fields.count() != self.columns.count {
            return Err(self.wrong_columns(fields.count()));
        }
        let candle = self.parse(&fields).map_err(|error| self.mixed().unwrap_or(error))?;
        self.check_prices(&candle)?;
        self.check_time(candle.open_time)?;
        self.first = self.first.or(Some(candle.open_time));
        self.previous = Some(candle.open_time);
        Ok(Some(candle))
    }

    fn parse(&self, fields: &Fields<'_>) -> Result<Candle, DataError> {
        let (columns, place) = (&self.columns, || self.lines.place());
        let refuse = |column, problem| DataError::Value { place: place(), column, problem };
        let price = |column: usize, name| data::price(fields.get(column)).map_err(|problem| refuse(name, problem));
        let [open, high, low, close] = columns.prices;
        Ok(Candle {
            open_time: self.open_time(fields.get(columns.open_time))?,
            prices: [price(open, "open")?, price(high, "high")?, price(low, "low")?, price(close, "close")?],
            volume: data::quantity(fields.get(columns.volume)).map_err(|problem| refuse("volume", problem))?,
            close_time: match columns.close_time {
                Some(column) => {
                    Some(data::millis_or_micros(fields.get(column)).map_err(|problem| refuse("close_time", problem))?)
                }
                None => None,
            },
        })
    }

    fn open_time(&self, text: &str) -> Result<Timestamp, DataError> {
        let column = self.time_column();
        let time = match self.format {
            Format::BinanceCandles => data::whole_millis_or_micros(text),
            Format::Candles | Format::Ticks | Format::BinanceStream => data::millis(text),
        };
        time.map_err(|problem| DataError::Value { place: self.lines.place(), column, problem })
    }

    fn check_prices(&self, candle: &Candle) -> Result<(), DataError> {
        let [open, high, low, close] = candle.prices;
        if high < low {
            return Err(self.refuse("high", Contradiction::HighBelowLow { high, low }));
        }
        for (column, price) in [("open", open), ("close", close)] {
            if price < low || price > high {
                return Err(self.refuse(column, Contradiction::OutsideCandle { price, low, high }));
            }
        }
        Ok(())
    }

    fn check_time(&self, time: Timestamp) -> Result<(), DataError> {
        let (Some(first), Some(previous)) = (self.first, self.previous) else { return Ok(()) };
        let problem = match (time.cmp(&previous), self.interval_ms) {
            (Ordering::Equal, _) => Contradiction::Doubled { time },
            (Ordering::Less, _) => Contradiction::Backwards { time, previous },
            (Ordering::Greater, Some(interval_ms)) if (time.millis() - first.millis()) % interval_ms != 0 => {
                Contradiction::OffGrid { time, first, interval_ms }
            }
            (Ordering::Greater, _) => return Ok(()),
        };
        Err(self.refuse(self.time_column(), problem))
    }

    const fn time_column(&self) -> &'static str {
        if self.columns.close_time.is_some() { "open_time" } else { "open_time_ms" }
    }

    fn refuse(&self, column: &'static str, problem: Contradiction) -> DataError {
        DataError::Row { place: self.lines.place(), column, problem }
    }

    fn wrong_columns(&self, found: usize) -> DataError {
        let expected = self.columns.count;
        self.mixed().unwrap_or_else(|| DataError::Columns { place: self.lines.place(), found, expected })
    }

    /// The error for a line that is fine in another format.
    fn mixed(&self) -> Option<DataError> {
        Layout::mixed(&self.lines, self.format)
    }
}

/// The ticks of a file of candles.
pub(crate) struct CandleTicks {
    reader: CandleReader,
    interval_ms: i64,
    current: Option<(Candle, u8)>,
}

impl CandleTicks {
    pub(crate) const fn new(reader: CandleReader, interval_ms: i64) -> Self {
        Self { reader, interval_ms, current: None }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Observation>, DataError> {
        let (candle, quarter) = match self.current.take() {
            Some(current) => current,
            None => match self.reader.next()? {
                Some(candle) => (candle, 0),
                None => return Ok(None),
            },
        };
        if quarter < 3 {
            self.current = Some((candle, quarter + 1));
        }
        Ok(Some(candle.tick(quarter, self.interval_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(prices: [&str; 4]) -> Vec<(i64, String, String)> {
        let candle = Candle {
            open_time: Timestamp::from_millis(1_000),
            prices: prices.map(|price| price.parse().unwrap()),
            volume: "7".parse().unwrap(),
            close_time: None,
        };
        let ticks = (0..4).map(|quarter| candle.tick(quarter, 60_000));
        ticks.map(|tick| (tick.time.millis(), tick.price.to_string(), tick.volume.to_string())).collect()
    }

    fn expected(prices: [&str; 4]) -> Vec<(i64, String, String)> {
        let rows = [1_000, 16_000, 31_000, 46_000].into_iter().zip(prices).zip(["0", "0", "0", "7"]);
        rows.map(|((time, price), volume)| (time, price.to_owned(), volume.to_owned())).collect()
    }

    #[test]
    fn the_price_goes_against_the_candle_first() {
        assert_eq!(ticks(["5", "9", "2", "6"]), expected(["5", "2", "9", "6"]));
        assert_eq!(ticks(["6", "9", "2", "5"]), expected(["6", "9", "2", "5"]));
        assert_eq!(ticks(["5", "9", "2", "5"]), expected(["5", "2", "9", "5"]), "a close at the open is no fall");
    }
}
