//! Names in manifests: of resources, and of files beside them. Wrong ones do not construct.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {remedy}")]
pub struct NameError {
    text: String,
    remedy: &'static str,
}

impl NameError {
    pub(crate) fn new(text: &str, remedy: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), remedy }
    }

    /// What is wrong and what to write instead, without the text.
    pub const fn remedy(&self) -> &'static str {
        self.remedy
    }
}

/// Text, conversions and schema that each name type shares.
macro_rules! name_text {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// As the text, so that no message tells what the type is called.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": Self::PATTERN, "maxLength": Self::LENGTH_MAX })
            }
        }
    };
}

/// A resource's name or namespace: a label of RFC 1123 that leaves room for what is put around it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceName(String);

name_text!(ResourceName);

/// What is wrong with a name that is too long.
pub(crate) const TOO_LONG: &str = "is longer than 45 characters; write a shorter name";
/// What is wrong with what is no label.
pub(crate) const NOT_A_NAME: &str = "is not a name; write small letters, digits and inner dashes, like grid-bnb-1";

impl ResourceName {
    /// What a manifest's schema accepts.
    pub const PATTERN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
    /// The longest name: pods are called `strategy-<name>-<epoch>`.
    pub const LENGTH_MAX: usize = 45;
}

impl FromStr for ResourceName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > Self::LENGTH_MAX {
            return Err(NameError::new(text, TOO_LONG));
        }
        check_label(text)?;
        Ok(Self(text.to_owned()))
    }
}

/// What a manifest's namespace may look like.
pub(crate) const NAMESPACE_PATTERN: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

/// Refuses what is not a namespace: a label of at most 63 characters.
pub(crate) fn check_namespace(text: &str) -> Result<(), NameError> {
    if text.len() > 63 {
        return Err(NameError::new(text, "is longer than 63 characters; write a shorter name"));
    }
    check_label(text)
}

fn check_label(text: &str) -> Result<(), NameError> {
    let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if text.is_empty() || !letters || text.starts_with('-') || text.ends_with('-') {
        return Err(NameError::new(text, NOT_A_NAME));
    }
    Ok(())
}

/// A file's name without a folder, so that a manifest cannot point outside its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

name_text!(FileName);

impl FileName {
    /// What a manifest's schema accepts.
    pub const PATTERN: &str = "^[A-Za-z0-9_][A-Za-z0-9._-]*$";
    /// The longest name.
    pub const LENGTH_MAX: usize = 120;
}

impl FromStr for FileName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > Self::LENGTH_MAX {
            return Err(NameError::new(text, "is longer than 120 characters; rename the file"));
        }
        if text.contains(['/', '\\']) {
            return Err(NameError::new(
                text,
                "has a folder; write the bare file name and put the file beside this one",
            ));
        }
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if text.is_empty() || text.starts_with(['.', '-']) || !text.bytes().all(inner) {
            let remedy =
                "is not a file name; use letters, digits, points, dashes and underscores, like btcusdt-1h.csv.gz";
            return Err(NameError::new(text, remedy));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_name_is_a_label_of_at_most_45_characters() {
        for good in ["a", "grid-bnb-1", "0", &"x".repeat(45)] {
            let name = good.parse::<ResourceName>().unwrap();
            assert_eq!((name.as_str(), format!("{name:?}")), (good, format!("{good:?}")));
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", &"x".repeat(46)] {
            assert!(bad.parse::<ResourceName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_name_has_no_folder_and_does_not_hide() {
        assert!("btcusdt-1h-2020q2.csv.gz".parse::<FileName>().is_ok());
        for bad in ["", "a/b.csv", "..", ".hidden", "-x", "a b", "a\\b"] {
            assert!(bad.parse::<FileName>().is_err(), "{bad}");
        }
    }
}
