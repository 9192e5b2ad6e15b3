//! Both stores over the same random calls: every outcome is the same but for ids and ledgers.

use std::collections::BTreeSet;

use bus::{
    Closing, Commit, CommitOutcome, CreateOutcome, Desired, Fields, Lease, MemoryBus, Message, MessageBus, Published,
    Record, RedisBus, RegisterVersion, StateStore, StreamId, StreamKey, Topic,
};
use tests::redis_server::RedisServer;

use crate::store::{contents, owner, stream};

const STEPS: usize = 600;
const SEEDS: [u64; 4] = [1, 7, 42, 2024];
/// What the calls must have led to, or the comparison says little.
const MET: [&str; 15] = [
    "Acquired",
    "Applied",
    "Beaten",
    "Busy",
    "Closed",
    "Committed",
    "Conflict",
    "Created",
    "Duplicate",
    "Exists",
    "Fenced",
    "Missing",
    "None",
    "Older",
    "OtherLedger",
];

/// Numbers from a seed, the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        // Knuth's multiplier; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A store and what only it knows: its ledgers by number, so that both sides can be compared.
struct Side<B> {
    bus: B,
    ledgers: Vec<String>,
}

impl<B: MessageBus + StateStore> Side<B> {
    fn new(bus: B) -> Self {
        Self { bus, ledgers: vec!["000000".to_owned()] }
    }

    /// The ledger's number in place of its random name.
    fn named(&self, text: &str) -> String {
        let numbered = self.ledgers.iter().enumerate();
        numbered.fold(text.to_owned(), |text, (number, ledger)| text.replace(ledger, &format!("L{number}")))
    }

    fn ledger(&self, dice: &mut Dice) -> String {
        // Mostly the newest, at times a past one or a stranger's.
        let back = if dice.below(8) == 0 { dice.below(self.ledgers.len() as u64) } else { 0 };
        self.ledgers.iter().rev().nth(usize::try_from(back).unwrap()).unwrap().clone()
    }

    async fn step(&mut self, dice: &mut Dice) -> String {
        let outcome = match dice.below(20) {
            0 => {
                let fields = Fields::from([("born".to_owned(), dice.below(9).to_string().into())]);
                let outcome = self.bus.create(&owner(), "uid", &fields).await.unwrap();
                if let CreateOutcome::Created { ledger } = &outcome {
                    self.ledgers.push(ledger.clone());
                }
                format!("{outcome:?}")
            }
            1 => {
                let drop = [draw_stream(dice)];
                let closing = Closing { drop: &drop[..usize::try_from(dice.below(2)).unwrap()], keep: &["a", "born"] };
                format!("{:?}", self.bus.close(&owner(), &self.ledger(dice), closing).await.unwrap())
            }
            2..5 => {
                // Cursors in it are equal on both sides: the commits below set only made-up ones.
                format!("{:?}", self.bus.acquire(&owner(), &self.ledger(dice), dice.below(12)).await.unwrap())
            }
            5..15 => self.commit(dice).await,
            15 => {
                let lease = self.lease(dice, self.bus.record(&owner()).await.unwrap().as_ref());
                format!("{:?}", self.bus.beat(&lease).await.unwrap())
            }
            16 => {
                let desired = Desired {
                    generation: dice.below(4),
                    token: dice.below(4),
                    value: dice.below(3).to_string().into(),
                };
                format!("{:?}", self.bus.set_desired(&owner(), &desired).await.unwrap())
            }
            17 => match self.bus.publish(&draw_message(dice)).await.unwrap() {
                Published::Appended(_) => "appended".to_owned(),
                Published::Busy => "busy".to_owned(),
            },
            18 => format!("{:?}", self.record().await),
            _ => {
                let (key, place) = (draw_stream(dice), dice.below(6));
                let id = self.place(&key, place).await;
                self.bus.trim(&key, id).await.unwrap();
                format!("{:?}", contents(&self.bus, &key).await)
            }
        };
        self.named(&outcome)
    }

    /// The id of the n-th entry: the same entry on both sides, under different ids.
    async fn place(&self, key: &StreamKey, place: u64) -> StreamId {
        let entries = self.bus.range(key, StreamId::ZERO, StreamId::MAX, 100).await.unwrap();
        entries.get(usize::try_from(place).unwrap()).map_or(StreamId::ZERO, |entry| entry.id)
    }

    /// The record, with whether its times are known in place of them.
    async fn record(&self) -> Option<Record> {
        let known = |ms: u64| u64::from(ms > 0);
        let record = self.bus.record(&owner()).await.unwrap()?;
        Some(Record { at_ms: known(record.at_ms), beat_ms: known(record.beat_ms), ..record })
    }

    /// A lease of which each part is mostly right: then all outcomes are met.
    fn lease(&self, dice: &mut Dice, record: Option<&Record>) -> Lease {
        let (epoch, incarnation) = record.map_or((1, 1), |record| (record.epoch, record.incarnation));
        let (epoch, incarnation) = (near(dice, epoch), near(dice, incarnation));
        Lease { owner: owner(), ledger: self.ledger(dice), epoch, incarnation }
    }

    async fn commit(&mut self, dice: &mut Dice) -> String {
        let record = self.bus.record(&owner()).await.unwrap();
        let lease = self.lease(dice, record.as_ref());
        let expected_version = near(dice, record.as_ref().map_or(0, |record| record.version));
        let (trimmed, place) = (draw_stream(dice), dice.below(6));
        let names = ["a", "b", "c", "d"];
        let name = |dice: &mut Dice| names[usize::try_from(dice.below(4)).unwrap()].to_owned();
        let commit = Commit {
            expected_version,
            commit_id: format!("c{}", dice.below(3)),
            cursors: vec![(draw_stream(dice), StreamId::new(dice.below(99), dice.below(9)))],
            delete: (0..dice.below(3)).map(|_| name(dice)).collect(),
            set: (0..dice.below(3)).map(|_| (name(dice), dice.below(99).to_string().into())).collect(),
            messages: (0..dice.below(4)).map(|_| draw_message(dice)).collect(),
            trims: vec![(trimmed.clone(), self.place(&trimmed, place).await)],
            judged: dice.below(4) == 0,
            followed: (dice.below(2) == 0).then(|| RegisterVersion { generation: dice.below(9), token: 1 }),
            owned: if dice.below(4) == 0 { vec![draw_stream(dice)] } else { Vec::new() },
        };
        let outcome = self.bus.commit(&lease, &commit).await.unwrap();
        if let CommitOutcome::Committed { version, ids, register } = &outcome {
            return format!("Committed {version} {} {register:?}", ids.len());
        }
        format!("{outcome:?}")
    }

    async fn everything(&self) -> String {
        let mut text = format!("{:?} {:?}", self.record().await, self.bus.desired(&owner()).await);
        for topic in Topic::ALL {
            text.push('\n');
            text.extend(contents(&self.bus, &stream(topic)).await);
        }
        self.named(&text)
    }
}

/// The value itself, or at times one beside it.
fn near(dice: &mut Dice, value: u64) -> u64 {
    if dice.below(8) == 0 { (value + 1).saturating_sub(dice.below(3)) } else { value }
}

fn draw_stream(dice: &mut Dice) -> StreamKey {
    stream([Topic::OrderCommand, Topic::OrderFill, Topic::Report][usize::try_from(dice.below(3)).unwrap()])
}

fn draw_message(dice: &mut Dice) -> Message {
    let message = Message::new(draw_stream(dice), 1, dice.below(1000).to_string());
    if dice.below(2) == 0 { message.with_bound(5 + dice.below(10)) } else { message }
}

#[tokio::test]
async fn random_calls_have_the_same_outcomes() {
    let mut met = BTreeSet::new();
    for seed in SEEDS {
        let server = RedisServer::start();
        let mut memory = Side::new(MemoryBus::new());
        let mut redis = Side::new(RedisBus::open(&server.url()).unwrap());
        let (mut left, mut right) = (Dice(seed), Dice(seed));
        for step in 0..STEPS {
            let (expected, found) = (memory.step(&mut left).await, redis.step(&mut right).await);
            assert_eq!(found, expected, "seed {seed}, step {step}");
            met.extend(found.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned));
        }
        assert_eq!(redis.everything().await, memory.everything().await, "seed {seed}");
    }
    for word in MET {
        assert!(met.contains(word), "{word} was never met: {met:?}");
    }
}
