//! Faults: who is met, and what is answered instead.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::clock::lock;
use crate::control::{Fault, Kind, Order, Scheduled};
use crate::exchange::Exchange;
use crate::journal::Entry;
use crate::line::Mode;
use crate::stream::hub::{Peer, Task};

/// A fault that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum NoFault {
    /// A symbol that is not played.
    #[error("symbol {0:?} is not played; these are: {1}")]
    NoSymbol(String, String),
    /// Its rules.
    #[error(transparent)]
    Rules(#[from] crate::venue::rules::RulesError),
    /// An HTTP status.
    #[error("status {0} is none of an error: 400 to 599")]
    NoStatus(u16),
}

/// What a request meets before it is answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// So much later.
    pub delay: Duration,
    /// This status, and Retry-After.
    pub status: Option<(u16, Option<u64>)>,
}

struct Barrier {
    fault: Fault,
    until: Option<Instant>,
    left: Option<u64>,
}

impl Barrier {
    fn over(&self) -> bool {
        self.left == Some(0) || self.until.is_some_and(|until| until <= Instant::now())
    }
}

/// Faults that wait for requests and connections.
#[derive(Default)]
pub struct Gate {
    barriers: Mutex<Vec<Barrier>>,
    /// Orders for connections that are not there yet.
    waiting: Mutex<Vec<Order>>,
}

impl Gate {
    fn add(&self, fault: Fault, for_ms: Option<u64>, left: Option<u64>) {
        let until = for_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        lock(&self.barriers).push(Barrier { fault, until, left });
    }

    /// Whether new connections are refused.
    pub fn refuses(&self) -> bool {
        let mut barriers = lock(&self.barriers);
        barriers.retain(|barrier| !barrier.over());
        barriers.iter().any(|barrier| matches!(barrier.fault, Fault::Refuse { .. }))
    }

    /// What a request or a handshake for `path` meets.
    pub fn judge(&self, asked: &str, handshake: bool) -> Verdict {
        let mut verdict = Verdict::default();
        let mut barriers = lock(&self.barriers);
        barriers.retain(|barrier| !barrier.over());
        for barrier in barriers.iter_mut() {
            let (Fault::Status { on, path, .. } | Fault::Slow { on, path, .. }) = &barrier.fault else { continue };
            if !on.is(handshake) || path.as_ref().is_some_and(|path| !asked.starts_with(path.as_str())) {
                continue;
            }
            if let Fault::Slow { ms, .. } = &barrier.fault {
                verdict.delay += Duration::from_millis(*ms);
            }
            if let (Fault::Status { status, retry_after, .. }, None) = (&barrier.fault, verdict.status) {
                verdict.status = Some((*status, *retry_after));
                barrier.left = barrier.left.map(|left| left - 1);
            }
        }
        verdict
    }
}

/// Does what is ordered.
pub fn order(exchange: &Exchange, order: &Order) -> Result<(), NoFault> {
    perform(exchange, order)?;
    exchange.log("ordered", Entry { detail: json!(order), ..Entry::default() });
    Ok(())
}

fn perform(exchange: &Exchange, order: &Order) -> Result<(), NoFault> {
    let gate = &exchange.gate;
    match &order.fault {
        Fault::Status { status, for_ms, count, .. } => {
            if !(400..600).contains(status) {
                return Err(NoFault::NoStatus(*status));
            }
            gate.add(order.fault.clone(), *for_ms, *count);
        }
        Fault::Slow { for_ms, .. } | Fault::Refuse { for_ms } => gate.add(order.fault.clone(), *for_ms, None),
        Fault::Mend => {
            lock(&gate.barriers).clear();
            lock(&gate.waiting).clear();
            for peer in exchange.hub.met(&order.aim) {
                peer.line.set(Mode::Open);
            }
        }
        Fault::Clock { offset_ms } => lock(&exchange.venue).offset = *offset_ms,
        Fault::Symbol { symbol, .. } | Fault::Delist { symbol } | Fault::Rule { symbol, .. } => {
            change(exchange, symbol, &order.fault)?;
        }
        Fault::Stall { .. }
        | Fault::Cut { .. }
        | Fault::Close { .. }
        | Fault::Reset
        | Fault::Shutdown { .. }
        | Fault::Drip { .. }
        | Fault::Hold { .. }
        | Fault::Drop { .. }
        | Fault::Duplicate { .. }
        | Fault::Reorder { .. }
        | Fault::Mutate { .. }
        | Fault::Inject { .. } => {
            if order.aim.connection.is_some_and(|number| number > exchange.hub.accepted()) {
                lock(&gate.waiting).push(order.clone());
            }
            for peer in exchange.hub.met(&order.aim) {
                meet(exchange, &peer, order);
            }
        }
    }
    Ok(())
}

fn change(exchange: &Exchange, symbol: &str, fault: &Fault) -> Result<(), NoFault> {
    let mut venue = lock(&exchange.venue);
    let known = venue.markets().map(|market| market.symbol.clone()).collect::<Vec<_>>().join(", ");
    let market = venue.market_mut(symbol).ok_or_else(|| NoFault::NoSymbol(symbol.to_owned(), known))?;
    if let Fault::Symbol { status, .. } = fault {
        market.rules.set_status(status)?;
    }
    if let Fault::Rule { filter, set, .. } = fault {
        market.rules.set_filter(filter, set)?;
    }
    market.delisted = matches!(fault, Fault::Delist { .. });
    Ok(())
}

/// A fault meets a connection.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is no matter of bytes goes to the connection's own task")]
fn meet(exchange: &Exchange, peer: &Arc<Peer>, order: &Order) {
    let until = |for_ms: &Option<u64>| for_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
    let mode = match &order.fault {
        Fault::Stall { for_ms } => Mode::Stalled(until(for_ms)),
        Fault::Reset => Mode::Dead { reset: true },
        Fault::Drip { bytes, every_ms, for_ms } => Mode::Drip {
            bytes: *bytes,
            every: Duration::from_millis(*every_ms),
            next: Instant::now(),
            until: until(for_ms),
        },
        Fault::Hold { bytes } => Mode::Holding(*bytes),
        Fault::Cut { byte, then, seed } if !peer.websocket() => Mode::Cut { left: *byte, then: *then, seed: *seed },
        // In turn with the frames: the connection's own task does it.
        fault => return peer.tell(Task::Fault(fault.clone(), order.aim.stream.clone())),
    };
    let detail = json!(order.fault);
    let event = detail["kind"].as_str().unwrap_or("fault").to_owned();
    let trade = *lock(&peer.last_trade);
    exchange.log(&event, Entry { connection: Some(peer.number), trade, detail, ..Entry::default() });
    peer.line.set(mode);
}

/// A connection is there, or carries streams from now on: what has waited for it meets it.
pub fn arrived(exchange: &Exchange, peer: &Arc<Peer>) {
    let websocket = peer.websocket();
    let mine = |order: &Order| {
        let kind = if websocket { order.aim.on == Kind::Websocket } else { order.aim.on != Kind::Websocket };
        order.aim.connection == Some(peer.number) && kind
    };
    let orders: Vec<Order> = lock(&exchange.gate.waiting).extract_if(.., |order| mine(order)).collect();
    for order in &orders {
        meet(exchange, peer, order);
    }
}

/// Orders each fault of a scenario at its time.
pub async fn follow(exchange: &Exchange, mut scenario: Vec<Scheduled>) {
    scenario.sort_by_key(|fault| fault.at_ms);
    for Scheduled { at_ms, aim, fault } in scenario {
        let at = exchange.clock.start() + at_ms;
        while exchange.clock.now() < at {
            let wait = exchange.clock.until(at).unwrap_or(Duration::MAX);
            tokio::time::sleep(wait.min(Duration::from_millis(20))).await;
        }
        if let Err(error) = order(exchange, &Order { aim, fault }) {
            exchange.log("failed", Entry { detail: Value::String(error.to_string()), ..Entry::default() });
        }
    }
}
