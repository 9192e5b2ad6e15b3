//! The sub-account that the gateway keeps from the same trades, held against this engine's ledger: two that nobody
//! compares are half a control.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::Engine;
use super::turn::Turn;
use crate::Effect;
use crate::instrument::Asset;
use crate::messages::AlertKind;
use crate::numbers::Notional;
use crate::time::Timestamp;

/// What two that round at the eighteenth place each, or one of which is of the release before and rounds nothing, may
/// be apart after any number of trades. No trade, and no fee of one, is worth so little.
const ROUNDING: Decimal = Decimal::from_parts(1, 0, 0, false, 12);

fn agree(one: Notional, other: Notional) -> bool {
    one.minus(other).is_ok_and(|difference| difference.get().abs() <= ROUNDING)
}

impl Engine {
    /// What the ledger holds and the sub-account does not, or the other way round, in words; `None` where they agree.
    pub fn differs_from(&self, sub_account: &BTreeMap<Asset, Notional>) -> Option<String> {
        let told = |asset: &Asset| sub_account.get(asset).copied().unwrap_or_default();
        if self.state.ledger.holdings().all(|(asset, held)| agree(held, told(asset))) {
            return None;
        }
        let (mut holds, mut says) = (Vec::new(), Vec::new());
        for (asset, held) in self.state.ledger.holdings() {
            holds.push(format!("{held} {asset}"));
            says.push(told(asset).to_string());
        }
        let (holds, says) = (holds.join(" and "), says.join(" and "));
        Some(format!("the ledger holds {holds}, the account's gateway says {says}"))
    }

    /// Trades nothing more, for good: the account holds something else than this ledger says, for this reason.
    #[must_use]
    pub fn halt_on_mismatch(&mut self, now: Timestamp, why: &str) -> Vec<Effect> {
        let mut turn = Turn::new(now);
        self.halt(&mut turn, AlertKind::AccountMismatch, why);
        turn.effects
    }

    /// Whether it was halted because the account holds something else than its ledger says.
    pub fn is_mismatched(&self) -> bool {
        self.state.halts.contains(&AlertKind::AccountMismatch)
    }
}
