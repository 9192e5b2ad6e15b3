//! One order's news, delivered in any order and any number of times, ends in the same books.

use engine::Engine;
use engine::fees::PaidIn;
use engine::messages::{OrderCommand, OrderUpdate, Side};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::json;

use crate::bench::{
    Market, USUAL, cases, commands, config, decimal, news, order_of, start, step_tick, step_update, tick,
};

/// An engine with one open order.
fn with_order(side: Side, market: &Market) -> (Engine, OrderCommand) {
    let mut engine = start(&config(market, &json!({"orderPercent": 30})));
    let prices = match side {
        Side::Sell => ["600", "610", "608"],
        Side::Buy => ["600", "590", "592"],
    };
    let mut made = Vec::new();
    for (sequence, price) in (0..).zip(prices) {
        made.extend(commands(&step_tick(&mut engine, &tick(sequence, price.parse().unwrap()))));
    }
    let command = made.pop().unwrap();
    assert_eq!(order_of(&command).unwrap().side, side);
    (engine, command)
}

fn deliver<'a>(side: Side, market: &Market, news: impl IntoIterator<Item = &'a OrderUpdate>) -> Engine {
    let (mut engine, _) = with_order(side, market);
    for update in news {
        step_update(&mut engine, update);
    }
    engine
}

/// Every piece at least once, some more often, in any order.
fn indices(count: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..count, 0..count * 2)
        .prop_map(move |extra| (0..count).chain(extra).collect::<Vec<_>>())
        .prop_shuffle()
}

fn delivery() -> impl Strategy<Value = (Side, Market, Vec<OrderUpdate>, Vec<OrderUpdate>)> {
    let side = prop::sample::select(vec![Side::Buy, Side::Sell]);
    let fee = prop::sample::select(vec!["0", "0.1"]);
    let paid_in = prop::sample::select(vec![PaidIn::Quote, PaidIn::Received]);
    let parts = prop::collection::vec(1_u8..=60, 0..5);
    (side, fee, paid_in, parts).prop_flat_map(|(side, taker_percent, paid_in, parts)| {
        let market = Market { taker_percent, paid_in, ..USUAL };
        let (_, command) = with_order(side, &market);
        let straight = news(&command, &parts, &market);
        let mixed = {
            let straight = straight.clone();
            indices(straight.len())
                .prop_map(move |order| order.iter().map(|index| straight[*index].clone()).collect::<Vec<_>>())
        };
        (Just(side), Just(market), Just(straight), mixed)
    })
}

proptest! {
    #![proptest_config(cases(250))]

    #[test]
    fn shuffled_and_doubled_news_end_in_the_same_books((side, market, straight, mixed) in delivery()) {
        let (expected, found) = (deliver(side, &market, &straight), deliver(side, &market, &mixed));
        prop_assert_eq!(found.open_orders().len(), 0);
        let (mut expected, mut found) = (expected.snapshot().unwrap(), found.snapshot().unwrap());
        prop_assert_eq!(&found["anomalies"], &json!(0));
        prop_assert_eq!(&found["counts"], &expected["counts"]);
        prop_assert_eq!(&found["strategy"], &expected["strategy"]);
        // The relieved cost is rounded to 8 digits at each sale, so its split depends on the order of sales, by
        // less than that; everything else is the same to the last digit.
        for rounded in ["cost", "realized"] {
            let [found, expected] = [&mut found, &mut expected].map(|saved| saved["ledger"]["positions"][0][rounded].take());
            let difference = decimal(&found) - decimal(&expected);
            prop_assert!(difference.abs() <= Decimal::new(5, 8), "{} of {}", difference, rounded);
        }
        prop_assert_eq!(&found["ledger"], &expected["ledger"]);
    }

    #[test]
    fn doubled_news_change_nothing((side, market, straight, _) in delivery()) {
        let doubled: Vec<_> = straight.iter().flat_map(|update| [update, update]).collect();
        prop_assert_eq!(deliver(side, &market, doubled).snapshot().unwrap(), deliver(side, &market, &straight).snapshot().unwrap());
    }

    /// With a piece of news missing that holds a trade, the order stays open: nothing is traded past it.
    #[test]
    fn a_lost_trade_keeps_the_order_open((side, market, straight, _) in delivery(), lost in 0_usize..5) {
        let trades: Vec<_> = straight.iter().filter(|update| update.fill.is_some()).collect();
        if trades.is_empty() {
            return Ok(());
        }
        let lost: &OrderUpdate = trades[lost % trades.len()];
        let engine = deliver(side, &market, straight.iter().filter(|update| *update != lost));
        prop_assert_eq!(engine.open_orders().len(), 1);
        // The last trade's news alone tells of the end of an order that has traded whole.
        let told = lost != straight.last().unwrap();
        prop_assert_eq!(engine.missing_fills().len(), usize::from(told));
    }
}
