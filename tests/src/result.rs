//! What `backtest` and `ledger show` must have in common, to the byte: everything but what only one of them can know.

use serde_json::Value;

/// Of the one: what the data hold, and warnings, which it judges at the first price. Of the other: what may still come.
const OWN: [&str; 3] = ["data", "openOrders", "warnings"];

/// The lines of a result without that.
pub fn comparable(lines: &str) -> String {
    let line = |line: &str| match serde_json::from_str(line) {
        Ok(Value::Object(mut members)) => {
            for name in OWN {
                members.shift_remove(name);
            }
            format!("{}\n", Value::Object(members))
        }
        // No result, so no result equals it.
        Ok(_) | Err(_) => format!("{line}\n"),
    };
    lines.lines().map(line).collect()
}
