//! Signs of life: who should have committed or beaten, and has not. Judged by the store's clock alone. Pure.

use k8s_openapi::jiff::Timestamp;

use crate::moment;
use crate::placement::{RecordFacts, Stored};
use crate::reason::Reason;

/// A process of a record, if it has shown no sign of life for too long: the reason, and when it was last seen.
pub fn silence(stored: &Stored, reason: Reason, what: &str) -> Option<(Reason, String)> {
    let Stored::Found(record) = stored else { return None };
    record.is_silent().then(|| {
        let seen = i64::try_from(record.seen_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let seen = moment::written(seen.unwrap_or_default());
        (reason, format!("The {what} has shown no sign of life since {seen}; it may be at work, but nobody can say."))
    })
}

/// How long until the first of these would be silent.
pub fn silent_in_ms<'a>(all: impl IntoIterator<Item = &'a Stored>) -> Option<u64> {
    let record = |stored: &'a Stored| match stored {
        Stored::Found(record) => record.silent_in_ms(),
        Stored::Away(_) | Stored::Missing => None,
    };
    all.into_iter().filter_map(record).min()
}

/// Whether a record's owner is the one of an epoch: another one's signs say nothing of it.
pub const fn is_of(record: &RecordFacts, epoch: u64) -> bool {
    epoch > 0 && record.epoch == epoch
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn silence_begins_after_thirty_seconds_and_only_for_who_has_spoken() {
        let record = |seen_ms, now_ms| RecordFacts { seen_ms, now_ms, ..RecordFacts::default() };
        for (record, silent, left) in [
            (record(0, 1_000_000), false, None),
            (record(1_000, 31_000), false, Some(1)),
            (record(1_000, 31_001), true, Some(0)),
            (record(1_000, 900), false, Some(30_001)),
            // The store was away until 30 s ago, or a millisecond longer.
            (RecordFacts { answered_ms: Some(30_000), ..record(1_000, 99_000) }, false, Some(1)),
            (RecordFacts { answered_ms: Some(30_001), ..record(1_000, 99_000) }, true, Some(0)),
            (RecordFacts { answered_ms: Some(99_000), ..record(1_000, 31_000) }, false, Some(1)),
            (RecordFacts { closed: true, ..record(1_000, 99_000) }, false, None),
        ] {
            let stored = Stored::Found(Arc::new(record));
            assert_eq!(silence(&stored, Reason::WorkerSilent, "worker").is_some(), silent, "{stored:?}");
            assert_eq!(silent_in_ms([&stored, &Stored::Missing]), left, "{stored:?}");
        }
        let (_, told) =
            silence(&Stored::Found(Arc::new(record(1_000, 99_000))), Reason::FeedSilent, "account's feed").unwrap();
        assert!(told.contains("account's feed") && told.contains("1970-01-01T00:00:01Z"), "{told}");
    }
}
