//! Live prices: one feed for all accounts of a source, owned by each of them and controlled by none.

use bus::StateStore as _;
use crds::roles::FeedDesired;
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::json;
use tests::apiserver::{Kind, World, await_that, await_told};

use super::scenarios::{CAPITAL, live_spec, strategy_spec};

const SOURCE: &str = "binance-spot";

/// An account of live prices, and a strategy of its own that trades.
async fn create(world: &World, account: &str, symbol: &str) {
    world.create(Kind::Account, account, live_spec()).await;
    let mut spec = strategy_spec();
    spec["accountRef"]["name"] = json!(account);
    spec["instruments"][0]["symbol"] = json!(symbol);
    spec["capital"] = json!({ "USDT": CAPITAL });
    world.create(Kind::Strategy, &format!("of-{account}"), spec).await;
    world.until_reason(Kind::Strategy, &format!("of-{account}"), "Trading").await;
    world.until_reason(Kind::Account, account, "Available").await;
}

async fn remove(world: &World, account: &str) {
    world.delete(Kind::Strategy, &format!("of-{account}")).await;
    world.delete(Kind::Account, account).await;
    for (kind, name) in [(Kind::Strategy, format!("of-{account}")), (Kind::Account, account.to_owned())] {
        await_that(&format!("{name} is gone"), || async { world.get(kind, &name).await.is_null().then_some(()) }).await;
    }
}

/// The feed's pods, each with the names of its owners.
async fn feeds(world: &World) -> Vec<(String, Vec<String>)> {
    let pods = world.pods().list(&ListParams::default()).await.unwrap();
    let mut feeds: Vec<_> = pods
        .iter()
        .filter(|pod| pod.name_any().starts_with("feed-"))
        .map(|pod| {
            assert!(pod.owner_references().iter().all(|owner| owner.controller != Some(true)), "{pod:?}");
            let mut owners: Vec<_> = pod.owner_references().iter().map(|owner| owner.name.clone()).collect();
            owners.sort();
            (pod.name_any(), owners)
        })
        .collect();
    feeds.sort();
    feeds
}

async fn until_feeds(world: &World, expected: &[(&str, &[&str])]) {
    let owned = |owners: &[&str]| owners.iter().map(|owner| (*owner).to_owned()).collect();
    let expected: Vec<_> = expected.iter().map(|(name, owners)| ((*name).to_owned(), owned(owners))).collect();
    await_told(&format!("feeds are {expected:?}"), || async {
        let now = feeds(world).await;
        if now == expected { Ok(()) } else { Err(format!("{now:?}\n{:?}", world.tap.writes())) }
    })
    .await;
}

async fn register(world: &World, feed: &bus::Owner) -> FeedDesired {
    let register = world.bus.desired(feed).await.unwrap().expect("there is a register");
    serde_json::from_str(&register.value).unwrap()
}

#[tokio::test]
async fn two_accounts_of_a_source_share_one_feed_which_goes_after_the_last() {
    let world = World::alone().await;
    let feed = world.keys.feed(&bus::Scope::source(&world.namespace, SOURCE).unwrap());
    create(&world, "one", "BNB/USDT").await;
    until_feeds(&world, &[("feed-binance-spot-1", &["one"])]).await;
    create(&world, "two", "BTC/USDT").await;
    until_feeds(&world, &[("feed-binance-spot-1", &["one", "two"])]).await;
    let told = register(&world, &feed).await;
    assert_eq!((told.readers.join(" "), told.epoch), ("one/of-one two/of-two".to_owned(), 1));
    let record = world.bus.record(&feed).await.unwrap().unwrap();
    assert_eq!((record.uid, record.epoch), (format!("feed/{}/{SOURCE}", world.namespace), 1));
    for account in ["one", "two"] {
        let shown = world.get(Kind::Account, account).await["status"]["feed"].clone();
        let expected = json!([SOURCE, 1, record.ledger, "feed-binance-spot-1"]);
        assert_eq!(
            json!([shown["source"], shown["epoch"], shown["ledger"]["id"], shown["pod"]]),
            expected,
            "{account}"
        );
    }
    // A lost ledger is remade, and no human is asked.
    world.lose(&feed);
    world.delete_pod("feed-binance-spot-1").await;
    until_feeds(&world, &[("feed-binance-spot-2", &["one", "two"])]).await;
    world.until_reason(Kind::Account, "one", "Available").await;
    // What is left behind.
    remove(&world, "one").await;
    until_feeds(&world, &[("feed-binance-spot-2", &["two"])]).await;
    assert_eq!(register(&world, &feed).await.readers, ["two/of-two"]);
    remove(&world, "two").await;
    until_feeds(&world, &[]).await;
    assert!(
        world.bus.record(&feed).await.unwrap().unwrap().closed,
        "its ledger is closed before the last account goes"
    );
    assert_eq!(world.audited().0, Vec::<String>::new());
}

#[tokio::test]
async fn what_keeps_a_source_is_told_of_each_account_and_strategy() {
    let world = World::alone().await;
    let feed = world.keys.feed(&bus::Scope::source(&world.namespace, SOURCE).unwrap());
    create(&world, "one", "BNB/USDT").await;
    let told = r#"{"reason":"FeedBanned","message":"the venue has banned this address until noon","since":1}"#;
    world.set_field(&feed, "link", told);
    world.nudge_account("one");
    world.until_reason(Kind::Account, "one", "FeedBanned").await;
    world.nudge("of-one");
    world.until_reason(Kind::Strategy, "of-one", "FeedBanned").await;
    let mut spec = live_spec();
    spec["marketData"]["binance"]["endpoint"] = json!("nowhere");
    world.create(Kind::Account, "other", spec).await;
    world.until_reason(Kind::Account, "other", "InvalidSpec").await;
}

#[tokio::test]
async fn a_feed_ends_with_its_namespace() {
    let world = World::alone().await;
    let feed = world.keys.feed(&bus::Scope::source(&world.namespace, SOURCE).unwrap());
    create(&world, "one", "BNB/USDT").await;
    create(&world, "two", "BTC/USDT").await;
    world.delete_namespace().await;
    await_that("the feed's ledger is closed", || async {
        world.bus.record(&feed).await.unwrap().unwrap().closed.then_some(())
    })
    .await;
}
