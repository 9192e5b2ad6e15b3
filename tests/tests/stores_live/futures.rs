//! Futures on a market server, recorded by `worker record`: each trade once with its last quotes, and all that was missed named.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use engine::messages::Tick;
use flate2::read::MultiGzDecoder;
use market_server::control::{Aim, Endpoints, Fault};
use market_server::process::Server;
use serde_json::Value;
use tests::roles::{DEADLINE, RoleProcess, Scene, until};
use venue::replay::Replay;

use crate::session::{self, program};

const SYMBOL: &str = "BTC/USDT:USDT";
const TRADES: &str = "btcusdt@trade";
const AGGREGATES: &str = "btcusdt@aggTrade";

/// 400 frames of two seconds: 59 trades.
fn played() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../worker/venue/testdata/binance-usdm-btcusdt-20240808.gz")
}

fn ticks_of(recording: &Path) -> Vec<Tick> {
    let summary = Replay::scan(&[recording.to_owned()], &SYMBOL.parse().unwrap()).unwrap();
    Replay::open(summary).map(|tick| tick.expect("a tick")).collect()
}

/// The messages of a recording, whole or as far as it is written.
fn messages(recording: &Path) -> Vec<Value> {
    let mut text = String::new();
    // While it is written it ends in the midst.
    let _ = MultiGzDecoder::new(std::fs::File::open(recording).unwrap()).read_to_string(&mut text);
    text.lines().filter_map(|line| serde_json::from_str(line.split_once(' ')?.1).ok()).collect()
}

/// The events of a stream in it, in their order.
fn events(recording: &Path, stream: &str) -> Vec<Value> {
    let of = |message: Value| (message["stream"] == stream).then(|| message["data"].clone());
    messages(recording).into_iter().filter_map(of).collect()
}

/// A recorder at work on an exchange that plays without an end.
struct Recorder {
    server: Server,
    scene: Scene,
    process: RoleProcess,
    recording: PathBuf,
}

impl Recorder {
    fn start(options: &[&str]) -> Self {
        let played = played().display().to_string();
        let options = [&["--product", "usdm", "--recording", &played, "--loop"], options].concat();
        let server = Server::spawn(&program(), &options).unwrap();
        let scene = Scene::without_data(session::MANIFEST);
        let Endpoints { rest, stream, .. } = &server.endpoints;
        let record = ["record", "perp.gz", "--source", "binance-usdm", "--symbols", SYMBOL, "--endpoint"];
        let mut record = record.map(str::to_owned).to_vec();
        record.push(format!("binance-usdm={rest},{stream}"));
        let process = scene.spawn("record", &record);
        let recording = scene.manifest().with_file_name("perp.gz");
        Self { server, scene, process, recording }
    }

    /// The number of the connection that has this stream.
    fn listens(&self, stream: &str) -> Option<u64> {
        assert_eq!(self.process.ended(), None, "{}", self.process.log());
        let state = self.server.control.state().unwrap();
        let mut having = state.connections.iter().filter(|one| one.streams.iter().any(|name| name == stream));
        having.next().map(|one| one.number)
    }

    /// Waits until so many events of a stream are in the file.
    fn records(&self, stream: &str, count: usize) {
        until(&format!("{count} events of {stream}"), DEADLINE, || {
            assert_eq!(self.process.ended(), None, "{}", self.process.log());
            (events(&self.recording, stream).len() >= count).then_some(())
        });
    }
}

/// The ticks that are played over and over, and the number of the first trade.
fn truth() -> (Vec<Tick>, u64) {
    (ticks_of(&played()), events(&played(), TRADES)[0]["t"].as_u64().unwrap())
}

/// Ticks have the prices and the last quotes of the trades that were played, over and over; behind a lost connection the quotes
/// of before it, until others come. `number` tells of each which trade it is.
fn have_their_quotes(ticks: &[Tick], numbers: &[u64], behind: u64) {
    let (played, first) = truth();
    let mut excused = false;
    for (tick, number) in ticks.iter().zip(numbers) {
        let place = usize::try_from((number - first) % played.len() as u64).unwrap();
        let same = &played[place];
        assert_eq!((tick.price, tick.volume), (same.price, same.volume), "trade {number}");
        excused |= *number == behind;
        let has_quotes =
            (tick.bid, tick.ask, tick.bid_size, tick.ask_size) == (same.bid, same.ask, same.bid_size, same.ask_size);
        excused &= !has_quotes;
        assert!(has_quotes || excused, "trade {number}: {tick:?}, {same:?}");
    }
}

#[test]
fn a_recording_of_futures_has_each_trade_once_and_names_its_holes() {
    let recorder = Recorder::start(&[]);
    let first = until("the recorder listens", DEADLINE, || recorder.listens(TRADES));
    recorder.records(TRADES, 60);
    let control = &recorder.server.control;
    let of_trades = Aim { stream: Some(TRADES.to_owned()), ..Aim::default() };
    control.fault(of_trades.clone(), Fault::Drop { count: 10 }).unwrap();
    recorder.process.says("10 trades are missing, Skipped");
    control.fault(of_trades.clone(), Fault::Duplicate { count: 5 }).unwrap();
    control.wait(|line| line.event == "duplicate").unwrap();
    recorder.records(TRADES, 120);
    // So long that trades come meanwhile.
    control.fault(Aim::default(), Fault::Refuse { for_ms: Some(4_000) }).unwrap();
    control.fault(of_trades, Fault::Close { code: 1001, reason: "24 hours are over".to_owned() }).unwrap();
    until("it listens again", DEADLINE, || recorder.listens(TRADES).filter(|again| *again != first));
    recorder.process.says("trades are missing, Disconnect");
    let before = events(&recorder.recording, TRADES).len();
    recorder.records(TRADES, before + 120);
    recorder.process.stop();

    let numbers: Vec<u64> =
        events(&recorder.recording, TRADES).iter().map(|trade| trade["t"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|two| two[0] < two[1]), "each once and in order");
    let missed: Vec<u64> = numbers.windows(2).map(|two| two[1] - two[0] - 1).filter(|missed| *missed > 0).collect();
    let told: Vec<u64> = (recorder.process.log().lines())
        .filter_map(|line| line.split_once(": ")?.1.split_once(" trades are missing")?.0.parse().ok())
        .collect();
    assert_eq!(told, missed, "{}", recorder.process.log());
    assert_eq!((missed.len(), missed[0]), (2, 10), "{missed:?}");
    let summary = Replay::scan(std::slice::from_ref(&recorder.recording), &SYMBOL.parse().unwrap()).unwrap();
    assert_eq!((summary.gaps, summary.missing), (2, missed.iter().sum()));
    let ticks = ticks_of(&recorder.recording);
    assert_eq!(ticks.len(), numbers.len());
    let behind = numbers.windows(2).filter(|two| two[1] - two[0] > 1).map(|two| two[1]).next_back().unwrap();
    have_their_quotes(&ticks, &numbers, behind);
    // The exchange plays it again.
    let again = recorder.recording.display().to_string();
    drop(Server::spawn(&program(), &["--product", "usdm", "--recording", &again, "--paused"]).unwrap());
    // It says what it is, and is not taken for spot.
    let said = messages(&recorder.recording);
    assert_eq!(said[0], serde_json::json!({"recorded": "binance-usdm", "markets": {"BTCUSDT": SYMBOL}}));
    let of_trades = serde_json::json!({"trades": "trade", "market": "BTCUSDT"});
    assert_eq!(said.iter().filter(|line| line["trades"].is_string()).collect::<Vec<_>>(), [&of_trades]);
    let data = format!("BTC/USDT={}", recorder.recording.display());
    let refused = recorder.scene.worker(&["backtest", recorder.scene.manifest().to_str().unwrap(), "--data", &data]);
    let words = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{words}");
    assert!(
        words.contains("BTCUSDT is BTC/USDT:USDT here, in a recording of binance-usdm, and not BTC/USDT"),
        "{words}"
    );
    assert!(words.contains("record BTC/USDT with --source binance-spot"), "{words}");
}

#[test]
fn aggregates_are_recorded_where_trades_are_not_sent() {
    let recorder = Recorder::start(&["--without-trades"]);
    recorder
        .process
        .says("asked for the stream of trades, @trade, and sent none; trades are taken in aggregates, @aggTrade");
    recorder.records(AGGREGATES, 60);
    assert_ne!(
        recorder.listens(AGGREGATES),
        recorder.listens("btcusdt@bookTicker"),
        "each on the connection of its route"
    );
    recorder.process.stop();
    let aggregates = events(&recorder.recording, AGGREGATES);
    let id = |aggregate: &Value| aggregate["a"].as_u64().unwrap();
    assert!(aggregates.windows(2).all(|two| id(&two[1]) == id(&two[0]) + 1), "each once, and none is missing");
    assert!(events(&recorder.recording, TRADES).is_empty());
    let ticks = ticks_of(&recorder.recording);
    assert_eq!(ticks.len(), aggregates.len());
    // What they are of, by the trades that were played.
    let (played, first) = truth();
    for (tick, aggregate) in ticks.iter().zip(&aggregates) {
        let [from, to] = ["f", "l"].map(|field| aggregate[field].as_u64().unwrap());
        let its = (from..=to).map(|number| &played[usize::try_from((number - first) % 59).unwrap()]);
        let volume = its.clone().map(|trade| trade.volume.get()).reduce(|sum, volume| sum + volume).unwrap();
        assert_eq!(tick.volume.get(), volume, "{aggregate}");
        assert!(its.clone().all(|trade| trade.price == tick.price), "{aggregate}");
    }
    let streams: BTreeMap<String, usize> =
        messages(&recorder.recording).iter().fold(BTreeMap::new(), |mut all, line| {
            *all.entry(line["trades"].as_str().unwrap_or("-").to_owned()).or_default() += 1;
            all
        });
    assert_eq!(streams.get("aggTrade"), Some(&1));
}

#[test]
fn no_manifest_trades_futures() {
    for (spot, futures, told) in [
        (
            "symbol: BTC/USDT,",
            "symbol: BTC/USDT:USDT,",
            "BTC/USDT:USDT is a derivative; this release trades spot, such as BTC/USDT",
        ),
        ("market: Spot", "market: Usdm", "spec.marketData.binance.market: Usdm is not known here; write one of: Spot"),
    ] {
        let scene = Scene::without_data(&session::MANIFEST.replace(spot, futures));
        let manifest = scene.manifest().display().to_string();
        for command in [&["validate", &manifest][..], &["run", &manifest, "--endpoint", "local=http://127.0.0.1:9"]] {
            let refused = scene.worker(command);
            let words = String::from_utf8_lossy(&refused.stderr);
            assert!(!refused.status.success() && words.contains(told), "{command:?}: {words}");
        }
    }
}
