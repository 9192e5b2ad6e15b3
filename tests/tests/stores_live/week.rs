//! A week of live prices in minutes, with the end of each connection after a day: what `worker run` holds in memory after its
//! first day it holds after the seventh. What its Redis uses is told. `tests/run soak` asks for the week; else it is a quarter of a
//! day, of which the second half adds nothing.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use market_server::process::Server;
use tests::redis_server::RedisServer;
use tests::roles::{RoleProcess, Scene, Store, until};

use crate::parity::Results;
use crate::session::{program, record_of, run_on};

/// A day in 72 seconds. Between two ends of connections there is time enough for a pause to be the shortest again.
const SPEED: i64 = 1_200;
const HOUR: i64 = 3_600_000;
const START_WITHIN: Duration = Duration::from_mins(2);
/// What it may hold more at the end than at first: a few per cent, and what an allocator keeps.
const GROWTH_PERCENT: u64 = 10;
const SLACK_KB: u64 = 2_048;

/// Orders at each hour, and some that rest.
const MANIFEST: &str = r#"apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {name: paper}
spec:
  venue: {paper: {balances: {USDT: 4000000, BTC: 100}, fees: {makerPercent: "0.1", takerPercent: "0.1"}, latencyMs: 100}}
  marketData: {binance: {market: Spot, endpoint: local}}
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: ladder}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BTC/USDT, rules: {tickSize: "0.01", lotSize: "0.00001"}}]
  capital: {USDT: 2000000, BTC: 50}
  strategy: {ladder: {lowerPrice: 17100, upperPrice: 18000, levels: 60, quantity: "0.05"}}
  risk: {maxOrdersPerMinute: 600, maxTickAgeSeconds: 3600}
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: grid}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BTC/USDT, rules: {tickSize: "0.01", lotSize: "0.00001"}}]
  capital: {USDT: 1000000, BTC: 20}
  strategy: {grid: {gridSizePercent: "0.2", quantity: "0.1", minTradeIntervalSeconds: 0}}
  risk: {maxOrdersPerMinute: 600, maxTickAgeSeconds: 3600}
"#;

/// How long it lasts, by the exchange's clock.
fn span() -> i64 {
    let days = std::env::var("DAYS").ok().map(|days| days.parse::<i64>().expect("DAYS is a number of days"));
    days.map_or(6 * HOUR, |days| days * 24 * HOUR)
}

fn resident_kb(process: &RoleProcess) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn time(server: &Server) -> i64 {
    server.control.state().expect("a state").time
}

/// Waits until the exchange's clock shows it.
fn wait_for(server: &Server, moment: i64, run: &RoleProcess) {
    let left = u64::try_from((moment - time(server)).max(0) / SPEED).expect("it lies ahead");
    let patience = Duration::from_millis(left) + START_WITHIN;
    until("the exchange's clock goes on", patience, || {
        assert_eq!(run.ended(), None, "{}", run.log());
        (time(server) >= moment).then_some(())
    });
}

#[test]
fn what_a_week_of_live_prices_takes_in_memory_its_first_day_has_taken() {
    let candles = Path::new(env!("CARGO_MANIFEST_DIR")).join("market/testdata/BTCBUSD-1m.csv.gz");
    let candles = format!("BTCUSDT={}", candles.display());
    let speed = SPEED.to_string();
    let server = Server::spawn(&program(), &["--candles", &candles, "--loop", "--speed", &speed]).unwrap();
    let redis = RedisServer::start_with(&["--appendonly", "yes"]);
    let (scene, mut store) = (Scene::without_data(MANIFEST), Store::of(&redis));
    let run = run_on(&server, &scene, &redis, START_WITHIN);

    let (opened, started) = (time(&server), Instant::now());
    let memory = || (resident_kb(&run), redis.info("used_memory"));
    wait_for(&server, opened + (span() / 7).max(3 * HOUR), &run);
    let (first, redis_first) = memory();
    let early = store.ticks_taken(&record_of("ladder"));
    wait_for(&server, opened + span(), &run);
    let (last, redis_last) = memory();
    let late = store.ticks_taken(&record_of("ladder"));
    let hours = span() / HOUR;
    println!(
        "{hours} h in {:.0?}: {first} kB at first and {last} kB at the end, of ticks {early} and {late}; Redis {redis_first} \
         and {redis_last} bytes",
        started.elapsed()
    );
    run.stop();
    assert!(late > early, "ticks came to the end");
    let results = Results::of(&scene.show_whole(&redis.url()).unwrap());
    for strategy in ["ladder", "grid"] {
        assert!(!results.trades(strategy).is_empty(), "{strategy} has traded");
    }
    assert!(last <= first + first * GROWTH_PERCENT / 100 + SLACK_KB, "{first} kB at first, {last} kB at the end");
}
