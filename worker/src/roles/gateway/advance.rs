//! Commands at a simulated exchange. A worker says as of which tick, and which round of it, its ledger's orders are to be
//! matched; what then trades, and last the word that this is all, are one commit with the exchange's state. The tick comes
//! with that command, or is read for its id; no other is looked at: where no worker asks, nothing of it could trade.

use std::sync::Arc;

use bus::{Entry, StreamId, StreamKey, Topic};
use engine::client_order_id::ClientOrderId;
use engine::instrument::Symbol;
use engine::messages::{AlertKind, Inbox, OrderCommand, RiskAlert, Severity};
use venue::{Outcome, Venue};

use super::desk::Verdict;
use super::order::News;
use super::simulated::Advanced;
use super::{Gateway, Place};
use crate::outcome::hashes::LinedTick;
use crate::roles::session::patiently;
use crate::roles::{Bus, Stop};

impl<B: Bus, V: Venue> Gateway<B, V> {
    /// Hands an order, a cancel or a replacement to its ledger's exchange, as of the tick that caused it.
    pub(super) async fn hand_over(&mut self, command: &OrderCommand, verdict: &Verdict) -> Result<(), Stop> {
        let cause = self.tick_of(command).await?;
        let Place::Simulated(simulated) = &mut self.place else { return Ok(()) };
        let id = &command.client_order_id;
        self.unasked.waits(id.ledger(), &command.strategy);
        let exchange = simulated.at(id.ledger());
        let news = match (cause, verdict) {
            (Some(tick), _) => self.desk.hand_over(exchange, command, &tick),
            // As of when it would arrive cannot be known.
            (None, Verdict::Cancel) => self.desk.cancel_at_once(exchange, id),
            (None, _) => self.desk.settle(id, &Outcome::Refused("TickUnavailable".to_owned()), command.time),
        };
        self.tell(&news);
        Ok(())
    }

    /// Matches a ledger's orders as of a round of a tick, and tells so. What was answered is not done again.
    pub(super) async fn advance(&mut self, command: &OrderCommand, round: u32) -> Result<(), Stop> {
        let (strategy, ledger) = (&command.strategy, command.client_order_id.ledger());
        self.unasked.asked(ledger);
        let Some(id) = caused_by(command) else {
            tracing::error!(strategy, %ledger, tick = ?command.tick, "an Advance names no tick; it is left out");
            return Ok(());
        };
        let tick = self.tick_of(command).await?;
        let sequence = tick.as_ref().map(|tick| tick.source_sequence);
        let asked = Advanced { tick: id, symbol: Some(command.symbol.clone()), sequence, round };
        let is_news = match &self.place {
            Place::Simulated(simulated) => !simulated.has_answered(ledger, &asked),
            Place::Elsewhere(_) => false,
        };
        if is_news {
            let news = if let Some(tick) = tick {
                self.matched(command, &tick, round)
            } else {
                self.alert_gone(command, id);
                News::new()
            };
            if let Place::Simulated(simulated) = &mut self.place {
                simulated.answered(ledger, asked);
            }
            self.tell(&news);
        }
        let (tick, symbol) = (id.to_string(), Some(command.symbol.clone()));
        self.answer(strategy, ledger, vec![Inbox::Word { tick, symbol, round }.into()]).await
    }

    fn matched(&mut self, command: &OrderCommand, tick: &LinedTick, round: u32) -> News {
        let Place::Simulated(simulated) = &mut self.place else { return News::new() };
        let exchange = simulated.at(command.client_order_id.ledger());
        if round == 0 { self.desk.match_resting(exchange, tick) } else { self.desk.arrive(exchange, tick) }
    }

    /// Ends an order that its strategy's stance forbids, at once.
    pub(super) async fn cancel_forbidden_order(&mut self, id: &ClientOrderId, symbol: &Symbol) {
        match &mut self.place {
            Place::Simulated(simulated) => {
                let news = self.desk.cancel_at_once(simulated.at(id.ledger()), id);
                self.tell(&news);
            }
            Place::Elsewhere(_) => self.cancel(id, symbol).await,
        }
    }

    /// The tick as of which a command is, as it came with one or stands in its stream.
    async fn tick_of(&mut self, command: &OrderCommand) -> Result<Option<Arc<LinedTick>>, Stop> {
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

    /// Keeps the ticks that come with these commands, for them and for what was sent before them on the same tick.
    pub(super) fn keep_ticks_of(&mut self, commands: &[Entry]) {
        if self.is_elsewhere() {
            return;
        }
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
fn caused_by(command: &OrderCommand) -> Option<StreamId> {
    command.tick.as_deref().and_then(|id| id.parse().ok())
}
