//! Ids of orders: whatever the ledger and the sequence, they decode to the same, have one width, and sort as text in the
//! order of their sequences.

use std::collections::HashSet;

use engine::client_order_id::{ClientOrderId, LedgerId};
use proptest::prelude::*;

use crate::bench::cases;

fn id(ledger: &str, sequence: u64) -> ClientOrderId {
    ClientOrderId::new(ledger.parse().unwrap(), sequence)
}

/// The value of 13 digits in base 31, by the place of each letter, apart from the codec.
fn value(digits: &str) -> u128 {
    let place = |letter: char| "0123456789bcdfghjklmnpqrstvwxyz".find(letter).unwrap() as u128;
    digits.chars().fold(0, |value, letter| value * 31 + place(letter))
}

fn sequence() -> impl Strategy<Value = u64> {
    let bound = ClientOrderId::SEQUENCE_MAX;
    prop_oneof![0..2_000_u64, 0..=bound, bound - 2_000..=bound, (0..13_u32).prop_map(|power| 31_u64.pow(power) - 1)]
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn ids_of_new_ledgers_decode_and_sort_as_their_sequences(
        ledger in "[0-9b-df-hj-np-tv-z]{12}", first in sequence(), second in sequence(),
    ) {
        let [text, other] = [first, second].map(|sequence| id(&ledger, sequence).to_string());
        prop_assert_eq!(text.len(), 28);
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{}", text);
        prop_assert!(!text.contains(['a', 'e', 'i', 'o', 'u']), "{}", text);
        prop_assert_eq!((&text[3..15], value(&text[15..])), (ledger.as_str(), u128::from(first)));
        prop_assert_eq!(text.cmp(&other), first.cmp(&second));
        prop_assert_eq!(id(&ledger, first).cmp(&id(&ledger, second)), first.cmp(&second));
        let read: ClientOrderId = text.parse().unwrap();
        prop_assert_eq!((read.ledger().as_str(), read.sequence(), read.to_string()), (ledger.as_str(), first, text));
    }

    #[test]
    fn both_forms_of_any_ledger_are_read_as_one_order_and_written_as_read(
        ledger in "[0-9a-z]{1,12}|[0-9b-df-hj-np-tv-z]{12}", sequence in sequence(),
    ) {
        let old = format!("glm-{ledger}-{sequence}");
        let read: ClientOrderId = old.parse().unwrap();
        prop_assert_eq!(read.to_string(), old);
        let new = id(&ledger, sequence);
        prop_assert_eq!(&read, &new);
        prop_assert_eq!(HashSet::from([read.clone(), new.clone()]).len(), 1);
        let again: ClientOrderId = new.to_string().parse().unwrap();
        prop_assert_eq!((again.ledger(), again.sequence(), again.to_string()), (new.ledger(), sequence, new.to_string()));
        let short = ledger.len() < LedgerId::LENGTH || ledger.contains(['a', 'e', 'i', 'o', 'u']);
        prop_assert_eq!(new.to_string() == read.to_string(), short);
    }

    /// Nothing but what is written here is read: no second spelling.
    #[test]
    fn what_is_read_is_written_as_it_was(
        text in "glm-[0-9a-z]{1,12}-[0-9]{1,20}|glm[0-9a-zA-Z]{24,26}|glm[0-9b-z]{12}[0-9b-z]{13}|glm.{20,30}",
    ) {
        if let Ok(id) = text.parse::<ClientOrderId>() {
            prop_assert_eq!(id.to_string(), text);
            prop_assert!(id.sequence() <= ClientOrderId::SEQUENCE_MAX);
        }
    }
}
