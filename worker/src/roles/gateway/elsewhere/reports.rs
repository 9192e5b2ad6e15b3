//! What a venue elsewhere tells: outcomes of requests, answers to questions, events. Each goes through the order manager,
//! whoever asked.

use std::collections::{BTreeMap, BTreeSet};

use bus::Topic;
use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::messages::{AlertKind, Inbox, RiskAlert, Severity};
use engine::time::Timestamp;
use venue::{Answer, Outcome, Question, Venue, VenueError, VenueEvent, VenueReport};

use super::{Elsewhere, Gateway, Replied, Reply, Sent};
use crate::roles::Bus;
use crate::roles::gateway::manager::{Adopted, Found};
use crate::roles::gateway::order::News;

/// Orders that nobody here knows of which is remembered that a human was told.
const TOLD_MAX: usize = 1_000;

/// Whether reports come by themselves or answer a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Event,
    Answer,
}

impl<B: Bus, V: Venue, S: 'static> Gateway<B, Elsewhere<V, S>> {
    /// Takes replies; gives the answers to questions that are not about one order, with when they were asked.
    pub(super) fn take_replies(&mut self, replies: Vec<Replied>) -> Vec<(Question, Timestamp, Answer)> {
        let mut lists = Vec::new();
        for Replied { to, sent_at, reply } in replies {
            match (to, reply) {
                (Sent::Create(id), Reply::Outcome(Outcome::Acknowledged)) => {
                    self.manager.taken(&id, self.place.report_due());
                }
                (Sent::Create(id), Reply::Outcome(outcome)) => {
                    let news = self.manager.settle(&id, &outcome, self.place.now);
                    self.tell(&news);
                }
                (Sent::Cancel(_), Reply::Outcome(Outcome::Done(report))) => {
                    self.take_reports(&[*report], Source::Event);
                }
                (Sent::Cancel(id), Reply::Outcome(Outcome::Acknowledged)) => {
                    self.manager.quiet(&id, Some(self.place.report_due()));
                }
                // The order stays as it is: the venue is asked about it.
                (Sent::Cancel(id), Reply::Outcome(Outcome::Rejected(_) | Outcome::Exists | Outcome::Unknown(_))) => {
                    self.manager.quiet(&id, None);
                }
                (Sent::Switch(guarded, switching), Reply::Switched(done)) => {
                    self.place.switches.answered(&guarded, switching, sent_at, done);
                }
                (Sent::Question(question), Reply::Answer(answer)) => {
                    lists.extend(self.take_answer(question, sent_at, answer));
                }
                (what @ (Sent::Create(_) | Sent::Cancel(_)), Reply::Answer(_) | Reply::Switched(_))
                | (what @ Sent::Question(_), Reply::Outcome(_) | Reply::Switched(_))
                | (what @ Sent::Switch(..), Reply::Outcome(_) | Reply::Answer(_)) => {
                    tracing::error!(?what, "a reply to something else");
                }
            }
        }
        lists
    }

    fn take_answer(
        &mut self,
        question: Question,
        asked: Timestamp,
        answer: Result<Answer, VenueError>,
    ) -> Option<(Question, Timestamp, Answer)> {
        match (&question, answer) {
            (_, Err(error)) => {
                tracing::warn!(?question, %error, "asked in vain; it is asked again");
                None
            }
            (Question::Order { id, .. }, Ok(Answer::Orders(reports))) => {
                self.take_order(id, asked, &reports);
                None
            }
            (Question::OpenOrders, Ok(Answer::Orders(reports))) => {
                self.take_reports(&reports, Source::Answer);
                self.manager.listed(&reports, asked, self.place.connection.facts());
                Some((question, asked, Answer::Orders(reports)))
            }
            (Question::OrdersSince(since), Ok(Answer::Orders(reports))) => {
                self.take_reports(&reports, Source::Answer);
                if self.place.missed_since == Some(*since) && self.place.deaf_since.is_none() {
                    self.place.missed_since = None;
                }
                Some((question, asked, Answer::Orders(reports)))
            }
            (Question::Balances, Ok(answer @ Answer::Balances(_))) => Some((question, asked, answer)),
            (Question::Balances, Ok(Answer::Orders(_)))
            | (Question::Order { .. } | Question::OpenOrders | Question::OrdersSince(_), Ok(Answer::Balances(_))) => {
                tracing::error!(?question, "the venue has answered something else; it is asked again");
                None
            }
        }
    }

    /// An answer about one order. That nothing is told of it counts only where nothing else is told either.
    fn take_order(&mut self, id: &ClientOrderId, asked: Timestamp, reports: &[VenueReport]) {
        let own = reports.iter().find(|report| report.client_order_id == *id);
        self.take_reports(reports, Source::Answer);
        if own.is_none() && !reports.is_empty() {
            tracing::error!(order = %id, "the venue has told of other orders than it was asked about");
            return;
        }
        let facts = self.place.connection.facts();
        match own {
            Some(report) => self.place.inquiries.found(report),
            // Where nothing bounds when a request arrives, only what has ended here is known not to be there.
            None if facts.dead_after_ms().is_none() && !self.manager.has_forgotten(id) => {}
            None => self.place.inquiries.not_found(id, asked, facts),
        }
        match self.manager.found(id, own, self.place.connection.facts(), asked) {
            Found::News(news) => self.tell(&news),
            Found::Wait | Found::Absent => {}
        }
        let of_market = self.manager.order(id).map(|order| order.command.symbol.clone());
        if let Some(symbol) = of_market.filter(|_| self.manager.must_cancel(id)) {
            self.place.ask_to_cancel(&mut self.manager, id, &symbol);
        }
    }

    pub(super) fn take_events(&mut self, events: Vec<VenueEvent>) {
        let mut reports = Vec::new();
        for event in events {
            match event {
                VenueEvent::Order(report) => reports.push(*report),
                VenueEvent::Disconnected => {
                    tracing::warn!("the venue's events may be lost until it says otherwise");
                    self.place.deaf_since.get_or_insert(self.place.now);
                }
                VenueEvent::Resumed => {
                    let since = self.place.deaf_since.take().unwrap_or(self.place.now);
                    let earlier = self.place.connection.facts().shown_after_ms();
                    let since = since.plus_millis(-earlier);
                    self.place.missed_since = Some(self.place.missed_since.map_or(since, |missed| missed.min(since)));
                    self.place.requests.ask(Question::OpenOrders);
                }
            }
        }
        self.take_reports(&reports, Source::Event);
    }

    /// What was not answered in time: of a request nobody knows what became of it, a question is asked again.
    pub(super) fn doubt_overdue(&mut self) {
        let answer_ms = self.place.connection.facts().answer_ms;
        for what in self.place.requests.overdue(self.place.now, answer_ms) {
            match what {
                Sent::Create(id) => {
                    let news = self.manager.doubt(&id, "TimedOut", self.place.now);
                    self.tell(&news);
                }
                Sent::Cancel(_) | Sent::Question(_) => tracing::warn!(?what, "no answer in time"),
                Sent::Switch(guarded, _) => self.place.switches.unanswered(&guarded),
            }
        }
    }

    fn take_reports(&mut self, reports: &[VenueReport], source: Source) {
        let mut news = News::new();
        let mut adopted: BTreeSet<LedgerId> = BTreeSet::new();
        let mut unknown: BTreeMap<(&LedgerId, &'static str), Vec<&ClientOrderId>> = BTreeMap::new();
        for report in reports {
            let id = &report.client_order_id;
            if self.manager.order(id).is_some() {
                news.extend(self.manager.hear(report));
                continue;
            }
            let what = match source {
                // The venue is asked before anything is made of it.
                Source::Event => {
                    self.ask_about(report);
                    "it is asked about"
                }
                Source::Answer => match self.manager.adopt(report) {
                    Adopted::New(told) => {
                        news.extend(told);
                        adopted.insert(id.ledger().clone());
                        "it is taken over, and what it has traded is booked"
                    }
                    Adopted::Known(told) => {
                        news.extend(told);
                        continue;
                    }
                    Adopted::Ended => continue,
                    Adopted::Left(why) => why,
                },
            };
            if self.place.is_untold(id) {
                unknown.entry((id.ledger(), what)).or_default().push(id);
            }
        }
        for ((ledger, what), ids) in unknown {
            self.alert_unknown_orders(ledger, &ids, what);
        }
        for ledger in adopted {
            if let Some(strategy) = self.manager.strategy_of(&ledger).filter(|_| !self.manager.is_silent(&ledger)) {
                let highest_sequence = self.manager.highest_of(&ledger);
                self.tell_strategy(&strategy, &ledger, &Inbox::Recovered { highest_sequence }.into());
            }
        }
        self.tell(&news);
    }

    fn ask_about(&mut self, report: &VenueReport) {
        if let Some(ordered) = &report.ordered {
            let (id, symbol) = (report.client_order_id.clone(), ordered.symbol.clone());
            self.place.requests.ask(Question::Order { id, symbol });
        }
    }

    /// Orders with an id of ours that this record does not hold: one alert for all that are told of at once.
    fn alert_unknown_orders(&mut self, ledger: &LedgerId, ids: &[&ClientOrderId], what: &str) {
        let Some(first) = ids.first() else { return };
        let message = format!(
            "The venue tells of order {first} (and {} others), which this account's gateway does not know: {what}. Compare \
             the venue's own list with order.fill.",
            ids.len().saturating_sub(1)
        );
        tracing::error!("{message}");
        let alert = RiskAlert {
            strategy: self.manager.strategy_of(ledger).unwrap_or_default(),
            account: String::new(),
            ledger: ledger.clone(),
            kind: AlertKind::OrderAnomaly,
            severity: Severity::Critical,
            message,
            current_value: String::new(),
            threshold: String::new(),
            time: self.place.now,
        };
        self.publish(Topic::RiskAlert, &alert);
    }
}

impl<V, S> Elsewhere<V, S> {
    /// Whether nobody was told yet that an order is not known here.
    fn is_untold(&mut self, id: &ClientOrderId) -> bool {
        if self.told_unknown.len() >= TOLD_MAX {
            self.told_unknown.clear();
        }
        self.told_unknown.insert(id.clone())
    }
}
