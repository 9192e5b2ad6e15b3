//! The role `gateway`: one account's orders, at most once.
//!
//! With a venue elsewhere: commit the order as being sent, send it with that stamp, commit the outcome. With
//! the simulated exchange, which lives in the gateway's own record, all of it is one commit, and time is the ticks as of
//! which the workers ask.

mod advance;
mod books;
mod counter;
mod desk;
mod news;
mod opening;
mod order;
mod place;
mod protocol;
mod simulated;
#[cfg(test)]
mod tests;
mod ticks;
mod unasked;

use std::collections::BTreeSet;
use std::time::Duration;

use bus::{Acquired, Entry, Message, Owner, StreamId, StreamKey, Topic};
use engine::client_order_id::LedgerId;
use engine::messages::{Nudge, OrderCommand};
use engine::time::Timestamp;
use tracing::Instrument;
use venue::Venue;
use venue::sim::RecordError;

use crate::roles::document::for_outsiders;
use crate::roles::session::{Change, Done, Session, again_after_conflicts, patiently};
use crate::roles::{Bus, IDLE, Runtime, Stop};
use crds::roles::{GatewayDesired, GatewaySpec};

pub(crate) use counter::Counter;
use desk::Desk;
pub(crate) use order::News;
use place::{Nowhere, Place};
use simulated::Simulated;
use ticks::Ticks;
use unasked::Unasked;

/// Commands at most in one read.
const ENTRIES_MAX: usize = 256;
/// How long to wait for news while an order is open elsewhere, and for room in an inbox.
const SOON: Duration = Duration::from_millis(500);

/// An account's gateway.
struct Gateway<B, V> {
    runtime: Runtime<B>,
    source: bus::Scope,
    owner: Owner,
    commands: StreamKey,
    session: Session<B>,
    desk: Desk,
    place: Place<V>,
    cursor: StreamId,
    nudge_cursor: StreamId,
    ticks: Ticks,
    messages: Vec<Message>,
    /// Ledgers whose holdings nobody knows, as was told.
    unknown: BTreeSet<LedgerId>,
    /// Why the register is not followed.
    register_problem: Option<String>,
    /// Whose orders wait for an Advance, and since when.
    unasked: Unasked,
    /// A command waits for the first register that reads.
    awaits_register: bool,
    started: bool,
    dirty: bool,
    judging: Judging,
}

/// Runs a paper account's gateway until asked to stop. After a conflict it starts again from the record.
pub async fn run<B: Bus>(runtime: Runtime<B>, spec: GatewaySpec) -> Result<(), Stop> {
    let epoch = runtime.identity.epoch;
    let span = tracing::error_span!("gateway", account = spec.account.name, epoch, cursor = tracing::field::Empty);
    let place = |acquired: &Acquired| {
        Simulated::restore(&spec.account, fields(acquired)).map(Place::Simulated).map_err(|error| error.to_string())
    };
    let running = again_after_conflicts(&runtime, || async {
        let mut judging = Judging::Nothing;
        loop {
            match Gateway::<B, Nowhere>::start(&runtime, &spec, place, judging).await?.work().await {
                // At once, and only another change of it could send this one round again.
                Err(Stop::RegisterNews) => judging = Judging::Anew,
                ended => return ended,
            }
            tracing::info!("{}", Stop::RegisterNews);
        }
    });
    running.instrument(span).await
}

/// Runs a gateway of a venue elsewhere; `open` makes the venue.
#[cfg_attr(not(test), expect(dead_code, reason = "no venue elsewhere is released yet; the tests run one"))]
pub(crate) async fn run_with<B: Bus, V: Venue>(
    runtime: Runtime<B>,
    spec: &GatewaySpec,
    open: impl Fn() -> V,
) -> Result<(), Stop> {
    let place = |_: &Acquired| Ok(Place::Elsewhere(open()));
    let start = || async { Gateway::start(&runtime, spec, place, Judging::Nothing).await?.work().await };
    again_after_conflicts(&runtime, start).await
}

/// What of the commands is judged but not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Judging {
    /// Nothing.
    #[default]
    Nothing,
    /// Some were judged since the last commit.
    Judged,
    /// Some were judged by an older register, and that is forgotten. They are judged anew, and it is told, in the commit that
    /// follows the newer one: after that their strategy might be told nothing more.
    Anew,
}

impl<B: Bus, V: Venue> Gateway<B, V> {
    async fn start(
        runtime: &Runtime<B>,
        spec: &GatewaySpec,
        open: impl Fn(&Acquired) -> Result<Place<V>, String>,
        judging: Judging,
    ) -> Result<Self, Stop> {
        let scope = runtime.account_scope(&spec.account.name)?;
        let owner = runtime.identity.keys.gateway(&scope);
        let (session, acquired) = Session::acquire(runtime, &owner).await?;
        let broken = |problem: String| Stop::Record { owner: owner.name().to_owned(), problem };
        let place = open(&acquired).map_err(broken)?;
        let desk = Desk::restore(&spec.account.fees(), fields(&acquired)).map_err(|error| broken(error.to_string()))?;
        let commands = runtime.identity.keys.topic(&scope, Topic::OrderCommand);
        let mut gateway = Self {
            source: runtime.source_scope(&spec.account.source())?,
            runtime: runtime.clone(),
            cursor: acquired.cursors.get(&commands).copied().unwrap_or(StreamId::ZERO),
            owner,
            commands,
            session,
            desk,
            place,
            nudge_cursor: StreamId::ZERO,
            ticks: Ticks::default(),
            messages: Vec::new(),
            unknown: BTreeSet::new(),
            register_problem: None,
            unasked: Unasked::default(),
            awaits_register: false,
            started: false,
            dirty: true,
            judging,
        };
        gateway.follow_books().await?;
        gateway.expect_advances();
        if gateway.is_elsewhere() {
            let now = gateway.now().await?;
            let news = gateway.desk.doubt_sending(now);
            gateway.tell(&news);
        }
        gateway.cancel_forbidden().await;
        if judging != Judging::Anew {
            gateway.store().await?;
        }
        gateway.started = true;
        gateway.tell_readiness();
        tracing::info!("the gateway trades");
        Ok(gateway)
    }

    async fn work(&mut self) -> Result<(), Stop> {
        while !self.runtime.shutdown.asked() {
            if std::mem::take(&mut self.judging) != Judging::Anew {
                self.ask_about_doubts().await?;
            }
            let Some(found) = self.read().await? else { break };
            let commands = found.iter().find(|(stream, _)| *stream == self.commands).map(|(_, entries)| &entries[..]);
            if found.is_empty() || (commands.is_some() && self.is_elsewhere()) {
                // With nothing to commit nobody else would say that this process is replaced, or its record gone. And what
                // is sent elsewhere is judged by what the register holds now, not by what it held before this process was
                // frozen; what is committed with its outcome is not stored where there is another one.
                self.session.beat().await?;
            }
            if self.session.register_is_news() {
                // Its nudge is lost or still on its way: the store has told.
                self.adopt_register().await?;
            }
            for (stream, entries) in found {
                if stream == self.commands {
                    self.take_commands(entries).await?;
                } else {
                    self.follow_register(&entries).await?;
                }
            }
            if self.dirty {
                self.store().await?;
            }
            self.tell_older_workers().await?;
        }
        Ok(())
    }

    /// Commands and nudges.
    async fn read(&mut self) -> Result<Option<bus::Batch>, Stop> {
        let mut cursors = vec![(self.owner.inbox().clone(), self.nudge_cursor)];
        // A new order that only a register can judge waits for one, and what stands behind it with it.
        if self.desk.has_register() || !self.awaits_register {
            cursors.push((self.commands.clone(), self.cursor));
        }
        let block = if self.is_elsewhere() && self.desk.has_questions() { SOON } else { IDLE };
        let (bus, runtime) = (self.runtime.bus.clone(), self.runtime.clone());
        let reading = patiently(&runtime, || bus.read(&cursors, ENTRIES_MAX, Some(block)));
        self.runtime.shutdown.or(reading).await.transpose()
    }

    async fn follow_register(&mut self, nudges: &[Entry]) -> Result<(), Stop> {
        if let Some(last) = nudges.last() {
            self.nudge_cursor = last.id;
            self.adopt_register().await?;
        }
        Ok(())
    }

    async fn adopt_register(&mut self) -> Result<(), Stop> {
        self.follow_books().await?;
        self.cancel_forbidden().await;
        Ok(())
    }

    /// Orders that their strategies' stances forbid end here, also with their workers dead.
    pub(super) async fn cancel_forbidden(&mut self) {
        for (id, symbol) in self.desk.cancel_forbidden() {
            self.cancel_forbidden_order(&id, &symbol).await;
        }
    }

    /// Opens and closes books as the register says, and follows the stance of each. The next commit acknowledges it.
    pub(super) async fn follow_books(&mut self) -> Result<(), Stop> {
        let register = patiently(&self.runtime, || self.runtime.bus.desired(&self.owner)).await?;
        // None says nothing about any book: what is followed goes on.
        let Some(register) = register else { return Ok(()) };
        self.session.follow(Some(register.version()));
        self.dirty = true;
        match serde_json::from_str::<GatewayDesired>(&register.value) {
            Ok(desired) => {
                let unopened = self.desk.without_book(&desired);
                self.open_books(&unopened).await?;
                for ledger in self.desk.register(&desired) {
                    self.unasked.asked(&ledger);
                    if let Place::Simulated(simulated) = &mut self.place {
                        simulated.forget(&ledger);
                    }
                }
                self.register_problem = None;
            }
            Err(error) => {
                tracing::error!(%error, "the register does not read; what was followed before goes on");
                self.register_problem = Some(format!("the gateway's register does not read: {error}"));
            }
        }
        self.tell_readiness();
        Ok(())
    }

    /// Ready once it has started, unless its register does not read or commands wait for one.
    pub(super) fn tell_readiness(&self) {
        match &self.register_problem {
            Some(problem) => self.runtime.health.not_ready("RegisterUnreadable", problem),
            None if self.awaits_register && !self.desk.has_register() => {
                let message = "the gateway has no register; commands wait until the operator has set one";
                self.runtime.health.not_ready("RegisterUnreadable", message);
            }
            None if self.started => self.runtime.health.ready(),
            None => {}
        }
    }

    /// Whether the venue keeps its orders elsewhere, so that a request can arrive without an answer.
    const fn is_elsewhere(&self) -> bool {
        matches!(self.place, Place::Elsewhere(_))
    }

    /// Now, by the store's clock.
    async fn now(&self) -> Result<Timestamp, Stop> {
        let now = patiently(&self.runtime, || self.runtime.bus.now_ms()).await?;
        Ok(Timestamp::from_millis(i64::try_from(now).unwrap_or(i64::MAX)))
    }

    /// As of when a command is judged, and its refusal told: at the simulated exchange as of its own time, as in
    /// `backtest`; at a venue elsewhere as of now.
    async fn time_of(&self, command: &OrderCommand) -> Result<Timestamp, Stop> {
        if self.is_elsewhere() { self.now().await } else { Ok(command.time) }
    }

    async fn store(&mut self) -> Result<(), Stop> {
        tracing::Span::current().record("cursor", tracing::field::display(self.cursor));
        let mut changes = self.desk.take_changes();
        if let Place::Simulated(simulated) = &mut self.place {
            let unsaved =
                |error: RecordError| Stop::Unsaved { owner: self.owner.name().to_owned(), problem: error.to_string() };
            simulated.take_changes(&mut changes).map_err(unsaved)?;
        }
        let nudge = Nudge { owner: self.owner.name().to_owned() };
        let nudge = for_outsiders(&self.runtime.identity.keys, self.owner.scope(), Topic::Report, &nudge);
        let mut messages = std::mem::take(&mut self.messages);
        messages.push(nudge);
        let trims = if self.cursor == StreamId::ZERO { Vec::new() } else { vec![(self.commands.clone(), self.cursor)] };
        let cursors = vec![(self.commands.clone(), self.cursor)];
        // At a venue elsewhere what was sent is sent, and its outcome is stored whatever the register says by now.
        let judged = std::mem::take(&mut self.judging) == Judging::Judged && !self.is_elsewhere();
        let change = Change { cursors, set: changes.set, delete: changes.delete, messages, trims, judged };
        // An inbox at its bound: its strategy is behind or gone. Nothing is dropped; the gateway waits.
        let mut waited = false;
        while self.session.commit(change.clone()).await? == Done::Busy {
            waited = true;
            self.runtime.health.not_ready("InboxBusy", "a strategy does not take its news; is its worker running?");
            self.runtime.shutdown.sleep(SOON).await;
            if self.runtime.shutdown.asked() {
                return Err(Stop::Interrupted { what: "a strategy's inbox was at its bound".to_owned() });
            }
        }
        if waited {
            self.tell_readiness();
        }
        self.dirty = false;
        self.desk.acknowledged();
        Ok(())
    }
}

/// The fields of a record.
fn fields(acquired: &Acquired) -> impl Iterator<Item = (&str, &str)> {
    acquired.fields.iter().map(|(name, value)| (name.as_str(), &**value))
}
