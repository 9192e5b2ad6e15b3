//! One replay as pods would run it: a Redis, the ledgers, each role behind its own proxy, and an auditor.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::Value;

use super::{ACCOUNT, DEADLINE, Launch, RoleProcess, Scene, Store, until};
use crate::{proxy::Proxy, redis_server::RedisServer};

/// A replay and its processes.
#[derive(Debug)]
pub struct Stage {
    /// The store.
    pub redis: RedisServer,
    /// An outsider's look into it.
    pub store: Store,
    /// Manifest, data and logs.
    pub scene: Scene,
    /// The strategies, the gateway and the feed, as the ledgers were made.
    pub actors: Vec<Actor>,
    /// How many ticks the data has.
    pub total: u64,
    /// What `backtest` says.
    pub expected: String,
}

/// One role.
#[derive(Debug)]
pub struct Actor {
    /// How it is started; its epoch goes up with it.
    pub launch: Launch,
    /// Between it and Redis.
    pub proxy: Proxy,
    /// Its newest process.
    pub process: Option<RoleProcess>,
}

impl Actor {
    /// Starts it and forgets an earlier process, which must be dead by now.
    pub fn start(&mut self, scene: &Scene) {
        self.process = Some(scene.start(&self.launch));
    }

    /// Its process.
    pub fn process(&self) -> &RoleProcess {
        self.process.as_ref().unwrap_or_else(|| panic!("{} was started", self.launch.owner()))
    }
}

impl Stage {
    /// Makes the ledgers on a new Redis; starts no role.
    pub fn new(scene: Scene, redis_arguments: &[&str]) -> Self {
        let redis = RedisServer::start_with(redis_arguments);
        let expected = scene.backtest();
        let first: Value = expected.lines().next().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
        let total = first["ticks"].as_u64().unwrap_or_else(|| panic!("a backtest has ticks: {expected}"));
        let launches = scene.create(scene.manifest(), &redis.url());
        let mut stage = Self { store: Store::of(&redis), redis, scene, actors: Vec::new(), total, expected };
        stage.add(launches);
        stage
    }

    /// Puts each launch behind a proxy.
    pub fn add(&mut self, launches: Vec<Launch>) {
        for launch in launches {
            let proxy = Proxy::start(self.redis.address());
            let launch = launch.with("--redis", &proxy.url()).at_speed(None);
            self.actors.push(Actor { launch, proxy, process: None });
        }
    }

    /// Starts every role; the feed at this speed, `None` for as fast as its readers.
    pub fn start(&mut self, speed: Option<u64>) {
        for actor in &mut self.actors {
            actor.launch = actor.launch.at_speed(speed);
            actor.start(&self.scene);
        }
    }

    /// Starts the first actor of a role.
    pub fn start_role(&mut self, role: &str) {
        let index = self.actors.iter().position(|actor| actor.launch.role() == role);
        self.actors[index.unwrap_or_else(|| panic!("there is a {role}"))].start(&self.scene);
    }

    /// The first actor of a role.
    pub fn actor(&mut self, role: &str) -> &mut Actor {
        let found = self.actors.iter_mut().find(|actor| actor.launch.role() == role);
        found.unwrap_or_else(|| panic!("there is a {role}"))
    }

    /// The key of an owner's record.
    pub fn record(owner: &str) -> String {
        if owner == "feed" {
            format!("glm:{{default/replay-{ACCOUNT}}}:state:feed")
        } else {
            format!("glm:{{default/{ACCOUNT}}}:state:{owner}")
        }
    }

    /// The key of one of the account's topics.
    pub fn topic(name: &str) -> String {
        format!("glm:{{default/{ACCOUNT}}}:{name}")
    }

    /// The key of the market data.
    pub fn ticks(symbol: &str) -> String {
        format!("glm:{{default/replay-{ACCOUNT}}}:market.tick:{symbol}")
    }

    fn strategies(&self) -> Vec<String> {
        let strategies = self.actors.iter().filter(|actor| actor.launch.role() == "strategy");
        strategies.map(|actor| Self::record(&actor.launch.owner())).collect()
    }

    /// How many ticks the slowest strategy has taken.
    pub fn progress(&mut self) -> u64 {
        let records = self.strategies();
        records.iter().map(|record| self.store.ticks_taken(record)).min().unwrap_or_default()
    }

    /// Waits until the slowest strategy has taken so many ticks.
    pub fn wait_for_ticks(&mut self, ticks: u64) {
        until(&format!("{ticks} of {} ticks; {}", self.total, self.logs()), DEADLINE, || {
            (self.progress() >= ticks).then_some(())
        });
    }

    /// Waits until the slowest strategy has taken so many more ticks than now, or all.
    pub fn wait_for_more_ticks(&mut self, ticks: u64) {
        let ticks = (self.progress() + ticks).min(self.total);
        self.wait_for_ticks(ticks);
    }

    /// Waits until every strategy has said that its data has ended.
    pub fn wait_for_end(&mut self) {
        let records = self.strategies();
        until(&format!("the end of the data; {}", self.logs()), DEADLINE, || {
            records.iter().all(|record| self.store.has_ended(record)).then_some(())
        });
    }

    /// Lets the rest of the data come as fast as its readers: what had to happen in the middle has happened, and the
    /// data is far longer than that needs, for the sake of slow machines.
    pub fn hurry(&mut self) {
        let feed = self.actors.iter().position(|actor| actor.launch.role() == "feed").expect("there is a feed");
        let feed = &mut self.actors[feed];
        if let Some(process) = feed.process.take() {
            process.stop();
        }
        feed.launch = feed.launch.at_speed(None);
        feed.start(&self.scene);
    }

    /// Waits for the end, and asks every role to stop.
    pub fn finish(&mut self) {
        self.wait_for_end();
        self.stop();
    }

    /// Asks every role to stop.
    pub fn stop(&mut self) {
        for actor in &mut self.actors {
            if let Some(process) = actor.process.take() {
                process.stop();
            }
        }
    }

    /// All that the role has logged since its last start; its process need not run any more.
    pub fn logs_of(&self, role: &str) -> String {
        self.scene.log_of(role)
    }

    /// The last lines of every log.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for actor in &self.actors {
            let log = actor.process.as_ref().map(RoleProcess::log).unwrap_or_default();
            let lines: Vec<_> = log.lines().rev().take(3).collect();
            let _ = write!(text, "\n{}: {}", actor.launch.owner(), lines.join("\n  "));
        }
        text
    }

    /// Compares the final ledger with the undisturbed one, and looks for anything doubled or left out.
    pub fn audit(&mut self) -> Result<(), String> {
        self.audit_result()?;
        self.audit_orders()?;
        self.audit_ticks()
    }

    /// The final ledger equals the undisturbed one, byte by byte.
    pub fn audit_result(&mut self) -> Result<(), String> {
        let shown = self.scene.show(&self.redis.url())?;
        if shown == self.expected {
            return Ok(());
        }
        let alerts = self.store.entries(&Self::topic("risk.alert"));
        let alerts: Vec<_> = alerts.iter().rev().take(5).map(|alert| alert.data.to_string()).collect();
        let (expected, alerts) = (&self.expected, alerts.join("\n"));
        Err(format!("the result differs from backtest.\nshown:    {shown}\nbacktest: {expected}\n{alerts}"))
    }

    /// No trade is told twice, and the gateway has seen each order that a strategy made, and no other.
    pub fn audit_orders(&mut self) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for fill in self.store.entries(&Self::topic("order.fill")) {
            let id = fill.data["tradeId"].as_str().unwrap_or_default().to_owned();
            if !ids.insert(id.clone()) {
                return Err(format!("trade {id} stands twice in order.fill"));
            }
        }
        let fields = self.store.ask(&["HGETALL", &Self::record("gateway")]);
        let fields: Vec<_> = fields.items().iter().filter_map(crate::proxy::resp::Frame::text).collect();
        let highest = fields.chunks(2).filter(|pair| pair[0].starts_with("field:highest:"));
        let highest: u64 = highest.filter_map(|pair| pair[1].parse::<u64>().ok()).sum();
        let mut made = 0;
        for record in self.strategies() {
            let engine = self.store.field(&record, "field:engine").unwrap_or_default();
            let engine: Value = serde_json::from_str(&engine).map_err(|error| error.to_string())?;
            made += engine["sequence"].as_u64().ok_or("an engine has a sequence")?;
        }
        if made != highest {
            return Err(format!("the strategies made {made} orders, the gateway has seen {highest}"));
        }
        Ok(())
    }

    /// Every tick was published, once, in order: each market's own, and those of all together.
    fn audit_ticks(&mut self) -> Result<(), String> {
        let streams = self.store.ask(&["KEYS", &Self::ticks("*")]);
        let (mut all, mut numbers) = (0, BTreeSet::new());
        for stream in streams.items().iter().filter_map(crate::proxy::resp::Frame::text) {
            let published = self.store.ever_added(&stream);
            let entries = self.store.entries(&stream);
            let first = published - entries.len() as u64;
            for (expected, entry) in (first..).zip(&entries) {
                let sequence = entry.data["sequence"].as_u64();
                if sequence != Some(expected) {
                    return Err(format!("tick {expected} of {stream} is not where it belongs: {}", entry.data));
                }
                let number = entry.data["sourceSequence"].as_u64().or(sequence);
                if !numbers.insert(number) {
                    return Err(format!("two ticks have one number in the source: {}", entry.data));
                }
            }
            all += published;
        }
        if all != self.total {
            return Err(format!("{all} ticks were published of {}", self.total));
        }
        Ok(())
    }
}
