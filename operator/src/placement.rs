//! Where one process stands and what must happen next. Pure: no client, no clock.
//!
//! Intent before action: the ledger is in the status before the epoch, the epoch before the pod. A pod is
//! never made twice under one epoch, and never beside another that may still be alive.

use std::collections::BTreeMap;

use crate::names::Role;

/// A pod as it was seen.
#[allow(clippy::struct_excessive_bools, reason = "facts that do not exclude each other")]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodFacts {
    /// Its name.
    pub name: String,
    /// Its uid: a deletion names it, so that a later pod of that name is safe.
    pub uid: String,
    /// Its node, once it has one.
    pub node: Option<String>,
    /// The epoch in its name.
    pub epoch: u64,
    /// Made by this operator for this resource.
    pub owned: bool,
    /// A digest of what it was made from.
    pub digest: String,
    /// It is being deleted.
    pub deleting: bool,
    /// It has ended for good: succeeded, failed or evicted.
    pub ended: bool,
    /// The exit code of its last end.
    pub last_exit: Option<i32>,
    /// Its container runs and is ready.
    pub ready: bool,
    /// Why its container waits, such as ImagePullBackOff.
    pub waiting: Option<String>,
}

/// The record of an owner in the store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordFacts {
    /// Who it was made for.
    pub uid: String,
    /// Its ledger.
    pub ledger: String,
    /// The newest epoch that took it.
    pub epoch: u64,
    /// Counts commits.
    pub version: u64,
    /// Whether it is closed for good.
    pub closed: bool,
    /// When it was opened, in milliseconds UTC.
    pub started_at: i64,
    /// Its fields that the status shows.
    pub fields: BTreeMap<String, String>,
}

/// What the store says; `Away` is not `Missing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// The store did not answer.
    Away(String),
    /// It has no record.
    Missing,
    /// It has this record.
    Found(Box<RecordFacts>),
}

/// A ledger as the status has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerStatus {
    /// Its id.
    pub id: String,
    /// The uid of the resource when it was recorded: another one is a restored backup.
    pub accepted_by: String,
}

/// A human's answer to a lost or found ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on with what the store has.
    Resume,
    /// Start a new ledger.
    Discard,
}

/// All that a placement is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Which process.
    pub role: Role,
    /// The resource's name.
    pub name: String,
    /// The resource's uid: who the record must be made for.
    pub uid: String,
    /// The ledger in the status.
    pub ledger: Option<LedgerStatus>,
    /// The epoch in the status; 0 before the first.
    pub epoch: u64,
    /// The pod that the status names last.
    pub known_pod: Option<String>,
    /// What the store says.
    pub stored: Stored,
    /// Pods of this resource and role, and foreign ones that hold a name of theirs.
    pub pods: Vec<PodFacts>,
    /// A digest of what a pod would be made from; `None`: there must be no pod.
    pub wanted: Option<String>,
    /// A human's answer.
    pub answer: Option<Answer>,
}

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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Exit codes after which the same pod is of no use: refused, and fenced.
const REPLACED_AFTER: [i32; 2] = [4, 70];

/// What to do now, in order, and where the process stands.
pub fn place(situation: &Situation) -> (Vec<Step>, Standing) {
    match &situation.stored {
        Stored::Away(why) => (Vec::new(), Standing::StoreAway { why: why.clone() }),
        Stored::Missing => missing(situation),
        Stored::Found(record) => found(situation, record),
    }
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
        .filter(|pod| pod.owned && !pod.deleting && (pod.epoch != situation.epoch || is_spent(pod, wanted)))
        .map(delete)
        .collect();
    if let Some(pod) = current
        && !pod.deleting
        && !is_spent(pod, wanted)
    {
        return (steps, standing_of(pod));
    }
    if situation.pods.iter().any(|pod| pod.owned) {
        // Planned replacement: the old pod is waited for until it is gone.
        return (steps, Standing::Starting { why: "the old pod is ending".to_owned() });
    }
    let starting = Standing::Starting { why: "the pod is being made".to_owned() };
    let recorded = situation.role.pod(&situation.name, situation.epoch);
    let unused = situation.epoch > record.epoch
        && situation.known_pod.as_deref() != Some(recorded.as_str())
        && !situation.pods.iter().any(|pod| pod.name == recorded);
    if unused {
        // The epoch was recorded and then the operator died: the pod of that intent was never seen.
        steps.push(Step::CreatePod(situation.epoch));
        return (steps, starting);
    }
    let foreign = situation.pods.iter().map(|pod| pod.epoch).max().unwrap_or(0);
    let next = 1 + situation.epoch.max(record.epoch).max(foreign);
    steps.extend([Step::RecordEpoch(next), Step::CreatePod(next)]);
    (steps, starting)
}

/// Whether a pod must be replaced.
fn is_spent(pod: &PodFacts, wanted: &str) -> bool {
    pod.ended || pod.digest != wanted || pod.last_exit.is_some_and(|code| REPLACED_AFTER.contains(&code))
}

fn standing_of(pod: &PodFacts) -> Standing {
    match (&pod.waiting, pod.ready) {
        (_, true) => Standing::Ready { pod: pod.name.clone(), node: pod.node.clone() },
        (Some(why), false) => Standing::Blocked { why: format!("{why}; look with kubectl describe pod {}", pod.name) },
        (None, false) => Standing::Starting { why: format!("pod {} is not ready yet", pod.name) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation() -> Situation {
        Situation {
            role: Role::Strategy,
            name: "grid".to_owned(),
            uid: "u1".to_owned(),
            ledger: None,
            epoch: 0,
            known_pod: None,
            stored: Stored::Missing,
            pods: Vec::new(),
            wanted: Some("d1".to_owned()),
            answer: None,
        }
    }

    fn record() -> RecordFacts {
        RecordFacts { uid: "u1".to_owned(), ledger: "abc".to_owned(), epoch: 3, ..RecordFacts::default() }
    }

    fn stored(record: RecordFacts) -> Stored {
        Stored::Found(Box::new(record))
    }

    fn with_ledger() -> Situation {
        let ledger = Some(LedgerStatus { id: "abc".to_owned(), accepted_by: "u1".to_owned() });
        Situation { ledger, epoch: 3, stored: stored(record()), ..situation() }
    }

    fn pod(epoch: u64) -> PodFacts {
        PodFacts {
            name: format!("strategy-grid-{epoch}"),
            uid: format!("p{epoch}"),
            epoch,
            owned: true,
            digest: "d1".to_owned(),
            ready: true,
            ..PodFacts::default()
        }
    }

    fn gone(epoch: u64) -> Step {
        Step::DeletePod { name: format!("strategy-grid-{epoch}"), uid: format!("p{epoch}") }
    }

    #[test]
    fn the_ledger_comes_before_the_epoch_and_the_epoch_before_the_pod() {
        assert_eq!(place(&situation()).0, [Step::CreateLedger]);
        let made = Situation { stored: stored(RecordFacts { epoch: 0, ..record() }), ..situation() };
        assert_eq!(place(&made).0, [Step::RecordLedger { id: "abc".to_owned(), started_at: 0 }]);
        let recorded = Situation { epoch: 0, stored: stored(RecordFacts { epoch: 0, ..record() }), ..with_ledger() };
        assert_eq!(place(&recorded).0, [Step::RecordEpoch(1), Step::CreatePod(1)]);
    }

    #[test]
    fn a_recorded_epoch_whose_pod_was_never_made_is_used() {
        let intent = Situation { epoch: 4, ..with_ledger() };
        assert_eq!(place(&intent).0, [Step::CreatePod(4)]);
        let seen = Situation { epoch: 4, known_pod: Some("strategy-grid-4".to_owned()), ..with_ledger() };
        assert_eq!(place(&seen).0, [Step::RecordEpoch(5), Step::CreatePod(5)]);
    }

    #[test]
    fn a_healthy_pod_is_left_alone() {
        let healthy = Situation { pods: vec![pod(3)], ..with_ledger() };
        let ready = Standing::Ready { pod: "strategy-grid-3".to_owned(), node: None };
        assert_eq!(place(&healthy), (Vec::new(), ready));
    }

    #[test]
    fn a_spent_pod_is_deleted_and_waited_for_before_the_next_epoch() {
        let spent = [
            PodFacts { digest: "old".to_owned(), ..pod(3) },
            PodFacts { last_exit: Some(70), ..pod(3) },
            PodFacts { last_exit: Some(4), ..pod(3) },
            PodFacts { ended: true, ..pod(3) },
        ];
        for pod in spent {
            let (steps, standing) = place(&Situation { pods: vec![pod.clone()], ..with_ledger() });
            assert_eq!(steps, [gone(3)], "{pod:?}");
            assert!(matches!(standing, Standing::Starting { .. }));
            let deleting = Situation { pods: vec![PodFacts { deleting: true, ..pod }], ..with_ledger() };
            assert_eq!(place(&deleting).0, []);
        }
        assert_eq!(place(&with_ledger()).0, [Step::RecordEpoch(4), Step::CreatePod(4)]);
    }

    #[test]
    fn a_foreign_pod_of_the_name_is_neither_touched_nor_used() {
        let foreign = PodFacts { owned: false, ..pod(4) };
        let (steps, _) = place(&Situation { pods: vec![foreign.clone()], ..with_ledger() });
        assert_eq!(steps, [Step::RecordEpoch(5), Step::CreatePod(5)]);
        let (steps, _) = place(&Situation { epoch: 4, pods: vec![foreign], ..with_ledger() });
        assert_eq!(steps, [Step::RecordEpoch(5), Step::CreatePod(5)]);
    }

    #[test]
    fn a_lost_ledger_is_never_remade_by_itself() {
        let lost = Situation { stored: Stored::Missing, pods: vec![pod(3)], ..with_ledger() };
        assert_eq!(place(&lost), (vec![gone(3)], Standing::LedgerLost));
        let discard = Situation { answer: Some(Answer::Discard), ..lost.clone() };
        assert_eq!(place(&discard).0, [Step::CreateLedger, Step::ClearAnswer]);
        assert_eq!(place(&Situation { answer: Some(Answer::Resume), ..lost }).1, Standing::LedgerLost);
    }

    #[test]
    fn a_ledger_of_another_resource_waits_for_a_human() {
        let other = RecordFacts { uid: "u0".to_owned(), ledger: "old".to_owned(), ..record() };
        let found = Situation { stored: stored(other), ..situation() };
        assert!(matches!(place(&found).1, Standing::LedgerFound { .. }));
        let resume = Situation { answer: Some(Answer::Resume), ..found.clone() };
        assert_eq!(place(&resume).0, [Step::RecordLedger { id: "old".to_owned(), started_at: 0 }, Step::ClearAnswer]);
        let discard = Situation { answer: Some(Answer::Discard), ..found };
        assert_eq!(place(&discard).0[0], Step::CloseLedger { id: "old".to_owned() });
    }

    #[test]
    fn a_ledger_that_was_closed_by_others_is_not_replaced_by_itself() {
        let closed = RecordFacts { closed: true, ..record() };
        let ended = Situation { stored: stored(closed.clone()), ..with_ledger() };
        assert!(matches!(place(&ended).1, Standing::LedgerFound { .. }));
        let other = RecordFacts { ledger: "old".to_owned(), uid: "u0".to_owned(), ..closed.clone() };
        let restored = Situation { stored: stored(other), ..with_ledger() };
        assert!(matches!(place(&restored).1, Standing::LedgerFound { .. }));
        let discard = Situation { answer: Some(Answer::Discard), ..restored };
        assert_eq!(place(&discard).0, [Step::CreateLedger, Step::ClearAnswer]);
        // A name that is used again.
        assert_eq!(place(&Situation { stored: stored(closed), ..situation() }).0, [Step::CreateLedger]);
    }

    #[test]
    fn an_answer_that_nobody_waits_for_is_taken_off() {
        for answer in [Answer::Resume, Answer::Discard] {
            let healthy = Situation { answer: Some(answer), pods: vec![pod(3)], ..with_ledger() };
            assert_eq!(place(&healthy).0, [Step::ClearAnswer]);
        }
    }

    #[test]
    fn a_store_that_is_away_changes_nothing() {
        let away = Situation { stored: Stored::Away("no answer".to_owned()), pods: vec![pod(3)], ..with_ledger() };
        assert_eq!(place(&away).0, []);
    }

    #[test]
    fn nothing_wanted_ends_the_pod_and_keeps_the_ledger() {
        let stopped = Situation { wanted: None, pods: vec![pod(3)], ..with_ledger() };
        assert_eq!(place(&stopped), (vec![gone(3)], Standing::Stopping));
        let gone = Situation { wanted: None, ..with_ledger() };
        assert_eq!(place(&gone), (Vec::new(), Standing::Absent));
    }
}
