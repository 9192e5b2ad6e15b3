//! The data of one account's replay, read through before anything trades, and what is odd about them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crds::roles::{FeedMarket, StrategySpec};
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
    /// What they hold, a market each, by symbol.
    pub markets: Vec<Arc<Summary>>,
    /// What a user should know of them, each thing once. How many candles are missing stands in the line about the data.
    pub warnings: Vec<Warning>,
}

impl Scanned {
    /// The data of the markets that a strategy trades, those of its first market first.
    pub fn of<'a>(&'a self, strategy: &'a StrategySpec) -> impl Iterator<Item = &'a Arc<Summary>> {
        let symbols = strategy.spec.instruments.iter().map(|instrument| &instrument.symbol);
        symbols.filter_map(|symbol| self.markets.iter().find(|summary| summary.symbol == *symbol))
    }
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
            let all = strategy.instruments().map_err(|error| Failure::refused(error.to_string()))?;
            for (_, instrument) in all.iter() {
                instruments.entry((instrument.symbol.clone(), instrument.tick_size)).or_insert(instrument.clone());
            }
        }
        let traded = instruments.keys().map(|(symbol, _)| symbol.clone()).collect();
        let (mut markets, mut warnings) = (Vec::new(), BTreeSet::new());
        for market in feed.markets() {
            let mut first = None;
            for instrument in instruments.values().filter(|instrument| instrument.symbol == market.symbol) {
                let summary = self.read(&market, Some(instrument.tick_size))?;
                warnings.extend(warning::of_data(&summary, instrument, &traded));
                first.get_or_insert(summary);
            }
            markets.push(first.map_or_else(|| self.read(&market, None), Ok)?);
        }
        let warnings = warnings.into_iter().filter(|warning| warning.kind != MISSING_CANDLES).collect();
        Ok(Some(Scanned { markets, warnings }))
    }

    fn read(&mut self, market: &FeedMarket, tick_size: Option<Price>) -> Result<Arc<Summary>, Failure> {
        let place = (feed::file_of(market), market.symbol.clone(), tick_size);
        if let Some(summary) = self.0.get(&place) {
            return Ok(Arc::clone(summary));
        }
        let summary = feed::scan(market, tick_size)?;
        Ok(Arc::clone(self.0.entry(place).or_insert(Arc::new(summary))))
    }
}
