//! Live prices: one feed for all accounts of a source, owned by each of them and controlled by none.

use bus::{MessageBus as _, StateStore as _};
use crds::roles::FeedDesired;
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::json;
use tests::apiserver::{Kind, World, await_that, await_told};

use super::scenarios::{CAPITAL, live_spec, strategy_spec};

const SOURCE: &str = "binance-spot";
/// Its first pod.
const FEED: &str = "feed-binance-spot-1";

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

async fn remove(world: &World, accounts: &[&str]) {
    let strategies = accounts.iter().map(|account| (Kind::Strategy, format!("of-{account}")));
    let all: Vec<_> = strategies.chain(accounts.iter().map(|account| (Kind::Account, (*account).to_owned()))).collect();
    for (kind, name) in &all {
        world.delete(*kind, name).await;
    }
    for (kind, name) in all {
        await_that(&format!("{name} is gone"), || async { world.get(kind, &name).await.is_null().then_some(()) }).await;
    }
}

/// Two accounts of the source that share its feed.
pub async fn create_two(world: &World) {
    create(world, "one", "BNB/USDT").await;
    create(world, "two", "BTC/USDT").await;
    until_feeds(world, &[(FEED, &["one", "two"])]).await;
}

/// The feed stays for who is left.
pub async fn one_leaves(world: &World) {
    remove(world, &["one"]).await;
    until_feeds(world, &[(FEED, &["two"])]).await;
}

/// The feed goes with the last, and its ledger is closed before.
pub async fn both_leave(world: &World) {
    remove(world, &["one", "two"]).await;
    until_feeds(world, &[]).await;
    assert!(world.bus.record(&feed(world)).await.unwrap().unwrap().closed);
}

fn feed(world: &World) -> bus::Owner {
    world.keys.feed(&bus::Scope::source(&world.namespace, SOURCE).unwrap())
}

/// What a feed of these markets has in the store beside its record.
async fn put_streams(world: &World, symbols: &[&str]) {
    let source = bus::Scope::source(&world.namespace, SOURCE).unwrap();
    let of_market = |symbol: &&str| {
        [
            world.keys.market_tick(&source, symbol),
            world.keys.bars(&source, symbol, "1m"),
            world.keys.bars(&source, symbol, "1d"),
        ]
    };
    let wanted: Vec<_> = symbols.iter().flat_map(of_market).chain([world.keys.market_gap(&source)]).collect();
    for stream in wanted.iter().cloned() {
        let message =
            bus::Message { stream, version: 1, data: "{}".into(), retention: bus::Retention::KEEP, bound: None };
        world.bus.publish(&message).await.unwrap();
    }
    assert_eq!(streams(world).len(), wanted.len());
}

/// The source's streams in the store.
fn streams(world: &World) -> Vec<String> {
    let keys = world.stored_keys("*binance-spot}:*");
    keys.into_iter().filter(|key| key.contains(":market.") || key.contains(":bars:")).collect()
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
    let feed = feed(&world);
    create(&world, "one", "BNB/USDT").await;
    until_feeds(&world, &[(FEED, &["one"])]).await;
    create(&world, "two", "BTC/USDT").await;
    until_feeds(&world, &[(FEED, &["one", "two"])]).await;
    let told = register(&world, &feed).await;
    assert_eq!((told.readers.join(" "), told.epoch), ("one/of-one two/of-two".to_owned(), 1));
    let record = world.bus.record(&feed).await.unwrap().unwrap();
    assert_eq!((record.uid, record.epoch), (format!("feed/{}/{SOURCE}", world.namespace), 1));
    for account in ["one", "two"] {
        let shown = world.get(Kind::Account, account).await["status"]["feed"].clone();
        let expected = json!([SOURCE, 1, record.ledger, FEED]);
        assert_eq!(
            json!([shown["source"], shown["epoch"], shown["ledger"]["id"], shown["pod"]]),
            expected,
            "{account}"
        );
    }
    // A lost ledger is remade, and no human is asked.
    world.lose(&feed);
    world.delete_pod(FEED).await;
    until_feeds(&world, &[("feed-binance-spot-2", &["one", "two"])]).await;
    world.until_reason(Kind::Account, "one", "Available").await;
    // What is left behind: one was the last that read its market.
    put_streams(&world, &["BNB/USDT", "BTC/USDT"]).await;
    remove(&world, &["one"]).await;
    until_feeds(&world, &[("feed-binance-spot-2", &["two"])]).await;
    assert_eq!(register(&world, &feed).await.readers, ["two/of-two"]);
    remove(&world, &["two"]).await;
    until_feeds(&world, &[]).await;
    assert!(
        world.bus.record(&feed).await.unwrap().unwrap().closed,
        "its ledger is closed before the last account goes"
    );
    assert_eq!(streams(&world), Vec::<String>::new());
    assert_eq!(world.audited().0, Vec::<String>::new());
}

#[tokio::test]
async fn what_keeps_a_source_is_told_of_each_account_and_strategy() {
    let world = World::alone().await;
    let feed = feed(&world);
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
    let feed = feed(&world);
    create(&world, "one", "BNB/USDT").await;
    create(&world, "two", "BTC/USDT").await;
    world.delete_namespace().await;
    await_that("the feed's ledger is closed", || async {
        world.bus.record(&feed).await.unwrap().unwrap().closed.then_some(())
    })
    .await;
}
