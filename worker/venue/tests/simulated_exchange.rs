//! Any list of commands and ticks: the exchange's sums add up, nothing trades twice, an order ends once, a tick that touches
//! nothing fills nothing, a restart at any step changes nothing, and it tells what a naive list of orders tells.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "simulated_exchange/naive.rs"]
mod naive;

use std::collections::{BTreeMap, BTreeSet};

use engine::client_order_id::ClientOrderId;
use engine::messages::{CommandKind, NewOrder, OrderCommand, OrderStatus, OrderType, Side, Tick, TimeInForce};
use engine::numbers::{Quantity, Volume};
use engine::time::Timestamp;
use proptest::prelude::*;
use venue::VenueReport;
use venue::sim::{Exchange, RestingFills, touches};

/// What happens, in units that are easily told: prices 95 to 105, quantities in hundredths.
#[derive(Debug, Clone)]
enum Act {
    Tick {
        after_ms: i64,
        price: u8,
        quotes: Option<[(u8, Option<u16>); 2]>,
    },
    Place {
        side: Side,
        price: u8,
        quantity: u16,
        time_in_force: TimeInForce,
        post_only: bool,
        market: bool,
    },
    /// Of the n-th newest order.
    Cancel(u8),
    Replace {
        of: u8,
        known: u16,
        price: u8,
        quantity: u16,
    },
    CancelAtOnce(u8),
    Restart,
}

fn sides() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let price = || 95_u8..=105;
    let size = || prop_oneof![2 => Just(None), 1 => Just(Some(0)), 3 => (1_u16..400).prop_map(Some)];
    let quotes = prop_oneof![
        1 => Just(None),
        2 => (price(), 0_u8..3, size(), size()).prop_map(|(bid, spread, bids, asks)| Some([(bid, bids), (bid + spread, asks)])),
    ];
    let time_in_force = prop_oneof![
        4 => Just(TimeInForce::GoodTillCanceled),
        1 => Just(TimeInForce::ImmediateOrCancel),
        1 => Just(TimeInForce::FillOrKill),
    ];
    let place = (sides(), price(), 1_u16..300, time_in_force, prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    let act = prop_oneof![
        8 => (0_i64..1_200, price(), quotes).prop_map(|(after_ms, price, quotes)| Act::Tick { after_ms, price, quotes }),
        6 => place.prop_map(|(side, price, quantity, time_in_force, post_only, market)| {
            Act::Place { side, price, quantity, time_in_force, post_only, market }
        }),
        2 => (0_u8..8).prop_map(Act::Cancel),
        2 => (0_u8..8, prop_oneof![Just(0), 1_u16..300], price(), 1_u16..300)
            .prop_map(|(of, known, price, quantity)| Act::Replace { of, known, price, quantity }),
        1 => (0_u8..8).prop_map(Act::CancelAtOnce),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..120)
}

fn hundredths(number: u16) -> Quantity {
    format!("{}.{:02}", number / 100, number % 100).parse().unwrap()
}

fn id(sequence: u64) -> ClientOrderId {
    ClientOrderId::new("abc".parse().unwrap(), sequence)
}

fn command(sequence: u64, kind: CommandKind) -> OrderCommand {
    OrderCommand::new("s", id(sequence), kind, "BNB/USDT".parse().unwrap(), Timestamp::default())
}

fn tick(sequence: u64, time: i64, price: u8, quotes: Option<[(u8, Option<u16>); 2]>) -> Tick {
    let side = |index: usize| quotes.map(|quotes| quotes[index]);
    Tick {
        symbol: "BNB/USDT".parse().unwrap(),
        price: price.to_string().parse().unwrap(),
        volume: Volume::ZERO,
        bid: side(0).map(|(price, _)| price.to_string().parse().unwrap()),
        ask: side(1).map(|(price, _)| price.to_string().parse().unwrap()),
        bid_size: side(0).and_then(|(_, size)| size).map(hundredths),
        ask_size: side(1).and_then(|(_, size)| size).map(hundredths),
        time: Some(Timestamp::from_millis(time)),
        received: Timestamp::default(),
        source_sequence: sequence,
        sequence,
        last: false,
    }
}

/// Whatever is told of orders must be possible.
#[derive(Default)]
struct Auditor {
    ordered: BTreeMap<u64, NewOrder>,
    traded: BTreeMap<u64, Quantity>,
    ended: BTreeSet<u64>,
    trades: BTreeSet<String>,
    resting: BTreeSet<u64>,
}

impl Auditor {
    fn hear(&mut self, reports: &[VenueReport]) {
        for report in reports {
            let sequence = report.client_order_id.sequence();
            assert!(!self.ended.contains(&sequence), "{sequence} ends once: {report:?}");
            let order = &self.ordered[&sequence];
            let traded = self.traded.entry(sequence).or_default();
            for trade in &report.trades {
                assert!(self.trades.insert(trade.trade_id.clone()), "{report:?}");
                assert!(!trade.quantity.is_zero());
                *traded = traded.plus(trade.quantity).unwrap();
                let beyond = order.price.is_some_and(|limit| match order.side {
                    Side::Buy => trade.price > limit,
                    Side::Sell => trade.price < limit,
                });
                assert!(!beyond, "{report:?} of {order:?}");
            }
            assert_eq!(*traded, report.cumulative_quantity, "the trades are the sum: {report:?}");
            assert!(*traded <= order.quantity);
            match report.status {
                OrderStatus::Accepted | OrderStatus::PartiallyFilled => {
                    assert_eq!(order.time_in_force, TimeInForce::GoodTillCanceled);
                    assert_eq!(report.status == OrderStatus::Accepted, traded.is_zero());
                    self.resting.insert(sequence);
                }
                OrderStatus::Filled => assert_eq!(*traded, order.quantity),
                OrderStatus::Canceled | OrderStatus::Expired => assert!(*traded < order.quantity),
                OrderStatus::Rejected => assert!(traded.is_zero()),
                OrderStatus::Sent | OrderStatus::Denied | OrderStatus::Unknown => panic!("{report:?}"),
            }
            if !matches!(report.status, OrderStatus::Accepted | OrderStatus::PartiallyFilled) {
                self.ended.insert(sequence);
                self.resting.remove(&sequence);
            }
        }
    }
}

/// The exchange as a record holds it, and one that was opened from there.
struct Record {
    fields: BTreeMap<String, String>,
}

impl Record {
    fn commit(&mut self, exchange: &mut Exchange) {
        let changes = exchange.take_changes().unwrap();
        self.fields.extend(changes.set);
        for name in changes.delete {
            assert!(!self.fields.contains_key(&name) || self.fields.remove(&name).is_some());
        }
    }

    fn open(&self, latency_ms: u32, fills: RestingFills) -> Exchange {
        let mut exchange = empty(latency_ms, fills);
        for (name, value) in &self.fields {
            exchange.restore(name, value).unwrap();
        }
        assert!(!exchange.has_changes());
        exchange
    }
}

fn empty(latency_ms: u32, fills: RestingFills) -> Exchange {
    let fees = serde_json::from_str(r#"{"makerPercent": "0.02", "takerPercent": "0.1"}"#).unwrap();
    Exchange::new(fees, latency_ms, fills)
}

fn kind_of(act: &Act, newest: u64) -> Option<(u64, CommandKind)> {
    let order = |side, price: u8, quantity, time_in_force, post_only, market| NewOrder {
        side,
        order_type: if market { OrderType::Market } else { OrderType::Limit },
        time_in_force,
        post_only,
        counts: true,
        quantity: hundredths(quantity),
        lot_size: Some("0.1".parse().unwrap()),
        price: Some(price.to_string().parse().unwrap()),
        reduce_only: false,
    };
    let nth_newest = |back: u8| newest.checked_sub(u64::from(back)).filter(|sequence| *sequence > 0);
    match *act {
        Act::Place { side, price, quantity, time_in_force, post_only, market } => {
            let market = market && time_in_force != TimeInForce::GoodTillCanceled;
            let order = order(side, price, quantity, time_in_force, post_only && !market, market);
            Some((newest + 1, CommandKind::Create(order)))
        }
        Act::Cancel(back) => Some((nth_newest(back)?, CommandKind::Cancel)),
        Act::Replace { of, known, price, quantity } => {
            let order = order(Side::Buy, price, quantity, TimeInForce::GoodTillCanceled, false, false);
            let kind = CommandKind::Replace { of: id(nth_newest(of)?), known_quantity: hundredths(known), order };
            Some((newest + 1, kind))
        }
        Act::Tick { .. } | Act::CancelAtOnce(_) | Act::Restart => None,
    }
}

fn check(acts: &[Act], latency_ms: u32, fills: RestingFills) {
    let mut exchange = empty(latency_ms, fills);
    let mut naive = naive::Exchange::new(i64::from(latency_ms), fills);
    let mut record = Record { fields: BTreeMap::new() };
    let mut auditor = Auditor::default();
    let mut now = tick(0, 0, 100, None);
    let mut newest: u64 = 0;
    for act in acts {
        match act {
            Act::Tick { after_ms, price, quotes } => {
                now = tick(now.sequence + 1, now.event_time().millis() + after_ms, *price, *quotes);
                let touched = auditor.resting.iter().any(|sequence| {
                    let order = &auditor.ordered[sequence];
                    touches(fills, order.side, order.price.unwrap(), &now)
                });
                let filled = exchange.match_resting(&now);
                assert!(touched || filled.is_empty(), "{now:?} touches nothing, yet {filled:?}");
                naive::assert_same(&filled, &naive.match_resting(&now));
                auditor.hear(&filled);
            }
            Act::CancelAtOnce(back) => {
                let Some(of) = newest.checked_sub(u64::from(*back)) else { continue };
                let canceled: Vec<_> = exchange.cancel(&id(of), now.event_time()).into_iter().collect();
                naive::assert_same(&canceled, &naive.cancel(of));
                auditor.hear(&canceled);
            }
            Act::Restart => {
                record.commit(&mut exchange);
                exchange = record.open(latency_ms, fills);
            }
            Act::Place { .. } | Act::Cancel(_) | Act::Replace { .. } => {
                let Some((sequence, kind)) = kind_of(act, newest) else { continue };
                if let Some(order) = kind.order() {
                    auditor.ordered.insert(sequence, order.clone());
                    newest = sequence;
                }
                exchange.admit(&command(sequence, kind.clone()), &now);
                naive.admit(sequence, kind, &now);
            }
        }
        // What arrives on this tick, now that more may have been sent on it.
        let expects_arrivals = exchange.has_arrivals(&now);
        let arrived = exchange.arrive(&now);
        assert!(expects_arrivals || arrived.is_empty());
        assert!(!exchange.has_arrivals(&now));
        naive::assert_same(&arrived, &naive.arrive(&now));
        auditor.hear(&arrived);
    }
    now = Tick { last: true, ..now };
    let ended = exchange.arrive(&now);
    naive::assert_same(&ended, &naive.end());
    auditor.hear(&ended);
    let open: BTreeSet<u64> = (1..=newest).filter(|sequence| exchange.has(&id(*sequence))).collect();
    assert_eq!(open, auditor.resting, "what is told to rest is there, and nothing else");
    record.commit(&mut exchange);
    let orders = record.fields.keys().filter(|name| !name.starts_with("ended:"));
    assert_eq!(orders.count(), open.len(), "the record holds what is open, and nothing else");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn any_commands_and_ticks_give_what_a_naive_list_gives(
        acts in acts(),
        latency_ms in prop_oneof![Just(0_u32), Just(1_500)],
        fills in prop_oneof![Just(RestingFills::Through), Just(RestingFills::Touch)],
    ) {
        check(&acts, latency_ms, fills);
    }
}

/// What the property must meet, or it proves less than it seems to.
#[test]
fn the_lists_meet_every_end_of_an_order_and_every_race() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..300 {
        let acts = acts().new_tree(&mut runner).unwrap().current();
        let mut naive = naive::Exchange::new(1_500, RestingFills::Through);
        let mut now = tick(0, 0, 100, None);
        let mut newest: u64 = 0;
        for act in &acts {
            let mut told = Vec::new();
            if let Act::Tick { after_ms, price, quotes } = act {
                now = tick(now.sequence + 1, now.event_time().millis() + after_ms, *price, *quotes);
                told.extend(naive.match_resting(&now).into_iter().map(|told| ("resting", told)));
            } else if let Some((sequence, kind)) = kind_of(act, newest) {
                newest = newest.max(sequence);
                naive.admit(sequence, kind, &now);
            }
            told.extend(naive.arrive(&now).into_iter().map(|told| ("arriving", told)));
            for (how, told) in told {
                *met.entry(format!("{how} {:?}{}", told.status, told.reason)).or_default() += 1;
            }
        }
    }
    for expected in [
        "resting PartiallyFilled",
        "resting Filled",
        "arriving Accepted",
        "arriving PartiallyFilled",
        "arriving Filled",
        "arriving Canceled",
        "arriving ExpiredNoSize",
        "arriving ExpiredNotMarketable",
        "arriving RejectedReplaceRaced",
        "arriving RejectedPostOnlyWouldTake",
    ] {
        assert!(met.get(expected).is_some_and(|count| *count >= 20), "{expected}: {met:?}");
    }
}
