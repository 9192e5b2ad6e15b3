//! Memory runs full under trade: no order is lost, nobody is asked, and the results are those of `backtest`.

use std::time::Duration;

use bus::{Keys, Message, MessageBus, RedisBus, Scope, Topic};
use tests::{
    redis_server::RedisServer,
    roles::{Scene, Stage, until},
};

use crate::fleet::{accounts, busy, lines, used};

/// Long enough for a slow machine with every pause that full memory costs.
const DEADLINE: Duration = Duration::from_mins(3);

/// The accounts' streams for outsiders are full of what was traded before, and so is memory. Before streams were
/// shortened, all of them stood still for good.
#[tokio::test]
async fn several_accounts_trade_on_when_memory_is_full() {
    let names = ["account-1", "account-2", "account-3"].map(str::to_owned);
    let scene = Scene::new(&accounts(&names, 1), &busy(600));
    let redis = RedisServer::start();
    let bus = RedisBus::open(&redis.url()).unwrap();
    for name in &names {
        let account = Scope::account("default", name).unwrap();
        for topic in [Topic::StrategySignal, Topic::PositionUpdate] {
            let old = Message::new(Keys::new("glm").unwrap().topic(&account, topic), 1, "x".repeat(500));
            for _ in 0..topic.bounds().entries {
                bus.publish(&old).await.unwrap();
            }
        }
    }
    // Enough for the records and the first ticks.
    let limit = used(&redis) + 600_000;
    redis.cli(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    let (url, file) = (redis.url(), scene.manifest().to_str().unwrap());
    let arguments = ["run", file, "--redis", url.as_str()].map(str::to_owned);
    let run = scene.spawn("run", &arguments);
    until(&format!("the end of {file}, with {limit} bytes"), DEADLINE, || {
        run.ended().map(|code| assert_eq!(code, 0, "{}", run.log()))
    });
    assert!(run.log().contains("RedisMemoryFull"), "memory ran full: {} of {limit}", used(&redis));
    // The trades are what is shortened last.
    assert_eq!(scene.show(&url).unwrap(), scene.backtest());
}

/// A result whose oldest trades are gone says how many, and is the same else.
#[test]
fn trades_that_are_gone_are_counted() {
    let mut stage = Stage::new(Scene::new(&accounts(&["paper".to_owned()], 1), &busy(400)), &[]);
    stage.start(None);
    stage.finish();
    stage.audit_result().unwrap();
    stage.store.ask(&["XTRIM", &Stage::topic("order.fill"), "MAXLEN", "9"]);
    let shown = lines(&stage.scene.show(&stage.redis.url()).unwrap());
    let mut expected = lines(&stage.expected);
    let trades = expected[0]["trades"].as_array_mut().unwrap();
    let gone = trades.len() - 9;
    trades.drain(..gone);
    expected[0]["tradesMissing"] = gone.into();
    assert_eq!(shown, expected);
}

/// Memory is full of what an account holds that has come to rest: its roles make room for the others, and all of them
/// say what they wait for.
#[test]
fn who_is_at_rest_makes_room_too() {
    let mut stage = Stage::new(Scene::new(&accounts(&["paper".to_owned()], 1), &busy(1_200)), &[]);
    for actor in &mut stage.actors {
        actor.launch = actor.launch.with_admin();
    }
    stage.start(None);
    stage.wait_for_end();
    let before = used(&stage.redis);
    stage.store.ask(&["CONFIG", "SET", "maxmemory", &(before - 150_000).to_string()]);
    until("memory to be below its limit", DEADLINE, || (used(&stage.redis) < before - 150_000).then_some(()));
    for actor in &stage.actors {
        actor.process().ready();
    }
    // With no room to make they say so, all of them, also those that have nothing to commit.
    stage.store.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    for actor in &stage.actors {
        let text = actor.process().not_ready("RedisMemoryFull");
        assert!(text.contains("raise maxmemory"), "{text}");
    }
    stage.store.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    for actor in &stage.actors {
        actor.process().ready();
    }
    stage.stop();
}
