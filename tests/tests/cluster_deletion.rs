//! Strategies and namespaces deleted, with processes alive and dead.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::sync::LazyLock;

use tests::cluster::manifest::quickstart;
use tests::cluster::{Kind, Platform, Scenario, await_that, kubectl, signal_container, try_run};

const STRATEGY: &str = "grid-btc-1";
const RESOURCE: &str = "ts/grid-btc-1";
/// A deletion that takes longer is Stalled.
const GONE_SECONDS: u64 = 60;

static PLATFORM: LazyLock<Platform> =
    LazyLock::new(|| Platform::install("deletion", &["plain", "foreground", "frozen", "namespace", "again"], &[]));

/// A field of the strategy's record in the store; it outlives the strategy, closed.
fn record(scenario: &Scenario, field: &str) -> String {
    let key = format!("glm:{{{}/paper}}:state:strategy-{STRATEGY}", scenario.namespace);
    PLATFORM.redis(&["hget", &key, field])
}

fn no_worker_is_left(scenario: &Scenario, seconds: u64) {
    await_that("no worker's pod is left", seconds, || {
        match scenario.pod_of("strategy", STRATEGY) {
            None if scenario
                .list(Kind::Pod)
                .iter()
                .all(|pod| pod["metadata"]["labels"]["app.kubernetes.io/component"] != "strategy") =>
            {
                Ok(())
            }
            _ => Err("it is there"),
        }
        .map_err(str::to_owned)
    });
}

#[test]
fn a_deleted_strategy_is_gone_and_its_ledger_closed() {
    let scenario = Scenario::of(&PLATFORM, "plain");
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    assert_eq!(record(&scenario, "_closed"), "");
    scenario.kubectl(&["delete", RESOURCE, "--wait=false"]);
    scenario.await_gone(Kind::Strategy, STRATEGY, GONE_SECONDS);
    no_worker_is_left(&scenario, 40);
    assert_ne!(record(&scenario, "_closed"), "", "the ledger is open");
}

#[test]
fn foreground_deletion_is_no_slower_and_orphans_nothing() {
    let scenario = Scenario::of(&PLATFORM, "foreground");
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    scenario.kubectl(&["delete", RESOURCE, "--cascade=foreground", "--wait=false"]);
    scenario.await_gone(Kind::Strategy, STRATEGY, GONE_SECONDS);
    no_worker_is_left(&scenario, 40);
    assert_ne!(record(&scenario, "_closed"), "", "the ledger is open");
}

#[test]
fn a_strategy_whose_worker_is_frozen_is_deleted_all_the_same() {
    let scenario = Scenario::of(&PLATFORM, "frozen");
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    signal_container(&scenario.pod_of("strategy", STRATEGY).expect("there is a worker"), "SIGSTOP");
    scenario.kubectl(&["delete", RESOURCE, "--wait=false"]);
    scenario.await_gone(Kind::Strategy, STRATEGY, GONE_SECONDS);
    // It cannot hear SIGTERM: the node kills it after its grace.
    no_worker_is_left(&scenario, 60);
    assert_ne!(record(&scenario, "_closed"), "", "the ledger is open");
}

#[test]
fn a_strategy_made_again_under_its_name_begins_anew() {
    let scenario = Scenario::of(&PLATFORM, "again");
    scenario.apply(&quickstart());
    let first = scenario.await_trading(STRATEGY);
    scenario.kubectl(&["delete", "ts,tacct", "--all", "--timeout=90s"]);
    scenario.apply(&quickstart());
    let second = scenario.await_trading(STRATEGY);
    assert_ne!(
        first["status"]["ledger"]["id"], second["status"]["ledger"]["id"],
        "the closed ledger was taken up again"
    );
}

#[test]
fn a_namespace_that_is_deleted_is_released_and_its_ledgers_are_closed() {
    let scenario = Scenario::of(&PLATFORM, "namespace");
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    let released = PLATFORM.counted("released_namespaces_total");
    kubectl(&["delete", "namespace", &scenario.namespace, "--wait=false"]);
    // Kubernetes takes the pods first, and looks again when part of their grace has passed.
    scenario.await_gone(Kind::Strategy, STRATEGY, 120);
    scenario.await_gone(Kind::Account, "paper", 120);
    await_that("the namespace is gone", 120, || {
        match try_run("kubectl", &["get", "namespace", &scenario.namespace], "") {
            Err(answer) if answer.contains("NotFound") => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    });
    assert!(
        PLATFORM.counted("released_namespaces_total") >= released + 2,
        "a release without an orderly end is counted"
    );
}
