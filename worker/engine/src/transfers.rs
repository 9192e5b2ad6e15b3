//! Money that is put into a ledger or taken out of it: what is wanted, and what became of it.

use serde::{Deserialize, Serialize};

use crate::instrument::Asset;
use crate::messages::Transfer;
use crate::numbers::{Notional, Price};
use crate::report::{TransferReport, TransferState};
use crate::time::Timestamp;

/// The most transfers that one ledger books, and that one manifest asks for: each stays in the record, so that it is booked
/// once.
pub const TRANSFERS_MAX: usize = 100;

/// A transfer as a manifest asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WantedTransfer {
    /// Its name, by which it is booked once.
    pub id: String,
    /// What is moved.
    pub asset: Asset,
    /// How much: put in where it is above 0, taken out where it is below.
    pub amount: Notional,
}

impl WantedTransfer {
    /// In words, such as `500 USDT`.
    fn words(&self) -> String {
        format!("{} {}", self.amount, self.asset)
    }
}

/// The transfers that a manifest asks for, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WantedTransfers {
    /// Counts the changes of the manifest: what was refused is tried again under a higher one only.
    pub generation: u64,
    /// One for each id.
    pub list: Vec<WantedTransfer>,
}

/// What became of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecidedTransfer {
    /// What was asked for.
    #[serde(flatten)]
    pub wanted: WantedTransfer,
    /// Event time.
    pub time: Timestamp,
    /// Whether it is booked.
    #[serde(flatten)]
    pub decision: TransferDecision,
}

/// How a transfer was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all_fields = "camelCase")]
pub enum TransferDecision {
    /// It is in the books, for good.
    Booked {
        /// Dense per ledger, from 1 on.
        number: u64,
        /// The price of the coins; absent of cash.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Price>,
        /// What it was worth in quote; below 0 where it was taken out.
        worth: Notional,
    },
    /// Nothing has moved.
    Refused {
        /// Under which generation.
        generation: u64,
        /// Why, and what to do.
        message: String,
    },
}

impl DecidedTransfer {
    /// Its number; `None` where it was refused.
    const fn number(&self) -> Option<u64> {
        match self.decision {
            TransferDecision::Booked { number, .. } => Some(number),
            TransferDecision::Refused { .. } => None,
        }
    }

    /// What was booked, as an account's gateway follows it; `None` where it was refused.
    pub fn booked(&self) -> Option<Transfer> {
        let WantedTransfer { asset, amount, .. } = &self.wanted;
        self.number().map(|number| Transfer { number, asset: asset.clone(), amount: *amount })
    }

    /// As the status shows it, where a manifest asks for `wanted` under its id.
    fn report(&self, wanted: Option<&WantedTransfer>) -> TransferReport {
        let (state, message) = match &self.decision {
            TransferDecision::Booked { .. } => (TransferState::Booked, self.differing(wanted)),
            TransferDecision::Refused { message, .. } => (TransferState::Refused, message.clone()),
        };
        TransferReport {
            id: self.wanted.id.clone(),
            asset: self.wanted.asset.to_string(),
            amount: self.wanted.amount,
            state,
            time: self.time,
            message,
        }
    }

    /// That an entry was written anew with something else under the id of one that is booked.
    fn differing(&self, wanted: Option<&WantedTransfer>) -> String {
        wanted.filter(|wanted| **wanted != self.wanted).map_or_else(String::new, |wanted| {
            format!(
                "{} was booked under this id and stays; {} is not booked: give it another id",
                self.wanted.words(),
                wanted.words()
            )
        })
    }
}

/// The transfers of one ledger that were decided, in the order in which they were met first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Transfers(Vec<DecidedTransfer>);

impl Transfers {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was booked, by number.
    pub fn booked(&self) -> impl Iterator<Item = Transfer> {
        let mut booked: Vec<_> = self.0.iter().filter_map(DecidedTransfer::booked).collect();
        booked.sort_by_key(|transfer| transfer.number);
        booked.into_iter()
    }

    /// The number of the last one booked; 0 before the first.
    pub fn last_number(&self) -> u64 {
        self.0.iter().filter_map(DecidedTransfer::number).max().unwrap_or(0)
    }

    /// Whether no more is booked, because no more would be remembered.
    pub fn are_full(&self) -> bool {
        self.0.iter().filter_map(DecidedTransfer::number).count() >= TRANSFERS_MAX
    }

    /// Whether one is refused.
    pub fn has_refused(&self) -> bool {
        self.0.iter().any(|decided| decided.number().is_none())
    }

    pub fn of(&self, id: &str) -> Option<&DecidedTransfer> {
        self.0.iter().find(|decided| decided.wanted.id == id)
    }

    /// Remembers what became of one, in the place of what became of it before.
    pub fn decide(&mut self, decided: DecidedTransfer) {
        match self.0.iter_mut().find(|known| known.wanted.id == decided.wanted.id) {
            Some(known) => *known = decided,
            None => self.0.push(decided),
        }
    }

    /// What was refused and is asked for no more never was.
    pub fn forget_refused(&mut self, wanted: &WantedTransfers) {
        self.0.retain(|decided| {
            decided.number().is_some() || wanted.list.iter().any(|wanted| wanted.id == decided.wanted.id)
        });
    }

    /// The first of them that is to be decided.
    pub fn next_of<'a>(&self, wanted: &'a WantedTransfers) -> Option<&'a WantedTransfer> {
        wanted.list.iter().find(|one| match self.of(&one.id).map(|decided| &decided.decision) {
            None => true,
            Some(TransferDecision::Refused { generation, .. }) => *generation < wanted.generation,
            Some(TransferDecision::Booked { .. }) => false,
        })
    }

    /// As the status shows them.
    pub fn report(&self, wanted: &WantedTransfers) -> Vec<TransferReport> {
        let asked = |decided: &DecidedTransfer| wanted.list.iter().find(|one| one.id == decided.wanted.id);
        self.0.iter().map(|decided| decided.report(asked(decided))).collect()
    }
}
