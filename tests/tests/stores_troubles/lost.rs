//! What only one side knew is gone: the news of a trade, a gateway's whole record. It is told again or taken from where
//! it still stands, and never guessed.

use serde_json::Value;
use tests::roles::{DEADLINE, Stage, until};

use crate::scenes::stage;

/// The news of a trade is deleted before the strategy reads it: the strategy asks after half a minute, is told the trade
/// again, and books it once.
#[test]
fn the_news_of_a_trade_is_told_again() {
    let mut stage = stage(2_000);
    let (commands, inbox) = (Stage::topic("order.command"), Stage::topic("inbox:strategy-grid-1"));
    stage.start_role("strategy");
    stage.start_role("feed");
    until("the first command", DEADLINE, || stage.store.entries(&commands).pop());
    stage.actor("strategy").process.take().unwrap().stop();
    stage.start_role("gateway");
    let news = until("news of the first order", DEADLINE, || stage.store.entries(&inbox).into_iter().next());
    assert!(news.data["fill"].is_object(), "{news:?}");
    stage.store.ask(&["XDEL", &inbox, &news.id]);
    stage.start_role("strategy");
    stage.finish();
    stage.audit_result().unwrap();
    let fills = stage.store.entries(&Stage::topic("order.fill"));
    let of_it = fills.iter().filter(|fill| fill.data["tradeId"] == news.data["fill"]["tradeId"]);
    assert_eq!(of_it.count(), 1, "the trade is told to outsiders once");
}

/// The gateway's record is gone and is made anew, as the message of `LedgerLost` says: its sub-account goes on where the
/// strategy is, not at the declared capital.
#[test]
fn a_gateway_whose_record_is_lost_goes_on_from_the_strategies() {
    let mut stage = stage(15_000);
    stage.start(None);
    stage.wait_for_ticks(3_000);
    stage.actor("gateway").process.take().unwrap().stop();
    stage.store.ask(&["DEL", &Stage::record("gateway")]);
    let launches = stage.scene.create(stage.scene.manifest(), &stage.redis.url());
    let launch = launches.into_iter().find(|launch| launch.role() == "gateway").expect("a gateway");
    let actor = stage.actor("gateway");
    actor.launch = launch.with("--redis", &actor.proxy.url()).at_speed(None);
    stage.start_role("gateway");
    stage.finish();
    stage.audit_result().unwrap();
    let report = stage.store.field(&Stage::record("strategy-grid-1"), "field:report").unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let ledger = stage.store.field(&Stage::record("strategy-grid-1"), "_ledger").unwrap();
    let book = stage.store.field(&Stage::record("gateway"), &format!("field:book:{ledger}")).unwrap();
    let book: Value = serde_json::from_str(&book).unwrap();
    assert_eq!(book["amounts"], report["position"], "the sub-account and the strategy's position");
}
