//! The order protocol: which command is sent, what an outcome means, when an order may be sent again. Pure:
//! time is an argument, what it wants done comes back as data, and the role commits it before it acts.
//!
//! At most once: a command is sent only after its record is committed; a request without an answer is
//! `Unknown` until the venue tells, and is sent again only when it can no longer arrive and two full look-ups,
//! one visibility window apart, did not find it.

mod account_limits;
mod doubts;
mod ended;
mod opening_rate;
mod positions;
mod record;
mod reserved;
mod simulated;
mod stances;
mod transfers;
mod unknown;

use std::collections::{BTreeMap, BTreeSet};

use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::fees::Fees;
use engine::instrument::Symbol;
use engine::messages::{CommandKind, NewOrder, OrderCommand, OrderStatus, OrderUpdate, Side};
use engine::numbers::Quantity;
use engine::time::Timestamp;
use venue::{Outcome, VenueReport};

pub(super) use account_limits::Breach;
pub(super) use doubts::{DOUBT_INTERVAL_MS, Found};
pub(super) use record::Changes;

use super::order::{GatewayOrder, News, Stage};
use super::sub_account::{Need, SubAccount};
use crate::roles::told::Holdings;
use account_limits::AccountLimits;
use crds::roles::{BookSpec, GatewayDesired, Stance};
use ended::Ended;
use reserved::Reserved;
use stances::{Stances, opens};
pub(super) use unknown::{Adopted, Booked};

/// Orders of one ledger at most that are remembered at a venue elsewhere, open or ended: past it new ones are denied, and none
/// is forgotten before its time.
const ORDERS_MAX: usize = 1_000;

/// What to do with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it, once the record is committed.
    Send,
    /// Ask the venue to cancel it.
    Cancel,
    /// Nothing; tell the strategy this.
    Tell(News),
    /// Nothing; all that was told of it is told again.
    Repeat(News),
    /// The register, as far as it is known here, does not name its strategy for its ledger.
    NotRegistered,
    /// Its sequence was used before the store went back in time: tell the strategy the highest.
    Reissued(News, u64),
    /// The order is not known here: at a venue elsewhere it may be there all the same.
    Ask,
}

/// The account's orders and sub-accounts.
#[derive(Debug, Clone, Default)]
pub(super) struct OrderManager {
    orders: BTreeMap<ClientOrderId, GatewayOrder>,
    ended: Ended,
    sub_accounts: BTreeMap<LedgerId, SubAccount>,
    /// Whom the register names; `None` before one has been adopted in this life.
    strategies: Option<BTreeMap<LedgerId, String>>,
    stances: Stances,
    highest: BTreeMap<LedgerId, u64>,
    reserved: Reserved,
    /// Limits over all strategies.
    account: AccountLimits,
    /// The venue is elsewhere: it may know orders that the record does not, and it may tell of an order late.
    elsewhere: bool,
    /// The venue does not keep orders of the account from trading with each other.
    lets_self_trade: bool,
    /// When the venue was last asked for all that is open.
    listed: Option<Timestamp>,
    /// Ledgers whose strategies do not take their news.
    behind: BTreeSet<LedgerId>,
    /// The highest sequence of each ledger of which an order has ended and is not remembered.
    forgotten: BTreeMap<LedgerId, u64>,
    /// Orders that were lost with a record, as far as their strategies have booked them.
    booked: BTreeMap<ClientOrderId, Booked>,
    dirty_orders: BTreeSet<ClientOrderId>,
    dirty_ledgers: BTreeSet<LedgerId>,
    dirty_booked: BTreeSet<ClientOrderId>,
}

impl OrderManager {
    /// An empty order manager of a venue with these fees.
    pub fn new(fees: &Fees) -> Self {
        Self { reserved: Reserved::at(fees), ..Self::default() }
    }

    /// The same order manager of a venue elsewhere.
    pub fn elsewhere(self) -> Self {
        Self { elsewhere: true, ..self }
    }

    /// The venue does not keep orders of the account from trading with each other: none is made that opens and could.
    pub const fn lets_self_trade(&mut self) {
        self.lets_self_trade = true;
    }

    /// The ledgers of a register that have no sub-account yet.
    pub fn without_sub_account(&self, desired: &GatewayDesired) -> Vec<BookSpec> {
        desired.books.iter().filter(|spec| !self.sub_accounts.contains_key(&spec.ledger)).cloned().collect()
    }

    /// Opens a ledger's sub-account; sequences up to `highest` are used up.
    pub fn open(&mut self, ledger: &LedgerId, sub_account: SubAccount, highest: u64) {
        self.sub_accounts.insert(ledger.clone(), sub_account);
        if highest > 0 {
            let used = self.highest.entry(ledger.clone()).or_default();
            *used = highest.max(*used);
        }
        self.dirty_ledgers.insert(ledger.clone());
        self.follow_position(ledger);
    }

    /// Adopts a register: follows the stance of each ledger. One that is named no more keeps its sub-account while an order of
    /// it is open. Gives the ledgers that it forgets.
    pub fn register(&mut self, desired: &GatewayDesired) -> Vec<LedgerId> {
        for spec in &desired.books {
            if self.stances.follow(&spec.ledger, spec.stance()) {
                self.dirty_ledgers.insert(spec.ledger.clone());
            }
        }
        let named = desired.books.iter().map(|spec| (spec.ledger.clone(), spec.strategy.clone()));
        let named: BTreeMap<_, _> = named.collect();
        let open: BTreeSet<LedgerId> = self.open_commands().map(|command| command.ledger.clone()).collect();
        let known: BTreeSet<&LedgerId> = self.sub_accounts.keys().chain(self.stances.ledgers()).collect();
        let is_gone = |ledger: &&LedgerId| !named.contains_key(*ledger) && !open.contains(*ledger);
        let gone: Vec<_> = known.into_iter().filter(is_gone).cloned().collect();
        for ledger in &gone {
            self.drop_sub_account(ledger);
        }
        self.strategies = Some(named);
        self.follow_limits(desired);
        gone
    }

    /// Follows whose strategies do not take their news.
    pub fn behind(&mut self, ledgers: BTreeSet<LedgerId>) {
        self.behind = ledgers;
    }

    /// Whether a register has been adopted in this life.
    pub const fn has_register(&self) -> bool {
        self.strategies.is_some()
    }

    /// A ledger that was not closed may be named again: that its ids are used up is not forgotten.
    fn drop_sub_account(&mut self, ledger: &LedgerId) {
        self.sub_accounts.remove(ledger);
        self.account.positions.forget(ledger);
        if self.stances.forget(ledger) == Some(Stance::Closed) {
            self.highest.remove(ledger);
            self.forgotten.remove(ledger);
        }
        self.ended.leave(ledger);
        self.dirty_ledgers.insert(ledger.clone());
    }

    /// The order is to be cancelled: remembered, because the answer can be lost, or the order not be at the venue yet.
    fn want_cancelled(&mut self, id: &ClientOrderId) {
        let _ = self.change(id, |order| {
            (order.cancel, order.asked) = (true, None);
            News::new()
        });
    }

    /// The order of this id, while it is remembered.
    pub fn order(&self, id: &ClientOrderId) -> Option<&GatewayOrder> {
        self.orders.get(id)
    }

    /// The orders of one ledger that are remembered: ids are ordered by ledger.
    fn orders_of(&self, ledger: &LedgerId) -> impl Iterator<Item = &GatewayOrder> {
        let [first, last] = [0, u64::MAX].map(|sequence| ClientOrderId::new(ledger.clone(), sequence));
        self.orders.range(first..=last).map(|(_, order)| order)
    }

    /// What a ledger's sub-account holds, while that is known to be true.
    pub fn holdings(&self, ledger: &LedgerId) -> Option<Holdings> {
        self.sub_accounts.get(ledger)?.holdings()
    }

    /// The registered strategy of a ledger.
    pub fn strategy_of(&self, ledger: &LedgerId) -> Option<String> {
        self.strategies.as_ref()?.get(ledger).cloned()
    }

    /// Judges a command. `Send` has recorded it as being sent with the stamp `now`.
    pub fn judge(&mut self, command: &OrderCommand, now: Timestamp) -> Verdict {
        let id = &command.client_order_id;
        let order = match &command.kind {
            CommandKind::Create(order) | CommandKind::Replace { order, .. } => order,
            CommandKind::Cancel => return self.judge_cancel(command),
            CommandKind::Advance { .. } => return Verdict::Tell(News::new()),
            CommandKind::Transfer(transfer) => return self.judge_transfer(command, transfer),
        };
        if let Some(known) = self.orders.get(id) {
            // Asked again: the same id is the same order, never a second one.
            return Verdict::Repeat(known.repeat(command.time));
        }
        let replaces_anothers = match &command.kind {
            CommandKind::Replace { of, .. } => of.ledger() != id.ledger(),
            CommandKind::Create(_) | CommandKind::Cancel | CommandKind::Advance { .. } | CommandKind::Transfer(_) => {
                false
            }
        };
        if command.sequence != id.sequence() || command.ledger != *id.ledger() || replaces_anothers {
            return Verdict::Tell(denied(command, "IdMismatch"));
        }
        let highest = self.highest_of(id.ledger());
        if id.sequence() <= highest {
            if self.elsewhere {
                return Verdict::Ask;
            }
            return self.not_there(command);
        }
        if !self.names(command) || !self.sub_accounts.contains_key(id.ledger()) {
            // The register may be newer than what is known here, so the sequence is not used up yet.
            return Verdict::NotRegistered;
        }
        // Used up, sent or denied: the same id can never mean a second try.
        self.highest.insert(id.ledger().clone(), id.sequence());
        self.dirty_ledgers.insert(id.ledger().clone());
        if let Some(reason) = self.refuses(id.ledger(), order) {
            return Verdict::Tell(denied(command, reason));
        }
        if now > command.expires_at {
            return Verdict::Tell(denied(command, "CommandExpired"));
        }
        // On paper nothing is denied for that: a worker that waits for its news sends nothing more.
        if self.elsewhere && self.behind.contains(id.ledger()) && opens(order) {
            return Verdict::Tell(denied(command, "StrategyBehind"));
        }
        if self.elsewhere && self.orders_of(id.ledger()).count() >= ORDERS_MAX {
            return Verdict::Tell(denied(command, "TooManyOrders"));
        }
        if self.lets_self_trade && opens(order) && self.could_trade_with_own(&command.symbol, order) {
            return Verdict::Tell(denied(command, "SelfTrade"));
        }
        if let Err(reason) = self.check_sub_account(command).and_then(|need| self.check_account(command, &need, now)) {
            return Verdict::Tell(denied(command, reason));
        }
        self.dirty_orders.insert(id.clone());
        self.orders.insert(id.clone(), GatewayOrder::new(command.clone(), now));
        self.reserved.follow(&self.orders, id);
        Verdict::Send
    }

    /// Whether an order could trade with one of the account that is open, whosever that is.
    fn could_trade_with_own(&self, symbol: &Symbol, order: &NewOrder) -> bool {
        let of_market = self.open_commands().filter(|command| command.symbol == *symbol);
        of_market.filter_map(|command| command.kind.order()).any(|open| {
            let (buying, selling) = match (order.side, open.side) {
                (Side::Buy, Side::Sell) => (order, open),
                (Side::Sell, Side::Buy) => (open, order),
                (Side::Buy, Side::Buy) | (Side::Sell, Side::Sell) => return false,
            };
            // Without a price it takes any.
            buying.price.zip(selling.price).is_none_or(|(bid, ask)| bid >= ask)
        })
    }

    fn names(&self, command: &OrderCommand) -> bool {
        let named = self.strategies.as_ref().and_then(|named| named.get(command.client_order_id.ledger()));
        named == Some(&command.strategy)
    }

    fn judge_cancel(&mut self, command: &OrderCommand) -> Verdict {
        let id = &command.client_order_id;
        match self.orders.get(id) {
            Some(order) if order.is_closed() => Verdict::Repeat(order.repeat(command.time)),
            Some(_) => {
                self.want_cancelled(id);
                Verdict::Cancel
            }
            None if self.elsewhere => Verdict::Ask,
            None => self.not_there(command),
        }
    }

    /// What is told of a command whose order is not known here, nor at the venue.
    pub fn not_there(&self, command: &OrderCommand) -> Verdict {
        match &command.kind {
            CommandKind::Create(_) | CommandKind::Replace { .. } => {
                Verdict::Reissued(denied(command, "SequenceUsed"), self.highest_of(command.client_order_id.ledger()))
            }
            // Who knows how it ended leaves it out: a cancel can cross the word that the order was lost with a record.
            CommandKind::Cancel => Verdict::Repeat(denied(command, "UnknownOrder")),
            CommandKind::Advance { .. } | CommandKind::Transfer(_) => Verdict::Tell(denied(command, "UnknownOrder")),
        }
    }

    /// Denies for good a command of a strategy that the register does not name.
    pub fn deny_unregistered(&mut self, command: &OrderCommand) -> News {
        let id = &command.client_order_id;
        let highest = self.highest.entry(id.ledger().clone()).or_default();
        *highest = id.sequence().max(*highest);
        self.dirty_ledgers.insert(id.ledger().clone());
        let registered = self.names(command);
        denied(command, if registered { "BookUnknown" } else { "StrategyNotRegistered" })
    }

    /// What the strategy's open orders can still take is not there for another one. Gives what this one can take.
    fn check_sub_account(&self, command: &OrderCommand) -> Result<Need, &'static str> {
        let sub_account = self.sub_accounts.get(&command.ledger).ok_or("BookUnknown")?;
        let need = self.reserved.needed(&self.orders, command)?;
        sub_account.check(&need, self.reserved.of(&command.ledger, &need.asset))?;
        Ok(need)
    }

    /// Takes the outcome of a request, to make an order or (on a venue in the record) to cancel one. Of one that is only
    /// acknowledged the venue is asked at once: [`OrderManager::taken`] lets it wait.
    pub fn settle(&mut self, id: &ClientOrderId, outcome: &Outcome, now: Timestamp) -> News {
        match outcome {
            Outcome::Done(report) if report.client_order_id != *id => {
                // An answer to something else: what it tells may be true, and of this order it tells nothing.
                let mut news = self.hear(report);
                news.extend(self.doubt(id, "AnswerOfAnother", now));
                news
            }
            Outcome::Done(report) => self.hear(report),
            Outcome::Acknowledged => {
                self.taken(id, now);
                News::new()
            }
            Outcome::Exists => {
                let mut news = self.doubt(id, "SentBefore", now);
                news.extend(self.change(id, |order| {
                    (order.exists, order.asked) = (true, None);
                    News::new()
                }));
                news
            }
            Outcome::Rejected(reason) => {
                let news = self.change(id, |order| order.end_unsent(OrderStatus::Rejected, reason, now));
                self.forget_old(id.ledger());
                news
            }
            Outcome::Unknown(reason) => self.doubt(id, reason, now),
        }
    }

    /// Nobody knows what became of a request.
    pub fn doubt(&mut self, id: &ClientOrderId, reason: &str, now: Timestamp) -> News {
        self.change(id, |order| order.doubt(reason, now))
    }

    /// Takes news from the venue. Orders that are not ours are reported nowhere and touched never.
    pub fn hear(&mut self, report: &VenueReport) -> News {
        let id = report.client_order_id.clone();
        let news = self.change(&id, |order| order.hear(report));
        for update in &news {
            if let Some(fill) = &update.fill
                && let Some(sub_account) = self.sub_accounts.get_mut(&fill.ledger)
            {
                sub_account.apply(fill);
                self.dirty_ledgers.insert(fill.ledger.clone());
                self.follow_position(&fill.ledger);
            }
        }
        self.forget_old(id.ledger());
        news
    }

    /// The commands of orders that are not closed.
    pub fn open_commands(&self) -> impl Iterator<Item = &OrderCommand> {
        self.orders.values().filter(|order| !order.is_closed()).map(|order| &order.command)
    }

    /// The stamp of a request that is to be sent.
    pub fn stamp(&self, id: &ClientOrderId) -> Option<Timestamp> {
        match self.orders.get(id)?.stage {
            Stage::Sending { signed_at } => Some(signed_at),
            Stage::Unknown { .. } | Stage::Live | Stage::Closed => None,
        }
    }

    fn change(&mut self, id: &ClientOrderId, change: impl FnOnce(&mut GatewayOrder) -> News) -> News {
        let Some(order) = self.orders.get_mut(id) else { return News::new() };
        let before = (order.is_closed(), order.filled, order.status);
        let news = change(order);
        let after = (order.is_closed(), order.filled, order.status);
        // As its field is named: others may write the same id in another form.
        let id = &order.command.client_order_id.clone();
        if after.0 && !before.0 && !self.elsewhere {
            self.ended.push(id);
        }
        if before != after {
            self.reserved.follow(&self.orders, id);
        }
        self.dirty_orders.insert(id.clone());
        news
    }

    /// Keeps the newest ended orders of a ledger, forgets the others. At a venue elsewhere time tells which:
    /// [`OrderManager::forget_settled`].
    fn forget_old(&mut self, ledger: &LedgerId) {
        if self.elsewhere {
            return;
        }
        while let Some(old) = self.ended.pop_old(ledger) {
            // One that is open again, because more had traded of it than was told at its end, is kept.
            if self.orders.get(&old).is_some_and(GatewayOrder::is_closed) {
                self.orders.remove(&old);
                self.dirty_orders.insert(old);
            }
        }
    }
}

/// The news of a command that is not sent.
fn denied(command: &OrderCommand, reason: &str) -> News {
    vec![denial(command.client_order_id.clone(), reason, command.time)]
}

/// The news of a command that cannot be done at the account's venue.
pub(super) fn denied_here(command: &OrderCommand, reason: &str) -> OrderUpdate {
    denial(command.client_order_id.clone(), reason, command.time)
}

/// The news of a command that does not read but for its order's id.
pub(super) fn denied_unread(id: ClientOrderId, time: Timestamp) -> OrderUpdate {
    denial(id, "CommandUnreadable", time)
}

fn denial(client_order_id: ClientOrderId, reason: &str, time: Timestamp) -> OrderUpdate {
    OrderUpdate {
        client_order_id,
        status: OrderStatus::Denied,
        reason: reason.to_owned(),
        cumulative_quantity: Quantity::ZERO,
        fill: None,
        matched: None,
        time,
    }
}
