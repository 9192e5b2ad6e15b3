//! The log of what was done to clients.

use std::sync::Mutex;

use serde_json::Value;

use crate::clock::{Clock, lock};
use crate::control::Line;

/// Lines kept; older ones are forgotten, their numbers stay.
const KEPT: usize = 100_000;

/// The log.
#[derive(Default)]
pub struct Journal(Mutex<(u64, std::collections::VecDeque<Line>)>);

/// What a line says beside number and time.
#[derive(Debug, Default)]
pub struct Entry<'a> {
    /// Which connection.
    pub connection: Option<u64>,
    /// Which stream.
    pub stream: Option<&'a str>,
    /// Which trade.
    pub trade: Option<u64>,
    /// Anything else.
    pub detail: Value,
}

impl Journal {
    /// Adds a line.
    pub fn add(&self, clock: &Clock, event: &str, entry: Entry<'_>) {
        let mut journal = lock(&self.0);
        journal.0 += 1;
        if journal.1.len() == KEPT {
            journal.1.pop_front();
        }
        let line = Line {
            number: journal.0,
            time: clock.now(),
            event: event.to_owned(),
            connection: entry.connection,
            stream: entry.stream.map(str::to_owned),
            trade: entry.trade,
            detail: entry.detail,
        };
        journal.1.push_back(line);
    }

    /// The lines from that number on.
    pub fn from(&self, number: u64) -> Vec<Line> {
        lock(&self.0).1.iter().filter(|line| line.number >= number).cloned().collect()
    }
}
