//! The operator: runs one worker pod for each TradingStrategy, one gateway for each TradingAccount, one feed
//! for each source in use, and writes what happens to the resources' status.
//!
//! Each reconcile goes `observe → validate → plan → apply → status`. Observing and applying have a client;
//! validating, planning, building and the status are pure. It holds no exchange key and reads no Secret.
#![deny(clippy::print_stderr, clippy::print_stdout, reason = "it panics where nobody reads: process::say")]

pub mod account;
pub mod admission;
pub mod apply;
pub mod build;
mod condition;
pub mod context;
pub mod controller;
mod event;
pub mod feed;
mod finalizer;
pub mod groups;
mod kept;
pub mod known;
mod life;
pub mod looks;
pub mod metrics;
mod moment;
pub mod names;
pub mod observe;
mod outage;
pub mod pace;
pub mod partners;
pub mod placement;
pub mod reason;
mod release;
mod release_request;
mod report;
pub mod seen;
pub mod since;
mod status;
mod stop;
pub mod strategy;
mod unknown;
mod unreadable;
mod wake;
pub mod written;

use crds::{TradingAccount, TradingStrategy};
use kube::core::DeserializeGuard;

use crate::seen::Seen;

/// A strategy that may not read: one broken object is that object's fault, not a dead watch.
pub type GuardedStrategy = DeserializeGuard<Seen<TradingStrategy>>;
/// An account that may not read.
pub type GuardedAccount = DeserializeGuard<Seen<TradingAccount>>;

/// Why a reconcile failed; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not do what was asked.
    #[error("cannot {action} {subject}: {source}")]
    Api {
        /// What was tried.
        action: &'static str,
        /// With what.
        subject: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// The store did not do what was asked.
    #[error("cannot {action} {subject}: {why}")]
    Store {
        /// What was tried.
        action: &'static str,
        /// With what.
        subject: String,
        /// Why.
        why: String,
    },
    /// The resource changed meanwhile: look again.
    #[error("{subject} changed meanwhile")]
    Changed {
        /// What.
        subject: String,
    },
    /// The API server admits no such pod now: a quota, a policy.
    #[error("{why}")]
    PodRefused {
        /// Whose pod.
        role: names::Role,
        /// What the API server says.
        why: String,
    },
    /// The API server or the store took too long.
    #[error("no end within {seconds} s")]
    TimedOut {
        /// How long it took.
        seconds: u64,
    },
    /// A name cannot stand in a key.
    #[error(transparent)]
    Name(#[from] bus::KeyError),
    /// A document of ours does not serialise.
    #[error("cannot write {subject} as JSON: {source}")]
    Json {
        /// What.
        subject: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Error {
    /// An API call that failed.
    pub fn api(action: &'static str, subject: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let subject = subject.into();
        move |source| {
            let conflict =
                matches!(&source, kube::Error::Api(status) if status.code == 409 && status.reason == "Conflict");
            if conflict {
                return Self::Changed { subject };
            }
            Self::Api { action, subject, source: Box::new(source) }
        }
    }

    /// A stable word for metrics and logs.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Api { .. } => "ApiServer",
            Self::Store { .. } => "RedisUnavailable",
            Self::Changed { .. } => "Changed",
            Self::PodRefused { .. } => "PodBlocked",
            Self::TimedOut { .. } => "TimedOut",
            Self::Name(_) => "Name",
            Self::Json { .. } => "Json",
        }
    }
}
