//! Messages of the combined streams of Binance, spot and USD-M futures, as events. May not keep state.

use std::borrow::Cow;

use engine::numbers::{Price, Quantity, SignedDecimal, Volume};
use engine::time::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::fields::{AggregateData, BookTickerData, MarkPriceData, TradeData};
use super::flat::{self, Flat};
use crate::data::{self, ValueError};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// A trade on the market.
    Trade(Trade<'a>),
    /// A trade outside the market, such as the insurance fund's: it has an id, but its price is no market price.
    OffMarketTrade {
        /// The market in the exchange's spelling.
        symbol: Cow<'a, str>,
        /// The trade's id.
        id: u64,
    },
    /// Trades at one price, at one time and from one order, told as one.
    Aggregate(Aggregate<'a>),
    /// The price that a future is valued by.
    MarkPrice(MarkPrice<'a>),
    /// The best prices changed.
    BookTicker(BookTicker<'a>),
    /// A trade or quote without its stream's name, as a raw stream gives it: it is not read.
    Raw {
        /// The market in the exchange's spelling.
        symbol: Cow<'a, str>,
    },
    /// Another stream's message, or none of a stream: an answer, a snapshot.
    Other,
}

/// A trade as the exchange tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade<'a> {
    /// The market in the exchange's spelling.
    pub symbol: Cow<'a, str>,
    /// Dense per market.
    pub id: u64,
    /// The price, in quote.
    pub price: Price,
    /// What was traded, in base.
    pub quantity: Volume,
    /// When it was made, by the exchange's clock.
    pub time: Timestamp,
    /// When its message was written, by the same clock.
    pub event_time: Option<Timestamp>,
    /// Whether the buyer's order was on the book, that is, whether a sell order came in and made the trade.
    pub buyer_is_maker: bool,
}

/// Several trades as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate<'a> {
    /// What they are together. Its id is the aggregate's, which is dense per market too.
    pub trade: Trade<'a>,
    /// The id of the first trade.
    pub first: u64,
    /// The id of the last one. Trades outside the market lie between aggregates, never in one.
    pub last: u64,
}

/// What a future is worth, and what it pays next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkPrice<'a> {
    /// The market in the exchange's spelling.
    pub symbol: Cow<'a, str>,
    /// What it is valued by.
    pub price: Price,
    /// The index that it follows.
    pub index: Price,
    /// The rate that is paid at `funding_time`; none of a contract that ends.
    pub funding_rate: Option<SignedDecimal>,
    /// When it is paid.
    pub funding_time: Timestamp,
    /// When the message was written.
    pub event_time: Timestamp,
}

/// The best prices as the exchange tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookTicker<'a> {
    /// The market in the exchange's spelling.
    pub symbol: Cow<'a, str>,
    /// Grows with each change of the book.
    pub update_id: u64,
    /// Best price to sell at; none where nobody buys.
    pub bid: Option<Price>,
    /// Base on offer at `bid`.
    pub bid_size: Quantity,
    /// Best price to buy at; none where nobody sells.
    pub ask: Option<Price>,
    /// Base on offer at `ask`.
    pub ask_size: Quantity,
}

/// Why a message is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, or a field is missing or of another type.
    #[error("message: {problem} at byte {column}; remove the line, or record again")]
    Message {
        /// What the JSON reader said.
        problem: String,
        /// Where in the message, from 1; of a trade or quote, where in its data.
        column: usize,
    },
    /// A field's value is refused.
    #[error("{field}: {problem}")]
    Field {
        /// The field's path.
        field: &'static str,
        /// What is wrong.
        problem: ValueError,
    },
}

/// The message without its content.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(rename = "data")]
    _data: Option<IgnoredAny>,
    /// Only outside a combined stream.
    #[serde(borrow, default)]
    s: Option<Cow<'a, str>>,
    /// Of a raw trade.
    p: Option<IgnoredAny>,
    /// Of a raw quote.
    b: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Message<T> {
    data: T,
}

/// What `X` says of a trade between two orders on the market.
const MARKET: &str = "MARKET";

/// Reads one message, borrowing from it.
pub fn parse(message: &str) -> Result<StreamEvent<'_>, ParseError> {
    match flat::read(message) {
        Some(Flat::Trade(data)) => trade(data),
        Some(Flat::Aggregate(data)) => aggregate(data),
        Some(Flat::BookTicker(data)) => book_ticker(data),
        Some(Flat::Other) => Ok(StreamEvent::Other),
        None => any_form(message),
    }
}

/// Reads a message in any form that JSON allows, and says what is wrong with one.
fn any_form(message: &str) -> Result<StreamEvent<'_>, ParseError> {
    let envelope: Envelope<'_> = read(message)?;
    let Some(stream) = envelope.stream.as_deref() else {
        return Ok(match envelope.s {
            Some(symbol) if envelope.p.is_some() || envelope.b.is_some() => StreamEvent::Raw { symbol },
            Some(_) | None => StreamEvent::Other,
        });
    };
    match stream.rsplit_once('@').map_or(stream, |(_, name)| name) {
        "trade" => trade(read::<Message<TradeData<'_>>>(message)?.data),
        "aggTrade" => aggregate(read::<Message<AggregateData<'_>>>(message)?.data),
        // Of one market: `@markPrice`, or `@markPrice@1s`.
        _ if stream.contains("@markPrice") && !stream.starts_with('!') => {
            mark_price(read::<Message<MarkPriceData<'_>>>(message)?.data)
        }
        "bookTicker" | "!bookTicker" => book_ticker(read::<Message<BookTickerData<'_>>>(message)?.data),
        _ => Ok(StreamEvent::Other),
    }
}

fn read<'a, T: Deserialize<'a>>(message: &'a str) -> Result<T, ParseError> {
    serde_json::from_str(message).map_err(|error| {
        let text = error.to_string();
        // The reader's own place counts lines of the message, which is one line of many to the reader of this.
        let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem).to_owned();
        ParseError::Message { problem, column: error.column() }
    })
}

fn trade(data: TradeData<'_>) -> Result<StreamEvent<'_>, ParseError> {
    if data.kind.as_ref().is_some_and(|kind| kind != MARKET) {
        return Ok(StreamEvent::OffMarketTrade { symbol: data.s, id: data.t });
    }
    market_trade(data).map(StreamEvent::Trade)
}

fn market_trade(data: TradeData<'_>) -> Result<Trade<'_>, ParseError> {
    Ok(Trade {
        id: data.t,
        price: field("data.p", data::price(data.p))?,
        quantity: field("data.q", data::volume(data.q))?,
        time: field("data.T", data::checked_millis(data.time))?,
        event_time: data.event_time.map(|time| field("data.E", data::checked_millis(time))).transpose()?,
        buyer_is_maker: data.m,
        symbol: data.s,
    })
}

fn aggregate(data: AggregateData<'_>) -> Result<StreamEvent<'_>, ParseError> {
    let AggregateData { s, a, p, q, f: first, l: last, time, event_time, m } = data;
    let trade = market_trade(TradeData { s, t: a, p, q, time, event_time, m, kind: None })?;
    Ok(StreamEvent::Aggregate(Aggregate { trade, first, last }))
}

fn mark_price(data: MarkPriceData<'_>) -> Result<StreamEvent<'_>, ParseError> {
    let rate = |text: &str| text.parse::<SignedDecimal>().map_err(ValueError::from);
    let funding_rate = if data.r.is_empty() { None } else { Some(field("data.r", rate(data.r))?) };
    Ok(StreamEvent::MarkPrice(MarkPrice {
        price: field("data.p", data::price(data.p))?,
        index: field("data.i", data::price(data.i))?,
        funding_rate,
        funding_time: field("data.T", data::checked_millis(data.funding_time))?,
        event_time: field("data.E", data::checked_millis(data.event_time))?,
        symbol: data.s,
    }))
}

fn book_ticker(data: BookTickerData<'_>) -> Result<StreamEvent<'_>, ParseError> {
    Ok(StreamEvent::BookTicker(BookTicker {
        update_id: data.u,
        bid: field("data.b", data::quoted_price(data.b))?,
        bid_size: field("data.B", data::size(data.bid_size))?,
        ask: field("data.a", data::quoted_price(data.a))?,
        ask_size: field("data.A", data::size(data.ask_size))?,
        symbol: data.s,
    }))
}

fn field<T>(field: &'static str, value: Result<T, ValueError>) -> Result<T, ParseError> {
    value.map_err(|problem| ParseError::Field { field, problem })
}

#[cfg(test)]
mod tests;
