//! A strategy that is a process: its child is asked, and what it wants is done, before anything else is taken. While it thinks
//! the worker gives its sign of life; how long it may think is bounded.

use bus::Fields;
use engine::AskError;
use engine::strategies::Registry;
use engine::strategies::process::messages::{Events, Mode};
use tokio::task::{JoinHandle, spawn_blocking};

use super::Worker;
use super::barrier::At;
use super::markets::Unread;
use crate::child::{self, FAULTS, Fault, Opened};
use crate::outcome::hashes::LinedTick;
use crate::roles::session::Session;
use crate::roles::{Bus, IDLE, Runtime, Stop};
use crds::roles::StrategySpec;

/// Opens a strategy as `saved`, or new where nothing is; `Err` within says what does not read. A child may take a while to be
/// ready.
pub(super) async fn open<B: Bus>(
    runtime: &Runtime<B>,
    spec: &StrategySpec,
    registry: &Registry,
    (session, saved): (&mut Session<B>, Option<&Fields>),
) -> Result<Result<Opened, String>, Stop> {
    let ledger = &runtime.identity.ledger;
    if spec.spec.strategy.process.is_none() {
        return Ok(child::open(spec, ledger, saved, registry, Mode::Paper));
    }
    let (spec, ledger, saved, registry) = (spec.clone(), ledger.clone(), saved.cloned(), registry.clone());
    let opening = spawn_blocking(move || child::open(&spec, &ledger, saved.as_ref(), &registry, Mode::Paper));
    while_alive(session, opening).await
}

/// What a thread makes. While it is waited for, the record is told that this process lives.
async fn while_alive<B: Bus, T>(session: &mut Session<B>, mut making: JoinHandle<T>) -> Result<T, Stop> {
    loop {
        tokio::select! {
            biased;
            made = &mut making => {
                return made.map_err(|error| Stop::Interrupted { what: format!("its process was asked: {error}") });
            }
            () = tokio::time::sleep(IDLE) => session.beat().await?,
        }
    }
}

impl<B: Bus> Worker<'_, B> {
    /// Asks the child until it has read all that has happened, then lets arrive what it has sent.
    async fn consult(&mut self) -> Result<(), Stop> {
        loop {
            self.ask_child().await?;
            if self.must_ask() {
                // This process is to stop: what was not asked is asked after its next start.
                return Ok(());
            }
            if let Some((tick, (market, id))) = self.unjudged.take().zip(self.markets.last()) {
                self.let_arrive(&At { market, id, tick: &tick });
            }
            self.let_owed_arrive();
            self.apply_pending();
            if !self.must_ask() {
                return Ok(());
            }
        }
    }

    /// Asks the child until nothing is left to ask, and takes the ticks that it was told ahead: before that nothing is stored.
    /// Something is left where this process is to stop.
    pub(super) async fn consult_and_take(&mut self) -> Result<(), Stop> {
        while self.must_ask() && !self.runtime.shutdown.asked() {
            self.consult().await?;
            if !self.edits.is_due {
                self.take_ticks();
            }
        }
        Ok(())
    }

    /// Whether a child runs that must be asked before anything else.
    pub(super) fn must_ask(&mut self) -> bool {
        self.child.is_some() && self.engine.asks()
    }

    /// Answers that are short each may be long together: between two of them it is heard what others want.
    async fn ask_child(&mut self) -> Result<(), Stop> {
        while self.engine.asks() && !self.runtime.shutdown.asked() {
            if self.session.is_silent() {
                self.session.beat().await?;
                if self.session.register_is_news() {
                    // It is followed before anything is asked once more.
                    return Err(Stop::RegisterNews);
                }
            }
            let Some(mut child) = self.child.take() else { return Ok(()) };
            let asked = self.question(child.next_batch(), child.window());
            let Some(asked) = asked.map_err(|error| self.unsaved(error.to_string()))? else { return Ok(()) };
            let asking = spawn_blocking(move || {
                let answer = child.ask(&asked);
                (child, answer)
            });
            let (mut child, answer) = while_alive(&mut self.session, asking).await?;
            let answered =
                answer.and_then(|answer| self.engine.process_answered(answer).map_err(|problem| child.bad(problem)));
            match answered {
                Ok(effects) => {
                    self.child = Some(child);
                    self.absorb(effects);
                }
                Err(fault) => self.has_failed(&fault),
            }
        }
        Ok(())
    }

    /// The child has failed: it is asked no more.
    pub(super) fn has_failed(&mut self, fault: &Fault) {
        // For a pod's log; `run` has the alert on its screen.
        tracing::error!(target: FAULTS, "{fault}");
        self.child = None;
        let effects = self.engine.process_failed(fault.kind, &fault.message);
        self.absorb(effects);
        self.batch.touch();
        self.tell_readiness();
    }

    /// What the child is asked, with ticks that were read ahead where nothing else can happen on them.
    fn question(&mut self, number: u64, most: usize) -> Result<Option<Events>, AskError> {
        let last = self.unjudged.clone().zip(self.markets.last());
        let arrives = last.is_some_and(|(tick, (market, id))| self.may_arrive(&At { market, id, tick: &tick }));
        let lacks_news = self.barrier.lacks_news(self.engine.open_orders());
        // An edit is followed before the next tick.
        let may_go_on = !self.edits.is_due && self.may_take_ticks();
        let may_go_on = may_go_on && !self.has_whole_bars();
        let is_quiet = !arrives && !lacks_news && !self.barrier.owes() && may_go_on && self.pending.is_empty();
        let most = if is_quiet { most } else { 0 };
        let mut coming = Vec::new();
        for Unread { market, entry } in self.ahead.iter().take(most) {
            let Ok(tick) = entry.lend::<LinedTick>() else { break };
            let at = At { market: *market, id: entry.id, tick: &tick };
            let orders = || self.engine.open_orders();
            if self.puts_in_recorded_bars(&tick)
                || self.barrier.matches(&at, orders())
                || self.barrier.arrives(&at, orders())
            {
                break;
            }
            coming.push(tick);
        }
        self.engine.ask_process(number, coming.iter().map(|tick| &***tick))
    }
}
