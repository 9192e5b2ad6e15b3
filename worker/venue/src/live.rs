//! A live source of prices, as its user sees it: news in one channel, wishes in another. Who speaks with a venue stands on the
//! other end and keeps to itself how: connections, back-off, what is sent twice. Knows no bus and no store.

use std::collections::BTreeMap;

use engine::instrument::{Asset, Symbol};
use engine::market::{Bar, Interval};
use engine::numbers::{Notional, Price, Quantity, Volume};
use engine::time::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

mod traffic;

pub use traffic::{Counts, Traffic};

/// News that wait for their reader, at most: past that the source stops reading its connections.
const NEWS_MAX: usize = 10_000;

/// A trade, with the quotes that were the last before it. There is none before both sides were quoted once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveTrade {
    /// The market.
    pub symbol: Symbol,
    /// The venue's number, dense per market; of trades that are told as one, the last one's.
    pub id: u64,
    /// What was paid.
    pub price: Price,
    /// What was traded, in base.
    pub volume: Volume,
    /// The best price to sell at; `None` where nobody buys.
    pub bid: Option<Price>,
    /// The best price to buy at; `None` where nobody sells.
    pub ask: Option<Price>,
    /// Base on offer at `bid`.
    pub bid_size: Quantity,
    /// Base on offer at `ask`.
    pub ask_size: Quantity,
    /// The venue's time.
    pub time: Timestamp,
    /// When its frame was read.
    pub received: Timestamp,
}

/// The trade up to which a market is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastTrade {
    /// The venue's number.
    pub id: u64,
    /// The venue's time.
    pub time: Timestamp,
}

/// Why trades are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoleCause {
    /// Nobody listened: the feed was not running.
    Restart,
    /// The connection was lost.
    Disconnect,
    /// This process was not scheduled, or the machine slept; what had piled up was dropped.
    Suspend,
    /// The venue's numbers jumped on a connection that was well.
    Skipped,
    /// A frame did not read.
    Malformed,
}

impl HoleCause {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "Restart",
            Self::Disconnect => "Disconnect",
            Self::Suspend => "Suspend",
            Self::Skipped => "Skipped",
            Self::Malformed => "Malformed",
        }
    }
}

/// Trades of a market that are missing before its next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The market.
    pub symbol: Symbol,
    /// Why.
    pub cause: HoleCause,
    /// The time of the last trade before it.
    pub from: Timestamp,
    /// The time of the first trade after it.
    pub to: Timestamp,
    /// How many are missing; where trades are told in aggregates, how many of these.
    pub missed: u64,
}

/// What may be done on a market now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarketState {
    /// Everything.
    Trading,
    /// Orders may be cancelled.
    CancelOnly,
    /// Nothing for now.
    Halted,
    /// The venue has no such market, or has it no more.
    Unknown,
}

/// The rules of a market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketRules {
    /// What may be done.
    pub state: MarketState,
    /// The step of prices; absent where the market is unknown.
    pub steps: Option<MarketSteps>,
    /// The nearest name that the venue has, where it does not have this one.
    pub suggestion: Option<String>,
}

/// The steps of a market's orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketSteps {
    /// The step of prices.
    pub tick_size: Price,
    /// The step of quantities.
    pub lot_size: Quantity,
    /// The least worth of an order, in quote.
    pub min_notional: Notional,
    /// What is bought and sold.
    pub base: Asset,
    /// What is paid with.
    pub quote: Asset,
}

/// How the way to the venue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Every market's streams are subscribed.
    Up,
    /// They are not, and it is tried again.
    Down(LinkFault),
}

/// Why there is no way to the venue. The words name the place, what came from there, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// No answer, or none that makes sense: FeedUnreachable.
    #[error("{0}")]
    Unreachable(String),
    /// The venue has banned this address until then: FeedBanned.
    #[error("{message}")]
    Banned {
        /// When it ends, where the venue says.
        until: Option<Timestamp>,
        /// In words.
        message: String,
    },
    /// The venue does not serve this place: FeedRegion.
    #[error("{0}")]
    Region(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A trade.
    Trade(LiveTrade),
    /// Trades are missing before the next one of a market.
    Hole(Hole),
    /// The rules of these markets: of each one that was asked for at first, later of those whose rules have changed.
    Rules(BTreeMap<Symbol, MarketRules>),
    /// The way to the venue is another than before.
    Link(Link),
    /// Every connection has had a frame or a pong since the last of these; at most once a second.
    Alive {
        /// When the oldest of these came.
        at: Timestamp,
    },
    /// Frames that did not read, since the last of these, and the last one's problem.
    Malformed {
        /// How many.
        count: u64,
        /// Why, with the beginning of the frame.
        problem: String,
    },
    /// Trades of a market have come for seconds, and no quote: there is no [`News::Trade`] of them. Told once.
    Unquoted(Symbol),
    /// What its user should know, in words; nothing is lost by it, and nothing is to be done: another host of the venue is
    /// used, the clock is wrong.
    Notice(String),
    /// This process was not scheduled for so long; whatever news came before this one and was not read yet is not to be
    /// traded on.
    Suspended {
        /// For how long.
        millis: u64,
    },
}

/// What the user of a source wishes.
#[derive(Debug)]
pub enum Wish {
    /// From now on these markets, each from the trade that is known, where one is. Those that were followed already go on.
    Follow(BTreeMap<Symbol, Option<LastTrade>>),
    /// Nothing more from the venue but what has come already: once that is told, the source ends.
    Finish,
    /// Closed candles, in the order of time.
    Candles(CandlesWanted, oneshot::Sender<Result<Vec<Bar>, LinkFault>>),
}

/// Which candles: those that open at or after `from` and before `to`. `ticks` of each is the venue's count of trades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandlesWanted {
    /// The market.
    pub symbol: Symbol,
    /// How long they are.
    pub interval: Interval,
    /// The first to open.
    pub from: Timestamp,
    /// Where they end.
    pub to: Timestamp,
}

/// The user's end of a source. When it is dropped, the source ends.
#[derive(Debug)]
pub struct Live {
    /// What happens.
    pub news: mpsc::Receiver<News>,
    wishes: mpsc::UnboundedSender<Wish>,
    traffic: watch::Receiver<Traffic>,
}

/// The source's end.
#[derive(Debug)]
pub struct LiveSource {
    /// What it tells.
    pub news: mpsc::Sender<News>,
    /// What it is asked for; ends when nobody listens any more.
    pub wishes: mpsc::UnboundedReceiver<Wish>,
    /// What has passed, told about once a second.
    pub traffic: watch::Sender<Traffic>,
}

/// Both ends.
#[must_use]
pub fn live() -> (Live, LiveSource) {
    let (news_sender, news) = mpsc::channel(NEWS_MAX);
    let (wishes, wishes_receiver) = mpsc::unbounded_channel();
    let (traffic_sender, traffic) = watch::channel(Traffic::default());
    let source = LiveSource { news: news_sender, wishes: wishes_receiver, traffic: traffic_sender };
    (Live { news, wishes, traffic }, source)
}

impl Live {
    /// From now on these markets. A source that has ended hears nothing: its channel of news tells.
    pub fn follow(&self, markets: BTreeMap<Symbol, Option<LastTrade>>) {
        let _ = self.wishes.send(Wish::Follow(markets));
    }

    /// Ends the source without losing what its venue has sent until it hears of this: news go on until all of it is told, then
    /// their channel ends. Who does not want it drops this.
    pub fn finish(&self) {
        let _ = self.wishes.send(Wish::Finish);
    }

    /// What has passed between the source and its venue, as of about a second ago.
    pub fn traffic(&self) -> Traffic {
        self.traffic.borrow().clone()
    }

    /// Closed candles of the venue.
    ///
    /// It is asked for at once, and the answer does not borrow: news go on meanwhile.
    pub fn candles(&self, wanted: CandlesWanted) -> impl Future<Output = Result<Vec<Bar>, LinkFault>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let sent = self.wishes.send(Wish::Candles(wanted, answer)).is_ok();
        async move {
            let gone = || LinkFault::Unreachable("the source of live prices has ended".to_owned());
            if !sent {
                return Err(gone());
            }
            answered.await.map_err(|_| gone())?
        }
    }
}
