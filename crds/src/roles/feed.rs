//! What a feed is told: where its prices come from, and in its register who reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use engine::instrument::Symbol;
use engine::numbers::ExactDecimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::AccountSpec;
use crate::account::Binance;
use crate::name::FileName;
use crate::strategy::status::Restarts;

/// For the role `feed`: where prices come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FeedSpec {
    /// From files.
    Replay(ReplaySpec),
    /// From a venue, now.
    Live(LiveSpec),
}

/// One replay, for one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplaySpec {
    /// The account it belongs to.
    pub account: String,
    /// The source's name in keys.
    pub source: String,
    /// The market; the first of several.
    pub symbol: Symbol,
    /// Its file; a bare name lies in the image's /replay.
    pub file: PathBuf,
    /// All markets, where there are several. The release before has one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<FeedMarket>,
    /// How much faster than it happened; absent: as fast as the readers are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub speed: Option<ExactDecimal>,
    /// Whether it starts again at its end.
    pub repeat: bool,
    /// The account's latency: the feed stays so far ahead that orders meet their tick.
    pub latency_ms: u32,
}

/// One market of a replay.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedMarket {
    /// The market.
    pub symbol: Symbol,
    /// Its file; a bare name lies in the image's /replay.
    pub file: PathBuf,
}

/// Live prices of one source, for all accounts that take them. Which markets, its register says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveSpec {
    /// The source's name in keys.
    pub source: String,
    /// The venue and the way to it.
    pub binance: Binance,
    /// The hosts, where they are not the venue's public ones.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hosts: Option<Endpoint>,
    /// The Secret whose variables HTTPS_PROXY and ALL_PROXY lead to the venue: without either nobody is asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proxy_secret: Option<String>,
}

/// Hosts of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Where requests go: an http or https URL.
    pub rest: String,
    /// Where streams come from: a ws or wss URL.
    pub stream: String,
}

/// By the member that only live prices have; of each form unknown fields are ignored.
impl<'de> Deserialize<'de> for FeedSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = serde_json::Value::deserialize(deserializer)?;
        let is_live = document.get("binance").is_some();
        let read = if is_live {
            serde_json::from_value(document).map(Self::Live)
        } else {
            serde_json::from_value(document).map(Self::Replay)
        };
        read.map_err(D::Error::custom)
    }
}

impl FeedSpec {
    /// The source's name in keys.
    pub fn source(&self) -> &str {
        match self {
            Self::Replay(replay) => &replay.source,
            Self::Live(live) => &live.source,
        }
    }

    /// The replay, if it is one.
    pub const fn replay(&self) -> Option<&ReplaySpec> {
        match self {
            Self::Replay(replay) => Some(replay),
            Self::Live(_) => None,
        }
    }
}

impl LiveSpec {
    /// The live feed of an account; `None` where its prices are not live. `hosts` are those of the endpoint that it names.
    pub fn of(account: &AccountSpec, hosts: Option<Endpoint>) -> Option<Self> {
        let binance = account.spec.market_data.binance.clone()?;
        let proxy_secret = binance.proxy_secret().map(ToString::to_string);
        Some(Self { source: binance.source(), binance, hosts, proxy_secret })
    }
}

impl ReplaySpec {
    /// The replay of an account: of the files that name their markets, else of its lone file, which has the prices of `symbol`.
    /// `None` where no market is known. `place` says where a file lies.
    pub fn of(
        account: &AccountSpec,
        source: String,
        symbol: Option<&Symbol>,
        place: impl Fn(&FileName) -> PathBuf,
    ) -> Option<Self> {
        let replay = account.spec.market_data.replay.as_ref()?;
        let mut files: Vec<_> = match &replay.file {
            Some(file) => {
                symbol.map(|symbol| FeedMarket { symbol: symbol.clone(), file: place(file) }).into_iter().collect()
            }
            None => replay
                .files()
                .iter()
                .map(|one| FeedMarket { symbol: one.symbol.clone(), file: place(&one.file) })
                .collect(),
        };
        files.sort();
        let FeedMarket { symbol, file } = files.first()?.clone();
        if files.len() == 1 {
            files.clear();
        }
        Some(Self {
            account: account.name.clone(),
            source,
            symbol,
            file,
            files,
            speed: Some(replay.speed),
            repeat: replay.repeat,
            latency_ms: account.latency_ms(),
        })
    }

    /// Its markets, by symbol.
    pub fn markets(&self) -> Vec<FeedMarket> {
        if self.files.is_empty() {
            return vec![FeedMarket { symbol: self.symbol.clone(), file: self.file.clone() }];
        }
        let mut markets = self.files.clone();
        markets.sort();
        markets
    }
}

/// A feed's register: who reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedDesired {
    /// Names of strategies of the account; of a feed of several accounts `ACCOUNT/STRATEGY`.
    pub readers: Vec<String>,
    /// Of what it tells the prices: the name of its stream, which goes with its ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<Symbol>,
    /// All of them, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<Symbol>,
    /// Which of them each reader reads; all, of one that is not named. Empty where there is one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<String, Vec<Symbol>>,
    /// Of a feed of several accounts, which has no status of its own: counts the feeds that have run; only the newest can.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: u64,
    /// Of such a feed: the ledger for which that epoch was recorded; absent where it was found elsewhere, and so is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// Of such a feed: those that ended before they had been ready for a minute, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<Restarts>,
    /// Of such a feed: the markets that it has been asked for, those included that nobody reads any more. Their streams go with
    /// its ledger.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told: BTreeSet<Symbol>,
}

/// Whether a number says nothing.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the serialiser's signature")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl FeedDesired {
    /// These readers of these markets, each by its name and what it reads of them.
    pub fn of(markets: &[Symbol], readers: impl IntoIterator<Item = (String, Vec<Symbol>)>) -> Self {
        let several = markets.len() > 1;
        let mut desired = Self { symbol: markets.first().cloned(), ..Self::default() };
        desired.symbols = if several { markets.to_vec() } else { Vec::new() };
        for (name, reads) in readers {
            if several {
                desired.reads.insert(name.clone(), reads);
            }
            desired.readers.push(name);
        }
        desired.readers.sort();
        desired
    }

    /// The markets that it tells the prices of.
    pub fn markets(&self) -> Vec<Symbol> {
        if self.symbols.is_empty() { self.symbol.iter().cloned().collect() } else { self.symbols.clone() }
    }

    /// The markets that have streams of it.
    pub fn streamed(&self) -> BTreeSet<Symbol> {
        self.told.iter().cloned().chain(self.markets()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the release before told its feeds.
    const OF_THE_RELEASE_BEFORE: &str = r#"{"account":"paper","source":"replay-paper","symbol":"BTC/USDT","file":"d.csv","speed":"1","repeat":false,"latencyMs":0}"#;

    #[test]
    fn a_replay_is_told_in_the_bytes_of_the_release_before() {
        let read: FeedSpec = serde_json::from_str(OF_THE_RELEASE_BEFORE).unwrap();
        assert_eq!(read.replay().unwrap().markets()[0].symbol.as_str(), "BTC/USDT");
        assert_eq!(serde_json::to_string(&read).unwrap(), OF_THE_RELEASE_BEFORE);
        let error = serde_json::from_str::<FeedSpec>("{}").unwrap_err().to_string();
        assert!(error.contains("missing field `account`"), "{error}");
    }

    #[test]
    fn a_register_of_the_release_before_reads_and_is_written_in_its_bytes() {
        let before = r#"{"readers":["grid"],"symbol":"BTC/USDT"}"#;
        let read: FeedDesired = serde_json::from_str(before).unwrap();
        assert_eq!((read.epoch, &read.restarts), (0, &None));
        assert_eq!(serde_json::to_string(&read).unwrap(), before);
    }

    #[test]
    fn live_prices_are_read_leniently_and_go_round() {
        let told = r#"{"source":"binance-spot","binance":{"market":"Spot"}}"#;
        let read: FeedSpec = serde_json::from_str(&told.replace('}', r#","later":1}"#)).unwrap();
        assert_eq!((read.source(), read.replay()), ("binance-spot", None));
        assert_eq!(serde_json::to_string(&read).unwrap(), told);
        let own = r#"{"source":"s","binance":{"market":"Spot","endpoint":"local"},"hosts":{"rest":"http://h","stream":"ws://h"}}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<FeedSpec>(own).unwrap()).unwrap(), own);
    }
}
