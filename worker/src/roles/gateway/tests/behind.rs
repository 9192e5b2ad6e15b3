//! A strategy that does not take its news, with an inbox at its bound: nothing of its news is lost or doubled, and its
//! neighbours at the account trade on.

use std::collections::BTreeMap;

use bus::{Owner, StateStore, StreamId, Topic};
use engine::client_order_id::ClientOrderId;
use engine::messages::Tick;
use serde_json::{Value, json};

use super::{advance, cancel, command};
use crate::simulation::account::{Account, Role, at_once, tick};
use crate::simulation::bus::Trouble;
use crate::simulation::script::Script;

const STEP_MS: i64 = 100;

struct Bench {
    account: Account,
    gateway: Role,
    neighbour: (Owner, String),
    full: StreamId,
}

impl Bench {
    /// The first strategy has an order that rests, and an inbox at its bound.
    fn start() -> Self {
        let mut account = Account::open();
        let neighbour = account.neighbour("other");
        account.exchange.next(Script { trades: vec![(3_000, 40)], ends_after: None, ..Script::default() });
        account.command(&order(&account.ledger, "grid", 1, account.bus.clock().now(), "Buy"));
        let gateway = account.start_gateway(1);
        let mut bench = Self { account, gateway, neighbour, full: StreamId::ZERO };
        bench.run(1_000);
        assert_eq!(bench.told(&bench.account.strategy), ["1 Accepted"]);
        bench.full = bench.account.fill_inbox(&bench.account.strategy);
        bench
    }

    fn order(&self, sequence: u64, side: &str) {
        self.account.command(&order(&self.account.ledger, "grid", sequence, self.account.bus.clock().now(), side));
    }

    fn run(&mut self, milliseconds: i64) {
        for _ in 0..milliseconds / STEP_MS {
            self.gateway.go_on(&self.account);
            self.account.bus.clock().advance(STEP_MS);
        }
    }

    fn told(&self, owner: &Owner) -> Vec<String> {
        let inbox = self.account.bus.committed(owner.inbox());
        inbox.iter().filter_map(line).collect()
    }

    /// The news that waits, in its order.
    fn waits(&self) -> Vec<String> {
        let record = at_once(self.account.bus.record(&self.account.gateway)).unwrap().unwrap();
        let numbered = record.fields.iter().filter_map(|(name, value)| {
            let (_, number) = name.strip_prefix("undelivered:")?.split_once(':')?;
            let entry = serde_json::from_str::<Value>(value).unwrap()["entry"].clone();
            Some((number.parse::<u64>().unwrap(), line(&entry).unwrap_or_else(|| "word".to_owned())))
        });
        let numbered: BTreeMap<u64, String> = numbered.collect();
        numbered.into_values().collect()
    }
}

fn order(ledger: &str, strategy: &str, sequence: u64, time: i64, side: &str) -> engine::messages::OrderCommand {
    command(ledger, sequence, time, &json!({"strategy": strategy, "quantity": "0.01", "side": side}))
}

fn line(entry: &Value) -> Option<String> {
    let id: ClientOrderId = entry["clientOrderId"].as_str()?.parse().unwrap();
    let (status, reason) = (entry["status"].as_str()?, entry["reason"].as_str()?);
    let fill = entry.get("fill").map(|fill| format!(" {}", fill["tradeId"].as_str().unwrap()));
    if entry.get("repeat").is_some() {
        // Told again to who asks again, who leaves out what it knows.
        return None;
    }
    Some(format!("{} {status}{reason}{}", id.sequence(), fill.unwrap_or_default()))
}

/// What happens while the inbox is full, and after it was emptied.
fn story(bench: &mut Bench) {
    bench.order(2, "Sell");
    bench.run(1_000);
    bench.order(3, "Buy");
    let now = bench.account.bus.clock().now();
    bench.account.command(&order(&bench.neighbour.1, "other", 1, now, "Buy"));
    bench.run(3_000);
    bench.account.command(&cancel(&bench.account.ledger, 1, bench.account.bus.clock().now()));
    bench.run(12_000);
}

#[test]
fn one_full_inbox_holds_up_nobody_and_everything_is_told_once_there_is_room() {
    let mut bench = Bench::start();
    bench.order(2, "Sell");
    bench.run(1_000);
    assert_eq!(bench.account.exchange.requests().len(), 2, "what reduces passes");
    let (is_ready, text) = bench.gateway.health.readiness();
    assert!(is_ready && text.contains("news of grid waits"), "{text}");
    bench.order(3, "Buy");
    let now = bench.account.bus.clock().now();
    bench.account.command(&order(&bench.neighbour.1, "other", 1, now, "Buy"));
    bench.run(3_000);
    assert_eq!(bench.told(&bench.neighbour.0), ["1 Filled 3-1"]);
    bench.account.command(&cancel(&bench.account.ledger, 1, bench.account.bus.clock().now()));
    bench.run(1_000);
    assert!(!bench.account.exchange.has_open_orders(), "a cancel passes");
    assert_eq!(bench.told(&bench.account.strategy), ["1 Accepted"], "there is no room");
    let waits = ["2 Filled 2-1", "3 DeniedStrategyBehind", "1 PartiallyFilled 1-1", "1 Canceled"];
    assert_eq!(bench.waits(), waits);
    bench.gateway = bench.account.start_gateway(2);
    bench.run(12_000);
    assert_eq!(bench.waits(), waits, "also after a restart");
    bench.account.empty_inbox(&bench.account.strategy, bench.full);
    bench.run(1_000);
    bench.order(4, "Buy");
    bench.run(1_000);
    let told = bench.told(&bench.account.strategy);
    assert_eq!(told, [&["1 Accepted"], waits.as_slice(), &["4 Filled 4-1"]].concat());
    assert_eq!((bench.waits(), bench.gateway.health.readiness().1), (Vec::new(), "ready".to_owned()));
    let fills = bench.account.bus.committed(&bench.account.topic(Topic::OrderFill));
    assert_eq!(fills.len(), 4);
}

#[test]
fn a_crash_at_any_commit_while_an_inbox_is_full_loses_and_doubles_nothing() {
    for commit in 0..12 {
        for trouble in [Trouble::Before, Trouble::After, Trouble::Torn] {
            let mut bench = Bench::start();
            bench.account.bus.plan(&bench.account.gateway, commit, trouble);
            story(&mut bench);
            bench.account.empty_inbox(&bench.account.strategy, bench.full);
            bench.run(15_000);
            let mut told = bench.told(&bench.account.strategy);
            // Of what was on its way in a crash nobody knew for a while; what opens is denied once that the inbox is full is
            // known; and the trade of an order may be told with its end.
            told.retain(|line| !line.contains("Unknown") && !line.starts_with("3 "));
            for line in &mut told {
                *line = line.replace("PartiallyFilled", "Canceled");
            }
            told.dedup();
            told.sort();
            let name = format!("{commit} {trouble:?}: {told:?}");
            let count = |what: &str| told.iter().filter(|line| line.contains(what)).count();
            assert_eq!((count("1 Canceled 1-1"), count("2 Filled ")), (1, 1), "{name}");
            assert!(told.iter().any(|line| line.starts_with("1 Canceled")), "{name}");
            assert_eq!(bench.waits(), [] as [&str; 0], "{name}");
        }
    }
}

/// On paper nothing is denied for it: what the worker will be told is what it would have been told.
#[test]
fn on_paper_nothing_is_denied_for_a_full_inbox() {
    let mut bench = Bench::start();
    bench.account = Account::open();
    bench.neighbour = bench.account.neighbour("other");
    let ticks: Vec<Tick> =
        (0..3).map(|n| tick(n, 60_000, 1_700_000_000_000 + i64::try_from(n).unwrap() * 1_000)).collect();
    let ticks: Vec<String> = ticks.iter().map(|tick| bench.account.tick(tick).to_string()).collect();
    bench.gateway = bench.account.start_paper_gateway(1);
    bench.full = bench.account.fill_inbox(&bench.account.strategy);
    let send = |bench: &Bench, ledger: &str, strategy: &str, sequence: u64| {
        let changes = json!({"strategy": strategy, "quantity": "0.01", "price": "601.00", "tick": ticks[0]});
        bench.account.command(&command(ledger, sequence, 1_700_000_000_000, &changes));
        let mut word = advance(ledger, &ticks[0], u32::try_from(sequence).unwrap());
        word.strategy = strategy.to_owned();
        bench.account.command(&word);
    };
    let ledger = bench.account.ledger.clone();
    for sequence in 1..=3 {
        send(&bench, &ledger, "grid", sequence);
        bench.run(6_000);
    }
    send(&bench, &bench.neighbour.1.clone(), "other", 1);
    bench.run(6_000);
    assert_eq!(
        bench.told(&bench.neighbour.0),
        [format!("1 Filled {}-1", ClientOrderId::new(bench.neighbour.1.parse().unwrap(), 1))],
        "its neighbour trades on"
    );
    assert_eq!((bench.told(&bench.account.strategy).len(), bench.waits().len()), (0, 6));
    bench.account.empty_inbox(&bench.account.strategy, bench.full);
    bench.run(6_000);
    let kinds: Vec<_> = bench.account.bus.committed(bench.account.strategy.inbox());
    let kinds: Vec<_> = kinds.iter().map(|entry| entry["status"].as_str().unwrap_or("word")).collect();
    assert_eq!(kinds, ["Filled", "word", "Filled", "word", "Filled", "word"]);
    assert_eq!(bench.waits(), [] as [&str; 0]);
}
