//! What a scripted exchange does with one request, and chance from a seed.

use engine::messages::OrderStatus;
use engine::testkit::quoting::Chance;

/// How long after its stamp a request can still arrive, where anything bounds that.
pub(crate) const RECEIVE_WINDOW_MS: i64 = 5_000;
/// How far clocks may differ.
pub(crate) const MARGIN_MS: i64 = 500;
/// How long an answer may take.
pub(crate) const ANSWER_MS: i64 = 3_000;
/// How long after its arrival an order may be missing in answers.
pub(crate) const VISIBILITY_MS: i64 = 2_000;

/// When a request arrives in the end that would never arrive, at an exchange where nothing bounds that.
pub(crate) const ARRIVES_AT_LAST_MS: i64 = 20_000;

/// When a request arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// At once.
    Now,
    /// So many milliseconds later; refused if its receive window is over by then.
    Late(i64),
    /// Never.
    Never,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// What has happened.
    Truth,
    /// That an order of this id exists, as when the network has brought the request twice.
    Exists,
    /// Where another order stands.
    Another,
}

/// What becomes of what is left at an order's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// There was no size for it.
    Dropped,
    /// It was kept from trading with another order of the account, where the order asks for that.
    Prevented,
    /// The same, told by its quantity alone, and by no status.
    PreventedSilently,
}

/// What the exchange does with one request to make an order.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub arrival: Arrival,
    /// It refuses the order, for this reason.
    pub refusal: Option<&'static str>,
    /// Whether its answer reaches the gateway. A late request has none.
    pub answered: bool,
    /// How long the answer takes; the order is made at once all the same.
    pub answers_after_ms: i64,
    /// What the answer says instead of what has happened.
    pub says: Says,
    /// Trades: after so many milliseconds, so many percent of the order.
    pub trades: Vec<(i64, u8)>,
    /// When the rest is dropped; `None`: it stays open until it is cancelled.
    pub ends_after: Option<i64>,
    /// How long look-ups do not show it after its arrival.
    pub hidden_ms: i64,
    /// How long after its time a trade is missing in reports, while the total already shows it.
    pub trade_lag_ms: i64,
    /// Until then the total lags with its trade, also the total told with an end; the trade is reported when it shows.
    pub understates: bool,
    /// For each event in turn (the last stands for all after it), the delays of the reports of it: none is a
    /// lost report, two are a doubled one.
    pub reports: Vec<Vec<i64>>,
    /// What becomes of what is left at its end.
    pub rest: Rest,
    /// Whether the answer of a cancel reaches the gateway.
    pub cancel_answered: bool,
    /// How many cancels do not reach the exchange before one does.
    pub cancels_lost: u64,
}

/// What kind of day it is at the exchange.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Most requests never arrive.
    pub is_dark: bool,
    /// Some orders stay open until they are cancelled.
    pub orders_stay: bool,
    /// Some totals are understated, also with an end.
    pub understates: bool,
}

impl Default for Script {
    /// Accepted and filled at once, and everything told once.
    fn default() -> Self {
        Self {
            arrival: Arrival::Now,
            refusal: None,
            answered: true,
            answers_after_ms: 0,
            says: Says::Truth,
            trades: vec![(0, 100)],
            ends_after: Some(0),
            hidden_ms: 0,
            trade_lag_ms: 0,
            understates: false,
            reports: vec![vec![0]],
            rest: Rest::Dropped,
            cancel_answered: true,
            cancels_lost: 0,
        }
    }
}

impl Script {
    /// One with every kind of trouble in it, drawn from `chance`.
    pub fn drawn(chance: &mut Chance, weather: Weather) -> Self {
        let arrival = match chance.below(if weather.is_dark { 400 } else { 100 }) {
            0..75 => Arrival::Now,
            75..85 => Arrival::Late(1 + chance.below_i64(RECEIVE_WINDOW_MS)),
            85..90 => Arrival::Late(RECEIVE_WINDOW_MS + chance.below_i64(RECEIVE_WINDOW_MS)),
            _ => Arrival::Never,
        };
        let mut trades = Vec::new();
        let mut left = 100;
        for _ in 0..chance.below(4) {
            let share = u8::try_from(1 + chance.below(left)).unwrap_or(1);
            trades.push((chance.below_i64(3_000) * chance.below_i64(2), share));
            left = (left - u64::from(share)).max(1);
        }
        if left > 1 && chance.one_in(2) {
            trades.push((chance.below_i64(3_000), 100));
        }
        let mut reports = Vec::new();
        for _ in 0..6 {
            let copies = match chance.below(100) {
                0..20 => 0,
                20..40 => 2,
                _ => 1,
            };
            reports.push((0..copies).map(|_| chance.below_i64(2_000) * chance.below_i64(2)).collect());
        }
        Self {
            arrival,
            refusal: chance.one_in(10).then_some("PriceFilter"),
            answered: !chance.one_in(4),
            answers_after_ms: if chance.one_in(6) { chance.below_i64(2 * ANSWER_MS) } else { 0 },
            says: match chance.below(20) {
                0 => Says::Exists,
                1 => Says::Another,
                _ => Says::Truth,
            },
            trades,
            ends_after: if weather.orders_stay && chance.one_in(8) {
                None
            } else {
                Some(chance.below_i64(4_000) * chance.below_i64(2))
            },
            hidden_ms: chance.below_i64(VISIBILITY_MS) * chance.below_i64(2),
            trade_lag_ms: chance.below_i64(1_500) * chance.below_i64(2),
            understates: weather.understates && chance.one_in(3),
            reports,
            rest: match chance.below(12) {
                0 => Rest::Prevented,
                1 => Rest::PreventedSilently,
                _ => Rest::Dropped,
            },
            cancel_answered: !chance.one_in(3),
            cancels_lost: chance.below(3),
        }
    }
}

/// Whether an order with this status is closed at the exchange.
pub(crate) const fn is_closed(status: OrderStatus) -> bool {
    match status {
        OrderStatus::Sent | OrderStatus::Accepted | OrderStatus::PartiallyFilled | OrderStatus::Unknown => false,
        OrderStatus::Filled
        | OrderStatus::Canceled
        | OrderStatus::Expired
        | OrderStatus::Rejected
        | OrderStatus::Denied => true,
    }
}
