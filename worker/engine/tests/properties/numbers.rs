//! Prices with 8 digits after the point, quantities with 5 and fees with 6, one digit more than the rules of a manifest
//! may have together: worth and fees are rounded once, half to even, at 18 digits, the same number everywhere, and all
//! else is exact. Everything is recomputed in integers of 10^-24, without any decimal type.

use engine::Effect;
use engine::fees::PaidIn;
use engine::messages::{Fill, Side};
use ethnum::I256;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::json;

use crate::bench::{Market, USUAL, cases, commands, config, decimal, news, start, step_tick, step_update, tick};

const SCALE: u32 = 24;

fn integer(value: Decimal) -> I256 {
    I256::from(value.mantissa()) * I256::from(10).pow(SCALE - value.scale())
}

/// The product with 18 digits after the point, rounded half to even once.
fn product(a: I256, b: I256) -> I256 {
    let (kept, dropped) = (I256::from(10).pow(SCALE - 18), I256::from(10).pow(SCALE + SCALE - 18));
    let (quotient, rest) = ((a * b).div_euclid(dropped), (a * b).rem_euclid(dropped));
    let up = match (rest * 2).cmp(&dropped) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient.rem_euclid(I256::from(2)) == I256::ONE,
        std::cmp::Ordering::Greater => true,
    };
    (if up { quotient + I256::ONE } else { quotient }) * kept
}

/// Coins, cash and fees, in integers.
struct Books {
    coins: I256,
    cash: I256,
    fees: I256,
}

impl Books {
    fn take(&mut self, fill: &Fill) {
        let (quantity, price) = (integer(fill.quantity.get()), integer(fill.price.get()));
        let worth = product(quantity, price);
        let sign = if fill.side == Side::Buy { I256::ONE } else { -I256::ONE };
        self.coins += sign * quantity;
        self.cash -= sign * worth;
        // 0.0375 % of the worth, whatever the fill says.
        let share = integer(Decimal::new(375, 6));
        self.fees += product(worth, share);
        if fill.fee_asset == *fill.symbol.base() {
            self.coins -= product(quantity, share);
        } else {
            self.cash -= product(worth, share);
        }
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn long_decimals_are_rounded_once(
        paid_in in prop::sample::select(vec![PaidIn::Quote, PaidIn::Received]),
        first in 10_000_000_000_i64..90_000_000_000,
        moves in prop::collection::vec(-25_000_000_i64..25_000_000, 30..120),
        parts in prop::collection::vec(1_u8..=60, 1..4),
    ) {
        let market = Market { tick_size: "0.00000001", lot_size: "0.00001", taker_percent: "0.0375", paid_in, ..USUAL };
        let mut engine = start(&config(&market, &json!({})));
        let mut books = Books { coins: integer(5.into()), cash: integer(3000.into()), fees: I256::ZERO };
        let mut price = first;
        for (sequence, step) in (0..).zip(moves) {
            // Up to 2.5 % a tick, on a price of 100 to 900 with 8 digits.
            price = (price + i64::try_from(i128::from(price) * i128::from(step) / 1_000_000_000).unwrap())
                .clamp(5_000_000_000, 200_000_000_000);
            let tick = tick(sequence, Decimal::new(price, 8));
            let effects = step_tick(&mut engine, &tick);
            for command in commands(&effects) {
                for update in news(&command, &parts, &market) {
                    step_update(&mut engine, &update);
                    update.fill.iter().for_each(|fill| books.take(fill));
                }
            }
            let ledger = &engine.snapshot().unwrap()["ledger"];
            prop_assert_eq!(integer(decimal(&ledger["positions"][0]["quantity"])), books.coins);
            prop_assert_eq!(integer(decimal(&ledger["cash"][0]["amount"])), books.cash);
            prop_assert_eq!(integer(decimal(&ledger["positions"][0]["fees"])), books.fees);
            let halted = effects.iter().any(|effect| matches!(effect, Effect::Alert(alert) if alert.severity == engine::messages::Severity::Critical));
            prop_assert!(!halted, "all of it is in range");
            let performance = engine.performance().unwrap();
            let equity = product(integer(performance.price.get()), books.coins) + books.cash;
            prop_assert_eq!(integer(performance.equity.get()), equity);
            let opening = integer(performance.opening_equity.get());
            prop_assert_eq!(integer(performance.profit.net.get()), equity - opening);
        }
    }
}
