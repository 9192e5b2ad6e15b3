//! What a venue is like, fact by fact: whether a yes is final, when a request is dead, its dead man's switch, and whether it
//! keeps orders of one account from trading with each other.

use crds::roles::Stance;
use serde_json::json;
use venue::{Answers, RequestExpiry, SelfTradePrevention, SwitchReach, VenueFacts};

use super::elsewhere::{Bench, rests};
use crate::roles::Stop;
use crate::simulation::kind::{ACKNOWLEDGES, FIRES_AFTER_MS, PLAIN, REPORT_MS, switch};
use crate::simulation::script::{Arrival, Rest, Script, VISIBILITY_MS};

/// Steps within which what is waited for must have happened.
const PATIENCE: usize = 1_000;

fn acknowledging() -> VenueFacts {
    VenueFacts { answers: ACKNOWLEDGES, ..PLAIN }
}

fn without_expiry() -> VenueFacts {
    VenueFacts { expiry: RequestExpiry::Never, ..PLAIN }
}

/// All reports are lost.
fn unreported(script: Script) -> Script {
    Script { reports: vec![vec![]], ..script }
}

/// All reports take so long.
fn reported_after(milliseconds: i64) -> Script {
    Script { reports: vec![vec![milliseconds]], ..rests() }
}

fn asked(bench: &Bench) -> usize {
    bench.log("ask order by id").len()
}

#[test]
fn an_order_that_is_acknowledged_is_not_accepted_before_its_report_tells() {
    let mut bench = Bench::at(acknowledging(), [reported_after(REPORT_MS - 200)]);
    bench.order(1, &json!({}));
    bench.run(REPORT_MS - 300);
    assert_eq!((bench.log("create").len(), bench.told(1)), (1, Vec::new()), "the answer alone tells nothing");
    bench.run(600);
    assert_eq!(
        (bench.told(1), asked(&bench)),
        (vec!["Accepted ".to_owned()], 0),
        "nothing is asked of what is reported"
    );
}

/// What an exchange does whose reports are lost, and what is told.
#[test]
fn the_lost_report_of_an_acknowledged_order_is_found_soon() {
    let refused = Script { refusal: Some("PriceFilter"), ..Script::default() };
    let hidden = Script { hidden_ms: VISIBILITY_MS - 1, ..rests() };
    let cases: [(Script, &[&str]); 4] = [
        (rests(), &["Accepted "]),
        (Script::default(), &["Filled "]),
        (refused, &["Rejected PriceFilter"]),
        (hidden, &["Unknown NotReported", "Accepted "]),
    ];
    for (script, told) in cases {
        let mut bench = Bench::at(acknowledging(), [unreported(script)]);
        bench.order(1, &json!({}));
        bench.run(REPORT_MS);
        assert_eq!((bench.told(1), asked(&bench)), (Vec::new(), 0), "{told:?}: its report is waited for");
        bench.run(400);
        assert_eq!(bench.told(1), told[..1], "{told:?}");
        bench.run(VISIBILITY_MS);
        assert_eq!(bench.told(1), told, "{told:?}");
        assert_eq!(bench.log("create").len(), 1, "{told:?}");
    }
}

#[test]
fn an_acknowledged_order_whose_gateway_is_lost_is_asked_about_by_its_successor() {
    let mut bench = Bench::at(acknowledging(), [unreported(rests())]);
    bench.order(1, &json!({}));
    bench.run(300);
    bench.gateway = bench.account.start_gateway(2);
    bench.run(1_000);
    assert_eq!((bench.told(1), bench.log("create").len()), (vec!["Accepted ".to_owned()], 1));
}

#[test]
fn after_a_final_answer_nothing_is_asked() {
    let mut bench = Bench::at(PLAIN, [unreported(rests())]);
    bench.order(1, &json!({}));
    bench.run(2_000);
    bench.cancel(1);
    bench.run(2_000);
    assert_eq!((bench.told(1), asked(&bench)), (vec!["Accepted ".to_owned(), "Canceled ".to_owned()], 0));
}

#[test]
fn an_acknowledged_cancel_waits_for_its_report_and_is_asked_about_if_none_comes() {
    for (script, questions) in [(reported_after(300), 0), (Script { reports: vec![vec![0], vec![]], ..rests() }, 1)] {
        let mut bench = Bench::at(acknowledging(), [script]);
        bench.order(1, &json!({}));
        bench.run(1_000);
        assert_eq!(bench.told(1), ["Accepted "]);
        bench.cancel(1);
        bench.run(REPORT_MS + 500);
        assert_eq!((bench.told(1).last().unwrap().as_str(), asked(&bench)), ("Canceled ", questions));
        assert_eq!(bench.log("cancel").len(), 1, "asked for once");
    }
}

/// It may arrive at any time: neither the clock nor the venue's silence ends it, and nothing is sent again.
#[test]
fn without_an_expiry_an_order_without_an_answer_stays_in_doubt() {
    let never = Script { arrival: Arrival::Never, ..Script::default() };
    let mut bench = Bench::at(without_expiry(), [never]);
    bench.order(1, &json!({"quantity": "4.9"}));
    bench.run(120_000);
    bench.cancel(1);
    bench.run(60_000);
    let in_doubt = ["Unknown TimedOut"];
    assert_eq!((bench.told(1), bench.log("create").len()), (in_doubt.map(str::to_owned).to_vec(), 1));
    assert!(asked(&bench) < 80, "{} questions in three minutes", asked(&bench));
    // A successor trades on, with what the order may take held back.
    bench.gateway = bench.account.start_gateway(2);
    bench.order(2, &json!({"quantity": "1"}));
    bench.order(3, &json!({}));
    bench.run(20_000);
    assert!(bench.gateway.health.readiness().0);
    assert_eq!(bench.told(2), ["Denied InsufficientBook"]);
    assert_eq!(bench.told(3), ["Filled "]);
    assert_eq!((bench.told(1), bench.log("create 1").len()), (in_doubt.map(str::to_owned).to_vec(), 1));
}

#[test]
fn without_an_expiry_what_arrives_at_last_is_booked_or_cancelled() {
    let late = |script| Script { arrival: Arrival::Late(100_000), ..unreported(script) };
    let mut bench = Bench::at(without_expiry(), [late(Script::default()), late(rests())]);
    bench.order(1, &json!({}));
    bench.order(2, &json!({}));
    bench.run(50_000);
    bench.cancel(2);
    bench.run(70_000);
    assert_eq!(bench.told(1), ["Unknown TimedOut", "Filled "]);
    assert_eq!(bench.told(2).last().map(String::as_str), Some("Canceled "));
    assert_eq!((bench.coins().as_str(), bench.log("create").len()), ("5.01", 2));
    assert_eq!(bench.account.exchange.faults(), Vec::<String>::new());
}

/// An order that nobody here knows may be on its way.
#[test]
fn without_an_expiry_an_order_that_nobody_knows_is_never_said_not_to_be_there() {
    let mut bench = Bench::at(without_expiry(), []);
    bench.run(1_000);
    bench.cancel(7);
    bench.run(60_000);
    assert_eq!(bench.told(7), [] as [&str; 0]);
    assert!(asked(&bench) > 10);
}

/// It was never sent, which is known here whatever the venue says.
#[test]
fn without_an_expiry_an_order_that_waited_too_long_for_room_is_denied() {
    let slow = || Script { answers_after_ms: 40_000, ..rests() };
    let mut bench = Bench::at(without_expiry(), (0..100).map(|_| slow()));
    for sequence in 1..=100 {
        bench.order(sequence, &json!({"quantity": "0.001"}));
    }
    bench.run(60_000);
    assert_eq!(bench.told(100), ["Denied CommandExpired"]);
    assert_eq!(bench.log("create 100").len(), 0);
}

#[test]
fn a_request_that_names_its_expiry_is_dead_after_it_and_is_sent_again_with_a_new_one() {
    let named = VenueFacts { expiry: RequestExpiry::Named { lives_ms: 2_000 }, ..PLAIN };
    // Too late by the expiry that it names, and then in time.
    let late = Script { arrival: Arrival::Late(2_500), ..Script::default() };
    let mut bench = Bench::at(named, [late, Script::default()]);
    bench.order(1, &json!({}));
    bench.run(20_000);
    let stamps: Vec<i64> = bench.account.exchange.requests().into_iter().map(|(_, signed_at)| signed_at).collect();
    assert!(stamps.len() == 2 && stamps[1] - stamps[0] > 2_500 + VISIBILITY_MS, "{stamps:?}");
    assert_eq!(bench.told(1), ["Unknown TimedOut", "Filled "]);
    assert_eq!((bench.coins().as_str(), bench.account.exchange.faults()), ("5.01", Vec::new()));
}

/// At an exchange with a switch of either reach: what was told of order 1, a sell that rests.
fn guarded(then: impl Fn(&mut Bench, &str)) {
    for reach in [SwitchReach::Symbol, SwitchReach::Tag] {
        let mut bench = Bench::at(VenueFacts { switch: Some(switch(reach)), ..PLAIN }, [rests()]);
        bench.order(1, &json!({"side": "Sell", "price": "700.00"}));
        bench.run(1_000);
        assert_eq!(bench.told(1), ["Accepted "]);
        then(&mut bench, &format!("{reach:?}"));
        assert_eq!(bench.account.exchange.faults(), Vec::<String>::new(), "{reach:?}");
    }
}

#[test]
fn while_orders_rest_the_switch_is_armed_and_renewed_well_before_it_fires() {
    guarded(|bench, name| {
        bench.account.follow(Stance::StopOpening);
        let armed = bench.log("arm").len();
        bench.run(60_000);
        let renewed = bench.log("arm").len() - armed;
        assert!((20..=32).contains(&renewed), "{name}: {renewed} times in a minute");
        assert!(bench.account.exchange.has_open_orders(), "{name}: it never fires");
        // Without an order nobody needs it, and what comes later is not ended by it.
        bench.cancel(1);
        bench.run(FIRES_AFTER_MS);
        assert_eq!(bench.log("disarm").len(), 1, "{name}");
        let armed = bench.log("arm").len();
        bench.run(30_000);
        assert_eq!(bench.log("arm").len(), armed, "{name}");
    });
}

#[test]
fn orders_of_a_gateway_that_is_lost_stay_for_a_successor_in_time_and_else_end_with_a_reason() {
    guarded(|bench, name| {
        bench.account.bus.clock().advance(FIRES_AFTER_MS / 2);
        bench.gateway = bench.account.start_gateway(2);
        bench.run(30_000);
        assert_eq!(bench.told(1), ["Accepted "], "{name}");
        bench.account.bus.clock().advance(FIRES_AFTER_MS + 1);
        bench.gateway = bench.account.start_gateway(3);
        bench.run(1_000);
        assert_eq!(bench.told(1), ["Accepted ", "Canceled SwitchFired"], "{name}");
    });
}

#[test]
fn a_gateway_that_stops_in_good_order_disarms_the_switch_and_one_that_was_replaced_does_not() {
    guarded(|bench, name| {
        let successor = bench.account.start_gateway(2);
        let mut old = std::mem::replace(&mut bench.gateway, successor);
        bench.run(500);
        old.ask_to_stop();
        let ended = (0..PATIENCE).find_map(|_| old.step());
        assert!(matches!(ended, Some(Err(Stop::Fenced { .. }))), "{name}: {ended:?}");
        assert_eq!(bench.log("disarm").len(), 0, "{name}");
        bench.gateway.ask_to_stop();
        let ended = (0..PATIENCE).find_map(|_| {
            bench.account.bus.clock().advance(100);
            bench.gateway.step()
        });
        assert!(matches!(ended, Some(Ok(()))), "{name}: {ended:?}");
        assert_eq!(bench.log("disarm").len(), 1, "{name}");
        bench.account.bus.clock().advance(10 * FIRES_AFTER_MS);
        assert!(bench.account.exchange.has_open_orders(), "{name}: it stays");
    });
}

#[test]
fn a_gateway_stops_also_if_the_venue_does_not_say_that_its_switch_is_disarmed() {
    guarded(|bench, name| {
        bench.account.exchange.fall_silent(1_000_000);
        bench.gateway.ask_to_stop();
        let ended = (0..PATIENCE).find_map(|_| {
            bench.account.bus.clock().advance(100);
            bench.gateway.step()
        });
        assert!(matches!(ended, Some(Ok(()))), "{name}: {ended:?}");
    });
}

#[test]
fn what_is_kept_from_trading_with_another_order_has_expired_and_its_funds_are_free_again() {
    use SelfTradePrevention::{ExpireMaker, ExpireTaker};
    for answers in [Answers::Final, ACKNOWLEDGES] {
        for rest in [Rest::Prevented, Rest::PreventedSilently] {
            let facts = VenueFacts { answers, prevention: &[ExpireMaker, ExpireTaker], ..PLAIN };
            let prevented = Script { trades: vec![(0, 40)], rest, ..Script::default() };
            let mut bench = Bench::at(facts, [prevented]);
            bench.order(1, &json!({"quantity": "4"}));
            bench.run(2_000);
            let name = format!("{answers:?} {rest:?}");
            assert_eq!(bench.told(1).last().map(String::as_str), Some("Expired SelfTradePrevented"), "{name}");
            assert_eq!(bench.coins(), "6.6", "{name}");
            // 3000 less 1.6 x 600 and its fee are left.
            bench.order(2, &json!({"quantity": "3.3"}));
            bench.run(1_000);
            assert_eq!(bench.told(2).last().map(String::as_str), Some("Filled "), "{name}");
            assert_eq!(bench.account.exchange.faults(), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn where_the_venue_lets_orders_of_one_account_trade_with_each_other_what_opens_does_not() {
    let sell = json!({"side": "Sell", "price": "600.00"});
    for (prevention, reason) in
        [(PLAIN.prevention, "Denied SelfTrade"), (&[SelfTradePrevention::ExpireTaker], "Filled ")]
    {
        let mut bench = Bench::at(VenueFacts { prevention, ..PLAIN }, [rests()]);
        bench.order(1, &sell);
        bench.run(1_000);
        bench.order(2, &json!({"price": "600.00"}));
        bench.run(1_000);
        assert_eq!(bench.told(2).last().map(String::as_str), Some(reason));
        // Below it nothing meets.
        bench.account.exchange.next(rests());
        bench.order(3, &json!({"price": "599.99"}));
        bench.run(1_000);
        assert_eq!(bench.told(3), ["Accepted "]);
        // What reduces always passes.
        bench.order(4, &json!({"side": "Sell", "price": "599.00"}));
        bench.run(1_000);
        assert_eq!(bench.told(4).last().map(String::as_str), Some("Filled "));
    }
}
