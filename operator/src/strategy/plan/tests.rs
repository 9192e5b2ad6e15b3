//! Plans, one situation after the other.

use bus::StreamId;
use serde_json::json;

use super::*;
use crate::build::Image;
use crate::placement::{ENDS_MAX, Ends};
use crate::strategy::fixture::*;
use crate::strategy::validate::validate;

fn planned(observed: &Observed, image: &Image) -> Plan {
    let accepted = validate(observed);
    plan(observed, accepted.as_ref(), image).unwrap()
}

/// The plan's moves as words: what a reader wants to know of each.
fn words(plan: &Plan) -> Vec<String> {
    let word = |next: &Move| match next {
        Move::Finalizers(all) if all.is_empty() => "release".to_owned(),
        Move::Finalizers(_) => "hold".to_owned(),
        Move::Register(value) => value["state"].as_str().unwrap().to_owned(),
        Move::Book(book) => format!("book {:?}", book.stance()),
        Move::Place(_, steps) => {
            let steps: Vec<_> = steps.iter().map(|step| format!("{step:?}")).collect();
            steps.iter().map(|step| step.split([' ', '(']).next().unwrap_or_default()).collect::<Vec<_>>().join("+")
        }
        Move::CloseLedger(_) => "close".to_owned(),
        Move::ClearRelease(release) => format!("clear {}", release.refused().is_some()),
    };
    plan.moves.iter().map(word).filter(|word| !word.is_empty()).collect()
}

fn said(observed: &Observed) -> (Vec<String>, Option<Wait>) {
    let plan = planned(observed, &image());
    (words(&plan), plan.waits)
}

fn broken(mut observed: Observed) -> Observed {
    set(&mut observed, "instruments", json!([{"symbol": "BTC/USDT"}]));
    observed
}

fn to_state(state: &str) -> Observed {
    let mut observed = trading();
    set(&mut observed, "state", json!(state));
    observed.book = observed.book.map(|book| book.with_stance(Stance::of_state(observed.spec.state)));
    observed
}

#[test]
fn what_trades_is_left_alone() {
    let plan = planned(&trading(), &image());
    assert_eq!(words(&plan), ["Running"]);
    assert!(plan.is_settled() && plan.followed);
}

#[test]
fn a_stop_passes_with_a_spec_that_cannot_be_run() {
    for (state, stance) in [("Paused", Stance::StopOpening), ("Stopped", Stance::CancelOrders)] {
        for observed in [to_state(state), broken(to_state(state))] {
            let (words, waits) = said(&observed);
            assert_eq!((words, waits), (vec![state.to_owned()], Some(Wait::Acknowledgement(stance))));
        }
    }
    let running = broken(trading());
    assert_eq!(said(&running), (vec!["Running".to_owned()], None));
}

/// What runs is not taken away, as with any spec that is not accepted, and is not made again.
#[test]
fn a_process_runs_on_where_processes_are_switched_off_and_is_made_no_more() {
    let mut observed = trading();
    observed.allows_processes = true;
    set(&mut observed, "strategy", json!({"process": {"command": ["mean"]}}));
    let places = |observed: &Observed| {
        words(&planned(observed, &image())).into_iter().filter(|word| word.contains("Pod")).collect::<Vec<_>>()
    };
    let gone =
        |observed: &Observed| Observed { pods: Vec::new(), allows_processes: observed.allows_processes, ..trading() };
    let spec = observed.spec.clone();
    for (allowed, made) in [(true, vec!["RecordEpoch+CreatePod"]), (false, vec![])] {
        observed.allows_processes = allowed;
        let ended = Observed { spec: spec.clone(), ..gone(&observed) };
        assert_eq!(places(&ended), made, "{allowed}");
    }
    assert_eq!(places(&observed), Vec::<String>::new());
    set(&mut observed, "state", json!("Stopped"));
    observed.gateway = gateway(Some(Stance::CancelOrders), &[]);
    assert_eq!(places(&observed), ["DeletePod"], "it can be stopped");
}

#[test]
fn a_stop_is_over_when_the_gateway_says_so_whatever_the_worker_says() {
    let stopped = |observed: Observed| {
        let over = gateway(Some(Stance::CancelOrders), &[]);
        let plan = planned(&Observed { gateway: over, ..observed }, &image());
        assert_eq!(plan.waits, None);
        words(&plan)
    };
    assert_eq!(stopped(to_state("Stopped")), ["Stopped", "DeletePod"]);
    assert_eq!(stopped(broken(to_state("Stopped"))), ["Stopped", "DeletePod"]);
    let mut dead = to_state("Stopped");
    dead.pods[0].ready = false;
    dead.pods[0].waiting = Some("ImagePullBackOff".to_owned());
    assert_eq!(stopped(dead), ["Stopped", "DeletePod"]);
    let gone = Observed { pods: Vec::new(), ..to_state("Stopped") };
    assert_eq!(stopped(gone), ["Stopped"]);
    let open = [("order:glm-abcdef-1", r#"{"stage":{"at":"accepted"}}"#)];
    let waits = said(&Observed { gateway: gateway(Some(Stance::CancelOrders), &open), ..to_state("Stopped") }).1;
    assert_eq!(waits, Some(Wait::Orders(1)));
}

#[test]
fn a_dead_worker_is_not_made_anew_to_stop() {
    let dead = Observed { pods: Vec::new(), ..to_state("Stopped") };
    assert_eq!(said(&dead), (vec!["Stopped".to_owned()], Some(Wait::Acknowledgement(Stance::CancelOrders))));
    assert!(!planned(&dead, &image()).is_settled());
}

#[test]
fn where_the_account_cannot_the_strategy_writes_its_own_book() {
    for account in [Err("it does not read".to_owned()), Ok(None)] {
        for (state, word) in
            [("Stopped", "book CancelOrders"), ("Paused", "book StopOpening"), ("Running", "book Open")]
        {
            let observed = Observed { account: account.clone(), book: None, ..to_state(state) };
            assert_eq!(said(&observed).0, [state, word]);
        }
        let mut ending = Observed { account, ..trading() };
        ending.deleting_since = Some("2026-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(said(&ending).0, ["Stopped", "book Closed"]);
    }
}

fn deleting() -> Observed {
    Observed { deleting_since: Some("2026-01-01T00:00:00Z".parse().unwrap()), ..trading() }
}

#[test]
fn a_deletion_waits_for_the_gateway_and_never_for_the_mere_absence_of_orders() {
    let acknowledged = |wait| (vec!["Stopped".to_owned()], Some(wait));
    for (gateway, wait) in [
        (gateway(None, &[]), Wait::Acknowledgement(Stance::Closed)),
        (gateway(Some(Stance::CancelOrders), &[]), Wait::Acknowledgement(Stance::Closed)),
        (gateway(Some(Stance::Closed), &[("order:glm-abcdef-1", r#"{"stage":{"at":"accepted"}}"#)]), Wait::Orders(1)),
        (Stored::Missing, Wait::NoGateway),
        (Stored::Away("no".to_owned()), Wait::Store("no".to_owned())),
    ] {
        assert_eq!(said(&Observed { gateway, ..deleting() }), acknowledged(wait));
    }
}

#[test]
fn the_ledger_is_closed_after_the_last_news_and_let_go_after_that() {
    let acknowledged = gateway(Some(Stance::Closed), &[]);
    let mut observed = Observed { gateway: acknowledged, ..deleting() };
    let last = StreamId { ms: NOW_MS - 2_000, ..StreamId::ZERO };
    observed.inbox.last = Some(last);
    assert_eq!(said(&observed), (vec!["Stopped".to_owned()], Some(Wait::Inbox)));
    let over = ["Stopped", "close", "DeletePod", "release"];
    // A worker that is not there takes nothing, and one that takes nothing for ten seconds neither.
    observed.pods[0].ready = false;
    assert_eq!(said(&observed).0, over);
    observed.pods[0].ready = true;
    edit(&mut observed.stored, |record| record.now_ms = last.ms + 10_000);
    assert_eq!(said(&observed).0, over);
    let stream = observed.inbox.stream.clone();
    edit(&mut observed.stored, |record| (record.now_ms, record.cursors) = (NOW_MS, at(&stream, last)));
    assert_eq!(said(&observed).0, over);
    // After a crash between the two.
    edit(&mut observed.stored, |record| record.closed = true);
    assert_eq!(said(&observed).0, ["DeletePod", "release"]);
}

#[test]
fn a_strategy_that_never_had_a_worker_needs_no_gateway_to_go() {
    let mut observed = Observed { gateway: Stored::Missing, pods: Vec::new(), ..deleting() };
    edit(&mut observed.stored, |record| record.epoch = 0);
    assert_eq!(said(&observed), (vec!["Stopped".to_owned(), "close".to_owned()], None));
    edit(&mut observed.stored, |record| record.closed = true);
    assert_eq!(said(&observed).0, ["release"]);
    // A worker came before it was closed.
    edit(&mut observed.stored, |record| record.epoch = 1);
    assert_eq!(said(&observed).1, Some(Wait::NoGateway));
}

#[test]
fn what_was_just_made_is_closed_with_it_and_what_is_anothers_is_not() {
    let mut observed = Observed { gateway: Stored::Missing, pods: Vec::new(), ..deleting() };
    observed.status.ledger = None;
    edit(&mut observed.stored, |record| record.epoch = 0);
    assert_eq!(said(&observed).0, ["Stopped", "close"]);
    edit(&mut observed.stored, |record| record.uid = "another".to_owned());
    assert_eq!(said(&observed).0, ["release"]);
    observed.stored = Stored::Missing;
    assert_eq!(said(&observed).0, ["release"]);
    observed.stored = Stored::Away("no".to_owned());
    assert_eq!(said(&observed), (Vec::new(), Some(Wait::Store("no".to_owned()))));
}

#[test]
fn a_human_can_let_go_of_what_waits() {
    for (name, value, lets_go) in [
        ("glm.trading/force-delete", "now", true),
        ("glm.trading/release", "now", true),
        ("glm.trading/force-delete", "later", false),
        ("glm.trading/release", "CrashLoop 5", false),
    ] {
        let mut observed = Observed { gateway: Stored::Missing, ..deleting() };
        observed.annotations.insert(name.to_owned(), value.to_owned());
        assert_eq!(planned(&observed, &image()).is_release(), lets_go, "{name}: {value}");
    }
}

#[test]
fn a_state_is_applied_when_the_worker_has_committed_that_it_follows() {
    let mut observed = to_state("Paused");
    observed.gateway = gateway(Some(Stance::StopOpening), &[]);
    assert!(!planned(&observed, &image()).followed, "the register holds another state");
    observed.register = Some(Desired { token: 2, ..held("Paused") });
    assert!(!planned(&observed, &image()).followed, "the worker follows an older one");
    edit(&mut observed.stored, |record| {
        record.followed = Some(RegisterVersion { generation: 1, token: 2 });
    });
    let plan = planned(&observed, &image());
    assert!(plan.followed && plan.is_settled());
}

#[test]
fn edited_bounds_are_told_to_the_pod_that_runs() {
    let mut observed = trading();
    set(&mut observed, "risk", json!({"maxDrawdownPercent": 5}));
    set(&mut observed, "exit", json!({"belowPrice": 100}));
    let plan = planned(&observed, &image());
    assert_eq!(words(&plan), ["Running"], "no step of a pod");
    assert!(!plan.followed && plan.is_quiet());
    let Move::Register(value) = &plan.moves[0] else { panic!("{plan:?}") };
    assert_eq!(
        (&value["bounds"]["risk"]["maxDrawdownPercent"], &value["bounds"]["exit"]["belowPrice"]),
        (&json!("5"), &json!("100"))
    );
    observed.register = Some(Desired { token: 2, value: value.to_string().into(), ..held("Running") });
    edit(&mut observed.stored, |record| record.followed = Some(RegisterVersion { generation: 1, token: 2 }));
    assert!(planned(&observed, &image()).is_settled());
    // A spec that cannot be run changes none of them.
    set(&mut observed, "risk", json!({"maxDrawdownPercent": 200}));
    let refused = planned(&observed, &image());
    assert_eq!(refused.moves[0], plan.moves[0]);
    // What a worker is told when it starts alone takes a new pod.
    set(&mut observed, "risk", json!({"maxDrawdownPercent": 5}));
    let rules = json!([{"symbol": "BTC/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.01"}}]);
    set(&mut observed, "instruments", rules);
    assert_eq!(said(&observed).0, ["Running", "DeletePod"]);
}

#[test]
fn edited_parameters_are_told_to_the_pod_whose_worker_follows_them() {
    let mut observed = edited();
    following(&mut observed, 5, None);
    let plan = planned(&observed, &image());
    assert_eq!(words(&plan), ["Running"], "no step of a pod");
    let Move::Register(value) = &plan.moves[0] else { panic!("{plan:?}") };
    assert_eq!(
        value["parameters"],
        json!({"generation": 6, "strategy": serde_json::to_value(&observed.spec.strategy).unwrap()})
    );
    // It has read the register, and its commit under the edit is still to come.
    observed.register = Some(Desired { token: 2, value: value.to_string().into(), ..held("Running") });
    edit(&mut observed.stored, |record| record.followed = Some(RegisterVersion { generation: 1, token: 2 }));
    assert!(!planned(&observed, &image()).followed);
    following(&mut observed, 6, None);
    assert!(planned(&observed, &image()).is_settled());
    // A spec that cannot be run changes none of them.
    observed.generation = 7;
    set(&mut observed, "strategy", json!({"grid": {"gridSizePercent": 99}}));
    let refused = planned(&observed, &image());
    assert_eq!(refused.moves[0], plan.moves[0]);
    assert_eq!(words(&refused), ["Running"]);
    // A new image is followed by no register.
    let image = Image { name: "glm:2".to_owned(), ..image() };
    assert_eq!(
        words(&planned(&Observed { generation: 6, spec: edited().spec, ..observed }, &image))[1..],
        ["DeletePod"]
    );
}

#[test]
fn who_does_not_follow_parameters_gets_a_new_pod_once_it_has_spoken() {
    assert_eq!(said(&edited()).0, ["Running", "DeletePod"], "its record says nothing of it");
    // One that starts has not said anything: it reads the register first.
    let mut starting = edited();
    starting.pods[0].ready = false;
    assert_eq!(said(&starting).0, ["Running"]);
    let mut taken_over = edited();
    edit(&mut taken_over.stored, |record| record.epoch = 2);
    assert_eq!(said(&taken_over).0, ["Running"], "the record is that of the worker before");
}

/// The digest is that which the release before wrote, for this very pod.
#[test]
fn a_pod_of_the_release_before_stays_until_its_parameters_are_edited() {
    let written = "c0ece31a6178e82c";
    assert_eq!(digests(&trading()).1, written);
    let of_the_release_before = |mut observed: Observed| {
        (observed.pods[0].digest, observed.pods[0].whole_digest) = (written.to_owned(), None);
        observed
    };
    assert_eq!(said(&of_the_release_before(trading())).0, ["Running"]);
    let mut bounds = trading();
    set(&mut bounds, "risk", json!({"maxDrawdownPercent": 5}));
    assert_eq!(said(&of_the_release_before(bounds)).0, ["Running"]);
    assert_eq!(said(&of_the_release_before(edited())).0, ["Running", "DeletePod"]);
    let mut following_worker = of_the_release_before(edited());
    following(&mut following_worker, 5, None);
    assert_eq!(said(&following_worker).0, ["Running", "DeletePod"], "nobody knows what else it was made from");
}

/// Annotated, told to the worker, done there, taken off; and out of the register at last.
#[test]
fn a_release_goes_to_the_worker_and_its_annotation_goes_once_it_is_done() {
    let released = |observed: &Observed| {
        let plan = planned(observed, &image());
        let Move::Register(value) = &plan.moves[0] else { panic!("{plan:?}") };
        value["release"]["name"].as_str().map(str::to_owned)
    };
    let report = |observed: &mut Observed, limits| {
        edit(&mut observed.stored, |record| record.fields.extend([reporting(&limits, &json!(null))]));
    };
    let mut observed = trading();
    report(&mut observed, json!([latched(2)]));
    assert_eq!((released(&observed), said(&observed).0), (None, vec!["Running".to_owned()]));
    let asks = |observed: &mut Observed, text: &str| {
        observed.annotations.insert(RELEASE_ANNOTATION.to_owned(), text.to_owned());
    };
    asks(&mut observed, "maxDrawdownPercent 2026-01-01T00:00:00Z");
    assert_eq!((released(&observed), said(&observed).0), (None, vec!["Running".to_owned(), "clear true".to_owned()]));
    asks(&mut observed, "maxDrawdownPercent 2026-01-02T00:00:00Z");
    let name = Some("maxDrawdownPercent".to_owned());
    assert_eq!((released(&observed), said(&observed).0), (name.clone(), vec!["Running".to_owned()]));
    let Move::Register(value) = &planned(&observed, &image()).moves[0] else { panic!("a register") };
    observed.register = Some(Desired { token: 2, value: value.to_string().into(), ..held("Running") });
    assert_eq!(said(&observed).0, ["Running"], "the worker has not done it yet");
    report(&mut observed, json!([latched(3)]));
    assert_eq!((released(&observed), said(&observed).0), (name, vec!["Running".to_owned(), "clear false".to_owned()]));
    observed.annotations.clear();
    assert_eq!((released(&observed), said(&observed).0), (None, vec!["Running".to_owned()]));
}

#[test]
fn a_crash_loop_is_left_by_the_word_that_stands_in_the_status() {
    let mut observed = Observed { pods: Vec::new(), ..trading() };
    observed.status.epoch = Some(4);
    let digest = trading().pods[0].whole_digest.clone().unwrap();
    observed.ends = Some(Ends { count: ENDS_MAX, digest, age_s: 9_999, ..Ends::default() });
    assert_eq!(said(&observed).0, ["Running"]);
    observed.annotations.insert(RELEASE_ANNOTATION.to_owned(), "CrashLoop 4".to_owned());
    assert_eq!(said(&observed).0, ["Running", "clear true"]);
    observed.annotations.insert(RELEASE_ANNOTATION.to_owned(), "CrashLoop 5".to_owned());
    assert_eq!(said(&observed).0, ["Running", "ForgetEnds+CreatePod", "clear false"]);
    // Also with a spec that cannot be run: what is taken off was acted on.
    let valid = observed.spec.clone();
    observed = broken(observed);
    assert_eq!(said(&observed).0, ["Running", "ForgetEnds", "clear false"]);
    observed.spec = valid;
    // An edit, or a new image.
    observed.annotations.clear();
    set(&mut observed, "strategy", json!({"grid": {"gridSizePercent": 3}}));
    assert_eq!(said(&observed).0, ["Running", "CreatePod"]);
}

use bus::{Desired, RegisterVersion};

#[test]
fn transfers_are_asked_for_by_the_register_and_a_bad_spec_changes_none() {
    let told = |observed: &Observed| {
        let moves = planned(observed, &image()).moves;
        moves
            .into_iter()
            .find_map(|next| if let Move::Register(value) = next { Some(value["transfers"].clone()) } else { None })
    };
    let mut observed = trading();
    set(&mut observed, "transfers", json!([{"id": "a", "asset": "USDT", "amount": 1}]));
    let asked = json!({"generation": 5, "list": [{"id": "a", "asset": "USDT", "amount": "1"}]});
    assert_eq!(told(&observed), Some(asked.clone()));
    assert!(!planned(&observed, &image()).followed, "the worker has not seen it");
    assert_eq!(told(&broken(observed)), Some(json!({"generation": 5, "list": []})), "as the register has it");
    // A register of the release before stays as it is until something is asked for.
    let mut before = trading();
    before.register = Some(crate::strategy::fixture::register(&StrategyDesired {
        transfers: None,
        ..StrategyDesired::of(&before.spec, 5)
    }));
    assert_eq!(told(&before), Some(json!(null)));
    set(&mut before, "transfers", json!([{"id": "a", "asset": "USDT", "amount": 1}]));
    assert_eq!(told(&before), Some(asked));
}
