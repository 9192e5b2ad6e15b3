//! The kinds `TradingStrategy` and `TradingAccount` of `glm.trading/v1alpha1`, and the strict reading of
//! their manifests.
//!
//! The same types are read twice: strictly from files ([`manifest`]), leniently from the API server. No
//! client, no runtime, no clock: what is here is data and its rules.

pub mod account;
pub mod condition;
pub mod crd;
pub mod manifest;
pub mod name;
pub mod record;
pub mod roles;
mod rules;
pub mod source;
pub mod strategy;
pub mod symbol;
pub mod yaml_text;

use std::collections::BTreeMap;

use engine::instrument::Asset;
use engine::numbers::ExactDecimal;

pub use account::{TradingAccount, TradingAccountSpec, TradingAccountStatus};
pub use condition::Condition;
pub use crd::yaml;
pub use strategy::{TradingStrategy, TradingStrategySpec, TradingStrategyStatus};

/// The API group.
pub const GROUP: &str = "glm.trading";
/// The API version.
pub const VERSION: &str = "v1alpha1";
/// What a manifest's `apiVersion` must be.
pub const API_VERSION: &str = "glm.trading/v1alpha1";

/// An amount for each of some assets. Every map of decimals in a manifest is one, so its keys are assets.
pub type Amounts = BTreeMap<Asset, ExactDecimal>;

/// The most entries an [`Amounts`] or a list of instruments may have.
pub const ENTRIES_MAX: usize = 16;
