//! Plain scalars: what they could be taken for, and what to write instead.
//!
//! YAML 1.1 and 1.2 read `010`, `1e3`, `yes` and `1_000` differently, so a plain scalar counts only where all
//! readers agree.

use engine::numbers::ExactDecimal;

use crate::yaml_text::is_word_of_yaml;

/// What a plain scalar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// Empty, `~` or `null`.
    Null,
    /// `true`, `yes`, `off` and the like; their meaning.
    Bool(bool),
    /// `0` or digits that do not begin with 0.
    Natural,
    /// Anything else that some reader takes for a number or a date.
    Number,
    /// Text for all readers.
    Text,
}

/// What `text` without quotes is.
pub(super) fn classify(text: &str) -> Plain {
    if text.is_empty() || text == "~" || text.eq_ignore_ascii_case("null") {
        Plain::Null
    } else if is_word_of_yaml(text) {
        Plain::Bool(["true", "yes", "on", "y"].iter().any(|word| text.eq_ignore_ascii_case(word)))
    } else if text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())) {
        Plain::Natural
    } else if is_number(text) {
        Plain::Number
    } else {
        Plain::Text
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if [".inf", ".nan"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return true;
    }
    if let Some((radix, digits)) = radix(unsigned) {
        return !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix) || c == '_');
    }
    let digits = unsigned.strip_prefix('.').unwrap_or(unsigned);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && unsigned.bytes().all(|b| b.is_ascii_digit() || b"_.:eE+-".contains(&b))
}

/// The base and digits of `0x1f` and the like.
fn radix(unsigned: &str) -> Option<(u32, &str)> {
    let lower = unsigned.get(..2)?.to_ascii_lowercase();
    let radix = match lower.as_str() {
        "0x" => 16,
        "0o" => 8,
        "0b" => 2,
        _ => return None,
    };
    Some((radix, unsigned.get(2..)?))
}

/// Why the plain scalar `text`, which is a [`Plain::Number`], is refused where a decimal belongs.
pub(super) fn refuse_number(text: &str) -> String {
    if text.starts_with('-') {
        return format!("{text} is negative; write 0 or more");
    }
    let float = radix(text).is_none() && text.contains(['.', 'e', 'E']);
    let fault = if float { "is a float" } else { "is not a plain number" };
    match as_decimal(text) {
        Some(decimal) => format!("{text} {fault}; write \"{decimal}\""),
        None => format!("{text} {fault}; write a quoted decimal such as \"612.50\""),
    }
}

/// The decimal that the writer most likely means.
fn as_decimal(text: &str) -> Option<String> {
    let digits = text.trim_start_matches('+').replace('_', "");
    let decimal = if let Some((radix, digits)) = radix(&digits) {
        u64::from_str_radix(digits, radix).ok()?.to_string()
    } else if digits.contains(['e', 'E']) {
        // Only to show a remedy: no value is ever taken from here.
        digits.parse::<f64>().ok()?.to_string()
    } else {
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
    };
    decimal.parse::<ExactDecimal>().ok().map(|_| decimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_only_where_all_readers_agree() {
        for (text, expected) in [
            ("", Plain::Null),
            ("~", Plain::Null),
            ("Null", Plain::Null),
            ("Yes", Plain::Bool(true)),
            ("off", Plain::Bool(false)),
            ("0", Plain::Natural),
            ("600", Plain::Natural),
            ("010", Plain::Number),
            ("00", Plain::Number),
            ("1e3", Plain::Number),
            ("2.0", Plain::Number),
            ("1_000", Plain::Number),
            ("0x1F", Plain::Number),
            (".5", Plain::Number),
            ("+5", Plain::Number),
            ("-5", Plain::Number),
            (".inf", Plain::Number),
            ("-.NaN", Plain::Number),
            ("1:30", Plain::Number),
            ("2020-01-01", Plain::Number),
            ("grid-1", Plain::Text),
            ("1h.csv", Plain::Text),
            ("BNB/USDT", Plain::Text),
            ("-", Plain::Text),
        ] {
            assert_eq!(classify(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_refused_number_names_what_to_write() {
        for (text, expected) in [
            ("2.5", "2.5 is a float; write \"2.5\""),
            ("2.", "2. is a float; write \"2\""),
            (".5", ".5 is a float; write \"0.5\""),
            ("1e3", "1e3 is a float; write \"1000\""),
            ("010", "010 is not a plain number; write \"10\""),
            ("+5", "+5 is not a plain number; write \"5\""),
            ("1_000", "1_000 is not a plain number; write \"1000\""),
            ("0x10", "0x10 is not a plain number; write \"16\""),
            ("-5", "-5 is negative; write 0 or more"),
            (".inf", ".inf is a float; write a quoted decimal such as \"612.50\""),
        ] {
            assert_eq!(refuse_number(text), expected);
        }
    }
}
