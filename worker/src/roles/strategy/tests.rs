//! The worker and its gateway together: what is followed without a nudge, what is lost and found again, and the end of
//! a ledger.

mod waits;

use std::time::Instant;

use bus::Topic;
use crds::record::PHASE;
use crds::roles::Stance;
use engine::messages::Tick;
use engine::strategies::DesiredState;
use serde_json::{Value, json};

use crate::roles::IDLE;
use crate::simulation::account::{Account, Role, tick};
use crate::simulation::auditor::audit;
use crate::simulation::script::Script;

const STEP_MS: i64 = 700;

struct Bench {
    account: Account,
    gateway: Role,
    worker: Role,
    sequence: u64,
}

impl Bench {
    fn start() -> Self {
        let account = Account::open();
        let (gateway, worker) = (account.start_gateway(1), account.start_worker(1));
        Self { account, gateway, worker, sequence: 0 }
    }

    /// A tick, whose price makes a nervous grid trade now and then.
    fn tick(&mut self) {
        let cents = [60_000, 61_000, 60_700, 59_500, 59_900, 60_600][usize::try_from(self.sequence % 6).unwrap()];
        self.account.tick(&tick(self.sequence, cents, self.account.bus.clock().now()));
        self.sequence += 1;
    }

    fn step(&mut self) {
        self.account.bus.clock().advance(STEP_MS);
        for _ in 0..3 {
            assert!(self.gateway.step().is_none(), "the gateway ended");
            assert!(self.worker.step().is_none(), "the worker ended");
        }
    }

    fn trade(&mut self, steps: usize) {
        for _ in 0..steps {
            self.tick();
            self.step();
        }
    }

    /// Ticks until the exchange has so many trades.
    fn trade_until(&mut self, trades: usize) {
        for _ in 0..500 {
            if self.account.exchange.trades().len() >= trades {
                return;
            }
            self.trade(1);
        }
        panic!("no trades");
    }

    fn engine(&self) -> Value {
        self.account.field(&self.account.strategy, crate::roles::saved::ENGINE).unwrap()
    }

    fn alerts(&self) -> Vec<String> {
        let alerts = self.account.bus.committed(&self.account.topic(Topic::RiskAlert));
        alerts.iter().map(|alert| alert["kind"].as_str().unwrap().to_owned()).collect()
    }

    fn book(&self) -> Value {
        self.account.field(&self.account.gateway, &format!("book:{}", self.account.ledger)).unwrap()["amounts"].clone()
    }

    fn held(&self) -> Value {
        let ledger = &self.engine()["ledger"];
        json!({"BNB": ledger["positions"][0]["quantity"], "USDT": ledger["cash"][0]["amount"]})
    }
}

#[test]
fn a_register_without_its_nudge_is_followed_within_one_idle() {
    for traffic in [false, true] {
        let mut bench = Bench::start();
        bench.trade(3);
        bench.account.want(DesiredState::Paused);
        // How long ticks may stay uncommitted is real time, here as everywhere.
        let started = Instant::now();
        while bench.engine()["desired"] != "Paused" {
            assert!(started.elapsed() < IDLE, "traffic: {traffic}");
            if traffic {
                bench.tick();
            }
            bench.step();
        }
    }
}

#[test]
fn a_register_that_does_not_read_changes_nothing_and_ends_nobody() {
    let mut bench = Bench::start();
    bench.trade(3);
    let (gateway, strategy) = (bench.account.gateway.clone(), bench.account.strategy.clone());
    bench.account.register(&gateway, &json!({"books": 7}));
    bench.account.register(&strategy, &json!({"state": "Dancing"}));
    bench.trade(20);
    assert_eq!(bench.account.acknowledged(), Some(Stance::Open));
    bench.trade_until(3);
    // Also not after a restart.
    (bench.gateway, bench.worker) = (bench.account.start_gateway(2), bench.account.start_worker(2));
    bench.trade(5);
    bench.account.follow(Stance::CancelOrders);
    bench.account.want(DesiredState::Stopped);
    bench.trade(20);
    assert_eq!(bench.account.acknowledged(), Some(Stance::CancelOrders));
    assert_eq!(bench.engine()["desired"], "Stopped");
}

/// A strategy that is added when the replay has ended gets no tick any more, and says so.
#[test]
fn who_joins_after_the_end_of_the_data_has_seen_the_end() {
    for (last, reason) in [(true, "MarketDataEnded"), (false, "WaitingForMarketData")] {
        let account = Account::open();
        account.tick(&tick(398, 60_000, 1_000));
        account.tick(&Tick { last, ..tick(399, 60_100, 2_000) });
        let mut worker = account.start_worker(1);
        for _ in 0..5 {
            account.bus.clock().advance(STEP_MS);
            assert!(worker.step().is_none());
        }
        assert_eq!(account.field(&account.strategy, PHASE).unwrap()["reason"], reason);
    }
}

/// A gateway that starts and cannot read its register knows nobody's name: it cancels nothing for that, and denies nothing.
#[test]
fn a_gateway_that_starts_without_a_register_that_reads_leaves_orders_and_commands_as_they_are() {
    let mut bench = Bench::start();
    bench.account.exchange.next(Script { trades: vec![(1_000, 40)], ends_after: None, ..Script::default() });
    while !bench.account.exchange.has_open_orders() {
        bench.trade(1);
    }
    let gateway = bench.account.gateway.clone();
    bench.account.register(&gateway, &json!({"books": 7}));
    let requests = bench.account.exchange.requests().len();
    bench.gateway = bench.account.start_gateway(2);
    for _ in 0..20 {
        bench.step();
    }
    assert!(bench.account.exchange.has_open_orders(), "the order waits on");
    assert_eq!(bench.account.exchange.requests().len(), requests, "nothing was asked of the venue");
    bench.account.follow(Stance::Open);
    bench.account.want(DesiredState::Paused);
    bench.trade(40);
    bench.account.want(DesiredState::Running);
    let trades = bench.account.exchange.trades().len();
    bench.trade_until(trades + 2);
}

#[test]
fn a_worker_that_is_stopped_takes_its_news_to_the_end() {
    let mut bench = Bench::start();
    bench.account.exchange.next(Script { trades: vec![(1_000, 40)], ends_after: None, ..Script::default() });
    while bench.account.exchange.placed().is_empty() {
        bench.trade(1);
    }
    bench.account.want(DesiredState::Stopped);
    // Its gateway is slow to hear of the deletion, so that the order trades a while after the stop.
    for _ in 0..12 {
        bench.step();
    }
    bench.account.follow(Stance::Closed);
    for _ in 0..20 {
        bench.step();
    }
    assert_eq!(bench.account.acknowledged(), Some(Stance::Closed));
    assert_eq!(bench.account.exchange.trades().len(), 1);
    assert_eq!(audit(&bench.account), Vec::<String>::new());
}

#[test]
fn a_worker_whose_ledger_was_closed_stays_until_it_is_asked_to_stop() {
    for restarted in [false, true] {
        let mut bench = Bench::start();
        bench.trade(3);
        bench.account.close_strategy();
        if restarted {
            bench.worker = bench.account.start_worker(2);
        }
        bench.trade(20);
        bench.worker.ask_to_stop();
        assert!(matches!(bench.worker.step(), Some(Ok(()))), "restarted: {restarted}");
    }
}

#[test]
fn a_lost_trade_is_told_again_and_booked_once() {
    let mut bench = Bench::start();
    bench.trade_until(2);
    bench.account.bus.lose_next(bench.account.strategy.inbox());
    bench.trade_until(3);
    bench.trade(5);
    assert_eq!(bench.account.bus.lost(), 1);
    assert_ne!(bench.held(), bench.book(), "the trade is not known yet");
    bench.account.ask_again();
    bench.trade(5);
    assert_eq!(bench.held(), bench.book());
    bench.trade_until(6);
    bench.account.want(DesiredState::Stopped);
    bench.trade(10);
    assert_eq!(audit(&bench.account), Vec::<String>::new());
}

#[test]
fn what_cannot_be_told_again_halts_the_strategy_for_good() {
    let mut bench = Bench::start();
    bench.trade_until(2);
    bench.trade(3);
    let before = bench.account.exchange.requests().len();
    let last = bench.account.bus.committed(bench.account.strategy.inbox()).last().unwrap().clone();
    // A word of the gateway that does not fit, whatever the reason.
    let mut other = last;
    other["subAccount"]["USDT"] = json!("1");
    bench.account.publish(bench.account.strategy.inbox().clone(), &other);
    bench.trade(30);
    assert_eq!(bench.alerts(), ["AccountMismatch"]);
    assert_eq!(bench.engine()["risk"], "Halted");
    // A feed waits for it no longer, and a run ends with it.
    let phase = |bench: &Bench| bench.account.field(&bench.account.strategy, PHASE).unwrap();
    assert_eq!((&phase(&bench)["state"], &phase(&bench)["reason"]), (&json!("Quarantined"), &json!("AccountMismatch")));
    bench.worker = bench.account.start_worker(2);
    bench.trade(60);
    assert_eq!((bench.alerts().len(), bench.account.exchange.requests().len()), (1, before));
    assert_eq!(phase(&bench)["reason"], "AccountMismatch");
}

/// The gateway's record alone is lost and made anew: its sub-account goes on where the strategy's ledger is, also with
/// news on its way.
#[test]
fn a_new_gateway_never_opens_a_ledger_that_has_traded_at_its_declared_capital() {
    for news_on_its_way in [false, true] {
        let mut bench = Bench::start();
        bench.trade_until(4);
        bench.trade(4);
        if news_on_its_way {
            // The worker stands still while the gateway tells of one more trade.
            let trades = bench.account.exchange.trades().len();
            bench.account.exchange.next(Script { trades: vec![(2_000, 100)], ends_after: None, ..Script::default() });
            while !bench.account.exchange.has_open_orders() {
                bench.trade(1);
            }
            for _ in 0..10 {
                bench.account.bus.clock().advance(STEP_MS);
                assert!(bench.gateway.step().is_none());
            }
            assert_eq!(bench.account.exchange.trades().len(), trades + 1);
        }
        let book = bench.book();
        bench.account.lose_gateway();
        bench.gateway = bench.account.start_gateway(2);
        assert!(bench.gateway.step().is_none());
        assert_eq!(bench.book(), book, "news on its way: {news_on_its_way}");
        let trades = bench.account.exchange.trades().len();
        bench.trade_until(trades + 3);
        bench.trade(5);
        assert_eq!((bench.held(), bench.alerts()), (bench.book(), Vec::new()), "{news_on_its_way}");
    }
}

#[test]
fn a_new_gateway_denies_what_nobody_can_tell() {
    let mut bench = Bench::start();
    bench.trade_until(2);
    bench.trade(3);
    bench.account.lose_gateway();
    // A poison entry may be a trade.
    bench.account.publish(bench.account.strategy.inbox().clone(), &json!({"kind": "OrderUpdate"}));
    bench.gateway = bench.account.start_gateway(2);
    assert!(bench.gateway.step().is_none());
    assert_eq!(bench.account.field(&bench.account.gateway, &format!("book:{}", bench.account.ledger)), None);
    // Nobody knows what it holds, nor its orders that the venue tells of.
    assert_eq!(bench.alerts(), ["AccountMismatch", "OrderAnomaly"]);
    let now = bench.account.bus.clock().now();
    let id = bench.account.order_id(999);
    bench.account.command(&json!({"clientOrderId": id, "strategy": "grid", "ledger": bench.account.ledger,
        "sequence": 999, "command": "Create", "side": "Sell", "orderType": "Limit", "timeInForce": "ImmediateOrCancel",
        "quantity": "0.1", "price": "600.00", "reduceOnly": false, "symbol": "BNB/USDT", "time": now,
        "expiresAt": now + 30_000}));
    let last = |bench: &Bench| bench.account.bus.committed(bench.account.strategy.inbox()).last().unwrap().clone();
    for _ in 0..20 {
        bench.account.bus.clock().advance(STEP_MS);
        assert!(bench.gateway.step().is_none());
    }
    let last = last(&bench);
    assert_eq!((&last["status"], &last["reason"]), (&json!("Denied"), &json!("BookUnknown")));
}
