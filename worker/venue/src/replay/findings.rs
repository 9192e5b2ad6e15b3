//! What a user should know of data that are read all the same. Counted in the scan, told by who has the words.

use engine::numbers::Price;

use super::error::Place;

/// How often something is there, and where first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// How many ticks; of candles, how many of their four prices.
    pub count: u64,
    #[expect(missing_docs, reason = "the name says it")]
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
        price.places() > self.tick_size.places() || (!self.power_of_ten && !price.is_multiple_of(self.tick_size))
    }
}

/// The prices between two steps.
#[derive(Debug, Clone)]
pub(super) struct Finer {
    step: Step,
    pub finding: Finding,
    /// Digits after the point of the finest of them.
    pub places: u32,
}

impl Finer {
    pub(super) fn than(tick_size: Price) -> Self {
        Self { step: Step::new(tick_size), finding: Finding::default(), places: 0 }
    }

    /// Takes note of one tick if any of `prices`, which are its own, lies between two steps.
    pub(super) fn note(&mut self, prices: impl IntoIterator<Item = Price>, place: impl FnOnce() -> Place) {
        let finer = prices.into_iter().filter(|price| self.step.is_finer(*price));
        if let Some(places) = finer.map(Price::places).max() {
            self.finding.add(place);
            self.places = self.places.max(places);
        }
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
