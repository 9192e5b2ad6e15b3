//! A grid size and all that follows from it.

use crate::numbers::{ExactDecimal, NumberError, Ratio};

/// A grid size, with the factors of its bands and turns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub percent: ExactDecimal,
    /// Of the base, where the upper band lies.
    pub above: Ratio,
    /// Of the base, where the lower band lies.
    pub below: Ratio,
    /// The share by which a price must turn.
    pub turn: Ratio,
    /// Of the high, where a fall from it fires.
    pub fallen: Ratio,
    /// Of the low, where a rise from it fires.
    pub risen: Ratio,
}

impl Size {
    /// That of so many percent, with turns of so large a part of it.
    pub fn of(percent: ExactDecimal, flip_threshold_factor: ExactDecimal) -> Result<Self, NumberError> {
        let grid = Ratio::from_percent(percent);
        // A share of at most 0.5 with 11 digits times a factor of at most 1 with 9 digits is exact.
        let turn = Ratio::new(flip_threshold_factor.get()).and_then(|factor| grid.times(factor))?;
        Ok(Self {
            percent,
            above: grid.above_one(),
            below: grid.below_one(),
            turn,
            fallen: turn.below_one(),
            risen: turn.above_one(),
        })
    }
}
