//! What travels on the bus, one file a topic: the field names are a contract with other programs.
//!
//! Decimals are strings, times milliseconds UTC. Unknown fields are ignored when reading.

mod tick;

pub use tick::Tick;
