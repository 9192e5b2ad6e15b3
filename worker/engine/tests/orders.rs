//! Many orders at once, of a strategy that does what its script says: what each action sees of those before it, and that
//! nothing is ever promised twice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "orders/actions.rs"]
mod actions;
#[allow(dead_code, reason = "the bench serves other tests too")]
#[path = "properties/bench.rs"]
mod bench;
#[path = "orders/booked.rs"]
mod booked;
#[path = "orders/news.rs"]
mod news;
#[path = "orders/record.rs"]
mod record;
#[path = "orders/reserved.rs"]
mod reserved;
#[path = "orders/scripted.rs"]
mod scripted;
#[path = "orders/short.rs"]
mod short;
