//! What becomes of an order that risk has denied: the first purchase, or that of a level.

use super::memory::Left;
use crate::risk::Denial;

/// What an order that was denied waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    /// A tick on which anything may be traded.
    Trading,
    /// A tick at another price.
    Price,
    /// The end of what holds the ladder back.
    Release,
    /// Nothing: a bound has denied it.
    Nothing,
}

impl Awaits {
    pub const fn of(denial: Denial) -> Self {
        match denial {
            Denial::Halted
            | Denial::Paused
            | Denial::Stopped
            | Denial::ReduceOnly
            | Denial::PositionLimit
            | Denial::StaleTick
            | Denial::NoQuote
            | Denial::TooManyActions
            | Denial::TooManyRounds
            | Denial::WarmingUp => Self::Trading,
            Denial::SlippageTooHigh => Self::Price,
            Denial::LimitReached | Denial::Cooldown => Self::Release,
            Denial::BelowLotSize
            | Denial::BelowMinNotional
            | Denial::MaxOrderNotional
            | Denial::MaxExposure
            | Denial::PriceCollar
            | Denial::InsufficientFunds
            | Denial::OrderRateExceeded
            | Denial::TooManyDigits
            | Denial::BelowTickSize
            | Denial::NothingToReplace => Self::Nothing,
        }
    }

    /// Whether the start is left to another tick. What anything else denies has ended, and the levels are placed without it.
    pub const fn is_a_tick(self) -> bool {
        matches!(self, Self::Trading | Self::Price)
    }

    /// How a level is left.
    pub const fn left(self) -> Left {
        match self {
            Self::Trading | Self::Release => Left::Held,
            Self::Price | Self::Nothing => Left::Short,
        }
    }
}
