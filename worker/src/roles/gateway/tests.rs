//! The order protocol under everything a venue can do: the order manager alone, then the whole role with a crash at
//! each of its commits. The scripted venue is `crate::simulation::exchange`.

mod account_limits;
mod account_prices;
mod behind;
mod cases;
mod elsewhere;
mod ended;
mod exchange;
mod facts;
mod manager;
mod role;
mod stances;
mod sub_account;

use engine::client_order_id::ClientOrderId;
use engine::messages::OrderCommand;
use serde_json::{Value, json};

/// A command to buy (or sell) at 600, as a strategy `grid` gives it at `time`.
fn command(ledger: &str, sequence: u64, time: i64, changes: &Value) -> OrderCommand {
    let mut command = json!({
        "clientOrderId": ClientOrderId::new(ledger.parse().unwrap(), sequence), "strategy": "grid", "ledger": ledger,
        "sequence": sequence, "command": "Create", "side": "Buy", "orderType": "Limit",
        "timeInForce": "ImmediateOrCancel", "quantity": "1", "price": "600.00", "reduceOnly": false,
        "symbol": "BNB/USDT", "time": time, "expiresAt": time + 30_000,
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        command[name] = value.clone();
    }
    serde_json::from_value(command).unwrap()
}

/// The command to match a ledger's orders as of a round of a tick.
fn advance(ledger: &str, tick: &str, round: u32) -> OrderCommand {
    let advance = json!({
        "clientOrderId": ClientOrderId::new(ledger.parse().unwrap(), 0), "strategy": "grid", "ledger": ledger, "sequence": 0,
        "command": "Advance", "round": round, "symbol": "BNB/USDT", "tick": tick, "time": 0, "expiresAt": 0,
    });
    serde_json::from_value(advance).unwrap()
}

/// The command to cancel that order.
fn cancel(ledger: &str, sequence: u64, time: i64) -> OrderCommand {
    command(ledger, sequence, time, &json!({"command": "Cancel"}))
}
