//! A failed order loses no chance: its extreme stays while the price stays in the zone, and triggers again.

use engine::messages::{OrderStatus, OrderUpdate};
use engine::numbers::Quantity;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::bench::{USUAL, cases, commands, config, news, start, step_tick, step_update, tick};

/// How an order ends without any trade, after what.
fn failure() -> impl Strategy<Value = Vec<OrderStatus>> {
    use OrderStatus::{Accepted, Canceled, Denied, Expired, Rejected, Sent, Unknown};
    prop::sample::select(vec![
        vec![Denied],
        vec![Rejected],
        vec![Expired],
        vec![Sent, Unknown, Expired],
        vec![Unknown, Rejected],
        vec![Unknown, Accepted, Canceled],
        vec![Sent, Unknown],
    ])
}

proptest! {
    #![proptest_config(cases(200))]

    /// Mirrored by `sign`: the high of the sell zone, or the low of the buy zone.
    #[test]
    fn a_failed_order_keeps_the_extreme(
        sign in prop::sample::select(vec![1_i64, -1]),
        climbs in prop::collection::vec(200_i64..900, 1..6),
        failure in failure(),
        stays in prop::collection::vec(150_i64..900, 0..4),
    ) {
        let mut engine = start(&config(&USUAL, &json!({"basePrice": 600})));
        let price = |hundredths: i64| Decimal::from(600) * (Decimal::ONE + Decimal::new(sign * hundredths, 4));
        let name = if sign > 0 { "high" } else { "low" };
        let mut extreme = 0;
        let mut sequence = 0;
        let mut made = Vec::new();
        let mut take = |engine: &mut engine::Engine, hundredths: i64| {
            sequence += 1;
            commands(&step_tick(engine, &tick(sequence, price(hundredths))))
        };
        // Within the zone, up to a new extreme and down to a turn.
        for climb in climbs {
            extreme = extreme.max(climb);
            made = take(&mut engine, climb);
            if !made.is_empty() {
                break;
            }
        }
        if made.is_empty() {
            made = take(&mut engine, extreme - 50);
        }
        prop_assert_eq!(made.len(), 1);
        let bare = news(&made[0], &[], &USUAL).remove(0);
        for status in &failure {
            step_update(&mut engine, &OrderUpdate { status: *status, cumulative_quantity: Quantity::ZERO, ..bare.clone() });
        }
        let remembered = |engine: &engine::Engine| engine.snapshot().unwrap()["strategy"][name].clone();
        let shown = |hundredths: i64| Value::from(price(hundredths).normalize().to_string());
        prop_assert_eq!(remembered(&engine), shown(extreme));
        let is_open = engine.open_orders().len() == 1;
        prop_assert_eq!(is_open, failure.last() == Some(&OrderStatus::Unknown));
        // Still in the zone: the next turn triggers again, unless nobody knows what became of the order.
        let again = take(&mut engine, extreme - 50);
        prop_assert_eq!(again.len(), usize::from(!is_open));
        if is_open {
            for stay in stays {
                extreme = extreme.max(stay);
                prop_assert_eq!(take(&mut engine, stay).len(), 0);
                prop_assert_eq!(remembered(&engine), shown(extreme));
            }
            // Out of the zone both are forgotten.
            take(&mut engine, 0);
            prop_assert_eq!(remembered(&engine), Value::Null);
        }
    }
}
