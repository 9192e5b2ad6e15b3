//! Commands on their way: held from the tick that caused them to the one on which they arrive.

use std::collections::{BTreeMap, BTreeSet};

use engine::client_order_id::ClientOrderId;
use engine::instrument::Symbol;
use engine::messages::{CommandKind, NewOrder, Tick};
use engine::numbers::Quantity;
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A command that has not arrived yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Held {
    pub id: ClientOrderId,
    pub symbol: Symbol,
    #[serde(flatten)]
    pub kind: CommandKind,
    /// Event time from which it arrives.
    pub due: Timestamp,
    /// The number in its source of the tick that caused it, which may be another market's: it does not arrive on an earlier
    /// one.
    pub cause: u64,
    /// Of a replacement: with what the order to be replaced has ended meanwhile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<Quantity>,
}

impl Held {
    fn arrives(&self, tick: &Tick) -> bool {
        self.symbol == tick.symbol && tick.source_sequence >= self.cause && tick.event_time() >= self.due
    }
}

/// All commands that are held, in the order in which they were sent.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    held: BTreeMap<u64, Held>,
    /// Where the orders stand that are to be made, by their sequence.
    making: BTreeMap<u64, u64>,
    replacements: usize,
    /// The time before which nothing arrives; absent where nothing is held.
    earliest: Option<Timestamp>,
    next: u64,
}

impl Queue {
    pub const fn new() -> Self {
        Self { held: BTreeMap::new(), making: BTreeMap::new(), replacements: 0, earliest: None, next: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The number that the next command gets.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Puts a command behind the others; gives its number.
    pub fn push(&mut self, held: Held) -> u64 {
        let number = self.next;
        self.insert(number, held);
        number
    }

    pub fn insert(&mut self, number: u64, held: Held) {
        self.next = self.next.max(number.saturating_add(1));
        self.earliest = Some(self.earliest.map_or(held.due, |earliest| earliest.min(held.due)));
        if held.kind.order().is_some() {
            self.making.insert(held.id.sequence(), number);
        }
        self.replacements = self.replacements.saturating_add(usize::from(is_replacement(&held)));
        self.held.insert(number, held);
    }

    /// The numbers of all commands.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.held.keys().copied()
    }

    pub fn get(&self, number: u64) -> Option<&Held> {
        self.held.get(&number)
    }

    fn remove(&mut self, number: u64) -> Option<Held> {
        let held = self.held.remove(&number)?;
        if held.kind.order().is_some() {
            self.making.remove(&held.id.sequence());
        }
        self.replacements = self.replacements.saturating_sub(usize::from(is_replacement(&held)));
        self.earliest = self.earliest.filter(|_| !self.held.is_empty());
        Some(held)
    }

    /// Whether anything arrives on this tick.
    pub fn has_arrivals(&self, tick: &Tick) -> bool {
        self.earliest.is_some_and(|earliest| earliest <= tick.event_time())
            && self.held.values().any(|held| held.arrives(tick))
    }

    /// Takes the first command that arrives on this tick.
    pub fn next_arrival(&mut self, tick: &Tick) -> Option<(u64, Held)> {
        if self.earliest.is_none_or(|earliest| earliest > tick.event_time()) {
            return None;
        }
        let Some(number) = self.held.iter().find(|(_, held)| held.arrives(tick)).map(|(number, _)| *number) else {
            self.earliest = self.held.values().map(|held| held.due).min();
            return None;
        };
        Some((number, self.remove(number)?))
    }

    /// Whether a command is held of one of these markets.
    pub fn has_any_of(&self, symbols: &BTreeSet<Symbol>) -> bool {
        !symbols.is_empty() && self.held.values().any(|held| symbols.contains(&held.symbol))
    }

    /// Takes the first command of one of these markets.
    pub fn pop(&mut self, symbols: &BTreeSet<Symbol>) -> Option<(u64, Held)> {
        let number = self.held.iter().find(|(_, held)| symbols.contains(&held.symbol)).map(|(number, _)| *number)?;
        Some((number, self.remove(number)?))
    }

    /// The number of the command that makes this order.
    pub fn making(&self, id: &ClientOrderId) -> Option<u64> {
        self.making.get(&id.sequence()).copied()
    }

    /// Takes the order out of a command that makes one. What is left of a replacement is a cancel.
    pub fn take_order(&mut self, number: u64) -> Option<(ClientOrderId, Symbol, NewOrder)> {
        let held = self.remove(number)?;
        match held.kind {
            CommandKind::Create(order) => Some((held.id, held.symbol, order)),
            CommandKind::Replace { of, order, .. } => {
                let (symbol, due, cause) = (held.symbol.clone(), held.due, held.cause);
                self.insert(number, Held { id: of, symbol, kind: CommandKind::Cancel, due, cause, ended: None });
                Some((held.id, held.symbol, order))
            }
            CommandKind::Cancel | CommandKind::Advance { .. } | CommandKind::Transfer(_) => None,
        }
    }

    /// Tells the replacements of an order with what it has ended; gives their numbers.
    pub fn note_end(&mut self, id: &ClientOrderId, cumulative: Quantity) -> Vec<u64> {
        if self.replacements == 0 {
            return Vec::new();
        }
        let mut told = Vec::new();
        for (number, held) in &mut self.held {
            match &held.kind {
                CommandKind::Replace { of, .. } if of == id => {
                    held.ended = Some(cumulative);
                    told.push(*number);
                }
                CommandKind::Create(_)
                | CommandKind::Cancel
                | CommandKind::Replace { .. }
                | CommandKind::Advance { .. }
                | CommandKind::Transfer(_) => {}
            }
        }
        told
    }
}

const fn is_replacement(held: &Held) -> bool {
    matches!(held.kind, CommandKind::Replace { .. })
}
