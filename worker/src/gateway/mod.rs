//! The role `gateway`: one account's orders, at most once.
//!
//! With a venue elsewhere: commit the order as being sent, send it with that stamp, commit the outcome. With
//! the paper venue, whose orders live in the gateway's own record, the send and its outcome are one commit.

mod books;
mod counter;
mod desk;
mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use bus::{Acquired, Body, Entry, Message, Owner, StreamId, StreamKey, Topic};
use engine::client_order_id::ClientOrderId;
use engine::fees::Fees;
use engine::instrument::Symbol;
use engine::messages::{CommandKind, Inbox, OrderCommand, OrderUpdate, Tick};
use engine::numbers::Price;
use engine::time::Timestamp;
use venue::paper::PaperVenue;
use venue::{Outcome, Residence, Venue};

use crate::role::{Bus, IDLE, Runtime, Stop};
use crate::session::{Change, Done, Session, patiently};
use crate::strategy::{FOR_OUTSIDERS, NUDGES, dead_letter, message};
use crds::roles::{GatewayDesired, GatewaySpec};

pub(crate) use counter::Counter;
use desk::{Desk, Found, Verdict};
use order::News;

/// The field that holds the orders of a venue that lives in the record.
const VENUE: &str = "venue";
/// Commands and ticks at most in one read.
const ENTRIES_MAX: usize = 256;
/// News that may wait in one inbox; past it the gateway waits for the strategy.
const INBOX_MAX: u64 = 10_000;
/// How often the venue is asked about an order in doubt.
const QUESTION_INTERVAL: Duration = Duration::from_millis(500);

/// An account's gateway.
struct Gateway<B, V> {
    runtime: Runtime<B>,
    fees: Fees,
    source: bus::Scope,
    owner: Owner,
    commands: StreamKey,
    session: Session<B>,
    desk: Desk,
    venue: V,
    cursor: StreamId,
    nudge_cursor: StreamId,
    tick_cursors: BTreeMap<Symbol, StreamId>,
    messages: Vec<Message>,
    dirty: bool,
}

/// Runs a paper account's gateway until asked to stop. After a conflict it starts again from the record.
pub async fn run<B: Bus>(runtime: Runtime<B>, spec: GatewaySpec) -> Result<(), Stop> {
    run_with(runtime, &spec, |desired| {
        let tick_sizes: BTreeMap<Symbol, Price> =
            desired.books.iter().flat_map(|book| book.tick_sizes.clone()).collect();
        PaperVenue::new(spec.account.fees(), spec.account.latency_ms(), tick_sizes)
    })
    .await
}

/// A venue that can take up what its record holds.
pub(crate) trait Restore: Venue {
    /// Takes up what [`Venue::save`] gave.
    fn restore(&mut self, saved: &serde_json::Value) -> Result<(), serde_json::Error>;
}

impl Restore for PaperVenue {
    fn restore(&mut self, saved: &serde_json::Value) -> Result<(), serde_json::Error> {
        Self::restore(self, saved)
    }
}

/// Runs a gateway of any venue; `open` makes the venue from the register.
pub(crate) async fn run_with<B: Bus, V: Restore>(
    runtime: Runtime<B>,
    spec: &GatewaySpec,
    open: impl Fn(&GatewayDesired) -> V,
) -> Result<(), Stop> {
    loop {
        let ended = match Gateway::start(&runtime, spec, &open).await {
            Ok(mut gateway) => gateway.work().await,
            Err(stop) => Err(stop),
        };
        match ended {
            Err(Stop::Conflict) => tracing::warn!("{}", Stop::Conflict),
            ended => return ended,
        }
    }
}

impl<B: Bus, V: Restore> Gateway<B, V> {
    async fn start(
        runtime: &Runtime<B>,
        spec: &GatewaySpec,
        open: impl Fn(&GatewayDesired) -> V,
    ) -> Result<Self, Stop> {
        let scope = runtime.account_scope(&spec.account.name)?;
        let owner = runtime.identity.keys.gateway(&scope);
        let (session, acquired) = Session::acquire(runtime, &owner).await?;
        let desired = register(runtime, &owner).await?;
        let broken =
            |error: serde_json::Error| Stop::Record { owner: owner.name().to_owned(), problem: error.to_string() };
        let mut venue = open(&desired);
        if let Some(saved) = acquired.fields.get(VENUE) {
            let saved = serde_json::from_str(saved).map_err(broken)?;
            venue.restore(&saved).map_err(broken)?;
        }
        let desk = desk(&acquired).map_err(broken)?;
        let commands = runtime.identity.keys.topic(&scope, Topic::OrderCommand);
        let mut gateway = Self {
            source: runtime.source_scope(&spec.account.source())?,
            runtime: runtime.clone(),
            fees: spec.account.fees(),
            cursor: acquired.cursors.get(&commands).copied().unwrap_or(StreamId::ZERO),
            owner,
            commands,
            session,
            desk,
            venue,
            nudge_cursor: StreamId::ZERO,
            tick_cursors: BTreeMap::new(),
            messages: Vec::new(),
            dirty: true,
        };
        gateway.open_books(&desired)?;
        let now = gateway.now().await?;
        let news = gateway.desk.doubt_sending(now);
        gateway.tell(&news)?;
        gateway.store().await?;
        runtime.health.ready();
        tracing::info!(account = spec.account.name, epoch = runtime.identity.epoch, cursor = %gateway.cursor, "the gateway trades");
        Ok(gateway)
    }

    async fn work(&mut self) -> Result<(), Stop> {
        while !self.runtime.shutdown.asked() {
            self.ask_about_doubts().await?;
            let Some(found) = self.read().await? else { break };
            if found.is_empty() {
                // With nothing to commit nobody else would say that this process is replaced, or its record gone.
                self.session.confirm().await?;
            }
            for (stream, entries) in found {
                if stream == self.commands {
                    self.take_commands(entries).await?;
                } else if stream == *self.owner.inbox() {
                    self.follow_register(&entries).await?;
                } else {
                    self.take_ticks(&stream, &entries)?;
                }
            }
            if self.dirty {
                self.store().await?;
            }
        }
        Ok(())
    }

    /// Commands, nudges, and the ticks that the venue needs for orders that wait.
    async fn read(&mut self) -> Result<Option<bus::Batch>, Stop> {
        let inbox = self.owner.inbox().clone();
        let mut cursors = Vec::new();
        // Ticks first: a command of the same read may need ticks from before them, and turns the cursor back.
        for (symbol, _) in self.venue.wanted_ticks() {
            let stream = self.runtime.identity.keys.market_tick(&self.source, &symbol.to_string());
            cursors.push((stream, self.tick_cursors.get(&symbol).copied().unwrap_or(StreamId::ZERO)));
        }
        cursors.extend([(self.commands.clone(), self.cursor), (inbox, self.nudge_cursor)]);
        let block = if self.desk.questions().is_empty() { IDLE } else { QUESTION_INTERVAL };
        let (bus, runtime) = (self.runtime.bus.clone(), self.runtime.clone());
        let reading = patiently(&runtime, || bus.read(&cursors, ENTRIES_MAX, Some(block)));
        self.runtime.shutdown.or(reading).await.transpose()
    }

    async fn take_commands(&mut self, entries: Vec<Entry>) -> Result<(), Stop> {
        for entry in entries {
            let command = match &entry.body {
                Body::Document { data, .. } => {
                    serde_json::from_str::<OrderCommand>(data).map_err(|error| (error.to_string(), denial(data)))
                }
                Body::Poison { reason, .. } => Err((reason.clone(), None)),
            };
            self.cursor = entry.id;
            self.dirty = true;
            match command {
                Ok(command) => self.take_command(&command).await?,
                Err((problem, denial)) => {
                    self.runtime.health.poison();
                    tracing::error!(stream = %self.commands, id = %entry.id, problem, "a command does not read");
                    let letter = dead_letter(&self.commands, &entry, &problem);
                    self.publish(Topic::DeadLetter, &letter);
                    if let Some((owner, update)) = denial {
                        self.tell_owner(&owner, update);
                    }
                }
            }
        }
        Ok(())
    }

    async fn take_command(&mut self, command: &OrderCommand) -> Result<(), Stop> {
        self.runtime.health.order();
        let now = self.now().await?;
        let mut verdict = self.desk.judge(command, &self.fees, now);
        if matches!(&verdict, Verdict::Tell(news) if news.iter().any(|update| update.reason == "StrategyNotRegistered"))
        {
            // The register may be newer than the last nudge that was read.
            let desired = register(&self.runtime, &self.owner).await?;
            self.open_books(&desired)?;
            verdict = self.desk.judge(command, &self.fees, now);
        }
        match verdict {
            Verdict::Send => self.send(command, now).await,
            Verdict::Cancel => {
                let outcome = self.venue.cancel(&command.client_order_id, &command.symbol).await;
                // A cancel without an answer leaves the order as it is: its end will be told or asked for.
                if let Outcome::Done(report) = outcome {
                    let news = self.desk.hear(&report);
                    self.tell(&news)?;
                }
                Ok(())
            }
            Verdict::Tell(news) => self.tell(&news),
            Verdict::Reissued(news, highest_sequence) => {
                let owner = self.runtime.identity.keys.strategy(self.owner.scope(), &command.strategy);
                let recovered = Inbox::Recovered { highest_sequence };
                self.messages.push(message(owner.inbox().clone(), &recovered));
                self.tell(&news)
            }
        }
    }

    async fn send(&mut self, command: &OrderCommand, now: Timestamp) -> Result<(), Stop> {
        if matches!(self.venue.residence(), Residence::External { .. }) {
            // The order is on record as being sent before the venue can hear of it.
            self.store().await?;
        }
        let cause = self.cause(command).await?;
        if let (Some(tick), CommandKind::Create(_)) = (&cause, &command.kind) {
            let from = command.tick.as_deref().and_then(|id| id.parse().ok()).unwrap_or(StreamId::ZERO);
            let others_wait = self.venue.wanted_ticks().iter().any(|(symbol, _)| *symbol == tick.symbol);
            let read = self.tick_cursors.get(&tick.symbol).copied().unwrap_or(StreamId::ZERO);
            self.tick_cursors.insert(tick.symbol.clone(), if others_wait { read.min(from) } else { from });
        }
        let outcome = self.venue.submit(command, cause.as_ref()).await;
        let news = self.desk.settle(&command.client_order_id, &outcome, now);
        self.tell(&news)?;
        self.hear_reports()
    }

    /// The tick that caused a command, as it stands in its stream.
    async fn cause(&self, command: &OrderCommand) -> Result<Option<Tick>, Stop> {
        let Some(id) = command.tick.as_deref().and_then(|id| id.parse::<StreamId>().ok()) else { return Ok(None) };
        let stream = self.runtime.identity.keys.market_tick(&self.source, &command.symbol.to_string());
        let found = patiently(&self.runtime, || self.runtime.bus.range(&stream, id, id, 1)).await?;
        Ok(found.first().and_then(tick))
    }

    fn take_ticks(&mut self, stream: &StreamKey, entries: &[Entry]) -> Result<(), Stop> {
        for entry in entries {
            if let Some(tick) = tick(entry) {
                self.tick_cursors.insert(tick.symbol.clone(), entry.id);
                self.venue.observe(&tick);
                self.dirty = true;
            } else {
                tracing::error!(%stream, id = %entry.id, "a tick does not read; no order is matched against it");
            }
        }
        self.hear_reports()
    }

    /// What the venue has told since; of orders that only wait, the newest word is enough.
    fn hear_reports(&mut self) -> Result<(), Stop> {
        let mut news = News::new();
        for report in self.venue.take_reports() {
            news.extend(self.desk.hear(&report));
        }
        let newest = |index: usize, update: &OrderUpdate| {
            update.fill.is_some()
                || !news[index + 1..]
                    .iter()
                    .any(|later| later.client_order_id == update.client_order_id && later.status == update.status)
        };
        let kept: News = news
            .iter()
            .enumerate()
            .filter(|(index, update)| newest(*index, update))
            .map(|(_, update)| update.clone())
            .collect();
        self.tell(&kept)
    }

    /// Asks the venue about orders in doubt.
    async fn ask_about_doubts(&mut self) -> Result<(), Stop> {
        self.hear_reports()?;
        for id in self.desk.questions() {
            let Some(command) = self.desk.order(&id).map(|order| order.command.clone()) else { continue };
            let answer = match self.venue.lookup(&id, &command.symbol).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(order = %id, %error, "still in doubt");
                    continue;
                }
            };
            let now = self.now().await?;
            self.dirty = true;
            match self.desk.found(&id, answer.as_ref(), self.venue.residence(), now) {
                Found::News(news) => self.tell(&news)?,
                Found::Wait => {}
                Found::Resend => self.send(&command, now).await?,
            }
        }
        if self.dirty { self.store().await } else { Ok(()) }
    }

    /// Puts news into inboxes, and trades on the topic for outsiders.
    fn tell(&mut self, news: &[OrderUpdate]) -> Result<(), Stop> {
        for update in news {
            let Some(strategy) = self.strategy_of(&update.client_order_id) else {
                tracing::error!(order = %update.client_order_id, "news of an order of no known strategy");
                continue;
            };
            if let Some(fill) = &update.fill {
                self.runtime.health.fill();
                self.publish(Topic::OrderFill, fill);
            }
            self.tell_owner(&strategy, update.clone());
        }
        Ok(())
    }

    fn strategy_of(&self, id: &ClientOrderId) -> Option<String> {
        self.desk.order(id).map(|order| order.command.strategy.clone()).or_else(|| self.desk.strategy_of(id.ledger()))
    }

    fn tell_owner(&mut self, strategy: &str, update: OrderUpdate) {
        let owner = self.runtime.identity.keys.strategy(self.owner.scope(), strategy);
        let update = Inbox::OrderUpdate(Box::new(update));
        self.messages.push(message(owner.inbox().clone(), &update).with_bound(INBOX_MAX));
    }

    fn publish(&mut self, topic: Topic, document: &impl serde::Serialize) {
        let stream = self.runtime.identity.keys.topic(self.owner.scope(), topic);
        self.messages.push(message(stream, document).with_retention(FOR_OUTSIDERS));
    }

    async fn follow_register(&mut self, nudges: &[Entry]) -> Result<(), Stop> {
        if let Some(last) = nudges.last() {
            self.nudge_cursor = last.id;
            let desired = register(&self.runtime, &self.owner).await?;
            self.open_books(&desired)?;
            self.dirty = true;
        }
        Ok(())
    }

    fn open_books(&mut self, desired: &GatewayDesired) -> Result<(), Stop> {
        let owner = self.owner.name().to_owned();
        self.desk.register(desired).map_err(|error| Stop::Record { owner, problem: error.to_string() })
    }

    async fn now(&self) -> Result<Timestamp, Stop> {
        if self.venue.residence() == Residence::Record {
            return Ok(Timestamp::default());
        }
        let now = patiently(&self.runtime, || self.runtime.bus.now_ms()).await?;
        Ok(Timestamp::from_millis(i64::try_from(now).unwrap_or(i64::MAX)))
    }

    async fn store(&mut self) -> Result<(), Stop> {
        let changes = self.desk.take_changes();
        let mut set = changes.set;
        set.extend(self.venue.save().map(|saved| (VENUE.to_owned(), saved.to_string())));
        let nudge = message(
            self.runtime.identity.keys.topic(self.owner.scope(), Topic::Report),
            &BTreeMap::from([("owner", self.owner.name())]),
        );
        let mut messages = std::mem::take(&mut self.messages);
        messages.push(nudge.with_retention(NUDGES));
        let trims = if self.cursor == StreamId::ZERO { Vec::new() } else { vec![(self.commands.clone(), self.cursor)] };
        let cursors = vec![(self.commands.clone(), self.cursor)];
        let change = Change { cursors, set, delete: changes.delete, messages, trims };
        // An inbox at its bound: its strategy is behind or gone. Nothing is dropped; the gateway waits.
        while self.session.commit(change.clone()).await? == Done::Busy {
            self.runtime.health.not_ready("InboxBusy", "a strategy does not take its news; is its worker running?");
            self.runtime.shutdown.sleep(QUESTION_INTERVAL).await;
            if self.runtime.shutdown.asked() {
                return Err(Stop::Interrupted { what: "a strategy's inbox was at its bound".to_owned() });
            }
        }
        self.dirty = false;
        Ok(())
    }
}

async fn register<B: Bus>(runtime: &Runtime<B>, owner: &Owner) -> Result<GatewayDesired, Stop> {
    let Some(desired) = patiently(runtime, || runtime.bus.desired(owner)).await? else {
        return Ok(GatewayDesired::default());
    };
    serde_json::from_str(&desired.value)
        .map_err(|error| Stop::Record { owner: owner.name().to_owned(), problem: format!("the register: {error}") })
}

fn desk(acquired: &Acquired) -> Result<Desk, serde_json::Error> {
    Desk::restore(acquired.fields.iter().map(|(name, value)| (name.as_str(), &**value)))
}

fn tick(entry: &Entry) -> Option<Tick> {
    match &entry.body {
        Body::Document { data, .. } => serde_json::from_str(data).ok(),
        Body::Poison { .. } => None,
    }
}

/// The denial of a command that does not read but names its order and its strategy.
fn denial(data: &str) -> Option<(String, OrderUpdate)> {
    let value: serde_json::Value = serde_json::from_str(data).ok()?;
    let id: ClientOrderId = value.get("clientOrderId")?.as_str()?.parse().ok()?;
    let strategy = value.get("strategy")?.as_str()?.to_owned();
    let time = value.get("time").and_then(serde_json::Value::as_i64).unwrap_or(0);
    Some((strategy, desk::denied_unread(id, Timestamp::from_millis(time))))
}
