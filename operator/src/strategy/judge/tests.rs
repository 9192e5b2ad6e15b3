//! The table of states and conditions, row by row.

use bus::{Desired, RegisterVersion, StreamId};
use crds::roles::Stance;
use serde_json::json;

use super::*;
use crate::report::word;
use crate::strategy::fixture::*;
use crate::strategy::plan;
use crate::strategy::validate::validate;

/// State, Ready, Reconciling, Stalled in one line; the message; whether it is accepted.
fn told(observed: &Observed) -> (String, String) {
    told_after(observed, 0)
}

/// The same, when a stop or a pause has waited for so many seconds.
fn told_after(observed: &Observed, waited_s: u64) -> (String, String) {
    let accepted = validate(observed);
    let plan = plan::plan(observed, accepted.as_ref(), &image()).unwrap();
    let word = match &observed.stored {
        Stored::Found(record) => word(record),
        Stored::Away(_) | Stored::Missing => None,
    };
    let moment = Moment { now: "2026-01-01T00:02:00Z".parse().unwrap(), waited_s };
    let (state, verdict) = judge(observed, accepted.as_ref().err(), &plan, word.as_ref(), moment);
    let (status, reason, message) = verdict.ready;
    let flags = [(verdict.reconciling, " reconciling"), (verdict.stalled, " stalled")];
    let flags: String = flags.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect();
    (format!("{state:?} {status:?} {}{flags}", reason.as_str()), message)
}

fn line(observed: &Observed) -> String {
    told(observed).0
}

fn seconds_ago(stored: &mut Stored, seconds: u64) {
    edit(stored, |record| record.seen_ms = NOW_MS - 1_000 * seconds);
}

#[test]
fn what_trades_says_so() {
    assert_eq!(line(&trading()), "Running True Trading");
}

#[test]
fn a_latched_limit_and_an_exit_say_so_and_how_they_are_released() {
    let mut observed = trading();
    edit(&mut observed.stored, |record| record.fields.extend([reporting(&json!([latched(2)]), &json!(null))]));
    let (line, message) = told(&observed);
    assert_eq!(line, "Running True LimitReached");
    let since = "maxDrawdownPercent 2026-01-02T00:00:00Z";
    assert!(message.starts_with(&format!("Latched: {since} (10.4, the limit is 10).")), "{message}");
    assert!(message.contains(&format!("glm.trading/release: \"{since}\"")), "{message}");
    let stopped = json!({"reason": "ExitReached", "rule": "takeProfitPercent", "since": "2026-01-03T00:00:00Z",
        "figure": "612.1", "threshold": "600"});
    edit(&mut observed.stored, |record| record.fields.extend([reporting(&json!([latched(2)]), &stopped)]));
    assert_eq!(told(&observed).0, "Stopping False ExitReached reconciling", "it still sells");
    for state in [PhaseState::Running, PhaseState::Stopped] {
        edit(&mut observed.stored, |record| record.fields.extend([phase(state, "ExitReached")]));
        let (line, message) = told(&observed);
        assert_eq!(line, "Stopped True ExitReached");
        let release = "glm.trading/release: \"takeProfitPercent 2026-01-03T00:00:00Z\"";
        assert!(
            message.starts_with("takeProfitPercent was reached at 612.1") && message.contains(release),
            "{message}"
        );
    }
}

#[test]
fn no_tick_is_not_ready() {
    let mut observed = trading();
    edit(&mut observed.stored, |record| drop(record.fields.remove(POSITION)));
    assert_eq!(line(&observed), "Running False WaitingForMarketData reconciling");
    // One of two markets has a tick: nothing is traded before the other has.
    let mut observed = trading();
    let phase = Phase {
        state: PhaseState::Running,
        reason: "WaitingForMarketData".to_owned(),
        message: "No tick of ETH/USDT has arrived yet".to_owned(),
        generation: 0,
        follows: Vec::new(),
        refused: None,
    };
    edit(&mut observed.stored, |record| record.fields.extend([phase.to_field()]));
    let (line, message) = told(&observed);
    assert_eq!(line, "Running False WaitingForMarketData reconciling");
    assert_eq!(message, "No tick of ETH/USDT has arrived yet");
}

#[test]
fn what_waits_for_bars_is_not_ready_and_says_for_how_many() {
    let mut observed = trading();
    edit(&mut observed.stored, |record| {
        let phase = Phase {
            state: PhaseState::Running,
            reason: "WarmingUp".to_owned(),
            message: "3 of 52 bars of 1d of BTC/USDT are there.".to_owned(),
            generation: 0,
            follows: Vec::new(),
            refused: None,
        };
        record.fields.extend([phase.to_field()]);
    });
    let (line, message) = told(&observed);
    assert_eq!(line, "Running False WarmingUp reconciling");
    assert_eq!(message, "3 of 52 bars of 1d of BTC/USDT are there.");
    // Before the first tick that is what it waits for.
    edit(&mut observed.stored, |record| drop(record.fields.remove(POSITION)));
    assert_eq!(told(&observed).0, "Running False WaitingForMarketData reconciling");
}

#[test]
fn who_shows_no_sign_of_life_is_named() {
    for (stored, reason) in [("worker", "WorkerSilent"), ("gateway", "GatewaySilent"), ("feed", "FeedSilent")] {
        let silent = |seconds| {
            let mut observed = trading();
            let stored = match stored {
                "worker" => &mut observed.stored,
                "gateway" => &mut observed.gateway,
                _ => &mut observed.feed,
            };
            seconds_ago(stored, seconds);
            told(&observed)
        };
        assert_eq!(silent(30).0, "Running True Trading");
        let (line, message) = silent(31);
        assert_eq!(line, format!("Degraded Unknown {reason}"));
        assert!(message.contains(stored), "{message}");
    }
    // Its pod is not ready any more: that it is only starting would be a lie.
    let mut frozen = trading();
    frozen.pods[0].ready = false;
    assert_eq!(line(&frozen), "Starting False Starting reconciling");
    seconds_ago(&mut frozen.stored, 31);
    assert_eq!(line(&frozen), "Degraded Unknown WorkerSilent");
    // The signs of the one before say nothing of one that starts.
    edit(&mut frozen.stored, |record| record.epoch = 2);
    assert_eq!(line(&frozen), "Starting False Starting reconciling");
}

#[test]
fn what_nobody_has_told_yet_is_not_silence() {
    let mut observed = trading();
    for stored in [&mut observed.stored, &mut observed.gateway, &mut observed.feed] {
        edit(stored, |record| record.seen_ms = 0);
    }
    assert_eq!(line(&observed), "Running True Trading");
    (observed.gateway, observed.feed) = (Stored::Missing, Stored::Missing);
    assert_eq!(line(&observed), "Running True Trading");
}

#[test]
fn a_word_of_an_older_epoch_says_nothing_of_this_worker() {
    let mut observed = trading();
    edit(&mut observed.stored, |record| record.epoch = 2);
    assert_eq!(line(&observed), "Starting False Starting reconciling");
}

#[test]
fn a_word_of_an_older_epoch_says_nothing_of_this_gateway_or_feed() {
    for (is_feed, name) in [(true, "feed"), (false, "gateway")] {
        let with_epochs = |epoch: u64| {
            let mut observed = trading();
            let mut account = account();
            let status = json!({"epoch": epoch, "feed": {"source": "s", "epoch": epoch, "pod": "p"}});
            account.status = Some(serde_json::from_value(status).unwrap());
            observed.account = Ok(Some(account.into()));
            observed
        };
        let silent = |mut observed: Observed| {
            let stored = if is_feed { &mut observed.feed } else { &mut observed.gateway };
            seconds_ago(stored, 31);
            told(&observed)
        };
        assert!(silent(with_epochs(3)).0.starts_with("Degraded Unknown"), "{name}");
        let (line, message) = silent(with_epochs(4));
        assert_eq!(line, "Starting False Starting reconciling");
        assert!(message.contains(name), "{message}");
        // The one before has only just gone.
        assert_eq!(told(&with_epochs(4)).0, "Running True Trading");
    }
}

#[test]
fn nobody_is_silent_or_behind_until_the_store_has_answered_for_a_while() {
    let mut observed = trading();
    let last = StreamId { ms: NOW_MS - 99_000, ..StreamId::ZERO };
    observed.ticks = Some((observed.inbox.stream.clone(), last));
    let all = |observed: &mut Observed, answered_ms| {
        for stored in [&mut observed.stored, &mut observed.gateway, &mut observed.feed] {
            edit(stored, |record| record.answered_ms = Some(answered_ms));
        }
    };
    all(&mut observed, 30_000);
    assert_eq!(line(&observed), "Running True Trading");
    all(&mut observed, 30_001);
    assert_eq!(line(&observed), "Degraded False BehindFeed");
    for stored in [&mut observed.stored, &mut observed.gateway, &mut observed.feed] {
        seconds_ago(stored, 99);
    }
    assert_eq!(line(&observed), "Degraded Unknown WorkerSilent");
    all(&mut observed, 30_000);
    assert_eq!(line(&observed), "Running True Trading");
}

#[test]
fn a_worker_that_does_not_take_its_prices_is_behind() {
    let mut observed = trading();
    let stream = observed.inbox.stream.clone();
    let tick = |seconds: u64| StreamId { ms: NOW_MS - 1_000 * seconds, ..StreamId::ZERO };
    for (last, cursor, behind) in
        [(31, 32, true), (30, 32, false), (31, 31, false), (9_999, 9_999, false), (9_999, 10_000, true)]
    {
        observed.ticks = Some((stream.clone(), tick(last)));
        edit(&mut observed.stored, |record| record.cursors = at(&stream, tick(cursor)));
        let expected = if behind { "Degraded False BehindFeed" } else { "Running True Trading" };
        assert_eq!(line(&observed), expected, "{last} {cursor}");
    }
}

#[test]
fn a_pause_is_told_once_the_gateway_has_acknowledged_it() {
    let mut observed = trading();
    set(&mut observed, "state", json!("Paused"));
    // Not even in its register yet: what trades on is not settled.
    assert_eq!(line(&observed), "Running False Paused reconciling");
    observed.gateway = gateway(Some(Stance::StopOpening), &[]);
    assert_eq!(line(&observed), "Running False Paused reconciling");
    observed.register = Some(Desired { token: 2, ..held("Paused") });
    assert_eq!(line(&observed), "Running False Paused reconciling");
    observed.gateway = gateway(Some(Stance::Open), &[]);
    edit(&mut observed.stored, |record| {
        record.followed = Some(RegisterVersion { generation: 1, token: 2 });
        record.fields.extend([phase(PhaseState::Paused, "Paused")]);
    });
    let (line, message) = told(&observed);
    assert_eq!(line, "Paused False Paused reconciling");
    assert!(message.contains("not acknowledged StopOpening"), "{message}");
    assert_eq!(told_after(&observed, 60).0, line);
    assert_eq!(told_after(&observed, 61).0, "Paused False DeadlineExceeded reconciling stalled");
    observed.gateway = gateway(Some(Stance::StopOpening), &[]);
    assert_eq!(self::line(&observed), "Paused True Paused");
    // And back.
    set(&mut observed, "state", json!("Running"));
    assert_eq!(self::line(&observed), "Paused False Starting reconciling");
    observed.register = Some(Desired { token: 3, ..held("Running") });
    edit(&mut observed.stored, |record| record.fields.extend([phase(PhaseState::Running, "Trading")]));
    assert_eq!(self::line(&observed), "Running False Starting reconciling");
    edit(&mut observed.stored, |record| record.followed = Some(RegisterVersion { generation: 1, token: 3 }));
    assert_eq!(self::line(&observed), "Running True Trading");
}

#[test]
fn a_stop_says_what_it_waits_for_and_then_that_it_is_done() {
    let mut observed = trading();
    set(&mut observed, "state", json!("Stopped"));
    let (line, message) = told(&observed);
    assert_eq!(line, "Stopping False Stopping reconciling");
    assert!(message.contains("not acknowledged CancelOrders"), "{message}");
    assert_eq!(told_after(&observed, 60).0, line);
    let (late, message) = told_after(&observed, 61);
    assert_eq!(late, "Stopping False DeadlineExceeded reconciling stalled");
    assert!(message.contains("not acknowledged CancelOrders"), "{message}");
    // Also with no pod left: an absent worker is no stop.
    observed.pods.clear();
    assert_eq!(self::line(&observed), "Stopping False Stopping reconciling");
    observed.gateway = gateway(Some(Stance::CancelOrders), &[]);
    assert_eq!(self::line(&observed), "Stopped True Stopped");
}

#[test]
fn a_finished_replay_is_ready() {
    let mut observed = trading();
    edit(&mut observed.stored, |record| record.fields.extend([phase(PhaseState::Stopped, "MarketDataEnded")]));
    // Its feed has nothing more to tell.
    seconds_ago(&mut observed.feed, 99);
    assert_eq!(line(&observed), "Stopped True MarketDataEnded");
}

#[test]
fn a_bad_spec_says_what_runs_on() {
    let broken = |change: &dyn Fn(&mut Observed)| {
        let mut observed = trading();
        set(&mut observed, "instruments", json!([{"symbol": "BTC/USDT"}]));
        change(&mut observed);
        told(&observed)
    };
    let (line, message) = broken(&|_| {});
    assert_eq!(line, "Running False NoInstrumentRules stalled");
    assert!(message.starts_with("generation 4 keeps trading; "), "{message}");
    let (line, message) = broken(&|observed| {
        set(observed, "state", json!("Paused"));
        observed.gateway = gateway(Some(Stance::StopOpening), &[]);
        edit(&mut observed.stored, |record| record.fields.extend([phase(PhaseState::Paused, "Paused")]));
    });
    assert_eq!(line, "Paused False NoInstrumentRules stalled");
    assert!(message.starts_with("generation 4 is paused; "), "{message}");
    let (line, message) = broken(&|observed| {
        set(observed, "state", json!("Stopped"));
        observed.gateway = gateway(Some(Stance::CancelOrders), &[]);
        observed.pods.clear();
    });
    assert_eq!(line, "Stopped False NoInstrumentRules stalled");
    assert!(message.starts_with("generation 4 has stopped; "), "{message}");
    assert_eq!(broken(&|observed| observed.pods.clear()).0, "Pending False NoInstrumentRules stalled");
    let (line, _) = broken(&|observed| {
        observed.pods[0].ready = false;
        edit(&mut observed.stored, |record| record.fields.extend([phase(PhaseState::Quarantined, "PoisonInbox")]));
    });
    assert_eq!(line, "Quarantined False NoInstrumentRules stalled");
}

#[test]
fn a_process_that_failed_is_degraded_and_waits_for_a_human() {
    for reason in ["StrategyCrashed", "StrategyTimeout", "BadAction"] {
        for state in [PhaseState::Running, PhaseState::Stopped] {
            let mut observed = trading();
            edit(&mut observed.stored, |record| record.fields.extend([phase(state, reason)]));
            assert_eq!(line(&observed), format!("Degraded False {reason} stalled"));
        }
    }
}

#[test]
fn who_waits_for_a_human_says_so_though_its_pod_is_not_ready() {
    for (reason, told_reason) in
        [("PoisonInbox", "PoisonInbox"), ("AccountMismatch", "AccountMismatch"), ("ALaterOne", "PoisonInbox")]
    {
        for (ready, waiting) in [(false, None), (false, Some("CrashLoopBackOff".to_owned())), (true, None)] {
            let mut observed = trading();
            (observed.pods[0].ready, observed.pods[0].waiting) = (ready, waiting);
            edit(&mut observed.stored, |record| record.fields.extend([phase(PhaseState::Quarantined, reason)]));
            assert_eq!(line(&observed), format!("Quarantined False {told_reason} stalled"));
            // The word of the one before, or of one that is being replaced, says nothing of the next.
            edit(&mut observed.stored, |record| record.epoch = 2);
            assert!(line(&observed).starts_with("Starting False"), "{reason} {ready}");
            edit(&mut observed.stored, |record| record.epoch = 3);
            observed.pods[0].deleting = true;
            assert_eq!(line(&observed), "Starting False Starting reconciling");
        }
    }
}

#[test]
fn a_deletion_past_its_deadline_names_what_it_waits_for_and_the_way_out() {
    let mut observed = trading();
    observed.deleting_since = Some("2026-01-01T00:01:00Z".parse().unwrap());
    assert_eq!(line(&observed), "Deleting False Stopping reconciling");
    observed.deleting_since = Some("2026-01-01T00:00:59Z".parse().unwrap());
    let (line, message) = told(&observed);
    assert_eq!(line, "Deleting False DeadlineExceeded reconciling stalled");
    assert!(
        message.contains("not acknowledged Closed") && message.contains("glm.trading/force-delete: now"),
        "{message}"
    );
}

#[test]
fn a_crash_loop_tells_the_last_words_and_the_way_out() {
    let mut observed = trading();
    let digest = observed.pods.remove(0).whole_digest.unwrap();
    let message = "SOURCES.md:1: no price".to_owned();
    observed.ends = Some(crate::placement::Ends { count: 5, last_exit: Some(4), message, digest, age_s: 9 });
    observed.status.epoch = Some(4);
    let (line, message) = told(&observed);
    assert_eq!(line, "Quarantined False CrashLoop stalled");
    assert!(message.contains("SOURCES.md:1: no price") && message.contains("exit code 4"), "{message}");
    assert!(message.contains("glm.trading/release: \"CrashLoop 5\""), "{message}");
}

/// One that trades live prices, with what its feed tells of the venue.
fn live(link: &str, markets: &str) -> Observed {
    let mut observed = trading();
    let Ok(Some(account)) = &mut observed.account else { panic!("it has an account") };
    account.spec.market_data = serde_json::from_value(json!({"binance": {"market": "Spot"}})).unwrap();
    let alive = NOW_MS.to_string();
    let (digest, whole) = digests(&observed);
    (observed.pods[0].digest, observed.pods[0].whole_digest) = (digest, Some(whole));
    let fields =
        [("link", link), ("alive", &alive), ("rules", markets)].map(|(name, text)| (name.to_owned(), text.to_owned()));
    edit(&mut observed.feed, |record| record.fields.extend(fields));
    observed
}

#[test]
fn a_strategy_without_live_prices_says_why_in_its_feeds_own_words() {
    let (up, banned) = (r#"{"reason":"","since":1}"#, r#"{"reason":"FeedBanned","message":"until noon","since":1}"#);
    for (link, state, ready) in [
        (up, "Trading", "Running True Trading"),
        (up, "Halted", "Degraded False SymbolHalted"),
        (up, "CancelOnly", "Degraded False SymbolHalted"),
        (banned, "Trading", "Degraded False FeedBanned"),
    ] {
        let mut observed = live(link, &format!(r#"{{"BTC/USDT":{{"state":"{state}"}}}}"#));
        assert_eq!(line(&observed), ready, "{link} {state}");
        assert_eq!(refusal(&observed), None);
        // Its pod is not ready then, and one that waits for the venue's rules has no lease yet.
        observed.pods[0].ready = false;
        edit(&mut observed.stored, |record| record.epoch = 0);
        let expected = if ready.starts_with("Degraded") { ready } else { "Starting False Starting reconciling" };
        assert_eq!(line(&observed), expected, "{link} {state}");
    }
}

#[test]
fn a_market_that_the_venue_lacks_is_not_accepted_with_the_nearest_name() {
    let lacks = r#"{"BTC/USDT":{"state":"Unknown","suggestion":"BTC/USDC"}}"#;
    let refused = refusal(&live(r#"{"reason":"","since":1}"#, lacks)).unwrap();
    assert_eq!(refused.reason, Reason::SymbolUnknown);
    assert_eq!(refused.message, "spec.instruments: the venue has no market BTC/USDT; did you mean BTC/USDC?");
    // Of a replay no venue tells.
    let mut replayed = trading();
    edit(&mut replayed.feed, |record| record.fields.extend([("rules".to_owned(), lacks.to_owned())]));
    assert_eq!(refusal(&replayed), None);
}

#[test]
fn rules_that_nobody_writes_are_the_venues_where_prices_are_live() {
    let mut observed = live("", "{}");
    observed.spec.instruments[0].rules = None;
    assert!(validate(&observed).is_ok());
    let mut replayed = trading();
    replayed.spec.instruments[0].rules = None;
    assert_eq!(validate(&replayed).unwrap_err().reason, Reason::NoInstrumentRules);
}
