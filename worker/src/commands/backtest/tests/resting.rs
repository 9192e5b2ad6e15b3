//! Orders that rest, cancels and replacements in a backtest: what is told on which tick, in which order.
#![allow(clippy::unnecessary_wraps, reason = "what makes a strategy may refuse its parameters")]

use std::sync::Mutex;

use engine::instrument::InstrumentIndex;
use engine::messages::{Side, TimeInForce};
use engine::risk::PositionBounds;
use engine::strategies::grid::DEFINITION;
use engine::strategies::{
    Context, Definition, Intent, OrderEvent, OrderKind, OrderNews, OrderSize, Purpose, Strategy, StrategyError,
};
use engine::time::Timestamp;
use serde_json::{Value, json};

use super::super::*;

/// What is done on a tick, or when an order was told of: `(order, news)`.
type Act = fn(&mut Context<'_>);
/// Makes a strategy.
type Start = fn(&Value, Option<&Value>) -> Result<Box<dyn Strategy>, StrategyError>;
type Script = (&'static [(u64, Act)], &'static [(&'static str, Act)]);

/// Tells its story to whoever runs it, one at a time.
static STORY: Mutex<Vec<String>> = Mutex::new(Vec::new());
static TURN: Mutex<()> = Mutex::new(());

#[derive(Debug)]
struct Scripted(Script);

fn note(line: String) {
    STORY.lock().unwrap().push(line);
}

fn place(context: &mut Context<'_>, side: Side, price: &str, time_in_force: TimeInForce) {
    let kind = OrderKind::Limit { price: price.parse().unwrap(), time_in_force, post_only: false };
    if let Err(denial) = context.place(intent(side, kind)) {
        note(format!("denied {}", denial.as_str()));
    }
}

fn intent(side: Side, kind: OrderKind) -> Intent {
    Intent {
        instrument: InstrumentIndex::FIRST,
        side,
        size: OrderSize::Fixed("1".parse().unwrap()),
        kind,
        purpose: Purpose::Open,
        tag: 0,
        reason: "Scripted",
        message: "as its script says".to_owned(),
    }
}

fn buy(context: &mut Context<'_>, price: &str) {
    place(context, Side::Buy, price, TimeInForce::GoodTillCanceled);
}

fn sell(context: &mut Context<'_>, price: &str) {
    place(context, Side::Sell, price, TimeInForce::GoodTillCanceled);
}

impl Strategy for Scripted {
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        note(format!("tick {}", tick.sequence));
        self.0.0.iter().filter(|(at, _)| *at == tick.sequence).for_each(|(_, act)| act(context));
    }

    fn on_order(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        let what = match &event.news {
            OrderNews::Accepted => "accepted".to_owned(),
            OrderNews::Filled(trade) => format!("{:?} {} @ {}", trade.liquidity, trade.quantity, trade.price),
            OrderNews::Closed(engine::strategies::Outcome::Traded { .. }) => "closed".to_owned(),
            OrderNews::Closed(engine::strategies::Outcome::Nothing { why }) => format!("closed {why}"),
        };
        let line = format!("{} {what}", event.order);
        note(line.clone());
        self.0.1.iter().filter(|(news, _)| *news == line).for_each(|(_, act)| act(context));
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {}

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        Ok(Value::Null)
    }
}

/// Runs a strategy on ticks a second apart; what it was told.
fn story(start: Start, latency_ms: u32, prices: &[&str]) -> Vec<String> {
    let _turn = TURN.lock();
    STORY.lock().unwrap().clear();
    let mut registry = Registry::default();
    // In the place of the one that a manifest can name.
    registry.register(Definition { start, position_bounds: PositionBounds::Free, ..DEFINITION });
    let account = json!({"venue": {"paper": {"balances": {"USDT": 10_000, "BNB": 10}, "latencyMs": latency_ms,
        "fees": {"makerPercent": "0.1", "takerPercent": "0.2"}}}, "marketData": {"replay": {"file": "none.csv"}}});
    let spec = json!({"accountRef": {"name": "paper"}, "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001"}}],
        "capital": {"USDT": 5_000, "BNB": 5}, "strategy": {"grid": {}}, "risk": {"maxOrdersPerMinute": 600}});
    let spec =
        json!({"name": "scripted", "generation": 1, "spec": spec, "account": {"name": "paper", "spec": account}});
    let mut simulation = Simulation::new(&serde_json::from_value(spec).unwrap(), &registry).unwrap();
    let tick = |(n, price): (usize, &&str)| {
        let time = Timestamp::from_millis(1_000 * i64::try_from(n).unwrap());
        Tick {
            last: n + 1 == prices.len(),
            ..Tick::trade("BNB/USDT".parse().unwrap(), price.parse().unwrap(), time, n.try_into().unwrap())
        }
    };
    let ticks: Vec<_> = prices.iter().enumerate().map(tick).collect();
    simulation.take(&ticks);
    assert_eq!(simulation.problem, None);
    std::mem::take(&mut *STORY.lock().unwrap())
}

#[test]
fn what_rests_is_told_before_the_tick_that_filled_it_and_what_it_causes_arrives_on_that_tick() {
    fn start(_: &Value, _: Option<&Value>) -> Result<Box<dyn Strategy>, StrategyError> {
        const SCRIPT: Script = (
            &[(0, |context| {
                buy(context, "99");
                buy(context, "98");
                sell(context, "105");
            })],
            // The counter order takes at once: the tick is at 97.
            &[("2 closed", |context| sell(context, "96"))],
        );
        Ok(Box::new(Scripted(SCRIPT)))
    }
    let told = story(start, 0, &["100", "99", "97", "106"]);
    let expected = [
        "tick 0",
        "1 accepted",
        "2 accepted",
        "3 accepted",
        "tick 1", // Through: not at the price itself.
        "1 Maker 1 @ 99.00",
        "1 closed",
        "2 Maker 1 @ 98.00",
        "2 closed",
        "tick 2",
        "4 Taker 1 @ 97.00",
        "4 closed",
        "3 Maker 1 @ 105.00",
        "3 closed",
        "tick 3",
    ];
    assert_eq!(told, expected);
}

#[test]
fn cancels_and_replacements_have_the_latency_and_lose_to_a_fill() {
    fn start(_: &Value, _: Option<&Value>) -> Result<Box<dyn Strategy>, StrategyError> {
        const SCRIPT: Script = (
            &[
                (0, |context| {
                    buy(context, "99");
                    buy(context, "95");
                    buy(context, "94");
                }),
                (3, |context| {
                    context.cancel(1);
                    let price = "90".parse().unwrap();
                    let kind =
                        OrderKind::Limit { price, time_in_force: TimeInForce::GoodTillCanceled, post_only: false };
                    assert_eq!(context.replace(2, intent(Side::Buy, kind)), Ok(4));
                    assert_eq!(context.replace(3, intent(Side::Buy, kind)), Ok(5));
                }),
            ],
            &[],
        );
        Ok(Box::new(Scripted(SCRIPT)))
    }
    // Sent on 0, there on 2. Sent on 3, there on 5; meanwhile 1 and 2 trade on 4 and 5.
    let told = story(start, 1_500, &["100", "100", "100", "100", "98", "94.5", "100", "89"]);
    let expected = [
        "tick 0",
        "tick 1",
        "tick 2",
        "1 accepted",
        "2 accepted",
        "3 accepted",
        "tick 3",
        "1 Maker 1 @ 99.00",
        "1 closed",
        "tick 4",
        "2 Maker 1 @ 95.00",
        "2 closed",
        "tick 5",
        "4 closed ReplaceRaced",
        "3 closed Canceled",
        "5 accepted",
        "tick 6",
        "5 Maker 1 @ 90.00",
        "5 closed",
        "tick 7",
    ];
    assert_eq!(told, expected);
}

#[test]
fn orders_of_one_tick_make_news_on_it_in_at_most_16_rounds() {
    fn start(_: &Value, _: Option<&Value>) -> Result<Box<dyn Strategy>, StrategyError> {
        const AGAIN: Act = |context| place(context, Side::Buy, "101", TimeInForce::ImmediateOrCancel);
        #[derive(Debug)]
        struct Restless(Scripted);
        impl Strategy for Restless {
            fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
                self.0.on_tick(tick, context);
                AGAIN(context);
            }
            fn on_order(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
                if matches!(event.news, OrderNews::Closed(_)) {
                    note(format!("{} closed", event.order));
                    AGAIN(context);
                }
            }
            fn on_gap(&mut self, _instrument: InstrumentIndex) {}
            fn snapshot(&self) -> Result<Value, serde_json::Error> {
                self.0.snapshot()
            }
        }
        Ok(Box::new(Restless(Scripted((&[], &[])))))
    }
    let told = story(start, 0, &["100", "100"]);
    let of_a_tick = |tick: u64| {
        let orders = (1 + 16 * tick..=16 + 16 * tick).map(|order| format!("{order} closed"));
        let denied = std::iter::once("denied TooManyRounds".to_owned());
        std::iter::once(format!("tick {tick}")).chain(orders).chain(denied).collect::<Vec<_>>()
    };
    assert_eq!(told, [of_a_tick(0), of_a_tick(1)].concat());
}

#[test]
fn what_never_arrived_when_the_data_end_is_told_and_what_rests_stays_open() {
    fn start(_: &Value, _: Option<&Value>) -> Result<Box<dyn Strategy>, StrategyError> {
        const SCRIPT: Script = (&[(0, |context| buy(context, "90")), (3, |context| buy(context, "91"))], &[]);
        Ok(Box::new(Scripted(SCRIPT)))
    }
    let told = story(start, 1_500, &["100", "100", "100", "100"]);
    assert_eq!(told, ["tick 0", "tick 1", "tick 2", "1 accepted", "tick 3", "2 closed MarketDataEnded"]);
}

/// More than an engine remembers of closed orders have traded when the cancels come that the first of them caused.
#[test]
fn cancels_of_many_orders_that_the_same_tick_filled_are_too_late_and_no_more() {
    fn start(_: &Value, _: Option<&Value>) -> Result<Box<dyn Strategy>, StrategyError> {
        const SCRIPT: Script = (
            &[(0, |context| (0..100).for_each(|_| buy(context, "40")))],
            &[("1 closed", |context| (2..=100).for_each(|order| context.cancel(order)))],
        );
        Ok(Box::new(Scripted(SCRIPT)))
    }
    let told = story(start, 0, &["39", "39"]);
    let count = |end: &str| told.iter().filter(|line| line.ends_with(end)).count();
    assert_eq!((count("Taker 1 @ 39.00"), count("closed")), (100, 100), "{told:?}");
}
