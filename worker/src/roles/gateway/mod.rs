//! The role `gateway`: one account's orders, at most once.
//!
//! With a venue elsewhere: commit the orders as being sent, send them with that stamp, commit the outcomes; before the first
//! of them the record and the venue are settled with each other. With the simulated exchange, which lives in the gateway's
//! own record, all of it is one commit, and time is the ticks as of which the workers ask.

mod advance;
mod behind;
mod counter;
mod elsewhere;
mod manager;
mod news;
mod opening;
mod order;
mod place;
mod prices;
mod protocol;
mod simulated;
mod sub_account;
#[cfg(test)]
mod tests;
mod ticks;
mod unasked;

use std::collections::BTreeSet;
use std::time::Duration;

use bus::{Acquired, Entry, Message, Owner, StreamId, StreamKey, Topic};
use engine::client_order_id::LedgerId;
use engine::messages::Nudge;
use engine::time::Timestamp;
use tracing::Instrument;
use venue::Venue;
use venue::sim::RecordError;

use crate::roles::document::for_outsiders;
use crate::roles::session::{Change, Done, Session, again_after_conflicts, patiently};
use crate::roles::{Bus, IDLE, Runtime, Stop};
use crds::roles::{GatewayDesired, GatewaySpec};

use behind::{Behind, Remarks};
pub(crate) use counter::Counter;
use manager::OrderManager;
pub(crate) use order::News;
use place::Place;
use simulated::Simulated;
use ticks::Ticks;
use unasked::Unasked;

/// Commands at most in one read.
const ENTRIES_MAX: usize = 256;
/// How long to wait for commands before a venue elsewhere is looked after, and for room in an inbox.
const SOON: Duration = Duration::from_millis(500);

/// An account's gateway, at the place where its orders trade.
struct Gateway<B, P> {
    runtime: Runtime<B>,
    source: bus::Scope,
    owner: Owner,
    commands: StreamKey,
    session: Session<B>,
    manager: OrderManager,
    place: P,
    cursor: StreamId,
    nudge_cursor: StreamId,
    ticks: Ticks,
    /// The account's name, and the ledger of this gateway, for alerts.
    account: String,
    ledger: LedgerId,
    /// When the last prices were looked at.
    looked: Option<Timestamp>,
    messages: Vec<Message>,
    /// Ledgers whose holdings nobody knows, as was told.
    unknown: BTreeSet<LedgerId>,
    /// Why the register is not followed.
    register_problem: Option<String>,
    /// Whose orders wait for an Advance, and since when.
    unasked: Unasked,
    /// Who does not take its news.
    behind: Behind,
    remarks: Remarks,
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
    let place =
        |acquired: &Acquired| Simulated::restore(&spec.account, fields(acquired)).map_err(|error| error.to_string());
    let running = again_after_conflicts(&runtime, || async {
        let mut judging = Judging::Nothing;
        loop {
            match Gateway::open(&runtime, &spec, place, judging).await?.start().await?.work().await {
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
    let start = || async {
        match elsewhere::start(&runtime, spec, open()).await?.reconcile().await? {
            Some(mut gateway) => gateway.work().await,
            None => Ok(()),
        }
    };
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

impl<B: Bus> Gateway<B, Simulated> {
    async fn start(mut self) -> Result<Self, Stop> {
        self.follow_sub_accounts().await?;
        self.expect_advances();
        self.cancel_forbidden();
        if self.judging != Judging::Anew {
            self.store().await?;
        }
        self.begins();
        Ok(self)
    }

    async fn work(&mut self) -> Result<(), Stop> {
        while !self.runtime.shutdown.asked() {
            let anew = std::mem::take(&mut self.judging) == Judging::Anew;
            if !anew {
                self.store_what_is_new().await?;
            }
            let Some(found) = self.read().await? else { break };
            if found.is_empty() {
                // With nothing to commit nobody else would say that this process is replaced, or its record gone.
                self.session.beat().await?;
            }
            if self.session.register_is_news() {
                // Its nudge is lost or still on its way: the store has told.
                self.adopt_register().await?;
            }
            for (stream, entries) in found {
                if stream == self.commands {
                    self.keep_ticks_of(&entries);
                    self.take_commands(entries).await?;
                } else {
                    self.follow_register(&entries).await?;
                }
            }
            self.look_at_prices().await?;
            if self.dirty {
                self.store().await?;
            }
            self.tell_older_workers().await?;
        }
        Ok(())
    }

    /// Commands and nudges.
    async fn read(&mut self) -> Result<Option<bus::Batch>, Stop> {
        let cursors = self.cursors();
        let (bus, runtime) = (self.runtime.bus.clone(), self.runtime.clone());
        let is_quiet = self.behind.is_empty() && !self.manager.account().values();
        let block = if is_quiet { IDLE } else { SOON };
        let reading = patiently(&runtime, || bus.read(&cursors, ENTRIES_MAX, Some(block)));
        self.runtime.shutdown.or(reading).await.transpose()
    }
}

impl<B: Bus, P: Place> Gateway<B, P> {
    /// Takes the lease and restores what the record holds.
    async fn open(
        runtime: &Runtime<B>,
        spec: &GatewaySpec,
        place: impl FnOnce(&Acquired) -> Result<P, String>,
        judging: Judging,
    ) -> Result<Self, Stop> {
        let scope = runtime.account_scope(&spec.account.name)?;
        let owner = runtime.identity.keys.gateway(&scope);
        let (session, acquired) = Session::acquire(runtime, &owner).await?;
        let broken = |problem: String| Stop::Record { owner: owner.name().to_owned(), problem };
        let ledger = runtime.identity.ledger.parse().map_err(|error| broken(format!("its ledger: {error}")))?;
        let place = place(&acquired).map_err(broken)?;
        let manager = OrderManager::restore(&spec.account.fees(), fields(&acquired))
            .map_err(|error| broken(error.to_string()))?;
        let mut manager = if P::IS_ELSEWHERE { manager.elsewhere() } else { manager };
        let inbox = |strategy: &str| runtime.identity.keys.strategy(&scope, strategy).inbox().clone();
        let behind = Behind::restore(fields(&acquired), inbox).map_err(broken)?;
        manager.behind(behind.ledgers());
        let commands = runtime.identity.keys.topic(&scope, Topic::OrderCommand);
        Ok(Self {
            source: runtime.source_scope(&spec.account.source())?,
            runtime: runtime.clone(),
            cursor: acquired.cursors.get(&commands).copied().unwrap_or(StreamId::ZERO),
            owner,
            commands,
            session,
            manager,
            place,
            nudge_cursor: StreamId::ZERO,
            ticks: Ticks::default(),
            account: spec.account.name.clone(),
            ledger,
            looked: None,
            messages: Vec::new(),
            unknown: BTreeSet::new(),
            register_problem: None,
            unasked: Unasked::default(),
            behind,
            remarks: Remarks::default(),
            awaits_register: false,
            started: false,
            dirty: true,
            judging,
        })
    }

    /// The same gateway at another place, or at another stage of one.
    fn moved<Q>(self, moved: impl FnOnce(P) -> Q) -> Gateway<B, Q> {
        Gateway {
            runtime: self.runtime,
            source: self.source,
            owner: self.owner,
            commands: self.commands,
            session: self.session,
            manager: self.manager,
            place: moved(self.place),
            cursor: self.cursor,
            nudge_cursor: self.nudge_cursor,
            ticks: self.ticks,
            account: self.account,
            ledger: self.ledger,
            looked: self.looked,
            messages: self.messages,
            unknown: self.unknown,
            register_problem: self.register_problem,
            unasked: self.unasked,
            behind: self.behind,
            remarks: self.remarks,
            awaits_register: self.awaits_register,
            started: self.started,
            dirty: self.dirty,
            judging: self.judging,
        }
    }

    /// From now on it trades.
    fn begins(&mut self) {
        self.started = true;
        self.tell_readiness();
        tracing::info!("the gateway trades");
    }

    /// From where nudges and commands are read.
    fn cursors(&self) -> Vec<(StreamKey, StreamId)> {
        let mut cursors = vec![(self.owner.inbox().clone(), self.nudge_cursor)];
        // A new order that only a register can judge waits for one, and what stands behind it with it.
        if self.manager.has_register() || !self.awaits_register {
            cursors.push((self.commands.clone(), self.cursor));
        }
        cursors
    }

    async fn follow_register(&mut self, nudges: &[Entry]) -> Result<(), Stop> {
        if let Some(last) = nudges.last() {
            self.nudge_cursor = last.id;
            self.adopt_register().await?;
        }
        Ok(())
    }

    async fn adopt_register(&mut self) -> Result<(), Stop> {
        self.follow_sub_accounts().await?;
        self.cancel_forbidden();
        Ok(())
    }

    /// Orders that their strategies' stances forbid end here, also with their workers dead.
    fn cancel_forbidden(&mut self) {
        for (id, symbol) in self.manager.cancel_forbidden() {
            let news = self.place.cancel(&mut self.manager, &id, &symbol);
            self.tell(&news);
        }
    }

    /// Opens and closes sub-accounts as the register says, and follows the stance of each. The next commit acknowledges it.
    pub(super) async fn follow_sub_accounts(&mut self) -> Result<(), Stop> {
        let register = patiently(&self.runtime, || self.runtime.bus.desired(&self.owner)).await?;
        // None says nothing about any book: what is followed goes on.
        let Some(register) = register else { return Ok(()) };
        self.session.follow(Some(register.version()));
        self.dirty = true;
        match serde_json::from_str::<GatewayDesired>(&register.value) {
            Ok(desired) => {
                let desired = self.place.follows(desired);
                let unopened = self.manager.without_sub_account(&desired);
                self.open_sub_accounts(&unopened).await?;
                for ledger in self.manager.register(&desired) {
                    self.unasked.asked(&ledger);
                    self.place.forget(&ledger);
                }
                if let Some(release) = &desired.release {
                    self.release(release);
                }
                self.register_problem = None;
            }
            Err(error) => {
                tracing::error!(%error, "the register does not read; what was followed before goes on");
                self.register_problem = Some(format!("the gateway's register does not read: {error}"));
            }
        }
        self.tell_readiness();
        // What is bounded, and what is held, may be others now.
        self.looked = None;
        self.look_at_prices().await
    }

    /// Ready once it has started, unless its register does not read or commands wait for one.
    pub(super) fn tell_readiness(&self) {
        match &self.register_problem {
            Some(problem) => self.runtime.health.not_ready("RegisterUnreadable", problem),
            None if self.awaits_register && !self.manager.has_register() => {
                let message = "the gateway has no register; commands wait until the operator has set one";
                self.runtime.health.not_ready("RegisterUnreadable", message);
            }
            None if self.started => self.runtime.health.ready(),
            None => {}
        }
    }

    /// Now, by the store's clock.
    async fn now(&self) -> Result<Timestamp, Stop> {
        let now = patiently(&self.runtime, || self.runtime.bus.now_ms()).await?;
        Ok(Timestamp::from_millis(i64::try_from(now).unwrap_or(i64::MAX)))
    }

    fn has_news(&self) -> bool {
        self.dirty || self.manager.has_changes() || !self.messages.is_empty()
    }

    async fn store_what_is_new(&mut self) -> Result<bool, Stop> {
        let is_due = self.has_news() || self.may_deliver().await?;
        if is_due {
            self.store().await?;
        }
        Ok(is_due)
    }

    async fn store(&mut self) -> Result<(), Stop> {
        tracing::Span::current().record("cursor", tracing::field::display(self.cursor));
        self.drop_unheard().await?;
        let has_news = self.has_news();
        let mut change = self.take_change()?;
        self.behind.line_up(&mut change.messages);
        let mut now = if self.behind.is_empty() { Timestamp::default() } else { self.now().await? };
        let mut waited = false;
        loop {
            let mut whole = change.clone();
            self.behind.add_to(&mut whole, now);
            let Done::Busy(stream) = self.session.commit(whole).await? else { break };
            // An inbox at its bound: its strategy is behind or gone. Nothing is dropped, and nobody else waits for it.
            now = self.now().await?;
            if self.behind.hold_back(&stream, &mut change.messages, now) {
                if has_news {
                    continue;
                }
                return Ok(());
            }
            waited = true;
            self.runtime.health.not_ready("InboxBusy", "a strategy does not take its news; is its worker running?");
            self.runtime.shutdown.sleep(SOON).await;
            if self.runtime.shutdown.asked() {
                return Err(Stop::Interrupted { what: "a strategy's inbox was at its bound".to_owned() });
            }
            now = self.now().await?;
        }
        self.behind.stored();
        self.tell_behind();
        if waited {
            self.tell_readiness();
        }
        self.dirty = false;
        self.manager.acknowledged();
        Ok(())
    }

    /// What has changed since the last commit.
    fn take_change(&mut self) -> Result<Change, Stop> {
        let mut changes = self.manager.take_changes();
        let unsaved =
            |error: RecordError| Stop::Unsaved { owner: self.owner.name().to_owned(), problem: error.to_string() };
        self.place.take_changes(&mut changes).map_err(unsaved)?;
        let nudge = Nudge { owner: self.owner.name().to_owned() };
        let nudge = for_outsiders(&self.runtime.identity.keys, self.owner.scope(), Topic::Report, &nudge);
        let mut messages = std::mem::take(&mut self.messages);
        messages.push(nudge);
        let trims = if self.cursor == StreamId::ZERO { Vec::new() } else { vec![(self.commands.clone(), self.cursor)] };
        let cursors = vec![(self.commands.clone(), self.cursor)];
        // At a venue elsewhere what was sent is sent, and its outcome is stored whatever the register says by now.
        let judged = std::mem::take(&mut self.judging) == Judging::Judged && !P::IS_ELSEWHERE;
        Ok(Change { cursors, set: changes.set, delete: changes.delete, messages, trims, judged })
    }
}

/// The fields of a record.
fn fields(acquired: &Acquired) -> impl Iterator<Item = (&str, &str)> {
    acquired.fields.iter().map(|(name, value)| (name.as_str(), &**value))
}
