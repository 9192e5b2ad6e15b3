//! The role on a bus, with a venue that behaves badly, and with a crash before and after each of its commits.

use engine::client_order_id::ClientOrderId;
use serde_json::json;

use super::cases::{Case, all};
use super::{cancel, command};
use crate::simulation::account::{Account, Role};
use crate::simulation::auditor::audit_gateway;
use crate::simulation::bus::Trouble;
use crate::simulation::script::{RECEIVE_WINDOW_MS, VISIBILITY_MS};

const STEP_MS: i64 = 100;
const STEPS: i64 = 300;

/// A gateway, restarted with a higher epoch whenever it stops at a commit.
struct Bench {
    account: Account,
    gateway: Role,
}

impl Bench {
    fn start(case: &Case) -> Self {
        let account = Account::open();
        for script in &case.scripts {
            account.exchange.next(script.clone());
        }
        account.exchange.fall_silent(case.silent_ms);
        let changes = json!({"expiresAt": account.bus.clock().now() + case.lives_ms});
        account.command(&command(&account.ledger, 1, account.bus.clock().now(), &changes));
        let gateway = account.start_gateway(1);
        Self { account, gateway }
    }

    fn step(&mut self) {
        self.gateway.go_on(&self.account);
    }

    fn run(&mut self, case: &Case) {
        for step in 0..STEPS {
            if case.cancel_after_ms == Some(step * STEP_MS) {
                self.account.command(&cancel(&self.account.ledger, 1, self.account.bus.clock().now()));
            }
            self.step();
            self.account.bus.clock().advance(STEP_MS);
        }
    }

    /// What was told last, but for answers to a command given twice.
    fn end(&self) -> (String, String, String) {
        let inbox = self.account.bus.committed(self.account.strategy.inbox());
        let last = inbox.last().expect("news");
        let text = |name: &str| last[name].as_str().unwrap().to_owned();
        (text("status"), text("reason"), text("cumulativeQuantity"))
    }

    fn check(&self, case: &Case, disturbed: Option<(u32, Trouble)>) {
        let name = format!("{}, {disturbed:?}", case.name);
        assert_eq!(audit_gateway(&self.account), Vec::<String>::new(), "{name}");
        let (status, reason, filled) = self.end();
        let is_unsent = disturbed.is_some() && self.account.exchange.requests().is_empty();
        if is_unsent && (status.as_str(), reason.as_str()) == ("Denied", "CommandExpired") {
            // Its time was over before all was settled with the venue once more.
            return;
        }
        assert_eq!(status, case.end.0, "{name}");
        // After a crash before the request, a cancel can find nothing to cancel.
        if case.cancel_after_ms.is_none() || disturbed.is_none() {
            assert_eq!(filled, case.end.2, "{name}");
        }
        if disturbed.is_none() {
            assert_eq!(reason, case.end.1, "{name}");
            assert_eq!(self.account.exchange.requests().len(), case.requests, "{name}");
        }
    }
}

fn named(name: &str) -> Case {
    all().into_iter().find(|case| case.name == name).expect("a case of this name")
}

#[test]
fn whatever_the_venue_does_each_order_is_sent_and_booked_once() {
    for case in all() {
        let mut bench = Bench::start(&case);
        bench.run(&case);
        bench.check(&case, None);
    }
}

#[test]
fn a_crash_at_any_commit_changes_nothing() {
    for case in all() {
        let mut undisturbed = Bench::start(&case);
        undisturbed.run(&case);
        for commit in 0..undisturbed.account.bus.commits() {
            for trouble in [Trouble::Before, Trouble::After, Trouble::Torn] {
                let mut bench = Bench::start(&case);
                bench.account.bus.plan(&bench.account.gateway, commit, trouble);
                bench.run(&case);
                bench.check(&case, Some((commit, trouble)));
            }
        }
    }
}

/// A stamp is never used twice, and a second request leaves no doubt about the first.
#[test]
fn a_second_request_has_a_new_stamp_after_the_window_and_the_visibility() {
    let case = &named("never arrives, is sent again");
    let mut bench = Bench::start(case);
    bench.run(case);
    let requests = bench.account.exchange.requests();
    assert_eq!(requests[0].0, requests[1].0);
    assert!(requests[1].1 > requests[0].1 + RECEIVE_WINDOW_MS + VISIBILITY_MS, "{requests:?}");
}

/// The gateway calls again itself, with the very same commit, as it would on a real network.
#[tokio::test]
async fn a_lost_answer_of_the_store_is_asked_for_again() {
    let case = &named("accepted and filled");
    let mut bench = Bench::start(case);
    bench.account.bus.plan(&bench.account.gateway, 1, Trouble::Unanswered);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while bench.account.bus.count(bench.account.strategy.inbox()) == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no news");
        bench.step();
        tokio::task::yield_now().await;
    }
    bench.check(case, None);
}

/// The old process wakes up between its commit and its request: the request is still in its window, so it may
/// arrive; the successor must not have sent it, nor send it after.
#[test]
fn a_frozen_gateway_that_wakes_up_does_not_send_twice() {
    for wakes_after in [1_000, RECEIVE_WINDOW_MS, RECEIVE_WINDOW_MS + 1_000, 20_000] {
        let case = Case::default();
        let mut bench = Bench::start(&case);
        bench.account.bus.plan(&bench.account.gateway, 1, Trouble::After);
        let mut frozen = None;
        for step in 0..STEPS {
            assert!(bench.gateway.step().is_none());
            if let Some((number, _)) = bench.account.bus.take_stopped() {
                let successor = bench.account.start_gateway(2);
                frozen = Some((number, std::mem::replace(&mut bench.gateway, successor)));
            }
            if step * STEP_MS >= wakes_after
                && let Some((number, mut old)) = frozen.take()
            {
                bench.account.bus.release(number);
                old.step();
            }
            bench.account.bus.clock().advance(STEP_MS);
        }
        bench.check(&Case { name: "frozen", requests: bench.account.exchange.requests().len(), ..case }, None);
        assert_eq!(bench.account.exchange.placed().len(), 1, "wakes after {wakes_after}");
    }
}

#[test]
fn orders_of_others_are_never_touched_or_told() {
    let case = &named("accepted and filled");
    let mut bench = Bench::start(case);
    bench.run(case);
    let mut foreign = bench.account.exchange.placed()[0].shown(0);
    foreign.client_order_id = ClientOrderId::new("other".parse().unwrap(), 7);
    bench.account.exchange.report_foreign(foreign);
    bench.run(&Case::default());
    bench.check(case, None);
}

/// Three commands at once: each is on record before it is sent, and all of them are sent in their order.
#[test]
fn many_commands_at_once_are_each_sent_once() {
    let case = Case { name: "three at once", requests: 3, end: ("Filled", "", "1"), ..Case::default() };
    let mut bench = Bench::start(&case);
    let now = bench.account.bus.clock().now();
    for sequence in [2, 3] {
        bench.account.command(&command(&bench.account.ledger, sequence, now, &json!({})));
    }
    bench.run(&case);
    bench.check(&case, None);
    let sequences: Vec<_> = bench.account.exchange.requests().iter().map(|(id, _)| id.sequence()).collect();
    assert_eq!(sequences, [1, 2, 3]);
}
