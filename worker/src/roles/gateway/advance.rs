//! Commands at a simulated exchange. A worker says as of which tick, and which round of it, its ledger's orders are to be
//! matched; what then trades, and last the word that this is all, are one commit with the exchange's state. The tick comes
//! with that command, or is read for its id; no other is looked at: where no worker asks, nothing of it could trade.

use std::sync::Arc;

use bus::{Entry, StreamId, StreamKey, Topic};
use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::instrument::Symbol;
use engine::messages::{AlertKind, Inbox, OrderCommand, RiskAlert, Severity};
use engine::time::Timestamp;
use venue::Outcome;
use venue::sim::RecordError;

use super::manager::{Changes, OrderManager, Verdict};
use super::order::News;
use super::simulated::{Advanced, Simulated};
use super::{Gateway, Place};
use crate::outcome::hashes::LinedTick;
use crate::roles::session::patiently;
use crate::roles::{Bus, Stop};

impl Place for Simulated {
    const IS_ELSEWHERE: bool = false;

    fn refuses(&self, _command: &OrderCommand) -> Option<&'static str> {
        None
    }

    /// As of its own time, as in `backtest`.
    fn judged_at(&self, command: &OrderCommand) -> Timestamp {
        command.time
    }

    async fn price<B: Bus>(gateway: &mut Gateway<B, Self>, command: &OrderCommand) -> Result<(), Stop> {
        gateway.price_of(command).await
    }

    async fn act<B: Bus>(
        gateway: &mut Gateway<B, Self>,
        command: &OrderCommand,
        verdict: &Verdict,
    ) -> Result<(), Stop> {
        gateway.hand_over(command, verdict).await
    }

    async fn advance<B: Bus>(
        gateway: &mut Gateway<B, Self>,
        command: &OrderCommand,
        round: u32,
        index: Option<u64>,
    ) -> Result<(), Stop> {
        gateway.advance(command, round, index).await
    }

    fn cancel(&mut self, manager: &mut OrderManager, id: &ClientOrderId, _symbol: &Symbol) -> News {
        manager.cancel_at_once(self.at(id.ledger()), id)
    }

    fn forget(&mut self, ledger: &LedgerId) {
        self.forget_ledger(ledger);
    }

    fn take_changes(&mut self, changes: &mut Changes) -> Result<(), RecordError> {
        self.changes(changes)
    }
}

impl<B: Bus> Gateway<B, Simulated> {
    /// Hands an order, a cancel or a replacement to its ledger's exchange, as of the tick that caused it.
    async fn hand_over(&mut self, command: &OrderCommand, verdict: &Verdict) -> Result<(), Stop> {
        let cause = self.tick_of(command).await?;
        let id = &command.client_order_id;
        self.unasked.waits(id.ledger(), &command.strategy);
        let exchange = self.place.at(id.ledger());
        let news = match (cause, verdict) {
            (Some(tick), _) => self.manager.hand_over(exchange, command, &tick),
            // As of when it would arrive cannot be known.
            (None, Verdict::Cancel) => self.manager.cancel_at_once(exchange, id),
            (None, _) => self.manager.settle(id, &Outcome::Rejected("TickUnavailable".to_owned()), command.time),
        };
        self.tell(&news);
        Ok(())
    }

    /// Matches a ledger's orders as of a round of a tick, and tells so. What was answered is not done again.
    async fn advance(&mut self, command: &OrderCommand, round: u32, index: Option<u64>) -> Result<(), Stop> {
        let (strategy, ledger) = (&command.strategy, command.client_order_id.ledger());
        self.unasked.asked(ledger);
        let Some(id) = caused_by(command) else {
            tracing::error!(strategy, %ledger, tick = ?command.tick, "an Advance names no tick; it is left out");
            return Ok(());
        };
        let tick = self.tick_of(command).await?;
        let sequence = tick.as_ref().map(|tick| tick.source_sequence);
        let asked = Advanced { tick: id, symbol: Some(command.symbol.clone()), sequence, round };
        let ends = tick.as_ref().is_some_and(|tick| tick.last);
        if !self.place.has_answered(ledger, &asked, ends) {
            let mut news = if let Some(tick) = tick {
                self.matched(command, &tick, round)
            } else {
                self.alert_gone(command, id);
                News::new()
            };
            self.place.answered(ledger, asked);
            // Only the worker knows how many ticks of others lie between its own.
            news.iter_mut().filter_map(|update| update.fill.as_mut()).for_each(|fill| fill.index = index);
            self.tell(&news);
        }
        let (tick, symbol) = (id.to_string(), Some(command.symbol.clone()));
        self.answer(strategy, ledger, vec![Inbox::Word { tick, symbol, round }.into()]).await
    }

    fn matched(&mut self, command: &OrderCommand, tick: &LinedTick, round: u32) -> News {
        let exchange = self.place.at(command.client_order_id.ledger());
        if round == 0 { self.manager.match_resting(exchange, tick) } else { self.manager.arrive(exchange, tick) }
    }
}

impl<B: Bus, P: Place> Gateway<B, P> {
    /// The tick as of which a command is, as it came with one or stands in its stream.
    pub(super) async fn tick_of(&mut self, command: &OrderCommand) -> Result<Option<Arc<LinedTick>>, Stop> {
        let Some((stream, id)) = self.place_of_tick(command) else { return Ok(None) };
        if let Some(tick) = self.ticks.get(&stream, id) {
            return Ok(Some(tick));
        }
        let found = patiently(&self.runtime, || self.runtime.bus.range(&stream, id, id, 1)).await?;
        // Gone where there is none, or it does not read.
        let tick = found.first().and_then(|entry| entry.decode_once::<LinedTick>().ok());
        if let Some(tick) = &tick {
            self.ticks.keep(stream, id, Arc::clone(tick));
        }
        Ok(tick)
    }

    fn place_of_tick(&self, command: &OrderCommand) -> Option<(StreamKey, StreamId)> {
        let id = caused_by(command)?;
        let symbol = command.tick_symbol.as_ref().unwrap_or(&command.symbol);
        Some((self.runtime.identity.keys.market_tick(&self.source, symbol.as_str()), id))
    }
}

impl<B: Bus> Gateway<B, Simulated> {
    /// Keeps the ticks that come with these commands, for them and for what was sent before them on the same tick.
    pub(super) fn keep_ticks_of(&mut self, commands: &[Entry]) {
        for command in commands.iter().filter_map(|entry| entry.decode_once::<OrderCommand>().ok()) {
            let symbol = command.tick_symbol.as_ref().unwrap_or(&command.symbol);
            let Some(tick) = command.market.as_deref().filter(|tick| tick.symbol == *symbol) else { continue };
            let Some((stream, id)) = self.place_of_tick(&command) else { continue };
            if self.ticks.get(&stream, id).is_none() {
                self.ticks.keep(stream, id, Arc::new(LinedTick::from(tick.clone())));
            }
        }
    }

    fn alert_gone(&mut self, command: &OrderCommand, tick: StreamId) {
        let message = format!(
            "Tick {tick} of {} is gone, or does not read: no order of strategy {} was matched against it.",
            command.symbol, command.strategy
        );
        tracing::error!("{message}");
        self.publish(
            Topic::RiskAlert,
            &RiskAlert {
                strategy: command.strategy.clone(),
                account: String::new(),
                ledger: command.ledger.clone(),
                kind: AlertKind::MarketDataGap,
                severity: Severity::Critical,
                message,
                current_value: String::new(),
                threshold: String::new(),
                time: command.time,
            },
        );
    }
}

/// The stream id of the tick as of which a command is.
pub(super) fn caused_by(command: &OrderCommand) -> Option<StreamId> {
    command.tick.as_deref().and_then(|id| id.parse().ok())
}
