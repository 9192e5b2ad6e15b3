//! What a user should know of data that are read all the same. Counted in the scan, told by who has the words.

use engine::numbers::Price;

use super::error::Place;
use super::observation::Observation;

/// How often something is there, and where first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// How many ticks; of candles, how many of their four prices.
    pub count: u64,
    /// The first one.
    pub first: Option<Place>,
}

impl Finding {
    /// Takes note of one more.
    pub(super) fn add(&mut self, place: impl FnOnce() -> Place) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some(place());
        }
    }

    /// Adds what a later file has.
    pub(super) fn join(&mut self, later: &Self) {
        self.count += later.count;
        if self.first.is_none() {
            self.first.clone_from(&later.first);
        }
    }
}

/// Prices against the step that orders keep to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    tick_size: Price,
    /// Whether a price of no more digits is always a multiple: so for 0.01, not for 0.05.
    power_of_ten: bool,
}

impl Step {
    pub(super) fn new(tick_size: Price) -> Self {
        let tick_size = tick_size.normalised();
        let power_of_ten = tick_size.get().mantissa() == 1;
        Self { tick_size, power_of_ten }
    }

    /// Whether `price`, which is normalised, lies between two steps.
    pub(super) fn is_finer(self, price: Price) -> bool {
        if price.get().scale() > self.tick_size.get().scale() {
            return true;
        }
        !self.power_of_ten && !(price.get() % self.tick_size.get()).is_zero()
    }

    /// The digits after the point of the finest price of the tick that lies between two steps; none if all fit.
    pub(super) fn finest(self, tick: &Observation) -> Option<u32> {
        let quoted = tick.quote.map(|quote| [quote.bid, quote.ask]).into_iter().flatten().flatten();
        [tick.price].into_iter().chain(quoted).filter_map(|price| self.places(price)).max()
    }

    /// The digits after the point of a price that lies between two steps; none if it fits.
    pub(super) fn places(self, price: Price) -> Option<u32> {
        self.is_finer(price).then(|| price.get().scale())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_between_two_steps_is_finer() {
        let finer = |price: &str, tick_size: &str| {
            Step::new(tick_size.parse().unwrap()).is_finer(price.parse::<Price>().unwrap().normalised())
        };
        for (price, tick_size, expected) in [
            ("600.12", "0.01", false),
            ("600.1234", "0.01", true),
            ("600", "0.010", false),
            ("600.15", "0.05", false),
            ("600.12", "0.05", true),
            ("605", "10", true),
            ("610", "10", false),
            ("0.005", "0.01", true),
        ] {
            assert_eq!(finer(price, tick_size), expected, "{price} by {tick_size}");
        }
    }
}
