//! How a record and a commit are laid out for Redis: names in the hash, arguments of the scripts.
//!
//! The record of an owner is one hash:
//!
//! | name in the hash | holds |
//! |---|---|
//! | `_ledger`, `_uid`, `_epoch`, `_incarnation`, `_version`, `_commit`, `_closed` | who may commit, and what was committed last |
//! | `_at`, `_beat` | when the owner last committed, and when it last acquired or beat: the server's clock in ms UTC |
//! | `_followed` | the version of the register that the owner follows, `generation.token` |
//! | `_streams` | the streams that go with the ledger, divided by blanks |
//! | `cursor:<stream>` | a stream id |
//! | `field:<name>` | a field |
//!
//! May not talk to the server; the scripts' heads list the arguments in order.

use redis::{Script, ScriptInvocation};

use crate::{Commit, Lease, Message, Owner, StreamKey};

pub(super) const CURSOR: &str = "cursor:";
pub(super) const FIELD: &str = "field:";

const BEAT: &str = include_str!("beat.lua");
/// What lets a script pass when memory is full.
const ALLOW_OOM: &str = " flags=allow-oom";

/// The scripts, each with its hash.
pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) acquire: Script,
    pub(super) commit: Script,
    pub(super) publish: Script,
    pub(super) beat: Script,
    /// The same, but refused when memory is full.
    pub(super) beat_with_room: Script,
    pub(super) close: Script,
    pub(super) set_desired: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            create: Script::new(include_str!("create.lua")),
            acquire: Script::new(include_str!("acquire.lua")),
            commit: Script::new(include_str!("commit.lua")),
            publish: Script::new(include_str!("publish.lua")),
            beat: Script::new(BEAT),
            beat_with_room: Script::new(&BEAT.replacen(ALLOW_OOM, "", 1)),
            close: Script::new(include_str!("close.lua")),
            set_desired: Script::new(include_str!("set_desired.lua")),
        }
    }

    /// The call of `commit.lua`.
    pub(super) fn commit<'a>(&'a self, lease: &Lease, commit: &Commit) -> ScriptInvocation<'a> {
        let mut streams = Streams::default();
        let mut call = self.commit.prepare_invoke();
        call.arg(&lease.ledger).arg(lease.epoch).arg(lease.incarnation);
        call.arg(commit.expected_version).arg(commit.expected_version.saturating_add(1)).arg(&commit.commit_id);
        call.arg(commit.followed.map(|followed| followed.to_string()).unwrap_or_default());
        call.arg(if commit.judged { "1" } else { "" });
        let own_pairs = 3 + usize::from(commit.followed.is_some()) + usize::from(!commit.owned.is_empty());
        call.arg(commit.delete.len()).arg(commit.cursors.len() + commit.set.len() + own_pairs);
        call.arg(commit.trims.len()).arg(commit.messages.len());
        for name in &commit.delete {
            call.arg(format!("{FIELD}{name}"));
        }
        for (stream, id) in &commit.cursors {
            call.arg(format!("{CURSOR}{stream}")).arg(id.to_string());
        }
        for (name, value) in &commit.set {
            call.arg(format!("{FIELD}{name}")).arg(value.as_bytes());
        }
        call.arg("_version").arg(commit.expected_version.saturating_add(1)).arg("_commit").arg(&commit.commit_id);
        if let Some(followed) = commit.followed {
            call.arg("_followed").arg(followed.to_string());
        }
        if !commit.owned.is_empty() {
            call.arg("_streams").arg(commit.owned.iter().map(StreamKey::as_str).collect::<Vec<_>>().join(" "));
        }
        // Last, and its value is set where it is stored.
        call.arg("_at").arg("");
        for (stream, up_to) in &commit.trims {
            call.arg(streams.index(stream)).arg(up_to.next().to_string());
        }
        for message in &commit.messages {
            call.arg(streams.index(&message.stream));
            message_arguments(&mut call, message);
        }
        call.key(lease.owner.state_key()).key(lease.owner.desired_key());
        for stream in streams.0 {
            call.key(stream.as_str());
        }
        call
    }

    /// The call of `publish.lua`.
    pub(super) fn publish<'a>(&'a self, message: &Message) -> ScriptInvocation<'a> {
        let mut call = self.publish.key(message.stream.as_str());
        message_arguments(&mut call, message);
        call
    }

    /// The call of `publish.lua` for who has an open ledger.
    pub(super) fn nudge<'a>(&'a self, owner: &Owner, message: &Message) -> ScriptInvocation<'a> {
        let mut call = self.publish(message);
        call.key(owner.state_key());
        call
    }
}

/// The call of `beat.lua`, in one of its forms.
pub(super) fn beat<'a>(script: &'a Script, lease: &Lease) -> ScriptInvocation<'a> {
    let mut call = script.key(lease.owner.state_key());
    call.key(lease.owner.desired_key()).arg(&lease.ledger).arg(lease.epoch).arg(lease.incarnation);
    call
}

fn message_arguments(call: &mut ScriptInvocation<'_>, message: &Message) {
    let optional = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    // Redis reads a length as a signed number, and would refuse a larger one half-way through a commit.
    let max_len = message.retention.max_len.map(|length| length.min(i64::MAX.unsigned_abs()));
    call.arg(optional(max_len))
        .arg(optional(message.retention.max_age_ms))
        .arg(optional(message.bound))
        .arg(message.version)
        .arg(message.data.as_bytes());
}

/// Each stream once, in order of first use. A commit has a handful: a search is quick.
#[derive(Default)]
struct Streams<'a>(Vec<&'a StreamKey>);

impl<'a> Streams<'a> {
    /// The stream's place in KEYS: Lua counts from 1, and the record and the register come first.
    fn index(&mut self, stream: &'a StreamKey) -> usize {
        let place = self.0.iter().position(|held| *held == stream).unwrap_or_else(|| {
            self.0.push(stream);
            self.0.len() - 1
        });
        place + 3
    }
}
