//! Manifests of several accounts, and what a Redis holds.

use serde_json::Value;
use tests::{
    redis_server::RedisServer,
    roles::{ACCOUNT, Wave, manifest, strategy, wave},
};

/// Prices at whose every turn a fine grid trades: two orders in ten ticks.
pub fn busy(ticks: u64) -> String {
    wave(Wave { ticks, period: 10, noise_cents: 60, seed: 5 })
}

/// Accounts of these names, each with so many grids of its own, on the file `data.csv`.
pub fn accounts(names: &[String], strategies: usize) -> String {
    let one = |name: &String| {
        let grids: Vec<_> = (1..=strategies).map(|number| grid(&format!("{name}-{number}"))).collect();
        let text = manifest("data.csv", 0, &grids);
        // The quotes keep other words that hold the name as they are.
        text.replace(&format!("name: {ACCOUNT}}}"), &format!("name: {name}}}"))
            .replace("USDT: 20000, BNB: 40", "USDT: 200000, BNB: 400")
    };
    names.iter().map(one).collect::<Vec<_>>().join("---\n")
}

fn grid(name: &str) -> String {
    strategy(name, "0.5")
        .replace("grid: {", "grid: {minTradeIntervalSeconds: 1, ")
        .replace("spec:\n", "spec:\n  risk: {maxOrdersPerMinute: 600}\n")
}

/// Bytes in use, as Redis judges its limit.
pub fn used(redis: &RedisServer) -> u64 {
    redis.info("used_memory").parse().expect("a number")
}

/// The lines that `backtest` and `ledger show` print, as values.
pub fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}
