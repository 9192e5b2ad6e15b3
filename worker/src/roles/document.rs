//! From a document to a message: its version, its size, and what its stream keeps.

use bus::{Body, Bounds, Entry, Keys, Message, Poison, Scope, StreamKey, Topic};
use engine::messages::{Document, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The member that tells that a document was cut.
const TRUNCATED: &str = "truncated";
/// Texts up to this length are never cut: names, ids and decimals are shorter.
const WHOLE: usize = 64;

/// Bytes of nearly all documents.
const ROOM: usize = 512;

/// One document of ours for a reader that must have all of it.
pub fn message<D: Document>(stream: StreamKey, document: &D) -> Message {
    // Our own types hold no map with a key that is not text, so this cannot fail.
    Message::new(stream, D::VERSION, text(document, ROOM).unwrap_or_default())
}

/// One document for outsiders: cut at its topic's size, under its topic's retention.
pub fn for_outsiders<D: Document>(keys: &Keys, account: &Scope, topic: Topic, document: &D) -> Message {
    let text = fitted(document, topic.bounds());
    Message::new(keys.topic(account, topic), D::VERSION, text).with_retention(topic.retention())
}

/// The document as JSON within the bounds. What is cut says so: long texts are shortened first, as far as it takes; then
/// the largest members go.
fn fitted(document: &impl Serialize, bounds: Bounds) -> String {
    let limit = usize::try_from(bounds.bytes).unwrap_or(usize::MAX);
    // As above: this cannot fail.
    let whole = text(document, ROOM).unwrap_or_default();
    if whole.len() <= limit {
        return whole;
    }
    let Ok(Value::Object(mut members)) = serde_json::from_str(&whole) else {
        return serde_json::json!({ TRUNCATED: true }).to_string();
    };
    members.insert(TRUNCATED.to_owned(), Value::Bool(true));
    let mut longest = limit;
    while size(&members) > limit && longest > WHOLE {
        longest = (longest / 2).max(WHOLE);
        for member in members.values_mut() {
            if let Value::String(text) = member {
                text.truncate(text.floor_char_boundary(longest));
            }
        }
    }
    while size(&members) > limit {
        let largest =
            members.iter().filter(|(name, _)| *name != TRUNCATED).max_by_key(|(_, value)| value.to_string().len());
        let Some(name) = largest.map(|(name, _)| name.clone()) else { break };
        members.shift_remove(&name);
    }
    Value::Object(members).to_string()
}

fn size(members: &serde_json::Map<String, Value>) -> usize {
    serde_json::to_string(members).map_or(0, |text| text.len())
}

/// An entry that did not read, kept with where it stood for who looks into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    stream: String,
    id: String,
    problem: String,
    raw: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

impl Document for DeadLetter {
    const VERSION: u32 = 1;
}

impl DeadLetter {
    /// The entry, cut at what is kept of one.
    pub fn of(stream: &StreamKey, entry: &Entry, problem: &Poison) -> Self {
        let text = entry.text();
        let raw = &text[..text.floor_char_boundary(Body::RAW_LIMIT)];
        Self {
            stream: stream.as_str().to_owned(),
            id: entry.id.to_string(),
            problem: problem.to_string(),
            // A text of another program comes cut at a whole letter.
            truncated: raw.len() + 4 > Body::RAW_LIMIT,
            raw: raw.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bus::StreamId;
    use serde_json::json;

    use super::*;

    fn bounds(bytes: u64) -> Bounds {
        Bounds { entries: 1, bytes }
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let document = json!({ "message": "x".repeat(80), "price": "612.50" });
        assert_eq!(fitted(&document, bounds(200)), document.to_string());
    }

    #[test]
    fn long_texts_are_cut_and_figures_never() {
        let price = "1".repeat(40);
        let document = json!({ "message": "é\"".repeat(5_000), "price": price, "reason": "BelowLotSize" });
        let text = fitted(&document, bounds(768));
        let cut: Value = serde_json::from_str(&text).unwrap();
        assert!(text.len() <= 768 && text.len() > 256, "{} bytes", text.len());
        assert_eq!(
            (&cut["price"], &cut["reason"], &cut["truncated"]),
            (&json!(price), &json!("BelowLotSize"), &json!(true))
        );
    }

    #[test]
    fn what_is_no_text_goes_whole() {
        let document = json!({ "strategy": "grid-1", "state": { "orders": vec!["1.5"; 9_000] }, "time": 1 });
        let cut: Value = serde_json::from_str(&fitted(&document, bounds(512))).unwrap();
        assert_eq!(cut, json!({ "strategy": "grid-1", "time": 1, "truncated": true }));
    }

    #[test]
    fn a_dead_letter_is_bounded_whatever_it_holds() {
        let stream = StreamKey::from_name("glm:{trading/paper}:order.command");
        for text in ["\u{1}".repeat(20 << 20), "\"".repeat(20 << 20), "é".repeat(9_000)] {
            for body in [Body::Document { version: 1, data: text.as_str().into() }, Body::poison(text.as_str(), &text)]
            {
                let entry = Entry::new(StreamId::new(1, 1), body);
                let letter = DeadLetter::of(&stream, &entry, &Poison::new(&text));
                assert!(letter.truncated && letter.problem.len() < 300);
                let topic = Topic::DeadLetter;
                let message =
                    for_outsiders(&Keys::new("glm").unwrap(), &Scope::account("n", "a").unwrap(), topic, &letter);
                assert!(message.data.len() as u64 <= topic.bounds().bytes, "{} bytes", message.data.len());
                let kept: DeadLetter = serde_json::from_str(&message.data).unwrap();
                assert!(kept.raw.len() > 1_000 && text.starts_with(&kept.raw));
            }
        }
    }
}
