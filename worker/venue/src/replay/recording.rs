//! Recorded messages of Binance's combined streams as ticks: one a trade, with the quotes before it.

use std::collections::BTreeMap;

use engine::instrument::Symbol;
use engine::time::Timestamp;

use super::error::{Contradiction, DataError, Place, RowRemedy};
use super::findings::Finding;
use super::format::Format;
use super::layout::{Layout, is_message};
use super::lines::{Digest, Lines};
use crate::binance::quoted::QuotedTrades;
use crate::binance::sequence::TradeOrder;
use crate::binance::stream::{self, BookTicker, ParseError, StreamEvent, Trade};
use crate::data;
use crate::observation::Observation;

/// Other markets that are remembered, to name them where the wanted one is not there.
const MARKETS_MAX: usize = 10;

/// Reads the ticks of one market.
pub(crate) struct RecordingReader {
    lines: Lines,
    symbol: Symbol,
    market: String,
    previous: Option<Timestamp>,
    seen: Seen,
}

/// What a recording holds, as far as it was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Trades of the market.
    pub trades: u64,
    /// Quotes of the market.
    pub quotes: u64,
    /// The first and the last trade's time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The market's trades and their order.
    pub ticks: QuotedTrades,
    /// The first trade behind missing ones.
    pub first_gap: Option<Place>,
    /// Trades and quotes without their stream's name.
    pub raw: u64,
    /// Messages of other markets, by their names; of the first ten.
    pub others: BTreeMap<String, Finding>,
    more_others: bool,
}

impl Seen {
    /// Counts a trade; an observation if it is new and there is a quote to go with it.
    fn trade(&mut self, trade: &Trade<'_>, received: Option<Timestamp>) -> Option<Observation> {
        self.trades += 1;
        let (order, observation) = self.ticks.trade(trade, received);
        match order {
            TradeOrder::Next | TradeOrder::AfterGap { .. } => {}
            TradeOrder::Duplicate | TradeOrder::Regression => return None,
        }
        let first = self.span.map_or(trade.time, |(first, _)| first);
        self.span = Some((first, trade.time));
        observation
    }

    /// The other markets, for a message.
    pub(crate) fn other_markets(&self) -> String {
        let names: Vec<&str> = self.others.keys().map(String::as_str).collect();
        match (names.is_empty(), self.more_others) {
            (true, _) => "no trade and no bookTicker message at all".to_owned(),
            (false, false) => names.join(", "),
            (false, true) => format!("{} and more", names.join(", ")),
        }
    }

    fn other(&mut self, market: &str, place: impl FnOnce() -> Place) {
        if let Some(finding) = self.others.get_mut(market) {
            finding.add(place);
        } else if self.others.len() < MARKETS_MAX {
            self.others.entry(market.to_owned()).or_default().add(place);
        } else {
            self.more_others = true;
        }
    }
}

impl RecordingReader {
    pub(crate) fn new(mut lines: Lines, symbol: &Symbol) -> Self {
        lines.may_be_torn();
        let (symbol, market) = (symbol.clone(), symbol.joined());
        Self { lines, symbol, market, previous: None, seen: Seen::default() }
    }

    /// Where the last message that was read stands.
    pub(crate) fn place(&self) -> Place {
        self.lines.place()
    }

    /// Where it ends in the midst, if it does.
    pub(crate) fn torn(&self) -> Option<Place> {
        self.lines.is_torn().then(|| self.lines.place())
    }

    /// What was read so far.
    pub(crate) const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The market in the exchange's spelling.
    pub(crate) fn market(&self) -> &str {
        &self.market
    }

    /// The text that was read so far.
    pub(crate) fn digest(&mut self) -> Digest {
        self.lines.digest()
    }

    pub(crate) fn next(&mut self) -> Result<Option<Observation>, DataError> {
        while self.lines.advance()? {
            let Self { lines, symbol, market, previous, seen } = self;
            let (received, message) = split(lines, symbol)?;
            let event =
                stream::parse(message).map_err(|problem| DataError::Message { place: lines.place(), problem })?;
            match event {
                StreamEvent::Trade(trade) if trade.symbol == *market => {
                    if seen.span.is_none() {
                        let refuse = |problem| DataError::Value { place: lines.place(), column: "data.T", problem };
                        data::check_first_millis(trade.time).map_err(refuse)?;
                    }
                    let gaps = seen.ticks.sequence.gaps;
                    let observation = seen.trade(&trade, received);
                    if gaps == 0 && seen.ticks.sequence.gaps > 0 {
                        seen.first_gap = Some(lines.place());
                    }
                    if let Some(observation) = observation {
                        let time = observation.time;
                        if let Some(previous) = *previous
                            && time < previous
                        {
                            let (place, problem) = (lines.place(), Contradiction::Backwards { time, previous });
                            return Err(DataError::Row { place, column: "data.T", problem });
                        }
                        *previous = Some(time);
                        return Ok(Some(observation));
                    }
                }
                StreamEvent::BookTicker(book) if book.symbol == *market => {
                    seen.quotes += 1;
                    if let Err(refused) = seen.ticks.book(&book)
                        && let Some((bid, ask)) = refused.crossed()
                    {
                        let problem = Contradiction::Crossed { bid, ask, remedy: RowRemedy::Message };
                        return Err(DataError::Row { place: lines.place(), column: "data.b", problem });
                    }
                }
                StreamEvent::OffMarketTrade { symbol, id } if symbol == *market => {
                    seen.ticks.unquoted(id);
                }
                StreamEvent::Trade(Trade { symbol, .. })
                | StreamEvent::BookTicker(BookTicker { symbol, .. })
                | StreamEvent::OffMarketTrade { symbol, .. } => seen.other(&symbol, || lines.place()),
                StreamEvent::Raw { .. } => seen.raw += 1,
                StreamEvent::Other => {}
            }
        }
        Ok(None)
    }
}

/// Splits the current line into receive time and message.
pub(super) fn split<'a>(lines: &'a Lines, symbol: &Symbol) -> Result<(Option<Timestamp>, &'a str), DataError> {
    let line = lines.line();
    if line.starts_with('{') {
        return Ok((None, line));
    }
    if !is_message(line) {
        let problem = ParseError::Message { problem: "no object of JSON".to_owned(), column: 1 };
        let refuse = || DataError::Message { place: lines.place(), problem };
        return Err(Layout::mixed(lines, Format::BinanceStream, symbol).unwrap_or_else(refuse));
    }
    let (stamp, message) = line.split_once(' ').unwrap_or(("", line));
    let refuse = |problem| DataError::Value { place: lines.place(), column: "receive time", problem };
    Ok((Some(data::nanos(stamp).map_err(refuse)?), message))
}
