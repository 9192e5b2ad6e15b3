//! Where prices come from: recordings, candles, or chance.

pub mod candles;
pub mod random;
pub mod recording;

use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;

/// What can be wrong with a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file could not be read.
    #[error("{file}: {error}")]
    Unread {
        /// Its path.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// A line of a file.
    #[error("{file}, line {line}: {what}")]
    Line {
        /// Its path.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// A file as a whole.
    #[error("{file}: {what}")]
    File {
        /// Its path.
        file: String,
        /// What is wrong, and what would be right.
        what: String,
    },
}

/// A change of the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A trade. Its id is given when it is played.
    Trade {
        /// In the quote asset.
        price: Amount,
        /// In the base asset.
        quantity: Amount,
        /// Whether the seller was the taker.
        buyer_maker: bool,
        /// The exchange's time of it in ms.
        time: i64,
        /// Whose trade it is: of futures also the insurance fund's and others, at no price of the market.
        origin: Origin,
    },
    /// The best bid and ask.
    Quote(Quote),
    /// Levels of the book that changed.
    Depth {
        /// Ids of the first and the last update in it; none where the source counts none.
        updates: (u64, u64),
        /// Levels, zero where one is gone.
        sides: Sides,
    },
    /// The whole book.
    Snapshot {
        /// Id of its last update.
        update: u64,
        /// Its levels.
        sides: Sides,
    },
}

/// Whose a trade is, as futures tell it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Origin {
    /// Two orders on the market.
    #[default]
    Market,
    /// The insurance fund.
    InsuranceFund,
    /// A position that was closed for another's loss.
    Adl,
    /// Not told.
    Na,
}

/// Bids and asks: price and quantity each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sides {
    /// From the source, in its order.
    pub bids: Vec<(Amount, Amount)>,
    /// From the source, in its order.
    pub asks: Vec<(Amount, Amount)>,
}

/// The best bid and ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quote {
    /// Price and quantity.
    pub bid: (Amount, Amount),
    /// Price and quantity.
    pub ask: (Amount, Amount),
    /// The book's update id; 0 where the source has none, then the market counts.
    pub update: u64,
    /// When the book changed, in ms; 0 where the source does not tell, then it is when it is sent.
    pub time: i64,
}

/// A change and when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When the exchange sends it, in ms since the epoch.
    pub at: i64,
    /// The event time that it carries, in ms since the epoch.
    pub time: i64,
    /// What it is.
    pub change: Change,
}

/// A source for one symbol.
pub struct Source {
    /// As BTCUSDT.
    pub symbol: String,
    /// The id of its first trade.
    pub first_trade: u64,
    /// The most by which a trade's own time lies before its sending, in ms.
    pub lag: i64,
    /// Times are shifted by whole multiples of so many ms, so that candles stay candles.
    pub step: i64,
    /// The events, endless where they repeat; never going back in `at`.
    pub events: Box<dyn Iterator<Item = Event> + Send>,
    /// When the first of them is sent.
    pub begin: i64,
}

/// Events over and over, each round later than the one before it, update ids too.
pub fn repeated(events: Vec<Event>, step: i64, loops: bool) -> impl Iterator<Item = Event> + Send {
    let times = || events.iter().map(|event| event.at);
    let length = times().max().unwrap_or(0) - times().min().unwrap_or(0);
    let span = (length / step + 1) * step;
    let updates = || events.iter().filter_map(|event| event.change.update());
    let update_span = updates().max().unwrap_or(0) - updates().min().unwrap_or(0) + 1;
    let rounds = if loops { usize::MAX } else { 1 };
    (0..rounds).flat_map(move |round| {
        let round_time = i64::try_from(round).unwrap_or(i64::MAX).saturating_mul(span);
        let round_update = u64::try_from(round).unwrap_or(u64::MAX).saturating_mul(update_span);
        let shifted = |event: &Event| event.clone().later(round_time, round_update);
        events.iter().map(shifted).collect::<Vec<_>>()
    })
}

impl Change {
    /// The last update id that it names.
    fn update(&self) -> Option<u64> {
        match self {
            Self::Trade { .. } => None,
            Self::Quote(quote) => (quote.update > 0).then_some(quote.update),
            Self::Depth { updates, .. } => Some(updates.1),
            Self::Snapshot { update, .. } => Some(*update),
        }
    }
}

impl Event {
    /// The same event later, and its update ids higher where it has any.
    #[must_use]
    pub fn later(mut self, by: i64, updates: u64) -> Self {
        self.at += by;
        self.time += by;
        match &mut self.change {
            Change::Trade { time, .. } => *time += by,
            Change::Quote(quote) => {
                quote.update += if quote.update > 0 { updates } else { 0 };
                quote.time += if quote.time > 0 { by } else { 0 };
            }
            Change::Depth { updates: ids, .. } => *ids = (ids.0 + updates, ids.1 + updates),
            Change::Snapshot { update, .. } => *update += updates,
        }
        self
    }
}

/// The text of a file, unpacked if its name ends in .gz.
fn text_of(path: &Path) -> Result<String, SourceError> {
    let unread = |error| SourceError::Unread { file: path.display().to_string(), error };
    let bytes = std::fs::read(path).map_err(unread)?;
    let mut text = String::new();
    if path.extension().is_some_and(|end| end == "gz") {
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).map_err(unread)?;
        return Ok(text);
    }
    String::from_utf8(bytes).map_err(|error| unread(io::Error::new(io::ErrorKind::InvalidData, error)))
}
