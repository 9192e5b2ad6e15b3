//! What of the state a commit writes, and its form: the bytes of this version never change, because they stand in
//! somebody's store.

use std::collections::BTreeMap;

use engine::messages::{OrderStatus, OrderUpdate, Side};
use engine::{Engine, RestoreError, SavedBooks};
use serde_json::{Value, json};

use crate::bench::{USUAL, news, step_update};
use crate::scripted::{Action, SCRIPTED, Script, Wanted, at_600, from_record, rest, start, tell, told, update, usual};

const FILE: &str = "tests/orders/state_v2.json";

fn script() -> Script {
    let place = |side, quantity, price, tag| Action::Place(Wanted { tag, ..rest(side, quantity, price) });
    Script {
        ticks: vec![
            vec![
                place(Side::Buy, "1", "590", 0),
                place(Side::Sell, "2", "610.5", 7),
                place(Side::Buy, "9", "590", 3),
                place(Side::Buy, "0.1", "580", 0),
            ],
            vec![Action::Replace(2, rest(Side::Sell, "2", "609"))],
            vec![Action::Cancel(4)],
        ],
        ..Script::default()
    }
}

fn commit(engine: &mut Engine, record: &mut BTreeMap<String, String>) -> (Vec<String>, Vec<String>) {
    let changes = engine.changes().unwrap();
    let set = changes.set.iter().map(|(name, _)| name.clone()).collect();
    record.retain(|name, _| !changes.delete.contains(name));
    record.extend(changes.set);
    engine.committed();
    (set, changes.delete)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_commit_writes_what_has_changed() {
    let (mut engine, mut record) = (start(usual(&script())), BTreeMap::new());
    let orders = at_600(&mut engine, 0);
    assert_eq!(commit(&mut engine, &mut record).0, names(&["engine", "strategy", "order:1", "order:2", "order:3"]));
    assert_eq!(commit(&mut engine, &mut record), (names(&["engine"]), names(&[])), "nothing has happened");
    tell(&mut engine, &orders[2], OrderStatus::Accepted);
    // What was not stored is given once more, with what happened since.
    assert_eq!(engine.changes().unwrap().set.len(), 3);
    step_update(&mut engine, &news(&orders[0], &[100], &USUAL)[1]);
    let (set, delete) = commit(&mut engine, &mut record);
    assert_eq!((set, delete), (names(&["engine", "strategy", "order:3", "closed:0"]), names(&["order:1"])));
    // One that comes and goes between two commits was never there.
    tell(&mut engine, &orders[1], OrderStatus::Rejected);
    assert_eq!(commit(&mut engine, &mut record).1, names(&["order:2"]));
    let mut engine = from_record(&record, usual(&script()));
    let started = commit(&mut engine, &mut record);
    assert_eq!(started, (names(&["engine", "strategy"]), names(&[])), "orders are in it as they are");
}

/// Two orders, one of them replaced and one traded in part, a denial, news of a tick to come, closed orders.
fn eventful() -> Engine {
    let mut engine = start(usual(&script()));
    let orders = at_600(&mut engine, 0);
    for order in &orders {
        tell(&mut engine, order, OrderStatus::Accepted);
    }
    at_600(&mut engine, 1);
    step_update(&mut engine, &news(&orders[0], &[30], &USUAL)[1]);
    let early = OrderUpdate { matched: Some(2), ..update(&orders[2], OrderStatus::Expired, None) };
    step_update(&mut engine, &early);
    engine
}

#[test]
fn the_form_of_version_2_is_written_and_read_as_it_always_was() {
    let mut engine = eventful();
    let changes = engine.changes().unwrap();
    let written: BTreeMap<String, Value> =
        changes.set.iter().map(|(name, text)| (name.clone(), serde_json::from_str(text).unwrap())).collect();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, serde_json::to_string_pretty(&written).unwrap() + "\n").unwrap();
    }
    let kept: BTreeMap<String, Value> = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    assert_eq!(written, kept, "UPDATE=1 writes {FILE} anew: only where no release has written it");
    let record = kept.into_iter().map(|(name, value)| (name, value.to_string())).collect();
    let mut read = from_record(&record, usual(&script()));
    assert_eq!(read.snapshot().unwrap(), engine.snapshot().unwrap());
    assert_eq!(read.reserved(), engine.reserved());
    // And it goes on the same: the news that was kept, then the tick.
    at_600(&mut read, 2);
    assert!(told(&read).ends_with("3 closed: Expired at 2, tick 2"), "{}", told(&read));
    let fields = record.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let books = SavedBooks::read(fields).unwrap();
    assert_eq!((books.orders.len(), books.highest_order, books.ledger.base().to_string()), (3, 4, "5.3".to_owned()));
}

#[test]
fn a_state_that_this_program_cannot_read_is_refused() {
    let mut engine = eventful();
    let changes = engine.changes().unwrap();
    let record: BTreeMap<String, String> = changes.set.into_iter().collect();
    let read = |record: &BTreeMap<String, String>| {
        let fields = record.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        Engine::restore_fields(usual(&script()), &SCRIPTED, fields).map(|_| ()).map_err(|error| error.to_string())
    };
    let with = |name: &str, value: Value| {
        let mut record = record.clone();
        record.insert(name.to_owned(), value.to_string());
        read(&record)
    };
    let mut newer: Value = serde_json::from_str(&record["engine"]).unwrap();
    newer["version"] = json!(3);
    assert_eq!(
        with("engine", newer),
        Err("the state has version 3, this program reads up to 2; run the newer image".to_owned())
    );
    for name in ["engine", "strategy", "closed:0", "order:1"] {
        assert!(with(name, json!(7)).is_err_and(|error| error.contains(name)), "{name}");
    }
    let mut gone = record.clone();
    gone.remove("engine");
    assert_eq!(read(&gone), Err(RestoreError::Missing.to_string()));
    assert_eq!(with("report", json!(7)), Ok(()), "what is not the state's is left out");
}
