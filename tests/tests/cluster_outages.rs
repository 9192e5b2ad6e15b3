//! Redis away for a minute; and a fleet that has nothing to tell.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use tests::cluster::manifest::{
    WATCHER_CAPITAL, around_an_outage, at_speed, in_namespace, outage, part, quickstart, watcher,
};
use tests::cluster::{Kind, Platform, Scenario, await_that, backtest, condition, number, text};

const STRATEGY: &str = "grid-btc-1";
/// Longer than any look that is under way.
const SETTLED: Duration = Duration::from_secs(5);
/// Within this, a status tells that Redis went or came.
const TOLD_SECONDS: u64 = 30;

fn pod_uids(scenario: &Scenario) -> BTreeMap<String, String> {
    let pods = scenario.list(Kind::Pod);
    pods.iter().map(|pod| (text(pod, "/metadata/name"), text(pod, "/metadata/uid"))).collect()
}

#[test]
fn redis_away_for_a_minute_costs_no_pod_and_no_trade() {
    Platform::make_volume("away");
    let persistent = ["--set", "redis.builtin.persistence.enabled=true"];
    let platform = Platform::install("away", &["redis"], &persistent);
    let scenario = Scenario::of(&platform, "redis");
    let manifest = in_namespace(&around_an_outage(), &scenario.namespace);
    scenario.apply(&manifest);
    scenario.await_trading(STRATEGY);
    let before =
        scenario.await_strategy(STRATEGY, "trades", 180, |strategy| number(strategy, "/status/orders/filled") >= 2);
    let pods = pod_uids(&scenario);
    platform.scale_redis(0);
    let away = scenario.await_strategy(STRATEGY, "Degraded", TOLD_SECONDS, |strategy| {
        text(strategy, "/status/state") == "Degraded"
            && condition(strategy, "Ready").starts_with("Unknown RedisUnavailable")
    });
    assert!(text(&away, "/status/summary/alert").contains("RedisUnavailable"), "the table does not tell");
    // Unless it traded between that look and the outage.
    let traded = number(&away, "/status/orders/filled") > number(&before, "/status/orders/filled");
    assert!(traded || away["status"]["position"] == before["status"]["position"], "{away}");
    assert!(away["status"]["position"].is_object(), "the figures are gone: {away}");
    scenario.await_object((Kind::Account, "paper"), "Degraded", TOLD_SECONDS, |account| {
        condition(account, "Ready").starts_with("Unknown RedisUnavailable")
    });
    thread::sleep(outage());
    assert_eq!(pod_uids(&scenario), pods, "a pod was replaced while Redis was away");
    platform.scale_redis(1);
    platform.await_ready();
    let after = scenario.await_strategy(STRATEGY, "Ready again", TOLD_SECONDS, |strategy| {
        condition(strategy, "Ready").starts_with("True Trading")
    });
    assert_eq!(text(&after, "/status/ledger"), text(&before, "/status/ledger"));
    scenario.await_strategy(STRATEGY, "trades on", 180, |strategy| {
        number(strategy, "/status/orders/filled") > number(&before, "/status/orders/filled")
    });
    // To the end: a trade that the outage cost would be missing there, and one that was done twice would be too many.
    scenario.await_strategy(STRATEGY, "the replay has ended", 180 + 4 * outage().as_secs(), |strategy| {
        condition(strategy, "Ready").starts_with("True MarketDataEnded")
    });
    assert_eq!(platform.ledger(&manifest), backtest(&quickstart(), &[]));
    assert_eq!(pod_uids(&scenario), pods, "a pod was replaced when Redis came back");
}

/// The version of every object that the operator could write.
fn versions(scenario: &Scenario) -> BTreeMap<String, String> {
    let objects = [Kind::Strategy, Kind::Account, Kind::Pod].map(|kind| scenario.list(kind)).concat();
    objects.iter().map(|object| (text(object, "/metadata/name"), text(object, "/metadata/resourceVersion"))).collect()
}

#[test]
fn a_fleet_without_trades_writes_nothing() {
    const FLEET: u32 = 20;
    let platform = Platform::install("fleet", &["quiet"], &[]);
    let scenario = Scenario::of(&platform, "quiet");
    scenario.apply(&part(&at_speed(600), "TradingAccount"));
    let names: Vec<String> = (1..=FLEET).map(|number| format!("grid-{number}")).collect();
    scenario.apply(&names.iter().map(|name| watcher(name)).collect::<Vec<_>>().join("\n---\n"));
    for name in &names {
        scenario
            .await_strategy(name, "Ready", 180, |strategy| condition(strategy, "Ready").starts_with("True Trading"));
    }
    let unassigned = (10_000 - FLEET * WATCHER_CAPITAL).to_string();
    scenario.await_object((Kind::Account, "paper"), "Ready, with all books", 180, |account| {
        condition(account, "Ready").starts_with("True") && text(account, "/status/unassigned/USDT") == unassigned
    });
    // The first figures may still be on their way.
    let mut before = (versions(&scenario), platform.writes());
    let mut since = Instant::now();
    await_that("it has settled", 90, || {
        let now = (versions(&scenario), platform.writes());
        if now != before {
            (before, since) = (now, Instant::now());
        }
        if since.elapsed() > SETTLED { Ok(()) } else { Err("it still writes".to_owned()) }
    });
    thread::sleep(Duration::from_mins(1));
    assert_eq!(platform.writes(), before.1, "the operator wrote");
    assert_eq!(versions(&scenario), before.0, "objects changed");
}
