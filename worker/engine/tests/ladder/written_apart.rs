//! Ladders beside one written apart, on random markets at the simulated exchange: with and without quotes, sizes and
//! latency, fees from either asset, short of money, moved up. Each seed is one ladder on one market.

use std::collections::BTreeMap;

use engine::fees::{Fees, PaidIn};
use engine::instrument::{Instrument, Rules};
use engine::messages::{Fill, OrderCommand, OrderStatus, OrderUpdate, Tick};
use engine::numbers::ExactDecimal;
use engine::strategies::ladder::{DEFINITION, LadderParameters};
use engine::testkit::ladder::Naive;
use engine::testkit::ladder::cases::{Case, case_of, ticks};
use engine::testkit::ladder::shown::{expected, open_orders, parameters, percent, text};
use engine::testkit::quoting::Chance;
use engine::testkit::{Market, commands, ended};
use engine::{Config, Engine, Event};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use venue::VenueReport;
use venue::sim::{Exchange, RestingFills};

/// `None` where a manifest may not say so: levels merge, or the quantity is no multiple of the lot.
fn config(case: &Case) -> Option<Config> {
    let exact = |value: Decimal| text(value).parse::<ExactDecimal>().unwrap();
    let rules =
        Rules { tick_size: exact(case.tick_size), lot_size: exact(case.lot), min_notional: exact(case.min_notional) };
    let instrument = Instrument::new(Market::USUAL.instrument().symbol, &rules).unwrap();
    let parameters = parameters(case);
    let read: LadderParameters = serde_json::from_value(parameters.clone()).unwrap();
    let merges = Naive::new(case).merges();
    assert_eq!(read.validate_levels(&rules, "ladder").is_empty(), !merges, "{case:?}");
    if merges || case.quantity.is_some_and(|quantity| quantity % case.lot != Decimal::ZERO) {
        return None;
    }
    let fees = Fees {
        maker_percent: percent(case.maker).parse().unwrap(),
        taker_percent: percent(case.taker).parse().unwrap(),
        paid_in: if case.received { PaidIn::Received } else { PaidIn::Quote },
    };
    let mut risk = json!({});
    if let Some(most) = case.max_notional {
        risk["maxOrderNotional"] = json!({"USDT": text(most)});
    }
    Some(Config {
        instruments: instrument.into(),
        capital: Market::USUAL.capital(&text(case.coins), &text(case.cash)),
        fees,
        risk: serde_json::from_value(risk).unwrap(),
        ..Market::USUAL.config(&parameters)
    })
}

/// An engine with nothing between it and its exchange.
struct Ladder {
    config: Config,
    engine: Engine,
    exchange: Exchange,
    sent: BTreeMap<u64, OrderCommand>,
    trades: Vec<String>,
}

impl Ladder {
    fn new(case: &Case, config: Config) -> Self {
        let engine = Engine::new(config.clone(), &DEFINITION).unwrap();
        let fills = if case.touch { RestingFills::Touch } else { RestingFills::Through };
        let exchange = Exchange::new(config.fees.clone(), u32::try_from(case.latency).unwrap(), fills);
        Self { config, engine, exchange, sent: BTreeMap::new(), trades: Vec::new() }
    }

    /// One tick, as in `backtest`: what rests trades, the engine takes the tick, what arrives acts, in rounds.
    fn tick(&mut self, tick: &Tick) {
        let reports = self.exchange.match_resting(tick);
        let mut sent = self.tell(reports, tick);
        sent.extend(commands(&self.engine.tick(tick.event_time(), tick)));
        let mut round = 1;
        while !sent.is_empty() || self.exchange.has_arrivals(tick) {
            let told: Vec<_> = sent.iter().map(|command| self.send(command, tick)).collect();
            let reports = self.exchange.arrive(tick);
            round += 1;
            self.engine.begin_round(round);
            sent = told.into_iter().flatten().flat_map(|update| self.update(update)).collect();
            sent.extend(self.tell(reports, tick));
            sent.extend(commands(&self.engine.end_round(tick.event_time())));
        }
    }

    /// An order is on its way.
    fn send(&mut self, command: &OrderCommand, tick: &Tick) -> Option<OrderUpdate> {
        self.exchange.admit(command, tick);
        command.kind.order()?;
        self.sent.insert(command.client_order_id.sequence(), command.clone());
        Some(OrderUpdate { matched: Some(tick.source_sequence), ..ended(command, OrderStatus::Sent) })
    }

    fn update(&mut self, update: OrderUpdate) -> Vec<OrderCommand> {
        commands(&self.engine.step(update.time, Event::OrderUpdate(update)))
    }

    fn tell(&mut self, reports: Vec<VenueReport>, tick: &Tick) -> Vec<OrderCommand> {
        let mut sent = Vec::new();
        for report in reports {
            let fill = self.fill_of(&report);
            let update = OrderUpdate {
                client_order_id: report.client_order_id,
                status: report.status,
                reason: report.reason,
                cumulative_quantity: report.cumulative_quantity,
                matched: report.matched,
                time: report.time,
                fill,
            };
            if let Some(fill) = &update.fill {
                let fee = format!("{} {}", text(fill.fee.get()), fill.fee_asset);
                let (quantity, price) = (text(fill.quantity.get()), text(fill.price.get()));
                self.trades.push(format!("{} {} {quantity} @ {price} fee {fee}", tick.sequence, fill.side));
            }
            sent.extend(self.update(update));
        }
        sent
    }

    /// The trade of a report, of which the exchange tells one at a time.
    fn fill_of(&self, report: &VenueReport) -> Option<Fill> {
        let [trade] = &report.trades[..] else {
            assert_eq!(report.trades, []);
            return None;
        };
        let command = &self.sent[&report.client_order_id.sequence()];
        Some(Fill {
            strategy: command.strategy.clone(),
            ledger: command.ledger.clone(),
            client_order_id: command.client_order_id.clone(),
            venue_order_id: report.venue_order_id.clone(),
            trade_id: trade.trade_id.clone(),
            symbol: command.symbol.clone(),
            side: command.kind.order()?.side,
            quantity: trade.quantity,
            price: trade.price,
            cumulative_quantity: report.cumulative_quantity,
            fee: trade.fee,
            fee_asset: trade.fee_asset.clone(),
            fee_quote: trade.fee_quote,
            liquidity: trade.liquidity,
            time: trade.time,
            tick_sequence: report.matched,
            index: None,
        })
    }

    /// The process ends, and another one goes on from what was saved.
    fn restart(&mut self) {
        let saved = serde_json::from_str(&self.engine.saved().unwrap()).unwrap();
        self.engine = Engine::restore(self.config.clone(), &DEFINITION, &saved).unwrap();
    }

    /// All that both are to agree on.
    fn shown(&self) -> Value {
        let report = self.engine.report();
        let kinds = self.engine.warnings().into_iter().map(|warning| warning.kind.as_str());
        let warnings: Vec<_> = kinds.filter(|kind| *kind != "LadderBelowFees").collect();
        json!({"trades": self.trades, "final": self.engine.performance().unwrap().outcome,
            "denied": report.orders.denied_reasons, "open": open_orders(&self.engine), "warnings": warnings,
            "holds": [report.position["USDT"].to_string(), report.position["BNB"].to_string()]})
    }
}

/// The case of a seed and its market; `None` where it is none.
fn of_seed(seed: u64, count: u64) -> Option<(Case, Config, Vec<Tick>)> {
    let mut chance = Chance::of(seed);
    let case = case_of(seed, &mut chance);
    let config = config(&case)?;
    let ticks = ticks(&mut chance, count);
    Some((case, config, ticks))
}

#[test]
fn a_ladder_is_the_one_that_was_written_apart() {
    let (mut traded, mut matched, mut moved, mut short, mut raced) = (0, 0, 0, 0, 0);
    let seeds = std::env::var("SEEDS").map_or(600, |seeds| seeds.parse().unwrap());
    for (seed, (case, config, ticks)) in (0..seeds).filter_map(|seed| Some((seed, of_seed(seed, 250)?))) {
        let (mut one, mut other) = (Ladder::new(&case, config), Naive::new(&case));
        for tick in &ticks {
            other.tick(tick);
            one.tick(tick);
        }
        (moved, raced) = (moved + other.moves, raced + other.raced);
        let (one, other) = (one.shown(), expected(&other, ticks.last().unwrap().price.get()));
        for part in ["trades", "open", "denied", "warnings", "holds", "final"] {
            assert_eq!(one[part], other[part], "{part} of seed {seed}: {case:?}");
        }
        traded += one["trades"].as_array().unwrap().len();
        matched += one["final"]["matchedTrades"].as_u64().unwrap();
        short += usize::from(one["warnings"].as_array().unwrap().contains(&json!("LadderShort")));
    }
    let met = [traded > 3_000, matched > 1_000, moved > 100, short > 100, raced > 10];
    assert!(seeds < 600 || !met.contains(&false), "{traded} {matched} {moved} {short} {raced}");
}

/// What a restart behind any tick would change: nothing.
#[test]
fn a_ladder_that_is_restarted_behind_every_tick_is_the_same() {
    for (seed, (case, config, ticks)) in (0..60).filter_map(|seed| Some((seed, of_seed(seed, 120)?))) {
        let (mut one, mut other) = (Ladder::new(&case, config.clone()), Ladder::new(&case, config));
        for tick in &ticks {
            one.tick(tick);
            other.tick(tick);
            other.restart();
        }
        assert_eq!(one.engine.saved().unwrap(), other.engine.saved().unwrap(), "seed {seed}");
        assert_eq!(one.trades, other.trades, "seed {seed}");
    }
}
