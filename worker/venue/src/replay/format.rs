//! Tells the format of a file from its first line. May not read rows.

use std::fmt;

use engine::instrument::Symbol;

use super::error::DataError;
use super::header;
use super::lines::Lines;

/// The formats of market data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// CSV of ticks, with a header.
    Ticks,
    /// CSV of candles, with a header.
    Candles,
    /// Binance's own download of candles, 12 columns.
    BinanceCandles,
    /// Messages of Binance's combined streams as they came.
    BinanceStream,
}

impl Format {
    /// The first lines that are known, for messages.
    pub(crate) const KNOWN: &str = "time,price[,bid,ask[,bidSize,askSize]][,volume] for ticks, \
        open_time_ms,open,high,low,close,volume for candles, Binance's downloads of 12 columns \
        and recordings of its combined streams, and candles as TradingView, ccxt and CryptoDataDownload write them";

    /// What a row of this format is, in the plural.
    pub const fn rows(self) -> &'static str {
        match self {
            Self::Ticks => "ticks",
            Self::Candles | Self::BinanceCandles => "candles",
            Self::BinanceStream => "trades",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ticks => "CSV of ticks",
            Self::Candles => "CSV of candles",
            Self::BinanceCandles => "Binance's CSV of candles",
            Self::BinanceStream => "a recording of Binance's streams",
        })
    }
}

/// Columns of a row of fields that is split at commas.
pub(crate) const COLUMNS_MAX: usize = 12;

/// The fields of one row, not copied.
pub(crate) struct Fields<'a> {
    fields: [&'a str; COLUMNS_MAX],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Splits at commas. Blanks and quotes around a field are dropped; a comma within quotes divides nothing.
    pub(crate) fn split(line: &'a str) -> Self {
        let (mut fields, mut count) = ([""; COLUMNS_MAX], 0);
        let mut rest = Some(line);
        while let Some(text) = rest {
            let field;
            (field, rest) = match text.as_bytes() {
                [b'0'..=b'9', ..] => next_field(text),
                _ => next_quoted(text),
            };
            if let Some(slot) = fields.get_mut(count) {
                *slot = field;
            }
            count += 1;
        }
        Self { fields, count }
    }

    /// How many fields the row has, even those past [`COLUMNS_MAX`].
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// The field in `column`, empty where the row has none.
    pub(crate) fn get(&self, column: usize) -> &'a str {
        self.fields.get(column).copied().unwrap_or_default()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| *field == name)
    }
}

/// The field before the next comma, and what is behind it.
fn next_field(text: &str) -> (&str, Option<&str>) {
    // Fields are a few bytes long: to look at each is quicker than to search by words.
    match text.bytes().position(|byte| byte == b',') {
        Some(comma) => (text[..comma].trim_ascii_end(), Some(&text[comma + 1..])),
        None => (text.trim_ascii_end(), None),
    }
}

/// The next field, which may have blanks before it and quotes around it.
fn next_quoted(text: &str) -> (&str, Option<&str>) {
    let text = text.trim_ascii_start();
    if let Some((field, behind)) = text.strip_prefix('"').and_then(|inner| inner.split_once('"')) {
        let behind = behind.trim_ascii_start();
        if behind.is_empty() {
            return (field.trim_ascii(), None);
        }
        if let Some(rest) = behind.strip_prefix(',') {
            return (field.trim_ascii(), Some(rest));
        }
    }
    next_field(text)
}

/// Which column holds what in a CSV of ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TickColumns {
    pub count: usize,
    pub time: usize,
    pub price: usize,
    pub volume: Option<usize>,
    /// Columns of bid and ask.
    pub quote: Option<(usize, usize)>,
    /// Columns of bidSize and askSize.
    pub sizes: Option<(usize, usize)>,
}

/// Which column holds what in a CSV of candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CandleColumns {
    pub count: usize,
    pub open_time: usize,
    /// Columns of open, high, low and close.
    pub prices: [usize; 4],
    /// None in some exports.
    pub volume: Option<usize>,
    /// Only in Binance's download, and in exports of it.
    pub close_time: Option<usize>,
    /// The market that a row is of; only in exports.
    pub symbol: Option<usize>,
    pub times: Times,
    /// The open time's name for messages.
    pub time_name: &'static str,
}

impl CandleColumns {
    const BINANCE: Self = Self {
        count: 12,
        volume: Some(5),
        close_time: Some(6),
        times: Times::MillisOrMicros,
        time_name: "open_time",
        ..Self::exported(12)
    };

    /// Columns of an exporter, with none found yet but those that stand first.
    pub(crate) const fn exported(count: usize) -> Self {
        Self {
            count,
            open_time: 0,
            prices: [1, 2, 3, 4],
            volume: None,
            close_time: None,
            symbol: None,
            times: Times::AnyUnit,
            time_name: "time",
        }
    }
}

/// How a file of candles writes times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// Milliseconds.
    Millis,
    /// Milliseconds or microseconds.
    MillisOrMicros,
    /// Seconds, milliseconds or microseconds, even mixed; rows may run backwards.
    AnyUnit,
}

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

    #[test]
    fn fields_lose_blanks_and_quotes_but_no_comma_within() {
        for (line, expected) in [
            ("1,2,3", vec!["1", "2", "3"]),
            ("1, 2 ,\t3 ", vec!["1", "2", "3"]),
            ("\"1\",\"2\", \"3\" ", vec!["1", "2", "3"]),
            ("1,\"1,600.50\",3", vec!["1", "1,600.50", "3"]),
            ("1,,", vec!["1", "", ""]),
            ("", vec![""]),
            ("\"1,2", vec!["\"1", "2"]),
            ("\"1\"2,3", vec!["\"1\"2", "3"]),
        ] {
            let fields = Fields::split(line);
            let found: Vec<&str> = (0..fields.count()).map(|at| fields.get(at)).collect();
            assert_eq!(found, expected, "{line:?}");
        }
    }
}
