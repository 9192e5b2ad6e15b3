//! A grid whose size follows the market, and one that buys within a range: by vectors, and beside a grid written apart from
//! the rules in words, with the standard library's own logarithm.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod seeded;

use std::collections::BTreeSet;

use engine::Config;
use engine::messages::{AlertKind, Tick};
use engine::risk::RiskParameters;
use engine::testkit::{Bench, Market, alerts};
use engine::time::{Timestamp, rfc3339};
use proptest::prelude::*;
use rust_decimal::Decimal;
use seeded::{Path, cases, decimal};
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000;
const MARKET: Market = Market::USUAL;

fn bench(parameters: &Value) -> Bench {
    let risk = RiskParameters { max_orders_per_minute: 600, ..RiskParameters::default() };
    Bench::grid(&MARKET, Config { risk, ..MARKET.config(parameters) })
}

fn start() -> i64 {
    rfc3339::parse("2024-03-01T00:00:00Z").unwrap().millis()
}

/// The next tick, with this time, price and volume; its orders are answered at once.
fn take(bench: &mut Bench, time: i64, price: &str, volume: &str) {
    let at = Timestamp::from_millis(time);
    let tick =
        Tick { time: Some(at), received: at, volume: volume.parse().unwrap(), ..MARKET.tick(bench.sequence, price) };
    bench.run_tick(tick);
}

fn figure(bench: &Bench, name: &str) -> String {
    bench.engine.report().strategy.get(name).map(|figure| figure.as_str().to_owned()).unwrap_or_default()
}

/// The closes and volumes of the vector; a bar of 4 hours is one tick at its start.
fn vector(n: u64) -> (String, String) {
    ((600 + (n * n * 7 + 3 * n) % 41).to_string(), (n * 5 % 13).to_string())
}

/// The volatilities were made by a script of a few lines in another language, from the words of the rule alone:
/// `math.log` of the ratios of 42 closes, each product with its volume over the mean of 41 in `statistics.pstdev`, the other
/// part in a loop.
#[test]
fn the_size_follows_the_vector() {
    let adaptive =
        json!({"minPercent": "0.01", "maxPercent": 50, "basePercent": 5, "centreVolatility": "1.5", "sensitivity": 2});
    // No price lies beyond its bands: no side is tracked, nothing is traded.
    let mut bench = bench(&json!({"basePrice": 620, "adaptive": adaptive}));
    let mut shown = Vec::new();
    for n in 0..50 {
        let (price, volume) = vector(n);
        take(&mut bench, start() + i64::try_from(n).unwrap() * 4 * HOUR, &price, &volume);
        if n >= 41 {
            shown.push(format!("{n} {} {}", figure(&bench, "sigma"), figure(&bench, "gridSizePercent")));
        }
    }
    assert_eq!(shown, EXPECTED);
}

const EXPECTED: [&str; 9] = [
    "41  5",
    "42 1.117249 5",
    "43 1.183745 5",
    "44 1.13413 4.29",
    "45 1.227746 4.36",
    "46 1.249107 4.41",
    "47 1.189944 4.44",
    "48 1.18878 4.42",
    "49 1.191763 4.38",
];

/// A grid of the words of the rule: no step of it is taken from the product.
struct Naive {
    range: Option<[Decimal; 2]>,
    bars: Vec<(i64, f64, f64)>,
    /// The bar that is being made, and whether it counts.
    making: Option<(i64, f64, f64, bool)>,
    size: Decimal,
    base: Option<Decimal>,
    high: Option<Decimal>,
    low: Option<Decimal>,
    coins: Decimal,
    cash: Decimal,
    last_fill: Option<i64>,
    trades: Vec<String>,
}

impl Naive {
    fn new(range: Option<[Decimal; 2]>) -> Self {
        Self {
            range,
            bars: Vec::new(),
            making: None,
            size: decimal("2.5"),
            base: None,
            high: None,
            low: None,
            coins: Decimal::from(5),
            cash: Decimal::from(3000),
            last_fill: None,
            trades: Vec::new(),
        }
    }

    fn sigma(bars: &[(i64, f64, f64)]) -> f64 {
        let returns: Vec<f64> = (1..42).map(|n| (bars[n].1 / bars[n - 1].1).ln()).collect();
        let volume: f64 = (1..42).map(|n| bars[n].2).sum::<f64>() / 41.0;
        let products: Vec<f64> =
            (0..41).map(|n| if volume > 0.0 { returns[n] * bars[n + 1].2 / volume } else { returns[n] }).collect();
        let mean = products.iter().sum::<f64>() / 41.0;
        let deviation = (products.iter().map(|product| (product - mean).powi(2)).sum::<f64>() / 41.0).sqrt();
        let variance = returns[1..].iter().fold(returns[0].powi(2), |v, r| 0.94 * v + 0.06 * r.powi(2));
        0.7 * (variance * 2190.0).sqrt() + 0.3 * 2190_f64.sqrt() * deviation
    }

    fn close(&mut self) {
        if self.bars.len() < 44 || self.high.is_some() || self.low.is_some() {
            return;
        }
        let from = self.bars.len() - 44;
        let mean = (0..3).map(|n| Self::sigma(&self.bars[from + n..from + n + 42])).sum::<f64>() / 3.0;
        let size = (2.5 + 10.0 * (mean - 0.25)).clamp(1.0, 4.0);
        let size = decimal(&format!("{size:.2}"));
        if (size - self.size).abs() > decimal("0.01") {
            self.size = size;
        }
    }

    fn tick(&mut self, index: usize, time: i64, price: &str, volume: &str) {
        let open = time.div_euclid(4 * HOUR) * 4 * HOUR;
        let (p, v): (f64, f64) = (price.parse().unwrap(), volume.parse().unwrap());
        match &mut self.making {
            Some((making, close, sum, _)) if *making == open => (*close, *sum) = (p, *sum + v),
            Some((making, close, sum, counts)) => {
                let closed = counts.then_some((*making, *close, *sum));
                self.making = Some((open, p, v, true));
                if let Some(bar) = closed {
                    self.bars.push(bar);
                    self.close();
                }
            }
            None => self.making = Some((open, p, v, time == open)),
        }
        self.trade(index, time, decimal(price));
    }

    fn trade(&mut self, index: usize, time: i64, price: Decimal) {
        let base = *self.base.get_or_insert(price);
        let share = self.size / Decimal::from(100);
        let turn = share * decimal("0.2");
        let (worth, equity) = (self.coins * price, self.coins * price + self.cash);
        let sells = price >= base * (Decimal::ONE + share) && worth >= equity * decimal("0.1");
        let buys = price <= base * (Decimal::ONE - share) && worth <= equity * decimal("0.9");
        self.high = sells.then(|| self.high.map_or(price, |high| high.max(price)));
        self.low = buys.then(|| self.low.map_or(price, |low| low.min(price)));
        if self.last_fill.is_some_and(|last| time - last < 30_000) {
            return;
        }
        let quantity = (equity / Decimal::from(10) / price * Decimal::from(1000)).floor() / Decimal::from(1000);
        let within = self.range.is_none_or(|[lower, upper]| lower <= price && price <= upper);
        let side = if self.high.is_some_and(|high| price <= high * (Decimal::ONE - turn)) {
            (self.coins, self.cash) = (self.coins - quantity, self.cash + quantity * price);
            "Sell"
        } else if self.low.is_some_and(|low| price >= low * (Decimal::ONE + turn)) && within {
            (self.coins, self.cash) = (self.coins + quantity, self.cash - quantity * price);
            "Buy"
        } else {
            return;
        };
        self.trades.push(format!("{index} {side} {} @ {price}", quantity.normalize()));
        (self.base, self.high, self.low, self.last_fill) = (Some(price), None, None, Some(time));
    }
}

proptest! {
    #![proptest_config(cases(60))]

    /// Wherever it is killed, too.
    #[test]
    fn it_trades_as_the_naive_grid(
        seed in any::<u64>(),
        offset in prop_oneof![Just(0_i64), 1..4 * HOUR],
        hole in prop_oneof![Just(5 * HOUR), Just(29 * HOUR)],
        range in prop::option::of((450_i64..600, 600_i64..800)),
        kills in 0_u64..40,
    ) {
        let path = Path { seed, ticks: 700, start: start() + offset, step: HOUR, hole, hole_each: 50 };
        let bounds = range.map(|(lower, upper)| [lower, upper].map(Decimal::from));
        let mut naive = Naive::new(bounds);
        let mut parameters = json!({"adaptive": {}});
        if let Some((lower, upper)) = range {
            parameters["range"] = json!({"lowerPrice": lower, "upperPrice": upper});
        }
        let mut bench = bench(&parameters);
        for (index, step) in path.steps().iter().enumerate() {
            naive.tick(index, step.time, &step.price, &step.volume);
            take(&mut bench, step.time, &step.price, &step.volume);
            let size = figure(&bench, "gridSizePercent");
            prop_assert_eq!(decimal(&size), naive.size, "tick {}", index);
            if kills > 0 && (index as u64).is_multiple_of(kills) {
                bench.restart();
            }
        }
        prop_assert_eq!(bench.trades(), naive.trades);
    }
}

/// A kill behind any tick changes no byte of the state.
#[test]
fn a_restart_behind_any_tick_changes_nothing() {
    let path = Path { seed: 5, ticks: 500, start: start(), step: HOUR, hole: 9 * HOUR, hole_each: 60 };
    let [mut killed, mut undisturbed] = [0, 1].map(|_| bench(&json!({"adaptive": {}})));
    let mut sizes = BTreeSet::new();
    for step in path.steps() {
        for bench in [&mut killed, &mut undisturbed] {
            take(bench, step.time, &step.price, &step.volume);
        }
        killed.restart();
        assert_eq!(killed.engine.saved().unwrap(), undisturbed.engine.saved().unwrap());
        assert_eq!(killed.engine.report(), undisturbed.engine.report());
        sizes.insert(figure(&killed, "gridSizePercent"));
    }
    assert!(!undisturbed.trades.is_empty() && sizes.len() > 5, "{sizes:?}");
}

#[test]
fn without_volume_all_bars_weigh_alike() {
    let mut bench = bench(&json!({"basePrice": 620, "adaptive": {"basePercent": 5, "minPercent": 5, "maxPercent": 5}}));
    let sigmas = (0..45).map(|n| {
        take(&mut bench, start() + i64::try_from(n).unwrap() * 4 * HOUR, &vector(n).0, "0");
        figure(&bench, "sigma")
    });
    let sigmas: Vec<_> = sigmas.collect();
    // By the same script.
    assert_eq!(sigmas[41..], ["", "1.032666", "1.094776", "1.051912"]);
}

#[test]
fn what_is_missing_is_named() {
    let mut bench = bench(&json!({"adaptive": {}}));
    for bar in [0, 1, 2, 5, 6] {
        take(&mut bench, start() + bar * 4 * HOUR, "600", "1");
    }
    take(&mut bench, start() + 7 * 4 * HOUR, "600", "1");
    assert_eq!(alerts(&bench.effects), [AlertKind::MarketDataGap]);
    let said = format!("{:?}", bench.effects);
    assert!(said.contains("2 bars of 4h of BNB/USDT from 2024-03-01T12:00:00Z on are missing."), "{said}");
}

#[test]
fn a_plain_grid_needs_no_bars_and_keeps_its_bytes() {
    let mut plain = bench(&json!({"gridSizePercent": "2.50", "basePrice": 600}));
    plain.run(["600", "615", "600"]);
    let saved = plain.engine.snapshot().unwrap();
    let memory = saved["strategy"].as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(memory, ["configured", "base", "high", "low", "lastFill"]);
    assert!(plain.engine.needed_bars().next().is_none());
    assert_eq!(figure(&plain, "gridSizePercent"), "2.50");
    assert_eq!(plain.engine.performance().unwrap().outcome.len(), 1);
    let adaptive = bench(&json!({"adaptive": {}}));
    assert_eq!(adaptive.engine.performance().map(|all| all.outcome), None);
}

/// What may be too small is the smallest size; how far is far follows from the size that it begins with.
#[test]
fn its_warnings_are_those_of_its_sizes() {
    let market = Market { taker_percent: "0.5", ..MARKET };
    for (adaptive, base, warns) in [
        (json!({}), "600", vec![AlertKind::GridBelowFees]),
        (json!({"minPercent": "1.01"}), "600", vec![]),
        (json!({"minPercent": "1.01"}), "524", vec![AlertKind::BasePriceFar]),
        (json!({"minPercent": "1.01"}), "525", vec![]),
    ] {
        let parameters = json!({"basePrice": base, "adaptive": adaptive});
        let mut bench = Bench::grid(&market, market.config(&parameters));
        bench.run(["600"]);
        assert_eq!(alerts(&bench.effects), warns, "{parameters}");
    }
}

#[test]
fn outside_its_range_it_tracks_and_sells_but_does_not_buy() {
    let parameters = json!({"basePrice": 600, "range": {"lowerPrice": 586, "upperPrice": 650}});
    let mut bench = bench(&parameters);
    bench.run(["600", "580", "583"]);
    assert_eq!((bench.reason().as_str(), bench.trades()), ("OutsideRange", vec![]));
    // Within it again, and still in its zone: the chance stands.
    let mut later = MARKET.tick(bench.sequence, "586");
    let at = Timestamp::from_millis(later.event_time().millis() + 60_000);
    (later.time, later.received) = (Some(at), at);
    bench.run_tick(later);
    assert_eq!(bench.trades(), ["3 Buy 1.011 @ 586.00"]);
    let mut above = self::bench(&json!({"basePrice": 600, "range": {"lowerPrice": 1, "upperPrice": 2}}));
    above.run(["600", "615", "612"]);
    assert_eq!(above.trades(), ["2 Sell 0.99 @ 612.00"]);
}
