//! The role with the paper venue: several orders that wait at once, each for its own tick, whatever dies.

use bus::Topic;
use engine::client_order_id::ClientOrderId;
use serde_json::{Value, json};

use super::{cancel, command};
use crate::simulation::account::{Account, Role, tick};
use crate::simulation::bus::Trouble;

const START: i64 = 1_700_000_000_000;
const LATENCY_MS: u32 = 1_500;

struct Bench {
    account: Account,
    gateway: Role,
}

impl Bench {
    /// Ten ticks a second apart, at 600 to 609, and no order yet.
    fn start() -> (Self, Vec<String>) {
        let account = Account::with_latency(LATENCY_MS);
        let gateway = account.start_paper_gateway(1);
        let tick = |n: i64| tick(n.try_into().unwrap(), 60_000 + n * 100, START + n * 1_000);
        let ids = (0..10).map(|n| account.tick(&tick(n)).to_string()).collect();
        (Self { account, gateway }, ids)
    }

    /// An order of a worker that has just taken tick `n`.
    fn order(&self, sequence: u64, n: i64, tick_id: &str, limit: &str) {
        let changes = json!({"tick": tick_id, "price": limit});
        self.account.command(&command(&self.account.ledger, sequence, START + n * 1_000, &changes));
    }

    fn run(&mut self) {
        for _ in 0..30 {
            self.gateway.go_on(&self.account);
            self.account.bus.clock().advance(1_000);
        }
    }

    /// Trades as (order, tick, price).
    fn trades(&self) -> Vec<(u64, u64, String)> {
        let trade = |fill: &Value| {
            let id: ClientOrderId = fill["clientOrderId"].as_str().unwrap().parse().unwrap();
            (id.sequence(), fill["tickSequence"].as_u64().unwrap(), fill["price"].as_str().unwrap().to_owned())
        };
        let mut trades: Vec<_> =
            self.account.bus.committed(&self.account.topic(Topic::OrderFill)).iter().map(trade).collect();
        trades.sort();
        trades
    }

    /// The last status of each of so many orders.
    fn ends(&self, orders: u64) -> Vec<String> {
        let inbox = self.account.bus.committed(self.account.strategy.inbox());
        let end = |sequence: u64| {
            let id = self.account.order_id(sequence);
            let last = inbox.iter().rfind(|entry| entry["clientOrderId"] == id.as_str());
            last.map_or_else(String::new, |entry| entry["status"].as_str().unwrap().to_owned())
        };
        (1..=orders).map(end).collect()
    }
}

/// Order 1 is of tick 4, order 2 of tick 1 (its worker is slower), order 3 of tick 4 again, with a limit that is
/// out of reach two ticks later. Each is held against the first tick 1.5 s after its own.
fn three_orders(bench: &mut Bench, ticks: &[String]) {
    bench.order(1, 4, &ticks[4], "700.00");
    bench.order(2, 1, &ticks[1], "700.00");
    bench.order(3, 4, &ticks[4], "605.00");
    bench.run();
}

fn expected() -> Vec<(u64, u64, String)> {
    vec![(1, 6, "606.00".to_owned()), (2, 3, "603.00".to_owned())]
}

#[test]
fn each_waiting_order_meets_its_own_tick_once() {
    let (mut bench, ticks) = Bench::start();
    three_orders(&mut bench, &ticks);
    assert_eq!(bench.trades(), expected());
    assert_eq!(bench.ends(3), ["Filled", "Filled", "Expired"]);
    // Later, with nobody waiting, and for an earlier tick than the last one read.
    bench.order(4, 2, &ticks[2], "700.00");
    bench.run();
    assert_eq!(bench.trades().last(), Some(&(4, 4, "604.00".to_owned())));
}

#[test]
fn a_crash_at_any_commit_changes_no_trade() {
    let (mut undisturbed, ticks) = Bench::start();
    three_orders(&mut undisturbed, &ticks);
    for commit in 0..undisturbed.account.bus.commits() {
        for trouble in [Trouble::Before, Trouble::After, Trouble::Torn] {
            let (mut bench, ticks) = Bench::start();
            bench.account.bus.plan(&bench.account.gateway, commit, trouble);
            three_orders(&mut bench, &ticks);
            assert_eq!(bench.trades(), expected(), "{commit}, {trouble:?}");
            assert_eq!(bench.ends(3), ["Filled", "Filled", "Expired"], "{commit}, {trouble:?}");
        }
    }
}

#[test]
fn a_waiting_order_is_cancelled_in_the_record() {
    let (mut bench, ticks) = Bench::start();
    // Its tick is the last one, so it waits.
    bench.order(1, 9, &ticks[9], "700.00");
    bench.run();
    assert_eq!(bench.ends(1), ["Accepted"]);
    bench.account.command(&cancel(&bench.account.ledger, 1, START));
    bench.run();
    assert_eq!((bench.ends(1), bench.trades()), (vec!["Canceled".to_owned()], Vec::new()));
}
