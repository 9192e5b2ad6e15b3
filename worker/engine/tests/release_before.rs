//! What the release before wrote is read, and gives the right next behaviour: states of an engine that was stopped in the
//! middle of something, and each document that may stand unread in a stream.
//!
//! `release_before/` holds them byte for byte as that program wrote them (git 83caf4d). They are never written anew: what
//! stands in somebody's store does not change with this program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;

use engine::client_order_id::ClientOrderId;
use engine::messages::{Fill, Inbox, OrderCommand, OrderStatus, OrderUpdate, Tick};
use engine::risk::RiskState;
use engine::strategies::Registry;
use engine::testkit::{Market, commands, filled, halted, order_of};
use engine::{Config, Engine, Event};
use serde_json::{Value, json};

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/release_before").join(file)).unwrap()
}

const MARKET: Market = Market { taker_percent: "0.1", tick_ms: 60_000, ..Market::USUAL };

/// Under which all these states were made: a grid at 600 with 5 BNB and 3000 USDT.
fn config() -> Config {
    let (name, ledger) = ("grid-bnb-1".into(), "k3f9q2".parse().unwrap());
    Config { name, ledger, ..MARKET.config(&json!({"basePrice": 600})) }
}

fn restore(saved: &Value) -> Engine {
    Engine::restore(config(), Registry::standard().get("grid").unwrap(), saved).unwrap()
}

fn engine(file: &str) -> Engine {
    restore(&serde_json::from_str(&text(file)).unwrap())
}

/// Takes ticks at these prices; gives the commands.
fn run(engine: &mut Engine, from: u64, path: &str) -> Vec<OrderCommand> {
    let steps = path.split(' ').zip(from..);
    let ticks = steps.map(|(price, sequence)| MARKET.tick(sequence, price));
    ticks.flat_map(|tick| commands(&engine.tick(tick.event_time(), &tick))).collect()
}

fn update(engine: &mut Engine, update: &OrderUpdate) {
    drop(engine.step(update.time, Event::OrderUpdate(update.clone())));
}

/// An order in a few words.
fn brief(command: &OrderCommand) -> String {
    let order = order_of(command).unwrap();
    format!("{} {} {} @ {}", command.client_order_id, order.side, order.quantity, order.price.unwrap())
}

/// The news that so much of an order has traded on a tick, all of it.
fn traded(id: &str, side: &str, quantity: &str, price: &str, on: u64) -> OrderUpdate {
    let id: ClientOrderId = id.parse().unwrap();
    let command = json!({
        "clientOrderId": id, "strategy": "grid-bnb-1", "ledger": id.ledger(), "sequence": id.sequence(),
        "command": "Create", "side": side, "orderType": "Limit", "timeInForce": "ImmediateOrCancel",
        "quantity": quantity, "price": price, "reduceOnly": false, "symbol": "BNB/USDT",
        "time": MARKET.tick(on, price).event_time(), "expiresAt": 0,
    });
    let command = serde_json::from_value(command).unwrap();
    let fill = MARKET.fill(&command, quantity.parse().unwrap(), price.parse().unwrap());
    filled(Fill { trade_id: format!("{id}-on-{on}"), tick_sequence: Some(on), ..fill })
}

fn pnl(engine: &Engine) -> [String; 4] {
    let pnl = engine.report().pnl.unwrap();
    [pnl.realized, pnl.unrealized, pnl.fees, pnl.net].map(|amount| amount.to_string())
}

/// The second order of vector V1 waits for its latency: it is known, it trades on the next tick, and the path ends as if
/// nothing had been replaced.
#[test]
fn an_order_that_waits_is_taken_up_and_trades() {
    let mut engine = engine("waiting.json");
    assert_eq!((engine.report().orders.open, engine.highest_order(), engine.last_sequence()), (1, 2, Some(13)));
    update(&mut engine, &traded("glm-k3f9q2-2", "Buy", "1.003", "598.40", 14));
    assert!(run(&mut engine, 14, "598.40 590 586.40 587.50 586.40 584.00 586.00").is_empty());
    assert_eq!((engine.report().orders.open, engine.report().strategy["basePrice"].as_str()), (0, "598.40"));
    let orders = run(&mut engine, 21, "586.40");
    assert_eq!(orders.iter().map(brief).collect::<Vec<_>>(), ["glm-k3f9q2-3 Buy 1.013 @ 586.40"]);
    update(&mut engine, &traded("glm-k3f9q2-3", "Buy", "1.013", "586.40", 21));
    run(&mut engine, 22, "592");
    // As the vector ends that nothing has interrupted.
    assert_eq!(pnl(&engine), ["12.3625", "-32.8344", "1.7999809", "-22.2718809"]);
    assert_eq!((engine.trades(), engine.report().orders.filled, engine.ticks()), (3, 3, 23));
    assert_eq!(engine.trades_hash().unwrap(), "e1bfa5aa5c56696c8a70d425164b9cbcc0bd9754281f0eb274a7ff25d2999e2d");
}

/// A trade that was booked is told once more after its order was closed: it is known still, and booked no second time.
#[test]
fn a_trade_of_a_closed_order_is_known_still() {
    let mut engine = engine("waiting.json");
    let before = pnl(&engine);
    let mut again = traded("glm-k3f9q2-1", "Sell", "0.989", "612.50", 7);
    again.fill = again.fill.map(|fill| Fill { trade_id: "glm-k3f9q2-1-0".into(), ..fill });
    let effects = engine.step(again.time, Event::OrderUpdate(again));
    assert!(!effects.iter().any(|effect| matches!(effect, engine::Effect::Poison(_))), "{effects:?}");
    assert_eq!((engine.trades(), pnl(&engine), halted(&engine)), (1, before, None));
}

/// It may also end without a trade; the low that led to it still stands then, and the next order follows at once.
#[test]
fn an_order_that_waits_may_expire_and_the_low_still_stands() {
    let mut engine = engine("waiting.json");
    let expired = OrderUpdate {
        status: OrderStatus::Expired,
        reason: "NotMarketable".into(),
        cumulative_quantity: "0".parse().unwrap(),
        fill: None,
        ..traded("glm-k3f9q2-2", "Buy", "1.003", "598.40", 14)
    };
    update(&mut engine, &expired);
    let orders = run(&mut engine, 14, "598.40");
    assert_eq!(orders.iter().map(brief).collect::<Vec<_>>(), ["glm-k3f9q2-3 Buy 1.003 @ 598.40"]);
    assert_eq!(engine.report().orders.expired, 1);
}

#[test]
fn a_tracked_high_or_low_still_leads_to_its_order() {
    for (file, from, path, order) in [
        ("high.json", 6, "612.60 612.50", "glm-k3f9q2-1 Sell 0.989 @ 612.50"),
        ("low.json", 3, "587.30 587.40", "glm-k3f9q2-1 Buy 1.01 @ 587.40"),
    ] {
        let mut engine = engine(file);
        let orders = run(&mut engine, from, path);
        assert_eq!(orders.iter().map(brief).collect::<Vec<_>>(), [order], "{file}");
    }
}

/// A trade that the venue has told of and nobody has booked: it is waited for, and then booked once.
#[test]
fn a_missing_trade_is_still_waited_for() {
    let mut engine = engine("trade_missing.json");
    let missing = engine.missing_fills();
    let [missing] = &missing[..] else { panic!("{missing:?}") };
    assert_eq!(
        (missing.told.to_string(), missing.booked.to_string(), missing.ended),
        ("0.6".into(), "0.4".into(), true)
    );
    let mut late = traded("glm-k3f9q2-1", "Sell", "0.2", "612.50", 7);
    late.status = OrderStatus::PartiallyFilled;
    late.cumulative_quantity = "0.6".parse().unwrap();
    update(&mut engine, &late);
    assert!(engine.missing_fills().is_empty());
    assert_eq!((engine.report().orders.open, engine.trades()), (0, 2));
    assert_eq!(engine.report().position["BNB"].to_string(), "4.4");
}

#[test]
fn a_halt_stays_and_says_why() {
    for (file, reason) in [("ledger_broken.json", "LedgerBroken"), ("order_anomaly.json", "OrderAnomaly")] {
        let mut engine = engine(file);
        for _ in 0..2 {
            let report = engine.report();
            assert_eq!((report.risk.state, report.risk.reason.as_str()), (RiskState::Halted, reason), "{file}");
            assert_eq!(report.summary.alert, reason, "{file}");
            let from = engine.last_sequence().unwrap() + 1;
            // A turn after a high and one after a low, each of which would be an order.
            let path = "600 612 616 613 612 600 588 580 584 584.50";
            assert!(run(&mut engine, from, path).is_empty(), "{file}");
            let saved: Value = serde_json::from_str(&engine.saved().unwrap()).unwrap();
            engine = restore(&saved);
        }
    }
}

/// Whether all that stands in `old` stands in `new` too, as it was.
fn grows(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(name, value)| new.get(name).is_some_and(|new| grows(value, new)))
        }
        (old, new) => old == new,
    }
}

/// Reads each document of a topic; written again, it may only have grown.
fn documents<D: serde::Serialize + serde::de::DeserializeOwned>(topic: &str) -> Vec<D> {
    let read = |line: &str| {
        let document: D = serde_json::from_str(line).unwrap_or_else(|error| panic!("{topic}: {error}: {line}"));
        let (old, new) = (serde_json::from_str(line).unwrap(), serde_json::to_value(&document).unwrap());
        assert!(grows(&old, &new), "{topic}: {old} is written as {new}");
        document
    };
    text(&format!("{topic}.jsonl")).lines().map(read).collect()
}

#[test]
fn a_command_that_stands_unread_is_read() {
    let commands: Vec<OrderCommand> = documents("order.command");
    let [create, cancel] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(brief(create), "glm-k3f9q2-1 Sell 0.989 @ 612.50");
    assert_eq!(order_of(create).unwrap().lot_size.unwrap().to_string(), "0.001");
    assert_eq!(create.tick.as_deref(), Some("1700000420123-0"));
    assert_eq!(serde_json::to_value(create).unwrap()["timeInForce"], "ImmediateOrCancel");
    assert!(order_of(cancel).is_none(), "{cancel:?}");
    assert_eq!((&cancel.client_order_id, cancel.tick.as_deref()), (&create.client_order_id, None));
}

#[test]
fn news_and_ticks_that_stand_unread_are_read() {
    let news: Vec<Inbox> = documents("inbox");
    let [Inbox::OrderUpdate(filled), Inbox::OrderUpdate(accepted), recovered, Inbox::Control] = &news[..] else {
        panic!("{news:?}")
    };
    assert_eq!(recovered, &Inbox::Recovered { highest_sequence: 41 });
    assert_eq!((filled.status, filled.matched), (OrderStatus::Filled, Some(7)));
    assert_eq!(filled.fill.as_ref().unwrap().trade_id, "glm-k3f9q2-1-0");
    assert_eq!((accepted.status, &accepted.fill, accepted.matched), (OrderStatus::Accepted, &None, Some(13)));
    let ticks: Vec<Tick> = documents("market.tick");
    let [whole, bare] = &ticks[..] else { panic!("{ticks:?}") };
    assert!(whole.last && whole.ask_size.unwrap().is_zero());
    assert_eq!((whole.best_bid().to_string(), whole.best_ask().to_string()), ("598.39".into(), "598.41".into()));
    assert_eq!((bare.sequence, bare.best_ask().to_string(), bare.last), (12, "597".into(), false));
}
