//! Messages of the combined streams of Binance, spot and USD-M futures, as events. May not keep state.

use std::borrow::Cow;

use engine::numbers::{Price, Quantity, Volume};
use engine::time::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::fields::{BookTickerData, TradeData};
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
    if data.kind.is_some_and(|kind| kind != MARKET) {
        return Ok(StreamEvent::OffMarketTrade { symbol: data.s, id: data.t });
    }
    Ok(StreamEvent::Trade(Trade {
        id: data.t,
        price: field("data.p", data::price(data.p))?,
        quantity: field("data.q", data::volume(data.q))?,
        time: field("data.T", data::checked_millis(data.time))?,
        event_time: data.event_time.map(|time| field("data.E", data::checked_millis(time))).transpose()?,
        buyer_is_maker: data.m,
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPOT_TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#;
    const FUTURES_TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256321,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#;
    const SPOT_BOOK: &str = r#"{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#;
    const FUTURES_BOOK: &str = r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.510","T":1723161256313,"E":1723161256313}}"#;

    #[test]
    fn reads_trades_of_spot_and_futures() {
        let cases = [
            (SPOT_TRADE, 3_735_683_259, "61837.63", "0.02", 1_723_161_255_342, true),
            (FUTURES_TRADE, 5_266_583_935, "61800.3", "0.006", 1_723_161_256_321, false),
        ];
        for (message, id, price, quantity, time, buyer_is_maker) in cases {
            let expected = StreamEvent::Trade(Trade {
                symbol: "BTCUSDT".into(),
                id,
                price: price.parse().unwrap(),
                quantity: quantity.parse().unwrap(),
                time: Timestamp::from_millis(time),
                event_time: Some(Timestamp::from_millis(time + 1)),
                buyer_is_maker,
            });
            assert_eq!(parse(message), Ok(expected));
        }
    }

    #[test]
    fn reads_quotes_of_spot_and_futures() {
        let cases = [
            (SPOT_BOOK, 50_093_239_212, ["61837.63", "61837.64"], ["3.78826", "1.54698"]),
            (FUTURES_BOOK, 5_123_107_839_020, ["61800.2", "61800.3"], ["2.507", "2.51"]),
        ];
        for (message, update_id, [bid, ask], [bid_size, ask_size]) in cases {
            let expected = StreamEvent::BookTicker(BookTicker {
                symbol: "BTCUSDT".into(),
                update_id,
                bid: Some(bid.parse().unwrap()),
                bid_size: bid_size.parse().unwrap(),
                ask: Some(ask.parse().unwrap()),
                ask_size: ask_size.parse().unwrap(),
            });
            assert_eq!(parse(message), Ok(expected));
        }
    }

    #[test]
    fn leaves_out_what_is_no_trade_and_no_quote() {
        let others = [
            r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","b":[["61737.63","0.0"]]}}"#,
            r#"{"stream":"btcusdt@aggTrade","data":{"p":5}}"#,
            r#"{"lastUpdateId":50093239218,"bids":[["61837.63","3.7"]]}"#,
            r#"{"result":null,"id":1}"#,
        ];
        for message in others {
            assert_eq!(parse(message), Ok(StreamEvent::Other), "{message}");
        }
    }

    #[test]
    fn a_trade_outside_the_market_has_an_id_but_no_price() {
        let message = FUTURES_TRADE.replace("MARKET", "INSURANCE_FUND").replace("61800.30", "0");
        let expected = StreamEvent::OffMarketTrade { symbol: "BTCUSDT".into(), id: 5_266_583_935 };
        assert_eq!(parse(&message), Ok(expected));
    }

    #[test]
    fn an_empty_side_has_no_price() {
        let message = SPOT_BOOK.replace("61837.63000000", "0.00000000").replace("3.78826000", "0.00000000");
        match parse(&message) {
            Ok(StreamEvent::BookTicker(book)) => {
                assert_eq!((book.bid, book.ask.unwrap().to_string()), (None, "61837.64".to_owned()));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_raw_message_is_told_from_others() {
        for combined in [SPOT_TRADE, FUTURES_TRADE, SPOT_BOOK, FUTURES_BOOK] {
            let raw = combined.split_once("\"data\":").unwrap().1.strip_suffix('}').unwrap();
            assert_eq!(parse(raw), Ok(StreamEvent::Raw { symbol: "BTCUSDT".into() }), "{raw}");
        }
    }

    #[test]
    fn a_trade_in_microseconds_has_its_millisecond() {
        match parse(&SPOT_TRADE.replace("1723161255342,\"m\"", "1723161255342999,\"m\"")) {
            Ok(StreamEvent::Trade(trade)) => assert_eq!(trade.time.millis(), 1_723_161_255_342),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn escaped_names_are_read() {
        let message = SPOT_BOOK.replace(r#""s":"BTCUSDT""#, r#""s":"\u5e01USDT""#);
        match parse(&message) {
            Ok(StreamEvent::BookTicker(book)) => assert_eq!(book.symbol, "币USDT"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_bad_message_is_told_with_its_place() {
        let cases = [
            (
                SPOT_TRADE.replace(r#""p":"61837.63000000","#, ""),
                "message: missing field `p` at byte 146; remove the line, or record again",
            ),
            (
                SPOT_TRADE.replace("61837.63000000", "abc"),
                "data.p: \"abc\" is not a plain decimal; write it like 600 or 0.25",
            ),
            (
                SPOT_TRADE.replace("61837.63000000", "0.00"),
                "data.p: 0.00 is out of range for a price: above 0 and below 10^12",
            ),
            (
                SPOT_TRADE.replace("0.02000000", "-1"),
                "data.q: -1 is out of range for a volume: 0 or more and below 10^28",
            ),
            (
                SPOT_TRADE.replace("1723161255342", "-7"),
                "data.T: \"-7\" is not a time in ms; write it like 1700000000000",
            ),
            (
                SPOT_TRADE.replace("3735683259", "-1"),
                "message: invalid value: integer `-1`, expected u64 at byte 84; remove the line, or record again",
            ),
            (
                SPOT_BOOK.replace("61837.64000000", "6.1e"),
                "data.a: \"6.1e\" is not a plain decimal; write it like 600 or 0.25",
            ),
            (
                SPOT_BOOK[..60].to_owned(),
                "message: EOF while parsing a string at byte 60; remove the line, or record again",
            ),
            ("{}}".to_owned(), "message: trailing characters at byte 3; remove the line, or record again"),
        ];
        for (message, expected) in cases {
            assert_eq!(parse(&message).unwrap_err().to_string(), expected, "{message}");
        }
    }

    /// Messages near those that the exchange sends: a part of one cut out, put twice, or replaced.
    fn near_messages() -> impl Strategy<Value = String> {
        let message = prop::sample::select(&[SPOT_TRADE, FUTURES_TRADE, SPOT_BOOK, FUTURES_BOOK][..]);
        let part = prop::sample::select(
            &[
                "",
                "\"",
                "\\",
                "\\u0041",
                ",",
                ":",
                " ",
                "\t",
                "{",
                "}",
                "null",
                "true",
                "-1",
                "0",
                "007",
                "1.5",
                "1e3",
                "[]",
                "\"x\":{\"y\":[1,-0.5e+3,null,{}]},",
                "\"s\":\"X\",",
                "\"X\":null,",
                "\"t\":5,",
                "\"data\":",
                "\"stream\":",
                "@trade",
                "99999999999999999999",
                "9223372036854775808",
                "币",
                "\u{1}",
                "MARKET",
            ][..],
        );
        let change = (any::<prop::sample::Index>(), 0_usize..9, part);
        (message, prop::collection::vec(change, 0..3)).prop_map(|(message, changes)| {
            changes.into_iter().fold(message.to_owned(), |mut text, (at, length, part)| {
                let at = at.index(text.len() + 1);
                let end = (at + length).min(text.len());
                if text.is_char_boundary(at) && text.is_char_boundary(end) {
                    text.replace_range(at..end, part);
                }
                text
            })
        })
    }

    #[test]
    fn what_the_exchange_sends_is_read_in_one_pass() {
        for message in [SPOT_TRADE, FUTURES_TRADE, SPOT_BOOK, FUTURES_BOOK] {
            assert!(flat::read(message).is_some(), "{message}");
            let spaced = message.replace(",\"", ", \"").replace("\":", "\": ");
            assert!(flat::read(&spaced).is_some(), "{spaced}");
            assert_eq!(parse(message), parse(&spaced));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn one_pass_reads_as_a_reader_of_any_json_does(message in near_messages()) {
            prop_assert_eq!(parse(&message), any_form(&message));
        }
    }
}
