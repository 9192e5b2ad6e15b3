//! The first word of a sub-account. A strategy that has traded never opens at its declared capital again: where this
//! gateway's record knows nothing of its ledger, as after the record was lost, the strategy's own record and its inbox
//! tell what it holds. Where they do not tell, no sub-account is opened, and its orders are denied.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Body, Entry, Record, StreamId, Topic};
use engine::SavedBooks;
use engine::client_order_id::ClientOrderId;
use engine::messages::{AlertKind, Inbox, OrderStatus, OrderUpdate, RiskAlert, Severity};
use engine::orders::{Order, OrderState};

use super::manager::Booked;
use super::sub_account::SubAccount;
use super::{Gateway, Place};
use crate::roles::saved::ENGINE;
use crate::roles::session::patiently;
use crate::roles::told::Told;
use crate::roles::{Bus, Stop};
use crds::roles::{BookSpec, Stance};

/// Entries of an inbox at most in one read.
const ENTRIES_MAX: usize = 1_000;

/// The reason of an order that the lost record held.
const LOST: &str = "GatewayRecordLost";

/// A sub-account to open.
struct Opening {
    sub_account: SubAccount,
    /// The highest order sequence that is used up.
    highest: u64,
    /// The ends of the orders that were lost with the record.
    lost: Vec<OrderUpdate>,
    /// What the strategy has booked of its open orders, which a venue elsewhere still has.
    booked: BTreeMap<ClientOrderId, Booked>,
}

impl<B: Bus, P: Place> Gateway<B, P> {
    /// Opens the sub-accounts of strategies that have none.
    pub(super) async fn open_sub_accounts(&mut self, specs: &[BookSpec]) -> Result<(), Stop> {
        for spec in specs {
            match self.opening(spec).await? {
                Ok(Opening { sub_account, highest, lost, booked }) => {
                    self.manager.open(&spec.ledger, sub_account, highest);
                    self.manager.lost(&spec.ledger, highest, booked);
                    for update in lost {
                        tracing::error!(order = %update.client_order_id, "it was lost with this gateway's record");
                        self.tell_strategy(&spec.strategy, &spec.ledger, &Inbox::OrderUpdate(Box::new(update)).into());
                    }
                }
                // It is on its way out: nobody trades on it any more.
                Err(_) if spec.stance() == Stance::Closed => {}
                Err(problem) => self.alert_unknown(spec, &problem).await?,
            }
        }
        Ok(())
    }

    async fn opening(&self, spec: &BookSpec) -> Result<Result<Opening, String>, Stop> {
        let owner = self.runtime.identity.keys.strategy(self.owner.scope(), &spec.strategy);
        // Read first: what the worker takes from it meanwhile stands in the record then. Nobody else writes news to it.
        let mut told = Vec::new();
        let mut from = StreamId::ZERO;
        loop {
            let inbox = owner.inbox();
            let read = patiently(&self.runtime, || self.runtime.bus.range(inbox, from, StreamId::MAX, ENTRIES_MAX));
            let entries = read.await?;
            let Some(last) = entries.last() else { break };
            from = last.id.next();
            told.extend(entries);
        }
        let record = patiently(&self.runtime, || self.runtime.bus.record(&owner)).await?;
        let Some(record) = record.filter(|record| record.ledger == spec.ledger.as_str() && !record.closed) else {
            return Ok(Err(format!("the store has no open ledger {} of strategy {}", spec.ledger, spec.strategy)));
        };
        let consumed = record.cursors.get(owner.inbox()).copied().unwrap_or(StreamId::ZERO);
        told.retain(|entry| entry.id > consumed);
        Ok(opened(spec, &record, &told, P::IS_ELSEWHERE))
    }

    /// Once for each ledger: it is tried again with each look.
    async fn alert_unknown(&mut self, spec: &BookSpec, problem: &str) -> Result<(), Stop> {
        if !self.unknown.insert(spec.ledger.clone()) {
            return Ok(());
        }
        let time = self.now().await?;
        let message = format!(
            "Nobody knows what strategy {} holds at this account: {problem}. Its orders are denied until that is mended.",
            spec.strategy
        );
        tracing::error!("{message}");
        self.publish(
            Topic::RiskAlert,
            &RiskAlert {
                strategy: spec.strategy.clone(),
                account: String::new(),
                ledger: spec.ledger.clone(),
                kind: AlertKind::AccountMismatch,
                severity: Severity::Critical,
                message,
                current_value: String::new(),
                threshold: String::new(),
                time,
            },
        );
        Ok(())
    }
}

/// The sub-account of a strategy with this record, after the news that it has not taken yet.
fn opened(spec: &BookSpec, record: &Record, told: &[Entry], elsewhere: bool) -> Result<Opening, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut sub_account = SubAccount::opening(spec).map_err(|error| text(&error))?;
    let mut highest = 0;
    let (mut known, mut booked) = (Vec::<Order>::new(), BTreeSet::new());
    let mut open = BTreeMap::<ClientOrderId, Booked>::new();
    let mut transfers = Vec::new();
    match record.fields.get(ENGINE) {
        None if record.version > 0 => return Err(format!("its record has no field {ENGINE}")),
        None => {}
        Some(_) => {
            let fields = record.fields.iter().map(|(name, text)| (name.as_str(), &**text));
            let books = SavedBooks::read(fields).map_err(|error| text(&error))?;
            books.ledger.holdings().for_each(|(asset, amount)| sub_account.hold(asset, amount));
            sub_account.holds_transfers(&books.transfers).map_err(|error| text(&error))?;
            transfers.clone_from(&books.transfers);
            highest = used(&books, elsewhere);
            known = books.orders;
            open.extend(known.iter().map(|order| {
                (order.client_order_id.clone(), Booked { trades: order.trades.clone(), filled: order.filled })
            }));
        }
    }
    for entry in told {
        let Some((update, told)) = update(entry)? else { continue };
        if *update.client_order_id.ledger() != spec.ledger {
            continue;
        }
        highest = highest.max(update.client_order_id.sequence());
        for order in known.iter_mut().filter(|order| order.client_order_id == update.client_order_id) {
            order.state = order.state.after(update.status).unwrap_or(order.state);
            order.time = update.time;
        }
        if let Some(fill) = &update.fill
            && !known.iter().any(|order| order.has_booked(fill))
            && booked.insert(fill.trade_id.clone())
        {
            sub_account.apply(fill);
            if let Some(order) = open.get_mut(&update.client_order_id) {
                order.trades.remember(&update.client_order_id.to_string(), fill);
                order.filled = order.filled.plus(fill.quantity).map_err(|error| text(&error))?;
            }
        }
        for (asset, amount) in told.sub_account.iter().flatten() {
            // What the ledger has booked since then was on its way.
            let mut since = transfers.iter().filter(|one| one.number > told.transferred && one.asset == *asset);
            let amount = since.try_fold(*amount, |sum, one| sum.plus(one.amount)).map_err(|error| text(&error))?;
            sub_account.hold(asset, amount);
        }
    }
    let lost = if elsewhere { Vec::new() } else { known.iter().filter_map(lost).collect() };
    Ok(Opening { sub_account, highest, lost, booked: open })
}

/// The end of an order that the simulated exchange had: it stood in the record and nowhere else, so it never trades any
/// more. One without any news is made by its command.
fn lost(order: &Order) -> Option<OrderUpdate> {
    let was_there = match order.state {
        OrderState::Sent | OrderState::Accepted | OrderState::PartiallyFilled | OrderState::Unknown => true,
        OrderState::Committed
        | OrderState::Filled
        | OrderState::Canceled
        | OrderState::Expired
        | OrderState::Rejected
        | OrderState::Denied => false,
    };
    was_there.then(|| OrderUpdate {
        client_order_id: order.client_order_id.clone(),
        status: OrderStatus::Expired,
        reason: LOST.to_owned(),
        cumulative_quantity: order.cumulative,
        fill: None,
        matched: None,
        time: order.time,
    })
}

/// An order without any news was never taken by a gateway whose orders live in its record, so its command still counts.
/// At a venue elsewhere it may have been sent: nothing that exists is sent again.
fn used(books: &SavedBooks, elsewhere: bool) -> u64 {
    let unheard = books.orders.iter().filter(|order| order.state == OrderState::Committed && !elsewhere);
    let first = unheard.map(|order| order.client_order_id.sequence()).min();
    first.map_or(books.highest_order, |first| first.saturating_sub(1))
}

fn update(entry: &Entry) -> Result<Option<(OrderUpdate, Told)>, String> {
    let Body::Document { data, .. } = &entry.body else {
        return Err(format!("entry {} of its inbox does not read", entry.id));
    };
    let told: Told = serde_json::from_str(data)
        .map_err(|error| format!("entry {} of its inbox does not read: {error}", entry.id))?;
    match &told.news {
        Inbox::OrderUpdate(update) => Ok(Some(((**update).clone(), told))),
        Inbox::Recovered { .. } | Inbox::Word { .. } | Inbox::Control => Ok(None),
    }
}
