//! A strategy that is a process of its own: what is run, with which parameters, and where its files come from.

use engine::validation::Violation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::any_object;
use crate::name::ResourceName;

/// Where the files of `source.configMap` lie in a pod.
pub const SOURCE_FOLDER: &str = "/strategies";

/// The file of `source.configMap` that an argument of a command names, by its name there.
pub fn source_file(argument: &str) -> Option<&str> {
    argument.strip_prefix(SOURCE_FOLDER)?.strip_prefix('/')
}

/// A program that is told events on stdin and answers on stdout, one JSON document a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessStrategy {
    /// What is run: a program and its arguments, such as [python3, /strategies/mean.py]; 1 to 32 texts of at most 1024
    /// characters. Whoever runs the manifest runs it.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 1024)))]
    pub command: Vec<String>,
    /// Its parameters, as it defines them. Default {}. Can be changed at any time.
    #[serde(default)]
    #[schemars(schema_with = "any_object")]
    pub parameters: Map<String, Value>,
    /// Where its files come from. Default: the worker's image has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ProcessSource>,
    /// How long one answer may take, in milliseconds of wall time; 10 to 60000. Later, trading is halted with
    /// StrategyTimeout. Default 1000.
    #[serde(default = "ProcessStrategy::default_timeout_ms")]
    #[schemars(range(min = 10, max = 60_000))]
    pub timeout_ms: u32,
}

/// Where a program's files come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessSource {
    /// A ConfigMap in the same namespace, whose files the program finds in /strategies: small letters, digits and dashes, at
    /// most 45. On a laptop --source NAME=FOLDER stands for it.
    pub config_map: ResourceName,
}

impl ProcessStrategy {
    /// Texts of a command.
    const COMMAND_MAX: usize = 32;
    /// Characters of each.
    const LENGTH_MAX: usize = 1024;

    const fn default_timeout_ms() -> u32 {
        1000
    }

    /// All that is wrong with it.
    pub fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        let count = self.command.len();
        if count == 0 || count > Self::COMMAND_MAX {
            let remedy = format!("{count} entries; write a program and its arguments, 1 to {}", Self::COMMAND_MAX);
            violations.push(Violation::new(format!("{path}.command"), "", remedy));
        }
        for (index, text) in self.command.iter().enumerate() {
            let length = text.chars().count();
            if length == 0 || length > Self::LENGTH_MAX {
                let remedy = format!("has {length} characters; write 1 to {}", Self::LENGTH_MAX);
                violations.push(Violation::new(format!("{path}.command[{index}]"), "", remedy));
            }
        }
        if !(10..=60_000).contains(&self.timeout_ms) {
            let remedy = "is out of range; write 10 to 60000";
            violations.push(Violation::new(format!("{path}.timeoutMs"), self.timeout_ms, remedy));
        }
        violations
    }
}
