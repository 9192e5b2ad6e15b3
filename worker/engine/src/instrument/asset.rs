//! What is held and owed, by its code.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// The code lies in the value itself: a copy of it allocates nothing.
/// An asset's code: 1 to 20 capital letters and digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Asset {
    /// Zeros past the end, so that codes are in the order of their text.
    code: [u8; Self::LENGTH_MAX],
    length: u8,
}

impl Asset {
    /// What a schema accepts as a code.
    pub const PATTERN: &str = "^[A-Z0-9]{1,20}$";
    /// The most letters and digits of a code.
    pub const LENGTH_MAX: usize = 20;

    /// The code.
    pub fn as_str(&self) -> &str {
        let code = self.code.get(..usize::from(self.length)).unwrap_or_default();
        // Only letters and digits were let in.
        std::str::from_utf8(code).unwrap_or_default()
    }
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asset({self})")
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not an asset's code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an asset; write capital letters and digits, like USDT")]
pub struct AssetError {
    /// What was read, at most 60 letters of it.
    pub text: String,
}

impl FromStr for Asset {
    type Err = AssetError;

    fn from_str(text: &str) -> Result<Self, AssetError> {
        let refuse = || AssetError { text: super::start_of(text) };
        let letters = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if text.is_empty() || !letters {
            return Err(refuse());
        }
        let mut code = [0; Self::LENGTH_MAX];
        code.get_mut(..text.len()).ok_or_else(refuse)?.copy_from_slice(text.as_bytes());
        Ok(Self { code, length: u8::try_from(text.len()).map_err(|_| refuse())? })
    }
}

impl TryFrom<String> for Asset {
    type Error = AssetError;

    fn try_from(text: String) -> Result<Self, AssetError> {
        text.parse()
    }
}

impl From<Asset> for String {
    fn from(asset: Asset) -> Self {
        asset.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_at_most_twenty_capital_letters_and_digits() {
        for good in ["A", "USDT", "1INCH", "ABCDEFGHIJKLMNOPQRST"] {
            assert_eq!(good.parse::<Asset>().unwrap().as_str(), good);
        }
        for bad in ["", "usdt", "US-DT", "US DT", "ABCDEFGHIJKLMNOPQRSTU", "\u{c9}"] {
            let told = bad.parse::<Asset>().unwrap_err().to_string();
            assert!(told.ends_with("is not an asset; write capital letters and digits, like USDT"), "{told}");
        }
        let [one, other]: [Asset; 2] = ["AB", "ABC"].map(|code| code.parse().unwrap());
        assert!(one < other, "in the order of the text");
    }
}
