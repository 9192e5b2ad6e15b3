//! The live source against what the venue may do: its machine in virtual time, its driver over loopback.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests may stop at the first surprise"
)]

mod driver;
mod futures;
mod machine;
mod mutations;
mod recording;
mod stage;
mod traffic;
mod venue;
