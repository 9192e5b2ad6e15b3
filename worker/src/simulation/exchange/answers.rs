//! What a scripted exchange says of what has happened: it may acknowledge only, lie, double, and tell of other orders.

use std::collections::BTreeMap;

use engine::instrument::Asset;
use engine::messages::{CommandKind, Side};
use engine::numbers::Notional;
use venue::{Answers, Outcome, VenueReport};

use super::super::account::CAPITAL;
use super::super::script::Says;
use super::Inner;

impl Inner {
    /// A yes as it is given: where it only acknowledges, a report tells the rest.
    pub(super) fn acknowledged(&mut self, said: Outcome, answers: Answers) -> Outcome {
        match (answers, said) {
            (Answers::Acknowledged { .. }, Outcome::Done(_)) => {
                self.meets("Acknowledged");
                Outcome::Acknowledged
            }
            (Answers::Acknowledged { .. } | Answers::Final, said) => said,
        }
    }

    /// The answer to a request, as it is said.
    pub(super) fn said(&mut self, outcome: Outcome, says: Says) -> Outcome {
        let Outcome::Done(report) = outcome else { return outcome };
        let now = report.time.millis();
        match says {
            Says::Truth => Outcome::Done(report),
            Says::Exists => {
                self.meets("Exists");
                Outcome::Exists
            }
            Says::Another => {
                let another = self.placed.iter().find(|placed| *placed.id() != report.client_order_id);
                let Some(another) = another.map(|placed| placed.shown(now)) else { return Outcome::Done(report) };
                self.meets("AnswerOfAnother");
                Outcome::Done(Box::new(another))
            }
        }
    }

    /// Now and then the answer to a question about one order is told twice, or with another order in it.
    pub(super) fn confuse(&mut self, found: &mut Vec<VenueReport>, now: i64) {
        let Some(chance) = self.chance.as_mut().filter(|_| self.confuses) else { return };
        if !found.is_empty() && chance.one_in(4) {
            found.extend_from_within(..);
            self.meets("AnsweredTwice");
        } else if chance.one_in(4)
            && let Some(another) = self.placed.first()
        {
            found.insert(0, another.shown(now));
            self.meets("AnsweredOfOthers");
        }
    }

    /// What the account holds: it opened with its strategy's capital.
    pub(super) fn balances(&self) -> BTreeMap<Asset, Notional> {
        let amount = |text: &str| text.parse::<Notional>().unwrap();
        let (mut coins, mut cash) = (amount(CAPITAL.0), amount(CAPITAL.1));
        for placed in &self.placed {
            let CommandKind::Create(order) = &placed.command.kind else { continue };
            for (_, trade) in &placed.trades {
                let (quantity, worth) = (Notional::from(trade.quantity), trade.price.times(trade.quantity).unwrap());
                (coins, cash) = match order.side {
                    Side::Buy => (coins.plus(quantity).unwrap(), cash.minus(worth).unwrap()),
                    Side::Sell => (coins.minus(quantity).unwrap(), cash.plus(worth).unwrap()),
                };
                cash = cash.minus(trade.fee).unwrap();
            }
        }
        BTreeMap::from([("BNB".parse().unwrap(), coins), ("USDT".parse().unwrap(), cash)])
    }
}
