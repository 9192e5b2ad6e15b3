//! What an engine follows of each of its markets: the last tick, and what was missing before it.

use serde::{Deserialize, Serialize, Serializer};

use super::sequence::Gap;
use crate::instrument::InstrumentIndex;
use crate::messages::{Tick, TickDocument};
use crate::numbers::Price;

/// What is followed of one market.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Market {
    /// The last tick taken.
    #[serde(serialize_with = "short")]
    pub last_tick: Option<Tick>,
    /// What was missing before one of the ticks taken; the newest.
    #[serde(default)]
    pub gap: Option<Gap>,
    /// Whether ticks come that were delivered before.
    #[serde(default)]
    pub behind: bool,
}

/// The markets of one strategy, in their order. The first stands in the saved state itself, as in the release before,
/// which had one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Markets {
    #[serde(flatten)]
    first: Market,
    #[serde(rename = "otherMarkets", default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<Market>,
    /// Of which the last tick was.
    #[serde(rename = "lastMarket", default, skip_serializing_if = "InstrumentIndex::is_first")]
    last: InstrumentIndex,
}

impl Markets {
    /// So many, of which nothing is known yet.
    pub fn new(count: usize) -> Self {
        Self { others: vec![Market::default(); count.saturating_sub(1)], ..Self::default() }
    }

    /// Of the release before, which had one.
    pub fn of(first: Market) -> Self {
        Self { first, ..Self::default() }
    }

    pub fn len(&self) -> usize {
        self.others.len().saturating_add(1)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Market> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub fn get(&self, index: InstrumentIndex) -> Option<&Market> {
        match index.get().checked_sub(1) {
            None => Some(&self.first),
            Some(other) => self.others.get(other),
        }
    }

    pub fn get_mut(&mut self, index: InstrumentIndex) -> Option<&mut Market> {
        match index.get().checked_sub(1) {
            None => Some(&mut self.first),
            Some(other) => self.others.get_mut(other),
        }
    }

    /// The last tick of this market.
    pub fn tick_of(&self, index: InstrumentIndex) -> Option<&Tick> {
        self.get(index)?.last_tick.as_ref()
    }

    /// The last tick taken, of whichever market.
    pub fn last(&self) -> Option<&Tick> {
        self.tick_of(self.last)
    }

    /// The market of the last tick.
    pub const fn last_market(&self) -> InstrumentIndex {
        self.last
    }

    /// The market of a tick that shares its name with the last one, as those of one source mostly do.
    pub fn again(&self, tick: &Tick) -> Option<InstrumentIndex> {
        self.last().filter(|last| last.symbol.is_shared_with(&tick.symbol)).map(|_| self.last)
    }

    /// A tick of this market is taken.
    #[inline]
    pub fn take(&mut self, index: InstrumentIndex, tick: &Tick) {
        if let Some(market) = self.get_mut(index) {
            match &mut market.last_tick {
                Some(last) => last.replace_with(tick),
                none => *none = Some(tick.clone()),
            }
            self.last = index;
        }
    }

    /// The last price of each, in their order; `None` for one without a tick yet.
    pub fn prices(&self) -> impl Iterator<Item = Option<Price>> {
        self.iter().map(|market| market.last_tick.as_ref().map(|tick| tick.price))
    }

    /// The last price of the only one; `None` where there are several.
    pub fn only_price(&self) -> Option<Price> {
        self.first.last_tick.as_ref().filter(|_| self.others.is_empty()).map(|tick| tick.price)
    }

    /// The first that had no tick yet.
    pub fn without_tick(&self) -> Option<usize> {
        if self.first.last_tick.is_some() && self.others.is_empty() {
            return None;
        }
        self.iter().position(|market| market.last_tick.is_none())
    }

    /// How many ticks of all of them the source had before the one of this number there, which is the last that was taken or
    /// the one that comes next.
    pub fn ticks_before(&self, source_sequence: u64) -> u64 {
        let taken = self.iter().filter_map(|market| market.last_tick.as_ref());
        let taken = taken.fold(0_u64, |sum, tick| sum.saturating_add(tick.sequence).saturating_add(1));
        let is_taken = self.last().is_some_and(|last| source_sequence <= last.source_sequence);
        taken.saturating_sub(u64::from(is_taken))
    }

    /// Whether the data of each have ended.
    pub fn are_over(&self) -> bool {
        self.iter().all(|market| market.last_tick.as_ref().is_some_and(|tick| tick.last))
    }
}

#[expect(clippy::ref_option, reason = "serde gives a reference")]
fn short<S: Serializer>(tick: &Option<Tick>, serializer: S) -> Result<S::Ok, S::Error> {
    tick.as_ref().map(TickDocument::short).serialize(serializer)
}
