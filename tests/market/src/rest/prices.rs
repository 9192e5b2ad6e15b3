//! The answers of the routes.

use serde_json::{Value, json};

use super::Refused;
use super::parameters::Parameters;
use crate::interval::Interval;
use crate::product::Product;
use crate::venue::Venue;
use crate::venue::market::Market;
use crate::venue::ticker;

/// All routes, after /api/v3/.
const ROUTES: [&str; 13] = [
    "ping",
    "time",
    "exchangeInfo",
    "depth",
    "trades",
    "historicalTrades",
    "aggTrades",
    "klines",
    "uiKlines",
    "avgPrice",
    "ticker/24hr",
    "ticker/price",
    "ticker/bookTicker",
];
/// Routes that futures lack.
const SPOT_ONLY: [&str; 2] = ["uiKlines", "avgPrice"];
/// Minutes of the average price.
const AVERAGE: i64 = 5;
const MINUTE: i64 = 60_000;

/// Whether the product has the route.
pub fn has(product: Product, route: &str) -> bool {
    ROUTES.contains(&route) && !(product == Product::Usdm && SPOT_ONLY.contains(&route))
}

fn unknown() -> Refused {
    Refused::new(-1121, "Invalid symbol.")
}

/// The answer of a route at `now`, the exchange's clock in ms since the epoch.
pub fn answer(venue: &Venue, now: i64, route: &str, parameters: &Parameters) -> Result<Value, Refused> {
    let product = venue.book.product;
    told(venue, now, route, parameters).map(|told| product.worded(route, told))
}

fn told(venue: &Venue, now: i64, route: &str, parameters: &Parameters) -> Result<Value, Refused> {
    let product = venue.book.product;
    let market = || venue.market(&parameters.symbol()?).ok_or_else(unknown);
    match route {
        "ping" => Ok(json!({})),
        "time" => Ok(json!({"serverTime": venue.time(now)})),
        "exchangeInfo" => {
            // Futures are told of all together, whatever is asked.
            let chosen = match product {
                Product::Spot => chosen(venue, parameters)?.1,
                Product::Usdm => venue.markets().collect(),
            };
            let rules = chosen.iter().map(|market| market.rules.answer()).collect();
            Ok(venue.book.answer(venue.time(now), rules))
        }
        "depth" => {
            let market = market()?;
            let book = market.book.answer(parameters.limit(100, 5_000)?, &market.quote, market.rules.tick());
            Ok(timed(product, &["E", "T"], venue.time(now), book))
        }
        "trades" => {
            let limit = parameters.limit(500, 1_000)?;
            Ok(market()?.trades.newest(limit).map(crate::venue::trades::Trade::row).collect())
        }
        "historicalTrades" => {
            let (limit, from) = (parameters.limit(500, 1_000)?, parameters.number("fromId")?);
            let trades = &market()?.trades;
            Ok(match from {
                Some(from) => trades.from(from, limit).map(crate::venue::trades::Trade::row).collect(),
                None => trades.newest(limit).map(crate::venue::trades::Trade::row).collect(),
            })
        }
        "aggTrades" => aggregates(market()?, parameters),
        "klines" | "uiKlines" => klines(market()?, parameters),
        "avgPrice" => {
            let market = market()?;
            let last = market.trades.last().ok_or_else(unknown)?;
            let bar = market.bars.since(now.div_euclid(MINUTE) * MINUTE - (AVERAGE - 1) * MINUTE);
            let bar = bar.filter(|bar| bar.count > 0);
            let price = bar.map_or(last.price, |bar| bar.quote.over(bar.volume));
            Ok(json!({"mins": AVERAGE, "price": price, "closeTime": last.time}))
        }
        _ => {
            let of = |market: &&Market| match route {
                "ticker/24hr" => ticker::answer(market, now),
                "ticker/price" => {
                    let last = market.trades.last()?;
                    Some(timed(product, &["time"], last.time, json!({"symbol": market.symbol, "price": last.price})))
                }
                _ => Some(timed(product, &["time"], venue.time(now), book_ticker(market))),
            };
            let (one, markets) = chosen(venue, parameters)?;
            let mut answers: Vec<Value> = markets.iter().filter_map(of).collect();
            if one { answers.pop().ok_or_else(unknown) } else { Ok(Value::Array(answers)) }
        }
    }
}

/// With these times, which only futures tell.
fn timed(product: Product, names: &[&str], time: i64, mut told: Value) -> Value {
    if let Value::Object(fields) = &mut told
        && product == Product::Usdm
    {
        fields.extend(names.iter().map(|name| ((*name).to_owned(), json!(time))));
    }
    told
}

fn book_ticker(market: &Market) -> Value {
    let (bid, ask) = (market.quote.bid, market.quote.ask);
    json!({"symbol": market.symbol, "bidPrice": bid.0, "bidQty": bid.1, "askPrice": ask.0, "askQty": ask.1})
}

/// The markets that are asked for, and whether it is one by `symbol`.
fn chosen<'a>(venue: &'a Venue, parameters: &Parameters) -> Result<(bool, Vec<&'a Market>), Refused> {
    let Some(symbols) = parameters.symbols()? else { return Ok((false, venue.markets().collect())) };
    let markets: Result<_, _> = symbols.iter().map(|symbol| venue.market(symbol).ok_or_else(unknown)).collect();
    Ok((parameters.get("symbol").is_some(), markets?))
}

fn times(parameters: &Parameters) -> Result<(Option<i64>, Option<i64>), Refused> {
    let (start, end) = (parameters.number("startTime")?, parameters.number("endTime")?);
    match (start, end) {
        (Some(start), Some(end)) if start > end => Err(Refused::new(-1106, "Start time is greater than end time.")),
        times => Ok(times),
    }
}

fn aggregates(market: &Market, parameters: &Parameters) -> Result<Value, Refused> {
    let limit = parameters.limit(500, 1_000)?;
    let from = parameters.number("fromId")?;
    let (start, end) = times(parameters)?;
    if from.is_some() && (start.is_some() || end.is_some()) {
        return Err(Refused::new(-1128, "Combination of optional parameters invalid."));
    }
    let times = (start.is_some() || end.is_some()).then(|| (start.unwrap_or(0), end.unwrap_or(i64::MAX)));
    let rows = market.trades.aggregates(from, times, limit);
    Ok(rows.into_iter().map(crate::venue::trades::Aggregate::row).collect())
}

fn klines(market: &Market, parameters: &Parameters) -> Result<Value, Refused> {
    let interval = Interval::named(parameters.need("interval")?);
    let interval = interval.ok_or_else(|| Refused::new(-1120, "Invalid interval."))?;
    let limit = parameters.limit(500, 1_000)?;
    let (start, end) = times(parameters)?;
    let between = (start.unwrap_or(i64::MIN), end.unwrap_or(i64::MAX));
    let bars = market.bars.klines(interval, between, limit, start.is_none());
    Ok(bars.iter().map(|bar| bar.row(interval)).collect())
}
