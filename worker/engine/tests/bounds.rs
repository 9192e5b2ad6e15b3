//! Each bound of risk, exactly at it and one step beyond: what passes, what is denied, and what a manifest may say.
//!
//! A grid on a market where everything is known makes one order: on a turn to 587.50 it buys, on one to 612.50 it sells.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use engine::fees::PaidIn;
use engine::messages::{CommandKind, OrderStatus, OrderUpdate, Tick};
use engine::risk::{Denial, PositionBounds, RiskParameters};
use engine::strategies::DesiredState;
use engine::testkit::{Bench, Market, alerts, ended, halted, order_of};
use engine::time::Timestamp;
use engine::{Config, Effect, Event};
use serde_json::{Value, json};

const MARKET: Market = Market { min_notional: "0", tick_ms: 1_000, ..Market::USUAL };

const BUY: [&str; 3] = ["600", "585", "587.50"];
const SELL: [&str; 3] = ["600", "615", "612.50"];

/// A grid that orders one coin.
fn grid(market: &Market) -> Config {
    market.config(&json!({"basePrice": 600, "quantity": "1"}))
}

fn with(base: &str, quote: &str, market: &Market) -> Config {
    Config { capital: market.capital(base, quote), ..grid(market) }
}

fn with_risk(risk: Value) -> Config {
    Config { risk: serde_json::from_value(risk).unwrap(), ..grid(&MARKET) }
}

/// What comes of the turn at the end of a path: the order, or the word for why there is none.
fn comes_of(config: Config, path: [&str; 3]) -> String {
    on_tick(config, path, |tick| tick)
}

/// The same, with the last tick changed.
fn on_tick(config: Config, path: [&str; 3], change: impl Fn(Tick) -> Tick) -> String {
    let mut bench = Bench::grid(&MARKET, config);
    assert!(bench.tick(path[0]).is_empty() && bench.tick(path[1]).is_empty());
    let commands = bench.take(change(MARKET.tick(2, path[2])));
    match &commands[..] {
        [] => bench.reason(),
        [command] => {
            let order = order_of(command).unwrap();
            format!("{} {} @ {}", order.side, order.quantity, order.price.unwrap())
        }
        more => panic!("{more:?}"),
    }
}

const BOUGHT: &str = "Buy 1 @ 587.50";
const SOLD: &str = "Sell 1 @ 612.50";

#[test]
fn a_buy_needs_its_worth_and_its_fee_and_not_a_unit_more() {
    let fee = Market { taker_percent: "0.1", ..MARKET };
    let in_coins = Market { paid_in: PaidIn::Received, ..fee };
    // 587.5, and a thousandth of it.
    for (market, enough, short) in [
        (&MARKET, "587.5", "587.499999999999999999"),
        (&fee, "588.0875", "588.087499999999999999"),
        (&in_coins, "587.5", "587.499999999999999999"),
    ] {
        assert_eq!(comes_of(with("5", enough, market), BUY), BOUGHT, "{market:?}");
        assert_eq!(comes_of(with("5", short, market), BUY), "InsufficientFunds", "{market:?}");
    }
}

#[test]
fn a_sale_needs_its_coins_and_not_a_unit_more() {
    let fee = Market { taker_percent: "0.1", ..MARKET };
    for market in [&MARKET, &fee] {
        assert_eq!(comes_of(with("1", "3000", market), SELL), SOLD);
        assert_eq!(comes_of(with("0.999999999", "3000", market), SELL), "InsufficientFunds");
    }
}

#[test]
fn the_worth_of_an_order_is_within_its_bounds() {
    let most = |most: &str| with_risk(json!({"maxOrderNotional": {"USDT": most}}));
    assert_eq!(comes_of(most("587.5"), BUY), BOUGHT);
    assert_eq!(comes_of(most("587.499999999"), BUY), "MaxOrderNotional");
    assert_eq!(comes_of(most("612.5"), SELL), SOLD);
    assert_eq!(comes_of(most("612.499999999"), SELL), "MaxOrderNotional");
    // The limit of another quote asset is none of this market's.
    assert_eq!(comes_of(with_risk(json!({"maxOrderNotional": {"BNB": "0.1", "BTC": "0.1"}})), BUY), BOUGHT);
    let least = |least: &'static str| grid(&Market { min_notional: least, ..MARKET });
    assert_eq!(comes_of(least("587.5"), BUY), BOUGHT);
    assert_eq!(comes_of(least("587.500000001"), BUY), "BelowMinNotional");
    assert_eq!(comes_of(least("612.5"), SELL), SOLD);
    assert_eq!(comes_of(least("612.500000001"), SELL), "BelowMinNotional");
}

#[test]
fn an_order_is_one_lot_at_least() {
    let of = |quantity: &str| MARKET.config(&json!({"basePrice": 600, "quantity": quantity}));
    assert_eq!(comes_of(of("0.001"), BUY), "Buy 0.001 @ 587.50");
    assert_eq!(comes_of(of("0.000999999"), BUY), "BelowLotSize");
    assert_eq!(comes_of(of("0.001999999"), SELL), "Sell 0.001 @ 612.50", "down to whole lots");
}

#[test]
fn figures_that_are_too_large_are_a_denial_and_no_end() {
    let config = MARKET.config(&json!({"basePrice": 600, "quantity": "900000000000000"}));
    assert_eq!(comes_of(config, BUY), "TooManyDigits");
}

/// A tick is acted on up to its age, by the engine's own default and as a manifest has it.
#[test]
fn a_tick_is_acted_on_up_to_its_age() {
    for (seconds, age, expected) in [
        (None, 5_000, SOLD),
        (None, 5_001, "StaleTick"),
        (Some(1), 1_000, SOLD),
        (Some(1), 1_001, "StaleTick"),
        (Some(3_600), 3_600_000, SOLD),
        (Some(3_600), 3_600_001, "StaleTick"),
    ] {
        let config = seconds.map_or_else(|| grid(&MARKET), |seconds| with_risk(json!({"maxTickAgeSeconds": seconds})));
        let mut bench = Bench::grid(&MARKET, config);
        bench.run(["600", "615"]);
        let tick = MARKET.tick(2, SELL[2]);
        let commands = bench.step(tick.event_time().plus_millis(age), Event::Tick(tick));
        let came = if commands.is_empty() { bench.reason() } else { SOLD.to_owned() };
        assert_eq!(came, expected, "{seconds:?}, {age} ms");
    }
}

/// Within a minute no more than so many orders; when the first of them is a minute old, the next.
#[test]
fn orders_are_made_up_to_their_rate() {
    for (most, risk) in [(10, json!({})), (1, json!({"maxOrdersPerMinute": 1})), (3, json!({"maxOrdersPerMinute": 3}))]
    {
        let mut bench = Bench::grid(&MARKET, with_risk(risk));
        bench.run(["600", "615"]);
        let start = MARKET.tick(2, SELL[2]).event_time();
        let at = |bench: &mut Bench, milliseconds| {
            let time = start.plus_millis(milliseconds);
            let tick = Tick { time: Some(time), received: time, ..MARKET.tick(bench.sequence, SELL[2]) };
            let commands = bench.take(tick);
            // It comes to nothing, so the chance stands.
            for command in &commands {
                bench.update(ended(command, OrderStatus::Expired));
            }
            commands.len()
        };
        for order in 0..most {
            assert_eq!(at(&mut bench, order), 1, "order {order} of {most}");
        }
        assert_eq!((at(&mut bench, most), bench.reason().as_str()), (0, "OrderRateExceeded"));
        assert_eq!((at(&mut bench, 59_999), bench.reason().as_str()), (0, "OrderRateExceeded"));
        bench.restart();
        assert_eq!(at(&mut bench, 60_000), 1, "the first one is a minute old");
        assert_eq!(at(&mut bench, 60_000), 0, "and only that one");
    }
}

#[test]
fn the_best_price_lies_within_the_slippage() {
    let config =
        |percent: &str| MARKET.config(&json!({"basePrice": 600, "quantity": "1", "maxSlippagePercent": percent}));
    let price = |text: &str| Some(text.parse().unwrap());
    let asked = |percent: &str, ask: &str| {
        on_tick(config(percent), BUY, |tick| Tick { ask: price(ask), bid: price("1"), ..tick })
    };
    let bid = |percent: &str, bid: &str| {
        on_tick(config(percent), SELL, |tick| Tick { bid: price(bid), ask: price("9999"), ..tick })
    };
    // 2 % of 587.5 are 11.75, and of 612.5 they are 12.25.
    assert_eq!(asked("2", "599.25"), "Buy 1 @ 599.25");
    assert_eq!(asked("2", "599.250000001"), "SlippageTooHigh");
    assert_eq!(asked("2", "580"), "Buy 1 @ 580.00", "a better price is no slippage");
    assert_eq!(bid("2", "600.25"), "Sell 1 @ 600.25");
    assert_eq!(bid("2", "600.249999999"), "SlippageTooHigh");
    assert_eq!(bid("2", "620"), "Sell 1 @ 620.00");
    assert_eq!(asked("0", "587.5"), BOUGHT);
    assert_eq!(asked("0", "587.500000001"), "SlippageTooHigh");
}

/// The defaults: at 90 % in coins the grid buys, above it no more; at 10 % it sells, below it no more.
#[test]
fn position_limits_are_reached_and_not_passed() {
    // 9 × 587.5 = 5287.5 of 5875; 612.5 of 6125.
    assert_eq!(comes_of(with("9", "587.5", &MARKET), BUY), BOUGHT);
    assert_ne!(comes_of(with("9", "587.499999999999999999", &MARKET), BUY), BOUGHT);
    assert_eq!(comes_of(with("1", "5512.5", &MARKET), SELL), SOLD);
    assert_ne!(comes_of(with("1", "5512.500000000000000001", &MARKET), SELL), SOLD);
    let wide = json!({"minPositionPercent": 0, "maxPositionPercent": 100});
    let config = |base: &str, quote: &str| Config {
        risk: serde_json::from_value(wide.clone()).unwrap(),
        ..with(base, quote, &MARKET)
    };
    assert_eq!(comes_of(config("99", "587.5"), BUY), BOUGHT);
    assert_eq!(comes_of(config("1", "55125"), SELL), SOLD);
}

/// Who reads why an order was denied finds what to change.
#[test]
fn a_denial_names_the_parameter_to_change() {
    let share = |change: &dyn Fn(&mut Config)| {
        let mut config = MARKET.config(&json!({"basePrice": 600, "orderPercent": 10}));
        change(&mut config);
        config
    };
    let fixed = |change: &dyn Fn(&mut Config)| {
        let mut config = grid(&MARKET);
        change(&mut config);
        config
    };
    let least =
        |config: &mut Config| config.instruments = Market { min_notional: "10000", ..MARKET }.instrument().into();
    let most =
        |config: &mut Config| config.risk = serde_json::from_value(json!({"maxOrderNotional": {"USDT": 1}})).unwrap();
    let all = |config: &mut Config| {
        config.capital = MARKET.capital("1", "100");
        config.parameters["orderPercent"] = json!(100);
        config.risk = serde_json::from_value(json!({"maxPositionPercent": 100})).unwrap();
    };
    let poor = |config: &mut Config| config.capital = MARKET.capital("5", "587");
    for (config, words) in [
        (share(&least), "raise orderPercent or the capital"),
        (fixed(&least), "raise quantity"),
        (share(&most), "lower orderPercent"),
        (fixed(&most), "lower quantity"),
        (share(&all), "lower orderPercent"),
        (fixed(&poor), "lower quantity"),
    ] {
        let mut bench = Bench::grid(&MARKET, config);
        bench.run(BUY);
        let decision = bench.engine.report().decision;
        assert!(decision.message.contains(words), "{words}: {}: {}", decision.reason, decision.message);
    }
}

#[test]
fn the_word_of_a_denial_is_its_name() {
    for denial in Denial::ALL {
        assert_eq!(denial.as_str(), format!("{denial:?}"));
        assert_eq!(json!(denial), denial.as_str());
    }
}

#[test]
fn an_order_and_its_cancel_say_whose_they_are_and_how_long_they_hold() {
    let mut bench = Bench::grid(&MARKET, grid(&MARKET));
    bench.run(["600", "615"]);
    let order = bench.tick(SELL[2]).remove(0);
    let id = "glm-abc-1".parse().unwrap();
    assert_eq!((&order.client_order_id, order.sequence, order.strategy.as_str()), (&id, 1, "test"));
    assert_eq!((order.ledger.as_str(), order.symbol.to_string().as_str()), ("abc", "BNB/USDT"));
    assert_eq!((order.time.millis(), order.expires_at.millis()), (1_700_000_002_000, 1_700_000_032_000));
    assert_eq!(order_of(&order).unwrap().lot_size.unwrap().to_string(), "0.001");
    let now = Timestamp::from_millis(1_700_000_003_000);
    let cancel = bench.step(now, Event::Control(DesiredState::Stopped)).remove(0);
    assert_eq!((&cancel.kind, &cancel.client_order_id, cancel.sequence), (&CommandKind::Cancel, &id, 1));
    assert_eq!((&cancel.strategy, &cancel.ledger, &cancel.symbol), (&order.strategy, &order.ledger, &order.symbol));
    assert_eq!((cancel.time, cancel.expires_at.millis()), (now, i64::MAX));
    let Some(Effect::Command(made)) = bench.effects.pop() else { panic!("{:?}", bench.effects) };
    assert_eq!(made.into_message(Some("7-0".into())).tick.as_deref(), Some("7-0"));
}

/// What is too much is told once: the same news again is no other anomaly, and an order that has ended stays as it is.
#[test]
fn an_overfill_is_counted_once_however_often_it_is_told() {
    let mut bench = Bench::grid(&MARKET, grid(&MARKET));
    bench.run(["600", "615"]);
    let order = bench.tick(SELL[2]).remove(0);
    for open in bench.engine.open_orders() {
        assert_eq!(open.state.as_str(), "Committed");
    }
    let mut fill = bench.fill_of(&order);
    fill.quantity = "1.001".parse().unwrap();
    fill.cumulative_quantity = fill.quantity;
    let too_much = engine::testkit::filled(fill);
    bench.update(too_much.clone());
    assert_eq!(halted(&bench.engine).as_deref(), Some("OrderAnomaly"));
    let before = bench.engine.snapshot().unwrap();
    assert_eq!(before["anomalies"], 1);
    bench.update(too_much);
    assert_eq!(bench.engine.snapshot().unwrap()["anomalies"], 1);
    assert_eq!(alerts(&bench.effects).len(), 1);
}

/// Every state of an open order is shown by its own name.
#[test]
fn the_word_of_a_state_is_the_status_that_was_told() {
    for status in [OrderStatus::Sent, OrderStatus::Accepted, OrderStatus::Unknown, OrderStatus::PartiallyFilled] {
        let mut bench = Bench::grid(&MARKET, grid(&MARKET));
        bench.run(["600", "615"]);
        let order = bench.tick(SELL[2]).remove(0);
        bench.update(OrderUpdate { reason: "Why".into(), ..ended(&order, status) });
        for open in bench.engine.open_orders() {
            assert_eq!((open.state.as_str(), open.reason.as_str()), (format!("{status:?}").as_str(), "Why"));
        }
        assert_eq!(bench.engine.report().orders.open, 1);
    }
}

/// What a manifest may say of limits: all that it must not, by the field.
#[test]
fn limits_are_validated_at_each_bound() {
    let wrong = |limits: Value| -> Vec<String> {
        let limits: RiskParameters = serde_json::from_value(limits).unwrap();
        limits.validate("spec.risk", PositionBounds::Bind).iter().map(ToString::to_string).collect()
    };
    for right in [
        json!({}),
        json!({"minPositionPercent": 0, "maxPositionPercent": 100}),
        json!({"minPositionPercent": "89.999999999"}),
        json!({"maxOrderNotional": {"USDT": "0.000000001", "BTC": 1}}),
        json!({"maxOrdersPerMinute": 1, "maxTickAgeSeconds": 1}),
        json!({"maxOrdersPerMinute": 600, "maxTickAgeSeconds": 3600}),
    ] {
        assert_eq!(wrong(right.clone()), Vec::<String>::new(), "{right}");
    }
    for (limits, field, words) in [
        (json!({"maxPositionPercent": "100.000000001"}), "maxPositionPercent", "0 to 100"),
        (json!({"minPositionPercent": 90}), "minPositionPercent", "not below maxPositionPercent 90"),
        (json!({"maxPositionPercent": 10}), "minPositionPercent", "not below maxPositionPercent 10"),
        (json!({"maxOrderNotional": {"USDT": 1, "BTC": 0}}), "maxOrderNotional.BTC", "above 0"),
        (json!({"maxOrdersPerMinute": 0}), "maxOrdersPerMinute", "1 to 600"),
        (json!({"maxOrdersPerMinute": 601}), "maxOrdersPerMinute", "1 to 600"),
        (json!({"maxTickAgeSeconds": 0}), "maxTickAgeSeconds", "1 to 3600"),
        (json!({"maxTickAgeSeconds": 3601}), "maxTickAgeSeconds", "1 to 3600"),
    ] {
        let found = wrong(limits.clone());
        let [one] = &found[..] else { panic!("{limits}: {found:?}") };
        assert!(one.contains(&format!("spec.risk.{field}")) && one.contains(words), "{limits}: {one}");
    }
    // All that is wrong is said at once.
    let all = wrong(json!({
        "minPositionPercent": 200, "maxPositionPercent": 101, "maxOrderNotional": {"USDT": 0}, "maxOrdersPerMinute": 0,
        "maxTickAgeSeconds": 0,
    }));
    assert_eq!(all.len(), 6, "{all:?}");
}

#[test]
fn the_defaults_of_limits_are_these() {
    let defaults = RiskParameters::default();
    let of = |bounds| serde_json::to_value(defaults.clone().with_position_defaults(bounds)).unwrap();
    let expected = json!({
        "minPositionPercent": "10", "maxPositionPercent": "90", "maxOrdersPerMinute": 10, "maxTickAgeSeconds": 5,
    });
    assert_eq!((of(PositionBounds::Bind), of(PositionBounds::Free)), (expected.clone(), expected));
    let others = json!({"maxOrdersPerMinute": 10, "maxTickAgeSeconds": 5});
    assert_eq!((of(PositionBounds::Written), json!(defaults)), (others.clone(), others));
    assert_eq!(serde_json::from_value::<RiskParameters>(json!({})).unwrap(), defaults);
    assert_eq!(defaults.max_tick_age_ms(), 5_000);
}
