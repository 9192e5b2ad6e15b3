//! Transfers: the register says which are wanted, the engine books them, and the account's gateway is told of each in the stream
//! of its orders. What it has not followed is told again: it follows each number once.

use std::num::ParseIntError;
use std::time::Instant;

use bus::Owner;
use engine::Event;
use engine::messages::{CommandKind, OrderCommand};
use engine::transfers::WantedTransfers;

use super::{ASK_AGAIN, Worker};
use crate::roles::{Bus, Stop};

/// Field of the record: the number of the last transfer that the gateway has followed.
pub(super) const FOLLOWED: &str = "transferred";

/// How far the gateway has come.
#[derive(Debug, Default)]
pub(super) struct Followed {
    number: u64,
    /// Since when the gateway owes its word on later ones.
    awaited: Option<Instant>,
}

impl Followed {
    /// As the record of this owner has it.
    pub fn saved(owner: &Owner, field: Option<&str>) -> Result<Self, Stop> {
        let number = field.map_or(Ok(0), str::parse);
        let broken = |error: ParseIntError| Stop::Record {
            owner: owner.name().to_owned(),
            problem: format!("its field {FOLLOWED}: {error}"),
        };
        Ok(Self { number: number.map_err(broken)?, awaited: None })
    }
}

impl<B: Bus> Worker<'_, B> {
    /// Follows the transfers of the register, unless what is followed is newer. That of the release before tells none: what is
    /// followed goes on.
    pub(super) fn follow_transfers(&mut self, wanted: Option<WantedTransfers>) {
        let followed = self.engine.wanted_transfers();
        let is_new = |wanted: &WantedTransfers| {
            wanted.generation >= followed.generation && (followed != wanted || self.engine.owes_transfers())
        };
        let Some(wanted) = wanted.filter(is_new) else { return };
        let effects = self.engine.step(self.engine.report().as_of, Event::Transfers(wanted));
        self.absorb(effects);
        self.batch.touch();
    }

    /// Whether transfers are booked that the gateway has not followed.
    pub(super) fn owes_transfers(&self) -> bool {
        self.engine.last_transfer() > self.followed.number
    }

    /// The gateway has followed the transfers up to this number.
    pub(super) fn transfers_followed(&mut self, number: u64) {
        if self.followed.number == number {
            return;
        }
        self.followed = Followed { number, awaited: None };
        self.batch.set.retain(|(name, _)| name != FOLLOWED);
        self.batch.set.push((FOLLOWED.to_owned(), number.to_string()));
        self.gateway_reads();
    }

    /// Tells the gateway again of what it has not followed for long: an entry can be lost, or not be read by one of an older
    /// release.
    pub(super) async fn repeat_transfers(&mut self) -> Result<(), Stop> {
        if !self.owes_transfers() {
            return Ok(());
        }
        let since = *self.followed.awaited.get_or_insert_with(Instant::now);
        if since.elapsed() < ASK_AGAIN {
            return Ok(());
        }
        if self.tell_transfers_again().await? {
            self.store().await?;
        }
        Ok(())
    }

    /// With the next commit the gateway is told of what it has not followed, unless it has not read what it was told: while it is
    /// away the stream does not grow. Gives whether it is told.
    pub(super) async fn tell_transfers_again(&mut self) -> Result<bool, Stop> {
        if !self.owes_transfers() {
            return Ok(false);
        }
        self.followed.awaited = Some(Instant::now());
        let unread = self.unread_commands().await?;
        let is_own =
            |command: &OrderCommand| matches!(command.kind, CommandKind::Transfer(_)) && command.ledger == self.ledger;
        if unread.iter().any(is_own) {
            return Ok(false);
        }
        tracing::warn!(after = self.followed.number, "the gateway does not follow transfers; it is told again");
        let commands: Vec<_> = self.engine.transfers_after(self.followed.number).map(engine::Effect::Command).collect();
        self.absorb(commands);
        Ok(true)
    }
}
