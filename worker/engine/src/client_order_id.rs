//! Ids of orders: a decodable encoding of (ledger id, order sequence). Never a clock, chance or an epoch.

mod letters;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of one strategy's ledger: 1 to 12 small letters and digits, made by the state store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct LedgerId(String);

impl LedgerId {
    /// What new ids are made of: digits and consonants, in the order of their text. Without vowels no word can appear that a
    /// venue's firewall refuses.
    pub const ALPHABET: &[u8; 31] = b"0123456789bcdfghjklmnpqrstvwxyz";
    /// How many of them a new id has, which is the most that any has.
    pub const LENGTH: usize = 12;

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
        if text.is_empty() || text.len() > Self::LENGTH || !letters {
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

/// How an order's id is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// 28 letters and digits, which every venue takes.
    Letters,
    /// `glm-<ledger>-<sequence>`: of a ledger whose id is not of this alphabet, or of an order that the release before
    /// placed.
    Hyphens,
}

/// The id of one order, at most 36 characters. The form in which it was read is kept, and does not tell two ids apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientOrderId {
    ledger: LedgerId,
    sequence: u64,
    form: Form,
}

impl ClientOrderId {
    /// The largest sequence, so that no id is longer than 36 characters.
    pub const SEQUENCE_MAX: u64 = 9_999_999_999_999_999_999;

    /// The id of a new order, `sequence` of `ledger`.
    pub fn new(ledger: LedgerId, sequence: u64) -> Self {
        let form = if letters::has_form(ledger.as_str()) { Form::Letters } else { Form::Hyphens };
        Self { ledger, sequence, form }
    }

    /// The ledger the order belongs to.
    pub const fn ledger(&self) -> &LedgerId {
        &self.ledger
    }

    /// Dense within the ledger, from 1.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What the ids of all orders of `ledger` begin with, and no id of another ledger does.
    pub fn prefixes(ledger: &str) -> impl Iterator<Item = String> {
        let letters = letters::has_form(ledger).then(|| format!("{}{ledger}", letters::PREFIX));
        [format!("{HYPHENS_PREFIX}{ledger}-")].into_iter().chain(letters)
    }

    const fn parts(&self) -> (&LedgerId, u64) {
        (&self.ledger, self.sequence)
    }
}

impl PartialEq for ClientOrderId {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for ClientOrderId {}

impl PartialOrd for ClientOrderId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ClientOrderId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl Hash for ClientOrderId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

const HYPHENS_PREFIX: &str = "glm-";

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Letters => f.pad(letters::encode(self.ledger.as_str(), self.sequence).ok_or(fmt::Error)?.as_str()),
            Form::Hyphens => write!(f, "{HYPHENS_PREFIX}{}-{}", self.ledger, self.sequence),
        }
    }
}

impl FromStr for ClientOrderId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = match text.strip_prefix(HYPHENS_PREFIX) {
            Some(rest) => read_hyphens(rest).map(|parts| (parts, Form::Hyphens)),
            None => letters::decode(text).map(|parts| (parts, Form::Letters)),
        };
        let refuse = || IdError {
            text: text.chars().take(60).collect(),
            expected: "an order id: glm and 25 digits and consonants, or glm-<ledger>-<sequence>",
        };
        let ((ledger, sequence), form) = read.filter(|((_, n), _)| *n <= Self::SEQUENCE_MAX).ok_or_else(refuse)?;
        Ok(Self { ledger: ledger.parse().map_err(|_| refuse())?, sequence, form })
    }
}

/// Ledger and sequence of `<ledger>-<sequence>`, where the number is written as it would be here.
fn read_hyphens(text: &str) -> Option<(&str, u64)> {
    let (ledger, digits) = text.split_once('-')?;
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    Some((ledger, digits.parse().ok().filter(|_| canonical)?))
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

    const LEDGER: &str = "k3f9q2x7c1zd";

    fn id(ledger: &str, sequence: u64) -> ClientOrderId {
        ClientOrderId::new(ledger.parse().unwrap(), sequence)
    }

    /// The bytes are what venues and records hold: they never change.
    #[test]
    fn an_id_is_written_as_its_ledgers_letters_allow() {
        for (ledger, sequence, text) in [
            (LEDGER, 0, "glmk3f9q2x7c1zd0000000000000"),
            (LEDGER, 1, "glmk3f9q2x7c1zd0000000000001"),
            (LEDGER, 9, "glmk3f9q2x7c1zd0000000000009"),
            (LEDGER, 10, "glmk3f9q2x7c1zd000000000000b"),
            (LEDGER, 30, "glmk3f9q2x7c1zd000000000000z"),
            (LEDGER, 31, "glmk3f9q2x7c1zd0000000000010"),
            (LEDGER, 961, "glmk3f9q2x7c1zd0000000000100"),
            (LEDGER, ClientOrderId::SEQUENCE_MAX, "glmk3f9q2x7c1zddpkn74ydrz4rk"),
            ("000000000000", 1, "glm0000000000000000000000001"),
            ("zzzzzzzzzzzz", 1, "glmzzzzzzzzzzzz0000000000001"),
            // Not 12, or with a vowel: the old form for all orders.
            ("abc", 7, "glm-abc-7"),
            ("abc", 0, "glm-abc-0"),
            ("k3f9q2x7c1z", 7, "glm-k3f9q2x7c1z-7"),
            ("k3f9q2x7c1ze", 7, "glm-k3f9q2x7c1ze-7"),
            ("abcdefghijkl", ClientOrderId::SEQUENCE_MAX, "glm-abcdefghijkl-9999999999999999999"),
        ] {
            assert_eq!(id(ledger, sequence).to_string(), text);
            let read: ClientOrderId = text.parse().unwrap();
            assert_eq!((read.ledger().as_str(), read.sequence()), (ledger, sequence));
            assert_eq!(read.to_string(), text);
        }
        assert_eq!(id("abcdefghijkl", ClientOrderId::SEQUENCE_MAX).to_string().len(), 36);
    }

    #[test]
    fn an_order_of_the_old_form_keeps_it_and_is_the_same_order() {
        let old: ClientOrderId = format!("glm-{LEDGER}-31").parse().unwrap();
        let new = id(LEDGER, 31);
        assert_eq!(
            (old.to_string(), new.to_string()),
            (format!("glm-{LEDGER}-31"), format!("glm{LEDGER}0000000000010"))
        );
        assert_eq!(serde_json::to_string(&old).unwrap(), format!("\"glm-{LEDGER}-31\""));
        assert_eq!(old, new);
        assert_eq!(old.cmp(&new), Ordering::Equal);
        assert_eq!(std::collections::HashSet::from([old.clone(), new]).len(), 1);
        assert!(old < id(LEDGER, 32) && old > id(LEDGER, 30) && old < id("z3f9q2x7c1zd", 1));
        assert_ne!(old, id(LEDGER, 30));
    }

    #[test]
    fn foreign_ids_and_other_spellings_are_refused() {
        let old =
            ["", "web_12345", "glm-", "glm-abc", "glm-abc-", "glm-abc-01", "glm-abc-00", "glm-ABC-1", "glm-abc-x"];
        let signed = [
            "glm-abc-+1",
            "glm-abc--1",
            "glm-abc-1-2",
            "glm--1",
            "glm-abcdefghijklm-1",
            "glm-abc-10000000000000000000",
        ];
        let new = [
            "glm",
            "glmk3f9q2x7c1zd",
            "glmk3f9q2x7c1zd000000000001",
            "glmk3f9q2x7c1zd00000000000001",
            "GLMk3f9q2x7c1zd0000000000001",
            "glmK3f9q2x7c1zd0000000000001",
            "glmk3f9q2x7c1zd000000000000B",
            "glmk3f9q2x7c1za0000000000001",
            "glmk3f9q2x7c1zd000000000000a",
            "glmk3f9q2x7c1zd+000000000001",
            "glmk3f9q2x7c1zd 000000000001",
            "glmk3f9q2x7c1z\u{e9}000000000001",
            "xlmk3f9q2x7c1zd0000000000001",
            "k3f9q2x7c1zd0000000000001",
            "glmk3f9q2x7c1zddpkn74ydrz4rl",
            "glmk3f9q2x7c1zdrf075lc45n86k",
            "glmk3f9q2x7c1zdzzzzzzzzzzzzz",
        ];
        for bad in old.into_iter().chain(signed).chain(new) {
            assert!(bad.parse::<ClientOrderId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_prefixes_of_a_ledger_find_its_orders_and_no_others() {
        let found = |ledger: &str, id: &str| ClientOrderId::prefixes(ledger).any(|prefix| id.starts_with(&prefix));
        for (ledger, order, expected) in [
            (LEDGER, id(LEDGER, 5).to_string(), true),
            (LEDGER, format!("glm-{LEDGER}-5"), true),
            (LEDGER, id("k3f9q2x7c1zf", 5).to_string(), false),
            ("abc", "glm-abc-5".to_owned(), true),
            ("ab", "glm-abc-5".to_owned(), false),
            // A short id is the beginning of a long one.
            ("k3f9q2", id(LEDGER, 5).to_string(), false),
        ] {
            assert_eq!(found(ledger, &order), expected, "{ledger} {order}");
        }
    }
}
