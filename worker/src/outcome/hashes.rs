//! The hashes beside a result: whoever has the same four has the same run. Each is a SHA-256 in hex.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bus::Lent;
use crds::roles::StrategySpec;
use crds::strategy::InstrumentSpec;
use engine::Engine;
use engine::messages::{Document, Tick};
use engine::running_hash::RunningHash;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::child::hash_files;

/// The field of a record that holds the [`DataHash`] of a strategy's ticks.
pub const DATA: &str = "data";

/// What a result was made of and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hashes {
    /// Of the ticks; absent where the release before took some of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(flatten)]
    made: Made,
    /// Of the trades; absent where the release before booked some of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    trades: Option<String>,
}

impl Hashes {
    /// The hashes of a strategy as it stands, of what made it, and of the data that it has taken.
    pub fn of(made: Made, engine: &Engine, data: Option<&DataHash>) -> Self {
        Self { data: data.map(DataHash::hex), made, trades: engine.trades_hash() }
    }
}

/// The field of a record that holds what [`Made`] a strategy's result.
pub const MADE: &str = "made";

/// Under which parameters, and by which program, a strategy took its ticks: all of them, or it is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Made {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameters: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    program: Option<String>,
}

impl Made {
    /// Of a strategy that takes all of its ticks under this spec, by this program.
    pub fn of(spec: &StrategySpec) -> Self {
        Self { parameters: Some(RunningHash::of(&parameters(spec))), program: Some(program(spec)) }
    }

    /// That of a record. The release before kept none.
    pub fn saved(field: Option<&str>) -> Self {
        field.and_then(|field| serde_json::from_str(field).ok()).unwrap_or_default()
    }

    /// That of a strategy which goes on under this spec, by this program: what has changed in the middle is known
    /// no more.
    pub fn going_on(self, spec: &StrategySpec) -> Self {
        let (before, now) = (self, Self::of(spec));
        Self {
            parameters: before.parameters.filter(|hash| now.parameters.as_ref() == Some(hash)),
            program: before.program.filter(|hash| now.program.as_ref() == Some(hash)),
        }
    }
}

/// `{"exit":…,"instruments":…,"risk":…,"strategy":…}` with defaults, without an exit where nothing ends it, keys sorted, without blanks, decimals without trailing zeros.
/// An instrument is its symbol, which says its kind, and its rules.
fn parameters(spec: &StrategySpec) -> String {
    let spec = &spec.spec;
    let risk = spec.risk.clone().with_position_defaults(spec.strategy.position_bounds());
    let strategy = spec.strategy.clone().with_defaults();
    let instrument = |instrument: &InstrumentSpec| json!({"symbol": instrument.symbol, "rules": instrument.rules});
    let instruments: Vec<_> = spec.instruments.iter().map(instrument).collect();
    let mut parameters = json!({ "instruments": instruments, "strategy": strategy, "risk": risk });
    if let Some(exit) = spec.exit.as_ref().filter(|exit| !exit.is_never()) {
        parameters["exit"] = json!(exit);
    }
    normal(parameters).to_string()
}

/// Over the version of the program and the strategy's name, a line each; of a process over its files too.
fn program(spec: &StrategySpec) -> String {
    let mut hash = RunningHash::default();
    hash.update(format!("{}\n{}\n", env!("CARGO_PKG_VERSION"), spec.spec.strategy.name()).as_bytes());
    hash_files(spec, &mut hash);
    hash.hex()
}

/// The same value with the keys of all objects in their order, and decimals without trailing zeros: it may be written in
/// more ways than one.
fn normal(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.into_iter().map(|(name, value)| (name, normal(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(normal).collect()),
        Value::String(text) => match text.parse::<Decimal>() {
            Ok(decimal) => Value::String(decimal.normalize().to_string()),
            Err(_) => Value::String(text),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// The hash of ticks, and of how many: a record that the release before has gone on with has taken more, and then the
/// hash is not that of its ticks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataHash {
    ticks: u64,
    hash: RunningHash,
}

impl DataHash {
    /// Takes one more tick, as its [`line`].
    pub fn update(&mut self, line: &str) {
        self.ticks += 1;
        self.hash.update(line.as_bytes());
    }

    /// That of a record, which is `engine`'s only if it took as many ticks.
    pub fn saved(field: Option<&str>, engine: &Engine) -> Option<Self> {
        let saved: Self = serde_json::from_str(field?).ok()?;
        (saved.ticks == engine.ticks()).then_some(saved)
    }

    /// The hash so far.
    pub fn hex(&self) -> String {
        self.hash.hex()
    }
}

/// Where the hash of a strategy's data stands while it takes ticks. Of many strategies on one feed nearly all take the same
/// ticks: the first one to take a tick hashes it, and leaves at the tick where it stood before and after. Whoever stands
/// at the same place before it, goes on where that one went.
#[derive(Debug)]
pub enum Standing<'a> {
    /// At a place that no tick knows of.
    Own(DataHash),
    /// Where a tick says that it leads.
    After(&'a Arc<DataHash>),
}

impl<'a> Standing<'a> {
    /// Takes a tick.
    pub fn take(&mut self, tick: Lent<'a, LinedTick>) {
        match tick {
            Lent::Kept(tick) => self.follow(tick),
            Lent::Own(tick) => self.hash(&tick),
        }
    }

    fn follow(&mut self, tick: &'a LinedTick) {
        let step = tick.step.get_or_init(|| Step::of(self, tick));
        if self.is_at(&step.before) {
            *self = Self::After(&step.after);
        } else {
            self.hash(tick);
        }
    }

    fn is_at(&self, place: &Arc<DataHash>) -> bool {
        match self {
            // Where the tick before was taken by the same strategies, it is the very same place, and that is looked at first.
            Self::After(hash) => *hash == place,
            Self::Own(hash) => *hash == **place,
        }
    }

    fn hash(&mut self, tick: &LinedTick) {
        match self {
            Self::Own(hash) => hash.update(tick.line()),
            Self::After(hash) => {
                let mut hash = DataHash::clone(hash);
                hash.update(tick.line());
                *self = Self::Own(hash);
            }
        }
    }

    /// As it is saved.
    pub fn into_hash(self) -> DataHash {
        match self {
            Self::Own(hash) => hash,
            Self::After(hash) => DataHash::clone(hash),
        }
    }
}

/// Where the hash of the data stood before a tick, and where that tick led.
#[derive(Debug)]
struct Step {
    before: Arc<DataHash>,
    after: Arc<DataHash>,
}

impl Step {
    fn of(standing: &Standing<'_>, tick: &LinedTick) -> Self {
        let before = match standing {
            Standing::Own(hash) => Arc::new(hash.clone()),
            Standing::After(hash) => Arc::clone(hash),
        };
        let mut after = DataHash::clone(&before);
        after.update(tick.line());
        Self { before, after: Arc::new(after) }
    }
}

/// A tick of the data as it is hashed: `symbol,time,price,bid,ask,bidSize,askSize,volume` and a newline, decimals without
/// trailing zeros, empty where the tick has none.
pub fn line(tick: &Tick) -> String {
    let mut line = String::new();
    write_line(&mut line, tick);
    line
}

/// The same, behind what `line` holds.
pub fn write_line(line: &mut String, tick: &Tick) {
    // A text takes all that is written to it.
    let _ = write!(line, "{},{}", tick.symbol, tick.event_time().millis());
    for price in [Some(tick.price), tick.bid, tick.ask] {
        line.push(',');
        if let Some(price) = price {
            write_decimal(line, price, || price.get());
        }
    }
    for size in [tick.bid_size, tick.ask_size] {
        line.push(',');
        if let Some(size) = size {
            write_decimal(line, size, || size.get());
        }
    }
    line.push(',');
    write_decimal(line, tick.volume, || tick.volume.get());
    line.push('\n');
}

/// Writes a number as its decimal is written without trailing zeros. Its own text is that but for these zeros, and where
/// it has more than the 28 digits that each decimal holds.
fn write_decimal(line: &mut String, number: impl Display, decimal: impl FnOnce() -> Decimal) {
    let start = line.len();
    let _ = write!(line, "{number}");
    let written = &line[start..];
    if written.len() > 28 {
        line.truncate(start);
        let _ = write!(line, "{}", decimal().normalize());
    } else if written.ends_with('0') && written.contains('.') {
        let kept = written.trim_end_matches('0').trim_end_matches('.').len();
        line.truncate(start + kept);
    }
}

/// A tick as it is read from its stream, with its line, which is written once for all who hash it.
#[derive(Debug)]
pub struct LinedTick {
    tick: Tick,
    line: OnceLock<String>,
    step: OnceLock<Step>,
}

impl LinedTick {
    /// As it is hashed.
    pub fn line(&self) -> &str {
        self.line.get_or_init(|| line(&self.tick))
    }
}

impl From<Tick> for LinedTick {
    fn from(tick: Tick) -> Self {
        Self { tick, line: OnceLock::new(), step: OnceLock::new() }
    }
}

impl Deref for LinedTick {
    type Target = Tick;

    fn deref(&self) -> &Tick {
        &self.tick
    }
}

impl Document for LinedTick {
    const VERSION: u32 = Tick::VERSION;
}

impl Serialize for LinedTick {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tick.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LinedTick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tick::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests;
