//! What a recording says of itself, on lines of its own between its messages: of which source it is, and of which stream its
//! trades are. Recordings of spot say nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use engine::instrument::Symbol;
use serde::{Deserialize, Serialize};

use crate::binance::stream::ParseError;
use crate::binance::symbols;

/// Of which source the messages are, and which markets the exchange's names are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recorded<'a> {
    #[serde(rename = "recorded", borrow)]
    pub source: Cow<'a, str>,
    pub markets: BTreeMap<Cow<'a, str>, Symbol>,
}

/// Of which stream the trades of a market are from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trades<'a> {
    #[serde(rename = "trades")]
    pub stream: TradeStream,
    #[serde(borrow)]
    pub market: Cow<'a, str>,
}

/// A stream that tells trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TradeStream {
    /// Each trade.
    #[serde(rename = "trade")]
    Trade,
    /// Trades at one price, at one time and from one order, told as one.
    #[serde(rename = "aggTrade")]
    Aggregate,
}

/// What one line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement<'a> {
    Recorded(Recorded<'a>),
    Trades(Trades<'a>),
}

/// The line that says of which source a recording is.
#[must_use]
pub fn recorded_line<'a>(source: &str, symbols: impl IntoIterator<Item = &'a Symbol>) -> String {
    let markets = symbols.into_iter().map(|symbol| (symbols::name(symbol).into(), symbol.clone())).collect();
    // Names alone: this cannot fail.
    serde_json::to_string(&Recorded { source: source.into(), markets }).unwrap_or_default()
}

/// The line that says of which stream a market's trades are.
#[must_use]
pub fn trades_line(market: &str, stream: TradeStream) -> String {
    serde_json::to_string(&Trades { stream, market: market.into() }).unwrap_or_default()
}

impl TradeStream {
    /// The stream of a message of trades, and its market; nothing of another message.
    pub fn of_message(message: &str) -> Option<(String, Self)> {
        let (name, _) = message.split_once("\"stream\":\"")?.1.split_once('"')?;
        let (market, kind) = name.split_once('@')?;
        let stream = match kind {
            "trade" => Self::Trade,
            "aggTrade" => Self::Aggregate,
            _ => return None,
        };
        Some((market.to_ascii_uppercase(), stream))
    }
}

/// Reads a message that is none of a stream; nothing where it says something else.
pub(super) fn read(message: &str) -> Result<Option<Statement<'_>>, ParseError> {
    let refuse = |error: serde_json::Error| ParseError::Message { problem: error.to_string(), column: error.column() };
    if message.starts_with("{\"recorded\":") {
        return serde_json::from_str(message).map(|said| Some(Statement::Recorded(said))).map_err(refuse);
    }
    if message.starts_with("{\"trades\":") {
        return serde_json::from_str(message).map(|said| Some(Statement::Trades(said))).map_err(refuse);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::Replay;

    const BOOK: &str =
        r#"{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"600.1","B":"2","a":"600.2","A":"3"}}"#;

    fn aggregate(id: u64, first: u64, last: u64) -> String {
        format!(
            r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":1700000000001,"s":"BTCUSDT","a":{id},"p":"600.1","q":"2","f":{first},"l":{last},"T":1700000000000,"m":true}}}}"#
        )
    }

    fn trade(id: u64) -> String {
        format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1700000000001,"T":1700000000000,"s":"BTCUSDT","t":{id},"p":"600.1","q":"1","X":"MARKET","m":true}}}}"#
        )
    }

    fn scanned(symbol: &str, lines: &[String]) -> Result<(u64, u64, u64), String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("btc.jsonl");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let summary = Replay::scan(&[file], &symbol.parse().unwrap()).map_err(|error| error.to_string())?;
        Ok((summary.ticks, summary.gaps, summary.missing))
    }

    #[test]
    fn what_is_written_is_read() {
        let symbol: Symbol = "BTC/USDT:USDT-260327".parse().unwrap();
        let line = recorded_line("binance-usdm", [&symbol]);
        assert_eq!(line, r#"{"recorded":"binance-usdm","markets":{"BTCUSDT_260327":"BTC/USDT:USDT-260327"}}"#);
        assert!(matches!(read(&line), Ok(Some(Statement::Recorded(said))) if said.markets["BTCUSDT_260327"] == symbol));
        let line = trades_line("BTCUSDT", TradeStream::Aggregate);
        assert_eq!(line, r#"{"trades":"aggTrade","market":"BTCUSDT"}"#);
        assert!(matches!(read(&line), Ok(Some(Statement::Trades(said))) if said.stream == TradeStream::Aggregate));
        assert_eq!(read(r#"{"result":null,"id":1}"#), Ok(None));
        assert!(read(r#"{"trades":"all","market":"BTCUSDT"}"#).is_err());
        assert_eq!(TradeStream::of_message(&aggregate(1, 2, 3)), Some(("BTCUSDT".to_owned(), TradeStream::Aggregate)));
        assert_eq!(TradeStream::of_message(BOOK), None);
    }

    #[test]
    fn aggregates_are_ticks_only_where_the_recording_says_so() {
        let frames = [BOOK.to_owned(), aggregate(7, 20, 22), aggregate(9, 25, 25), trade(26), trade(26)];
        let ticks = |lines: &[String]| scanned("BTC/USDT:USDT", lines).unwrap();
        assert_eq!(ticks(&frames), (1, 0, 0), "that of the trade");
        let said = [vec![trades_line("BTCUSDT", TradeStream::Aggregate)], frames.to_vec()].concat();
        assert_eq!(ticks(&said), (3, 1, 1));
        let of_another = [vec![trades_line("ETHUSDT", TradeStream::Aggregate)], frames.to_vec()].concat();
        assert_eq!(ticks(&of_another), (1, 0, 0));
    }

    #[test]
    fn a_recording_of_futures_is_not_taken_for_spot() {
        let symbol: Symbol = "BTC/USDT:USDT".parse().unwrap();
        let lines = [recorded_line("binance-usdm", [&symbol]), BOOK.to_owned(), trade(1)];
        assert_eq!(scanned("BTC/USDT:USDT", &lines), Ok((1, 0, 0)));
        let told = scanned("BTC/USDT", &lines).unwrap_err();
        let expected = "btc.jsonl:1: BTCUSDT is BTC/USDT:USDT here, in a recording of binance-usdm, and not BTC/USDT; \
                        nothing trades it in this release: record BTC/USDT with --source binance-spot";
        assert!(told.ends_with(expected), "{told}");
    }
}
