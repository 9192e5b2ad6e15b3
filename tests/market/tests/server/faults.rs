//! Each fault does what it says, and the log tells of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use market_server::control::{AfterCut, Aim, Fault, Kind, Line};
use market_server::process::Server;
use serde_json::{Map, json};
use tokio_tungstenite::tungstenite::Error;

use crate::client::{Came, Stream, get, lively, order, recording, resume, server, try_get, until};

/// Long enough that something would have come.
const QUIET: Duration = Duration::from_millis(700);

fn log(server: &Server, event: &str) -> Vec<Line> {
    server.control.log(0).expect("a log").into_iter().filter(|line| line.event == event).collect()
}

fn trades(server: &Server) -> Stream {
    let mut stream = Stream::open(server, "/ws/btcusdt@trade");
    stream.trade();
    stream
}

#[test]
fn a_stalled_connection_is_silent_stays_up_and_loses_nothing_if_it_goes_on() {
    let server = lively();
    let (mut stalled, mut other) = (trades(&server), trades(&server));
    let aim = Aim { connection: Some(1), ..Aim::default() };
    server.control.fault(aim.clone(), Fault::Stall { for_ms: None }).expect("an order");
    let mut last = 0;
    // What was on its way may come still.
    while let Came::Text(text) = stalled.within(QUIET) {
        let trade: serde_json::Value = serde_json::from_str(&text).expect("a whole frame");
        last = trade["t"].as_u64().expect("an id");
    }
    let line = server.control.wait(|line| line.event == "stall").expect("a line");
    assert!(
        line.connection == Some(1) && line.trade.is_some_and(|trade| last == 0 || trade <= last),
        "{line:?} {last}"
    );
    other.trade();
    assert_eq!(server.control.state().expect("a state").connections.len(), 2, "TCP stays up");
    server.control.fault(aim, Fault::Mend).expect("an order");
    let next = stalled.trade();
    assert!(last == 0 || next == last + 1, "{next} after {last}");
}

#[test]
fn a_stall_for_a_time_ends() {
    let server = lively();
    let mut stream = trades(&server);
    order(&server, Fault::Stall { for_ms: Some(300) });
    let mut before = stream.trade();
    for _ in 0..50 {
        let next = stream.trade();
        assert_eq!(next, before + 1);
        before = next;
    }
}

#[test]
fn a_frame_is_cut_at_any_byte() {
    let server = lively();
    for byte in [0, 1, 2, 5, 40] {
        let mut stream = trades(&server);
        // Read on below the WebSocket: the bytes themselves count.
        let mut bytes = Vec::new();
        order(&server, Fault::Cut { byte, then: AfterCut::Close, seed: 0 });
        stream.0.get_mut().read_to_end(&mut bytes).expect("an orderly end");
        let mut rest = bytes.as_slice();
        // Server frames of these sizes: 0x81, 126, two bytes of length, or 0x81 and the length; pings are 0x89.
        while rest.len() >= 2 {
            let (head, length) = match rest[1] {
                126 if rest.len() >= 4 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
                126 => break,
                length => (2, usize::from(length)),
            };
            if rest.len() < head + length {
                break;
            }
            rest = &rest[head + length..];
        }
        assert_eq!(rest.len(), byte, "the last frame has so many bytes");
    }
    assert_eq!(log(&server, "cut").len(), 5);
}

#[test]
fn after_a_cut_garbage_or_a_reset_may_come() {
    let server = lively();
    let mut stream = trades(&server);
    order(&server, Fault::Cut { byte: 0, then: AfterCut::Garbage, seed: 9 });
    assert!(matches!(stream.rest().1, Came::Broken(_)), "random bytes are no frames");
    let mut stream = trades(&server);
    order(&server, Fault::Cut { byte: 3, then: AfterCut::Reset, seed: 0 });
    let (_, end) = stream.rest();
    assert!(matches!(&end, Came::Broken(error) if error.contains("reset")), "{end:?}");
}

#[test]
fn a_reset_is_a_reset() {
    let server = lively();
    let mut stream = trades(&server);
    order(&server, Fault::Reset);
    let (_, end) = stream.rest();
    assert!(matches!(&end, Came::Broken(error) if error.contains("reset")), "{end:?}");
    let closed = server.control.wait(|line| line.event == "closed").expect("a line");
    assert!(closed.trade.is_some(), "the log knows what was sent last: {closed:?}");
}

#[test]
fn all_connections_are_closed_in_order() {
    let server = lively();
    let mut streams = [trades(&server), trades(&server)];
    order(&server, Fault::Close { code: 1012, reason: "restart".to_owned() });
    for stream in &mut streams {
        assert_eq!(stream.rest().1, Came::Closed(1012));
    }
    assert_eq!(log(&server, "close").len(), 2);
}

#[test]
fn a_shutdown_is_told_before_it_happens() {
    let server = lively();
    let mut raw = trades(&server);
    let mut combined = Stream::open(&server, "/stream?streams=btcusdt@bookTicker");
    combined.json();
    order(&server, Fault::Shutdown { after_ms: 300 });
    for (stream, wrapped) in [(&mut raw, false), (&mut combined, true)] {
        let (texts, end) = stream.rest();
        let told = texts.iter().position(|text| text.contains("serverShutdown")).expect("it is told");
        let event: serde_json::Value = serde_json::from_str(&texts[told]).expect("JSON");
        let data = if wrapped { &event["data"] } else { &event };
        assert_eq!(
            (&data["e"], event["stream"].as_str()),
            (&json!("serverShutdown"), wrapped.then_some("!serverShutdown"))
        );
        assert_eq!(end, Came::Closed(1001));
    }
}

#[test]
fn bytes_drip() {
    let server = lively();
    let mut stream = trades(&server);
    order(&server, Fault::Drip { bytes: 1, every_ms: 20, for_ms: None });
    server.control.wait(|line| line.event == "drip").expect("a line");
    let tcp = stream.0.get_mut();
    let (mut buffer, mut reads) = (vec![0; 65_536], Vec::new());
    while reads.len() < 12 {
        reads.push(tcp.read(&mut buffer).expect("bytes come"));
    }
    // What was on its way before came first; then one at a time, unless the test was late.
    let alone = reads.iter().filter(|read| **read == 1).count();
    assert!(alone > 0 && reads[2..].iter().all(|read| *read < 64), "{reads:?}");
}

#[test]
fn what_is_held_comes_when_there_is_enough_of_it() {
    const HELD: usize = 60_000;
    // 133 trades a second, of about 130 bytes: it takes three seconds.
    let candles = format!("BTCUSDT={}", crate::client::candles());
    let server = server(&["--candles", &candles, "--loop", "--speed", "2000"]);
    let mut stream = Stream::open(&server, "/ws/btcusdt@trade");
    let mut before = stream.trade();
    order(&server, Fault::Hold { bytes: HELD });
    let mut check = |text: &str| {
        let trade: serde_json::Value = serde_json::from_str(text).expect("a whole frame");
        assert_eq!(trade["t"], before + 1, "nothing is lost");
        before += 1;
        text.len()
    };
    // What was on its way comes first.
    let end = Instant::now() + crate::client::PATIENCE;
    loop {
        assert!(Instant::now() < end, "nothing was held");
        match stream.within(QUIET) {
            Came::Text(text) => drop(check(&text)),
            Came::Ping => {}
            Came::Nothing => break,
            other => panic!("{other:?}"),
        }
    }
    let mut came = 0;
    while came < HELD {
        came += check(&stream.text());
    }
}

#[test]
fn frames_are_dropped_doubled_and_reordered_as_the_log_says() {
    let server = lively();
    let mut stream = trades(&server);
    let aim = Aim { stream: Some("btcusdt@trade".to_owned()), ..Aim::default() };
    let other = Aim { stream: Some("btcusdt@bookTicker".to_owned()), ..Aim::default() };
    for fault in [Fault::Drop { count: 3 }, Fault::Duplicate { count: 2 }, Fault::Reorder { count: 4 }] {
        server.control.fault(other.clone(), fault.clone()).expect("it meets nobody");
        let from = server.control.log(0).expect("a log").len() as u64;
        let mut before = stream.trade();
        server.control.fault(aim.clone(), fault.clone()).expect("an order");
        let mut ids = Vec::new();
        // Up to the first trade out of line, and some more.
        let mut after = 0;
        while after < 12 {
            let id = stream.trade();
            after += usize::from(after > 0 || id != before + 1);
            before = id;
            ids.push(id);
        }
        let done: Vec<u64> = server
            .control
            .log(from)
            .expect("a log")
            .iter()
            .filter(|line| line.event != "ordered")
            .filter_map(|line| line.trade)
            .collect();
        let (first, last) = (ids[0], *ids.iter().max().expect("trades"));
        let mut expected: Vec<u64> = (first.min(done[0])..=last).collect();
        let at = expected.iter().position(|id| *id == done[0]).expect("it lies between");
        match fault {
            Fault::Drop { .. } => drop(expected.drain(at..at + 3)),
            Fault::Duplicate { .. } => expected.splice(at..at + 2, [done[0], done[0], done[1], done[1]]).for_each(drop),
            _ => expected[at..at + 4].reverse(),
        }
        assert_eq!(ids, expected, "{fault:?}: {done:?}");
    }
    assert_eq!(log(&server, "drop").len() + log(&server, "duplicate").len() + log(&server, "reorder").len(), 9);
}

#[test]
fn frames_are_mutated_and_injected() {
    let server = server(&["--recording", &recording(), "--as-recorded", "--paused", "--speed", "5"]);
    let mut stream = Stream::open(&server, "/ws/btcusdt@trade");
    order(&server, Fault::Mutate { count: 5, seed: 3 });
    order(&server, Fault::Inject { text: "nonsense".to_owned() });
    assert_eq!(stream.text(), "nonsense");
    resume(&server);
    let recorded = crate::client::lines(&recording());
    let frames: Vec<&str> = recorded
        .iter()
        .filter(|line| line.contains("@trade"))
        .filter_map(|line| line.split_once("\"data\":")?.1.strip_suffix('}'))
        .collect();
    for (number, frame) in frames.iter().take(20).enumerate() {
        assert_eq!(stream.text() == *frame, number >= 5, "frame {number}");
    }
    assert_eq!(log(&server, "mutate").len(), 5);
}

fn status(on: Kind, status: u16, retry_after: Option<u64>, count: Option<u64>) -> Fault {
    Fault::Status { status, retry_after, for_ms: None, count, path: None, on }
}

#[test]
fn bans_meet_requests_and_handshakes_until_they_end() {
    let server = lively();
    order(&server, status(Kind::All, 418, Some(60), None));
    let answer = get(&server, "/api/v3/time");
    assert_eq!((answer.status, answer.header("retry-after")), (418, Some("60")));
    assert_eq!(answer.json()["code"], -1003);
    let Err(Error::Http(refused)) = Stream::try_open(&server, "/ws/btcusdt@trade") else { panic!("it is banned") };
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().ok()), (418, Some("60")));
    order(&server, Fault::Mend);
    assert_eq!(get(&server, "/api/v3/time").status, 200);
    trades(&server);
}

#[test]
fn each_status_comes_as_often_and_where_it_is_ordered() {
    let server = lively();
    for code in [403, 429, 451, 500, 502, 503] {
        order(&server, status(Kind::Rest, code, None, Some(2)));
        let answered: Vec<u16> = (0..3).map(|_| get(&server, "/api/v3/ping").status).collect();
        assert_eq!(answered, [code, code, 200]);
    }
    let path = Some("/api/v3/klines".to_owned());
    order(&server, Fault::Status { status: 503, retry_after: None, for_ms: None, count: None, path, on: Kind::All });
    assert_eq!(get(&server, "/api/v3/ping").status, 200);
    assert_eq!(get(&server, "/api/v3/klines?symbol=BTCUSDT&interval=1m").status, 503);
    trades(&server);
    assert_eq!(log(&server, "status").len(), 13);
    assert!(server.control.fault(Aim::default(), status(Kind::All, 200, None, None)).is_err());
}

#[test]
fn answers_come_late_and_connections_are_refused() {
    let server = lively();
    order(&server, Fault::Slow { ms: 400, for_ms: None, path: None, on: Kind::Rest });
    let began = Instant::now();
    assert_eq!(get(&server, "/api/v3/ping").status, 200);
    assert!(began.elapsed() >= Duration::from_millis(400));
    order(&server, Fault::Mend);
    order(&server, Fault::Refuse { for_ms: None });
    assert!(try_get(&server, "/api/v3/ping").is_err());
    order(&server, Fault::Mend);
    assert_eq!(get(&server, "/api/v3/ping").status, 200);
}

#[test]
fn requests_can_be_cut_and_the_next_connection_aimed_at() {
    let server = lively();
    assert_eq!(get(&server, "/api/v3/ping").status, 200);
    let aim = |connection| Aim { on: Kind::Rest, connection: Some(connection), stream: None };
    server.control.fault(aim(2), Fault::Cut { byte: 10, then: AfterCut::Close, seed: 0 }).expect("an order");
    let host = server.endpoints.rest.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("it listens");
    write!(stream, "GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n").expect("it can be sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an orderly end");
    assert_eq!(answer, "HTTP/1.1 2");
    let aim = Aim { connection: Some(4), ..Aim::default() };
    server.control.fault(aim, Fault::Close { code: 1001, reason: String::new() }).expect("an order");
    let mut third = trades(&server);
    assert_eq!(Stream::open(&server, "/ws/btcusdt@trade").rest().1, Came::Closed(1001));
    third.trade();
}

#[test]
fn the_exchange_tells_a_wrong_time() {
    let server = server(&["--random", "7", "--as-recorded", "--paused"]);
    let time = || get(&server, "/api/v3/time").json()["serverTime"].as_i64().expect("a time");
    let right = time();
    order(&server, Fault::Clock { offset_ms: -3_600_000 });
    assert_eq!(time(), right - 3_600_000);
    let mut stream = Stream::open(&server, "/ws/btcusdt@trade");
    resume(&server);
    let trade = stream.json();
    assert_eq!(trade["E"].as_i64().zip(trade["T"].as_i64()).map(|(event, traded)| event - traded), Some(-3_600_000));
}

#[test]
fn symbols_halt_go_on_and_are_delisted() {
    let server = lively();
    let mut stream = Stream::open(&server, "/ws/btcusdt@trade");
    let mut seen = stream.trade();
    for halted in ["HALT", "BREAK", "CANCEL_ONLY"] {
        let set = |status: &str| Fault::Symbol { symbol: "BTCUSDT".to_owned(), status: status.to_owned() };
        order(&server, set(halted));
        let told = get(&server, "/api/v3/exchangeInfo?symbol=BTCUSDT").json();
        assert_eq!(told["symbols"][0]["status"], halted);
        let last = server.control.state().expect("a state").trades["BTCUSDT"].as_u64().expect("an id");
        while seen < last {
            seen = stream.trade();
        }
        assert!(!matches!(stream.within(QUIET), Came::Text(_)), "nothing trades");
        order(&server, set("TRADING"));
        seen = stream.trade();
        assert_eq!(seen, last + 1, "ids go on");
    }
    order(&server, Fault::Delist { symbol: "BTCUSDT".to_owned() });
    assert_eq!(get(&server, "/api/v3/ticker/price?symbol=BTCUSDT").json()["code"], -1121);
    assert_eq!(get(&server, "/api/v3/exchangeInfo").json()["symbols"], json!([]));
    let unknown = Fault::Delist { symbol: "NOSUCH".to_owned() };
    let error = server.control.fault(Aim::default(), unknown).expect_err("it is not played").to_string();
    assert!(error.contains("\\\"NOSUCH\\\" is not played"), "{error}");
}

#[test]
fn rules_change() {
    let server = lively();
    let mut set = Map::new();
    set.insert("tickSize".to_owned(), json!("0.10000000"));
    let rule = |filter: &str| Fault::Rule { symbol: "BTCUSDT".to_owned(), filter: filter.to_owned(), set: set.clone() };
    order(&server, rule("PRICE_FILTER"));
    let rules = get(&server, "/api/v3/exchangeInfo?symbol=BTCUSDT").json()["symbols"][0]["filters"][0].clone();
    assert_eq!((&rules["tickSize"], &rules["filterType"]), (&json!("0.10000000"), &json!("PRICE_FILTER")));
    let error = server.control.fault(Aim::default(), rule("NO")).expect_err("there is none").to_string();
    assert!(error.contains("it has PRICE_FILTER, LOT_SIZE"), "{error}");
}

#[test]
fn a_scenario_happens_at_its_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scenario.json");
    let scenario = json!([
        {"at_ms": 23_000, "fault": {"kind": "close", "code": 1001}},
        {"at_ms": 2_000, "fault": {"kind": "symbol", "symbol": "NOSUCH", "status": "HALT"}},
        {"at_ms": 3_000, "aim": {"stream": "btcusdt@trade"}, "fault": {"kind": "drop", "count": 1}},
    ]);
    std::fs::write(&file, scenario.to_string()).expect("it can be written");
    let file = file.display().to_string();
    let server = server(&["--random", "7", "--as-recorded", "--paused", "--speed", "10", "--scenario", &file]);
    let start = server.control.state().expect("a state").time;
    let mut stream = Stream::open(&server, "/ws/btcusdt@trade");
    resume(&server);
    assert_eq!(stream.rest().1, Came::Closed(1001));
    until("all of it is done", || log(&server, "ordered").len() == 2);
    let times: Vec<i64> = log(&server, "ordered").iter().map(|line| line.time - start).collect();
    assert!(times[0] >= 3_000 && times[1] >= 23_000, "{times:?}");
    assert!(log(&server, "failed")[0].detail.as_str().is_some_and(|error| error.contains("NOSUCH")));
    assert_eq!(log(&server, "drop").len(), 1);
}
