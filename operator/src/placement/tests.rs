//! Placement, one situation after the other.

use std::sync::Arc;

use super::*;
use crate::names::Role;

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
        ends: None,
        released: false,
    }
}

fn record() -> RecordFacts {
    RecordFacts { uid: "u1".to_owned(), ledger: "abc".to_owned(), epoch: 3, ..RecordFacts::default() }
}

fn stored(record: RecordFacts) -> Stored {
    Stored::Found(Arc::new(record))
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
        PodFacts { last_exit: Some(70), ready: false, ..pod(3) },
        PodFacts { ended: true, ready: false, ..pod(3) },
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

/// A pod whose process ended before it was ready.
fn ended(epoch: u64, code: i32) -> PodFacts {
    PodFacts { ready: false, last_exit: Some(code), last_words: "no such file".to_owned(), ..pod(epoch) }
}

fn ends(count: u32, age_s: u64) -> Ends {
    Ends { count, last_exit: Some(4), message: "no such file".to_owned(), digest: "d1".to_owned(), age_s }
}

#[test]
fn a_container_that_was_started_again_and_is_ready_stays() {
    for code in [4, 70, 1] {
        let again = PodFacts { last_exit: Some(code), ..pod(3) };
        assert_eq!(place(&Situation { pods: vec![again], ..with_ledger() }).0, []);
    }
}

#[test]
fn an_end_before_readiness_is_counted_with_the_next_epoch_and_tried_after_a_pause() {
    let (steps, standing) = place(&Situation { pods: vec![ended(3, 4)], ..with_ledger() });
    assert_eq!(steps, [Step::RecordEnd(4, ends(1, 0)), gone(3)]);
    assert!(matches!(&standing, Standing::Starting { why } if why.contains("no such file") && why.contains("1 s")));
    // The epoch of what is ending is no more; its pod is waited for, then the pause, then the next is made.
    let recorded = |pods, age| Situation { epoch: 4, ends: Some(ends(1, age)), pods, ..with_ledger() };
    assert_eq!(place(&recorded(vec![ended(3, 4)], 9)).0, [gone(3)]);
    assert_eq!(place(&recorded(Vec::new(), 0)).0, []);
    assert_eq!(place(&recorded(Vec::new(), 1)).0, [Step::CreatePod(4)]);
}

#[test]
fn the_pauses_grow_and_five_ends_in_a_row_wait_for_a_human() {
    for (count, pause) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
        let waiting = |age| Situation { epoch: 4, ends: Some(ends(count, age)), ..with_ledger() };
        assert_eq!(place(&waiting(pause - 1)).0, [], "after {count}");
        assert_eq!(place(&waiting(pause)).0, [Step::CreatePod(4)], "after {count}");
    }
    let fifth = Situation { pods: vec![ended(3, 4)], ends: Some(ends(4, 99)), ..with_ledger() };
    let (steps, standing) = place(&fifth);
    assert_eq!(steps, [Step::RecordEnd(4, ends(5, 0)), gone(3)]);
    assert!(matches!(&standing, Standing::CrashLoop { count: 5, why } if why.contains("no such file")));
    let waiting = Situation { epoch: 4, ends: Some(ends(5, 999_999)), ..with_ledger() };
    assert_eq!(place(&waiting), (Vec::new(), standing));
}

#[test]
fn a_crash_loop_is_left_by_a_change_by_a_human_and_by_readiness() {
    let looping = Situation { epoch: 4, ends: Some(ends(5, 999)), ..with_ledger() };
    let changed = Situation { wanted: Some("d2".to_owned()), ..looping.clone() };
    assert_eq!(place(&changed).0, [Step::CreatePod(4)]);
    let released = Situation { released: true, ..looping.clone() };
    assert_eq!(place(&released).0, [Step::ForgetEnds, Step::CreatePod(4)]);
    // Each of a loop may become ready for a moment.
    for (ready_s, forgotten) in [(Some(0), false), (Some(59), false), (Some(60), true), (None, true)] {
        let ready = Situation { pods: vec![PodFacts { ready_s, ..pod(4) }], ..looping.clone() };
        let steps = if forgotten { vec![Step::ForgetEnds] } else { Vec::new() };
        let standing = Standing::Ready { pod: "strategy-grid-4".to_owned(), node: None };
        assert_eq!(place(&ready), (steps, standing), "{ready_s:?}");
    }
}

#[test]
fn who_was_fenced_by_a_newer_epoch_is_not_replaced_at_once() {
    let newer = Situation { stored: stored(RecordFacts { epoch: 9, ..record() }), ..with_ledger() };
    let (steps, _) = place(&Situation { pods: vec![ended(3, 70)], ..newer });
    assert!(matches!(&steps[0], Step::RecordEnd(10, ends) if ends.last_exit == Some(70)), "{steps:?}");
}

#[test]
fn a_pod_that_never_ran_counts_and_one_taken_from_a_process_at_work_does_not() {
    let evicted = PodFacts { ended: true, ready: false, ..pod(3) };
    assert_eq!(place(&Situation { pods: vec![evicted.clone()], ..with_ledger() }).0, [gone(3)]);
    let before = stored(RecordFacts { epoch: 2, ..record() });
    let (steps, _) = place(&Situation { pods: vec![evicted], stored: before, ..with_ledger() });
    assert!(matches!(&steps[0], Step::RecordEnd(4, ends) if ends.count == 1), "{steps:?}");
}

#[test]
fn nobody_else_can_use_up_the_epochs() {
    let far = PodFacts { name: "strategy-grid-far".to_owned(), ..pod(u64::MAX) };
    let (steps, _) = place(&Situation { pods: vec![PodFacts { owned: false, ..far }], ..with_ledger() });
    assert_eq!(steps, [Step::RecordEpoch(4), Step::CreatePod(4)]);
    let all: Vec<_> = (4..30).map(|epoch| PodFacts { owned: false, ..pod(epoch) }).collect();
    let (steps, standing) = place(&Situation { pods: all, ..with_ledger() });
    assert_eq!(steps, []);
    assert!(matches!(standing, Standing::Blocked { .. }));
    for epoch in [i64::MAX.cast_unsigned(), u64::MAX] {
        let last = stored(RecordFacts { epoch, ..record() });
        let (steps, standing) = place(&Situation { stored: last, ..with_ledger() });
        assert_eq!(steps, []);
        assert!(matches!(standing, Standing::Blocked { .. }));
    }
}
