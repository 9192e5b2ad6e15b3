//! The exchange as fields of a record: one for each order that rests and each command that is held, and only what changed.

use engine::client_order_id::ClientOrderId;
use engine::instrument::Symbol;
use engine::messages::{CommandKind, NewOrder};
use engine::time::Timestamp;
use serde::Deserialize;

use super::book::Resting;
use super::held::Held;
use super::{Exchange, may_rest};

/// What of an exchange must be committed: names as in [`Exchange::restore`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Fields to set.
    pub set: Vec<(String, String)>,
    /// Fields to remove.
    pub delete: Vec<String>,
}

/// A saved exchange does not read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Nobody writes such a field.
    #[error("{name:?} is no field of a simulated exchange")]
    Name {
        /// The field.
        name: String,
    },
    /// Only a limit order that is good till cancelled rests.
    #[error("order {id} cannot rest")]
    CannotRest {
        /// The order.
        id: ClientOrderId,
    },
    /// The text is none of ours.
    #[error("{name}: {source}")]
    Text {
        /// The field.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

const RESTING: &str = "resting:";
const HELD: &str = "held:";
/// The market, behind it; its value says nothing.
const ENDED: &str = "ended:";

/// A field that has changed since the last commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Changed {
    /// Of a resting order, by its sequence.
    Resting(u64),
    /// Of a held command, by its number.
    Held(u64),
    /// Of a market of which the last tick has come.
    Ended(Symbol),
}

/// An order that waited for its latency, as the release before kept it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    client_order_id: ClientOrderId,
    symbol: Symbol,
    order: NewOrder,
    due: Timestamp,
    matched: u64,
}

impl Exchange {
    /// Takes up one field of what [`Self::take_changes`] gave.
    pub fn restore(&mut self, name: &str, value: &str) -> Result<(), RecordError> {
        let wrong = |source| RecordError::Text { name: name.to_owned(), source };
        if name.strip_prefix(RESTING).is_some() {
            let order: Resting = serde_json::from_str(value).map_err(wrong)?;
            let price = order.order.price.filter(|_| may_rest(&order.order));
            let price = price.ok_or_else(|| RecordError::CannotRest { id: order.id.clone() })?;
            self.rest(order, price);
        } else if let Some(Ok(number)) = name.strip_prefix(HELD).map(str::parse) {
            let held: Held = serde_json::from_str(value).map_err(wrong)?;
            self.held.insert(number, held);
            self.recorded = self.held.next();
        } else if let Some(Ok(symbol)) = name.strip_prefix(ENDED).map(str::parse) {
            self.ended.insert(symbol);
        } else {
            return Err(RecordError::Name { name: name.to_owned() });
        }
        self.changed.clear();
        Ok(())
    }

    /// Takes up an order that waited for its latency when the release before wrote its record.
    pub fn take_up(&mut self, waiting: &serde_json::Value) -> Result<(), RecordError> {
        let waiting = Waiting::deserialize(waiting);
        let waiting = waiting.map_err(|source| RecordError::Text { name: "a waiting order".to_owned(), source })?;
        let number = self.held.push(Held {
            id: waiting.client_order_id,
            symbol: waiting.symbol,
            kind: CommandKind::Create(waiting.order),
            due: waiting.due,
            cause: waiting.matched,
            ended: None,
        });
        self.changed.insert(Changed::Held(number));
        Ok(())
    }

    /// What has changed since the last call, for the record.
    pub fn take_changes(&mut self) -> Result<Changes, RecordError> {
        let mut changes = Changes::default();
        self.recorded = self.held.next();
        for changed in std::mem::take(&mut self.changed) {
            let (name, value) = match changed {
                Changed::Resting(sequence) => {
                    (format!("{RESTING}{sequence}"), self.resting(sequence).map(serde_json::to_string))
                }
                Changed::Held(number) => (format!("{HELD}{number}"), self.held.get(number).map(serde_json::to_string)),
                Changed::Ended(symbol) => (format!("{ENDED}{symbol}"), Some(Ok("true".to_owned()))),
            };
            match value.transpose().map_err(|source| RecordError::Text { name: name.clone(), source })? {
                Some(value) => changes.set.push((name, value)),
                None => changes.delete.push(name),
            }
        }
        Ok(changes)
    }

    /// For who keeps no record: nothing has changed.
    pub fn forget_changes(&mut self) {
        self.changed.clear();
    }

    /// Whether anything must be committed.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The names of all fields.
    pub fn field_names(&self) -> impl Iterator<Item = String> {
        let resting = self.placed.keys().map(|sequence| format!("{RESTING}{sequence}"));
        let held = self.held.numbers().map(|number| format!("{HELD}{number}"));
        resting.chain(held).chain(self.ended.iter().map(|symbol| format!("{ENDED}{symbol}")))
    }

    fn resting(&self, sequence: u64) -> Option<&Resting> {
        let (symbol, side, price) = self.placed.get(&sequence)?;
        self.books.get(symbol)?.get(*side, *price, sequence)
    }
}
