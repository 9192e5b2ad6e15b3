//! A market that moves by small steps around one price, with quotes and sizes: what rests near the price is met often,
//! and often in part.

use std::fmt::Write as _;

use crate::instrument::Symbol;
use crate::messages::Tick;
use crate::numbers::{Price, Quantity};
use crate::time::Timestamp;

use super::Chance;

/// When the first tick is.
const START_MS: i64 = 1_700_000_000_000;
/// The price that it moves around, in cents.
const MIDDLE: u64 = 60_000;
/// How far it strays at most.
const STRAY: u64 = 300;
/// Longer than half a latency of a second and a half, and shorter.
const STEP_MS: [i64; 4] = [200, 500, 1_000, 2_000];

/// Ticks of `BNB/USDT`, or of another symbol, the last of them marked. The same for the same seed.
#[derive(Debug, Clone)]
pub struct Market {
    chance: Chance,
    cents: u64,
    time: i64,
    next: u64,
    ticks: u64,
    symbol: &'static str,
}

/// The ticks of several markets in the order of one source: by time, of equal time by symbol.
pub fn merged(markets: impl IntoIterator<Item = Market>) -> Vec<Tick> {
    let mut ticks: Vec<Tick> = markets.into_iter().flatten().collect();
    ticks.sort_by(|one, other| (one.time, &one.symbol, one.sequence).cmp(&(other.time, &other.symbol, other.sequence)));
    for (number, tick) in (0..).zip(&mut ticks) {
        tick.source_sequence = number;
    }
    ticks
}

impl Market {
    /// So many ticks.
    pub const fn of(seed: u64, ticks: u64) -> Self {
        Self { chance: Chance::of(seed), cents: MIDDLE, time: START_MS, next: 0, ticks, symbol: "BNB/USDT" }
    }

    /// The same of another symbol.
    #[must_use]
    pub const fn named(self, symbol: &'static str) -> Self {
        Self { symbol, ..self }
    }

    /// As a data file: `time,price,bid,ask,bidSize,askSize,volume`.
    pub fn csv(self) -> String {
        let mut text = "time,price,bid,ask,bidSize,askSize,volume\n".to_owned();
        for tick in self {
            let [bid, ask] = [tick.bid, tick.ask].map(|price| price.map_or("0".to_owned(), |price| price.to_string()));
            let [bid_size, ask_size] =
                [tick.bid_size, tick.ask_size].map(|size| size.map_or(String::new(), |size| size.to_string()));
            let (time, price, volume) = (tick.event_time().millis(), tick.price, tick.volume);
            // A text takes all that is written to it.
            let _ = writeln!(text, "{time},{price},{bid},{ask},{bid_size},{ask_size},{volume}");
        }
        text
    }

    /// A side of the book: empty once in a while, and seldom large.
    fn side(&mut self, cents: u64) -> (Option<Price>, Option<Quantity>) {
        if self.chance.one_in(50) {
            return (None, Some(Quantity::ZERO));
        }
        let thousandths = 1_u64.saturating_add(self.chance.below(400));
        (Some(price(cents)), Some(quantity(thousandths)))
    }
}

impl Iterator for Market {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        let sequence = self.next;
        if sequence == self.ticks {
            return None;
        }
        self.next = sequence.saturating_add(1);
        let step = self.chance.below(STEP_MS.len() as u64);
        let step = usize::try_from(step).ok().and_then(|step| STEP_MS.get(step)).copied();
        self.time = self.time.saturating_add(step.unwrap_or_default());
        let moved = self.cents.saturating_add(self.chance.below(41)).saturating_sub(20);
        self.cents = moved.clamp(MIDDLE.saturating_sub(STRAY), MIDDLE.saturating_add(STRAY));
        let half = 1_u64.saturating_add(self.chance.below(4));
        let (bid, bid_size) = self.side(self.cents.saturating_sub(half));
        let (ask, ask_size) = self.side(self.cents.saturating_add(half));
        let (time, volume) = (Timestamp::from_millis(self.time), "1".parse().expect("a volume"));
        let symbol: Symbol = self.symbol.parse().expect("a symbol");
        Some(Tick {
            symbol,
            price: price(self.cents).normalised(),
            volume,
            bid,
            ask,
            bid_size,
            ask_size,
            time: Some(time),
            received: time,
            source_sequence: sequence,
            sequence,
            last: self.next == self.ticks,
        })
    }
}

fn price(cents: u64) -> Price {
    format!("{}.{:02}", cents.wrapping_div(100), cents.wrapping_rem(100)).parse().expect("a price")
}

fn quantity(thousandths: u64) -> Quantity {
    format!("{}.{:03}", thousandths.wrapping_div(1_000), thousandths.wrapping_rem(1_000)).parse().expect("a quantity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ticks_and_the_last_of_them_says_so() {
        let ticks: Vec<_> = Market::of(7, 200).collect();
        assert_eq!(ticks, Market::of(7, 200).collect::<Vec<_>>());
        assert_ne!(ticks, Market::of(8, 200).collect::<Vec<_>>());
        assert_eq!(ticks.iter().filter(|tick| tick.last).map(|tick| tick.sequence).collect::<Vec<_>>(), [199]);
        assert!(ticks.iter().any(Tick::has_no_bid) && ticks.iter().any(Tick::has_no_ask));
        assert!(ticks.iter().all(|tick| tick.best_bid() <= tick.best_ask()), "no book is crossed");
    }
}
