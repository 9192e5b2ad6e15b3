//! Fields that the API server stores and this operator does not know: the definitions are newer than the
//! program. They are ignored, and the status says so. Pure.

use serde::Serialize;
use serde_json::Value;

/// The paths of fields in `raw` that `typed` does not have. What is empty or null says nothing, so it is not
/// missed.
pub fn fields(raw: &Value, typed: &impl Serialize, path: &str) -> Vec<String> {
    let typed = serde_json::to_value(typed).unwrap_or_default();
    let mut unknown = Vec::new();
    compare(raw, &typed, path, &mut unknown);
    unknown
}

fn compare(raw: &Value, typed: &Value, path: &str, unknown: &mut Vec<String>) {
    match (raw, typed) {
        (Value::Object(raw), Value::Object(typed)) => {
            for (name, value) in raw {
                let path = format!("{path}.{name}");
                match typed.get(name) {
                    Some(known) => compare(value, known, &path, unknown),
                    None if is_nothing(value) => {}
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(raw), Value::Array(typed)) => {
            for (index, (value, known)) in raw.iter().zip(typed).enumerate() {
                compare(value, known, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_said_and_not_known_is_told() {
        let raw = json!({
            "a": 1, "b": {"c": 2, "new": true}, "list": [{"x": 1}, {"x": 2, "y": 3}], "empty": {}, "none": null
        });
        let typed = json!({ "a": "1", "b": {"c": 2}, "list": [{"x": 1}, {"x": 2}], "more": 5 });
        assert_eq!(fields(&raw, &typed, "spec"), ["spec.b.new", "spec.list[1].y"]);
    }
}
