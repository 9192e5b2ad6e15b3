//! Records and registers in memory. Each function is one atomic change, as each script on Redis.

use std::sync::Arc;

use super::state::{State, clock_ms};
use crate::{
    AcquireOutcome, Acquired, BeatOutcome, CloseOutcome, Closing, Commit, CommitOutcome, CreateOutcome, Cursors,
    Desired, DesiredOutcome, Fields, Lease, Owner, Record, RegisterVersion, state_store::new_ledger,
};

impl State {
    pub(super) fn create(&mut self, owner: &Owner, uid: &str, fields: &Fields) -> CreateOutcome {
        let mut ledger = new_ledger();
        if let Some(held) = self.records.get(owner.state_key()) {
            if !held.closed {
                return CreateOutcome::Exists { uid: held.uid.clone(), ledger: held.ledger.clone() };
            }
            // A tombstone must keep refusing its own ledger.
            while ledger == held.ledger {
                ledger = new_ledger();
            }
            self.used = self.used.saturating_sub(size(&held.fields));
        }
        self.used += size(fields);
        let record = Record {
            uid: uid.to_owned(),
            ledger: ledger.clone(),
            epoch: 0,
            incarnation: 0,
            version: 0,
            commit_id: String::new(),
            cursors: Cursors::new(),
            fields: Arc::new(fields.clone()),
            closed: false,
            at_ms: 0,
            beat_ms: 0,
            followed: None,
        };
        self.records.insert(owner.state_key().into(), record);
        CreateOutcome::Created { ledger }
    }

    pub(super) fn put_record(&mut self, owner: &Owner, record: Record) {
        self.used += size(&record.fields);
        self.records.insert(owner.state_key().into(), record);
    }

    pub(super) fn acquire(&mut self, owner: &Owner, ledger: &str, epoch: u64) -> AcquireOutcome {
        let Some(record) = self.records.get_mut(owner.state_key()) else {
            return AcquireOutcome::Missing;
        };
        if record.ledger != ledger {
            return AcquireOutcome::OtherLedger { ledger: record.ledger.clone() };
        }
        if record.closed {
            return AcquireOutcome::Closed;
        }
        if epoch < record.epoch {
            return AcquireOutcome::Fenced { epoch: record.epoch };
        }
        record.epoch = epoch;
        record.incarnation += 1;
        record.beat_ms = clock_ms();
        AcquireOutcome::Acquired(Acquired {
            lease: Lease { owner: owner.clone(), ledger: ledger.to_owned(), epoch, incarnation: record.incarnation },
            version: record.version,
            cursors: record.cursors.clone(),
            fields: Arc::clone(&record.fields),
            followed: record.followed,
        })
    }

    pub(super) fn commit(&mut self, lease: &Lease, commit: &Commit) -> CommitOutcome {
        if let Err(outcome) = self.check(lease, commit) {
            return outcome;
        }
        // Nothing below can fail.
        for (stream, up_to) in &commit.trims {
            self.trim(stream, *up_to);
        }
        let version = commit.expected_version + 1;
        if let Some(record) = self.records.get_mut(lease.owner.state_key()) {
            self.used = apply(record, commit, self.used);
            record.version = version;
            record.commit_id.clone_from(&commit.commit_id);
            record.at_ms = clock_ms();
            record.followed = commit.followed.or(record.followed);
        }
        if !commit.owned.is_empty() {
            self.owned.insert(lease.owner.state_key().into(), commit.owned.clone());
        }
        let ids = commit.messages.iter().map(|m| self.append(m)).collect();
        CommitOutcome::Committed { version, ids, register: self.register_version(&lease.owner) }
    }

    fn check(&self, lease: &Lease, commit: &Commit) -> Result<(), CommitOutcome> {
        let Some(record) = self.records.get(lease.owner.state_key()) else {
            return Err(CommitOutcome::Missing);
        };
        if record.ledger != lease.ledger {
            return Err(CommitOutcome::OtherLedger { ledger: record.ledger.clone() });
        }
        if record.closed {
            return Err(CommitOutcome::Closed);
        }
        if (record.epoch, record.incarnation) != (lease.epoch, lease.incarnation) {
            return Err(CommitOutcome::Fenced { epoch: record.epoch, incarnation: record.incarnation });
        }
        if record.version == commit.expected_version + 1 && record.commit_id == commit.commit_id {
            return Err(CommitOutcome::Duplicate { register: self.register_version(&lease.owner) });
        }
        if record.version != commit.expected_version {
            return Err(CommitOutcome::Conflict { version: record.version });
        }
        if commit.judged
            && let Some(register) = self.register_version(&lease.owner)
            && commit.followed != Some(register)
        {
            return Err(CommitOutcome::RegisterNews { register });
        }
        match commit.messages.iter().find(|m| self.is_at_bound(m)) {
            Some(message) => Err(CommitOutcome::Busy { stream: message.stream.clone() }),
            None => Ok(()),
        }
    }

    pub(super) fn beat(&mut self, lease: &Lease) -> BeatOutcome {
        let register = self.register_version(&lease.owner);
        let Some(record) = self.records.get_mut(lease.owner.state_key()) else {
            return BeatOutcome::Missing;
        };
        if record.ledger != lease.ledger {
            return BeatOutcome::OtherLedger { ledger: record.ledger.clone() };
        }
        if record.closed {
            return BeatOutcome::Closed;
        }
        if (record.epoch, record.incarnation) != (lease.epoch, lease.incarnation) {
            return BeatOutcome::Fenced { epoch: record.epoch, incarnation: record.incarnation };
        }
        record.beat_ms = clock_ms();
        let version = record.version;
        BeatOutcome::Beaten { version, register, full: self.is_full() }
    }

    pub(super) fn close(&mut self, owner: &Owner, ledger: &str, closing: Closing<'_>) -> CloseOutcome {
        match self.records.get_mut(owner.state_key()) {
            None => return CloseOutcome::Missing,
            Some(record) if record.ledger != ledger => {
                return CloseOutcome::OtherLedger { ledger: record.ledger.clone() };
            }
            Some(record) => {
                record.closed = true;
                record.cursors.clear();
                self.used = self.used.saturating_sub(size(&record.fields));
                Arc::make_mut(&mut record.fields).retain(|name, _| closing.keep.contains(&name.as_str()));
                self.used += size(&record.fields);
            }
        }
        for stream in self.owned.remove(owner.state_key()).iter().flatten().chain(closing.drop) {
            self.remove(stream);
        }
        CloseOutcome::Closed
    }

    fn register_version(&self, owner: &Owner) -> Option<RegisterVersion> {
        self.registers.get(owner.desired_key()).map(Desired::version)
    }

    pub(super) fn record(&self, owner: &Owner) -> Option<Record> {
        self.records.get(owner.state_key()).cloned()
    }

    pub(super) fn set_desired(&mut self, owner: &Owner, desired: &Desired) -> DesiredOutcome {
        if let Some(held) = self.registers.get(owner.desired_key())
            && held != desired
            && (held.generation, held.token) >= (desired.generation, desired.token)
        {
            return DesiredOutcome::Older { generation: held.generation, token: held.token };
        }
        self.registers.insert(owner.desired_key().into(), desired.clone());
        DesiredOutcome::Applied
    }

    pub(super) fn desired(&self, owner: &Owner) -> Option<Desired> {
        self.registers.get(owner.desired_key()).cloned()
    }
}

/// Applies cursors and fields, touching only what changes; says how many bytes are in use then.
fn apply(record: &mut Record, commit: &Commit, mut used: u64) -> u64 {
    for (stream, id) in &commit.cursors {
        if let Some(held) = record.cursors.get_mut(stream) {
            *held = *id;
        } else {
            record.cursors.insert(stream.clone(), *id);
        }
    }
    // Who has read the record and still holds it, holds it as it was.
    let fields = Arc::make_mut(&mut record.fields);
    for name in &commit.delete {
        if let Some(old) = fields.remove(name) {
            used = used.saturating_sub(field_size(name, &old));
        }
    }
    for (name, value) in &commit.set {
        used += field_size(name, value);
        if let Some(held) = fields.get_mut(name) {
            used = used.saturating_sub(field_size(name, held));
            *held = Arc::clone(value);
        } else {
            fields.insert(name.clone(), Arc::clone(value));
        }
    }
    used
}

fn field_size(name: &str, value: &str) -> u64 {
    (name.len() + value.len()) as u64
}

fn size(fields: &Fields) -> u64 {
    fields.iter().map(|(n, v)| field_size(n, v)).sum()
}
