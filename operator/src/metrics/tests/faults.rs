//! Reconciles, calls to the store, Events and the log.

use std::future::ready;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Keys, MemoryBus, MessageBus as _, Owner, RedisBus, Scope, StateStore as _, StreamId};
use crds::condition::{Condition, ConditionStatus, READY};
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::api::ObjectMeta;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::requests::answering;
use super::{Moves, assert_labelled, assert_moved, figures};
use crate::context::Context;
use crate::metrics::{CountedStore, Kind, Metrics, counted};
use crate::{Error, event};

fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some("desk".to_owned()),
        name: Some(name.to_owned()),
        generation: Some(7),
        ..ObjectMeta::default()
    }
}

#[tokio::test]
async fn a_reconcile_counts_by_how_it_ended_and_waits_only_after_a_failure() {
    let metrics = Metrics::default();
    let mut moves = Moves::from_now(&metrics).await;
    let ended = |kind, name: &'static str, with: Result<(), Error>| {
        let metrics = &metrics;
        async move { counted(metrics, kind, &named(name), ready(with)).await.is_ok() }
    };
    assert!(ended(Kind::Strategy, "grid", Ok(())).await);
    assert_moved!(
        moves,
        (r#"reconciles_total{kind="TradingStrategy",outcome="Done"}"#, 1.0),
        (r#"reconcile_duration_seconds_count{kind="TradingStrategy",path="whole"}"#, 1.0)
    );
    let away = || Error::Store { action: "read", subject: "grid".to_owned(), why: "it is away".to_owned() };
    assert!(!ended(Kind::Account, "paper", Err(away())).await);
    assert_moved!(
        moves,
        (r#"reconciles_total{kind="TradingAccount",outcome="RedisUnavailable"}"#, 1.0),
        (r#"reconcile_duration_seconds_count{kind="TradingAccount",path="whole"}"#, 1.0),
        (r#"backing_off{kind="TradingAccount"}"#, 1.0)
    );
    assert!(!ended(Kind::Account, "paper", Err(Error::TimedOut { seconds: 30 })).await);
    assert_moved!(
        moves,
        (r#"reconciles_total{kind="TradingAccount",outcome="TimedOut"}"#, 1.0),
        (r#"reconcile_duration_seconds_count{kind="TradingAccount",path="whole"}"#, 1.0)
    );
    assert!(!ended(Kind::Account, "paper", Err(Error::Changed { subject: "paper".to_owned() })).await);
    assert_moved!(
        moves,
        (r#"reconciles_total{kind="TradingAccount",outcome="Changed"}"#, 1.0),
        (r#"reconcile_duration_seconds_count{kind="TradingAccount",path="whole"}"#, 1.0),
        (r#"backing_off{kind="TradingAccount"}"#, -1.0)
    );
    assert!(!ended(Kind::Feed, "binance-spot", Err(away())).await);
    assert_moved!(
        moves,
        (r#"reconciles_total{kind="Feed",outcome="RedisUnavailable"}"#, 1.0),
        (r#"reconcile_duration_seconds_count{kind="Feed",path="whole"}"#, 1.0),
        (r#"backing_off{kind="Feed"}"#, 1.0)
    );
    metrics.forget(Kind::Feed, "desk", "binance-spot");
    assert_moved!(moves, (r#"backing_off{kind="Feed"}"#, -1.0));
    assert_labelled(&figures(&metrics).await);
}

fn owner() -> Owner {
    Keys::new("glm").unwrap().gateway(&Scope::account("desk", "paper").unwrap())
}

/// A call to a store that is not there: nobody listens at this port.
pub(super) async fn ask_nobody(metrics: &Metrics) {
    let away = CountedStore::new(RedisBus::open("redis://127.0.0.1:1").unwrap(), metrics.clone());
    away.record(&owner()).await.unwrap_err();
}

#[tokio::test]
async fn a_call_to_the_store_counts_by_its_name_and_its_answer() {
    let metrics = Metrics::default();
    let mut moves = Moves::from_now(&metrics).await;
    ask_nobody(&metrics).await;
    assert_moved!(moves, (r#"store_requests_total{call="record",outcome="unavailable"}"#, 1.0));
    let store = CountedStore::new(MemoryBus::new(), metrics.clone());
    store.desired(&owner()).await.unwrap();
    store.now_ms().await.unwrap();
    assert_moved!(
        moves,
        (r#"store_requests_total{call="desired",outcome="ok"}"#, 1.0),
        (r#"store_requests_total{call="now_ms",outcome="ok"}"#, 1.0)
    );
    let nothing_comes = [(owner().inbox().clone(), StreamId::ZERO)];
    assert!(store.read(&nothing_comes, 1, Some(Duration::from_mins(1))).now_or_never().is_none());
    assert_moved!(moves, (r#"store_requests_total{call="read",outcome="no_answer"}"#, 1.0));
    assert_labelled(&figures(&metrics).await);
}

/// What a reconcile works with, at an API server of a test and without a store.
fn context(client: &Client, metrics: &Metrics) -> Context {
    let bus = RedisBus::open("redis://127.0.0.1:1").unwrap();
    Context {
        client: client.clone(),
        bus: CountedStore::new(bus, metrics.clone()),
        keys: Keys::new("glm").unwrap(),
        image: crate::strategy::fixture::image(),
        recorder: Recorder::new(client.clone(), Reporter { controller: "test".to_owned(), instance: None }),
        pace: crate::pace::Pace::default(),
        admission: crate::admission::Admission::default(),
        since: crate::since::Since::default(),
        written: crate::written::Written::default(),
        metrics: metrics.clone(),
        strategies: reflector::store().0,
        accounts: reflector::store().0,
        known: crate::known::Caches::default(),
        feeds: crate::feed::Feeds::default(),
    }
}

#[tokio::test]
async fn an_event_that_is_not_taken_is_lost_and_no_other_is() {
    let metrics = Metrics::default();
    let mut moves = Moves::from_now(&metrics).await;
    let reference = ObjectReference { namespace: Some("desk".to_owned()), ..ObjectReference::default() };
    let after = [Condition {
        type_: READY.to_owned(),
        status: ConditionStatus::False,
        reason: "Starting".to_owned(),
        message: "it starts".to_owned(),
        observed_generation: None,
        last_transition_time: "2026-01-01T00:00:00Z".to_owned(),
    }];
    event::tell(&context(&answering(&metrics, 201), &metrics), &reference, &[], &after).await;
    assert_moved!(moves, (r#"api_requests_total{verb="create",resource="events",code="201"}"#, 1.0));
    event::tell(&context(&answering(&metrics, 403), &metrics), &reference, &[], &after).await;
    assert_moved!(
        moves,
        (r#"api_requests_total{verb="create",resource="events",code="403"}"#, 1.0),
        ("events_lost_total", 1.0)
    );
    assert_labelled(&figures(&metrics).await);
}

/// What is written into it is kept.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[test]
fn the_lines_of_a_reconcile_are_found_by_its_object() {
    let kept = Kept::default();
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_span_list(false).with_writer(kept.clone());
    tracing::subscriber::with_default(log.finish(), || {
        let metrics = Metrics::default();
        let look = async {
            tracing::info!("a line of it");
            Ok(())
        };
        let done = counted(&metrics, Kind::Strategy, &named("grid"), look).now_or_never();
        assert!(done.unwrap().is_ok());
        tracing::info!("a line of nobody");
    });
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let span = &lines[0]["span"];
    assert_eq!(
        [&span["name"], &span["kind"], &span["namespace"], &span["object"]],
        ["reconcile", "TradingStrategy", "desk", "grid"]
    );
    assert_eq!(span["generation"], 7);
    assert_eq!(lines[1]["span"], Value::Null);
}
