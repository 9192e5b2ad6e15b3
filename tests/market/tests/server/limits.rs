//! The exchange's limits: streams, messages, pings, 24 hours.

use std::net::Shutdown;

use tokio_tungstenite::tungstenite::Message;

use crate::client::{Came, Stream, lively, server, until};

fn list(count: usize) -> String {
    (0..count).map(|number| format!("s{number}@trade")).collect::<Vec<_>>().join("/")
}

#[test]
fn a_connection_has_at_most_1024_streams() {
    let server = server(&["--random", "7", "--paused"]);
    let mut stream = Stream::open(&server, &format!("/stream?streams={}", list(1_024)));
    let request = r#"{"method":"SUBSCRIBE","params":["more@trade"],"id":1}"#;
    assert_eq!(stream.ask(request)["id"], 1);
    assert_eq!(stream.came(), Came::Closed(1008));
    assert!(Stream::try_open(&server, &format!("/stream?streams={}", list(1_025))).is_err());
}

#[test]
fn a_client_sends_at_most_five_messages_a_second() {
    let server = server(&["--random", "7", "--paused"]);
    let mut stream = Stream::open(&server, "/ws");
    for id in 0..6 {
        let request = format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#);
        stream.0.send(Message::text(request)).expect("it can be sent");
    }
    let (answers, end) = stream.rest();
    assert_eq!((answers.len(), end), (5, Came::Closed(1008)));
}

#[test]
fn pings_come_and_who_does_not_answer_is_cut_off() {
    // 20 s and 60 s of the exchange's clock are 1 s and 3 s.
    let server = server(&["--random", "7", "--speed", "20"]);
    let mut answers = Stream::open(&server, "/ws");
    let _silent = Stream::open(&server, "/ws");
    let mut pings = 0;
    while pings < 5 {
        match answers.within(crate::client::PATIENCE) {
            Came::Ping => pings += 1,
            other => panic!("{other:?}"),
        }
    }
    let closed = server.control.wait(|line| line.event == "closed" && line.connection == Some(2)).expect("a line");
    assert_eq!(closed.detail, "no pong");
    let open: Vec<u64> = server.control.state().expect("a state").connections.iter().map(|c| c.number).collect();
    assert_eq!(open, [1]);
}

#[test]
fn a_connection_ends_after_24_hours() {
    // A day in two seconds.
    let server = server(&["--candles", &format!("BTCBUSD={}", crate::client::candles()), "--speed", "43200"]);
    let mut stream = Stream::open(&server, "/ws/btcbusd@trade");
    let (trades, end) = stream.rest();
    assert_eq!(end, Came::Closed(1001));
    assert!(trades.len() > 1_000, "{}", trades.len());
    let line = server.control.wait(|line| line.event == "closed").expect("a line");
    assert_eq!(line.detail, "24 hours are over");
}

#[test]
fn a_client_that_goes_leaves_nothing() {
    let server = lively();
    for _ in 0..20 {
        let mut stream = Stream::open(&server, "/ws/btcusdt@trade");
        stream.trade();
        stream.0.get_ref().shutdown(Shutdown::Both).expect("it was open");
    }
    until("no connection is left", || server.control.state().expect("a state").connections.is_empty());
}
