//! A cluster that comes back from nothing beside a store that has kept everything.

use bus::StateStore as _;
use serde_json::{Value, json};
use tests::apiserver::{Kind, World, condition};

use super::scenarios::{ACCOUNT, STRATEGY, account_spec, annotate, create, strategy_spec};
use super::settled::quiet;

/// The account is resumed first: until the strategy is, its book must outlive that, or it would be opened anew with
/// the declared capital.
#[tokio::test]
async fn a_book_outlives_the_loss_of_all_statuses() {
    let world = World::alone().await;
    create(&world).await;
    quiet(&world).await;
    let ledger = world.get(Kind::Strategy, STRATEGY).await["status"]["ledger"]["id"].as_str().unwrap().to_owned();
    let gateway = world.keys.gateway(&bus::Scope::account(&world.namespace, ACCOUNT).unwrap());
    world.keep_store();
    world.delete_namespace().await;
    // A namespace's deletion closes what it held; a cluster that is lost closes nothing.
    world.bring_store_back();
    let name = format!("book:{ledger}");
    world.set_field(&gateway, &name, &json!({"amounts": {"USDT": "2400.5", "BNB": "1"}}).to_string());

    world.restore_namespace().await;
    world.create(Kind::Account, ACCOUNT, account_spec()).await;
    world.create(Kind::Strategy, STRATEGY, strategy_spec()).await;
    world.until_reason(Kind::Account, ACCOUNT, "LedgerFound").await;
    world.until_reason(Kind::Strategy, STRATEGY, "LedgerFound").await;
    annotate(&world, Kind::Account, ACCOUNT, "resume").await;
    world.until_reason(Kind::Account, ACCOUNT, "Available").await;
    annotate(&world, Kind::Strategy, STRATEGY, "resume").await;
    world
        .until("trades in its old ledger", Kind::Strategy, STRATEGY, |object| {
            condition(object, "Ready")["reason"] == "Trading" && object["status"]["ledger"]["id"] == ledger.as_str()
        })
        .await;
    quiet(&world).await;
    let record = world.bus.record(&gateway).await.unwrap().unwrap();
    let book: Value = serde_json::from_str(&record.fields[&name]).unwrap();
    assert_eq!(book["amounts"], json!({"USDT": "2400.5", "BNB": "1"}));
    let balances = world.get(Kind::Account, ACCOUNT).await["status"]["balances"].clone();
    assert_eq!(balances, json!({"USDT": "9400.5", "BNB": "1"}));
}
