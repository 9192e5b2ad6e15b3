//! Strategies by name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Capability, Strategy, grid};
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
    /// The parameters do not read.
    #[error("the parameters of {name} do not read: {source}")]
    Parameters {
        /// The strategy.
        name: &'static str,
        /// Why.
        source: serde_json::Error,
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

/// Makes a strategy from its parameters and, after a restart, from its saved state.
pub type Start = fn(parameters: &Value, snapshot: Option<&Value>) -> Result<Box<dyn Strategy>, StrategyError>;

/// One kind of strategy.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name: the member of the manifest's union.
    pub name: &'static str,
    /// What it can trade.
    pub capability: Capability,
    /// Whether the position limits of a manifest bind its orders.
    pub position_bounds: PositionBounds,
    /// The JSON schema of its parameters.
    pub schema: fn() -> schemars::Schema,
    /// Makes one.
    pub start: Start,
}

/// The known strategies.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    definitions: BTreeMap<&'static str, Definition>,
}

impl Registry {
    /// The strategies of this crate.
    pub fn standard() -> Self {
        let mut registry = Self::default();
        registry.register(grid::DEFINITION);
        registry
    }

    /// Adds a strategy, or puts it in the place of one of the same name.
    pub fn register(&mut self, definition: Definition) {
        self.definitions.insert(definition.name, definition);
    }

    /// The strategy of this name.
    pub fn get(&self, name: &str) -> Result<&Definition, StrategyError> {
        self.definitions.get(name).ok_or_else(|| StrategyError::UnknownName {
            name: name.to_owned(),
            known: self.definitions.keys().copied().collect::<Vec<_>>().join(", "),
        })
    }
}
