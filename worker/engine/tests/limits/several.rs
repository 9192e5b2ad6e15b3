//! Limits and exits of a strategy with two markets: percentages speak of all its equity, prices of its first market.

use engine::instrument::Instruments;
use engine::messages::{Fill, OrderStatus, OrderUpdate, Tick};
use engine::strategies::Definition;
use engine::testkit::{Market, START_MS};
use engine::{Config, Engine, Event};
use serde_json::{Value, json};

use crate::bench::{commands, order_of};
use crate::scripted::SCRIPTED;
use crate::stand::{MARKET, config};

const BOTH: Definition = Definition { instruments_max: 2, ..SCRIPTED };
const ETH: Market = Market { symbol: "ETH/USDT", ..MARKET };

/// One BNB, one ETH and 800 USDT: at 100 each an equity of 1000.
fn of(risk: Value, exit: Value) -> Config {
    let capital = [("BNB", "1"), ("ETH", "1"), ("USDT", "800")];
    Config {
        instruments: Instruments::new(vec![MARKET.instrument(), ETH.instrument()]).unwrap(),
        capital: capital.map(|(asset, amount)| (asset.parse().unwrap(), amount.parse().unwrap())).into(),
        ..config(&[], ("0", "0"), risk, exit)
    }
}

/// Takes prices in turn, `B100` of BNB or `E90` of ETH; all that is sent trades at once. Gives the trades.
fn run(engine: &mut Engine, prices: &str) -> Vec<String> {
    let mut sold = Vec::new();
    let mut counts = [0, 0];
    for (number, price) in (0_u64..).zip(prices.split(' ')) {
        let (market, place) = if price.starts_with('B') { (&MARKET, 0) } else { (&ETH, 1) };
        let time = engine::time::Timestamp::from_millis(START_MS + 1_000 * i64::try_from(number).unwrap());
        let tick = Tick::trade(market.symbol.parse().unwrap(), price[1..].parse().unwrap(), time, counts[place]);
        counts[place] += 1;
        let tick = Tick { source_sequence: number, ..tick };
        let sent = commands(&engine.step(time, Event::Tick(tick)));
        for command in &sent {
            let order = order_of(command).unwrap();
            let (quantity, price) = (order.quantity, order.price.unwrap());
            sold.push(format!("{number}: {} {quantity} @ {}", command.symbol, price.normalised()));
            let fill = Fill { tick_sequence: Some(number), ..market.fill(command, quantity, price) };
            let news = OrderUpdate {
                client_order_id: command.client_order_id.clone(),
                status: OrderStatus::Filled,
                reason: String::new(),
                cumulative_quantity: quantity,
                fill: Some(fill),
                matched: Some(number),
                time,
            };
            assert!(commands(&engine.step(time, Event::OrderUpdate(news))).is_empty());
        }
    }
    sold
}

fn latched(engine: &Engine) -> Vec<String> {
    let limits = engine.latched_limits().iter().map(|(limit, latch)| (limit.as_str(), latch));
    let all = limits.chain(engine.exit_reached().map(|(rule, latch)| (rule.as_str(), latch)));
    all.map(|(name, latch)| format!("{name} {} {} {}", latch.index, latch.figure, latch.threshold)).collect()
}

fn after(risk: Value, exit: Value, prices: &str) -> (Vec<String>, Vec<String>) {
    let mut engine = Engine::new(of(risk, exit), &BOTH).unwrap();
    let sold = run(&mut engine, prices);
    (latched(&engine), sold)
}

#[test]
fn percentages_speak_of_the_equity_of_all_markets() {
    let drawdown = json!({"maxDrawdownPercent": 5});
    assert_eq!(after(drawdown.clone(), Value::Null, "B100 E100 E50").0, Vec::<String>::new());
    assert_eq!(after(drawdown, Value::Null, "B100 E100 E50 B99.99").0, ["maxDrawdownPercent 3 5 5"]);
    let exposure = json!({"maxExposure": {"USDT": 200}});
    assert_eq!(after(exposure, Value::Null, "B100 E100 E110").0, ["maxExposure 2 210 200"]);
    // 5 % of what was opened, not of what a market's coins cost.
    let stop = json!({"stopLossPercent": 5, "action": "StopOpening"});
    assert_eq!(after(json!({}), stop.clone(), "B100 E100 E51 B100").0, Vec::<String>::new());
    assert_eq!(after(json!({}), stop, "B100 E100 E50").0, ["stopLossPercent 2 950 950"]);
    let take = json!({"takeProfitPercent": 5, "action": "StopOpening"});
    assert_eq!(after(json!({}), take, "B100 E100 B120 E130").0, ["takeProfitPercent 3 50 50"]);
}

#[test]
fn prices_are_those_of_the_first_market_and_all_coins_are_sold() {
    let exit = json!({"belowPrice": 90});
    assert_eq!(after(json!({}), exit.clone(), "B100 E100 E1 E1").0, Vec::<String>::new());
    let (latched, sold) = after(json!({}), exit, "B100 E100 E95 B90 E94");
    assert_eq!(latched, ["belowPrice 3 90 90"]);
    assert_eq!(sold, ["3: BNB/USDT 1 @ 90", "3: ETH/USDT 1 @ 95"]);
}

/// Nothing is judged before each market has a price.
#[test]
fn an_exit_that_holds_at_once_waits_for_the_last_market() {
    let (latched, sold) = after(json!({}), json!({"belowPrice": 100}), "B100 B99 E100 B98");
    assert_eq!(latched, ["belowPrice 2 99 100"]);
    assert_eq!(sold, ["2: BNB/USDT 1 @ 99", "2: ETH/USDT 1 @ 100"]);
}
