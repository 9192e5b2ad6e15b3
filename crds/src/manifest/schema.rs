//! Schemas of the kinds, as far as the strict reading needs them.

use engine::instrument::{Asset, Symbol};
use engine::numbers::SignedDecimal;
use serde_json::{Map, Value, json};

use crate::account::ProxyUrl;
use crate::name::{self, FileName, ResourceName};
use crate::strategy::ResourceAmount;
use crate::{API_VERSION, TradingAccount, TradingStrategy, crd};

/// What a schema asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape<'a> {
    /// A map of known fields.
    Fields(&'a Map<String, Value>),
    /// A map of free keys to values of one schema.
    Entries(&'a Value),
    /// A list of values of one schema.
    List(&'a Value),
    /// A decimal: an integer or a quoted string.
    Decimal,
    /// The same of either sign.
    SignedDecimal,
    /// Of processor or memory: an integer or text.
    ResourceAmount,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// Text, perhaps one of a few words or of a fixed form.
    Text,
    /// A map of fields that a user's own program knows.
    Free,
    /// Anything, read by nobody.
    Anything,
}

/// What `schema` asks for.
pub(super) fn shape(schema: &Value) -> Shape<'_> {
    if schema.get("x-kubernetes-int-or-string").is_some() {
        return match schema.get("pattern").and_then(Value::as_str) {
            Some(SignedDecimal::PATTERN) => Shape::SignedDecimal,
            Some(ResourceAmount::PATTERN) => Shape::ResourceAmount,
            _ => Shape::Decimal,
        };
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => match (schema.get("properties"), schema.get("additionalProperties")) {
            (Some(Value::Object(fields)), _) => Shape::Fields(fields),
            (_, Some(entry)) => Shape::Entries(entry),
            _ if schema.get("x-kubernetes-preserve-unknown-fields").is_some() => Shape::Free,
            _ => Shape::Anything,
        },
        Some("array") => schema.get("items").map_or(Shape::Anything, Shape::List),
        Some("integer") => Shape::Integer,
        Some("boolean") => Shape::Boolean,
        Some("string") => Shape::Text,
        _ => Shape::Anything,
    }
}

/// A bound such as `maxItems`.
pub(super) fn bound(schema: &Value, keyword: &str) -> Option<u64> {
    schema.get(keyword).and_then(Value::as_u64)
}

/// The words that `schema` allows; empty where it does not list them.
pub(super) fn words(schema: &Value) -> Vec<&str> {
    schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The fields that users write: not those that programs add and nobody reads.
pub(super) fn written(fields: &Map<String, Value>) -> Vec<&str> {
    let read = |(_, schema): &(&String, &Value)| !matches!(shape(schema), Shape::Anything);
    fields.iter().filter(read).map(|(name, _)| name.as_str()).collect()
}

/// The fields that must be written.
pub(super) fn required(schema: &Value) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Refuses text that has not the form `schema` asks for, with what to write.
///
/// The forms are known by name, because a pattern alone could not say what to write instead.
pub(super) fn check_form(schema: &Value, text: &str) -> Result<(), String> {
    match schema.get("pattern").and_then(Value::as_str) {
        Some(Asset::PATTERN) => text.parse::<Asset>().map(drop).map_err(|error| error.to_string()),
        Some(Symbol::PATTERN) => text.parse::<Symbol>().map(drop).map_err(|error| error.to_string()),
        Some(ResourceName::PATTERN) => text.parse::<ResourceName>().map(drop).map_err(|error| error.to_string()),
        Some(FileName::PATTERN) => text.parse::<FileName>().map(drop).map_err(|error| error.to_string()),
        Some(ProxyUrl::PATTERN) => text.parse::<ProxyUrl>().map(drop).map_err(|error| error.to_string()),
        Some(name::NAMESPACE_PATTERN) => name::check_namespace(text).map_err(|error| error.to_string()),
        Some(_) | None => Ok(()),
    }
}

/// The kinds that manifests may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Strategy,
    Account,
}

/// Fields of `metadata` that a server or a generator writes, as `kubectl get -o yaml` prints them. They say nothing
/// of what the user wants, so they are let through unread.
const OF_THE_SERVER: [&str; 11] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

impl Kind {
    /// All kinds.
    pub(super) const ALL: [Self; 2] = [Self::Strategy, Self::Account];

    /// The kind's name in a manifest.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Strategy => "TradingStrategy",
            Self::Account => "TradingAccount",
        }
    }

    /// The schema of a whole document: that of the API server for the spec, a strict one for what is around it.
    pub(super) fn document_schema(self) -> Value {
        let mut schema = match self {
            Self::Strategy => crd::schema::<TradingStrategy>(),
            Self::Account => crd::schema::<TradingAccount>(),
        };
        let spec = schema.pointer_mut("/properties/spec").map_or(Value::Null, Value::take);
        let mut metadata = Map::new();
        let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
        metadata.insert("name".to_owned(), json!({"type": "string", "pattern": ResourceName::PATTERN}));
        metadata.insert("namespace".to_owned(), json!({"type": "string", "pattern": name::NAMESPACE_PATTERN}));
        metadata.insert("labels".to_owned(), texts.clone());
        metadata.insert("annotations".to_owned(), texts);
        metadata.extend(OF_THE_SERVER.map(|field| (field.to_owned(), json!({}))));
        json!({
            "type": "object",
            "required": ["apiVersion", "kind", "metadata", "spec"],
            "properties": {
                "apiVersion": {"type": "string", "enum": [API_VERSION]},
                "kind": {"type": "string", "enum": [self.name()]},
                "metadata": {"type": "object", "required": ["name"], "properties": metadata},
                "spec": spec,
                // What a program wrote there is not the user's to get right.
                "status": {},
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every schema within `schema`, with its path.
    fn visit(schema: &Value, path: &str, seen: &mut Vec<(String, Value)>) {
        seen.push((path.to_owned(), schema.clone()));
        match shape(schema) {
            Shape::Fields(fields) => {
                for (name, field) in fields {
                    visit(field, &format!("{path}.{name}"), seen);
                }
            }
            Shape::Entries(inner) | Shape::List(inner) => visit(inner, &format!("{path}.*"), seen),
            Shape::Free
            | Shape::Decimal
            | Shape::SignedDecimal
            | Shape::ResourceAmount
            | Shape::Integer
            | Shape::Boolean
            | Shape::Text
            | Shape::Anything => {}
        }
    }

    #[test]
    fn every_field_of_a_spec_has_a_shape_and_a_form_that_the_strict_reading_knows() {
        let forms = [Asset::PATTERN, Symbol::PATTERN, ResourceName::PATTERN, FileName::PATTERN, ProxyUrl::PATTERN];
        for kind in Kind::ALL {
            let schema = kind.document_schema();
            let mut seen = Vec::new();
            visit(schema.pointer("/properties/spec").unwrap(), "spec", &mut seen);
            assert!(seen.len() > 10, "{seen:?}");
            for (path, schema) in seen {
                let known = !matches!(shape(&schema), Shape::Anything);
                assert!(known && schema.get("nullable").is_none(), "{path}: {schema}");
                if let (Some(pattern), Shape::Text) = (schema.get("pattern").and_then(Value::as_str), shape(&schema)) {
                    assert!(forms.contains(&pattern), "{path}: {pattern}");
                }
                if !path.ends_with('*') {
                    assert!(schema.get("description").is_some(), "{path} has no description");
                }
            }
        }
    }
}
