//! How the fleet stands, and whether the operator knows all of it.

use std::sync::Arc;

use axum::http::StatusCode;
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::{Moves, ask, assert_labelled, assert_moved, figures};
use crate::known::Caches;
use crate::metrics::{Kind, Metrics, Process};
use crate::names::Role;
use crate::placement::{PodFacts, RecordFacts, Stored};
use crate::{GuardedAccount, GuardedStrategy};

fn strategy(name: &str, change: impl FnOnce(&mut Value)) -> GuardedStrategy {
    let mut strategy = json!({
        "apiVersion": crds::API_VERSION, "kind": "TradingStrategy",
        "metadata": {"name": name, "namespace": "desk", "uid": name},
        "spec": {
            "accountRef": {"name": "paper"}, "instruments": [{"symbol": "BTC/USDT"}],
            "capital": {"USDT": "500"}, "strategy": {"grid": {"levelPercent": "1"}},
        },
        "status": {"state": "Running"},
    });
    change(&mut strategy);
    serde_json::from_value(strategy).unwrap()
}

fn account() -> GuardedAccount {
    let account = json!({
        "apiVersion": crds::API_VERSION, "kind": "TradingAccount",
        "metadata": {"name": "paper", "namespace": "desk", "uid": "a1"},
        "spec": {"venue": {"paper": {"balances": {"USDT": "1000"}}}, "marketData": {"replay": {"file": "ticks.csv"}}},
    });
    serde_json::from_value(account).unwrap()
}

/// A watch tells of all that there is.
fn fill<K>(writer: &mut Writer<K>, all: impl IntoIterator<Item = K>)
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    writer.apply_watcher_event(&Event::Init);
    for one in all {
        writer.apply_watcher_event(&Event::InitApply(one));
    }
    writer.apply_watcher_event(&Event::InitDone);
}

fn known(metrics: &Metrics) -> (Writer<GuardedStrategy>, Writer<GuardedAccount>) {
    let ((strategies, strategy_writer), (accounts, account_writer)) = (reflector::store(), reflector::store());
    metrics.keep("desk", (strategies, accounts), Caches::default());
    (strategy_writer, account_writer)
}

/// One object with one pod.
pub(super) fn stand(metrics: &Metrics) -> impl Sized + use<> {
    let (mut strategies, accounts) = known(metrics);
    fill(&mut strategies, [strategy("one", |_| {})]);
    let pod = PodFacts { owned: true, ..PodFacts::default() };
    metrics.saw((Kind::Strategy, "desk", "one"), [Process::new(Role::Strategy, [&pod], &Stored::Missing)]);
    (strategies, accounts)
}

#[tokio::test]
async fn it_is_ready_once_it_knows_all_of_every_namespace_and_says_what_it_waits_for() {
    let metrics = Metrics::default();
    let unready = async || {
        let (status, text) = ask(&metrics, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
        text
    };
    assert_eq!(unready().await, "not ready: no namespace is watched yet\n");
    let known = Caches::default();
    metrics.keep("desk", (reflector::store().0, reflector::store().0), known.clone());
    known.strategies.tell();
    assert_eq!(unready().await, "not ready: tradingaccounts of desk are not read yet\n");
    let mut moves = Moves::from_now(&metrics).await;
    metrics.watch_failed("tradingaccounts", "desk", "forbidden".to_owned());
    assert_moved!(moves, (r#"watch_errors_total{resource="tradingaccounts"}"#, 1.0));
    assert_eq!(unready().await, "not ready: tradingaccounts of desk are not read yet: forbidden\n");
    known.accounts.tell();
    assert_eq!(ask(&metrics, "/readyz").await, (StatusCode::OK, "ready\n".to_owned()));
    // A watch that breaks later takes nothing of what is known.
    metrics.watch_failed("tradingaccounts", "desk", "gone".to_owned());
    assert_eq!(ask(&metrics, "/readyz").await.0, StatusCode::OK);
    assert_labelled(&figures(&metrics).await);
}

#[tokio::test]
async fn objects_stand_under_the_state_of_their_status() {
    let metrics = Metrics::default();
    let (mut strategies, mut accounts) = known(&metrics);
    let mut moves = Moves::from_now(&metrics).await;
    let unreadable = strategy("broken", |object| object["spec"] = json!({"capital": 7}));
    assert!(unreadable.0.is_err());
    fill(&mut strategies, [strategy("one", |_| {}), strategy("two", |_| {}), unreadable]);
    fill(&mut accounts, [account()]);
    assert_moved!(
        moves,
        (r#"objects{kind="TradingStrategy",state="Running"}"#, 2.0),
        (r#"objects{kind="TradingStrategy",state="Unreadable"}"#, 1.0),
        (r#"objects{kind="TradingAccount",state="Pending"}"#, 1.0)
    );
    strategies
        .apply_watcher_event(&Event::Apply(strategy("two", |object| object["status"]["state"] = json!("Paused"))));
    assert_moved!(
        moves,
        (r#"objects{kind="TradingStrategy",state="Running"}"#, -1.0),
        (r#"objects{kind="TradingStrategy",state="Paused"}"#, 1.0)
    );
    strategies.apply_watcher_event(&Event::Delete(strategy("two", |_| {})));
    assert_moved!(moves, (r#"objects{kind="TradingStrategy",state="Paused"}"#, -1.0));
    assert_labelled(&figures(&metrics).await);
}

#[tokio::test]
async fn pods_stand_under_how_they_are_and_leave_with_their_object() {
    let metrics = Metrics::default();
    let (mut strategies, _accounts) = known(&metrics);
    fill(&mut strategies, [strategy("one", |_| {})]);
    let mut moves = Moves::from_now(&metrics).await;
    let own = || PodFacts { owned: true, epoch: 3, ..PodFacts::default() };
    let pods = [
        PodFacts { ready: true, ..own() },
        own(),
        PodFacts { waiting: Some("ImagePullBackOff".to_owned()), ..own() },
        PodFacts { ended: true, ..own() },
        PodFacts { deleting: true, ready: true, ..own() },
        PodFacts { owned: false, ready: true, ..own() },
    ];
    let saw = |name: &str, pods: &[PodFacts], stored: &Stored| {
        metrics.saw((Kind::Strategy, "desk", name), [Process::new(Role::Strategy, pods, stored)]);
    };
    saw("one", &pods, &Stored::Missing);
    let each = ["Ready", "Starting", "Waiting", "Ended", "Deleting"];
    let each = each.map(|state| format!(r#"pods{{role="strategy",state="{state}"}}"#));
    let now = figures(&metrics).await;
    moves.are(now, &each.each_ref().map(|name| (name.as_str(), 1.0)));

    // A ready one that should have shown that it lives; others than the present one say nothing of it.
    let record = |epoch, seen_ms| RecordFacts { epoch, seen_ms, now_ms: 100_000, ..RecordFacts::default() };
    for (record, silent) in [(record(3, 69_999), 1.0), (record(3, 70_000), -1.0)] {
        saw("one", &pods, &Stored::Found(Arc::new(record)));
        assert_moved!(moves, (r#"silent{role="strategy"}"#, silent));
    }
    saw("one", &pods, &Stored::Found(Arc::new(record(2, 1))));
    assert_moved!(moves,);
    saw("one", &[], &Stored::Found(Arc::new(record(3, 1))));
    let now = figures(&metrics).await;
    moves.are(now, &each.each_ref().map(|name| (name.as_str(), -1.0)));
    saw("one", &pods[..1], &Stored::Missing);
    saw("nobody", &pods[..1], &Stored::Missing);
    assert_moved!(moves, (r#"pods{role="strategy",state="Ready"}"#, 1.0));
    strategies.apply_watcher_event(&Event::Delete(strategy("one", |_| {})));
    let before = &moves.before;
    assert!(before.contains_key(r#"glm_operator_pods{role="strategy",state="Ready"}"#), "{before:?}");
    assert_moved!(
        moves,
        (r#"pods{role="strategy",state="Ready"}"#, -1.0),
        (r#"objects{kind="TradingStrategy",state="Running"}"#, -1.0)
    );
    assert_labelled(&figures(&metrics).await);
}
