//! A state of now in the form that the release before wrote: of version 1, with its books of one market.

use serde_json::{Value, json};

/// The state as the release before saved it, with its books of one market.
pub fn of_the_release_before(mut saved: Value) -> Value {
    let (position, cash) = (saved["ledger"]["positions"][0].clone(), saved["ledger"]["cash"][0].clone());
    let coins = &position["opening"];
    saved["version"] = json!(1);
    saved["ledger"] = json!({
        "symbol": position["symbol"], "base": position["quantity"], "quote": cash["amount"], "cost": position["cost"],
        "realized": position["realized"], "fees": position["fees"],
        "opening": {"price": coins["price"], "base": coins["quantity"], "quote": cash["opening"]},
    });
    saved
}
