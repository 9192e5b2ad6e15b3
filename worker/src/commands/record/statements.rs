//! What a recording says of itself: of which source it is, and before each market's first trade of which stream it takes them.

use std::collections::BTreeMap;

use engine::instrument::Symbol;
use venue::replay::{TradeStream, recorded_line, trades_line};

/// What one file has said, and what it will say.
#[derive(Debug)]
pub(super) struct Statements {
    recorded: String,
    has_begun: bool,
    trades: BTreeMap<String, TradeStream>,
}

impl Statements {
    /// Those of a source with these markets.
    pub fn of(source: &str, symbols: &[Symbol]) -> Self {
        Self { recorded: recorded_line(source, symbols), has_begun: false, trades: BTreeMap::new() }
    }

    /// Another file begins, which has said nothing.
    pub fn begin(&mut self) {
        (self.has_begun, self.trades) = (false, BTreeMap::new());
    }

    /// What is to be said before this frame.
    pub fn before(&mut self, frame: &str) -> Vec<String> {
        let begins = !std::mem::replace(&mut self.has_begun, true);
        let mut lines: Vec<String> = begins.then(|| self.recorded.clone()).into_iter().collect();
        if let Some((market, stream)) = TradeStream::of_message(frame)
            && self.trades.get(&market) != Some(&stream)
        {
            lines.push(trades_line(&market, stream));
            self.trades.insert(market, stream);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_says_whose_it_is_and_each_change_of_a_stream() {
        let mut statements = Statements::of("binance-usdm", &["BTC/USDT:USDT".parse().unwrap()]);
        let [book, trade, aggregate] =
            ["bookTicker", "trade", "aggTrade"].map(|kind| format!(r#"{{"stream":"btcusdt@{kind}","data":{{}}}}"#));
        let recorded = r#"{"recorded":"binance-usdm","markets":{"BTCUSDT":"BTC/USDT:USDT"}}"#;
        let trades = |kind: &str| format!(r#"{{"trades":"{kind}","market":"BTCUSDT"}}"#);
        assert_eq!(statements.before(&book), [recorded]);
        assert_eq!(statements.before(&trade), [trades("trade")]);
        assert!(statements.before(&trade).is_empty() && statements.before(&book).is_empty());
        assert_eq!(statements.before(&aggregate), [trades("aggTrade")]);
        statements.begin();
        assert_eq!(statements.before(&aggregate), [recorded.to_owned(), trades("aggTrade")]);
    }
}
