//! Before the first order: what the record knows is settled with what the venue knows. The record may be older than it looks:
//! a store that has lost its last moments went back in time, and the venue is the truth then. Nothing is opened meanwhile;
//! commands wait, and cancels pass.

use bus::{Entry, StreamId, StreamKey};
use engine::messages::{CommandKind, OrderCommand};
use engine::time::Timestamp;
use venue::{Answer, Connection, Question, Reconciling, Trading, Venue, VenueFacts};

use super::{Elsewhere, Gateway};
use crate::roles::gateway::Judging;
use crate::roles::session::patiently;
use crate::roles::{Bus, Runtime, Stop};
use crds::roles::GatewaySpec;

/// How often the venue is asked for everything until all is settled.
const LIST_INTERVAL_MS: i64 = 1_000;
/// How much of its end a store may have lost that writes to its disk once a second.
const LOST_MS: i64 = 2_000;

/// What the venue must have told before everything is settled.
#[derive(Debug)]
struct Audit {
    /// Orders of which anything has happened since are listed.
    since: Timestamp,
    /// What is asked from then on shows all that was sent by a process before, also what the record has lost.
    complete_from: Timestamp,
    asked: Option<Timestamp>,
    has_open: bool,
    has_orders: bool,
    /// What is wrong with what the account holds; `None` before it was told.
    balances: Option<Result<(), String>>,
}

impl Audit {
    /// An audit of a record that was committed last at this time.
    fn of(committed_at: Timestamp, facts: &VenueFacts) -> Self {
        let shown_after = facts.shown_after_ms();
        Self {
            since: committed_at.plus_millis(-shown_after),
            complete_from: committed_at.plus_millis(LOST_MS.saturating_add(shown_after)),
            asked: None,
            has_open: false,
            has_orders: false,
            balances: None,
        }
    }

    fn questions(&mut self, now: Timestamp) -> Vec<Question> {
        if self.asked.is_some_and(|asked| now.millis_since(asked) < LIST_INTERVAL_MS) {
            return Vec::new();
        }
        self.asked = Some(now);
        vec![Question::OpenOrders, Question::OrdersSince(self.since), Question::Balances]
    }

    /// What is missing, in words; `None` if nothing is.
    fn missing(&self) -> Option<String> {
        if let Some(Err(problem)) = &self.balances {
            return Some(problem.clone());
        }
        let is_complete = self.has_open && self.has_orders && self.balances.is_some();
        (!is_complete).then(|| "the venue has not told yet which orders it has and what the account holds".to_owned())
    }
}

/// A gateway that has to be reconciled with its venue.
pub(in crate::roles::gateway) async fn start<B: Bus, V: Venue>(
    runtime: &Runtime<B>,
    spec: &GatewaySpec,
    venue: V,
) -> Result<Gateway<B, Elsewhere<V, Reconciling>>, Stop> {
    let owner = runtime.identity.keys.gateway(&runtime.account_scope(&spec.account.name)?);
    // Read before the lease is taken: from then on it is this process that shows life.
    let record = patiently(runtime, || runtime.bus.record(&owner)).await?;
    let committed = record.map_or(0, |record| i64::try_from(record.at_ms).unwrap_or(i64::MAX));
    let place = Elsewhere { seen_at: Timestamp::from_millis(committed), ..Elsewhere::of(Connection::new(venue)) };
    let mut gateway = Gateway::open(runtime, spec, |_| Ok(place), Judging::Nothing).await?;
    if gateway.place.connection.facts().prevents().is_none() {
        gateway.manager.lets_self_trade();
    }
    Ok(gateway)
}

impl<B: Bus, V: Venue> Gateway<B, Elsewhere<V, Reconciling>> {
    /// Settles everything; `None` if it was asked to stop before.
    pub(in crate::roles::gateway) async fn reconcile(
        mut self,
    ) -> Result<Option<Gateway<B, Elsewhere<V, Trading>>>, Stop> {
        let mut audit = Audit::of(self.place.seen_at, self.place.connection.facts());
        self.place.now = self.now().await?;
        self.follow_sub_accounts().await?;
        let news = self.manager.doubt_sending(self.place.now);
        self.tell(&news);
        self.cancel_forbidden();
        self.store().await?;
        let mut peeked = self.cursor;
        while let Some(missing) = self.unsettled(&audit) {
            self.runtime.health.starting(&format!("orders wait until all is settled with the venue: {missing}"));
            for question in audit.questions(self.place.now) {
                self.place.requests.ask(question);
            }
            self.send_cancels();
            self.send_switches();
            self.send_questions();
            let cursors = vec![(self.owner.inbox().clone(), self.nudge_cursor), (self.commands.clone(), peeked)];
            let Some(heard) = self.hear(cursors).await? else {
                self.leave().await?;
                return Ok(None);
            };
            let read = heard.read.transpose()?.unwrap_or_default();
            self.shows_life(!read.is_empty()).await?;
            for (question, asked, answer) in self.take_replies(heard.replies) {
                self.note(&mut audit, &question, asked, &answer);
            }
            self.take_events(heard.events);
            self.doubt_overdue();
            self.take_cancels(read, &mut peeked).await?;
            self.store_turn().await?;
        }
        Ok(Some(self.reconciled()))
    }

    fn unsettled(&self, audit: &Audit) -> Option<String> {
        let in_doubt = || "orders are in doubt, or lack trades".to_owned();
        audit.missing().or_else(|| (!self.manager.is_settled()).then(in_doubt))
    }

    fn note(&self, audit: &mut Audit, question: &Question, asked: Timestamp, answer: &Answer) {
        let is_complete = asked >= audit.complete_from;
        match (question, answer) {
            (Question::OpenOrders, _) => audit.has_open |= is_complete,
            (Question::OrdersSince(_), _) => audit.has_orders |= is_complete,
            (Question::Balances, Answer::Balances(balances)) => {
                audit.balances = Some(self.manager.is_covered_by(balances));
            }
            (Question::Order { .. }, _) | (Question::Balances, Answer::Orders(_)) => {}
        }
    }

    /// Commands wait in their stream, but cancels of orders that are known pass: they are taken once more later, which does
    /// no harm.
    async fn take_cancels(&mut self, read: Vec<(StreamKey, Vec<Entry>)>, peeked: &mut StreamId) -> Result<(), Stop> {
        for (stream, entries) in read {
            if stream != self.commands {
                self.follow_register(&entries).await?;
                continue;
            }
            for entry in entries {
                *peeked = entry.id;
                let Ok(command) = entry.decode_once::<OrderCommand>() else { continue };
                if command.kind == CommandKind::Cancel && self.manager.cancel_known(&command.client_order_id) {
                    self.place.ask_to_cancel(&mut self.manager, &command.client_order_id, &command.symbol);
                }
            }
        }
        Ok(())
    }

    /// The only way to a gateway that makes orders.
    fn reconciled(self) -> Gateway<B, Elsewhere<V, Trading>> {
        self.moved(|place| Elsewhere {
            connection: place.connection.reconciled(),
            requests: place.requests,
            switches: place.switches,
            // What was being read is read again: the commands were only looked at.
            reading: None,
            now: place.now,
            seen_at: place.seen_at,
            trades: true,
            inquiries: place.inquiries,
            deaf_since: place.deaf_since,
            missed_since: place.missed_since,
            missed_asked: place.missed_asked,
            told_unknown: place.told_unknown,
        })
    }
}
