//! What streams tell of trades and quotes, in the words of each product.

use serde::Serialize;

use super::market::Market;
use super::trades::{Aggregate, Trade};
use crate::amount::{Amount, Shown};
use crate::product::Product;
use crate::source::{Origin, Quote};

/// An event of spot or of futures.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Told<S, F> {
    /// As spot tells it.
    Spot(S),
    /// As futures do.
    Futures(F),
}

/// A trade.
#[derive(Serialize)]
pub struct SpotTrade<'a> {
    e: &'a str,
    #[serde(rename = "E")]
    time: i64,
    s: &'a str,
    t: u64,
    p: Amount,
    q: Amount,
    #[serde(rename = "T")]
    traded: i64,
    m: bool,
    #[serde(rename = "M")]
    best: bool,
}

/// A trade of futures.
#[derive(Serialize)]
pub struct FuturesTrade<'a> {
    e: &'a str,
    #[serde(rename = "E")]
    time: i64,
    #[serde(rename = "T")]
    traded: i64,
    s: &'a str,
    t: u64,
    p: Shown,
    q: Shown,
    #[serde(rename = "X")]
    origin: Origin,
    m: bool,
}

/// A trade at its event time.
#[expect(clippy::many_single_char_names, reason = "the exchange's own names")]
pub fn trade<'a>(
    market: &'a Market,
    trade: &Trade,
    origin: Origin,
    time: i64,
) -> Told<SpotTrade<'a>, FuturesTrade<'a>> {
    let Trade { id: t, price, quantity, time: traded, buyer_maker: m } = *trade;
    let (e, s) = ("trade", market.symbol.as_str());
    match market.product() {
        Product::Spot => Told::Spot(SpotTrade { e, time, s, t, p: price, q: quantity, traded, m, best: true }),
        Product::Usdm => {
            let [p, q] = shown(market, price, quantity);
            Told::Futures(FuturesTrade { e, time, traded, s, t, p, q, origin, m })
        }
    }
}

/// An aggregate of spot.
#[derive(Serialize)]
pub struct SpotAggregate<'a> {
    e: &'a str,
    #[serde(rename = "E")]
    time: i64,
    s: &'a str,
    a: u64,
    p: Amount,
    q: Amount,
    f: u64,
    l: u64,
    #[serde(rename = "T")]
    traded: i64,
    m: bool,
    #[serde(rename = "M")]
    best: bool,
}

/// An aggregate of futures.
#[derive(Serialize)]
pub struct FuturesAggregate<'a> {
    e: &'a str,
    #[serde(rename = "E")]
    time: i64,
    a: u64,
    s: &'a str,
    p: Shown,
    q: Shown,
    f: u64,
    l: u64,
    #[serde(rename = "T")]
    traded: i64,
    m: bool,
}

/// An aggregate at its event time.
#[expect(clippy::many_single_char_names, reason = "the exchange's own names")]
pub fn aggregate<'a>(
    market: &'a Market,
    aggregate: &Aggregate,
    time: i64,
) -> Told<SpotAggregate<'a>, FuturesAggregate<'a>> {
    let Aggregate { id: a, first, last_id: l } = *aggregate;
    let Trade { id: f, price, quantity, time: traded, buyer_maker: m } = first;
    let (e, s) = ("aggTrade", market.symbol.as_str());
    match market.product() {
        Product::Spot => {
            Told::Spot(SpotAggregate { e, time, s, a, p: price, q: quantity, f, l, traded, m, best: true })
        }
        Product::Usdm => {
            let [p, q] = shown(market, price, quantity);
            Told::Futures(FuturesAggregate { e, time, a, s, p, q, f, l, traded, m })
        }
    }
}

/// The best prices of spot.
#[derive(Serialize)]
pub struct SpotQuote<'a> {
    u: u64,
    s: &'a str,
    b: Amount,
    #[serde(rename = "B")]
    bid_quantity: Amount,
    a: Amount,
    #[serde(rename = "A")]
    ask_quantity: Amount,
}

/// The best prices of futures.
#[derive(Serialize)]
pub struct FuturesQuote<'a> {
    e: &'a str,
    u: u64,
    s: &'a str,
    b: Shown,
    #[serde(rename = "B")]
    bid_quantity: Shown,
    a: Shown,
    #[serde(rename = "A")]
    ask_quantity: Shown,
    #[serde(rename = "T")]
    changed: i64,
    #[serde(rename = "E")]
    time: i64,
}

/// The market's best prices, told at this time.
pub fn quote(market: &Market, time: i64) -> Told<SpotQuote<'_>, FuturesQuote<'_>> {
    let Quote { bid, ask, update: u, time: changed } = market.quote;
    let s = market.symbol.as_str();
    match market.product() {
        Product::Spot => Told::Spot(SpotQuote { u, s, b: bid.0, bid_quantity: bid.1, a: ask.0, ask_quantity: ask.1 }),
        Product::Usdm => {
            let ([b, bid_quantity], [a, ask_quantity]) = (shown(market, bid.0, bid.1), shown(market, ask.0, ask.1));
            let changed = if changed > 0 { changed } else { time };
            Told::Futures(FuturesQuote { e: "bookTicker", u, s, b, bid_quantity, a, ask_quantity, changed, time })
        }
    }
}

/// A price and a quantity with the decimals that the market's rules say.
fn shown(market: &Market, price: Amount, quantity: Amount) -> [Shown; 2] {
    let (prices, quantities) = market.rules.places();
    [price.with_places(prices), quantity.with_places(quantities)]
}
