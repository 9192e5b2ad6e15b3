//! The form of 28 letters and digits that spot venues take: `glm`, 12 of the ledger, 13 of the sequence, of fixed width in
//! the base of [`LedgerId::ALPHABET`]. A venue with other rules packs the same two parts by a pair of its own.

use super::LedgerId;

/// What it begins with; nothing of the alphabet is a hyphen, so the old form never reads as this one.
pub(super) const PREFIX: &str = "glm";
/// 31^13 is above 2^64.
const SEQUENCE_WIDTH: usize = 13;
const BASE: u64 = LedgerId::ALPHABET.len() as u64;
const LENGTH: usize = PREFIX.len() + LedgerId::LENGTH + SEQUENCE_WIDTH;

/// An id as text, without an allocation.
pub(super) struct Text([u8; LENGTH]);

impl Text {
    pub fn as_str(&self) -> &str {
        // Only letters and digits were put in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Whether orders of this ledger have the form.
pub(super) fn has_form(ledger: &str) -> bool {
    ledger.len() == LedgerId::LENGTH && ledger.bytes().all(|byte| LedgerId::ALPHABET.contains(&byte))
}

/// Ledger and sequence in this form; `None` where the ledger's id does not allow it.
pub(super) fn encode(ledger: &str, sequence: u64) -> Option<Text> {
    if !has_form(ledger) {
        return None;
    }
    let mut text = [0; LENGTH];
    let (prefix, rest) = text.split_at_mut(PREFIX.len());
    let (named, digits) = rest.split_at_mut(LedgerId::LENGTH);
    prefix.copy_from_slice(PREFIX.as_bytes());
    named.copy_from_slice(ledger.as_bytes());
    let mut left = sequence;
    for digit in digits.iter_mut().rev() {
        *digit = *LedgerId::ALPHABET.get(usize::try_from(left % BASE).ok()?)?;
        left /= BASE;
    }
    Some(Text(text))
}

/// Ledger and sequence of a text in this form; `None` where it is none, or its number does not fit 64 bits.
pub(super) fn decode(text: &str) -> Option<(&str, u64)> {
    let rest = text.strip_prefix(PREFIX)?;
    let (ledger, digits) = rest.split_at_checked(LedgerId::LENGTH)?;
    if !has_form(ledger) || digits.len() != SEQUENCE_WIDTH {
        return None;
    }
    let value = |byte: u8| LedgerId::ALPHABET.iter().position(|letter| *letter == byte);
    let sequence = digits
        .bytes()
        .try_fold(0_u64, |sequence, byte| sequence.checked_mul(BASE)?.checked_add(u64::try_from(value(byte)?).ok()?));
    Some((ledger, sequence?))
}
