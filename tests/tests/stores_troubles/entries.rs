//! Single entries that do not read: a tick is skipped, a command is denied or asked for again, an inbox entry stops
//! the strategy until a human has looked.

use serde_json::Value;
use tests::{
    proxy::resp::Frame,
    roles::{DEADLINE, Stage, until},
};

use crate::scenes::{LONG, PACED, scene, stage};

const SYMBOL: &str = "BNB/USDT";

#[test]
fn ticks_are_skipped_and_kept() {
    let mut stage = stage(LONG);
    stage.start(PACED);
    for (ticks, fields) in
        [(300, ["v", "1", "data", "{\"symbol\":"]), (600, ["v", "1", "data", "{}"]), (900, ["a", "b", "c", "d"])]
    {
        stage.wait_for_ticks(ticks);
        let stream = Stage::ticks(SYMBOL);
        let mut words = vec!["XADD", stream.as_str(), "*"];
        words.extend(fields);
        stage.store.ask(&words);
    }
    stage.hurry();
    stage.finish();
    stage.audit_result().unwrap();
    stage.audit_orders().unwrap();
    let letters = stage.store.entries(&Stage::topic("dead-letter"));
    assert_eq!(letters.len(), 3, "{letters:?}");
    assert!(letters.iter().all(|letter| letter.data["stream"] == Stage::ticks(SYMBOL)), "{letters:?}");
    assert_eq!(letters[0].data["raw"], "{\"symbol\":");
}

/// Runs without a gateway until the first order is asked for; its command, behind which stands the Advance of its tick.
fn first_command(stage: &mut Stage) -> (String, Value) {
    stage.start_role("strategy");
    stage.start_role("feed");
    let stream = Stage::topic("order.command");
    let entry = until("the first command", DEADLINE, || stage.store.entries(&stream).into_iter().next());
    (entry.id, entry.data)
}

/// Writes the stream of commands anew: in the place of the first this entry, then the Advance behind it.
fn instead_of_the_command(stage: &mut Stage, version: &str, data: &str) {
    let stream = Stage::topic("order.command");
    let entries = stage.store.entries(&stream);
    let [first, advance] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!(advance.data["command"], "Advance");
    stage.store.ask(&["DEL", &stream]);
    stage.store.ask(&["XADD", &stream, &first.id, "v", version, "data", data]);
    stage.store.ask(&["XADD", &stream, &advance.id, "v", "1", "data", &advance.data.to_string()]);
}

#[test]
fn a_command_that_names_its_order_is_denied() {
    let mut stage = stage(3_000);
    let (_, command) = first_command(&mut stage);
    stage.store.alter(&Stage::topic("order.command"), 0, |command| command["tick"] = Value::from(1));
    stage.start_role("gateway");
    stage.finish();

    let letters = stage.store.entries(&Stage::topic("dead-letter"));
    assert_eq!(letters.len(), 1, "{letters:?}");
    let fills = stage.store.entries(&Stage::topic("order.fill"));
    assert!(fills.len() > 20, "it trades on: {}", fills.len());
    let id = &command["clientOrderId"];
    assert!(fills.iter().all(|fill| fill.data["clientOrderId"] != *id), "the denied order never trades");
    let report = stage.store.field(&Stage::record("strategy-grid-1"), "field:report").unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["orders"]["denied"], 1, "{report}");
    assert_eq!(report["orders"]["open"], 0, "{report}");
}

/// Nobody knows whose it is; the strategy asks again under the same id, and nothing is lost.
#[test]
fn a_command_that_names_nothing_is_asked_for_again() {
    let mut stage = stage(1_500);
    first_command(&mut stage);
    instead_of_the_command(&mut stage, "1", "{\"clientOrder");
    stage.start_role("gateway");
    stage.actor("gateway").process().says("a command does not read");
    stage.finish();
    stage.audit_result().unwrap();
    let letters = stage.store.entries(&Stage::topic("dead-letter"));
    assert_eq!(letters.len(), 1, "{letters:?}");
}

#[test]
fn an_inbox_entry_stops_the_strategy_until_it_is_removed() {
    let mut stage = stage(15_000);
    let (record, inbox) = (Stage::record("strategy-grid-1"), Stage::topic("inbox:strategy-grid-1"));
    stage.start(None);
    stage.wait_for_ticks(500);
    // Added while the strategy is away and the gateway has told all it had to: so it is the last thing in the inbox,
    // and ticks can be read together with it.
    stage.actor("strategy").process.take().unwrap().stop();
    let commands = Stage::topic("order.command");
    until("the gateway to take every command", DEADLINE, || stage.store.entries(&commands).is_empty().then_some(()));
    let poison = stage.store.add(&inbox, "{\"kind\":\"OrderUpd");
    stage.start_role("strategy");
    let text = stage.actor("strategy").process().not_ready("PoisonInbox");
    assert!(text.contains(&poison) && text.contains("XDEL"), "{text}");
    let phase = stage.store.field(&record, "field:phase").unwrap();
    assert!(phase.contains("Quarantined") && phase.contains("PoisonInbox"), "{phase}");
    let cursor = stage.store.field(&record, &format!("cursor:{inbox}")).unwrap();
    assert!(cursor < poison, "the cursor {cursor} is before {poison}");

    // Nothing is traded past it: not while it waits, not when it is asked to stop, not when it is started again.
    let taken = stage.progress();
    assert!(taken < stage.total, "it was in the middle");
    let commands = stage.store.ever_added(&Stage::topic("order.command"));
    for _ in 0..2 {
        stage.actor("strategy").process().not_ready("PoisonInbox");
        stage.actor("strategy").process.take().unwrap().stop();
        assert_eq!(stage.progress(), taken);
        assert_eq!(stage.store.ever_added(&Stage::topic("order.command")), commands);
        assert_eq!(stage.store.field(&record, &format!("cursor:{inbox}")).unwrap(), cursor);
        stage.start_role("strategy");
    }
    stage.actor("strategy").process().not_ready("PoisonInbox");
    stage.actor("strategy").process.take().unwrap().stop();

    assert_eq!(stage.store.ask(&["XDEL", &inbox, &poison]), Frame::Number(1));
    stage.start_role("strategy");
    stage.finish();
    stage.audit().unwrap();
}

/// The news of a trade is damaged: the strategy stops, and goes on once the news is written anew.
#[test]
fn a_damaged_trade_can_be_written_anew() {
    let mut stage = stage(2_000);
    let inbox = Stage::topic("inbox:strategy-grid-1");
    first_command(&mut stage);
    stage.actor("strategy").process.take().unwrap().kill();
    stage.start_role("gateway");
    let news = until("news of the first order", DEADLINE, || stage.store.entries(&inbox).into_iter().next());
    assert!(news.data["fill"].is_object(), "{news:?}");
    stage.store.alter(&inbox, 0, |news| *news = Value::from("damaged"));
    stage.start_role("strategy");
    stage.actor("strategy").process().not_ready("PoisonInbox");
    let taken = stage.progress();
    stage.actor("strategy").process.take().unwrap().stop();
    assert_eq!(stage.progress(), taken, "nothing is traded past a lost trade");

    stage.store.ask(&["XDEL", &inbox, &news.id]);
    stage.store.add(&inbox, &news.data.to_string());
    stage.start_role("strategy");
    stage.finish();
    stage.audit().unwrap();
}

/// A ledger was closed before its last news was read; the next one of that name replays the same ticks.
#[test]
fn news_of_a_closed_ledger_is_left_out() {
    let mut stage = stage(2_000);
    let news = r#"{"kind":"OrderUpdate","clientOrderId":"glm-2zzzzz-7","status":"Canceled","reason":"Unfilled",
        "cumulativeQuantity":"0","matched":1500,"time":1700001500000}"#;
    stage.store.add(&Stage::topic("inbox:strategy-grid-1"), news);
    stage.start(None);
    stage.finish();
    stage.audit().unwrap();
}

/// A strategy in quarantine is replaced like any other.
#[test]
fn a_strategy_in_quarantine_gives_way_to_its_successor() {
    let mut stage = Stage::new(scene(LONG), &[]);
    let inbox = Stage::topic("inbox:strategy-grid-1");
    for actor in &mut stage.actors {
        actor.launch = actor.launch.with_admin();
    }
    stage.start(PACED);
    stage.wait_for_ticks(500);
    let poison = stage.store.add(&inbox, "?");
    stage.actor("strategy").process().not_ready("PoisonInbox");
    stage.store.ask(&["XDEL", &inbox, &poison]);
    let older = stage.actor("strategy").process.take().unwrap();
    stage.start_role("strategy");
    assert_eq!(older.exit_code(), crate::scenes::FENCED, "{}", older.log());
    stage.hurry();
    stage.finish();
    stage.audit().unwrap();
}

/// Whoever writes commands by hand: a newer version is not taken for this one, a stranger gets no inbox that nobody reads
/// or deletes, and what is kept and logged of it is bounded.
#[test]
fn commands_of_others_leave_little_behind() {
    let mut stage = stage(3_000);
    let (_, command) = first_command(&mut stage);
    let stream = Stage::topic("order.command");
    instead_of_the_command(&mut stage, "99", &command.to_string());
    let mut other = command.clone();
    for (ledger, strategy) in [("2zzzzz", "stranger-1"), ("2zzzzy", "grid-1")] {
        other["strategy"] = strategy.into();
        other["ledger"] = ledger.into();
        other["clientOrderId"] = format!("glm-{ledger}-1").into();
        other["sequence"] = 1.into();
        stage.store.add(&stream, &other.to_string());
        stage.store.add(&stream, &other.to_string().replace("\"time\":", "\"time\":\"x\",\"when\":"));
    }
    let huge = "y".repeat(2 << 20);
    stage.store.add(&stream, &format!("\"{huge}\""));
    stage.start_role("gateway");
    stage.finish();

    let inboxes = stage.store.ask(&["KEYS", &Stage::topic("inbox:strategy-*")]);
    let inboxes: Vec<_> = inboxes.items().iter().filter_map(Frame::text).collect();
    assert_eq!(inboxes, [Stage::topic("inbox:strategy-grid-1")]);
    let letters = stage.store.entries(&Stage::topic("dead-letter"));
    assert_eq!(letters.len(), 4, "{letters:?}");
    let problem = letters[0].data["problem"].as_str().unwrap();
    assert!(problem.contains("version 99 is newer than 1"), "{problem}");
    assert_eq!(letters[3].data["truncated"], true);
    assert!(letters[3].data.to_string().len() <= 8 * 1024);
    let log = stage.logs_of("gateway");
    assert!(log.lines().all(|line| line.len() < 2_048), "{}", log.lines().map(str::len).max().unwrap());
    let report = stage.store.field(&Stage::record("strategy-grid-1"), "field:report").unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["orders"]["denied"], 1, "the newer one, to whom it belongs: {report}");
    let fields = stage.store.ask(&["HKEYS", &Stage::record("gateway")]);
    let strangers = fields.items().iter().filter_map(Frame::text).filter(|name| name.contains("2zzzz")).count();
    assert_eq!(strangers, 0, "nothing of them is remembered");
}

/// Without a gateway nothing is asked for twice: the first command still waits.
#[test]
fn a_command_that_waits_is_not_published_again() {
    let mut stage = stage(3_000);
    let (id, _) = first_command(&mut stage);
    let stream = Stage::topic("order.command");
    // The test has read it too.
    stage.store.ask(&["CONFIG", "RESETSTAT"]);
    // Its own sign that so long has passed: a read of the stream, which a strategy makes for nothing else.
    until("the strategy to look for its command", std::time::Duration::from_secs(50), || {
        stage.redis.cli(&["INFO", "commandstats"]).contains("cmdstat_xrange:").then_some(())
    });
    assert_eq!(stage.store.ever_added(&stream), 2, "{id} waits, and the Advance behind it");
    assert!(!stage.logs_of("strategy-grid-1").contains("published again"));
    stage.start_role("gateway");
    stage.finish();
    stage.audit().unwrap();
}
