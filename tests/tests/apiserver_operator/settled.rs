//! When nothing is under way any more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::apiserver::{Kind, World, await_told, condition};

use super::scenarios::{BALANCE, CAPITAL};

/// Waits until everything has settled: another look at each object, and another turn of each program, changes nothing.
/// No pause stands for that, however long: a machine may be busier. The state that it has settled in.
pub async fn quiet(world: &World) -> Value {
    await_told("everything has settled", || still(world)).await
}

async fn still(world: &World) -> Result<Value, String> {
    seems_unsettled(world).map_or(Ok(()), Err)?;
    let (writes, before) = (world.tap.writes().len(), world.end_state().await);
    world.look_at_all().await?;
    let (unanswered, after) = (world.tap.unanswered(), world.end_state().await);
    let new = world.tap.writes().split_off(writes);
    if unanswered > 0 || !new.is_empty() {
        return Err(format!("{unanswered} writes are under way, and it has written {new:?}"));
    }
    if before != after {
        return Err(difference(&before, &after));
    }
    let [strategies, accounts] = [world.all(Kind::Strategy).await, world.all(Kind::Account).await];
    unsettled(&strategies, &accounts).map_or(Ok(after), Err)
}

/// The first object that has not settled as the operator last saw it, for who asks again and again.
pub fn seems_unsettled(world: &World) -> Option<String> {
    let [strategies, accounts] = [Kind::Strategy, Kind::Account].map(|kind| world.all_as_seen(kind));
    unsettled(&strategies, &accounts)
}

/// The first object whose status is not its last word yet: something is under way, or an account has not seen what
/// its strategies do now or has no book for one of them.
fn unsettled(strategies: &[Value], accounts: &[Value]) -> Option<String> {
    let under_way = |object: &&Value| {
        condition(object, "Reconciling")["status"] != "False"
            || condition(object, "Ready")["status"] == "Unknown"
            || object["status"]["observedGeneration"] != object["metadata"]["generation"]
    };
    if let Some(object) = strategies.iter().chain(accounts).find(under_way) {
        return Some(object.to_string());
    }
    let out_of_date = |account: &&Value| {
        let mut states: BTreeMap<&str, u64> = BTreeMap::new();
        for of_it in strategies.iter().filter(|one| one["spec"]["accountRef"]["name"] == account["metadata"]["name"]) {
            *states.entry(of_it["status"]["state"].as_str().unwrap_or_default()).or_default() += 1;
        }
        let left = (BALANCE - CAPITAL * states.values().sum::<u64>()).to_string();
        let told = &account["status"]["strategies"];
        *told != json!(states) && !(told.is_null() && states.is_empty())
            || account["status"]["unassigned"]["USDT"] != left.as_str()
    };
    accounts.iter().find(out_of_date).map(ToString::to_string)
}

/// What differs between two states, for a reader.
pub fn difference(one: &Value, other: &Value) -> String {
    let keys =
        |value: &Value| value.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let all: BTreeSet<String> = keys(one).into_iter().chain(keys(other)).collect();
    let differs = all.into_iter().filter(|key| one[key] != other[key]);
    differs
        .map(|key| format!("{key}:\n    then {}\n    now  {}", one[&key], other[&key]))
        .collect::<Vec<_>>()
        .join("\n")
}
