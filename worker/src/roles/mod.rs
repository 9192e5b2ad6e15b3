//! The roles of the pods, and what all of them share: who they are, how they stop, and how they tell their health. A role
//! may not use another.

pub(crate) mod clock;
pub(crate) mod document;
pub(crate) mod feed;
pub(crate) mod gateway;
pub(crate) mod launch;
pub(crate) mod options;
pub(crate) mod paper;
pub(crate) mod saved;
pub(crate) mod session;
pub(crate) mod source;
pub(crate) mod strategy;
pub(crate) mod told;
pub(crate) mod whole;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bus::{BusError, KeyError, Keys, MessageBus, Scope, StateStore};
use venue::replay::DataError;

use crate::process::admin::Health;
use crate::process::exit::Failure;
use crate::process::shutdown::Shutdown;
use crds::roles::SpecError;

/// A bus with a store, as every role needs both.
pub trait Bus: MessageBus + StateStore + Clone + Send + Sync + 'static {}

impl<T: MessageBus + StateStore + Clone + Send + Sync + 'static> Bus for T {}

/// Which record a role owns, and under which epoch.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Names of keys.
    pub keys: Keys,
    /// The namespace of the account.
    pub namespace: String,
    pub ledger: String,
    /// Counted up by who places the process.
    pub epoch: u64,
}

/// Why a role ends before its time.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Stop {
    /// A newer process has the record.
    #[error("fenced: {newer}; this process may do nothing more")]
    Fenced {
        /// Which.
        newer: String,
    },
    /// The store does not have the record.
    #[error(
        "LedgerLost: the store has no record of {owner}. Nothing is traded on declared capital by itself: restore the \
         store from its backup, or start a new ledger with `worker ledger create` (or `run --new-ledger`)"
    )]
    LedgerLost {
        /// Whose.
        owner: String,
    },
    /// The store has another ledger of this owner.
    #[error("LedgerFound: {owner} has ledger {found}, not {expected}; start with that ledger, or close it first")]
    LedgerFound {
        /// Whose.
        owner: String,
        /// What the store has.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// The ledger is closed.
    #[error("the ledger {ledger} of {owner} is closed for good; create a new one")]
    LedgerClosed {
        /// Whose.
        owner: String,
        /// Which.
        ledger: String,
    },
    /// The record changed under this process: it forgets everything and starts from the record.
    #[error("the record is at another version than expected; starting again from it")]
    Conflict,
    /// The register is another one than this process has judged by: it forgets everything, and follows that one.
    #[error("the register is another one than was judged by; starting again from the record")]
    RegisterNews,
    /// What the record holds does not read.
    #[error("the record of {owner} does not read: {problem}")]
    Record {
        /// Whose.
        owner: String,
        /// What is wrong.
        problem: String,
    },
    /// What has happened cannot be put into the record. Nothing is stored in its place.
    #[error("{owner}: {problem}; nothing was stored")]
    Unsaved {
        /// Whose.
        owner: String,
        /// What is wrong.
        problem: String,
    },
    /// The store refuses for good.
    #[error("{0}")]
    Bus(Arc<BusError>),
    /// The store is not fit for use.
    #[error("{0}")]
    Store(String),
    /// A name cannot stand in a key.
    #[error("{0}")]
    Name(#[from] KeyError),
    /// The spec cannot be run.
    #[error("{0}")]
    Spec(#[from] SpecError),
    /// The market data cannot be read.
    #[error("{0}")]
    MarketData(String),
    /// The market data is not there.
    #[error("{0}")]
    NoMarketData(String),
    /// Asked to stop while the store could not be reached.
    #[error("asked to stop while {what}; nothing half-done was stored")]
    Interrupted {
        /// What was under way.
        what: String,
    },
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        let message = stop.to_string();
        match stop {
            Stop::Fenced { .. } => Self::fenced(message),
            Stop::LedgerLost { .. }
            | Stop::LedgerFound { .. }
            | Stop::LedgerClosed { .. }
            | Stop::Record { .. }
            | Stop::Unsaved { .. }
            | Stop::Bus(_)
            | Stop::Spec(_)
            | Stop::Name(_)
            | Stop::Store(_)
            | Stop::MarketData(_) => Self::refused(message),
            Stop::NoMarketData(_) => Self::not_found(message),
            Stop::Conflict | Stop::RegisterNews | Stop::Interrupted { .. } => Self::error(message),
        }
    }
}

impl From<DataError> for Stop {
    fn from(error: DataError) -> Self {
        if matches!(&error, DataError::Open { cause, .. } if cause.kind() == ErrorKind::NotFound) {
            return Self::NoMarketData(error.to_string());
        }
        Self::MarketData(error.to_string())
    }
}

impl From<BusError> for Stop {
    fn from(error: BusError) -> Self {
        Self::Bus(Arc::new(error))
    }
}

/// What a role runs with.
#[derive(Debug, Clone)]
pub struct Runtime<B> {
    pub bus: B,
    /// Who it is.
    pub identity: Identity,
    /// Where it tells how it is.
    pub health: Health,
    /// When it must stop.
    pub shutdown: Shutdown,
}

impl<B: Bus> Runtime<B> {
    /// The account's scope.
    pub fn account_scope(&self, account: &str) -> Result<Scope, Stop> {
        Ok(Scope::account(&self.identity.namespace, account)?)
    }

    /// The market data source's scope.
    pub fn source_scope(&self, source: &str) -> Result<Scope, Stop> {
        Ok(Scope::source(&self.identity.namespace, source)?)
    }
}

/// How long a role waits for news before it looks around again.
pub const IDLE: Duration = Duration::from_secs(5);
