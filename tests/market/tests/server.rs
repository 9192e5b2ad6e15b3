//! The program as its users have it: started as a process, asked over HTTP and WebSocket.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests may stop at the first surprise, and say it whatever it is"
)]

#[path = "server/ccxt.rs"]
mod ccxt;
#[path = "server/client.rs"]
mod client;
#[path = "server/faults.rs"]
mod faults;
#[path = "server/futures.rs"]
mod futures;
#[path = "server/limits.rs"]
mod limits;
#[path = "server/live/mod.rs"]
mod live;
#[path = "server/process.rs"]
mod process;
#[path = "server/requests.rs"]
mod requests;
#[path = "server/rest.rs"]
mod rest;
#[path = "server/streams.rs"]
mod streams;
