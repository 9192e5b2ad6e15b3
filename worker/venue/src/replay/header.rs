//! Headers of candles as exporters write them: TradingView, ccxt, CryptoDataDownload, python-binance. May not
//! read rows.
//!
//! A header is known only where each of its columns is: a misspelt one would otherwise be left out in silence.

use engine::instrument::Symbol;

use super::format::{CandleColumns, Fields, Times};

/// What a column of an exporter holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column<'a> {
    /// The open time, by the name that messages use.
    OpenTime(&'static str),
    CloseTime,
    /// Open, high, low or close, by its place among them.
    Price(usize),
    /// What was traded, counted in this asset; in the base where the header names none.
    Volume(Option<&'a str>),
    Symbol,
    /// What no tick needs.
    Unused,
}

/// Names of the open time, in the spelling without case, blanks and underscores.
const OPEN_TIMES: [(&str, &str); 5] = [
    ("time", "time"),
    ("timestamp", "timestamp"),
    ("unix", "unix"),
    ("unixtimestamp", "unix timestamp"),
    ("opentime", "open time"),
];

const UNUSED: [&str; 16] = [
    "date",
    "datetime",
    "quotevolume",
    "quoteassetvolume",
    "turnover",
    "count",
    "trades",
    "tradecount",
    "numberoftrades",
    "takerbuyvolume",
    "takerbuyquotevolume",
    "takerbuybaseassetvolume",
    "takerbuyquoteassetvolume",
    "takerbuybase",
    "takerbuyquote",
    "ignore",
];

fn column(name: &str) -> Option<Column<'_>> {
    let plain: String = name.chars().filter(|c| !matches!(c, ' ' | '_')).collect::<String>().to_ascii_lowercase();
    if let Some((_, told)) = OPEN_TIMES.iter().find(|(known, _)| *known == plain) {
        return Some(Column::OpenTime(told));
    }
    match plain.as_str() {
        "open" => Some(Column::Price(0)),
        "high" => Some(Column::Price(1)),
        "low" => Some(Column::Price(2)),
        "close" => Some(Column::Price(3)),
        "volume" => Some(Column::Volume(None)),
        "closetime" => Some(Column::CloseTime),
        "symbol" => Some(Column::Symbol),
        unused if UNUSED.contains(&unused) => Some(Column::Unused),
        _ => match name.split_once(' ') {
            Some((word, asset)) if word.eq_ignore_ascii_case("volume") && !asset.trim().is_empty() => {
                Some(Column::Volume(Some(asset.trim())))
            }
            Some(_) | None => None,
        },
    }
}

/// The columns of a header with a time, open, high, low and close in an exporter's spelling; `None` where it is
/// no such header.
pub(super) fn detect(header: &Fields<'_>, symbol: &Symbol) -> Option<Result<CandleColumns, String>> {
    let found: Vec<Option<Column<'_>>> = (0..header.count()).map(|at| column(header.get(at))).collect();
    let has = |wanted: &Column<'_>| found.iter().flatten().any(|column| column == wanted);
    let timed = found.iter().flatten().any(|column| matches!(column, Column::OpenTime(_)));
    if !timed || !(0..4).all(|place| has(&Column::Price(place))) {
        return None;
    }
    Some(columns(header, &found, symbol))
}

fn columns(header: &Fields<'_>, found: &[Option<Column<'_>>], symbol: &Symbol) -> Result<CandleColumns, String> {
    let mut columns = CandleColumns::exported(header.count());
    let mut prices = [None; 4];
    let (mut open_time, mut volume, mut other_volume) = (None, None, None);
    for (at, column) in found.iter().enumerate() {
        let name = header.get(at);
        let take = |slot: &mut Option<usize>| match slot.replace(at) {
            Some(_) => Err(format!("column {name} is there twice")),
            None => Ok(()),
        };
        match column {
            Some(Column::OpenTime(told)) => {
                take(&mut open_time)?;
                columns.time_name = told;
            }
            Some(Column::CloseTime) => take(&mut columns.close_time)?,
            Some(Column::Price(place)) => take(&mut prices[*place])?,
            Some(Column::Volume(None)) => take(&mut volume)?,
            Some(Column::Volume(Some(asset))) if asset.eq_ignore_ascii_case(symbol.base().as_str()) => {
                take(&mut volume)?;
            }
            Some(Column::Volume(Some(asset))) if asset.eq_ignore_ascii_case(symbol.quote().as_str()) => {}
            Some(Column::Volume(Some(asset))) => other_volume = Some(*asset),
            Some(Column::Symbol) => take(&mut columns.symbol)?,
            Some(Column::Unused) => {}
            None => return Err(format!("column {:?} is not known", crate::data::shown(name))),
        }
    }
    if let Some(asset) = other_volume {
        return Err(format!("column Volume {} is of another market than {symbol}", crate::data::shown(asset)));
    }
    let position = |at: Option<usize>| at.ok_or_else(|| "a column is missing".to_owned());
    columns.open_time = position(open_time)?;
    for (slot, at) in columns.prices.iter_mut().zip(prices) {
        *slot = position(at)?;
    }
    columns.volume = volume;
    columns.times = Times::AnyUnit;
    Ok(columns)
}

/// Whether `text` is `symbol` in one of the spellings of exporters.
pub(super) fn names_symbol(text: &str, symbol: &Symbol) -> bool {
    let plain = text.bytes().filter(|b| !matches!(b, b'/' | b'-' | b'_')).map(|b| b.to_ascii_uppercase());
    plain.eq(symbol.base().as_str().bytes().chain(symbol.quote().as_str().bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(line: &str) -> Option<Result<CandleColumns, String>> {
        detect(&Fields::split(line), &"BTC/USDT".parse().unwrap())
    }

    #[test]
    fn exporters_headers_are_known() {
        for (line, open_time, prices, volume, time_name) in [
            ("time,open,high,low,close,Volume", 0, [1, 2, 3, 4], Some(5), "time"),
            ("time,open,high,low,close", 0, [1, 2, 3, 4], None, "time"),
            ("timestamp,open,high,low,close,volume", 0, [1, 2, 3, 4], Some(5), "timestamp"),
            (
                "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount",
                0,
                [3, 4, 5, 6],
                Some(7),
                "unix",
            ),
            ("Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume", 0, [3, 4, 5, 6], Some(7), "unix timestamp"),
            (
                "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,\
                 Taker buy base asset volume,Taker buy quote asset volume,Ignore",
                0,
                [1, 2, 3, 4],
                Some(5),
                "open time",
            ),
        ] {
            let columns = detected(line).unwrap().unwrap();
            let found = (columns.open_time, columns.prices, columns.volume, columns.time_name);
            assert_eq!(found, (open_time, prices, volume, time_name), "{line}");
        }
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        for (line, expected) in [
            ("time,open,high,low,close,RSI", "column \"RSI\" is not known"),
            ("time,timestamp,open,high,low,close", "column timestamp is there twice"),
            ("unix,open,high,low,close,Volume ETH,Volume USDT", "column Volume ETH is of another market than BTC/USDT"),
        ] {
            assert_eq!(detected(line), Some(Err(expected.to_owned())), "{line}");
        }
        for none in ["time,price", "date,open,high,low,close", "time,open,high,low"] {
            assert_eq!(detected(none), None, "{none}");
        }
    }

    #[test]
    fn a_symbol_has_many_spellings() {
        let symbol: Symbol = "BTC/USDT".parse().unwrap();
        assert!(["BTCUSDT", "BTC/USDT", "btc-usdt", "BTC_USDT"].iter().all(|text| names_symbol(text, &symbol)));
        assert!(["BTCUSD", "ETH/USDT", "", "BTC/USDTX"].iter().all(|text| !names_symbol(text, &symbol)));
    }
}
