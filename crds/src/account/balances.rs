//! What an account holds, from what its strategies' books say. Pure.

use std::collections::BTreeMap;

use engine::instrument::Asset;
use engine::numbers::Notional;
use serde::Deserialize;

use crate::Amounts;

/// What the name of a gateway's field begins with that holds a strategy's book; its ledger follows.
pub const BOOK: &str = "book:";

/// A strategy's book as a gateway's record tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct BookReport {
    /// What the strategy owns, by asset.
    pub amounts: BTreeMap<Asset, Notional>,
    /// What transfers have put into it, less what they have taken out.
    #[serde(default)]
    pub transferred: BTreeMap<Asset, Notional>,
}

/// What an account holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balances {
    /// All of it, by asset.
    pub total: BTreeMap<String, String>,
    /// What no strategy owns, by asset.
    pub unassigned: BTreeMap<String, String>,
}

/// The holdings of a paper account that opened with `opening`, whose strategies declared `capitals` and whose
/// books stand as `books` tell. What no strategy declared is nobody's and does not move.
pub fn balances(opening: &Amounts, capitals: &[&Amounts], books: &[BookReport]) -> Balances {
    let mut unassigned: BTreeMap<String, _> =
        opening.iter().map(|(asset, amount)| (asset.to_string(), amount.get())).collect();
    for (asset, amount) in capitals.iter().flat_map(|capital| capital.iter()) {
        *unassigned.entry(asset.to_string()).or_default() -= amount.get();
    }
    for (asset, amount) in books.iter().flat_map(|book| &book.transferred) {
        *unassigned.entry(asset.to_string()).or_default() -= amount.get();
    }
    let mut total = unassigned.clone();
    for (asset, amount) in books.iter().flat_map(|book| &book.amounts) {
        *total.entry(asset.to_string()).or_default() += amount.get();
    }
    let text = |amounts: BTreeMap<String, rust_decimal::Decimal>| {
        amounts.into_iter().map(|(asset, amount)| (asset, amount.normalize().to_string())).collect()
    };
    Balances { total: text(total), unassigned: text(unassigned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_moves_the_total_and_not_what_nobody_owns() {
        let amounts = |json: &str| serde_json::from_str::<Amounts>(json).unwrap();
        let opening = amounts(r#"{"USDT": 10000, "BNB": 20}"#);
        let capital = amounts(r#"{"USDT": 3000, "BNB": 5}"#);
        let book: BookReport = serde_json::from_str(r#"{"amounts": {"USDT": "2411.5441", "BNB": "6.027"}}"#).unwrap();
        let balances = balances(&opening, &[&capital], &[book]);
        let text = |amounts: &BTreeMap<String, String>| format!("{amounts:?}");
        assert_eq!(text(&balances.total), r#"{"BNB": "21.027", "USDT": "9411.5441"}"#);
        assert_eq!(text(&balances.unassigned), r#"{"BNB": "15", "USDT": "7000"}"#);
    }

    #[test]
    fn a_transfer_moves_what_nobody_owns_and_not_the_total() {
        let amounts = |json: &str| serde_json::from_str::<Amounts>(json).unwrap();
        let book = r#"{"amounts": {"USDT": "3500", "BNB": "4"}, "transferred": {"USDT": "500", "BNB": "-1"}}"#;
        let (opening, capital) = (amounts(r#"{"USDT": 10000, "BNB": 20}"#), amounts(r#"{"USDT": 3000, "BNB": 5}"#));
        let balances = balances(&opening, &[&capital], &[serde_json::from_str(book).unwrap()]);
        let text = |amounts: &BTreeMap<String, String>| format!("{amounts:?}");
        assert_eq!(text(&balances.total), r#"{"BNB": "20", "USDT": "10000"}"#);
        assert_eq!(text(&balances.unassigned), r#"{"BNB": "16", "USDT": "6500"}"#);
    }
}
