//! A document of the protocol as a line: written and read.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::messages::Message;

/// The version of the protocol.
pub const VERSION: u32 = 1;
/// Bytes that a line may have, its end not counted.
pub const LINE_MAX: usize = 1024 * 1024;
/// Letters of a line that does not read which are shown before and behind where it does not.
const NEAR: usize = 60;

/// Why a line is not the document that is awaited.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is too long.
    #[error("a line of more than {LINE_MAX} bytes")]
    TooLong,
    /// It does not read.
    #[error("the line does not read: {source}: {near}")]
    Broken {
        /// Why.
        source: serde_json::Error,
        /// What stands there.
        near: String,
    },
    /// It is of another version.
    #[error("the line has v {found}; write \"v\": {VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// It is of another type.
    #[error("the line has type {found} where {wanted} is awaited")]
    Type {
        /// Its type.
        found: String,
        /// The awaited one.
        wanted: &'static str,
    },
}

#[derive(Serialize)]
struct Line<'a, M> {
    v: u32,
    r#type: &'static str,
    #[serde(flatten)]
    message: &'a M,
}

#[derive(Deserialize)]
struct Head {
    v: u32,
    r#type: String,
}

/// A document as its line, without the line's end.
pub fn write<M: Message + Serialize>(message: &M) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Line { v: VERSION, r#type: M::TYPE, message })
}

/// The document of a line.
pub fn read<M: Message + DeserializeOwned>(line: &str) -> Result<M, LineError> {
    if line.len() > LINE_MAX {
        return Err(LineError::TooLong);
    }
    let broken = |source: serde_json::Error| LineError::Broken { near: near(line, source.column()), source };
    let head: Head = serde_json::from_str(line).map_err(broken)?;
    if head.v != VERSION {
        return Err(LineError::Version { found: head.v });
    }
    if head.r#type != M::TYPE {
        return Err(LineError::Type { found: head.r#type, wanted: M::TYPE });
    }
    serde_json::from_str(line).map_err(broken)
}

/// What stands around a column of a line, counted in bytes from 1; of a short line all of it.
fn near(line: &str, column: usize) -> String {
    let first = column.saturating_sub(1 + NEAR);
    let around = line.char_indices().skip_while(|(at, _)| *at < first).take(2 * NEAR);
    around.map(|(_, letter)| letter).collect()
}

/// A text of a process as people may see it: what moves the cursor, ends a line or turns the direction of a terminal is replaced
/// by U+FFFD, a tab by a blank.
pub fn visible(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let letter = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() || turns(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::process::messages::{Answer, Events, Ready, Start, Stop};

    #[test]
    fn what_people_see_of_a_process_holds_no_control_characters() {
        assert_eq!(
            visible("a\x1b]0;x\x07b\0c\r\nd\te\u{9b}f\u{202e}g"),
            "a\u{fffd}]0;x\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}d e\u{fffd}f\u{fffd}g"
        );
        assert_eq!(visible("fällt 跌"), "fällt 跌");
    }

    /// Programs of others read and write these lines.
    #[test]
    fn each_document_is_the_published_line() {
        let start = r#"{"v":1,"type":"start","strategy":"mean","mode":"Backtest","parameters":{"n":3,"x":1.50},"instruments":[{"symbol":"BTC/USDT","tickSize":"0.01","lotSize":"0.001","minNotional":"5"}],"state":{"sum":1e3}}"#;
        assert_eq!(write(&read::<Start>(start).unwrap()).unwrap(), start);
        let ready = r#"{"v":1,"type":"ready","bars":[{"symbol":"BTC/USDT","interval":"4h","lookBack":42}],"timers":[{"everySeconds":60}]}"#;
        assert_eq!(write(&read::<Ready>(ready).unwrap()).unwrap(), ready);
        let events = concat!(
            r#"{"v":1,"type":"events","batch":7,"position":{"BTC":{"free":"1","reserved":"0"}},"equity":"600.5","#,
            r#""orders":[{"id":3,"tag":"a","symbol":"BTC/USDT","side":"Buy","price":"590","quantity":"1","filled":"0"}],"#,
            r#""risk":{"state":"AllowAll","reason":""},"events":["#,
            r#"{"type":"gap","symbol":"BTC/USDT"},"#,
            r#"{"type":"order","id":3,"tag":"a","status":"Filled","reason":"","quantity":"1","price":"590","fee":"0","feeAsset":"USDT"},"#,
            r#"{"type":"bar","symbol":"BTC/USDT","interval":"1m","openTime":0,"open":"1","high":"2","low":"1","close":"2","volume":"0.5"},"#,
            r#"{"type":"timer","time":60000,"everySeconds":60},"#,
            r#"{"type":"tick","index":4,"time":60001,"symbol":"BTC/USDT","price":"600","bid":"599.9","ask":"600.1","bidSize":"1","askSize":"2","volume":"0"}]}"#,
        );
        assert_eq!(write(&read::<Events>(events).unwrap()).unwrap(), events);
        let answer = concat!(
            r#"{"v":1,"type":"answer","batch":7,"consumed":2,"actions":["#,
            r#"{"place":{"tag":"a","side":"Sell","quantity":"0.5","price":"612","timeInForce":"GTC"}},"#,
            r#"{"cancel":{"id":3}},{"replace":{"id":4,"quantity":"1","price":"580"}},{"say":{"reason":"Turned","message":"up"}}],"#,
            r#""state":{"sum":0.1}}"#,
        );
        assert_eq!(write(&read::<Answer>(answer).unwrap()).unwrap(), answer);
        assert_eq!(write(&Stop {}).unwrap(), r#"{"v":1,"type":"stop"}"#);
    }

    #[test]
    fn what_is_no_answer_is_refused_with_the_remedy() {
        let refused = |line: &str| read::<Answer>(line).unwrap_err().to_string();
        assert!(refused(r#"{"v":2,"type":"answer"}"#).contains("write \"v\": 1"));
        assert!(refused(r#"{"v":1,"type":"ready"}"#).contains("answer is awaited"));
        assert!(refused(r#"{"v":1,"type":"answer","batch":1,"consumed":1,"state":NaN}"#).contains("does not read"));
        let float =
            r#"{"v":1,"type":"answer","batch":1,"consumed":1,"actions":[{"place":{"side":"Buy","quantity":0.5}}]}"#;
        assert!(refused(float).contains("expected a string"), "{}", refused(float));
        assert!(refused("half a li").contains("half a li"));
        let timers =
            format!(r#"{{"v":1,"type":"ready","bars":[{}],"timers":[{{"everySeconds":"1d"}}]}}"#, " ".repeat(200));
        let words = read::<Ready>(&timers).unwrap_err().to_string();
        assert!(words.contains("expected u32") && words.contains(r#""timers":[{"everySeconds":"1d"}]}"#), "{words}");
        assert!(refused(&" ".repeat(LINE_MAX + 1)).contains("1048576"));
    }
}
