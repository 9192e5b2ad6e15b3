//! What a ladder written apart and the product's are to agree on, in one form; and a case as a manifest has it.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Naive;
use super::cases::Case;
use crate::Engine;

/// A number without trailing zeros.
pub fn text(value: Decimal) -> String {
    value.normalize().to_string()
}

/// A share in percent.
pub fn percent(share: Decimal) -> String {
    text(share * Decimal::ONE_HUNDRED)
}

/// The parameters of a case, as its manifest has them.
pub fn parameters(case: &Case) -> Value {
    let mut ladder = json!({"lowerPrice": text(case.lower), "upperPrice": text(case.upper), "levels": case.levels,
        "spacing": if case.geometric { "Geometric" } else { "Arithmetic" }, "trailingUp": case.trailing,
        "reservePercent": percent(case.reserve), "maxSlippagePercent": percent(case.slippage)});
    for (name, value) in [("quantity", case.quantity), ("triggerPrice", case.trigger)] {
        if let Some(value) = value {
            ladder[name] = json!(text(value));
        }
    }
    ladder
}

/// The open orders of an engine, as [`Naive::open`] writes them.
#[allow(clippy::expect_used, reason = "each order of a ladder has a price")]
pub fn open_orders(engine: &Engine) -> Vec<String> {
    let orders = engine.open_orders().map(|order| {
        let price = order.price.expect("an order of a ladder has a price").get();
        let (quantity, filled) = (order.quantity.get(), order.filled.get());
        format!("{} {} @ {} {}", order.side, text(quantity), text(price), text(filled))
    });
    let mut orders: Vec<_> = orders.collect();
    orders.sort();
    orders
}

/// All that the product must show after the same ticks, the last at this price.
pub fn expected(naive: &Naive, last: Decimal) -> Value {
    let mut warnings = naive.warnings.clone();
    warnings.sort_by_key(|kind| *kind == "LadderOutside");
    json!({"trades": naive.trades,
        "final": {"matchedTrades": naive.matched, "gridProfit": text(naive.profit),
            "floatingProfit": text(naive.net(last) - naive.profit), "buyAndHold": text(naive.holding(last))},
        "denied": naive.denied, "open": naive.open(), "warnings": warnings,
        "holds": [text(naive.cash), text(naive.coins)]})
}
