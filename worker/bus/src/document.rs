//! From an entry to its document: the one place that looks at the version. May not judge what a document says.

use std::{any::Any, fmt, ops::Deref, sync::Arc};

use engine::messages::Document;

use crate::{Body, Entry};

/// How much of a text that somebody else wrote may stand in a message for people.
const EXCERPT: usize = 256;

/// Why an entry is no document that this program reads, in at most a few hundred bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Poison(String);

impl Poison {
    /// What is wrong, cut: the text may quote what somebody else wrote.
    pub fn new(problem: impl fmt::Display) -> Self {
        let problem = problem.to_string();
        if problem.len() <= EXCERPT {
            return Self(problem);
        }
        Self(format!("{}… ({} bytes)", excerpt(&problem), problem.len()))
    }
}

/// The beginning of a text that somebody else wrote, short enough for a line of a log.
pub fn excerpt(text: &str) -> &str {
    &text[..text.floor_char_boundary(EXCERPT)]
}

/// A document that an entry lends.
#[derive(Debug)]
pub enum Lent<'a, T> {
    /// The entry keeps it.
    Kept(&'a T),
    /// The entry keeps it as something else.
    Own(Arc<T>),
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Kept(document) => document,
            Self::Own(document) => document,
        }
    }
}

impl Entry {
    /// The document that the entry holds. This version and the one before are read; a newer one is refused, because its
    /// fields may mean something else.
    pub fn decode<T: Document>(&self) -> Result<T, Poison> {
        match &self.body {
            Body::Document { version, .. } if *version > T::VERSION => Err(Poison::new(format!(
                "its version {version} is newer than {}, the newest that this program reads: upgrade it",
                T::VERSION
            ))),
            Body::Document { version, .. } if version.saturating_add(1) < T::VERSION => Err(Poison::new(format!(
                "its version {version} is older than {}, the oldest that this program reads",
                T::VERSION - 1
            ))),
            Body::Document { data, .. } => serde_json::from_str(data).map_err(Poison::new),
            Body::Poison { reason, .. } => Err(Poison::new(reason)),
        }
    }

    /// As [`Self::decode`], and once for all who hold this entry: on the bus in memory that is every reader of the
    /// stream.
    pub fn decode_once<T: Document + Any + Send + Sync>(&self) -> Result<Arc<T>, Poison> {
        if let Some(document) = self.decoded() {
            return Ok(document);
        }
        let document = Arc::new(self.decode::<T>()?);
        self.keep_decoded(&document);
        Ok(document)
    }

    /// As [`Self::decode_once`], where the document is needed no longer than the entry: no reader counts what it holds.
    pub fn lend<T: Document + Any + Send + Sync>(&self) -> Result<Lent<'_, T>, Poison> {
        if let Some(document) = self.kept() {
            return Ok(Lent::Kept(document));
        }
        let document = self.decode_once()?;
        // Another kind was kept before.
        Ok(self.kept().map_or(Lent::Own(document), Lent::Kept))
    }

    /// What it holds, as text.
    pub fn text(&self) -> &str {
        match &self.body {
            Body::Document { data, .. } => data,
            Body::Poison { raw, .. } => raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::messages::{Inbox, Nudge};

    use super::*;
    use crate::StreamId;

    fn entry(version: u32, data: &str) -> Entry {
        Entry::new(StreamId::new(1, 1), Body::Document { version, data: data.into() })
    }

    #[test]
    fn a_newer_version_is_refused_whatever_it_holds() {
        let control = r#"{"kind":"Control"}"#;
        assert_eq!(entry(Inbox::VERSION, control).decode(), Ok(Inbox::Control));
        assert_eq!(entry(Inbox::VERSION - 1, control).decode(), Ok(Inbox::Control));
        let poison = entry(Inbox::VERSION + 98, control).decode::<Inbox>().expect_err("it is newer");
        assert!(poison.to_string().contains("version 99 is newer than 1"), "{poison}");
    }

    #[test]
    fn what_one_holder_has_decoded_the_others_have_too() {
        let first = entry(1, r#"{"owner":"grid-1"}"#);
        let second = first.clone();
        let (one, other) = (first.decode_once::<Nudge>().unwrap(), second.decode_once::<Nudge>().unwrap());
        assert!(Arc::ptr_eq(&one, &other), "decoded once");
        assert_eq!(*one, first.decode::<Nudge>().unwrap());
        // Who reads it as something else is told what it would be told without the others.
        assert_eq!(first.decode_once::<Inbox>(), first.decode::<Inbox>().map(Arc::new));
        assert!(entry(9, r#"{"owner":"grid-1"}"#).decode_once::<Nudge>().is_err());
        assert!(matches!(second.lend::<Nudge>(), Ok(Lent::Kept(lent)) if std::ptr::eq(lent, &raw const *one)));
    }

    #[test]
    fn an_entry_lends_what_it_is_read_as() {
        let first = entry(1, r#"{"kind":"Control","owner":"grid-1"}"#);
        assert!(matches!(first.lend::<Nudge>(), Ok(Lent::Kept(nudge)) if nudge.owner == "grid-1"));
        assert!(matches!(first.lend::<Inbox>(), Ok(Lent::Own(inbox)) if *inbox == Inbox::Control));
        assert!(matches!(first.lend::<Nudge>(), Ok(Lent::Kept(_))), "the first kind stays");
        let poison = entry(9, r#"{"owner":"grid-1"}"#);
        assert_eq!(poison.lend::<Nudge>().err(), poison.decode::<Nudge>().err());
    }

    #[test]
    fn a_problem_quotes_a_bounded_part() {
        let long = format!("{{\"owner\":[\"{}\"]}}", "é".repeat(1 << 20));
        for body in [Body::Document { version: 1, data: long.as_str().into() }, Body::poison(long.as_str(), &long)] {
            let poison = Entry::new(StreamId::ZERO, body).decode::<Nudge>().expect_err("it is no text");
            assert!(poison.to_string().len() < EXCERPT + 32, "{} bytes", poison.to_string().len());
        }
        let quoted = entry(1, &format!("\"{}\"", "x".repeat(1 << 20))).decode::<Nudge>().expect_err("it is a text");
        assert!(quoted.to_string().len() < EXCERPT + 32 && quoted.to_string().contains("bytes)"), "{quoted}");
    }
}
