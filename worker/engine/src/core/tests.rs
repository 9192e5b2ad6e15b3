//! The published vectors, to the last digit, and what the engine does with odd events.

use super::*;
use crate::messages::{CommandKind, OrderStatus, Side, SignalSide};
use crate::risk::RiskState;
use crate::strategies::Registry;
use crate::testkit::{Bench, Market, ended, filled};

/// A tick a minute.
const MARKET: Market = Market { tick_ms: 60_000, min_notional: "0", ..Market::USUAL };

fn start(config: Config) -> Bench {
    Bench::grid(&MARKET, config)
}

fn tick(sequence: u64, price: &str) -> Tick {
    MARKET.tick(sequence, price)
}

fn config(base: &str, quote: &str, taker: &'static str) -> Config {
    let market = Market { taker_percent: taker, ..MARKET };
    Config { capital: market.capital(base, quote), ..market.config(&serde_json::json!({ "basePrice": 600 })) }
}

const V1: &str = "600 606 611 612 613 615 612.60 612.50 605 600.25 598 596 597 598.40 590 586.40 587.50 586.40 584.00 586.00 586.40 592";

#[test]
fn vector_v1_to_the_last_digit() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run(V1.split(' '));
    assert_eq!(bench.trades(), ["7 Sell 0.989 @ 612.50", "13 Buy 1.003 @ 598.40", "20 Buy 1.013 @ 586.40"]);
    assert_eq!(bench.holds(), ("2411.5441".into(), "6.027".into()));
    assert_eq!(bench.pnl(), ["12.3625", "-32.8344", "0", "-20.4719"]);
    let report = bench.engine.report();
    let figures: Vec<_> = report.strategy.iter().map(|(name, value)| format!("{name} {value}")).collect();
    assert_eq!(figures, ["basePrice 586.40", "gridSizePercent 2", "lowerBand 574.672", "upperBand 598.128"]);
    assert_eq!(report.decision.reason, "PriceBetweenBands");
    assert_eq!(report.decision.message, "Sells after a turn above 598.128, buys after a turn below 574.672.");
    assert_eq!(report.summary.last_trade, "Buy 1.013 @ 586.40");
    assert_eq!((report.summary.position.as_str(), report.summary.net_pnl.as_str()), ("6.027 BNB", "-20.47 USDT"));
    assert_eq!((report.orders.filled, report.orders.denied, report.orders.open), (3, 0, 0));
}

#[test]
fn vector_v1_with_fees_in_quote() {
    let mut bench = start(config("5", "3000", "0.1"));
    bench.run(V1.split(' '));
    assert_eq!(bench.trades(), ["7 Sell 0.989 @ 612.50", "13 Buy 1.003 @ 598.40", "20 Buy 1.013 @ 586.40"]);
    assert_eq!(bench.holds().0, "2409.7441191");
    assert_eq!(bench.pnl(), ["12.3625", "-32.8344", "1.7999809", "-22.2718809"]);
}

#[test]
fn vector_v1_with_every_tick_delivered_twice() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run(V1.split(' ').flat_map(|price| [price, price]));
    assert_eq!(bench.holds(), ("2411.5441".into(), "6.027".into()));

    let mut bench = start(config("5", "3000", "0"));
    for price in V1.split(' ') {
        bench.run([price]);
        assert!(bench.take(tick(bench.sequence - 1, price)).is_empty(), "a tick seen before must do nothing");
    }
    assert_eq!(bench.holds(), ("2411.5441".into(), "6.027".into()));
    assert_eq!(bench.engine.state.ticks, 22);
}

fn sine() -> Vec<String> {
    // 600 · (1 + 0.06 · sin(2πi/200)) rounded to cents; floats may make test data, never money.
    (0..=1000)
        .map(|i| format!("{:.2}", 600.0 * (1.0 + 0.06 * (2.0 * std::f64::consts::PI * f64::from(i) / 200.0).sin())))
        .collect()
}

#[test]
fn vector_v3_sine() {
    let mut bench = start(config("5", "3000", "0"));
    let path = sine();
    bench.run(path.iter().map(String::as_str));
    let expected = [
        "63 Sell 0.973 @ 633.04",
        "162 Buy 1.040 @ 566.53",
        "263 Sell 0.984 @ 633.04",
        "362 Buy 1.052 @ 566.53",
        "463 Sell 0.995 @ 633.04",
        "562 Buy 1.064 @ 566.53",
        "663 Sell 1.007 @ 633.04",
        "762 Buy 1.076 @ 566.53",
        "863 Sell 1.018 @ 633.04",
        "962 Buy 1.087 @ 566.53",
    ];
    assert_eq!(bench.trades(), expected.map(|line| line.replace("1.040", "1.04")));
    assert_eq!(bench.holds(), ("3137.26701".into(), "5.342".into()));
    let performance = bench.engine.performance().unwrap();
    assert_eq!(performance.equity.to_string(), "6342.46701");
    assert_eq!(performance.profit.net.to_string(), "342.46701");
}

#[test]
fn vector_v3_sine_with_fees() {
    let mut bench = start(config("5", "3000", "0.1"));
    let path = sine();
    bench.run(path.iter().map(String::as_str));
    let quantities: Vec<_> = bench.trades.iter().map(|(_, fill)| fill.quantity.to_string()).collect();
    assert_eq!(quantities, ["0.973", "1.04", "0.984", "1.052", "0.995", "1.063", "1.006", "1.075", "1.017", "1.086"]);
    assert_eq!(bench.engine.performance().unwrap().equity.to_string(), "6336.13947252");
}

#[test]
fn vector_v4_over_the_limit() {
    let mut bench = start(config("9.5", "400", "0"));
    bench.run("600 588 585 587.40 580 575 577.30 600 612 616 613 612.10".split(' '));
    assert_eq!(bench.trades(), ["10 Sell 1.015 @ 613.00"]);
    assert_eq!(bench.holds(), ("1022.195".into(), "8.485".into()));
    assert_eq!(bench.engine.state.risk, RiskState::AllowAll);
}

#[test]
fn vector_v5_under_the_limit() {
    let mut bench = start(config("0.9", "5500", "0"));
    bench.run("600 612 616 613 600 588 585 587.40 600".split(' '));
    assert_eq!(bench.trades(), ["7 Buy 1.026 @ 587.40"]);
    assert_eq!(bench.holds(), ("4897.3276".into(), "1.926".into()));
    assert_eq!(bench.engine.state.risk, RiskState::AllowAll);
    let report = bench.engine.report();
    assert_eq!((report.decision.reason.as_str(), report.strategy["upperBand"].as_str()), ("WaitingForFall", "599.148"));
    assert!(report.decision.message.starts_with("High 600:"), "{}", report.decision.message);
}

#[test]
fn a_restored_engine_goes_on_as_if_nothing_had_happened() {
    let path: Vec<_> = V1.split(' ').collect();
    for cut in 0..path.len() {
        let mut bench = start(config("5", "3000", "0.1"));
        bench.run(path[..cut].iter().copied());
        let saved = serde_json::to_string(&bench.engine.snapshot().unwrap()).unwrap();
        assert_eq!(bench.engine.saved().unwrap(), saved, "the same text by both ways");
        let saved: Value = serde_json::from_str(&saved).unwrap();
        bench.engine =
            Engine::restore(config("5", "3000", "0.1"), Registry::standard().get("grid").unwrap(), &saved).unwrap();
        bench.run(path[cut..].iter().copied());
        assert_eq!(bench.pnl(), ["12.3625", "-32.8344", "1.7999809", "-22.2718809"], "cut at {cut}");
    }
}

#[test]
fn state_of_a_newer_version_is_refused() {
    let mut saved = start(config("5", "3000", "0")).engine.snapshot().unwrap();
    saved["version"] = 99.into();
    let restored = Engine::restore(config("5", "3000", "0"), Registry::standard().get("grid").unwrap(), &saved);
    assert!(matches!(restored, Err(RestoreError::NewerVersion { found: 99 })));
}

#[test]
fn a_failed_order_keeps_the_extreme_and_tries_again() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run("600 612 615".split(' '));
    let commands = bench.tick("612.50");
    assert_eq!(commands.len(), 1);
    assert!(bench.tick("612.40").is_empty(), "an order is open");
    bench.update(ended(&commands[0], OrderStatus::Expired));
    let again = bench.tick("612.30");
    assert_eq!(again.len(), 1, "the high of 615 still stands");
    assert_eq!(again[0].client_order_id.sequence(), 2);
    bench.update(ended(&again[0], OrderStatus::Rejected));
    bench.run(["605"]);
    assert!(bench.tick("612.50").is_empty(), "leaving the zone forgot the high");
    assert_eq!(bench.engine.report().orders.rejected, 1);
}

#[test]
fn the_base_moves_once_to_the_average_of_what_traded() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run("600 612 615".split(' '));
    let command = bench.tick("612.50").remove(0);
    let mut first = bench.fill_of(&command);
    first.quantity = "0.3".parse().unwrap();
    first.cumulative_quantity = first.quantity;
    let mut second = first.clone();
    (second.trade_id, second.price, second.cumulative_quantity) =
        ("two".into(), "612.60".parse().unwrap(), "0.6".parse().unwrap());
    // The end overtakes the second trade: the order is not over before its trades add up.
    bench.update(OrderUpdate { status: OrderStatus::PartiallyFilled, ..filled(first.clone()) });
    let end = OrderUpdate { cumulative_quantity: second.cumulative_quantity, ..ended(&command, OrderStatus::Expired) };
    bench.update(end);
    assert_eq!((bench.engine.open_orders().len(), bench.engine.report().strategy["basePrice"].as_str()), (1, "600"));
    bench.update(OrderUpdate { status: OrderStatus::PartiallyFilled, ..filled(second.clone()) });
    assert_eq!((bench.engine.open_orders().len(), bench.engine.report().strategy["basePrice"].as_str()), (0, "612.55"));
    let before = bench.engine.snapshot().unwrap();
    bench.update(OrderUpdate { status: OrderStatus::PartiallyFilled, ..filled(second) });
    assert_eq!(bench.engine.state.anomalies, 0, "it is known");
    assert_eq!(bench.engine.snapshot().unwrap()["ledger"], before["ledger"], "a doubled trade is booked once");
}

#[test]
fn an_unknown_order_blocks_the_next_until_it_is_settled() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run("600 612 615".split(' '));
    let command = bench.tick("612.50").remove(0);
    bench.update(ended(&command, OrderStatus::Unknown));
    assert_eq!(bench.engine.report().orders.unknown, 1);
    assert!(bench.tick("612.40").is_empty());
    let fill = bench.fill_of(&command);
    bench.update(filled(fill));
    assert_eq!((bench.engine.report().orders.unknown, bench.engine.report().orders.filled), (0, 1));
}

#[test]
fn a_stale_tick_is_tracked_but_triggers_nothing() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run("600 612".split(' '));
    let late = |tick: &Tick| tick.event_time().plus_millis(5_001);
    for (sequence, price) in [(2, "615"), (3, "612.50")] {
        let tick = tick(sequence, price);
        bench.effects.extend(bench.engine.step(late(&tick), Event::Tick(tick)));
    }
    assert_eq!((bench.engine.state.decision.reason.as_str(), bench.engine.state.counts.denied), ("StaleTick", 1));
    bench.sequence = 4;
    assert_eq!(bench.tick("612.40").len(), 1, "the high of the stale tick counts");
}

#[test]
fn a_gap_forgets_what_was_tracked() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run("600 612 615".split(' '));
    bench.sequence += 1;
    assert!(bench.tick("612.50").is_empty());
    let gap = bench.effects.iter().any(
        |effect| matches!(effect, Effect::Alert(alert) if alert.kind == crate::messages::AlertKind::MarketDataGap),
    );
    assert!(gap);
}

#[test]
fn each_check_denies_with_its_reason_and_its_figures() {
    let denied = |change: &dyn Fn(&mut Config), quote: Option<(&str, &str)>| {
        let mut config = config("5", "3000", "0.1");
        change(&mut config);
        let mut bench = start(config);
        bench.run("600 588 585".split(' '));
        let mut last = tick(3, "587.40");
        if let Some((bid, ask)) = quote {
            (last.bid, last.ask) = (Some(bid.parse().unwrap()), Some(ask.parse().unwrap()));
        }
        assert!(bench.take(last).is_empty());
        bench.engine.state.decision.reason.clone()
    };
    assert_eq!(denied(&|_| {}, Some(("587.40", "588.00"))), "SlippageTooHigh");
    assert_eq!(
        denied(&|c| c.parameters = serde_json::json!({"basePrice": 600, "quantity": "0.0001"}), None),
        "BelowLotSize"
    );
    assert_eq!(
        denied(&|c| c.instruments = Market { min_notional: "10000", ..MARKET }.instrument().into(), None),
        "BelowMinNotional"
    );
    assert_eq!(
        denied(&|c| c.risk = serde_json::from_str(r#"{"maxOrderNotional": {"USDT": 100}}"#).unwrap(), None),
        "MaxOrderNotional"
    );
    assert_eq!(
        denied(&|c| c.parameters = serde_json::json!({"basePrice": 600, "quantity": "5.107"}), None),
        "InsufficientFunds"
    );
    assert_eq!(denied(&|c| c.desired = DesiredState::Paused, None), "Paused", "a hold, not a denial");
}

#[test]
fn orders_are_bounded_by_their_rate() {
    let mut config = config("5", "3000", "0");
    config.risk.max_orders_per_minute = 2;
    let mut bench = start(config);
    bench.run("600 612 615".split(' '));
    for attempt in 0..3 {
        let mut tick = tick(3 + attempt, "612.50");
        tick.time = Some(Timestamp::from_millis(1_700_000_200_000 + i64::try_from(attempt).unwrap()));
        let commands = bench.take(tick);
        assert_eq!(commands.len(), usize::from(attempt < 2));
        for command in commands {
            bench.update(ended(&command, OrderStatus::Expired));
        }
    }
    assert_eq!(bench.engine.state.decision.reason, "OrderRateExceeded");
}

#[test]
fn within_the_interval_it_tracks_but_does_not_trigger() {
    let mut config = config("5", "3000", "0");
    config.parameters = serde_json::json!({ "basePrice": 600, "minTradeIntervalSeconds": 180 });
    let mut bench = start(config);
    // Sold at minute 3: minute 5 is too soon, minute 6 is 180 s later.
    bench.run("600 612 615 612.50 597 599.40".split(' '));
    assert_eq!((bench.trades().len(), bench.engine.state.decision.reason.as_str()), (1, "MinTradeInterval"));
    bench.run(["599.40"]);
    assert_eq!(bench.trades().last().unwrap(), "6 Buy 1.002 @ 599.40");
}

#[test]
fn warnings_are_raised_once_at_the_first_tick() {
    let mut config = config("5", "3000", "0.1");
    config.parameters = serde_json::json!({ "basePrice": 700, "gridSizePercent": "0.2" });
    let mut bench = start(config);
    bench.run("600 600".split(' '));
    assert_eq!(bench.engine.report().summary.alert, "GridBelowFees, BasePriceFar");
    assert_eq!(bench.effects.iter().filter(|effect| matches!(effect, Effect::Alert(_))).count(), 2);
}

#[test]
fn a_hold_is_published_when_its_reason_changes() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run("600 601 602 612 613 614 600".split(' '));
    let holds: Vec<_> = bench
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Signal(signal) if signal.side == SignalSide::Hold => Some(signal.reason.as_str()),
            Effect::Signal(_)
            | Effect::Command(_)
            | Effect::Position(_)
            | Effect::Alert(_)
            | Effect::StateChanged
            | Effect::Poison(_) => None,
        })
        .collect();
    assert_eq!(holds, ["PriceBetweenBands", "WaitingForFall", "PriceBetweenBands"]);
}

#[test]
fn editing_the_base_price_and_only_that_recentres_once() {
    let definition = *Registry::standard().get("grid").unwrap();
    let mut bench = start(config("5", "3000", "0"));
    bench.run("600 612 615 612.50".split(' '));
    let edit = |engine: &Engine, parameters: Value| {
        let config = Config { parameters, ..config("5", "3000", "0") };
        Engine::restore(config, &definition, &engine.snapshot().unwrap()).unwrap()
    };
    let base = |engine: &Engine| engine.report().strategy["basePrice"].clone();
    let wider = edit(&bench.engine, serde_json::json!({ "basePrice": 600, "gridSizePercent": 3 }));
    assert_eq!(base(&wider), "612.50");
    let moved = edit(&wider, serde_json::json!({ "basePrice": 650, "gridSizePercent": 3 }));
    assert_eq!(base(&moved), "650");
    let freed = edit(&moved, serde_json::json!({ "gridSizePercent": 3 }));
    assert_eq!(base(&freed), "650");
}

#[test]
fn pausing_cancels_buys_and_stopping_cancels_everything() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run("600 612 615".split(' '));
    let command = bench.tick("612.50").remove(0);
    let now = command.time;
    assert!(bench.engine.step(now, Event::Control(DesiredState::Paused)).is_empty(), "a sell lowers exposure");
    let effects = bench.engine.step(now, Event::Control(DesiredState::Stopped));
    assert!(matches!(&effects[..], [Effect::Command(cancel)] if cancel.get().kind == CommandKind::Cancel));
}

#[test]
fn after_the_store_went_back_no_used_sequence_is_used_again() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run("600 612 615".split(' '));
    assert!(bench.engine.step(Timestamp::from_millis(0), Event::Recovered { highest_sequence: 41 }).is_empty());
    assert_eq!(bench.tick("612.50")[0].sequence, 42);
}

#[test]
fn a_trade_that_does_not_fit_the_books_stops_all_trading() {
    let mut bench = start(config("5", "3000", "0"));
    bench.run("600 612 615".split(' '));
    let command = bench.tick("612.50").remove(0);
    let mut fill = bench.fill_of(&command);
    fill.symbol = "ETH/USDT".parse().unwrap();
    bench.update(filled(fill));
    assert_eq!(bench.engine.report().risk.state, RiskState::Halted);
    assert_eq!(bench.engine.report().summary.alert, "LedgerBroken");
    bench.run("612 615 612.50".split(' '));
    assert!(bench.trades.is_empty());
    assert_eq!(Side::Sell.to_string(), "Sell");
}
