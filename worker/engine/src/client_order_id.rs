//! Ids of orders: a decodable encoding of (ledger id, order sequence). Never a clock, chance or an epoch.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of one strategy's ledger: 1 to 12 small letters and digits, made by the state store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct LedgerId(String);

impl LedgerId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not an id of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct IdError {
    /// What was read.
    pub text: String,
    /// What it should have been.
    pub expected: &'static str,
}

impl FromStr for LedgerId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if text.is_empty() || text.len() > 12 || !letters {
            let text = text.chars().take(60).collect();
            return Err(IdError { text, expected: "a ledger id of 1 to 12 small letters and digits" });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for LedgerId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LedgerId> for String {
    fn from(id: LedgerId) -> Self {
        id.0
    }
}

/// The id of one order, at most 36 characters: `glm-<ledger>-<sequence>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientOrderId {
    ledger: LedgerId,
    sequence: u64,
}

impl ClientOrderId {
    /// The prefix that tells our orders from foreign ones.
    pub const PREFIX: &str = "glm-";
    /// The largest sequence, so that no id is longer than 36 characters.
    pub const SEQUENCE_MAX: u64 = 9_999_999_999_999_999_999;

    /// The id of order `sequence` of `ledger`.
    pub const fn new(ledger: LedgerId, sequence: u64) -> Self {
        Self { ledger, sequence }
    }

    /// The ledger the order belongs to.
    pub const fn ledger(&self) -> &LedgerId {
        &self.ledger
    }

    /// Dense within the ledger, from 1.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}-{}", Self::PREFIX, self.ledger, self.sequence)
    }
}

impl FromStr for ClientOrderId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse =
            || IdError { text: text.chars().take(60).collect(), expected: "an order id glm-<ledger>-<sequence>" };
        let (ledger, sequence) =
            text.strip_prefix(Self::PREFIX).and_then(|rest| rest.split_once('-')).ok_or_else(refuse)?;
        let canonical = sequence.bytes().all(|b| b.is_ascii_digit()) && (sequence == "0" || !sequence.starts_with('0'));
        let sequence = sequence.parse().ok().filter(|n| canonical && *n <= Self::SEQUENCE_MAX).ok_or_else(refuse)?;
        Ok(Self { ledger: ledger.parse().map_err(|_| refuse())?, sequence })
    }
}

impl TryFrom<String> for ClientOrderId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ClientOrderId> for String {
    fn from(id: ClientOrderId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_id_has_36_characters_and_decodes() {
        let id = ClientOrderId::new("abcdefghijkl".parse().unwrap(), ClientOrderId::SEQUENCE_MAX);
        assert_eq!(id.to_string().len(), 36);
        assert_eq!(id.to_string().parse::<ClientOrderId>().unwrap(), id);
    }

    #[test]
    fn foreign_ids_are_refused() {
        for bad in
            ["", "web_12345", "glm-", "glm-abc", "glm-abc-", "glm-abc-01", "glm-ABC-1", "glm-abc-x", "glm-abc-+1"]
        {
            assert!(bad.parse::<ClientOrderId>().is_err(), "{bad}");
        }
    }
}
