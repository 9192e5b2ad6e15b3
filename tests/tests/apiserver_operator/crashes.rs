//! The operator ends before or after every write of each scenario: the same end. One that ended before its write may
//! have sent it all the same: then it arrives long after, and changes nothing.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::join_all;
use serde_json::Value;
use tests::apiserver::{Clients, Crash, World, install, pause_after};
use tests::redis_server::RedisServer;
use tokio::sync::Semaphore;

use super::scenarios::{SCENARIOS, Scenario};
use super::settled::{difference, quiet, seems_unsettled};

/// Runs at once, of all scenarios together: each mostly waits. With more, each takes longer, and who looks now and then
/// looks more often.
const AT_ONCE: usize = 12;

/// How long a late write may show. Below the two minutes after which each object is looked at without any news.
const LATE: Duration = Duration::from_secs(100);

/// What all runs have in common.
struct Shared {
    clients: Clients,
    redis: Arc<RedisServer>,
    places: Semaphore,
}

/// One run of a scenario, to its end.
async fn run(scenario: &Scenario, shared: &Shared, crash: Option<Crash>) -> World {
    let world = World::start(&shared.clients, &shared.redis, crash.filter(|_| scenario.begun.is_none())).await;
    if let Some(begin) = scenario.begun {
        begin(&world).await;
        quiet(&world).await;
        world.tap.arm(crash);
    }
    (scenario.act)(&world).await;
    world
}

/// Waits for the end that is expected; past a deadline that nothing healthy comes near, whatever there is.
async fn await_end(world: &World, expected: &Value, patience: Duration) -> Value {
    let begun = Instant::now();
    loop {
        // Dear, so only for what looks as if it had come to its end.
        let is_late = begun.elapsed() > patience;
        if is_late || seems_unsettled(world).is_none() {
            let state = world.end_state().await;
            if is_late || state == *expected {
                return state;
            }
        }
        tokio::time::sleep(pause_after(begun.elapsed())).await;
    }
}

async fn crashed(scenario: &Scenario, shared: &Shared, crash: Crash, expected: &Value) -> Result<bool, String> {
    let world = run(scenario, shared, Some(crash)).await;
    let end = await_end(&world, expected, Duration::from_mins(3)).await;
    let (faults, _) = world.audited();
    if !faults.is_empty() {
        return Err(format!("{crash:?}: {faults:?}"));
    }
    if end != *expected {
        let (writes, other) = (world.tap.writes().join("\n    "), difference(expected, &end));
        return Err(format!("{crash:?}: another end:\n{other}\n  after:\n    {writes}"));
    }
    let state = quiet(&world).await;
    if state != *expected {
        return Err(format!("{crash:?}: it does not stay at that end:\n{}", difference(expected, &state)));
    }
    // Whatever it changes is seen, and put right long before anything is looked at without news.
    world.tap.deliver().await;
    let state = await_end(&world, expected, LATE).await;
    if state != *expected {
        return Err(format!("{crash:?}: a late write changes the end:\n{}", difference(expected, &state)));
    }
    Ok(!world.tap.is_armed())
}

/// A scenario without a crash.
struct Clean {
    scenario: &'static Scenario,
    expected: Value,
    writes: usize,
    pods: usize,
    faults: Vec<String>,
}

async fn undisturbed(scenario: &'static Scenario, shared: &Shared) -> Clean {
    let world = run(scenario, shared, None).await;
    let expected = quiet(&world).await;
    let (faults, pods) = world.audited();
    Clean { scenario, expected, writes: world.tap.writes().len(), pods, faults }
}

/// All crash points of a scenario; its report.
async fn check(clean: Clean, shared: &Shared) -> Vec<String> {
    let Clean { scenario, expected, writes, pods, mut faults } = clean;
    let expected = &expected;
    let points = (1..=writes).flat_map(|n| [Crash::Before(n), Crash::After(n)]);
    let runs = points.map(|crash| async move {
        let _place = shared.places.acquire().await.expect("nobody closes it");
        // A wait in vain is told with its crash, and the others go on.
        let run = AssertUnwindSafe(crashed(scenario, shared, crash, expected)).catch_unwind().await;
        run.unwrap_or_else(|_| Err(format!("{crash:?}: failed, see above")))
    });
    let results = join_all(runs).await;
    let reached = results.iter().filter(|result| matches!(result, Ok(true))).count();
    if reached < writes {
        faults.push(format!("only {reached} of {} crashes came to be", 2 * writes));
    }
    println!("{writes:3} writes, {pods:2} pods, {reached:3} crashes: {}", scenario.name);
    faults.extend(results.into_iter().filter_map(Result::err));
    faults.into_iter().map(|fault| format!("{}: {fault}", scenario.name)).collect()
}

// On all cores: it is the work of this program that most of its time goes to.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_at_any_write_changes_nothing_of_the_end() {
    let clients = Clients::new().await;
    install(&clients.administrator).await;
    let shared = &Shared { clients, redis: Arc::new(RedisServer::start()), places: Semaphore::new(AT_ONCE) };
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let chosen = SCENARIOS.iter().filter(|scenario| scenario.name.contains(&only));
    let clean = join_all(chosen.map(|scenario| undisturbed(scenario, shared))).await;
    let faults = join_all(clean.into_iter().map(|clean| check(clean, shared))).await.concat();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
