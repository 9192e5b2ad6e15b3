//! Ticks from CSV. May not know files other than its own.

use engine::numbers::{Price, Quantity};
use engine::time::Timestamp;

use super::error::{Contradiction, DataError, ValueError};
use super::format::{Fields, Format, Layout, TickColumns};
use super::lines::{Digest, Lines};
use super::observation::{Observation, Quote};
use crate::data;

/// Reads ticks and checks each one and their order.
pub(crate) struct TickReader {
    lines: Lines,
    columns: TickColumns,
    previous: Option<Timestamp>,
}

impl TickReader {
    pub(crate) const fn new(lines: Lines, columns: TickColumns) -> Self {
        Self { lines, columns, previous: None }
    }

    /// The text that was read so far.
    pub(crate) fn digest(&self) -> Digest {
        self.lines.digest()
    }

    pub(crate) fn next(&mut self) -> Result<Option<Observation>, DataError> {
        if !self.lines.advance()? {
            return Ok(None);
        }
        let observation = self.parse().map_err(|error| Layout::mixed(&self.lines, Format::Ticks).unwrap_or(error))?;
        let time = observation.time;
        if let Some(previous) = self.previous
            && time < previous
        {
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
        let price = self.value("price", data::price(fields.get(columns.price)))?;
        let volume = match columns.volume {
            Some(column) => self.value("volume", data::quantity(fields.get(column)))?,
            None => Quantity::ZERO,
        };
        let quote = match columns.quote {
            Some((bid, ask)) => Some(self.quote(&fields, bid, ask)?),
            None => None,
        };
        Ok(Observation { time, received: time, price, volume, quote })
    }

    fn quote(&self, fields: &Fields<'_>, bid: usize, ask: usize) -> Result<Quote, DataError> {
        let bid: Price = self.value("bid", data::price(fields.get(bid)))?;
        let ask: Price = self.value("ask", data::price(fields.get(ask)))?;
        if bid > ask {
            return Err(self.refuse("bid", Contradiction::Crossed { bid, ask }));
        }
        let (bid_size, ask_size) = match self.columns.sizes {
            Some((bid_size, ask_size)) => (
                Some(self.value("bidSize", data::quantity(fields.get(bid_size)))?),
                Some(self.value("askSize", data::quantity(fields.get(ask_size)))?),
            ),
            None => (None, None),
        };
        Ok(Quote { bid, ask, bid_size, ask_size })
    }

    fn value<T>(&self, column: &'static str, value: Result<T, ValueError>) -> Result<T, DataError> {
        value.map_err(|problem| DataError::Value { place: self.lines.place(), column, problem })
    }

    fn refuse(&self, column: &'static str, problem: Contradiction) -> DataError {
        DataError::Row { place: self.lines.place(), column, problem }
    }
}
