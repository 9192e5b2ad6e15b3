//! A strategy on two markets, each with its own file, stream and last tick: a move of one is answered in the other, orders
//! rest in both, and processes are killed. The result stays that of `backtest`.

use engine::testkit::quoting::Market;
use serde_json::Value;
use tests::roles::{Scene, Stage, accounts_of_markets, pair};

use crate::kills::{Replay, play};

/// The worker that has the pair.
const PROGRAM: &str = env!("CARGO_BIN_EXE_testkit-worker");
/// Seeds that once failed: always run first, with few kills.
const KEPT_SEEDS: &[u64] = &[];
const MARKETS: [&str; 2] = ["BNB/USDT", "ETH/USDT"];

/// So many strategies on both markets; the second market's data have so many ticks.
fn pairs(seed: u64, count: u64, [bnb, eth]: [u64; 2], latency_ms: u32) -> Scene {
    let strategies: Vec<_> =
        (1..=count).map(|n| pair(&format!("pair-{n}"), &MARKETS, (seed + 7 * n) % 80_000)).collect();
    let files = [(MARKETS[0], "bnb.csv"), (MARKETS[1], "eth.csv")];
    let data = |market: usize, seed, ticks| {
        (files[market].0, files[market].1, Market::of(seed, ticks).named(files[market].0).csv())
    };
    let manifest = accounts_of_markets(&files, latency_ms, &strategies);
    Scene::of_markets(&manifest, &[data(0, seed, bnb), data(1, seed + 1, eth)]).run_by(PROGRAM)
}

fn replays(kills: usize) -> Vec<Replay> {
    let (most, rest) = (kills * 4 / 10, kills - 2 * (kills * 4 / 10));
    vec![
        ("a pair", |seed| pairs(seed, 1, [500, 500], 0), None, most),
        ("a pair with latency", |seed| pairs(seed, 1, [500, 400], 1_500), None, most),
        ("two pairs, one market ends early", |seed| pairs(seed, 2, [400, 150], 1_500), None, rest),
    ]
}

/// How many trades of each market these results have.
fn trades(results: &[String]) -> [usize; 2] {
    let lines = results.iter().flat_map(|result| result.lines());
    let of = |line: &str| serde_json::from_str::<Value>(line).unwrap()["trades"].as_array().unwrap().clone();
    let trades: Vec<Value> = lines.flat_map(of).collect();
    MARKETS.map(|symbol| trades.iter().filter(|trade| trade["symbol"] == symbol).count())
}

#[test]
fn kills_change_nothing_on_two_markets() {
    let (_, results) = play(KEPT_SEEDS, 10, replays, 60);
    let trades = trades(&results);
    println!("trades: {trades:?}");
    assert!(trades.iter().all(|trades| *trades >= 100), "both markets trade: {trades:?}");
}

#[test]
fn undisturbed() {
    for (latency_ms, ticks) in [(0, [200, 200]), (1_500, [200, 60])] {
        let mut stage = Stage::new(pairs(11, 2, ticks, latency_ms), &[]);
        assert_eq!(stage.total, ticks.iter().sum::<u64>());
        stage.start(None);
        stage.finish();
        stage.audit().unwrap();
    }
}

/// One strategy reads a market that is silent for longer than the feed may be ahead of it: nobody waits for it in vain, and
/// each counts the ticks of its own markets.
#[test]
fn who_reads_a_silent_market_holds_nobody_up() {
    let strategies = [pair("lone", &MARKETS[..1], 5), pair("silent", &MARKETS[1..], 4)];
    let files = [(MARKETS[0], "bnb.csv"), (MARKETS[1], "eth.csv")];
    let data = [
        (files[0].0, files[0].1, Market::of(1, 1_500).csv()),
        (files[1].0, files[1].1, Market::of(2, 40).named(files[1].0).csv()),
    ];
    let manifest = accounts_of_markets(&files, 0, &strategies);
    let mut stage = Stage::new(Scene::of_markets(&manifest, &data).run_by(PROGRAM), &[]);
    assert!(trades(std::slice::from_ref(&stage.expected)).iter().all(|trades| *trades > 0), "{}", stage.expected);
    // `backtest` counts those of the first strategy's market alone.
    stage.total = 1_540;
    stage.start(None);
    stage.finish();
    stage.audit().unwrap();
}
