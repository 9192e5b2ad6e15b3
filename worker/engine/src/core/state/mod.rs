//! All that an engine remembers, and its saved form: as one document, or as fields of a record of which a commit writes
//! those that changed. This version and the one before are read.

mod v1;

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Config;
use super::bars::{Bars, ClosedBars, SavedBars, SavedBarsError};
use super::denials::Denials;
use super::markets::Markets;
use super::news::News;
use crate::instrument::Symbol;
use crate::ledger::{Ledger, LedgerError, Position, Profit};
use crate::messages::{AlertKind, Side, Transfer};
use crate::numbers::{Notional, NumberError, Price, Ratio};
use crate::orders::{ClosedOrders, OpenOrders, Order, Terms};
use crate::report::{Decision, OrderCounts, RecentTrade};
use crate::risk::{OrderRate, RiskState, Stops};
use crate::running_hash::RunningHash;
use crate::strategies::{DesiredState, StrategyError};
use crate::time::Timestamp;
use crate::transfers::Transfers;

/// The version of the saved form.
pub(super) const VERSION: u32 = 2;

/// Field of a record: the state, but for what has fields of its own.
const ENGINE: &str = "engine";
/// Field of a record: what the strategy remembers.
const STRATEGY: &str = "strategy";
/// Fields of a record, one for each series of bars: this, the market's place and the interval, as `bars:0:4h`.
const BARS: &str = "bars:";
/// Fields of a record, one for each closed order that is remembered: this and its number.
const CLOSED: &str = "closed:";
/// Fields of a record, one for each open order: this and its sequence.
const ORDER: &str = "order:";

/// Why saved state could not be taken up.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It was written by a newer program.
    #[error("the state has version {found}, this program reads up to {VERSION}; run the newer image")]
    NewerVersion {
        /// The state's version.
        found: u64,
    },
    /// It is not there.
    #[error("the record has no field {ENGINE}")]
    Missing,
    /// It does not read.
    #[error("the saved state does not read: {0}")]
    Broken(#[from] serde_json::Error),
    /// A field of the record does not read.
    #[error("field {name} of the record does not read: {source}")]
    Field {
        /// Its name.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The bars are none.
    #[error(transparent)]
    Bars(#[from] SavedBarsError),
    /// The strategy's part does not read.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// It is of other markets.
    #[error(
        "the saved ledger trades {saved}, but the manifest has {given}; the symbols of a strategy cannot be changed"
    )]
    OtherMarkets {
        /// The ledger's, in words.
        saved: String,
        /// The manifest's, in words.
        given: String,
    },
    /// What its orders reserve is out of range.
    #[error("what the saved orders reserve cannot be counted: {0}")]
    Reserved(NumberError),
    /// Its books, of more digits than are kept now, do not add up in the digits that are.
    #[error("the saved ledger cannot be rounded to {PLACES} digits after the point: {0}")]
    Digits(#[from] NumberError),
}

impl RestoreError {
    /// Names the field that does not read.
    fn in_field(self, name: &str) -> Self {
        match self {
            Self::Broken(source) => Self::Field { name: name.to_owned(), source },
            other @ (Self::NewerVersion { .. }
            | Self::Missing
            | Self::Field { .. }
            | Self::Bars(_)
            | Self::Strategy(_)
            | Self::OtherMarkets { .. }
            | Self::Reserved(_)
            | Self::Digits(_)) => other,
        }
    }
}

/// What of the state a commit must write, as fields of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Fields to set, each as JSON.
    pub set: Vec<(String, String)>,
    /// Fields to remove.
    pub delete: Vec<String>,
}

impl Changes {
    /// A field as it is now; `None`: there is none any more.
    fn add(&mut self, name: String, value: Option<&impl Serialize>) -> Result<(), SnapshotError> {
        match value {
            Some(value) => self.set.push((name, serde_json::to_string(value)?)),
            None => self.delete.push(name),
        }
        Ok(())
    }
}

/// Why the state could not be put into its saved form. Nothing may then be committed in its place.
#[derive(Debug, thiserror::Error)]
#[error("the state cannot be saved: {0}")]
pub struct SnapshotError(#[from] serde_json::Error);

/// Parameters that were judged: they stay judged at this price, however often the process dies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Judged {
    /// Their SHA-256.
    pub parameters: String,
    /// The price of the first tick under them.
    pub price: Price,
}

/// All that an engine remembers but what its strategy does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct State {
    /// Version of this form.
    pub version: u32,
    /// The books.
    pub ledger: Ledger,
    /// Orders that are not closed, or closed ones of which more has traded, by the venue's word, than is booked.
    #[serde(skip)]
    pub orders: OpenOrders,
    /// The newest closed orders.
    #[serde(skip)]
    pub closed: ClosedOrders,
    /// The bars that its strategy needs. What is unfinished of them is saved here, the closed ones beside it.
    #[serde(skip_deserializing, skip_serializing_if = "Bars::is_empty")]
    pub bars: Bars,
    /// News of orders on the coming tick: booked, and told to the strategy once that tick's limits are judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub news: Vec<News>,
    /// The highest order sequence used.
    pub sequence: u64,
    /// Orders of the last minute.
    pub rate: OrderRate,
    /// Which sides are allowed.
    pub risk: RiskState,
    /// Why it is halted; absent while it is not, and in a state that the release before halted for its ledger.
    #[serde(default)]
    pub halt: Option<AlertKind>,
    /// Where a human wants it to be.
    pub desired: DesiredState,
    /// How many ticks were taken.
    pub ticks: u64,
    /// What is followed of each market.
    #[serde(flatten)]
    pub markets: Markets,
    /// Ticks of markets that are not its own: they were left out.
    #[serde(default, skip_serializing_if = "is_none")]
    pub foreign_ticks: u64,
    /// Event time of the last event.
    pub as_of: Timestamp,
    /// Why an order of each side and mark was last denied before it was sent.
    #[serde(default)]
    pub denials: Denials,
    /// Ended orders by how they ended.
    pub counts: OrderCounts,
    /// Trades booked.
    #[serde(default)]
    pub trades: u64,
    /// The hash of these trades; absent where the release before booked some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trades_hash: Option<RunningHash>,
    /// Updates that could not be.
    pub anomalies: u64,
    /// Cancels of orders that were closed already: nothing was sent.
    #[serde(default, skip_serializing_if = "is_none")]
    pub late_cancels: u64,
    /// The newest trades, newest first.
    pub recent_trades: Vec<RecentTrade>,
    /// Why it acted or did not, last.
    pub decision: Decision,
    /// The reason that was published last: an order that is denied once more is shown, but not told.
    #[serde(default)]
    pub told: String,
    /// Why nothing is done, while that is both the last decision and what was told: so most ticks compare an address.
    #[serde(skip)]
    pub holding: Option<&'static str>,
    /// All that it was halted for. Under the name of the release before, which kept warnings about parameters here too.
    #[serde(rename = "warnings")]
    pub halts: Vec<AlertKind>,
    /// The warnings about parameters that were told last: what stays as it is, is not told again after a restart.
    #[serde(default)]
    pub warned: Vec<AlertKind>,
    /// What was judged last, and at which price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// Transfers that were decided.
    #[serde(default, skip_serializing_if = "Transfers::is_empty")]
    pub transfers: Transfers,
    /// The highest equity so far, moved with each transfer by what that was worth.
    pub peak: Notional,
    /// The largest fall from a peak, as a share of that peak.
    #[serde(rename = "deepestFall")]
    pub max_drawdown: Ratio,
    /// Limits that were breached, an exit that was reached, and what both are judged by.
    #[serde(default, skip_serializing_if = "Stops::is_empty")]
    pub stops: Stops,
}

/// A state, and what its strategy remembers.
#[derive(Debug)]
pub(super) struct Saved {
    pub state: State,
    pub bars: SavedBars,
    pub strategy: Value,
}

/// What a strategy holds, by the fields of its record, for who does not know what it trades by.
#[derive(Debug)]
pub struct SavedBooks {
    /// Its books.
    pub ledger: Ledger,
    /// Its open orders, by sequence.
    pub orders: Vec<Order>,
    /// The highest order sequence that it used.
    pub highest_order: u64,
    /// The transfers in its books, by number.
    pub transfers: Vec<Transfer>,
}

impl SavedBooks {
    /// Reads fields of a record, as [`Engine::restore_fields`](super::Engine::restore_fields) does.
    pub fn read<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, RestoreError> {
        let Saved { state, .. } = Saved::read_fields(fields)?;
        let orders = state.orders.iter().cloned().collect();
        let transfers = state.transfers.booked().collect();
        Ok(Self { ledger: state.ledger, orders, highest_order: state.sequence, transfers })
    }
}

/// A state as one document. Outsiders keep many of them, so what only later news is judged by, most of the bytes, stays
/// out of theirs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole<'a> {
    #[serde(flatten)]
    pub state: &'a State,
    pub orders: &'a OpenOrders,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<&'a ClosedOrders>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_bars: Option<ClosedBars<'a>>,
    pub strategy: Value,
}

/// Digits after the point that money is kept with.
const PLACES: usize = 18;

/// Whether one of the amounts in `ledger` has more digits after the point than are kept. The release that kept 28 wrote
/// them only with data finer than its rules.
fn has_more_digits(ledger: &Value) -> bool {
    let is_long = |amount: &Value| {
        let fraction = amount.as_str().and_then(|text| text.split_once('.'));
        fraction.is_some_and(|(_, fraction)| fraction.len() > PLACES)
    };
    ledger.as_object().is_some_and(|fields| fields.values().any(is_long))
}

impl State {
    /// Whether nothing is opened, whatever the strategy finds: it is halted, a limit is latched, or an exit was reached.
    pub fn is_held_back(&self) -> bool {
        self.risk == RiskState::Halted || !self.stops.limits().is_empty() || self.stops.exit().is_some()
    }

    /// Shows a decision from now on.
    pub fn decide(&mut self, decision: Decision) {
        (self.decision, self.holding) = (decision, None);
    }

    /// The manifest's markets in the order of the ledger, by which orders name them: that of the manifest when it opened.
    pub fn in_its_order(&self, config: Config) -> Result<Config, RestoreError> {
        let saved: Vec<_> = self.ledger.positions().map(Position::symbol).collect();
        let same = config.instruments.in_order_of(&saved).filter(|all| all.len() == self.markets.len());
        let text = |symbols: Vec<&Symbol>| symbols.into_iter().map(Symbol::as_str).collect::<Vec<_>>().join(", ");
        match same {
            Some(instruments) => Ok(Config { instruments, ..config }),
            None => Err(RestoreError::OtherMarkets {
                saved: text(saved),
                given: text(config.instruments.iter().map(|(_, one)| &one.symbol).collect()),
            }),
        }
    }

    /// What all is worth at the last prices. Without a price coins count for nothing: no strategy is asked then.
    pub fn equity(&self) -> Result<Notional, NumberError> {
        let mut priced = self.ledger.positions().zip(self.markets.prices());
        priced.try_fold(self.ledger.quote(), |sum, (position, price)| match price {
            Some(price) => sum.plus(position.worth_at(price)?),
            None => Ok(sum),
        })
    }

    /// What coins are worth at the last prices, and what open buys still are, each at its own price; without the order of
    /// this sequence, and of one that takes another's place without that one, as only one of them can trade.
    pub fn exposure(&self, without: Option<u64>) -> Result<Notional, NumberError> {
        let coins = self.equity()?.minus(self.ledger.quote())?;
        let gives_way = |order: &Order| Some(order.sequence()) == without || self.orders.is_replaced(order.sequence());
        let buys = self.orders.iter().filter(|order| order.side == Side::Buy && !gives_way(order));
        buys.filter_map(|order| Some((order, order.price?)))
            .try_fold(coins, |sum, (order, price)| sum.plus(price.times(order.rest()?)?))
    }

    /// The profit in all markets at the last prices; `None` while one of them has no price.
    pub fn profit(&self) -> Option<Profit> {
        let prices: Vec<_> = self.markets.prices().collect::<Option<_>>()?;
        self.ledger.profit_in(self.ledger.currency(), &prices).ok()
    }

    pub fn new(config: &Config) -> Result<Self, LedgerError> {
        let symbols: Vec<_> = config.instruments.iter().map(|(_, instrument)| instrument.symbol.clone()).collect();
        Ok(Self {
            version: VERSION,
            ledger: Ledger::of(&symbols, &config.capital)?,
            orders: OpenOrders::new(Terms::of(&config.fees)),
            closed: ClosedOrders::default(),
            bars: Bars::default(),
            news: Vec::new(),
            sequence: 0,
            rate: OrderRate::default(),
            risk: RiskState::AllowAll,
            halt: None,
            desired: config.desired,
            ticks: 0,
            markets: Markets::new(config.instruments.len()),
            foreign_ticks: 0,
            as_of: Timestamp::default(),
            denials: Denials::default(),
            counts: OrderCounts::default(),
            trades: 0,
            trades_hash: Some(RunningHash::default()),
            anomalies: 0,
            late_cancels: 0,
            recent_trades: Vec::new(),
            decision: Decision::waiting(),
            told: Decision::waiting().reason,
            holding: None,
            halts: Vec::new(),
            warned: Vec::new(),
            judged: None,
            transfers: Transfers::default(),
            peak: Notional::ZERO,
            max_drawdown: Ratio::ZERO,
            stops: Stops::default(),
        })
    }
}

impl Saved {
    /// Reads a whole document.
    pub fn read(saved: &Value) -> Result<Self, RestoreError> {
        let found = saved.get("version").and_then(Value::as_u64).unwrap_or(0);
        if found > u64::from(VERSION) {
            return Err(RestoreError::NewerVersion { found });
        }
        if found == u64::from(VERSION) {
            let part = |name: &str| saved.get(name).unwrap_or(&Value::Null);
            let mut state = State::deserialize(saved)?;
            state.orders = OpenOrders::saved(Vec::<Order>::deserialize(part("orders"))?);
            state.closed = Option::deserialize(part("closed"))?.unwrap_or_default();
            let bars = SavedBars {
                closed: Option::deserialize(part("closedBars"))?.unwrap_or_default(),
                unfinished: Option::deserialize(part("bars"))?.unwrap_or_default(),
            };
            return Ok(Self { state, bars, strategy: part("strategy").clone() });
        }
        let mut read = Self::from(v1::StateV1::deserialize(saved)?);
        if saved.get("ledger").is_some_and(has_more_digits) {
            read.state.ledger.settle_rounding()?;
        }
        Ok(read)
    }

    /// Reads fields of a record; others than the state's are left out. A record of the release before has one field.
    pub fn read_fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, RestoreError> {
        let (mut engine, mut strategy) = (None, Value::Null);
        let mut bars = SavedBars::default();
        let (mut closed, mut orders, mut stored) = (BTreeMap::new(), Vec::<Order>::new(), BTreeSet::new());
        for (name, text) in fields {
            match name {
                ENGINE => engine = Some(read_field::<Value>(name, text)?),
                STRATEGY => strategy = read_field(name, text)?,
                _ => {
                    if let Some(of) = name.strip_prefix(BARS) {
                        bars.closed.insert(of.to_owned(), read_field(name, text)?);
                        continue;
                    }
                    let number = |prefix| name.strip_prefix(prefix).and_then(|number| number.parse().ok());
                    if let Some(sequence) = number(ORDER) {
                        orders.push(read_field(name, text)?);
                        stored.insert(sequence);
                    } else if let Some(number) = number(CLOSED) {
                        closed.insert(number, read_field(name, text)?);
                    }
                }
            }
        }
        let engine = engine.ok_or(RestoreError::Missing)?;
        if engine.get("version").and_then(Value::as_u64) != Some(u64::from(VERSION)) {
            return Self::read(&engine).map_err(|error| error.in_field(ENGINE));
        }
        let mut state = State::deserialize(&engine).map_err(|source| RestoreError::Broken(source).in_field(ENGINE))?;
        (state.orders, state.closed) = (OpenOrders::saved(orders), ClosedOrders::stored(closed));
        state.orders.are_stored(stored);
        if let Some(unfinished) = engine.get("bars") {
            let read = Deserialize::deserialize(unfinished);
            bars.unfinished = read.map_err(|source| RestoreError::Broken(source).in_field(ENGINE))?;
        }
        Ok(Self { state, bars, strategy })
    }
}

fn read_field<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, RestoreError> {
    serde_json::from_str(text).map_err(|source| RestoreError::Broken(source).in_field(name))
}

/// Which parts of the state a record holds as they are. Never saved: after a start all is written once.
#[derive(Debug, Default)]
pub(super) struct Stored {
    strategy: Option<String>,
    /// The same, of changes that are being committed.
    next: Option<String>,
}

impl Stored {
    /// What has changed since the last commit that was stored.
    pub fn changes(&mut self, state: &State, strategy: &Value) -> Result<Changes, SnapshotError> {
        let mut changes = Changes::default();
        changes.set.push((ENGINE.to_owned(), serde_json::to_string(state)?));
        let strategy = serde_json::to_string(strategy)?;
        if self.strategy.as_ref() != Some(&strategy) {
            changes.set.push((STRATEGY.to_owned(), strategy.clone()));
        }
        for (sequence, order) in state.orders.changed() {
            changes.add(format!("{ORDER}{sequence}"), order)?;
        }
        for (number, order) in state.closed.changed() {
            changes.add(format!("{CLOSED}{number}"), order)?;
        }
        for (of, bars) in state.bars.changed() {
            changes.add(format!("{BARS}{of}"), bars.as_ref())?;
        }
        self.next = Some(strategy);
        Ok(changes)
    }

    /// The changes that were given last are stored.
    pub fn committed(&mut self, state: &mut State) {
        if let Some(strategy) = self.next.take() {
            self.strategy = Some(strategy);
            state.orders.committed();
            state.closed.committed();
            state.bars.committed();
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}
