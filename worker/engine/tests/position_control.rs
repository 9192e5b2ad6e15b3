//! Position control: by vectors, at each of its bounds, and beside a list written apart from the rules in words.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod seeded;
#[path = "position_control/words.rs"]
mod words;

use std::collections::BTreeMap;

use engine::Config;
use engine::messages::Tick;
use engine::risk::RiskParameters;
use engine::strategies::{Definition, position_control};
use engine::testkit::{Bench, Market};
use engine::time::{Timestamp, rfc3339};
use proptest::prelude::*;
use rust_decimal::Decimal;
use seeded::{Path, cases, decimal};
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const MARKET: Market = Market::USUAL;
const CONTROL: Definition = position_control::DEFINITION;

fn config(market: &Market, capital: (&str, &str), parameters: &Value) -> Config {
    let risk = RiskParameters { max_orders_per_minute: 600, ..RiskParameters::default() };
    Config { risk, capital: market.capital(capital.0, capital.1), ..market.config(parameters) }
}

fn bench(capital: (&str, &str), parameters: &Value) -> Bench {
    Bench::of(&MARKET, config(&MARKET, capital, parameters), &CONTROL)
}

fn start() -> i64 {
    rfc3339::parse("2024-03-01T00:00:00Z").unwrap().millis()
}

fn tick(bench: &Bench, time: i64, price: &str) -> Tick {
    let at = Timestamp::from_millis(time);
    Tick { time: Some(at), received: at, ..MARKET.tick(bench.sequence, price) }
}

/// The next tick at this time and price; its orders are answered at once.
fn take(bench: &mut Bench, time: i64, price: &str) {
    let tick = tick(bench, time, price);
    bench.run_tick(tick);
}

/// A tick at the start of each of so many days, the prices in turn.
fn days(bench: &mut Bench, count: i64, prices: &[&str]) {
    for (day, price) in (0..count).zip(prices.iter().cycle()) {
        take(bench, start() + day * DAY, price);
    }
}

fn figures(bench: &Bench) -> BTreeMap<String, String> {
    let figures = bench.engine.report().strategy;
    figures.iter().map(|(name, figure)| (name.clone(), figure.as_str().to_owned())).collect()
}

/// 52 days with a high of 650: at 655 coins are 84 % of the equity and are sold down to a half.
#[test]
fn the_vector_s1_a() {
    let mut bench = bench(("8", "1000"), &json!({}));
    days(&mut bench, 52, &["600", "650", "620", "580"]);
    assert_eq!((bench.reason().as_str(), bench.trades().len()), ("WarmingUp", 0));
    take(&mut bench, start() + 52 * DAY, "650");
    assert_eq!(
        (bench.reason().as_str(), bench.trades().len()),
        ("PriceWithinDays", 0),
        "the high itself is not above it"
    );
    take(&mut bench, start() + 52 * DAY + HOUR, "655");
    assert_eq!(bench.trades(), ["53 Sell 3.236 @ 655.00"]);
    assert_eq!(bench.holds(), ("3119.58".to_owned(), "4.764".to_owned()));
    assert_eq!(
        figures(&bench),
        [("high", "650"), ("low", "580"), ("sharePercent", "50.01")].map(|(a, b)| (a.to_owned(), b.to_owned())).into()
    );
    take(&mut bench, start() + 52 * DAY + 2 * HOUR, "655");
    assert_eq!(bench.trades().len(), 1, "0.42 more would be less than a lot");
    assert_eq!(bench.reason(), "OrderTooSmall");
    assert_eq!(bench.engine.report().orders.denied, 0, "and is no order that was denied");
}

#[test]
fn below_the_low_it_buys_up_to_the_other_share() {
    let mut bench = bench(("2", "3000"), &json!({"lookBackDays": 2}));
    days(&mut bench, 2, &["600", "500"]);
    take(&mut bench, start() + 2 * DAY, "500");
    assert_eq!(
        (bench.reason().as_str(), bench.trades().len()),
        ("PriceWithinDays", 0),
        "the low itself is not below it"
    );
    // Equity 3980, of which 70 % are 2786; 1806 are missing: 3.6857 at 490.
    take(&mut bench, start() + 2 * DAY + 1, "490");
    assert_eq!(bench.trades(), ["3 Buy 3.685 @ 490.00"]);
}

/// 95 % of the cash, and of the coins, at the tick's price: first bounded, then floored.
#[test]
fn one_order_uses_no_more_than_its_part() {
    let mut bench =
        bench(("0.5", "1000"), &json!({"lookBackDays": 1, "buyTargetPercent": 100, "sellTargetPercent": 0}));
    days(&mut bench, 2, &["600"]);
    // 950 ÷ 300 is 3.16666.
    take(&mut bench, start() + DAY + 1, "300");
    assert_eq!(bench.trades(), ["2 Buy 3.166 @ 300.00"]);
    // Of 3.666 coins 3.4827; the share stays above the least.
    take(&mut bench, start() + DAY + 2, "601");
    assert_eq!(bench.trades()[1..], ["3 Sell 3.482 @ 601.00"]);
}

#[test]
fn the_price_that_counts_is_the_ticks_and_the_limit_is_the_best() {
    let mut bench = bench(("0", "1000"), &json!({"lookBackDays": 1, "buyTargetPercent": 100}));
    days(&mut bench, 2, &["600"]);
    let mut below = tick(&bench, start() + DAY + 1, "500");
    (below.bid, below.ask) = (Some("499.00".parse().unwrap()), Some("502.00".parse().unwrap()));
    bench.run_tick(below.clone());
    // 950 ÷ 500 is 1.9 at the tick's price, though the ask is higher.
    assert_eq!(bench.trades(), ["2 Buy 1.9 @ 502.00"]);
    let mut far = self::bench(("0", "1000"), &json!({"lookBackDays": 1, "buyTargetPercent": 100}));
    days(&mut far, 2, &["600"]);
    far.run_tick(Tick { ask: Some("502.51".parse().unwrap()), ..below });
    assert_eq!((far.reason().as_str(), far.trades().len()), ("SlippageTooHigh", 0));
}

#[test]
fn exactly_at_the_target_it_does_nothing() {
    for (coins, price, reason) in
        [("4", "601", "TargetReached"), ("3.999", "601", "TargetReached"), ("4.01", "601", "AboveHigh")]
    {
        let mut bench = bench((coins, "2404"), &json!({"lookBackDays": 1}));
        days(&mut bench, 2, &["600"]);
        take(&mut bench, start() + DAY + 1, price);
        assert_eq!(
            (bench.reason().as_str(), bench.trades().len()),
            (reason, usize::from(reason == "AboveHigh")),
            "{coins}"
        );
    }
    // 70 % of 1000 are 7 coins at 100.
    for (coins, cash, reason) in [("7", "300", "TargetReached"), ("6.9", "310", "BelowLow")] {
        let mut bench = bench((coins, cash), &json!({"lookBackDays": 1}));
        days(&mut bench, 2, &["101"]);
        take(&mut bench, start() + DAY + 1, "100");
        assert_eq!(bench.reason(), reason, "{coins}");
    }
}

#[test]
fn below_the_least_notional_it_does_nothing() {
    let market = Market { min_notional: "6.01", ..MARKET };
    for (coins, trades) in [("4.01", 0), ("4.03", 1)] {
        let config = config(&market, (coins, "2404"), &json!({"lookBackDays": 1}));
        let mut bench = Bench::of(&market, config, &CONTROL);
        days(&mut bench, 2, &["600"]);
        take(&mut bench, start() + DAY + 1, "601");
        assert_eq!((bench.trades().len(), bench.engine.report().orders.denied), (trades, 0), "{coins}");
    }
}

/// 2 coins at 601 of 2404 in all are sold down by 0.001: worth 0.601.
#[test]
fn exactly_the_least_notional_is_an_order() {
    for (least, trades) in [("0.601", 1), ("0.602", 0)] {
        let market = Market { min_notional: least, ..MARKET };
        let config = config(&market, ("2.002", "1202"), &json!({"lookBackDays": 1}));
        let mut bench = Bench::of(&market, config, &CONTROL);
        days(&mut bench, 2, &["600"]);
        take(&mut bench, start() + DAY + 1, "601");
        assert_eq!(bench.trades().len(), trades, "{least}: {:?}", bench.trades());
    }
}

#[test]
fn position_limits_bind_it() {
    let mut bench = bench(("0.5", "10000"), &json!({"lookBackDays": 1, "sellTargetPercent": 0}));
    days(&mut bench, 2, &["600"]);
    take(&mut bench, start() + DAY + 1, "601");
    assert_eq!((bench.reason().as_str(), bench.trades().len()), ("SellBlocked", 0));
    let mut bench = self::bench(("10", "100"), &json!({"lookBackDays": 1, "buyTargetPercent": 100}));
    days(&mut bench, 2, &["600"]);
    take(&mut bench, start() + DAY + 1, "599");
    assert_eq!((bench.reason().as_str(), bench.trades().len()), ("BuyBlocked", 0));
}

/// Each reason has its words, also after the fact.
#[test]
fn each_reason_has_words() {
    let mut bench = bench(("8", "1000"), &json!({"lookBackDays": 1}));
    days(&mut bench, 2, &["600"]);
    for (price, reason) in [
        ("600", "PriceWithinDays"),
        ("601", "AboveHigh"),
        ("601", "OrderTooSmall"),
        ("599", "BelowLow"),
        ("602", "AboveHigh"),
    ] {
        let time = start() + DAY + i64::try_from(bench.sequence).unwrap();
        take(&mut bench, time, price);
        let decision = bench.engine.report().decision;
        assert_eq!(decision.reason, reason);
        assert!(decision.message.len() > 20, "{decision:?}");
    }
}

fn until(bench: &Bench) -> Option<String> {
    figures(bench).get("warmUntil").cloned()
}

#[test]
fn it_says_until_when_it_waits_for_days() {
    let mut bench = bench(("8", "1000"), &json!({"lookBackDays": 3}));
    assert_eq!(until(&bench), None);
    // The first day is not whole.
    take(&mut bench, start() + 1, "600");
    assert_eq!(until(&bench).as_deref(), Some("2024-03-05T00:00:00Z"));
    take(&mut bench, start() + DAY + HOUR, "600");
    take(&mut bench, start() + 2 * DAY, "600");
    assert_eq!(until(&bench).as_deref(), Some("2024-03-05T00:00:00Z"));
    assert_eq!(
        bench.engine.warming_up().as_deref(),
        Some("1 of 3 bars of 1d of BNB/USDT are there; nothing is traded before all are.")
    );
    take(&mut bench, start() + 3 * DAY, "600");
    assert_eq!(bench.reason(), "WarmingUp");
    take(&mut bench, start() + 4 * DAY, "600");
    assert_eq!((bench.reason().as_str(), until(&bench)), ("PriceWithinDays", None));
    // A day without any tick: all that was before it counts no more.
    take(&mut bench, start() + 6 * DAY, "700");
    assert_eq!((bench.reason().as_str(), bench.trades().len()), ("WarmingUp", 0));
    assert_eq!(figures(&bench), [("warmUntil".to_owned(), "2024-03-10T00:00:00Z".to_owned())].into());
    for day in 7..9 {
        take(&mut bench, start() + day * DAY, "700");
        assert_eq!(bench.reason(), "WarmingUp");
    }
    take(&mut bench, start() + 9 * DAY, "701");
    assert_eq!(bench.reason(), "AboveHigh");
}

/// Ticks that are missing by their numbers: their day is none, and is seen as that once it is over.
#[test]
fn a_day_of_which_ticks_are_missing_is_none() {
    let mut bench = bench(("8", "1000"), &json!({"lookBackDays": 2}));
    days(&mut bench, 3, &["600"]);
    assert_eq!(bench.reason(), "PriceWithinDays");
    bench.sequence += 1;
    take(&mut bench, start() + 2 * DAY + HOUR, "600");
    assert_eq!(bench.reason(), "PriceWithinDays", "the two days before today are there");
    take(&mut bench, start() + 3 * DAY, "600");
    assert_eq!((bench.reason().as_str(), until(&bench).as_deref()), ("WarmingUp", Some("2024-03-06T00:00:00Z")));
}

#[test]
fn with_less_data_than_it_looks_back_on_nothing_is_traded() {
    let mut bench = bench(("8", "1000"), &json!({"lookBackDays": 1000}));
    let prices: Vec<String> = (0..900).map(|day| (600 + day % 300).to_string()).collect();
    days(&mut bench, 900, &prices.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((bench.reason().as_str(), bench.trades().len()), ("WarmingUp", 0));
    assert!(bench.engine.report().strategy.contains_key("warmUntil"));
    assert_eq!(bench.engine.performance().unwrap().outcome.len(), 0);
}

#[test]
fn an_edit_of_the_days_looks_at_others() {
    let mut bench = bench(("8", "1000"), &json!({"lookBackDays": 3}));
    days(&mut bench, 4, &["600", "650", "620"]);
    assert_eq!(figures(&bench)["high"], "650");
    let saved = bench.engine.snapshot().unwrap();
    let shorter = config(&MARKET, ("8", "1000"), &json!({"lookBackDays": 1}));
    bench.engine = engine::Engine::restore(shorter, &CONTROL, &saved).unwrap();
    take(&mut bench, start() + 3 * DAY + 1, "621");
    assert_eq!(bench.reason(), "AboveHigh", "of the last day alone the high is 620");
    let longer = config(&MARKET, ("8", "1000"), &json!({"lookBackDays": 4}));
    bench.engine = engine::Engine::restore(longer, &CONTROL, &saved).unwrap();
    take(&mut bench, start() + 3 * DAY + 2, "700");
    assert_eq!(bench.reason(), "WarmingUp");
}

/// All of it in the words of the rule: no step is taken from the product.
struct Naive {
    look_back: i64,
    sell_target: Decimal,
    buy_target: Decimal,
    usable: Decimal,
    fee: Decimal,
    least: Decimal,
    coins: Decimal,
    cash: Decimal,
    /// High and low of each day, by its number, and whether the day counts.
    days: BTreeMap<i64, (Decimal, Decimal, bool)>,
    trades: Vec<String>,
}

impl Naive {
    fn tick(&mut self, index: usize, time: i64, text: &str) {
        let (today, price) = (time.div_euclid(DAY), decimal(text));
        let is_whole = !self.days.is_empty() || time == today * DAY;
        let day = self.days.entry(today).or_insert((price, price, is_whole));
        (day.0, day.1) = (day.0.max(price), day.1.min(price));
        let before: Option<Vec<_>> =
            (today - self.look_back..today).map(|day| self.days.get(&day).filter(|day| day.2)).collect();
        let Some(before) = before else { return };
        let high = before.iter().map(|day| day.0).max().unwrap();
        let low = before.iter().map(|day| day.1).min().unwrap();
        let (worth, equity) = (self.coins * price, self.coins * price + self.cash);
        let floored = |amount: Decimal| (amount * Decimal::from(1000)).floor() / Decimal::from(1000);
        if price > high && worth > equity * self.sell_target && worth >= equity * decimal("0.1") {
            let quantity = floored(((worth - self.sell_target * equity) / price).min(self.coins * self.usable));
            if quantity.is_zero() || quantity * price < self.least {
                return;
            }
            self.coins -= quantity;
            self.cash += quantity * price * (Decimal::ONE - self.fee);
            self.trades.push(format!("{index} Sell {} @ {text}", quantity.normalize()));
        } else if price < low && worth < equity * self.buy_target && worth <= equity * decimal("0.9") {
            let quantity = floored(((self.buy_target * equity - worth) / price).min(self.cash * self.usable / price));
            let cost = quantity * price * (Decimal::ONE + self.fee);
            if quantity.is_zero() || quantity * price < self.least || cost > self.cash {
                return;
            }
            self.coins += quantity;
            self.cash -= cost;
            self.trades.push(format!("{index} Buy {} @ {text}", quantity.normalize()));
        }
    }
}

#[derive(Debug, Clone)]
struct Run {
    seed: u64,
    look_back: u32,
    offset: i64,
    hole: i64,
    targets: (u32, u32, u32),
    has_fee: bool,
    least: u32,
    kills: u64,
}

fn runs() -> impl Strategy<Value = Run> {
    (
        any::<u64>(),
        prop_oneof![6 => 1_u32..9, 1 => Just(52)],
        prop_oneof![Just(0_i64), 1..DAY],
        prop_oneof![Just(10 * HOUR), Just(30 * HOUR), Just(80 * HOUR)],
        (0_u32..101, 0_u32..101, 1_u32..101),
        any::<bool>(),
        prop_oneof![Just(1_u32), Just(300)],
        0_u64..40,
    )
        .prop_map(|(seed, look_back, offset, hole, targets, has_fee, least, kills)| Run {
            seed,
            look_back,
            offset,
            hole,
            targets,
            has_fee,
            least,
            kills,
        })
}

/// What the engine traded, and what the naive list did.
fn both(run: &Run) -> (Vec<String>, Vec<String>) {
    let (sells, buys, uses) = run.targets;
    let parameters = json!({
        "lookBackDays": run.look_back, "sellTargetPercent": sells, "buyTargetPercent": buys, "usePercent": uses,
    });
    let least = run.least.to_string();
    let taker_percent = if run.has_fee { "0.1" } else { "0" };
    let market = Market { min_notional: if run.least == 1 { "1" } else { "300" }, taker_percent, ..MARKET };
    let mut bench = Bench::of(&market, config(&market, ("5", "3000"), &parameters), &CONTROL);
    let percent = |number: u32| Decimal::new(i64::from(number), 2);
    let mut naive = Naive {
        look_back: i64::from(run.look_back),
        sell_target: percent(sells),
        buy_target: percent(buys),
        usable: percent(uses),
        fee: if run.has_fee { decimal("0.001") } else { Decimal::ZERO },
        least: decimal(&least),
        coins: Decimal::from(5),
        cash: Decimal::from(3000),
        days: BTreeMap::new(),
        trades: Vec::new(),
    };
    let path =
        Path { seed: run.seed, ticks: 500, start: start() + run.offset, step: 7 * HOUR, hole: run.hole, hole_each: 90 };
    for (index, step) in path.steps().iter().enumerate() {
        naive.tick(index, step.time, &step.price);
        take(&mut bench, step.time, &step.price);
        if run.kills > 0 && (index as u64).is_multiple_of(run.kills) {
            bench.restart();
        }
    }
    (bench.trades(), naive.trades)
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn it_trades_as_the_naive_list(run in runs()) {
        let (traded, expected) = both(&run);
        prop_assert_eq!(traded, expected);
    }
}

/// The property proves something only where there are trades of both sides.
#[test]
fn such_paths_trade_both_sides() {
    let run = Run {
        seed: 7,
        look_back: 3,
        offset: 0,
        hole: 30 * HOUR,
        targets: (50, 70, 95),
        has_fee: true,
        least: 1,
        kills: 0,
    };
    let (traded, expected) = both(&run);
    assert_eq!(traded, expected);
    let of = |side: &str| traded.iter().filter(|trade| trade.contains(side)).count();
    assert!(of("Sell") >= 3 && of("Buy") >= 3, "{traded:?}");
}

#[test]
fn a_restart_behind_any_tick_changes_nothing() {
    let path = Path { seed: 3, ticks: 300, start: start(), step: 7 * HOUR, hole: 40 * HOUR, hole_each: 90 };
    let parameters = json!({"lookBackDays": 3});
    let [mut killed, mut undisturbed] = [0, 1].map(|_| bench(("5", "3000"), &parameters));
    for step in path.steps() {
        for bench in [&mut killed, &mut undisturbed] {
            take(bench, step.time, &step.price);
        }
        killed.restart();
        assert_eq!(killed.engine.saved().unwrap(), undisturbed.engine.saved().unwrap());
        assert_eq!(killed.engine.report(), undisturbed.engine.report());
    }
    assert!(undisturbed.trades.len() > 3);
}
