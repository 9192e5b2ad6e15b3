//! The last prices of what the account holds, for its limits: those as of which workers ask, and those that stand last in the
//! streams, now and then. A breach by prices alone is latched, done and told here.

use bus::Topic;
use crds::record::ACCOUNT;
use engine::messages::{AlertKind, Nudge, OrderCommand, RiskAlert, Severity};
use engine::report::LatchedLimit;
use engine::risk::{Limit, Release};
use engine::time::Timestamp;

use super::advance::caused_by;
use super::manager::Breach;
use super::{Gateway, Place};
use crate::outcome::hashes::LinedTick;
use crate::roles::session::patiently;
use crate::roles::{Bus, Stop};

/// How old a price may be, in milliseconds, before the stream is looked at again.
const LOOK_MS: i64 = 1_000;

impl<B: Bus, P: Place> Gateway<B, P> {
    /// Looks at the last prices of what is held, where that is bounded and the last look is some time ago; and judges the
    /// limits by them.
    pub(super) async fn look_at_prices(&mut self) -> Result<(), Stop> {
        if self.manager.account().values() {
            let now = self.now().await?;
            if self.looked.is_none_or(|looked| now.millis_since(looked) >= LOOK_MS) {
                self.looked = Some(now);
                self.take_last_prices().await?;
            }
            self.hold_to_account_limits();
        }
        let is_halted = !self.manager.account().latched().is_empty();
        self.runtime.health.account_limits(is_halted, self.manager.exposure_used());
        Ok(())
    }

    async fn take_last_prices(&mut self) -> Result<(), Stop> {
        for (symbol, known) in self.manager.account().watched() {
            let stream = self.runtime.identity.keys.market_tick(&self.source, symbol.as_str());
            let last = patiently(&self.runtime, || self.runtime.bus.last_id(&stream)).await?;
            let Some(last) = last.filter(|last| known.is_none_or(|known| *last > known)) else { continue };
            let found = patiently(&self.runtime, || self.runtime.bus.range(&stream, last, last, 1)).await?;
            if let Some(tick) = found.first().and_then(|entry| entry.decode_once::<LinedTick>().ok()) {
                self.manager.price(&symbol, last, tick.price, tick.event_time());
            }
        }
        Ok(())
    }

    /// Takes up the price as of which a command is.
    pub(super) async fn price_of(&mut self, command: &OrderCommand) -> Result<(), Stop> {
        if !self.manager.account().values() {
            return Ok(());
        }
        if let Some(id) = caused_by(command)
            && let Some(tick) = self.tick_of(command).await?
        {
            self.manager.price(&tick.symbol, id, tick.price, tick.event_time());
        }
        Ok(())
    }

    /// Latches a limit of the account that prices alone have breached; what opens is cancelled, in the same commit. Before it
    /// trades, what is held may be less or more than its record says.
    pub(super) fn hold_to_account_limits(&mut self) {
        if !self.started {
            return;
        }
        if let Some(breach) = self.manager.hold_to_limits() {
            let Breach { currency, limit: LatchedLimit { name, since, figure, threshold } } = breach;
            let message = format!(
                "The coins and open buys of all strategies are worth {figure} {currency}, {name} of the account is \
                 {threshold}: no strategy of it opens anything before it is released."
            );
            tracing::warn!("{message}");
            let alert = self.account_alert(Severity::Critical, message, since);
            self.publish(Topic::RiskAlert, &RiskAlert { current_value: figure, threshold, ..alert });
            self.tell_account();
            self.cancel_forbidden();
        }
    }

    /// Does what a human has released, once.
    pub(super) fn release(&mut self, release: &Release) {
        if let Some(limit) = self.manager.release(release) {
            tracing::info!(%release, "released");
            let message = format!("{release} of the account is released.");
            let alert = self.account_alert(Severity::Info, message, limit.since);
            self.publish(Topic::RiskAlert, &alert);
            self.tell_account();
        }
    }

    /// The account's own status has changed, not only that of a strategy.
    fn tell_account(&mut self) {
        self.dirty = true;
        self.publish(Topic::Report, &Nudge { owner: ACCOUNT.to_owned() });
    }

    fn account_alert(&self, severity: Severity, message: String, time: Timestamp) -> RiskAlert {
        let kind: AlertKind = Limit::MaxExposure.alert();
        RiskAlert {
            strategy: String::new(),
            account: self.account.clone(),
            ledger: self.ledger.clone(),
            kind,
            severity,
            message,
            current_value: String::new(),
            threshold: String::new(),
            time,
        }
    }
}
