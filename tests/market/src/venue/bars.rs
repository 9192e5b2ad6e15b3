//! Klines of the trades that were played.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::trades::Trade;
use crate::amount::Amount;
use crate::interval::Interval;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60_000;
/// Seconds kept: three hours.
const SECONDS_MAX: usize = 10_800;
/// Minutes kept: sixty days.
const MINUTES_MAX: usize = 86_400;

/// One kline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// When it begins, in ms since the epoch.
    pub open_time: i64,
    /// The first price.
    pub open: Amount,
    /// The highest.
    pub high: Amount,
    /// The lowest.
    pub low: Amount,
    /// The last one.
    pub close: Amount,
    /// In the base asset.
    pub volume: Amount,
    /// In the quote asset.
    pub quote: Amount,
    /// Of `volume`, what takers bought.
    pub taker_volume: Amount,
    /// Of `quote`, what takers bought for.
    pub taker_quote: Amount,
    /// How many trades.
    pub count: u64,
    /// Ids of the first and the last trade; none without trades.
    pub ids: Option<(u64, u64)>,
}

impl Bar {
    fn flat(open_time: i64, price: Amount) -> Self {
        Self {
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Amount::ZERO,
            quote: Amount::ZERO,
            taker_volume: Amount::ZERO,
            taker_quote: Amount::ZERO,
            count: 0,
            ids: None,
        }
    }

    /// Adds what comes after it.
    fn add(&mut self, later: &Self) {
        if self.count == 0 && later.count > 0 && self.ids.is_none() {
            // A bar without a trade shows the price before; the exchange opens with the first trade.
            let open_time = self.open_time;
            *self = Self { open_time, ..*later };
            return;
        }
        if later.count == 0 {
            return;
        }
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume += later.volume;
        self.quote += later.quote;
        self.taker_volume += later.taker_volume;
        self.taker_quote += later.taker_quote;
        self.count += later.count;
        self.ids = match (self.ids, later.ids) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (ids, None) | (None, ids) => ids,
        };
    }

    fn of(trade: &Trade, open_time: i64) -> Self {
        let bought = |amount| if trade.buyer_maker { Amount::ZERO } else { amount };
        let quote = trade.price.times(trade.quantity);
        Self {
            volume: trade.quantity,
            quote,
            taker_volume: bought(trade.quantity),
            taker_quote: bought(quote),
            count: 1,
            ids: Some((trade.id, trade.id)),
            ..Self::flat(open_time, trade.price)
        }
    }

    /// As REST answers it: twelve columns.
    pub fn row(&self, interval: Interval) -> Value {
        json!([
            self.open_time,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            interval.next(self.open_time) - 1,
            self.quote,
            self.count,
            self.taker_volume,
            self.taker_quote,
            "0"
        ])
    }

    /// As the stream tells it: the object `k`.
    pub fn event(&self, symbol: &str, interval: Interval, closed: bool) -> Value {
        let id = |id: Option<u64>| id.map_or(json!(-1), |id| json!(id));
        json!({
            "t": self.open_time, "T": interval.next(self.open_time) - 1, "s": symbol, "i": interval.name,
            "f": id(self.ids.map(|ids| ids.0)), "L": id(self.ids.map(|ids| ids.1)),
            "o": self.open, "c": self.close, "h": self.high, "l": self.low,
            "v": self.volume, "n": self.count, "x": closed, "q": self.quote,
            "V": self.taker_volume, "Q": self.taker_quote, "B": "0"
        })
    }
}

/// Bars of one length, the oldest forgotten.
struct Series {
    step: i64,
    max: usize,
    bars: VecDeque<Bar>,
    /// The first bar that does not exist yet.
    next: i64,
}

impl Series {
    const fn new(step: i64, max: usize) -> Self {
        Self { step, max, bars: VecDeque::new(), next: 0 }
    }

    fn push(&mut self, bar: Bar) {
        if self.bars.len() == self.max {
            self.bars.pop_front();
        }
        self.bars.push_back(bar);
    }

    /// Time goes on to `now`. While there is trading, a time without a trade has a bar too.
    fn pass(&mut self, now: i64, trading: bool) {
        let current = now.div_euclid(self.step) * self.step;
        let last = self.bars.back().map(|bar| bar.close).filter(|_| trading);
        if let Some(price) = last {
            while self.next <= current {
                self.push(Bar::flat(self.next, price));
                self.next += self.step;
            }
        }
        self.next = self.next.max(current + self.step);
    }

    fn trade(&mut self, trade: &Trade) {
        let open_time = trade.time.div_euclid(self.step) * self.step;
        let bar = Bar::of(trade, open_time);
        match self.bars.iter_mut().rev().take(3).find(|bar| bar.open_time <= open_time) {
            Some(at) if at.open_time == open_time => at.add(&bar),
            _ => self.push(bar),
        }
        self.next = self.next.max(open_time + self.step);
    }
}

/// The klines of a symbol.
pub struct Bars {
    seconds: Series,
    minutes: Series,
}

impl Default for Bars {
    fn default() -> Self {
        Self { seconds: Series::new(SECOND, SECONDS_MAX), minutes: Series::new(MINUTE, MINUTES_MAX) }
    }
}

impl Bars {
    /// Time goes on.
    pub fn pass(&mut self, now: i64, trading: bool) {
        self.seconds.pass(now, trading);
        self.minutes.pass(now, trading);
    }

    /// Adds a trade.
    pub fn trade(&mut self, trade: &Trade) {
        self.seconds.trade(trade);
        self.minutes.trade(trade);
    }

    /// Klines that begin in `from..=to`, in ms since the epoch: the first `limit` of them, or the last ones if
    /// `newest`.
    pub fn klines(&self, interval: Interval, (from, to): (i64, i64), limit: usize, newest: bool) -> Vec<Bar> {
        let series = if interval.is_second() { &self.seconds } else { &self.minutes };
        let mut bars: Vec<Bar> = Vec::new();
        let begins = |bar: &&Bar| (from..=to).contains(&interval.open(bar.open_time));
        if newest {
            for bar in series.bars.iter().rev().skip_while(|bar| interval.open(bar.open_time) > to).take_while(begins) {
                let open_time = interval.open(bar.open_time);
                let mut merged = Bar { open_time, ..*bar };
                if bars.last().is_some_and(|last| last.open_time == open_time) {
                    if let Some(later) = bars.pop() {
                        merged.add(&later);
                    }
                } else if bars.len() == limit {
                    break;
                }
                bars.push(merged);
            }
            bars.reverse();
            return bars;
        }
        let first = series.bars.partition_point(|bar| interval.open(bar.open_time) < from);
        for bar in series.bars.range(first..).take_while(begins) {
            let open_time = interval.open(bar.open_time);
            let full = bars.len() == limit;
            match bars.last_mut().filter(|last| last.open_time == open_time) {
                Some(last) => last.add(bar),
                None if full => break,
                None => bars.push(Bar { open_time, ..*bar }),
            }
        }
        bars
    }

    /// The bar of all minutes that begin at or after `from`.
    pub fn since(&self, from: i64) -> Option<Bar> {
        let first = self.minutes.bars.partition_point(|bar| bar.open_time < from);
        let mut bars = self.minutes.bars.range(first..);
        let mut sum = *bars.next()?;
        bars.for_each(|bar| sum.add(bar));
        Some(sum)
    }
}
