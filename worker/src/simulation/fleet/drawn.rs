//! What a seed draws: an account's venue, and strategies of several kinds, each with limits and an exit of its own.

use crds::roles::{AccountSpec, StrategySpec};
use engine::risk::PositionBounds;
use engine::strategies::{Definition, Registry};
use engine::testkit::quoting::{Chance, QUOTER};
use serde_json::{Value, json};

/// A quoter whose share of coins is bound, and who does not look whether it is.
const BOUND: Definition = Definition { name: "bound", position_bounds: PositionBounds::Bind, ..QUOTER };

/// All strategies, the quoters among them.
pub(super) fn registry() -> Registry {
    let mut registry = Registry::standard();
    registry.register(QUOTER);
    registry.register(BOUND);
    registry
}

/// The strategies of an account, three to five of different kinds.
pub(super) fn strategies(chance: &mut Chance) -> Vec<StrategySpec> {
    let account = AccountSpec { name: "test".to_owned(), spec: serde_json::from_value(account(chance)).unwrap() };
    let mut kinds = vec![chance.pick(&[QUOTER.name, QUOTER.name, BOUND.name]), "ladder", "grid"];
    if chance.one_in(2) {
        kinds.push("control");
    }
    if chance.one_in(3) {
        kinds.push("ladder2");
    }
    let strategy = |kind: &str| {
        let spec = serde_json::from_value(spec(chance, kind)).unwrap();
        StrategySpec { name: kind.to_owned(), generation: 1, spec, account: account.clone(), source_folder: None }
    };
    kinds.into_iter().map(strategy).collect()
}

fn account(chance: &mut Chance) -> Value {
    let mut rate = || chance.pick(&["0", "0.1", "0.075"]);
    let (maker, taker) = (rate(), rate());
    json!({
        "venue": {"paper": {
            "balances": {"USDT": 100_000, "BNB": 100}, "latencyMs": chance.pick(&[0, 0, 250, 1_500]),
            "restingFills": chance.pick(&["Through", "Touch"]),
            "fees": {"makerPercent": maker, "takerPercent": taker, "paidIn": chance.pick(&["Quote", "Received"])},
        }},
        "marketData": {"replay": {"file": "none.csv"}},
    })
}

fn spec(chance: &mut Chance, kind: &str) -> Value {
    let strategy = match kind {
        name if name == QUOTER.name || name == BOUND.name => {
            json!({"custom": {"name": name, "parameters": {"seed": chance.below(1_000_000)}}})
        }
        "grid" => json!({"grid": {"gridSizePercent": chance.pick(&["0.3", "0.8"]), "flipThresholdFactor": "0.1",
            "minTradeIntervalSeconds": 0}}),
        "control" => json!({"positionControl": {"lookBackDays": 1}}),
        _ => ladder(chance),
    };
    let (risk, exit) = (limits(chance, kind), exit(chance));
    json!({
        "accountRef": {"name": "test"},
        "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001", "minNotional": 5}}],
        "capital": {"USDT": chance.pick(&[600, 3_000, 3_000]), "BNB": chance.pick(&["0.5", "5", "5"])},
        "strategy": strategy, "risk": risk, "exit": exit, "transfers": transfers(chance),
    })
}

/// Money that is moved before anything trades, too much of it once in a while.
fn transfers(chance: &mut Chance) -> Value {
    let all = [
        json!({"id": "more", "asset": "USDT", "amount": 250}),
        json!({"id": "less", "asset": "USDT", "amount": "-99.5"}),
        json!({"id": "coins", "asset": "BNB", "amount": "0.75"}),
        json!({"id": "sold", "asset": "BNB", "amount": "-0.125"}),
        json!({"id": "all", "asset": "BNB", "amount": "-900"}),
    ];
    all.into_iter().filter(|_| chance.one_in(5)).collect()
}

fn ladder(chance: &mut Chance) -> Value {
    let trails = !chance.one_in(3);
    let mut ladder = bounds(chance, 600, trails);
    ladder["trailingUp"] = json!(trails);
    if chance.one_in(2) {
        ladder["quantity"] = json!(chance.pick(&["0.05", "0.2"]));
    }
    json!({"ladder": ladder})
}

/// The bounds of a ladder about a price. One that is to move up has its price above it soon.
pub(super) fn bounds(chance: &mut Chance, price: i64, trails: bool) -> Value {
    let (half, levels) = chance.pick(&[(2, 4), (10, 10), (20, 20)]);
    let middle = if trails { price - half } else { price };
    json!({"lowerPrice": middle - half, "upperPrice": middle + half, "levels": levels})
}

/// One limit mostly, near enough to be breached; bounds of single orders beside it, and of the share of coins.
pub(super) fn limits(chance: &mut Chance, kind: &str) -> Value {
    let limit = match chance.below(9) {
        0 => json!({"maxDrawdownPercent": chance.pick(&["0.2", "1", "3"])}),
        1 => json!({"maxDailyLossPercent": chance.pick(&["0.1", "0.5", "2"])}),
        2 | 6 => json!({"maxConsecutiveLosses": chance.below(2)}),
        3 | 7 => json!({"maxExposure": {"USDT": chance.pick(&[310, 2_900, 3_003, 3_400])}}),
        4 => json!({"priceCollarPercent": "0.01", "cooldown": {"rejects": 1, "seconds": 20}}),
        // Two reasons in turn: each change of reason is counted.
        5 => json!({"maxOrderNotional": {"USDT": 60}, "cooldown": {"rejects": 1, "seconds": 60}}),
        _ => json!({}),
    };
    let mut risk = json!({"maxOrdersPerMinute": chance.pick(&[3, 600, 600]),
        "onBreach": chance.pick(&["StopOpening", "CancelOrders", "Flatten"])});
    risk.as_object_mut().unwrap().extend(limit.as_object().unwrap().clone());
    if kind == BOUND.name || chance.one_in(3) {
        let (least, most) = chance.pick(&[(30, 70), (45, 55), (0, 40)]);
        (risk["minPositionPercent"], risk["maxPositionPercent"]) = (json!(least), json!(most));
    }
    risk
}

pub(super) fn exit(chance: &mut Chance) -> Value {
    let (name, value) = match chance.below(8) {
        0 => ("stopLossPercent", json!(chance.pick(&["0.3", "0.8"]))),
        1 => ("takeProfitPercent", json!(chance.pick(&["0.05", "0.2"]))),
        2 => ("giveBackPercent", json!(50)),
        3 => ("belowPrice", json!(chance.pick(&[598, 590]))),
        4 => ("abovePrice", json!(chance.pick(&[602, 610]))),
        5 => ("afterHours", json!(chance.pick(&[2, 20]))),
        _ => return Value::Null,
    };
    json!({name: value, "action": chance.pick(&["Flatten", "StopOpening"])})
}
