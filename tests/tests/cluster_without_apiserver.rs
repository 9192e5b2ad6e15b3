//! The API server away for a minute: trading does not need it. Alone in its file, because nothing else can be tested
//! meanwhile.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::thread;
use std::time::Instant;

use tests::cluster::manifest::{beyond_an_outage, outage};
use tests::cluster::{Kind, Platform, Scenario, condition, number, run, text};

const STRATEGY: &str = "grid-btc-1";

/// The API server, frozen; goes on when this is dropped, however the test ends.
struct Frozen;

impl Frozen {
    fn freeze() -> Self {
        run("pkill", &["-STOP", "-x", "kube-apiserver"], "");
        Self
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // The name is looked for among the box's own processes only.
        run("pkill", &["-CONT", "-x", "kube-apiserver"], "");
    }
}

/// How many trades the store knows of.
fn fills(platform: &Platform, host: &str) -> u64 {
    let stream = format!("glm:{{{}-away/paper}}:order.fill", platform.namespace);
    let count = run("redis-cli", &["-h", host, "xlen", &stream], "");
    count.trim().parse().expect("XLEN is a number")
}

#[test]
fn trading_goes_on_without_the_api_server_and_the_status_catches_up() {
    let platform = Platform::install("apiserver", &["away"], &[]);
    let scenario = Scenario::of(&platform, "away");
    scenario.apply(&beyond_an_outage());
    scenario.await_trading(STRATEGY);
    let before =
        scenario.await_strategy(STRATEGY, "trades", 180, |strategy| number(strategy, "/status/orders/filled") >= 2);
    // Names of Services are looked up at the API server's own word: the address is taken before.
    let host = text(&platform.pods("redis")[0], "/status/podIP");
    let pods: Vec<_> = scenario.list(Kind::Pod).iter().map(|pod| text(pod, "/metadata/uid")).collect();
    let frozen = Frozen::freeze();
    let begun = Instant::now();
    let first = fills(&platform, &host);
    thread::sleep(outage());
    let last = fills(&platform, &host);
    println!("{} trades in {:.0} s without an API server", last - first, begun.elapsed().as_secs_f64());
    assert!(last > first, "nothing was traded meanwhile");
    drop(frozen);
    let after = scenario.await_strategy(STRATEGY, "the status has caught up", 30, |strategy| {
        number(strategy, "/status/orders/filled") >= last && condition(strategy, "Ready").starts_with("True Trading")
    });
    assert_eq!(text(&after, "/status/ledger"), text(&before, "/status/ledger"));
    assert_eq!(number(&after, "/status/epoch"), 1, "a pod was replaced");
    let now: Vec<_> = scenario.list(Kind::Pod).iter().map(|pod| text(pod, "/metadata/uid")).collect();
    assert_eq!(now, pods, "a pod was replaced");
}
