//! The contract that a symbol names: what changes hands, in what it settles, when it ends.

use std::fmt;

use crate::numbers::Price;

/// What is bought and sold under a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contract {
    /// Coins change hands at once.
    Spot,
    /// A future without an end.
    Perpetual(Settlement),
    /// A future that is settled on a day.
    Dated {
        /// In what.
        settlement: Settlement,
        /// On which day, in UTC.
        expires: Date,
    },
    /// A European option, settled in cash.
    Option {
        /// In what.
        settlement: Settlement,
        /// On which day, in UTC.
        expires: Date,
        /// The price that it gives a right to.
        strike: Price,
        /// The right to buy or to sell.
        right: Right,
    },
}

impl Contract {
    /// In what a derivative settles; `None` in a spot market.
    pub const fn settlement(&self) -> Option<Settlement> {
        match self {
            Self::Spot => None,
            Self::Perpetual(settlement) | Self::Dated { settlement, .. } | Self::Option { settlement, .. } => {
                Some(*settlement)
            }
        }
    }

    /// The day on which it is settled for good; `None` where it has no end.
    pub const fn expires(&self) -> Option<Date> {
        match self {
            Self::Spot | Self::Perpetual(_) => None,
            Self::Dated { expires, .. } | Self::Option { expires, .. } => Some(*expires),
        }
    }
}

/// In what a derivative settles. Its payoff follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// In the quote asset: profit is linear in the price.
    Linear,
    /// In the base asset: profit is linear in the price's inverse.
    Inverse,
}

/// What an option gives a right to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// To buy at the strike.
    Call,
    /// To sell at the strike.
    Put,
}

/// A day of the years 2000 to 2099, in UTC. Written as `yymmdd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day of a text `yymmdd`; `None` where there is no such day.
    pub fn of(text: &str) -> Option<Self> {
        if text.len() != 6 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = |from: usize| text.get(from..from.checked_add(2)?)?.parse::<u8>().ok();
        let date = Self { year: u16::from(number(0)?).checked_add(2000)?, month: number(2)?, day: number(4)? };
        let days = match date.month {
            // No year of the century but each fourth is a leap year; 2000 was one.
            2 if date.year.is_multiple_of(4) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=days).contains(&date.day).then_some(date)
    }

    /// The year, such as 2026.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// 1 to 31.
    pub const fn day(self) -> u8 {
        self.day
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}{:02}{:02}", self.year % 100, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_that_there_is() {
        for good in ["260327", "000229", "240229", "261231", "260101", "260430"] {
            assert_eq!(Date::of(good).unwrap().to_string(), good);
        }
        let date = Date::of("260327").unwrap();
        assert_eq!((date.year(), date.month(), date.day()), (2026, 3, 27));
        assert!(Date::of("251231") < Date::of("260101"));
        for bad in
            ["", "26032", "2603270", "260231", "260229", "260431", "261301", "260001", "260100", "260132", "2603+7"]
        {
            assert_eq!(Date::of(bad), None, "{bad}");
        }
    }
}
