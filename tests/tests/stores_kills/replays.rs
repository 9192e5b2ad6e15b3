//! Undisturbed replays through Redis give the trades of `backtest`, at any speed, with latency, with two strategies,
//! and with one that comes later.

use tests::roles::{Scene, Stage, Wave, manifest, strategy, until, wave};

/// Prices that turn often. With latency they turn slower and stray more: some limits are met, some are not.
pub fn prices(ticks: u64, latency_ms: u32) -> String {
    let (period, noise_cents) = if latency_ms == 0 { (120, 60) } else { (400, 240) };
    wave(Wave { ticks, period, noise_cents, seed: 7 })
}

/// One strategy on a wave.
pub fn one_strategy(ticks: u64, latency_ms: u32) -> Scene {
    Scene::new(&manifest("data.csv", latency_ms, &[strategy("grid-1", "1")]), &prices(ticks, latency_ms))
}

/// Two on one account.
pub fn two_strategies(ticks: u64, latency_ms: u32) -> Scene {
    let strategies = [strategy("grid-1", "1"), strategy("grid-2", "2")];
    Scene::new(&manifest("data.csv", latency_ms, &strategies), &prices(ticks, latency_ms))
}

/// How many trades a result has, in all lines.
pub fn trades(result: &str) -> usize {
    result.matches("\"index\":").count()
}

fn undisturbed(scene: Scene, speed: Option<u64>) {
    let mut stage = Stage::new(scene, &[]);
    assert!(trades(&stage.expected) > 20, "the market moves: {}", stage.expected);
    stage.start(speed);
    stage.finish();
    stage.audit().unwrap();
}

#[test]
fn as_fast_as_the_readers_are() {
    undisturbed(one_strategy(6_000, 0), None);
}

#[test]
fn a_thousand_times_as_fast_as_it_happened() {
    undisturbed(one_strategy(2_500, 0), Some(1_000));
}

#[test]
fn faster_than_the_readers_are() {
    undisturbed(one_strategy(2_500, 0), Some(1_000_000));
}

#[test]
fn with_latency() {
    undisturbed(one_strategy(6_000, 2_500), None);
}

#[test]
fn with_latency_at_a_thousand_times_the_speed() {
    undisturbed(one_strategy(2_500, 1_500), Some(1_000));
}

#[test]
fn two_strategies_on_one_account() {
    undisturbed(two_strategies(4_000, 0), None);
}

#[test]
fn two_strategies_with_latency() {
    undisturbed(two_strategies(4_000, 2_500), None);
}

/// The data ends on the tick of an order, and the gateway comes late: the order is not forgotten.
#[test]
fn an_order_on_the_last_tick_trades() {
    let whole = one_strategy(1_000, 0).backtest();
    let (_, first) = whole.split_once("\"index\":").unwrap();
    let first: u64 = first.split(',').next().unwrap().parse().unwrap();
    let mut stage = Stage::new(one_strategy(first + 1, 0), &[]);
    assert_eq!(trades(&stage.expected), 1);
    for actor in stage.actors.iter_mut().filter(|actor| actor.launch.role() != "gateway") {
        actor.start(&stage.scene);
    }
    stage.wait_for_ticks(first + 1);
    assert!(!stage.store.has_ended(&Stage::record("strategy-grid-1")), "an order is still open");
    let shown = stage.scene.show_whole(&stage.redis.url()).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let open = &shown["openOrders"][0];
    let words = ["symbol", "filled", "status"].map(|field| open[field].as_str().unwrap());
    assert_eq!(words, ["BNB/USDT", "0", "Committed"], "{shown}");
    assert!(open["clientOrderId"].is_string() && open["price"].is_string() && open["quantity"].is_string(), "{shown}");
    assert_eq!(shown["openOrders"].as_array().unwrap().len(), 1);
    stage.start_role("gateway");
    stage.finish();
    stage.audit().unwrap();
}

/// An order whose latency is not over when the data ends can never trade: the end does not wait for it.
#[test]
fn an_order_past_the_end_of_the_data_is_not_waited_for() {
    let whole = one_strategy(1_000, 0).backtest();
    let (_, first) = whole.split_once("\"index\":").unwrap();
    let first: u64 = first.split(',').next().unwrap().parse().unwrap();
    let strategies = [strategy("grid-1", "1")];
    let scene = Scene::new(&manifest("data.csv", 60_000, &strategies), &prices(first + 10, 0));
    let mut stage = Stage::new(scene, &[]);
    assert_eq!(trades(&stage.expected), 0);
    stage.start(None);
    stage.finish();
    stage.audit().unwrap();
}

#[test]
fn a_later_strategy_does_not_disturb_the_first() {
    let mut stage = Stage::new(one_strategy(12_000, 0), &[]);
    // 24 seconds of data, so that the later one comes in the middle on a slow machine too.
    stage.start(Some(500));
    stage.wait_for_ticks(500);
    let both = manifest("data.csv", 0, &[strategy("grid-1", "1"), strategy("grid-2", "2")]);
    let both = stage.scene.other_manifest("both.yaml", &both);
    let launches = stage.scene.create(&both, &stage.redis.url());
    stage.add(launches.into_iter().filter(|launch| launch.owner() == "strategy-grid-2").collect());
    let first = stage.store.ticks_taken(&Stage::record("strategy-grid-1"));
    until("the first strategy to go on while the later one is not started", tests::roles::DEADLINE, || {
        (stage.store.ticks_taken(&Stage::record("strategy-grid-1")) > first + 1_500).then_some(())
    });
    let later = stage.actors.last_mut().unwrap();
    later.start(&stage.scene);
    until("the later one to trade beside the first", tests::roles::DEADLINE, || {
        let later = stage.store.field(&Stage::record("strategy-grid-2"), "field:report")?;
        (later.contains("\"filled\":") && !later.contains("\"filled\":0")).then_some(())
    });
    stage.hurry();
    stage.finish();
    stage.audit().unwrap();
}
