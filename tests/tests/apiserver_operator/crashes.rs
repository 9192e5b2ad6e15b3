//! The operator ends before or after every write of each scenario: the same end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use tests::apiserver::{Crash, World, await_that, client, install};
use tests::redis_server::RedisServer;

use super::scenarios::{SCENARIOS, Scenario, create};

/// Runs at once: each mostly waits.
const AT_ONCE: usize = 24;

/// One run of a scenario, to its end.
async fn run(scenario: &Scenario, redis: &Arc<RedisServer>, crash: Option<Crash>) -> World {
    let client = client().await;
    let world = World::start(&client, redis, crash.filter(|_| !scenario.trading)).await;
    if scenario.trading {
        create(&world).await;
        quiet(&world).await;
        world.tap.arm(crash);
    }
    (scenario.act)(&world).await;
    world
}

/// Waits until the operator has written nothing for a while.
async fn quiet(world: &World) {
    let mut last = (world.tap.writes().len(), std::time::Instant::now());
    await_that("the operator is quiet", || {
        let now = world.tap.writes().len();
        if now != last.0 {
            last = (now, std::time::Instant::now());
        }
        let still = last.1.elapsed() > std::time::Duration::from_millis(1500);
        async move { still.then_some(()) }
    })
    .await;
}

/// The first difference of two states, for a reader.
fn difference(one: &Value, other: &Value) -> String {
    let keys =
        |value: &Value| value.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let all: std::collections::BTreeSet<String> = keys(one).into_iter().chain(keys(other)).collect();
    let differs = all.into_iter().filter(|key| one[key] != other[key]);
    differs
        .map(|key| format!("{key}:\n    undisturbed {}\n    now         {}", one[&key], other[&key]))
        .collect::<Vec<_>>()
        .join("\n")
}

async fn crashed(
    scenario: &Scenario,
    redis: &Arc<RedisServer>,
    crash: Crash,
    expected: &Value,
) -> Result<bool, String> {
    let world = run(scenario, redis, Some(crash)).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let state = world.end_state().await;
        let (faults, _) = world.audited();
        if !faults.is_empty() {
            return Err(format!("{crash:?}: {faults:?}"));
        }
        if state == *expected {
            return Ok(!world.tap.is_armed());
        }
        if std::time::Instant::now() > deadline {
            let (writes, other) = (world.tap.writes().join("\n    "), difference(expected, &state));
            return Err(format!("{crash:?}: another end:\n{other}\n  after:\n    {writes}"));
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// All crash points of a scenario; its report.
async fn check(scenario: &Scenario, redis: &Arc<RedisServer>) -> Vec<String> {
    let clean = run(scenario, redis, None).await;
    quiet(&clean).await;
    let expected = &clean.end_state().await;
    let writes = clean.tap.writes();
    let (mut faults, pods) = clean.audited();
    let points = (1..=writes.len()).flat_map(|n| [Crash::Before(n), Crash::After(n)]);
    let runs = points.map(|crash| async move {
        // A wait in vain is told with its crash, and the others go on.
        let run = AssertUnwindSafe(crashed(scenario, redis, crash, expected)).catch_unwind().await;
        run.unwrap_or_else(|_| Err(format!("{crash:?}: failed, see above")))
    });
    let results: Vec<_> = stream::iter(runs).buffer_unordered(AT_ONCE).collect().await;
    let reached = results.iter().filter(|result| matches!(result, Ok(true))).count();
    println!("{:3} writes, {:2} pods, {:3} crashes: {}", writes.len(), pods, reached, scenario.name);
    faults.extend(results.into_iter().filter_map(Result::err));
    faults.into_iter().map(|fault| format!("{}: {fault}", scenario.name)).collect()
}

#[tokio::test]
async fn an_end_at_any_write_changes_nothing_of_the_end() {
    install(&client().await).await;
    let redis = Arc::new(RedisServer::start());
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut faults = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.name.contains(&only)) {
        faults.extend(check(scenario, &redis).await);
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
