//! `worker run --redis`: twice at once, interrupted, killed, changed and finished.

use tests::{
    redis_server::RedisServer,
    roles::{DEADLINE, RoleProcess, Scene, Stage, Store, manifest, strategy, until},
};

use crate::scenes::{FENCED, LONG, REFUSED, RUN_PACED, prices, scene};

/// A run on a Redis of its own.
struct Runs {
    redis: RedisServer,
    store: Store,
    scene: Scene,
    count: usize,
}

impl Runs {
    fn new(scene: Scene) -> Self {
        let redis = RedisServer::start_with(&["--appendonly", "yes"]);
        Self { store: Store::of(&redis), redis, scene, count: 0 }
    }

    fn start(&mut self, options: &[&str]) -> RoleProcess {
        self.count += 1;
        let mut arguments = vec!["run", self.scene.manifest().to_str().unwrap(), "--redis"];
        let url = self.redis.url();
        arguments.push(&url);
        arguments.extend(options);
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        self.scene.spawn(&format!("run-{}", self.count), &arguments)
    }

    fn finish(&mut self, options: &[&str]) -> String {
        let run = self.start(options);
        assert_eq!(run.exit_code(), 0, "{}", run.log());
        run.out()
    }

    fn taken(&mut self) -> u64 {
        self.store.ticks_taken(&Stage::record("strategy-grid-1"))
    }

    fn wait_for_ticks(&mut self, ticks: u64) {
        until(&format!("{ticks} ticks"), DEADLINE, || (self.taken() >= ticks).then_some(()));
    }

    fn ledger(&mut self) -> String {
        self.store.field(&Stage::record("strategy-grid-1"), "_ledger").unwrap()
    }

    fn equals_backtest(&self) {
        assert_eq!(self.scene.show(&self.redis.url()).unwrap(), self.scene.backtest());
    }
}

#[test]
fn the_first_of_two_exits_70() {
    let mut runs = Runs::new(scene(LONG));
    let first = runs.start(&RUN_PACED);
    runs.wait_for_ticks(500);
    let second = runs.start(&[]);
    assert_eq!(first.exit_code(), FENCED, "{}", first.log());
    assert!(first.log().contains("fenced"), "{}", first.log());
    assert_eq!(second.exit_code(), 0, "{}", second.log());
    runs.equals_backtest();
}

#[test]
fn interrupted_it_resumes_and_ends_with_the_same_result() {
    let mut runs = Runs::new(scene(LONG));
    for signal in ["TERM", "INT", "KILL", "TERM"] {
        let before = runs.taken();
        let run = runs.start(&RUN_PACED);
        runs.wait_for_ticks(before + 300);
        run.signal(signal);
        let code = run.exit_code();
        assert_eq!(code, if signal == "KILL" { -1 } else { 0 }, "{}", run.log());
        assert!(runs.taken() < LONG, "it was in the middle");
    }
    runs.finish(&[]);
    runs.equals_backtest();
}

#[test]
fn a_finished_replay_prints_its_table_again() {
    let mut runs = Runs::new(scene(1_000));
    let first = runs.finish(&[]);
    let ledger = runs.ledger();
    assert!(first.contains("grid-1"), "{first}");
    assert_eq!(runs.finish(&[]), first);
    assert_eq!(runs.finish(&["--speed", "1"]), first, "there is nothing left to wait for");
    assert_eq!(runs.ledger(), ledger);
    runs.equals_backtest();
}

#[test]
fn an_immutable_field_cannot_change() {
    let mut runs = Runs::new(scene(1_000));
    runs.finish(&[]);
    let ledger = runs.ledger();
    let capital = |grid: &str| strategy("grid-1", grid).replace("USDT: 3000", "USDT: 3001");
    std::fs::write(runs.scene.manifest(), manifest("data.csv", 0, &[capital("1")])).unwrap();
    let refused = runs.start(&[]);
    assert_eq!(refused.exit_code(), REFUSED, "{}", refused.log());
    for word in ["strategy-grid-1", "3000 USDT", "3001 USDT", "--new-ledger"] {
        assert!(refused.log().contains(word), "{word:?} is said: {}", refused.log());
    }
    assert_eq!(runs.ledger(), ledger);

    runs.finish(&["--new-ledger"]);
    assert_ne!(runs.ledger(), ledger);
    runs.equals_backtest();
}

#[test]
fn a_new_ledger_starts_afresh_from_the_middle() {
    let mut runs = Runs::new(scene(3_000));
    let run = runs.start(&["--speed", "1000"]);
    runs.wait_for_ticks(500);
    run.stop();
    let ledger = runs.ledger();
    runs.finish(&["--new-ledger"]);
    assert_ne!(runs.ledger(), ledger);
    runs.equals_backtest();
}

/// A field that may change takes effect where the replay stands.
#[test]
fn a_parameter_can_change_in_the_middle() {
    let mut runs = Runs::new(scene(LONG));
    let run = runs.start(&RUN_PACED);
    runs.wait_for_ticks(500);
    run.stop();
    let ledger = runs.ledger();
    std::fs::write(runs.scene.manifest(), manifest("data.csv", 0, &[strategy("grid-1", "2")])).unwrap();
    runs.finish(&[]);
    assert_eq!(runs.ledger(), ledger);
    assert_eq!(runs.taken(), LONG);
}

#[test]
fn other_data_under_the_same_name_of_a_ledger_is_refused() {
    let mut runs = Runs::new(scene(1_000));
    runs.finish(&[]);
    std::fs::write(runs.scene.manifest().with_file_name("other.csv"), prices(500)).unwrap();
    std::fs::write(runs.scene.manifest(), manifest("other.csv", 0, &[strategy("grid-1", "1")])).unwrap();
    let refused = runs.start(&[]);
    assert_eq!(refused.exit_code(), REFUSED, "{}", refused.log());
    assert!(refused.log().contains("other.csv"), "{}", refused.log());
}

#[test]
fn emptied_in_the_middle_it_ends() {
    let mut runs = Runs::new(scene(LONG));
    let run = runs.start(&RUN_PACED);
    runs.wait_for_ticks(500);
    runs.store.ask(&["FLUSHALL"]);
    assert_eq!(run.exit_code(), REFUSED, "{}", run.log());
    assert!(run.log().contains("LedgerLost"), "{}", run.log());
}

#[test]
fn a_quarantined_strategy_is_no_success() {
    let mut runs = Runs::new(scene(LONG));
    let run = runs.start(&RUN_PACED);
    runs.wait_for_ticks(500);
    runs.store.add(&Stage::topic("inbox:strategy-grid-1"), "{\"clientOrder");
    assert_eq!(run.exit_code(), 1, "{}", run.log());
    assert!(run.out().contains("Quarantined"), "the result is printed all the same: {}", run.out());
    for words in ["ended by a quarantine: ", "grid-1 is quarantined, PoisonInbox: entry ", "XDEL"] {
        assert!(run.log().contains(words), "{words:?} is said: {}", run.log());
    }
    assert!(!run.log().contains("data ended"), "{}", run.log());
}

#[test]
fn a_file_that_was_replaced_in_the_middle_is_refused() {
    let mut runs = Runs::new(scene(LONG));
    let run = runs.start(&RUN_PACED);
    runs.wait_for_ticks(500);
    run.stop();
    for other in [prices(LONG).replace("600.", "601."), prices(100)] {
        std::fs::write(runs.scene.data(), other).unwrap();
        let refused = runs.start(&[]);
        assert_eq!(refused.exit_code(), REFUSED, "{}", refused.log());
        for words in ["data.csv: is not the file that this replay began with", "--new-ledger"] {
            assert!(refused.log().contains(words), "{words:?} is said: {}", refused.log());
        }
    }
    runs.finish(&["--new-ledger"]);
    runs.equals_backtest();
}

/// Anew it would trade on the declared capital once more, beside what its gateway's books hold.
#[test]
fn a_lost_record_is_no_new_strategy() {
    let mut runs = Runs::new(scene(1_000));
    runs.finish(&[]);
    let again = runs.start(&[]);
    assert_eq!(again.exit_code(), 0, "{}", again.log());
    assert!(again.log().contains("goes on where it stood; --new-ledger starts afresh"), "{}", again.log());
    runs.store.ask(&["DEL", &Stage::record("strategy-grid-1")]);
    let refused = runs.start(&[]);
    assert_eq!(refused.exit_code(), REFUSED, "{}", refused.log());
    for words in ["LedgerLost: the store has no record of strategy-grid-1", "--new-ledger"] {
        assert!(refused.log().contains(words), "{words:?} is said: {}", refused.log());
    }
    runs.finish(&["--new-ledger"]);
    runs.equals_backtest();
}

/// The clock of Redis was ahead once, and so is what was written by it. A register is newer than what stands there.
#[test]
fn a_clock_that_was_set_back_refuses_nobody() {
    let mut runs = Runs::new(scene(1_000));
    runs.finish(&[]);
    let ahead = (1_u64 << 42).to_string();
    let registers = ["gateway", "strategy-grid-1"].map(|owner| Stage::topic(&format!("desired:{owner}")));
    let feed = runs.store.ask(&["KEYS", "glm:*:desired:feed"]).items()[0].text().unwrap();
    for register in registers.iter().chain([&feed]) {
        runs.store.ask(&["HSET", register, "token", &ahead]);
    }
    runs.finish(&[]);
    runs.finish(&["--new-ledger"]);
    runs.equals_backtest();
    let token = runs.store.field(&registers[0], "token").unwrap();
    assert!(token > ahead, "{token}");
}

/// A result that is looked at during a run is of one moment: its trades add up to its position.
#[test]
fn a_result_in_the_middle_does_not_contradict_itself() {
    let mut runs = Runs::new(scene(LONG));
    let run = runs.start(&["--speed", "2000"]);
    runs.wait_for_ticks(200);
    let mut looks = 0;
    while run.ended().is_none() && looks < 40 {
        let shown = runs.scene.show(&runs.redis.url()).unwrap();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let mut coins: i64 = 5_000;
        for trade in shown["trades"].as_array().unwrap() {
            let quantity = thousandths(&trade["quantity"]);
            coins += if trade["side"] == "Buy" { quantity } else { -quantity };
        }
        assert_eq!(coins, thousandths(&shown["final"]["position"]["BNB"]), "{shown}");
        looks += 1;
    }
    assert!(looks > 3, "it was looked at");
    if run.ended().is_none() {
        run.stop();
    }
}

/// A decimal string in thousandths; the lot size is one.
fn thousandths(value: &serde_json::Value) -> i64 {
    let text = value.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<3}").parse().unwrap()
}
