//! What a source tells, as a feed takes it: gathered into one commit, without what is too old to be traded on.

use std::collections::BTreeMap;

use crds::source::{FEED_BANNED, FEED_REGION, FEED_UNREACHABLE, SourceMarket, SourceMarketState};
use engine::instrument::{Rules, Symbol};
use venue::live::{HoleCause, Link, LinkFault, LiveTrade, MarketRules, MarketState, News};

use super::{BATCH_MAX, LiveFeed};
use crate::roles::{Bus, Stop};

/// News that wait here at most: past that they wait at the source.
const WAITING_MAX: usize = 10_000;

/// What is told in one commit.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// In the order in which they were told.
    pub market: Vec<Market>,
    /// How the way to the venue is now.
    pub link: Option<Link>,
    /// The markets of which it tells.
    pub markets: BTreeMap<Symbol, MarketRules>,
    /// The markets of which trades come, and no quote.
    pub unquoted: Vec<Symbol>,
    /// The venue was heard of.
    pub alive: bool,
}

/// What is told of a market.
#[derive(Debug)]
pub(super) enum Market {
    Trade(LiveTrade),
    /// Trades are missing before its next one.
    Hole(Symbol, HoleCause),
}

impl Told {
    fn is_empty(&self) -> bool {
        let Self { market, link, markets, unquoted, alive } = self;
        market.is_empty() && link.is_none() && markets.is_empty() && unquoted.is_empty() && !alive
    }
}

impl<B: Bus> LiveFeed<B> {
    /// Takes what waits, up to a commit's size. Where this process or the source was not scheduled, nothing of what had piled up
    /// is traded on: all that wait are looked through for such a word first.
    pub(super) async fn take(&mut self) -> Result<(), Stop> {
        while self.waiting.len() < WAITING_MAX
            && let Ok(next) = self.live.news.try_recv()
        {
            self.waiting.push_back(next);
        }
        let mut told = Told::default();
        self.drop_stale(&mut told);
        while told.market.len() < BATCH_MAX
            && let Some(news) = self.waiting.pop_front()
        {
            self.note(news, &mut told);
        }
        if told.is_empty() { Ok(()) } else { self.store(told).await }
    }

    fn drop_stale(&mut self, told: &mut Told) {
        let missed = self.pulse.missed();
        if let Some(missed) = missed {
            tracing::warn!(millis = missed.as_millis(), "this process was not scheduled: what had piled up is dropped");
        }
        let suspended = self.waiting.iter().rposition(|news| matches!(news, News::Suspended { .. }));
        let count = if missed.is_some() { self.waiting.len() } else { suspended.map_or(0, |last| last + 1) };
        let stale: Vec<_> = self.waiting.drain(..count).collect();
        for news in stale {
            if matches!(news, News::Trade(_) | News::Alive { .. }) {
                self.numbers.are_missing(HoleCause::Suspend);
            } else {
                self.note(news, told);
            }
        }
    }

    fn note(&mut self, news: News, told: &mut Told) {
        match news {
            News::Trade(trade) => told.market.push(Market::Trade(trade)),
            News::Hole(hole) => told.market.push(Market::Hole(hole.symbol, hole.cause)),
            News::Rules(rules) => told.markets.extend(rules),
            News::Link(link) => told.link = Some(link),
            News::Alive { .. } => told.alive = true,
            News::Unquoted(symbol) => {
                tracing::warn!("{}", crds::source::without_quotes(&symbol));
                told.unquoted.push(symbol);
            }
            News::Malformed { count, problem } => {
                tracing::warn!(count, "frames of the venue do not read, the last one: {problem}");
            }
            News::Notice(words) => tracing::warn!("{words}"),
            News::Suspended { millis } => {
                self.numbers.are_missing(HoleCause::Suspend);
                tracing::warn!(millis, "the source was not scheduled: what had piled up is dropped");
            }
        }
    }
}

/// The reason of a link in one word, and in words; empty where it is up.
pub(super) fn reason(link: Link) -> (&'static str, String) {
    match link {
        Link::Up => ("", String::new()),
        Link::Down(LinkFault::Unreachable(message)) => (FEED_UNREACHABLE, message),
        Link::Down(LinkFault::Banned { message, .. }) => (FEED_BANNED, message),
        Link::Down(LinkFault::Region(message)) => (FEED_REGION, message),
    }
}

/// A market as the record holds it. `Err`: the venue's rules cannot be ours.
pub(super) fn market(rules: MarketRules) -> Result<SourceMarket, String> {
    let MarketRules { state, steps, suggestion } = rules;
    let state = match state {
        MarketState::Trading => SourceMarketState::Trading,
        MarketState::CancelOnly => SourceMarketState::CancelOnly,
        MarketState::Halted => SourceMarketState::Halted,
        MarketState::Unknown => SourceMarketState::Unknown,
    };
    let number = |text: String| text.parse().map_err(|error| format!("{text}: {error}"));
    let rules = match steps {
        None => None,
        Some(steps) => {
            let rules = Rules {
                tick_size: number(steps.tick_size.get().normalize().to_string())?,
                lot_size: number(steps.lot_size.get().normalize().to_string())?,
                min_notional: number(steps.min_notional.get().normalize().to_string())?,
            };
            let faults = rules.validate("rules");
            if !faults.is_empty() {
                return Err(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
            }
            Some(rules)
        }
    };
    Ok(SourceMarket { state, rules, suggestion })
}
