//! How far the ticks of a live source are out: their numbers, and what is missing between them. Pure.

use std::collections::BTreeMap;

use bus::Fields;
use engine::instrument::Symbol;
use engine::messages::{Document, Tick};
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};
use venue::live::{HoleCause, LastTrade, LiveTrade};

use crate::roles::source::{NEXT, position};

/// The field that tells, of each market, its next number and the trade up to which it is known.
const POSITIONS: &str = "positions";

/// The numbers of a source.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Of the next tick, at the source.
    next: u64,
    markets: BTreeMap<Symbol, Position>,
    /// Why trades will be missing before the next one of a market.
    causes: BTreeMap<Symbol, HoleCause>,
}

/// Where one market stands. In the record, so only fields with a default are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// The number of its next tick.
    next: u64,
    /// The venue's number of its last trade.
    id: u64,
    /// That trade's time.
    time: Timestamp,
}

/// Trades that are missing, for outsiders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gap {
    /// The market.
    pub symbol: Symbol,
    /// Why, in one word.
    pub cause: String,
    /// The time of the last trade before.
    pub from: Timestamp,
    /// The time of the first trade after.
    pub to: Timestamp,
    /// Whether the bars that it touches are whole all the same, by the venue's candles. Told anew once they are.
    pub filled: bool,
    /// How many trades.
    pub missed: u64,
}

impl Document for Gap {
    const VERSION: u32 = 1;
}

/// A trade that goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbered {
    pub tick: Tick,
    /// What is missing before it.
    pub gap: Option<Gap>,
}

impl Numbers {
    /// As a record holds them. `Err` says what does not read.
    pub fn restore(fields: &Fields) -> Result<Self, String> {
        let markets = match fields.get(POSITIONS) {
            None => BTreeMap::new(),
            Some(text) => {
                serde_json::from_str(text).map_err(|error| format!("its field {POSITIONS} is {text:?}: {error}"))?
            }
        };
        Ok(Self { next: position(fields)?, markets, causes: BTreeMap::new() })
    }

    /// The number of the next tick at the source.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Up to which trade a market is known.
    pub fn last(&self, symbol: &Symbol) -> Option<LastTrade> {
        self.markets.get(symbol).map(|position| LastTrade { id: position.id, time: position.time })
    }

    /// If trades are missing before the next one of this market, that is why. What is known first stays.
    pub fn is_missing(&mut self, symbol: &Symbol, cause: HoleCause) {
        self.causes.entry(symbol.clone()).or_insert(cause);
    }

    /// The same of all markets.
    pub fn are_missing(&mut self, cause: HoleCause) {
        for symbol in self.markets.keys() {
            self.causes.entry(symbol.clone()).or_insert(cause);
        }
    }

    /// The next trade of its market as a tick; `None` of one that is known already.
    pub fn take(&mut self, trade: LiveTrade) -> Option<Numbered> {
        let known = self.markets.get(&trade.symbol).copied();
        if known.is_some_and(|known| trade.id <= known.id) {
            return None;
        }
        let missed = known.map_or(0, |known| trade.id - known.id - 1);
        let cause = self.causes.remove(&trade.symbol).unwrap_or(HoleCause::Skipped);
        let gap = known.filter(|_| missed > 0).map(|known| Gap {
            symbol: trade.symbol.clone(),
            cause: cause.as_str().to_owned(),
            from: known.time,
            to: trade.time,
            filled: false,
            missed,
        });
        let sequence = known.map_or(0, |known| known.next).saturating_add(missed);
        let position = Position { next: sequence.saturating_add(1), id: trade.id, time: trade.time };
        self.markets.insert(trade.symbol.clone(), position);
        let tick = tick(trade, self.next, sequence);
        self.next = self.next.saturating_add(1);
        Some(Numbered { tick, gap })
    }

    /// The fields of the record.
    pub fn to_fields(&self) -> Result<[(String, String); 2], serde_json::Error> {
        let positions = serde_json::to_string(&self.markets)?;
        Ok([(NEXT.to_owned(), self.next.to_string()), (POSITIONS.to_owned(), positions)])
    }
}

/// As a recording of the same messages gives it.
fn tick(trade: LiveTrade, source_sequence: u64, sequence: u64) -> Tick {
    let LiveTrade { symbol, price, volume, bid, ask, bid_size, ask_size, time, received, .. } = trade;
    // Nothing is on offer where there is no price.
    let size = |price: Option<_>, size| if price.is_some() { size } else { engine::numbers::Quantity::ZERO };
    Tick {
        symbol,
        price,
        volume,
        bid,
        ask,
        bid_size: Some(size(bid, bid_size)),
        ask_size: Some(size(ask, ask_size)),
        time: Some(time),
        received,
        source_sequence,
        sequence,
        last: false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::trade;
    use super::*;

    const BTC: &str = "BTC/USDT";
    const ETH: &str = "ETH/USDT";

    /// The number at the source, at the market, and the cause and count of what is missing before.
    type Taken = (u64, u64, Option<(String, u64)>);

    fn taken(numbers: &mut Numbers, symbol: &str, id: u64) -> Option<Taken> {
        let taken = numbers.take(trade(symbol, id))?;
        Some((taken.tick.source_sequence, taken.tick.sequence, taken.gap.map(|gap| (gap.cause, gap.missed))))
    }

    #[test]
    fn the_source_is_dense_and_a_market_jumps_by_what_is_missing() {
        let mut numbers = Numbers::default();
        assert_eq!(taken(&mut numbers, BTC, 100), Some((0, 0, None)), "nothing is known before the first");
        assert_eq!(taken(&mut numbers, ETH, 7), Some((1, 0, None)));
        assert_eq!(taken(&mut numbers, BTC, 101), Some((2, 1, None)));
        assert_eq!(taken(&mut numbers, BTC, 101), None, "twice");
        assert_eq!(taken(&mut numbers, BTC, 99), None, "late");
        assert_eq!(taken(&mut numbers, BTC, 105), Some((3, 5, Some(("Skipped".to_owned(), 3)))));
        numbers.is_missing(&BTC.parse().unwrap(), HoleCause::Disconnect);
        numbers.are_missing(HoleCause::Suspend);
        assert_eq!(taken(&mut numbers, BTC, 107), Some((4, 7, Some(("Disconnect".to_owned(), 1)))), "the first cause");
        assert_eq!(taken(&mut numbers, ETH, 9), Some((5, 2, Some(("Suspend".to_owned(), 1)))));
        assert_eq!(taken(&mut numbers, ETH, 11), Some((6, 4, Some(("Skipped".to_owned(), 1)))), "a cause holds once");
    }

    #[test]
    fn a_successor_names_what_its_predecessor_missed() {
        let mut numbers = Numbers::default();
        for id in 3..9 {
            numbers.take(trade(BTC, id));
        }
        let fields = numbers.to_fields().unwrap();
        let fields: Fields = fields.into_iter().map(|(name, text)| (name, text.as_str().into())).collect();
        let mut successor = Numbers::restore(&fields).unwrap();
        let last = successor.last(&BTC.parse().unwrap()).unwrap();
        assert_eq!((last.id, last.time, successor.next()), (8, trade(BTC, 8).time, 6));
        assert_eq!(successor.last(&ETH.parse().unwrap()), None);
        successor.are_missing(HoleCause::Restart);
        let taken = successor.take(trade(BTC, 11)).unwrap();
        let gap = taken.gap.unwrap();
        assert_eq!((taken.tick.source_sequence, taken.tick.sequence, gap.missed), (6, 8, 2));
        assert_eq!((gap.cause.as_str(), gap.from, gap.to), ("Restart", trade(BTC, 8).time, trade(BTC, 11).time));
        for bad in ["", "[]", r#"{"BTC/USDT":{"next":1}}"#] {
            let fields = Fields::from([(POSITIONS.to_owned(), bad.into())]);
            assert!(Numbers::restore(&fields).unwrap_err().contains("its field positions"), "{bad}");
        }
    }
}
