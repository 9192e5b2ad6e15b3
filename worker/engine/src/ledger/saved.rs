//! Books as they are saved: cash by asset, and one position for each market; and as the release before saved them.

use serde::{Deserialize, Serialize, Serializer};

use super::{Cash, Ledger, LedgerError, NumberError, Position};
use crate::non_empty::NonEmpty;

/// The form in states of version 1: one market, without lists. Frozen: it is read, and never written any more.
pub(crate) mod v1 {
    use serde::Deserialize;

    use crate::instrument::Symbol;
    use crate::ledger::Opening;
    use crate::numbers::{Notional, Quantity};

    /// Books in one spot market.
    #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Ledger {
        /// The market.
        pub symbol: Symbol,
        /// Base held.
        pub base: Quantity,
        /// Quote held.
        pub quote: Notional,
        /// What the base cost in all.
        pub cost: Notional,
        /// Proceeds less cost of what was sold.
        pub realized: Notional,
        /// Fees, valued in quote.
        pub fees: Notional,
        /// What the opening coins were worth; `None` before the first tick.
        pub opening: Option<Opening>,
    }
}

impl From<v1::Ledger> for Ledger {
    fn from(saved: v1::Ledger) -> Self {
        // Before the first tick nothing was traded, so what there is was declared.
        let opening = saved.opening.map_or(saved.quote, |opening| opening.quote);
        let cash = Cash { amount: saved.quote, ..Cash::declared(saved.symbol.quote().clone(), opening) };
        Self { cash: NonEmpty::of(cash), positions: NonEmpty::of(Position::restored(saved)) }
    }
}

#[derive(Deserialize)]
pub(super) struct Parts {
    cash: Vec<Cash>,
    positions: Vec<Position>,
}

#[derive(Serialize)]
struct WrittenParts<'a> {
    cash: &'a NonEmpty<Cash>,
    positions: &'a NonEmpty<Position>,
}

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WrittenParts { cash: &self.cash, positions: &self.positions }.serialize(serializer)
    }
}

impl TryFrom<Parts> for Ledger {
    type Error = LedgerError;

    fn try_from(parts: Parts) -> Result<Self, LedgerError> {
        Self::made_of(parts.cash, parts.positions)
    }
}

impl Ledger {
    /// Takes up amounts of a release that kept 28 digits, each of which was rounded to 18 by itself: the realized profit
    /// takes what is then missing from `net = equity − opening equity`, at most a few units of the last digit.
    pub(crate) fn settle_rounding(&mut self) -> Result<(), NumberError> {
        let cash = self.cash.first();
        let (amount, opening) = (cash.amount, cash.opening);
        self.positions.first_mut().settle_rounding(amount, opening)
    }
}
