//! A strategy and its account changed by their user, and the pods touched by others.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::cluster::manifest::{edit, part, quickstart, watcher};
use tests::cluster::{
    Kind, Platform, PodHistory, Scenario, await_that, condition, is_of_epoch, kubectl, number, run, text,
};

const STRATEGY: &str = "grid-btc-1";
const RESOURCE: &str = "ts/grid-btc-1";
/// An edit that takes a new pod.
const RULES: &str =
    r#"{"spec":{"instruments":[{"symbol":"BTC/USDT","rules":{"tickSize":"0.01","lotSize":"0.0001"}}]}}"#;

static PLATFORM: LazyLock<Platform> = LazyLock::new(|| {
    Platform::install("changes", &["spec", "edits", "state", "account", "quota", "labels", "foreign"], &[])
});

fn ready(object: &Value, word: &str) -> bool {
    condition(object, "Ready").starts_with(word)
}

fn pods_of(scenario: &Scenario) -> Vec<Value> {
    let mine = |pod: &Value| text(pod, "/metadata/name").starts_with("strategy-");
    scenario.list(Kind::Pod).into_iter().filter(mine).collect()
}

#[test]
fn an_edited_rule_makes_exactly_one_new_pod_an_edited_parameter_and_a_bad_spec_none() {
    let scenario = Scenario::of(&PLATFORM, "spec");
    let mut history = PodHistory::begin(&scenario.namespace);
    scenario.apply(&quickstart());
    let before = scenario.await_trading(STRATEGY);
    let uid = || pods_of(&scenario).iter().map(|pod| text(pod, "/metadata/uid")).collect::<Vec<_>>();
    let (first, edited) = (uid(), Instant::now());
    scenario.apply(&edit(&quickstart(), "gridSizePercent: 2 ", "gridSizePercent: 1 "));
    let after = scenario.await_strategy(STRATEGY, "generation 2 trades", 180, |strategy| {
        number(strategy, "/status/appliedGeneration") == 2
            && ready(strategy, "True Trading")
            && text(strategy, "/status/strategy/gridSizePercent") == "1"
    });
    println!("an edited parameter trades after {:?}", edited.elapsed());
    assert_eq!((number(&after, "/status/epoch"), uid()), (1, first), "it is the same pod");
    assert_eq!(text(&after, "/status/ledger"), text(&before, "/status/ledger"));
    scenario.patch(RESOURCE, RULES);
    let after = scenario.await_strategy(STRATEGY, "generation 3 trades", 180, |strategy| {
        number(strategy, "/status/appliedGeneration") == 3 && ready(strategy, "True Trading")
    });
    assert_eq!(
        (number(&after, "/status/epoch"), text(&after, "/status/strategy/gridSizePercent")),
        (2, "1".to_owned())
    );
    assert_eq!(text(&after, "/status/ledger"), text(&before, "/status/ledger"));
    // Without rules: the API server takes it, the operator refuses it, and nothing that runs is touched.
    let without = r#"{"spec":{"instruments":[{"symbol":"BTC/USDT"}]}}"#;
    scenario.patch(RESOURCE, without);
    let refused = scenario.await_strategy(STRATEGY, "refused", 30, |strategy| {
        condition(strategy, "Accepted").starts_with("False NoInstrumentRules")
    });
    let accepted = condition(&refused, "Accepted");
    assert!(accepted.contains("spec.instruments[0].rules") && accepted.contains("write rules"), "{accepted}");
    assert!(condition(&refused, "Stalled").starts_with("True"));
    assert_eq!(pods_of(&scenario).len(), 1, "the running pod went");
    history.expect_one_at_a_time();
    assert_eq!(history.pods_of(&format!("strategy-{STRATEGY}")), 2);
}

/// How long that took is told as a user sees it: from the end of `kubectl patch` to that of a `kubectl wait` for its generation
/// to be followed, so with the start of a program.
#[test]
fn twenty_edits_in_a_row_are_each_followed_by_the_pod_that_runs() {
    let scenario = Scenario::of(&PLATFORM, "edits");
    let mut history = PodHistory::begin(&scenario.namespace);
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    let uid = || pods_of(&scenario).iter().map(|pod| text(pod, "/metadata/uid")).collect::<Vec<_>>();
    let first = uid();
    let mut took: Vec<Duration> = (2..=21)
        .map(|generation| {
            let size = generation % 3 + 1;
            scenario.patch(RESOURCE, &format!(r#"{{"spec":{{"strategy":{{"grid":{{"gridSizePercent":{size}}}}}}}}}"#));
            let edited = Instant::now();
            let followed = format!("--for=jsonpath={{.status.appliedGeneration}}={generation}");
            scenario.kubectl(&["wait", RESOURCE, &followed, "--timeout=60s"]);
            edited.elapsed()
        })
        .collect();
    took.sort();
    println!("20 edits were followed: p50 {:?}, max {:?}", took[took.len() / 2], took[took.len() - 1]);
    assert_eq!(uid(), first, "it is the same pod");
    assert_eq!(history.pods_of(&format!("strategy-{STRATEGY}")), 1);
    // The last of them is what it trades by.
    scenario.await_strategy(STRATEGY, "the size of generation 21", 60, |strategy| {
        text(strategy, "/status/strategy/gridSizePercent") == "1" && ready(strategy, "True Trading")
    });
}

#[test]
fn the_state_is_paused_stopped_and_running_as_asked() {
    let scenario = Scenario::of(&PLATFORM, "state");
    let mut history = PodHistory::begin(&scenario.namespace);
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    scenario.patch(RESOURCE, r#"{"spec":{"state":"Paused"}}"#);
    let paused = scenario.await_strategy(STRATEGY, "Paused", 30, |strategy| {
        text(strategy, "/status/state") == "Paused" && ready(strategy, "True Paused")
    });
    assert_eq!(number(&paused, "/status/epoch"), 1, "a pause needs no new pod");
    scenario.patch(RESOURCE, r#"{"spec":{"state":"Running"}}"#);
    scenario.await_trading(STRATEGY);
    assert_eq!(history.pods_of(&format!("strategy-{STRATEGY}")), 1);
    scenario.patch(RESOURCE, r#"{"spec":{"state":"Stopped"}}"#);
    let stopped = scenario.await_strategy(STRATEGY, "Stopped", 180, |strategy| {
        text(strategy, "/status/state") == "Stopped" && ready(strategy, "True Stopped")
    });
    assert_eq!(pods_of(&scenario).len(), 0, "a stopped strategy has no pod");
    scenario.patch(RESOURCE, r#"{"spec":{"state":"Running"}}"#);
    let running = scenario.await_trading(STRATEGY);
    assert_eq!(number(&running, "/status/epoch"), 2);
    assert_eq!(text(&running, "/status/ledger"), text(&stopped, "/status/ledger"));
    history.expect_one_at_a_time();
}

#[test]
fn an_account_is_held_by_its_strategies_and_names_them() {
    let scenario = Scenario::of(&PLATFORM, "account");
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    scenario.kubectl(&["delete", "tacct/paper", "--wait=false"]);
    let held = scenario.await_object((Kind::Account, "paper"), "InUse", 30, |account| ready(account, "False InUse"));
    assert!(condition(&held, "Ready").contains(STRATEGY), "{}", condition(&held, "Ready"));
    scenario.kubectl(&["delete", RESOURCE, "--wait=false"]);
    scenario.await_gone(Kind::Strategy, STRATEGY, 60);
    scenario.await_gone(Kind::Account, "paper", 60);
    await_that("no pod is left", 180, || {
        let pods = scenario.list(Kind::Pod).len();
        if pods == 0 { Ok(()) } else { Err(format!("{pods} pods")) }
    });
}

#[test]
fn a_quota_that_is_exceeded_is_named_and_lifted() {
    let scenario = Scenario::of(&PLATFORM, "quota");
    scenario.kubectl(&["create", "quota", "none", "--hard=pods=0"]);
    scenario.apply(&quickstart());
    scenario.await_strategy(STRATEGY, "PodBlocked", 180, |strategy| {
        ready(strategy, "False PodBlocked") && condition(strategy, "Ready").contains("exceeded quota")
    });
    scenario.await_object((Kind::Account, "paper"), "PodBlocked", 180, |account| {
        ready(account, "False PodBlocked") && condition(account, "Ready").contains("exceeded quota")
    });
    scenario.kubectl(&["delete", "quota", "none"]);
    let running = scenario.await_trading(STRATEGY);
    assert_eq!(number(&running, "/status/epoch"), 1, "attempts that made no pod cost no epoch");
}

#[test]
fn a_missing_image_is_named_and_a_new_one_taken() {
    let platform = Platform::install("image", &["missing"], &[]);
    let scenario = Scenario::of(&platform, "missing");
    let deployment = ["-n", &platform.namespace, "set", "env", "deployment/glm-operator"];
    let set = |image: &str| kubectl(&deployment.into_iter().chain([image]).collect::<Vec<_>>());
    set("GLM_IMAGE=localhost/glm:missing");
    platform.await_ready();
    scenario.apply(&quickstart());
    let blocked = scenario.await_strategy(STRATEGY, "PodBlocked", 90, |strategy| ready(strategy, "False PodBlocked"));
    let told = condition(&blocked, "Ready");
    assert!(told.contains("localhost/glm:missing") || told.contains("ImagePull"), "{told}");
    set("GLM_IMAGE=localhost/glm:dev");
    scenario.await_trading(STRATEGY);
}

#[test]
fn pods_that_others_edit_are_still_found_and_never_doubled() {
    let scenario = Scenario::of(&PLATFORM, "labels");
    let mut history = PodHistory::begin(&scenario.namespace);
    scenario.apply(&quickstart());
    scenario.await_trading(STRATEGY);
    let pod = format!("pod/strategy-{STRATEGY}-1");
    // Without a label by which it could be found.
    let labels = ["app.kubernetes.io/managed-by-", "glm.trading/owner-uid-", "glm.trading/epoch=9", "stray=yes"];
    scenario.kubectl(&["label", "--overwrite", &pod].into_iter().chain(labels).collect::<Vec<_>>());
    // Something that wakes the operator, and which it must apply.
    scenario.patch(RESOURCE, RULES);
    let after = scenario.await_strategy(STRATEGY, "generation 2 trades", 90, |strategy| {
        number(strategy, "/status/appliedGeneration") == 2 && ready(strategy, "True Trading")
    });
    assert_eq!(number(&after, "/status/epoch"), 2);
    // A pod that no longer is what it was made from is replaced.
    let pod = format!("pod/strategy-{STRATEGY}-2");
    scenario.kubectl(&["annotate", "--overwrite", &pod, "glm.trading/digest=other"]);
    scenario.await_strategy(STRATEGY, "epoch 3 trades", 180, |strategy| {
        is_of_epoch(strategy, 3) && ready(strategy, "True Trading")
    });
    history.expect_one_at_a_time();
    assert_eq!(history.pods_of(&format!("strategy-{STRATEGY}")), 3);
}

#[test]
fn a_foreign_pod_of_the_expected_name_is_left_alone_and_passed_over() {
    let scenario = Scenario::of(&PLATFORM, "foreign");
    let foreign = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: strategy-{STRATEGY}-1}}, spec: {{securityContext: {{runAsNonRoot: true, \
         runAsUser: 65532, seccompProfile: {{type: RuntimeDefault}}}}, automountServiceAccountToken: false, containers: [{{name: \
         foreign, image: 'localhost/pause:1', imagePullPolicy: Never, securityContext: {{allowPrivilegeEscalation: false, \
         capabilities: {{drop: [ALL]}}}}}}]}}}}"
    );
    run("kubectl", &["-n", &scenario.namespace, "apply", "-f", "-"], &foreign);
    scenario.apply(&part(&quickstart(), "TradingAccount"));
    scenario.apply(&watcher(STRATEGY));
    let running = scenario.await_trading(STRATEGY);
    assert_eq!(text(&running, "/status/worker/pod"), format!("strategy-{STRATEGY}-2"));
    let pods = pods_of(&scenario);
    let names: Vec<_> = pods.iter().map(|pod| text(pod, "/metadata/name")).collect();
    assert_eq!(names, [format!("strategy-{STRATEGY}-1"), format!("strategy-{STRATEGY}-2")]);
    scenario.kubectl(&["delete", RESOURCE, "--timeout=60s"]);
    assert!(scenario.get(Kind::Pod, &names[0]).is_some(), "the foreign pod was deleted");
}
