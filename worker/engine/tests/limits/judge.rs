//! Any path of prices and any trades under any limits, beside a judge written apart: what is latched, when and with which
//! figures; and that a restart behind any tick changes nothing.

use engine::messages::Side;
use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use crate::bench::cases;
use crate::scripted::Action;
use crate::stand::{Stand, config, market};

/// Prices in cents, and what is done on each tick: a purchase or a sale of so many thousandths, or nothing.
#[derive(Debug, Clone)]
struct Path(Vec<(u32, i32)>);

fn path() -> impl Strategy<Value = Path> {
    let step = (9_000_u32..11_000, prop_oneof![3 => Just(0), 2 => 1..2_000, 2 => -2_000..0]);
    prop::collection::vec(step, 1..40).prop_map(Path)
}

fn percent(most: u32) -> impl Strategy<Value = Option<u32>> {
    prop_oneof![1 => Just(None), 3 => (1..most).prop_map(Some)]
}

fn hundredths(value: u32) -> String {
    Decimal::new(value.into(), 2).to_string()
}

/// Limits in hundredths of a percent, losses, and an exposure in cents.
fn limits() -> impl Strategy<Value = Value> {
    let losses = prop_oneof![Just(None), (0_u32..3).prop_map(Some)];
    (percent(1_000), percent(800), losses, percent(150_000)).prop_map(|(drawdown, daily, losses, exposure)| {
        let mut risk = json!({});
        for (name, value) in [("maxDrawdownPercent", drawdown), ("maxDailyLossPercent", daily)] {
            if let Some(value) = value {
                risk[name] = json!(hundredths(value));
            }
        }
        if let Some(losses) = losses {
            risk["maxConsecutiveLosses"] = json!(losses);
        }
        if let Some(exposure) = exposure {
            risk["maxExposure"] = json!({"USDT": hundredths(exposure)});
        }
        risk
    })
}

fn exits() -> impl Strategy<Value = Value> {
    let rule = (percent(1_000), percent(500), percent(9_900), percent(11_500), percent(12_000));
    rule.prop_map(|(stop, take, back, below, above)| {
        let mut exit = json!({"action": "StopOpening"});
        for (name, value) in [("stopLossPercent", stop), ("takeProfitPercent", take), ("giveBackPercent", back)] {
            if let Some(value) = value {
                exit[name] = json!(hundredths(value));
            }
        }
        if let Some(below) = below.filter(|below| *below < 9_500) {
            exit["belowPrice"] = json!(hundredths(below));
        }
        if let Some(above) = above.filter(|above| *above > 10_500) {
            exit["abovePrice"] = json!(hundredths(above));
        }
        exit
    })
}

fn actions(Path(path): &Path) -> Vec<Vec<Action>> {
    let action = |(_, thousandths): &(u32, i32)| match thousandths {
        0 => Vec::new(),
        buy @ 1.. => vec![market(Side::Buy, &Decimal::new((*buy).into(), 3).to_string())],
        sell => vec![market(Side::Sell, &Decimal::new((-*sell).into(), 3).to_string())],
    };
    path.iter().map(action).collect()
}

fn stand(path: &Path, risk: &Value, exit: &Value) -> Stand {
    let actions = actions(path);
    let actions: Vec<&[Action]> = actions.iter().map(Vec::as_slice).collect();
    let mut risk = risk.clone();
    risk["maxOrdersPerMinute"] = json!(600);
    Stand::of(config(&actions, ("3", "400"), risk, exit.clone()))
}

fn run(stand: &mut Stand, Path(path): &Path, restarts: bool) {
    for (price, _) in path {
        let price = hundredths(*price);
        stand.run([price.as_str()]);
        if restarts {
            stand.restart();
        }
    }
}

/// The judge: books, measures and rules in plain decimals.
#[derive(Default)]
struct Judge {
    coins: Decimal,
    cash: Decimal,
    cost: Decimal,
    opening: Decimal,
    peak: Decimal,
    first: Option<Decimal>,
    losses: u32,
    latched: Vec<String>,
    exit: Option<String>,
}

fn of(value: &Value, name: &str) -> Option<Decimal> {
    value.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned).parse().unwrap())
}

fn shown(value: Decimal) -> String {
    value.round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven).normalize().to_string()
}

impl Judge {
    fn holds(path: &Path, risk: &Value, exit: &Value) -> Self {
        let mut judge = Self { coins: 3.into(), cash: 400.into(), ..Self::default() };
        for (index, (price, thousandths)) in path.0.iter().enumerate() {
            let price = Decimal::new((*price).into(), 2);
            if index == 0 {
                judge.cost = judge.coins * price;
                judge.opening = judge.cost + judge.cash;
            }
            judge.limits(index, price, risk);
            judge.exit(index, price, exit);
            judge.trade(price, Decimal::new((*thousandths).into(), 3), risk);
        }
        judge
    }

    fn latch(&mut self, name: &str, index: usize, figure: &str, most: Decimal) {
        if !self.latched.iter().any(|latched| latched.starts_with(name)) {
            self.latched.push(format!("{name} {index} {figure} {}", most.normalize()));
        }
    }

    fn limits(&mut self, index: usize, price: Decimal, risk: &Value) {
        let equity = self.coins * price + self.cash;
        self.peak = self.peak.max(equity);
        let first = *self.first.get_or_insert(equity);
        let hundred = Decimal::ONE_HUNDRED;
        for (name, from) in [("maxDrawdownPercent", self.peak), ("maxDailyLossPercent", first)] {
            if let Some(most) = of(risk, name).filter(|most| (from - equity) * hundred > from * most) {
                self.latch(name, index, &shown((from - equity) * hundred / from), most);
            }
        }
        if let Some(most) = of(risk, "maxConsecutiveLosses").filter(|most| Decimal::from(self.losses) > *most) {
            self.latch("maxConsecutiveLosses", index, &self.losses.to_string(), most);
        }
        let exposure = self.coins * price;
        if let Some(most) = risk.get("maxExposure").and_then(|most| of(most, "USDT")).filter(|most| exposure > *most) {
            self.latch("maxExposure", index, &exposure.normalize().to_string(), most);
        }
    }

    fn exit(&mut self, index: usize, price: Decimal, exit: &Value) {
        let hundred = Decimal::ONE_HUNDRED;
        let (net, peak) = (self.coins * price + self.cash - self.opening, self.peak - self.opening);
        let (take, back) = (of(exit, "takeProfitPercent"), of(exit, "giveBackPercent"));
        let taken = |profit: Decimal| take.is_some_and(|take| profit * hundred >= self.opening * take);
        let is_lost =
            |most: Decimal| !self.coins.is_zero() && self.coins * price * hundred <= self.cost * (hundred - most);
        let is_armed = if take.is_some() { taken(peak) } else { peak > Decimal::ZERO };
        let rules = [
            ("stopLossPercent", of(exit, "stopLossPercent").is_some_and(is_lost)),
            ("takeProfitPercent", back.is_none() && taken(net)),
            ("giveBackPercent", back.is_some_and(|back| is_armed && net * hundred <= peak * (hundred - back))),
            ("belowPrice", of(exit, "belowPrice").is_some_and(|below| price <= below)),
            ("abovePrice", of(exit, "abovePrice").is_some_and(|above| price >= above)),
        ];
        let found = rules.iter().find(|(_, holds)| *holds);
        if let (None, Some((name, _))) = (&self.exit, found) {
            self.exit = Some(format!("{name} {index}"));
        }
    }

    /// At once and whole, or not at all.
    fn trade(&mut self, price: Decimal, quantity: Decimal, risk: &Value) {
        let worth = quantity.abs() * price;
        if self.exit.is_some() || quantity.is_zero() {
            return;
        }
        if quantity > Decimal::ZERO {
            let most = risk.get("maxExposure").and_then(|most| of(most, "USDT"));
            let is_bound = most.is_some_and(|most| self.coins * price + worth > most);
            if self.latched.is_empty() && !is_bound && worth <= self.cash {
                self.coins += quantity;
                self.cost += worth;
                self.cash -= worth;
            }
        } else if -quantity <= self.coins {
            let relieved = self.cost * -quantity / self.coins;
            let relieved = relieved.round_dp_with_strategy(8, RoundingStrategy::MidpointNearestEven);
            self.coins += quantity;
            self.cost -= relieved;
            self.cash += worth;
            match worth.cmp(&relieved) {
                std::cmp::Ordering::Less => self.losses += 1,
                std::cmp::Ordering::Greater => self.losses = 0,
                std::cmp::Ordering::Equal => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn what_is_latched_is_what_a_judge_apart_finds(path in path(), risk in limits(), exit in exits()) {
        let mut stand = stand(&path, &risk, &exit);
        run(&mut stand, &path, false);
        let judge = Judge::holds(&path, &risk, &exit);
        let mut found = stand.latched();
        let reached = stand.engine.exit_reached().map(|(rule, latch)| format!("{} {}", rule.as_str(), latch.index));
        if reached.is_some() {
            found.pop();
        }
        prop_assert_eq!(&found, &judge.latched, "{:?}", stand.log);
        prop_assert_eq!(reached, judge.exit);
        prop_assert_eq!(stand.report().position["BNB"].to_string(), judge.coins.normalize().to_string());
    }

    #[test]
    fn a_restart_behind_any_tick_changes_nothing(path in path(), risk in limits(), exit in exits(), flattens: bool) {
        let (mut risk, mut exit) = (risk, exit);
        if flattens {
            risk["onBreach"] = json!("Flatten");
            exit["action"] = json!("Flatten");
        }
        let (mut one, mut other) = (stand(&path, &risk, &exit), stand(&path, &risk, &exit));
        run(&mut one, &path, false);
        run(&mut other, &path, true);
        prop_assert_eq!(one.engine.saved().unwrap(), other.engine.saved().unwrap());
        prop_assert_eq!(one.log, other.log);
    }
}
