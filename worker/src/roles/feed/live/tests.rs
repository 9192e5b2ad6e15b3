//! A live feed on the memory bus, with the other end of its source in the test's hand.

mod filled;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::{
    AcquireOutcome, Commit, CreateOutcome, Desired, Fields, Keys, MemoryBus, MessageBus as _, Owner, Scope,
    StateStore as _, StreamId, StreamKey,
};
use crds::roles::{FeedDesired, LiveSpec};
use engine::market::{Bar, Interval};
use engine::messages::Tick;
use engine::numbers::Volume;
use engine::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use venue::live::{
    CandlesWanted, Hole, HoleCause, LastTrade, Link, LinkFault, LiveSource, LiveTrade, News, Traffic, Wish, live,
};

use super::numbers::Gap;
use crate::process::admin::Health;
use crate::process::shutdown::Shutdown;
use crate::roles::source::NEEDS;
use crate::roles::{Identity, Runtime, Stop};

const BTC: &str = "BTC/USDT";
const ETH: &str = "ETH/USDT";
const DEADLINE: Duration = Duration::from_secs(30);

/// A trade each second, at a price that tells its number.
pub(crate) fn trade(symbol: &str, id: u64) -> LiveTrade {
    let time = Timestamp::from_millis(1_700_000_000_000 + 1_000 * i64::try_from(id).unwrap());
    LiveTrade {
        symbol: symbol.parse().unwrap(),
        id,
        price: (600 + id % 7).to_string().parse().unwrap(),
        volume: "0.5".parse().unwrap(),
        bid: Some("599".parse().unwrap()),
        ask: Some("607".parse().unwrap()),
        bid_size: "2".parse().unwrap(),
        ask_size: "3".parse().unwrap(),
        time,
        received: time.plus_millis(40),
    }
}

/// A role at work, and what asks it to stop.
type Role = (JoinHandle<Result<(), Stop>>, watch::Sender<bool>);

/// A feed that is started and stopped.
struct Stage {
    bus: MemoryBus,
    keys: Keys,
    source: Scope,
    ledger: String,
    since_boot: fn() -> Duration,
    sources: Arc<Mutex<Vec<LiveSource>>>,
    health: Health,
    role: Option<Role>,
}

impl Stage {
    async fn new(symbols: &[&str], since_boot: fn() -> Duration) -> Self {
        let keys = Keys::new("glm").unwrap();
        let source = Scope::source("n", "binance-spot").unwrap();
        let bus = MemoryBus::new();
        let CreateOutcome::Created { ledger } = bus.create(&keys.feed(&source), "t", &Fields::new()).await.unwrap()
        else {
            panic!("the bus is new");
        };
        let (sources, health) = (Arc::default(), Health::new("feed"));
        let stage = Self { bus, keys, source, ledger, since_boot, sources, health, role: None };
        stage.register(1, symbols).await;
        stage
    }

    fn owner(&self) -> Owner {
        self.keys.feed(&self.source)
    }

    async fn register(&self, generation: u64, symbols: &[&str]) {
        let markets: Vec<_> = symbols.iter().map(|symbol| symbol.parse().unwrap()).collect();
        let desired = FeedDesired::of(&markets, [("paper/reader".to_owned(), markets.clone())]);
        let value = serde_json::to_string(&desired).unwrap().as_str().into();
        self.bus.set_desired(&self.owner(), &Desired { generation, token: 1, value }).await.unwrap();
    }

    fn start(&mut self, epoch: u64) {
        let (stop, shutdown) = Shutdown::channel();
        let identity =
            Identity { keys: self.keys.clone(), namespace: "n".to_owned(), ledger: self.ledger.clone(), epoch };
        let runtime = Runtime { bus: self.bus.clone(), identity, health: self.health.clone(), shutdown };
        let spec: LiveSpec =
            serde_json::from_value(json!({"source": "binance-spot", "binance": {"market": "Spot"}})).unwrap();
        let (sources, since_boot) = (Arc::clone(&self.sources), self.since_boot);
        let open = move |_: &LiveSpec| {
            let (user, source) = live();
            sources.lock().unwrap().push(source);
            Ok(user)
        };
        self.role = Some((tokio::spawn(super::run_by(runtime, spec, open, since_boot)), stop));
    }

    async fn stop(&mut self) {
        let (role, stop) = self.role.take().unwrap();
        stop.send(true).unwrap();
        role.await.unwrap().unwrap();
    }

    /// The source that was opened last.
    async fn opened(&self) -> LiveSource {
        until("a source", DEADLINE, async || self.sources.lock().unwrap().pop()).await
    }

    async fn field(&self, name: &str) -> Option<Value> {
        let record = self.bus.record(&self.owner()).await.unwrap()?;
        serde_json::from_str(record.fields.get(name)?).ok()
    }

    fn ticks_of(&self, symbol: &str) -> StreamKey {
        self.keys.market_tick(&self.source, symbol)
    }

    async fn all<T: engine::messages::Document>(&self, stream: &StreamKey) -> Vec<T> {
        let entries = self.bus.range(stream, StreamId::ZERO, StreamId::MAX, 20_000).await.unwrap();
        entries.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    /// The ticks of a market, once there are as many.
    async fn ticks(&self, symbol: &str, count: usize) -> Vec<Tick> {
        let stream = self.ticks_of(symbol);
        until("ticks", DEADLINE, async || Some(self.all::<Tick>(&stream).await).filter(|ticks| ticks.len() >= count))
            .await
    }

    async fn gaps(&self, count: usize) -> Vec<Gap> {
        let stream = self.keys.market_gap(&self.source);
        until("gaps", DEADLINE, async || Some(self.all::<Gap>(&stream).await).filter(|gaps| gaps.len() >= count)).await
    }
}

/// Waits until there is something.
pub(crate) async fn until<T>(what: &str, within: Duration, look: impl AsyncFn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < within, "no {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn wish(source: &mut LiveSource) -> Wish {
    tokio::time::timeout(DEADLINE, source.wishes.recv()).await.expect("a wish").expect("a user")
}

async fn followed(source: &mut LiveSource) -> Vec<(String, Option<LastTrade>)> {
    match wish(source).await {
        Wish::Follow(markets) => markets.into_iter().map(|(symbol, last)| (symbol.to_string(), last)).collect(),
        wish @ (Wish::Candles(..) | Wish::Finish) => panic!("{wish:?}"),
    }
}

fn say(source: &LiveSource, news: impl IntoIterator<Item = News>) {
    news.into_iter().for_each(|news| source.news.try_send(news).unwrap());
}

fn trades(symbol: &str, ids: impl IntoIterator<Item = u64>) -> impl Iterator<Item = News> {
    ids.into_iter().map(move |id| News::Trade(trade(symbol, id)))
}

fn sequences(ticks: &[Tick]) -> Vec<(u64, u64)> {
    ticks.iter().map(|tick| (tick.source_sequence, tick.sequence)).collect()
}

#[tokio::test]
async fn ticks_and_holes_go_out_and_a_successor_names_what_was_missed() {
    let mut stage = Stage::new(&[BTC], bus::since_boot).await;
    stage.start(1);
    let mut source = stage.opened().await;
    assert_eq!(followed(&mut source).await, [(BTC.to_owned(), None)]);
    say(&source, [News::Link(Link::Up), News::Alive { at: Timestamp::default() }]);
    say(&source, trades(BTC, [10, 11]));
    let hole = Hole {
        symbol: BTC.parse().unwrap(),
        cause: HoleCause::Disconnect,
        from: trade(BTC, 11).time,
        to: trade(BTC, 14).time,
        missed: 2,
    };
    say(&source, [News::Hole(hole)]);
    say(&source, trades(BTC, [14]));
    let ticks = stage.ticks(BTC, 3).await;
    assert_eq!(sequences(&ticks), [(0, 0), (1, 1), (2, 4)]);
    assert_eq!(ticks[2].time, Some(trade(BTC, 14).time));
    let gap = stage.gaps(1).await.remove(0);
    assert_eq!((gap.cause.as_str(), gap.missed, gap.filled), ("Disconnect", 2, false));
    assert_eq!((gap.from, gap.to), (trade(BTC, 11).time, trade(BTC, 14).time));
    assert_eq!(stage.field("link").await.unwrap()["reason"], "");
    let alive = stage.field("alive").await.unwrap().as_i64().unwrap();
    assert!(alive.abs_diff(i64::try_from(stage.bus.now_ms().await.unwrap()).unwrap()) < 60_000, "by the store's clock");
    // Another market joins: the union is followed.
    stage.register(2, &[BTC, ETH]).await;
    let last = LastTrade { id: 14, time: trade(BTC, 14).time };
    assert_eq!(followed(&mut source).await, [(BTC.to_owned(), Some(last)), (ETH.to_owned(), None)]);
    say(&source, trades(ETH, [5]));
    assert_eq!(sequences(&stage.ticks(ETH, 1).await), [(3, 0)]);
    stage.stop().await;
    stage.start(2);
    let mut source = stage.opened().await;
    let known = LastTrade { id: 5, time: trade(ETH, 5).time };
    assert_eq!(followed(&mut source).await, [(BTC.to_owned(), Some(last)), (ETH.to_owned(), Some(known))]);
    say(&source, trades(BTC, [20]).chain(trades(ETH, [6])));
    assert_eq!(sequences(&stage.ticks(BTC, 4).await)[3], (4, 10));
    assert_eq!(sequences(&stage.ticks(ETH, 2).await)[1], (5, 1));
    let gaps = stage.gaps(2).await;
    assert_eq!((gaps.len(), gaps[1].cause.as_str(), gaps[1].missed), (2, "Restart", 5));
}

#[tokio::test]
async fn what_passes_is_metered_over_a_restart() {
    let mut stage = Stage::new(&[BTC], bus::since_boot).await;
    let shows = async |stage: &Stage, line: &'static str| {
        until(line, DEADLINE, async || stage.health.metrics().contains(line).then_some(())).await;
    };
    for (epoch, expected) in [(1, "glm_feed_bytes_total 700\n"), (2, "glm_feed_bytes_total 1400\n")] {
        stage.start(epoch);
        let source = stage.opened().await;
        say(&source, trades(BTC, [epoch]));
        source.traffic.send_replace(Traffic { bytes: 700, ..Traffic::default() });
        shows(&stage, expected).await;
        shows(&stage, "glm_tick_age_seconds{symbol=\"BTC/USDT\"}").await;
        stage.stop().await;
    }
}

#[tokio::test]
async fn why_there_is_no_way_to_the_venue_stands_in_the_record_and_it_goes_on() {
    let mut stage = Stage::new(&[BTC], bus::since_boot).await;
    stage.start(1);
    let source = stage.opened().await;
    let reason = async |expected: &'static str| {
        until(expected, DEADLINE, async || stage.field("link").await.filter(|link| link["reason"] == expected)).await
    };
    let faults = [
        (LinkFault::Unreachable("no answer of h".to_owned()), "FeedUnreachable"),
        (LinkFault::Banned { until: None, message: "until noon".to_owned() }, "FeedBanned"),
        (LinkFault::Region("not here".to_owned()), "FeedRegion"),
    ];
    for (fault, expected) in faults {
        say(&source, [News::Link(Link::Down(fault.clone()))]);
        assert_eq!(reason(expected).await["message"], fault.to_string());
    }
    say(&source, [News::Link(Link::Up)]);
    assert_eq!(reason("").await.get("message"), None);
}

#[tokio::test]
async fn what_had_piled_up_while_the_source_was_not_scheduled_is_dropped_and_named() {
    let mut stage = Stage::new(&[BTC], bus::since_boot).await;
    stage.start(1);
    let source = stage.opened().await;
    say(&source, trades(BTC, [1]));
    assert_eq!(stage.ticks(BTC, 1).await.len(), 1);
    // More than one commit takes: nothing of it goes out before the word behind it is seen.
    say(&source, trades(BTC, 2..2_000).chain([News::Suspended { millis: 9_000 }]).chain(trades(BTC, [2_003])));
    let ticks = stage.ticks(BTC, 2).await;
    assert_eq!(sequences(&ticks), [(0, 0), (1, 2_002)]);
    let gap = stage.gaps(1).await.remove(0);
    assert_eq!((gap.cause.as_str(), gap.missed), ("Suspend", 2_001));
}

/// Seconds that the clock of the next test is ahead.
static FROZEN: AtomicU64 = AtomicU64::new(0);

fn frozen() -> Duration {
    bus::since_boot() + Duration::from_secs(FROZEN.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_feed_that_was_frozen_trades_on_nothing_that_had_piled_up() {
    let mut stage = Stage::new(&[BTC], frozen).await;
    stage.start(1);
    let source = stage.opened().await;
    say(&source, trades(BTC, [1]));
    stage.ticks(BTC, 1).await;
    // About a megabyte of frames; and the whole process is stopped for a minute.
    say(&source, trades(BTC, 2..6_000));
    FROZEN.store(60, Ordering::Relaxed);
    // All of it is read, and none goes out.
    until("an empty channel", DEADLINE, async || (source.news.capacity() == source.news.max_capacity()).then_some(()))
        .await;
    say(&source, trades(BTC, [6_000]));
    let ticks = stage.ticks(BTC, 2).await;
    assert_eq!(sequences(&ticks), [(0, 0), (1, 5_999)]);
    assert_eq!(stage.gaps(1).await[0].cause, "Suspend");
}

fn bar(interval: Interval, open_time: Timestamp, ticks: u64) -> Bar {
    let price = "600".parse().unwrap();
    assert_eq!(interval.open_of(open_time), open_time);
    Bar { open_time, open: price, high: price, low: price, close: price, volume: Volume::ZERO, ticks }
}

/// The venue's candles, but for those without a trade.
async fn candles(source: &mut LiveSource) -> CandlesWanted {
    loop {
        match wish(source).await {
            Wish::Follow(_) | Wish::Finish => {}
            Wish::Candles(wanted, answer) => {
                let step = wanted.interval.millis();
                let opens = (0..).map(|n| wanted.from.plus_millis(step * n)).take_while(|open| *open < wanted.to);
                answer.send(Ok(opens.map(|open| bar(wanted.interval, open, 1_000)).collect())).unwrap();
                return wanted;
            }
        }
    }
}

/// What a reader's record says that it needs.
async fn reader_needs(stage: &Stage, needs: &str) {
    let owner = stage.keys.strategy(&Scope::account("n", "paper").unwrap(), "reader");
    let CreateOutcome::Created { ledger } = stage.bus.create(&owner, "t", &Fields::new()).await.unwrap() else {
        panic!("it is new");
    };
    record_has(stage, (&owner, &ledger), (NEEDS, needs)).await;
}

/// A record gets a field, from somebody who has it at its first epoch.
async fn record_has(stage: &Stage, (owner, ledger): (&Owner, &str), (name, text): (&str, &str)) {
    let AcquireOutcome::Acquired(acquired) = stage.bus.acquire(owner, ledger, 1).await.unwrap() else {
        panic!("nobody else has it");
    };
    let set = vec![(name.to_owned(), text.into())];
    let commit = Commit { commit_id: "1.1.0.0".to_owned(), set, ..Commit::default() };
    stage.bus.commit(&acquired.lease, &commit).await.unwrap();
}

#[tokio::test]
async fn bars_before_the_first_tick_and_those_with_a_hole_are_the_venues() {
    let mut stage = Stage::new(&[BTC], bus::since_boot).await;
    reader_needs(&stage, r#"[{"symbol":"BTC/USDT","interval":"1h","lookBack":4}]"#).await;
    stage.start(1);
    let mut source = stage.opened().await;
    say(&source, [News::Link(Link::Up)]);
    let wanted = candles(&mut source).await;
    let now = Timestamp::from_millis(i64::try_from(stage.bus.now_ms().await.unwrap()).unwrap());
    let hour = Interval::OneHour;
    assert!(wanted.interval == hour && hour.open_of(now).millis_since(wanted.to) <= hour.millis());
    let list = stage.keys.bars(&stage.source, BTC, "1h");
    let bars = async |count: usize| {
        until("bars", DEADLINE, async || Some(stage.all::<Bar>(&list).await).filter(|bars| bars.len() >= count)).await
    };
    let opens = |bars: &[Bar]| {
        bars.iter().map(|bar| (bar.open_time.millis() - wanted.to.millis()) / hour.millis()).collect::<Vec<_>>()
    };
    assert_eq!(opens(&bars(4).await), [-4, -3, -2, -1]);
    let kept = stage.field("bars").await.unwrap();
    assert_eq!((&kept[0]["count"], &kept[0]["newest"]), (&json!(4), &json!(wanted.to.millis() - hour.millis())));
    // Of the hour that is open ticks are missing. The next one is whole, and is made of ticks.
    let at = |id: u64, hours: i64| {
        let time = wanted.to.plus_millis(hours * hour.millis() + 1_000 * i64::try_from(id).unwrap());
        News::Trade(LiveTrade { time, received: time, ..trade(BTC, id) })
    };
    say(&source, [at(1, 0), at(2, 1), at(3, 1), at(4, 2)]);
    let has_made =
        async || Some(stage.all::<Bar>(&list).await).filter(|bars| bars.last().is_some_and(|bar| bar.ticks == 2));
    assert_eq!(opens(&until("a bar of ticks", DEADLINE, has_made).await), [-3, -2, -1, 1]);
    // A hole: what it touches is taken from the venue, and the list is made anew. By the store's clock those hours are still to
    // come: all that the venue tells by now are those before.
    let before = stage.bus.last_id(&list).await.unwrap().unwrap();
    say(&source, [at(9, 2)]);
    candles(&mut source).await;
    let anew = async || stage.bus.range(&list, StreamId::ZERO, before, 1).await.unwrap().is_empty().then_some(());
    until("another list", DEADLINE, anew).await;
    assert_eq!(opens(&bars(4).await), [-3, -2, -1, 1]);
    assert_eq!(stage.gaps(1).await[0].missed, 4);
}
