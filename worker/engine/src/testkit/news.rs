//! What a venue tells of an order, and what an engine's effects say.

use rust_decimal::Decimal;

use super::Market;
use super::market::read;
use crate::fees::{Fees, PaidIn};
use crate::messages::{
    AlertKind, CommandKind, Fill, Liquidity, NewOrder, OrderCommand, OrderStatus, OrderUpdate, Side, SignalSide,
};
use crate::numbers::{Notional, Price, Quantity};
use crate::risk::RiskState;
use crate::{Effect, Engine};

impl Market {
    /// One trade of an order, the first, with its fee. As at a venue elsewhere it is of no tick.
    #[track_caller]
    pub fn fill(&self, command: &OrderCommand, quantity: Quantity, price: Price) -> Fill {
        fill(&self.fees(), command, quantity, price)
    }

    /// All the news of an order that trades in parts of so many percent each, in whole lots, each a tick size better than
    /// the one before; what does not trade expires.
    #[track_caller]
    pub fn news(&self, command: &OrderCommand, parts: &[u8]) -> Vec<OrderUpdate> {
        let order = order_of(command).expect("a cancel has no news of its own");
        let (lot, tick) = (read(self.lot_size), read::<Decimal>(self.tick_size));
        let limit = order.price.expect("an order has a worst price").get();
        let mut news = vec![ended(command, OrderStatus::Accepted)];
        let mut traded = Quantity::ZERO;
        for share in parts {
            let part = Quantity::new(order.quantity.get() * Decimal::from(*share) / Decimal::ONE_HUNDRED);
            let part = part.and_then(|part| part.floored_to(lot)).expect("a part in range");
            let part = part.min(order.quantity.minus(traded).expect("no more trades than was ordered"));
            if part.is_zero() {
                continue;
            }
            traded = traded.plus(part).expect("no more trades than was ordered");
            let number = news.len() - 1;
            let better = tick * Decimal::from(number);
            let price = if order.side == Side::Buy { limit - better } else { limit + better };
            let fill = self.fill(command, part, Price::new(price).expect("a price above 0"));
            let trade_id = format!("{}-{number}", command.client_order_id);
            let all = if traded == order.quantity { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
            let fill = Fill { trade_id, cumulative_quantity: traded, ..fill };
            news.push(OrderUpdate { status: all, ..filled(fill) });
        }
        if traded < order.quantity {
            news.push(OrderUpdate { cumulative_quantity: traded, ..ended(command, OrderStatus::Expired) });
        }
        news
    }
}

/// One trade of an order, the first, under these fees.
#[track_caller]
pub(super) fn fill(fees: &Fees, command: &OrderCommand, quantity: Quantity, price: Price) -> Fill {
    let order = order_of(command).expect("a cancel does not trade");
    let symbol = command.symbol.clone();
    let worth = price.times(quantity).and_then(|worth| worth.share(fees.taker())).expect("a fee in range");
    let (fee, fee_asset) = match (fees.paid_in, order.side) {
        (PaidIn::Received, Side::Buy) => {
            let coins = quantity.share(fees.taker()).expect("a fee in range");
            (Notional::from(coins), symbol.base().clone())
        }
        (PaidIn::Quote, _) | (PaidIn::Received, Side::Sell) => (worth, symbol.quote().clone()),
    };
    Fill {
        strategy: command.strategy.clone(),
        ledger: command.ledger.clone(),
        client_order_id: command.client_order_id.clone(),
        venue_order_id: "1".to_owned(),
        trade_id: format!("{}-0", command.client_order_id),
        symbol,
        side: order.side,
        quantity,
        price,
        cumulative_quantity: quantity,
        fee,
        fee_asset,
        fee_quote: worth,
        liquidity: Liquidity::Taker,
        time: command.time,
        tick_sequence: None,
        index: None,
    }
}

/// The news that with this trade all of an order has traded.
pub fn filled(fill: Fill) -> OrderUpdate {
    OrderUpdate {
        client_order_id: fill.client_order_id.clone(),
        status: OrderStatus::Filled,
        reason: String::new(),
        cumulative_quantity: fill.cumulative_quantity,
        matched: fill.tick_sequence,
        time: fill.time,
        fill: Some(fill),
    }
}

/// The news that an order stands so, or ended so, and that nothing of it has traded.
pub fn ended(command: &OrderCommand, status: OrderStatus) -> OrderUpdate {
    OrderUpdate {
        client_order_id: command.client_order_id.clone(),
        status,
        reason: String::new(),
        cumulative_quantity: Quantity::ZERO,
        matched: None,
        time: command.time,
        fill: None,
    }
}

/// What a command asks to be made; none where it is about another order.
pub fn order_of(command: &OrderCommand) -> Option<&NewOrder> {
    if let CommandKind::Create(order) = &command.kind { Some(order) } else { None }
}

/// The commands among effects.
pub fn commands(effects: &[Effect]) -> Vec<OrderCommand> {
    let command = |effect: &Effect| {
        if let Effect::Command(command) = effect { Some(command.get().clone()) } else { None }
    };
    effects.iter().filter_map(command).collect()
}

/// What was alerted of.
pub fn alerts(effects: &[Effect]) -> Vec<AlertKind> {
    let alert = |effect: &Effect| if let Effect::Alert(alert) = effect { Some(alert.kind) } else { None };
    effects.iter().filter_map(alert).collect()
}

/// The published reasons for which nothing was ordered, or an order came to nothing.
pub fn holds(effects: &[Effect]) -> Vec<String> {
    let hold = |effect: &Effect| {
        let Effect::Signal(signal) = effect else { return None };
        (signal.side == SignalSide::Hold).then(|| signal.reason.clone())
    };
    effects.iter().filter_map(hold).collect()
}

/// Why the engine is halted, where it is.
pub fn halted(engine: &Engine) -> Option<String> {
    let risk = engine.report().risk;
    (risk.state == RiskState::Halted).then_some(risk.reason)
}
