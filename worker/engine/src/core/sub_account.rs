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
    /// What the ledger holds and the sub-account, in which the transfers up to the number `transferred` are, does not, or the
    /// other way round, in words; `None` where they agree. Later transfers of the ledger are on their way.
    pub fn differs_from(&self, sub_account: &BTreeMap<Asset, Notional>, transferred: u64) -> Option<String> {
        let last = self.state.transfers.last_number();
        if transferred > last {
            return Some(format!("the ledger has booked {last} transfers, the account's gateway {transferred}"));
        }
        let on_their_way: Vec<_> = self.state.transfers.booked().filter(|one| one.number > transferred).collect();
        let told = |asset: &Asset| {
            let mut coming = on_their_way.iter().filter(|one| one.asset == *asset);
            let before = sub_account.get(asset).copied().unwrap_or_default();
            // A sum out of range agrees with nothing.
            coming.try_fold(before, |sum, one| sum.plus(one.amount)).unwrap_or(before)
        };
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
