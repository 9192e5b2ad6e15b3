//! Reads Redis' answers. Strict with what only this crate writes; lenient with stream entries,
//! which anybody can write: an unreadable one becomes poison, not an error.

// The library's enum of answers is open; what is not asked for is one case.
#![expect(clippy::wildcard_enum_match_arm)]

mod entries;
mod outcomes;

use std::str::FromStr;
use std::sync::Arc;

use redis::Value;

use super::layout::{CURSOR, FIELD};
use crate::{Body, Cursors, Fields, Record, StreamKey};

pub(super) use entries::{batch, entries};
pub(super) use outcomes::{
    acquired, beaten, claim, closed, committed, created, desired, desired_outcome, named, nudged, published, time_ms,
};

/// What does not fit, for people.
pub(super) type Problem = String;

/// A list that is read from its front.
pub(super) struct Answer(std::vec::IntoIter<Value>);

impl Answer {
    pub(super) fn of(value: Value) -> Result<Self, Problem> {
        match value {
            Value::Array(values) => Ok(Self(values.into_iter())),
            // Redis' way to say that there is nothing.
            Value::Nil => Ok(Self(Vec::new().into_iter())),
            other => Err(format!("the answer {} is no list", shown(&other))),
        }
    }

    pub(super) fn value(&mut self) -> Result<Value, Problem> {
        self.0.next().ok_or_else(|| "the answer is too short".to_owned())
    }

    pub(super) fn text(&mut self) -> Result<String, Problem> {
        text(self.value()?)
    }

    pub(super) fn parse<T: FromStr>(&mut self) -> Result<T, Problem> {
        parse(&self.text()?)
    }

    pub(super) fn list(&mut self) -> Result<Self, Problem> {
        Self::of(self.value()?)
    }

    pub(super) fn rest<T: FromStr>(self) -> Result<Vec<T>, Problem> {
        self.0.map(|value| parse(&text(value)?)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }
}

pub(super) fn parse<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| format!("{:?} is not readable", cut(text)))
}

pub(super) fn text(value: Value) -> Result<String, Problem> {
    match value {
        Value::BulkString(bytes) => {
            String::from_utf8(bytes).map_err(|error| format!("{:?} is not UTF-8", cut(&lossy(error.as_bytes()))))
        }
        Value::SimpleString(text) => Ok(text),
        Value::Okay => Ok("OK".to_owned()),
        Value::Int(number) => Ok(number.to_string()),
        other => Err(format!("{} is no text", shown(&other))),
    }
}

/// The record in a HGETALL; `None` when there is none.
pub(super) fn record(mut answer: Answer) -> Result<Option<Record>, Problem> {
    let mut meta = Fields::new();
    let (mut fields, mut cursors) = (Fields::new(), Cursors::new());
    while !answer.is_empty() {
        let (name, value) = (answer.text()?, answer.text()?);
        if let Some(field) = name.strip_prefix(FIELD) {
            fields.insert(field.to_owned(), value.into());
        } else if let Some(stream) = name.strip_prefix(CURSOR) {
            cursors.insert(StreamKey::from_name(stream), parse(&value)?);
        } else {
            meta.insert(name, value.into());
        }
    }
    let Some(ledger) = meta.get("_ledger") else {
        return Ok(None);
    };
    let known = |name: &str| meta.get(name).ok_or_else(|| format!("the record has no {name}"));
    Ok(Some(Record {
        uid: known("_uid")?.to_string(),
        ledger: ledger.to_string(),
        epoch: parse(known("_epoch")?)?,
        incarnation: parse(known("_incarnation")?)?,
        version: parse(known("_version")?)?,
        commit_id: known("_commit")?.to_string(),
        cursors,
        fields: Arc::new(fields),
        closed: meta.contains_key("_closed"),
        // Absent in a record of a release that did not write them.
        at_ms: meta.get("_at").map_or(Ok(0), |at| parse(at))?,
        beat_ms: meta.get("_beat").map_or(Ok(0), |beat| parse(beat))?,
        followed: meta.get("_followed").map(|followed| parse(followed)).transpose()?,
    }))
}

/// Readable text of the part that can be kept.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(Body::RAW_LIMIT + 4)]).into_owned()
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(64)]
}

/// An answer of another shape in words: how its type is called in this program says nothing to a reader.
fn shown(value: &Value) -> String {
    match value {
        Value::Nil => "nothing".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => format!("{:?}", cut(&lossy(bytes))),
        Value::SimpleString(text) => format!("{:?}", cut(text)),
        Value::Okay => "OK".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        other => match other.as_map_iter() {
            Some(_) => "a map".to_owned(),
            None => "an answer of another type".to_owned(),
        },
    }
}
