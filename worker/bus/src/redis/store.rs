//! `StateStore` on Redis: each change is one script, each answer a word and its details.

use redis::cmd;

use super::{
    RedisBus, decode, health,
    layout::{self, FIELD},
};
use crate::{
    AcquireOutcome, BeatOutcome, BusError, Claim, CloseOutcome, Closing, Commit, CommitOutcome, CreateOutcome, Desired,
    DesiredOutcome, Failure, Fields, Health, Keys, Lease, Message, Owner, Record, StateStore, StreamId, StreamKey,
    state_store::{CLOSED_KEPT_MS, new_ledger},
};

impl StateStore for RedisBus {
    async fn create(&self, owner: &Owner, uid: &str, fields: &Fields) -> Result<CreateOutcome, BusError> {
        const ACTION: &str = "create the record of";
        loop {
            let ledger = new_ledger();
            let mut call = self.scripts().create.key(owner.state_key());
            call.key(owner.desired_key()).arg(&ledger).arg(uid);
            for (name, value) in fields {
                call.arg(format!("{FIELD}{name}")).arg(value.as_bytes());
            }
            let answer = self.connections().invoke(ACTION, owner, &call).await?;
            let outcome =
                decode::created(answer, ledger).map_err(|problem| BusError::decode(ACTION, owner, problem))?;
            // `None`: the tombstone's own ledger was drawn, once in two thousand million.
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
    }

    async fn acquire(&self, owner: &Owner, ledger: &str, epoch: u64) -> Result<AcquireOutcome, BusError> {
        const ACTION: &str = "acquire the record of";
        let mut call = self.scripts().acquire.key(owner.state_key());
        call.arg(ledger).arg(epoch);
        let answer = self.connections().invoke(ACTION, owner, &call).await?;
        decode::acquired(answer, owner).map_err(|problem| BusError::decode(ACTION, owner, problem))
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<CommitOutcome, BusError> {
        const ACTION: &str = "commit for";
        let call = self.scripts().commit(lease, commit);
        let answer = self.connections().invoke(ACTION, &lease.owner, &call).await?;
        let version = commit.expected_version.saturating_add(1);
        decode::committed(answer, version).map_err(|problem| BusError::decode(ACTION, &lease.owner, problem))
    }

    async fn beat(&self, lease: &Lease) -> Result<BeatOutcome, BusError> {
        const ACTION: &str = "beat for";
        let with_room = layout::beat(&self.scripts().beat_with_room, lease);
        let (answer, full) = match self.connections().invoke(ACTION, &lease.owner, &with_room).await {
            Err(error) if error.failure() == Some(Failure::MemoryFull) => {
                let anyway = layout::beat(&self.scripts().beat, lease);
                (self.connections().invoke(ACTION, &lease.owner, &anyway).await?, true)
            }
            answer => (answer?, false),
        };
        decode::beaten(answer, full).map_err(|problem| BusError::decode(ACTION, &lease.owner, problem))
    }

    async fn close(&self, owner: &Owner, ledger: &str, closing: Closing<'_>) -> Result<CloseOutcome, BusError> {
        const ACTION: &str = "close the record of";
        let mut call = self.scripts().close.key(owner.state_key());
        call.key(owner.desired_key()).arg(ledger).arg(CLOSED_KEPT_MS);
        for stream in closing.drop {
            call.key(stream.as_str());
        }
        for name in closing.keep {
            call.arg(format!("{FIELD}{name}"));
        }
        let answer = self.connections().invoke(ACTION, owner, &call).await?;
        decode::closed(answer).map_err(|problem| BusError::decode(ACTION, owner, problem))
    }

    async fn record(&self, owner: &Owner) -> Result<Option<Record>, BusError> {
        const ACTION: &str = "read the record of";
        let mut command = cmd("HGETALL");
        command.arg(owner.state_key());
        let answer = self.connections().query(ACTION, owner, &command).await?;
        let record = decode::Answer::of(answer).and_then(decode::record);
        record.map_err(|problem| BusError::decode(ACTION, owner, problem))
    }

    async fn set_desired(&self, owner: &Owner, desired: &Desired) -> Result<DesiredOutcome, BusError> {
        const ACTION: &str = "set what is desired of";
        let mut call = self.scripts().set_desired.key(owner.desired_key());
        call.arg(desired.generation).arg(desired.token).arg(desired.value.as_bytes());
        let answer = self.connections().invoke(ACTION, owner, &call).await?;
        decode::desired_outcome(answer).map_err(|problem| BusError::decode(ACTION, owner, problem))
    }

    async fn nudge(&self, owner: &Owner, message: &Message) -> Result<(), BusError> {
        const ACTION: &str = "nudge";
        let answer = self.connections().invoke(ACTION, owner, &self.scripts().nudge(owner, message)).await?;
        decode::nudged(answer).map_err(|problem| BusError::decode(ACTION, owner, problem))
    }

    async fn desired(&self, owner: &Owner) -> Result<Option<Desired>, BusError> {
        const ACTION: &str = "read what is desired of";
        let mut command = cmd("HMGET");
        command.arg(owner.desired_key()).arg("generation").arg("token").arg("value");
        let answer = self.connections().query(ACTION, owner, &command).await?;
        decode::desired(answer).map_err(|problem| BusError::decode(ACTION, owner, problem))
    }

    async fn trim(&self, stream: &StreamKey, up_to: StreamId) -> Result<(), BusError> {
        // A plain command: Redis lets it pass when memory is full.
        let mut command = cmd("XTRIM");
        command.arg(stream.as_str()).arg("MINID").arg(up_to.next().to_string());
        self.connections().query("trim", stream, &command).await.map(drop)
    }

    async fn shorten(&self, stream: &StreamKey, length: u64) -> Result<(), BusError> {
        // As above. About so many: the oldest node of the stream is not rewritten.
        let mut command = cmd("XTRIM");
        command.arg(stream.as_str()).arg("MAXLEN").arg("~").arg(length);
        self.connections().query("shorten", stream, &command).await.map(drop)
    }

    async fn claim_installation(&self, keys: &Keys, id: &str) -> Result<Claim, BusError> {
        const ACTION: &str = "claim the prefix";
        let mut command = cmd("SET");
        command.arg(keys.installation()).arg(id).arg("NX").arg("GET");
        let answer = self.connections().query(ACTION, keys.prefix(), &command).await?;
        decode::claim(answer, id).map_err(|problem| BusError::decode(ACTION, keys.prefix(), problem))
    }

    async fn health(&self) -> Result<Health, BusError> {
        const ACTION: &str = "ask for the health of";
        let server = self.connections().server();
        let answer = self.connections().query(ACTION, server, &cmd("INFO")).await?;
        let info = decode::text(answer).map_err(|problem| BusError::decode(ACTION, server, problem))?;
        Ok(health(&info))
    }
}
