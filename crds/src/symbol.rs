//! Which markets an account replays, and which can be traded at all. Files are named with their symbols; a lone file holds
//! the prices of one symbol and does not say of which: the oldest strategy with a ledger says so, else the oldest strategy.
//! One rule, for files and for the operator alike.

use std::collections::BTreeSet;

use engine::instrument::{Contract, Symbol};
use engine::validation::Violation;

use crate::account::Replay;

/// Refuses what is no spot market.
pub(crate) fn spot(symbol: &Symbol, place: &str) -> Option<Violation> {
    (*symbol.contract() != Contract::Spot)
        .then(|| Violation::new(place, symbol, format!("is a derivative; {SPOT_ONLY}")))
}

/// What to write in place of a derivative.
pub(crate) const SPOT_ONLY: &str = "this release trades spot, such as BTC/USDT";

/// Why a strategy whose first symbol is `first` cannot trade `symbol` at an account that replays this; `None` if it can. Of
/// a lone file this does not know whose prices it holds: see [`Claim`].
pub fn refuses(replay: &Replay, first: &Symbol, symbol: &Symbol, account: &str) -> Option<String> {
    match replay.file {
        Some(_) => second(first, symbol, account),
        None => not_replayed(replay, symbol, account),
    }
}

fn not_replayed(replay: &Replay, symbol: &Symbol, account: &str) -> Option<String> {
    let replayed: BTreeSet<_> = replay.files().iter().map(|file| file.symbol.as_str()).collect();
    // Where there are none the account itself is refused, and that is enough.
    if replayed.is_empty() || replayed.contains(symbol.as_str()) {
        return None;
    }
    Some(format!(
        "{symbol} has no file at account \"{account}\", which replays {}; add one to marketData.replay.files",
        replayed.into_iter().collect::<Vec<_>>().join(", ")
    ))
}

fn second(first: &Symbol, symbol: &Symbol, account: &str) -> Option<String> {
    (first != symbol).then(|| {
        format!(
            "{symbol} beside {first}: account \"{account}\" replays one file; write marketData.replay.files, with a file for \
             each symbol"
        )
    })
}

/// A strategy, as far as its account's prices concern it. `T` tells the age: a time, or a place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<'a, T> {
    /// The strategy's name.
    pub name: &'a str,
    /// What it trades.
    pub symbol: &'a Symbol,
    /// When its ledger was opened, if it has one.
    pub opened: Option<T>,
    /// When it was made.
    pub made: T,
}

impl<T: Ord> Claim<'_, T> {
    /// Its place among those who say which symbol it is: the first one says.
    pub fn rank(&self) -> (bool, &T, &str) {
        (self.opened.is_none(), self.opened.as_ref().unwrap_or(&self.made), self.name)
    }

    /// Why a strategy of this symbol cannot trade beside the one that has fixed it, which is found at `place`; `None`
    /// if it can.
    pub fn refuses(&self, symbol: &Symbol, place: &str, account: &str) -> Option<String> {
        let fixed = self.symbol;
        (symbol != fixed).then(|| {
            format!(
                "{symbol} differs from {fixed} of {place}; account \"{account}\" replays one file: write \
                 marketData.replay.files, with a file for each symbol, or create a second account"
            )
        })
    }
}

/// Who fixes the symbol; `None` without any strategy.
pub fn holder<'a, T: Ord>(claims: impl IntoIterator<Item = Claim<'a, T>>) -> Option<Claim<'a, T>> {
    claims.into_iter().min_by(|one, other| one.rank().cmp(&other.rank()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols() -> [Symbol; 2] {
        ["BTC/USDT", "ETH/USDT"].map(|text| text.parse().unwrap())
    }

    #[test]
    fn the_oldest_ledger_comes_first_then_the_oldest_strategy_then_the_name() {
        let [btc, _] = &symbols();
        let claim = |name, opened, made| Claim { name, symbol: btc, opened, made };
        for (claims, first) in [
            (vec![claim("a", None, 1), claim("b", Some(9), 5)], "b"),
            (vec![claim("a", Some(9), 1), claim("b", Some(8), 5)], "b"),
            (vec![claim("b", Some(8), 1), claim("a", Some(8), 5)], "a"),
            (vec![claim("a", None, 2), claim("b", None, 1)], "b"),
            (vec![claim("b", None, 1), claim("a", None, 1)], "a"),
        ] {
            assert_eq!(holder(claims.clone()).unwrap().name, first, "{claims:?}");
        }
        assert_eq!(holder(Vec::<Claim<'_, u32>>::new()), None);
    }

    #[test]
    fn another_symbol_is_refused_with_the_remedy() {
        let [btc, eth] = &symbols();
        let claim = Claim { name: "grid", symbol: btc, opened: None, made: 0 };
        assert_eq!(claim.refuses(btc, "\"grid\"", "paper"), None);
        let told = claim.refuses(eth, "\"grid\"", "paper").unwrap();
        assert_eq!(
            told,
            "ETH/USDT differs from BTC/USDT of \"grid\"; account \"paper\" replays one file: write \
             marketData.replay.files, with a file for each symbol, or create a second account"
        );
    }
}
