//! Futures that settle in their quote: which stream comes on which connection, and trades in aggregates where none come alone.

use std::collections::BTreeSet;

use super::super::machine::ConnectionId;
use super::super::product::Product;
use super::stage::{Stage, aggregate, book, trade};
use crate::live::{HoleCause, Link, News};

const SYMBOL: &str = "BTC/USDT:USDT";

fn following() -> Stage {
    let mut stage = Stage::of(Product::UsdMargined, 3);
    stage.follow(&[SYMBOL], None);
    stage.run(2_000);
    stage
}

fn streams(stage: &Stage, connection: ConnectionId) -> Vec<&str> {
    stage.open[&connection].iter().map(String::as_str).collect()
}

fn notices(stage: &Stage) -> Vec<&str> {
    fn words(news: &News) -> Option<&str> {
        if let News::Notice(words) = news { Some(words) } else { None }
    }
    stage.news.iter().filter_map(words).collect()
}

#[test]
fn streams_come_on_the_connections_of_their_routes() {
    let mut stage = following();
    let public = stage.at("/public");
    assert_eq!(streams(&stage, public), ["btcusdt@bookTicker", "btcusdt@trade"]);
    assert_eq!(stage.news.iter().filter(|news| matches!(news, News::Link(Link::Up))).count(), 1);
    stage.frame(public, &book(1, "61837.5", "61837.6"));
    stage.frame(public, &trade(5));
    // What the insurance fund trades has a number, and is none of the market's.
    stage.frame(public, &trade(6).replace("\"m\":true", "\"X\":\"INSURANCE_FUND\",\"m\":true"));
    stage.frame(public, &trade(7));
    stage.run(60_000);
    assert_eq!((stage.ids(), stage.holes()), (vec![5, 7], vec![]));
    assert_eq!(stage.paths.values().collect::<Vec<_>>(), [&"/public"], "no doubt, no other connection");
}

#[test]
fn trades_are_taken_in_aggregates_where_none_come_alone() {
    let mut stage = following();
    let public = stage.at("/public");
    stage.frame(public, &book(1, "61837.5", "61837.6"));
    stage.run(7_000);
    assert_eq!(stage.paths.len(), 1);
    stage.run(3_000);
    let market = stage.at("/market");
    assert_eq!(streams(&stage, market), ["btcusdt@aggTrade"]);
    // A quiet market: nothing tells yet that trades do not come.
    stage.run(60_000);
    assert_eq!(streams(&stage, public), ["btcusdt@bookTicker", "btcusdt@trade"]);
    assert!(!stage.frame(market, &aggregate(70, (10, 12))));
    stage.run(2_500);
    let told = notices(&stage);
    assert!(
        matches!(&told[..], [one] if one.contains("@trade, and sent none") && one.contains("@aggTrade")),
        "{told:?}"
    );
    assert_eq!(streams(&stage, public), ["btcusdt@bookTicker"]);
    for told in [aggregate(71, (13, 13)), aggregate(71, (13, 13)), aggregate(72, (15, 19)), aggregate(74, (21, 22))] {
        stage.frame(market, &told);
    }
    assert_eq!((stage.ids(), stage.holes()), (vec![13, 19, 22], vec![(HoleCause::Skipped, 1)]));
    assert!(stage.trades()[0].bid.is_some());
    // Of what was left nothing is taken.
    assert!(!stage.frame(public, &trade(23)));
    // Quotes are lost without a trade, and trades with one that is named.
    stage.breaks(public);
    stage.run(3_000);
    stage.frame(market, &aggregate(75, (23, 23)));
    assert_eq!(stage.holes().len(), 1);
    stage.breaks(market);
    stage.run(3_000);
    let market = stage.at("/market");
    stage.frame(market, &aggregate(78, (30, 30)));
    assert_eq!(stage.holes()[1..], [(HoleCause::Disconnect, 2)]);
    // It is not doubted again.
    assert_eq!(streams(&stage, stage.at("/public")), ["btcusdt@bookTicker"]);
}

#[test]
fn a_trade_that_comes_late_ends_the_doubt() {
    let mut stage = following();
    let public = stage.at("/public");
    stage.run(12_000);
    let market = stage.at("/market");
    stage.frame(public, &book(1, "61837.5", "61837.6"));
    stage.frame(market, &aggregate(70, (10, 10)));
    stage.run(1_000);
    stage.frame(public, &trade(10));
    stage.run(5_000);
    assert_eq!(streams(&stage, market), Vec::<&str>::new());
    assert_eq!((stage.ids(), stage.holes(), notices(&stage)), (vec![10], vec![], vec![]));
    assert!(!stage.frame(market, &aggregate(71, (11, 11))));
}

#[test]
fn a_refusal_of_trades_is_taken_for_none() {
    let mut stage = Stage::of(Product::UsdMargined, 4);
    stage.answers = false;
    stage.follow(&[SYMBOL], None);
    stage.run(1_000);
    let public = stage.at("/public");
    stage.answers = true;
    // Another refusal says nothing of trades.
    stage.frame(public, r#"{"error":{"code":2,"msg":"Invalid request: too many parameters"},"id":1}"#);
    stage.run(5_000);
    let public = stage.at("/public");
    assert_eq!(streams(&stage, public), ["btcusdt@bookTicker", "btcusdt@trade"]);
    stage.frame(public, r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}"#);
    stage.run(5_000);
    let told = notices(&stage);
    assert!(told[0].contains("said \"Invalid request: invalid stream\""), "{told:?}");
    assert_eq!(streams(&stage, stage.at("/public")), ["btcusdt@bookTicker"]);
    assert_eq!(streams(&stage, stage.at("/market")), ["btcusdt@aggTrade"]);
}

#[test]
fn spot_is_never_doubted() {
    let mut stage = Stage::following(5, &["BTC/USDT"]);
    stage.run(60_000);
    assert_eq!(stage.paths.values().collect::<BTreeSet<_>>(), BTreeSet::from([&""]));
}

#[test]
fn no_connection_has_more_streams_than_the_venue_allows() {
    let bases: Vec<&'static str> = (0..150).map(|n| &*Box::leak(format!("M{n}").into_boxed_str())).collect();
    let mut stage = Stage::of(Product::UsdMargined, 6);
    stage.listed = bases.iter().map(|base| (*base, "USDT", "TRADING")).collect();
    let symbols: Vec<String> = bases.iter().map(|base| format!("{base}/USDT:USDT")).collect();
    stage.follow(&symbols.iter().map(String::as_str).collect::<Vec<_>>(), None);
    stage.run(5_000);
    let counts: Vec<usize> = stage.open.values().map(BTreeSet::len).collect();
    assert_eq!(counts, [200, 100]);
}

#[test]
fn a_change_of_connections_loses_no_aggregate() {
    let mut stage = following();
    stage.settle_on_aggregates();
    let [public, market] = ["/public", "/market"].map(|path| stage.at(path));
    stage.frame(public, &book(1, "61837.5", "61837.6"));
    stage.frame(market, &aggregate(71, (11, 12)));
    stage.run(24 * 3_600_000 - 60_000);
    let [next_public, next] = ["/public", "/market"].map(|path| stage.at(path));
    assert!(next != market && next_public != public);
    assert_eq!(stage.open.len(), 2);
    stage.frame(next_public, &book(2, "61837.6", "61837.7"));
    stage.frame(next, &aggregate(72, (13, 13)));
    assert_eq!((stage.ids(), stage.holes()), (vec![12, 13], vec![]));
    assert_eq!(stage.trades()[1].bid.unwrap().to_string(), "61837.6");
}

#[test]
fn another_kind_of_contract_is_suggested() {
    for (product, wanted, told) in
        [(Product::UsdMargined, "BTC/USDT", "BTC/USDT:USDT"), (Product::Spot, "BTC/USDT:USDT", "BTC/USDT")]
    {
        let mut stage = Stage::of(product, 8);
        stage.follow(&[wanted], None);
        stage.run(2_000);
        let rules = stage.news.iter().find_map(|news| if let News::Rules(rules) = news { Some(rules) } else { None });
        let rules = rules.unwrap().values().next().unwrap();
        assert_eq!(rules.suggestion.as_deref(), Some(told));
        assert!(stage.open.is_empty());
    }
}
