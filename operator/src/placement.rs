//! Where one process stands and what must happen next. Pure: no client, no clock.
//!
//! Intent before action: the ledger is in the status before the epoch, the epoch before the pod. A pod is
//! never made twice under one epoch, and never beside another that may still be alive.

mod facts;
#[cfg(test)]
mod tests;

pub use facts::{Answer, ENDS_MAX, Ends, LedgerStatus, PodFacts, RecordFacts, Situation, Stored};

/// One thing to do. Each can be repeated without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the record.
    CreateLedger,
    /// Write the ledger into the status.
    RecordLedger {
        /// Its id.
        id: String,
        /// When it was opened, in milliseconds UTC.
        started_at: i64,
    },
    /// Close a ledger for good.
    CloseLedger {
        /// Its id.
        id: String,
    },
    /// Write the epoch into the status.
    RecordEpoch(u64),
    /// Write an end before readiness into the status, with the epoch that comes after it.
    RecordEnd(u64, Ends),
    /// Write into the status that no end counts any more.
    ForgetEnds,
    /// Make the pod of this epoch.
    CreatePod(u64),
    /// Delete a pod.
    DeletePod {
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
    },
    /// Take a human's answer off the resource.
    ClearAnswer,
}

/// Where the process stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Its pod runs and is ready.
    Ready {
        /// The pod.
        pod: String,
        /// Its node.
        node: Option<String>,
    },
    /// On its way.
    Starting {
        /// What is waited for.
        why: String,
    },
    /// The image cannot be started, or the like: a human must look.
    Blocked {
        /// What Kubernetes says.
        why: String,
    },
    /// Its processes end before they are ready, again and again: a human must decide.
    CrashLoop {
        /// How many in a row.
        count: u32,
        /// How the last one ended.
        why: String,
    },
    /// No pod is wanted and none is there.
    Absent,
    /// Its old pod is on its way out.
    Stopping,
    /// The store has no record of the ledger in the status.
    LedgerLost,
    /// The store has another ledger, or one made for another resource.
    LedgerFound {
        /// That ledger.
        found: String,
        /// Who it was made for.
        uid: String,
    },
    /// The store does not answer; what runs goes on.
    StoreAway {
        /// What went wrong.
        why: String,
    },
}

impl Standing {
    /// Whether nothing is under way: it stands, or waits for a human.
    pub const fn is_resting(&self) -> bool {
        match self {
            Self::Ready { .. }
            | Self::Absent
            | Self::CrashLoop { .. }
            | Self::LedgerLost
            | Self::LedgerFound { .. } => true,
            Self::Starting { .. } | Self::Blocked { .. } | Self::Stopping | Self::StoreAway { .. } => false,
        }
    }
}

/// Refused: an invalid document, a store or data that cannot be used. The same pod is of no use.
const REFUSED: i32 = 4;
/// A newer process has taken over.
const FENCED: i32 = 70;
/// How many names beyond the next are tried where others hold it.
const NAMES_MAX: usize = 16;
/// The largest epoch that the API server stores.
const EPOCH_MAX: u64 = i64::MAX.cast_unsigned();

/// What to do now, in order, and where the process stands.
pub fn place(situation: &Situation) -> (Vec<Step>, Standing) {
    let (mut steps, standing) = match &situation.stored {
        Stored::Away(why) => (Vec::new(), Standing::StoreAway { why: why.clone() }),
        Stored::Missing => missing(situation),
        Stored::Found(record) => found(situation, record),
    };
    if situation.released {
        // Before its annotation goes.
        steps.insert(0, Step::ForgetEnds);
    }
    (steps, standing)
}

fn missing(situation: &Situation) -> (Vec<Step>, Standing) {
    if situation.wanted.is_none() && situation.ledger.is_none() {
        return (without_pods(situation), Standing::Absent);
    }
    let starting = Standing::Starting { why: "the ledger is being opened".to_owned() };
    match (&situation.ledger, situation.answer) {
        (None, _) => (vec![Step::CreateLedger], starting),
        // The new ledger takes the old one's place in one write: in between, nobody takes the strategy for gone.
        (Some(_), Some(Answer::Discard)) => (vec![Step::CreateLedger, Step::ClearAnswer], starting),
        // Declared capital is never traded again by itself.
        (Some(_), Some(Answer::Resume) | None) => (without_pods(situation), Standing::LedgerLost),
    }
}

fn found(situation: &Situation, record: &RecordFacts) -> (Vec<Step>, Standing) {
    let known = situation
        .ledger
        .as_ref()
        .is_some_and(|ledger| ledger.id == record.ledger && ledger.accepted_by == situation.uid);
    if record.closed {
        return closed(situation, record);
    }
    if !known && record.uid == situation.uid {
        // Made by us before a crash, or before the status was lost.
        let started_at = record.started_at;
        return (
            vec![Step::RecordLedger { id: record.ledger.clone(), started_at }],
            Standing::Starting { why: "the ledger is being recorded".to_owned() },
        );
    }
    if !known {
        return strange(situation, record);
    }
    let (mut steps, standing) = process(situation, record);
    if situation.answer.is_some() {
        // Acted on before a crash, or never asked for: kept, it would answer the next loss unasked.
        steps.push(Step::ClearAnswer);
    }
    (steps, standing)
}

fn closed(situation: &Situation, record: &RecordFacts) -> (Vec<Step>, Standing) {
    if situation.wanted.is_none() {
        return (without_pods(situation), Standing::Absent);
    }
    let starting = Standing::Starting { why: "a new ledger is being opened".to_owned() };
    match (&situation.ledger, situation.answer) {
        // The name was used before, and its end was orderly.
        (None, _) => return (vec![Step::CreateLedger], starting),
        (Some(_), Some(Answer::Discard)) => return (vec![Step::CreateLedger, Step::ClearAnswer], starting),
        (Some(_), Some(Answer::Resume) | None) => {}
    }
    let (found, uid) = (record.ledger.clone(), record.uid.clone());
    (without_pods(situation), Standing::LedgerFound { found, uid })
}

/// A record made for another resource: a restored backup, a moved cluster, a name used again.
fn strange(situation: &Situation, record: &RecordFacts) -> (Vec<Step>, Standing) {
    let starting = Standing::Starting { why: "the answer is being acted on".to_owned() };
    match situation.answer {
        Some(Answer::Resume) => {
            let (id, started_at) = (record.ledger.clone(), record.started_at);
            (vec![Step::RecordLedger { id, started_at }, Step::ClearAnswer], starting)
        }
        Some(Answer::Discard) => {
            (vec![Step::CloseLedger { id: record.ledger.clone() }, Step::CreateLedger, Step::ClearAnswer], starting)
        }
        None => {
            let (found, uid) = (record.ledger.clone(), record.uid.clone());
            (without_pods(situation), Standing::LedgerFound { found, uid })
        }
    }
}

fn without_pods(situation: &Situation) -> Vec<Step> {
    situation.pods.iter().filter(|pod| pod.owned && !pod.deleting).map(delete).collect()
}

fn delete(pod: &PodFacts) -> Step {
    Step::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }
}

/// The pod itself, with a ledger that is ours.
fn process(situation: &Situation, record: &RecordFacts) -> (Vec<Step>, Standing) {
    let Some(wanted) = &situation.wanted else {
        let standing = if situation.pods.iter().any(|pod| pod.owned) { Standing::Stopping } else { Standing::Absent };
        return (without_pods(situation), standing);
    };
    let current = situation.pods.iter().find(|pod| pod.owned && pod.epoch == situation.epoch);
    let mut steps: Vec<Step> = situation
        .pods
        .iter()
        .filter(|pod| pod.owned && !pod.deleting && pod.epoch != situation.epoch)
        .map(delete)
        .collect();
    if let Some(pod) = current.filter(|pod| !pod.deleting) {
        match worth(pod, wanted, record) {
            Worth::Kept => {
                if pod.is_well() && situation.ends.is_some() && !situation.released {
                    steps.push(Step::ForgetEnds);
                }
                return (steps, standing_of(pod));
            }
            Worth::Replaced => steps.push(delete(pod)),
            Worth::Ended => return ended(situation, record, (pod, wanted), steps),
        }
    }
    if let Some(ends) = situation.ends_of(wanted).filter(|ends| ends.is_loop()) {
        return (steps, Standing::CrashLoop { count: ends.count, why: ends.told() });
    }
    if situation.pods.iter().any(|pod| pod.owned) {
        // Planned replacement: the old pod is waited for until it is gone.
        return (steps, Standing::Starting { why: "the old pod is ending".to_owned() });
    }
    if let Some(ends) = situation.ends_of(wanted).filter(|ends| ends.age_s < ends.pause_s()) {
        return (steps, paused(ends));
    }
    let (more, standing) = next_pod(situation, record);
    steps.extend(more);
    (steps, standing)
}

/// An end before readiness is counted, in one write with the epoch that comes after it: each counts once.
fn ended(
    situation: &Situation,
    record: &RecordFacts,
    (pod, wanted): (&PodFacts, &str),
    mut steps: Vec<Step>,
) -> (Vec<Step>, Standing) {
    let Some(next) = next_epoch(situation, record) else { return (steps, no_name(situation)) };
    let before = situation.ends_of(wanted).map_or(0, |ends| ends.count);
    let ends = Ends {
        count: before.saturating_add(1),
        last_exit: pod.last_exit,
        message: pod.last_words.clone(),
        digest: wanted.to_owned(),
        age_s: 0,
    };
    let standing =
        if ends.is_loop() { Standing::CrashLoop { count: ends.count, why: ends.told() } } else { paused(&ends) };
    steps.extend([Step::RecordEnd(next, ends), delete(pod)]);
    (steps, standing)
}

fn paused(ends: &Ends) -> Standing {
    Standing::Starting { why: format!("{}; the next is made {} s after that", ends.told(), ends.pause_s()) }
}

fn next_pod(situation: &Situation, record: &RecordFacts) -> (Vec<Step>, Standing) {
    let starting = Standing::Starting { why: "the pod is being made".to_owned() };
    let recorded = situation.role.pod(&situation.name, situation.epoch);
    let unused = situation.epoch > record.epoch
        && situation.known_pod.as_deref() != Some(recorded.as_str())
        && !situation.pods.iter().any(|pod| pod.name == recorded);
    if unused {
        // The epoch was recorded and then the operator died: the pod of that intent was never seen.
        return (vec![Step::CreatePod(situation.epoch)], starting);
    }
    match next_epoch(situation, record) {
        Some(next) => (vec![Step::RecordEpoch(next), Step::CreatePod(next)], starting),
        None => (Vec::new(), no_name(situation)),
    }
}

/// The next epoch whose pod's name is free. What others call their pods moves it by a few at most: it can never go
/// back, so nobody must be able to use it up.
fn next_epoch(situation: &Situation, record: &RecordFacts) -> Option<u64> {
    let first = situation.epoch.max(record.epoch).checked_add(1)?;
    let taken = |epoch: &u64| situation.pods.iter().any(|pod| pod.epoch == *epoch);
    (first..=EPOCH_MAX).take(NAMES_MAX).find(|epoch| !taken(epoch))
}

fn no_name(situation: &Situation) -> Standing {
    let first = situation.role.pod(&situation.name, situation.epoch.saturating_add(1));
    Standing::Blocked { why: format!("the names of {NAMES_MAX} pods from {first} on are taken; delete those pods") }
}

/// What a pod is still good for.
enum Worth {
    Kept,
    /// It is replaced at once.
    Replaced,
    /// Its process ended before it was ready: it is counted, and replaced after a pause.
    Ended,
}

fn worth(pod: &PodFacts, wanted: &str, record: &RecordFacts) -> Worth {
    if pod.digest != wanted {
        return Worth::Replaced;
    }
    if pod.ready && !pod.ended {
        // Its container was started again and does well.
        return Worth::Kept;
    }
    match pod.last_exit {
        // Fenced by itself, before a restart. By somebody else's newer epoch, it could go on by turns for ever.
        Some(FENCED) if record.epoch <= pod.epoch => Worth::Replaced,
        Some(FENCED | REFUSED) => Worth::Ended,
        // Taken away, as by an eviction, from a process that had its lease.
        Some(_) | None if pod.ended && record.epoch == pod.epoch => Worth::Replaced,
        Some(_) | None if pod.ended => Worth::Ended,
        Some(_) | None => Worth::Kept,
    }
}

fn standing_of(pod: &PodFacts) -> Standing {
    match (&pod.waiting, pod.ready) {
        (_, true) => Standing::Ready { pod: pod.name.clone(), node: pod.node.clone() },
        (Some(why), false) => Standing::Blocked { why: format!("{why}; look with kubectl describe pod {}", pod.name) },
        (None, false) => Standing::Starting { why: format!("pod {} is not ready yet", pod.name) },
    }
}
