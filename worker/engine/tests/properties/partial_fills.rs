//! Vectors with orders that trade in parts, worked out by hand.

use engine::fees::PaidIn;
use engine::messages::{OrderCommand, OrderUpdate};
use engine::numbers::Price;
use engine::{Effect, Engine};
use serde_json::json;

use crate::bench::{Market, USUAL, commands, config, news, start, step_tick, step_update, tick};

/// The path of vector V1 up to its first sale, 0.989 at 612.50.
const PATH: [&str; 8] = ["600", "606", "611", "612", "613", "615", "612.60", "612.50"];

fn until_first_sale(market: &Market) -> (Engine, OrderCommand) {
    let mut engine = start(&config(market, &json!({"gridSizePercent": 2, "basePrice": 600})));
    let mut made = Vec::new();
    for (sequence, price) in (0..).zip(PATH) {
        made.extend(commands(&step_tick(&mut engine, &tick(sequence, price.parse().unwrap()))));
    }
    assert_eq!(made.len(), 1);
    (engine, made.remove(0))
}

fn figures(engine: &Engine) -> [String; 5] {
    let report = engine.report();
    let pnl = report.pnl.unwrap();
    [
        report.position["BNB"].to_string(),
        report.position["USDT"].to_string(),
        pnl.realized.to_string(),
        pnl.fees.to_string(),
        report.strategy["basePrice"].to_string(),
    ]
}

/// News with this price in the place of the one of that trade.
fn priced(mut news: Vec<OrderUpdate>, index: usize, price: &str) -> Vec<OrderUpdate> {
    let price: Price = price.parse().unwrap();
    news[index].fill.as_mut().unwrap().price = price;
    news
}

/// 0.494 (50 % in lots) at 612.50 and 0.395 (40 %) at 612.60; the rest, 0.1, is dropped.
/// Proceeds 302.575 + 241.977 = 544.552. Cost 600 each: 0.889 × 600 = 533.4. Realized 11.152.
/// Average 544.552 / 0.889 = 612.54443194…
#[test]
fn a_sale_in_two_parts_moves_the_base_once_to_their_average() {
    let (mut engine, command) = until_first_sale(&USUAL);
    let news = priced(news(&command, &[50, 40], &USUAL), 2, "612.60");
    step_update(&mut engine, &news[0]);
    step_update(&mut engine, &news[1]);
    assert_eq!(figures(&engine), ["4.506", "3302.575", "6.175", "0", "600"]);
    step_update(&mut engine, &news[2]);
    assert_eq!(figures(&engine), ["4.111", "3544.552", "11.152", "0", "600"]);
    let effects = step_update(&mut engine, &news[3]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::StateChanged)), "{effects:?}");
    assert_eq!(figures(&engine), ["4.111", "3544.552", "11.152", "0", "612.54443195"]);
    assert_eq!(engine.report().orders.filled, 1);
}

/// The end is told before the second part: the order is open until it has come, and no tick makes another one.
#[test]
fn an_end_that_overtakes_a_part_waits_for_it() {
    let (mut engine, command) = until_first_sale(&USUAL);
    let news = news(&command, &[50, 40], &USUAL);
    for index in [0, 1, 3] {
        step_update(&mut engine, &news[index]);
    }
    assert_eq!(engine.open_orders().len(), 1);
    assert!(commands(&step_tick(&mut engine, &tick(8, "612.40".parse().unwrap()))).is_empty());
    step_update(&mut engine, &news[2]);
    assert_eq!(engine.open_orders().len(), 0);
    assert_eq!(engine.report().position["BNB"].to_string(), "4.111");
}

/// A fee of 0.1 % in quote is taken of each part: 0.302575 + 0.24193750 (at 612.50 + 0.01 = 612.51).
/// 0.395 × 612.51 = 241.94145, its fee 0.24194145. Cash 3000 + 302.575 + 241.94145 − 0.54451645.
#[test]
fn each_part_pays_its_own_fee() {
    let market = Market { taker_percent: "0.1", ..USUAL };
    let (mut engine, command) = until_first_sale(&market);
    for update in news(&command, &[50, 40], &market) {
        step_update(&mut engine, &update);
    }
    assert_eq!(figures(&engine)[..4], ["4.111", "3543.97193355", "11.11645", "0.54451645"]);
}

/// One coin is bought in two halves, with the fee of 0.1 % taken in coins: 0.999 arrive.
#[test]
fn coins_taken_as_fee_never_arrive() {
    let market = Market { taker_percent: "0.1", paid_in: PaidIn::Received, ..USUAL };
    let mut engine = start(&config(&market, &json!({"gridSizePercent": 2, "basePrice": 600, "quantity": "1"})));
    let mut made = Vec::new();
    for (sequence, price) in (0..).zip(["600", "588", "585", "587.40"]) {
        made.extend(commands(&step_tick(&mut engine, &tick(sequence, price.parse().unwrap()))));
    }
    for update in news(&made[0], &[50, 50], &market) {
        step_update(&mut engine, &update);
    }
    // 0.5 at 587.40 and 0.5 at 587.39: 293.7 + 293.695; a thousandth of it in fees.
    assert_eq!(figures(&engine), ["5.999", "2412.605", "0", "0.587395", "587.395"]);
}
