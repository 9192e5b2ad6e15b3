//! The account's limits in the role, at both kinds of places: prices come from the stream alone, a breach by them is latched
//! within about a second, told once and released once, and a crash at any commit changes nothing of that.

use bus::Topic;
use crds::account::AccountLimits;
use crds::roles::{BookSpec, GatewayDesired, Stance};
use serde_json::{Value, json};

use super::command;
use crate::simulation::account::{Account, Role, tick};
use crate::simulation::bus::Trouble;

const STEP_MS: i64 = 100;

/// An account whose 5 coins are worth 3000 at 600, and may be worth 3001.
struct Bench {
    account: Account,
    gateway: Role,
    ticks: u64,
}

impl Bench {
    fn start(start: fn(&Account, u64) -> Role) -> Self {
        let mut account = Account::open();
        Self::follow(&mut account, None);
        let gateway = start(&account, 1);
        let mut bench = Self { account, gateway, ticks: 0 };
        bench.tick(60_000);
        bench
    }

    fn follow(account: &mut Account, release: Option<Value>) {
        let spec = &account.spec;
        let book = BookSpec::of(spec.name.clone(), account.ledger.parse().unwrap(), &spec.spec, Stance::Open);
        let limits: AccountLimits = serde_json::from_value(json!({"maxExposure": {"USDT": 3001}})).unwrap();
        let release = release.map(|release| serde_json::from_value(release).unwrap());
        let desired = GatewayDesired { limits: Some(limits), release, ..GatewayDesired::of(vec![book]) };
        account.register(&account.gateway.clone(), &desired);
    }

    fn tick(&mut self, cents: i64) {
        self.account.tick(&tick(self.ticks, cents, self.account.bus.clock().now()));
        self.ticks += 1;
    }

    fn run(&mut self, milliseconds: i64) {
        for _ in 0..milliseconds / STEP_MS {
            self.gateway.go_on(&self.account);
            self.account.bus.clock().advance(STEP_MS);
        }
    }

    /// Why the gateway denied an order; nothing where it did not.
    fn denial(&mut self, sequence: u64, side: &str, price: &str) -> Option<String> {
        let changes = json!({"side": side, "quantity": "0.01", "price": price});
        self.account.command(&command(&self.account.ledger, sequence, self.account.bus.clock().now(), &changes));
        self.run(10_000);
        let (id, told) = (self.account.order_id(sequence), self.account.bus.committed(self.account.strategy.inbox()));
        let told: Vec<_> = told.iter().filter(|update| update["clientOrderId"] == id.as_str()).collect();
        assert!(!told.is_empty(), "order {sequence} is answered");
        let denied = told.iter().find(|update| update["status"] == "Denied")?;
        Some(denied["reason"].as_str().unwrap().to_owned())
    }

    fn latched(&self) -> Option<Value> {
        self.account.field(&self.account.gateway, "latched").map(|mut limits| limits[0].take())
    }

    fn alerts(&self) -> Vec<String> {
        let alerts = self.account.bus.committed(&self.account.topic(Topic::RiskAlert)).into_iter();
        let of_account = alerts.filter(|alert| alert["account"].is_string() && alert.get("strategy").is_none());
        of_account.map(|alert| format!("{} {}", alert["severity"], alert["currentValue"])).collect()
    }

    /// The whole story; gives what was told on the way.
    fn tell(mut self) -> Vec<String> {
        let mut story = Vec::new();
        self.run(10_000);
        story.push(format!("beyond it: {:?}", self.denial(1, "Buy", "600.00")));
        story.push(format!("latched: {:?}", self.latched().is_some()));
        let time = self.account.bus.clock().now();
        self.tick(60_100);
        self.run(3_000);
        let limit = self.latched().expect("it is latched soon");
        let since = engine::time::rfc3339::parse(limit["since"].as_str().unwrap()).unwrap().millis();
        story.push(format!("{} {} {}", limit["figure"], limit["threshold"], since == time));
        story.push(format!("sells: {:?}", self.denial(2, "Sell", "600.00")));
        story.push(format!("buys: {:?}", self.denial(3, "Buy", "1.00")));
        self.tick(59_000);
        self.run(3_000);
        story.push(format!("stays: {:?}", self.latched() == Some(limit)));
        let other = json!({"name": "maxExposure", "since": since + 1});
        Self::follow(&mut self.account, Some(other));
        self.run(10_000);
        story.push(format!("another since: {:?}", self.latched().is_some()));
        Self::follow(&mut self.account, Some(json!({"name": "maxExposure", "since": since})));
        self.run(10_000);
        story.push(format!("released: {:?}", self.latched().is_none()));
        story.push(format!("buys again: {:?}", self.denial(4, "Buy", "590.00")));
        story.push(self.alerts().join(", "));
        story
    }
}

const STORY: [&str; 10] = [
    "beyond it: Some(\"MaxExposure\")",
    "latched: false",
    "\"3005\" \"3001\" true",
    "sells: None",
    "buys: Some(\"MaxExposure\")",
    "stays: true",
    "another since: true",
    "released: true",
    "buys again: None",
    "\"Critical\" \"3005\", \"Info\" \"\"",
];

#[test]
fn prices_alone_latch_it_soon_and_a_crash_at_any_commit_changes_nothing() {
    let places: [fn(&Account, u64) -> Role; 2] = [Account::start_gateway, Account::start_paper_gateway];
    for (place, start) in places.into_iter().enumerate() {
        let undisturbed = Bench::start(start);
        let bus = undisturbed.account.bus.clone();
        assert_eq!(undisturbed.tell(), STORY, "place {place}");
        for commit in 0..bus.commits() {
            for trouble in [Trouble::Before, Trouble::After, Trouble::Torn] {
                let bench = Bench::start(start);
                bench.account.bus.plan(&bench.account.gateway, commit, trouble);
                assert_eq!(bench.tell(), STORY, "place {place}, commit {commit}, {trouble:?}");
            }
        }
    }
}
