//! The newest closed bars of one market and one interval, made from its ticks.
//!
//! A bar closes when a tick of a later interval comes, never by a clock: until then nobody can know its close. What is
//! being made is [`Unfinished`], of which nothing can be read: a strategy that looks at such a bar does not compile.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{Bar, BarError, Interval};
use crate::messages::Tick;
use crate::time::Timestamp;

/// The most bars that a look-back has.
pub const LOOK_BACK_MAX: usize = 1_000;

/// How many closed bars are kept: 1 to [`LOOK_BACK_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LookBack(u16);

/// So many bars cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a look-back of {0} bars is out of range; ask for 1 to {LOOK_BACK_MAX}")]
pub struct LookBackError(pub usize);

impl LookBack {
    /// So many bars.
    pub const fn new(bars: usize) -> Result<Self, LookBackError> {
        match bars {
            #[allow(clippy::cast_possible_truncation, reason = "the pattern bounds it")]
            1..=LOOK_BACK_MAX => Ok(Self(bars as u16)),
            _ => Err(LookBackError(bars)),
        }
    }

    /// How many bars.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl<'de> Deserialize<'de> for LookBack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(usize::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl fmt::Display for LookBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The bar that is being made, and which intervals are whole: of the others ticks are missing, and a bar without them would
/// be another one. It is kept and taken up again, and becomes a [`Bar`] when it
/// closes. Before that nothing of it can be read: high, low, close and volume are not known before the interval is over.
///
/// ```compile_fail,E0616
/// # use engine::market::{Bar, Unfinished};
/// fn peek(unfinished: &Unfinished) -> Option<Bar> {
///     unfinished.bar
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unfinished {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bar: Option<Bar>,
    /// Ticks are missing before the next one: its interval is not whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lacks: bool,
    /// Only intervals behind the one that opens then are whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    behind: Option<Timestamp>,
    /// When the newest interval opens that is known not to be whole, until its bar is put in from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hole: Option<Timestamp>,
}

/// Bars that closed before the first tick that is taken, as who saw all ticks made them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The newest of them, the oldest first.
    pub bars: Vec<Bar>,
    /// What was being made when the tick before that first one came.
    pub unfinished: Unfinished,
    /// When the interval opens within which the data begin; `None` where they begin with its very start.
    pub partial: Option<Timestamp>,
}

impl History {
    /// Without the bar of the interval that the data do not hold whole.
    #[must_use]
    pub fn of_whole_intervals(mut self) -> Self {
        if let Some(partial) = self.partial.take() {
            self.bars.retain(|bar| bar.open_time != partial);
            if self.unfinished.open_time() == Some(partial) {
                self.unfinished = Unfinished { behind: Some(partial), ..Unfinished::default() };
            }
        }
        self
    }
}

impl Unfinished {
    /// When the bar that is being made opens; `None` where none is.
    pub fn open_time(&self) -> Option<Timestamp> {
        self.bar.map(|bar| bar.open_time)
    }
}

/// Why bars could not be taken up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// One of them is none.
    #[error(transparent)]
    Bar(#[from] BarError),
    /// One is there twice.
    #[error("the bar at {} comes twice; each one comes once", .open_time.millis())]
    Doubled {
        /// When it opens.
        open_time: Timestamp,
    },
    /// One comes after a later one.
    #[error("the bar at {} comes after the one at {}; the oldest comes first", .open_time.millis(), .previous.millis())]
    OutOfOrder {
        /// When it opens.
        open_time: Timestamp,
        /// When the one before it opens.
        previous: Timestamp,
    },
}

/// The newest closed bars of one interval, and the one that is being made.
///
/// ```
/// use engine::market::{BarSeries, Interval, LookBack};
/// use engine::testkit::Market;
///
/// let market = Market { tick_ms: 30_000, ..Market::USUAL };
/// let mut minutes = BarSeries::new(Interval::OneMinute, LookBack::new(2)?);
/// // The test market begins 20 seconds into a minute: its third tick is the first one of the next.
/// assert!(["600", "606"].iter().zip(0..).all(|(price, n)| minutes.take(&market.tick(n, price)).is_none()));
/// assert!(minutes.bars().is_empty(), "nobody sees a bar before it closes");
/// let closed = *minutes.take(&market.tick(2, "598")).expect("a later interval has begun");
/// assert_eq!((closed.high.to_string(), closed.close.to_string(), closed.ticks), ("606".into(), "606".into(), 2));
/// assert_eq!(minutes.bars(), [closed]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct BarSeries {
    interval: Interval,
    look_back: LookBack,
    /// The closed ones, the oldest first. Up to twice the look-back, so that they stay in one piece and are seldom moved.
    closed: Vec<Bar>,
    unfinished: Unfinished,
}

impl BarSeries {
    /// Without any bar.
    pub const fn new(interval: Interval, look_back: LookBack) -> Self {
        Self {
            interval,
            look_back,
            closed: Vec::new(),
            unfinished: Unfinished { bar: None, lacks: false, behind: None, hole: None },
        }
    }

    /// As it was, of its [`bars`](Self::bars), of which the newest are kept, and what was [`unfinished`](Self::unfinished).
    pub fn saved(
        interval: Interval,
        look_back: LookBack,
        closed: Vec<Bar>,
        unfinished: Unfinished,
    ) -> Result<Self, HistoryError> {
        check_order(interval, closed.iter().chain(&unfinished.bar))?;
        let mut series = Self { interval, look_back, closed, unfinished };
        let is_there = |hole: &mut Timestamp| series.closed.iter().any(|bar| bar.open_time == *hole);
        series.unfinished.hole.take_if(is_there);
        series.shorten();
        Ok(series)
    }

    /// How long its bars are.
    pub const fn interval(&self) -> Interval {
        self.interval
    }

    /// How many are kept.
    pub const fn look_back(&self) -> LookBack {
        self.look_back
    }

    /// The newest closed bars, the oldest first, at most as many as the look-back. An interval without a tick, or of which
    /// ticks are missing, has no bar: that is seen by the times of those beside it.
    pub fn bars(&self) -> &[Bar] {
        self.bars_before(0)
    }

    /// The same without the newest of them, as far as those before are still there.
    pub(crate) fn bars_before(&self, newest: usize) -> &[Bar] {
        let end = self.closed.len().saturating_sub(newest);
        let surplus = end.saturating_sub(self.look_back.get());
        self.closed.get(surplus..end).unwrap_or_default()
    }

    /// What must be kept beside the closed bars.
    pub const fn unfinished(&self) -> &Unfinished {
        &self.unfinished
    }

    /// Whether a bar is being made.
    pub const fn has_begun(&self) -> bool {
        self.unfinished.bar.is_some()
    }

    /// Whether there are as many as the look-back.
    pub const fn is_complete(&self) -> bool {
        self.closed.len() >= self.look_back.get()
    }

    /// When the newest interval opens of which a tick was taken, or missed.
    pub fn newest_open(&self) -> Option<Timestamp> {
        let closed = self.closed.last().map(|bar| bar.open_time);
        self.unfinished.open_time().max(self.unfinished.behind).max(closed)
    }

    /// How many of the closed bars follow one another up to where the newest interval opens.
    pub fn unbroken(&self) -> usize {
        let Some(mut next) = self.newest_open() else { return 0 };
        let follows = |bar: &&Bar| {
            let does = bar.open_time.plus_millis(self.interval.millis()) == next;
            next = bar.open_time;
            does
        };
        self.bars().iter().rev().take_while(follows).count()
    }

    /// Takes the next tick; gives the bar that it closes, if it does.
    ///
    /// What comes late, for an interval before that of the newest tick, is left out: a closed bar does not change. Within
    /// an interval the order in which ticks come decides, not their times. A tick that was delivered before must not come.
    pub fn take(&mut self, tick: &Tick) -> Option<&Bar> {
        let open_time = self.interval.open_of(tick.event_time());
        match &mut self.unfinished.bar {
            Some(bar) if bar.open_time == open_time => {
                bar.add(tick.price, tick.volume);
                None
            }
            Some(bar) if bar.open_time > open_time => None,
            Some(_) | None => self.open(open_time, tick),
        }
    }

    /// Ticks are missing before the next one: neither the bar that is being made nor that of the next tick will be whole,
    /// and neither is made.
    pub fn on_gap(&mut self) {
        let behind = self.unfinished.behind.max(self.unfinished.bar.map(|bar| bar.open_time));
        self.unfinished = Unfinished { bar: None, lacks: true, behind, hole: self.unfinished.hole };
    }

    /// When the newest interval opens of which ticks are missing, as long as no bar of it was [put in](Self::put_whole); `None`
    /// too where it is so old that no look-back reaches it.
    pub const fn hole(&self) -> Option<Timestamp> {
        self.unfinished.hole
    }

    /// Puts in bars that somebody else knows whole, the oldest first, in place of what ticks have made of their intervals, the
    /// one that is being made among them. Gives how many of the closed bars are newer than the one that was the newest before.
    pub fn put_whole(&mut self, bars: &[Bar]) -> Result<usize, HistoryError> {
        check_order(self.interval, bars.iter())?;
        let newest = self.closed.last().map(|bar| bar.open_time);
        for bar in bars {
            self.put(*bar);
        }
        let new = self.closed.iter().rev().take_while(|bar| Some(bar.open_time) > newest).count();
        self.shorten();
        Ok(new.min(self.look_back.get()))
    }

    fn put(&mut self, bar: Bar) {
        if let Some(making) = self.unfinished.bar.take_if(|making| making.open_time <= bar.open_time)
            && making.open_time < bar.open_time
        {
            // A later interval has begun.
            self.closed.push(making);
        }
        match self.closed.binary_search_by_key(&bar.open_time, |closed| closed.open_time) {
            Ok(place) => self.closed.iter_mut().skip(place).take(1).for_each(|closed| *closed = bar),
            Err(place) => self.closed.insert(place, bar),
        }
        if self.unfinished.bar.is_none() {
            self.unfinished.behind = self.unfinished.behind.max(Some(bar.open_time));
        }
        if self.unfinished.hole == Some(bar.open_time) {
            self.unfinished.hole = None;
        }
    }

    /// Opens the bar of this tick, which closes the one before.
    fn open(&mut self, open_time: Timestamp, tick: &Tick) -> Option<&Bar> {
        let unfinished = &mut self.unfinished;
        if std::mem::take(&mut unfinished.lacks) {
            unfinished.behind = unfinished.behind.max(Some(open_time));
            unfinished.hole = unfinished.behind;
        }
        let reach = reach(self.interval, self.look_back);
        unfinished.hole.take_if(|hole| open_time.millis_since(*hole) > reach);
        let taken = self.closed.last().map(|last| last.open_time).max(unfinished.behind);
        if taken >= Some(open_time) {
            return None;
        }
        unfinished.behind = None;
        let closed = unfinished.bar.replace(Bar::opened_by(tick.price, tick.volume, open_time))?;
        self.closed.push(closed);
        self.shorten();
        self.closed.last()
    }

    fn shorten(&mut self) {
        let (kept, count) = (self.look_back.get(), self.closed.len());
        if count >= kept.saturating_mul(2) {
            self.closed.drain(..count.saturating_sub(kept));
        }
    }
}

/// Whether these are bars of that length, the oldest first and each once.
fn check_order<'a>(interval: Interval, bars: impl Iterator<Item = &'a Bar> + Clone) -> Result<(), HistoryError> {
    for bar in bars.clone() {
        bar.check(interval)?;
    }
    let mut previous: Option<Timestamp> = None;
    for open_time in bars.map(|bar| bar.open_time) {
        match previous.replace(open_time).map(|previous| (open_time.cmp(&previous), previous)) {
            None | Some((Ordering::Greater, _)) => {}
            Some((Ordering::Equal, _)) => return Err(HistoryError::Doubled { open_time }),
            Some((Ordering::Less, previous)) => return Err(HistoryError::OutOfOrder { open_time, previous }),
        }
    }
    Ok(())
}

/// How far back the bars lie that are looked back on, in milliseconds.
fn reach(interval: Interval, look_back: LookBack) -> i64 {
    interval.millis().saturating_mul(i64::try_from(look_back.get()).unwrap_or(i64::MAX))
}
