//! What a feed's record tells its readers, and what theirs tell their feed: how far the ticks are out, which bars are
//! needed, and which are kept. Pure.

use bus::{Entry, Fields, Poison, StreamKey, excerpt};
use engine::instrument::Symbol;
use engine::market::{Bar, BarSeries, HistoryError, Interval, LOOK_BACK_MAX, LookBack, Unfinished};
use engine::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The field of a feed's record that holds the sequence of the next tick.
pub const NEXT: &str = "next";
/// The field of a feed's record that is set once the last tick is out.
pub const ENDED: &str = "ended";
/// The field of a feed's record that tells which bars it keeps, as of its position.
pub const BARS: &str = "bars";
/// The field of a replay's record that tells the bars that its recordings hold whole; absent where they hold none.
pub const WHOLE: &str = "whole";
/// The field of a strategy's record that tells which bars it needs; absent where it needs none.
pub const NEEDS: &str = "needs";
/// Entries at most that are read of a list of bars: those that are kept, and what its store has not removed yet.
pub const LIST_MAX: usize = 2 * LOOK_BACK_MAX;

/// Bars that a strategy needs. In its record, so only fields with a default are added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NeededBars {
    /// Of which market.
    pub symbol: Symbol,
    /// How long they are.
    pub interval: Interval,
    /// On how many it looks back.
    pub look_back: LookBack,
}

/// Bars that a feed keeps, as of the position of its record. In that record, so only fields with a default are added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptBars {
    /// Of which market.
    pub symbol: Symbol,
    /// How long they are.
    pub interval: Interval,
    /// How many are kept.
    pub look_back: LookBack,
    /// How many there are by now.
    pub count: usize,
    /// When the oldest of them opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// When the newest of them opens, where none is being made: else that tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
    /// What is being made.
    pub unfinished: Unfinished,
    /// When the interval opens within which the data begin; absent where they begin with its very start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Timestamp>,
}

/// Bars that a recording holds of intervals with a hole, the oldest first. In a feed's record, so only fields with a default
/// are added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedBars {
    /// Of which market.
    pub symbol: Symbol,
    /// How long they are.
    pub interval: Interval,
    /// Them.
    pub bars: Vec<Bar>,
}

/// Why a list is not the one that the record tells of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// An entry does not read.
    #[error("entry {id} of {stream} does not read: {problem}")]
    Entry {
        /// Which.
        id: String,
        /// Of which list.
        stream: StreamKey,
        /// Why.
        problem: Poison,
    },
    /// They are no bars of one series.
    #[error("{stream}: {source}")]
    Bars {
        /// Which list.
        stream: StreamKey,
        /// Why.
        source: HistoryError,
    },
    /// Some are missing.
    #[error("{stream} holds {found} of the {count} bars that the feed has put there")]
    Missing {
        /// Which list.
        stream: StreamKey,
        /// How many it holds.
        found: usize,
        /// How many it should.
        count: usize,
    },
}

impl KeptBars {
    /// What is kept of this series, whose data begin then; `None`: nobody knows, and what is not whole is not in it.
    pub fn of(symbol: &Symbol, series: &BarSeries, begins: Option<Timestamp>) -> Self {
        let begins_within =
            |begins: Timestamp| Some(series.interval().open_of(begins)).filter(|first| *first != begins);
        Self {
            symbol: symbol.clone(),
            interval: series.interval(),
            look_back: series.look_back(),
            count: series.bars().len(),
            oldest: series.bars().first().map(|bar| bar.open_time),
            newest: series.bars().last().map(|bar| bar.open_time).filter(|_| !series.has_begun()),
            unfinished: series.unfinished().clone(),
            partial: begins.and_then(begins_within),
        }
    }

    /// The series as of the record's position, out of its list: that may hold older bars, which the store has not removed
    /// yet, and later ones, if it was read after the record.
    pub fn series(&self, stream: &StreamKey, list: &[Entry]) -> Result<BarSeries, ListError> {
        let mut bars = Vec::with_capacity(self.count);
        let (oldest, behind) = (self.oldest, self.unfinished.open_time());
        let newest = self.newest.filter(|_| behind.is_none());
        for entry in list {
            let bar: Bar = entry.decode().map_err(|problem| ListError::Entry {
                id: entry.id.to_string(),
                stream: stream.clone(),
                problem,
            })?;
            let is_closed = Some(bar.open_time) < behind || newest.is_some_and(|newest| bar.open_time <= newest);
            if oldest.is_some_and(|oldest| bar.open_time >= oldest) && is_closed {
                bars.push(bar);
            }
        }
        let found = bars.len();
        let series = BarSeries::saved(self.interval, self.look_back, bars, self.unfinished.clone());
        let series = series.map_err(|source| ListError::Bars { stream: stream.clone(), source })?;
        if found == self.count {
            return Ok(series);
        }
        Err(ListError::Missing { stream: stream.clone(), found, count: self.count })
    }
}

/// The sequence of the next tick of a feed. What does not read is no 0: every tick would go out again.
pub fn position(fields: &Fields) -> Result<u64, String> {
    /// No replay comes so far, and sums stay in range.
    const MAX: u64 = u64::MAX / 4;
    let Some(text) = fields.get(NEXT) else { return Ok(0) };
    let next = text.parse().ok().filter(|next| *next <= MAX);
    next.ok_or_else(|| format!("its field {NEXT} is {text:?}"))
}

/// The bars that a feed keeps; none where its record does not say.
pub fn kept(fields: &Fields) -> Result<Vec<KeptBars>, String> {
    list(fields, BARS, "stop the feed, remove the field with HDEL and start it: it makes the bars anew")
}

/// The bars that recordings hold whole; none where the record does not say.
pub fn recorded(fields: &Fields) -> Result<Vec<RecordedBars>, String> {
    list(fields, WHOLE, "restart the feed, which writes it anew")
}

/// The bars that a strategy needs; none where its record does not say.
pub fn needs(fields: &Fields) -> Result<Vec<NeededBars>, String> {
    list(fields, NEEDS, "restart the strategy's worker, which writes it anew")
}

fn list<T: DeserializeOwned>(fields: &Fields, name: &str, remedy: &str) -> Result<Vec<T>, String> {
    let Some(text) = fields.get(name) else { return Ok(Vec::new()) };
    serde_json::from_str(text).map_err(|error| format!("its field {name} is \"{}\": {error}; {remedy}", excerpt(text)))
}

#[cfg(test)]
mod tests {
    use bus::{Body, StreamId};
    use engine::messages::Document;
    use engine::testkit::Market;

    use super::*;

    /// A tick each 30 seconds.
    const MARKET: Market = Market { tick_ms: 30_000, ..Market::USUAL };

    fn stream() -> StreamKey {
        StreamKey::from_name("glm:{n/replay-paper}:bars:BNB/USDT:1m")
    }

    fn entry(number: u64, data: &str) -> Entry {
        Entry::new(StreamId::new(7, number), Body::Document { version: Bar::VERSION, data: data.into() })
    }

    fn series(look_back: usize) -> BarSeries {
        BarSeries::new(Interval::OneMinute, LookBack::new(look_back).unwrap())
    }

    /// A series of so many ticks, and all that closed on the way, as the list has it.
    fn made(look_back: usize, ticks: u64) -> (BarSeries, Vec<Entry>) {
        let (mut series, mut list) = (series(look_back), Vec::new());
        for n in 0..ticks {
            if let Some(bar) = series.take(&MARKET.tick(n, &(600 + n).to_string())) {
                list.push(entry(n, &serde_json::to_string(bar).unwrap()));
            }
        }
        (series, list)
    }

    #[test]
    fn a_series_is_found_in_its_list_whatever_older_and_later_bars_stand_there() {
        for ticks in 0..30 {
            let (expected, _) = made(4, ticks);
            let kept = KeptBars::of(&MARKET.tick(0, "1").symbol, &expected, Some(MARKET.tick(0, "1").event_time()));
            let text = serde_json::to_string(&kept).unwrap();
            assert_eq!(serde_json::from_str::<KeptBars>(&text).unwrap(), kept);
            // As of the record and read late: nothing was removed since.
            for later in [0, 1, 2, 9] {
                let (_, list) = made(4, ticks + later);
                let found = kept.series(&stream(), &list).unwrap();
                assert_eq!(
                    (found.bars(), found.unfinished()),
                    (expected.bars(), expected.unfinished()),
                    "{ticks}+{later}"
                );
            }
        }
    }

    #[test]
    fn a_list_that_is_not_the_one_of_the_record_is_refused_with_what_is_wrong() {
        let (made, list) = made(4, 21);
        let kept = KeptBars::of(&MARKET.tick(0, "1").symbol, &made, Some(MARKET.tick(0, "1").event_time()));
        let problem = |list: &[Entry]| kept.series(&stream(), list).unwrap_err().to_string();
        assert!(kept.series(&stream(), &list).is_ok());

        let mut lacks = list.clone();
        lacks.remove(list.len() - 2);
        assert_eq!(problem(&lacks), format!("{} holds 3 of the 4 bars that the feed has put there", stream()));
        assert!(problem(&[]).contains("holds 0 of the 4"));
        let mut doubled = list.clone();
        doubled.push(list[list.len() - 1].clone());
        assert!(problem(&doubled).ends_with("comes twice; each one comes once"), "{}", problem(&doubled));
        let mut swapped = list.clone();
        swapped.swap(list.len() - 1, list.len() - 2);
        assert!(problem(&swapped).ends_with("the oldest comes first"), "{}", problem(&swapped));
        for (data, problem_of_it) in
            [("{}", "missing field `openTime`"), ("", "EOF"), (r#"{"openTime":"x"}"#, "invalid type")]
        {
            let mut unread = list.clone();
            unread.insert(0, entry(99, data));
            let problem = problem(&unread);
            assert!(problem.starts_with(&format!("entry 7-99 of {} does not read", stream())), "{problem}");
            assert!(problem.contains(problem_of_it), "{problem}");
        }
        let newest = list[list.len() - 1].text().to_owned();
        for (from, to, expected) in
            [("\"ticks\":2", "\"ticks\":0", "has no tick"), ("\"low\":\"", "\"low\":\"9", "lies outside")]
        {
            let mut bad = list[..list.len() - 1].to_vec();
            bad.push(entry(98, &newest.replace(from, to)));
            assert!(problem(&bad).contains(expected), "{}", problem(&bad));
        }
        // No volume is one as good as any.
        let mut empty = list[..list.len() - 1].to_vec();
        let volume = serde_json::from_str::<Bar>(&newest).unwrap().volume;
        empty.push(entry(97, &newest.replace(&format!("\"volume\":\"{volume}\""), "\"volume\":\"0\"")));
        assert!(kept.series(&stream(), &empty).is_ok());
    }

    #[test]
    fn fields_that_do_not_read_are_named_with_what_to_do() {
        let fields = |name: &str, text: &str| Fields::from([(name.to_owned(), text.into())]);
        assert_eq!((kept(&Fields::new()), needs(&Fields::new())), (Ok(Vec::new()), Ok(Vec::new())));
        for text in ["", "7", "[{}]", r#"[{"symbol":"BNB/USDT","interval":"3m","lookBack":4}]"#] {
            let problem = kept(&fields(BARS, text)).unwrap_err();
            assert!(
                problem.starts_with(&format!("its field bars is \"{text}\": ")) && problem.contains("HDEL"),
                "{problem}"
            );
            assert!(needs(&fields(NEEDS, text)).unwrap_err().contains("restart the strategy's worker"), "{text}");
        }
        let many = r#"[{"symbol":"BNB/USDT","interval":"1m","lookBack":1001}]"#;
        assert!(needs(&fields(NEEDS, many)).unwrap_err().contains("ask for 1 to 1000"));
        let some = r#"[{"symbol":"BNB/USDT","interval":"4h","lookBack":1000}]"#;
        assert_eq!(serde_json::to_string(&needs(&fields(NEEDS, some)).unwrap()).unwrap(), some);
    }
}
