//! Money that is moved while processes are killed, and while a backup of the store is put back: each transfer is in the ledger
//! once, the account's gateway has followed each once, and profit is what was earned.

use std::collections::BTreeMap;
use std::env;
use std::time::SystemTime;

use engine::numbers::Notional;
use engine::testkit::quoting::Chance;
use serde_json::Value;
use tests::roles::{DEADLINE, Launch, Scene, Stage, manifest, strategy, until};

use crate::replays::prices;

const OWNER: &str = "strategy-grid-1";

/// A manifest that asks for these transfers, each `id amount asset`.
fn asking(transfers: &[String]) -> String {
    let entry = |text: &String| {
        let parts: Vec<_> = text.split(' ').collect();
        format!("{{id: {}, asset: {}, amount: \"{}\"}}", parts[0], parts[2], parts[1])
    };
    let list: Vec<_> = transfers.iter().map(entry).collect();
    manifest("data.csv", 0, &[format!("{}  transfers: [{}]\n", strategy("grid-1", "1"), list.join(", "))])
}

/// The register asks for these from now on, as after an edit. A record that is not there is made.
fn edit(stage: &Stage, transfers: &[String]) -> Vec<Launch> {
    let file = stage.scene.other_manifest("edited.yaml", &asking(transfers));
    stage.scene.create(&file, &stage.redis.url())
}

fn json(stage: &mut Stage, owner: &str, field: &str) -> Value {
    let text = stage.store.field(&Stage::record(owner), &format!("field:{field}"));
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// What the strategy's ledger has decided.
fn decided(stage: &mut Stage) -> Vec<Value> {
    json(stage, OWNER, "engine")["transfers"].as_array().cloned().unwrap_or_default()
}

fn until_decided(stage: &mut Stage, transfers: &[String]) {
    until(&format!("{} transfers to be decided; {}", transfers.len(), stage.logs()), DEADLINE, || {
        let decided = decided(stage);
        let is_decided = |text: &String| decided.iter().any(|one| one["id"].as_str() == text.split(' ').next());
        transfers.iter().all(is_decided).then_some(())
    });
}

fn amount(value: &Value) -> Notional {
    value.as_str().unwrap().parse().unwrap()
}

fn sum(amounts: impl IntoIterator<Item = Notional>) -> Notional {
    amounts.into_iter().fold(Notional::ZERO, |sum, one| sum.plus(one).unwrap())
}

/// Lets the data end, and the gateway follow what it has been told of.
fn end(stage: &mut Stage) {
    stage.hurry();
    stage.wait_for_end();
    let booked = decided(stage).iter().filter(|one| one["state"] == "Booked").count() as u64;
    let ledger = stage.actor("strategy").launch.option("--ledger");
    until("the gateway to follow", DEADLINE, || {
        (json(stage, "gateway", &format!("book:{ledger}"))["transfers"].as_u64() == Some(booked)).then_some(())
    });
    stage.stop();
}

/// The books of both sides, after the end. Gives how many transfers are booked.
fn audit(stage: &mut Stage) -> usize {
    let all = decided(stage);
    let booked: Vec<_> = all.iter().filter(|one| one["state"] == "Booked").collect();
    let numbers: Vec<_> = booked.iter().map(|one| one["number"].as_u64().unwrap()).collect();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=numbers.len() as u64).collect::<Vec<_>>(), "each has a number of its own");
    let ids: BTreeMap<_, _> = all.iter().map(|one| (one["id"].to_string(), one)).collect();
    assert_eq!(ids.len(), all.len(), "each id is decided once");
    let engine = json(stage, OWNER, "engine");
    let ledger = stage.actor("strategy").launch.option("--ledger");
    let book = json(stage, "gateway", &format!("book:{ledger}"));
    assert_eq!(book["transfers"].as_u64().unwrap_or(0), numbers.len() as u64);
    for (asset, held) in
        [("BNB", &engine["ledger"]["positions"][0]["quantity"]), ("USDT", &engine["ledger"]["cash"][0]["amount"])]
    {
        let moved = sum(booked.iter().filter(|one| one["asset"] == asset).map(|one| amount(&one["amount"])));
        let followed = book["transferred"].get(asset).map_or(Notional::ZERO, amount);
        assert_eq!((&book["amounts"][asset], followed), (held, moved), "{asset}");
    }
    // Net profit is the change of equity without what was put in.
    let shown: Value = serde_json::from_str(&stage.scene.show_whole(&stage.redis.url()).unwrap()).unwrap();
    let opening = amount(&engine["ledger"]["cash"][0]["opening"]);
    let coins = &engine["ledger"]["positions"][0]["opening"];
    let price: engine::numbers::Price = coins["price"].as_str().unwrap().parse().unwrap();
    let opening = opening.plus(price.times(coins["quantity"].as_str().unwrap().parse().unwrap()).unwrap()).unwrap();
    let given = sum(booked.iter().map(|one| amount(&one["worth"])));
    let earned = amount(&shown["final"]["equity"]).minus(opening).unwrap().minus(given).unwrap();
    assert_eq!(amount(&shown["pnl"]["net"]), earned);
    assert_eq!(shown["final"]["transfers"].as_array().map_or(0, Vec::len), all.len());
    booked.len()
}

pub fn seed() -> u64 {
    let given = env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
    given.unwrap_or_else(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs())
}

fn stage(ticks: u64) -> Stage {
    let mut stage = Stage::new(Scene::new(&asking(&["first 100 USDT".to_owned()]), &prices(ticks, 0)), &[]);
    stage.start(Some(500));
    stage.wait_for_ticks(200);
    stage
}

#[test]
fn transfers_amid_kills_are_booked_and_followed_once() {
    let seed = seed();
    println!("SEED={seed}");
    let mut random = Chance::of(seed);
    let mut stage = stage(12_000);
    let mut transfers = vec!["first 100 USDT".to_owned()];
    for number in 0..12 {
        let sign = if random.one_in(2) { "-" } else { "" };
        let entry = if random.one_in(2) {
            format!("{sign}{} USDT", 1 + random.below(900))
        } else {
            format!("{sign}0.{} BNB", 1 + random.below(9))
        };
        transfers.push(format!("t{number} {entry}"));
        edit(&stage, &transfers);
        for role in ["strategy", "gateway"] {
            if random.one_in(2) {
                let actor = stage.actor(role);
                actor.process().kill();
                actor.launch = actor.launch.at_epoch(actor.launch.epoch() + 1);
                let scene = &stage.scene;
                let actor = stage.actors.iter_mut().find(|actor| actor.launch.role() == role).unwrap();
                actor.start(scene);
            }
        }
        if random.one_in(2) {
            until_decided(&mut stage, &transfers);
        }
    }
    until_decided(&mut stage, &transfers);
    end(&mut stage);
    let booked = audit(&mut stage);
    assert!(booked > 4, "{booked} of {transfers:?}");
    stage.audit_orders().unwrap();
}

/// A backup of the whole store is put back, taken before a transfer and after another: as after an operator's next look, the
/// register asks for both again.
#[test]
fn a_backup_that_is_put_back_books_none_twice() {
    let mut stage = stage(12_000);
    let one = vec!["first 100 USDT".to_owned(), "second 250 USDT".to_owned()];
    edit(&stage, &one);
    until_decided(&mut stage, &one);
    assert_eq!(stage.redis.cli(&["SAVE"]), "OK");
    let two: Vec<_> = one.iter().cloned().chain(["third -50 USDT".to_owned()]).collect();
    edit(&stage, &two);
    until_decided(&mut stage, &two);
    stage.redis.restart();
    assert_eq!(decided(&mut stage).len(), 2, "the store is as it was");
    // Who finds a record that it has not written ends, and its pod is replaced.
    for actor in &mut stage.actors {
        actor.process().kill();
        actor.launch = actor.launch.at_epoch(actor.launch.epoch() + 1);
        actor.start(&stage.scene);
    }
    edit(&stage, &two);
    until_decided(&mut stage, &two);
    end(&mut stage);
    assert_eq!(audit(&mut stage), 3);
}

/// The gateway is away, and two transfers are on their way to it.
fn on_their_way() -> (Stage, Vec<String>) {
    let mut stage = stage(12_000);
    stage.actor("gateway").process.take().unwrap().kill();
    let all = ["first 100 USDT", "second 250 USDT", "coins -0.5 BNB"].map(str::to_owned).to_vec();
    edit(&stage, &all);
    until_decided(&mut stage, &all);
    (stage, all)
}

/// Its record is lost meanwhile, and made anew as the message of `LedgerLost` says.
#[test]
fn a_gateway_whose_record_is_lost_has_each_transfer_once() {
    let (mut stage, all) = on_their_way();
    stage.store.ask(&["DEL", &Stage::record("gateway")]);
    let launch = edit(&stage, &all).into_iter().find(|launch| launch.role() == "gateway").expect("a gateway");
    let actor = stage.actor("gateway");
    actor.launch = launch.with("--redis", &actor.proxy.url()).at_speed(None);
    stage.start_role("gateway");
    end(&mut stage);
    assert_eq!(audit(&mut stage), 3);
}

/// What it was told of them is lost on the way: half a minute later it is told again.
#[test]
fn a_transfer_of_which_the_gateway_was_not_told_is_told_again_and_followed_once() {
    let (mut stage, _) = on_their_way();
    let commands = Stage::topic("order.command");
    let told: Vec<_> =
        stage.store.entries(&commands).into_iter().filter(|entry| entry.data["command"] == "Transfer").collect();
    assert_eq!(told.iter().map(|entry| entry.data["number"].as_u64()).collect::<Vec<_>>(), [Some(2), Some(3)]);
    for entry in told {
        stage.store.ask(&["XDEL", &commands, &entry.id]);
    }
    stage.start_role("gateway");
    end(&mut stage);
    assert_eq!(audit(&mut stage), 3);
    let log = stage.scene.log_of(OWNER);
    assert!(log.contains("the gateway does not follow transfers; it is told again"), "{log}");
}
