//! The limits and the exits of a whole strategy: each exactly at its bound and one step beyond, what is done then, and how it
//! is released.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "the bench serves other tests too")]
#[path = "properties/bench.rs"]
mod bench;
#[path = "limits/breaches.rs"]
mod breaches;
#[path = "limits/exits.rs"]
mod exits;
#[path = "limits/flatten.rs"]
mod flatten;
#[path = "limits/held_back.rs"]
mod held_back;
#[path = "limits/judge.rs"]
mod judge;
#[path = "limits/kept.rs"]
mod kept;
#[allow(dead_code, reason = "the script serves other tests too")]
#[path = "orders/scripted.rs"]
mod scripted;
#[path = "limits/several.rs"]
mod several;
#[path = "limits/single.rs"]
mod single;
#[path = "limits/stand.rs"]
mod stand;
#[path = "limits/transfers.rs"]
mod transfers;
#[path = "limits/used.rs"]
mod used;
