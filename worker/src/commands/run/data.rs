//! The data of one account's replay, read through before anything trades, and what is odd about them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crds::roles::FeedSpec;
use engine::instrument::Symbol;
use engine::numbers::Price;
use venue::replay::Summary;

use crate::fleet::AccountGroup;
use crate::outcome::warning::{self, MISSING_CANDLES, Warning};
use crate::process::exit::Failure;
use crate::roles::feed;

/// Data that were read through.
#[derive(Debug, Clone)]
pub(super) struct Scanned {
    /// What they hold.
    pub summary: Arc<Summary>,
    /// What a user should know of them, each thing once. How many candles are missing stands in the line about the data.
    pub warnings: Vec<Warning>,
}

/// Data that were read through, by file, market and tick size: accounts often replay the same.
#[derive(Debug, Default)]
pub(super) struct Data(BTreeMap<(PathBuf, Symbol, Option<Price>), Arc<Summary>>);

impl Data {
    /// Reads the data of an account through, once for each tick size that its strategies have; `None` without a replay.
    pub fn scan(&mut self, group: &AccountGroup) -> Result<Option<Scanned>, Failure> {
        let Some(feed) = &group.feed else { return Ok(None) };
        let mut instruments = BTreeMap::new();
        for strategy in &group.strategies {
            let instrument = strategy.instrument().map_err(|error| Failure::refused(error.to_string()))?;
            instruments.entry(instrument.tick_size).or_insert(instrument);
        }
        let traded = instruments.values().map(|instrument| instrument.symbol.clone()).collect();
        let (mut first, mut warnings) = (None, BTreeSet::new());
        for instrument in instruments.values() {
            let summary = self.read(feed, Some(instrument.tick_size))?;
            warnings.extend(warning::of_data(&summary, instrument, &traded));
            first.get_or_insert(summary);
        }
        let summary = first.map_or_else(|| self.read(feed, None), Ok)?;
        let warnings = warnings.into_iter().filter(|warning| warning.kind != MISSING_CANDLES).collect();
        Ok(Some(Scanned { summary, warnings }))
    }

    fn read(&mut self, feed: &FeedSpec, tick_size: Option<Price>) -> Result<Arc<Summary>, Failure> {
        let place = (feed::file_of(feed), feed.symbol.clone(), tick_size);
        if let Some(summary) = self.0.get(&place) {
            return Ok(Arc::clone(summary));
        }
        let summary = tick_size.map_or_else(|| feed::scan(feed), |tick_size| feed::scan_for(feed, tick_size))?;
        Ok(Arc::clone(self.0.entry(place).or_insert(Arc::new(summary))))
    }
}
