//! Recorded messages of Binance's combined streams as ticks: one a trade, with the quotes before it.

use std::collections::BTreeMap;

use engine::instrument::Symbol;
use engine::time::Timestamp;

use super::error::{Contradiction, DataError, Place, RowRemedy};
use super::findings::Finding;
use super::format::Format;
use super::layout::{Layout, is_message};
use super::lines::{Digest, Lines};
use super::statement::{self, Recorded, Statement, TradeStream, Trades};
use crate::binance::quoted::QuotedTrades;
use crate::binance::sequence::TradeOrder;
use crate::binance::stream::{self, Aggregate, BookTicker, ParseError, StreamEvent, Trade};
use crate::binance::symbols;
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
    /// Whether its trades are told in aggregates, as the recording says.
    in_aggregates: bool,
    /// Trades and quotes without their stream's name.
    pub raw: u64,
    /// Messages of other markets, by their names; of the first ten.
    pub others: BTreeMap<String, Finding>,
    more_others: bool,
}

impl Seen {
    /// Counts a trade; an observation if it is new and there is a quote to go with it.
    fn trade(&mut self, trade: &Trade<'_>, received: Option<Timestamp>) -> Option<Observation> {
        let told = self.ticks.trade(trade, received);
        self.told(trade, told)
    }

    /// The same of an aggregate.
    fn aggregate(&mut self, aggregate: &Aggregate<'_>, received: Option<Timestamp>) -> Option<Observation> {
        let told = self.ticks.aggregate(aggregate, received);
        self.told(&aggregate.trade, told)
    }

    fn told(
        &mut self,
        trade: &Trade<'_>,
        (order, observation): (TradeOrder, Option<Observation>),
    ) -> Option<Observation> {
        self.trades += 1;
        if !order.is_new() {
            return None;
        }
        let first = self.span.map_or(trade.time, |(first, _)| first);
        self.span = Some((first, trade.time));
        observation
    }

    /// Refuses a first trade whose time is none.
    fn check_first(&self, trade: &Trade<'_>, lines: &Lines) -> Result<(), DataError> {
        if self.span.is_some() {
            return Ok(());
        }
        let refuse = |problem| DataError::Value { place: lines.place(), column: "data.T", problem };
        data::check_first_millis(trade.time).map_err(refuse)
    }

    /// Keeps the place of the first gap.
    fn note_gap(&mut self, before: u64, lines: &Lines) {
        if before == 0 && self.ticks.sequence.gaps > 0 {
            self.first_gap = Some(lines.place());
        }
    }

    /// Takes note of what the recording says of itself.
    fn take_statement(
        &mut self,
        message: &str,
        (symbol, market): (&Symbol, &str),
        lines: &Lines,
    ) -> Result<(), DataError> {
        let said = statement::read(message).map_err(|problem| DataError::Message { place: lines.place(), problem })?;
        match said {
            Some(Statement::Recorded(Recorded { source, markets })) => {
                if let Some(recorded) = markets.get(market).filter(|recorded| *recorded != symbol) {
                    return Err(DataError::OtherMarket {
                        place: lines.place(),
                        origin: source.into_owned(),
                        market: market.to_owned(),
                        recorded: recorded.clone(),
                        wanted: symbol.clone(),
                    });
                }
            }
            Some(Statement::Trades(Trades { stream, market: of })) if of == market => {
                self.in_aggregates = stream == TradeStream::Aggregate;
            }
            Some(Statement::Trades(_)) | None => {}
        }
        Ok(())
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
        let (symbol, market) = (symbol.clone(), symbols::name(symbol));
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
                    seen.check_first(&trade, lines)?;
                    let gaps = seen.ticks.sequence.gaps;
                    let observation = seen.trade(&trade, received);
                    seen.note_gap(gaps, lines);
                    if let Some(observation) = observation {
                        return in_order(previous, observation, lines).map(Some);
                    }
                }
                StreamEvent::Aggregate(told) if told.trade.symbol == *market && seen.in_aggregates => {
                    seen.check_first(&told.trade, lines)?;
                    let gaps = seen.ticks.sequence.gaps;
                    let observation = seen.aggregate(&told, received);
                    seen.note_gap(gaps, lines);
                    if let Some(observation) = observation {
                        return in_order(previous, observation, lines).map(Some);
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
                // Beside trades they tell the same once more.
                StreamEvent::Aggregate(_) | StreamEvent::MarkPrice(_) => {}
                StreamEvent::Other => seen.take_statement(message, (symbol, market), lines)?,
            }
        }
        Ok(None)
    }
}

/// The observation, unless it is from before the one before it.
fn in_order(
    previous: &mut Option<Timestamp>,
    observation: Observation,
    lines: &Lines,
) -> Result<Observation, DataError> {
    let time = observation.time;
    if let Some(previous) = *previous
        && time < previous
    {
        let (place, problem) = (lines.place(), Contradiction::Backwards { time, previous });
        return Err(DataError::Row { place, column: "data.T", problem });
    }
    *previous = Some(time);
    Ok(observation)
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
