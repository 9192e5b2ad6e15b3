//! What strategies have of their account: their capital, and what transfers have moved since. What was asked for and not booked
//! yet counts where it adds; nothing is given back before it is booked.

use std::collections::BTreeMap;

use bus::{Desired, Scope, StateStore as _};
use crds::roles::{GatewayDesired, StrategyDesired, transfers};
use crds::{Amounts, TradingStrategy};
use engine::instrument::Asset;
use engine::report::{Report, TransferReport, TransferState};
use engine::transfers::WantedTransfer;
use kube::ResourceExt;
use rust_decimal::Decimal;

use super::has_ledger;
use crate::context::{Context, Strategies};
use crate::kept;
use crate::placement::Stored;
use crate::report::word;

/// Amounts of some assets.
pub type Granted = BTreeMap<Asset, Decimal>;

/// Whether a report has this transfer as booked.
fn is_booked(report: Option<&Report>, id: &str) -> bool {
    let transfers = report.map_or(&[][..], |report| &report.transfers);
    transfers.iter().any(|transfer| transfer.id == id && transfer.state == TransferState::Booked)
}

/// Whether a strategy asks for money that, as far as its status knows, is not booked.
pub fn asks_for_money(strategy: &TradingStrategy) -> bool {
    let report = strategy.status.as_ref().and_then(|status| status.report.as_ref());
    added(&transfers(&strategy.spec, 0).list, report).next().is_some()
}

/// Of these transfers those that add and are not booked.
pub fn added<'a>(
    asked: &'a [WantedTransfer],
    report: Option<&'a Report>,
) -> impl Iterator<Item = (usize, &'a WantedTransfer)> {
    let adds = |one: &WantedTransfer| !one.amount.get().is_sign_negative();
    asked.iter().enumerate().filter(move |(_, one)| adds(one) && !is_booked(report, &one.id))
}

/// What a strategy has of its account.
pub fn of(capital: &Amounts, report: Option<&Report>, asked: &[WantedTransfer]) -> Granted {
    let mut granted: Granted = capital.iter().map(|(asset, amount)| (asset.clone(), amount.get())).collect();
    let booked = report.into_iter().flat_map(|report| &report.transfers);
    for TransferReport { asset, amount, .. } in booked.filter(|one| one.state == TransferState::Booked) {
        // The engine wrote an asset there.
        if let Ok(asset) = asset.parse::<Asset>() {
            *granted.entry(asset).or_default() += amount.get();
        }
    }
    for (_, WantedTransfer { asset, amount, .. }) in added(asked, report) {
        *granted.entry(asset.clone()).or_default() += amount.get();
    }
    granted
}

/// What a register asks for; `None` where it says nothing of transfers.
pub fn registered(register: Option<&Desired>) -> Option<Vec<WantedTransfer>> {
    let desired: StrategyDesired = serde_json::from_str(&register?.value).ok()?;
    desired.transfers.map(|transfers| transfers.list)
}

/// What others have: those with a ledger in their status, in a register, or just opened in the store. `Err`: nobody can say.
pub async fn to_others(
    context: &Context,
    account: &Scope,
    neighbours: &Strategies,
    books: &GatewayDesired,
) -> Result<BTreeMap<String, Granted>, String> {
    let kept = kept::books(books, &neighbours.unrecorded());
    let mut granted: BTreeMap<String, Granted> =
        kept.into_iter().map(|book| (book.strategy, of(&book.capital, None, &[]))).collect();
    for other in &neighbours.read {
        let name = other.name_any();
        if has_ledger(other) && !may_have_moved(other) {
            granted.insert(name, of(&other.spec.capital, None, &[]));
            continue;
        }
        let owner = context.keys.strategy(account, &name);
        let register = context.within(context.bus.desired(&owner)).await?;
        let record = match context.stored(&owner).await {
            Stored::Found(record) => Some(record),
            Stored::Missing => None,
            Stored::Away(why) => return Err(why),
        };
        let is_open = |uid: &String| {
            !record.as_ref().is_some_and(|record| record.closed) && Some(uid) == other.metadata.uid.as_ref()
        };
        if has_ledger(other) || record.as_ref().is_some_and(|record| is_open(&record.uid)) {
            let report = record.as_deref().and_then(word).and_then(|word| word.report);
            // Of one that was just opened the register is not written yet.
            let asked = registered(register.as_ref()).unwrap_or_else(|| transfers(&other.spec, 0).list);
            granted.insert(name, of(&other.spec.capital, report.as_ref(), &asked));
        }
    }
    Ok(granted)
}

/// Whether transfers of a strategy with a ledger may count: it asks for some, has booked some, or was edited since its status.
fn may_have_moved(strategy: &TradingStrategy) -> bool {
    let status = strategy.status.as_ref();
    let has_some = status.and_then(|status| status.report.as_ref()).is_some_and(|report| !report.transfers.is_empty());
    let is_seen = status.and_then(|status| status.observed_generation) == strategy.metadata.generation;
    !strategy.spec.transfers.is_empty() || has_some || !is_seen
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::reporting;
    use super::*;

    fn report(transfers: serde_json::Value) -> Report {
        let mut report: serde_json::Value = serde_json::from_str(&reporting(&json!([]), &json!(null)).1).unwrap();
        report["transfers"] = transfers;
        serde_json::from_value(report).unwrap()
    }

    fn booked(id: &str, amount: &str, state: &str) -> serde_json::Value {
        json!({"id": id, "asset": "USDT", "amount": amount, "state": state, "time": "2026-01-01T00:00:00Z", "message": ""})
    }

    fn asked(id: &str, amount: &str) -> WantedTransfer {
        serde_json::from_value(json!({"id": id, "asset": "USDT", "amount": amount})).unwrap()
    }

    #[test]
    fn what_is_booked_counts_with_its_sign_and_what_is_asked_for_where_it_adds() {
        let capital: Amounts = serde_json::from_value(json!({"USDT": 3000, "BNB": 5})).unwrap();
        let usdt = |report: Option<&Report>, asked: &[WantedTransfer]| {
            of(&capital, report, asked)[&"USDT".parse::<Asset>().unwrap()].normalize().to_string()
        };
        assert_eq!(usdt(None, &[]), "3000");
        let report =
            report(json!([booked("a", "500", "Booked"), booked("b", "-200", "Booked"), booked("c", "-9", "Refused")]));
        assert_eq!(usdt(Some(&report), &[]), "3300");
        let all = [asked("a", "500"), asked("b", "-200"), asked("c", "-9"), asked("d", "40"), asked("e", "-1000")];
        assert_eq!(usdt(Some(&report), &all), "3340", "nothing is given back before it is booked");
        assert_eq!(usdt(None, &all), "3540", "as when nothing is known to be booked");
    }
}
