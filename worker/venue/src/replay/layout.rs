//! Tells the layout of a file from its first line. May not read rows.

use engine::instrument::Symbol;

use super::columns::{CandleColumns, TickColumns, Times};
use super::error::DataError;
use super::fields::Fields;
use super::format::Format;
use super::header;
use super::lines::Lines;

/// What the first line of a file says about the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Ticks(TickColumns),
    Candles(CandleColumns),
    /// Binance's futures downloads have a header, its spot downloads have none.
    BinanceCandles {
        columns: CandleColumns,
        header: bool,
    },
    Recording,
}

impl Layout {
    /// Reads the layout of a file of `symbol` from a first line, or says what is wrong with it.
    pub(crate) fn detect(line: &str, symbol: &Symbol) -> Result<Self, String> {
        if is_message(line) {
            return Ok(Self::Recording);
        }
        // Else the last name of a line that ends with CR would be told as not known.
        if line.contains('\r') {
            return Err(header::unread(line));
        }
        let fields = Fields::split(line);
        let columns = CandleColumns::BINANCE;
        if fields.count() == columns.count {
            match fields.get(0) {
                "open_time" => return Ok(Self::BinanceCandles { columns, header: true }),
                time if is_digits(time) => return Ok(Self::BinanceCandles { columns, header: false }),
                _ => {}
            }
        }
        if fields.position("open_time_ms").is_some() {
            return candle_columns(&fields).map(Self::Candles);
        }
        if let Some(columns) = header::detect(&fields, symbol) {
            return columns.map(Self::Candles);
        }
        if fields.position("time").is_some() {
            return tick_columns(&fields).map(Self::Ticks);
        }
        Err(header::unread(line))
    }

    /// The error for the current line of a file that began as `began`, if the line is fine in another format.
    pub(crate) fn mixed(lines: &Lines, began: Format, symbol: &Symbol) -> Option<DataError> {
        let found = Self::detect(lines.line(), symbol).ok()?.format();
        (found != began).then(|| DataError::Mixed { place: lines.place(), began, found })
    }

    /// The format, for people.
    pub(crate) const fn format(&self) -> Format {
        match self {
            Self::Ticks(_) => Format::Ticks,
            Self::Candles(_) => Format::Candles,
            Self::BinanceCandles { .. } => Format::BinanceCandles,
            Self::Recording => Format::BinanceStream,
        }
    }

    /// Whether the first line is a header and so no row.
    pub(crate) const fn has_header(&self) -> bool {
        match self {
            Self::Ticks(_) | Self::Candles(_) => true,
            Self::BinanceCandles { header, .. } => *header,
            Self::Recording => false,
        }
    }
}

/// Whether a line is an object of JSON, with or without a receive time before it.
pub(crate) fn is_message(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let message = if rest.len() < line.len() { rest.strip_prefix(' ').unwrap_or("") } else { rest };
    message.starts_with('{')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn candle_columns(header: &Fields<'_>) -> Result<CandleColumns, String> {
    check_names(header, &["open_time_ms", "open", "high", "low", "close", "volume"])?;
    let position = |name| header.position(name).ok_or_else(|| format!("column {name} is missing"));
    Ok(CandleColumns {
        count: header.count(),
        open_time: position("open_time_ms")?,
        prices: [position("open")?, position("high")?, position("low")?, position("close")?],
        volume: Some(position("volume")?),
        times: Times::Millis,
        time_name: "open_time_ms",
        ..CandleColumns::exported(header.count())
    })
}

fn tick_columns(header: &Fields<'_>) -> Result<TickColumns, String> {
    check_names(header, &["time", "price", "bid", "ask", "bidSize", "askSize", "volume"])?;
    let position = |name| header.position(name).ok_or_else(|| format!("column {name} is missing"));
    let pair = |a, b| match (header.position(a), header.position(b)) {
        (Some(a), Some(b)) => Ok(Some((a, b))),
        (None, None) => Ok(None),
        _ => Err(format!("one of the columns {a} and {b} is missing")),
    };
    let (quote, sizes) = (pair("bid", "ask")?, pair("bidSize", "askSize")?);
    if sizes.is_some() && quote.is_none() {
        return Err("the columns bidSize and askSize are there without bid and ask".to_owned());
    }
    let (time, price, volume) = (position("time")?, position("price")?, header.position("volume"));
    Ok(TickColumns { count: header.count(), time, price, volume, quote, sizes })
}

/// Refuses names that are not known or there twice: a misspelt column would otherwise be left out in silence.
fn check_names(header: &Fields<'_>, known: &[&str]) -> Result<(), String> {
    for column in 0..header.count() {
        let name = header.get(column);
        if !known.contains(&name) {
            return Err(header::unknown(header, column));
        }
        if header.position(name) != Some(column) {
            return Err(format!("column {name} is there twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(line: &str) -> Result<Layout, String> {
        Layout::detect(line, &"BTC/USDT".parse().unwrap())
    }

    #[test]
    fn tells_the_format_from_the_first_line() {
        let kline = "1593259200000,1,2,1,2,5,1593262799999,8,9,4,3,0";
        let futures = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore";
        let cases = [
            ("time,price", Format::Ticks, true),
            ("time,price,bid,ask,volume", Format::Ticks, true),
            ("askSize,bidSize,ask,bid,price,time", Format::Ticks, true),
            ("open_time_ms,open,high,low,close,volume", Format::Candles, true),
            ("\"open_time_ms\",\"open\",\"high\",\"low\",\"close\",\"volume\"", Format::Candles, true),
            (kline, Format::BinanceCandles, false),
            (futures, Format::BinanceCandles, true),
            ("time, price, bid, ask", Format::Ticks, true),
            ("time,open,high,low,close,Volume", Format::Candles, true),
            ("timestamp,open,high,low,close,volume", Format::Candles, true),
            ("{\"stream\":", Format::BinanceStream, false),
            ("1723161254087896568 {", Format::BinanceStream, false),
        ];
        for (line, format, header) in cases {
            let layout = detect(line).unwrap();
            assert_eq!((layout.format(), layout.has_header()), (format, header), "{line}");
        }
    }

    #[test]
    fn finds_columns_in_any_order() {
        let expected = TickColumns { count: 5, time: 4, price: 3, volume: Some(0), quote: Some((2, 1)), sizes: None };
        assert_eq!(detect("volume,ask,bid,price,time"), Ok(Layout::Ticks(expected)));
        let expected = CandleColumns {
            open_time: 5,
            volume: Some(0),
            times: Times::Millis,
            time_name: "open_time_ms",
            ..CandleColumns::exported(6)
        };
        assert_eq!(detect("volume,open,high,low,close,open_time_ms"), Ok(Layout::Candles(expected)));
    }

    #[test]
    fn says_what_is_wrong_with_a_header() {
        let cases = [
            ("date,close", "\"date,close\" is of no known format"),
            ("1593259200000,1,2,1,2,5", "\"1593259200000,1,2,1,2,5\" is of no known format"),
            ("12a{", "\"12a{\" is of no known format"),
            ("time,bid,ask", "column price is missing"),
            ("time,price,bid", "one of the columns bid and ask is missing"),
            ("time,price,bid,ask,bidSize", "one of the columns bidSize and askSize is missing"),
            ("time,price,bidSize,askSize", "the columns bidSize and askSize are there without bid and ask"),
            ("time,price,bid,ask,bid_size", "column \"bid_size\" is not known; correct its name, or remove it"),
            ("time,price,price", "column price is there twice"),
            ("time,price,", "column 3 has no name; remove it"),
            ("open_time_ms,open,high,low,close", "column volume is missing"),
            (
                "open_time_ms,open,high,low,close,volume,trades",
                "column \"trades\" is not known; correct its name, or remove it",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(detect(line), Err(expected.to_owned()), "{line}");
        }
    }
}
