//! Several markets of one source: an order trades on the ticks of its own.

use super::*;

const BNB: &str = "BNB/USDT";
const ETH: &str = "ETH/USDT";

/// A tick by its number in the source; its own number is lower.
fn of(symbol: &str, source: u64) -> Tick {
    Tick { symbol: symbol.parse().unwrap(), source_sequence: source, sequence: source / 2, ..trade(source, "600") }
}

fn buy(sequence: u64, symbol: &str) -> OrderCommand {
    let command = command(sequence, CommandKind::Create(order(Side::Buy, "500")));
    OrderCommand { symbol: symbol.parse().unwrap(), ..command }
}

#[test]
fn an_order_arrives_on_the_first_tick_of_its_own_market_that_is_late_enough() {
    let mut exchange = exchange_of(&json!({}), 1_500);
    exchange.admit(&buy(1, ETH), &of(BNB, 4));
    // Before its cause in the source, too early, of the other market.
    for (symbol, source) in [(ETH, 3), (ETH, 5), (BNB, 8)] {
        let tick = of(symbol, source);
        assert!(!exchange.has_arrivals(&tick) && exchange.arrive(&tick).is_empty(), "{symbol} {source}");
    }
    let reports = exchange.arrive(&of(ETH, 9));
    assert_eq!((told(&reports), reports[0].matched), (vec!["1 Accepted 0".to_owned()], Some(9)));
    let low = |symbol| Tick { price: "499".parse().unwrap(), ..of(symbol, 10) };
    assert!(exchange.match_resting(&low(BNB)).is_empty());
    assert_eq!(told(&exchange.match_resting(&low(ETH))), ["1 Filled 1 1 @ 500"]);
}

#[test]
fn what_is_sent_to_a_market_that_has_ended_never_arrives_also_after_a_restart() {
    let mut exchange = exchange();
    exchange.arrive(&Tick { last: true, ..of(ETH, 3) });
    let changes = exchange.take_changes().unwrap();
    assert_eq!(changes.set, [("ended:ETH/USDT".to_owned(), "true".to_owned())]);
    let mut restarted = self::exchange();
    restarted.restore(&changes.set[0].0, &changes.set[0].1).unwrap();
    assert_eq!(restarted.field_names().collect::<Vec<_>>(), ["ended:ETH/USDT"]);
    for mut exchange in [exchange, restarted] {
        exchange.admit(&buy(1, ETH), &of(BNB, 4));
        assert!(exchange.has_arrivals(&of(BNB, 4)));
        assert_eq!(told(&exchange.arrive(&of(BNB, 4))), ["1 ExpiredMarketDataEnded 0"]);
        // The other goes on.
        exchange.admit(&buy(2, BNB), &of(BNB, 5));
        assert_eq!(told(&exchange.arrive(&of(BNB, 5))), ["2 Accepted 0"]);
    }
}
