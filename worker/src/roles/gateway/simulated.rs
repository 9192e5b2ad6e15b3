//! The simulated exchange of an account: one for each ledger, with the tick and the round as of which it has answered.
//! Each ledger's stands where its worker stands, so strategies of one account never wait for each other. Pure.

use std::collections::{BTreeMap, BTreeSet};

use bus::StreamId;
use engine::client_order_id::LedgerId;
use engine::fees::Fees;
use engine::instrument::Symbol;
use serde::{Deserialize, Serialize};
use venue::sim::{Exchange, RecordError, RestingFills};

use super::manager::Changes;
use crate::roles::paper::resting_fills;
use crds::roles::AccountSpec;

/// What of a ledger's exchange is a field: an order that rests, or a command on its way.
const EXCHANGE: &str = "exchange:";
/// As of what a ledger's exchange has answered.
const ADVANCED: &str = "advanced:";
/// Where the release before kept the orders that waited for their latency, of all ledgers.
const WAITING: &str = "venue";

/// A round of a tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Advanced {
    /// Its place in its market's stream.
    pub tick: StreamId,
    /// Its market; of the release before, which had one, there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<Symbol>,
    /// Its number in its source, which alone orders the ticks of several markets; none where the tick is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    pub round: u32,
}

impl Advanced {
    /// Whether what was asked lies not behind this.
    fn covers(&self, asked: &Self) -> bool {
        let is_other = self.symbol.as_ref().zip(asked.symbol.as_ref()).is_some_and(|(one, other)| one != other);
        match (self.sequence, asked.sequence) {
            _ if self.tick == asked.tick && !is_other => self.round >= asked.round,
            (Some(last), Some(asked)) => last > asked,
            // Of one market ids are in order; of a tick of another that is gone nothing is known.
            (None, _) | (_, None) => !is_other && self.tick > asked.tick,
        }
    }
}

/// The exchanges of the account's ledgers.
#[derive(Debug)]
pub(super) struct Simulated {
    fees: Fees,
    latency_ms: u32,
    fills: RestingFills,
    exchanges: BTreeMap<LedgerId, Exchange>,
    advanced: BTreeMap<LedgerId, Advanced>,
    /// Ledgers of which something has changed since the last commit.
    changed: BTreeSet<LedgerId>,
    /// Fields that are to be removed.
    delete: Vec<String>,
}

impl Simulated {
    /// The account's exchange, with no orders.
    pub fn of(account: &AccountSpec) -> Self {
        Self {
            fees: account.fees(),
            latency_ms: account.latency_ms(),
            fills: resting_fills(account),
            exchanges: BTreeMap::new(),
            advanced: BTreeMap::new(),
            changed: BTreeSet::new(),
            delete: Vec::new(),
        }
    }

    /// The exchange as a record holds it. What waited in a record of the release before is on its way.
    pub fn restore<'a>(
        account: &AccountSpec,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SimulatedError> {
        let mut simulated = Self::of(account);
        for (name, value) in fields {
            let wrong = |problem: &dyn std::fmt::Display| SimulatedError(format!("field {name}: {problem}"));
            if let Some((ledger, part)) = name.strip_prefix(EXCHANGE).and_then(|rest| rest.split_once(':')) {
                let ledger = ledger.parse().map_err(|error| wrong(&error))?;
                simulated.exchange(&ledger).restore(part, value).map_err(|error| wrong(&error))?;
            } else if let Some(ledger) = name.strip_prefix(ADVANCED) {
                let advanced = serde_json::from_str(value).map_err(|error| wrong(&error))?;
                simulated.advanced.insert(ledger.parse().map_err(|error| wrong(&error))?, advanced);
            } else if name == WAITING {
                simulated.take_up(value).map_err(|problem| wrong(&problem))?;
            }
        }
        Ok(simulated)
    }

    fn take_up(&mut self, waiting: &str) -> Result<(), String> {
        let waiting: Vec<serde_json::Value> = serde_json::from_str(waiting).map_err(|error| error.to_string())?;
        for order in waiting {
            let id = order.get("clientOrderId").and_then(|id| id.as_str()).unwrap_or_default();
            let id: engine::client_order_id::ClientOrderId = id.parse().map_err(|error| format!("{error}"))?;
            self.exchange(id.ledger()).take_up(&order).map_err(|error| error.to_string())?;
            self.changed.insert(id.ledger().clone());
        }
        self.delete.push(WAITING.to_owned());
        Ok(())
    }

    fn exchange(&mut self, ledger: &LedgerId) -> &mut Exchange {
        self.exchanges
            .entry(ledger.clone())
            .or_insert_with(|| Exchange::new(self.fees.clone(), self.latency_ms, self.fills))
    }

    /// A ledger's exchange, to be changed.
    pub fn at(&mut self, ledger: &LedgerId) -> &mut Exchange {
        self.changed.insert(ledger.clone());
        self.exchange(ledger)
    }

    /// Whether a ledger's exchange has nothing to do as of this round: it has answered already, or never had an order, and
    /// its market does not end with this tick.
    pub fn has_answered(&self, ledger: &LedgerId, asked: &Advanced, ends: bool) -> bool {
        (!self.exchanges.contains_key(ledger) && !ends)
            || self.advanced.get(ledger).is_some_and(|advanced| advanced.covers(asked))
    }

    /// Whether the worker of a ledger has ever said as of which tick its orders are to be matched.
    pub fn was_asked(&self, ledger: &LedgerId) -> bool {
        self.advanced.contains_key(ledger)
    }

    /// A ledger's exchange has answered as of this round.
    pub fn answered(&mut self, ledger: &LedgerId, asked: Advanced) {
        self.advanced.insert(ledger.clone(), asked);
        self.changed.insert(ledger.clone());
    }

    /// Forgets a ledger that trades here no more.
    pub fn forget_ledger(&mut self, ledger: &LedgerId) {
        if let Some(exchange) = self.exchanges.remove(ledger) {
            self.delete.extend(exchange.field_names().map(|name| format!("{EXCHANGE}{ledger}:{name}")));
        }
        if self.advanced.remove(ledger).is_some() {
            self.delete.push(format!("{ADVANCED}{ledger}"));
        }
    }

    /// What has changed since the last call, for the record.
    pub fn changes(&mut self, changes: &mut Changes) -> Result<(), RecordError> {
        changes.delete.append(&mut self.delete);
        for ledger in std::mem::take(&mut self.changed) {
            if let Some(advanced) = self.advanced.get(&ledger) {
                let name = format!("{ADVANCED}{ledger}");
                let text = serde_json::to_string(advanced);
                let text = text.map_err(|source| RecordError::Text { name: name.clone(), source })?;
                changes.set.push((name, text));
            }
            let Some(exchange) = self.exchanges.get_mut(&ledger) else { continue };
            let name = |name: String| format!("{EXCHANGE}{ledger}:{name}");
            let of_exchange = exchange.take_changes()?;
            changes.set.extend(of_exchange.set.into_iter().map(|(part, value)| (name(part), value)));
            changes.delete.extend(of_exchange.delete.into_iter().map(name));
        }
        Ok(())
    }
}

/// A field of the record is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct SimulatedError(String);
