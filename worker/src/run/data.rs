//! The data of one account's replay, read through before anything trades, and what is odd about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use venue::replay::Summary;

use crate::exit::Failure;
use crate::feed;
use crate::fleet::AccountGroup;
use crate::warning::{self, MISSING_CANDLES, Warning};

/// Data that were read through.
#[derive(Debug, Clone)]
pub(super) struct Scanned {
    /// What they hold.
    pub summary: Arc<Summary>,
    /// What a user should know of them, each thing once. How many candles are missing stands in the line about the data.
    pub warnings: Vec<Warning>,
}

/// Reads the data of an account through, once for each tick size that its strategies have; `None` without a replay.
pub(super) fn scan(group: &AccountGroup) -> Result<Option<Scanned>, Failure> {
    let Some(feed) = &group.feed else { return Ok(None) };
    let mut instruments = BTreeMap::new();
    for strategy in &group.strategies {
        let instrument = strategy.instrument().map_err(|error| Failure::refused(error.to_string()))?;
        instruments.entry(instrument.tick_size).or_insert(instrument);
    }
    let traded = instruments.values().map(|instrument| instrument.symbol.clone()).collect();
    let (mut first, mut warnings) = (None, BTreeSet::new());
    for instrument in instruments.values() {
        let summary = feed::scan_for(feed, instrument.tick_size)?;
        warnings.extend(warning::of_data(&summary, instrument, &traded));
        first.get_or_insert(summary);
    }
    let summary = Arc::new(first.map_or_else(|| feed::scan(feed), Ok)?);
    let warnings = warnings.into_iter().filter(|warning| warning.kind != MISSING_CANDLES).collect();
    Ok(Some(Scanned { summary, warnings }))
}
