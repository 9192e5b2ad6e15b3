//! The limits of the account, over all of its strategies: what an order that opens is held to before it is sent, and what is
//! latched where prices alone lead beyond them. What reduces and what cancels is never asked here. Pure.

use std::collections::BTreeMap;

use bus::StreamId;
use crds::account::AccountLimits as Limits;
use crds::record::LATCHED;
use crds::roles::{BookSpec, GatewayDesired, Stance};
use engine::client_order_id::LedgerId;
use engine::instrument::{Asset, Symbol};
use engine::messages::{NewOrder, OrderCommand};
use engine::numbers::{ExactDecimal, Notional, Price, Ratio};
use engine::report::LatchedLimit;
use engine::risk::{Denial, Limit, Release};
use engine::time::Timestamp;

use super::opening_rate::OpeningRate;
use super::positions::{Positions, Unvalued};
use super::record::Changes;
use super::stances::opens;
use super::{Need, OrderManager, SubAccount};

/// Since when each was latched that was released last, by name.
const RELEASED: &str = "released";
/// When orders that open were sent lately, where that is bounded.
const OPENINGS: &str = "openings";

/// The reason of an opening while something that is held has no price yet.
const NO_PRICE: &str = "WaitingForMarketData";

/// The limits that are followed, what they are held against, and what is latched.
#[derive(Debug, Clone, Default)]
pub(in crate::roles::gateway) struct AccountLimits {
    followed: Limits,
    pub(super) positions: Positions,
    latched: Vec<LatchedLimit>,
    released: BTreeMap<String, Timestamp>,
    rate: OpeningRate,
    /// Event time of the newest price.
    as_of: Option<Timestamp>,
    /// The register names a ledger of which nobody knows what it holds.
    pub(super) has_unknown: bool,
    /// What limits are held against is not what it was when they were last judged.
    moved: bool,
    /// What of it must be committed.
    dirty: Dirty,
}

#[derive(Debug, Clone, Copy, Default)]
struct Dirty {
    latches: bool,
    rate: bool,
}

/// A limit that was latched, with the currency of its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::roles::gateway) struct Breach {
    pub currency: Asset,
    pub limit: LatchedLimit,
}

impl AccountLimits {
    /// Takes a field of the record; `false` where it is none of these.
    pub fn restore(&mut self, name: &str, value: &str) -> Result<bool, serde_json::Error> {
        match name {
            LATCHED => self.latched = serde_json::from_str(value)?,
            RELEASED => self.released = serde_json::from_str(value)?,
            OPENINGS => self.rate = serde_json::from_str(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What has changed since the last call, for the record.
    pub fn take_changes(&mut self, changes: &mut Changes) {
        let Dirty { latches, rate } = std::mem::take(&mut self.dirty);
        if latches {
            changes.put(LATCHED, (!self.latched.is_empty()).then_some(&self.latched));
            changes.put(RELEASED, (!self.released.is_empty()).then_some(&self.released));
        }
        if rate {
            changes.put(OPENINGS, (!self.rate.is_empty()).then_some(&self.rate));
        }
    }

    /// Whether anything must be committed.
    pub const fn has_changes(&self) -> bool {
        self.dirty.latches || self.dirty.rate
    }

    /// Follows other limits. What is latched stays so.
    pub fn follow(&mut self, limits: Option<&Limits>) {
        self.followed = limits.cloned().unwrap_or_default();
        self.moved = true;
        if self.followed.max_orders_per_minute.is_none() && !self.rate.is_empty() {
            self.rate = OpeningRate::default();
            self.dirty.rate = true;
        }
    }

    /// Whether it must be known what is held, and at which prices.
    pub fn values(&self) -> bool {
        !self.followed.max_exposure.is_empty()
    }

    /// What is held has changed.
    pub const fn moved(&mut self) {
        self.moved = true;
    }

    /// Takes up a price, unless a newer one is known.
    pub fn price(&mut self, symbol: &Symbol, id: StreamId, price: Price, time: Timestamp) {
        if self.positions.price(symbol, id, price) {
            self.as_of = self.as_of.max(Some(time));
            self.moved = true;
        }
    }

    /// The markets whose prices matter: of what is held in a currency that is bounded; with the place of the last price.
    pub fn watched(&self) -> Vec<(Symbol, Option<StreamId>)> {
        self.positions.held().filter(|(symbol, _)| self.followed.max_exposure.contains_key(symbol.quote())).collect()
    }

    /// The limits that are latched.
    pub fn latched(&self) -> &[LatchedLimit] {
        &self.latched
    }

    /// Why an order may not be made while something is latched.
    pub fn refuses(&self, order: &NewOrder) -> Option<&'static str> {
        (opens(order) && !self.latched.is_empty()).then_some(Denial::MaxExposure.as_str())
    }

    /// Whether an order may be sent at `now` that would add `added` to the open buys of its currency, which are worth
    /// `open` without it; none is out of bounds. `Err` is the denial's reason. One that may is counted.
    pub fn admit(
        &mut self,
        command: &OrderCommand,
        added: Notional,
        open: Option<Notional>,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let Some(order) = command.kind.order().filter(|order| opens(order)) else { return Ok(()) };
        if let Some(most) = self.followed.order_notional_limit(&command.symbol) {
            let worth = order.price.ok_or("NoWorstPrice")?.times(order.quantity);
            if worth.map_err(|_| Denial::TooManyDigits.as_str())? > most {
                return Err(Denial::MaxOrderNotional.as_str());
            }
        }
        if let Some(most) = self.followed.exposure_limit(&command.symbol) {
            let open = open.and_then(|open| open.plus(added).ok());
            if self.exposure(command.symbol.quote(), open)? > most {
                return Err(Denial::MaxExposure.as_str());
            }
        }
        if let Some(most) = self.followed.max_orders_per_minute.filter(|_| order.counts) {
            if !self.rate.allows(now, most) {
                return Err(Denial::OrderRateExceeded.as_str());
            }
            self.rate.count(now, most);
            self.dirty.rate = true;
        }
        Ok(())
    }

    /// What is held in a currency and what `open` orders may still buy, together.
    fn exposure(&self, currency: &Asset, open: Option<Notional>) -> Result<Notional, &'static str> {
        if self.has_unknown {
            return Err("BookUnknown");
        }
        let held = self.positions.worth(currency).map_err(|why| match why {
            Unvalued::NoPrice => NO_PRICE,
            Unvalued::TooManyDigits => Denial::TooManyDigits.as_str(),
        })?;
        open.and_then(|open| open.plus(held).ok()).ok_or(Denial::TooManyDigits.as_str())
    }

    /// Judges what is held and what is open at the last prices, where any of it has moved. `open` tells what open orders of a
    /// currency may still buy. Gives what is latched by that.
    pub fn judge(&mut self, open: impl Fn(&Asset) -> Option<Notional>) -> Option<Breach> {
        if !std::mem::take(&mut self.moved) || !self.latched.is_empty() {
            return None;
        }
        let time = self.as_of?;
        let exposures = self.exposures(open);
        let (currency, exposure, most) = exposures.into_iter().find(|(_, exposure, most)| exposure > most)?;
        let name = Limit::MaxExposure.as_str().to_owned();
        let since = self.released.get(&name).map_or(time, |released| time.max(released.plus_millis(1)));
        let limit = LatchedLimit { name, since, figure: exposure.to_string(), threshold: most.to_string() };
        self.latched.push(limit.clone());
        self.dirty.latches = true;
        Some(Breach { currency, limit })
    }

    /// Each currency that is bounded, as far as its exposure is known, with its limit.
    fn exposures(&self, open: impl Fn(&Asset) -> Option<Notional>) -> Vec<(Asset, Notional, Notional)> {
        let one = |(currency, most): (&Asset, &ExactDecimal)| {
            let exposure = self.exposure(currency, open(currency)).ok()?;
            Some((currency.clone(), exposure, Notional::new(most.get()).ok()?))
        };
        self.followed.max_exposure.iter().filter_map(one).collect()
    }

    /// How much of `maxExposure` is used up, of the currency that uses most of it; 1 is all.
    pub fn used(&self, open: impl Fn(&Asset) -> Option<Notional>) -> Option<Ratio> {
        self.exposures(open).into_iter().filter_map(|(_, exposure, most)| exposure.share_of(most)).max()
    }

    /// Releases what is latched under this name since then; of anything else nothing is done. It is judged anew.
    pub fn release(&mut self, release: &Release) -> Option<LatchedLimit> {
        let place = self.latched.iter().position(|limit| limit.release() == *release)?;
        let limit = self.latched.remove(place);
        self.released.insert(release.name.clone(), release.since);
        (self.dirty.latches, self.moved) = (true, true);
        Some(limit)
    }
}

impl OrderManager {
    /// The limits over all strategies.
    pub const fn account(&self) -> &AccountLimits {
        &self.account
    }

    /// Follows the limits of a register, and counts anew what is held in the markets that it names.
    pub(super) fn follow_limits(&mut self, desired: &GatewayDesired) {
        self.account.follow(desired.limits.as_ref());
        let is_unknown =
            |book: &BookSpec| book.stance() < Stance::Closed && !self.sub_accounts.contains_key(&book.ledger);
        self.account.has_unknown = desired.books.iter().any(is_unknown);
        for book in &desired.books {
            book.symbols.iter().for_each(|symbol| self.account.positions.trades(&book.ledger, symbol));
        }
        // One that is named no more has orders open, which name its markets.
        for order in self.orders.values() {
            self.account.positions.trades(&order.command.ledger, &order.command.symbol);
        }
        self.account.positions.forget_holdings();
        for ledger in self.sub_accounts.keys().cloned().collect::<Vec<_>>() {
            self.follow_position(&ledger);
        }
    }

    /// What a ledger holds has changed.
    pub(super) fn follow_position(&mut self, ledger: &LedgerId) {
        if self.account.values() {
            self.account.positions.follow(ledger, self.sub_accounts.get(ledger).map(SubAccount::amounts));
            self.account.moved();
        }
    }

    /// Whether the account's limits let an order pass that may take this.
    pub(super) fn check_account(
        &mut self,
        command: &OrderCommand,
        need: &Need,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        if self.account.values() {
            self.account.positions.trades(&command.ledger, &command.symbol);
        }
        let open = self.reserved.open_buys(command.symbol.quote());
        self.account.admit(command, need.buys, open, now)
    }

    /// Takes up a price of a market, unless a newer one is known.
    pub fn price(&mut self, symbol: &Symbol, id: StreamId, price: Price, time: Timestamp) {
        self.account.price(symbol, id, price, time);
    }

    /// Judges the account's limits at the last prices; gives what is latched by that.
    pub fn hold_to_limits(&mut self) -> Option<Breach> {
        let Self { account, reserved, .. } = self;
        account.judge(|currency| reserved.open_buys(currency))
    }

    /// How much of the account's exposure is used up; 1 is all.
    pub fn exposure_used(&self) -> Option<Ratio> {
        self.account.used(|currency| self.reserved.open_buys(currency))
    }

    /// Releases a limit of the account that is latched under this name since then.
    pub fn release(&mut self, release: &Release) -> Option<LatchedLimit> {
        self.account.release(release)
    }
}
