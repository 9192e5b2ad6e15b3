//! The figures of `worker bench` that go through a real Redis: each starts a server of its own and takes it away.

use std::process::Command;

use serde_json::Value;
use tests::worker_binary::worker_binary;

#[test]
fn ticks_and_fills_go_through_a_redis_of_the_benchs_own() {
    let output = Command::new(worker_binary())
        .args(["bench", "redis-ticks", "redis-fill", "--ticks", "100", "--json"])
        .output()
        .expect("the worker runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [ticks, fill] = &figures[..] else { panic!("{text}{told}") };
    assert_eq!((ticks["name"].as_str(), fill["name"].as_str()), (Some("redis-ticks"), Some("redis-fill")));
    assert!(ticks["perSecond"].as_u64().unwrap() > 0 && ticks["instructions"].is_null(), "{ticks}");
    for (half, nearly_all) in [("p50", "p99"), ("floorP50", "floorP99")] {
        let [half, nearly_all] = [half, nearly_all].map(|name| fill[name].as_u64().unwrap());
        assert!(0 < half && half <= nearly_all, "{fill}");
    }
}
