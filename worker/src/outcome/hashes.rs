//! The hashes beside a result: whoever has the same four has the same run. Each is a SHA-256 in hex.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bus::Lent;
use crds::roles::StrategySpec;
use crds::strategy::{InstrumentSpec, StrategyChoice};
use engine::Engine;
use engine::messages::{Document, Tick};
use engine::numbers::{Price, Quantity};
use engine::running_hash::RunningHash;
use engine::strategy::grid::GridParameters;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

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
        Self { parameters: Some(RunningHash::of(&parameters(spec))), program: Some(RunningHash::of(&program(spec))) }
    }

    /// That of a record. The release before kept none.
    pub fn saved(field: Option<&str>) -> Self {
        field.and_then(|field| serde_json::from_str(field).ok()).unwrap_or_default()
    }

    /// That of a record whose strategy goes on under this spec, by this program: what has changed in the middle is known
    /// no more.
    pub fn going_on(field: Option<&str>, spec: &StrategySpec) -> Self {
        let (before, now) = (Self::saved(field), Self::of(spec));
        Self {
            parameters: before.parameters.filter(|hash| now.parameters.as_ref() == Some(hash)),
            program: before.program.filter(|hash| now.program.as_ref() == Some(hash)),
        }
    }
}

/// `{"instruments":…,"risk":…,"strategy":…}` with defaults, keys sorted, without blanks, decimals without trailing zeros.
/// An instrument is its symbol, which says its kind, and its rules.
fn parameters(spec: &StrategySpec) -> String {
    let spec = &spec.spec;
    let strategy = StrategyChoice {
        grid: spec.strategy.grid.clone().map(GridParameters::with_defaults),
        custom: spec.strategy.custom.clone(),
    };
    let instrument = |instrument: &InstrumentSpec| json!({"symbol": instrument.symbol, "rules": instrument.rules});
    let instruments: Vec<_> = spec.instruments.iter().map(instrument).collect();
    normal(json!({ "instruments": instruments, "strategy": strategy, "risk": spec.risk })).to_string()
}

/// The version of the program and the strategy's name, a line each.
fn program(spec: &StrategySpec) -> String {
    format!("{}\n{}\n", env!("CARGO_PKG_VERSION"), spec.spec.strategy.name())
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
    let prices = [Some(tick.price), tick.bid, tick.ask].map(|price| price.map(Price::get));
    let sizes = [tick.bid_size, tick.ask_size].map(|size| size.map(Quantity::get));
    let mut line = format!("{},{}", tick.symbol, tick.event_time().millis());
    for decimal in prices.into_iter().chain(sizes).chain([Some(tick.volume.get())]) {
        line.push(',');
        if let Some(decimal) = decimal {
            // A text takes all that is written to it.
            let _ = write!(line, "{}", decimal.normalize());
        }
    }
    line.push('\n');
    line
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
mod tests {
    use bus::{Body, Entry, StreamId};

    use super::*;

    #[test]
    fn a_tick_is_hashed_as_its_line() {
        let tick = |text: &str| serde_json::from_str::<LinedTick>(text).unwrap();
        let mut data = DataHash::default();
        let first = tick(
            r#"{"symbol":"BNB/USDT","price":"600.50","volume":"0.10","time":1700000000000,"received":5,"sequence":0}"#,
        );
        data.update(first.line());
        assert_eq!(first.line(), "BNB/USDT,1700000000000,600.5,,,,,0.1\n");
        let second = tick(
            r#"{"symbol":"BNB/USDT","price":"600","bid":"599.90","askSize":"0","bidSize":"2.500","volume":"0",
                "time":1700000001000,"received":5,"sequence":1}"#,
        );
        data.update(second.line());
        assert_eq!(second.line(), "BNB/USDT,1700000001000,600,599.9,,2.5,0,0\n");
        let lines = "BNB/USDT,1700000000000,600.5,,,,,0.1\nBNB/USDT,1700000001000,600,599.9,,2.5,0,0\n";
        assert_eq!(data.hex(), RunningHash::of(lines));
        let saved: DataHash = serde_json::from_str(&serde_json::to_string(&data).unwrap()).unwrap();
        assert_eq!((saved.hex(), saved.ticks), (data.hex(), 2));
    }

    fn entries(count: u64) -> Vec<Entry> {
        let entry = |sequence: u64| {
            let tick = json!({"symbol": "BNB/USDT", "price": (600 + sequence % 7).to_string(), "volume": "0.1",
                "time": 1_700_000_000_000 + sequence, "received": 0, "sequence": sequence});
            Entry::new(StreamId::new(sequence + 1, 0), Body::Document { version: 1, data: tick.to_string().into() })
        };
        (0..count).map(entry).collect()
    }

    /// Takes these ticks in one batch, and says of how many the place is one that a tick keeps.
    fn taken(from: &DataHash, entries: &[Entry]) -> (DataHash, usize) {
        let (mut standing, mut shared) = (Standing::Own(from.clone()), 0);
        for entry in entries {
            standing.take(entry.lend().unwrap());
            shared += usize::from(matches!(standing, Standing::After(_)));
        }
        (standing.into_hash(), shared)
    }

    fn plainly(from: &DataHash, entries: &[Entry]) -> DataHash {
        let mut data = from.clone();
        for entry in entries {
            data.update(entry.decode::<LinedTick>().unwrap().line());
        }
        data
    }

    #[test]
    fn strategies_that_take_the_same_ticks_have_the_plain_hash_and_share_it() {
        let (entries, start) = (entries(200), DataHash::default());
        let whole = plainly(&start, &entries);
        for batch in [200, 1, 7, 64] {
            let mut data = start.clone();
            for part in entries.chunks(batch) {
                let (after, shared) = taken(&data, part);
                assert_eq!(shared, part.len(), "each of its ticks was hashed once for all");
                data = after;
            }
            assert_eq!(data, whole, "in batches of {batch}");
        }
    }

    #[test]
    fn a_restart_in_the_middle_goes_on_where_the_others_are() {
        let (entries, start) = (entries(100), DataHash::default());
        let whole = taken(&start, &entries).0;
        for cut in [0, 1, 50, 99] {
            let saved = serde_json::to_string(&taken(&start, &entries[..cut]).0).unwrap();
            let restarted = taken(&serde_json::from_str(&saved).unwrap(), &entries[cut..]);
            assert_eq!((&restarted.0, restarted.1), (&whole, 100 - cut), "restarted after {cut}");
        }
        assert_eq!(whole, plainly(&start, &entries));
    }

    #[test]
    fn who_took_other_ticks_has_a_hash_of_its_own_whoever_comes_first() {
        let start = DataHash::default();
        for late_first in [false, true] {
            let entries = entries(100);
            let late = || taken(&start, &entries[40..]);
            // It left one out that the others took.
            let gap = || taken(&taken(&start, &entries[..60]).0, &entries[61..]);
            let all = || taken(&start, &entries);
            let (all, late, gap) = if late_first {
                let (late, gap) = (late(), gap());
                (all(), late, gap)
            } else {
                let all = all();
                (all, late(), gap())
            };
            assert_eq!(all.0, plainly(&start, &entries));
            assert_eq!(late.0, plainly(&start, &entries[40..]));
            assert_eq!(gap.0, plainly(&plainly(&start, &entries[..60]), &entries[61..]));
            assert_eq!((all.1 == 100, late.1 == 60), (!late_first, late_first), "ticks know of one place each");
        }
    }

    #[test]
    fn a_tick_that_is_kept_as_something_else_is_hashed_too() {
        let (entries, start) = (entries(10), DataHash::default());
        for entry in &entries[3..6] {
            entry.decode_once::<Tick>().unwrap();
        }
        for _ in 0..2 {
            let (data, shared) = taken(&start, &entries);
            assert_eq!((data, shared), (plainly(&start, &entries), 7));
        }
    }

    fn spec() -> StrategySpec {
        serde_json::from_value(json!({
            "name": "g", "generation": 1,
            "spec": {"accountRef": {"name": "paper"}, "capital": {"USDT": 3000}, "strategy": {"grid": {}},
                "instruments": [{"symbol": "BNB/USDT", "rules": {"lotSize": "0.001", "tickSize": "0.01"}}]},
            "account": {"name": "paper", "spec": {"venue": {"paper": {"balances": {}}},
                "marketData": {"replay": {"file": "d.csv"}}}}
        }))
        .unwrap()
    }

    #[test]
    fn a_hash_of_other_ticks_than_the_engine_took_is_none() {
        let registry = engine::strategy::Registry::standard();
        let mut engine = crate::roles::saved::engine(&spec(), "abc", None, &registry).unwrap();
        let mut data = DataHash::default();
        for sequence in 0..3 {
            let tick: Tick = serde_json::from_value(json!({"symbol": "BNB/USDT", "price": "600", "volume": "0",
                "time": 1_700_000_000_000_u64 + sequence, "received": 0, "sequence": sequence}))
            .unwrap();
            let saved = serde_json::to_string(&data).unwrap();
            assert_eq!(DataHash::saved(Some(&saved), &engine).map(|saved| saved.hex()), Some(data.hex()));
            let _ = engine.step(tick.event_time(), engine::Event::Tick(tick.clone()));
            // The release before goes on without it.
            assert!(DataHash::saved(Some(&saved), &engine).is_none());
            data.update(&line(&tick));
        }
        assert!(DataHash::saved(None, &engine).is_none() && DataHash::saved(Some("{}"), &engine).is_none());
    }

    #[test]
    fn what_changed_in_the_middle_is_left_out_for_good() {
        let made = |value: &Made| serde_json::to_string(value).unwrap();
        let (first, mut edited) = (spec(), spec());
        edited.spec.strategy.grid = serde_json::from_value(json!({"gridSizePercent": 3})).unwrap();
        let begun = Made::of(&first);
        assert_eq!(Made::going_on(Some(&made(&begun)), &first), begun);
        let changed = Made::going_on(Some(&made(&begun)), &edited);
        assert_eq!((&changed.parameters, &changed.program), (&None, &begun.program));
        assert_eq!(Made::going_on(Some(&made(&changed)), &first), changed);
        assert_eq!(Made::going_on(None, &first), Made::default());
    }

    #[test]
    fn parameters_are_hashed_with_their_defaults_and_sorted_keys() {
        let spec = spec();
        let expected = "{\"instruments\":[{\"rules\":{\"lotSize\":\"0.001\",\"minNotional\":\"0\",\
                        \"tickSize\":\"0.01\"},\"symbol\":\"BNB/USDT\"}],\"risk\":{\"maxOrdersPerMinute\":10,\
                        \"maxPositionPercent\":\"90\",\"maxTickAgeSeconds\":5,\"minPositionPercent\":\"10\"},\
                        \"strategy\":{\"grid\":{\"flipThresholdFactor\":\"0.2\",\"gridSizePercent\":\"2\",\
                        \"maxSlippagePercent\":\"0.1\",\"minTradeIntervalSeconds\":30,\"orderPercent\":\"10\"}}}";
        assert_eq!(parameters(&spec), expected);
        assert_eq!(program(&spec), format!("{}\ngrid\n", env!("CARGO_PKG_VERSION")));
        let mut other = spec.clone();
        other.spec.capital.clear();
        assert_eq!(parameters(&other), expected, "capital is no parameter");
        let mut text = serde_json::to_value(&spec).unwrap();
        text["spec"]["instruments"][0]["rules"]["lotSize"] = json!("0.0010");
        text["spec"]["strategy"]["grid"]["gridSizePercent"] = json!("2.00");
        let other: StrategySpec = serde_json::from_value(text).unwrap();
        assert_eq!(parameters(&other), expected, "the same, written otherwise");
    }
}
