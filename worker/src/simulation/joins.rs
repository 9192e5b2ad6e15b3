//! Strategies that look back on bars and join a replay under way: the real roles on the bus in memory, where the bars that one
//! sees at its first decision are held against those of who takes all ticks of the file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Body, Fields, Keys, MemoryBus, MessageBus, Owner, Scope, StateStore, StreamId, StreamKey};
use crds::record::{PHASE, POSITION};
use engine::Event;
use engine::market::{Bar, BarSeries, History, Interval, LookBack};
use engine::messages::Tick;
use engine::strategies::Registry;
use engine::testkit::crossing::CROSSING;
use engine::testkit::quoting::Market;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::commands::backtest;
use crate::fleet::Fleet;
use crate::fleet::provision::{Place, Places, Provisioner, identity};
use crate::process::admin::Health;
use crate::process::shutdown::Shutdown;
use crate::roles::saved;
use crate::roles::source::{BARS, LIST_MAX, NEEDS};
use crate::roles::{Identity, Runtime, Stop, feed, gateway, strategy};

const SYMBOL: &str = "BNB/USDT";
const DEADLINE: Duration = Duration::from_mins(1);

/// Crossings on one account, by their names and how many bars each looks back on; and a grid that needs none.
fn manifest(crossings: &[(&str, usize)], repeats: bool) -> String {
    let strategy = |name: &str, strategy: &str| {
        format!(
            "---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {{name: {name}}}
spec:
  accountRef: {{name: paper}}
  instruments: [{{symbol: {SYMBOL}, rules: {{tickSize: \"0.01\", lotSize: \"0.001\", minNotional: \"5\"}}}}]
  capital: {{USDT: 300, BNB: 1}}
  strategy: {strategy}
"
        )
    };
    let mut text = format!(
        "apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {{name: paper}}
spec:
  venue: {{paper: {{balances: {{USDT: 20000, BNB: 40}}}}}}
  marketData: {{replay: {{file: data.csv, speed: 1000000, repeat: {repeats}}}}}
"
    );
    for (name, bars) in crossings {
        text.push_str(&strategy(name, &format!("{{custom: {{name: crossing, parameters: {{bars: {bars}}}}}}}")));
    }
    text.push_str(&strategy("grid", "{grid: {gridSizePercent: \"1\", orderPercent: 5}}"));
    text
}

fn registry() -> Registry {
    let mut registry = Registry::standard();
    registry.register(CROSSING);
    registry
}

/// A role at work; dropped, it has crashed.
struct Role {
    work: JoinHandle<Result<(), Stop>>,
    /// Without it the role would take itself for asked to stop.
    _alive: watch::Sender<bool>,
}

impl Drop for Role {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// One account whose roles are started and killed one by one.
struct Stage {
    folder: tempfile::TempDir,
    bus: MemoryBus,
    keys: Keys,
    roles: BTreeMap<String, Role>,
    places: BTreeMap<String, Places>,
    ticks: Vec<Tick>,
}

impl Stage {
    fn new(crossings: &[(&str, usize)], ticks: u64, repeats: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("data.csv"), Market::of(7, ticks).csv()).unwrap();
        std::fs::write(folder.path().join("manifest.yaml"), manifest(crossings, repeats)).unwrap();
        let file = [folder.path().join("data.csv")];
        let summary = venue::replay::Replay::scan(&file, &SYMBOL.parse().unwrap()).unwrap();
        let ticks = venue::replay::Replay::open(summary).map(Result::unwrap).collect();
        let (roles, places) = (BTreeMap::new(), BTreeMap::new());
        Self { folder, bus: MemoryBus::new(), keys: Keys::new("glm").unwrap(), roles, places, ticks }
    }

    /// One on which the first strategy, "early", trades already.
    async fn trading(crossings: &[(&str, usize)], ticks: u64, repeats: bool) -> Self {
        let mut stage = Self::new(crossings, ticks, repeats);
        stage.place("early").await;
        for role in ["gateway", "feed", "early"] {
            stage.start(role);
        }
        stage
    }

    fn runtime(&self, identity: Identity) -> (Runtime<MemoryBus>, watch::Sender<bool>) {
        let (stop, shutdown) = Shutdown::channel();
        (Runtime { bus: self.bus.clone(), identity, health: Health::new("test"), shutdown }, stop)
    }

    /// Makes the records of the account and of one strategy more.
    async fn place(&mut self, name: &str) {
        let manifest: PathBuf = self.folder.path().join("manifest.yaml");
        let mut fleet = Fleet::from_files(&[manifest]).unwrap();
        let group = &mut fleet.accounts[0];
        group.feed.as_mut().unwrap().speed = None;
        let nobody = Identity { keys: self.keys.clone(), namespace: String::new(), ledger: String::new(), epoch: 0 };
        let (runtime, _stop) = self.runtime(nobody);
        let provisioner = Provisioner { runtime, uid: "test", new_ledger: false, only: Some(name.to_owned()) };
        let places = provisioner.provision(group).await.unwrap();
        self.places.insert(name.to_owned(), places);
    }

    fn role<S>(&self, place: &Place<S>) -> (Runtime<MemoryBus>, watch::Sender<bool>) {
        self.runtime(identity(&self.keys, "default", place))
    }

    fn start(&mut self, name: &str) {
        let places = self.places.get(name).or_else(|| self.places.values().next()).unwrap();
        let (work, alive) = match name {
            "feed" => {
                let place = places.feed.as_ref().unwrap();
                let (runtime, alive) = self.role(place);
                (tokio::spawn(feed::replay::run(runtime, place.spec.clone())), alive)
            }
            "gateway" => {
                let (runtime, alive) = self.role(&places.gateway);
                (tokio::spawn(gateway::run(runtime, places.gateway.spec.clone())), alive)
            }
            _ => {
                let (runtime, alive) = self.role(&places.strategies[0]);
                (tokio::spawn(strategy::run(runtime, places.strategies[0].spec.clone(), registry())), alive)
            }
        };
        self.roles.insert(name.to_owned(), Role { work, _alive: alive });
    }

    async fn add(&mut self, name: &str) {
        self.place(name).await;
        self.start(name);
    }

    /// It crashes, at whichever await it is.
    async fn kill(&mut self, name: &str) {
        let role = self.roles.remove(name).unwrap();
        role.work.abort();
        while !role.work.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    fn owner(&self, name: &str) -> Owner {
        let account = Scope::account("default", "paper").unwrap();
        match name {
            "feed" => self.keys.feed(&Self::source()),
            _ => self.keys.strategy(&account, name),
        }
    }

    fn source() -> Scope {
        Scope::source("default", "replay-paper").unwrap()
    }

    fn list(&self, interval: Interval) -> StreamKey {
        self.keys.bars(&Self::source(), SYMBOL, interval.as_str())
    }

    async fn field(&self, name: &str, field: &str) -> Option<Value> {
        let record = self.bus.record(&self.owner(name)).await.unwrap()?;
        serde_json::from_str(record.fields.get(field)?).ok()
    }

    /// Somebody else changes a field of a record.
    async fn set(&self, name: &str, field: &str, value: Option<&str>) {
        let owner = self.owner(name);
        let mut record = self.bus.record(&owner).await.unwrap().unwrap();
        let fields = Arc::make_mut(&mut record.fields);
        match value {
            Some(value) => drop(fields.insert(field.to_owned(), value.into())),
            None => drop(fields.remove(field)),
        }
        self.bus.put_record(&owner, record);
    }

    /// Waits until a field of a record is so.
    async fn until(&self, name: &str, field: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            if let Some(value) = self.field(name, field).await.filter(&is_so) {
                return value;
            }
            if let Some((role, _)) = self.roles.iter().find(|(_, role)| role.work.is_finished()) {
                panic!("{role} has ended");
            }
            if started.elapsed() > DEADLINE {
                let (found, phase) = (self.field(name, field).await, self.field(name, PHASE).await);
                panic!("{field} of {name} is {found:?}, and it {phase:?}");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn until_taken(&self, name: &str, ticks: u64) {
        self.until(name, POSITION, |position| position.as_u64() >= Some(ticks)).await;
    }

    /// It stands somewhere in the ticks.
    async fn until_joined(&self, name: &str) {
        let started = Instant::now();
        let ticks = self.keys.market_tick(&Self::source(), SYMBOL);
        while !self.bus.record(&self.owner(name)).await.unwrap().unwrap().cursors.contains_key(&ticks) {
            assert!(started.elapsed() < DEADLINE, "{name} {:?}", self.field(name, PHASE).await);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn until_end(&self, name: &str) {
        self.until(name, PHASE, |phase| phase["reason"] == "MarketDataEnded").await;
    }

    /// What the bars of one series are once the tick with this number in the source was taken, of who took all.
    fn expected(&self, interval: Interval, look_back: usize, tick: u64) -> Vec<Bar> {
        let mut series = BarSeries::new(interval, LookBack::new(look_back).unwrap());
        let span = self.ticks[self.ticks.len() - 1].event_time().millis_since(self.ticks[0].event_time()) + 1;
        for round in 0.. {
            for (place, one) in self.ticks.iter().enumerate() {
                let number = round * self.ticks.len() as u64 + place as u64;
                let mut one = one.clone();
                let shift = span * i64::try_from(round).unwrap();
                one.time = one.time.map(|time| time.plus_millis(shift));
                one.received = one.received.plus_millis(shift);
                series.take(&one);
                if number == tick {
                    return series.bars().to_vec();
                }
            }
        }
        Vec::new()
    }

    /// What a strategy saw when it first decided is what who took all ticks had, and it decided on the first tick that it
    /// took; gives that tick.
    async fn saw_what_the_file_has(&self, name: &str, look_back: usize) -> u64 {
        let first = self.until(name, "strategy", |memory| memory["first"].is_object()).await["first"].clone();
        let tick = first["tick"].as_u64().unwrap();
        for (member, interval, look_back) in
            [("minutes", Interval::OneMinute, look_back), ("longer", Interval::FiveMinutes, 2)]
        {
            let seen: Vec<Bar> = serde_json::from_value(first[member].clone()).unwrap();
            assert_eq!(seen, self.expected(interval, look_back, tick), "{member} of {name} at tick {tick}");
            assert_eq!(seen.len(), look_back);
        }
        tick
    }
}

/// The whole state of a strategy at the end is that of who was given the bars of all ticks before its first one, and took the
/// ticks from there on.
async fn has_the_state_of_who_saw_all(stage: &Stage, name: &str, first: u64) {
    let place = &stage.places[name].strategies[0];
    let (before, after) = stage.ticks.split_at(usize::try_from(first).unwrap());
    let engine = |saved: Option<&Fields>| saved::engine(&place.spec, &place.ledger, saved, &registry()).unwrap();
    let new = engine(None);
    let history = new.needed_bars().map(|(of, look_back)| {
        let mut series = BarSeries::new(of.interval, look_back);
        for tick in before {
            series.take(tick);
        }
        let history = History { bars: series.bars().to_vec(), unfinished: series.unfinished().clone(), partial: None };
        Event::History { of, history }
    });
    let history = history.collect();
    let expected = backtest::replayed_behind(history, (&place.spec, &place.ledger, &registry()), after);
    let record = stage.bus.record(&stage.owner(name)).await.unwrap().unwrap();
    assert_eq!(engine(Some(&record.fields)).saved().unwrap(), expected.state, "{name} from tick {first} on");
    assert!(expected.trades.len() >= 5, "{name} has {} trades", expected.trades.len());
}

#[tokio::test]
async fn who_joins_later_decides_on_its_first_tick_with_the_bars_of_who_saw_all() {
    let mut stage = Stage::trading(&[("early", 6), ("late", 30), ("last", 8)], 6_000, false).await;
    stage.until_taken("early", 2_000).await;
    stage.kill("early").await;
    // It looks back further than what the feed has kept so far, and the feed waits for the other meanwhile.
    stage.add("late").await;
    stage.until_joined("late").await;
    stage.start("early");
    let joined = stage.saw_what_the_file_has("late", 30).await;
    stage.until_taken("early", 4_000).await;
    stage.kill("early").await;
    stage.add("last").await;
    stage.until_joined("last").await;
    stage.start("early");
    let last_joined = stage.saw_what_the_file_has("last", 8).await;
    assert!((2_000..4_000).contains(&joined) && last_joined >= 4_000, "{joined} {last_joined}");
    for (name, from) in [("early", None), ("late", Some(joined)), ("last", Some(last_joined))] {
        stage.until_end(name).await;
        let taken = stage.field(name, "engine").await.unwrap()["ticks"].as_u64().unwrap();
        let told = stage.field(name, "strategy").await.unwrap()["counts"]["ticks"].as_u64().unwrap();
        match from {
            // None was taken while bars were missing.
            Some(from) => {
                assert_eq!((taken, told), (6_000 - from, 6_000 - from), "{name}");
                has_the_state_of_who_saw_all(&stage, name, from).await;
            }
            None => assert!(taken == 6_000 && told < taken, "{name}"),
        }
    }
    // The lists hold the bars of the file, the newest last.
    for (interval, look_back) in [(Interval::OneMinute, 30), (Interval::FiveMinutes, 2)] {
        let entries = stage.bus.range(&stage.list(interval), StreamId::ZERO, StreamId::MAX, LIST_MAX).await.unwrap();
        let bars: Vec<Bar> = entries.iter().map(|entry| entry.decode().unwrap()).collect();
        assert_eq!(bars, stage.expected(interval, look_back, 5_999), "{interval}");
    }
    assert_eq!(stage.field("early", NEEDS).await.unwrap().as_array().unwrap().len(), 2);
    // Who needs none says nothing.
    stage.add("grid").await;
    stage.until_end("grid").await;
    assert_eq!(stage.field("grid", NEEDS).await, None);
}

/// Killed again and again, feed and joiner alike, at whatever they do.
#[tokio::test]
async fn kills_while_one_joins_change_no_bar() {
    const TICKS: u64 = 8_000;
    let mut joined = Vec::new();
    for round in 0..4_u32 {
        let mut stage = Stage::trading(&[("early", 6), ("late", 12)], TICKS, false).await;
        stage.until_taken("early", 1_200 + 60 * u64::from(round)).await;
        // The feed waits for it, and so does not come to its end.
        stage.kill("early").await;
        stage.add("late").await;
        for kill in 0..4 {
            for _ in 0..=(round * 37 + kill * 53) % 149 {
                tokio::task::yield_now().await;
            }
            let name = ["late", "feed"][(kill % 2) as usize];
            stage.kill(name).await;
            stage.start(name);
        }
        stage.until_joined("late").await;
        stage.start("early");
        joined.push(stage.saw_what_the_file_has("late", 12).await);
        stage.until_end("early").await;
        stage.until_end("late").await;
        let kept = stage.field("feed", BARS).await.unwrap();
        assert_eq!(kept[0]["count"], 12, "{kept}");
        let list = stage.bus.range(&stage.list(Interval::OneMinute), StreamId::ZERO, StreamId::MAX, LIST_MAX).await;
        let bars: Vec<Bar> = list.unwrap().iter().map(|entry| entry.decode().unwrap()).collect();
        assert_eq!(bars, stage.expected(Interval::OneMinute, 12, TICKS - 1));
    }
    assert!(joined.iter().all(|tick| *tick > 1_000), "{joined:?}");
}

#[tokio::test]
async fn who_joins_a_replay_that_repeats_has_the_bars_of_the_rounds_before() {
    let mut stage = Stage::trading(&[("early", 6), ("late", 40)], 700, true).await;
    stage.until_taken("early", 3_000).await;
    stage.add("late").await;
    assert!(stage.saw_what_the_file_has("late", 40).await >= 3_000);
}

/// A list that somebody else has changed is never traded on: a joiner waits and says why, and the feed makes it anew when it
/// starts.
#[tokio::test]
async fn a_list_that_does_not_read_is_waited_for_and_made_anew() {
    let mut stage = Stage::trading(&[("early", 6), ("late", 6)], 4_000, false).await;
    stage.until_taken("early", 1_500).await;
    stage.kill("early").await;
    let list = stage.list(Interval::OneMinute);
    stage.bus.append_body(&list, Body::Document { version: 1, data: "{\"openTime\":".into() });
    stage.add("late").await;
    let phase = stage
        .until("late", PHASE, |phase| {
            phase["message"].as_str().is_some_and(|message| message.contains("does not read"))
        })
        .await;
    assert_eq!((&phase["state"], &phase["reason"]), (&"Running".into(), &"WarmingUp".into()));
    let message = phase["message"].as_str().unwrap();
    assert!(message.contains(list.as_str()) && message.contains("restart the feed"), "{message}");
    assert_eq!(stage.field("late", POSITION).await, None, "it has taken no tick");
    stage.kill("feed").await;
    stage.start("feed");
    stage.until_joined("late").await;
    stage.start("early");
    stage.saw_what_the_file_has("late", 6).await;
    stage.until_end("early").await;
    stage.until_end("late").await;
}

/// What the records say of bars and does not read is told with what to do, and nothing is traded on it.
#[tokio::test]
async fn a_field_that_does_not_read_is_told_by_the_feed_and_by_who_joins() {
    let mut stage = Stage::trading(&[("early", 6), ("late", 6)], 4_000, false).await;
    stage.until_taken("early", 1_500).await;
    stage.kill("early").await;
    stage.kill("feed").await;
    stage.set("feed", BARS, Some("[7]")).await;
    stage.add("late").await;
    let says =
        |phase: &Value| phase["message"].as_str().is_some_and(|message| message.contains("its field bars is \"[7]\""));
    let phase = stage.until("late", PHASE, says).await;
    assert!(phase["message"].as_str().unwrap().contains("HDEL") && phase["reason"] == "WarmingUp", "{phase}");
    stage.start("feed");
    let Some(feed) = stage.roles.get_mut("feed") else { panic!("it was started") };
    let ended = (&mut feed.work).await.unwrap().unwrap_err().to_string();
    assert!(ended.starts_with("the record of feed does not read: its field bars is"), "{ended}");
    stage.set("feed", BARS, None).await;
    // That of another reader holds nobody up.
    stage.set("early", NEEDS, Some("{")).await;
    stage.start("feed");
    stage.until_joined("late").await;
    stage.start("early");
    stage.saw_what_the_file_has("late", 6).await;
    stage.until_end("late").await;
    assert!(stage.field("early", NEEDS).await.is_some_and(|needs| needs.is_array()), "its worker has written it anew");
}

#[tokio::test]
async fn who_joins_after_the_end_takes_the_last_tick_alone() {
    let mut stage = Stage::trading(&[("early", 6), ("late", 6)], 1_500, false).await;
    stage.until_end("early").await;
    stage.add("late").await;
    stage.until_end("late").await;
    assert_eq!(stage.field("late", "engine").await.unwrap()["ticks"], 1);
}
