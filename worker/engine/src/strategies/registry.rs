//! Strategies by name.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{NeedsError, Strategy, grid, ladder, position_control, process};
use crate::instrument::Instruments;
use crate::risk::PositionBounds;

/// Why a strategy could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StrategyError {
    /// No strategy has this name.
    #[error("no strategy is named {name:?}; there is: {known}")]
    UnknownName {
        /// The name.
        name: String,
        /// The known names.
        known: String,
    },
    /// It trades more instruments than it can.
    #[error("{given} instruments, but {name} trades at most {max}; keep {max} and create a strategy for the others")]
    TooManyInstruments {
        /// The strategy.
        name: &'static str,
        /// How many it should trade.
        given: usize,
        /// How many it can.
        max: usize,
    },
    /// The parameters do not read.
    #[error("the parameters of {name} do not read: {source}")]
    Parameters {
        /// The strategy.
        name: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// It cannot have what it needs.
    #[error("{name} cannot have what it needs: {source}")]
    Needs {
        /// The strategy.
        name: &'static str,
        /// Why.
        source: NeedsError,
    },
    /// The saved state does not read.
    #[error("the saved state of {name} does not read: {source}")]
    Snapshot {
        /// The strategy.
        name: &'static str,
        /// Why.
        source: serde_json::Error,
    },
}

/// The parameters of the strategy of this name.
pub fn parameters<P: DeserializeOwned>(name: &'static str, given: &Value) -> Result<P, StrategyError> {
    P::deserialize(given).map_err(|source| StrategyError::Parameters { name, source })
}

/// What the strategy of this name has remembered; `None` where it starts anew.
pub fn remembered<M: DeserializeOwned>(
    name: &'static str,
    snapshot: Option<&Value>,
) -> Result<Option<M>, StrategyError> {
    snapshot.map(M::deserialize).transpose().map_err(|source| StrategyError::Snapshot { name, source })
}

/// Makes a strategy from its parameters and, after a restart, from its saved state.
pub type Start = fn(parameters: &Value, snapshot: Option<&Value>) -> Result<Box<dyn Strategy>, StrategyError>;

/// One kind of strategy.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name: the member of the manifest's union.
    pub name: &'static str,
    /// The most instruments that one trades.
    pub instruments_max: usize,
    /// Whether the position limits of a manifest bind its orders: of one that is registered it is as
    /// [`Registry::register`] says.
    pub position_bounds: PositionBounds,
    /// The JSON schema of its parameters.
    pub schema: fn() -> schemars::Schema,
    /// Makes one.
    pub start: Start,
}

impl Definition {
    /// Whether a strategy can trade all of these.
    pub fn admits(&self, instruments: &Instruments) -> Result<(), StrategyError> {
        let (name, max, given) = (self.name, self.instruments_max, instruments.len());
        if given > max { Err(StrategyError::TooManyInstruments { name, given, max }) } else { Ok(()) }
    }
}

/// The known strategies.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    definitions: BTreeMap<&'static str, Definition>,
}

impl Registry {
    /// The strategies of this crate.
    pub fn standard() -> Self {
        let all = [grid::DEFINITION, ladder::DEFINITION, position_control::DEFINITION, process::DEFINITION];
        Self { definitions: all.into_iter().map(|definition| (definition.name, definition)).collect() }
    }

    /// Adds a strategy, or puts it in the place of one of the same name. What a manifest writes of the position limits binds
    /// it, and nothing does that is not written; in the place of another it is bound as that one.
    pub fn register(&mut self, definition: Definition) {
        let there = self.definitions.get(definition.name);
        let position_bounds = there.map_or(PositionBounds::Written, |there| there.position_bounds);
        self.definitions.insert(definition.name, Definition { position_bounds, ..definition });
    }

    /// The strategy of this name.
    pub fn get(&self, name: &str) -> Result<&Definition, StrategyError> {
        self.definitions.get(name).ok_or_else(|| StrategyError::UnknownName {
            name: name.to_owned(),
            known: self.definitions.keys().copied().collect::<Vec<_>>().join(", "),
        })
    }
}
