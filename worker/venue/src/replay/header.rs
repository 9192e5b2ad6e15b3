//! Headers of candles as exporters write them: TradingView, ccxt, CryptoDataDownload, python-binance. May not
//! read rows.
//!
//! A header is known only where each of its columns is: a misspelt one would otherwise be left out in silence.

use engine::instrument::Symbol;

use super::columns::{CandleColumns, Times};
use super::fields::{COLUMNS_MAX, Fields};

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

const UNUSED: [&str; 17] = [
    // TradingView's average of the volume.
    "volumema",
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
    let (mut open_time, mut volume, mut quoted, mut other_volumes) = (None, None, false, Vec::new());
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
            Some(Column::Volume(Some(asset))) if asset.eq_ignore_ascii_case(symbol.quote().as_str()) => quoted = true,
            Some(Column::Volume(Some(asset))) => other_volumes.push((at, *asset)),
            Some(Column::Symbol) => take(&mut columns.symbol)?,
            Some(Column::Unused) => {}
            None => return Err(unknown(header, at)),
        }
    }
    if let Some((at, asset)) = other_volumes.first() {
        // CryptoDataDownload names the volume by the base, the quote or both. Behind one of them it is an indicator.
        let is_asset = asset.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let pair = quoted || other_volumes.len() > 1 || columns.symbol.is_some();
        return Err(if is_asset && pair && volume.is_none() {
            format!("column Volume {} is of another market than {symbol}", crate::data::shown(asset))
        } else {
            unknown(header, *at)
        });
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

/// What to do with the column at `at`, which no format has.
pub(super) fn unknown(header: &Fields<'_>, at: usize) -> String {
    let (name, count) = (header.get(at), header.count());
    if count > COLUMNS_MAX {
        return format!(
            "{count} columns are there where at most {COLUMNS_MAX} are read; remove those that are not known"
        );
    }
    match (name.is_empty(), at) {
        (true, 0) => "the first column has no name; remove it, in pandas with to_csv(FILE, index=False)".to_owned(),
        (true, _) => format!("column {} has no name; remove it", at + 1),
        (false, _) => format!("column {:?} is not known; correct its name, or remove it", crate::data::shown(name)),
    }
}

/// What is wrong with a first line of no known format, with the remedy where only one can be meant.
pub(super) fn unread(line: &str) -> String {
    // An end of line of old, or a byte of another encoding, ends what is worth showing.
    let told = line.split(char::is_control).find(|part| !part.is_empty()).unwrap_or_default();
    let told = format!("{:?} is of no known format", crate::data::shown(told));
    if line.contains('\r') {
        return format!("{told}, and its lines end with CR; save the file with lines that end with LF");
    }
    for (separator, name) in [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")] {
        if !line.contains(',') && line.matches(separator).count() > 0 {
            return format!("{told}: its columns are separated by {name}; separate them by commas");
        }
    }
    let fields = Fields::split(line);
    let names: Vec<String> = (0..fields.count()).map(|at| fields.get(at).to_ascii_lowercase()).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    let candles = ["open", "high", "low", "close"].into_iter().all(has);
    match names.first().map(String::as_str) {
        Some("") if candles => {
            format!("{told}: its first column has no name; if it is the time in s, ms or µs, name it time")
        }
        Some("date" | "datetime") if candles => {
            format!("{told}: dates are not read; write the time in s, ms or µs, and name its column time")
        }
        Some("date" | "datetime") if has("price") => {
            format!("{told}: dates are not read; write the time in ms, and name its column time")
        }
        Some(_) | None => told,
    }
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
            ("time,open,high,low,close,Volume,Volume MA", 0, [1, 2, 3, 4], Some(5), "time"),
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
            ("time,open,high,low,close,RSI", "column \"RSI\" is not known; correct its name, or remove it"),
            ("time,open,high,low,close,Volume X", "column \"Volume X\" is not known; correct its name, or remove it"),
            (
                "time,open,high,low,close,Volume BTC,Volume USDT,Volume SMA",
                "column \"Volume SMA\" is not known; correct its name, or remove it",
            ),
            ("unix,symbol,open,high,low,close,Volume ETH", "column Volume ETH is of another market than BTC/USDT"),
            (
                ",timestamp,open,high,low,close,volume",
                "the first column has no name; remove it, in pandas with to_csv(FILE, index=False)",
            ),
            ("time,open,high,low,close,", "column 6 has no name; remove it"),
            (
                "time,open,high,low,close,Volume,MA,MA,MA,MA,MA,MA,MA",
                "13 columns are there where at most 12 are read; remove those that are not known",
            ),
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
    fn a_header_of_no_format_is_told_with_what_to_write() {
        let dates = "dates are not read; write the time in";
        for (line, expected) in [
            (
                "date,open,high,low,close,volume",
                format!("\"date,open,high,low,close,volume\" is of no known format: {dates} s, ms or µs, and name its column time"),
            ),
            ("Date,price", format!("\"Date,price\" is of no known format: {dates} ms, and name its column time")),
            (
                ",open,high,low,close,volume",
                "\",open,high,low,close,volume\" is of no known format: its first column has no name; if it is the time \
                 in s, ms or µs, name it time"
                    .to_owned(),
            ),
            (
                "time;price",
                "\"time;price\" is of no known format: its columns are separated by semicolons; separate them by commas"
                    .to_owned(),
            ),
            (
                "time\tprice",
                "\"time\" is of no known format: its columns are separated by tabs; separate them by commas".to_owned(),
            ),
            (
                "time,price\r1000,600\r",
                "\"time,price\" is of no known format, and its lines end with CR; save the file with lines that end with LF"
                    .to_owned(),
            ),
            ("\0a\0b", "\"a\" is of no known format".to_owned()),
            ("x,y;z", "\"x,y;z\" is of no known format".to_owned()),
        ] {
            assert_eq!(unread(line), expected);
        }
    }

    #[test]
    fn a_symbol_has_many_spellings() {
        let symbol: Symbol = "BTC/USDT".parse().unwrap();
        assert!(["BTCUSDT", "BTC/USDT", "btc-usdt", "BTC_USDT"].iter().all(|text| names_symbol(text, &symbol)));
        assert!(["BTCUSD", "ETH/USDT", "", "BTC/USDTX"].iter().all(|text| !names_symbol(text, &symbol)));
    }
}
