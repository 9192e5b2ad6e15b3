//! Recomputes everything from the exchange's own trades, with plain decimals and none of the engine's
//! arithmetic, and compares it with what the worker, the gateway and the streams say.

use std::collections::{BTreeMap, BTreeSet};

use bus::{StateStore, Topic};
use engine::messages::{CommandKind, OrderStatus, Side};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::account::{Account, CAPITAL, at_once};
use super::script::is_closed;

/// What of the gateway's doing does not hold.
pub(crate) fn audit_gateway(account: &Account) -> Vec<String> {
    let mut findings = account.exchange.faults();
    let book = account.field(&account.gateway, &format!("book:{}", account.ledger)).unwrap_or_default();
    let told = (decimal(&book["amounts"]["BNB"]), decimal(&book["amounts"]["USDT"]));
    money(account, "gateway", told, &mut findings);
    orders(account, &mut findings);
    doubts(account, &mut findings);
    fills(account, &mut findings);
    findings
}

/// What does not hold, of the gateway's doing and of the worker's.
pub(crate) fn audit(account: &Account) -> Vec<String> {
    let mut findings = audit_gateway(account);
    let engine = account.field(&account.strategy, crate::roles::saved::ENGINE).unwrap_or_default();
    let ledger = &engine["ledger"];
    let told = (decimal(&ledger["positions"][0]["quantity"]), decimal(&ledger["cash"][0]["amount"]));
    money(account, "worker", told, &mut findings);
    let record = at_once(account.bus.record(&account.strategy)).unwrap().unwrap();
    let hopeless = account.in_doubt_for_good();
    let open = record.fields.keys().filter_map(|name| name.strip_prefix(crds::record::ORDER));
    let open: Vec<_> =
        open.filter(|sequence| !hopeless.contains(&account.order_id(sequence.parse().unwrap()))).collect();
    if !open.is_empty() {
        let told = |sequence: &&str| last_told(account, &account.order_id(sequence.parse().unwrap()));
        findings.push(format!(
            "the worker has open orders: {open:?}, told {:?}",
            open.iter().map(told).collect::<Vec<_>>()
        ));
    }
    if account.bus.committed(&account.topic(Topic::RiskAlert)).iter().any(|alert| alert["kind"] == "AccountMismatch") {
        findings.push("the worker was halted because of news that could have been told again".to_owned());
    }
    if engine["anomalies"] != json!(0) {
        findings.push(format!("the worker has met what cannot be: {} times", engine["anomalies"]));
    }
    findings
}

/// What the inbox told last of an order.
fn last_told(account: &Account, id: &str) -> Option<Value> {
    let inbox = account.bus.committed(account.strategy.inbox());
    inbox.into_iter().rfind(|entry| entry["clientOrderId"] == id)
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().map_or(Decimal::ZERO, |text| text.parse().unwrap())
}

/// Coins and cash by the exchange's trades, against what somebody says.
fn money(account: &Account, who: &str, told: (Decimal, Decimal), findings: &mut Vec<String>) {
    let (mut coins, mut cash): (Decimal, Decimal) = (CAPITAL.0.parse().unwrap(), CAPITAL.1.parse().unwrap());
    for (command, trade) in account.exchange.trades() {
        let CommandKind::Create(order) = &command.kind else { continue };
        let (quantity, worth) = (trade.quantity.get(), trade.quantity.get() * trade.price.get());
        match order.side {
            Side::Buy => (coins, cash) = (coins + quantity, cash - worth),
            Side::Sell => (coins, cash) = (coins - quantity, cash + worth),
        }
        cash -= trade.fee.get();
    }
    if told != (coins, cash) {
        findings.push(format!("the {who} has {told:?}; by the exchange's trades: {:?}", (coins, cash)));
    }
}

/// One id, one order; every order closed at the exchange and truly told of in the inbox.
fn orders(account: &Account, findings: &mut Vec<String>) {
    let mut ids = BTreeSet::new();
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for entry in account.bus.committed(account.strategy.inbox()) {
        // That an order which is not remembered is not at the venue is told to who asks for it again: who knows its end leaves
        // that out.
        let is_not_there = ["SequenceUsed", "UnknownOrder"].iter().any(|reason| entry["reason"] == *reason);
        let is_left_out = is_not_there && entry.get("repeat").is_some();
        if entry["kind"] != "OrderUpdate" || is_left_out {
            continue;
        }
        let id = entry["clientOrderId"].as_str().unwrap().to_owned();
        let status = |entry: &Value| serde_json::from_value::<OrderStatus>(entry["status"].clone()).unwrap();
        if let Some(before) = last.insert(id.clone(), entry.clone()).map(|before| status(&before))
            && is_closed(before)
            // A trade that lags is told as what it was.
            && !matches!(status(&entry), OrderStatus::PartiallyFilled)
            && status(&entry) != before
        {
            findings.push(format!("{id} was told as {before:?}, later as {:?}", status(&entry)));
        }
    }
    for placed in account.exchange.placed() {
        let id = placed.id().to_string();
        if !placed.is_closed() {
            findings.push(format!("{id} is open at the exchange"));
        }
        let told = last.get(&id).cloned().unwrap_or_default();
        let status: Option<OrderStatus> = serde_json::from_value(told["status"].clone()).ok();
        if status != Some(placed.status()) || decimal(&told["cumulativeQuantity"]) != placed.filled().get() {
            findings.push(format!("{id} is {:?} with {}, told: {told}", placed.status(), placed.filled()));
        }
        if !ids.insert(id.clone()) {
            findings.push(format!("{id} is two orders"));
        }
    }
}

/// What may arrive at any time is never said to have ended.
fn doubts(account: &Account, findings: &mut Vec<String>) {
    let hopeless = account.in_doubt_for_good();
    for entry in account.bus.committed(account.strategy.inbox()) {
        let is_hopeless = entry["clientOrderId"].as_str().is_some_and(|id| hopeless.contains(id));
        if is_hopeless && !["Unknown", "Sent"].iter().any(|status| entry["status"] == *status) {
            findings.push(format!("it may still arrive, and was told as {entry}"));
        }
    }
}

/// Each trade of the exchange once in `order.fill` and once in the inbox, and no other.
fn fills(account: &Account, findings: &mut Vec<String>) {
    let mut expected: Vec<_> = account.exchange.trades().into_iter().map(|(_, trade)| trade.trade_id).collect();
    expected.sort();
    let id = |fill: &Value| fill["tradeId"].as_str().unwrap().to_owned();
    let published = account.bus.committed(&account.topic(Topic::OrderFill)).iter().map(id).collect::<Vec<_>>();
    let inbox = account.bus.committed(account.strategy.inbox());
    // What is told again to who asks again is not told twice.
    let told = inbox.iter().filter(|entry| entry.get("fill").is_some() && entry.get("repeat").is_none());
    let told = told.map(|entry| id(&entry["fill"])).collect();
    for (what, mut found) in [("order.fill", published), ("the inbox", told)] {
        found.sort();
        if found != expected {
            findings.push(format!("{what} holds the trades {found:?}; the exchange: {expected:?}"));
        }
    }
}
