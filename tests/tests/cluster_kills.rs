//! Processes killed while they trade: what follows goes on from the same state, at the next epoch or incarnation,
//! and a replay ends with the bytes of `backtest`.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use serde_json::Value;
use tests::cluster::manifest::{DATA, at_speed, in_namespace, quickstart};
use tests::cluster::{
    Kind, Platform, PodHistory, Scenario, await_that, backtest, condition, is_of_epoch, number, repository,
    signal_container, text, try_signal_container,
};

const STRATEGY: &str = "grid-btc-1";
const PERSISTENT: [&str; 2] = ["--set", "redis.builtin.persistence.enabled=true"];

static PLATFORM: LazyLock<Platform> = LazyLock::new(|| Platform::install("kills", &["pod", "container"], &[]));

fn trades(strategy: &Value) -> u64 {
    number(strategy, "/status/orders/filled")
}

/// Applies the quickstart and waits for its first trades.
fn trading(scenario: &Scenario) -> Value {
    scenario.apply(&at_speed(14_400));
    scenario.await_trading(STRATEGY);
    scenario.await_strategy(STRATEGY, "first trades", 180, |strategy| trades(strategy) >= 2)
}

/// A field of the strategy's record in the store.
fn record(platform: &Platform, scenario: &Scenario, field: &str) -> String {
    try_record(platform, scenario, field).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// The same while Redis may be away.
fn try_record(platform: &Platform, scenario: &Scenario, field: &str) -> Result<String, String> {
    let key = format!("glm:{{{}/paper}}:state:strategy-{STRATEGY}", scenario.namespace);
    platform.try_redis(&["hget", &key, field])
}

/// Trades go on from those that were there, in the same ledger.
fn goes_on(scenario: &Scenario, before: &Value, epoch: u64) -> Value {
    let after = scenario.await_strategy(STRATEGY, "trades on", 180, |strategy| {
        trades(strategy) > trades(before)
            && is_of_epoch(strategy, epoch)
            && condition(strategy, "Ready").starts_with("True Trading")
    });
    assert_eq!(text(&after, "/status/ledger"), text(before, "/status/ledger"));
    after
}

#[test]
fn a_deleted_pod_is_replaced_at_the_next_epoch() {
    let scenario = Scenario::of(&PLATFORM, "pod");
    let mut history = PodHistory::begin(&scenario.namespace);
    let before = trading(&scenario);
    scenario.kubectl(&["delete", "pod", &format!("strategy-{STRATEGY}-1"), "--wait=false"]);
    let after = goes_on(&scenario, &before, 2);
    // The account's pods are placed by the same rules.
    scenario.kubectl(&["delete", "pod", "gateway-paper-1", "feed-paper-1", "--wait=false"]);
    scenario.await_object((Kind::Account, "paper"), "gateway and feed at epoch 2", 180, |account| {
        number(account, "/status/epoch") == 2
            && number(account, "/status/feed/epoch") == 2
            && condition(account, "Ready").starts_with("True")
    });
    goes_on(&scenario, &after, 2);
    history.expect_one_at_a_time();
    assert_eq!(history.pods_of(&format!("strategy-{STRATEGY}")), 2);
}

#[test]
fn a_killed_container_goes_on_as_the_next_incarnation_of_its_epoch() {
    let scenario = Scenario::of(&PLATFORM, "container");
    let mut history = PodHistory::begin(&scenario.namespace);
    let before = trading(&scenario);
    let incarnation = record(&PLATFORM, &scenario, "_incarnation");
    signal_container(&scenario.pod_of("strategy", STRATEGY).expect("there is a worker"), "SIGKILL");
    await_that("the container runs again", 180, || {
        let pod = scenario.pod_of("strategy", STRATEGY).ok_or("no pod")?;
        let restarts = number(&pod, "/status/containerStatuses/0/restartCount");
        if restarts == 1 { Ok(()) } else { Err(format!("{restarts} restarts")) }
    });
    goes_on(&scenario, &before, 1);
    let next: u64 = incarnation.parse().map(|incarnation: u64| incarnation + 1).expect("incarnations are numbers");
    assert_eq!(record(&PLATFORM, &scenario, "_incarnation"), next.to_string());
    assert_eq!(record(&PLATFORM, &scenario, "_epoch"), "1");
    history.expect_one_at_a_time();
    assert_eq!(history.pods_of(&format!("strategy-{STRATEGY}")), 1);
}

#[test]
fn the_operator_killed_again_and_again_makes_neither_two_pods_nor_a_new_one() {
    // Others would wait for it.
    let platform = Platform::install("killed", &["operator"], &[]);
    let scenario = Scenario::of(&platform, "operator");
    let mut history = PodHistory::begin(&scenario.namespace);
    scenario.apply(&at_speed(14_400));
    // Each as soon as its trace is seen: the next operator goes on from there. What lies between two writes is the
    // subject of `an_end_at_any_write_changes_nothing_of_the_end`.
    let told = |kind, name: &str, path: &str| {
        scenario.await_object((kind, name), path, 180, |object| !text(object, path).is_empty());
    };
    told(Kind::Account, "paper", "/status/ledger/id");
    platform.kill_with_pod("operator");
    told(Kind::Strategy, STRATEGY, "/status/ledger/id");
    platform.kill_with_pod("operator");
    told(Kind::Strategy, STRATEGY, "/status/epoch");
    platform.kill_with_pod("operator");
    scenario.await_trading(STRATEGY);
    platform.kill_with_pod("operator");
    let before = scenario.get(Kind::Strategy, STRATEGY).expect("it is there");
    goes_on(&scenario, &before, number(&before, "/status/epoch"));
    history.expect_one_at_a_time();
    assert_eq!(history.pods_of(&format!("strategy-{STRATEGY}")), 1, "{:#?}", history.seen());
}

/// How many blows there are, each of another kind.
const BLOWS: u64 = 8;

/// How many ticks the quickstart replays: four of each candle.
static TICKS: LazyLock<u64> = LazyLock::new(|| {
    let file = File::open(repository().join(DATA)).expect("the example's data are there");
    let lines = BufReader::new(GzDecoder::new(file)).lines().count();
    4 * u64::try_from(lines - 1).expect("a file has few lines")
});

/// What a round of the long story does to the processes.
fn blow(round: u64, platform: &Platform, scenario: &Scenario) -> &'static str {
    let container = |component: &str, instance: &str| {
        // Where the last blow still shows, there may be none.
        if let Some(pod) = scenario.pod_of(component, instance) {
            try_signal_container(&pod, "SIGKILL").ok();
        }
    };
    let delete = |component: &str, now: &[&str]| {
        let selector = format!("app.kubernetes.io/component={component}");
        let arguments = ["delete", "pods", "--wait=false", "-l", &selector];
        scenario.kubectl(&arguments.into_iter().chain(now.iter().copied()).collect::<Vec<_>>());
    };
    match round % BLOWS {
        // First, because it is the longest outage: what it has cost is caught up with at once.
        0 => {
            platform.scale_redis(0);
            platform.scale_redis(1);
            "Redis' pod replaced"
        }
        1 => (delete("strategy", &[]), "worker's pod deleted").1,
        2 => (container("gateway", "paper"), "gateway's container killed").1,
        3 => (platform.kill("redis"), "Redis' container killed").1,
        4 => (delete("feed", &["--grace-period=1"]), "feed's pod deleted").1,
        5 => (platform.kill("operator"), "operator's container killed").1,
        6 => (container("strategy", STRATEGY), "worker's container killed").1,
        _ => (delete("gateway", &[]), "gateway's pod deleted").1,
    }
}

#[test]
fn a_replay_under_blows_ends_with_the_bytes_of_backtest() {
    Platform::make_volume("blows");
    let platform = Platform::install("blows", &["replay"], &PERSISTENT);
    let scenario = Scenario::of(&platform, "replay");
    let mut history = PodHistory::begin(&scenario.namespace);
    // Two and a half minutes. What an outage has cost is caught up with at once: the longest must not reach the end.
    let manifest = in_namespace(&at_speed(36_000), &scenario.namespace);
    scenario.apply(&manifest);
    let taken = |ticks: u64| {
        await_that(&format!("{ticks} of {} ticks are taken", *TICKS), 180, || {
            // Before the first commit there is no position.
            let text = try_record(&platform, &scenario, "field:position")?;
            let position: u64 = text.parse().map_err(|_| format!("position {text:?}"))?;
            if position + 1 >= ticks { Ok(position + 1) } else { Err(format!("{} are taken", position + 1)) }
        })
    };
    for round in 0..BLOWS {
        taken(*TICKS * (round + 1) / (BLOWS + 2));
        let what = blow(round, &platform, &scenario);
        // What is read after a blow cannot have been taken before it.
        let after = taken(1);
        println!("{what} at {after} of {} ticks", *TICKS);
        assert!(after < *TICKS, "{what}: the replay had ended before");
    }
    scenario.await_strategy(STRATEGY, "the replay has ended", 180, |strategy| {
        condition(strategy, "Ready").starts_with("True MarketDataEnded")
    });
    history.expect_one_at_a_time();
    assert_eq!(platform.ledger(&manifest), backtest(&quickstart(), &[]));
}
