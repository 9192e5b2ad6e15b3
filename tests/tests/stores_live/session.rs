//! A live session as its user has it: `worker run` on Redis and `worker record` beside it, each with a connection of its own to a
//! market server that plays a real recording. The exchange's clock waits for who takes its ticks, so that a busy machine makes
//! no holes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::messages::Tick;
use market_server::control::{Aim, ClockChange, Endpoints, Fault, Kind};
use market_server::process::Server;
use tests::redis_server::RedisServer;
use tests::roles::{RoleProcess, Scene, Store, until};
use tests::worker_binary::worker_binary;
use venue::replay::Replay;

use crate::parity::{self, Causes, Gap, Results};

/// Long enough for six minutes of an exchange on a machine that does other things.
const WITHIN: Duration = Duration::from_mins(5);
/// Ticks at most that have come and are not taken yet: far fewer than Redis keeps.
const AHEAD_MAX: u64 = 1_000;
const STREAM: &str = "btcusdt@trade";
/// The exchange's number of the first trade that is played.
const FIRST_TRADE: u64 = 3_735_683_259;

/// Orders that rest, each for more than is on offer at once, and orders that do not. An age of prices is no matter here: the
/// exchange's clock is not the machine's.
pub const MANIFEST: &str = r#"apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {name: paper}
spec:
  venue:
    paper: {balances: {USDT: 12000000, BTC: 200}, fees: {makerPercent: "0.1", takerPercent: "0.1"}, latencyMs: 100}
  marketData: {binance: {market: Spot, endpoint: local}}
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: ladder}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BTC/USDT, rules: {tickSize: "0.01", lotSize: "0.00001"}}]
  capital: {USDT: 8000000, BTC: 150}
  strategy: {ladder: {lowerPrice: 61600, upperPrice: 61850, levels: 20, quantity: "0.05"}}
  risk: {maxOrdersPerMinute: 600, maxTickAgeSeconds: 3600}
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: grid}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BTC/USDT, rules: {tickSize: "0.01", lotSize: "0.00001"}}]
  capital: {USDT: 3000000, BTC: 50}
  strategy: {grid: {gridSizePercent: "0.02", quantity: "3", minTradeIntervalSeconds: 1}}
  risk: {maxOrdersPerMinute: 600, maxTickAgeSeconds: 3600}
"#;

/// A session under way.
pub struct Session {
    server: Server,
    redis: RedisServer,
    store: Store,
    source: String,
    scene: Scene,
    run: RoleProcess,
    record: RoleProcess,
    recording: PathBuf,
    ticks: Vec<Tick>,
    /// The last entry of the stream of ticks that was read.
    read: String,
    /// The connection of the session's feed.
    feed: u64,
}

/// Who is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The session and its recorder.
    Both,
    /// The session alone.
    Session,
}

/// All that a session has left.
pub struct Taped {
    /// The ticks that came, in order.
    pub ticks: Vec<Tick>,
    /// The ticks of its recording.
    pub recorded: Vec<Tick>,
    pub gaps: Vec<Gap>,
    /// What `ledger show` says of the session.
    pub live: Results,
    /// What `backtest` says of the recording.
    pub replay: Results,
    /// Fills behind which their order stayed open.
    pub partial_fills: usize,
}

/// 9,757 trades of six minutes, a burst of 900 in a second among them.
pub fn recorded_market() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/binance-spot-btcusdt-20240808.gz")
}

fn ticks_of(recording: &Path) -> Vec<Tick> {
    let summary = Replay::scan(&[recording.to_owned()], &"BTC/USDT".parse().unwrap()).unwrap();
    Replay::open(summary).map(|tick| tick.expect("a tick")).collect()
}

/// The key of a strategy's record.
pub fn record_of(strategy: &str) -> String {
    format!("glm:{{default/paper}}:state:strategy-{strategy}")
}

/// The market server, as cargo has built it beside the worker.
pub fn program() -> PathBuf {
    let program = worker_binary().with_file_name("market-server");
    assert!(program.is_file(), "{} is not there; run `cargo build -p market-server` first", program.display());
    program
}

/// The numbers of the connections that listen to the trades.
pub fn listening(server: &Server) -> Vec<u64> {
    let state = server.control.state().expect("a state");
    let listening = state.connections.iter().filter(|one| one.streams.iter().any(|stream| stream == STREAM));
    listening.map(|one| one.number).collect()
}

/// `worker run` of a scene with prices of this exchange, through this Redis; its feed listens.
pub fn run_on(server: &Server, scene: &Scene, redis: &RedisServer, within: Duration) -> RoleProcess {
    let Endpoints { rest, stream, .. } = &server.endpoints;
    let manifest = scene.manifest().display().to_string();
    let run = ["run", &manifest, "--redis", &redis.url(), "--endpoint", &format!("local={rest},{stream}")];
    let run = scene.spawn("run", &run.map(str::to_owned));
    until("the feed listens", within, || (!listening(server).is_empty()).then_some(()));
    run
}

impl Taped {
    /// Why trades of a strategy differ from those of the replay.
    pub fn causes_of_trades(&self, name: &str) -> Result<Causes, String> {
        parity::of_trades(self.live.trades(name), self.replay.trades(name), &self.gaps, &self.recorded)
    }
}

impl Session {
    /// All listen, and nothing was played yet.
    pub fn start() -> Self {
        let market = recorded_market().display().to_string();
        let server = Server::spawn(&program(), &["--recording", &market, "--speed", "10", "--paused"]).unwrap();
        let redis = RedisServer::start_with(&["--appendonly", "yes"]);
        let (scene, mut store) = (Scene::without_data(MANIFEST), Store::of(&redis));
        let Endpoints { rest, stream, .. } = &server.endpoints;
        let run = run_on(&server, &scene, &redis, WITHIN);
        for strategy in ["ladder", "grid"] {
            until("a strategy waits for its first price", WITHIN, || {
                let phase = store.field(&record_of(strategy), "field:phase")?;
                phase.contains("WaitingForMarketData").then_some(())
            });
        }
        let recording = scene.manifest().with_file_name("recorded.gz");
        let record = ["record", "recorded.gz", "--source", "binance-spot", "--symbols", "BTC/USDT", "--endpoint"];
        let mut record = record.map(str::to_owned).to_vec();
        record.push(format!("binance-spot={rest},{stream}"));
        let record = scene.spawn("record", &record);
        let [feed] = listening(&server)[..] else { panic!("one connection of the feed's") };
        until("the recorder listens", WITHIN, || (listening(&server).len() == 2).then_some(()));
        let keys = store.ask(&["KEYS", "glm:{default/binance-spot-*}:state:feed"]);
        let source = keys.items()[0].text().expect("a key").replace(":state:feed", "");
        let (ticks, read) = (Vec::new(), "0".to_owned());
        Self { server, redis, store, source, scene, run, record, recording, ticks, read, feed }
    }

    fn pause(&self, paused: bool) {
        self.server.control.clock(&ClockChange { paused: Some(paused), ..ClockChange::default() }).unwrap();
    }

    /// Reads the ticks that have come since.
    fn listen(&mut self) {
        let stream = format!("{}:market.tick:BTC/USDT", self.source);
        for entry in self.store.entries_after(&stream, &self.read) {
            self.ticks.push(serde_json::from_value(entry.data).expect("a tick"));
            self.read = entry.id;
        }
    }

    /// Plays until so many trades have come, or were missed, and what came is taken. The exchange waits for who is behind, and
    /// stands at the end.
    fn plays_until(&mut self, count: u64) {
        // It stands before the first of them too.
        let mut is_paused = true;
        let end = std::time::Instant::now() + WITHIN;
        loop {
            self.listen();
            // Numbers count what was missed; what is taken does not.
            let (known, come) = (self.known(), self.ticks.len() as u64);
            let taken = ["ladder", "grid"].map(|name| self.store.ticks_taken(&record_of(name)));
            let taken = taken.into_iter().min().unwrap_or(0);
            if known >= count && taken >= come && is_paused {
                break;
            }
            let is_to_wait = known >= count || come.saturating_sub(taken) > AHEAD_MAX;
            if is_to_wait != is_paused {
                is_paused = is_to_wait;
                self.pause(is_paused);
            }
            for process in [&self.run, &self.record] {
                assert_eq!(process.ended(), None, "{}", process.log());
            }
            assert!(
                std::time::Instant::now() < end,
                "{taken} of {come} taken, {known} of {count} came: {}",
                self.run.log()
            );
        }
    }

    /// Plays to the end.
    pub fn plays(&mut self) {
        let all = ticks_of(&recorded_market()).len() as u64;
        self.plays_until(all);
    }

    /// Plays until so many trades have come; then the exchange's clock stands, and both have all that was played.
    fn stands_at(&mut self, count: u64) {
        self.plays_until(count);
        until("what was played has come", WITHIN, || {
            self.listen();
            let played = self.played() + 1 - FIRST_TRADE;
            let recorded = Replay::scan(std::slice::from_ref(&self.recording), &"BTC/USDT".parse().unwrap()).ok()?;
            (self.known() == played && recorded.ticks + recorded.missed == played).then_some(())
        });
    }

    /// Plays until so many trades have come, and passes over the next ones on both connections.
    pub fn skips(&mut self, trades: u64, after: u64) {
        self.stands_at(after);
        let aim = Aim { stream: Some(STREAM.to_owned()), ..Aim::default() };
        self.server.control.fault(aim, Fault::Drop { count: trades }).unwrap();
    }

    /// Plays until so many trades have come, then cuts connections off. They listen again once so many more were played, and
    /// the exchange's clock stands meanwhile: who is cut off misses the same trades as who else is.
    pub fn is_cut_off(&mut self, whom: Cut, trades: u64, after: u64) {
        self.stands_at(after);
        let before = self.played();
        let refuse = Fault::Refuse { for_ms: None };
        self.server.control.fault(Aim::default(), refuse).unwrap();
        let of_both = listening(&self.server);
        let (met, left): (Vec<_>, Vec<_>) =
            of_both.into_iter().partition(|number| whom == Cut::Both || *number == self.feed);
        for number in met {
            let aim = Aim { connection: Some(number), ..Aim::default() };
            self.server.control.fault(aim, Fault::Reset).unwrap();
        }
        until("the connection is gone", WITHIN, || (listening(&self.server) == left).then_some(()));
        self.pause(false);
        until("trades are missed", WITHIN, || (self.played() >= before + trades).then_some(()));
        self.pause(true);
        let all = Aim { on: Kind::All, ..Aim::default() };
        self.server.control.fault(all, Fault::Mend).unwrap();
        until("both listen again", WITHIN, || (listening(&self.server).len() == 2).then_some(()));
    }

    /// How many trades have come, or were missed before one that came.
    fn known(&self) -> u64 {
        self.ticks.last().map_or(0, |tick| tick.sequence + 1)
    }

    /// The number of the last trade that the exchange has played.
    fn played(&self) -> u64 {
        self.server.control.state().unwrap().trades["BTCUSDT"].as_u64().expect("a trade")
    }

    /// Everything has come: both programs end, and the recording is replayed.
    pub fn ends(mut self) -> Taped {
        let end = self.known();
        until("the recording is whole", WITHIN, || {
            // While its last second is written, there may be no tick in it yet.
            let summary = Replay::scan(std::slice::from_ref(&self.recording), &"BTC/USDT".parse().unwrap()).ok()?;
            (summary.ticks + summary.missed == end).then_some(())
        });
        self.run.stop();
        self.record.stop();
        let live = Results::of(&self.scene.show_whole(&self.redis.url()).unwrap());
        let recorded = ticks_of(&self.recording);
        let replay = Results::of(&self.scene.backtest_whole(&[format!("BTC/USDT={}", self.recording.display())]));
        let mut gaps: Vec<Gap> = Vec::new();
        for gap in self.store.entries(&format!("{}:market.gap", self.source)) {
            // Told anew once its bars are whole.
            let gap = Gap::read(&gap.data);
            if !gaps.contains(&gap) {
                gaps.push(gap);
            }
        }
        let partial_fills = self.partial_fills();
        Taped { ticks: self.ticks, recorded, gaps, live, replay, partial_fills }
    }

    fn partial_fills(&mut self) -> usize {
        let fills = self.store.entries("glm:{default/paper}:order.fill");
        let last = |id: &serde_json::Value| fills.iter().rposition(|fill| fill.data["clientOrderId"] == *id);
        fills.iter().enumerate().filter(|(place, fill)| last(&fill.data["clientOrderId"]) != Some(*place)).count()
    }
}
