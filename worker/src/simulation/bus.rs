//! The bus in memory under a clock of its own, with crashes at any commit. Nothing in it sleeps: who waits is
//! polled again, and time passes only when a test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use bus::{
    AcquireOutcome, Batch, BeatOutcome, BusError, Claim, CloseOutcome, Closing, Commit, CommitOutcome, CreateOutcome,
    Desired, DesiredOutcome, Entry, Failure, Fields, Health, Keys, Lease, MemoryBus, Message, MessageBus, Owner,
    Published, Record, StateStore, StreamId, StreamKey,
};

mod release_before;

/// The one clock of a simulated world.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

/// What happens to an owner at one of its commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It stops before the commit reaches the store.
    Before,
    /// It stops after the commit was stored, before it hears of it.
    After,
    /// The answer is lost and the very same call is made again.
    Torn,
    /// The same, but it is the owner who has to call again.
    Unanswered,
    /// A stream to which it writes, and which has a bound, is at it: nothing is stored.
    Busy,
}

/// Trouble to come.
#[derive(Debug, Clone)]
struct Plan {
    owner: String,
    commits_before: u32,
    trouble: Trouble,
}

#[derive(Debug, Default)]
struct Control {
    plan: Option<Plan>,
    /// Who has stopped, newest last; each may be let go on by its number.
    stopped: Vec<(u64, String)>,
    next_stop: u64,
    released: BTreeSet<u64>,
    commits: u32,
    /// When each owner last committed, by this world's clock.
    committed_at: BTreeMap<String, i64>,
    messages: Vec<(StreamKey, Arc<str>)>,
    sendings: BTreeSet<(String, i64)>,
    /// The next entry with a trade for this stream is lost: deleted before anybody reads it.
    losing: Option<StreamKey>,
    lost: usize,
    /// How often a record was read without a lease.
    records_read: usize,
    troubles: BTreeMap<String, u64>,
}

/// A bus and store as the roles see it.
#[derive(Debug, Clone)]
pub(crate) struct VirtualBus {
    memory: MemoryBus,
    clock: Clock,
    control: Arc<Mutex<Control>>,
    /// Who sees it is of a release that knows of no transfers.
    is_older: bool,
}

impl VirtualBus {
    pub fn starting_at(milliseconds: i64) -> Self {
        let clock = Clock(Arc::new(AtomicI64::new(milliseconds)));
        Self { memory: MemoryBus::new(), clock, control: Arc::default(), is_older: false }
    }

    /// The same as a gateway sees it that knows of no transfers: none of their commands reads, and what it writes says nothing
    /// of them.
    pub fn without_transfers(&self) -> Self {
        Self { is_older: true, ..self.clone() }
    }

    /// A record as the release before left it.
    pub fn put_record(&self, owner: &Owner, record: Record) {
        self.control().committed_at.insert(owner.name().to_owned(), i64::try_from(record.at_ms).unwrap());
        self.memory.put_record(owner, record);
    }

    /// An entry where the release before put it.
    pub fn put_entry(&self, stream: &StreamKey, entry: Entry) {
        self.memory.put_entry(stream, entry);
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap()
    }

    /// Plans trouble for the commit of `owner` after so many more of its commits.
    pub fn plan(&self, owner: &Owner, commits_before: u32, trouble: Trouble) {
        self.control().plan = Some(Plan { owner: owner.name().to_owned(), commits_before, trouble });
    }

    pub fn forget_plan(&self) {
        self.control().plan = None;
    }

    /// The last that has stopped at a commit, since the last call.
    pub fn take_stopped(&self) -> Option<(u64, String)> {
        self.control().stopped.pop()
    }

    /// Lets one that has stopped go on, as if its machine had only been frozen.
    pub fn release(&self, number: u64) {
        self.control().released.insert(number);
    }

    /// The next news of a trade for this inbox is lost, as if somebody had deleted it.
    pub fn lose_next(&self, inbox: &StreamKey) {
        self.control().losing = Some(inbox.clone());
    }

    /// How many entries were lost.
    pub fn lost(&self) -> usize {
        self.control().lost
    }

    /// The commit without the entry that is to be lost.
    fn robbed(&self, commit: &Commit) -> Option<Commit> {
        let losing = self.control().losing.clone()?;
        let is_loot = |message: &Message| message.stream == losing && message.data.contains("\"fill\"");
        let place = commit.messages.iter().position(is_loot)?;
        let mut robbed = commit.clone();
        robbed.messages.remove(place);
        Some(robbed)
    }

    /// How often a record was read without a lease, since the last call.
    pub fn take_records_read(&self) -> usize {
        std::mem::take(&mut self.control().records_read)
    }

    /// How many commits were stored.
    pub fn commits(&self) -> u32 {
        self.control().commits
    }

    /// All documents that commits put into a stream, in order, also those trimmed since.
    pub fn committed(&self, stream: &StreamKey) -> Vec<serde_json::Value> {
        let parse = |(_, data): &(StreamKey, Arc<str>)| serde_json::from_str(data).unwrap();
        self.control().messages.iter().filter(|(key, _)| key == stream).map(parse).collect()
    }

    /// Whether a stored commit had this order as being sent under this stamp.
    pub fn was_sending(&self, id: &str, signed_at: i64) -> bool {
        self.control().sendings.contains(&(id.to_owned(), signed_at))
    }

    /// Whether a stored commit had this order as being sent.
    pub fn was_recorded_as_sending(&self, id: &str) -> bool {
        self.control().sendings.iter().any(|(sending, _)| sending == id)
    }

    /// How many documents commits have put into a stream.
    pub fn count(&self, stream: &StreamKey) -> usize {
        self.control().messages.iter().filter(|(key, _)| key == stream).count()
    }

    /// What commits have put into all streams since so many documents, in order.
    pub fn committed_since(&self, count: usize) -> Vec<(StreamKey, Arc<str>)> {
        self.control().messages[count..].to_vec()
    }

    /// How often trouble of each kind was met.
    pub fn troubles(&self) -> BTreeMap<String, u64> {
        self.control().troubles.clone()
    }

    fn trouble(&self, owner: &Owner) -> Option<Trouble> {
        let mut control = self.control();
        let plan = control.plan.as_mut().filter(|plan| plan.owner == owner.name())?;
        if plan.commits_before > 0 {
            plan.commits_before -= 1;
            return None;
        }
        let trouble = control.plan.take().map(|plan| plan.trouble)?;
        *control.troubles.entry(format!("{trouble:?}")).or_default() += 1;
        Some(trouble)
    }

    /// Waits until released; dropped in its wait, it has crashed.
    async fn stop(&self, owner: &Owner) {
        let number = {
            let mut control = self.control();
            control.next_stop += 1;
            let number = control.next_stop;
            control.stopped.push((number, owner.name().to_owned()));
            number
        };
        std::future::poll_fn(
            |_| if self.control().released.contains(&number) { Poll::Ready(()) } else { Poll::Pending },
        )
        .await;
    }

    async fn commit_and_note(&self, lease: &Lease, commit: &Commit) -> Result<CommitOutcome, BusError> {
        let robbed = self.robbed(commit);
        let outcome = self.memory.commit(lease, robbed.as_ref().unwrap_or(commit)).await?;
        if matches!(outcome, CommitOutcome::Committed { .. }) {
            let mut control = self.control();
            if robbed.is_some() {
                control.losing = None;
                control.lost += 1;
            }
            control.commits += 1;
            control.committed_at.insert(lease.owner.name().to_owned(), self.clock.now());
            control.messages.extend(commit.messages.iter().map(|one| (one.stream.clone(), Arc::clone(&one.data))));
            for (name, value) in &commit.set {
                let Some(id) = name.strip_prefix("order:") else { continue };
                let order: serde_json::Value = serde_json::from_str(value).unwrap();
                if order["stage"]["at"] == "sending" {
                    control.sendings.insert((id.to_owned(), order["stage"]["signedAt"].as_i64().unwrap()));
                }
            }
        }
        Ok(outcome)
    }
}

/// Lets the world go round once.
pub(crate) async fn pause() {
    let mut waited = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl MessageBus for VirtualBus {
    async fn read(
        &self,
        cursors: &[(StreamKey, StreamId)],
        count: usize,
        block: Option<Duration>,
    ) -> Result<Batch, BusError> {
        let wait = block.map_or(0, |block| i64::try_from(block.as_millis()).unwrap());
        let deadline = self.clock.now() + wait;
        loop {
            let mut batch = self.memory.read(cursors, count, None).await?;
            if self.is_older {
                batch.iter_mut().flat_map(|(_, entries)| entries).for_each(release_before::hide_transfer);
            }
            if !batch.is_empty() || self.clock.now() >= deadline {
                return Ok(batch);
            }
            pause().await;
        }
    }

    async fn range(
        &self,
        stream: &StreamKey,
        from: StreamId,
        to: StreamId,
        count: usize,
    ) -> Result<Vec<Entry>, BusError> {
        self.memory.range(stream, from, to, count).await
    }

    async fn last_id(&self, stream: &StreamKey) -> Result<Option<StreamId>, BusError> {
        self.memory.last_id(stream).await
    }

    async fn publish(&self, message: &Message) -> Result<Published, BusError> {
        self.memory.publish(message).await
    }

    async fn now_ms(&self) -> Result<u64, BusError> {
        Ok(u64::try_from(self.clock.now()).unwrap())
    }
}

impl StateStore for VirtualBus {
    async fn create(&self, owner: &Owner, uid: &str, fields: &Fields) -> Result<CreateOutcome, BusError> {
        self.memory.create(owner, uid, fields).await
    }

    async fn acquire(&self, owner: &Owner, ledger: &str, epoch: u64) -> Result<AcquireOutcome, BusError> {
        self.memory.acquire(owner, ledger, epoch).await
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<CommitOutcome, BusError> {
        let older = self.is_older.then(|| release_before::without_transfers(commit));
        let commit = older.as_ref().unwrap_or(commit);
        match self.trouble(&lease.owner) {
            None => self.commit_and_note(lease, commit).await,
            Some(Trouble::Before) => {
                self.stop(&lease.owner).await;
                self.commit_and_note(lease, commit).await
            }
            Some(Trouble::After) => {
                let outcome = self.commit_and_note(lease, commit).await;
                self.stop(&lease.owner).await;
                outcome
            }
            Some(Trouble::Torn) => {
                self.commit_and_note(lease, commit).await?;
                self.commit_and_note(lease, commit).await
            }
            Some(Trouble::Busy) => match commit.messages.iter().find(|message| message.bound.is_some()) {
                Some(message) => Ok(CommitOutcome::Busy { stream: message.stream.clone() }),
                None => self.commit_and_note(lease, commit).await,
            },
            Some(Trouble::Unanswered) => {
                self.commit_and_note(lease, commit).await?;
                let (action, subject) = ("commit for", lease.owner.to_string());
                Err(BusError::Call { action, subject, failure: Failure::Unavailable, source: None })
            }
        }
    }

    async fn beat(&self, lease: &Lease) -> Result<BeatOutcome, BusError> {
        self.memory.beat(lease).await
    }

    async fn close(&self, owner: &Owner, ledger: &str, closing: Closing<'_>) -> Result<CloseOutcome, BusError> {
        self.memory.close(owner, ledger, closing).await
    }

    async fn record(&self, owner: &Owner) -> Result<Option<Record>, BusError> {
        let mut record = self.memory.record(owner).await?;
        let mut control = self.control();
        control.records_read += 1;
        if let Some(record) = &mut record {
            // The store in memory has a clock of its own.
            let at = control.committed_at.get(owner.name()).copied().unwrap_or(0);
            record.at_ms = u64::try_from(at).unwrap();
        }
        Ok(record)
    }

    async fn set_desired(&self, owner: &Owner, desired: &Desired) -> Result<DesiredOutcome, BusError> {
        self.memory.set_desired(owner, desired).await
    }

    async fn nudge(&self, owner: &Owner, message: &Message) -> Result<(), BusError> {
        self.memory.nudge(owner, message).await
    }

    async fn desired(&self, owner: &Owner) -> Result<Option<Desired>, BusError> {
        self.memory.desired(owner).await
    }

    async fn trim(&self, stream: &StreamKey, up_to: StreamId) -> Result<(), BusError> {
        self.memory.trim(stream, up_to).await
    }

    async fn shorten(&self, stream: &StreamKey, length: u64) -> Result<(), BusError> {
        self.memory.shorten(stream, length).await
    }

    async fn claim_installation(&self, keys: &Keys, id: &str) -> Result<Claim, BusError> {
        self.memory.claim_installation(keys, id).await
    }

    async fn health(&self) -> Result<Health, BusError> {
        self.memory.health().await
    }
}
