//! The trades that were played, and their aggregates.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::amount::Amount;

/// Trades and aggregates kept of a symbol.
const KEPT: usize = 50_000;

/// A trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// Dense: one more than that of the trade before.
    pub id: u64,
    /// In the quote asset.
    pub price: Amount,
    /// In the base asset.
    pub quantity: Amount,
    /// In ms since the epoch.
    pub time: i64,
    /// Whether the seller was the taker.
    pub buyer_maker: bool,
}

impl Trade {
    /// As REST answers it.
    pub fn row(&self) -> Value {
        json!({
            "id": self.id, "price": self.price, "qty": self.quantity,
            "quoteQty": self.price.times(self.quantity), "time": self.time,
            "isBuyerMaker": self.buyer_maker, "isBestMatch": true
        })
    }
}

/// Trades at one price, time and side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aggregate {
    /// Dense.
    pub id: u64,
    /// Its price, time and side, and the sum of the quantities; its id is the first trade's.
    pub first: Trade,
    /// The last trade's.
    pub last_id: u64,
}

impl Aggregate {
    /// As REST answers it.
    pub fn row(&self) -> Value {
        json!({
            "a": self.id, "p": self.first.price, "q": self.first.quantity, "f": self.first.id, "l": self.last_id,
            "T": self.first.time, "m": self.first.buyer_maker, "M": true
        })
    }
}

/// The last trades of a symbol.
pub struct Trades {
    next: u64,
    next_aggregate: u64,
    kept: VecDeque<Trade>,
    aggregates: VecDeque<Aggregate>,
    pending: Option<Aggregate>,
}

impl Trades {
    /// None yet; the first one gets this id.
    pub const fn new(first: u64) -> Self {
        let kept = VecDeque::new();
        Self { next: first, next_aggregate: first, kept, aggregates: VecDeque::new(), pending: None }
    }

    /// Adds a trade, whose id is given here. Also the aggregate that ends before it.
    pub fn add(&mut self, mut trade: Trade) -> (Trade, Option<Aggregate>) {
        trade.id = self.next;
        self.next += 1;
        keep(&mut self.kept, trade);
        let same = |first: &Trade| {
            (first.price, first.time, first.buyer_maker) == (trade.price, trade.time, trade.buyer_maker)
        };
        if let Some(pending) = self.pending.as_mut().filter(|pending| same(&pending.first)) {
            pending.first.quantity += trade.quantity;
            pending.last_id = trade.id;
            return (trade, None);
        }
        let ended = self.flush();
        self.pending = Some(Aggregate { id: self.next_aggregate, first: trade, last_id: trade.id });
        self.next_aggregate += 1;
        (trade, ended)
    }

    /// A trade that is none of the market: it takes an id.
    pub const fn pass_over(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        id
    }

    /// Ends the aggregate to which nothing more can come: its time is over.
    pub fn pass(&mut self, now: i64) -> Option<Aggregate> {
        let over = self.pending.is_some_and(|pending| pending.first.time < now);
        if over { self.flush() } else { None }
    }

    fn flush(&mut self) -> Option<Aggregate> {
        let ended = self.pending.take();
        if let Some(aggregate) = ended {
            keep(&mut self.aggregates, aggregate);
        }
        ended
    }

    /// The last trade.
    pub fn last(&self) -> Option<&Trade> {
        self.kept.back()
    }

    /// The last ones, oldest first.
    pub fn newest(&self, limit: usize) -> impl Iterator<Item = &Trade> {
        self.kept.range(self.kept.len().saturating_sub(limit)..)
    }

    /// From that id on.
    pub fn from(&self, id: u64, limit: usize) -> impl Iterator<Item = &Trade> {
        self.kept.range(self.kept.partition_point(|trade| trade.id < id)..).take(limit)
    }

    /// Aggregates: from an id on, or within times from the earliest, or the last ones.
    pub fn aggregates(&self, from: Option<u64>, times: Option<(i64, i64)>, limit: usize) -> Vec<&Aggregate> {
        let all = &self.aggregates;
        if let Some(id) = from {
            return all.range(all.partition_point(|aggregate| aggregate.id < id)..).take(limit).collect();
        }
        if let Some((begin, end)) = times {
            let inside = |aggregate: &&Aggregate| (begin..=end).contains(&aggregate.first.time);
            return all.iter().filter(inside).take(limit).collect();
        }
        all.range(all.len().saturating_sub(limit)..).collect()
    }
}

fn keep<T>(kept: &mut VecDeque<T>, item: T) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(item);
}
