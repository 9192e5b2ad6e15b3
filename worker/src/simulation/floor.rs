//! One order at the scripted exchange: what happens to it when, and what is shown of it.

use engine::client_order_id::ClientOrderId;
use engine::messages::{CommandKind, Liquidity, NewOrder, OrderCommand, OrderStatus, Side};
use engine::numbers::{Notional, Price, Quantity, Ratio};
use engine::time::Timestamp;
use rust_decimal::Decimal;
use venue::{Ordered, VenueReport, VenueTrade};

use super::script::{Rest, Script, is_closed};

/// The exchange takes 0.1 % of each trade's worth, in quote.
const FEE: &str = "0.001";

/// An order that the exchange has taken.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub command: OrderCommand,
    pub script: Script,
    number: usize,
    arrived_at: i64,
    status: OrderStatus,
    /// Why it ended.
    reason: &'static str,
    /// Whether the order asks to be kept from trading with another one of the account.
    is_kept: bool,
    prevented: Quantity,
    /// Trades with when they become visible.
    pub trades: Vec<(i64, VenueTrade)>,
    filled: Quantity,
    /// What has happened, told or not.
    events: usize,
    /// When something last happened.
    last_at: i64,
    /// Trades of the script that have not happened yet.
    to_come: Vec<(i64, u8)>,
}

impl Placed {
    pub fn new(number: usize, command: OrderCommand, script: Script, arrived_at: i64) -> Self {
        let mut to_come = script.trades.clone();
        to_come.sort_unstable();
        Self {
            command,
            script,
            number,
            arrived_at,
            status: OrderStatus::Sent,
            reason: "",
            is_kept: false,
            prevented: Quantity::ZERO,
            trades: Vec::new(),
            filled: Quantity::ZERO,
            events: 0,
            last_at: arrived_at,
            to_come,
        }
    }

    /// The same order, to be kept from trading with another one of the account.
    pub fn kept(self, is_kept: bool) -> Self {
        Self { is_kept, ..self }
    }

    pub const fn arrived_at(&self) -> i64 {
        self.arrived_at
    }

    pub fn id(&self) -> &ClientOrderId {
        &self.command.client_order_id
    }

    pub fn is_closed(&self) -> bool {
        is_closed(self.status)
    }

    pub fn status(&self) -> OrderStatus {
        self.status
    }

    pub fn filled(&self) -> Quantity {
        self.filled
    }

    pub fn is_visible(&self, now: i64) -> bool {
        now >= self.arrived_at + self.script.hidden_ms
    }

    /// Whether anything has happened since, or still may.
    pub fn has_news_since(&self, time: i64) -> bool {
        !self.is_closed() || self.last_at >= time
    }

    fn order(&self) -> &NewOrder {
        match &self.command.kind {
            CommandKind::Create(order) => order,
            CommandKind::Cancel
            | CommandKind::Replace { .. }
            | CommandKind::Advance { .. }
            | CommandKind::Transfer(_) => {
                unreachable!("only orders are placed")
            }
        }
    }

    /// Lets everything happen that is due; gives the reports with when they are delivered.
    pub fn advance(&mut self, now: i64) -> Vec<(i64, VenueReport)> {
        let mut reports = Vec::new();
        if self.status == OrderStatus::Sent {
            self.status = OrderStatus::Accepted;
            reports.extend(self.tell(self.arrived_at, None));
        }
        while let Some((delay, share)) = self.to_come.first().copied()
            && !self.is_closed()
            && self.arrived_at + delay <= now
            && self.script.ends_after.is_none_or(|end| delay <= end)
        {
            self.to_come.remove(0);
            reports.extend(self.trade(self.arrived_at + delay, share));
        }
        if let Some(end) = self.script.ends_after.map(|delay| self.arrived_at + delay)
            && end <= now
            && !self.is_closed()
        {
            let is_prevented = self.script.rest != Rest::Dropped && self.is_kept;
            if is_prevented {
                self.prevented = self.order().quantity.minus(self.filled).unwrap();
            }
            reports.extend(self.close(OrderStatus::Expired, if is_prevented { "" } else { "NoSize" }, end));
        }
        reports
    }

    /// Ends it; what has not traded never will.
    pub fn close(&mut self, status: OrderStatus, reason: &'static str, at: i64) -> Vec<(i64, VenueReport)> {
        (self.status, self.reason) = (status, reason);
        self.tell(at, None)
    }

    /// The status that is told. One that was kept from trading may say so by its quantity alone, and that not all has traded
    /// is not hidden by a status while trades are not shown.
    fn told_status(&self, total: Quantity) -> OrderStatus {
        let ends_silently = self.script.rest == Rest::PreventedSilently && !self.prevented.is_zero();
        let is_partial = self.status == OrderStatus::Filled && total < self.filled;
        match (is_partial, ends_silently && self.status == OrderStatus::Expired) {
            (false, false) => self.status,
            (false, true) if total.is_zero() => OrderStatus::Accepted,
            (true, _) | (false, true) => OrderStatus::PartiallyFilled,
        }
    }

    fn trade(&mut self, at: i64, share: u8) -> Vec<(i64, VenueReport)> {
        let order = self.order();
        let (ordered, side, limit) = (order.quantity, order.side, order.price.expect("a limit"));
        let part = (ordered.get() * Decimal::from(share) / Decimal::ONE_HUNDRED).trunc_with_scale(3);
        let part = Quantity::new(part).unwrap().min(ordered.minus(self.filled).unwrap());
        if part.is_zero() {
            return Vec::new();
        }
        let better = Decimal::new(i64::try_from(self.trades.len()).unwrap(), 2);
        let price = match side {
            Side::Buy => limit.get() - better,
            Side::Sell => limit.get() + better,
        };
        let price = Price::new(price).unwrap();
        let fee = price.times(part).unwrap().share(FEE.parse::<Ratio>().unwrap()).unwrap();
        self.filled = self.filled.plus(part).unwrap();
        self.status = if self.filled == ordered { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let trade = VenueTrade {
            trade_id: format!("{}-{}", self.number, self.trades.len() + 1),
            quantity: part,
            price,
            fee,
            fee_asset: self.command.symbol.quote().clone(),
            fee_quote: Notional::new(fee.get()).unwrap(),
            liquidity: Liquidity::Taker,
            time: Timestamp::from_millis(at),
        };
        self.trades.push((at + self.script.trade_lag_ms, trade.clone()));
        self.tell(at, Some(trade))
    }

    /// The reports of an event; a trade that lags is not in them, only its quantity is.
    fn tell(&mut self, at: i64, trade: Option<VenueTrade>) -> Vec<(i64, VenueReport)> {
        self.last_at = self.last_at.max(at);
        if let Some(trade) = trade.clone().filter(|_| self.lags_whole()) {
            // Nothing of it shows before it is due; then it is told, because nobody would ask for it.
            let due = at + self.script.trade_lag_ms;
            return vec![(due, VenueReport { trades: vec![trade], ..self.bare(due) })];
        }
        let delays = self.script.reports.get(self.events).or(self.script.reports.last()).cloned().unwrap_or_default();
        self.events += 1;
        let trade = trade.filter(|_| self.script.trade_lag_ms == 0);
        let report = VenueReport { trades: trade.into_iter().collect(), ..self.bare(at) };
        delays.into_iter().map(|delay| (at + delay, report.clone())).collect()
    }

    /// What an answer shows of it.
    pub fn shown(&self, now: i64) -> VenueReport {
        let trades = self.trades.iter().filter(|(visible, _)| *visible <= now).map(|(_, trade)| trade.clone());
        VenueReport { trades: trades.collect(), ..self.bare(now) }
    }

    fn lags_whole(&self) -> bool {
        self.script.understates && self.script.trade_lag_ms > 0
    }

    /// What the exchange says has traded in all.
    fn total(&self, now: i64) -> Quantity {
        if !self.lags_whole() {
            return self.filled;
        }
        let visible = self.trades.iter().filter(|(visible, _)| *visible <= now);
        visible.fold(Quantity::ZERO, |sum, (_, trade)| sum.plus(trade.quantity).unwrap())
    }

    fn bare(&self, at: i64) -> VenueReport {
        let total = self.total(at);
        VenueReport {
            client_order_id: self.id().clone(),
            venue_order_id: self.number.to_string(),
            status: self.told_status(total),
            reason: self.reason.to_owned(),
            cumulative_quantity: total,
            prevented_quantity: self.prevented,
            trades: Vec::new(),
            matched: None,
            ordered: Some(Box::new(Ordered { symbol: self.command.symbol.clone(), order: self.order().clone() })),
            time: Timestamp::from_millis(at),
        }
    }
}
