//! What a strategy shows of itself: figures by name, each a text, a count, or figures of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::numbers::Notional;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    /// A decimal, or a word.
    Text(String),
    /// How many.
    Count(u64),
    /// Several under one name.
    Parts(Figures),
}

/// Figures by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<String, Figure>);

/// What the books say at the last prices, for figures that add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Net profit so far.
    pub net: Notional,
    /// What only holding the opening amounts would have brought.
    pub holding: Notional,
}

impl Figures {
    /// None.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets one.
    pub fn insert(&mut self, name: impl Into<String>, figure: impl Into<Figure>) {
        self.0.insert(name.into(), figure.into());
    }
}

impl Figure {
    /// Its text; empty of what is none.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Count(_) | Self::Parts(_) => "",
        }
    }
}

impl PartialEq<&str> for Figure {
    fn eq(&self, text: &&str) -> bool {
        matches!(self, Self::Text(own) if own == text)
    }
}

impl From<String> for Figure {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Figure {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<Figures> for Figure {
    fn from(parts: Figures) -> Self {
        Self::Parts(parts)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => write!(f, "{count}"),
            Self::Parts(parts) => {
                let parts: Vec<_> = parts.iter().map(|(name, figure)| format!("{name} {figure}")).collect();
                f.write_str(&parts.join(", "))
            }
        }
    }
}

/// By its name; a schema of the status that knows it by its name only takes any of them.
impl JsonSchema for Figure {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Figure".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}

impl JsonSchema for Figures {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Figures".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, Figure>::json_schema(generator)
    }
}

impl Deref for Figures {
    type Target = BTreeMap<String, Figure>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl IntoIterator for Figures {
    type Item = (String, Figure);
    type IntoIter = std::collections::btree_map::IntoIter<String, Figure>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<F: Into<Figure>> Extend<(String, F)> for Figures {
    fn extend<I: IntoIterator<Item = (String, F)>>(&mut self, figures: I) {
        self.0.extend(figures.into_iter().map(|(name, figure)| (name, figure.into())));
    }
}

impl<F: Into<Figure>> FromIterator<(String, F)> for Figures {
    fn from_iter<I: IntoIterator<Item = (String, F)>>(figures: I) -> Self {
        Self(figures.into_iter().map(|(name, figure)| (name, figure.into())).collect())
    }
}

impl<F: Into<Figure>, const N: usize> From<[(String, F); N]> for Figures {
    fn from(figures: [(String, F); N]) -> Self {
        figures.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_counts_and_parts_are_written_as_what_they_are_and_read_again() {
        let mut figures = Figures::from([("high".to_owned(), "1.5".to_owned())]);
        figures.insert("matchedTrades", 7);
        figures.insert("resting", Figures::from([("buys".to_owned(), 2_u64)]));
        let text = serde_json::to_string(&figures).unwrap();
        assert_eq!(text, r#"{"high":"1.5","matchedTrades":7,"resting":{"buys":2}}"#);
        assert_eq!(serde_json::from_str::<Figures>(&text).unwrap(), figures);
        assert_eq!(figures["resting"].to_string(), "buys 2");
    }
}
