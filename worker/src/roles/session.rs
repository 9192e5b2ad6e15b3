//! A lease on a record, and the one way to change it: a fenced commit that is repeated, identical, until its
//! outcome is known. Never trades on after a lost fence; never gives up because the store is away.

use std::time::{Duration, Instant};

use bus::{
    AcquireOutcome, Acquired, Backoff, BeatOutcome, BusError, Commit, CommitOutcome, Failure, Keys, Lease, Message,
    Owner, RegisterVersion, Scope, StreamId, StreamKey, Topic,
};

use crate::process::shutdown::Shutdown;
use crate::roles::{Bus, IDLE, Runtime, Stop};

/// The reason when memory is full, as [`BusError::reason`] has it.
const MEMORY_FULL: &str = "RedisMemoryFull";
/// After so long without full memory, streams are shortened gently again.
const ROOMY_AFTER: Duration = Duration::from_mins(1);
/// A role that has lived so long before a conflict is not in a circle of them.
const STEADY_AFTER: Duration = Duration::from_mins(1);

/// An owner at work.
#[derive(Debug)]
pub struct Session<B> {
    runtime: Runtime<B>,
    lease: Lease,
    version: u64,
    /// Counts the different changes that were tried at this version.
    attempt: u64,
    /// Up to where its streams are trimmed.
    trimmed: Trimmed,
    /// What the store last said that the register holds.
    register: Option<RegisterVersion>,
    /// What this owner follows of it.
    followed: Option<RegisterVersion>,
    /// When it last gave a sign of life.
    seen: Instant,
    /// Streams of its own, told with the next commit.
    owned: Vec<StreamKey>,
    /// Streams for outsiders that it may shorten when memory is full.
    spare: Vec<(StreamKey, Topic)>,
    /// How often memory was found full lately, and when last.
    full: (u32, Option<Instant>),
    /// Whether it says that memory is full, though nothing of its own waits for room.
    says_full: bool,
}

/// Up to where streams were trimmed, each once. Others only append to them: what is gone stays so.
#[derive(Debug, Default)]
struct Trimmed(Vec<(StreamKey, StreamId)>);

impl Trimmed {
    /// What there is to do of these: a commit without a stream costs the server less than one that changes nothing of it.
    fn left_of(&self, mut trims: Vec<(StreamKey, StreamId)>) -> Vec<(StreamKey, StreamId)> {
        trims.retain(|trim| !self.0.contains(trim));
        trims
    }

    /// These are stored.
    fn reach(&mut self, trims: Vec<(StreamKey, StreamId)>) {
        for (stream, up_to) in trims {
            self.0.retain(|(known, _)| *known != stream);
            self.0.push((stream, up_to));
        }
    }
}

/// One change of an owner's record.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Cursors to set.
    pub cursors: Vec<(StreamKey, StreamId)>,
    /// Fields to set.
    pub set: Vec<(String, String)>,
    /// Fields to remove.
    pub delete: Vec<String>,
    /// Messages to append.
    pub messages: Vec<Message>,
    /// Streams of this owner's own to trim, up to and including the id.
    pub trims: Vec<(StreamKey, StreamId)>,
    /// It says what was judged by the register that is followed, and is not stored where there is another one.
    pub judged: bool,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is stored.
    Stored,
    /// This stream, to which it writes, is at its bound; nothing is stored.
    Busy(StreamKey),
}

impl<B: Bus> Session<B> {
    /// Takes the lease, waiting for the store as long as it takes.
    pub async fn acquire(runtime: &Runtime<B>, owner: &Owner) -> Result<(Self, Acquired), Stop> {
        let ledger = &runtime.identity.ledger;
        let mut patience = Patience::new(runtime);
        let outcome = loop {
            match runtime.bus.acquire(owner, ledger, runtime.identity.epoch).await {
                Ok(outcome) => break outcome,
                Err(error) => patience.endure(error).await?,
            }
        };
        let name = owner.name().to_owned();
        match outcome {
            AcquireOutcome::Acquired(acquired) => {
                runtime.health.leased(acquired.lease.epoch, acquired.lease.incarnation);
                let (lease, version) = (acquired.lease.clone(), acquired.version);
                if version == u64::MAX {
                    let problem = "its version cannot be counted up any more".to_owned();
                    return Err(Stop::Record { owner: name, problem });
                }
                let mut session = Self {
                    runtime: runtime.clone(),
                    lease,
                    version,
                    attempt: 0,
                    trimmed: Trimmed::default(),
                    register: None,
                    // A new process reads the register, whatever the one before it followed.
                    followed: None,
                    seen: Instant::now(),
                    owned: Vec::new(),
                    spare: Vec::new(),
                    full: (0, None),
                    says_full: false,
                };
                session.shortens(&runtime.identity.keys, owner.scope());
                Ok((session, acquired))
            }
            AcquireOutcome::Fenced { epoch } => Err(Stop::Fenced { newer: format!("epoch {epoch} of {name}") }),
            AcquireOutcome::Missing => Err(Stop::LedgerLost { owner: name }),
            AcquireOutcome::OtherLedger { ledger: found } => {
                Err(Stop::LedgerFound { owner: name, found, expected: ledger.clone() })
            }
            AcquireOutcome::Closed => Err(Stop::LedgerClosed { owner: name, ledger: ledger.clone() }),
        }
    }

    /// The version of the record.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Whether nothing was committed or beaten for as long as an idle owner waits at most.
    pub fn is_silent(&self) -> bool {
        self.seen.elapsed() >= IDLE
    }

    /// Whether the register holds something else than what this owner follows. The nudge that told of it may be
    /// lost; the store tells with each commit and beat. One that was lost and made anew may be numbered lower; one that
    /// is gone says nothing.
    pub fn register_is_news(&self) -> bool {
        self.register.is_some() && self.register != self.followed
    }

    /// The owner follows this version of its register from the next commit on; `None`: it has none.
    pub const fn follow(&mut self, version: Option<RegisterVersion>) {
        self.followed = version;
    }

    /// These streams are this owner's alone and go with its ledger; said with the next commit.
    pub fn own(&mut self, streams: impl IntoIterator<Item = StreamKey>) {
        self.owned.extend(streams);
    }

    /// When memory is full, this owner shortens the account's streams for outsiders.
    pub fn shortens(&mut self, keys: &Keys, account: &Scope) {
        self.spare = Topic::FOR_OUTSIDERS.map(|topic| (keys.topic(account, topic), topic)).to_vec();
    }

    /// Stores a change, waiting for the store as long as it takes.
    pub async fn commit(&mut self, change: Change) -> Result<Done, Stop> {
        let commit = Commit {
            expected_version: self.version,
            // Names this change and no other: after a refusal for want of room another change is tried at the same
            // version, while the first may still be on its way.
            commit_id: format!("{}.{}.{}.{}", self.lease.epoch, self.lease.incarnation, self.version, self.attempt),
            cursors: change.cursors,
            delete: change.delete,
            set: change.set.into_iter().map(|(name, value)| (name, value.into())).collect(),
            messages: change.messages,
            trims: self.trimmed.left_of(change.trims),
            followed: self.followed,
            judged: change.judged,
            owned: self.owned.clone(),
        };
        let mut patience = Patience::new(&self.runtime);
        let outcome = loop {
            match self.runtime.bus.commit(&self.lease, &commit).await {
                Ok(outcome) => break outcome,
                Err(error) => {
                    if error.failure() == Some(Failure::MemoryFull) {
                        self.free_memory().await;
                    }
                    patience.endure(error).await?;
                }
            }
        };
        self.judge(outcome, commit)
    }

    /// A sign of life from who has nothing to commit; it is told what a commit would be told.
    pub async fn beat(&mut self) -> Result<(), Stop> {
        let runtime = self.runtime.clone();
        let owner = self.lease.owner.name().to_owned();
        match patiently(&runtime, || runtime.bus.beat(&self.lease)).await? {
            BeatOutcome::Beaten { version, register, full } => {
                (self.register, self.seen) = (register, Instant::now());
                self.judge_room(full).await;
                if version == self.version { Ok(()) } else { Err(Stop::Conflict) }
            }
            BeatOutcome::Fenced { epoch, incarnation } => Err(fenced(epoch, incarnation, &owner)),
            BeatOutcome::Missing => Err(Stop::LedgerLost { owner }),
            BeatOutcome::OtherLedger { ledger } => Err(self.other_ledger(owner, ledger)),
            BeatOutcome::Closed => Err(self.closed(owner)),
        }
    }

    fn other_ledger(&self, owner: String, found: String) -> Stop {
        Stop::LedgerFound { owner, found, expected: self.lease.ledger.clone() }
    }

    fn closed(&self, owner: String) -> Stop {
        Stop::LedgerClosed { owner, ledger: self.lease.ledger.clone() }
    }

    fn judge(&mut self, outcome: CommitOutcome, commit: Commit) -> Result<Done, Stop> {
        let owner = self.lease.owner.name().to_owned();
        match outcome {
            CommitOutcome::Committed { register, .. } | CommitOutcome::Duplicate { register } => {
                (self.version, self.attempt, self.register) = (commit.expected_version + 1, 0, register);
                self.seen = Instant::now();
                self.runtime.health.committed();
                self.trimmed.reach(commit.trims);
                self.owned.clear();
                self.has_room();
                Ok(Done::Stored)
            }
            CommitOutcome::Busy { stream } => {
                tracing::debug!(%stream, "the stream is at its bound: its reader is behind");
                self.attempt += 1;
                Ok(Done::Busy(stream))
            }
            CommitOutcome::Fenced { epoch, incarnation } => Err(fenced(epoch, incarnation, &owner)),
            CommitOutcome::Conflict { .. } => Err(Stop::Conflict),
            CommitOutcome::RegisterNews { .. } => Err(Stop::RegisterNews),
            CommitOutcome::Missing => Err(Stop::LedgerLost { owner }),
            CommitOutcome::OtherLedger { ledger } => Err(self.other_ledger(owner, ledger)),
            CommitOutcome::Closed => Err(self.closed(owner)),
        }
    }

    /// Who has nothing to commit would not meet full memory: it gives up what it can all the same, for those who have.
    async fn judge_room(&mut self, full: bool) {
        if full {
            self.free_memory().await;
            self.says_full = true;
            self.runtime.health.store_full(MEMORY_FULL, &format!("no commit passes: {}", Failure::MemoryFull));
        } else {
            self.has_room();
        }
    }

    fn has_room(&mut self) {
        if std::mem::take(&mut self.says_full) {
            self.runtime.health.store_full("", "");
        }
    }

    /// Memory is full and commits are refused; plain trims pass. What this owner has consumed goes, and outsiders'
    /// streams are shortened, further each time: nothing else would ever make room.
    async fn free_memory(&mut self) {
        let (times, last) = self.full;
        let step = if last.is_some_and(|last| last.elapsed() < ROOMY_AFTER) { times.saturating_add(1) } else { 1 };
        self.full = (step, Some(Instant::now()));
        for (stream, up_to) in &self.trimmed.0 {
            if let Err(error) = self.runtime.bus.trim(stream, *up_to).await {
                tracing::warn!(%stream, %error, "cannot trim while memory is full");
            }
        }
        for (stream, topic) in &self.spare {
            let length = topic.entries_when_full(step);
            match self.runtime.bus.shorten(stream, length).await {
                Ok(()) => tracing::debug!(%stream, length, "memory is full; the stream was shortened"),
                Err(error) => tracing::warn!(%stream, %error, "cannot shorten while memory is full"),
            }
        }
    }
}

fn fenced(epoch: u64, incarnation: u64, owner: &str) -> Stop {
    Stop::Fenced { newer: format!("epoch {epoch}, incarnation {incarnation} of {owner}") }
}

/// Runs a role. After a conflict it starts again from the record, with growing pauses: what causes one may cause the next.
pub async fn again_after_conflicts<B: Bus, F>(runtime: &Runtime<B>, mut role: impl FnMut() -> F) -> Result<(), Stop>
where
    F: Future<Output = Result<(), Stop>>,
{
    let mut shutdown = runtime.shutdown.clone();
    let (mut backoff, mut told) = (Backoff::default(), false);
    loop {
        let started = Instant::now();
        match role().await {
            Err(Stop::Conflict) => {}
            ended => return ended,
        }
        if started.elapsed() > STEADY_AFTER {
            (backoff, told) = (Backoff::default(), false);
        }
        if !std::mem::replace(&mut told, true) {
            tracing::warn!("{}", Stop::Conflict);
        }
        runtime.health.not_ready("RecordConflict", &Stop::Conflict.to_string());
        shutdown.sleep(backoff.delay()).await;
        if shutdown.asked() {
            // Nothing is under way: what the record does not hold never happened.
            return Ok(());
        }
    }
}

/// Waiting for a store that is away: jittered, told in the log and by readiness, and ended by a wish to stop.
#[derive(Debug)]
pub struct Patience<B> {
    runtime: Runtime<B>,
    backoff: Backoff,
}

impl<B: Bus> Patience<B> {
    /// Patience for one call.
    pub fn new(runtime: &Runtime<B>) -> Self {
        Self { runtime: runtime.clone(), backoff: Backoff::default() }
    }

    /// Waits before the next attempt; `Err` if there must be none.
    pub async fn endure(&mut self, error: BusError) -> Result<(), Stop> {
        if !error.is_retryable() {
            self.runtime.health.store_away(error.reason(), &error.to_string());
            return Err(error.into());
        }
        self.runtime.health.store_away(error.reason(), &error.to_string());
        let shutdown: &mut Shutdown = &mut self.runtime.shutdown;
        shutdown.sleep(self.backoff.delay()).await;
        if shutdown.asked() {
            return Err(Stop::Interrupted { what: error.to_string() });
        }
        Ok(())
    }
}

/// `call`, repeated until the store answers.
pub async fn patiently<B: Bus, T, F>(runtime: &Runtime<B>, mut call: impl FnMut() -> F) -> Result<T, Stop>
where
    F: Future<Output = Result<T, BusError>>,
{
    let mut patience = Patience::new(runtime);
    loop {
        match call().await {
            Ok(value) => {
                runtime.health.reachable();
                return Ok(value);
            }
            Err(error) => patience.endure(error).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bus::{MemoryBus, MessageBus, StateStore};

    use super::*;
    use crate::process::admin::Health;
    use crate::roles::Identity;

    fn runtime(ledger: &str) -> (tokio::sync::watch::Sender<bool>, Runtime<MemoryBus>) {
        let (stop, shutdown) = Shutdown::channel();
        let keys = Keys::new("glm").unwrap();
        let identity = Identity { keys, namespace: "trading".to_owned(), ledger: ledger.to_owned(), epoch: 1 };
        (stop, Runtime { bus: MemoryBus::new(), identity, health: Health::new("strategy"), shutdown })
    }

    #[test]
    fn what_is_trimmed_is_not_trimmed_once_more() {
        let [inbox, commands] = ["inbox", "commands"].map(StreamKey::from_name);
        let to = |stream: &StreamKey, last| (stream.clone(), StreamId::new(last, 0));
        let mut trimmed = Trimmed::default();
        let first = vec![to(&inbox, 5), to(&commands, 7)];
        assert_eq!(trimmed.left_of(first.clone()), first, "a new process does not know");
        trimmed.reach(first.clone());
        assert_eq!(trimmed.left_of(first), []);
        let further = vec![to(&inbox, 6), to(&commands, 7)];
        assert_eq!(trimmed.left_of(further), [to(&inbox, 6)]);
        trimmed.reach(vec![to(&inbox, 6)]);
        // What memory is freed by when it is full: all of it, each once.
        assert_eq!(trimmed.0, [to(&commands, 7), to(&inbox, 6)]);
        trimmed.reach(Vec::new());
        assert_eq!(trimmed.left_of(vec![to(&commands, 7)]), []);
    }

    #[tokio::test]
    async fn a_role_that_always_conflicts_does_not_turn_in_circles() {
        let (_stop, runtime) = runtime("abc123");
        let attempts = Cell::new(0);
        let role = || async {
            attempts.set(attempts.get() + 1);
            Err(Stop::Conflict)
        };
        let some_time = Duration::from_millis(600);
        assert!(tokio::time::timeout(some_time, again_after_conflicts(&runtime, role)).await.is_err(), "it never ends");
        // 25 + 50 + 100 + 200 + 400 ms at the least.
        assert!((2..=5).contains(&attempts.get()), "{} attempts", attempts.get());
    }

    #[tokio::test]
    async fn a_role_in_conflict_ends_when_asked_to_stop() {
        let (stop, runtime) = runtime("abc123");
        let role = || async {
            stop.send(true).unwrap();
            Err(Stop::Conflict)
        };
        assert!(again_after_conflicts(&runtime, role).await.is_ok());
    }

    /// What a commit has made full is made room for by the session itself: the trades last, commands never.
    #[tokio::test]
    async fn full_memory_shortens_streams_for_outsiders_and_nothing_else() {
        let (_stop, mut runtime) = runtime("");
        let account = Scope::account("trading", "paper").unwrap();
        let keys = runtime.identity.keys.clone();
        let owner = keys.strategy(&account, "grid-1");
        let bus = runtime.bus.clone();
        let created = bus.create(&owner, "uid", &bus::Fields::new()).await.unwrap();
        let bus::CreateOutcome::Created { ledger } = created else { panic!("{created:?}") };
        runtime.identity.ledger = ledger;
        let (mut session, _) = Session::acquire(&runtime, &owner).await.unwrap();
        let (signals, commands) =
            (keys.topic(&account, Topic::StrategySignal), keys.topic(&account, Topic::OrderCommand));
        for stream in [&signals, &commands] {
            for _ in 0..1_000 {
                bus.publish(&Message::new(stream.clone(), 1, "x".repeat(100))).await.unwrap();
            }
        }
        let used = bus.health().await.unwrap().used_memory;
        bus.limit_memory(Some(used - 120_000));
        assert_eq!(session.commit(Change::default()).await.unwrap(), Done::Stored);
        let length =
            async |stream: &StreamKey| bus.range(stream, StreamId::ZERO, StreamId::MAX, 2_000).await.unwrap().len();
        assert_eq!((length(&signals).await, length(&commands).await), (250, 1_000));
    }
}
