//! The plan of a live source's feed, one situation after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bus::{Keys, Scope};
use crds::account::Binance;
use crds::roles::{Endpoint, FeedDesired};
use engine::instrument::Symbol;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use super::observe::{Observed, Taker, uid};
use super::plan::{Move, Plan, plan};
use crate::build::Image;
use crate::names::Role;
use crate::observe::{SharedPod, ends};
use crate::placement::{ENDS_MAX, PodFacts, RecordFacts, Standing, Stored};
use crate::strategy::fixture::image;

const SOURCE: &str = "binance-spot";
const NOW: &str = "2026-01-01T00:10:00Z";

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn binance(more: &Value) -> Binance {
    let mut spec = json!({"market": "Spot"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

pub fn reference(uid: &str) -> OwnerReference {
    OwnerReference { uid: uid.to_owned(), controller: Some(false), ..OwnerReference::default() }
}

/// An account with a strategy on each of these markets, named after it.
fn taker(name: &str, reads: &[&str]) -> Taker {
    let reader = |symbol: &&str| (symbol.to_lowercase().replace('/', "-"), symbols(&[symbol]));
    Taker {
        name: name.to_owned(),
        reference: reference(&format!("u-{name}")),
        binance: Some(binance(&json!({}))),
        placed: (0, String::new()),
        readers: reads.iter().map(reader).collect(),
        unrecorded: BTreeMap::new(),
    }
}

pub fn record(epoch: u64) -> RecordFacts {
    RecordFacts { uid: uid("ns", SOURCE), ledger: "abcdef".to_owned(), epoch, ..RecordFacts::default() }
}

pub fn found(record: RecordFacts) -> Stored {
    Stored::Found(Arc::new(record))
}

/// Two accounts, and nothing made for them yet.
fn new() -> Observed {
    Observed {
        namespace: "ns".to_owned(),
        source: SOURCE.to_owned(),
        owner: Keys::new("t").unwrap().feed(&Scope::source("ns", SOURCE).unwrap()),
        takers: vec![taker("a", &["BTC/USDT"]), taker("b", &["BTC/USDT", "ETH/USDT"])],
        register: None,
        registered: FeedDesired::default(),
        stored: Stored::Missing,
        pods: Vec::new(),
        ends: None,
        now: NOW.parse().unwrap(),
    }
}

fn planned(observed: &Observed) -> Plan {
    plan(observed, &image()).unwrap()
}

/// What a look leads to, in the world that a later one sees.
fn carry_out(observed: &mut Observed, moves: &[Move], image: &Image) {
    for next in moves {
        match next {
            Move::Register(told) => observed.registered = (**told).clone(),
            Move::CreateLedger => {
                let is_second = matches!(&observed.stored, Stored::Found(record) if record.ledger == "newone");
                let ledger = if is_second { "second" } else { "newone" }.to_owned();
                observed.stored = found(RecordFacts { ledger, ..record(0) });
            }
            Move::CloseLedger(..) => {
                if let Stored::Found(record) = &mut observed.stored {
                    Arc::make_mut(record).closed = true;
                }
            }
            Move::CreatePod(request, epoch) => {
                let digest = request.digest(image);
                let facts = PodFacts {
                    name: Role::Feed.pod(SOURCE, *epoch),
                    uid: format!("p{epoch}"),
                    epoch: *epoch,
                    owned: true,
                    ready: true,
                    digest,
                    ..PodFacts::default()
                };
                observed.pods.push(SharedPod {
                    facts,
                    owners: request.owners.clone(),
                    resource_version: "1".to_owned(),
                });
                if let Stored::Found(record) = &mut observed.stored {
                    Arc::make_mut(record).epoch = *epoch;
                }
            }
            Move::DeletePod(name, _) => observed.pods.retain(|pod| pod.facts.name != *name),
            Move::Own(name, _, owners) => {
                let pod = observed.pods.iter_mut().find(|pod| pod.facts.name == *name).unwrap();
                pod.owners.clone_from(owners);
            }
        }
    }
    observed.ends = ends(observed.registered.restarts.as_ref(), observed.now);
}

/// Looks until nothing is left to be done; the last plan.
fn settle(observed: &mut Observed) -> Plan {
    for _ in 0..10 {
        let next = planned(observed);
        if next.moves.is_empty() {
            return next;
        }
        carry_out(observed, &next.moves, &image());
    }
    panic!("it does not settle: {observed:?}")
}

/// One that serves both accounts.
fn serving() -> Observed {
    let mut observed = new();
    let plan = settle(&mut observed);
    assert!(matches!(plan.standing, Standing::Ready { .. }), "{plan:?}");
    observed
}

fn names(observed: &Observed) -> Vec<&str> {
    observed.pods.iter().map(|pod| pod.facts.name.as_str()).collect()
}

fn words(plan: &Plan) -> Vec<String> {
    let word = |next: &Move| match next {
        Move::Register(told) => format!("register {}", told.epoch),
        Move::CreateLedger => "open".to_owned(),
        Move::CloseLedger(id, _) => format!("close {id}"),
        Move::CreatePod(_, epoch) => format!("make {epoch}"),
        Move::DeletePod(name, _) => format!("delete {name}"),
        Move::Own(name, _, owners) => format!("own {name} by {}", owners.len()),
    };
    plan.moves.iter().map(word).collect()
}

#[test]
fn two_accounts_share_one_feed_whose_epoch_is_registered_before_its_pod() {
    let mut observed = new();
    assert_eq!(words(&planned(&observed)), ["open"]);
    observed.stored = found(record(0));
    assert_eq!(words(&planned(&observed)), ["register 0", "register 1", "make 1"]);
    // A crash before the pod: the epoch that was recorded is its.
    let before = planned(&observed);
    carry_out(&mut observed, &before.moves[..2], &image());
    assert_eq!(words(&planned(&observed)), ["make 1"]);
    let observed = serving();
    assert_eq!(names(&observed), ["feed-binance-spot-1"]);
    assert_eq!(observed.pods[0].owners, [reference("u-a"), reference("u-b")]);
    let told = serde_json::to_value(&observed.registered).unwrap();
    let reads = json!({"a/btc-usdt": ["BTC/USDT"], "b/btc-usdt": ["BTC/USDT"], "b/eth-usdt": ["ETH/USDT"]});
    assert_eq!(told["readers"], json!(["a/btc-usdt", "b/btc-usdt", "b/eth-usdt"]));
    assert_eq!((&told["symbols"], &told["reads"]), (&json!(["BTC/USDT", "ETH/USDT"]), &reads));
    assert_eq!(told["epoch"], 1);
}

#[test]
fn one_that_leaves_takes_its_reference_and_its_readers_along_and_no_pod() {
    let mut observed = serving();
    observed.takers.remove(1);
    assert_eq!(words(&planned(&observed)), ["register 1", "own feed-binance-spot-1 by 1"]);
    settle(&mut observed);
    assert_eq!((names(&observed), observed.registered.readers.len()), (vec!["feed-binance-spot-1"], 1));
    assert_eq!(observed.registered.markets(), symbols(&["BTC/USDT"]));
    observed.takers.push(taker("c", &[]));
    assert_eq!(words(&planned(&observed)), ["own feed-binance-spot-1 by 2"]);
    // What only the one read has streams still.
    observed.takers.clear();
    let ending = planned(&observed);
    let Some(Move::CloseLedger(_, markets)) = ending.moves.last() else { panic!("{ending:?}") };
    assert_eq!(markets.iter().cloned().collect::<Vec<_>>(), symbols(&["BTC/USDT", "ETH/USDT"]));
}

#[test]
fn after_the_last_one_the_pod_goes_then_ledger_and_streams() {
    let mut observed = serving();
    observed.takers.clear();
    let ending = planned(&observed);
    assert_eq!(words(&ending), ["register 1", "delete feed-binance-spot-1", "close newone"]);
    let both: BTreeSet<Symbol> = symbols(&["BTC/USDT", "ETH/USDT"]).into_iter().collect();
    assert!(matches!(&ending.moves[2], Move::CloseLedger(_, markets) if *markets == both), "{ending:?}");
    assert!(!ending.is_over);
    let mut away = observed.clone();
    away.stored = Stored::Away("no answer".to_owned());
    assert!(!planned(&away).is_over, "nobody can say that it is closed");
    assert!(settle(&mut observed).is_over && observed.pods.is_empty());
    // Who comes back finds a new ledger, and an epoch beyond the old one.
    observed.takers.push(taker("a", &["BTC/USDT"]));
    settle(&mut observed);
    assert_eq!(names(&observed), ["feed-binance-spot-2"]);
}

#[test]
fn while_nobody_reads_there_is_no_pod_and_the_ledger_stays() {
    let mut observed = serving();
    observed.takers.iter_mut().for_each(|taker| taker.readers.clear());
    let plan = settle(&mut observed);
    assert_eq!((plan.standing, plan.is_over), (Standing::Absent, false));
    assert!(observed.pods.is_empty() && observed.ledger().is_some());
    let streamed: Vec<Symbol> = observed.registered.streamed().into_iter().collect();
    assert_eq!(streamed, symbols(&["BTC/USDT", "ETH/USDT"]), "its streams go with its ledger");
}

#[test]
fn an_epoch_never_goes_back_whatever_is_lost() {
    // The register: the record knows, or the pod that runs, or what an account's status says.
    for (pods, recorded, placed) in [(true, 0, 0), (false, 7, 0), (false, 0, 7), (true, 7, 7)] {
        let mut observed = serving();
        let pod = &mut observed.pods[0].facts;
        (pod.epoch, pod.name) = (7, "feed-binance-spot-7".to_owned());
        observed.takers[0].placed = (placed, String::new());
        observed.registered = FeedDesired::default();
        observed.stored = found(RecordFacts { ledger: "other".to_owned(), ..record(recorded) });
        if !pods {
            observed.pods.clear();
        }
        settle(&mut observed);
        assert_eq!(names(&observed), ["feed-binance-spot-8"], "{pods} {recorded} {placed}");
        assert_eq!(observed.registered.epoch, 8);
    }
}

#[test]
fn pods_ahead_of_the_register_move_it_and_nobody_uses_epochs_up() {
    let mut observed = serving();
    observed.registered.epoch = 0;
    assert_eq!(words(&planned(&observed)), ["register 1"], "the pod that runs goes on");
    let pod = &mut observed.pods[0].facts;
    (pod.epoch, pod.owned) = (u64::MAX - 1, false);
    assert_eq!(words(&planned(&observed)).last().unwrap(), "make 2");
    observed.pods[0].facts.owned = true;
    settle(&mut observed);
    assert_eq!(names(&observed), ["feed-binance-spot-2"]);
}

#[test]
fn a_lost_or_strange_ledger_is_remade_without_a_human() {
    let stranger = || found(RecordFacts { uid: "somebody".to_owned(), ..record(3) });
    for (stored, first) in [(Stored::Missing, vec!["open"]), (stranger(), vec!["close abcdef", "open"])] {
        let mut observed = serving();
        observed.stored = stored;
        assert_eq!(words(&planned(&observed)), first);
        settle(&mut observed);
        assert_eq!(observed.ledger().unwrap().id, "newone");
        assert_eq!(names(&observed).len(), 1);
    }
    let mut lost = serving();
    lost.stored = found(RecordFacts { ledger: "second".to_owned(), ..record(0) });
    assert_eq!(words(&planned(&lost)), ["delete feed-binance-spot-1"], "its pod has another ledger");
    settle(&mut lost);
    assert_eq!(names(&lost), ["feed-binance-spot-2"]);
}

#[test]
fn a_store_that_is_away_changes_nothing() {
    let mut observed = serving();
    (observed.stored, observed.registered) = (Stored::Away("no answer".to_owned()), FeedDesired::default());
    let plan = planned(&observed);
    assert_eq!(
        (words(&plan), plan.standing),
        (Vec::<String>::new(), Standing::StoreAway { why: "no answer".to_owned() })
    );
}

#[test]
fn ends_are_counted_in_the_register_with_growing_pauses_up_to_a_human() {
    let mut observed = serving();
    let mut now: k8s_openapi::jiff::Timestamp = NOW.parse().unwrap();
    for count in 1..=ENDS_MAX {
        let pod = &mut observed.pods[0].facts;
        (pod.ready, pod.last_exit, pod.last_words) = (false, Some(4), "no such host".to_owned());
        observed.now = now;
        let next = planned(&observed);
        carry_out(&mut observed, &next.moves, &image());
        assert_eq!(observed.registered.restarts.as_ref().map(|restarts| restarts.count), Some(count));
        assert_eq!(names(&observed), Vec::<&str>::new());
        let waits = planned(&observed);
        assert_eq!(words(&waits), Vec::<String>::new(), "it pauses");
        now = now.checked_add(k8s_openapi::jiff::SignedDuration::from_secs(300)).unwrap();
        observed.ends = ends(observed.registered.restarts.as_ref(), now);
        if count < ENDS_MAX {
            let next = planned(&observed);
            carry_out(&mut observed, &next.moves, &image());
            assert_eq!(names(&observed), [format!("feed-binance-spot-{}", count + 1)]);
        }
    }
    let standing = planned(&observed).standing;
    assert!(
        matches!(&standing, Standing::CrashLoop { count: ENDS_MAX, why } if why.contains("no such host")),
        "{standing:?}"
    );
    // A human's release takes the ends out of the register.
    (observed.registered.restarts, observed.ends) = (None, None);
    assert_eq!(words(&planned(&observed)).last().unwrap(), "make 6");
}

#[test]
fn who_does_not_read_now_keeps_its_place() {
    let mut observed = serving();
    // One strategy of b has no ledger in its status, another does not read, and account a does not either.
    let unrecorded = [("btc-usdt", false), ("eth-usdt", false), ("other", false)];
    observed.takers[1].readers.clear();
    observed.takers[1].unrecorded = unrecorded.map(|(name, gone)| (name.to_owned(), gone)).into();
    observed.takers[0].binance = None;
    assert_eq!(words(&planned(&observed)), Vec::<String>::new());
    // One that is being deleted reads no more.
    observed.takers[1].unrecorded.insert("eth-usdt".to_owned(), true);
    settle(&mut observed);
    assert_eq!(observed.registered.readers, ["a/btc-usdt", "b/btc-usdt"]);
    // Without any that tells the way to the venue, what runs goes on.
    observed.takers[1].binance = None;
    let plan = planned(&observed);
    assert!(plan.moves.is_empty() && matches!(plan.standing, Standing::Ready { .. }), "{plan:?}");
}

#[test]
fn a_proxys_secret_is_referred_to_by_its_pod_and_an_accounts_own_goes_before_the_installations() {
    let image = Image { proxy_secret: Some("of-all".to_owned()), ..image() };
    for (way, secret) in [
        (json!({}), Some("of-all")),
        (json!({"proxy": {"secretRef": {"name": "own"}}}), Some("own")),
        (json!({"proxy": {"url": "http://p:1"}}), None),
    ] {
        let mut observed = new();
        observed.takers.iter_mut().for_each(|taker| taker.binance = Some(binance(&way)));
        observed.stored = found(record(0));
        let plan = plan(&observed, &image).unwrap();
        let Some(Move::CreatePod(request, 1)) = plan.moves.last() else { panic!("{plan:?}") };
        let told: Value = serde_json::from_str(&request.spec).unwrap();
        assert_eq!((request.proxy_secret.as_deref(), told["proxySecret"].as_str()), (secret, secret), "{way}");
    }
}

#[test]
fn an_endpoint_is_told_by_its_hosts_and_one_that_is_not_known_changes_nothing() {
    let mut observed = new();
    let way = json!({"endpoint": "local", "proxy": {"url": "http://p:1"}});
    observed.takers.iter_mut().for_each(|taker| taker.binance = Some(binance(&way)));
    observed.stored = found(record(0));
    assert_eq!(words(&planned(&observed)), ["register 0"]);
    let hosts = Endpoint { rest: "http://h:1".to_owned(), stream: "ws://h:1".to_owned() };
    let image = Image { endpoints: BTreeMap::from([("local".to_owned(), hosts)]), ..image() };
    let plan = plan(&observed, &image).unwrap();
    let Some(Move::CreatePod(request, 1)) = plan.moves.last() else { panic!("{plan:?}") };
    let told: Value = serde_json::from_str(&request.spec).unwrap();
    assert_eq!(told["hosts"], json!({"rest": "http://h:1", "stream": "ws://h:1"}));
    assert_eq!((&told["source"], &told["binance"]["proxy"]["url"]), (&json!(SOURCE), &json!("http://p:1")));
    carry_out(&mut observed, &plan.moves, &image);
    // The installation forgets it: what runs goes on.
    let plan = planned(&observed);
    assert!(plan.moves.is_empty() && matches!(plan.standing, Standing::Ready { .. }), "{plan:?}");
}
