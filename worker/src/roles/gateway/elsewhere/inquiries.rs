//! Commands about orders that nobody here knows: a cancel, or an order that is asked for once more after it was forgotten. The
//! venue is asked before anything is said of them, because what is said ends the order for its strategy.

use std::collections::BTreeMap;

use engine::client_order_id::ClientOrderId;
use engine::messages::{CommandKind, Inbox, OrderCommand};
use engine::time::Timestamp;
use venue::{Question, Trading, Venue, VenueFacts, VenueReport};

use super::{Elsewhere, Gateway};
use crate::roles::gateway::manager::DOUBT_INTERVAL_MS;
use crate::roles::told::Told;
use crate::roles::{Bus, Stop};

/// How many there are at most: who is not asked about asks again.
const INQUIRIES_MAX: usize = 256;
/// What the venue says of an order.
#[derive(Debug)]
enum Word {
    Found(Box<VenueReport>),
    /// It has said so twice, one visibility window apart.
    NotThere,
}

#[derive(Debug)]
struct Inquiry {
    command: OrderCommand,
    asked: Option<Timestamp>,
    absent_since: Option<Timestamp>,
    word: Option<Word>,
}

/// All that are open.
#[derive(Debug, Default)]
pub(super) struct Inquiries(BTreeMap<ClientOrderId, Inquiry>);

impl Inquiries {
    /// A command asks about an order. Of several about one order the last is answered.
    pub fn begin(&mut self, command: &OrderCommand) {
        let id = &command.client_order_id;
        if self.0.len() >= INQUIRIES_MAX && !self.0.contains_key(id) {
            tracing::warn!(order = %id, "too many orders that nobody knows are asked about; it has to be asked again");
            return;
        }
        let command = command.clone();
        self.0.insert(id.clone(), Inquiry { command, asked: None, absent_since: None, word: None });
    }

    /// What to ask now.
    pub fn questions(&mut self, now: Timestamp) -> Vec<Question> {
        let is_due =
            |inquiry: &&mut Inquiry| inquiry.asked.is_none_or(|asked| now.millis_since(asked) >= DOUBT_INTERVAL_MS);
        let due = self.0.values_mut().filter(is_due).map(|inquiry| {
            inquiry.asked = Some(now);
            let command = &inquiry.command;
            Question::Order { id: command.client_order_id.clone(), symbol: command.symbol.clone() }
        });
        due.collect()
    }

    /// The venue has told of an order.
    pub fn found(&mut self, report: &VenueReport) {
        if let Some(inquiry) = self.0.get_mut(&report.client_order_id) {
            inquiry.word = Some(Word::Found(Box::new(report.clone())));
        }
    }

    /// The venue has told that an order is not there.
    pub fn not_found(&mut self, id: &ClientOrderId, asked: Timestamp, facts: &VenueFacts) {
        let Some(inquiry) = self.0.get_mut(id) else { return };
        let since = *inquiry.absent_since.get_or_insert(asked);
        if asked.millis_since(since) >= facts.visibility_ms {
            inquiry.word = Some(Word::NotThere);
        }
    }

    fn take_answered(&mut self) -> Vec<(OrderCommand, Word)> {
        let answered = self.0.extract_if(.., |_, inquiry| inquiry.word.is_some());
        answered.filter_map(|(_, inquiry)| inquiry.word.map(|word| (inquiry.command, word))).collect()
    }
}

impl<B: Bus, V: Venue> Gateway<B, Elsewhere<V, Trading>> {
    /// Answers the commands about which the venue has given its word.
    pub(super) async fn end_inquiries(&mut self) -> Result<(), Stop> {
        for (command, word) in self.place.inquiries.take_answered() {
            let id = &command.client_order_id;
            match word {
                Word::NotThere => {
                    let verdict = self.manager.not_there(&command);
                    self.tell_verdict(&command, verdict).await?;
                }
                // It was taken over, which is told by itself.
                Word::Found(_) if self.manager.order(id).is_some() => {
                    if command.kind == CommandKind::Cancel && self.manager.cancel_known(id) {
                        self.place.ask_to_cancel(&mut self.manager, id, &command.symbol);
                    }
                }
                Word::Found(report) => {
                    let news = self.manager.retold(&report).unwrap_or_default();
                    let mut answers: Vec<Told> =
                        news.into_iter().map(|update| Inbox::OrderUpdate(Box::new(update)).into()).collect();
                    for (left, answer) in answers.iter_mut().rev().enumerate() {
                        answer.repeat = Some(left);
                    }
                    self.answer(&command.strategy, id.ledger(), answers).await?;
                }
            }
        }
        Ok(())
    }
}
