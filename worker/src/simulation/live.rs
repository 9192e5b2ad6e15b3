//! Strategies on live prices: the real roles on the bus in memory, with the other end of the source in the test's hand.

mod holes;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::{Keys, MemoryBus, MessageBus, Owner, Scope, StateStore, StreamId, Topic};
use crds::record::PHASE;
use crds::roles::LiveSpec;
use engine::messages::{Fill, Tick};
use engine::strategies::Registry;
use engine::time::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use venue::live::{Link, LiveSource, LiveTrade, MarketRules, MarketState, MarketSteps, News, live};
use venue::replay::Replay;

use crate::fleet::provision::{LivePlace, Place, Places, Provisioner, identity};
use crate::fleet::{Fleet, LiveGroup};
use crate::process::admin::Health;
use crate::process::shutdown::Shutdown;
use crate::roles::feed::live::tests::until;
use crate::roles::{Identity, Runtime, Stop, feed, gateway, strategy};

const SYMBOL: &str = "BTC/USDT";
const DEADLINE: Duration = Duration::from_mins(1);

/// A grid without rules of its own, on an account with latency.
const MANIFEST: &str = "apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {name: paper}
spec:
  venue: {paper: {balances: {USDT: 10000, BTC: 1}, latencyMs: LATENCY}}
  marketData: {binance: {market: Spot}}
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: grid}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BTC/USDT}]
  capital: {USDT: 3000, BTC: \"0.05\"}
  strategy: {grid: {gridSizePercent: \"1\", orderPercent: 10, minTradeIntervalSeconds: 0}}
";

/// An account whose roles run.
struct Stage {
    bus: MemoryBus,
    keys: Keys,
    source: LiveSource,
    roles: JoinSet<Result<(), Stop>>,
    _stop: watch::Sender<bool>,
    next: u64,
}

impl Stage {
    async fn new(latency: &str) -> Self {
        Self::of(&MANIFEST.replace("LATENCY", latency), Registry::standard()).await
    }

    async fn of(manifest: &str, registry: Registry) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("manifest.yaml");
        std::fs::write(&file, manifest).unwrap();
        let fleet = Fleet::from_files(&[file]).unwrap();
        let groups: Vec<LiveGroup> = fleet.live(|_| panic!("it names no endpoint")).unwrap();
        let (bus, keys) = (MemoryBus::new(), Keys::new("glm").unwrap());
        let (stop, shutdown) = Shutdown::channel();
        let nobody = Identity { keys: keys.clone(), namespace: String::new(), ledger: String::new(), epoch: 0 };
        let of =
            |identity| Runtime { bus: bus.clone(), identity, health: Health::new("test"), shutdown: shutdown.clone() };
        let provisioner = Provisioner { runtime: of(nobody), uid: "test", new_ledger: false, only: None };
        let LivePlace { feed: place, .. } = provisioner.provision_live(&groups[0]).await.unwrap();
        let places: Places = provisioner.provision(&fleet.accounts[0]).await.unwrap();
        let opened = Arc::new(Mutex::new(None));
        let mut roles = JoinSet::new();
        let slot = Arc::clone(&opened);
        let open = move |_: &LiveSpec| {
            let (user, source) = live();
            *slot.lock().unwrap() = Some(source);
            Ok(user)
        };
        roles.spawn(feed::live::run(of(id(&keys, &place)), place.spec.clone(), open));
        roles.spawn(gateway::run(of(id(&keys, &places.gateway)), places.gateway.spec.clone()));
        let strategy = &places.strategies[0];
        roles.spawn(strategy::run(of(id(&keys, strategy)), strategy.spec.clone(), registry));
        let source = until("a source", DEADLINE, async || opened.lock().unwrap().take()).await;
        Self { bus, keys, source, roles, _stop: stop, next: 1 }
    }

    fn owner(&self) -> Owner {
        self.keys.strategy(&Scope::account("default", "paper").unwrap(), "grid")
    }

    fn say(&self, news: News) {
        self.source.news.try_send(news).unwrap();
    }

    /// The venue is there, and tells its rules.
    fn open(&self) {
        self.rules("0.01");
        self.say(News::Link(Link::Up));
        self.say(News::Alive { at: Timestamp::default() });
    }

    fn rules(&self, tick_size: &str) {
        let steps = MarketSteps {
            tick_size: tick_size.parse().unwrap(),
            lot_size: "0.00001".parse().unwrap(),
            min_notional: "5".parse().unwrap(),
            base: "BTC".parse().unwrap(),
            quote: "USDT".parse().unwrap(),
        };
        let rules = MarketRules { state: MarketState::Trading, steps: Some(steps), suggestion: None };
        self.say(News::Rules([(SYMBOL.parse().unwrap(), rules)].into()));
    }

    /// A trade at this price, so many milliseconds ago.
    async fn trade(&mut self, price: u64, ago: i64) {
        let now = i64::try_from(self.bus.now_ms().await.unwrap()).unwrap();
        let time = Timestamp::from_millis(now - ago);
        let quote = |price: u64| Some(price.to_string().parse().unwrap());
        self.say(News::Trade(LiveTrade {
            symbol: SYMBOL.parse().unwrap(),
            id: self.next,
            price: price.to_string().parse().unwrap(),
            volume: "1".parse().unwrap(),
            bid: quote(price),
            ask: quote(price + 1),
            bid_size: "50".parse().unwrap(),
            ask_size: "50".parse().unwrap(),
            time,
            received: time,
        }));
        self.next += 1;
    }

    async fn field(&self, name: &str) -> Option<Value> {
        let record = self.bus.record(&self.owner()).await.unwrap()?;
        serde_json::from_str(record.fields.get(name)?).ok()
    }

    /// Waits until the strategy has taken the tick of this sequence.
    async fn taken(&self, sequence: u64) {
        until("that tick taken", DEADLINE, async || {
            self.field("position").await.filter(|at| at.as_u64() >= Some(sequence))
        })
        .await;
    }

    async fn reason(&self, reason: &str) {
        until(reason, DEADLINE, async || self.field(PHASE).await.filter(|phase| phase["reason"] == reason)).await;
    }

    async fn fills(&self) -> Vec<Fill> {
        let stream = self.keys.topic(&Scope::account("default", "paper").unwrap(), Topic::OrderFill);
        let found = self.bus.range(&stream, StreamId::ZERO, StreamId::MAX, 1_000).await.unwrap();
        found.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    fn is_well(&mut self) {
        assert!(self.roles.try_join_next().is_none(), "a role has ended");
    }
}

fn id<S>(keys: &Keys, place: &Place<S>) -> Identity {
    identity(keys, "default", place)
}

/// Up above the band and down from its high: the grid sells.
const RISE_AND_FALL: [u64; 4] = [60_000, 60_700, 61_000, 60_800];

#[tokio::test]
async fn a_grid_trades_on_live_prices_by_the_rules_of_the_venue_with_latency_and_without() {
    for latency in ["0", "50"] {
        let mut stage = Stage::new(latency).await;
        stage.open();
        stage.reason("WaitingForMarketData").await;
        for price in RISE_AND_FALL {
            stage.trade(price, 0).await;
        }
        // With latency the order meets the first trade that is late enough.
        let started = Instant::now();
        while stage.fills().await.is_empty() {
            assert!(started.elapsed() < DEADLINE, "no fill, {:?}", stage.field("report").await);
            stage.is_well();
            stage.trade(60_800, 0).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let fill = stage.fills().await.remove(0);
        assert_eq!((fill.symbol.as_str(), fill.price.to_string().as_str()), (SYMBOL, "60800.00"), "latency {latency}");
        stage.reason("Trading").await;
    }
}

/// Nothing is traded before the first tick, and where only the quotes are missing, that is said.
#[tokio::test]
async fn before_the_first_tick_a_strategy_waits_and_says_for_what() {
    let mut stage = Stage::new("0").await;
    stage.open();
    stage.reason("WaitingForMarketData").await;
    let message = async || stage.field(PHASE).await.unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(message().await, "No tick of BTC/USDT has arrived yet");
    stage.say(News::Unquoted(SYMBOL.parse().unwrap()));
    until("why", DEADLINE, async || message().await.contains("without a quote").then_some(())).await;
    stage.trade(60_000, 0).await;
    stage.reason("Trading").await;
    let feed = stage.keys.feed(&Scope::source("default", "binance-spot").unwrap());
    let record = stage.bus.record(&feed).await.unwrap().unwrap();
    assert!(!record.fields.contains_key(crds::source::UNQUOTED), "it is quoted now");
    stage.is_well();
}

#[tokio::test]
async fn an_old_price_is_tracked_and_never_traded_on() {
    let mut stage = Stage::new("0").await;
    stage.open();
    stage.reason("WaitingForMarketData").await;
    for price in RISE_AND_FALL {
        stage.trade(price, 60_000).await;
    }
    stage.taken(3).await;
    let report = until("a denial", DEADLINE, async || {
        stage.field("report").await.filter(|report| report["orders"]["denied"] != 0)
    })
    .await;
    assert_eq!(report["orders"]["deniedReasons"]["StaleTick"], 1);
    assert!(stage.fills().await.is_empty());
    // The high counts: the first fresh tick below it triggers.
    stage.trade(60_800, 0).await;
    until("a fill", DEADLINE, async || (!stage.fills().await.is_empty()).then_some(())).await;
    stage.is_well();
}

#[tokio::test]
async fn without_a_way_to_the_venue_a_strategy_says_so_and_trades_again_with_it() {
    let mut stage = Stage::new("0").await;
    stage.open();
    stage.reason("WaitingForMarketData").await;
    stage.trade(60_000, 0).await;
    stage.reason("Trading").await;
    stage.say(News::Link(Link::Down(venue::live::LinkFault::Region("not served here; use another region".to_owned()))));
    stage.reason("FeedRegion").await;
    stage.say(News::Link(Link::Up));
    stage.say(News::Alive { at: Timestamp::default() });
    stage.reason("Trading").await;
    stage.is_well();
}

#[tokio::test]
async fn rules_of_the_venue_that_change_are_followed() {
    let mut stage = Stage::new("0").await;
    stage.open();
    stage.reason("WaitingForMarketData").await;
    let version = async || stage.bus.record(&stage.owner()).await.unwrap().map(|record| record.commit_id.clone());
    let before = version().await;
    // An engine is made anew, by a process that counts itself: its commits say so.
    let life = |id: &Option<String>| id.as_ref().and_then(|id| id.split('.').nth(1).map(str::to_owned));
    stage.rules("0.5");
    until("another life", DEADLINE, async || (life(&version().await) != life(&before)).then_some(())).await;
    for price in RISE_AND_FALL {
        stage.trade(price, 0).await;
    }
    until("a fill", DEADLINE, async || (!stage.fills().await.is_empty()).then_some(())).await;
    let price = stage.fills().await[0].price.to_string();
    assert_eq!(price, "60800.0", "in the new step");
    stage.is_well();
}

/// Live makes the ticks of a recording: the same trades out of the source are the ticks of `backtest`, apart from when they
/// were received.
#[tokio::test]
async fn the_trades_of_a_recording_become_the_ticks_of_its_replay() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/binance-spot-btcusdt-20240808.gz");
    let summary = Replay::scan(&[file], &SYMBOL.parse().unwrap()).unwrap();
    let ticks: Vec<Tick> = Replay::open(summary).map(Result::unwrap).take(3_000).collect();
    let stage = Stage::new("0").await;
    stage.open();
    let empty = || "0".parse().unwrap();
    for (tick, id) in ticks.iter().zip(77..) {
        stage.say(News::Trade(LiveTrade {
            symbol: tick.symbol.clone(),
            id,
            price: tick.price,
            volume: tick.volume,
            bid: tick.bid,
            ask: tick.ask,
            bid_size: tick.bid_size.unwrap_or_else(empty),
            ask_size: tick.ask_size.unwrap_or_else(empty),
            time: tick.event_time(),
            received: Timestamp::from_millis(1),
        }));
    }
    let stream = stage.keys.market_tick(&Scope::source("default", "binance-spot").unwrap(), SYMBOL);
    let out = until("all ticks", DEADLINE, async || {
        let found = stage.bus.range(&stream, StreamId::ZERO, StreamId::MAX, ticks.len()).await.unwrap();
        (found.len() == ticks.len()).then_some(found)
    })
    .await;
    for (found, expected) in out.iter().zip(&ticks) {
        let found: Tick = found.decode().unwrap();
        assert_eq!(found, Tick { received: Timestamp::from_millis(1), ..expected.clone() });
    }
}
