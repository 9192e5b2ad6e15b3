//! JSON values printed as YAML that every reader understands alike: what could be misread is quoted.

use serde_json::Value;

/// `value` as one YAML document without `---`, in block style, with a line end.
pub fn print(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => print_fields(&mut text, fields, 0),
        Value::Array(items) if !items.is_empty() => print_items(&mut text, items, 0),
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&print_leaf(value));
            text.push('\n');
        }
    }
    text
}

type Fields = serde_json::Map<String, Value>;

fn print_fields(text: &mut String, fields: &Fields, indent: usize) {
    for (index, (key, value)) in fields.iter().enumerate() {
        // The first field of a list's entry stands behind the dash.
        if index > 0 || !text.ends_with("- ") {
            text.extend(std::iter::repeat_n(' ', indent));
        }
        text.push_str(&print_text(key));
        text.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                print_fields(text, inner, indent + 2);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                print_items(text, items, indent);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                text.push(' ');
                text.push_str(&print_leaf(value));
                text.push('\n');
            }
        }
    }
}

fn print_items(text: &mut String, items: &[Value], indent: usize) {
    for item in items {
        text.extend(std::iter::repeat_n(' ', indent));
        text.push_str("- ");
        match item {
            Value::Object(fields) if !fields.is_empty() => print_fields(text, fields, indent + 2),
            Value::Array(inner) if !inner.is_empty() => {
                text.pop();
                text.push('\n');
                print_items(text, inner, indent + 2);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                text.push_str(&print_leaf(item));
                text.push('\n');
            }
        }
    }
}

/// A scalar, or an empty map or list, on one line.
fn print_leaf(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), print_text)
}

/// Text, quoted unless it is surely text.
fn print_text(text: &str) -> String {
    let starts_as_text = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let stays_text =
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_./(),;'".contains(&b)) && !text.ends_with(' ');
    if starts_as_text && stays_text && !is_word_of_yaml(text) {
        return text.to_owned();
    }
    // JSON's quoting is YAML's double quoting.
    Value::from(text).to_string()
}

/// Whether some reader of YAML takes the plain word for a boolean or null.
pub(crate) fn is_word_of_yaml(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prints_what_every_reader_reads_alike() {
        let value = json!({
            "name": "grid-1", "number": 5, "decimal": "2", "word": "no", "empty": {}, "none": [], "colon": "a: b",
            "list": [{"a": 1, "b": {"c": true}}, "x", [1, 2]], "map": {"k": "Sells above 1"},
        });
        let expected = "\
name: grid-1
number: 5
decimal: \"2\"
word: \"no\"
empty: {}
none: []
colon: \"a: b\"
list:
- a: 1
  b:
    c: true
- x
-
  - 1
  - 2
map:
  k: Sells above 1
";
        assert_eq!(print(&value), expected);
    }
}
