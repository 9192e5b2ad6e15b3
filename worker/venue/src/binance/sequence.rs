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

/// How an update of the best prices follows the updates before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookOrder {
    /// The newest so far.
    Current,
    /// Older than one that was seen.
    Stale,
}

/// The order of one market's events so far: trade ids are dense, ids of book updates only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SequenceCheck {
    last_trade: Option<u64>,
    last_update: Option<u64>,
    /// Places where trades are missing.
    pub gaps: u64,
    /// Trades that are missing.
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
        Self { last_trade: Some(id), ..Self::default() }
    }

    /// Takes note of the trade `id`.
    pub fn trade(&mut self, id: u64) -> TradeOrder {
        let order = match self.last_trade {
            None => TradeOrder::Next,
            Some(last) if id == last => TradeOrder::Duplicate,
            Some(last) if id < last => TradeOrder::Regression,
            Some(last) if id - last == 1 => TradeOrder::Next,
            Some(last) => TradeOrder::AfterGap { missed: id - last - 1 },
        };
        match order {
            TradeOrder::Next => self.last_trade = Some(id),
            TradeOrder::AfterGap { missed } => {
                self.gaps += 1;
                self.missed = self.missed.saturating_add(missed);
                self.last_trade = Some(id);
            }
            TradeOrder::Duplicate => self.duplicates += 1,
            TradeOrder::Regression => self.regressions += 1,
        }
        order
    }

    /// Takes note of the book update `id`. The same id again is current: it says the same.
    pub fn book(&mut self, id: u64) -> BookOrder {
        if self.last_update.is_some_and(|last| id < last) {
            self.stale_updates += 1;
            return BookOrder::Stale;
        }
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
    fn ids_of_the_book_may_jump_but_not_fall() {
        let mut check = SequenceCheck::default();
        let orders: Vec<_> = [5, 9, 9, 7, 10].into_iter().map(|id| check.book(id)).collect();
        let (current, stale) = (BookOrder::Current, BookOrder::Stale);
        assert_eq!(orders, [current, current, current, stale, current]);
        assert_eq!((check.stale_updates, check.gaps), (1, 0));
    }
}
