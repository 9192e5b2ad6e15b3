//! Checks that the events of one market follow each other without holes. May not drop events itself.

/// How a trade follows the trades before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TradeOrder {
    /// The first trade, or the one right after the last.
    Next,
    /// Trades between the last one and this one are missing.
    AfterGap {
        /// How many.
        missed: u64,
    },
    /// The last trade again.
    Duplicate,
    /// A trade from before the last one.
    Regression,
}

impl TradeOrder {
    /// Whether it was not told before.
    pub const fn is_new(self) -> bool {
        matches!(self, Self::Next | Self::AfterGap { .. })
    }
}

/// How an update of the best prices follows the updates before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookOrder {
    /// The newest so far.
    Current,
    /// Older than one that was seen.
    Stale,
}

/// Trades that lie this far back are no repetition of the last few.
const FAR: u64 = 50;
/// So many events that follow each other, and not what is taken for the last one, tell that this one's id was wrong.
const RUN: u32 = 3;

/// Events that came as if they were old, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Run {
    last: u64,
    count: u32,
}

impl Run {
    /// One more, that follows the last of them or begins anew. Whether they are enough.
    fn add(&mut self, id: u64, follows: bool) -> bool {
        self.count = if self.count > 0 && follows { self.count + 1 } else { 1 };
        self.last = id;
        self.count >= RUN
    }
}

/// Ids of one kind that are dense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Dense {
    last: Option<u64>,
    old: Run,
}

impl Dense {
    /// How `id` follows. What is old changes nothing but the run of old ones.
    fn take(&mut self, id: u64) -> TradeOrder {
        let order = match self.last {
            None => TradeOrder::Next,
            Some(last) if id == last => TradeOrder::Duplicate,
            Some(last) if id < last => self.regression(id, last),
            Some(last) if id - last == 1 => TradeOrder::Next,
            Some(last) => TradeOrder::AfterGap { missed: id - last - 1 },
        };
        if order.is_new() {
            *self = Self { last: Some(id), old: Run::default() };
        }
        order
    }

    /// One from before the last one, unless the last one's id was wrong.
    fn regression(&mut self, id: u64, last: u64) -> TradeOrder {
        let follows = self.old.last.checked_add(1) == Some(id);
        if last - id > FAR && self.old.add(id, follows) { TradeOrder::Next } else { TradeOrder::Regression }
    }
}

/// The order of one market's events so far: trade ids are dense, ids of book updates only grow.
///
/// One id that is wrong must not make all that follow it old: after three events that are in order among themselves, though
/// far from it, these count. What was taken for old in between is part of the gap before the wrong one.
///
/// Aggregates have dense ids of their own, and the ids of their trades say how they follow trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SequenceCheck {
    trades: Dense,
    /// Since the last trade.
    aggregates: Dense,
    last_update: Option<u64>,
    old_updates: Run,
    /// Places where trades are missing.
    pub gaps: u64,
    /// Trades that are missing; of a market that is told in aggregates, these.
    pub missed: u64,
    /// Trades that came twice in a row.
    pub duplicates: u64,
    /// Trades that came after a later one.
    pub regressions: u64,
    /// Book updates that came after a later one.
    pub stale_updates: u64,
}

impl SequenceCheck {
    /// As if the trade `id` were the last one, and nothing else had come.
    pub fn after(id: u64) -> Self {
        Self { trades: Dense { last: Some(id), old: Run::default() }, ..Self::default() }
    }

    /// Takes note of the trade `id`.
    pub fn trade(&mut self, id: u64) -> TradeOrder {
        let order = self.trades.take(id);
        if order.is_new() {
            self.aggregates = Dense::default();
        }
        self.count(order)
    }

    /// Takes note of the aggregate `id` of the trades `first` to `last`. One that has a trade that was told already is old: the
    /// rest of it is missing.
    pub fn aggregate(&mut self, id: u64, first: u64, last: u64) -> TradeOrder {
        let order = match (self.aggregates.last, self.trades.last) {
            (None, Some(known)) if first <= known => TradeOrder::Regression,
            (None, Some(known)) if first - known > 1 => TradeOrder::AfterGap { missed: first - known - 1 },
            (None, Some(_)) => TradeOrder::Next,
            (Some(_), _) | (None, None) => self.aggregates.take(id),
        };
        if order.is_new() {
            self.aggregates = Dense { last: Some(id), old: Run::default() };
            self.trades = Dense { last: Some(last.max(first)), old: Run::default() };
        }
        self.count(order)
    }

    fn count(&mut self, order: TradeOrder) -> TradeOrder {
        match order {
            TradeOrder::Next => {}
            TradeOrder::AfterGap { missed } => {
                self.gaps += 1;
                self.missed = self.missed.saturating_add(missed);
            }
            TradeOrder::Duplicate => self.duplicates += 1,
            TradeOrder::Regression => self.regressions += 1,
        }
        order
    }

    /// Takes note of the book update `id`. The same id again is current: it says the same.
    pub fn book(&mut self, id: u64) -> BookOrder {
        let is_old = self.last_update.is_some_and(|last| id < last);
        let follows = id > self.old_updates.last;
        if is_old && !self.old_updates.add(id, follows) {
            self.stale_updates += 1;
            return BookOrder::Stale;
        }
        self.old_updates = Run::default();
        self.last_update = Some(id);
        BookOrder::Current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_missing_doubled_or_late() {
        let mut check = SequenceCheck::default();
        let orders: Vec<_> = [10, 11, 11, 14, 12, 15].into_iter().map(|id| check.trade(id)).collect();
        let expected = [
            TradeOrder::Next,
            TradeOrder::Next,
            TradeOrder::Duplicate,
            TradeOrder::AfterGap { missed: 2 },
            TradeOrder::Regression,
            TradeOrder::Next,
        ];
        assert_eq!(orders, expected);
        assert_eq!((check.gaps, check.missed, check.duplicates, check.regressions), (1, 2, 1, 1));
    }

    #[test]
    fn one_wrong_id_does_not_make_all_that_follow_it_old() {
        let mut check = SequenceCheck::default();
        let orders: Vec<_> = [10, 9_000_000, 11, 12, 13, 14].into_iter().map(|id| check.trade(id)).collect();
        let (next, old) = (TradeOrder::Next, TradeOrder::Regression);
        assert_eq!(orders, [next, TradeOrder::AfterGap { missed: 8_999_989 }, old, old, next, next]);
        // What is sent once more, or in another order, stays old.
        let mut check = SequenceCheck::after(200);
        assert!([197, 198, 199, 20, 19, 18, 20, 19, 18].into_iter().all(|id| check.trade(id) == old));
        let mut check = SequenceCheck::default();
        let orders: Vec<_> = [5, 900, 6, 8, 9, 11].into_iter().map(|id| check.book(id)).collect();
        let (current, stale) = (BookOrder::Current, BookOrder::Stale);
        assert_eq!(orders, [current, current, stale, stale, current, current]);
        assert!([9, 8, 7, 10, 4].into_iter().all(|id| check.book(id) == stale));
    }

    #[test]
    fn aggregates_follow_by_their_own_ids_and_trades_by_theirs() {
        let (next, old) = (TradeOrder::Next, TradeOrder::Regression);
        let mut check = SequenceCheck::default();
        // Between them lie trades outside the market, which no aggregate has.
        assert_eq!([(70, 10, 12), (71, 15, 15)].map(|(id, first, last)| check.aggregate(id, first, last)), [next; 2]);
        assert_eq!(check.aggregate(73, 17, 18), TradeOrder::AfterGap { missed: 1 });
        assert_eq!([check.aggregate(73, 17, 18), check.aggregate(72, 16, 16)], [TradeOrder::Duplicate, old]);
        // To trades and back: each once.
        assert_eq!([check.trade(18), check.trade(19), check.trade(20)], [TradeOrder::Duplicate, next, next]);
        assert_eq!([check.aggregate(75, 19, 20), check.aggregate(76, 20, 22)], [old, old]);
        assert_eq!(check.aggregate(77, 23, 24), TradeOrder::AfterGap { missed: 2 });
        assert_eq!((check.gaps, check.missed), (2, 3));
        assert_eq!(SequenceCheck::after(9).aggregate(5, 10, 10), next);
        assert_eq!(SequenceCheck::after(9).aggregate(5, 9, 10), old);
    }

    #[test]
    fn ids_of_the_book_may_jump_but_not_fall() {
        let mut check = SequenceCheck::default();
        let orders: Vec<_> = [5, 9, 9, 7, 10].into_iter().map(|id| check.book(id)).collect();
        let (current, stale) = (BookOrder::Current, BookOrder::Stale);
        assert_eq!(orders, [current, current, current, stale, current]);
        assert_eq!((check.stale_updates, check.gaps), (1, 0));
    }
}
