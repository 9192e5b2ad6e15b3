//! A venue elsewhere: what is settled before the first order, many requests at once, a venue that answers twice, never, or for
//! another order, and orders that the record does not hold.

use bus::{StateStore, StreamKey, Topic};
use engine::client_order_id::ClientOrderId;
use engine::messages::{OrderStatus, OrderUpdate};
use serde_json::{Value, json};
use venue::VenueFacts;

use super::{cancel, command};
use crate::simulation::account::{Account, Role, at_once};
use crate::simulation::bus::Trouble;
use crate::simulation::kind::PLAIN;
use crate::simulation::script::{ANSWER_MS, RECEIVE_WINDOW_MS, Says, Script, VISIBILITY_MS};

const STEP_MS: i64 = 100;

/// A gateway at a scripted exchange, driven by hand.
pub(super) struct Bench {
    pub account: Account,
    pub gateway: Role,
}

impl Bench {
    pub fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self::at(PLAIN, scripts)
    }

    /// At an exchange of this kind.
    pub fn at(facts: VenueFacts, scripts: impl IntoIterator<Item = Script>) -> Self {
        let account = Account::at(facts);
        scripts.into_iter().for_each(|script| account.exchange.next(script));
        let gateway = account.start_gateway(1);
        Self { account, gateway }
    }

    /// A small order of the strategy.
    pub fn order(&self, sequence: u64, changes: &Value) {
        let mut all = json!({"quantity": "0.01"});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.account.command(&command(&self.account.ledger, sequence, self.account.bus.clock().now(), &all));
    }

    pub fn cancel(&self, sequence: u64) {
        self.account.command(&cancel(&self.account.ledger, sequence, self.account.bus.clock().now()));
    }

    pub fn run(&mut self, milliseconds: i64) {
        for _ in 0..milliseconds / STEP_MS {
            self.gateway.go_on(&self.account);
            self.account.bus.clock().advance(STEP_MS);
        }
    }

    pub fn inbox(&self) -> &StreamKey {
        self.account.strategy.inbox()
    }

    /// All that was told of an order, in a few words.
    pub fn told(&self, sequence: u64) -> Vec<String> {
        let id = self.account.order_id(sequence);
        let inbox = self.account.bus.committed(self.inbox());
        let of_it = inbox.iter().filter(|entry| entry["clientOrderId"] == id.as_str());
        of_it
            .map(|entry| format!("{} {}", entry["status"].as_str().unwrap(), entry["reason"].as_str().unwrap()))
            .collect()
    }

    pub fn alerts(&self) -> Vec<String> {
        let alerts = self.account.bus.committed(&self.account.topic(Topic::RiskAlert));
        alerts.iter().map(|alert| alert["message"].as_str().unwrap().to_owned()).collect()
    }

    pub fn log(&self, what: &str) -> Vec<String> {
        self.account.exchange.log().into_iter().filter(|line| line.starts_with(what)).collect()
    }

    /// The coins of the sub-account.
    pub fn coins(&self) -> String {
        let book = self.account.field(&self.account.gateway, &format!("book:{}", self.account.ledger)).unwrap();
        book["amounts"]["BNB"].as_str().unwrap().to_owned()
    }
}

/// It stays open until it is cancelled.
pub(super) fn rests() -> Script {
    Script { trades: Vec::new(), ends_after: None, ..Script::default() }
}

/// The store loses its last moments, an order among them, and its strategy gives the number once more.
#[test]
fn what_the_record_has_lost_is_taken_over_before_anything_is_sent() {
    // Open, or ended; shown at once, or only some time after its arrival.
    for (script, coins) in [
        (Script { trades: vec![(0, 40)], ..rests() }, "5.004"),
        (Script::default(), "5.01"),
        (Script { hidden_ms: VISIBILITY_MS - 1, reports: vec![vec![]], ..Script::default() }, "5.01"),
    ] {
        let mut bench = Bench::start([script.clone()]);
        bench.run(1_000);
        let before = at_once(bench.account.bus.record(&bench.account.gateway)).unwrap().unwrap();
        bench.order(1, &json!({}));
        bench.run(300);
        assert_eq!(bench.account.exchange.requests().len(), 1);
        let told = bench.account.bus.count(bench.inbox());
        bench.account.bus.put_record(&bench.account.gateway, before);
        bench.gateway = bench.account.start_gateway(2);
        bench.order(1, &json!({"quantity": "0.02", "side": "Sell"}));
        bench.run(12_000);
        assert_eq!(bench.account.exchange.requests().len(), 1, "{script:?}: the number is used up");
        assert_eq!(bench.coins(), coins, "{script:?}: what has traded is booked once");
        let recovered = bench.account.bus.committed(bench.inbox()).split_off(told);
        assert!(recovered.contains(&json!({"kind": "Recovered", "highestSequence": 1})), "{script:?}: {recovered:?}");
        assert!(bench.alerts()[0].contains("it is taken over"), "{:?}", bench.alerts());
        bench.order(2, &json!({}));
        bench.run(1_000);
        assert_eq!(bench.told(2).last().map(String::as_str), Some("Filled "), "{script:?}");
    }
}

/// An account that tells of nothing is not empty.
#[test]
fn nothing_is_opened_while_the_venue_tells_of_no_holdings_and_cancels_pass() {
    let mut bench = Bench::start([rests()]);
    bench.order(1, &json!({}));
    bench.run(1_000);
    bench.account.exchange.hide_balances(true);
    bench.gateway = bench.account.start_gateway(2);
    bench.order(2, &json!({}));
    bench.cancel(1);
    bench.run(20_000);
    let (is_ready, text) = bench.gateway.health.readiness();
    assert!(!is_ready && text.contains("the venue tells of no BNB"), "{text}");
    assert_eq!(bench.log("create"), ["create 1"]);
    assert_eq!(bench.told(1), ["Accepted ", "Canceled "]);
    bench.account.exchange.hide_balances(false);
    bench.run(5_000);
    assert_eq!(bench.told(2), ["Filled "]);
    assert!(bench.gateway.health.readiness().0);
}

#[test]
fn orders_of_one_read_are_one_commit_and_are_sent_in_their_order_after_the_cancels() {
    let mut bench = Bench::start([rests()]);
    bench.order(1, &json!({}));
    bench.run(1_000);
    let commits = bench.account.bus.commits();
    for sequence in 2..=6 {
        bench.order(sequence, &json!({}));
    }
    bench.cancel(1);
    bench.account.exchange.fall_silent(10_000);
    bench.gateway.go_on(&bench.account);
    bench.run(500);
    let requests: Vec<_> = bench.account.exchange.log().into_iter().filter(|line| !line.starts_with("ask")).collect();
    assert_eq!(requests, ["create 1", "cancel 1", "create 2", "create 3", "create 4", "create 5", "create 6"]);
    for sequence in 2..=6 {
        assert_eq!(bench.told(sequence), ["Filled "]);
    }
    let commits = bench.account.bus.commits() - commits;
    assert!(commits <= 4, "{commits} commits of five orders and a cancel");
}

/// One order's answer never comes. The other orders and cancels pass meanwhile.
#[test]
fn a_request_that_is_never_answered_holds_up_nobody() {
    let never = Script { answers_after_ms: i64::MAX / 4, hidden_ms: VISIBILITY_MS - 1, ..rests() };
    let mut bench = Bench::start([Script { reports: vec![vec![]], ..never }]);
    bench.order(1, &json!({}));
    bench.order(2, &json!({}));
    bench.run(1_000);
    assert_eq!(bench.told(2), ["Filled "]);
    assert_eq!(bench.told(1), [] as [&str; 0]);
    bench.run(ANSWER_MS - 1_000);
    assert_eq!(bench.told(1), [] as [&str; 0]);
    bench.run(1_000);
    assert_eq!(bench.told(1), ["Unknown TimedOut", "Accepted "], "in doubt, and found by a question");
    bench.cancel(1);
    bench.run(1_000);
    assert_eq!(bench.told(1).last().map(String::as_str), Some("Canceled "));
    assert_eq!(bench.account.exchange.requests().len(), 2);
}

#[test]
fn an_order_that_the_venue_says_it_has_is_never_refused_nor_sent_again() {
    let exists =
        Script { says: Says::Exists, reports: vec![vec![]], hidden_ms: VISIBILITY_MS - 1, ..Script::default() };
    let mut bench = Bench::start([exists]);
    bench.order(1, &json!({}));
    bench.run(15_000);
    assert_eq!(bench.told(1), ["Unknown SentBefore", "Filled "]);
    // Also where no question ever finds it.
    let mut bench =
        Bench::start([Script { says: Says::Exists, hidden_ms: i64::MAX / 4, reports: vec![vec![]], ..rests() }]);
    bench.order(1, &json!({}));
    bench.run(RECEIVE_WINDOW_MS + 4 * VISIBILITY_MS + 10_000);
    assert_eq!((bench.told(1), bench.log("create").len()), (vec!["Unknown SentBefore".to_owned()], 1));
}

#[test]
fn an_answer_for_another_order_says_nothing_of_this_one() {
    let another = Script { says: Says::Another, reports: vec![vec![]], ..Script::default() };
    let mut bench = Bench::start([rests(), another]);
    bench.order(1, &json!({}));
    bench.run(500);
    bench.order(2, &json!({}));
    bench.run(2_000);
    assert_eq!(bench.told(1), ["Accepted "]);
    assert_eq!(bench.told(2), ["Unknown AnswerOfAnother", "Filled "]);
}

/// 200 orders that rest are asked about in one question now and then, not each by itself.
#[test]
fn orders_that_rest_are_asked_about_all_at_once() {
    let mut bench = Bench::start(vec![rests(); 200]);
    for sequence in 1..=200 {
        bench.order(sequence, &json!({"quantity": "0.001"}));
    }
    bench.run(5_000);
    assert_eq!(bench.log("create").len(), 200);
    let before = bench.log("ask").len();
    bench.run(60_000);
    let asked = bench.log("ask").len() - before;
    assert!((10..=13).contains(&asked), "{asked} questions in a minute");
}

#[test]
fn a_cancel_of_an_order_that_nobody_knows_asks_the_venue() {
    let mut bench = Bench::start([rests()]);
    bench.run(1_000);
    bench.cancel(7);
    bench.run(1_000);
    assert_eq!(bench.told(7), [] as [&str; 0], "it may be there, and not be shown yet");
    bench.run(VISIBILITY_MS + 1_000);
    assert_eq!(bench.told(7), ["Denied UnknownOrder"]);
    // One that the record has lost meanwhile, after everything was settled.
    let lost = at_once(bench.account.bus.record(&bench.account.gateway)).unwrap().unwrap();
    bench.order(1, &json!({}));
    bench.run(1_000);
    let mut found = bench.account.exchange.placed()[0].shown(0);
    bench.account.bus.put_record(&bench.account.gateway, lost);
    found.client_order_id = ClientOrderId::new("other".parse().unwrap(), 1);
    bench.account.exchange.report_foreign(found);
    bench.gateway = bench.account.start_gateway(2);
    bench.run(15_000);
    bench.cancel(1);
    bench.run(2_000);
    assert_eq!(bench.told(1).last().map(String::as_str), Some("Canceled "));
    assert!(bench.alerts().iter().any(|text| text.contains("glm-other-1")), "{:?}", bench.alerts());
}

/// What is told again of an order that is remembered no more is told by the venue, and nothing is booked twice.
#[test]
fn an_order_that_is_forgotten_is_told_again_by_the_venue_and_not_booked_again() {
    let mut bench = Bench::start([]);
    bench.order(1, &json!({}));
    bench.run(1_000);
    let coins = bench.coins();
    bench.run(30_000);
    assert_eq!(bench.account.field(&bench.account.gateway, &format!("order:{}", bench.account.order_id(1))), None);
    let report = bench.account.exchange.placed()[0].shown(bench.account.bus.clock().now());
    bench.account.exchange.report_foreign(report);
    bench.order(1, &json!({}));
    bench.run(2_000);
    let last = bench.account.bus.committed(bench.inbox()).pop().unwrap();
    assert_eq!((&last["status"], &last["repeat"]), (&json!("Filled"), &json!(0)), "{last}");
    assert_eq!((bench.coins(), bench.account.exchange.requests().len()), (coins, 1));
    let fills = bench.account.bus.committed(&bench.account.topic(Topic::OrderFill));
    assert_eq!(fills.len(), 1);
}

/// Each commit of a batch may be the last of its process, with the register changed at that moment.
#[test]
fn what_was_told_as_denied_is_never_told_otherwise() {
    for commit in 0..8 {
        for trouble in [Trouble::Before, Trouble::After, Trouble::Torn] {
            for frozen_ms in [0, 3_000, 12_000] {
                let mut bench = Bench::start([]);
                bench.run(1_000);
                bench.account.bus.plan(&bench.account.gateway, commit, trouble);
                for sequence in 1..=3 {
                    bench.order(sequence, &json!({}));
                }
                assert!(bench.gateway.step().is_none());
                bench.account.follow(crds::roles::Stance::StopOpening);
                let stopped = bench.account.bus.take_stopped();
                bench.account.bus.clock().advance(frozen_ms);
                if let Some((number, _)) = stopped {
                    bench.account.bus.release(number);
                    let successor = bench.account.start_gateway(2);
                    let mut old = std::mem::replace(&mut bench.gateway, successor);
                    assert!(bench.gateway.step().is_none());
                    // It wakes up when it has been replaced: whatever it knows is stored no more.
                    let _ = old.step();
                }
                bench.run(40_000);
                for sequence in 1..=3 {
                    let inbox = bench.account.bus.committed(bench.inbox());
                    let id = bench.account.order_id(sequence);
                    let news = inbox.into_iter().filter(|entry| entry["clientOrderId"] == id.as_str());
                    let news: Vec<OrderUpdate> = news.map(|entry| serde_json::from_value(entry).unwrap()).collect();
                    let denied = news.iter().position(|update| update.status == OrderStatus::Denied);
                    let name = format!("{commit} {trouble:?} {frozen_ms}: {:?}", bench.told(sequence));
                    assert!(!news.is_empty(), "{name}");
                    assert!(denied.is_none_or(|place| place + 1 == news.len()), "{name}");
                }
            }
        }
    }
}

/// What a venue's events have told in vain is asked for, until it is answered.
#[test]
fn what_happened_while_events_were_lost_is_asked_for_once_they_are_told_again() {
    let mut bench = Bench::start([Script { trades: vec![(2_000, 40)], ends_after: Some(3_000), ..Script::default() }]);
    bench.order(1, &json!({}));
    bench.run(1_000);
    assert_eq!(bench.told(1), ["Accepted "]);
    bench.account.exchange.disconnect(3_000);
    bench.account.exchange.fall_silent(3_500);
    bench.run(3_000);
    let asked = bench.log("ask orders since").len();
    bench.run(1_500);
    assert_eq!(bench.told(1), ["Accepted ", "Expired NoSize"], "its trade and its end");
    assert_eq!(bench.coins(), "5.004");
    bench.run(5_000);
    let asked = bench.log("ask orders since").len() - asked;
    assert!((2..=12).contains(&asked), "{asked}: in vain at first, and not again once it was answered");
}

/// What waits for room is judged by the register of the moment in which it would be sent.
#[test]
fn an_order_that_waits_for_room_is_not_sent_under_a_register_that_forbids_it() {
    let slow = || Script { answers_after_ms: 2_000, ..Script::default() };
    let mut bench = Bench::start((0..8).map(|_| slow()));
    for sequence in 1..=9 {
        bench.order(sequence, &json!({}));
    }
    bench.run(500);
    assert_eq!(bench.log("create").len(), 8, "as many at once as the venue takes");
    bench.account.follow(crds::roles::Stance::StopOpening);
    bench.run(4_000);
    assert_eq!(bench.log("create").len(), 8);
    assert_eq!(bench.told(9), ["Denied Paused"]);
}
