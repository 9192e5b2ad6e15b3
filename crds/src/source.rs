//! What the record of a live feed tells of its source: the way to the venue, when it was last heard of, and its markets.

use std::collections::{BTreeMap, BTreeSet};

use engine::instrument::{Rules, Symbol};
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::roles::StrategySpec;

/// The field that tells when the venue was last heard of, in milliseconds by the store's clock.
pub const ALIVE: &str = "alive";
/// The field that tells how the way to the venue is; absent before the first word of it.
pub const LINK: &str = "link";
/// The field that holds the markets, each with its state and rules.
pub const MARKETS: &str = "rules";
/// The field that names the markets of which trades come, and no quote yet: none of these trades is a tick. Absent where there
/// is no such market.
pub const UNQUOTED: &str = "unquoted";

/// Reason: no answer of the venue, or none that makes sense.
pub const FEED_UNREACHABLE: &str = "FeedUnreachable";
/// Reason: the venue has banned the address.
pub const FEED_BANNED: &str = "FeedBanned";
/// Reason: the venue does not serve the place.
pub const FEED_REGION: &str = "FeedRegion";
/// Reason: nothing was heard of the venue for [`STALE_MS`].
pub const MARKET_DATA_STALE: &str = "MarketDataStale";
/// Reason: the venue lacks the market.
pub const SYMBOL_UNKNOWN: &str = "SymbolUnknown";
/// Reason: the venue trades the market not now.
pub const SYMBOL_HALTED: &str = "SymbolHalted";

/// All reasons why prices of a live source are not to be had.
pub const REASONS: [&str; 6] =
    [FEED_UNREACHABLE, FEED_BANNED, FEED_REGION, MARKET_DATA_STALE, SYMBOL_UNKNOWN, SYMBOL_HALTED];

/// How long without a frame or a pong makes a source stale, in milliseconds.
pub const STALE_MS: i64 = 30_000;

/// The way to the venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Why there is none, in one of [`REASONS`]; empty while there is.
    pub reason: String,
    /// The same in words, with the remedy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when, by the store's clock.
    pub since: Timestamp,
}

/// A market of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceMarket {
    /// What may be done on it now.
    pub state: SourceMarketState,
    /// The venue's rules; absent where it lacks the market.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
    /// The nearest name that the venue has, where it does not have this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// What may be done on a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceMarketState {
    /// Everything.
    Trading,
    /// Orders may be cancelled.
    CancelOnly,
    /// Nothing for now.
    Halted,
    /// The venue lacks it.
    Unknown,
}

/// Why no prices are to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// One of [`REASONS`].
    pub reason: String,
    /// In words, with the remedy.
    pub message: String,
}

impl Fault {
    fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }
}

/// The markets in a record's fields; none before the venue has told of them. `Err` says what does not read.
pub fn markets<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Result<BTreeMap<Symbol, SourceMarket>, String> {
    let Some(text) = field(MARKETS) else { return Ok(BTreeMap::new()) };
    serde_json::from_str(text).map_err(|error| format!("its field {MARKETS}: {error}"))
}

/// Why a strategy of these markets has no prices at `now`, by the store's clock; `None` where it has. A quiet market is no
/// fault: its source is heard of.
pub fn fault<'a, 'b>(
    field: impl Fn(&str) -> Option<&'a str>,
    symbols: impl IntoIterator<Item = &'b Symbol>,
    now: Timestamp,
) -> Option<Fault> {
    let unread = |problem: String| {
        Some(Fault::new(FEED_UNREACHABLE, format!("the record of the feed does not read: {problem}; restart the feed")))
    };
    let link = match field(LINK).map(serde_json::from_str::<Link>) {
        None => return None,
        Some(Ok(link)) => link,
        Some(Err(error)) => return unread(format!("its field {LINK}: {error}")),
    };
    if !link.reason.is_empty() {
        return Some(Fault { reason: link.reason, message: link.message });
    }
    let alive = match field(ALIVE).map(str::parse::<i64>) {
        None => link.since,
        Some(Ok(alive)) => Timestamp::from_millis(alive),
        Some(Err(error)) => return unread(format!("its field {ALIVE}: {error}")),
    };
    let age = now.millis_since(alive);
    if age > STALE_MS {
        let told = format!("nothing was heard of the venue for {} s; it is connected to again", age / 1_000);
        return Some(Fault::new(MARKET_DATA_STALE, told));
    }
    match markets(field) {
        Ok(markets) => symbols.into_iter().find_map(|symbol| of_market(symbol, markets.get(symbol)?)),
        Err(problem) => unread(problem),
    }
}

/// The markets of which trades come, and no quote yet. What does not read says nothing: it only explains.
pub fn unquoted<'a>(field: impl Fn(&str) -> Option<&'a str>) -> BTreeSet<Symbol> {
    field(UNQUOTED).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// What there is to say of such a market.
pub fn without_quotes(symbol: &Symbol) -> String {
    format!(
        "trades of {symbol} come without a quote that reads, and make no tick: does its bookTicker stream come through?"
    )
}

fn of_market(symbol: &Symbol, market: &SourceMarket) -> Option<Fault> {
    match market.state {
        SourceMarketState::Trading => None,
        SourceMarketState::CancelOnly => Some(Fault::new(
            SYMBOL_HALTED,
            format!("the venue takes no new orders of {symbol}, only cancels; nothing trades until it opens again"),
        )),
        SourceMarketState::Halted => Some(Fault::new(
            SYMBOL_HALTED,
            format!("the venue has halted {symbol}; nothing trades until it opens again"),
        )),
        SourceMarketState::Unknown => {
            let nearest = market
                .suggestion
                .as_ref()
                .map_or_else(|| "write one that it lists".to_owned(), |nearest| format!("did you mean {nearest}?"));
            Some(Fault::new(SYMBOL_UNKNOWN, format!("the venue has no market {symbol}; {nearest}")))
        }
    }
}

impl StrategySpec {
    /// The same with the source's rules where it says none; those that the source does not tell stay absent.
    #[must_use]
    pub fn with_rules(mut self, markets: &BTreeMap<Symbol, SourceMarket>) -> Self {
        for instrument in self.spec.instruments.iter_mut().filter(|instrument| instrument.rules.is_none()) {
            instrument.rules = markets.get(&instrument.symbol).and_then(|market| market.rules.clone());
        }
        self
    }

    /// Whether it has rules for all of its markets.
    pub fn has_rules(&self) -> bool {
        self.spec.instruments.iter().all(|instrument| instrument.rules.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_100_000;

    fn told(fields: &[(&str, &str)]) -> Option<(String, String)> {
        let field = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, text)| *text);
        let symbol: Symbol = "BTC/USDT".parse().unwrap();
        fault(field, [&symbol], Timestamp::from_millis(NOW)).map(|fault| (fault.reason, fault.message))
    }

    fn reason(fields: &[(&str, &str)]) -> String {
        told(fields).map_or_else(|| "-".to_owned(), |(reason, _)| reason)
    }

    #[test]
    fn the_first_of_all_faults_is_told_and_a_quiet_market_is_none() {
        let up = (LINK, r#"{"reason":"","since":1700000000000}"#);
        let down = (LINK, r#"{"reason":"FeedBanned","message":"until noon","since":1700000000000}"#);
        let (fresh, edge, old) = ((ALIVE, "1700000099000"), (ALIVE, "1700000070000"), (ALIVE, "1700000069999"));
        assert_eq!(reason(&[]), "-", "nothing is known yet");
        assert_eq!((reason(&[up, fresh]), reason(&[up, edge])), ("-".to_owned(), "-".to_owned()));
        assert_eq!((reason(&[up, old]), reason(&[up])), (MARKET_DATA_STALE.to_owned(), MARKET_DATA_STALE.to_owned()));
        assert_eq!(told(&[down, old]).unwrap(), (FEED_BANNED.to_owned(), "until noon".to_owned()));
        for (state, expected) in [("Trading", "-"), ("CancelOnly", SYMBOL_HALTED), ("Halted", SYMBOL_HALTED)] {
            let markets = format!(r#"{{"BTC/USDT":{{"state":"{state}"}},"ETH/USDT":{{"state":"Halted"}}}}"#);
            assert_eq!(reason(&[up, fresh, (MARKETS, &markets)]), expected, "{state}");
        }
        let lacks = r#"{"BTC/USDT":{"state":"Unknown","suggestion":"BTC/USDC"}}"#;
        let (reason_told, words) = told(&[up, fresh, (MARKETS, lacks)]).unwrap();
        assert_eq!((&*reason_told, words.contains("did you mean BTC/USDC?")), (SYMBOL_UNKNOWN, true));
        for bad in [(LINK, "x"), (ALIVE, "x"), (MARKETS, "x")] {
            let fields: Vec<_> = [up, fresh].into_iter().filter(|(name, _)| *name != bad.0).chain([bad]).collect();
            assert!(told(&fields).unwrap().1.contains("does not read"), "{bad:?}");
        }
    }
}
