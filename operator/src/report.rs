//! What a worker tells in its record. Pure.

use crds::record::{PHASE, Phase, REPORT};
use engine::report::Report;

use crate::placement::RecordFacts;

/// A worker's word: what it does, and its figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// What it does.
    pub phase: Phase,
    /// Its figures; absent before the first commit.
    pub report: Option<Report>,
}

/// The word of the last worker. The record of an older epoch still tells figures, but not that the present worker
/// works: who asks for that compares the epochs.
pub fn word(record: &RecordFacts) -> Option<Word> {
    let phase = Phase::of(record.fields.get(PHASE))?;
    let report = record.fields.get(REPORT).and_then(|text| serde_json::from_str(text).ok());
    Some(Word { phase, report })
}
