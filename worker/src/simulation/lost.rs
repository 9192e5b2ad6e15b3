//! What must never be passed in silence: a trade that cannot be booked, and a record without its engine.

use bus::{AcquireOutcome, Commit, StateStore};
use engine::messages::AlertKind;
use serde_json::{Value, json};

use super::account::{Account, at_once, tick};
use crate::roles::Stop;
use crate::roles::saved::ENGINE;
use crds::record::PHASE;

/// A trade of order `sequence`, as a gateway tells it.
fn trade(account: &Account, sequence: u64, status: &str) -> Value {
    let id = account.order_id(sequence);
    json!({
        "kind": "OrderUpdate", "clientOrderId": id, "status": status, "reason": "", "cumulativeQuantity": "1", "time": 1,
        "fill": {
            "strategy": "grid", "ledger": account.ledger, "clientOrderId": id, "venueOrderId": "1", "tradeId": "t1",
            "symbol": "BNB/USDT", "side": "Sell", "quantity": "1", "price": "600", "cumulativeQuantity": "1",
            "fee": "0", "feeAsset": "USDT", "feeQuote": "0", "liquidity": "Taker", "time": 1,
        },
    })
}

#[tokio::test]
async fn a_trade_of_an_order_that_was_never_made_quarantines_with_the_cursor_before_it() {
    let account = Account::open();
    account.publish(account.strategy.inbox().clone(), &json!({"kind": "Control"}));
    let forged = account.publish(account.strategy.inbox().clone(), &trade(&account, 7, "Filled"));
    let behind =
        account.publish(account.strategy.inbox().clone(), &json!({"kind": "Recovered", "highestSequence": 41}));
    account.tick(&tick(0, 60_000, 1));
    let mut worker = account.start_worker(1);
    assert!(worker.step().is_none(), "it waits for a human");
    let phase = account.field(&account.strategy, PHASE).unwrap();
    assert_eq!((&phase["state"], &phase["reason"]), (&json!("Quarantined"), &json!("PoisonInbox")));
    let message = phase["message"].as_str().unwrap();
    assert!(message.contains(&forged.to_string()) && message.contains("cannot be booked"), "{message}");
    let record = at_once(account.bus.record(&account.strategy)).unwrap().unwrap();
    let cursor = record.cursors[account.strategy.inbox()];
    assert!(cursor < forged && forged < behind, "{cursor} is before {forged}");
    let engine = account.field(&account.strategy, ENGINE).unwrap();
    assert_eq!((&engine["trades"], &engine["ticks"]), (&json!(0), &json!(0)), "nothing is traded past it");
}

#[tokio::test]
async fn used_sequences_past_the_last_halt_with_an_alert() {
    let account = Account::open();
    account.publish(account.strategy.inbox().clone(), &json!({"kind": "Recovered", "highestSequence": u64::MAX}));
    let mut worker = account.start_worker(1);
    assert!(worker.step().is_none());
    let alerts = account.bus.committed(&account.topic(bus::Topic::RiskAlert));
    assert_eq!(alerts[0]["kind"], json!(AlertKind::SequenceExhausted.as_str()), "{alerts:?}");
    let engine = account.field(&account.strategy, ENGINE).unwrap();
    assert_eq!(engine["risk"], json!("Halted"));
}

#[tokio::test]
async fn a_record_without_its_engine_starts_nothing_on_the_declared_capital() {
    let account = Account::open();
    let mut worker = account.start_worker(1);
    assert!(worker.step().is_none());
    drop(worker);
    let acquired = at_once(account.bus.acquire(&account.strategy, &account.ledger, 2)).unwrap();
    let AcquireOutcome::Acquired(acquired) = acquired else { panic!("{acquired:?}") };
    let gone = Commit {
        expected_version: acquired.version,
        commit_id: "by hand".to_owned(),
        delete: vec![ENGINE.to_owned()],
        ..Commit::default()
    };
    at_once(account.bus.commit(&acquired.lease, &gone)).unwrap();
    let ended = account.start_worker(3).step();
    let Some(Err(Stop::Record { problem, .. })) = ended else { panic!("{ended:?}") };
    assert!(problem.contains("field engine is gone"), "{problem}");
    assert!(account.field(&account.strategy, ENGINE).is_none(), "nothing was stored in its place");
}
