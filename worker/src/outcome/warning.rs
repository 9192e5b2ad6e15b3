//! What a user should know of a run that goes on all the same, in words: of the data here, of the parameters from the
//! engine. `backtest` and the screen of `run` say the same. May not read or write anything.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::Engine;
use engine::instrument::{Instrument, Rules, Symbol};
use engine::time::rfc3339;
use serde::Serialize;
use venue::replay::{Finding, Summary};

/// One warning, in the form of the contract.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Warning {
    /// A stable word, such as `MissingCandles`.
    pub kind: &'static str,
    /// The same in words, with how often, where first, and the remedy.
    pub message: String,
}

/// Prices lie between two steps of tickSize.
pub const DATA_FINER_THAN_RULES: &str = "DataFinerThanRules";
/// Candles, or trades of a recording, are missing.
pub const MISSING_CANDLES: &str = "MissingCandles";
/// Nobody is on one side of a quote.
pub const EMPTY_QUOTES: &str = "EmptyQuotes";
/// A recording holds messages of a market that no strategy here trades.
pub const UNKNOWN_SYMBOL_TICKS: &str = "UnknownSymbolTicks";

/// A recording ends in the midst.
pub const TORN_RECORDING: &str = "TornRecording";

/// Markets of one strategy do not begin and end together.
pub const UNEQUAL_SPANS: &str = "UnequalSpans";

/// What is odd about the parameters, as the engine judged them.
pub fn of_parameters(engine: &Engine) -> impl Iterator<Item = Warning> {
    engine.warnings().into_iter().map(|warning| Warning { kind: warning.kind.as_str(), message: warning.message })
}

/// What is odd about data for orders under the rules of `instrument`, where `traded` are the markets of all strategies
/// that look at the data. The tick size is held against the prices where the scan was made for it.
pub fn of_data(summary: &Summary, instrument: &Instrument, traded: &BTreeSet<Symbol>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |kind, message: Option<String>| warnings.extend(message.map(|message| Warning { kind, message }));
    warn(DATA_FINER_THAN_RULES, finer(summary, instrument));
    warn(MISSING_CANDLES, missing(summary));
    warn(EMPTY_QUOTES, empty_quotes(summary));
    for torn in summary.files.iter().filter_map(|file| file.torn.as_ref()) {
        let told = format!(
            "the packed text ends in the midst at {torn}: what is whole before it is read. Copy the file again if it was longer."
        );
        warn(TORN_RECORDING, Some(told));
    }
    let traded: BTreeSet<String> = traded.iter().map(Symbol::joined).collect();
    for (market, finding) in summary.other_markets.iter().filter(|(market, _)| !traded.contains(*market)) {
        let left_out = told(finding, |count| {
            let messages = if count == 1 { "message" } else { "messages" };
            format!("{count} {messages} of {market} left out")
        });
        warn(UNKNOWN_SYMBOL_TICKS, left_out.map(|told| format!("{told}: no strategy here trades it.")));
    }
    warnings
}

/// Whether the data of the markets of one strategy begin and end together, but for a hundredth of their span.
pub fn of_spans(summaries: &[Arc<Summary>]) -> Option<Warning> {
    let first = summaries.iter().map(|summary| summary.first);
    let last = summaries.iter().map(|summary| summary.last);
    let (begins, begun) = (first.clone().min()?, first.max()?);
    let (ending, ends) = (last.clone().min()?, last.max()?);
    let apart = begun.millis_since(begins).max(ends.millis_since(ending));
    if apart.saturating_mul(100) <= ends.millis_since(begins) {
        return None;
    }
    let span = |summary: &Arc<Summary>| {
        format!("{} from {} to {}", summary.symbol, rfc3339::text(summary.first), rfc3339::text(summary.last))
    };
    let spans = summaries.iter().map(span).collect::<Vec<_>>().join(", ");
    Some(Warning {
        kind: UNEQUAL_SPANS,
        message: format!(
            "the data of its markets do not begin and end together: {spans}. Nothing is done before each has a price, and \
             after the end of one its last price stays and no order in it arrives. Cut the files to one span."
        ),
    })
}

/// How often, and where first; nothing where it is not there.
fn told(finding: &Finding, what: impl FnOnce(u64) -> String) -> Option<String> {
    let first = finding.first.as_ref()?;
    Some(format!("{}, the first at {first}", what(finding.count)))
}

fn finer(summary: &Summary, instrument: &Instrument) -> Option<String> {
    let tick_size = instrument.tick_size;
    let told = told(&summary.finer, |count| {
        let what = match (is_candles(summary), count) {
            (true, 1) => "price of the candles lies",
            (true, _) => "prices of the candles lie",
            (false, 1) => "tick has a price",
            (false, _) => "ticks have a price",
        };
        format!("{count} {what} between two steps of tickSize {tick_size}")
    })?;
    let places = summary.finest_places.max(tick_size.get().scale());
    let fits = if places == 0 { "1".to_owned() } else { format!("\"0.{:0>1$}\"", 1, places as usize) };
    let lot = Rules::PLACES_MAX.saturating_sub(places);
    let with_lot = if instrument.lot_size.get().normalize().scale() > lot {
        format!(", and lotSize with at most {lot} digits after the point")
    } else {
        String::new()
    };
    Some(format!(
        "{told}: orders are rounded to tickSize, so they trade at worse prices, or never. If the data are right, write \
         tickSize: {fits}{with_lot}."
    ))
}

fn missing(summary: &Summary) -> Option<String> {
    let (missing, gaps, first) = (summary.missing, summary.gaps, summary.first_gap.as_ref()?);
    let what = match (is_candles(summary), missing) {
        (true, 1) => "candle is",
        (true, _) => "candles are",
        (false, 1) => "trade is",
        (false, _) => "trades are",
    };
    let places = if gaps == 1 { "1 place".to_owned() } else { format!("{gaps} places") };
    Some(format!(
        "{missing} {what} missing in {places}, the first before {first}: no order could be made there. Fill the gaps if \
         the exchange has the data."
    ))
}

fn empty_quotes(summary: &Summary) -> Option<String> {
    let told = told(&summary.empty_quotes, |count| {
        let ticks = if count == 1 { "tick has" } else { "ticks have" };
        format!("{count} {ticks} nobody on one side of the quote")
    })?;
    Some(format!("{told}: an order to that side is denied there (NoQuote)."))
}

fn is_candles(summary: &Summary) -> bool {
    summary.files.iter().any(|file| file.interval_ms.is_some())
}

#[cfg(test)]
mod tests {
    use venue::replay::Replay;

    use super::*;

    /// The warnings about a file with this text, for orders under these rules.
    fn warnings(text: &str, tick_size: &str, lot_size: &str) -> Vec<(&'static str, String)> {
        let folder = std::env::temp_dir().join(format!("warning-{}-{:p}", std::process::id(), text));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("d.csv");
        std::fs::write(&file, text).unwrap();
        let rules = format!(r#"{{"tickSize": "{tick_size}", "lotSize": "{lot_size}"}}"#);
        let symbol: Symbol = "BNB/USDT".parse().unwrap();
        let rules = serde_json::from_str(&rules).unwrap();
        let instrument = Instrument::new(symbol.clone(), &rules).unwrap();
        let summary = Replay::scan_for(std::slice::from_ref(&file), &symbol, instrument.tick_size).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let warnings = of_data(&summary, &instrument, &BTreeSet::from([symbol]));
        let shortened = format!("{}/", folder.display());
        warnings.into_iter().map(|warning| (warning.kind, warning.message.replace(&shortened, ""))).collect()
    }

    #[test]
    fn data_that_fit_are_not_warned_of() {
        let text = "time,price,bid,ask\n1700000000000,600,600,600.01\n1700000060000,601.50,601.5,601.51\n";
        assert_eq!(warnings(text, "0.01", "0.001"), []);
    }

    #[test]
    fn prices_finer_than_the_tick_size_are_counted_and_the_size_that_fits_is_named() {
        let text = "time,price\n1700000000000,0.005\n1700000060000,0.01\n1700000120000,0.0052\n";
        let told = |what: &str, fits: &str| {
            format!(
                "{what}: orders are rounded to tickSize, so they trade at worse prices, or never. If the data are right, \
                 write tickSize: {fits}."
            )
        };
        let ticks = "2 ticks have a price between two steps of tickSize 0.01, the first at d.csv:2";
        assert_eq!(warnings(text, "0.01", "1"), [(DATA_FINER_THAN_RULES, told(ticks, "\"0.0001\""))]);
        assert_eq!(warnings(text, "0.0001", "1"), []);
        let quotes = "time,price,bid,ask\n1700000000000,605,600,610\n";
        let one = "1 tick has a price between two steps of tickSize 10, the first at d.csv:2";
        assert_eq!(warnings(quotes, "10", "1"), [(DATA_FINER_THAN_RULES, told(one, "1"))]);
        let candles = "open_time_ms,open,high,low,close,volume\n1700000000000,600,600.1212,600,600.1,1\n\
                       1700000060000,600.1,600.12,600.1,600.1,1\n";
        let prices = "2 prices of the candles lie between two steps of tickSize 0.05, the first at d.csv:2";
        let lot = "\"0.0001\", and lotSize with at most 8 digits after the point";
        assert_eq!(warnings(candles, "0.05", "0.000000001"), [(DATA_FINER_THAN_RULES, told(prices, lot))]);
    }

    #[test]
    fn missing_candles_and_empty_quotes_name_their_number_and_the_first_place() {
        let candles = "open_time_ms,open,high,low,close,volume\n1700000000000,600,600,600,600,1\n\
                       1700000060000,600,600,600,600,1\n1700000240000,600,600,600,600,1\n";
        let told = "2 candles are missing in 1 place, the first before d.csv:4: no order could be made there. Fill the \
                    gaps if the exchange has the data.";
        assert_eq!(warnings(candles, "0.01", "1"), [(MISSING_CANDLES, told.to_owned())]);
        let quotes = "time,price,bid,ask\n1700000000000,600,600,600\n1700000060000,600,0,600\n";
        let told = "1 tick has nobody on one side of the quote, the first at d.csv:3: an order to that side is denied \
                    there (NoQuote).";
        assert_eq!(warnings(quotes, "0.01", "1"), [(EMPTY_QUOTES, told.to_owned())]);
    }

    #[test]
    fn messages_of_a_market_that_nobody_trades_are_named() {
        let message = |symbol: &str, id: u64| {
            format!(
                "{{\"stream\":\"x@trade\",\"data\":{{\"e\":\"trade\",\"E\":1700000000000,\"s\":\"{symbol}\",\"t\":{id},\
                 \"p\":\"600\",\"q\":\"1\",\"T\":1700000000000,\"m\":true,\"M\":true}}}}\n"
            )
        };
        let quote = "{\"stream\":\"bnbusdt@bookTicker\",\"data\":{\"u\":1,\"s\":\"BNBUSDT\",\"b\":\"600\",\"B\":\"1\",\
                     \"a\":\"600\",\"A\":\"1\"}}\n";
        let text = [quote.to_owned(), message("ETHUSDT", 1), message("BNBUSDT", 1), message("ETHUSDT", 2)].concat();
        let told = "2 messages of ETHUSDT left out, the first at d.csv:2: no strategy here trades it.";
        assert_eq!(warnings(&text, "0.01", "1"), [(UNKNOWN_SYMBOL_TICKS, told.to_owned())]);
    }
}
