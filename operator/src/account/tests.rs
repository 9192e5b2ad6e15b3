//! An account's plan, feed and status, one situation after the other.

use std::collections::BTreeMap;

use bus::{Keys, Scope};
use crds::roles::{BookSpec, GatewayDesired};
use crds::strategy::status::Ledger;
use crds::{TradingAccountStatus, TradingStrategy};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::json;

use super::observe::Observed;
use super::plan::{Move, Plan, plan};
use super::status::{self, Holdings};
use super::validate::{books, validate};
use crate::feed::Shared;
use crate::names::{FINALIZER, LEDGER_ANNOTATION, RELEASE_ANNOTATION, Role};
use crate::placement::{ENDS_MAX, Ends, PodFacts, RecordFacts, Standing, Stored};
use crate::seen::Seen;
use crate::strategy::fixture::{NOW_MS, account, edit, found, image, record, strategy};

const EARLY: &str = "2026-01-01T00:00:00Z";
const LATE: &str = "2026-01-02T00:00:00Z";

fn ledger(id: &str) -> Ledger {
    Ledger { id: id.to_owned(), resource_uid: "u1".to_owned(), started_at: EARLY.to_owned() }
}

fn pod(role: Role, digest: &str) -> PodFacts {
    PodFacts {
        name: role.pod("paper", 3),
        uid: format!("p-{}", role.name()),
        epoch: 3,
        owned: true,
        ready: true,
        digest: digest.to_owned(),
        ..PodFacts::default()
    }
}

/// One that serves a strategy, with its gateway and its feed up.
fn serving() -> Observed {
    let keys = Keys::new("t").unwrap();
    let status = json!({"epoch": 3, "feed": {"source": "replay-paper", "epoch": 3, "pod": "feed-paper-3"}});
    let mut status: TradingAccountStatus = serde_json::from_value(status).unwrap();
    status.ledger = Some(ledger("abcdef"));
    status.feed.as_mut().unwrap().ledger = Some(ledger("abcdef"));
    let mut observed = Observed {
        name: "paper".to_owned(),
        namespace: "ns".to_owned(),
        uid: "u1".to_owned(),
        resource_version: "1".to_owned(),
        generation: 1,
        deleting_since: None,
        finalizers: vec![FINALIZER.to_owned()],
        annotations: BTreeMap::new(),
        spec: account().spec,
        unknown_fields: Vec::new(),
        status,
        owner_reference: OwnerReference::default(),
        reference: ObjectReference::default(),
        source: "replay-paper".to_owned(),
        gateway: keys.gateway(&Scope::account("ns", "paper").unwrap()),
        feed: keys.feed(&Scope::source("ns", "replay-paper").unwrap()),
        gateway_stored: found(record([])),
        feed_stored: found(record([])),
        gateway_pods: Vec::new(),
        feed_pods: Vec::new(),
        strategies: vec![strategy("grid", "BTC/USDT", 3_000, EARLY, Some(EARLY)).into()],
        unreadable: BTreeMap::new(),
        gateway_register: None,
        registered: GatewayDesired::default(),
        feed_register: None,
        kept_books: Vec::new(),
        kept_readers: Vec::new(),
        kept_markets: Vec::new(),
        gateway_ends: None,
        feed_ends: None,
        shared: None,
        knows_endpoint: true,
    };
    let digests = digests(&observed);
    observed.gateway_pods = vec![pod(Role::Gateway, &digests[0])];
    observed.feed_pods = vec![pod(Role::Feed, &digests[1])];
    observed
}

fn planned(observed: &Observed) -> Plan {
    plan(observed, validate(observed).as_ref(), &image()).unwrap()
}

/// What gateway and feed are made from.
fn digests(observed: &Observed) -> Vec<String> {
    let moves = planned(observed).moves;
    moves
        .iter()
        .filter_map(|next| if let Move::Place(request, _) = next { Some(request.digest(&image())) } else { None })
        .collect()
}

/// The steps of both processes, and what is closed, cleared or let go.
fn words(observed: &Observed) -> Vec<String> {
    let word = |next: &Move| match next {
        Move::Finalizers(all) => if all.is_empty() { "release" } else { "hold" }.to_owned(),
        Move::Register(_, _) => String::new(),
        Move::Place(request, steps) => {
            let all: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
            let all: Vec<&str> = all.iter().map(|step| step.split([' ', '(']).next().unwrap_or_default()).collect();
            if all.is_empty() { String::new() } else { format!("{} {}", request.role.name(), all.join("+")) }
        }
        Move::CloseLedger(role, id) => format!("close {} {id}", role.name()),
        Move::RecordFeed(placed) => format!("feed at {}", placed.epoch),
        Move::ForgetFeedEnds => "forget the feed's ends".to_owned(),
        Move::ClearRelease(release) => format!("clear {}", release.refused().is_some()),
    };
    planned(observed).moves.iter().map(word).filter(|word| !word.is_empty()).collect()
}

/// State and Ready in one line.
fn line(observed: &Observed) -> String {
    let (accepted, plan) = (validate(observed), planned(observed));
    let now = "2026-01-01T00:02:00Z".parse().unwrap();
    let told = status::status(observed, accepted.as_ref().err(), &plan, &Holdings::default(), now);
    let ready = told.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
    format!("{:?} {:?} {}", told.state.unwrap(), ready.status, ready.reason)
}

fn readers(observed: &Observed) -> (Vec<String>, Option<String>) {
    let accepted = validate(observed).unwrap();
    (accepted.readers.readers, accepted.feed.map(|feed| feed.symbol.to_string()))
}

#[test]
fn what_serves_is_left_alone() {
    assert_eq!(words(&serving()), Vec::<String>::new());
    assert_eq!(line(&serving()), "Running True Available");
}

#[test]
fn the_feed_is_never_made_anew_for_a_neighbour_of_another_symbol() {
    let eth = |opened| strategy("aaa", "ETH/USDT", 1, EARLY, opened);
    for neighbour in [eth(None), eth(Some(LATE))] {
        let mut observed = serving();
        observed.strategies.insert(0, neighbour.into());
        assert_eq!(readers(&observed), (vec!["grid".to_owned()], Some("BTC/USDT".to_owned())));
        assert_eq!(words(&observed), Vec::<String>::new());
    }
    // Its symbol is fixed by who has stopped, too: nobody else's prices come in the meantime.
    let mut observed = serving();
    let stopped = |strategy: &TradingStrategy| {
        let mut all = serde_json::to_value(strategy).unwrap();
        all["spec"]["state"] = json!("Stopped");
        serde_json::from_value(all).unwrap()
    };
    observed.strategies = vec![eth(Some(LATE)).into(), stopped(&observed.strategies[0])];
    assert_eq!(readers(&observed), (Vec::new(), None));
}

#[test]
fn who_does_not_read_any_more_keeps_its_feed_from_a_neighbour_of_another_symbol() {
    let eth = Seen::from(strategy("aaa", "ETH/USDT", 1, EARLY, Some(LATE)));
    let btc = vec!["BTC/USDT".parse().unwrap()];
    let mut observed = serving();
    observed.kept_markets = btc.clone();
    observed.kept_readers = vec!["grid".to_owned()];
    observed.strategies = vec![eth.clone()];
    assert_eq!(readers(&observed), (vec!["grid".to_owned()], None));
    assert_eq!(words(&observed), Vec::<String>::new());
    // One that reads goes on beside it.
    observed.strategies.push(strategy("zzz", "BTC/USDT", 1, EARLY, Some(LATE)).into());
    assert_eq!(readers(&observed), (vec!["grid".to_owned(), "zzz".to_owned()], Some("BTC/USDT".to_owned())));
    assert_eq!(words(&observed), Vec::<String>::new());
    // It had stopped; its book is there until it is closed.
    let mut observed = Observed { kept_markets: btc, strategies: vec![eth], ..serving() };
    let book = books(&serving()).books.remove(0);
    observed.kept_books = vec![book.clone()];
    assert_eq!(readers(&observed), (Vec::new(), None));
    observed.kept_books = vec![book.with_stance(crds::roles::Stance::Closed)];
    assert_eq!(readers(&observed).1.as_deref(), Some("ETH/USDT"));
}

/// An account whose files name their markets, and strategies that trade one, two, and one that it does not have.
#[test]
fn files_fix_the_markets_and_each_reader_says_which_it_reads() {
    let mut observed = serving();
    observed.spec = serde_json::from_value(json!({
        "venue": {"paper": {"balances": {"USDT": 10000}}},
        "marketData": {"replay": {"files": [
            {"symbol": "ETH/USDT", "file": "eth.csv"}, {"symbol": "BTC/USDT", "file": "btc.csv"},
        ]}},
    }))
    .unwrap();
    let mut both = serde_json::to_value(strategy("pair", "ETH/USDT", 1, EARLY, Some(LATE))).unwrap();
    both["spec"]["instruments"] = json!([{"symbol": "ETH/USDT"}, {"symbol": "BTC/USDT"}]);
    observed.strategies.push(serde_json::from_value(both).unwrap());
    observed.strategies.push(strategy("stray", "BNB/USDT", 1, EARLY, Some(LATE)).into());
    let accepted = validate(&observed).unwrap();
    let register = serde_json::to_value(&accepted.readers).unwrap();
    let expected = json!({"readers": ["grid", "pair"], "symbol": "BTC/USDT", "symbols": ["BTC/USDT", "ETH/USDT"],
        "reads": {"grid": ["BTC/USDT"], "pair": ["ETH/USDT", "BTC/USDT"]}});
    assert_eq!(register, expected);
    let feed = serde_json::to_value(accepted.feed.unwrap()).unwrap();
    assert_eq!(feed["files"][0], json!({"symbol": "BTC/USDT", "file": "btc.csv"}));
    assert_eq!((&feed["symbol"], &feed["file"]), (&json!("BTC/USDT"), &json!("btc.csv")));
    // Of one market it is written as the release before reads it.
    let mut one = serving();
    one.spec = serde_json::from_value(json!({
        "venue": {"paper": {"balances": {"USDT": 10000}}},
        "marketData": {"replay": {"files": [{"symbol": "BTC/USDT", "file": "btc.csv"}]}},
    }))
    .unwrap();
    let accepted = validate(&one).unwrap();
    assert_eq!(serde_json::to_value(&accepted.readers).unwrap(), json!({"readers": ["grid"], "symbol": "BTC/USDT"}));
    let feed = serde_json::to_value(accepted.feed.unwrap()).unwrap();
    assert_eq!((feed.get("files"), &feed["file"]), (None, &json!("btc.csv")));
}

#[test]
fn a_book_stands_as_its_strategy_asks_whatever_else_is_wrong() {
    let mut observed = serving();
    observed.spec.venue.paper = None;
    assert!(validate(&observed).is_err());
    let stances: Vec<_> = books(&observed).books.iter().map(BookSpec::stance).collect();
    assert_eq!(stances, [crds::roles::Stance::Open]);
    observed.strategies[0].metadata.deletion_timestamp = observed.strategies[0].metadata.creation_timestamp.clone();
    let stances: Vec<_> = books(&observed).books.iter().map(BookSpec::stance).collect();
    assert_eq!(stances, [crds::roles::Stance::Closed]);
    // What serves says so, though an edit of it cannot be run.
    assert_eq!(line(&observed), "Running False InvalidSpec");
}

#[test]
fn who_shows_no_sign_of_life_is_named() {
    for (role, word) in [(Role::Gateway, "GatewaySilent"), (Role::Feed, "FeedSilent")] {
        let mut observed = serving();
        let stored = if role == Role::Feed { &mut observed.feed_stored } else { &mut observed.gateway_stored };
        edit(stored, |record| record.seen_ms = NOW_MS - 31_000);
        assert_eq!(line(&observed), format!("Degraded Unknown {word}"));
        // One that is being replaced is on its way.
        let pods = if role == Role::Feed { &mut observed.feed_pods } else { &mut observed.gateway_pods };
        pods[0].deleting = true;
        assert_eq!(line(&observed), "Starting False Starting");
    }
}

#[test]
fn a_crash_loop_of_either_is_released_by_its_count() {
    let ends = |digest: &str| Ends { count: ENDS_MAX, digest: digest.to_owned(), age_s: 999, ..Ends::default() };
    let mut observed = serving();
    observed.feed_ends = Some(ends(&observed.feed_pods.remove(0).digest));
    observed.status.feed.as_mut().unwrap().epoch = 4;
    assert_eq!(words(&observed), Vec::<String>::new());
    assert_eq!(line(&observed), "Quarantined False CrashLoop");
    observed.annotations.insert(RELEASE_ANNOTATION.to_owned(), "CrashLoop 4".to_owned());
    assert_eq!(words(&observed), ["clear true"]);
    observed.annotations.insert(RELEASE_ANNOTATION.to_owned(), "CrashLoop 5".to_owned());
    assert_eq!(words(&observed), ["feed ForgetEnds+CreatePod", "clear false"]);
    // Also while its readers are not known: what is taken off was acted on.
    observed.strategies.clear();
    observed.kept_readers = vec!["grid".to_owned()];
    assert_eq!(words(&observed), ["feed ForgetEnds", "clear false"]);
    observed.annotations.insert(RELEASE_ANNOTATION.to_owned(), "CrashLoop 4".to_owned());
    assert_eq!(words(&observed), ["clear true"]);
}

#[test]
fn an_account_that_nobody_uses_closes_what_is_its_own() {
    let ending = || {
        let mut observed = serving();
        observed.deleting_since = Some(EARLY.parse().unwrap());
        observed.strategies.clear();
        observed
    };
    let all = ["gateway DeletePod", "close gateway abcdef", "feed DeletePod", "close feed abcdef", "release"];
    assert_eq!(words(&ending()), all);
    // Opened a moment ago, and not in the status yet; or another's.
    let mut observed = ending();
    observed.status.ledger = None;
    assert_eq!(words(&observed), all);
    edit(&mut observed.gateway_stored, |record| record.uid = "another".to_owned());
    assert_eq!(words(&observed), ["gateway DeletePod", "feed DeletePod", "close feed abcdef", "release"]);
    observed.gateway_stored = Stored::Away("no".to_owned());
    assert_eq!(words(&observed), ["gateway DeletePod", "feed DeletePod", "close feed abcdef"]);
    // In use: it serves.
    let mut observed = ending();
    observed.strategies = serving().strategies;
    assert_eq!(words(&observed), Vec::<String>::new());
    assert_eq!(line(&observed), "Deleting False InUse");
}

#[test]
fn an_answer_for_an_account_is_one_for_its_feed_too_though_its_readers_are_not_known() {
    let mut observed = serving();
    observed.strategies = vec![strategy("grid", "BTC/USDT", 3_000, EARLY, None).into()];
    observed.kept_readers = vec!["grid".to_owned()];
    assert_eq!(words(&observed), Vec::<String>::new());
    (observed.status.ledger, observed.status.feed) = (None, None);
    for stored in [&mut observed.gateway_stored, &mut observed.feed_stored] {
        edit(stored, |record| record.uid = "another".to_owned());
    }
    for pods in [&mut observed.gateway_pods, &mut observed.feed_pods] {
        pods.clear();
    }
    assert_eq!(line(&observed), "Quarantined False LedgerFound");
    observed.annotations.insert(LEDGER_ANNOTATION.to_owned(), "resume".to_owned());
    assert_eq!(words(&observed), ["gateway RecordLedger+ClearAnswer", "feed RecordLedger+ClearAnswer"]);
}

/// The register that is planned for the gateway.
fn gateway_register(observed: &Observed) -> GatewayDesired {
    let of_gateway = |next| if let Move::Register(Role::Gateway, value) = next { Some(value) } else { None };
    let register = planned(observed).moves.into_iter().find_map(of_gateway);
    serde_json::from_value(register.unwrap()).unwrap()
}

/// `observed` with these limits in its spec.
fn limited(observed: Observed, limits: &serde_json::Value) -> Observed {
    let mut spec = serde_json::to_value(&observed.spec).unwrap();
    spec["limits"] = limits.clone();
    Observed { spec: serde_json::from_value(spec).unwrap(), ..observed }
}

#[test]
fn limits_travel_in_the_register_and_make_no_pod_anew() {
    let limits = json!({"maxExposure": {"USDT": "5000"}, "maxOrdersPerMinute": 60});
    let mut observed = limited(serving(), &limits);
    assert_eq!(words(&observed), Vec::<String>::new(), "both pods stay");
    assert_eq!(digests(&observed), digests(&serving()));
    let register = gateway_register(&observed);
    assert_eq!(serde_json::to_value(&register.limits).unwrap(), limits);
    assert_eq!(register.books[0].symbols, ["BTC/USDT".parse().unwrap()]);
    assert_eq!(gateway_register(&serving()).limits, None);
    // A bad spec changes none.
    observed.registered = register;
    let observed = limited(observed, &json!({"maxExposure": {"USDT": 0}}));
    assert_eq!(line(&observed), "Running False InvalidSpec");
    assert_eq!(serde_json::to_value(gateway_register(&observed).limits).unwrap(), limits);
}

#[test]
fn a_latched_limit_is_shown_and_released_once() {
    let latched = r#"[{"name":"maxExposure","since":"2026-01-01T00:00:00Z","figure":"5100","threshold":"5000"}]"#;
    let text = "maxExposure 2026-01-01T00:00:00Z";
    let with = |fields: &[(&str, &str)], annotation: Option<&str>, asked: Option<&str>| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut observed = serving();
        let Stored::Found(record) = &mut observed.gateway_stored else { panic!("it is found") };
        std::sync::Arc::make_mut(record).fields.extend(fields);
        observed.registered.release = asked.map(|asked| asked.parse().unwrap());
        observed.annotations.extend(annotation.map(|text| (RELEASE_ANNOTATION.to_owned(), text.to_owned())));
        observed
    };
    let stands = [("latched", latched)];
    let observed = with(&stands, None, None);
    assert_eq!(line(&observed), "Running True LimitReached");
    let (accepted, plan) = (validate(&observed), planned(&observed));
    let now = "2026-01-01T00:02:00Z".parse().unwrap();
    let told = status::status(&observed, accepted.as_ref().err(), &plan, &Holdings::default(), now);
    assert_eq!(told.summary.unwrap().halted, "MaxExposure");
    assert_eq!(told.risk.unwrap().limits[0].text(), text);
    let ready = told.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
    let remedy = format!("annotate glm.trading/release: \"{text}\" to go on.");
    assert!(
        ready.message.contains("(5100, the limit is 5000)") && ready.message.ends_with(&remedy),
        "{}",
        ready.message
    );
    // Nobody asks; it is asked; it is done.
    assert_eq!(gateway_register(&observed).release, None);
    let asked = with(&stands, Some(text), None);
    assert_eq!((gateway_register(&asked).release, words(&asked)), (Some(text.parse().unwrap()), Vec::new()));
    let done = with(&[], Some(text), Some(text));
    assert_eq!(
        (gateway_register(&done).release, words(&done)),
        (Some(text.parse().unwrap()), vec!["clear false".to_owned()])
    );
    assert_eq!(
        (gateway_register(&with(&[], None, Some(text))).release, line(&done)),
        (None, "Running True Available".into())
    );
    // What is not latched since then is taken off, also while the spec is bad.
    let other = with(&stands, Some("maxExposure 2026-01-02T00:00:00Z"), None);
    assert_eq!((gateway_register(&other).release, words(&other)), (None, vec!["clear true".to_owned()]));
    assert_eq!(words(&limited(other, &json!({"maxOrdersPerMinute": 0}))), ["clear true"]);
    // Where nobody can read it, what was shown stays.
    let unread = with(&[("latched", "what")], Some(text), None);
    assert_eq!((gateway_register(&unread).release, words(&unread)), (None, Vec::new()));
}

/// One whose prices are live: its feed is also another account's.
fn sharing() -> Observed {
    let mut observed = serving();
    observed.spec.market_data = serde_json::from_value(json!({"binance": {"market": "Spot"}})).unwrap();
    observed.source = "binance-spot".to_owned();
    let ledger = Ledger { id: "shared".to_owned(), resource_uid: "feed/ns/binance-spot".to_owned(), ..ledger("") };
    let feed = json!({"source": "binance-spot", "epoch": 3, "pod": "feed-paper-3", "ledger": ledger});
    observed.status.feed = Some(serde_json::from_value(feed).unwrap());
    observed.feed_stored = found(RecordFacts { uid: "feed/ns/binance-spot".to_owned(), ..record([]) });
    observed.shared = Some(Shared {
        standing: Standing::Ready { pod: "feed-paper-3".to_owned(), node: None },
        epoch: 3,
        ledger: Some(ledger),
        restarts: None,
        ends: None,
        pods: observed.feed_pods.clone(),
        stored: observed.feed_stored.clone(),
        lets_go: true,
    });
    let digest = digests(&observed).remove(0);
    observed.gateway_pods[0].digest = digest;
    observed
}

fn shared(observed: &mut Observed) -> &mut Shared {
    observed.shared.as_mut().unwrap()
}

#[test]
fn a_feed_that_is_shared_is_placed_by_its_source_and_told_here() {
    let mut observed = sharing();
    assert_eq!((words(&observed), line(&observed)), (Vec::new(), "Running True Available".to_owned()));
    shared(&mut observed).epoch = 4;
    assert_eq!(words(&observed), ["feed at 4"]);
    shared(&mut observed).stored = Stored::Away("no answer".to_owned());
    assert_eq!(words(&observed), Vec::<String>::new(), "nobody can say");
    // Another source counts on its own.
    let mut observed = sharing();
    observed.status.feed.as_mut().unwrap().source = "binance-spot-0123456789".to_owned();
    assert_eq!(words(&observed), ["feed at 3"]);
    // Its own standing is the shared one's.
    shared(&mut observed).standing = Standing::Blocked { why: "exceeded quota".to_owned() };
    assert_eq!(line(&observed), "Starting False PodBlocked");
    shared(&mut observed).standing = Standing::Absent;
    assert_eq!(line(&observed), "Running True Available", "nobody reads");
}

#[test]
fn what_keeps_a_live_source_is_said_in_its_feeds_own_words() {
    let link = |text: &str| ("link".to_owned(), text.to_owned());
    let banned = r#"{"reason":"FeedBanned","message":"until noon","since":1}"#;
    let later = r#"{"reason":"FeedTired","message":"a later word","since":1}"#;
    for (fields, told) in [
        (vec![link(banned)], "Degraded False FeedBanned"),
        (vec![link(later)], "Degraded False FeedUnreachable"),
        (
            vec![link(r#"{"reason":"","since":1}"#), ("alive".to_owned(), "1".to_owned())],
            "Degraded False MarketDataStale",
        ),
        (vec![], "Running True Available"),
    ] {
        let mut observed = sharing();
        edit(&mut observed.feed_stored, |record| record.fields.extend(fields));
        assert_eq!(line(&observed), told);
        // Its pod is not ready then.
        if told.starts_with("Degraded") {
            shared(&mut observed).standing = Standing::Starting { why: "it is not ready yet".to_owned() };
            assert_eq!(line(&observed), told);
        }
    }
    let mut silent = sharing();
    edit(&mut silent.feed_stored, |record| record.seen_ms = NOW_MS - 31_000);
    assert_eq!(line(&silent), "Degraded Unknown FeedSilent");
}

#[test]
fn a_crash_loop_of_a_shared_feed_is_released_in_its_register_before_the_annotation_goes() {
    let mut observed = sharing();
    let ends = Ends { count: ENDS_MAX, age_s: 999, ..Ends::default() };
    observed.feed_ends = Some(ends.clone());
    shared(&mut observed).ends = Some(ends);
    shared(&mut observed).standing = Standing::CrashLoop { count: ENDS_MAX, why: "no such host".to_owned() };
    assert_eq!(line(&observed), "Quarantined False CrashLoop");
    observed.annotations.insert(RELEASE_ANNOTATION.to_owned(), "CrashLoop 5".to_owned());
    assert_eq!(words(&observed), ["forget the feed's ends", "clear false"]);
    observed.annotations.insert(RELEASE_ANNOTATION.to_owned(), "CrashLoop 4".to_owned());
    assert_eq!(words(&observed), ["clear true"]);
}

#[test]
fn the_last_account_of_a_source_waits_for_the_end_of_its_feed() {
    let mut observed = sharing();
    observed.deleting_since = Some("2026-01-01T00:01:30Z".parse().unwrap());
    observed.strategies.clear();
    assert_eq!(words(&observed), ["gateway DeletePod", "close gateway abcdef", "release"], "others take its prices");
    shared(&mut observed).lets_go = false;
    assert_eq!(words(&observed), ["gateway DeletePod", "close gateway abcdef"]);
    assert_eq!(line(&observed), "Deleting False Stopping");
}

#[test]
fn an_endpoint_that_is_not_known_here_is_refused_with_the_remedy() {
    let mut observed = sharing();
    let way = json!({"binance": {"market": "Spot", "endpoint": "local"}});
    observed.spec.market_data = serde_json::from_value(way).unwrap();
    assert!(validate(&observed).is_ok());
    observed.knows_endpoint = false;
    let refused = validate(&observed).unwrap_err().message;
    assert!(refused.starts_with("spec.marketData.binance.endpoint: \"local\" is not known"), "{refused}");
    assert!(refused.contains("chart's value endpoints"), "{refused}");
}
