//! The exchange: its markets, and the sources that are played into them.

pub mod bars;
pub mod book;
pub mod events;
pub mod market;
pub mod rules;
pub mod ticker;
pub mod trades;

use std::iter::Peekable;

use crate::source::{Event, Source};
use market::{Audience, Market};
use rules::{Book, RulesError};

struct Playing {
    market: usize,
    /// What is added to the source's times.
    shift: i64,
    events: Peekable<Box<dyn Iterator<Item = Event> + Send>>,
}

/// The exchange. It has no clock and no connection: it is told how late it is and who listens.
pub struct Venue {
    /// The rules from which exchangeInfo is answered.
    pub book: Book,
    /// By how much it tells a wrong time, in ms.
    pub offset: i64,
    markets: Vec<Market>,
    playing: Vec<Playing>,
    now: i64,
}

struct Nobody;

impl Audience for Nobody {
    fn wants(&self, _stream: &str) -> bool {
        false
    }
    fn hear(&self, _frame: market::Frame) {}
}

impl Venue {
    /// An exchange that stands at `start` (ms since the epoch), at which each source has come to its `from` (of the
    /// source's own time). What lies before is already played.
    pub fn new(book: Book, sources: Vec<(Source, i64)>, start: i64) -> Result<Self, RulesError> {
        let mut venue = Self { book, offset: 0, markets: Vec::new(), playing: Vec::new(), now: 0 };
        for (source, from) in sources {
            let shift = (start - from).div_euclid(source.step) * source.step;
            let rules = venue.book.of(&source.symbol)?;
            venue.markets.push(Market::new(venue.book.product, rules, &source));
            let events = source.events.peekable();
            venue.playing.push(Playing { market: venue.markets.len() - 1, shift, events });
        }
        while venue.play(start - 1, usize::MAX, &Nobody) {}
        Ok(venue)
    }

    /// When the next event comes, in ms since the epoch.
    pub fn upcoming(&mut self) -> Option<i64> {
        self.playing.iter_mut().filter_map(|source| Some(source.events.peek()?.at + source.shift)).min()
    }

    /// Plays what comes up to `now`, at most so many events; whether there is more.
    pub fn play(&mut self, now: i64, most: usize, audience: &dyn Audience) -> bool {
        for _ in 0..most {
            let due = self.playing.iter_mut().filter_map(|source| {
                let at = source.events.peek()?.at + source.shift;
                (at <= now).then_some((at, source))
            });
            let Some((at, source)) = due.min_by_key(|(at, _)| *at) else {
                self.pass(now, audience);
                return false;
            };
            let market = source.market;
            let event = source.events.next().map(|event| event.later(source.shift, 0));
            self.pass(at, audience);
            if let (Some(event), Some(market)) = (event, self.markets.get_mut(market)) {
                market.play(&event, self.offset, audience);
            }
        }
        true
    }

    fn pass(&mut self, now: i64, audience: &dyn Audience) {
        if now > self.now {
            self.now = now;
            for market in &mut self.markets {
                market.pass(now, self.offset, audience);
            }
        }
    }

    /// How late it is, told wrong by the offset; in ms since the epoch.
    pub fn time(&self, now: i64) -> i64 {
        now + self.offset
    }

    /// The symbols that it knows.
    pub fn markets(&self) -> impl Iterator<Item = &Market> {
        self.markets.iter().filter(|market| !market.delisted)
    }

    /// One of them.
    pub fn market(&self, symbol: &str) -> Option<&Market> {
        self.markets().find(|market| market.symbol == symbol)
    }

    /// One of them, to be changed; also a delisted one.
    pub fn market_mut(&mut self, symbol: &str) -> Option<&mut Market> {
        self.markets.iter_mut().find(|market| market.symbol == symbol)
    }
}
