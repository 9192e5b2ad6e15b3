//! For any list of orders, cancels, replacements and news of a venue that keeps to its contract: what is reserved is the sum
//! over the open orders and never more than is held, each trade is booked once, and the identity of the books holds.

use std::collections::BTreeMap;

use engine::fees::{Fees, PaidIn};
use engine::messages::{
    CommandKind, Fill, Liquidity, NewOrder, OrderCommand, OrderStatus, OrderUpdate, Side, TimeInForce,
};
use engine::numbers::{Notional, Price, Quantity};
use engine::orders::{Order, OrderState};
use engine::{Config, Effect, Engine};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::json;

use crate::bench::{Market, USUAL};
use crate::bench::{cases, commands, config, step_tick, step_update, tick};
use crate::scripted::{Action, Script, Wanted, from_record, start};

const MAKER: &str = "0.04";
const TAKER: &str = "0.1";

/// What happens next.
#[derive(Debug, Clone)]
enum Happens {
    /// The strategy acts on a tick.
    Tick(Vec<Action>),
    /// The venue takes up the next command.
    Arrives,
    /// So many percent of the rest of a live order trade.
    Trades(usize, u8, bool),
    /// The newest trade of an order is told once more.
    Again(usize),
    /// Its changes go into its record, or are lost on the way.
    Commit(bool),
    /// It starts again from its record.
    Restart,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let price = (57_000_i64..63_000).prop_map(|cents| Decimal::new(cents, 2).to_string());
    let quantity = (10_i64..3_000).prop_map(|lots| Decimal::new(lots, 3).to_string());
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let time_in_force = prop_oneof![4 => Just(TimeInForce::GoodTillCanceled), 1 => Just(TimeInForce::FillOrKill)];
    (side, quantity, price, time_in_force).prop_map(|(side, quantity, price, time_in_force)| Wanted {
        side,
        quantity,
        price: Some(price),
        time_in_force,
        tag: 0,
        reduce: false,
        post_only: false,
        slippage: None,
    })
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => wanted().prop_map(Action::Place),
        2 => (1..30_u64, wanted()).prop_map(|(of, wanted)| Action::Replace(of, wanted)),
        2 => (1..30_u64).prop_map(Action::Cancel),
    ]
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => proptest::collection::vec(action(), 0..6).prop_map(Happens::Tick),
        8 => Just(Happens::Arrives),
        6 => (0..8_usize, 1..=100_u8, any::<bool>()).prop_map(|(which, share, maker)| Happens::Trades(which, share, maker)),
        1 => (0..8_usize).prop_map(Happens::Again),
        2 => any::<bool>().prop_map(Happens::Commit),
        1 => Just(Happens::Restart),
    ]
}

/// An order at the venue.
#[derive(Debug, Clone)]
struct Live {
    command: OrderCommand,
    order: NewOrder,
    filled: Quantity,
    trades: u64,
    newest: Option<OrderUpdate>,
}

/// The strategy's engine, and the venue.
struct World {
    config: Config,
    engine: Engine,
    waiting: std::collections::VecDeque<OrderCommand>,
    live: BTreeMap<u64, Live>,
    /// What orders that have ended had traded.
    ended: BTreeMap<u64, Quantity>,
    trades: u64,
    ticks: u64,
    record: BTreeMap<String, String>,
}

impl World {
    fn new(paid_in: PaidIn, script: &Script) -> Self {
        let fees = Fees { maker_percent: MAKER.parse().unwrap(), taker_percent: TAKER.parse().unwrap(), paid_in };
        let market = Market { paid_in, ..USUAL };
        let config = Config { fees, parameters: json!(script), ..config(&market, &json!({})) };
        let engine = start(config.clone());
        let (waiting, live, ended, record) = Default::default();
        Self { config, engine, waiting, live, ended, trades: 0, ticks: 0, record }
    }

    fn happen(&mut self, what: &Happens) {
        match what {
            Happens::Tick(_) => {
                let effects = step_tick(&mut self.engine, &tick(self.ticks, "600".parse().unwrap()));
                self.ticks += 1;
                self.sent(&effects);
            }
            Happens::Arrives => self.arrive(),
            Happens::Trades(which, share, maker) => self.trade(*which, *share, *maker),
            Happens::Again(which) => {
                if let Some(update) = self.nth(*which).and_then(|live| live.newest.clone()) {
                    self.tell(&update);
                }
            }
            Happens::Commit(is_stored) => self.commit(*is_stored),
            Happens::Restart => {
                self.commit(true);
                let before = self.engine.snapshot().unwrap();
                self.engine = from_record(&self.record, self.config.clone());
                assert_eq!(self.engine.snapshot().unwrap(), before, "what was committed is all");
            }
        }
    }

    fn commit(&mut self, is_stored: bool) {
        let changes = self.engine.changes().unwrap();
        if is_stored {
            for name in changes.delete {
                assert!(self.record.remove(&name).is_some(), "{name} is not in the record");
            }
            self.record.extend(changes.set);
            self.engine.committed();
        }
    }

    fn nth(&self, which: usize) -> Option<&Live> {
        self.live.values().nth(which % self.live.len().max(1))
    }

    fn sent(&mut self, effects: &[Effect]) {
        self.waiting.extend(commands(effects));
    }

    fn tell(&mut self, update: &OrderUpdate) {
        let effects = step_update(&mut self.engine, update);
        self.sent(&effects);
    }

    fn news(command: &OrderCommand, status: OrderStatus, cumulative_quantity: Quantity) -> OrderUpdate {
        OrderUpdate { cumulative_quantity, ..crate::scripted::update(command, status, None) }
    }

    fn arrive(&mut self) {
        let Some(command) = self.waiting.pop_front() else { return };
        match command.kind.clone() {
            CommandKind::Create(order) => self.place(command, order),
            CommandKind::Cancel => self.cancel(command.sequence),
            CommandKind::Replace { of, known_quantity, order } => {
                self.cancel(of.sequence());
                if self.ended.get(&of.sequence()) == Some(&known_quantity) {
                    self.place(command, order);
                } else {
                    self.ended.insert(command.sequence, Quantity::ZERO);
                    self.tell(&Self::news(&command, OrderStatus::Rejected, Quantity::ZERO));
                }
            }
            CommandKind::Advance { .. } | CommandKind::Transfer(_) => panic!("no order is in it"),
        }
    }

    fn place(&mut self, command: OrderCommand, order: NewOrder) {
        let accepted = Self::news(&command, OrderStatus::Accepted, Quantity::ZERO);
        let sequence = command.sequence;
        self.live.insert(sequence, Live { command, order, filled: Quantity::ZERO, trades: 0, newest: None });
        self.tell(&accepted);
    }

    fn cancel(&mut self, sequence: u64) {
        if let Some(live) = self.live.remove(&sequence) {
            self.ended.insert(sequence, live.filled);
            self.tell(&Self::news(&live.command, OrderStatus::Canceled, live.filled));
        }
    }

    fn trade(&mut self, which: usize, share: u8, maker: bool) {
        let Some(live) = self.nth(which) else { return };
        let rest = live.order.quantity.minus(live.filled).unwrap();
        let part = Quantity::new(rest.get() * Decimal::from(share) / Decimal::ONE_HUNDRED).unwrap();
        let part = part.floored_to("0.001".parse().unwrap()).unwrap();
        if part.is_zero() {
            return;
        }
        let filled = live.filled.plus(part).unwrap();
        let fill = self.fill(live, part, filled, maker);
        let is_whole = filled == live.order.quantity;
        let status = if is_whole { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let update = OrderUpdate { fill: Some(fill), ..Self::news(&live.command, status, filled) };
        let sequence = live.command.sequence;
        let live = self.live.get_mut(&sequence).unwrap();
        (live.filled, live.trades, live.newest) = (filled, live.trades + 1, Some(update.clone()));
        self.trades += 1;
        if is_whole {
            self.live.remove(&sequence);
            self.ended.insert(sequence, filled);
        }
        self.tell(&update);
    }

    /// At its limit, as maker where it may rest.
    fn fill(&self, live: &Live, part: Quantity, cumulative_quantity: Quantity, maker: bool) -> Fill {
        let rests = live.order.time_in_force == TimeInForce::GoodTillCanceled;
        let fees = &self.config.fees;
        let share = if maker && rests { fees.maker() } else { fees.taker() };
        let price: Price = live.order.price.unwrap();
        let worth = price.times(part).unwrap().share(share).unwrap();
        let symbol = &live.command.symbol;
        let (fee, fee_asset) = match (fees.paid_in, live.order.side) {
            (PaidIn::Received, Side::Buy) => (Notional::from(part.share(share).unwrap()), symbol.base()),
            (PaidIn::Quote, _) | (PaidIn::Received, Side::Sell) => (worth, symbol.quote()),
        };
        Fill {
            strategy: live.command.strategy.clone(),
            ledger: live.command.ledger.clone(),
            client_order_id: live.command.client_order_id.clone(),
            venue_order_id: "1".into(),
            trade_id: format!("{}-{}", live.command.client_order_id, live.trades + 1),
            symbol: symbol.clone(),
            side: live.order.side,
            quantity: part,
            price,
            cumulative_quantity,
            fee,
            fee_asset: fee_asset.clone(),
            fee_quote: worth,
            liquidity: if maker && rests { Liquidity::Maker } else { Liquidity::Taker },
            time: live.command.time,
            tick_sequence: None,
            index: None,
        }
    }

    /// What an order may take of (coins, cash), counted apart from the engine.
    fn needs(&self, order: &Order, filled: Quantity) -> (Decimal, Decimal) {
        let rest = order.quantity.get() - filled.get();
        match order.side {
            Side::Sell => (rest, Decimal::ZERO),
            Side::Buy => {
                let worth = rest * order.price.unwrap().get();
                // The taker's fee is the larger one here.
                let fee = match self.config.fees.paid_in {
                    PaidIn::Quote => worth * TAKER.parse::<Decimal>().unwrap() / Decimal::ONE_HUNDRED,
                    PaidIn::Received => Decimal::ZERO,
                };
                (Decimal::ZERO, worth + fee)
            }
        }
    }

    fn check(&self) {
        let orders: BTreeMap<u64, &Order> = self.engine.open_orders().map(|order| (order.sequence(), order)).collect();
        let (mut base, mut quote) = (Decimal::ZERO, Decimal::ZERO);
        for order in orders.values() {
            let (mut coins, mut cash) = self.needs(order, order.filled);
            if let Some(replaced) = order.replaces {
                let old = orders.get(&replaced.sequence);
                // Once more of the old one has traded than was known the new one never does.
                assert_eq!(replaced.raced, old.is_none_or(|old| old.filled != replaced.known_quantity));
                let is_first = orders.values().all(|other| {
                    other.sequence() >= order.sequence()
                        || other.replaces.is_none_or(|theirs| theirs.sequence != replaced.sequence)
                });
                let (all, none) = ((coins, cash), (Decimal::ZERO, Decimal::ZERO));
                let left = |all: Decimal, shared: Decimal| (all - shared).max(Decimal::ZERO);
                (coins, cash) = match old {
                    _ if replaced.raced => none,
                    _ if !is_first => all,
                    // Both may trade.
                    Some(old) if old.replaces.is_some() && !has_place(old) => all,
                    // Only one of them does.
                    Some(old) => {
                        let (base, quote) = self.needs(old, replaced.known_quantity);
                        (left(all.0, base), left(all.1, quote))
                    }
                    None => all,
                };
            }
            (base, quote) = (base + coins, quote + cash);
        }
        let reserved = self.engine.reserved();
        assert_eq!((reserved.base.get(), reserved.quote.get()), (base, quote), "the sum over the open orders");
        let report = self.engine.report();
        assert_eq!(report.risk.reason, "", "nothing halts");
        if let Some(run) = self.engine.performance() {
            let held = self.engine.held_of(engine::instrument::InstrumentIndex::FIRST);
            assert!(reserved.base <= held.base, "{} of {} coins are reserved", reserved.base, held.base);
            assert!(reserved.quote <= held.quote, "{} of {} cash is reserved", reserved.quote, held.quote);
            let gained = run.equity.minus(run.opening_equity).unwrap();
            assert_eq!(run.profit.net, gained, "net is the change of equity");
        }
        assert_eq!(self.engine.trades(), self.trades, "each trade is booked once");
        assert_eq!(orders.len(), self.live.len() + self.unplaced(), "what is open");
    }

    /// Orders that are still on their way.
    fn unplaced(&self) -> usize {
        self.waiting.iter().filter(|command| command.kind.order().is_some()).count()
    }
}

/// Whether the venue has told that an order was placed.
fn has_place(order: &Order) -> bool {
    !matches!(order.state, OrderState::Committed | OrderState::Sent | OrderState::Unknown)
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn what_is_reserved_is_the_sum_over_the_open_orders_and_never_more_than_is_held(
        story in proptest::collection::vec(happens(), 1..60),
        received in any::<bool>(),
    ) {
        let ticks = story.iter().filter_map(|what| match what {
            Happens::Tick(actions) => Some(actions.clone()),
            Happens::Arrives | Happens::Trades(..) | Happens::Again(_) | Happens::Commit(_) | Happens::Restart => None,
        });
        let script = Script { ticks: ticks.collect(), ..Script::default() };
        let mut world = World::new(if received { PaidIn::Received } else { PaidIn::Quote }, &script);
        for what in &story {
            world.happen(what);
            world.check();
        }
    }
}
