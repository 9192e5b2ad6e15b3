//! Everything mixed: ticks with any prices, gaps and repetitions, news of real and of unknown orders in any
//! order and number, controls, and a store that went back in time.

use engine::fees::PaidIn;
use engine::messages::{CommandKind, OrderCommand, OrderStatus, OrderUpdate, Side};
use engine::numbers::{Notional, Quantity};
use engine::strategies::DesiredState;
use engine::transfers::WantedTransfer;
use engine::{Config, Effect, Engine, Event};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::json;

use crate::bench::{
    Market, USUAL, cases, commands, config, decimal, news, order_of, restore, start, step_tick, step_update, tick,
};

/// One thing that happens; orders are named by how many orders ago they were made.
#[derive(Debug, Clone)]
enum Happening {
    /// The price moves by so many hundredths of a percent, after so many missing ticks.
    Tick {
        moves: i64,
        missing: u64,
    },
    /// The price is this, in cents.
    Jump(i64),
    /// The last tick is delivered again.
    TickAgain,
    /// All news of an order, in order.
    AllNews {
        order: usize,
    },
    /// One piece of an order's news.
    SomeNews {
        order: usize,
        which: usize,
    },
    /// A status without a trade, for an order or for an id that is nobody's.
    Status {
        order: usize,
        status: OrderStatus,
        cumulative: u32,
    },
    Foreign {
        sequence: u64,
        status: OrderStatus,
    },
    /// A trade of an order: told with any status, as one of its own told late or as one too many.
    Trade {
        order: usize,
        status: OrderStatus,
        percent: u8,
    },
    /// A trade of an order that was never made.
    Unknown(u64),
    Control(DesiredState),
    Recovered(u64),
    /// So many thousandths of a coin, or tenths of a unit of cash, are put in, or taken out; of what was asked for before so
    /// many entries stay in the manifest.
    Transfer {
        is_cash: bool,
        amount: i64,
        kept: usize,
    },
}

fn status() -> impl Strategy<Value = OrderStatus> {
    prop::sample::select(vec![
        OrderStatus::Sent,
        OrderStatus::Accepted,
        OrderStatus::PartiallyFilled,
        OrderStatus::Filled,
        OrderStatus::Canceled,
        OrderStatus::Expired,
        OrderStatus::Rejected,
        OrderStatus::Denied,
        OrderStatus::Unknown,
    ])
}

fn happening() -> impl Strategy<Value = Happening> {
    let desired = prop::sample::select(vec![
        DesiredState::Running,
        DesiredState::Running,
        DesiredState::Paused,
        DesiredState::Stopped,
    ]);
    prop_oneof![
        30 => (-250_i64..=250, prop_oneof![9 => Just(0_u64), 1 => 1_u64..5])
            .prop_map(|(moves, missing)| Happening::Tick { moves, missing }),
        1 => (1_i64..1_000_000_000_000).prop_map(Happening::Jump),
        2 => Just(Happening::TickAgain),
        20 => (0_usize..2).prop_map(|order| Happening::AllNews { order }),
        10 => (0_usize..3, 0_usize..6).prop_map(|(order, which)| Happening::SomeNews { order, which }),
        1 => (0_usize..3, status(), 0_u32..3)
            .prop_map(|(order, status, cumulative)| Happening::Status { order, status, cumulative }),
        2 => (0_u64..20, status()).prop_map(|(sequence, status)| Happening::Foreign { sequence, status }),
        1 => (0_usize..6, status(), 1_u8..=200)
            .prop_map(|(order, status, percent)| Happening::Trade { order, status, percent }),
        1 => (1_u64..9).prop_map(Happening::Unknown),
        2 => desired.prop_map(Happening::Control),
        1 => (0_u64..40).prop_map(Happening::Recovered),
        3 => (any::<bool>(), -9_000_i64..9_000, 0_usize..5)
            .prop_map(|(is_cash, amount, kept)| Happening::Transfer { is_cash, amount, kept }),
    ]
}

fn market() -> impl Strategy<Value = Market> {
    let taker_percent = prop::sample::select(vec!["0", "0.1", "0.075", "1"]);
    (taker_percent, prop::sample::select(vec![PaidIn::Quote, PaidIn::Received]))
        .prop_map(|(taker_percent, paid_in)| Market { taker_percent, paid_in, ..USUAL })
}

/// A story: what happens, and into how many parts each order trades.
fn story() -> impl Strategy<Value = (Market, Vec<Happening>, Vec<Vec<u8>>)> {
    let parts = prop::collection::vec(prop::collection::vec(0_u8..=100, 0..4), 1..8);
    (market(), prop::collection::vec(happening(), 1..150), parts)
}

/// An engine in a story.
struct Telling {
    market: Market,
    config: Config,
    engine: Engine,
    parts: Vec<Vec<u8>>,
    orders: Vec<OrderCommand>,
    sequence: u64,
    price: Decimal,
    highest: u64,
    /// Trades that the venue's rules do not allow.
    odd: u32,
    /// What transfers have put in, each at its worth then.
    given: Decimal,
    transfers: u64,
}

impl Telling {
    fn of(market: Market, parts: Vec<Vec<u8>>) -> Self {
        let config = config(&market, &json!({}));
        let engine = start(&config);
        let price = Decimal::from(600);
        Self {
            market,
            config,
            engine,
            parts,
            orders: Vec::new(),
            sequence: 0,
            price,
            highest: 0,
            odd: 0,
            given: Decimal::ZERO,
            transfers: 0,
        }
    }

    fn take(&mut self, happening: &Happening) -> Vec<Effect> {
        let effects = match happening {
            Happening::Tick { moves, missing } => {
                let moved = self.price * (Decimal::ONE + Decimal::new(*moves, 4));
                self.tick(moved.round_dp(2).max(Decimal::ONE), *missing)
            }
            Happening::Jump(cents) => self.tick(Decimal::new(*cents, 2), 0),
            Happening::TickAgain => step_tick(&mut self.engine, &tick(self.sequence, self.price)),
            Happening::AllNews { order } => {
                let news = self.news(*order);
                news.iter().flat_map(|update| self.update(update)).collect()
            }
            Happening::SomeNews { order, which } => {
                let update = self.news(*order).get(*which).cloned();
                update.map(|update| self.update(&update)).unwrap_or_default()
            }
            Happening::Status { order, status, cumulative } => {
                let Some(command) = self.order(*order) else { return Vec::new() };
                let cumulative_quantity = Quantity::new(Decimal::from(*cumulative)).unwrap();
                let bare = news(command, &[], &self.market).remove(0);
                self.update(&OrderUpdate { status: *status, cumulative_quantity, ..bare })
            }
            Happening::Foreign { sequence, status } => {
                let Some(command) = self.order(0) else { return Vec::new() };
                let bare = news(command, &[], &self.market).remove(0);
                let client_order_id = format!("glm-other-{sequence}").parse().unwrap();
                self.update(&OrderUpdate { client_order_id, status: *status, ..bare })
            }
            Happening::Trade { order, status, percent } => {
                self.odd += 1;
                let Some(command) = self.order(*order) else { return Vec::new() };
                let whole = news(command, &[100], &self.market).pop().unwrap();
                let mut fill = whole.fill.clone().unwrap();
                let share = Decimal::new(i64::from(*percent), 2);
                fill.quantity = Quantity::new(fill.quantity.get() * share).unwrap();
                // Figures of a fee are the venue's; here they are exact.
                let worth = fill.price.times(fill.quantity).unwrap();
                fill.fee_quote = worth.share(self.config.fees.taker()).unwrap();
                fill.fee = fill.fee_quote;
                fill.fee_asset = command.symbol.quote().clone();
                fill.trade_id = format!("{}-odd-{percent}", command.client_order_id);
                self.update(&OrderUpdate { status: *status, fill: Some(fill), ..whole })
            }
            Happening::Unknown(ahead) => {
                let Some(command) = self.order(0) else { return Vec::new() };
                let client_order_id = format!("glm-abc-{}", self.highest + ahead).parse().unwrap();
                let whole = news(command, &[100], &self.market).pop().unwrap();
                let before = self.engine.snapshot().unwrap();
                let effects = self.update(&OrderUpdate { client_order_id, ..whole });
                assert!(matches!(&effects[..], [Effect::Poison(_)]), "{effects:?}");
                assert_eq!(self.engine.snapshot().unwrap(), before, "what is not taken changes nothing");
                effects
            }
            Happening::Control(desired) => self.engine.step(self.engine.report().as_of, Event::Control(*desired)),
            Happening::Recovered(highest) => {
                self.highest = self.highest.max(*highest);
                let now = self.engine.report().as_of;
                self.engine.step(now, Event::Recovered { highest_sequence: *highest })
            }
            Happening::Transfer { is_cash, amount, kept } => self.transfer(*is_cash, *amount, *kept),
        };
        self.count_transfers(&effects);
        self.orders.extend(commands(&effects).into_iter().filter(|command| order_of(command).is_some()));
        effects
    }

    fn transfer(&mut self, is_cash: bool, amount: i64, kept: usize) -> Vec<Effect> {
        let wanted = &mut self.config.transfers;
        wanted.generation += 1;
        let gone = wanted.list.len().saturating_sub(kept);
        wanted.list.drain(..gone);
        wanted.list.push(WantedTransfer {
            id: format!("t{}", wanted.generation),
            asset: if is_cash { "USDT" } else { "BNB" }.parse().unwrap(),
            amount: Notional::new(Decimal::new(amount, if is_cash { 1 } else { 3 })).unwrap(),
        });
        let wanted = wanted.clone();
        self.engine.step(self.engine.report().as_of, Event::Transfers(wanted))
    }

    /// Those that were booked are told to the account in their order, at the last price.
    fn count_transfers(&mut self, effects: &[Effect]) {
        for command in commands(effects) {
            let CommandKind::Transfer(transfer) = command.kind else { continue };
            self.transfers += 1;
            assert_eq!(transfer.number, self.transfers, "numbers are dense");
            let price = if transfer.asset.as_str() == "USDT" { Decimal::ONE } else { self.price };
            self.given += transfer.amount.get() * price;
        }
    }

    fn tick(&mut self, price: Decimal, missing: u64) -> Vec<Effect> {
        self.sequence += 1 + missing;
        self.price = price;
        let (base, quote) = self.holds();
        let effects = step_tick(&mut self.engine, &tick(self.sequence, price));
        for command in commands(&effects).into_iter().filter(|command| order_of(command).is_some()) {
            self.highest += 1;
            assert_eq!(command.sequence, self.highest, "sequences are dense");
            assert_eq!(command.client_order_id.sequence(), command.sequence);
            self.is_paid(&command, base, quote);
        }
        effects
    }

    /// What an order can take, fee included, was there when it was made.
    fn is_paid(&self, command: &OrderCommand, base: Decimal, quote: Decimal) {
        let order = order_of(command).unwrap();
        let worth = order.price.unwrap().get() * order.quantity.get();
        let fee = match self.market.paid_in {
            PaidIn::Quote => worth * self.config.fees.taker().get(),
            PaidIn::Received => Decimal::ZERO,
        };
        match order.side {
            Side::Buy => assert!(worth + fee <= quote, "{worth} + {fee} of {quote}"),
            Side::Sell => assert!(order.quantity.get() <= base, "{} of {base}", order.quantity),
        }
    }

    fn holds(&self) -> (Decimal, Decimal) {
        let ledger = &self.engine.snapshot().unwrap()["ledger"];
        (decimal(&ledger["positions"][0]["quantity"]), decimal(&ledger["cash"][0]["amount"]))
    }

    fn order(&self, ago: usize) -> Option<&OrderCommand> {
        self.orders.iter().rev().nth(ago)
    }

    fn news(&self, ago: usize) -> Vec<OrderUpdate> {
        let Some(command) = self.order(ago) else { return Vec::new() };
        let parts = &self.parts[usize::try_from(command.sequence).unwrap() % self.parts.len()];
        news(command, parts, &self.market)
    }

    fn update(&mut self, update: &OrderUpdate) -> Vec<Effect> {
        step_update(&mut self.engine, update)
    }

    /// What holds at every moment.
    fn check(&self) {
        let (base, quote) = self.holds();
        assert!(base >= Decimal::ZERO, "{base} coins");
        // An order that trades more than it may, or that nobody knew of, can take more cash than there is.
        if self.odd == 0 {
            assert!(quote >= Decimal::ZERO, "{quote} in cash");
        }
        let never_closed = self.engine.open_orders().filter(|order| order.closed_with.is_none());
        assert!(never_closed.count() <= 1);
        let lacking = self.engine.open_orders().filter(|order| order.filled < order.cumulative);
        assert_eq!(lacking.count(), self.engine.missing_fills().len());
        if let Some(performance) = self.engine.performance() {
            let change = performance.equity.minus(performance.opening_equity).unwrap();
            let earned = change.minus(Notional::new(self.given).unwrap()).unwrap();
            assert_eq!(performance.profit.net, earned, "net is the change of equity without transfers");
            assert_eq!(performance.transferred.get(), self.given.normalize());
            let parts = performance.profit.realized.plus(performance.profit.unrealized).unwrap();
            assert_eq!(parts.minus(performance.profit.fees).unwrap(), performance.profit.net);
            assert_eq!(performance.equity, equity(performance.price.get(), base, quote));
        }
    }
}

fn equity(price: Decimal, base: Decimal, quote: Decimal) -> Notional {
    Notional::new(price * base + quote).unwrap()
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn any_events_keep_the_invariants((market, happenings, parts) in story()) {
        let mut telling = Telling::of(market, parts);
        for happening in &happenings {
            telling.take(happening);
            telling.check();
        }
    }

    /// A restart at any moment changes nothing of what follows, and neither does telling the story again.
    #[test]
    fn a_restored_engine_goes_on_the_same((market, happenings, parts) in story(), at in 0_usize..150) {
        let mut undisturbed = Telling::of(market.clone(), parts.clone());
        let mut restarted = Telling::of(market, parts);
        for (index, happening) in happenings.iter().enumerate() {
            if index == at % happenings.len() {
                restarted.engine = restore(&restarted.config, &restarted.engine.snapshot().unwrap());
            }
            let effects = undisturbed.take(happening);
            prop_assert_eq!(&effects, &restarted.take(happening), "at {}", index);
        }
        prop_assert_eq!(undisturbed.engine.snapshot().unwrap(), restarted.engine.snapshot().unwrap());
        prop_assert_eq!(undisturbed.engine.report(), restarted.engine.report());
    }
}

/// Walks that stay calm for long and then do not: peaks, falls, both position limits, a debt.
fn walk() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![8 => -30_i64..30, 2 => -300_i64..300, 1 => -3_000_i64..3_000];
    prop::collection::vec(step, 100..400)
}

proptest! {
    #![proptest_config(cases(60))]

    /// An engine that is restored before each tick remembers no calm prices: one that does takes each tick the same.
    #[test]
    fn what_is_not_valued_again_stays_as_it_is(market in market(), walk in walk(), debt in any::<bool>()) {
        let config = config(&market, &json!({}));
        let mut remembering = start(&config);
        if debt {
            let mut saved = remembering.snapshot().unwrap();
            saved["ledger"]["cash"][0]["amount"] = json!("-2500");
            remembering = restore(&config, &saved);
        }
        let mut price = Decimal::from(600);
        for (sequence, step) in (0..).zip(walk) {
            price = (price * (Decimal::ONE + Decimal::new(step, 4))).round_dp(2).clamp(Decimal::ONE, Decimal::from(100_000));
            let tick = tick(sequence, price);
            let mut forgetting = restore(&config, &remembering.snapshot().unwrap());
            let effects = step_tick(&mut remembering, &tick);
            prop_assert_eq!(&effects, &step_tick(&mut forgetting, &tick), "at {}", sequence);
            prop_assert_eq!(remembering.snapshot().unwrap(), forgetting.snapshot().unwrap(), "at {}", sequence);
            for command in commands(&effects) {
                for update in news(&command, &[100], &market) {
                    step_update(&mut remembering, &update);
                }
            }
        }
    }
}

/// The stories above would prove little if they never traded.
#[test]
fn stories_trade() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut orders, mut trades, mut odd) = (0, 0, 0);
    for _ in 0..100 {
        let (market, happenings, parts) = story().new_tree(&mut runner).unwrap().current();
        let mut telling = Telling::of(market, parts);
        for happening in &happenings {
            let effects = telling.take(happening);
            trades += effects.iter().filter(|effect| matches!(effect, Effect::Position(_))).count();
        }
        orders += telling.orders.len();
        odd += usize::from(telling.engine.report().risk.reason == "OrderAnomaly");
    }
    assert!(orders > 100 && trades > 150 && odd > 10, "{orders} orders, {trades} trades, {odd} with odd ones");
}
