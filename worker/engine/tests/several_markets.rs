//! One strategy on two markets: profit is the change of equity, nothing is done before each has a price, and what is not
//! its own, or not in the order of the source, is never traded on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use engine::instrument::{InstrumentIndex, Instruments};
use engine::messages::{AlertKind, OrderCommand, OrderStatus, OrderUpdate, Tick};
use engine::numbers::{Notional, Price};
use engine::report::Trade;
use engine::running_hash::RunningHash;
use engine::testkit::quoting::{self, Chance, PAIR, merged};
use engine::testkit::{Market, alerts, commands, ended, halted, order_of};
use engine::{Config, Effect, Engine, Event};
use serde_json::{Value, json};

const BNB: Market = Market { taker_percent: "0.1", ..Market::USUAL };
const ETH: Market = Market { symbol: "ETH/USDT", lot_size: "0.01", ..BNB };

fn config(seed: u64) -> Config {
    let usual = BNB.config(&json!({"seed": seed}));
    Config {
        instruments: Instruments::new(vec![BNB.instrument(), ETH.instrument()]).unwrap(),
        capital: [("BNB", "5"), ("ETH", "2"), ("USDT", "3000")]
            .map(|(asset, amount)| (asset.parse().unwrap(), amount.parse().unwrap()))
            .into(),
        risk: serde_json::from_value(json!({"maxOrdersPerMinute": 600})).unwrap(),
        ..usual
    }
}

fn ticks(seed: u64, count: u64) -> Vec<Tick> {
    merged([quoting::Market::of(seed, count), quoting::Market::of(seed + 1, count).named("ETH/USDT")])
}

/// What the venue tells of a command: some trade whole or in part, some are rejected; a cancel ends what is open.
fn answer(engine: &Engine, chance: &mut Chance, command: &OrderCommand) -> Vec<OrderUpdate> {
    let market = if command.symbol.as_str() == "ETH/USDT" { &ETH } else { &BNB };
    let tick = engine.last_sequence().unwrap();
    let of_tick = |mut update: OrderUpdate| {
        update.matched = Some(tick);
        if let Some(fill) = &mut update.fill {
            fill.tick_sequence = Some(tick);
        }
        update
    };
    match order_of(command) {
        Some(_) if chance.below(10) == 0 => vec![ended(command, OrderStatus::Rejected)],
        // It rests: a cancel may come.
        Some(_) if chance.below(3) == 0 => vec![ended(command, OrderStatus::Accepted)],
        Some(_) => {
            let parts: &[u8] = if chance.below(2) == 0 { &[100] } else { &[40, 30] };
            market.news(command, parts).into_iter().map(of_tick).collect()
        }
        None => match engine.open_order(&command.client_order_id) {
            Some(order) => {
                let cumulative_quantity = order.filled;
                vec![OrderUpdate { cumulative_quantity, ..ended(command, OrderStatus::Canceled) }]
            }
            None => Vec::new(),
        },
    }
}

/// Equity less what the opening amounts were worth, in numbers of another kind.
fn change_of_equity(engine: &Engine, first: &BTreeMap<String, Price>) -> rust_decimal::Decimal {
    let position = engine.report().position;
    let held = |asset: &str| position.get(asset).copied().unwrap_or(Notional::ZERO).get();
    let now: BTreeMap<String, Price> =
        engine.prices().map(|(symbol, price)| (symbol.to_string(), price.unwrap())).collect();
    let worth = |prices: &BTreeMap<String, Price>, bnb, eth, cash| {
        prices["BNB/USDT"].get() * bnb + prices["ETH/USDT"].get() * eth + cash
    };
    worth(&now, held("BNB"), held("ETH"), held("USDT")) - worth(first, 5.into(), 2.into(), 3000.into())
}

/// A run over two markets; with `restarts` from its saved state at every tick. Gives its state, and how much of what there
/// was.
fn run(seed: u64, restarts: bool) -> (Value, [u64; 4]) {
    let mut engine = Engine::new(config(seed), &PAIR).unwrap();
    let (mut chance, mut first, mut lines) = (Chance::of(seed), BTreeMap::new(), String::new());
    let mut counts = [0; 4];
    for (index, tick) in ticks(seed, 150).iter().enumerate() {
        first.entry(tick.symbol.to_string()).or_insert(tick.price);
        let mut sent = commands(&engine.tick(tick.event_time(), tick));
        for _ in 0..16 {
            let told: Vec<_> = sent.iter().flat_map(|command| answer(&engine, &mut chance, command)).collect();
            counts[0] += sent.iter().filter(|command| command.symbol != tick.symbol).count() as u64;
            counts[1] += sent.iter().filter(|command| order_of(command).is_none()).count() as u64;
            sent.clear();
            for update in told {
                let booked = engine.trades();
                let fill = update.fill.clone();
                sent.extend(commands(&engine.step(tick.event_time(), Event::OrderUpdate(update))));
                if let Some(fill) = fill.filter(|_| engine.trades() > booked) {
                    counts[2] += 1;
                    assert_eq!(engine.trade_index(&fill), index as u64, "of this tick");
                    lines.push_str(&Trade::of(&fill, engine.trade_index(&fill)).line());
                }
            }
        }
        if first.len() == 2 {
            let report = engine.report();
            assert_eq!(halted(&engine), None, "{:?}", report.decision);
            assert_eq!(report.pnl.unwrap().net.get(), change_of_equity(&engine, &first), "seed {seed}, tick {index}");
            counts[3] += 1;
        } else {
            assert_eq!((engine.report().pnl, engine.performance()), (None, None));
        }
        if restarts {
            let saved = serde_json::from_str(&engine.saved().unwrap()).unwrap();
            engine = Engine::restore(config(seed), &PAIR, &saved).unwrap();
        }
    }
    assert_eq!(engine.trades_hash().unwrap(), RunningHash::of(&lines));
    assert!(engine.data_ended());
    (engine.snapshot().unwrap(), counts)
}

#[test]
fn profit_is_the_change_of_equity_over_both_markets_and_a_restart_changes_nothing() {
    let mut all = [0; 4];
    for seed in 0..20 {
        let (state, counts) = run(seed, false);
        assert_eq!(run(seed, true), (state, counts), "seed {seed}");
        all.iter_mut().zip(counts).for_each(|(sum, one)| *sum += one);
    }
    let [across, cancels, trades, judged] = all;
    assert!(across > 200 && cancels > 50 && trades > 300 && judged > 5_000, "{all:?}");
}

/// The ticks of these markets in turn, a second apart, one source.
fn in_turn(prices: &[(&Market, u64, &str)]) -> Vec<Tick> {
    let ticks = prices.iter().zip(0_u64..).map(|((market, sequence, price), number)| {
        let time = market.tick(number, price).time;
        Tick { source_sequence: number, time, received: time.unwrap(), ..market.tick(*sequence, price) }
    });
    ticks.collect()
}

fn take(engine: &mut Engine, tick: &Tick) -> Vec<Effect> {
    engine.tick(tick.event_time(), tick)
}

#[test]
fn nothing_is_judged_and_nobody_is_asked_before_each_market_has_a_price() {
    let mut engine = Engine::new(config(3), &PAIR).unwrap();
    let ticks = in_turn(&[(&BNB, 0, "600"), (&BNB, 1, "1"), (&BNB, 2, "600"), (&ETH, 0, "2000"), (&ETH, 1, "2000")]);
    for tick in &ticks[..3] {
        assert_eq!(take(&mut engine, tick), []);
        let report = engine.report();
        assert_eq!(
            (report.decision.reason.as_str(), report.decision.message.as_str()),
            ("WaitingForMarketData", "No tick of ETH/USDT has arrived yet.")
        );
        assert_eq!((report.pnl, report.price), (None, Some(tick.price)));
        let saved = engine.snapshot().unwrap();
        assert_eq!((&saved["peak"], &saved["deepestFall"]), (&json!("0"), &json!("0")), "at 1 it had not fallen");
        engine = Engine::restore(config(3), &PAIR, &saved).unwrap();
    }
    let _ = take(&mut engine, &ticks[3]);
    let run = engine.performance().unwrap();
    assert_eq!(
        (run.opening_equity.to_string(), run.equity.to_string(), run.ticks),
        ("10000".into(), "10000".into(), 4)
    );
    assert_ne!(engine.report().decision.reason, "WaitingForMarketData");
    let report = engine.report();
    assert_eq!(json!(report.prices), json!({"BNB/USDT": "600", "ETH/USDT": "2000"}));
    assert_eq!(json!(report.position), json!({"BNB": "5", "ETH": "2", "USDT": "3000"}));
    assert!(!engine.data_ended());
}

#[test]
fn a_tick_of_another_market_changes_nothing_and_is_told_once() {
    let other = Market { symbol: "SOL/USDT", ..BNB };
    let mut engine = Engine::new(config(3), &PAIR).unwrap();
    let before = engine.snapshot().unwrap();
    for sequence in 0..3 {
        let effects = take(&mut engine, &other.tick(sequence, "20"));
        assert_eq!(alerts(&effects), if sequence == 0 { vec![AlertKind::TickAnomaly] } else { vec![] });
        assert_eq!(effects.len(), usize::from(sequence == 0));
        engine = Engine::restore(config(3), &PAIR, &engine.snapshot().unwrap()).unwrap();
    }
    assert_eq!((engine.foreign_ticks(), engine.ticks(), halted(&engine)), (3, 0, None));
    let mut after = engine.snapshot().unwrap();
    after.as_object_mut().unwrap().remove("foreignTicks");
    assert_eq!(after, before);
}

#[test]
fn what_breaks_the_order_of_the_source_halts_and_what_was_delivered_before_is_left_out() {
    let prices = [(&BNB, 0, "600"), (&ETH, 0, "2000"), (&BNB, 1, "601"), (&ETH, 1, "2001"), (&BNB, 2, "602")];
    let ticks = in_turn(&prices);
    let mut engine = Engine::new(config(3), &PAIR).unwrap();
    for tick in &ticks[..3] {
        let _ = take(&mut engine, tick);
        let _ = take(&mut engine, tick);
    }
    let effects = take(&mut engine, &ticks[1]);
    assert_eq!((engine.ticks(), effects.len()), (3, 0), "the last one of its market, once more");
    let false_one = Tick { source_sequence: 1, ..ticks[3].clone() };
    let effects = take(&mut engine, &false_one);
    assert_eq!(alerts(&effects), [AlertKind::TickAnomaly]);
    assert_eq!(halted(&engine).as_deref(), Some("TickAnomaly"));
}

#[test]
fn a_gap_is_that_of_its_market_and_names_it() {
    let mut engine = Engine::new(config(3), &PAIR).unwrap();
    for tick in in_turn(&[(&BNB, 0, "600"), (&ETH, 0, "2000"), (&BNB, 1, "600"), (&ETH, 4, "2000")]) {
        let effects = take(&mut engine, &tick);
        let told: Vec<_> = effects
            .iter()
            .filter_map(|effect| if let Effect::Alert(alert) = effect { Some(alert.message.as_str()) } else { None })
            .collect();
        let expected = ["Ticks 1 to 3 of ETH/USDT are missing: highs and lows start afresh."];
        assert_eq!(told, if tick.sequence == 4 { &expected[..] } else { &[] });
    }
    assert_eq!(engine.snapshot().unwrap()["strategy"]["missed"], json!(1));
}

/// The ledger knows its markets in the order in which it opened; orders name them by it.
#[test]
fn a_manifest_in_another_order_changes_nothing_and_other_markets_are_refused() {
    let mut engine = Engine::new(config(3), &PAIR).unwrap();
    for tick in in_turn(&[(&BNB, 0, "600"), (&ETH, 0, "2000")]) {
        let _ = take(&mut engine, &tick);
    }
    let saved = engine.snapshot().unwrap();
    let turned =
        Config { instruments: Instruments::new(vec![ETH.instrument(), BNB.instrument()]).unwrap(), ..config(3) };
    let again = Engine::restore(turned, &PAIR, &saved).unwrap();
    assert_eq!(again.instruments().first().symbol.as_str(), "BNB/USDT");
    assert_eq!(again.report(), engine.report());
    for markets in [vec![BNB], vec![BNB, Market { symbol: "SOL/USDT", ..BNB }]] {
        let instruments = Instruments::new(markets.iter().map(Market::instrument).collect()).unwrap();
        let error = Engine::restore(Config { instruments, ..config(3) }, &PAIR, &saved).unwrap_err().to_string();
        assert!(
            error.starts_with("the saved ledger trades BNB/USDT, ETH/USDT, but the manifest has BNB/USDT"),
            "{error}"
        );
    }
    let three = [BNB, ETH, Market { symbol: "SOL/USDT", ..BNB }].iter().map(Market::instrument).collect();
    let three = Config { instruments: Instruments::new(three).unwrap(), ..config(3) };
    let error = Engine::new(three, &PAIR).unwrap_err().to_string();
    assert_eq!(error, "3 instruments, but pair trades at most 2; keep 2 and create a strategy for the others");
}

#[test]
fn what_an_order_reserves_in_one_market_is_free_in_no_other_but_its_coins() {
    let mut engine = Engine::new(config(0), &PAIR).unwrap();
    let [bnb, eth] = [BNB, ETH].map(|market| engine.instruments().index_of(&market.instrument().symbol).unwrap());
    assert_eq!(bnb, InstrumentIndex::FIRST);
    for tick in ticks(0, 60) {
        let _ = take(&mut engine, &tick);
        let mut sums = [Notional::ZERO; 3];
        for order in engine.open_orders() {
            let rest = order.rest().unwrap();
            let place = if order.side == engine::messages::Side::Buy { 2 } else { order.instrument.get() };
            let worth = order.price.unwrap().times(rest).unwrap();
            let fee = worth.share(BNB.fees().taker()).unwrap();
            let amount = if place == 2 { worth.plus(fee).unwrap() } else { Notional::from(rest) };
            sums[place] = sums[place].plus(amount).unwrap();
        }
        let (one, other) = (engine.reserved_of(bnb), engine.reserved_of(eth));
        assert_eq!(one.quote, other.quote);
        assert_eq!([Notional::from(one.base), Notional::from(other.base), one.quote], sums);
    }
    assert!(engine.open_orders().any(|order| order.instrument == eth));
    assert!(engine.open_orders().any(|order| order.instrument == bnb));
}
