//! What a worker tells in its record. Pure.

use crds::record::{ORDER, PHASE, Phase, REPORT};
use engine::report::Report;

use crate::placement::{RecordFacts, Stored};

/// A worker's word: what it does, and its figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// What it does.
    pub phase: Phase,
    /// Its figures; absent before the first commit.
    pub report: Option<Report>,
}

/// The word of the worker of an epoch. The record of an older epoch still tells figures, but not that the
/// present worker works.
pub fn word(record: &RecordFacts) -> Option<Word> {
    let phase = Phase::of(record.fields.get(PHASE))?;
    let report = record.fields.get(REPORT).and_then(|text| serde_json::from_str(text).ok());
    Some(Word { phase, report })
}

/// How many orders of a ledger are open at the gateway; `None` if the store did not answer.
pub fn open_orders(gateway: &Stored, ledger: &str) -> Option<usize> {
    match gateway {
        Stored::Away(_) => None,
        Stored::Missing => Some(0),
        Stored::Found(record) => {
            let of_ledger = format!("{ORDER}glm-{ledger}-");
            let open = |text: &String| {
                let stage = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
                stage["stage"]["at"] != "over"
            };
            Some(record.fields.iter().filter(|(name, text)| name.starts_with(&of_ledger) && open(text)).count())
        }
    }
}
