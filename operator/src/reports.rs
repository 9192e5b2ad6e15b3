//! Which workers have told something: nudges on the accounts' `report` streams. Level-triggered: a lost nudge
//! costs time, never truth.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::{Keys, MessageBus, RedisBus, Scope, StreamId, StreamKey, Topic};
use crds::record::ACCOUNT;
use engine::messages::Nudge;
use futures::{Stream, stream};
use kube::ResourceExt;
use kube::runtime::reflector::Store;
use operator::GuardedAccount;
use operator::controller::Told;
use operator::metrics::CountedStore;

/// Nudges at most in one read.
const ENTRIES_MAX: usize = 1_000;
/// Streams at most in one read: more make each wake-up dear.
const STREAMS_MAX: usize = 64;
/// How long nudges are gathered: a strategy that reports all the time wakes its reconcile at most so often.
const GATHERED: Duration = Duration::from_millis(250);
/// How long one read waits.
const WAIT: Duration = Duration::from_secs(2);
/// How long a store that is away is left alone.
const AWAY: Duration = Duration::from_secs(2);

/// Reads the nudges of every known account.
pub struct Reports {
    bus: CountedStore<RedisBus>,
    keys: Keys,
    accounts: Store<GuardedAccount>,
    cursors: BTreeMap<StreamKey, StreamId>,
    pending: BTreeSet<Told>,
}

impl Reports {
    pub fn new(bus: CountedStore<RedisBus>, keys: Keys, accounts: Store<GuardedAccount>) -> Self {
        Self { bus, keys, accounts, cursors: BTreeMap::new(), pending: BTreeSet::new() }
    }

    /// Who has told something, for ever.
    pub fn stream(self) -> impl Stream<Item = Told> + Send {
        stream::unfold(self, |mut reports| async move {
            loop {
                if let Some(next) = reports.pending.pop_first() {
                    return Some((next, reports));
                }
                tokio::time::sleep(GATHERED).await;
                reports.read().await;
            }
        })
    }

    /// The accounts' streams, in turns of at most [`STREAMS_MAX`].
    async fn read(&mut self) {
        let mut streams: BTreeMap<StreamKey, (String, String)> = BTreeMap::new();
        for account in self.accounts.state() {
            let namespace = account.namespace().unwrap_or_default();
            if let Ok(scope) = Scope::account(&namespace, &account.name_any()) {
                streams.insert(self.keys.topic(&scope, Topic::Report), (namespace, account.name_any()));
            }
        }
        self.cursors.retain(|stream, _| streams.contains_key(stream));
        if streams.is_empty() {
            tokio::time::sleep(WAIT).await;
            return;
        }
        let names: Vec<StreamKey> = streams.keys().cloned().collect();
        let turns = names.chunks(STREAMS_MAX);
        let wait = WAIT / u32::try_from(turns.len()).unwrap_or(1);
        for turn in turns {
            let cursors: Vec<_> = turn
                .iter()
                .map(|stream| (stream.clone(), self.cursors.get(stream).copied().unwrap_or(StreamId::ZERO)))
                .collect();
            match self.bus.read(&cursors, ENTRIES_MAX, Some(wait)).await {
                Ok(found) => self.take(found, &streams),
                Err(error) => {
                    tracing::warn!(%error, "reports cannot be read");
                    tokio::time::sleep(AWAY).await;
                }
            }
        }
    }

    fn take(&mut self, found: bus::Batch, streams: &BTreeMap<StreamKey, (String, String)>) {
        for (stream, entries) in found {
            let Some((namespace, account)) = streams.get(&stream) else { continue };
            for entry in entries {
                self.cursors.insert(stream.clone(), entry.id);
                let Ok(nudge) = entry.decode::<Nudge>() else { continue };
                let told = match nudge.owner.strip_prefix("strategy-") {
                    Some(name) => Told::Strategy { namespace: namespace.clone(), name: name.to_owned() },
                    None if nudge.owner == ACCOUNT => {
                        Told::Account { namespace: namespace.clone(), name: account.clone() }
                    }
                    None => continue,
                };
                self.pending.insert(told);
            }
        }
    }
}
