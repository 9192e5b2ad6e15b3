//! Ticks from CSV. May not know files other than its own.

use engine::instrument::Symbol;
use engine::numbers::Volume;
use engine::time::Timestamp;

use super::columns::TickColumns;
use super::error::{Contradiction, DataError, Place, RowRemedy, ValueError};
use super::fields::Fields;
use super::format::Format;
use super::layout::Layout;
use super::lines::{Digest, Lines};
use crate::data;
use crate::observation::{Observation, Quote};

/// Reads ticks and checks each one and their order.
pub(crate) struct TickReader {
    lines: Lines,
    columns: TickColumns,
    symbol: Symbol,
    previous: Option<Timestamp>,
}

impl TickReader {
    pub(crate) fn new(lines: Lines, columns: TickColumns, symbol: &Symbol) -> Self {
        Self { lines, columns, symbol: symbol.clone(), previous: None }
    }

    /// Where the last tick that was read stands.
    pub(crate) fn place(&self) -> Place {
        self.lines.place()
    }

    /// The text that was read so far.
    pub(crate) fn digest(&mut self) -> Digest {
        self.lines.digest()
    }

    pub(crate) fn next(&mut self) -> Result<Option<Observation>, DataError> {
        if !self.lines.advance()? {
            return Ok(None);
        }
        let mixed = |error| Layout::mixed(&self.lines, Format::Ticks, &self.symbol).unwrap_or(error);
        let observation = self.parse().map_err(mixed)?;
        let time = observation.time;
        if let Some(previous) = self.previous
            && time < previous
        {
            self.value("time", data::check_later_millis(time, previous))?;
            return Err(self.refuse("time", Contradiction::Backwards { time, previous }));
        }
        self.previous = Some(time);
        Ok(Some(observation))
    }

    fn parse(&self) -> Result<Observation, DataError> {
        let (columns, fields) = (&self.columns, Fields::split(self.lines.line()));
        if fields.count() != columns.count {
            let (found, expected) = (fields.count(), columns.count);
            return Err(DataError::Columns { place: self.lines.place(), found, expected });
        }
        let time = self.value("time", data::millis(fields.get(columns.time)))?;
        if self.previous.is_none() {
            self.value("time", data::check_first_millis(time))?;
        }
        let price = self.value("price", data::price(fields.get(columns.price)))?;
        let volume = match columns.volume {
            Some(column) => self.value("volume", data::volume(fields.get(column)))?,
            None => Volume::ZERO,
        };
        let quote = match columns.quote {
            Some((bid, ask)) => Some(self.quote(&fields, bid, ask)?),
            None => None,
        };
        Ok(Observation { time, received: time, price, volume, quote, missed: 0 })
    }

    fn quote(&self, fields: &Fields<'_>, bid: usize, ask: usize) -> Result<Quote, DataError> {
        let bid = self.value("bid", data::quoted_price(fields.get(bid)))?;
        let ask = self.value("ask", data::quoted_price(fields.get(ask)))?;
        let (bid_size, ask_size) = match self.columns.sizes {
            Some((bid_size, ask_size)) => (
                Some(self.value("bidSize", data::size(fields.get(bid_size)))?),
                Some(self.value("askSize", data::size(fields.get(ask_size)))?),
            ),
            None => (None, None),
        };
        let quote = Quote { bid, ask, bid_size, ask_size };
        match quote.crossed() {
            Some((bid, ask)) => {
                let remedy = RowRemedy::behind(self.previous);
                Err(self.refuse("bid", Contradiction::Crossed { bid, ask, remedy }))
            }
            None => Ok(quote),
        }
    }

    fn value<T>(&self, column: &'static str, value: Result<T, ValueError>) -> Result<T, DataError> {
        value.map_err(|problem| DataError::Value { place: self.lines.place(), column, problem })
    }

    fn refuse(&self, column: &'static str, problem: Contradiction) -> DataError {
        DataError::Row { place: self.lines.place(), column, problem }
    }
}
