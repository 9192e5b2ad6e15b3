//! One symbol: what was played of it, and the frames that it makes.

use serde::Serialize;
use serde_json::{Value, json};

use super::bars::Bars;
use super::book::Book;
use super::events;
use super::rules::Rules;
use super::ticker;
use super::trades::{Aggregate, Trade, Trades};
use crate::interval::{self, Interval};
use crate::product::Product;
use crate::source::{Change, Event, Origin, Quote, Sides, Source};

/// How often open klines are told: of seconds, and of all others; in ms.
const KLINE_EVERY: (i64, i64) = (1_000, 2_000);

/// A message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// As btcusdt@trade.
    pub stream: String,
    /// The event as JSON.
    pub data: String,
    /// The id of the trade that it tells of.
    pub trade: Option<u64>,
}

/// Who listens.
pub trait Audience {
    /// Whether anybody has subscribed.
    fn wants(&self, stream: &str) -> bool;
    /// Sends it to those.
    fn hear(&self, frame: Frame);
}

/// A symbol and all that was played of it.
pub struct Market {
    /// As BTCUSDT.
    pub symbol: String,
    /// The symbol as streams call it.
    lower: String,
    /// Its rules and status.
    pub rules: Rules,
    /// The exchange does not know it any more.
    pub delisted: bool,
    /// The best bid and ask.
    pub quote: Quote,
    /// The last trades.
    pub trades: Trades,
    /// The klines.
    pub bars: Bars,
    /// The order book.
    pub book: Book,
    product: Product,
    lag: i64,
    updates: u64,
    /// Up to when klines are told as closed.
    told: Option<i64>,
    /// When open klines were told, and the last trade then.
    pushed: [(i64, u64); 2],
}

impl Market {
    /// The symbol of a source, of which nothing was played.
    pub fn new(product: Product, rules: Rules, source: &Source) -> Self {
        Self {
            product,
            symbol: source.symbol.clone(),
            lower: source.symbol.to_lowercase(),
            rules,
            delisted: false,
            quote: Quote::default(),
            trades: Trades::new(source.first_trade),
            bars: Bars::default(),
            book: Book::default(),
            lag: source.lag,
            updates: 0,
            told: None,
            pushed: [(0, 0); 2],
        }
    }

    /// What is traded.
    pub const fn product(&self) -> Product {
        self.product
    }

    /// Whether anything happens in it.
    pub fn trades_now(&self) -> bool {
        !self.delisted && self.rules.trading()
    }

    fn send(&self, kind: &str, event: &impl Serialize, trade: Option<u64>, audience: &dyn Audience) {
        // Nothing of it can fail to be JSON.
        if let Ok(data) = serde_json::to_string(event) {
            audience.hear(Frame { stream: format!("{}@{kind}", self.lower), data, trade });
        }
    }

    fn wanted(&self, audience: &dyn Audience, kind: &str) -> bool {
        audience.wants(&format!("{}@{kind}", self.lower))
    }

    /// Plays an event; events carry their time with `offset` added. Nothing happens while it does not trade.
    pub fn play(&mut self, event: &Event, offset: i64, audience: &dyn Audience) {
        if !self.trades_now() {
            return;
        }
        let time = event.time + offset;
        match &event.change {
            Change::Trade { price, quantity, buyer_maker, time: traded, origin } => {
                let (price, quantity, buyer_maker) = (*price, *quantity, *buyer_maker);
                let trade = Trade { id: 0, price, quantity, time: *traded, buyer_maker };
                self.trade(trade, *origin, time, audience);
            }
            Change::Quote(quote) => {
                self.updates = if quote.update > 0 { quote.update } else { self.updates + 1 };
                self.quote = Quote { update: self.updates, ..*quote };
                if self.wanted(audience, "bookTicker") {
                    self.send("bookTicker", &events::quote(self, time), None, audience);
                }
            }
            Change::Depth { updates, sides } => {
                self.book.change(updates.1, sides);
                let Sides { bids, asks } = sides;
                let event = || {
                    json!({
                        "e": "depthUpdate", "E": time, "s": self.symbol, "U": updates.0, "u": updates.1,
                        "b": bids, "a": asks
                    })
                };
                self.tell(self.product.depth(), event, audience);
            }
            Change::Snapshot { update, sides } => self.book.replace(*update, sides),
        }
    }

    fn trade(&mut self, trade: Trade, origin: Origin, time: i64, audience: &dyn Audience) {
        let trade = if origin == Origin::Market {
            let (trade, ended) = self.trades.add(trade);
            self.bars.trade(&trade);
            if let Some(aggregate) = ended {
                self.aggregate(&aggregate, time, audience);
            }
            trade
        } else {
            // It has a number, and moves no price.
            Trade { id: self.trades.pass_over(), ..trade }
        };
        if self.wanted(audience, "trade") {
            self.send("trade", &events::trade(self, &trade, origin, time), Some(trade.id), audience);
        }
    }

    fn aggregate(&self, aggregate: &Aggregate, time: i64, audience: &dyn Audience) {
        if self.wanted(audience, "aggTrade") {
            let event = events::aggregate(self, aggregate, time);
            self.send("aggTrade", &event, Some(aggregate.last_id), audience);
        }
    }

    /// The exchange's clock goes on: klines end, tickers are told.
    pub fn pass(&mut self, now: i64, offset: i64, audience: &dyn Audience) {
        let (settled, time) = (now - self.lag, now + offset);
        if let Some(aggregate) = self.trades.pass(settled) {
            self.aggregate(&aggregate, time, audience);
        }
        let second = settled.div_euclid(1000) * 1000;
        let before = self.told.replace(second);
        if before == Some(second) || self.delisted {
            return;
        }
        self.bars.pass(settled, self.rules.trading());
        if let Some(before) = before {
            self.tell_closed(before, second, time, audience);
        }
        self.tell_open(now, time, audience);
        if self.trades_now() {
            self.tell("ticker", || ticker::event(self, now, time).unwrap_or_default(), audience);
            self.tell("miniTicker", || ticker::mini(self, now, time).unwrap_or_default(), audience);
        }
    }

    fn tell(&self, kind: &str, event: impl FnOnce() -> Value, audience: &dyn Audience) {
        if self.wanted(audience, kind) {
            let event = self.product.worded(kind, event());
            if !event.is_null() {
                self.send(kind, &event, None, audience);
            }
        }
    }

    /// The klines that ended in `before..now`.
    fn tell_closed(&self, before: i64, now: i64, time: i64, audience: &dyn Audience) {
        for interval in interval::ALL {
            let open = interval.open(before);
            if interval.next(open) > now || !self.wanted(audience, &format!("kline_{}", interval.name)) {
                continue;
            }
            for bar in self.bars.klines(interval, (open, interval.open(now) - 1), usize::MAX, false) {
                self.tell_kline(interval, &bar.event(&self.symbol, interval, true), time, audience);
            }
        }
    }

    fn tell_open(&mut self, now: i64, time: i64, audience: &dyn Audience) {
        let last = self.trades.last().map_or(0, |trade| trade.id);
        for (slot, every) in [(0, KLINE_EVERY.0), (1, KLINE_EVERY.1)] {
            let (pushed, seen) = self.pushed[slot];
            if now - pushed < every || seen == last {
                continue;
            }
            self.pushed[slot] = (now, last);
            for interval in interval::ALL.into_iter().filter(|interval| interval.is_second() == (slot == 0)) {
                if !self.wanted(audience, &format!("kline_{}", interval.name)) {
                    continue;
                }
                for bar in self.bars.klines(interval, (interval.open(now), now), 1, true) {
                    self.tell_kline(interval, &bar.event(&self.symbol, interval, false), time, audience);
                }
            }
        }
    }

    fn tell_kline(&self, interval: Interval, bar: &Value, time: i64, audience: &dyn Audience) {
        let event = || json!({"e": "kline", "E": time, "s": self.symbol, "k": bar});
        self.tell(&format!("kline_{}", interval.name), event, audience);
    }
}
