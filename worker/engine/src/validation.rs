//! Refusals of user input: where, what was found, what to write instead. All are collected, none thrown.

use std::fmt;

/// One thing wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Dotted path from the document's root, such as `spec.strategy.grid.gridSizePercent`.
    pub path: String,
    /// The refused value as written; empty where the fault is an absence.
    pub value: String,
    /// What is wrong with it and what to write instead.
    pub remedy: String,
}

impl Violation {
    /// A refusal of `value` at `path`.
    pub fn new(path: impl Into<String>, value: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self { path: path.into(), value: value.to_string(), remedy: remedy.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            write!(f, "{}: {}", self.path, self.remedy)
        } else {
            write!(f, "{}: {} {}", self.path, self.value, self.remedy)
        }
    }
}
