//! A document's tree against its schema: all faults at once, and the JSON that the serde types read.
//!
//! A value that is refused is left out of the JSON, so that the rest can still be checked.

use std::collections::BTreeMap;

use engine::instrument::Asset;
use serde_json::{Map, Value};

use super::leaf;
use super::scalar::{self, Plain};
use super::schema::{self, Shape};
use super::suggestion::{did_you_mean, nearest};
use super::tree::{Content, Node};

/// A fault with its place in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) path: String,
    pub(super) message: String,
}

/// Checks `node` against `schema`; the JSON is what could be read.
pub(super) fn walk(node: &Node, schema: &Value) -> (Option<Value>, Vec<Fault>) {
    let mut walk = Walk { faults: Vec::new() };
    let json = walk.value(node, schema, "");
    (json, walk.faults)
}

struct Walk {
    faults: Vec<Fault>,
}

impl Walk {
    fn refuse(&mut self, line: usize, path: &str, message: impl Into<String>) {
        let (path, message) = (clip(path, PATH_MAX), clip(&message.into(), MESSAGE_MAX));
        self.faults.push(Fault { line, path, message });
    }

    fn value(&mut self, node: &Node, schema: &Value, path: &str) -> Option<Value> {
        let shape = schema::shape(schema);
        let read = match (&node.content, shape) {
            (_, Shape::Anything) => return None,
            (Content::Map(entries), Shape::Fields(fields)) => {
                return Some(Value::Object(self.fields(node, entries, (schema, fields), path)));
            }
            (Content::Map(entries), Shape::Entries(inner)) => {
                return Some(self.entries(node, entries, (schema, inner), path));
            }
            (Content::Map(_), Shape::Free) => return self.free(node, path),
            (Content::List(items), Shape::List(inner)) => return Some(self.items(node, items, (schema, inner), path)),
            (Content::Scalar { text, plain }, Shape::Decimal) => leaf::decimal(text, *plain),
            (Content::Scalar { text, plain }, Shape::SignedDecimal) => leaf::signed(text, *plain),
            (Content::Scalar { text, plain }, Shape::ResourceAmount) => leaf::resource_amount(text, *plain),
            (Content::Scalar { text, plain }, Shape::Integer) => leaf::integer(text, *plain, schema),
            (Content::Scalar { text, plain }, Shape::Boolean) => leaf::boolean(text, *plain),
            (Content::Scalar { text, plain }, Shape::Text) => leaf::text(text, *plain, schema),
            (content, shape) => Err(wrong_shape(content, shape)),
        };
        match read {
            Ok(value) => Some(value),
            Err(message) => {
                self.refuse(node.line, path, message);
                None
            }
        }
    }

    fn fields(
        &mut self,
        node: &Node,
        entries: &[(String, Node)],
        (schema, fields): (&Value, &Map<String, Value>),
        path: &str,
    ) -> Map<String, Value> {
        let known = schema::written(fields);
        let mut json = Map::new();
        let mut meant = Vec::new();
        self.refuse_duplicates(entries, path);
        for (key, value) in entries {
            let place = join(path, key);
            if let Some(field) = fields.get(key) {
                if let Some(read) = self.value(value, field, &place) {
                    json.insert(key.clone(), read);
                }
            } else {
                meant.push(nearest(key, &known).unwrap_or_default());
                let remedy = did_you_mean(key, &known, "known here:");
                self.refuse(value.line, &place, format!("unknown field; {remedy}"));
            }
        }
        let has = |name: &str| entries.iter().any(|(key, _)| key == name);
        for name in schema::required(schema) {
            // Where a misspelt field was most likely this one, one message is enough.
            if !has(name) && !meant.contains(&name) {
                self.refuse(node.line, &join(path, name), "missing; this field must be written");
            }
        }
        if crate::rules::is_union(schema) && meant.is_empty() {
            self.check_union(node, entries, &known, path);
        }
        json
    }

    fn check_union(&mut self, node: &Node, entries: &[(String, Node)], known: &[&str], path: &str) {
        match entries {
            [] => self.refuse(node.line, path, format!("no member is set; write exactly one of: {}", known.join(", "))),
            [_] => {}
            [first, rest @ ..] => {
                for (key, value) in rest.iter().filter(|(key, _)| *key != first.0) {
                    let message = format!("{key} stands beside {} of line {}; keep exactly one", first.0, first.1.line);
                    self.refuse(value.line, path, message);
                }
            }
        }
    }

    /// A map of free keys; its values are decimals by asset, or texts such as labels.
    fn entries(
        &mut self,
        node: &Node,
        entries: &[(String, Node)],
        (schema, inner): (&Value, &Value),
        path: &str,
    ) -> Value {
        self.refuse_duplicates(entries, path);
        self.check_count(node, entries.len(), ("minProperties", "maxProperties"), (schema, path));
        let by_asset = matches!(schema::shape(inner), Shape::Decimal);
        let mut json = Map::new();
        for (key, value) in entries {
            let place = join(path, key);
            let read = self.value(value, inner, &place);
            if by_asset && key.parse::<Asset>().is_err() {
                let message = format!("{key:?} is not an asset; write capital letters and digits, like USDT");
                self.refuse(value.line, &place, message);
                continue;
            }
            if let Err(message) = leaf::key(key, value.plain_key) {
                self.refuse(value.line, &place, message);
            }
            if let Some(read) = read {
                json.insert(key.clone(), read);
            }
        }
        Value::Object(json)
    }

    fn items(&mut self, node: &Node, items: &[Node], (schema, inner): (&Value, &Value), path: &str) -> Value {
        self.check_count(node, items.len(), ("minItems", "maxItems"), (schema, path));
        let mut json = Vec::new();
        for (index, item) in items.iter().enumerate() {
            // What could not be read keeps its place: a gap would move the entries behind it.
            json.push(self.value(item, inner, &format!("{path}[{index}]")).unwrap_or_default());
        }
        Value::Array(json)
    }

    /// What a user's own program reads, as YAML has it, but for what not all readers take for the same.
    fn free(&mut self, node: &Node, path: &str) -> Option<Value> {
        match &node.content {
            Content::Map(entries) => {
                self.refuse_duplicates(entries, path);
                let mut json = Map::new();
                for (key, value) in entries {
                    let place = join(path, key);
                    if let Err(message) = leaf::key(key, value.plain_key) {
                        self.refuse(value.line, &place, message);
                    }
                    json.insert(key.clone(), self.free(value, &place).unwrap_or_default());
                }
                Some(Value::Object(json))
            }
            Content::List(items) => {
                let item = |(index, item)| self.free(item, &format!("{path}[{index}]")).unwrap_or_default();
                Some(Value::Array(items.iter().enumerate().map(item).collect()))
            }
            Content::Scalar { text, plain } => match leaf::free(text, *plain) {
                Ok(value) => Some(value),
                Err(message) => {
                    self.refuse(node.line, path, message);
                    None
                }
            },
        }
    }

    fn check_count(&mut self, node: &Node, count: usize, (least, most): (&str, &str), (schema, path): (&Value, &str)) {
        let count = count as u64;
        let least = schema::bound(schema, least).unwrap_or(0);
        let most = schema::bound(schema, most).unwrap_or(u64::MAX);
        if count < least || count > most {
            let range = if most == u64::MAX { format!("{least} or more") } else { format!("{least} to {most}") };
            self.refuse(node.line, path, format!("{count} entries; write {range}"));
        }
    }

    fn refuse_duplicates(&mut self, entries: &[(String, Node)], path: &str) {
        let mut seen = BTreeMap::new();
        for (key, value) in entries {
            if let Some(first) = seen.get(key) {
                let message = format!("written twice, first on line {first}; keep one");
                self.refuse(value.line, &join(path, key), message);
            } else {
                seen.insert(key, value.line);
            }
        }
    }
}

/// The longest path and message that are told: a value may be as long as its file.
const PATH_MAX: usize = 200;
const MESSAGE_MAX: usize = 600;

fn clip(text: &str, most: usize) -> String {
    if text.len() <= most { text.to_owned() } else { text.chars().take(most).chain("...".chars()).collect() }
}

/// The path of `field` below `path`.
pub(super) fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn wrong_shape(content: &Content, shape: Shape<'_>) -> String {
    let found = match content {
        Content::Map(_) => "a map".to_owned(),
        Content::List(_) => "a list".to_owned(),
        Content::Scalar { text, plain: true } if scalar::classify(text) == Plain::Null => {
            return match shape {
                Shape::Fields(_) => "has no value; write {} for the defaults, or leave the field out".to_owned(),
                Shape::Entries(_)
                | Shape::List(_)
                | Shape::Decimal
                | Shape::SignedDecimal
                | Shape::ResourceAmount
                | Shape::Integer
                | Shape::Boolean
                | Shape::Text
                | Shape::Free
                | Shape::Anything => leaf::NO_VALUE.to_owned(),
            };
        }
        Content::Scalar { text, plain: true } => text.clone(),
        Content::Scalar { text, plain: false } => format!("{text:?}"),
    };
    let wanted = match shape {
        Shape::Fields(fields) => {
            format!("not a map; write fields: {}", schema::written(fields).join(", "))
        }
        Shape::Free => "not a map; write its parameters as fields, or {}".to_owned(),
        Shape::Entries(_) => "not a map; write entries such as {USDT: 3000}".to_owned(),
        Shape::List(_) => "not a list; begin each entry with a dash".to_owned(),
        Shape::Decimal | Shape::SignedDecimal => "not a number; write it like 600 or \"612.50\"".to_owned(),
        Shape::ResourceAmount => "not an amount; write it like 250m, 1 or 128Mi".to_owned(),
        Shape::Integer => "not a whole number; write it like 10".to_owned(),
        Shape::Boolean => "not true or false; write one of them".to_owned(),
        Shape::Text | Shape::Anything => "not text; write a word, or text in quotes".to_owned(),
    };
    format!("{found} is {wanted}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::tree::parse;

    #[test]
    fn two_members_of_a_union_name_both_lines() {
        let member = json!({"type": "object", "properties": {}});
        let one = crate::rules::exactly_one(&["grid", "trend"]);
        let schema = json!({"type": "object", "properties": {"grid": member, "trend": member},
            "x-kubernetes-validations": [{"rule": one}]});
        let tree = parse("f", "grid: {}\n\ntrend: {}\n").0.remove(0);
        let (_, faults) = walk(&tree, &schema);
        assert_eq!(faults.len(), 1);
        assert_eq!(
            (faults[0].line, faults[0].message.as_str()),
            (3, "trend stands beside grid of line 1; keep exactly one")
        );
    }
}
