//! The names of streams and keys. Nothing else in the workspace spells one.
//!
//! Each name carries a hash tag in braces, so that everything one commit touches lies in one slot
//! of a cluster. May not talk to a store.

use std::{fmt, sync::Arc};

use serde::Serialize;

/// A name cannot be part of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} {value:?} cannot be part of a key: it must have 1 to 253 characters and no space, brace, slash or control character"
)]
pub struct KeyError {
    what: &'static str,
    value: String,
}

/// The name of a stream. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct StreamKey(#[serde(serialize_with = "as_text")] Arc<str>);

fn as_text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl StreamKey {
    /// A stream by its full name: for names read back from a store. New names come from [`Keys`].
    pub fn from_name(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What shares one hash tag: an account, or a source of market data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Arc<str>);

impl Scope {
    /// A trading account, by its namespace and name.
    pub fn account(namespace: &str, account: &str) -> Result<Self, KeyError> {
        Self::tagged(namespace, check("account name", account)?)
    }

    /// A source of market data, by its namespace and name (`binance-spot`, …).
    pub fn source(namespace: &str, source: &str) -> Result<Self, KeyError> {
        Self::tagged(namespace, check("source", source)?)
    }

    fn tagged(namespace: &str, name: &str) -> Result<Self, KeyError> {
        let namespace = check("namespace", namespace)?;
        Ok(Self(format!("{namespace}/{name}").into()))
    }

    /// The hash tag without its braces: `namespace/name`.
    pub fn tag(&self) -> &str {
        &self.0
    }
}

/// A topic within a scope, beside ticks and inboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `order.command`: trimmed only by its reader's commit.
    OrderCommand,
    /// `strategy.signal`
    StrategySignal,
    /// `order.fill`
    OrderFill,
    /// `position.update`
    PositionUpdate,
    /// `risk.alert`
    RiskAlert,
    /// `state.snapshot`
    StateSnapshot,
    /// `report`: nudges to who reads the reports in the records.
    Report,
    /// `dead-letter`: poison entries that were stepped over.
    DeadLetter,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 8] = [
        Self::OrderCommand,
        Self::StrategySignal,
        Self::OrderFill,
        Self::PositionUpdate,
        Self::RiskAlert,
        Self::StateSnapshot,
        Self::Report,
        Self::DeadLetter,
    ];

    /// The topic's part of the key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderCommand => "order.command",
            Self::StrategySignal => "strategy.signal",
            Self::OrderFill => "order.fill",
            Self::PositionUpdate => "position.update",
            Self::RiskAlert => "risk.alert",
            Self::StateSnapshot => "state.snapshot",
            Self::Report => "report",
            Self::DeadLetter => "dead-letter",
        }
    }
}

/// Builds the names under one prefix. One prefix belongs to one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    prefix: Arc<str>,
}

impl Keys {
    /// Names that start with `prefix:`.
    pub fn new(prefix: &str) -> Result<Self, KeyError> {
        Ok(Self { prefix: check("prefix", prefix)?.into() })
    }

    /// The prefix, without the colon.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key that holds the id of the installation this prefix belongs to.
    pub fn installation(&self) -> String {
        format!("{}:installation", self.prefix)
    }

    /// The ticks of one symbol.
    pub fn market_tick(&self, source: &Scope, symbol: &str) -> StreamKey {
        self.stream(source, &format!("market.tick:{symbol}"))
    }

    /// The closed bars of one symbol and one interval, such as `4h`.
    pub fn bars(&self, source: &Scope, symbol: &str, interval: &str) -> StreamKey {
        self.stream(source, &["bars:", symbol, ":", interval].concat())
    }

    /// What is missing among a source's ticks.
    pub fn market_gap(&self, source: &Scope) -> StreamKey {
        self.stream(source, "market.gap")
    }

    /// A topic of a scope.
    pub fn topic(&self, scope: &Scope, topic: Topic) -> StreamKey {
        self.stream(scope, topic.name())
    }

    /// The strategy of this name, in an account.
    pub fn strategy(&self, account: &Scope, name: &str) -> Owner {
        self.owner(account, &format!("strategy-{name}"))
    }

    /// The gateway of an account.
    pub fn gateway(&self, account: &Scope) -> Owner {
        self.owner(account, "gateway")
    }

    /// The feed of a source.
    pub fn feed(&self, source: &Scope) -> Owner {
        self.owner(source, "feed")
    }

    /// An owner by its name in the store (`strategy-<name>`, `gateway`, `feed`).
    pub fn owner(&self, scope: &Scope, name: &str) -> Owner {
        Owner {
            scope: scope.clone(),
            name: name.into(),
            state: self.stream(scope, &format!("state:{name}")).0,
            desired: self.stream(scope, &format!("desired:{name}")).0,
            inbox: self.stream(scope, &format!("inbox:{name}")),
        }
    }

    /// The streams that end with an owner's ledger: its inbox, and with a gateway's the account's topics. A feed's ticks
    /// and bars are named by their symbols and not among them.
    pub fn streams_of(&self, owner: &Owner) -> Vec<StreamKey> {
        let mut streams = vec![owner.inbox.clone()];
        if *owner == self.gateway(&owner.scope) {
            streams.extend(Topic::ALL.map(|topic| self.topic(&owner.scope, topic)));
        }
        streams
    }

    fn stream(&self, scope: &Scope, tail: &str) -> StreamKey {
        // Made for each message: without the machinery of formats.
        StreamKey([&self.prefix, ":{", &scope.0, "}:", tail].concat().into())
    }
}

/// Who owns a record: a strategy's worker, a gateway or a feed. Knows its keys; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    scope: Scope,
    name: Arc<str>,
    state: Arc<str>,
    desired: Arc<str>,
    inbox: StreamKey,
}

impl Owner {
    /// The scope it lives in.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Its name in the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key of its record.
    pub fn state_key(&self) -> &str {
        &self.state
    }

    /// The key of its desired register.
    pub fn desired_key(&self) -> &str {
        &self.desired
    }

    /// Its inbox.
    pub fn inbox(&self) -> &StreamKey {
        &self.inbox
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope.0, self.name)
    }
}

/// A brace would end the hash tag early, a slash would let two pairs of names share one tag.
fn check<'a>(what: &'static str, value: &'a str) -> Result<&'a str, KeyError> {
    let refused = |c: char| c.is_whitespace() || c.is_control() || c == '{' || c == '}' || c == '/';
    if value.is_empty() || value.len() > 253 || value.contains(refused) {
        return Err(KeyError { what, value: value.chars().take(64).collect() });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published names, letter by letter: outsiders read these streams.
    #[test]
    fn names_are_the_published_ones() {
        let keys = Keys::new("glm").unwrap();
        let account = Scope::account("trading", "paper").unwrap();
        let source = Scope::source("trading", "binance-spot").unwrap();
        assert_eq!(keys.installation(), "glm:installation");
        assert_eq!(keys.market_tick(&source, "BTCUSDT").as_str(), "glm:{trading/binance-spot}:market.tick:BTCUSDT");
        assert_eq!(keys.bars(&source, "BTC/USDT", "4h").as_str(), "glm:{trading/binance-spot}:bars:BTC/USDT:4h");
        let topics: Vec<String> = Topic::ALL.iter().map(|topic| keys.topic(&account, *topic).to_string()).collect();
        assert_eq!(
            topics,
            [
                "glm:{trading/paper}:order.command",
                "glm:{trading/paper}:strategy.signal",
                "glm:{trading/paper}:order.fill",
                "glm:{trading/paper}:position.update",
                "glm:{trading/paper}:risk.alert",
                "glm:{trading/paper}:state.snapshot",
                "glm:{trading/paper}:report",
                "glm:{trading/paper}:dead-letter",
            ]
        );
        let strategy = keys.strategy(&account, "trend");
        assert_eq!(strategy.name(), "strategy-trend");
        assert_eq!(strategy.state_key(), "glm:{trading/paper}:state:strategy-trend");
        assert_eq!(strategy.desired_key(), "glm:{trading/paper}:desired:strategy-trend");
        assert_eq!(strategy.inbox().as_str(), "glm:{trading/paper}:inbox:strategy-trend");
        assert_eq!(keys.gateway(&account).state_key(), "glm:{trading/paper}:state:gateway");
        assert_eq!(keys.feed(&source).state_key(), "glm:{trading/binance-spot}:state:feed");
        assert_eq!(keys.feed(&source).desired_key(), "glm:{trading/binance-spot}:desired:feed");
    }

    #[test]
    fn names_that_would_break_the_tag_are_refused() {
        for bad in ["", "a}b", "{", "a/b", "a b", "a\n", &"x".repeat(254)] {
            assert!(Scope::account(bad, "a").is_err(), "{bad:?}");
            assert!(Scope::source("n", bad).is_err(), "{bad:?}");
            assert!(Keys::new(bad).is_err(), "{bad:?}");
        }
    }
}
