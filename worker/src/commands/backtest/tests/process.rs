//! Strategies that are processes: how many ticks are told at once changes nothing, and one that fails halts.

use engine::testkit::quoting::{Chance, Market};
use serde_json::{Value, json};

use super::super::*;

const QUOTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/processes/quoter.py");

/// A process with these parameters, on an account with this latency.
fn simulation(command: &[&str], parameters: &Value, latency_ms: u32) -> Simulation {
    let account = json!({"venue": {"paper": {"balances": {"USDT": 100_000, "BNB": 100}, "latencyMs": latency_ms,
        "fees": {"makerPercent": "0.02", "takerPercent": "0.04"}}}, "marketData": {"replay": {"file": "none.csv"}}});
    let spec = json!({"accountRef": {"name": "paper"},
        "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001"}}],
        "capital": {"USDT": 20_000, "BNB": 20}, "risk": {"maxOrdersPerMinute": 600},
        "strategy": {"process": {"command": command, "parameters": parameters, "timeoutMs": 20_000}}});
    let spec = json!({"name": "quoter", "generation": 1, "spec": spec, "account": {"name": "paper", "spec": account}});
    Simulation::new(&serde_json::from_value(spec).unwrap(), &Registry::standard()).unwrap()
}

fn quoter(seed: u64, latency_ms: u32) -> Simulation {
    simulation(&["python3", QUOTER], &json!({"seed": seed}), latency_ms)
}

/// Trades, and all that is kept.
fn result(simulation: &Simulation) -> (Vec<String>, String) {
    assert_eq!((&simulation.problem, &simulation.fault), (&None, &None));
    (simulation.trades.iter().map(Trade::line).collect(), simulation.engine.saved().unwrap())
}

/// How many ticks are told at once at most, on each of these calls.
fn taken(
    seed: u64,
    latency_ms: u32,
    ticks: &[Tick],
    mut most: impl FnMut() -> (usize, usize),
) -> (Vec<String>, String) {
    let mut simulation = quoter(seed, latency_ms);
    let mut rest = ticks;
    while !rest.is_empty() {
        let (chunk, window) = most();
        simulation.child.as_mut().unwrap().bound_window(window);
        let (now, later) = rest.split_at(chunk.clamp(1, rest.len()));
        simulation.take(now);
        rest = later;
    }
    result(&simulation)
}

#[test]
fn how_many_ticks_are_told_at_once_changes_nothing() {
    for (seed, latency_ms) in [(1, 0), (2, 1_500), (3, 0)] {
        let ticks: Vec<Tick> = Market::of(seed, 1_500).collect();
        let one_by_one = taken(seed, latency_ms, &ticks, || (ticks.len(), 1));
        assert!(one_by_one.0.len() > 50, "seed {seed}: {} trades", one_by_one.0.len());
        let at_most = taken(seed, latency_ms, &ticks, || (ticks.len(), 256));
        assert_eq!(one_by_one, at_most, "seed {seed}: 256 at once");
        let mut chance = Chance::of(seed + 77);
        let mut below = |most: u64| usize::try_from(1 + chance.below(most)).unwrap();
        let random = taken(seed, latency_ms, &ticks, || (below(90), below(40)));
        assert_eq!(one_by_one, random, "seed {seed}: random bounds");
    }
}

/// A child that is asked nothing is no test of that: ticks are told many at once.
#[test]
fn ticks_that_only_move_prices_are_told_together() {
    let script = "import json,sys\nsys.stdin.readline()\nprint('{\"v\":1,\"type\":\"ready\"}',flush=True)\nasked=0\n\
        for line in sys.stdin:\n m=json.loads(line)\n if m['type']=='stop': break\n asked+=1\n \
        print(json.dumps({'v':1,'type':'answer','batch':m['batch'],'consumed':len(m['events']),'state':asked}),flush=True)";
    let mut simulation = simulation(&["python3", "-c", script], &json!({}), 0);
    let ticks: Vec<Tick> = Market::of(5, 2_000).collect();
    simulation.take(&ticks);
    let _ = result(&simulation);
    let asked: u64 = simulation.engine.process_state().unwrap().parse().unwrap();
    assert!((8..=30).contains(&asked), "{asked} questions for 2000 ticks");
}

/// What a child wrote, and the kind of its fault with words of it.
fn faulty(script: &str) -> (Simulation, Fault) {
    let ready = "import sys,json,time\nsys.stdin.readline()\nprint('{\"v\":1,\"type\":\"ready\"}',flush=True)\n";
    let script = format!("{ready}{script}");
    let mut simulation = simulation(&["python3", "-c", &script], &json!({}), 0);
    simulation.take(&Market::of(5, 50).collect::<Vec<_>>());
    assert_eq!(simulation.problem, None);
    let fault = simulation.fault.clone().unwrap().1;
    (simulation, fault)
}

#[test]
fn a_child_that_ends_or_answers_nonsense_halts_and_its_orders_are_cancelled() {
    let place = "m=json.loads(sys.stdin.readline())\nprint(json.dumps({'v':1,'type':'answer','batch':m['batch'],\
        'consumed':1,'actions':[{'place':{'side':'Buy','quantity':'1','price':'500'}}]}),flush=True)\n\
        m=json.loads(sys.stdin.readline())\n";
    let answer = |rest: &str| {
        format!(
            "{place}print('{{\"v\":1,\"type\":\"answer\",\"batch\":%d,{rest}}}'%m['batch'],flush=True)\ntime.sleep(60)"
        )
    };
    for (script, kind, words) in [
        (format!("{place}print('so it is',file=sys.stderr)\nsys.exit(3)"), AlertKind::StrategyCrashed, "so it is"),
        (format!("{place}raise ValueError('bad')"), AlertKind::StrategyCrashed, "ValueError: bad"),
        (format!("{place}print('half',end='',flush=True)\nsys.exit(0)"), AlertKind::StrategyCrashed, "exit status: 0"),
        (format!("{place}print('NaN',flush=True)\ntime.sleep(60)"), AlertKind::BadAction, "NaN"),
        (format!("{place}print('x'*1100000,flush=True)\ntime.sleep(60)"), AlertKind::BadAction, "1048576"),
        (answer("\"consumed\":0"), AlertKind::BadAction, "write 1 to"),
        (answer("\"consumed\":999999"), AlertKind::BadAction, "write 1 to"),
        (answer("\"consumed\":1,\"actions\":[{\"cancel\":{\"id\":7}}]"), AlertKind::BadAction, "no order has id 7"),
        (
            answer("\"consumed\":1,\"actions\":[{\"place\":{\"symbol\":\"X/Y\",\"side\":\"Buy\",\"quantity\":\"1\"}}]"),
            AlertKind::BadAction,
            "it has BNB/USDT",
        ),
        (
            answer("\"consumed\":1,\"actions\":[{\"place\":{\"side\":\"Buy\",\"quantity\":\"NaN\"}}]"),
            AlertKind::BadAction,
            "does not read",
        ),
    ] {
        let (simulation, fault) = faulty(&script);
        assert_eq!(fault.kind, kind, "{script}: {fault}");
        assert!(fault.message.contains(words), "{script}: {fault}");
        let report = simulation.engine.report();
        assert_eq!(report.risk.reason, kind.as_str());
        assert_eq!((simulation.open_orders(), simulation.engine.ended_orders().filled), (0, 0), "{script}");
        assert_eq!(report.orders.open + simulation.engine.ticks(), 50);
    }
}

/// What it is told of would grow with each tick.
#[test]
fn a_child_that_orders_again_on_each_denial_is_halted() {
    let script = "for line in sys.stdin:\n m=json.loads(line)\n if m['type']=='stop': break\n e=m['events'][0]\n \
        a=[{'place':{'side':'Buy','quantity':'900000','price':'500'}}]*3\n \
        print(json.dumps({'v':1,'type':'answer','batch':m['batch'],'consumed':1,\
        'actions':a if e['type']=='tick' or e['status']=='Denied' else []}),flush=True)";
    let (simulation, fault) = faulty(script);
    assert_eq!(fault.kind, AlertKind::BadAction, "{fault}");
    assert!(
        fault.message.contains("denied each time, last for InsufficientFunds; order again on a later tick"),
        "{fault}"
    );
    assert_eq!((simulation.engine.report().risk.reason.as_str(), simulation.engine.ticks()), ("BadAction", 50));
}

#[test]
fn what_a_child_writes_is_no_control_of_a_terminal() {
    let (_, fault) = faulty(
        "sys.stderr.write('a\\x1b]0;b\\x07\\0c\\r\\n')\nsys.stderr.flush()\nprint('\\x1b[2J',flush=True)\ntime.sleep(60)",
    );
    assert!(fault.message.contains("a\u{fffd}]0;b\u{fffd}\u{fffd}c"), "{fault}");
    assert!(fault.message.contains(": \u{fffd}[2J") && !fault.message.contains(char::is_control), "{fault:?}");
}

/// More open orders than a line holds: it is halted before it is told half of the truth.
#[test]
fn a_process_with_more_open_orders_than_a_line_holds_is_halted_and_they_are_cancelled() {
    let script = "import json,sys\nsys.stdin.readline()\nprint('{\"v\":1,\"type\":\"ready\"}',flush=True)\n\
        a=[{'place':{'tag':'\\x01'*64,'side':'Buy','quantity':'0.001','price':'1'}}]*200\n\
        for line in sys.stdin:\n m=json.loads(line)\n if m['type']=='stop': break\n \
        t=[n for n,e in enumerate(m['events'],1) if e['type']=='tick']\n \
        print(json.dumps({'v':1,'type':'answer','batch':m['batch'],'consumed':t[0] if t else len(m['events']),\
        'actions':a if t else []}),flush=True)";
    let mut simulation = simulation(&["python3", "-c", script], &json!({}), 0);
    // A minute apart, so that no rate of orders holds it back.
    let ticks: Vec<Tick> = (0..20).map(|minute| spaced(minute, minute * 60_000)).collect();
    simulation.take(&ticks);
    assert_eq!(simulation.problem, None);
    let report = simulation.engine.report();
    let (_, fault) = simulation.fault.clone().unwrap_or_else(|| panic!("{:?}", report.orders));
    assert_eq!(fault.kind, AlertKind::BadAction, "{fault}");
    let (_, open) = fault.message.split_once("a line has at most 1048576; keep fewer orders open than ").unwrap();
    let open: usize = open.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    assert!((1_000..4_000).contains(&open), "{open}");
    assert_eq!((simulation.open_orders(), simulation.engine.ticks()), (0, 20));
}

/// A tick of a calm market.
fn spaced(sequence: u64, after_ms: u64) -> Tick {
    let time = Timestamp::from_millis(1_700_000_000_000 + i64::try_from(after_ms).unwrap());
    Tick { time: Some(time), received: time, ..engine::testkit::Market::USUAL.tick(sequence, "600") }
}

/// Nobody would ask it, and what it is to be told would grow for ever.
#[test]
fn a_process_is_no_custom_strategy() {
    let account = json!({"venue": {"paper": {"balances": {}}}, "marketData": {"replay": {"file": "none.csv"}}});
    let spec = json!({"name": "p", "generation": 1, "account": {"name": "paper", "spec": account},
        "spec": {"accountRef": {"name": "paper"}, "capital": {"USDT": 1}, "strategy": {"custom": {"name": "process"}},
            "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001"}}]}});
    let refused = Simulation::new(&serde_json::from_value(spec).unwrap(), &Registry::standard()).err().unwrap();
    assert!(format!("{refused:?}").contains("write spec.strategy.process"), "{refused:?}");
}

#[test]
fn a_child_that_stalls_halts_within_its_time() {
    let script =
        "import sys,time\nsys.stdin.readline()\nprint('{\"v\":1,\"type\":\"ready\"}',flush=True)\ntime.sleep(600)";
    let mut simulation = simulation(&["python3", "-c", script], &json!({}), 0);
    simulation.child.as_mut().unwrap().bound_time(std::time::Duration::from_millis(50));
    simulation.take(&Market::of(5, 50).collect::<Vec<_>>());
    let (_, fault) = simulation.fault.unwrap();
    assert_eq!(fault.kind, AlertKind::StrategyTimeout);
    assert!(fault.message.contains("within 50 ms"), "{fault}");
}

/// Each tick is answered in time; so many as are told to who is quick are not.
#[test]
fn a_child_that_thinks_long_over_each_tick_is_told_few_at_once() {
    let script = "import json,sys,time\nsys.stdin.readline()\nprint('{\"v\":1,\"type\":\"ready\"}',flush=True)\nasked=0\n\
        for line in sys.stdin:\n m=json.loads(line)\n if m['type']=='stop': break\n asked+=1\n \
        time.sleep(0.15*len(m['events']))\n \
        print(json.dumps({'v':1,'type':'answer','batch':m['batch'],'consumed':len(m['events']),'state':asked}),flush=True)";
    let mut simulation = simulation(&["python3", "-c", script], &json!({}), 0);
    simulation.child.as_mut().unwrap().bound_time(std::time::Duration::from_secs(2));
    simulation.take(&Market::of(5, 20).collect::<Vec<_>>());
    let _ = result(&simulation);
    let asked: u64 = simulation.engine.process_state().unwrap().parse().unwrap();
    assert!(asked >= 5, "{asked} questions for 20 ticks");
}

#[test]
fn a_command_that_cannot_be_started_and_a_child_that_is_not_ready_are_refused() {
    let refused = |command: &[&str]| {
        let account = json!({"venue": {"paper": {"balances": {}}}, "marketData": {"replay": {"file": "none.csv"}}});
        let spec = json!({"name": "p", "generation": 1, "account": {"name": "paper", "spec": account},
            "spec": {"accountRef": {"name": "paper"}, "capital": {"USDT": 1},
                "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001"}}],
                "strategy": {"process": {"command": command}}}});
        let spec = serde_json::from_value(spec).unwrap();
        Simulation::new(&spec, &Registry::standard()).err().map(|failure| format!("{failure:?}")).unwrap()
    };
    assert!(refused(&["/no/such/program"]).contains("cannot be started"));
    let silent = refused(&["python3", "-c", "class Dips: pass"]);
    assert!(
        silent.contains("(exit status: 0) without an answer to start; does its script end with glm.run"),
        "{silent}"
    );
    let ready = |text: &str| refused(&["python3", "-c", &format!("print('{text}',flush=True);input();input()")]);
    assert!(ready("hello").contains("does not read"));
    assert!(ready(r#"{"v":1,"type":"ready","timers":[{"everySeconds":0}]}"#).contains("write 1 to 86400"));
    let bars = r#"{"v":1,"type":"ready","bars":[{"symbol":"X/Y","interval":"1m","lookBack":1}]}"#;
    assert!(ready(bars).contains("one of its instruments"), "{}", ready(bars));
}
