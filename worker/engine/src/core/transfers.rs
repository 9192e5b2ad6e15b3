//! Transfers between two ticks, at the last prices: booked once by their ids, or refused whole. What they are worth moves the
//! equity and what that is held against, and never the profit.

use super::turn::Turn;
use super::{Effect, Engine};
use crate::instrument::{Asset, InstrumentIndex};
use crate::ledger::LedgerError;
use crate::messages::{AlertKind, OrderCommand, Severity, Transfer};
use crate::numbers::{Notional, NumberError};
use crate::report::TransferReport;
use crate::risk::{Approved, RiskState};
use crate::strategies::Warning;
use crate::transfers::{DecidedTransfer, TRANSFERS_MAX, TransferDecision, WantedTransfer, WantedTransfers};

/// What is held of an asset, and what of that is free.
struct Free {
    free: Notional,
    reserved: Notional,
}

/// Why a transfer is refused: in words, and what is free, where that is why.
struct Refusal {
    why: String,
    free: Option<Notional>,
}

impl Refusal {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), free: None }
    }

    /// More is asked for than is free.
    fn of(asset: &Asset, Free { free, reserved }: &Free) -> Self {
        let why = format!(
            "{free} {asset} is free, {reserved} is reserved by open orders; ask for less, or free what is missing"
        );
        Self { why, free: Some(*free) }
    }
}

impl Engine {
    /// Follows what a manifest asks for.
    pub(super) fn on_transfers(&mut self, turn: &mut Turn, wanted: WantedTransfers) {
        self.state.transfers.forget_refused(&wanted);
        self.config.transfers = wanted;
        self.owes_transfers = true;
        if self.state.markets.without_tick().is_none() {
            self.decide_transfers(turn);
        }
    }

    /// Decides, in the order of the manifest, the transfers that were not, at the last prices.
    pub(super) fn decide_transfers(&mut self, turn: &mut Turn) {
        self.owes_transfers = false;
        while let Some(wanted) = self.state.transfers.next_of(&self.config.transfers).cloned() {
            let decision = match self.book_transfer(&wanted) {
                Ok(booked) => booked,
                Err(refusal) => self.refuse(turn, &wanted, &refusal),
            };
            let decided = DecidedTransfer { wanted, time: turn.now, decision };
            let booked = decided.booked();
            self.state.transfers.decide(decided);
            if let Some(transfer) = booked {
                self.tell_booked(turn, transfer);
            }
        }
    }

    fn book_transfer(&mut self, wanted: &WantedTransfer) -> Result<TransferDecision, Refusal> {
        let WantedTransfer { asset, amount, .. } = wanted;
        if self.state.risk == RiskState::Halted {
            return Err(Refusal::new("trading is halted, so what the ledger holds is not known to be true"));
        }
        if self.state.transfers.are_full() {
            return Err(Refusal::new(format!(
                "this ledger has booked {TRANSFERS_MAX} transfers, the most that it remembers; use a second strategy"
            )));
        }
        let Some(free) = self.free_of(asset) else {
            return Err(Refusal::new(format!("no instrument trades {asset}; take the entry out")));
        };
        let free = free.map_err(|error| Refusal::new(error.to_string()))?;
        if *amount < Notional::ZERO && Notional::ZERO.minus(*amount).is_ok_and(|out| out > free.free) {
            return Err(Refusal::of(asset, &free));
        }
        let worth = self.move_money(asset, *amount).map_err(|error| Refusal::new(error.to_string()))?;
        let number = self.state.transfers.last_number().saturating_add(1);
        let price = self.market_of_coins(asset).and_then(|index| self.state.markets.tick_of(index));
        Ok(TransferDecision::Booked { number, price: price.map(|tick| tick.price), worth })
    }

    /// Books, and moves by its worth what the equity is held against. On `Err` nothing has changed.
    fn move_money(&mut self, asset: &Asset, amount: Notional) -> Result<Notional, LedgerError> {
        let prices: Vec<_> = self.state.markets.prices().flatten().collect();
        let (mut ledger, mut measures) = (self.state.ledger.clone(), self.state.stops.measures.clone());
        let worth = ledger.transfer(asset, amount, &prices)?;
        let peak = self.state.peak.plus(worth)?;
        measures.transferred(worth)?;
        (self.state.ledger, self.state.stops.measures, self.state.peak) = (ledger, measures, peak);
        self.valuation.forget();
        Ok(worth)
    }

    /// The account is told, and outsiders of coins.
    fn tell_booked(&self, turn: &mut Turn, transfer: Transfer) {
        let coins = self.market_of_coins(&transfer.asset);
        let (config, first) = (&self.config, self.config.instruments.first());
        let command = Approved::transfer(&config.name, config.ledger.clone(), first, transfer, turn.now);
        turn.effects.push(Effect::Command(command));
        if let Some((index, tick)) = coins.and_then(|index| Some((index, self.state.markets.tick_of(index)?))) {
            self.tell_position(turn, index, tick.price);
        }
        turn.effects.push(Effect::StateChanged);
    }

    fn refuse(&self, turn: &mut Turn, wanted: &WantedTransfer, refusal: &Refusal) -> TransferDecision {
        let WantedTransfer { id, asset, amount } = wanted;
        let message = format!(
            "Transfer {id} of {amount} {asset} is refused: {}. It is tried again with the next change of the spec.",
            refusal.why
        );
        let warning = Warning {
            kind: AlertKind::TransferRefused,
            message: message.clone(),
            current_value: refusal.free.map_or_else(String::new, |free| free.to_string()),
            threshold: amount.to_string(),
        };
        turn.alert(&self.config, Severity::Warning, warning);
        turn.effects.push(Effect::StateChanged);
        TransferDecision::Refused { generation: self.config.transfers.generation, message }
    }

    fn market_of_coins(&self, asset: &Asset) -> Option<InstrumentIndex> {
        let mut markets = self.config.instruments.iter();
        markets.find(|(_, instrument)| instrument.symbol.base() == asset).map(|(index, _)| index)
    }

    /// What may be taken out of an asset; `None` of one that no market trades.
    fn free_of(&self, asset: &Asset) -> Option<Result<Free, NumberError>> {
        let index = self.market_of_coins(asset);
        if index.is_none() && self.config.instruments.quote() != asset {
            return None;
        }
        let place = index.unwrap_or(InstrumentIndex::FIRST);
        let (held, reserved) = (self.held_of(place), self.reserved_of(place));
        Some(held.minus(reserved).map(|free| match index {
            Some(_) => Free { free: free.base.into(), reserved: reserved.base.into() },
            None => Free { free: free.quote.max(Notional::ZERO), reserved: reserved.quote },
        }))
    }

    /// What was put in since the opening less what was taken out, at its worth then.
    pub(super) fn transferred(&self) -> Result<Notional, LedgerError> {
        let ledger = &self.state.ledger;
        ledger.transferred_in(ledger.currency())
    }

    /// Whether one is refused.
    pub(super) fn has_refused_transfer(&self) -> bool {
        self.state.transfers.has_refused()
    }

    /// The transfers that were decided, as the status shows them.
    pub fn transfers(&self) -> Vec<TransferReport> {
        self.state.transfers.report(&self.config.transfers)
    }

    /// What a manifest asks for, as it is followed.
    pub const fn wanted_transfers(&self) -> &WantedTransfers {
        &self.config.transfers
    }

    /// Whether one of these is to be decided, at once or with the first tick.
    pub fn owes_transfers(&self) -> bool {
        self.owes_transfers && self.state.transfers.next_of(&self.config.transfers).is_some()
    }

    /// The number of the last one booked; 0 before the first.
    pub fn last_transfer(&self) -> u64 {
        self.state.transfers.last_number()
    }

    /// What of the booked ones has a higher number than this, by number.
    pub fn transfers_after(&self, number: u64) -> impl Iterator<Item = Approved<OrderCommand>> {
        let config = &self.config;
        let booked = self.state.transfers.booked().filter(move |transfer| transfer.number > number);
        booked.map(|transfer| {
            let first = config.instruments.first();
            Approved::transfer(&config.name, config.ledger.clone(), first, transfer, self.state.as_of)
        })
    }
}
