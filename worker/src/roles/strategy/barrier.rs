//! When the worker of a simulated venue must wait for its gateway before it goes on. Pure: the role asks here, commits
//! what it must and waits.
//!
//! Where nothing of its own can trade or arrive nothing is waited for, and asking costs two comparisons: what must be
//! watched for is worked out anew only when orders have changed.

use bus::StreamId;
use crds::roles::AccountSpec;
use engine::instrument::Symbol;
use engine::messages::{Side, Tick};
use engine::numbers::Price;
use engine::orders::{Order, OrderState};
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};
use venue::sim::{RestingFills, touches};

use crate::roles::paper::resting_fills;

/// The field of a record that holds the last [`Advance`].
pub(crate) const ADVANCE: &str = "advance";

/// An Advance that was committed, and whether it is answered. Without its answer it is sent again after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Advance {
    pub tick: StreamId,
    /// The tick's market; of the release before, which had one, there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<Symbol>,
    /// The tick's number in its source, which orders the ticks of several markets: ids of different streams do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Which tick it is among those that the strategy reads; none where that is its number in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The tick's event time.
    pub time: Timestamp,
    /// 0: what rests is held against the tick. From 1 on: what arrives on it acts.
    pub round: u32,
    /// The word has come, and all news before it is booked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// Commands were sent since of which no Advance was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owed: bool,
}

impl Advance {
    /// Whether it is as of this tick.
    fn is_of(&self, tick: &At<'_>) -> bool {
        self.tick == tick.id && self.symbol.as_ref().is_none_or(|symbol| *symbol == tick.tick.symbol)
    }
}

/// A tick, and where it stands in its market's stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    /// The market's place.
    pub market: usize,
    pub id: StreamId,
    pub tick: &'a Tick,
}

/// What a simulated venue does with time and with orders that rest.
#[derive(Debug, Clone, Copy)]
struct Simulated {
    fills: RestingFills,
    latency_ms: i64,
}

/// What the open orders make one watch for, market by market.
#[derive(Debug, Default)]
struct Watched {
    /// By the market's place; none behind the last that has an open order.
    markets: Vec<Watch>,
    /// An order is open of which nothing was told yet.
    untold: bool,
}

/// The same, in one market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Watch {
    /// The highest price of a buy that rests.
    buy: Option<Price>,
    /// The lowest price of a sell that rests.
    sell: Option<Price>,
    /// When the first command arrives of which nothing is told yet.
    due: Option<Timestamp>,
    /// An order of the release before is open, which does not say when it arrives.
    unknown: bool,
}

impl Watched {
    fn of<'a>(orders: impl Iterator<Item = &'a Order>, latency_ms: i64) -> Self {
        let mut watched = Self::default();
        for order in orders {
            watched.untold |= order.state == OrderState::Committed && order.cause.is_some();
            let market = order.instrument.get();
            if watched.markets.len() <= market {
                watched.markets.resize(market + 1, Watch::default());
            }
            watched.markets[market].add(order, latency_ms);
        }
        watched
    }

    fn at(&self, market: usize) -> Watch {
        self.markets.get(market).copied().unwrap_or_default()
    }
}

impl Watch {
    fn add(&mut self, order: &Order, latency_ms: i64) {
        let is_on_its_way = match order.state {
            OrderState::Committed | OrderState::Sent => true,
            OrderState::Accepted | OrderState::PartiallyFilled | OrderState::Unknown => false,
            // The venue is done with it; a trade that is missing is asked for, not waited for.
            OrderState::Filled
            | OrderState::Canceled
            | OrderState::Expired
            | OrderState::Rejected
            | OrderState::Denied => return,
        };
        match (order.cause, order.price, order.side) {
            (None, _, _) | (Some(_), None, _) => self.unknown = true,
            (Some(_), Some(_), _) if is_on_its_way => {}
            (Some(_), Some(price), Side::Buy) => self.buy = Some(self.buy.map_or(price, |highest| highest.max(price))),
            (Some(_), Some(price), Side::Sell) => self.sell = Some(self.sell.map_or(price, |lowest| lowest.min(price))),
        }
        for sent in [order.cause.filter(|_| is_on_its_way), order.cancel].into_iter().flatten() {
            // What has arrived is told, and its order is on its way no more. Of what is not told, as where the tick was gone
            // or the account's latency is another one now, nobody knows: it is asked for on each tick.
            let due = sent.time.plus_millis(latency_ms);
            self.due = Some(self.due.map_or(due, |first| first.min(due)));
        }
    }
}

/// The barrier of one worker.
#[derive(Debug, Default)]
pub(super) struct Barrier {
    /// None of a venue elsewhere: there is no Advance and nothing is waited for.
    venue: Option<Simulated>,
    /// None after orders have changed.
    watch: Option<Watched>,
    advance: Option<Advance>,
    /// Commands were sent since the last Advance.
    owed: bool,
}

impl Barrier {
    /// The barrier before an account's simulated venue, as the record holds it.
    pub fn simulated(account: &AccountSpec, saved: Option<Advance>) -> Self {
        let (fills, latency_ms) = (resting_fills(account), i64::from(account.latency_ms()));
        Self {
            venue: Some(Simulated { fills, latency_ms }),
            watch: None,
            owed: saved.as_ref().is_some_and(|saved| saved.owed),
            advance: saved,
        }
    }

    /// Whether the venue is a simulated one.
    pub const fn is_simulated(&self) -> bool {
        self.venue.is_some()
    }

    /// The Advance that is waited for.
    pub fn waits_for(&self) -> Option<&Advance> {
        self.advance.as_ref().filter(|advance| !advance.answered)
    }

    /// What the record must hold of it.
    pub fn saved(&self) -> Option<Advance> {
        self.advance.clone().map(|advance| Advance { owed: self.owed, ..advance })
    }

    /// Orders have changed.
    pub fn orders_changed(&mut self) {
        self.watch = None;
    }

    /// A command goes out.
    pub fn command_sent(&mut self) {
        self.owed = self.venue.is_some();
        self.watch = None;
    }

    /// Whether commands went out of which the venue was not told yet that they may arrive.
    pub const fn owes(&self) -> bool {
        self.owed
    }

    /// Whether an order is neither admitted nor denied, though the venue's word on its tick has come: what was to tell of it
    /// is lost, and no tick is taken before it is told again. What is owed comes with the next tick's.
    pub fn lacks_news<'a>(&mut self, orders: impl Iterator<Item = &'a Order>) -> bool {
        let Some(venue) = self.venue.filter(|_| !self.owed) else { return false };
        self.watch.get_or_insert_with(|| Watched::of(orders, venue.latency_ms)).untold
    }

    /// Whether the venue stands at a tick after this one: what rests was held against the tick that comes, and what is sent
    /// before that one is taken acts on it.
    pub fn is_past(&self, last: &At<'_>) -> bool {
        let is_later = |advance: &Advance| match advance.sequence {
            Some(sequence) => sequence > last.tick.source_sequence,
            None => advance.tick > last.id,
        };
        self.advance.as_ref().is_some_and(is_later)
    }

    /// Whether what rests must be held against this tick before it is taken.
    pub fn matches<'a>(&mut self, at: &At<'_>, orders: impl Iterator<Item = &'a Order>) -> bool {
        let (tick, Some(venue)) = (at.tick, self.venue) else { return false };
        let watch = self.watch.get_or_insert_with(|| Watched::of(orders, venue.latency_ms)).at(at.market);
        let is_touched =
            |side, price: Option<Price>| price.is_some_and(|price| touches(venue.fills, side, price, tick));
        let may_trade = watch.unknown || is_touched(Side::Buy, watch.buy) || is_touched(Side::Sell, watch.sell);
        may_trade && self.advance.as_ref().is_none_or(|last| !last.is_of(at))
    }

    /// Whether something may arrive on this tick, which was just taken. None comes after the last one: there all that is
    /// on its way ends.
    pub fn arrives<'a>(&mut self, at: &At<'_>, orders: impl Iterator<Item = &'a Order>) -> bool {
        let (tick, Some(venue)) = (at.tick, self.venue) else { return false };
        let watch = self.watch.get_or_insert_with(|| Watched::of(orders, venue.latency_ms)).at(at.market);
        let is_due = watch.due.is_some_and(|due| due <= tick.event_time() || tick.last);
        self.owed || watch.unknown || is_due
    }

    /// Waits for the word of this round of a tick.
    pub fn wait(&mut self, at: &At<'_>, index: Option<u64>, round: u32) {
        let (symbol, sequence) = (Some(at.tick.symbol.clone()), Some(at.tick.source_sequence));
        let (tick, time) = (at.id, at.tick.event_time());
        self.advance = Some(Advance { tick, symbol, sequence, index, time, round, answered: false, owed: false });
        self.owed = false;
    }

    /// The round after the last one of this tick; 1 where it had none.
    pub fn next_round(&self, at: &At<'_>) -> u32 {
        let last = self.advance.as_ref().filter(|last| last.is_of(at));
        last.map_or(1, |last| last.round.saturating_add(1))
    }

    /// The word has come, and all news before it is booked.
    pub fn answered(&mut self) {
        let Some(advance) = &mut self.advance else { return };
        advance.answered = true;
        self.watch = None;
    }
}

#[cfg(test)]
mod tests {
    use engine::client_order_id::ClientOrderId;
    use engine::instrument::InstrumentIndex;
    use engine::orders::Cause;
    use serde_json::json;

    use super::*;

    /// A tick of the second `n`, at a price, without quotes.
    fn tick(n: u64, price: &str) -> Tick {
        let time = 1_000 * n;
        serde_json::from_value(json!({"symbol": "BNB/USDT", "price": price, "volume": "1", "time": time,
            "received": time, "sequence": n}))
        .unwrap()
    }

    fn cause(n: u64) -> Cause {
        Cause::of(&tick(n, "600"))
    }

    fn order(sequence: u64, side: Side, price: &str, state: OrderState) -> Order {
        let id = ClientOrderId::new("abc".parse().unwrap(), sequence);
        let time = Timestamp::from_millis(0);
        let mut order = Order::committed(id, side, "1".parse().unwrap(), Some(price.parse().unwrap()), time);
        (order.state, order.cause) = (state, Some(cause(1)));
        order
    }

    fn barrier(latency_ms: u32, resting_fills: &str) -> Barrier {
        let account = json!({"name": "paper", "spec": {"venue": {"paper": {"balances": {"USDT": 1},
            "latencyMs": latency_ms, "restingFills": resting_fills}}, "marketData": {"replay": {"file": "d.csv"}}}});
        Barrier::simulated(&serde_json::from_value(account).unwrap(), None)
    }

    fn id(n: u64) -> StreamId {
        StreamId::new(n, 0)
    }

    fn at(tick: &Tick) -> At<'_> {
        At { market: 0, id: id(tick.sequence), tick }
    }

    #[test]
    fn what_rests_is_waited_for_where_the_venue_could_trade_it_and_nowhere_else() {
        let orders = [
            order(1, Side::Buy, "590", OrderState::Accepted),
            order(2, Side::Buy, "595", OrderState::PartiallyFilled),
            order(3, Side::Sell, "605", OrderState::Accepted),
            order(4, Side::Sell, "610", OrderState::Accepted),
        ];
        for (fills, touched) in [("Through", ["594.99", "605.01"]), ("Touch", ["595", "605"])] {
            let mut barrier = barrier(0, fills);
            for quiet in ["600", "595.01", "604.99"] {
                assert!(!barrier.matches(&at(&tick(2, quiet)), orders.iter()), "{fills} {quiet}");
                assert!(!barrier.arrives(&at(&tick(2, quiet)), orders.iter()), "{fills} {quiet}");
            }
            for price in touched {
                assert!(barrier.matches(&at(&tick(2, price)), orders.iter()), "{fills} {price}");
            }
            // Until somebody says that they have changed, the same is watched for.
            assert!(barrier.matches(&at(&tick(2, touched[0])), [].iter()));
            barrier.orders_changed();
            assert!(!barrier.matches(&at(&tick(2, touched[0])), [].iter()));
        }
    }

    #[test]
    fn a_tick_is_held_against_what_rests_once() {
        let orders = [order(1, Side::Buy, "590", OrderState::Accepted)];
        let (mut barrier, low) = (barrier(0, "Through"), tick(2, "500"));
        assert!(barrier.matches(&at(&low), orders.iter()));
        barrier.wait(&at(&low), None, 0);
        assert_eq!(barrier.waits_for().map(|advance| advance.round), Some(0));
        barrier.answered();
        assert!(barrier.waits_for().is_none() && !barrier.matches(&at(&low), orders.iter()));
        assert_eq!(barrier.next_round(&at(&tick(2, "600"))), 1);
        assert!(barrier.matches(&at(&tick(3, "500")), orders.iter()) && barrier.next_round(&at(&tick(3, "600"))) == 1);
    }

    #[test]
    fn what_is_on_its_way_is_waited_for_on_the_tick_on_which_it_arrives() {
        for state in [OrderState::Committed, OrderState::Sent] {
            let orders = [order(1, Side::Buy, "590", state)];
            let mut barrier = barrier(1_500, "Through");
            let arrives = |barrier: &mut Barrier, n| barrier.arrives(&at(&tick(n, "500")), orders.iter());
            assert!(!barrier.matches(&at(&tick(2, "500")), orders.iter()), "it does not rest yet");
            assert_eq!([2, 3].map(|n| arrives(&mut barrier, n)), [false, true], "1 s + 1.5 s");
            // The word told nothing of it, as where that tick was gone from its stream.
            barrier.wait(&at(&tick(3, "500")), None, 1);
            barrier.answered();
            assert!(arrives(&mut barrier, 4));
            let told = [order(1, Side::Buy, "590", OrderState::Accepted)];
            barrier.orders_changed();
            assert!(!barrier.arrives(&at(&tick(5, "600")), told.iter()));
        }
    }

    #[test]
    fn a_cancel_is_waited_for_on_the_tick_on_which_it_arrives() {
        let mut orders = [order(1, Side::Buy, "590", OrderState::Accepted)];
        orders[0].cancel = Some(cause(5));
        let mut barrier = barrier(1_000, "Through");
        assert_eq!([5, 6].map(|n| barrier.arrives(&at(&tick(n, "600")), orders.iter())), [false, true]);
    }

    #[test]
    fn on_the_last_tick_all_that_is_on_its_way_ends() {
        let mut last = tick(2, "600");
        last.last = true;
        let on_its_way = [order(1, Side::Buy, "590", OrderState::Sent)];
        assert!(barrier(60_000, "Through").arrives(&at(&last), on_its_way.iter()));
        let rests = [order(1, Side::Buy, "590", OrderState::Accepted)];
        assert!(!barrier(60_000, "Through").arrives(&at(&last), rests.iter()));
    }

    #[test]
    fn an_order_of_the_release_before_advances_on_each_tick_until_it_is_closed() {
        let mut orders = [order(1, Side::Buy, "1", OrderState::Accepted)];
        orders[0].cause = None;
        let mut barrier = barrier(0, "Through");
        assert!(barrier.matches(&at(&tick(2, "600")), orders.iter()));
        assert!(barrier.arrives(&at(&tick(2, "600")), orders.iter()));
        orders[0].state = OrderState::Expired;
        barrier.orders_changed();
        assert!(!barrier.matches(&at(&tick(3, "600")), orders.iter()));
    }

    #[test]
    fn what_was_sent_is_owed_until_the_venue_is_asked_and_survives_a_restart() {
        let mut barrier = barrier(60_000, "Through");
        barrier.command_sent();
        assert!(barrier.owes() && barrier.arrives(&at(&tick(2, "600")), [].iter()));
        barrier.wait(&at(&tick(2, "600")), None, 1);
        assert!(!barrier.owes());
        barrier.command_sent();
        let saved = barrier.saved().unwrap();
        let text = serde_json::to_string(&saved).unwrap();
        assert_eq!(text, r#"{"tick":"2-0","symbol":"BNB/USDT","sequence":2,"time":2000,"round":1,"owed":true}"#);
        assert_eq!(serde_json::from_str::<Advance>(&text).unwrap(), saved);
        let account = json!({"name": "paper", "spec": {"venue": {"paper": {"balances": {"USDT": 1}}},
            "marketData": {"replay": {"file": "d.csv"}}}});
        let restarted = Barrier::simulated(&serde_json::from_value(account).unwrap(), Some(saved));
        assert!(restarted.owes() && restarted.waits_for().is_some() && restarted.next_round(&at(&tick(2, "600"))) == 2);
    }

    #[test]
    fn an_order_of_which_nothing_is_told_holds_the_next_tick() {
        for (state, holds) in [(OrderState::Committed, true), (OrderState::Sent, false), (OrderState::Accepted, false)]
        {
            let mut orders = [order(1, Side::Buy, "590", state)];
            assert_eq!(barrier(0, "Through").lacks_news(orders.iter()), holds, "{state:?}");
            // The venue was not asked yet.
            let mut owing = barrier(0, "Through");
            owing.command_sent();
            assert!(!owing.lacks_news(orders.iter()), "{state:?}");
            // One of the release before waits for its tick.
            orders[0].cause = None;
            assert!(!barrier(0, "Through").lacks_news(orders.iter()));
        }
    }

    #[test]
    fn each_market_watches_for_its_own_orders() {
        let mut orders =
            [order(1, Side::Buy, "590", OrderState::Accepted), order(2, Side::Buy, "590", OrderState::Sent)];
        orders[1].instrument = InstrumentIndex::of_place(1);
        let mut barrier = barrier(1_000, "Through");
        let low = tick(9, "500");
        let [first, second, third] = [0, 1, 2].map(|market| At { market, ..at(&low) });
        assert_eq!([&first, &second, &third].map(|at| barrier.matches(at, orders.iter())), [true, false, false]);
        assert_eq!([&first, &second, &third].map(|at| barrier.arrives(at, orders.iter())), [false, true, false]);
    }

    /// Ids of different streams are in no order, and can be the same.
    #[test]
    fn ticks_of_several_markets_are_told_apart_and_stand_in_the_order_of_their_source() {
        let (mut btc, mut eth) = (tick(2, "600"), tick(2, "600"));
        (btc.source_sequence, eth.source_sequence, eth.symbol) = (7, 8, "ETH/USDT".parse().unwrap());
        let orders = [order(1, Side::Buy, "700", OrderState::Accepted)];
        let mut barrier = barrier(0, "Touch");
        barrier.wait(&at(&btc), None, 3);
        barrier.answered();
        assert!(!barrier.matches(&at(&btc), orders.iter()) && barrier.matches(&at(&eth), orders.iter()));
        assert_eq!([&btc, &eth].map(|tick| barrier.next_round(&at(tick))), [4, 1]);
        assert!(!barrier.is_past(&at(&btc)) && !barrier.is_past(&at(&eth)));
        btc.source_sequence = 6;
        assert!(barrier.is_past(&At { id: id(99), ..at(&btc) }));
        // What the release before wrote names no market: there is one.
        let saved: Advance = serde_json::from_str(r#"{"tick":"2-0","time":2000,"round":1}"#).unwrap();
        barrier.advance = Some(saved);
        assert_eq!(barrier.next_round(&at(&eth)), 2);
        assert!(barrier.is_past(&At { id: id(1), ..at(&btc) }) && !barrier.is_past(&at(&btc)));
    }

    #[test]
    fn at_a_venue_elsewhere_nothing_is_waited_for() {
        let orders = [order(1, Side::Buy, "590", OrderState::Sent), order(2, Side::Buy, "590", OrderState::Accepted)];
        let mut barrier = Barrier::default();
        barrier.command_sent();
        assert!(!barrier.owes() && barrier.saved().is_none() && !barrier.lacks_news(orders.iter()));
        assert!(
            !barrier.matches(&at(&tick(2, "1")), orders.iter()) && !barrier.arrives(&at(&tick(2, "1")), orders.iter())
        );
    }
}
