//! What can be wrong with a file of market data, in words that name the place and the remedy.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

use engine::instrument::Symbol;
use engine::numbers::Price;
use engine::time::Timestamp;

use super::format::Format;
use crate::binance::stream::ParseError;
pub use crate::data::ValueError;

/// A line of a file, counted from 1 in the unpacked text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    #[expect(missing_docs, reason = "the name says it")]
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl DataError {
    pub(super) const fn open(file: Arc<str>, cause: io::Error) -> Self {
        Self::Open { file, cause, remedy: Cow::Borrowed("check its name and permissions") }
    }
}

/// Why market data cannot be replayed. The text is whole: causes are in it, not behind it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Nothing to read.
    #[error("no file of market data is named; name at least one")]
    NoFile,
    /// The file cannot be opened.
    #[error("{file}: cannot be opened: {cause}; {remedy}")]
    Open {
        /// The file.
        file: Arc<str>,
        /// What the system said.
        cause: io::Error,
        /// What to do.
        remedy: Cow<'static, str>,
    },
    /// A recording says that the exchange's name is another market's: spot and futures of one pair share it.
    #[error(
        "{place}: {market} is {recorded} here, in a recording of {origin}, and not {wanted}; nothing trades it in this \
         release: record {wanted} with --source binance-spot"
    )]
    OtherMarket {
        /// Where it says so.
        place: Place,
        /// The source that was recorded.
        origin: String,
        /// The exchange's name.
        market: String,
        /// Whose it is there.
        recorded: Symbol,
        /// Whose prices were wanted.
        wanted: Symbol,
    },
    /// Not something with an end that can be read again.
    #[error("{file}: is {found}, and data are read more than once; write them to a file and name that")]
    NotAFile {
        /// What was named.
        file: Arc<str>,
        /// What it is.
        found: &'static str,
    },
    /// The system failed to read on.
    #[error("{place}: cannot be read: {cause}; check that it is a file and its disk is well")]
    Read {
        /// The line after the last one that was read.
        place: Place,
        /// What the system said.
        cause: io::Error,
    },
    /// Compressed data end early or are damaged.
    #[error("{place}: the gzip data are torn or damaged: {cause}; copy the file again")]
    Unpack {
        /// The line after the last one that could be unpacked.
        place: Place,
        /// What the decompressor said.
        cause: io::Error,
    },
    /// The name promises gzip, the content is something else.
    #[error("{file}: is named .gz but is not gzip data; compress it or take .gz off its name")]
    NotGzip {
        /// The file.
        file: Arc<str>,
    },
    /// A zip archive, as exchanges offer them for download.
    #[error("{file}: is a zip archive; unpack it and name the CSV file inside")]
    Zip {
        /// The file.
        file: Arc<str>,
    },
    /// Something else than text, by how it begins.
    #[error("{file}: is {what}; {remedy}")]
    Binary {
        /// The file.
        file: Arc<str>,
        /// What it is.
        what: &'static str,
        /// What to do with it.
        remedy: &'static str,
    },
    /// A packed file that runs backwards and is too large to turn around.
    #[error(
        "{file}: the newest row is first, and the file is larger than {max} bytes unpacked; unpack it, or sort it by time"
    )]
    TooLargeToTurn {
        /// The file.
        file: Arc<str>,
        /// The bound.
        max: u64,
    },
    /// Not one row.
    #[error("{file}: holds no rows; name a file with data")]
    NoRows {
        /// The file.
        file: Arc<str>,
    },
    /// Something that is no text of sensible lines.
    #[error("{place}: the line is longer than {max} bytes; name a file of market data")]
    LineLength {
        /// Where.
        place: Place,
        /// The bound, with the end of the line.
        max: u64,
    },
    /// Bytes that are not text.
    #[error("{place}: the line is not UTF-8 text; save the file as UTF-8")]
    NotText {
        /// Where.
        place: Place,
    },
    /// The first line is of no known format.
    #[error("{place}: header: {problem}; known are {}", Format::KNOWN)]
    Header {
        /// Where.
        place: Place,
        /// What is wrong.
        problem: String,
    },
    /// A row has too few or too many fields.
    #[error("{place}: row: {found} columns where {expected} belong; write all columns in each row")]
    Columns {
        /// Where.
        place: Place,
        /// How many there are.
        found: usize,
        /// How many the first line promises.
        expected: usize,
    },
    /// A field is not what it should be.
    #[error("{place}: {column}: {problem}")]
    Value {
        /// Where.
        place: Place,
        /// The column's name.
        column: &'static str,
        /// What is wrong.
        problem: ValueError,
    },
    /// Fields contradict each other or the rows before.
    #[error("{place}: {column}: {problem}")]
    Row {
        /// Where.
        place: Place,
        /// The column's name.
        column: &'static str,
        /// What is wrong.
        problem: Contradiction,
    },
    /// Several rows contradict themselves.
    #[error("{first}; {more} more {} like it", if *.more == 1 { "row is" } else { "rows are" })]
    Rows {
        /// The first.
        first: Box<DataError>,
        /// How many are behind it.
        more: u64,
    },
    /// A line of a recording is not a message.
    #[error("{place}: {problem}")]
    Message {
        /// Where.
        place: Place,
        /// What is wrong.
        problem: ParseError,
    },
    /// Two formats in one file.
    #[error("{place}: row: is {found}, but the file began as {began}; write each format to a file of its own")]
    Mixed {
        /// Where.
        place: Place,
        /// The format of the first line.
        began: Format,
        /// The format of this line.
        found: Format,
    },
    /// One candle does not tell how long it is.
    #[error("{file}: holds one candle, and its length shows only between two; name a file with at least two candles")]
    OneCandle {
        /// The file.
        file: Arc<str>,
    },
    /// The recording is of other markets.
    #[error("{file}: symbol: {symbol} is not in this recording; it has: {found}")]
    NoSymbol {
        /// The file.
        file: Arc<str>,
        /// What was asked for, in the exchange's spelling.
        symbol: String,
        /// What is there.
        found: String,
    },
    /// The recording has the market, but no trade after a quote.
    #[error(
        "{file}: symbol: {symbol} has {trades} trades and {quotes} quotes, but no trade after a quote; \
         record its trade and bookTicker streams together"
    )]
    NoTick {
        /// The file.
        file: Arc<str>,
        /// What was asked for, in the exchange's spelling.
        symbol: String,
        /// Its trades.
        trades: u64,
        /// Its quotes.
        quotes: u64,
    },
    /// Messages without the stream's name.
    #[error(
        "{file}: symbol: {symbol} is not told in this recording: its {count} messages of trades and quotes come without \
         \"stream\"; record combined streams, such as /stream?streams={stream}@trade/{stream}@bookTicker"
    )]
    RawStream {
        /// The file.
        file: Arc<str>,
        /// What was asked for, in the exchange's spelling.
        symbol: String,
        /// How the exchange names its streams.
        stream: String,
        /// Such messages.
        count: u64,
    },
    /// One file, two times.
    #[error("{file}: is named twice; name it once")]
    Twice {
        /// The file.
        file: Arc<str>,
    },
    /// Two files cover the same time.
    #[error(
        "{second}: begins at {begins} ms, but {first}, which begins before it, lasts until {ends} ms; \
         name files of one symbol that do not overlap"
    )]
    Overlap {
        /// The earlier file.
        first: Arc<str>,
        /// Where the earlier file ends, in ms.
        ends: i64,
        /// The later file.
        second: Arc<str>,
        /// Where the later file begins, in ms.
        begins: i64,
    },
    /// A file is not what it was when it was scanned.
    #[error("{file}: has changed since it was scanned; leave it alone and start again")]
    Changed {
        /// The file.
        file: Arc<str>,
    },
}

/// Fields that are fine each but not together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A candle upside down.
    #[error("{high} is below low {low}; {remedy}")]
    HighBelowLow {
        /// The candle's high.
        high: Price,
        /// The candle's low.
        low: Price,
        /// What to do.
        remedy: RowRemedy,
    },
    /// A candle's open or close that the candle cannot have seen.
    #[error("{price} is not between low {low} and high {high}; {remedy}")]
    OutsideCandle {
        /// The open or the close.
        price: Price,
        /// The candle's low.
        low: Price,
        /// The candle's high.
        high: Price,
        /// What to do.
        remedy: RowRemedy,
    },
    /// A row of another market.
    #[error("{found:?} is not {symbol}; name the file of this market")]
    OtherMarket {
        /// What the row says.
        found: String,
        /// The market.
        symbol: Box<Symbol>,
    },
    /// A quote with which anyone would earn.
    #[error("{bid} is above ask {ask}; {remedy}")]
    Crossed {
        /// Best price to sell at.
        bid: Price,
        /// Best price to buy at.
        ask: Price,
        /// What to do.
        remedy: RowRemedy,
    },
    /// A row from before the row above it.
    #[error("{} comes after {}; sort the rows by time", .time.millis(), .previous.millis())]
    Backwards {
        /// This row's time.
        time: Timestamp,
        /// The time of the row above.
        previous: Timestamp,
    },
    /// The same candle again.
    #[error("{} is there twice; remove one of the two candles", .time.millis())]
    Doubled {
        /// The open time.
        time: Timestamp,
    },
    /// Open times of which most follow no interval.
    #[error(
        "most rows follow no interval: {interval_ms} ms after the row before is the most frequent, in {regular} of \
         {steps}; write candles of one interval to a file, or prices as time,price"
    )]
    Irregular {
        /// The most frequent difference of successive open times.
        interval_ms: i64,
        /// How many differences fit it.
        regular: u64,
        /// How many there are.
        steps: u64,
    },
}

/// What to do about a row that contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowRemedy {
    /// It is the first: perhaps all are like it.
    Columns,
    /// Rows before it are fine.
    Row,
    /// It is a message of a recording, so it has no columns.
    Message,
}

impl RowRemedy {
    /// Of a row behind the one of `previous`: only of the first row may the columns be in question.
    pub(super) const fn behind(previous: Option<Timestamp>) -> Self {
        if previous.is_none() { Self::Columns } else { Self::Row }
    }
}

impl fmt::Display for RowRemedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Columns => "check the order of the columns",
            Self::Row => "the rows before it are fine: correct this one, or remove it",
            Self::Message => "no market is so: remove this message",
        })
    }
}
