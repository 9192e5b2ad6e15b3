//! Prices by chance: a random walk by ticks, with bursts, the same for the same seed.

use fastrand::Rng;

use super::candles::around;
use super::{Change, Event, Origin, Source};
use crate::amount::Amount;

/// When it begins: 2024-01-01T00:00Z.
const BEGIN: i64 = 1_704_067_200_000;
/// Ticks from zero at the beginning.
const START: i128 = 6_000_000;
/// The price turns back here.
const BOUNDS: std::ops::RangeInclusive<i128> = 1_000_000..=20_000_000;

struct Walk {
    rng: Rng,
    tick: Amount,
    time: i64,
    /// In ticks.
    price: i128,
    /// Trades left of a burst.
    burst: u32,
    /// What stands between the quote and its trade.
    trade: Option<Event>,
}

impl Iterator for Walk {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if let Some(trade) = self.trade.take() {
            return Some(trade);
        }
        if self.burst == 0 && self.rng.u32(0..200) == 0 {
            self.burst = self.rng.u32(200..1_000);
        }
        // A burst brings about 1,000 trades a second, quiet times two.
        self.time += if self.burst > 0 { self.rng.i64(0..=2) } else { self.rng.i64(1..1_000) };
        self.burst = self.burst.saturating_sub(1);
        let buyer_maker = self.rng.bool();
        let step = i128::from(self.rng.i64(0..30)) * if buyer_maker { -1 } else { 1 };
        self.price = (self.price + step).clamp(*BOUNDS.start(), *BOUNDS.end());
        let price = Amount::from_units(self.price * self.tick.units());
        let quantity = Amount::from_units(i128::from(self.rng.i64(1..200_000)) * 1_000);
        let time = self.time;
        let event = |change| Event { at: time, time, change };
        self.trade = Some(event(Change::Trade { price, quantity, buyer_maker, time, origin: Origin::Market }));
        Some(event(Change::Quote(around(price, quantity, buyer_maker, self.tick))))
    }
}

/// An endless walk of a symbol whose least step of price is `tick`.
pub fn walk(symbol: &str, seed: u64, tick: Amount) -> Source {
    let rng = Rng::with_seed(seed);
    let events = Box::new(Walk { rng, tick, time: BEGIN, price: START, burst: 0, trade: None });
    Source { symbol: symbol.to_owned(), first_trade: 1, lag: 0, step: 60_000, begin: BEGIN, events }
}
