//! Messages of the streams: trades and quotes of followed markets, answers, and what does not read.

use std::borrow::Cow;
use std::collections::VecDeque;

use engine::time::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::clock::Now;
use super::super::market::Market;
use super::super::product::Kind;
use super::{ConnectionId, Machine};
use crate::binance::stream::{self, Aggregate, BookTicker, ParseError, StreamEvent, Trade};
use crate::data;
use crate::live::{HoleCause, News, Traffic};

/// Malformed frames are told of no more often.
const TOLD_MILLIS: u64 = 60_000;
/// How much of a frame is shown.
const SHOWN_MAX: usize = 120;

/// Frames that did not read.
#[derive(Debug, Default)]
pub(super) struct Malformed {
    count: u64,
    problem: String,
    told_at: Option<u64>,
}

impl Malformed {
    fn add(&mut self, problem: &str, frame: &str) {
        self.count = self.count.saturating_add(1);
        self.problem = format!("{problem}: {}", data::shown_line(frame, SHOWN_MAX));
    }

    pub(super) fn tell(&mut self, now: u64, news: &mut VecDeque<News>) {
        let is_due = self.told_at.is_none_or(|told_at| now.saturating_sub(told_at) >= TOLD_MILLIS);
        if self.count > 0 && is_due {
            self.told_at = Some(now);
            news.push_back(News::Malformed {
                count: std::mem::take(&mut self.count),
                problem: std::mem::take(&mut self.problem),
            });
        }
    }
}

/// What the venue says beside its streams.
#[derive(Deserialize)]
struct Said<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
    event: Option<Event<'a>>,
    data: Option<Event<'a>>,
    error: Option<Refused<'a>>,
    #[serde(borrow)]
    msg: Option<Cow<'a, str>>,
    /// Of a snapshot of the book, as recordings have one.
    #[serde(rename = "lastUpdateId")]
    last_update_id: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Refused<'a> {
    #[serde(borrow)]
    msg: Option<Cow<'a, str>>,
}

/// What is wrong with a message: in one word, and in words.
type Problem<'a> = (&'static str, &'a str);

const STRANGE: Problem<'static> = ("market", "a market that was not asked for");

/// Whether the two times of a trade agree. One wrong digit would close every bar up to its year.
fn is_plausible(trade: &Trade<'_>) -> bool {
    /// The venue writes a trade's message within milliseconds.
    const APART_MILLIS: u64 = 60_000;
    trade.event_time.is_none_or(|event| event.millis().abs_diff(trade.time.millis()) <= APART_MILLIS)
}

const SHUTDOWN: &str = "serverShutdown";

impl Machine {
    /// A message came. Whether it told something of a market that was not known: only such ones belong in a recording.
    pub(in super::super) fn frame(&mut self, id: ConnectionId, text: &str, received: Timestamp, now: u64) -> bool {
        if !self.connections.contains_key(&id) {
            return false;
        }
        self.heard_from(id, Now { millis: now, wall: received });
        let parsed = stream::parse(text);
        let stream = match &parsed {
            Ok(StreamEvent::Trade(_) | StreamEvent::OffMarketTrade { .. }) => "trade",
            Ok(StreamEvent::Aggregate(_)) => "aggTrade",
            Ok(StreamEvent::BookTicker(_)) => "bookTicker",
            Ok(StreamEvent::MarkPrice(_) | StreamEvent::Other) => "other",
            Ok(StreamEvent::Raw { .. }) | Err(_) => "unread",
        };
        self.came(stream, text.len());
        match &parsed {
            Ok(StreamEvent::Trade(trade) | StreamEvent::Aggregate(Aggregate { trade, .. })) if !is_plausible(trade) => {
                self.refuse(id, ("time", "the trade's time is not near its message's"), text)
            }
            Ok(StreamEvent::Trade(trade) | StreamEvent::Aggregate(Aggregate { trade, .. }))
                if self.is_strange(&trade.symbol) =>
            {
                self.refuse(id, STRANGE, text)
            }
            Ok(StreamEvent::Trade(trade)) => {
                self.take_trade((id, Kind::Trade), &trade.symbol, trade.id, |market, news| {
                    market.trade(trade, received, news)
                })
            }
            Ok(StreamEvent::OffMarketTrade { symbol, id: number }) => {
                self.take_trade((id, Kind::Trade), symbol, *number, |market, news| {
                    market.off_market(*number, received, news)
                })
            }
            Ok(StreamEvent::Aggregate(told)) => {
                self.judge_aggregate(now);
                self.take_trade((id, Kind::Aggregate), &told.trade.symbol, told.last, |market, news| {
                    market.aggregate(told, received, news)
                })
            }
            Ok(StreamEvent::BookTicker(book)) => self.take_quote(id, book, text),
            // Nothing asks for it.
            Ok(StreamEvent::MarkPrice(_)) => false,
            Ok(StreamEvent::Other) => {
                self.take_said(id, text, now);
                false
            }
            Ok(StreamEvent::Raw { .. }) => self.refuse(id, ("stream", "a message without its stream's name"), text),
            Err(ParseError::Message { problem, column }) => {
                self.refuse(id, ("json", &format!("{problem} at byte {column}")), text)
            }
            Err(problem @ ParseError::Field { .. }) => self.refuse(id, ("field", &problem.to_string()), text),
        }
    }

    fn take_trade(
        &mut self,
        (id, kind): (ConnectionId, Kind),
        name: &str,
        number: u64,
        take: impl FnOnce(&mut Market, &mut VecDeque<News>) -> bool,
    ) -> bool {
        if kind == Kind::Trade {
            self.have_trades(id);
        }
        // Of a kind that was left, or is only looked at, nothing is taken.
        let Some(market) = self.markets.get_mut(name).filter(|_| kind == self.trades_as) else { return false };
        if market.is_from(id) {
            return take(market, &mut self.news);
        }
        // The next connection gives it already: it takes over once this trade has come on the old one too.
        if let Some(connection) = self.connections.get_mut(&id) {
            let seen = connection.seen.entry(name.to_owned()).or_insert(number);
            *seen = number.max(*seen);
        }
        false
    }

    /// Quotes come from where the trades come from.
    fn take_quote(&mut self, id: ConnectionId, book: &BookTicker<'_>, text: &str) -> bool {
        if self.is_strange(&book.symbol) {
            return self.refuse(id, STRANGE, text);
        }
        let market = self.markets.get_mut(&*book.symbol).filter(|market| market.is_from(id));
        match market.map(|market| market.book(book)) {
            Some(Ok(())) => true,
            Some(Err(_)) => self.refuse(id, ("quote", "the bid is above the ask"), text),
            None => false,
        }
    }

    /// Whether the market is none that was ever asked for. Of one that was left some messages are under way.
    fn is_strange(&self, name: &str) -> bool {
        !self.markets.contains_key(name) && !self.left.contains(name)
    }

    fn take_said(&mut self, id: ConnectionId, text: &str, now: u64) {
        // Another stream's message says nothing that is wanted, but that the venue goes.
        if text.contains("\"stream\"") && !text.contains(SHUTDOWN) {
            return;
        }
        let Ok(said) = serde_json::from_str::<Said<'_>>(text) else {
            self.refuse(id, ("answer", "neither a stream's message nor an answer"), text);
            return;
        };
        let events = [said.e, said.event.and_then(|event| event.e), said.data.and_then(|event| event.e)];
        if events.into_iter().flatten().any(|event| event == SHUTDOWN) {
            self.ends_soon(id, now);
        } else if let Some(problem) = said.error.map(|refused| refused.msg).or(said.msg.map(Some)) {
            self.refused(id, problem.as_deref().unwrap_or("nothing more"), now);
        } else if said.last_update_id.is_none()
            && let Some(connection) = self.connections.get_mut(&id)
            && !said.id.is_some_and(|answered| connection.requests.answered(answered))
        {
            self.refuse(id, ("answer", "neither a stream's message nor an awaited answer"), text);
        }
    }

    /// A message that is no text came.
    pub(in super::super) fn binary(&mut self, id: ConnectionId, bytes: usize, now: Now) {
        self.heard_from(id, now);
        self.came("unread", bytes);
        self.refuse(id, ("binary", "a message that is no text"), &format!("{bytes} bytes"));
    }

    fn came(&mut self, stream: &'static str, bytes: usize) {
        Traffic::count(&mut self.traffic.frames, stream);
        self.traffic.bytes = self.traffic.bytes.saturating_add(bytes as u64);
    }

    /// Counts a frame that changes nothing. If it was a trade, that one is missing.
    pub(in super::super) fn refuse(&mut self, id: ConnectionId, (kind, problem): Problem<'_>, frame: &str) -> bool {
        Traffic::count(&mut self.traffic.malformed, kind);
        self.malformed.add(problem, frame);
        let market = frame.split_once("\"stream\":\"").and_then(|(_, stream)| stream.split_once('@'));
        match market {
            Some((_, stream)) if stream.starts_with("bookTicker\"") => {}
            Some((name, _)) if self.markets.contains_key(&name.to_ascii_uppercase()) => {
                if let Some(market) = self.markets.get_mut(&name.to_ascii_uppercase()) {
                    market.may_miss(HoleCause::Malformed);
                }
            }
            Some(_) | None => {
                let of_it = self.markets.values_mut().filter(|market| market.is_from(id));
                of_it.for_each(|market| market.may_miss(HoleCause::Malformed));
            }
        }
        false
    }
}
