//! What each role is told, as one JSON document: the accepted spec, the resolved account and the generation.
//! Read leniently, so that an older image runs under a newer operator.

mod desired;
mod feed;

use std::path::PathBuf;

use engine::client_order_id::LedgerId;
use engine::fees::Fees;
use engine::instrument::{Asset, Instrument, Instruments, InstrumentsError, Symbol};
use engine::numbers::{ExactDecimal, Notional, Quantity};
use engine::risk::Release;
use engine::{Config, strategies::DesiredState};
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::account::{AccountLimits, RestingFills};
use crate::{Amounts, TradingAccountSpec, TradingStrategySpec};

pub use desired::{Bounds, Parameters, StrategyDesired, transfers};
pub use feed::{Endpoint, FeedDesired, FeedMarket, FeedSpec, LiveSpec, ReplaySpec};

/// The account a strategy trades on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountSpec {
    #[expect(missing_docs, reason = "the name says it")]
    pub name: String,
    /// Its accepted spec.
    pub spec: TradingAccountSpec,
}

/// For the role `strategy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StrategySpec {
    /// The strategy's name.
    pub name: String,
    /// The generation of its accepted spec.
    pub generation: u64,
    /// The accepted spec.
    pub spec: TradingStrategySpec,
    /// The account it trades on.
    pub account: AccountSpec,
    /// The folder that stands for its ConfigMap; in a pod the files lie where they are looked for.
    #[serde(skip)]
    pub source_folder: Option<PathBuf>,
}

/// For the role `gateway`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpec {
    /// The generation of the account's accepted spec.
    pub generation: u64,
    #[expect(missing_docs, reason = "the name says it")]
    pub account: AccountSpec,
}

/// A gateway's register: the books it keeps, and the limits that it holds all of them to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayDesired {
    /// One for each strategy of the account.
    pub books: Vec<BookSpec>,
    /// The account's limits. One of the release before has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<AccountLimits>,
    /// What a human has released of them: it is done once, by its name and since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

impl GatewayDesired {
    /// These books, without limits.
    pub fn of(books: Vec<BookSpec>) -> Self {
        Self { books, ..Self::default() }
    }
}

/// One strategy's book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookSpec {
    /// The strategy's name.
    pub strategy: String,
    #[expect(missing_docs, reason = "the name says it")]
    pub ledger: LedgerId,
    /// Its declared capital.
    pub capital: Amounts,
    /// Its markets, by which its coins are valued. One of the release before names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<Symbol>,
    /// What it may do at the account: the strictest of all that ask.
    #[serde(default, deserialize_with = "wanted")]
    stance: Stance,
    /// How the release before wrote and reads [`Stance::Closed`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    closing: bool,
}

impl BookSpec {
    /// The book of a strategy's ledger.
    pub fn new(strategy: String, ledger: LedgerId, capital: Amounts, stance: Stance) -> Self {
        Self { strategy, ledger, capital, symbols: Vec::new(), stance, closing: stance == Stance::Closed }
    }

    /// The book of the ledger of a strategy with this spec.
    pub fn of(strategy: String, ledger: LedgerId, spec: &TradingStrategySpec, stance: Stance) -> Self {
        let symbols = spec.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
        Self { symbols, ..Self::new(strategy, ledger, spec.capital.clone(), stance) }
    }

    /// The same book under another stance.
    #[must_use]
    pub fn with_stance(self, stance: Stance) -> Self {
        Self { stance, closing: stance == Stance::Closed, ..self }
    }

    /// What the strategy may do at the account.
    pub const fn stance(&self) -> Stance {
        if self.closing { Stance::Closed } else { self.stance }
    }
}

/// What a strategy may do at its account. Linear: each forbids all that the one before it forbids. The gateway
/// acknowledges the one it follows in its record (`crds::record::STANCE`), in the commit in which it adopts it; what
/// waits for a stop waits for that and for zero open orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Stance {
    /// Everything.
    #[default]
    Open,
    /// Orders that open are denied, and cancelled where they wait; reducing and cancelling pass.
    StopOpening,
    /// No new order passes, and every open one is cancelled.
    CancelOrders,
    /// As `CancelOrders`, for good: once no order is open, nothing more is told to the strategy.
    Closed,
}

/// By its word. One of a later release forbids more than is known here, and is taken for the strictest that can be left
/// again: one unknown word must not make the whole register unreadable, with the stops of all other strategies in it.
fn wanted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Stance, D::Error> {
    let word = String::deserialize(deserializer)?;
    let known: Result<Stance, serde::de::value::Error> = Stance::deserialize(word.as_str().into_deserializer());
    Ok(known.unwrap_or(Stance::CancelOrders))
}

impl Stance {
    /// What a human's wish for the strategy's state asks of its gateway.
    pub const fn of_state(state: DesiredState) -> Self {
        match state {
            DesiredState::Running => Self::Open,
            DesiredState::Paused => Self::StopOpening,
            DesiredState::Stopped => Self::CancelOrders,
        }
    }
}

/// Why a spec cannot be run, though it is valid in itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Neither the spec nor the source gives rules.
    #[error(
        "{symbol} has no rules and a replay gives none; write rules: {{tickSize: \"0.01\", lotSize: \"0.00001\"}} (NoInstrumentRules)"
    )]
    NoInstrumentRules {
        /// The market.
        symbol: String,
    },
    /// A union has no member this program knows.
    #[error("{path}: none of its members is known to this program; run a newer image")]
    NoMember {
        /// The union.
        path: &'static str,
    },
    /// These markets cannot be those of one strategy.
    #[error("spec.instruments: {0}")]
    Instruments(#[from] InstrumentsError),
    /// A number is out of the engine's range.
    #[error("{path}: {source}")]
    Number {
        /// Where.
        path: String,
        /// Why.
        source: engine::numbers::NumberError,
    },
}

impl StrategySpec {
    /// The name of the strategy in the registry, and its parameters: the one member of the union that is set.
    pub fn strategy(&self) -> Result<(String, serde_json::Value), SpecError> {
        if let Some(custom) = &self.spec.strategy.custom {
            return Ok((custom.name.to_string(), serde_json::Value::Object(custom.parameters.clone())));
        }
        let union = serde_json::to_value(self.spec.strategy.clone().with_grid_size()).unwrap_or_default();
        let member = union.as_object().and_then(|members| members.clone().into_iter().next());
        member.ok_or(SpecError::NoMember { path: "spec.strategy" })
    }

    /// The first market with its rules.
    pub fn instrument(&self) -> Result<Instrument, SpecError> {
        Ok(self.instruments()?.first().clone())
    }

    /// The markets with their rules, in the order of the manifest.
    pub fn instruments(&self) -> Result<Instruments, SpecError> {
        let all = self.spec.instruments.iter().enumerate().map(|(index, spec)| {
            let rules = spec.rules.as_ref();
            let rules = rules.ok_or_else(|| SpecError::NoInstrumentRules { symbol: spec.symbol.to_string() })?;
            Instrument::new(spec.symbol.clone(), rules)
                .map_err(|source| SpecError::Number { path: format!("spec.instruments[{index}].rules"), source })
        });
        Ok(Instruments::new(all.collect::<Result<_, SpecError>>()?)?)
    }

    /// What the engine is made from.
    pub fn engine_config(&self, ledger: LedgerId) -> Result<Config, SpecError> {
        let (_, parameters) = self.strategy()?;
        let number = |source| SpecError::Number { path: "spec.capital".to_owned(), source };
        let amount = |(asset, amount): (&Asset, &ExactDecimal)| {
            Ok((asset.clone(), Notional::from(Quantity::new(amount.get()).map_err(number)?)))
        };
        Ok(Config {
            name: self.name.clone(),
            ledger,
            instruments: self.instruments()?,
            capital: self.spec.capital.iter().map(amount).collect::<Result<_, SpecError>>()?,
            fees: self.account.fees(),
            risk: self.spec.risk.clone(),
            exit: self.spec.exit.clone(),
            transfers: transfers(&self.spec, self.generation),
            desired: self.spec.state,
            parameters,
        })
    }
}

impl AccountSpec {
    /// The same without what its gateway follows by its register alone: a change of that makes no pod anew.
    #[must_use]
    pub fn steady(mut self) -> Self {
        self.spec.limits = None;
        self
    }

    /// The venue's fees.
    pub fn fees(&self) -> Fees {
        self.spec.venue.paper.as_ref().map_or_else(Fees::default, |paper| paper.fees.clone())
    }

    /// The venue's latency.
    pub fn latency_ms(&self) -> u32 {
        self.spec.venue.paper.as_ref().map_or(0, |paper| paper.latency_ms)
    }

    /// When an order that waits in the book trades on a tick without quotes.
    pub fn resting_fills(&self) -> RestingFills {
        self.spec.venue.paper.as_ref().map_or_else(RestingFills::default, |paper| paper.resting_fills)
    }

    /// The name of the account's market data in keys: a replay belongs to one account, live prices to all who take them.
    pub fn source(&self) -> String {
        match &self.spec.market_data.binance {
            Some(binance) => binance.source(),
            None => Self::replay_source(&self.name),
        }
    }

    /// That of an account of this name while it takes its prices from a replay.
    pub fn replay_source(name: &str) -> String {
        format!("replay-{name}")
    }

    /// Whether its prices are those of now: they have ages, and nobody waits for who reads them.
    pub const fn is_live(&self) -> bool {
        self.spec.market_data.binance.is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn book(more: &serde_json::Value) -> BookSpec {
        let mut book = json!({"strategy": "grid", "ledger": "abcdef", "capital": {"USDT": 3000}});
        book.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(book).unwrap()
    }

    #[test]
    fn the_register_of_the_release_before_reads_and_is_written_for_it() {
        assert_eq!(book(&json!({})).stance(), Stance::Open);
        let closed = book(&json!({"closing": true}));
        assert_eq!(closed.stance(), Stance::Closed);
        let written = serde_json::to_value(closed.with_stance(Stance::Closed)).unwrap();
        assert_eq!((&written["closing"], &written["stance"]), (&json!(true), &json!("Closed")));
        let stopped = book(&json!({"stance": "CancelOrders"}));
        assert_eq!(serde_json::to_value(&stopped).unwrap().get("closing"), None);
    }

    /// The record of a strategy knows its parameters by these bytes.
    #[test]
    fn the_parameters_of_a_grid_are_told_in_the_same_bytes_as_ever() {
        let told = |grid: serde_json::Value| {
            let spec: StrategySpec = serde_json::from_value(json!({
                "name": "g", "generation": 1, "account": {"name": "paper", "spec": {
                    "venue": {"paper": {"balances": {}}}, "marketData": {"replay": {"file": "d.csv"}}}},
                "spec": {"accountRef": {"name": "paper"}, "capital": {"USDT": 3000}, "strategy": {"grid": grid},
                    "instruments": [{"symbol": "BNB/USDT"}]},
            }))
            .unwrap();
            spec.strategy().unwrap().1.to_string()
        };
        let rest = "\"flipThresholdFactor\":\"0.2\",\"minTradeIntervalSeconds\":30,\"maxSlippagePercent\":\"0.1\"}";
        assert_eq!(told(json!({})), format!("{{\"gridSizePercent\":\"2\",{rest}"));
        assert_eq!(
            told(json!({"basePrice": 600, "gridSizePercent": "2.50"})),
            format!("{{\"basePrice\":\"600\",\"gridSizePercent\":\"2.50\",{rest}")
        );
        assert!(told(json!({"adaptive": {}})).starts_with("{\"adaptive\":{\"minPercent\":\"1\","));
    }

    #[test]
    fn a_stance_of_a_later_release_stops_what_it_could() {
        assert_eq!(book(&json!({"stance": "Flatten"})).stance(), Stance::CancelOrders);
        assert!(Stance::Open < Stance::StopOpening && Stance::CancelOrders < Stance::Closed);
    }
}
