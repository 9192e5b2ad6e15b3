//! What a client asks for over its WebSocket.

use serde_json::json;

use crate::client::{Came, Stream, lively};

#[test]
fn subscriptions_come_and_go_and_are_listed() {
    let server = crate::client::server(&["--random", "7", "--paused"]);
    let mut stream = Stream::open(&server, "/ws/btcusdt@trade");
    let answer = stream.ask(r#"{"method":"SUBSCRIBE","params":["btcusdt@bookTicker","nosuch@trade"],"id":1}"#);
    assert_eq!(answer, json!({"result": null, "id": 1}));
    let answer = stream.ask(r#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":"a2"}"#);
    assert_eq!(answer, json!({"result": null, "id": "a2"}));
    let answer = stream.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#);
    assert_eq!(answer, json!({"result": ["btcusdt@bookTicker", "nosuch@trade"], "id": 3}));
    crate::client::resume(&server);
    assert!(stream.json()["b"].is_string(), "only quotes come");
}

#[test]
fn frames_are_wrapped_as_the_property_says() {
    let server = lively();
    let mut stream = Stream::open(&server, "/stream?streams=btcusdt@trade");
    assert_eq!(stream.json()["stream"], "btcusdt@trade");
    let mut until = |id: i64, text: &str| {
        let mut answer = stream.ask(text);
        while answer["id"] != id {
            answer = stream.json();
        }
        (answer, stream.json())
    };
    let (answer, next) = until(1, r#"{"method":"GET_PROPERTY","params":["combined"],"id":1}"#);
    assert_eq!((answer, next["stream"].as_str()), (json!({"result": true, "id": 1}), Some("btcusdt@trade")));
    let (answer, next) = until(2, r#"{"method":"SET_PROPERTY","params":["combined",false],"id":2}"#);
    assert_eq!((answer, next["e"].as_str()), (json!({"result": null, "id": 2}), Some("trade")));
}

#[test]
fn bad_requests_get_the_codes_of_the_exchange() {
    let server = crate::client::server(&["--random", "7", "--paused"]);
    for (text, code, part) in [
        ("{", 3, "Invalid JSON"),
        (r#"{"method":"NO","id":1}"#, 2, "unknown variant `NO`, expected one of `SUBSCRIBE`"),
        (r#"{"id":1}"#, 2, "missing field `method`"),
        (r#"{"method":"SUBSCRIBE","params":["btcusdt@nothing"],"id":1}"#, 2, "invalid stream"),
        (r#"{"method":"SUBSCRIBE","params":["BTCUSDT@trade"],"id":1}"#, 2, "invalid stream"),
        (r#"{"method":"SUBSCRIBE","id":1}"#, 2, "params"),
        (r#"{"method":"SUBSCRIBE","params":[],"id":1.5}"#, 2, "request ID"),
        (r#"{"method":"SUBSCRIBE","params":[],"id":1,"more":1}"#, 2, "too many parameters"),
        (r#"{"method":"SET_PROPERTY","params":["other",true],"id":1}"#, 0, "Unknown property"),
        (r#"{"method":"SET_PROPERTY","params":[7,true],"id":1}"#, 2, "property name must be a string"),
        (r#"{"method":"SET_PROPERTY","params":["combined",1],"id":1}"#, 1, "expected Boolean"),
    ] {
        let mut stream = Stream::open(&server, "/ws");
        let answer = stream.ask(text);
        assert_eq!(answer["code"], code, "{text}: {answer}");
        assert!(answer["msg"].as_str().is_some_and(|msg| msg.contains(part)), "{text}: {answer}");
        // It lives on.
        assert_eq!(stream.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":9}"#), json!({"result": [], "id": 9}));
    }
}

#[test]
fn a_path_that_names_no_stream_is_silent() {
    let server = lively();
    let mut stream = Stream::open(&server, "/ws/0");
    let mut other = Stream::open(&server, "/ws/btcusdt@trade");
    other.trade();
    assert_eq!(stream.within(std::time::Duration::from_millis(50)), Came::Nothing);
}
