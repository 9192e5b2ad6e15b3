//! A SHA-256 that can be saved while it is under way, so that a result has the same hash however often its process died.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256};

/// A SHA-256 over all bytes so far. Saved as hex of what the hash function holds between two blocks.
#[derive(Debug, Clone, Default)]
pub struct RunningHash(Sha256);

impl RunningHash {
    /// The hash of one whole text, in hex.
    pub fn of(text: &str) -> String {
        let mut hash = Self::default();
        hash.update(text.as_bytes());
        hash.hex()
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes so far, in hex.
    pub fn hex(&self) -> String {
        hex(&self.0.clone().finalize())
    }
}

/// Whoever has taken the same bytes stands at the same place.
impl PartialEq for RunningHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.serialize() == other.0.serialize()
    }
}

impl Eq for RunningHash {}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |four: u8| DIGITS.get(usize::from(four)).copied().unwrap_or_default();
    let mut hex = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        hex.push(digit(byte >> 4));
        hex.push(digit(byte & 0x0f));
    }
    hex
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|four| u8::try_from(four).ok())).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    Some(pairs.map(|pair| pair.iter().fold(0, |byte: u8, four| (byte << 4) | four)).collect())
}

impl Serialize for RunningHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0.serialize()))
    }
}

impl<'de> Deserialize<'de> for RunningHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refuse = || de::Error::custom("is no saved SHA-256");
        let saved = bytes(&text).ok_or_else(refuse)?;
        let saved = SerializedState::<Sha256>::try_from(&saved[..]).map_err(|_| refuse())?;
        Sha256::deserialize(&saved).map(Self).map_err(|_| refuse())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let mut hash = RunningHash::default();
        assert_eq!(hash.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        hash.update(b"abc");
        assert_eq!(hash.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn saved_at_any_byte_it_goes_on_to_the_same_hash() {
        let text: Vec<u8> = (0..=255).collect();
        let mut whole = RunningHash::default();
        whole.update(&text);
        for cut in 0..=text.len() {
            let (before, after) = text.split_at(cut);
            let mut first = RunningHash::default();
            first.update(before);
            let saved = serde_json::to_string(&first).unwrap();
            let mut second: RunningHash = serde_json::from_str(&saved).unwrap();
            second.update(after);
            assert_eq!(second.hex(), whole.hex(), "saved after {cut} bytes as {saved}");
        }
    }

    #[test]
    fn equal_is_who_has_taken_the_same_bytes() {
        let taken = |parts: &[&[u8]]| {
            let mut hash = RunningHash::default();
            for part in parts {
                hash.update(part);
            }
            hash
        };
        let long = [7; 100];
        let bytes: Vec<_> = long.chunks(1).collect();
        assert_eq!(taken(&[&long]), taken(&bytes), "what a block was filled with before is no part of it");
        assert_eq!(taken(&[b"ab", &long, b"c"]), taken(&[b"a", b"b", &long[..50], &long[50..], b"c"]));
        for (one, other) in [(&b"ab"[..], &b"ac"[..]), (b"ab", b"ab\0"), (&long, &long[..36])] {
            assert_ne!(taken(&[one]), taken(&[other]));
        }
    }

    #[test]
    fn what_is_no_saved_hash_does_not_read() {
        for bad in ["", "0", "zz", "00"] {
            assert!(serde_json::from_value::<RunningHash>(bad.into()).is_err(), "{bad}");
        }
    }
}
