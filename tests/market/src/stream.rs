//! The streams: who has subscribed to what, and what each connection is sent.

pub mod connection;
pub mod hub;
pub mod names;
pub mod requests;
pub mod tamper;
