//! Selling all coins for a limit or an exit: once no order is open one order for all whole lots of each market, at the best
//! price within the slippage; what is left on each next tick.

use super::turn::Turn;
use super::{Effect, Engine};
use crate::instrument::{Instrument, InstrumentIndex};
use crate::messages::{OrderCommand, OrderStatus, Side, Tick};
use crate::numbers::{ExactDecimal, Quantity, Ratio};
use crate::orders::{Cause, Order};
use crate::report::Decision;
use crate::risk::{Approved, Denial, EXIT_REACHED, OrderCheck, Refusal};
use crate::strategies::{DesiredState, Intent, OrderKind, OrderSize, Purpose};

/// The mark under which a denial of it is told: no strategy marks so many levels.
const TAG: u32 = u32::MAX;

/// What became of one market's coins.
enum Sale {
    Sent,
    /// They are too few for an order.
    Dust,
    /// Not now.
    Denied,
}

impl Engine {
    /// The first sale follows at once when the last order has ended; what is left of it waits for the next tick.
    pub(super) fn flatten_after_news(&mut self, turn: &mut Turn) {
        if self.state.stops.sold_on.is_none() || !self.sellable().any(|_| true) {
            self.go_on_flattening(turn);
        }
    }

    /// Sells what is left, once on a tick, and not before all orders have ended.
    pub(super) fn go_on_flattening(&mut self, turn: &mut Turn) {
        if !self.state.stops.flattens() || !self.state.orders.is_empty() || self.state.desired == DesiredState::Stopped
        {
            return;
        }
        let Some(tick) = self.state.markets.last().cloned() else { return };
        let left: Vec<_> = self.sellable().collect();
        if !left.is_empty() && self.state.stops.sold_on.replace(tick.source_sequence) == Some(tick.source_sequence) {
            return;
        }
        let sales: Vec<_> = left.into_iter().map(|index| self.sell_all(turn, &tick, index)).collect();
        if sales.iter().all(|sale| matches!(sale, Sale::Dust)) {
            self.is_flat(turn);
        }
    }

    /// The markets whose coins are an order at the last price.
    fn sellable(&self) -> impl Iterator<Item = InstrumentIndex> {
        let sellable = self.config.instruments.iter().filter(|(index, one)| self.is_sellable(*index, one));
        sellable.map(|(index, _)| index)
    }

    /// Whether the coins of a market are an order at its last price.
    fn is_sellable(&self, index: InstrumentIndex, instrument: &Instrument) -> bool {
        let held = self.state.ledger.held(index.get()).base;
        let lots = held.floored_to(instrument.lot_size).unwrap_or(held);
        let price = self.state.markets.tick_of(index).map(|tick| tick.price);
        let worth = price.map(|price| price.times(lots).unwrap_or(instrument.min_notional));
        !lots.is_zero() && worth.is_some_and(|worth| worth >= instrument.min_notional)
    }

    /// Nothing sellable is left: what stays is named.
    fn is_flat(&mut self, turn: &mut Turn) {
        self.state.stops.is_flat();
        let held = self.state.ledger.positions().filter(|position| !position.quantity().is_zero());
        let dust: Vec<_> = held.map(|coins| format!("{} {}", coins.quantity(), coins.symbol().base())).collect();
        let message = if dust.is_empty() {
            "Flat: all coins are sold.".to_owned()
        } else {
            format!("Flat: all coins are sold but {}, which is less than an order.", dust.join(" and "))
        };
        let reason = self.flattens_for();
        self.scope(turn).decide(Decision::new(reason, message));
    }

    /// The word for why coins are sold.
    const fn flattens_for(&self) -> &'static str {
        if self.state.stops.exit().is_some() { EXIT_REACHED } else { Denial::LimitReached.as_str() }
    }

    fn sell_all(&mut self, turn: &mut Turn, tick: &Tick, index: InstrumentIndex) -> Sale {
        let intent = Intent {
            instrument: index,
            side: Side::Sell,
            size: OrderSize::Fixed(Quantity::ZERO),
            kind: OrderKind::Marketable { max_slippage: self.max_slippage() },
            purpose: Purpose::Reduce,
            tag: 0,
            reason: self.flattens_for(),
            message: "all coins are being sold".to_owned(),
        };
        match self.approve_sale(turn, tick, &intent) {
            Ok(command) => {
                self.send_sale(turn, tick, &intent, command);
                Sale::Sent
            }
            Err(Refusal { denial: Denial::BelowLotSize | Denial::BelowMinNotional, .. }) => Sale::Dust,
            Err(refusal) => {
                self.tell_unsold(turn, index, &refusal);
                Sale::Denied
            }
        }
    }

    /// The strategy's own slippage, or half a percent.
    fn max_slippage(&self) -> Ratio {
        const USUAL: ExactDecimal = ExactDecimal::from_scaled(5, 1);
        self.strategy.max_slippage().unwrap_or_else(|| Ratio::from_percent(USUAL))
    }

    fn approve_sale(
        &mut self,
        turn: &mut Turn,
        cause: &Tick,
        intent: &Intent,
    ) -> Result<Approved<OrderCommand>, Refusal> {
        let Some(sequence) = self.scope(turn).next_sequence() else {
            return Err(Refusal::new(Denial::Halted, "no order id is left".to_owned()));
        };
        let (config, state, index) = (&self.config, &self.state, intent.instrument);
        let Some(tick) = state.markets.tick_of(index) else {
            return Err(Refusal::new(Denial::NoQuote, "that market has no price yet".to_owned()));
        };
        let held = state.ledger.held(index.get());
        let check = OrderCheck {
            strategy: &config.name,
            ledger_id: &config.ledger,
            sequence,
            instrument: config.instruments.at(index),
            terms: state.orders.terms(),
            available: held,
            risk: &config.risk,
            counts: false,
            state: state.risk,
            desired: state.desired,
            stops: &state.stops,
            exposure: None,
            held,
            equity: state.equity(),
            cause,
            tick,
            now: turn.now,
        };
        check.approve_flatten(intent)
    }

    fn send_sale(&mut self, turn: &mut Turn, tick: &Tick, intent: &Intent, command: Approved<OrderCommand>) {
        let Some(order) = command.get().kind.order() else { return };
        let (sequence, id) = (command.get().sequence, command.get().client_order_id.clone());
        let ordered = Order::ordered(id, order, intent.tag, Cause::of(tick), turn.now);
        self.state.sequence = sequence;
        self.scope(turn).put(Order { instrument: intent.instrument, flattens: true, ..ordered });
        self.state.decide(Decision::new(intent.reason, intent.message.clone()));
        intent.reason.clone_into(&mut self.state.told);
        if let Some(order) = self.state.orders.get(sequence) {
            turn.signal(&self.config, order, &self.state.decision);
        }
        turn.effects.push(Effect::Command(command));
    }

    /// That coins cannot be sold now is counted and told once, not once a tick.
    fn tell_unsold(&mut self, turn: &mut Turn, index: InstrumentIndex, refusal: &Refusal) {
        let message = format!("Sell all coins: {}.", refusal.message);
        let decision = Decision::new(refusal.denial.as_str(), message);
        if self.state.denials.is_told((index, Side::Sell, TAG), &decision.reason) {
            self.state.decide(decision);
        } else {
            self.state.counts.deny(&decision.reason);
            self.scope(turn).conclude(index, OrderStatus::Denied, decision);
        }
    }
}
