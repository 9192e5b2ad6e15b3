//! What a strategy may do at its account, and when that is acknowledged: the order manager alone, then the role with a venue
//! elsewhere and with the simulated exchange, frozen and restarted at any commit, and without a nudge.

use bus::StateStore;
use crds::record::ORDER;
use crds::roles::{GatewayDesired, Stance};
use engine::fees::Fees;
use engine::time::Timestamp;
use serde_json::{Value, json};

use super::super::manager::{OrderManager, Verdict};
use super::{cancel, command};
use crate::roles::IDLE;
use crate::simulation::account::{Account, Role, at_once, tick};
use crate::simulation::bus::Trouble;
use crate::simulation::script::Script;

const STEP_MS: i64 = 100;

fn registered(manager: &mut OrderManager, stance: Stance) {
    let book = json!({"strategy": "grid", "ledger": "abc", "capital": {"USDT": 3000, "BNB": 5}, "stance": stance});
    super::manager::open(manager, &serde_json::from_value(json!({"books": [book]})).unwrap());
}

/// A command of ledger abc, judged: `Send`, `Cancel`, or the reason of its denial.
fn judged(manager: &mut OrderManager, sequence: u64, side: &str) -> String {
    let command = match side {
        "cancel" => cancel("abc", sequence, 0),
        side => command("abc", sequence, 0, &json!({"side": side, "quantity": "0.1"})),
    };
    match manager.judge(&command, Timestamp::from_millis(0)) {
        Verdict::Tell(news) | Verdict::Repeat(news) | Verdict::Reissued(news, _) => news[0].reason.clone(),
        other @ (Verdict::Send | Verdict::Cancel | Verdict::NotRegistered | Verdict::Ask) => format!("{other:?}"),
    }
}

#[test]
fn each_stance_forbids_what_the_one_before_it_forbids_and_more() {
    let cases = [
        (Stance::Open, ["Send", "Send"], [].as_slice()),
        (Stance::StopOpening, ["Paused", "Send"], &["glm-abc-1"]),
        (Stance::CancelOrders, ["Stopped", "Stopped"], &["glm-abc-1", "glm-abc-2"]),
        (Stance::Closed, ["StrategyClosing", "StrategyClosing"], &["glm-abc-1", "glm-abc-2"]),
    ];
    for (stance, told, cancelled) in cases {
        let mut manager = OrderManager::default();
        registered(&mut manager, Stance::Open);
        assert_eq!((judged(&mut manager, 1, "Buy"), judged(&mut manager, 2, "Sell")), ("Send".into(), "Send".into()));
        registered(&mut manager, stance);
        assert_eq!([judged(&mut manager, 3, "Buy"), judged(&mut manager, 4, "Sell")], told, "{stance:?}");
        assert_eq!(judged(&mut manager, 1, "cancel"), "Cancel", "{stance:?}");
        let ids: Vec<_> = manager.cancel_forbidden().into_iter().map(|(id, _)| id.to_string()).collect();
        assert_eq!(ids, cancelled, "{stance:?}");
        let changes = manager.take_changes();
        assert!(changes.set.contains(&("stance:abc".to_owned(), json!(stance).to_string())), "{stance:?}: {changes:?}");
    }
}

#[test]
fn a_closed_ledger_stays_closed_and_one_that_is_named_no_more_orders_nothing() {
    let mut manager = OrderManager::default();
    registered(&mut manager, Stance::Open);
    assert_eq!(judged(&mut manager, 1, "Buy"), "Send");
    // Named no more with an order open: the sub-account and the order stay, another order is not taken.
    assert_eq!(manager.register(&GatewayDesired::default()), []);
    assert_eq!(judged(&mut manager, 2, "Sell"), "NotRegistered");
    assert_eq!(manager.cancel_forbidden().len(), 1);
    registered(&mut manager, Stance::Closed);
    registered(&mut manager, Stance::Open);
    assert_eq!(judged(&mut manager, 3, "Buy"), "StrategyClosing");
    // And after a restart, with the register away: what the record says goes on.
    let changes = manager.take_changes();
    let mut manager = OrderManager::restore(
        &Fees::default(),
        changes.set.iter().map(|(name, value)| (name.as_str(), value.as_str())),
    )
    .unwrap();
    assert_eq!(judged(&mut manager, 4, "Buy"), "NotRegistered");
    registered(&mut manager, Stance::Open);
    assert_eq!(judged(&mut manager, 5, "Buy"), "StrategyClosing");
}

#[test]
fn what_was_known_of_a_closed_ledger_goes_with_it() {
    let mut manager = OrderManager::default();
    registered(&mut manager, Stance::Closed);
    assert_eq!(judged(&mut manager, 1, "Buy"), "StrategyClosing");
    let names = |manager: &mut OrderManager| {
        let changes = manager.take_changes();
        let set: Vec<_> = changes.set.into_iter().map(|(name, _)| name).collect();
        (set, changes.delete)
    };
    let all = ["book:abc", "stance:abc", "highest:abc"].map(str::to_owned).to_vec();
    assert_eq!(names(&mut manager), (all.clone(), Vec::new()));
    assert_eq!(manager.register(&GatewayDesired::default()), ["abc".parse().unwrap()]);
    assert_eq!(names(&mut manager), (Vec::new(), all));
}

/// A gateway of either venue, restarted whenever it stops at a commit, or frozen there.
struct Bench {
    account: Account,
    gateway: Role,
    paper: bool,
    /// The tick that caused each order: the last one, so that at the simulated exchange an order waits for the next.
    tick: String,
    /// How many orders the venue had been asked for when Closed was acknowledged.
    asked: Option<usize>,
}

impl Bench {
    fn start(paper: bool) -> Self {
        let account = Account::with_latency(1_500);
        for _ in 0..4 {
            // Orders rest until they are cancelled, and the first cancel is lost.
            let rests = Script { trades: Vec::new(), ends_after: None, cancels_lost: 1, ..Script::default() };
            account.exchange.next(rests);
        }
        let tick = account.tick(&tick(0, 60_000, account.bus.clock().now())).to_string();
        let gateway = if paper { account.start_paper_gateway(1) } else { account.start_gateway(1) };
        Self { account, gateway, paper, tick, asked: None }
    }

    fn order(&self, sequence: u64, changes: &Value) {
        let mut all = json!({"tick": self.tick, "quantity": "0.1"});
        for (name, value) in changes.as_object().unwrap() {
            all[name] = value.clone();
        }
        let now = self.account.bus.clock().now();
        self.account.command(&command(&self.account.ledger, sequence, now, &all));
    }

    fn orders_sent(&self) -> usize {
        if self.paper { self.account.sent_on_record().len() } else { self.account.exchange.requests().len() }
    }

    fn step(&mut self) {
        self.gateway.go_on(&self.account);
        self.account.bus.clock().advance(STEP_MS);
        match self.asked {
            Some(asked) => assert_eq!(self.orders_sent(), asked, "an order was sent after Closed was acknowledged"),
            None if self.account.acknowledged() == Some(Stance::Closed) => self.asked = Some(self.orders_sent()),
            None => {}
        }
    }

    fn run(&mut self, milliseconds: i64) {
        for _ in 0..milliseconds / STEP_MS {
            self.step();
        }
    }

    /// Runs for a while without a successor: what stopped at the planned commit, if the gateway came to it.
    fn run_until_frozen(&mut self) -> Option<(u64, String)> {
        let mut frozen = None;
        for _ in 0..50 {
            assert!(self.gateway.step().is_none());
            self.account.bus.clock().advance(STEP_MS);
            frozen = frozen.or(self.account.bus.take_stopped());
        }
        frozen
    }

    /// The last word on an order in the inbox: its status and reason.
    fn told(&self, sequence: u64) -> (String, String) {
        let id = self.account.order_id(sequence);
        let inbox = self.account.bus.committed(self.account.strategy.inbox());
        let last = inbox.iter().rfind(|entry| entry["clientOrderId"] == id.as_str()).cloned().unwrap_or_default();
        let text = |name: &str| last[name].as_str().unwrap_or_default().to_owned();
        (text("status"), text("reason"))
    }

    /// What is told of an order that has not ended: the simulated exchange waits for its worker to go on.
    const fn on_its_way(&self) -> &'static str {
        if self.paper { "Sent" } else { "Accepted" }
    }

    fn is_told(&self, sequence: u64, status: &str, reason: &str) {
        assert_eq!(self.told(sequence), (status.to_owned(), reason.to_owned()), "order {sequence}");
    }
}

fn idle_ms() -> i64 {
    i64::try_from(IDLE.as_millis()).unwrap()
}

#[test]
fn a_register_without_its_nudge_is_followed_within_one_idle() {
    for paper in [false, true] {
        for traffic in [false, true] {
            let mut bench = Bench::start(paper);
            bench.order(1, &json!({}));
            bench.run(1_000);
            bench.is_told(1, bench.on_its_way(), "");
            bench.account.follow(Stance::CancelOrders);
            for step in 0..=idle_ms() / STEP_MS {
                if traffic {
                    // Of a stranger, so that only the gateway's own commits can tell.
                    let now = bench.account.bus.clock().now();
                    bench.account.command(&command("other", u64::try_from(step).unwrap(), now, &json!({})));
                }
                bench.step();
            }
            assert_eq!(bench.account.acknowledged(), Some(Stance::CancelOrders), "{paper} {traffic}");
            bench.run(2_000);
            bench.is_told(1, "Canceled", "");
        }
    }
}

#[test]
fn an_order_is_judged_by_the_register_of_now_whatever_was_read_first() {
    for paper in [false, true] {
        for (stance, side, end, reason) in [
            (Stance::StopOpening, "Buy", "Denied", "Paused"),
            (Stance::StopOpening, "Sell", "Accepted", ""),
            (Stance::CancelOrders, "Sell", "Denied", "Stopped"),
            (Stance::Closed, "Sell", "Denied", "StrategyClosing"),
        ] {
            let mut bench = Bench::start(paper);
            bench.run(1_000);
            // Not stepped in between: frozen while the register changes, then it finds the command.
            bench.account.follow(stance);
            bench.order(1, &json!({"side": side}));
            bench.run(1_000);
            let end = if end == "Accepted" { bench.on_its_way() } else { end };
            bench.is_told(1, end, reason);
            assert_eq!(bench.orders_sent(), usize::from(end != "Denied"), "{paper} {stance:?} {side}");
        }
    }
}

/// Closed while an order rests, with more orders on their way, and an end of the gateway at each of its commits.
fn closing(bench: &mut Bench) {
    bench.order(1, &json!({}));
    bench.run(500);
    bench.order(2, &json!({}));
    bench.account.follow(Stance::Closed);
    bench.order(3, &json!({}));
    bench.run(60_000);
}

fn closed_in_order(bench: &Bench, name: &str) {
    assert_eq!(bench.account.acknowledged(), Some(Stance::Closed), "{name}");
    assert!(!bench.account.exchange.has_open_orders(), "{name}: an order is open");
    for sequence in 1..=3 {
        let (status, _) = bench.told(sequence);
        // A gateway that comes back to find no order open tells nothing more, so also nothing of what it denies.
        let known = status.is_empty() && sequence > 1 || ["Canceled", "Denied"].contains(&status.as_str());
        assert!(known, "{name}: order {sequence} is {status:?}");
    }
}

#[test]
fn a_deletion_is_acknowledged_in_order_whatever_dies() {
    for paper in [false, true] {
        let mut undisturbed = Bench::start(paper);
        closing(&mut undisturbed);
        closed_in_order(&undisturbed, "undisturbed");
        undisturbed.is_told(2, "Denied", "StrategyClosing");
        undisturbed.is_told(3, "Denied", "StrategyClosing");
        for commit in 0..undisturbed.account.bus.commits() {
            for trouble in [Trouble::Before, Trouble::After, Trouble::Torn] {
                let mut bench = Bench::start(paper);
                bench.account.bus.plan(&bench.account.gateway, commit, trouble);
                closing(&mut bench);
                closed_in_order(&bench, &format!("paper {paper}, {commit}, {trouble:?}"));
            }
        }
    }
}

/// Frozen at each of its commits, with no successor, while the register changes; thawed after a while.
#[test]
fn a_gateway_that_was_frozen_while_its_strategy_was_deleted_sends_nothing_of_it_later() {
    for paper in [false, true] {
        for commit in 0..12 {
            for thawed_after in [200, 4_000, 20_000] {
                let mut bench = Bench::start(paper);
                bench.account.bus.plan(&bench.account.gateway, commit, Trouble::After);
                bench.order(1, &json!({}));
                let frozen = bench.run_until_frozen();
                // Not later either, where it makes no such commit.
                bench.account.bus.forget_plan();
                bench.account.follow(Stance::Closed);
                bench.order(2, &json!({}));
                bench.account.bus.clock().advance(thawed_after);
                if let Some((number, _)) = frozen {
                    bench.account.bus.release(number);
                }
                bench.run(60_000);
                closed_in_order_of(&bench, 2, &format!("paper {paper}, {commit}, {thawed_after}"));
            }
        }
    }
}

/// Frozen after it has judged an order and before that is stored: the order is not stored under another register.
#[test]
fn what_was_judged_before_the_register_changed_is_judged_anew() {
    for paper in [false, true] {
        let mut frozen_at = 0;
        for commit in 0..12 {
            let mut bench = Bench::start(paper);
            bench.account.bus.plan(&bench.account.gateway, commit, Trouble::Before);
            bench.order(1, &json!({}));
            let frozen = bench.run_until_frozen();
            let Some((number, _)) = frozen else { continue };
            frozen_at += 1;
            let sent = bench.orders_sent();
            bench.account.follow(Stance::Closed);
            bench.account.bus.release(number);
            bench.run(60_000);
            assert_eq!(bench.orders_sent(), sent, "paper {paper}, {commit}: it was sent all the same");
            bench.is_told(
                1,
                if sent == 0 { "Denied" } else { "Canceled" },
                if sent == 0 { "StrategyClosing" } else { "" },
            );
        }
        assert!(frozen_at > 1, "paper {paper}: frozen {frozen_at} times");
    }
}

fn closed_in_order_of(bench: &Bench, sequence: u64, name: &str) {
    assert_eq!(bench.account.acknowledged(), Some(Stance::Closed), "{name}");
    assert!(!bench.account.exchange.has_open_orders(), "{name}: an order is open");
    let id = bench.account.order_id(sequence);
    assert!(bench.account.exchange.requests().iter().all(|(sent, _)| sent.to_string() != id), "{name}: it was sent");
    assert!(!bench.account.sent_on_record().contains(&id), "{name}: it was sent");
    assert_eq!(bench.told(sequence).0, "Denied", "{name}");
}

#[test]
fn an_inbox_that_was_deleted_with_its_ledger_never_comes_back() {
    for paper in [false, true] {
        let mut bench = Bench::start(paper);
        bench.order(1, &json!({}));
        bench.run(1_000);
        bench.account.follow(Stance::Closed);
        bench.run(10_000);
        bench.is_told(1, "Canceled", "");
        bench.account.close_strategy();
        let inbox = bench.account.strategy.inbox().clone();
        assert!(!bench.account.exists(&inbox));
        let late = |bench: &mut Bench| {
            // A new one, the same again, its cancel, one whose number was used, one that does not read.
            bench.order(2, &json!({}));
            bench.order(1, &json!({}));
            bench.account.command(&cancel(&bench.account.ledger, 1, 0));
            bench.order(9, &json!({"sequence": 8}));
            let id = bench.account.order_id(7);
            bench.account.command(&json!({"clientOrderId": id, "strategy": "grid"}));
            bench.run(10_000);
            assert!(!bench.account.exists(&inbox), "paper {}: {:?}", bench.paper, bench.account.bus.committed(&inbox));
        };
        late(&mut bench);
        // A restarted gateway knows it from its record.
        bench.gateway = if paper { bench.account.start_paper_gateway(2) } else { bench.account.start_gateway(2) };
        late(&mut bench);
        // And one whose register names the ledger no more, from the store.
        bench.account.register(&bench.account.gateway.clone(), &GatewayDesired::default());
        bench.run(10_000);
        late(&mut bench);
        let record = at_once(bench.account.bus.record(&bench.account.gateway)).unwrap().unwrap();
        let left: Vec<_> = record
            .fields
            .keys()
            .filter(|name| !name.starts_with(ORDER) && name.contains(&bench.account.ledger))
            .collect();
        assert_eq!(left, Vec::<&String>::new(), "fields of the closed ledger");
    }
}

/// A strategy that the register does not name, but whose ledger stands, is told why nothing comes of its order.
#[test]
fn an_unregistered_ledger_is_denied_and_told() {
    let mut bench = Bench::start(true);
    bench.account.register(&bench.account.gateway.clone(), &GatewayDesired::default());
    bench.order(1, &json!({}));
    bench.run(1_000);
    bench.is_told(1, "Denied", "StrategyNotRegistered");
    bench.account.command(&command("other", 1, 0, &json!({"strategy": "nobody"})));
    bench.run(1_000);
    assert!(!bench.account.exists(bench.account.inbox_of("nobody").inbox()), "an inbox of nobody");
}
