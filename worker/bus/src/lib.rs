//! The message bus and the state store: two traits, implemented on Redis and in memory.
//!
//! Knows streams, records, fences and keys, and how much a stream may hold. A document is a string of JSON
//! with a schema version; who reads one gives its type to [`Entry::decode`], and nothing else in this crate looks
//! into it. It may not use Kubernetes, a venue, or any clock but the store's own.
//!
//! Everything an owner does goes through one atomic [`StateStore::commit`]: its cursors, its
//! fields and its messages are stored together or not at all, and only for the newest lease.

mod backoff;
mod bounds;
mod clock;
mod document;
mod error;
mod health;
mod keys;
mod memory;
mod message_bus;
mod redis;
mod state_store;
mod stream;

pub use backoff::Backoff;
pub use bounds::{BASE_MEMORY, Bounds, STRATEGY_MEMORY, account_memory};
pub use clock::since_boot;
pub use document::{Lent, Poison, excerpt};
pub use error::{BusError, Failure};
pub use health::{Finding, Health, Persistence};
pub use keys::{KeyError, Keys, Owner, Scope, StreamKey, Topic};
pub use memory::MemoryBus;
pub use message_bus::{Batch, Message, MessageBus, Published, Retention};
pub use redis::RedisBus;
pub use state_store::{
    AcquireOutcome, Acquired, BeatOutcome, CLOSED_KEPT_MS, Claim, CloseOutcome, Closing, Commit, CommitOutcome,
    CreateOutcome, Cursors, Desired, DesiredOutcome, Fields, Lease, ParseRegisterVersionError, Record, RegisterVersion,
    StateStore,
};
pub use stream::{Body, Entry, ParseStreamIdError, Stored, StreamId};
