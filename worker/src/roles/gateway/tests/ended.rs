//! Which orders that have ended the order manager still knows.

use std::collections::BTreeMap;

use engine::client_order_id::ClientOrderId;
use engine::fees::Fees;
use engine::messages::OrderStatus;
use engine::time::Timestamp;
use serde_json::json;
use venue::{Outcome, VenueReport};

use super::super::manager::{OrderManager, Verdict};
use super::manager::{ELSEWHERE, open};
use super::{cancel, command};
use crds::roles::GatewayDesired;

fn id(ledger: &str, sequence: u64) -> ClientOrderId {
    ClientOrderId::new(ledger.parse().unwrap(), sequence)
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millis(milliseconds)
}

struct Bench {
    manager: OrderManager,
    fields: BTreeMap<String, String>,
}

impl Bench {
    fn order(&mut self, ledger: &str, sequence: u64) {
        let time = i64::try_from(sequence).unwrap();
        let command = command(ledger, sequence, time, &json!({"quantity": "0.001"}));
        assert_eq!(self.manager.judge(&command, at(0)), Verdict::Send);
    }

    fn end(&mut self, ledger: &str, sequence: u64) {
        self.order(ledger, sequence);
        self.manager.settle(&id(ledger, sequence), &Outcome::Rejected("Full".into()), at(0));
    }

    /// The venue tells that it was cancelled before any of it traded.
    fn cancelled(&mut self, ledger: &str, sequence: u64, time: i64) {
        self.manager.hear(&VenueReport {
            client_order_id: id(ledger, sequence),
            venue_order_id: sequence.to_string(),
            status: OrderStatus::Canceled,
            reason: String::new(),
            cumulative_quantity: "0".parse().unwrap(),
            prevented_quantity: "0".parse().unwrap(),
            trades: Vec::new(),
            matched: None,
            ordered: None,
            time: at(time),
        });
    }

    /// As its record gives it.
    fn restart(&mut self, register: &GatewayDesired) {
        let changes = self.manager.take_changes();
        self.fields.extend(changes.set);
        for name in &changes.delete {
            self.fields.remove(name);
        }
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.manager = OrderManager::restore(&Fees::default(), fields).unwrap();
        let _ = self.manager.register(register);
    }

    fn known(&self, ledger: &str) -> usize {
        (1..=400).filter(|sequence| self.manager.order(&id(ledger, *sequence)).is_some()).count()
    }
}

/// At a venue elsewhere it is not the number of orders that tells: an order is forgotten once the venue was asked again after
/// its end, and nothing of it can show any more. Past a thousand, new ones are denied, and none is forgotten for them.
#[test]
fn what_has_ended_elsewhere_is_forgotten_by_time_and_only_when_the_venue_was_asked_again() {
    let one: GatewayDesired = serde_json::from_value(
        json!({"books": [{"strategy": "grid", "ledger": "abc", "capital": {"USDT": 3000, "BNB": 5}}]}),
    )
    .unwrap();
    let mut bench = Bench { manager: OrderManager::default().elsewhere(), fields: BTreeMap::new() };
    open(&mut bench.manager, &one);
    bench.order("abc", 1);
    bench.cancelled("abc", 1, 300);
    for sequence in 2..=1_000 {
        bench.end("abc", sequence);
    }
    let late = command("abc", 1_001, 0, &json!({"quantity": "0.001"}));
    let Verdict::Tell(denied) = bench.manager.judge(&late, at(0)) else { panic!("it was not denied") };
    assert_eq!(denied[0].reason, "TooManyOrders");
    let kept = ELSEWHERE.shown_after_ms();
    bench.manager.forget_settled(at(kept - 1), ELSEWHERE);
    assert_eq!(bench.known("abc"), 400);
    bench.manager.forget_settled(at(kept), ELSEWHERE);
    assert_eq!(
        (bench.known("abc"), bench.manager.order(&id("abc", 1)).is_some()),
        (1, true),
        "it was not asked about again"
    );
    let asked = at(6_000);
    assert_eq!(bench.manager.questions(asked).len(), 1);
    let _ = bench.manager.found(&id("abc", 1), None, ELSEWHERE, asked);
    bench.manager.forget_settled(asked.plus_millis(kept - 1), ELSEWHERE);
    assert_eq!(bench.known("abc"), 1);
    bench.manager.forget_settled(asked.plus_millis(kept), ELSEWHERE);
    assert_eq!(bench.known("abc"), 0);
    // What was forgotten is on record, so that nothing of it is ever booked again.
    let changes = bench.manager.take_changes();
    assert!(changes.set.contains(&("forgotten:abc".to_owned(), "1000".to_owned())), "{:?}", changes.set);
}

/// A strategy that has not heard of an order's end may cancel it still: whatever others do meanwhile, it is told of the end
/// again, and not that nobody knows the order.
#[test]
fn what_has_ended_is_remembered_for_each_ledger_and_by_its_end() {
    let both = ["abc", "xyz"]
        .map(|ledger| json!({"strategy": "grid", "ledger": ledger, "capital": {"USDT": 3000, "BNB": 5}}))
        .to_vec();
    let both: GatewayDesired = serde_json::from_value(json!({"books": both})).unwrap();
    let mut bench = Bench { manager: OrderManager::default(), fields: BTreeMap::new() };
    open(&mut bench.manager, &both);
    // It was ordered first, and ends last.
    bench.order("abc", 1);
    for sequence in 2..=257 {
        bench.end("abc", sequence);
    }
    bench.cancelled("abc", 1, 300);
    for sequence in 1..=300 {
        bench.end("xyz", sequence);
    }
    bench.restart(&both);
    bench.end("abc", 258);
    bench.end("xyz", 301);
    let late = bench.manager.judge(&cancel("abc", 1, 400), at(400));
    assert!(matches!(&late, Verdict::Repeat(news) if news[0].status == OrderStatus::Canceled), "{late:?}");
    // What has ended of a ledger that is gone is forgotten first, also after a restart.
    let mut one = both;
    one.books.retain(|book| book.ledger.as_str() == "abc");
    let _ = bench.manager.register(&one);
    bench.restart(&one);
    for sequence in 259..=400 {
        bench.end("abc", sequence);
    }
    assert_eq!((bench.known("abc"), bench.known("xyz")), (256, 0));
}
