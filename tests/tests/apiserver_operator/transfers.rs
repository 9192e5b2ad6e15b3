//! Money that is added or taken out: no new pod, an account's money given once, and what is refused told.

use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use tests::apiserver::{Kind, World, await_that, condition};

use super::scenarios::{BALANCE, CAPITAL, STRATEGY, create, strategy_spec};

async fn ask(world: &World, name: &str, transfers: Value) {
    world.patch(Kind::Strategy, name, json!({"spec": {"transfers": transfers}})).await;
}

fn states(object: &Value) -> Vec<(String, String)> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let all = object["status"]["transfers"].as_array().into_iter().flatten();
    all.map(|one| (text(one, "id"), text(one, "state"))).collect()
}

async fn until_states(world: &World, name: &str, wanted: &[(&str, &str)]) {
    let wanted: Vec<_> = wanted.iter().map(|(id, state)| ((*id).to_owned(), (*state).to_owned())).collect();
    world.until(&format!("{wanted:?}"), Kind::Strategy, name, |object| states(object) == wanted).await;
}

fn usdt(id: &str, amount: impl Into<i128>) -> Value {
    json!({"id": id, "asset": "USDT", "amount": amount.into().to_string()})
}

#[tokio::test]
async fn an_edit_is_followed_by_the_pod_that_runs_and_what_is_refused_is_told() {
    let world = World::alone().await;
    create(&world).await;
    let pod = world.get(Kind::Strategy, STRATEGY).await["status"]["worker"]["pod"].clone();
    ask(&world, STRATEGY, json!([usdt("june", 500), usdt("out", -1)])).await;
    until_states(&world, STRATEGY, &[("june", "Booked"), ("out", "Refused")]).await;
    let event = || async {
        let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
        let events = events.list(&ListParams::default()).await.unwrap();
        events.items.into_iter().find(|event| event.reason.as_deref() == Some("TransferRefused"))
    };
    let event = await_that("the Event", event).await;
    assert_eq!((event.type_.as_deref(), event.message.as_deref()), (Some("Warning"), Some("0 USDT is free")));
    world
        .until("it is applied", Kind::Strategy, STRATEGY, |object| {
            object["status"]["appliedGeneration"] == object["metadata"]["generation"]
        })
        .await;
    let now = world.get(Kind::Strategy, STRATEGY).await;
    assert_eq!((&now["status"]["worker"]["pod"], &now["status"]["epoch"]), (&pod, &json!(1)), "no new pod");
}

#[tokio::test]
async fn money_that_the_account_does_not_have_is_refused_and_the_generation_before_trades_on() {
    let world = World::alone().await;
    create(&world).await;
    world.create(Kind::Strategy, "other", strategy_spec()).await;
    world.until_reason(Kind::Strategy, "other", "Trading").await;
    let left = BALANCE - 2 * CAPITAL;
    ask(&world, STRATEGY, json!([usdt("most", left - 1)])).await;
    until_states(&world, STRATEGY, &[("most", "Booked")]).await;
    // Only one is left, for whoever asks.
    ask(&world, "other", json!([usdt("small", 1), usdt("much", 1)])).await;
    world.until_reason(Kind::Strategy, "other", "CapitalExceedsAccount").await;
    let refused = world.get(Kind::Strategy, "other").await;
    let accepted = condition(&refused, "Accepted");
    let words = format!(
        "spec.transfers[1].amount: 1 exceeds what account \"paper\" has left: 0 of {BALANCE} USDT; ask for less under another \
         id, or raise balances"
    );
    assert_eq!((&accepted["status"], &accepted["message"]), (&json!("False"), &json!(words)));
    assert_eq!(
        (&refused["status"]["state"], states(&refused)),
        (&json!("Running"), Vec::new()),
        "nothing of it is done"
    );
    ask(&world, "other", json!([usdt("small", 1)])).await;
    until_states(&world, "other", &[("small", "Booked")]).await;
    world.until_reason(Kind::Strategy, "other", "Trading").await;
    // Taken out of the manifest it stays booked, and so stays counted.
    ask(&world, STRATEGY, json!([])).await;
    world
        .until("it is applied", Kind::Strategy, STRATEGY, |object| {
            object["status"]["appliedGeneration"] == object["metadata"]["generation"]
        })
        .await;
    ask(&world, STRATEGY, json!([usdt("more", 1)])).await;
    world.until_reason(Kind::Strategy, STRATEGY, "CapitalExceedsAccount").await;
    let balances = json!({"spec": {"venue": {"paper": {"balances": {"USDT": BALANCE + 1}}}}});
    world.patch(Kind::Account, super::scenarios::ACCOUNT, balances).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
}
