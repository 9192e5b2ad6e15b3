//! The account's limits over several strategies: each verdict, each latch and what is used up, beside a judge written apart
//! that counts everything anew from the record, order by order; with restarts, edits and releases in between.

use std::collections::BTreeMap;

use bus::StreamId;
use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::fees::Fees;
use engine::messages::{OrderCommand, Tick};
use engine::testkit::quoting::Chance;
use engine::time::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use venue::sim::{Exchange, RestingFills};

use super::super::manager::{OrderManager, Verdict};
use super::manager::open;
use super::{cancel, command};
use crds::roles::GatewayDesired;

/// Strategy, ledger, markets.
const STRATEGIES: [(&str, &str, &[&str]); 3] =
    [("one", "aaa", &["BNB/USDT"]), ("two", "bbb", &["BNB/USDT", "ETH/USDT"]), ("three", "ccc", &["ETH/BTC"])];
const LATENCY_MS: u32 = 1_500;
const STEP_MS: i64 = 500;

/// Why an order is not sent; none if it is.
fn denial(verdict: &Verdict) -> Option<String> {
    if *verdict == Verdict::Send {
        return None;
    }
    let Verdict::Tell(news) = verdict else { panic!("{verdict:?}") };
    Some(news[0].reason.clone())
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().map_or(Decimal::ZERO, |text| text.parse().unwrap())
}

/// Several strategies of one account, with what a store would hold of its gateway.
struct Stage {
    manager: OrderManager,
    exchanges: BTreeMap<&'static str, Exchange>,
    /// Fields of the record.
    record: BTreeMap<String, String>,
    prices: BTreeMap<String, Decimal>,
    limits: Value,
    release: Option<Value>,
    sequences: BTreeMap<&'static str, u64>,
    /// When orders that open and count were sent.
    sent: Vec<i64>,
    now: i64,
}

fn fees() -> Fees {
    serde_json::from_str(r#"{"makerPercent": "0.1", "takerPercent": "0.2"}"#).unwrap()
}

impl Stage {
    fn new(limits: Value) -> Self {
        let exchange = || Exchange::new(fees(), LATENCY_MS, RestingFills::Through);
        let mut stage = Self {
            manager: OrderManager::new(&fees()),
            exchanges: STRATEGIES.map(|(_, ledger, _)| (ledger, exchange())).into(),
            record: BTreeMap::new(),
            prices: BTreeMap::new(),
            limits,
            release: None,
            sequences: BTreeMap::new(),
            sent: Vec::new(),
            now: 1_000_000,
        };
        stage.follow();
        stage
    }

    fn register(&self) -> GatewayDesired {
        let book = |(strategy, ledger, symbols): (&str, &str, &[&str])| {
            json!({"strategy": strategy, "ledger": ledger, "symbols": symbols,
                "capital": {"USDT": 3000, "BNB": 2, "ETH": 2, "BTC": 2}})
        };
        let books = STRATEGIES.map(book);
        serde_json::from_value(json!({"books": books, "limits": self.limits, "release": self.release})).unwrap()
    }

    fn follow(&mut self) {
        let desired = self.register();
        open(&mut self.manager, &desired);
        if let Some(release) = &desired.release {
            self.manager.release(release);
        }
        self.commit();
    }

    fn commit(&mut self) {
        let changes = self.manager.take_changes();
        self.record.extend(changes.set);
        changes.delete.iter().for_each(|name| {
            self.record.remove(name);
        });
    }

    /// Another process, from the record and the register alone; prices are looked at again.
    fn restart(&mut self) {
        let fields = self.record.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.manager = OrderManager::restore(&fees(), fields).unwrap();
        self.follow();
        for (symbol, price) in self.prices.clone() {
            self.price(&symbol, price);
        }
    }

    fn price(&mut self, symbol: &str, price: Decimal) {
        let id = StreamId::new(u64::try_from(self.now).unwrap(), 0);
        let (symbol, price) = (symbol.parse().unwrap(), price.to_string().parse().unwrap());
        self.manager.price(&symbol, id, price, Timestamp::from_millis(self.now));
    }

    fn tick(&mut self, symbol: &str, price: Decimal) {
        self.prices.insert(symbol.to_owned(), price);
        self.price(symbol, price);
        let tick = self.tick_of(symbol);
        for exchange in self.exchanges.values_mut() {
            self.manager.match_resting(exchange, &tick);
            self.manager.arrive(exchange, &tick);
        }
        self.commit();
    }

    fn tick_of(&self, symbol: &str) -> Tick {
        let price = self.prices[symbol].to_string().parse().unwrap();
        Tick::trade(symbol.parse().unwrap(), price, Timestamp::from_millis(self.now), u64::try_from(self.now).unwrap())
    }

    fn judge(&mut self, command: &OrderCommand) -> Verdict {
        let verdict = self.manager.judge(command, Timestamp::from_millis(self.now));
        if let Verdict::Send | Verdict::Cancel = verdict {
            let tick = self.tick_of(command.symbol.as_str());
            let exchange = self.exchanges.get_mut(command.ledger.as_str()).unwrap();
            self.manager.hand_over(exchange, command, &tick);
        }
        self.commit();
        verdict
    }

    // What follows is the judge's: it looks at the record and at what was asked, at nothing that is kept.

    fn order(&self, id: &Value) -> Option<Value> {
        Some(serde_json::from_str(self.record.get(&format!("order:{}", id.as_str()?))?).unwrap())
    }

    fn is_open(order: &Value) -> bool {
        order["stage"]["at"] != "over"
    }

    /// The orders that may still trade. Those that have ended are by far the most: they are not read.
    fn open_orders(&self) -> Vec<Value> {
        let orders =
            self.record.iter().filter(|(name, text)| name.starts_with("order:") && !text.contains(r#""over""#));
        orders.map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
    }

    /// What an order may still buy at its own price.
    fn rest(order: &Value, filled: Decimal) -> Decimal {
        if order["side"] != "Buy" {
            return Decimal::ZERO;
        }
        (decimal(&order["quantity"]) - filled) * decimal(&order["price"])
    }

    /// What an order adds: one that takes another's place, what it may buy beyond that one. `first`: whether no older one
    /// asks for the same place.
    fn adds(&self, order: &Value, filled: Decimal, first: bool) -> Decimal {
        let all = Self::rest(order, filled);
        if order["command"] != "Replace" || filled > Decimal::ZERO || !first {
            return all;
        }
        let Some(old) = self.order(&order["of"]) else { return all };
        if decimal(&old["filled"]) != decimal(&order["knownQuantity"]) {
            return Decimal::ZERO;
        }
        let waits = old["command"]["command"] == "Replace" && old["status"] == "Sent";
        if !Self::is_open(&old) || waits || old["command"]["side"] != order["side"] {
            return all;
        }
        (all - Self::rest(&old["command"], decimal(&old["filled"]))).max(Decimal::ZERO)
    }

    fn exposure(&self, currency: &str) -> Decimal {
        let mut sum = Decimal::ZERO;
        for (strategy, ledger, symbols) in STRATEGIES {
            let book: Value = serde_json::from_str(&self.record[&format!("book:{ledger}")]).unwrap();
            for symbol in symbols {
                let (base, quote) = symbol.split_once('/').unwrap();
                if quote == currency {
                    sum += decimal(&book["amounts"][base]) * self.prices.get(*symbol).expect(strategy);
                }
            }
        }
        let open = self.open_orders();
        for order in &open {
            let command = &order["command"];
            if command["symbol"].as_str().unwrap().ends_with(&format!("/{currency}")) {
                let sequence = |command: &Value| command["sequence"].as_u64().unwrap();
                let same = |other: &&Value| other["command"]["of"] == command["of"] && command["of"].is_string();
                let first = open.iter().filter(same).all(|other| sequence(&other["command"]) >= sequence(command));
                sum += self.adds(command, decimal(&order["filled"]), first);
            }
        }
        sum
    }

    fn most(&self, name: &str, currency: &str) -> Option<Decimal> {
        self.limits.get(name)?.get(currency).map(|most| most.to_string().parse().unwrap())
    }

    /// The reason of a denial by the account's limits.
    fn denies(&self, command: &OrderCommand) -> Option<&'static str> {
        let order = serde_json::to_value(command).unwrap();
        if order["side"] != "Buy" {
            return None;
        }
        if self.record.contains_key("latched") {
            return Some("MaxExposure");
        }
        let currency = command.symbol.quote().to_string();
        let worth = decimal(&order["quantity"]) * decimal(&order["price"]);
        if self.most("maxOrderNotional", &currency).is_some_and(|most| worth > most) {
            return Some("MaxOrderNotional");
        }
        let is_same = |other: &Value| other["command"]["of"] == order["of"];
        let first = !order["of"].is_string() || !self.open_orders().iter().any(is_same);
        let adds = self.adds(&order, Decimal::ZERO, first);
        if self.most("maxExposure", &currency).is_some_and(|most| self.exposure(&currency) + adds > most) {
            return Some("MaxExposure");
        }
        let most = self.limits.get("maxOrdersPerMinute").and_then(Value::as_u64);
        let lately = self.sent.iter().filter(|time| self.now - **time < 60_000).count() as u64;
        (order["counts"] != false && most.is_some_and(|most| lately >= most)).then_some("OrderRateExceeded")
    }
}

/// How often each came of it.
type Met = BTreeMap<String, usize>;

/// One seeded story.
struct Story {
    chance: Chance,
    stage: Stage,
    met: Met,
    at: String,
}

impl Story {
    fn of(seed: u64) -> Self {
        let limits =
            json!({"maxExposure": {"USDT": 4_000}, "maxOrderNotional": {"USDT": 400}, "maxOrdersPerMinute": 30});
        Self { chance: Chance::of(seed), stage: Stage::new(limits), met: Met::new(), at: format!("seed {seed}") }
    }

    fn meet(&mut self, what: &str) {
        *self.met.entry(what.to_owned()).or_default() += 1;
    }

    fn around(&mut self, symbol: &str) -> Decimal {
        let usual = if symbol == "ETH/BTC" { 5 } else { 500_000 };
        Decimal::new(usual * (80 + self.chance.below_i64(41)), if symbol == "ETH/BTC" { 4 } else { 5 })
    }

    fn order(&mut self) {
        let (strategy, ledger, symbols) = self.chance.pick(&STRATEGIES);
        let symbol = self.chance.pick(symbols);
        let last = self.stage.sequences.get(ledger).copied().unwrap_or(0);
        let of = last.saturating_sub(self.chance.below(4));
        let most = if self.chance.one_in(3) { 999 } else { 500 };
        let quantity = format!("0.{:03}", 1 + self.chance.below(most));
        let mut changes = json!({
            "strategy": strategy, "symbol": symbol, "price": self.around(symbol).to_string(), "quantity": quantity,
            "side": if self.chance.below(5) < 3 { "Buy" } else { "Sell" }, "timeInForce": "GTC",
            "counts": !self.chance.one_in(4), "expiresAt": i64::MAX,
        });
        if of > 0 && self.chance.one_in(4) {
            let of = ClientOrderId::new(ledger.parse::<LedgerId>().unwrap(), of).to_string();
            (changes["command"], changes["of"], changes["knownQuantity"]) = (json!("Replace"), json!(of), json!("0"));
        }
        self.stage.sequences.insert(ledger, last + 1);
        let command = command(ledger, last + 1, self.stage.now, &changes);
        let expected = self.stage.denies(&command);
        let told = denial(&self.stage.judge(&command));
        self.meet(told.as_deref().unwrap_or("Send"));
        if told.is_none() && changes["side"] == "Buy" && changes["counts"] == true {
            self.stage.sent.push(self.stage.now);
        }
        // What the strategy itself cannot pay is not asked of the account.
        if told.as_deref() != Some("InsufficientBook") {
            assert_eq!(told.as_deref(), expected, "{}: {command:?}", self.at);
        }
    }

    fn cancel(&mut self) {
        let (_, ledger, _) = self.chance.pick(&STRATEGIES);
        let last = self.stage.sequences.get(ledger).copied().unwrap_or(0);
        let sequence = last.saturating_sub(self.chance.below(6));
        let known = self.stage.record.keys().any(|name| *name == format!("order:glm-{ledger}-{sequence}"));
        if known {
            let command = cancel(ledger, sequence, self.stage.now);
            let symbol =
                self.stage.order(&json!(format!("glm-{ledger}-{sequence}"))).unwrap()["command"]["symbol"].clone();
            let command = OrderCommand { symbol: symbol.as_str().unwrap().parse().unwrap(), ..command };
            let verdict = self.stage.judge(&command);
            assert!(matches!(verdict, Verdict::Cancel | Verdict::Repeat(_)), "{}: {verdict:?}", self.at);
        }
    }

    /// Edits, releases and restarts.
    fn interfere(&mut self) {
        match self.chance.below(4) {
            0 => {
                let most = 3_400 + self.chance.below(1_400);
                self.stage.limits["maxExposure"] = json!({"USDT": most});
                self.stage.follow();
            }
            1 => {
                if let Some(latched) = self.stage.record.get("latched") {
                    let latched: Value = serde_json::from_str(latched).unwrap();
                    let since = latched[0]["since"].as_str().unwrap();
                    let since = engine::time::rfc3339::parse(since).unwrap().millis();
                    let is_it = !self.chance.one_in(3);
                    let since = if is_it { since } else { since + 1 };
                    self.stage.release = Some(json!({"name": "maxExposure", "since": since}));
                    self.stage.follow();
                    assert_eq!(!self.stage.record.contains_key("latched"), is_it, "{}", self.at);
                    self.meet(if is_it { "Released" } else { "NotReleased" });
                }
            }
            _ => {
                self.meet("Restarted");
                self.stage.restart();
            }
        }
    }

    fn step(&mut self) {
        self.stage.now += STEP_MS;
        let symbol = self.chance.pick(&["BNB/USDT", "ETH/USDT", "ETH/BTC"]);
        let price = self.around(symbol);
        self.stage.tick(symbol, price);
        self.hold();
        match self.chance.below(10) {
            0..=5 => self.order(),
            6 => self.cancel(),
            7 => self.interfere(),
            _ => {}
        }
        self.hold();
    }

    /// A breach is latched where there is one, and only there; what is used up is what the judge counts.
    fn hold(&mut self) {
        let (exposure, most) = (self.stage.exposure("USDT"), self.stage.most("maxExposure", "USDT").unwrap());
        let used = self.stage.manager.exposure_used().expect("all have prices").get();
        assert!((used - exposure / most).abs() < Decimal::new(1, 8), "{}: {used}, {exposure} of {most}", self.at);
        let was_latched = self.stage.record.contains_key("latched");
        let breach = self.stage.manager.hold_to_limits();
        self.stage.commit();
        assert_eq!(breach.is_some(), exposure > most && !was_latched, "{}: {exposure} of {most}", self.at);
        if let Some(breach) = breach {
            self.meet("Latched");
            assert_eq!(breach.limit.figure, exposure.normalize().to_string(), "{}", self.at);
            for (id, _) in self.stage.manager.cancel_forbidden() {
                let exchange = self.stage.exchanges.get_mut(id.ledger().as_str()).unwrap();
                self.stage.manager.cancel_at_once(exchange, &id);
            }
            self.stage.commit();
            let is_buy = |order: &Value| order["command"]["side"] == "Buy";
            assert!(!self.stage.open_orders().iter().any(is_buy), "{}: what opens is cancelled", self.at);
        }
    }
}

#[test]
fn each_verdict_and_each_latch_is_that_of_a_judge_who_counts_everything_anew() {
    let mut met = Met::new();
    for seed in 0..12 {
        let mut story = Story::of(seed);
        for symbol in ["BNB/USDT", "ETH/USDT", "ETH/BTC"] {
            let price = story.around(symbol);
            story.stage.tick(symbol, price);
        }
        for step in 0..250 {
            story.at = format!("seed {seed}, step {step}");
            story.step();
        }
        for (what, count) in story.met {
            *met.entry(what).or_default() += count;
        }
    }
    for what in ["Send", "MaxExposure", "MaxOrderNotional", "OrderRateExceeded", "Latched", "Released", "NotReleased"] {
        assert!(met.get(what).is_some_and(|count| *count > 4), "{what} of {met:?}");
    }
}

/// Without a price for what is held nobody can say what all is worth: nothing opens, and what reduces passes.
#[test]
fn without_a_price_of_what_is_held_nothing_opens() {
    let mut stage = Stage::new(json!({"maxExposure": {"USDT": 100_000}}));
    let judge = |stage: &mut Stage, sequence, changes: &Value| {
        let command = command("aaa", sequence, stage.now, changes);
        let verdict = stage.manager.judge(&command, Timestamp::from_millis(stage.now));
        denial(&verdict).unwrap_or_else(|| "Send".to_owned())
    };
    let [buy, sell] = ["Buy", "Sell"]
        .map(|side| json!({"strategy": "one", "side": side, "expiresAt": i64::MAX, "timeInForce": "GTC"}));
    stage.price("BNB/USDT", Decimal::from(600));
    assert_eq!(judge(&mut stage, 1, &buy), "WaitingForMarketData", "another strategy holds ETH");
    assert_eq!(judge(&mut stage, 2, &sell), "Send");
    stage.price("ETH/USDT", Decimal::from(3_000));
    assert_eq!(judge(&mut stage, 3, &buy), "Send", "ETH/BTC is of a currency that is not bounded");
    // Nobody knows what a strategy holds that the register names.
    let mut desired = serde_json::to_value(stage.register()).unwrap();
    desired["books"].as_array_mut().unwrap().push(json!({"strategy": "lost", "ledger": "ddd", "capital": {"USDT": 1}}));
    stage.manager.register(&serde_json::from_value(desired).unwrap());
    assert_eq!(judge(&mut stage, 4, &buy), "BookUnknown");
}

/// One uses up the room of the other; at the limit it passes, one step beyond it is denied.
#[test]
fn what_one_strategy_has_open_is_not_there_for_another() {
    let mut stage = Stage::new(json!({"maxExposure": {"USDT": "9160.01"}}));
    // 4 BNB and 2 ETH are worth 8400.
    stage.tick("BNB/USDT", Decimal::from(600));
    stage.tick("ETH/USDT", Decimal::from(3_000));
    let of = |strategy, quantity, price| json!({"strategy": strategy, "quantity": quantity, "price": price, "timeInForce": "GTC", "expiresAt": i64::MAX});
    let (first, beyond) = (of("one", "1", "500"), of("two", "1", "260.02"));
    assert_eq!(stage.judge(&command("aaa", 1, stage.now, &first)), Verdict::Send);
    assert_eq!(denial(&stage.judge(&command("bbb", 1, stage.now, &beyond))).as_deref(), Some("MaxExposure"));
    assert_eq!(stage.judge(&command("bbb", 2, stage.now, &of("two", "1", "260.01"))), Verdict::Send);
    assert_eq!(stage.manager.hold_to_limits(), None, "it is at the limit, not beyond it");
    stage.price("BNB/USDT", Decimal::from(600));
    stage.now += 1;
    stage.price("BNB/USDT", "600.01".parse().unwrap());
    let breach = stage.manager.hold_to_limits().expect("the price alone leads beyond it").limit;
    assert_eq!((breach.figure.as_str(), breach.threshold.as_str()), ("9160.05", "9160.01"));
}
