//! What requests weigh, and the limit on it in a minute.

use super::Refused;
use super::parameters::Parameters;

const MINUTE: i64 = 60_000;
/// Requests that a client may still send after its first 429 before it is banned.
const PATIENCE: u64 = 10;
/// How long it is banned, in ms of the exchange's clock.
const BAN: i64 = 120_000;

/// The weight of a request. A request that cannot be read weighs 1.
pub fn of(route: &str, parameters: &Result<Parameters, Refused>) -> u64 {
    let Ok(parameters) = parameters else { return 1 };
    let symbols = parameters.symbols().ok().flatten().map(|symbols| symbols.len());
    let limit = parameters.get("limit").and_then(|limit| limit.parse::<u64>().ok()).unwrap_or(100);
    let many = symbols.is_none_or(|symbols| symbols > 1);
    match route {
        "exchangeInfo" => 20,
        "depth" => match limit {
            0..=100 => 5,
            101..=500 => 25,
            501..=1000 => 50,
            _ => 250,
        },
        "trades" | "historicalTrades" => 25,
        "aggTrades" => 4,
        "ticker/24hr" => match symbols {
            Some(0..=20) => 2,
            Some(21..=100) => 40,
            _ => 80,
        },
        "ticker/price" | "ticker/bookTicker" if many => 4,
        "klines" | "uiKlines" | "avgPrice" | "ticker/price" | "ticker/bookTicker" => 2,
        _ => 1,
    }
}

/// Whether a request is answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is.
    Fits {
        /// The weight of this minute.
        used: u64,
    },
    /// It is not.
    Over {
        /// The weight of this minute.
        used: u64,
        /// 429, or 418 for who goes on.
        status: u16,
        /// In seconds of the machine's clock.
        retry_after: u64,
    },
}

/// The weight used, of all clients together: they have one address.
pub struct Weights {
    limit: u64,
    minute: i64,
    used: u64,
    over: u64,
    banned_until: i64,
}

impl Weights {
    /// Nothing used of so much a minute.
    pub const fn new(limit: u64) -> Self {
        Self { limit, minute: 0, used: 0, over: 0, banned_until: i64::MIN }
    }

    /// A request comes, at `now` of an exchange's clock that runs so fast.
    pub fn add(&mut self, weight: u64, now: i64, speed: f64) -> Judgement {
        let minute = now.div_euclid(MINUTE);
        if minute != self.minute {
            (self.minute, self.used, self.over) = (minute, 0, 0);
        }
        let left = |until: i64| seconds(until - now, speed);
        if now < self.banned_until {
            return Judgement::Over { used: self.used, status: 418, retry_after: left(self.banned_until) };
        }
        self.used += weight;
        if self.used <= self.limit {
            return Judgement::Fits { used: self.used };
        }
        self.over += 1;
        if self.over > PATIENCE {
            self.banned_until = now + BAN;
            return Judgement::Over { used: self.used, status: 418, retry_after: left(self.banned_until) };
        }
        Judgement::Over { used: self.used, status: 429, retry_after: left((minute + 1) * MINUTE) }
    }
}

/// Seconds of the machine's clock, rounded up, at least one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most days"
)]
fn seconds(ms: i64, speed: f64) -> u64 {
    (ms.max(0) as f64 / 1000.0 / speed).ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_of_a_minute_and_who_goes_on_is_banned() {
        let mut weights = Weights::new(50);
        let start = 1_000 * MINUTE + 30_000;
        assert_eq!(weights.add(50, start, 1.0), Judgement::Fits { used: 50 });
        for _ in 0..PATIENCE {
            assert!(matches!(weights.add(1, start, 1.0), Judgement::Over { status: 429, retry_after: 30, .. }));
        }
        assert!(matches!(weights.add(1, start, 1.0), Judgement::Over { status: 418, retry_after: 120, .. }));
        assert!(matches!(weights.add(1, start + MINUTE, 1.0), Judgement::Over { status: 418, retry_after: 60, .. }));
        assert_eq!(weights.add(1, start + BAN, 1.0), Judgement::Fits { used: 1 });
    }
}
