//! What has happened since the last commit.

use std::time::{Duration, Instant};

use bus::Message;

/// Uncommitted work.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Messages to publish, in order.
    pub messages: Vec<Message>,
    /// Fields to set beside the state.
    pub set: Vec<(String, String)>,
    /// Fields to remove.
    pub delete: Vec<String>,
    /// An order was closed: outsiders are told the state.
    pub state_changed: bool,
    ticks: usize,
    urgent: bool,
    since: Option<Instant>,
}

impl Batch {
    /// A tick was taken.
    pub fn tick(&mut self) {
        self.ticks += 1;
        self.since.get_or_insert_with(Instant::now);
    }

    /// Something must be committed now.
    pub fn touch(&mut self) {
        self.urgent = true;
        self.since.get_or_insert_with(Instant::now);
    }

    /// Whether anything is uncommitted.
    pub const fn is_dirty(&self) -> bool {
        self.since.is_some()
    }

    /// Whether something cannot wait.
    pub const fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Whether it must be committed now: ticks alone may wait, bound by count and time.
    pub fn is_due(&self, ticks_max: usize, age_max: Duration) -> bool {
        self.urgent
            || !self.messages.is_empty()
            || self.ticks >= ticks_max
            || self.since.is_some_and(|since| since.elapsed() >= age_max)
    }
}
