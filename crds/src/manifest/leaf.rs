//! Scalars of a tree as the values that a schema asks for, or why they are refused.

use engine::numbers::ExactDecimal;
use serde_json::Value;

use super::scalar::{self, Plain};
use super::schema;
use super::suggestion::did_you_mean;
use crate::strategy::ResourceAmount;

/// Why an empty value is refused: stored as null, it would lose the default.
pub(super) const NO_VALUE: &str = "has no value; write one, or leave the field out";

/// Refuses a key of a map without quotes that some programs do not read as this text.
pub(super) fn key(text: &str, plain: bool) -> Result<(), String> {
    let taken = match scalar::classify(text) {
        Plain::Null => "nothing",
        Plain::Bool(_) => "true or false",
        Plain::Number => "another number",
        // A whole number is made the same text by all, as long as it fits.
        Plain::Natural if text.parse::<i64>().is_err() => "another number",
        Plain::Natural | Plain::Text => return Ok(()),
    };
    if plain { Err(format!("{text} is {taken} to some programs; write \"{text}\"")) } else { Ok(()) }
}

/// A decimal as text, so that no reader makes a float of it.
pub(super) fn decimal(text: &str, plain: bool) -> Result<Value, String> {
    if let Some(reason) = too_many_places(text, plain) {
        return Err(reason);
    }
    match (plain, scalar::classify(text)) {
        (true, Plain::Null) => return Err(NO_VALUE.to_owned()),
        (true, Plain::Number) => return Err(scalar::refuse_number(text)),
        (true, Plain::Bool(_) | Plain::Text) => {
            return Err(format!("{text} is not a number; write it like 600 or \"612.50\""));
        }
        (false, _) if text.starts_with('-') => return Err(format!("{text:?} is negative; write 0 or more")),
        (true, Plain::Natural) | (false, _) => {}
    }
    if text.parse::<ExactDecimal>().is_ok() {
        return Ok(Value::from(text));
    }
    let shown = if plain { text.to_owned() } else { format!("{text:?}") };
    Err(format!(
        "{shown} is not a plain decimal; write it like 600 or \"612.50\", with at most 15 digits before and 9 after \
         the point"
    ))
}

/// A decimal of either sign as text. A minus must be quoted, as all that is not plain digits.
pub(super) fn signed(text: &str, plain: bool) -> Result<Value, String> {
    let Some(size) = text.strip_prefix('-') else { return decimal(text, plain) };
    match (size.parse::<ExactDecimal>().is_ok(), plain) {
        (true, false) => Ok(Value::from(text)),
        (true, true) if size.contains('.') => Err(format!("{text} is a float; write \"{text}\"")),
        (true, true) => Err(format!("{text} is not a plain number; write \"{text}\"")),
        (false, _) => Err(format!(
            "{text:?} is not a plain decimal; write it like \"-500\" or \"-612.50\", with at most 15 digits before and 9 after \
             the point"
        )),
    }
}

/// An amount of processor or memory as text: a whole number or text, and no float.
pub(super) fn resource_amount(text: &str, plain: bool) -> Result<Value, String> {
    match (plain, scalar::classify(text)) {
        (true, Plain::Null) => Err(NO_VALUE.to_owned()),
        (true, Plain::Number) => Err(scalar::refuse_number(text)),
        (true, Plain::Bool(_) | Plain::Text | Plain::Natural) | (false, _) => {
            text.parse::<ResourceAmount>().map(|amount| amount.as_str().into()).map_err(|error| error.to_string())
        }
    }
}

/// Why a number with more than 9 digits after the point is refused; `None` where it has fewer, or is no number.
fn too_many_places(text: &str, plain: bool) -> Option<String> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() <= 9 {
        return None;
    }
    let shown = if plain { text.to_owned() } else { format!("{text:?}") };
    let told = format!("{shown} has more than 9 digits after the point");
    let whole = whole.trim_start_matches('0');
    let kept = fraction.trim_end_matches('0');
    if kept.len() <= 9 {
        let whole = if whole.is_empty() { "0" } else { whole };
        let short = if kept.is_empty() { whole.to_owned() } else { format!("{whole}.{kept}") };
        // Any other fault of the number is told by who finds it.
        return short.parse::<ExactDecimal>().is_ok().then(|| format!("{told}; write \"{short}\""));
    }
    let zeros = kept.len() - kept.trim_start_matches('0').len();
    // As of data: six digits that are left change its worth by less than 0.001 %.
    if !whole.is_empty() || zeros + 6 <= 9 {
        return Some(format!("{told}; round it to 9"));
    }
    let (unit, times) = if kept.len() <= 12 { ("thousands", "1000") } else { ("millions", "1000000") };
    Some(format!(
        "{told}, and numbers so small are not supported; count the coin in {unit}: trade a symbol such as \
         {times}X/USDT, with prices times {times} and quantities divided by {times}"
    ))
}

/// A value of which nobody here knows what it means: text, a whole number, true or false. No float: programs round it.
pub(super) fn free(text: &str, plain: bool) -> Result<Value, String> {
    match (plain, scalar::classify(text)) {
        (false, _) | (true, Plain::Text) => Ok(Value::from(text)),
        (true, Plain::Null) => Err(NO_VALUE.to_owned()),
        (true, Plain::Bool(_)) => boolean(text, plain),
        (true, Plain::Natural) => match text.parse::<i64>() {
            Ok(number) => Ok(number.into()),
            Err(_) => Err(format!("{text} is larger than all programs read alike; write \"{text}\"")),
        },
        (true, Plain::Number) => match text.parse::<i64>() {
            Ok(number) if number < 0 && format!("{number}") == text => Ok(number.into()),
            Ok(_) | Err(_) => Err(scalar::refuse_number(text)),
        },
    }
}

/// A whole number within the schema's bounds.
pub(super) fn integer(text: &str, plain: bool, schema: &Value) -> Result<Value, String> {
    let least = schema::bound(schema, "minimum").unwrap_or(0);
    let most = schema::bound(schema, "maximum").unwrap_or(u64::from(u32::MAX));
    match (plain, scalar::classify(text)) {
        (true, Plain::Null) => Err(NO_VALUE.to_owned()),
        (true, Plain::Natural) => match text.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Value::from(number)),
            Ok(_) | Err(_) => Err(format!("{text} is out of range; write {least} to {most}")),
        },
        (true, Plain::Number) if text.starts_with('-') => {
            Err(format!("{text} is negative; write a whole number from {least} to {most}"))
        }
        (true, Plain::Number | Plain::Bool(_) | Plain::Text) => {
            Err(format!("{text} is not a plain whole number; write one from {least} to {most}"))
        }
        (false, Plain::Natural) => Err(format!("{text:?} is text; write {text} without quotes")),
        (false, Plain::Null | Plain::Number | Plain::Bool(_) | Plain::Text) => {
            Err(format!("{text:?} is text; write a whole number from {least} to {most}, without quotes"))
        }
    }
}

/// `true` or `false`.
pub(super) fn boolean(text: &str, plain: bool) -> Result<Value, String> {
    match (plain, scalar::classify(text)) {
        (true, Plain::Bool(value)) if text == value.to_string() => Ok(Value::from(value)),
        (true, Plain::Null) => Err(NO_VALUE.to_owned()),
        (true, Plain::Bool(value)) => Err(format!("{text} is not read alike by all programs; write {value}")),
        (true, Plain::Natural | Plain::Number | Plain::Text) => {
            Err(format!("{text} is not true or false; write one of them"))
        }
        (false, Plain::Bool(value)) => Err(format!("{text:?} is text; write {value} without quotes")),
        (false, Plain::Null | Plain::Natural | Plain::Number | Plain::Text) => {
            Err(format!("{text:?} is not true or false; write one of them, without quotes"))
        }
    }
}

/// One of the schema's words, or text of the schema's form.
pub(super) fn text(text: &str, plain: bool, schema: &Value) -> Result<Value, String> {
    let words = schema::words(schema);
    if !words.is_empty() {
        return if words.contains(&text) {
            Ok(Value::from(text))
        } else if plain && scalar::classify(text) == Plain::Null {
            Err(NO_VALUE.to_owned())
        } else {
            Err(format!("{text} is not known here; {}", did_you_mean(text, &words, "write one of:")))
        };
    }
    if plain {
        match scalar::classify(text) {
            Plain::Null => return Err(NO_VALUE.to_owned()),
            Plain::Bool(_) => return Err(format!("{text} is true or false to some programs; write \"{text}\"")),
            Plain::Natural | Plain::Number => return Err(format!("{text} is a number; write \"{text}\"")),
            Plain::Text => {}
        }
    }
    schema::check_form(schema, text).map(|()| Value::from(text))
}
