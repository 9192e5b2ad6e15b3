//! What the open orders of each ledger may still take of its sub-account: kept with each change, never summed. Pure.

use std::collections::BTreeMap;

use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::fees::Fees;
use engine::instrument::Asset;
use engine::messages::{CommandKind, OrderCommand};
use engine::numbers::{Notional, Quantity};
use engine::orders::{Holder, OrderState, Places, Share, Terms, waits_in};

use crate::roles::gateway::order::GatewayOrder;
use crate::roles::gateway::sub_account::Need;

/// Orders, by id.
type Orders = BTreeMap<ClientOrderId, GatewayOrder>;

/// The sums, and what of them is each order's part.
#[derive(Debug, Clone, Default)]
pub(super) struct Reserved {
    terms: Terms,
    parts: BTreeMap<ClientOrderId, Need>,
    /// No sum where it is out of bounds: then nothing is left for another order.
    sums: BTreeMap<LedgerId, BTreeMap<Asset, Option<Notional>>>,
    /// What open orders of all ledgers may still buy at their own prices, without fees, by currency; no sum likewise.
    buys: BTreeMap<Asset, Option<Notional>>,
    /// Who asks for whose place, while open.
    places: Places<ClientOrderId>,
}

impl Reserved {
    /// Nothing, at a venue with these fees.
    pub fn at(fees: &Fees) -> Self {
        Self { terms: Terms::of(fees), ..Self::default() }
    }

    /// What open orders of a ledger may take of an asset; `None` where that is out of bounds.
    pub fn of(&self, ledger: &LedgerId, asset: &Asset) -> Option<Notional> {
        self.sums.get(ledger).and_then(|sums| sums.get(asset)).copied().unwrap_or(Some(Notional::ZERO))
    }

    /// What open orders of all ledgers may still buy with this currency, at their own prices; `None` where that is out of
    /// bounds.
    pub fn open_buys(&self, currency: &Asset) -> Option<Notional> {
        self.buys.get(currency).copied().unwrap_or(Some(Notional::ZERO))
    }

    /// What a new order would add. `Err` is the denial's reason.
    pub fn needed(&self, orders: &Orders, command: &OrderCommand) -> Result<Need, &'static str> {
        self.part(orders, command, Quantity::ZERO)
    }

    /// Follows an order that is new or has changed, and those that depend on it. The sums are the same in whichever order all
    /// that is open is followed.
    pub fn follow(&mut self, orders: &Orders, id: &ClientOrderId) {
        let Some(order) = orders.get(id) else { return };
        let mut depend = vec![id.clone()];
        if let CommandKind::Replace { of, .. } = &order.command.kind {
            if order.is_closed() {
                self.places.leave(of, id);
            } else {
                self.places.ask(of.clone(), id.clone());
            }
            depend.extend(self.places.asking(of).cloned());
        }
        for asking in self.places.asking(id) {
            depend.push(asking.clone());
            // Whether that one still waits for its place is another's business too.
            depend.extend(self.places.asking(asking).cloned());
        }
        for id in depend {
            if let Some(order) = orders.get(&id) {
                self.count(orders, &id, order);
            }
        }
    }

    fn count(&mut self, orders: &Orders, id: &ClientOrderId, order: &GatewayOrder) {
        let now = if order.is_closed() { None } else { self.part(orders, &order.command, order.filled).ok() };
        let sums = self.sums.entry(id.ledger().clone()).or_default();
        if let Some(before) = self.parts.remove(id) {
            for (sums, amount) in to_sum([(&mut *sums, before.amount), (&mut self.buys, before.buys)]) {
                let sum = sums.entry(before.asset.clone()).or_insert(Some(Notional::ZERO));
                *sum = sum.and_then(|sum| sum.minus(amount).ok());
            }
        }
        if let Some(now) = now {
            for (sums, amount) in to_sum([(sums, now.amount), (&mut self.buys, now.buys)]) {
                let sum = sums.entry(now.asset.clone()).or_insert(Some(Notional::ZERO));
                *sum = sum.and_then(|sum| sum.plus(amount).ok());
            }
            self.parts.insert(id.clone(), now);
        }
    }

    /// What an order may take, of one that takes another's place what it may take beyond that one: only one of them can
    /// trade, because the new one is placed only if no more of the old one has traded than was known.
    fn part(&self, orders: &Orders, command: &OrderCommand, filled: Quantity) -> Result<Need, &'static str> {
        let ordered = command.kind.order().ok_or("CommandUnreadable")?;
        let rest = ordered.quantity.minus(filled.min(ordered.quantity)).map_err(|_| "TooManyDigits")?;
        let all = Need::of(&command.symbol, ordered, rest, &self.terms)?;
        let CommandKind::Replace { of, known_quantity, .. } = &command.kind else { return Ok(all) };
        let Some(old) = orders.get(of) else { return Ok(all) };
        let is_first = self.places.is_first(of, &command.client_order_id);
        match Share::of(holder(orders, old, *known_quantity), is_first, !filled.is_zero()) {
            Share::All => Ok(all),
            Share::Nothing => Ok(Need { amount: Notional::ZERO, buys: Notional::ZERO, ..all }),
            Share::Beyond => {
                let Some(ordered) = old.command.kind.order() else { return Ok(all) };
                let rest = ordered.quantity.minus(old.filled.min(ordered.quantity)).map_err(|_| "TooManyDigits")?;
                let shared = Need::of(&old.command.symbol, ordered, rest, &self.terms)?;
                if shared.asset != all.asset {
                    return Ok(all);
                }
                let beyond = |all: Notional, shared: Notional| all.minus(shared.min(all)).map_err(|_| "TooManyDigits");
                let (amount, buys) = (beyond(all.amount, shared.amount)?, beyond(all.buys, shared.buys)?);
                Ok(Need { amount, buys, ..all })
            }
        }
    }
}

/// What changes a sum: a sale buys nothing.
fn to_sum<T>(amounts: [(T, Notional); 2]) -> impl Iterator<Item = (T, Notional)> {
    amounts.into_iter().filter(|(_, amount)| *amount != Notional::ZERO)
}

/// How an order stands for one that asks for its place and knows of so much that has traded.
fn holder(orders: &Orders, old: &GatewayOrder, known_quantity: Quantity) -> Holder {
    if old.filled != known_quantity {
        Holder::Raced
    } else if old.is_closed() {
        Holder::Gone
    } else if waits(orders, old) {
        Holder::Waits
    } else {
        Holder::Holds
    }
}

/// Whether an order asks for another's place and does not have it yet.
fn waits(orders: &Orders, order: &GatewayOrder) -> bool {
    let CommandKind::Replace { of, known_quantity, .. } = &order.command.kind else { return false };
    let is_free = |old: &GatewayOrder| old.is_closed() && old.filled == *known_quantity;
    waits_in(OrderState::from(order.status)) && !orders.get(of).is_some_and(is_free)
}

#[cfg(test)]
mod tests {
    use engine::messages::{NewOrder, OrderType, Side, Tick, TimeInForce};
    use engine::time::Timestamp;
    use venue::sim::{Exchange, RestingFills};

    use super::super::{OrderManager, Verdict};
    use super::*;
    use crate::roles::gateway::sub_account::SubAccount;
    use crds::roles::{BookSpec, GatewayDesired};

    fn ledger() -> LedgerId {
        "abc".parse().unwrap()
    }

    fn id(sequence: u64) -> ClientOrderId {
        ClientOrderId::new(ledger(), sequence)
    }

    fn order(side: Side, price: &str, quantity: &str, time_in_force: TimeInForce) -> NewOrder {
        NewOrder {
            side,
            order_type: OrderType::Limit,
            time_in_force,
            post_only: false,
            quantity: quantity.parse().unwrap(),
            lot_size: Some("0.001".parse().unwrap()),
            price: Some(price.parse().unwrap()),
            reduce_only: false,
            counts: true,
        }
    }

    fn buy(price: &str, quantity: &str) -> NewOrder {
        order(Side::Buy, price, quantity, TimeInForce::GoodTillCanceled)
    }

    fn command(sequence: u64, kind: CommandKind) -> OrderCommand {
        OrderCommand::new("grid", id(sequence), kind, "BNB/USDT".parse().unwrap(), Timestamp::default())
    }

    fn replace(sequence: u64, of: u64, known: &str, order: NewOrder) -> OrderCommand {
        command(sequence, CommandKind::Replace { of: id(of), known_quantity: known.parse().unwrap(), order })
    }

    fn tick(sequence: u64, price: &str) -> Tick {
        let time = Timestamp::from_millis(1_000 * i64::try_from(sequence).unwrap());
        Tick::trade("BNB/USDT".parse().unwrap(), price.parse().unwrap(), time, sequence)
    }

    /// An order manager with 1,000 USDT and 1 BNB at an exchange that takes 0.2 % of a maker and 0.1 % of a taker, 1.5 s away.
    struct Bench {
        manager: OrderManager,
        exchange: Exchange,
    }

    impl Bench {
        fn new() -> Self {
            let fees: Fees = serde_json::from_str(r#"{"makerPercent": "0.2", "takerPercent": "0.1"}"#).unwrap();
            let spec = serde_json::json!({"strategy": "grid", "ledger": "abc", "capital": {"USDT": 1000, "BNB": 1}});
            let book: BookSpec = serde_json::from_value(spec).unwrap();
            let mut manager = OrderManager::new(&fees);
            manager.open(&ledger(), SubAccount::opening(&book).unwrap(), 0);
            assert_eq!(manager.register(&GatewayDesired::of(vec![book])), []);
            Self { manager, exchange: Exchange::new(fees, 1_500, RestingFills::Through) }
        }

        /// Whether the sub-account pays for it; then it is on its way.
        fn send(&mut self, command: &OrderCommand, now: u64) -> bool {
            match self.manager.judge(command, command.time) {
                Verdict::Send | Verdict::Cancel => {
                    self.manager.hand_over(&mut self.exchange, command, &tick(now, "100"));
                    true
                }
                Verdict::Tell(_)
                | Verdict::Repeat(_)
                | Verdict::NotRegistered
                | Verdict::Reissued(..)
                | Verdict::Ask => false,
            }
        }

        fn create(&mut self, sequence: u64, order: NewOrder) -> bool {
            self.send(&command(sequence, CommandKind::Create(order)), 1)
        }

        fn tick(&mut self, sequence: u64, price: &str) {
            self.manager.match_resting(&mut self.exchange, &tick(sequence, price));
            self.manager.arrive(&mut self.exchange, &tick(sequence, price));
        }

        fn reserved(&self, asset: &str) -> String {
            self.manager.reserved.of(&ledger(), &asset.parse().unwrap()).unwrap().to_string()
        }

        /// As counted anew from the record.
        fn counted_anew(&self) -> Reserved {
            let mut anew = Reserved { terms: self.manager.reserved.terms, ..Reserved::default() };
            for id in self.manager.orders.keys() {
                anew.follow(&self.manager.orders, id);
            }
            anew
        }
    }

    #[test]
    fn an_order_that_may_rest_reserves_with_the_larger_fee_and_one_that_takes_with_the_takers() {
        for (time_in_force, reserved) in [
            (TimeInForce::GoodTillCanceled, "100.2"),
            (TimeInForce::ImmediateOrCancel, "100.1"),
            (TimeInForce::FillOrKill, "100.1"),
        ] {
            let mut bench = Bench::new();
            assert!(bench.create(1, order(Side::Buy, "100", "1", time_in_force)));
            assert_eq!(bench.reserved("USDT"), reserved);
        }
        let mut bench = Bench::new();
        assert!(bench.create(1, order(Side::Sell, "100", "0.4", TimeInForce::GoodTillCanceled)));
        assert_eq!((bench.reserved("BNB"), bench.reserved("USDT")), ("0.4".to_owned(), "0".to_owned()));
    }

    #[test]
    fn what_the_replaced_order_reserved_is_free_for_the_one_in_its_place_and_for_no_other() {
        let mut bench = Bench::new();
        assert!(bench.create(1, buy("90", "10")));
        assert!(!bench.create(2, buy("99", "10")), "901.8 of 1,000 are reserved");
        bench.tick(3, "100");
        assert!(bench.send(&replace(3, 1, "0", buy("99", "10")), 4));
        assert_eq!(bench.reserved("USDT"), "991.98", "only one of the two can trade");
        assert!(!bench.send(&replace(4, 1, "0", buy("99", "1")), 4), "its place is taken");
        bench.tick(6, "100");
        assert_eq!((bench.reserved("USDT"), bench.exchange.has(&id(3))), ("991.98".to_owned(), true));
        bench.tick(7, "98");
        assert_eq!(bench.reserved("USDT"), "0", "it has traded");
    }

    /// As the engine counts it, so that what that sends is paid for here.
    #[test]
    fn what_replaces_an_order_that_waits_for_its_place_shares_with_it_once_that_rests() {
        let mut bench = Bench::new();
        assert!(bench.create(1, buy("90", "1")));
        bench.tick(3, "100");
        assert!(bench.send(&replace(2, 1, "0", buy("91", "1")), 4));
        assert!(bench.send(&replace(3, 2, "0", buy("92", "1")), 5));
        assert_eq!(bench.reserved("USDT"), "183.366", "order 1 or 2, and order 3");
        bench.tick(6, "100");
        assert_eq!(bench.reserved("USDT"), "92.184", "order 2 rests, so it or order 3");
        assert!(bench.send(&replace(4, 3, "0", buy("93", "1")), 6));
        assert_eq!(bench.reserved("USDT"), "185.37", "order 3 still waits");
        bench.tick(7, "100");
        assert_eq!(bench.reserved("USDT"), "93.186");
    }

    #[test]
    fn a_replacement_that_has_lost_its_race_reserves_nothing() {
        let mut bench = Bench::new();
        assert!(bench.create(1, buy("99", "5")));
        bench.tick(3, "100");
        assert!(bench.send(&replace(2, 1, "0", buy("98", "10")), 4));
        assert_eq!(bench.reserved("USDT"), "981.96");
        assert!(bench.send(&replace(3, 1, "0", buy("10", "1")), 4));
        assert_eq!(bench.reserved("USDT"), "991.98", "only one of them takes the place");
        bench.tick(5, "98.5");
        assert_eq!(bench.reserved("USDT"), "0", "order 1 has traded, so orders 2 and 3 will be rejected");
        bench.tick(6, "98.5");
        assert!(!bench.exchange.has(&id(2)) && !bench.exchange.has(&id(3)));
    }

    /// Sums that are kept with each change are those that anybody counts from the orders.
    #[test]
    fn what_is_kept_is_what_is_counted_anew_whatever_happens() {
        let mut state: u64 = 7;
        let mut chance = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut bench = Bench::new();
        let (mut sequence, mut admitted, mut refused) = (0, 0, 0);
        for now in 1..3_000 {
            let price = (95 + chance(10)).to_string();
            let side = if chance(2) == 0 { Side::Buy } else { Side::Sell };
            let quantity = format!("0.{:03}", 1 + chance(400));
            let order = order(side, &price, &quantity, TimeInForce::GoodTillCanceled);
            let of = sequence - chance(4).min(sequence);
            let command = match chance(4) {
                0 => Some(command(sequence + 1, CommandKind::Create(order))),
                1 if of > 0 => Some(replace(sequence + 1, of, "0", order)),
                2 if of > 0 => Some(command(of, CommandKind::Cancel)),
                _ => None,
            };
            if let Some(command) = command {
                sequence = sequence.max(command.sequence);
                if bench.send(&command, now) { admitted += 1 } else { refused += 1 }
            }
            bench.tick(now, &price);
            let anew = bench.counted_anew();
            for asset in ["USDT", "BNB"] {
                let asset = asset.parse().unwrap();
                assert_eq!(bench.manager.reserved.of(&ledger(), &asset), anew.of(&ledger(), &asset), "{now} {asset}");
            }
            let open = bench.manager.orders.values().filter(|order| !order.is_closed()).count();
            assert_eq!(bench.manager.reserved.parts.len(), open);
            assert!(bench.manager.reserved.places.len() <= open);
        }
        assert!(admitted > 300 && refused > 100, "{admitted} {refused}");
    }
}
