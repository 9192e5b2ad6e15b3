//! Candles from CSV, and the four ticks of each. May not know files other than its own.

use std::cmp::Ordering;

use engine::instrument::Symbol;
use engine::numbers::{Price, Volume};
use engine::time::Timestamp;

use super::columns::{CandleColumns, Times};
use super::error::{Contradiction, DataError, Place, RowRemedy};
use super::fields::Fields;
use super::format::Format;
use super::header::names_symbol;
use super::intervals::Span;
use super::layout::Layout;
use super::lines::{Digest, Lines};
use crate::data;
use crate::observation::Observation;

/// What happened in one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candle {
    pub open_time: Timestamp,
    /// Open, high, low and close.
    pub prices: [Price; 4],
    pub volume: Volume,
    /// The last millisecond, where the data say it.
    pub close_time: Option<Timestamp>,
}

/// Ticks that a candle is replayed as.
pub(crate) const TICKS_PER_CANDLE: u64 = 4;

impl Candle {
    /// The tick at the start of the given quarter, 0 to 3: the price goes against the candle's direction first, and
    /// the volume comes on the close, so that nothing is known before it happened.
    pub(crate) fn tick(&self, quarter: u8, length_ms: i64) -> Observation {
        let [open, high, low, close] = self.prices;
        let rises = close >= open;
        let (price, volume) = match (quarter, rises) {
            (0, _) => (open, Volume::ZERO),
            (1, true) | (2, false) => (low, Volume::ZERO),
            (1, false) | (2, true) => (high, Volume::ZERO),
            _ => (close, self.volume),
        };
        let time = self.open_time.plus_millis(length_ms * i64::from(quarter) / 4);
        Observation { time, received: time, price, volume, quote: None, missed: 0 }
    }

    /// Its times, with the candle after it.
    pub(crate) fn span(&self, following: Option<&Self>) -> Span {
        let open = self.open_time.millis();
        let own = self.close_time.map(|close| close.millis() - open + 1).filter(|length| *length > 0);
        Span { own, step: following.map(|next| next.open_time.millis() - open) }
    }
}

/// Reads candles and checks each one and their order.
pub(crate) struct CandleReader {
    lines: Lines,
    format: Format,
    columns: CandleColumns,
    symbol: Symbol,
    previous: Option<Timestamp>,
}

impl CandleReader {
    /// Reads the candles of `lines`, which are of `symbol`.
    pub(crate) fn new(lines: Lines, format: Format, columns: CandleColumns, symbol: &Symbol) -> Self {
        Self { lines, format, columns, symbol: symbol.clone(), previous: None }
    }

    /// Where the last candle that was read stands.
    pub(crate) fn place(&self) -> Place {
        self.lines.place()
    }

    /// Its line.
    pub(crate) const fn line(&self) -> u64 {
        self.lines.number()
    }

    /// The open time's name for messages.
    pub(crate) const fn time_name(&self) -> &'static str {
        self.columns.time_name
    }

    /// The text that was read so far.
    pub(crate) fn digest(&mut self) -> Digest {
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
        self.previous = Some(candle.open_time);
        Ok(Some(candle))
    }

    fn parse(&self, fields: &Fields<'_>) -> Result<Candle, DataError> {
        let columns = &self.columns;
        let refuse = |column, problem| DataError::Value { place: self.lines.place(), column, problem };
        let price = |column: usize, name| data::price(fields.get(column)).map_err(|problem| refuse(name, problem));
        if let Some(column) = columns.symbol
            && !names_symbol(fields.get(column), &self.symbol)
        {
            let problem = Contradiction::OtherMarket {
                found: data::shown(fields.get(column)),
                symbol: Box::new(self.symbol.clone()),
            };
            return Err(self.refuse("symbol", problem));
        }
        let [open, high, low, close] = columns.prices;
        Ok(Candle {
            open_time: self.open_time(fields.get(columns.open_time))?,
            prices: [price(open, "open")?, price(high, "high")?, price(low, "low")?, price(close, "close")?],
            volume: match columns.volume {
                Some(column) => data::volume(fields.get(column)).map_err(|problem| refuse("volume", problem))?,
                None => Volume::ZERO,
            },
            close_time: match columns.close_time {
                Some(column) => Some(self.close_time(fields.get(column))?),
                None => None,
            },
        })
    }

    fn open_time(&self, text: &str) -> Result<Timestamp, DataError> {
        let time = match self.columns.times {
            Times::Millis => data::millis(text),
            Times::MillisOrMicros => data::whole_millis_or_micros(text),
            Times::AnyUnit => data::any_unit(text),
        };
        let counted = |time| match self.columns.times {
            Times::Millis | Times::MillisOrMicros if self.previous.is_none() => {
                data::check_first_millis(time).map(|()| time)
            }
            Times::Millis | Times::MillisOrMicros | Times::AnyUnit => Ok(time),
        };
        let column = self.columns.time_name;
        time.and_then(counted).map_err(|problem| DataError::Value { place: self.lines.place(), column, problem })
    }

    fn close_time(&self, text: &str) -> Result<Timestamp, DataError> {
        let time = match self.columns.times {
            Times::Millis | Times::MillisOrMicros => data::millis_or_micros(text),
            Times::AnyUnit => data::close_in_any_unit(text),
        };
        time.map_err(|problem| DataError::Value { place: self.lines.place(), column: "close_time", problem })
    }

    fn check_prices(&self, candle: &Candle) -> Result<(), DataError> {
        let [open, high, low, close] = candle.prices;
        let remedy = RowRemedy::behind(self.previous);
        if high < low {
            return Err(self.refuse("high", Contradiction::HighBelowLow { high, low, remedy }));
        }
        for (column, price) in [("open", open), ("close", close)] {
            if price < low || price > high {
                return Err(self.refuse(column, Contradiction::OutsideCandle { price, low, high, remedy }));
            }
        }
        Ok(())
    }

    fn check_time(&self, time: Timestamp) -> Result<(), DataError> {
        let Some(previous) = self.previous else { return Ok(()) };
        let problem = match time.cmp(&previous) {
            Ordering::Equal => Contradiction::Doubled { time },
            Ordering::Less => {
                if self.columns.times != Times::AnyUnit {
                    let column = self.columns.time_name;
                    data::check_later_millis(time, previous).map_err(|problem| DataError::Value {
                        place: self.lines.place(),
                        column,
                        problem,
                    })?;
                }
                Contradiction::Backwards { time, previous }
            }
            Ordering::Greater => return Ok(()),
        };
        Err(self.refuse(self.columns.time_name, problem))
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
        Layout::mixed(&self.lines, self.format, &self.symbol)
    }
}

/// A candle as it becomes ticks.
#[derive(Debug, Default)]
pub(crate) struct Quarters(Option<(Candle, i64, u8)>);

impl Quarters {
    /// The next tick; after the last one of a candle the first one of the next, which comes with its length.
    pub(crate) fn next<E>(
        &mut self,
        next: impl FnOnce() -> Result<Option<(Candle, i64)>, E>,
    ) -> Result<Option<Observation>, E> {
        let (candle, length_ms, quarter) = match self.0.take() {
            Some(current) => current,
            None => match next()? {
                Some((candle, length_ms)) => (candle, length_ms, 0),
                None => return Ok(None),
            },
        };
        if quarter < 3 {
            self.0 = Some((candle, length_ms, quarter + 1));
        }
        Ok(Some(candle.tick(quarter, length_ms)))
    }
}

/// The ticks of a file of candles, read one candle ahead: where the data do not say when a candle ends, it ends
/// before the next one.
pub(crate) struct CandleTicks {
    reader: CandleReader,
    interval_ms: i64,
    quarters: Quarters,
    following: Option<Candle>,
}

impl CandleTicks {
    pub(crate) fn new(reader: CandleReader, interval_ms: i64) -> Self {
        Self { reader, interval_ms, quarters: Quarters::default(), following: None }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Observation>, DataError> {
        let Self { reader, interval_ms, quarters, following } = self;
        quarters.next(|| {
            let candle = match following.take() {
                Some(candle) => Some(candle),
                None => reader.next()?,
            };
            let Some(candle) = candle else { return Ok(None) };
            *following = reader.next()?;
            Ok(Some((candle, candle.span(following.as_ref()).length(*interval_ms))))
        })
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
