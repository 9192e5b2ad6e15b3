//! The formats of market data, by name. May not know files, lines or errors.

use std::fmt;

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
