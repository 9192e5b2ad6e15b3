//! A gateway's desk and a paper venue face to face, without a bus: what `backtest` trades through.

use engine::fees::Fees;
use engine::messages::{OrderCommand, Tick};
use engine::numbers::NumberError;
use venue::Venue;
use venue::paper::PaperVenue;

use super::books::Book;
use super::desk::{Desk, Verdict};
use super::order::News;
use crds::roles::{BookSpec, GatewayDesired};

/// The same judgement, the same books and the same news as the role's.
#[derive(Debug)]
pub(crate) struct Counter {
    desk: Desk,
    fees: Fees,
}

impl Counter {
    /// A counter with one book.
    pub fn new(fees: &Fees, book: BookSpec) -> Result<Self, NumberError> {
        let mut desk = Desk::default();
        desk.open(&book.ledger, Book::opening(&book)?, 0);
        desk.register(&GatewayDesired { books: vec![book] });
        Ok(Self { desk, fees: fees.clone() })
    }

    /// A command on the tick that caused it.
    pub fn command(&mut self, venue: &mut PaperVenue, command: &OrderCommand, tick: &Tick) -> News {
        match self.desk.judge(command, &self.fees, command.time) {
            Verdict::Send | Verdict::Cancel => {
                let outcome = venue.execute(command, tick);
                self.desk.settle(&command.client_order_id, &outcome, command.time)
            }
            Verdict::Tell(news) | Verdict::Repeat(news) | Verdict::Reissued(news, _) => news,
            Verdict::NotRegistered => self.desk.deny_unregistered(command),
        }
    }

    /// A tick for the orders that wait.
    pub fn tick(&mut self, venue: &mut PaperVenue, tick: &Tick) -> News {
        venue.observe(tick);
        venue.take_reports().iter().flat_map(|report| self.desk.hear(report)).collect()
    }
}
