//! Two hundred `kill -9` of strategy, gateway and feed at random moments of replays: the final ledger equals the
//! undisturbed one. A run is drawn from a seed, which is printed; `SEED=n` runs that one.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    path::Path,
    time::{Instant, SystemTime},
};

use engine::testkit::quoting::Chance;
use tests::{
    proxy::Phase,
    roles::{DEADLINE, Scene, Stage, manifest, until},
};

use crate::replays::{one_strategy, trades, two_strategies};

/// Seeds that once failed, or were drawn at a moment worth keeping: always run first, with few kills.
const KEPT_SEEDS: &[u64] = &[1];
/// Kills in a run of a kept seed.
const KEPT_KILLS: usize = 10;
/// How far the feed may be ahead, and a commit's batch: nearer to the end it has nothing left to do.
const FEED_IS_DONE: u64 = 1_600;

/// A kill comes at most at so many-th moment of its phase.
const COUNT_MAX: u64 = 3;

/// Kills by role and phase.
pub type Table = BTreeMap<(String, Phase), usize>;

/// One replay with kills.
struct Run<'a> {
    stage: Stage,
    random: &'a mut Chance,
    table: &'a mut Table,
}

impl Run<'_> {
    /// Kills so many times, spread over the replay, then waits for its end. How many kills there were: on a slow
    /// machine, a process may have come to the end of its data before its moment.
    fn play(&mut self, kills: usize, speed: Option<u64>) -> usize {
        self.stage.start(speed);
        let mut done = 0;
        for kill in 0..kills {
            // From 2 to 80 per cent, so that each of them has something left to die of.
            let from = self.stage.total * (2 * kills as u64 + 78 * kill as u64) / (100 * kills as u64);
            self.stage.wait_for_ticks(from);
            if !self.kill() {
                break;
            }
            done += 1;
        }
        self.stage.finish();
        done
    }

    /// One kill, and the start of the successor: no role is ready yet when it may be killed again. `false`: the replay
    /// came to its end instead.
    fn kill(&mut self) -> bool {
        let taken = self.stage.progress();
        let feed_is_done = taken + FEED_IS_DONE > self.stage.total;
        let able: Vec<usize> = (0..self.stage.actors.len())
            .filter(|index| match self.stage.actors[*index].launch.role() {
                "feed" => !feed_is_done,
                "gateway" => trades_after(&self.stage.expected, taken) >= 2 * COUNT_MAX,
                _ => true,
            })
            .collect();
        let index = self.random.pick(&able);
        let phase = self.phase(index);
        // A gateway commits once an order, the others every few hundred ticks.
        let nth = 1 + self.random.below(COUNT_MAX);
        let epoch = self.stage.actors[index].launch.epoch() + self.random.below(2);

        let actor = &self.stage.actors[index];
        let what = format!("{} comes to {phase:?}, the {nth} from {taken} ticks on", actor.launch.owner());
        actor.proxy.arm(phase, u32::try_from(nth).expect("small"), actor.process().killer());
        until(&format!("{what}: {}", self.stage.logs()), DEADLINE, || {
            let over = self.stage.progress() == self.stage.total;
            (over || self.stage.actors[index].proxy.has_sprung()).then_some(())
        });
        let proxy = &self.stage.actors[index].proxy;
        if proxy.disarm() {
            return false;
        }
        assert!(proxy.wait_until_sprung(DEADLINE), "{what}, and does not end");

        let percent = 100 * self.stage.progress() / self.stage.total;
        let actor = &mut self.stage.actors[index];
        let role = actor.launch.role().to_owned();
        actor.launch = actor.launch.at_epoch(epoch);
        actor.start(&self.stage.scene);
        assert!(percent >= 1, "{what}, killed at {percent} %");
        if percent >= 99 {
            return false;
        }
        *self.table.entry((role, phase)).or_default() += 1;
        true
    }

    /// One of the phases in which the actor's role was killed least.
    fn phase(&mut self, index: usize) -> Phase {
        let role = self.stage.actors[index].launch.role();
        let kills = |phase: Phase| self.table.get(&(role.to_owned(), phase)).copied().unwrap_or_default();
        let least = Phase::ALL.map(kills).into_iter().min().unwrap_or_default();
        let phases: Vec<Phase> = Phase::ALL.into_iter().filter(|phase| kills(*phase) == least).collect();
        self.random.pick(&phases)
    }
}

fn candles() -> Scene {
    let name = "btcusdt-1h-2020q2.csv.gz";
    let data = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)).unwrap();
    let grid = "apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: grid-btc-1}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BTC/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.00001\"}}]
  capital: {USDT: 3000, BTC: \"0.34\"}
  strategy: {grid: {gridSizePercent: \"0.5\", orderPercent: 5}}
";
    Scene::with_file(&manifest(name, 0, &[grid.to_owned()]), name, &data)
}

/// How many trades a result has after a tick.
fn trades_after(result: &str, tick: u64) -> u64 {
    let indices = result.split("\"index\":").skip(1).filter_map(|rest| rest.split(',').next()?.parse::<u64>().ok());
    indices.filter(|index| *index > tick).count() as u64
}

/// A name, what is replayed for a seed, how fast, and how many kills.
pub type Replay = (&'static str, fn(u64) -> Scene, Option<u64>, usize);

/// The replays of a run: how fast, and each one's share of the kills. The short one is slowed, to be alive that often.
fn replays(kills: usize) -> Vec<Replay> {
    let rest = kills - 3 * (kills * 32 / 100);
    vec![
        ("one strategy", |_| one_strategy(22_000, 0), None, kills * 32 / 100),
        ("latency", |_| one_strategy(18_000, 2_500), None, kills * 32 / 100),
        ("two strategies with latency", |_| two_strategies(14_000, 1_500), None, kills * 32 / 100),
        ("candles of BTC", |_| candles(), Some(1_300_000), rest),
    ]
}

/// Plays replays with kills; gives the kills, and what each replay had to give.
fn run(seed: u64, replays: Vec<Replay>) -> (Table, Vec<String>) {
    println!("seed {seed}");
    let (mut random, mut table, mut results) = (Chance::of(seed), Table::new(), Vec::new());
    for (name, scene, speed, kills) in replays {
        let (mut left, mut unharmed) = (kills, 0);
        while left > 0 {
            let begun = Instant::now();
            let scene = scene(random.below(1 << 16));
            let mut run = Run { stage: Stage::new(scene, &[]), random: &mut random, table: &mut table };
            let killed = run.play(left, speed);
            let stage = &mut run.stage;
            if let Err(problem) = stage.audit() {
                panic!("SEED={seed}, {name}, {killed} kills: {problem}");
            }
            let (ticks, trades) = (stage.total, trades(&stage.expected));
            println!(
                "  {name}: {ticks} ticks, {trades} trades, {killed} kills, {:.1} s",
                begun.elapsed().as_secs_f64()
            );
            a_false_fill_is_seen(stage, seed);
            // On a busy machine one may be over before its first kill comes; not one after the other.
            unharmed = if killed > 0 { 0 } else { unharmed + 1 };
            assert!(unharmed < 5, "{name} is too short for a kill");
            left -= killed;
            results.push(stage.expected.clone());
        }
    }
    (table, results)
}

/// The negative control: the comparison must notice one altered fill, and one that is gone.
fn a_false_fill_is_seen(stage: &mut Stage, seed: u64) {
    let stream = Stage::topic("order.fill");
    let fills = stage.store.entries(&stream).len() as u64;
    let index = usize::try_from(Chance::of(seed).below(fills)).expect("small");
    let mut before = serde_json::Value::Null;
    stage.store.alter(&stream, index, |fill| {
        before = fill["quantity"].clone();
        fill["quantity"] = "0.777".into();
    });
    let problem = stage.audit().expect_err("an altered fill makes the comparison fail");
    assert!(problem.contains("0.777"), "{problem}");
    stage.store.alter(&stream, index, |fill| fill["quantity"] = before);
    stage.audit().expect("the fill is as it was");
    let id = stage.store.entries(&stream)[index].id.clone();
    stage.store.ask(&["XDEL", &stream, &id]);
    stage.audit().expect_err("a fill that is gone makes the comparison fail");
}

fn print(table: &Table) {
    let mut text = format!("{:<10}", "kills");
    for phase in Phase::ALL {
        let _ = write!(text, "{:>14}", format!("{phase:?}"));
    }
    for role in ["strategy", "gateway", "feed"] {
        let _ = write!(text, "\n{role:<10}");
        for phase in Phase::ALL {
            let _ = write!(text, "{:>14}", table.get(&(role.to_owned(), phase)).copied().unwrap_or_default());
        }
    }
    println!("{text}");
}

/// Plays the replays with so many kills, by the seed of `SEED`; without it the seeds that are kept first, with few kills, and
/// then one that no run before had.
pub fn play(kept: &[u64], kept_kills: usize, replays: fn(usize) -> Vec<Replay>, kills: usize) -> (Table, Vec<String>) {
    let given = env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
    let seed = given.unwrap_or_else(|| {
        for seed in kept {
            run(*seed, replays(kept_kills));
        }
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs()
    });
    let (table, results) = run(seed, replays(kills));
    print(&table);
    assert_eq!(table.values().sum::<usize>(), kills);
    (table, results)
}

#[test]
fn two_hundred_kills_change_nothing() {
    let (table, _) = play(KEPT_SEEDS, KEPT_KILLS, replays, 200);
    for role in ["strategy", "gateway", "feed"] {
        for phase in Phase::ALL {
            let kills = table.get(&(role.to_owned(), phase)).copied().unwrap_or_default();
            assert!(kills > 0, "{role} was never killed in {phase:?}");
        }
    }
}
