//! The role with the simulated exchange: what a worker that goes from tick to tick is told, whatever dies.

use bus::Topic;
use crds::roles::Stance;
use engine::client_order_id::ClientOrderId;
use serde_json::{Value, json};

use super::{advance, cancel, command};
use crate::simulation::account::{Account, Role, tick};
use crate::simulation::bus::Trouble;

const START: i64 = 1_700_000_000_000;

struct Bench {
    account: Account,
    gateway: Role,
    ticks: Vec<String>,
    prices: Vec<i64>,
    /// An Advance carries its tick, which is gone from its stream by then.
    carries: bool,
}

impl Bench {
    /// Ticks a second apart at these prices in cents, and no order yet.
    fn start(latency_ms: u32, prices: &[i64]) -> Self {
        let account = Account::with_latency(latency_ms);
        let gateway = account.start_paper_gateway(1);
        let ticks = prices.iter().enumerate().map(|(n, cents)| {
            let n = i64::try_from(n).unwrap();
            account.tick(&tick(n.try_into().unwrap(), *cents, START + n * 1_000)).to_string()
        });
        let ticks = ticks.collect();
        Self { account, gateway, ticks, prices: prices.to_vec(), carries: false }
    }

    /// A command of a worker that stands at tick `n`.
    fn send(&self, sequence: u64, n: usize, changes: &Value) {
        let mut all = json!({"tick": self.ticks[n], "timeInForce": "GTC", "quantity": "0.5"});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let time = START + i64::try_from(n).unwrap() * 1_000;
        self.account.command(&command(&self.account.ledger, sequence, time, &all));
    }

    fn buy(&self, sequence: u64, n: usize, limit: &str) {
        self.send(sequence, n, &json!({"price": limit}));
    }

    fn sell(&self, sequence: u64, n: usize, limit: &str) {
        self.send(sequence, n, &json!({"side": "Sell", "price": limit}));
    }

    fn cancel(&self, sequence: u64, n: usize) {
        let cancel = cancel(&self.account.ledger, sequence, START + i64::try_from(n).unwrap() * 1_000);
        let mut cancel = serde_json::to_value(cancel).unwrap();
        cancel["tick"] = self.ticks[n].as_str().into();
        self.account.command(&cancel);
    }

    fn advance(&mut self, n: usize, round: u32) {
        let mut advance = advance(&self.account.ledger, &self.ticks[n], round);
        if self.carries {
            let at = i64::try_from(n).unwrap();
            let tick = tick(at.try_into().unwrap(), self.prices[n], START + at * 1_000);
            self.account.trim_ticks(&tick);
            advance.market = Some(Box::new(tick));
        }
        self.account.command(&advance);
        self.run();
    }

    fn run(&mut self) {
        for _ in 0..4 {
            if let Some(ended) = self.gateway.step() {
                panic!("the gateway ended: {ended:?}");
            }
            if self.account.bus.take_stopped().is_some() {
                self.gateway = self.account.start_paper_gateway(self.gateway.epoch + 1);
            }
            self.account.bus.clock().advance(1_000);
        }
    }

    /// All that was told, in a few letters.
    fn told(&self) -> Vec<String> {
        let inbox = self.account.bus.committed(self.account.strategy.inbox());
        let line = |entry: &Value| match entry["kind"].as_str().unwrap() {
            "Word" => {
                let tick = self.ticks.iter().position(|id| entry["tick"] == id.as_str()).unwrap();
                Some(format!("word {tick}.{}", entry["round"]))
            }
            "OrderUpdate" => {
                let id: ClientOrderId = entry["clientOrderId"].as_str().unwrap().parse().unwrap();
                let sequence = id.sequence();
                let (status, reason) = (entry["status"].as_str().unwrap(), entry["reason"].as_str().unwrap());
                let fill = entry.get("fill").map(|fill| {
                    let text = |name: &str| fill[name].as_str().unwrap();
                    format!(" {} @ {}", text("quantity"), text("price"))
                });
                Some(format!("{sequence} {status}{reason}{}", fill.unwrap_or_default()))
            }
            _ => None,
        };
        inbox.iter().filter_map(line).collect()
    }

    fn is_told(&self, expected: &[&str]) {
        assert_eq!(self.told(), expected);
    }

    /// What the sub-account held when a word was given.
    fn holdings(&self) -> Value {
        let inbox = self.account.bus.committed(self.account.strategy.inbox());
        inbox.iter().rfind(|entry| entry["kind"] == "Word").unwrap()["subAccount"].clone()
    }

    fn fills(&self) -> usize {
        self.account.bus.committed(&self.account.topic(Topic::OrderFill)).len()
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.account.field(&self.account.gateway, name)
    }
}

/// A worker that quotes both sides with a latency of 1.5 seconds, cancels and replaces.
fn story(bench: &mut Bench) {
    bench.buy(1, 0, "599.00");
    bench.sell(2, 0, "610.00");
    bench.advance(0, 1);
    bench.advance(2, 1);
    // Tick 3 is at 598: order 1 trades.
    bench.advance(3, 0);
    bench.cancel(2, 3);
    bench.send(
        3,
        3,
        &json!({"command": "Replace", "of": bench.account.order_id(2),
        "knownQuantity": "0", "side": "Sell", "price": "605.00"}),
    );
    bench.advance(3, 1);
    // Tick 5 is at 611: order 2 trades before its cancel arrives.
    bench.advance(5, 0);
    bench.advance(5, 1);
}

const PRICES: [i64; 8] = [60_000, 60_100, 60_200, 59_800, 60_300, 61_100, 60_000, 60_000];

const STORY: [&str; 12] = [
    "1 Sent",
    "2 Sent",
    "word 0.1",
    "1 Accepted",
    "2 Accepted",
    "word 2.1",
    "1 Filled 0.5 @ 599.00",
    "word 3.0",
    "3 Sent",
    "word 3.1",
    "2 Filled 0.5 @ 610.00",
    "word 5.0",
];

#[test]
fn a_worker_is_told_what_traded_and_then_that_this_is_all() {
    let mut bench = Bench::start(1_500, &PRICES);
    story(&mut bench);
    let told = [STORY.as_slice(), &["3 RejectedReplaceRaced", "word 5.1"]].concat();
    bench.is_told(&told);
    // Bought at 599 and sold at 610, both as maker for 0.1 %.
    assert_eq!(bench.holdings(), json!({"BNB": "5", "USDT": "3004.8955"}));
    assert_eq!(
        bench.field(&format!("advanced:{}", bench.account.ledger)),
        Some(json!({"tick": bench.ticks[5], "symbol": "BNB/USDT", "sequence": 5, "round": 1}))
    );
    let left = |bench: &Bench| {
        let record =
            crate::simulation::account::at_once(bus::StateStore::record(&bench.account.bus, &bench.account.gateway));
        let record = record.unwrap().unwrap();
        record.fields.keys().filter(|name| name.starts_with("exchange:")).count()
    };
    assert_eq!(left(&bench), 0, "nothing rests and nothing is on its way");
}

/// Once a crash is over everything was told as if there had been none; a word may be told again.
#[test]
fn a_crash_at_any_commit_changes_nothing_that_is_told() {
    let mut undisturbed = Bench::start(1_500, &PRICES);
    story(&mut undisturbed);
    for commit in 0..undisturbed.account.bus.commits() {
        for trouble in [Trouble::Before, Trouble::After, Trouble::Torn] {
            let mut bench = Bench::start(1_500, &PRICES);
            bench.account.bus.plan(&bench.account.gateway, commit, trouble);
            story(&mut bench);
            bench.run();
            assert_eq!(bench.told(), undisturbed.told(), "{commit}, {trouble:?}");
            assert_eq!(bench.holdings(), undisturbed.holdings(), "{commit}, {trouble:?}");
            assert_eq!(bench.fills(), 2, "{commit}, {trouble:?}");
        }
    }
}

#[test]
fn without_latency_an_order_acts_on_the_tick_that_caused_it_and_its_admission_is_not_told() {
    let mut bench = Bench::start(0, &PRICES);
    bench.buy(1, 0, "601.00");
    bench.send(2, 0, &json!({"side": "Sell", "price": "599.00", "postOnly": true}));
    bench.buy(3, 0, "590.00");
    bench.cancel(3, 0);
    bench.advance(0, 1);
    bench.is_told(&["1 Filled 0.5 @ 600.00", "2 RejectedPostOnlyWouldTake", "3 Accepted", "3 Canceled", "word 0.1"]);
}

#[test]
fn what_was_answered_is_answered_again_and_nothing_else_is_done() {
    let mut bench = Bench::start(0, &PRICES);
    bench.buy(1, 0, "599.00");
    bench.advance(0, 1);
    bench.advance(3, 0);
    let told = ["1 Accepted", "word 0.1", "1 Filled 0.5 @ 599.00", "word 3.0"];
    bench.is_told(&told);
    // Also of what was answered before that, and after a restart.
    bench.gateway = bench.account.start_paper_gateway(2);
    bench.advance(3, 0);
    bench.advance(0, 1);
    bench.is_told(&[told.as_slice(), &["word 3.0", "word 0.1"]].concat());
    assert_eq!(bench.fills(), 1);
}

/// Frozen at each of its commits while orders rest; the successor goes on, and what the old one does when it wakes up, at
/// once or much later, is refused.
#[test]
fn a_gateway_that_was_frozen_while_orders_rest_and_then_replaced_changes_nothing() {
    let mut undisturbed = Bench::start(1_500, &PRICES);
    story(&mut undisturbed);
    let steps: [fn(&Bench); 5] = [
        |bench| bench.buy(1, 0, "599.00"),
        |bench| bench.sell(2, 0, "610.00"),
        |bench| bench.account.command(&advance(&bench.account.ledger, &bench.ticks[0], 1)),
        |bench| bench.account.command(&advance(&bench.account.ledger, &bench.ticks[2], 1)),
        |bench| bench.account.command(&advance(&bench.account.ledger, &bench.ticks[3], 0)),
    ];
    for commit in 0..undisturbed.account.bus.commits() {
        for (trouble, at_once) in
            [Trouble::Before, Trouble::After].into_iter().flat_map(|one| [(one, true), (one, false)])
        {
            let mut bench = Bench::start(1_500, &PRICES);
            bench.account.bus.plan(&bench.account.gateway, commit, trouble);
            let mut frozen = None;
            for step in steps {
                step(&bench);
                for _ in 0..4 {
                    assert!(bench.gateway.step().is_none());
                    if let Some((number, _)) = bench.account.bus.take_stopped() {
                        let successor = bench.account.start_paper_gateway(2);
                        frozen = Some((number, std::mem::replace(&mut bench.gateway, successor)));
                    }
                    bench.account.bus.clock().advance(1_000);
                }
                if let Some((number, mut old)) = frozen.take_if(|_| at_once) {
                    bench.account.bus.release(number);
                    old.step();
                }
            }
            if let Some((number, mut old)) = frozen {
                bench.account.bus.release(number);
                old.step();
            }
            bench.run();
            assert_eq!(
                (bench.told().as_slice(), bench.fills()),
                (STORY[..8].iter().map(|line| (*line).to_owned()).collect::<Vec<_>>().as_slice(), 1),
                "{commit}, {trouble:?}, {at_once}"
            );
        }
    }
}

#[test]
fn a_stance_that_forbids_an_order_cancels_it_at_once_whether_it_rests_or_is_on_its_way() {
    let mut bench = Bench::start(1_500, &PRICES);
    bench.buy(1, 0, "599.00");
    bench.sell(2, 0, "610.00");
    bench.advance(2, 1);
    bench.buy(3, 2, "598.00");
    bench.advance(2, 2);
    bench.account.follow(Stance::StopOpening);
    bench.account.nudge(&bench.account.gateway);
    bench.run();
    let told =
        ["1 Sent", "2 Sent", "1 Accepted", "2 Accepted", "word 2.1", "3 Sent", "word 2.2", "1 Canceled", "3 Canceled"];
    bench.is_told(&told);
    // What reduces stays, and still trades.
    bench.advance(5, 0);
    bench.is_told(&[told.as_slice(), &["2 Filled 0.5 @ 610.00", "word 5.0"]].concat());
}

#[test]
fn an_advance_of_a_tick_that_is_gone_is_answered_and_said() {
    let mut bench = Bench::start(0, &PRICES);
    bench.buy(1, 0, "599.00");
    bench.advance(0, 1);
    bench.ticks.push("9999999999999-9".to_owned());
    bench.advance(8, 0);
    bench.is_told(&["1 Accepted", "word 0.1", "word 8.0"]);
    let alerts = bench.account.bus.committed(&bench.account.topic(Topic::RiskAlert));
    assert_eq!((alerts.len(), &alerts[0]["kind"]), (1, &json!("MarketDataGap")));
    // An order that it caused is Rejected, and a cancel acts at once.
    bench.buy(2, 8, "599.00");
    bench.cancel(1, 8);
    bench.run();
    assert_eq!(bench.told()[3..], ["2 RejectedTickUnavailable", "1 Canceled"]);
}

/// A tick that comes with an Advance is not read: it may be gone from its stream by now.
#[test]
fn a_tick_that_comes_with_its_advance_is_as_good_as_one_in_its_stream() {
    let mut read = Bench::start(0, &PRICES);
    story(&mut read);
    let mut told = Bench::start(0, &PRICES);
    told.carries = true;
    story(&mut told);
    assert_eq!(told.told(), read.told());
    // Of another market it says nothing: the stream is asked.
    let mut wrong = Bench::start(0, &PRICES);
    wrong.buy(1, 0, "599.00");
    let mut advance = serde_json::to_value(advance(&wrong.account.ledger, &wrong.ticks[0], 1)).unwrap();
    advance["market"] = serde_json::to_value(tick(0, 1, START)).unwrap();
    advance["market"]["symbol"] = "ETH/USDT".into();
    wrong.account.command(&advance);
    wrong.run();
    wrong.is_told(&["1 Accepted", "word 0.1"]);
}

#[test]
fn an_advance_that_names_no_tick_is_left_out() {
    let mut bench = Bench::start(0, &PRICES);
    let mut nameless = serde_json::to_value(advance(&bench.account.ledger, "", 1)).unwrap();
    nameless["tick"] = Value::Null;
    bench.account.command(&nameless);
    bench.advance(0, 1);
    bench.is_told(&["word 0.1"]);
}

/// What never arrived when the data end is told with the last tick's word; what rests stays.
#[test]
fn what_has_not_arrived_with_the_last_tick_expires() {
    let mut bench = Bench::start(1_500, &PRICES);
    let last = serde_json::to_value(tick(8, 60_000, START + 8_000)).unwrap();
    let mut last: engine::messages::Tick = serde_json::from_value(last).unwrap();
    last.last = true;
    bench.ticks.push(bench.account.tick(&last).to_string());
    bench.buy(1, 0, "590.00");
    bench.advance(2, 1);
    bench.buy(2, 8, "590.00");
    bench.advance(8, 1);
    bench.is_told(&["1 Sent", "1 Accepted", "word 2.1", "2 Sent", "2 ExpiredMarketDataEnded", "word 8.1"]);
    assert!(bench.field(&format!("exchange:{}:resting:1", bench.account.ledger)).is_some());
}

/// As the release before wrote it: one order that waits for its latency, of two ledgers each.
#[test]
fn orders_that_waited_in_a_record_of_the_release_before_are_on_their_way() {
    use super::super::manager::Changes;
    use super::super::simulated::Simulated;

    let account = json!({"name": "test", "spec": {
        "venue": {"paper": {"balances": {"USDT": 1}, "latencyMs": 1500}},
        "marketData": {"replay": {"file": "none.csv"}}}});
    let account = serde_json::from_value(account).unwrap();
    let waiting = |ledger: &str| {
        json!({"clientOrderId": format!("glm-{ledger}-7"), "symbol": "BNB/USDT", "due": START + 1_500, "matched": 4,
            "order": {"side": "Buy", "orderType": "Limit", "timeInForce": "ImmediateOrCancel", "quantity": "1",
                "lotSize": "0.001", "price": "600.00", "reduceOnly": false}})
    };
    let saved = json!([waiting("abc"), waiting("xyz")]).to_string();
    let restored = |saved: &str| Simulated::restore(&account, std::iter::once(("venue", saved)));
    let mut simulated = restored(&saved).unwrap();
    let mut changes = Changes::default();
    simulated.changes(&mut changes).unwrap();
    let names: Vec<_> = changes.set.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, changes.delete), (vec!["exchange:abc:held:0", "exchange:xyz:held:0"], vec!["venue".to_owned()]));
    // And from there as the next gateway reads it.
    let fields = changes.set.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut simulated = Simulated::restore(&account, fields).unwrap();
    let at = tick(6, 59_950, START + 2_000);
    for ledger in ["abc", "xyz"] {
        let reports = simulated.at(&ledger.parse().unwrap()).arrive(&at);
        assert_eq!(reports[0].trades[0].price.to_string(), "599.50", "{ledger}");
    }
    for broken in ["{}", "[{}]", r#"[{"clientOrderId": "glm-abc-7"}]"#] {
        let error = restored(broken).unwrap_err().to_string();
        assert!(error.starts_with("field venue: "), "{error}");
    }
}

/// A worker of the release before sends orders and no Advance: its gateway followed ticks by itself.
#[test]
fn a_worker_that_never_asks_is_named_until_it_does() {
    let mut bench = Bench::start(0, &[60_000, 60_100]);
    let told = |bench: &Bench| bench.gateway.health.readiness();
    bench.buy(1, 0, "610.00");
    bench.run();
    assert_eq!(told(&bench), (true, "ready".to_owned()), "not at once");
    for epoch in [1, 2] {
        if epoch > 1 {
            bench.gateway = bench.account.start_paper_gateway(epoch);
        }
        for _ in 0..6 {
            bench.run();
        }
        let (is_ready, text) = told(&bench);
        assert!(is_ready && text.starts_with("ready; orders of grid wait: "), "{text}");
    }
    bench.advance(0, 1);
    assert_eq!(told(&bench), (true, "ready".to_owned()));
    bench.is_told(&["1 Filled 0.5 @ 600.00", "word 0.1"]);
}
