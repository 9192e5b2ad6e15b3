//! The platform as its README says: installed by helm, a strategy applied, looked at, upgraded, uninstalled, and
//! installed again. One story, because each part stands on the one before; and the first in a new cluster, by its name.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::time::Instant;

use serde_json::Value;
use tests::cluster::manifest::QUICKSTART;
use tests::cluster::{Kind, Platform, Scenario, await_that, condition, kubectl, number, run, text, try_run};

const NAMESPACE: &str = "trading";
const STRATEGY: &str = "grid-btc-1";
/// From `kubectl apply` until it trades; two seconds by hand on an idle machine.
const READY_SECONDS: u64 = 30;

/// As charts/glm/README.md says.
fn install(platform: &Platform) {
    // Where other tests ran before in this cluster, their definitions are taken over.
    let others = try_run("kubectl", &["get", "crd", "tradingstrategies.glm.trading"], "").is_ok();
    platform.helm("install", if others { &["--take-ownership"] } else { &[] });
    platform.await_ready();
}

fn quickstart_trades(scenario: &Scenario) -> Value {
    let applied = Instant::now();
    scenario.kubectl(&["apply", "-f", QUICKSTART]);
    scenario.kubectl(&["wait", "--for=condition=Ready", &format!("ts/{STRATEGY}"), "--timeout=30s"]);
    let took = applied.elapsed();
    println!("Ready {:.1} s after kubectl apply", took.as_secs_f64());
    assert!(took.as_secs() < READY_SECONDS, "{took:?}");
    scenario.await_strategy(STRATEGY, "the first trades and their profit", 90, |strategy| {
        number(strategy, "/status/orders/filled") >= 2 && !text(strategy, "/status/pnl/net").is_empty()
    })
}

/// Every pod, the operator's and Redis' too, was admitted where only restricted ones are, and none was refused.
fn every_pod_was_admitted(scenario: &Scenario) {
    let pods = scenario.list(Kind::Pod);
    let components: Vec<String> =
        pods.iter().map(|pod| text(pod, "/metadata/labels/app.kubernetes.io~1component")).collect();
    for component in ["operator", "redis", "strategy", "gateway", "feed"] {
        assert_eq!(components.iter().filter(|found| *found == component).count(), 1, "{component}: {components:?}");
    }
    let events =
        scenario.kubectl(&["get", "events", "-o", "jsonpath={range .items[*]}{.reason} {.message}{'\\n'}{end}"]);
    assert!(!events.contains("violates PodSecurity"), "{events}");
    let token = ["auth", "can-i", "--list", "--as", "system:serviceaccount:trading:glm-worker"];
    let rights = scenario.kubectl(&token);
    assert!(!rights.contains("pods") && !rights.contains("glm.trading"), "{rights}");
}

/// What a user sees.
fn kubectl_tells(scenario: &Scenario) {
    let header = |arguments: &[&str]| {
        let table = scenario.kubectl(arguments);
        table.lines().next().unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let columns = "NAME MODE SYMBOL STATE READY TRADES POSITION NET-PNL ALERT AGE";
    assert_eq!(header(&["get", "ts"]), columns);
    assert_eq!(
        header(&["get", "ts", "-o", "wide"]),
        format!("{columns} ACCOUNT STRATEGY ORDERS EPOCH NODE LAST-TRADE")
    );
    assert_eq!(header(&["get", "tacct"]), "NAME VENUE MODE READY STRATEGIES HALTED AGE");
    let row = scenario.kubectl(&["get", "ts", STRATEGY, "--no-headers"]);
    for word in [STRATEGY, "Paper", "BTC/USDT", "Running", "True", " BTC ", " USDT "] {
        assert!(row.contains(word), "no {word} in {row}");
    }
    let category = scenario.kubectl(&["get", "glm"]);
    assert!(category.contains("tradingaccount") && category.contains("tradingstrategy"), "{category}");
    let described = scenario.kubectl(&["describe", "ts", STRATEGY]);
    for word in ["Net Pnl", "Recent Trades", "Conditions", "glm-operator"] {
        assert!(described.contains(word), "no {word} in {described}");
    }
    let explained = kubectl(&["explain", "ts.spec.strategy.grid.gridSizePercent"]);
    assert!(explained.contains("percent"), "{explained}");
    let explained = kubectl(&["explain", "tacct.spec.marketData.replay"]);
    assert!(explained.contains("speed"), "{explained}");
}

fn uid_of(scenario: &Scenario, component: &str, instance: &str) -> String {
    let pod = scenario.pod_of(component, instance);
    text(&pod.unwrap_or_else(|| panic!("no {component} of {instance}")), "/metadata/uid")
}

/// A new operator; strategies and Redis run on meanwhile, untouched.
fn upgrade(platform: &Platform, scenario: &Scenario) {
    let pods = [("redis", "glm"), ("strategy", STRATEGY), ("gateway", "paper"), ("feed", "paper")];
    let before = pods.map(|(component, instance)| uid_of(scenario, component, instance));
    let operator = uid_of(scenario, "operator", "glm");
    let trades = number(&scenario.get(Kind::Strategy, STRATEGY).expect("it is there"), "/status/orders/filled");
    platform.helm("upgrade", &["--set", "operator.log=debug\\,kube=warn\\,hyper=warn\\,h2=warn"]);
    platform.await_ready();
    assert_ne!(uid_of(scenario, "operator", "glm"), operator, "the upgrade made no new operator");
    scenario.await_strategy(STRATEGY, "trades on after the upgrade", 90, |strategy| {
        number(strategy, "/status/orders/filled") > trades && condition(strategy, "Ready").starts_with("True")
    });
    assert_eq!(pods.map(|(component, instance)| uid_of(scenario, component, instance)), before);
}

/// The resources first, then the release; the definitions stay.
fn uninstall(scenario: &Scenario) {
    let begun = Instant::now();
    scenario.kubectl(&["delete", "tradingstrategies", "--all", "--wait", "--timeout=60s"]);
    scenario.kubectl(&["delete", "tradingaccounts", "--all", "--wait", "--timeout=60s"]);
    println!("resources deleted within {:.1} s", begun.elapsed().as_secs_f64());
    run("helm", &["--namespace", NAMESPACE, "uninstall", "glm", "--wait", "--timeout=60s"], "");
    await_that("no pod is left", 60, || {
        let pods = scenario.list(Kind::Pod);
        if pods.is_empty() { Ok(()) } else { Err(format!("{} pods", pods.len())) }
    });
    let left = scenario.kubectl(&[
        "get",
        "deployments,statefulsets,services,roles,rolebindings,networkpolicies",
        "-o",
        "name",
    ]);
    assert_eq!(left, "", "uninstalling left these");
    kubectl(&["get", "crd", "tradingstrategies.glm.trading", "tradingaccounts.glm.trading"]);
}

#[test]
fn the_platform_is_installed_used_upgraded_uninstalled_and_installed_again() {
    Platform::make_namespace(NAMESPACE);
    let platform = Platform { namespace: NAMESPACE.to_owned() };
    let scenario = Scenario::in_namespace(NAMESPACE, NAMESPACE);
    install(&platform);
    let strategy = quickstart_trades(&scenario);
    assert_eq!(text(&strategy, "/status/appliedGeneration"), "1");
    assert_eq!(text(&strategy, "/status/worker/pod"), format!("strategy-{STRATEGY}-1"));
    every_pod_was_admitted(&scenario);
    kubectl_tells(&scenario);
    upgrade(&platform, &scenario);
    uninstall(&scenario);
    install(&platform);
    let strategy = quickstart_trades(&scenario);
    assert_eq!(text(&strategy, "/status/epoch"), "1", "a new resource on a new Redis begins at the first epoch");
    uninstall(&scenario);
}

#[test]
fn helm_finds_nothing_to_complain_of() {
    run("helm", &["lint", "--strict", "charts/glm"], "");
    run("helm", &["lint", "--strict", "charts/glm", "--values", "charts/glm/values-small.yaml"], "");
}
