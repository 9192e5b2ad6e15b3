//! Messages as they were received, near ones, and bad ones.

use proptest::prelude::*;

use super::*;

const SPOT_TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#;
const FUTURES_TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256321,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#;
const SPOT_BOOK: &str = r#"{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#;
const FUTURES_BOOK: &str = r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.510","T":1723161256313,"E":1723161256313}}"#;

#[test]
fn reads_trades_of_spot_and_futures() {
    let cases = [
        (SPOT_TRADE, 3_735_683_259, "61837.63", "0.02", 1_723_161_255_342, true),
        (FUTURES_TRADE, 5_266_583_935, "61800.3", "0.006", 1_723_161_256_321, false),
    ];
    for (message, id, price, quantity, time, buyer_is_maker) in cases {
        let expected = StreamEvent::Trade(Trade {
            symbol: "BTCUSDT".into(),
            id,
            price: price.parse().unwrap(),
            quantity: quantity.parse().unwrap(),
            time: Timestamp::from_millis(time),
            event_time: Some(Timestamp::from_millis(time + 1)),
            buyer_is_maker,
        });
        assert_eq!(parse(message), Ok(expected));
    }
}

#[test]
fn reads_quotes_of_spot_and_futures() {
    let cases = [
        (SPOT_BOOK, 50_093_239_212, ["61837.63", "61837.64"], ["3.78826", "1.54698"]),
        (FUTURES_BOOK, 5_123_107_839_020, ["61800.2", "61800.3"], ["2.507", "2.51"]),
    ];
    for (message, update_id, [bid, ask], [bid_size, ask_size]) in cases {
        let expected = StreamEvent::BookTicker(BookTicker {
            symbol: "BTCUSDT".into(),
            update_id,
            bid: Some(bid.parse().unwrap()),
            bid_size: bid_size.parse().unwrap(),
            ask: Some(ask.parse().unwrap()),
            ask_size: ask_size.parse().unwrap(),
        });
        assert_eq!(parse(message), Ok(expected));
    }
}

/// As they were received in 2021.
const AGGREGATE: &str = r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1616202009196,"a":389551486,"s":"BTCUSDT","p":"58665.00","q":"0.043","f":621622993,"l":621622995,"T":1616202009188,"m":false}}"#;
const MARK: &str = r#"{"stream":"btcusdt@markPrice","data":{"e":"markPriceUpdate","E":1617308820003,"s":"BTCUSDT","p":"58940.14924532","P":"58905.14663658","i":"58857.26693664","r":"0.00058455","T":1617321600000}}"#;

#[test]
fn reads_aggregates_of_trades() {
    let trade = Trade {
        symbol: "BTCUSDT".into(),
        id: 389_551_486,
        price: "58665".parse().unwrap(),
        quantity: "0.043".parse().unwrap(),
        time: Timestamp::from_millis(1_616_202_009_188),
        event_time: Some(Timestamp::from_millis(1_616_202_009_196)),
        buyer_is_maker: false,
    };
    let expected = StreamEvent::Aggregate(Aggregate { trade, first: 621_622_993, last: 621_622_995 });
    assert_eq!(parse(AGGREGATE), Ok(expected.clone()));
    // Of a future with an end, and of spot, which has one field more.
    let dated = AGGREGATE.replace("btcusdt@", "btcusdt_210625@").replace("BTCUSDT", "BTCUSDT_210625");
    assert!(matches!(parse(&dated), Ok(StreamEvent::Aggregate(told)) if told.trade.symbol == "BTCUSDT_210625"));
    assert_eq!(parse(&AGGREGATE.replace("\"m\":false", "\"m\":false,\"M\":true")), Ok(expected));
    let bad = AGGREGATE.replace("\"a\":389551486,", "");
    assert!(parse(&bad).unwrap_err().to_string().starts_with("message: missing field `a`"));
}

#[test]
fn reads_mark_prices_with_what_is_paid_next() {
    let expected = MarkPrice {
        symbol: "BTCUSDT".into(),
        price: "58940.14924532".parse().unwrap(),
        index: "58857.26693664".parse().unwrap(),
        funding_rate: Some("0.00058455".parse().unwrap()),
        funding_time: Timestamp::from_millis(1_617_321_600_000),
        event_time: Timestamp::from_millis(1_617_308_820_003),
    };
    for name in ["markPrice", "markPrice@1s"] {
        assert_eq!(
            parse(&MARK.replace("markPrice\"", &format!("{name}\""))),
            Ok(StreamEvent::MarkPrice(expected.clone()))
        );
    }
    let of_rate = |rate: &str| match parse(&MARK.replace("0.00058455", rate)) {
        Ok(StreamEvent::MarkPrice(mark)) => Ok(mark.funding_rate.map(|rate| rate.to_string())),
        other => Err(format!("{other:?}")),
    };
    assert_eq!(of_rate("-0.00010000"), Ok(Some("-0.00010000".to_owned())));
    assert_eq!(of_rate(""), Ok(None), "of a contract that ends");
    assert!(of_rate("x").unwrap_err().contains("data.r"));
}

#[test]
fn leaves_out_what_is_no_trade_and_no_quote() {
    let others = [
        r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","b":[["61737.63","0.0"]]}}"#,
        r#"{"stream":"btcusdt@kline_1m","data":{"p":5}}"#,
        r#"{"stream":"!markPrice@arr","data":[{"e":"markPriceUpdate","p":5}]}"#,
        r#"{"lastUpdateId":50093239218,"bids":[["61837.63","3.7"]]}"#,
        r#"{"result":null,"id":1}"#,
    ];
    for message in others {
        assert_eq!(parse(message), Ok(StreamEvent::Other), "{message}");
    }
}

#[test]
fn a_trade_outside_the_market_has_an_id_but_no_price() {
    let message = FUTURES_TRADE.replace("MARKET", "INSURANCE_FUND").replace("61800.30", "0");
    let expected = StreamEvent::OffMarketTrade { symbol: "BTCUSDT".into(), id: 5_266_583_935 };
    assert_eq!(parse(&message), Ok(expected));
}

#[test]
fn an_empty_side_has_no_price() {
    let message = SPOT_BOOK.replace("61837.63000000", "0.00000000").replace("3.78826000", "0.00000000");
    match parse(&message) {
        Ok(StreamEvent::BookTicker(book)) => {
            assert_eq!((book.bid, book.ask.unwrap().to_string()), (None, "61837.64".to_owned()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_raw_message_is_told_from_others() {
    for combined in [SPOT_TRADE, FUTURES_TRADE, SPOT_BOOK, FUTURES_BOOK] {
        let raw = combined.split_once("\"data\":").unwrap().1.strip_suffix('}').unwrap();
        assert_eq!(parse(raw), Ok(StreamEvent::Raw { symbol: "BTCUSDT".into() }), "{raw}");
    }
}

#[test]
fn a_trade_in_microseconds_has_its_millisecond() {
    match parse(&SPOT_TRADE.replace("1723161255342,\"m\"", "1723161255342999,\"m\"")) {
        Ok(StreamEvent::Trade(trade)) => assert_eq!(trade.time.millis(), 1_723_161_255_342),
        other => panic!("{other:?}"),
    }
}

#[test]
fn escaped_names_are_read() {
    let message = SPOT_BOOK.replace(r#""s":"BTCUSDT""#, r#""s":"\u5e01USDT""#);
    match parse(&message) {
        Ok(StreamEvent::BookTicker(book)) => assert_eq!(book.symbol, "币USDT"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bad_message_is_told_with_its_place() {
    let cases = [
        (
            SPOT_TRADE.replace(r#""p":"61837.63000000","#, ""),
            "message: missing field `p` at byte 146; remove the line, or record again",
        ),
        (
            SPOT_TRADE.replace("61837.63000000", "abc"),
            "data.p: \"abc\" is not a plain decimal; write it like 600 or 0.25",
        ),
        (
            SPOT_TRADE.replace("61837.63000000", "0.00"),
            "data.p: 0.00 is out of range for a price: above 0 and below 10^12",
        ),
        (SPOT_TRADE.replace("0.02000000", "-1"), "data.q: -1 is out of range for a volume: 0 or more and below 10^28"),
        (SPOT_TRADE.replace("1723161255342", "-7"), "data.T: \"-7\" is not a time in ms; write it like 1700000000000"),
        (
            SPOT_TRADE.replace("3735683259", "-1"),
            "message: invalid value: integer `-1`, expected u64 at byte 84; remove the line, or record again",
        ),
        (
            SPOT_BOOK.replace("61837.64000000", "6.1e"),
            "data.a: \"6.1e\" is not a plain decimal; write it like 600 or 0.25",
        ),
        (
            SPOT_BOOK[..60].to_owned(),
            "message: EOF while parsing a string at byte 60; remove the line, or record again",
        ),
        ("{}}".to_owned(), "message: trailing characters at byte 3; remove the line, or record again"),
    ];
    for (message, expected) in cases {
        assert_eq!(parse(&message).unwrap_err().to_string(), expected, "{message}");
    }
}

/// Messages near those that the exchange sends: a part of one cut out, put twice, or replaced.
fn near_messages() -> impl Strategy<Value = String> {
    let all = [SPOT_TRADE, FUTURES_TRADE, SPOT_BOOK, FUTURES_BOOK, AGGREGATE, MARK];
    let message = prop::sample::select(all.to_vec());
    let part = prop::sample::select(
        &[
            "",
            "\"",
            "\\",
            "\\u0041",
            ",",
            ":",
            " ",
            "\t",
            "{",
            "}",
            "null",
            "true",
            "-1",
            "0",
            "007",
            "1.5",
            "1e3",
            "[]",
            "\"x\":{\"y\":[1,-0.5e+3,null,{}]},",
            "\"s\":\"X\",",
            "\"X\":null,",
            "\"t\":5,",
            "\"data\":",
            "\"stream\":",
            "@trade",
            "99999999999999999999",
            "9223372036854775808",
            "币",
            "\u{1}",
            "MARKET",
        ][..],
    );
    let change = (any::<prop::sample::Index>(), 0_usize..9, part);
    (message, prop::collection::vec(change, 0..3)).prop_map(|(message, changes)| {
        changes.into_iter().fold(message.to_owned(), |mut text, (at, length, part)| {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, part);
            }
            text
        })
    })
}

#[test]
fn what_the_exchange_sends_is_read_in_one_pass() {
    for message in [SPOT_TRADE, FUTURES_TRADE, SPOT_BOOK, FUTURES_BOOK, AGGREGATE] {
        assert!(flat::read(message).is_some(), "{message}");
        let spaced = message.replace(",\"", ", \"").replace("\":", "\": ");
        assert!(flat::read(&spaced).is_some(), "{spaced}");
        assert_eq!(parse(message), parse(&spaced));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn one_pass_reads_as_a_reader_of_any_json_does(message in near_messages()) {
        prop_assert_eq!(parse(&message), any_form(&message));
    }
}
