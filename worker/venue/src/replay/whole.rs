//! Whole bars in a recording: the venue's own, of intervals of which the recording lacks trades. They stand on lines of their
//! own between its messages, and make no ticks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::instrument::Symbol;
use engine::market::{Bar, Interval};
use serde::{Deserialize, Serialize};

use super::Replay;
use super::error::DataError;
use super::format::Format;
use super::opening;
use super::recording;
use crate::binance::stream::ParseError;
use crate::binance::symbols;

/// How such a message begins.
const BEGINS: &str = "{\"whole\":";

/// Bars of one market and interval, the oldest first.
#[derive(Serialize, Deserialize)]
struct Whole<'a> {
    #[serde(rename = "whole")]
    interval: Interval,
    /// The market in the exchange's spelling.
    #[serde(borrow)]
    market: Cow<'a, str>,
    bars: Cow<'a, [Bar]>,
}

/// These bars as a message of a recording.
#[must_use]
pub fn whole_bars(symbol: &Symbol, interval: Interval, bars: &[Bar]) -> String {
    let whole = Whole { interval, market: symbols::name(symbol).into(), bars: bars.into() };
    // Numbers and names: this cannot fail.
    serde_json::to_string(&whole).unwrap_or_default()
}

impl Replay {
    /// The whole bars that recordings among these files have of a market, by their interval, the oldest first. Of an interval
    /// that is there twice the later one counts. Reads each file as a whole; other formats have none.
    pub fn whole_bars(paths: &[PathBuf], symbol: &Symbol) -> Result<BTreeMap<Interval, Vec<Bar>>, DataError> {
        let (mut found, market) = (BTreeMap::<Interval, BTreeMap<_, Bar>>::new(), symbols::name(symbol));
        for path in paths {
            let (mut lines, layout) = opening::open(path, symbol)?;
            if layout.format() != Format::BinanceStream {
                continue;
            }
            lines.may_be_torn();
            while lines.advance()? {
                if !lines.line().contains(BEGINS) {
                    continue;
                }
                let (_, message) = recording::split(&lines, symbol)?;
                let refuse = |problem: String, column| DataError::Message {
                    place: lines.place(),
                    problem: ParseError::Message { problem, column },
                };
                let whole: Whole<'_> =
                    serde_json::from_str(message).map_err(|error| refuse(error.to_string(), error.column()))?;
                if whole.market != market {
                    continue;
                }
                let bars = found.entry(whole.interval).or_default();
                for bar in whole.bars.iter() {
                    bar.check(whole.interval).map_err(|problem| refuse(problem.to_string(), 1))?;
                    bars.insert(bar.open_time, *bar);
                }
            }
        }
        Ok(found.into_iter().map(|(interval, bars)| (interval, bars.into_values().collect())).collect())
    }
}

#[cfg(test)]
mod tests {
    use engine::numbers::Volume;
    use engine::time::Timestamp;

    use super::*;

    fn bar(minute: i64, price: &str) -> Bar {
        let price = price.parse().unwrap();
        let open_time = Timestamp::from_millis(1_700_000_040_000 + 60_000 * minute);
        Bar { open_time, open: price, high: price, low: price, close: price, volume: Volume::ZERO, ticks: 3 }
    }

    const TRADE: &str = r#"1700000000000000007 {"stream":"btcusdt@trade","data":{"e":"trade","E":1700000040001,"s":"BTCUSDT","t":1,"p":"600.15","q":"0.5","T":1700000040000,"m":true,"M":true}}"#;
    const BOOK: &str = r#"1700000000000000006 {"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"600.1","B":"2","a":"600.2","A":"3"}}"#;

    #[test]
    fn bars_are_found_whichever_file_they_are_in_and_make_no_tick() {
        let (folder, btc, eth): (_, Symbol, Symbol) =
            (tempfile::tempdir().unwrap(), "BTC/USDT".parse().unwrap(), "ETH/USDT".parse().unwrap());
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        let minutes = |bars: &[Bar]| whole_bars(&btc, Interval::OneMinute, bars);
        let text = format!(
            "1700000000000000008 {}\n{BOOK}\n{TRADE}\n1700000000000000009 {}\n",
            minutes(&[bar(3, "603"), bar(4, "604")]),
            whole_bars(&eth, Interval::OneMinute, &[bar(9, "9")])
        );
        std::fs::write(&first, text).unwrap();
        std::fs::write(&second, format!("{BOOK}\n1700000000000000010 {}\n", minutes(&[bar(1, "601"), bar(4, "605")])))
            .unwrap();
        let found = Replay::whole_bars(&[first.clone(), second], &btc).unwrap();
        let expected = vec![bar(1, "601"), bar(3, "603"), bar(4, "605")];
        assert_eq!(found, BTreeMap::from([(Interval::OneMinute, expected)]));
        let summary = Replay::scan(&[first], &btc).unwrap();
        assert_eq!((summary.ticks, summary.gaps), (1, 0));
    }

    #[test]
    fn what_is_no_bar_is_refused_with_its_place() {
        let (folder, btc) = (tempfile::tempdir().unwrap(), "BTC/USDT".parse().unwrap());
        let file = folder.path().join("btc");
        let good = whole_bars(&btc, Interval::OneMinute, &[bar(3, "603")]);
        for (from, to, expected) in [
            ("\"1m\"", "\"3m\"", "unknown variant"),
            ("\"ticks\":3", "\"ticks\":0", "has no tick"),
            ("220000", "220001", "does not open"),
        ] {
            let bad = good.replace(from, to);
            std::fs::write(&file, format!("{BOOK}\n{TRADE}\n1700000000000000009 {bad}\n")).unwrap();
            let told = Replay::whole_bars(std::slice::from_ref(&file), &btc).unwrap_err().to_string();
            assert!(told.contains(expected) && told.contains("btc:3"), "{told}");
        }
    }
}
