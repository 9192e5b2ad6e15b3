//! Which column of a CSV holds what. May not read text.

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
    pub(crate) const BINANCE: Self = Self {
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
