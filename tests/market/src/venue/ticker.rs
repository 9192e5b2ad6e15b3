//! Prices of the last 24 hours.

use serde_json::{Value, json};

use super::bars::Bar;
use super::market::Market;
use crate::amount::Amount;

const DAY: i64 = 86_400_000;

/// What the tickers are made of; by whole minutes.
struct Day<'a> {
    market: &'a Market,
    bar: Bar,
    last: Amount,
    last_quantity: Amount,
    /// In ms since the epoch.
    close: i64,
}

impl<'a> Day<'a> {
    fn of(market: &'a Market, now: i64) -> Option<Self> {
        let last = market.trades.last()?;
        let bar = market.bars.since(now - DAY)?;
        Some(Self { market, bar, last: last.price, last_quantity: last.quantity, close: now })
    }

    fn change(&self) -> Amount {
        self.last - self.bar.open
    }

    /// In percent, three decimals.
    fn percent(&self) -> String {
        let thousandths = self.change().units() * 100_000 / self.bar.open.units().max(1);
        let sign = if thousandths < 0 { "-" } else { "" };
        let size = thousandths.unsigned_abs();
        format!("{sign}{}.{:03}", size / 1000, size % 1000)
    }

    fn ids(&self) -> (i64, i64) {
        let id = |id: u64| i64::try_from(id).unwrap_or(i64::MAX);
        self.bar.ids.map_or((-1, -1), |(first, last)| (id(first), id(last)))
    }
}

/// The answer of ticker/24hr; none before the first trade.
pub fn answer(market: &Market, now: i64) -> Option<Value> {
    let day = Day::of(market, now)?;
    let (bid, ask) = (market.quote.bid, market.quote.ask);
    Some(json!({
        "symbol": market.symbol, "priceChange": day.change(), "priceChangePercent": day.percent(),
        "weightedAvgPrice": day.bar.quote.over(day.bar.volume), "prevClosePrice": day.bar.open,
        "lastPrice": day.last, "lastQty": day.last_quantity,
        "bidPrice": bid.0, "bidQty": bid.1, "askPrice": ask.0, "askQty": ask.1,
        "openPrice": day.bar.open, "highPrice": day.bar.high, "lowPrice": day.bar.low,
        "volume": day.bar.volume, "quoteVolume": day.bar.quote,
        "openTime": day.close - DAY, "closeTime": day.close,
        "firstId": day.ids().0, "lastId": day.ids().1, "count": day.bar.count
    }))
}

/// The event of the stream `@ticker`.
pub fn event(market: &Market, now: i64, time: i64) -> Option<Value> {
    let day = Day::of(market, now)?;
    let (Market { quote, .. }, bar) = (day.market, &day.bar);
    Some(json!({
        "e": "24hrTicker", "E": time, "s": market.symbol, "p": day.change(), "P": day.percent(),
        "w": bar.quote.over(bar.volume), "x": bar.open, "c": day.last, "Q": day.last_quantity,
        "b": quote.bid.0, "B": quote.bid.1, "a": quote.ask.0, "A": quote.ask.1,
        "o": bar.open, "h": bar.high, "l": bar.low, "v": bar.volume, "q": bar.quote,
        "O": day.close - DAY, "C": day.close, "F": day.ids().0, "L": day.ids().1, "n": bar.count
    }))
}

/// The event of the stream `@miniTicker`.
pub fn mini(market: &Market, now: i64, time: i64) -> Option<Value> {
    let day = Day::of(market, now)?;
    Some(json!({
        "e": "24hrMiniTicker", "E": time, "s": market.symbol, "c": day.last, "o": day.bar.open,
        "h": day.bar.high, "l": day.bar.low, "v": day.bar.volume, "q": day.bar.quote
    }))
}
