//! All that the tasks of a server share.

use std::sync::Mutex;
use std::time::Duration;

use crate::clock::{Clock, lock};
use crate::faults::Gate;
use crate::journal::{Entry, Journal};
use crate::product::Product;
use crate::rest::weight::Weights;
use crate::stream::hub::Hub;
use crate::venue::Venue;
use crate::written::Written;

/// Events played before others get the exchange in between.
const AT_ONCE: usize = 500;
/// How often it looks at the clock when nothing comes, at least.
const LOOK: Duration = Duration::from_millis(20);

/// The exchange, its clock and its connections.
pub struct Exchange {
    /// The exchange's clock.
    pub clock: Clock,
    /// What is traded.
    pub product: Product,
    /// The connections.
    pub hub: Hub,
    /// What is answered instead, and what waits for connections.
    pub gate: Gate,
    /// What clients have used of their weight.
    pub weights: Mutex<Weights>,
    /// The markets.
    pub venue: Mutex<Venue>,
    /// Where the times of writes are noted.
    pub written: Option<Written>,
    journal: Journal,
}

/// When connections are asked for life and when they end, by the machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Between pings.
    pub ping: Duration,
    /// Without a pong it ends.
    pub pong: Duration,
    /// It ends in any case.
    pub life: Duration,
}

impl Exchange {
    /// An exchange that has not been played yet.
    pub fn new(clock: Clock, venue: Venue, weight_limit: u64, written: Option<Written>) -> Self {
        Self {
            clock,
            product: venue.book.product,
            hub: Hub::default(),
            gate: Gate::default(),
            weights: Mutex::new(Weights::new(weight_limit)),
            venue: Mutex::new(venue),
            written,
            journal: Journal::default(),
        }
    }

    /// The exchange's limits at this speed. A client answers by its own machine's clock, so pings and pongs are
    /// never faster than 1 s and 3 s.
    pub fn limits(&self) -> Limits {
        let by_clock = |time: Duration| time.as_secs_f64() / self.clock.speed();
        let scaled = |time| Duration::try_from_secs_f64(by_clock(time)).unwrap_or(Duration::MAX);
        let (ping, within) = self.product.pings();
        Limits {
            ping: scaled(ping).max(Duration::from_secs(1)),
            pong: scaled(within).max(Duration::from_secs(3)),
            // Some runtimes cannot wait for centuries.
            life: scaled(Duration::from_hours(24)).min(Duration::from_hours(24 * 365)),
        }
    }

    /// How late it says it is, in ms since the epoch.
    pub fn time(&self) -> i64 {
        lock(&self.venue).time(self.clock.now())
    }

    /// Writes a line of the log.
    pub fn log(&self, event: &str, entry: Entry<'_>) {
        self.journal.add(&self.clock, event, entry);
    }

    /// The lines of the log from that number on.
    pub fn journal(&self, from: u64) -> Vec<crate::control::Line> {
        self.journal.from(from)
    }

    /// Plays the market as the clock goes on; for ever.
    pub async fn play(&self) {
        loop {
            let now = self.clock.now();
            let more = lock(&self.venue).play(now, AT_ONCE, &self.hub);
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            let next = lock(&self.venue).upcoming().unwrap_or(i64::MAX);
            let wait = self.clock.until(next).unwrap_or(LOOK).min(LOOK);
            tokio::time::sleep(wait).await;
        }
    }
}
