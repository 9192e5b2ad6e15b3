//! The definitions that are given to the API server, made from the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use crate::{TradingAccount, TradingStrategy, rules, yaml_text};

/// One generated file of `yaml/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrdFile {
    /// The file's name, such as `tradingstrategies.yaml`.
    pub name: String,
    #[expect(missing_docs, reason = "the name says it")]
    pub text: String,
}

/// All definitions, in the order in which to apply them.
pub fn definitions() -> Vec<Value> {
    [TradingAccount::crd(), TradingStrategy::crd()].into_iter().map(definition).collect()
}

/// All definitions as YAML files, in the order in which to apply them.
pub fn yaml() -> Vec<CrdFile> {
    definitions()
        .iter()
        .map(|definition| {
            let plural = definition.pointer("/spec/names/plural").and_then(Value::as_str).unwrap_or_default();
            CrdFile { name: format!("{plural}.yaml"), text: yaml_text::print(definition) }
        })
        .collect()
}

/// The schema of a kind's whole resource, as the API server gets it.
pub(crate) fn schema<K: CustomResourceExt>() -> Value {
    let mut definition = definition(K::crd());
    definition.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").map_or(Value::Null, Value::take)
}

/// What the derive makes, corrected for the API server.
fn definition(crd: CustomResourceDefinition) -> Value {
    // A definition is plain data, which always serialises; the golden files would show an empty one.
    let kind = crd.spec.names.kind.clone();
    let mut value = serde_json::to_value(crd).unwrap_or_default();
    if let Some(schema) = value.pointer_mut("/spec/versions/0/schema/openAPIV3Schema") {
        correct(schema);
        rules::add(&kind, schema);
    }
    value
}

/// Takes out what would harm: `nullable`, and null as a word, let a null be stored, which loses the default; the API server does
/// not know the formats of unsigned numbers; line ends in a description are those of the source.
fn correct(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            // As a keyword its value is `true`; as a property's name it would be an object.
            if fields.get("nullable").is_some_and(Value::is_boolean) {
                fields.remove("nullable");
            }
            if let Some(Value::Array(words)) = fields.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                fields.remove("format");
            }
            if let Some(Value::String(description)) = fields.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            fields.sort_keys();
            fields.values_mut().for_each(correct);
        }
        Value::Array(items) => items.iter_mut().for_each(correct),
        Value::Number(number) => {
            // A bound of whole numbers, such as 60000.0.
            if let Ok(whole) = number.to_string().trim_end_matches(".0").parse::<i64>() {
                *number = whole.into();
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
