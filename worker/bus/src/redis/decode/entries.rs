//! Reads stream entries, which anybody can write: an unreadable one becomes poison, not an error.

use std::sync::Arc;

use redis::Value;

use super::{Answer, Problem, cut, lossy};
use crate::{Batch, Body, Entry, StreamId, StreamKey};

/// The answer of XREAD; the streams are among those that were asked for.
pub(in crate::redis) fn batch(value: Value, asked: &[(StreamKey, StreamId)]) -> Result<Batch, Problem> {
    let mut answer = Answer::of(value)?;
    let mut batch = Batch::new();
    while !answer.is_empty() {
        let mut stream = answer.list()?;
        let name = stream.text()?;
        let key = asked.iter().map(|(key, _)| key).find(|key| key.as_str() == name);
        let key = key.ok_or_else(|| format!("the stream {:?} was not asked for", cut(&name)))?;
        batch.push((key.clone(), entries(stream.value()?)?));
    }
    Ok(batch)
}

/// The answer of XRANGE.
pub(in crate::redis) fn entries(value: Value) -> Result<Vec<Entry>, Problem> {
    Answer::of(value)?
        .0
        .map(|value| {
            let mut entry = Answer::of(value)?;
            let id = entry.parse()?;
            Ok(Entry::new(id, body(entry.list()?.0.as_slice())))
        })
        .collect()
}

fn body(pairs: &[Value]) -> Body {
    let field = |name: &[u8]| {
        pairs.chunks_exact(2).find_map(|pair| match pair {
            [Value::BulkString(key), Value::BulkString(value)] if key == name => Some(value.as_slice()),
            _ => None,
        })
    };
    let document = || -> Result<Body, &'static str> {
        let data = field(b"data").ok_or("it has no field data")?;
        let data = std::str::from_utf8(data).map_err(|_| "its field data is not UTF-8")?;
        let version = field(b"v").ok_or("it has no field v")?;
        let version = std::str::from_utf8(version).ok().and_then(|version| version.parse().ok());
        let version = version.ok_or("its field v is not a version number")?;
        Ok(Body::Document { version, data: Arc::from(data) })
    };
    document().unwrap_or_else(|reason| Body::poison(reason, &raw(pairs)))
}

/// The entry as text, as `name=value` in its order; stops once there is more than is kept.
fn raw(pairs: &[Value]) -> String {
    let mut raw = String::new();
    for pair in pairs.chunks_exact(2) {
        if raw.len() > Body::RAW_LIMIT {
            break;
        }
        if let [Value::BulkString(name), Value::BulkString(value)] = pair {
            let separator = if raw.is_empty() { "" } else { " " };
            raw.extend([separator, &lossy(name), "=", &lossy(value)]);
        }
    }
    raw
}
