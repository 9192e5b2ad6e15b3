//! What a stop or a deletion still waits for, judged by what the gateway has committed. Pure.
//!
//! The mere absence of orders says nothing: a gateway that is slow, frozen or between two pods has not read the
//! commands yet. It acknowledges the stance that it follows in its own record; after that no later command passes.

use std::fmt;

use bus::{StreamId, StreamKey};
use crds::record::{ORDER, STANCE, acknowledged};
use crds::roles::Stance;
use engine::client_order_id::ClientOrderId;

use crate::placement::{RecordFacts, Stored};

/// How long a live worker may take what lies in its inbox, from its last entry on.
const INBOX_MS: u64 = 10_000;

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The store does not answer.
    Store(String),
    /// The account's gateway has no record: nobody knows what is open.
    NoGateway,
    /// The gateway has not adopted the stance.
    Acknowledgement(Stance),
    /// Orders of the ledger are open at the venue.
    Orders(usize),
    /// The worker has not taken all news of its orders.
    Inbox,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(why) => write!(f, "Redis does not answer: {why}"),
            Self::NoGateway => f.write_str(
                "Redis has no record of the account's gateway, so nobody knows whether orders are open; look at the account",
            ),
            Self::Acknowledgement(stance) => write!(
                f,
                "the account's gateway has not acknowledged {stance:?}, so orders may still be placed; does its pod run?"
            ),
            Self::Orders(open) => write!(f, "the account's gateway has {open} orders of it open, and cancels them"),
            Self::Inbox => f.write_str("the worker takes the last news of its orders"),
        }
    }
}

/// What a ledger's stop waits for at its gateway. `registered` is the stance in the gateway's register, read before the
/// gateway's record.
pub fn at_gateway(gateway: &Stored, ledger: &str, wanted: Stance, registered: Option<Stance>) -> Option<Wait> {
    let record = match gateway {
        Stored::Away(why) => return Some(Wait::Store(why.clone())),
        Stored::Missing => return Some(Wait::NoGateway),
        Stored::Found(record) => record,
    };
    // No order passes a closed ledger.
    if record.closed {
        return None;
    }
    // A gateway that never was takes no command before it has read its register.
    let never_was = record.epoch == 0 && registered.is_some_and(|stance| stance >= wanted);
    if !never_was && !has_acknowledged(record, ledger, wanted) {
        return Some(Wait::Acknowledgement(wanted));
    }
    let open = open_orders(record, ledger);
    // Who may only not open keeps orders that reduce.
    (open > 0 && wanted >= Stance::CancelOrders).then_some(Wait::Orders(open))
}

fn has_acknowledged(gateway: &RecordFacts, ledger: &str, wanted: Stance) -> bool {
    acknowledged(gateway.fields.get(&format!("{STANCE}{ledger}"))).is_some_and(|stance| stance >= wanted)
}

/// How many orders of a ledger are open at the gateway; one that does not read is open.
fn open_orders(gateway: &RecordFacts, ledger: &str) -> usize {
    let of_ledger: Vec<_> = ClientOrderId::prefixes(ledger).map(|prefix| format!("{ORDER}{prefix}")).collect();
    let is_of_ledger = |name: &String| of_ledger.iter().any(|prefix| name.starts_with(prefix));
    let open = |text: &String| {
        let order: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        order["stage"]["at"] != "over"
    };
    gateway.fields.iter().filter(|(name, text)| is_of_ledger(name) && open(text)).count()
}

/// A strategy's inbox: its name, and the last entry that was ever written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxFacts {
    /// Its name.
    pub stream: StreamKey,
    /// The last entry's id, if there ever was one.
    pub last: Option<StreamId>,
}

/// Whether a worker that lives has yet to take the last news, and still has time for it.
pub fn at_inbox(record: &RecordFacts, inbox: &InboxFacts, is_live: bool) -> Option<Wait> {
    let last = inbox.last?;
    let taken = record.cursors.get(&inbox.stream).is_some_and(|cursor| *cursor >= last);
    let has_time = record.now_ms.saturating_sub(last.ms) < INBOX_MS;
    (is_live && !record.closed && !taken && has_time).then_some(Wait::Inbox)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use std::collections::BTreeMap;

    use super::*;

    fn gateway(epoch: u64, fields: &[(&str, &str)]) -> Stored {
        let fields: BTreeMap<_, _> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Stored::Found(Arc::new(RecordFacts { epoch, fields, ..RecordFacts::default() }))
    }

    const OPEN: (&str, &str) = ("order:glm-abcdef-1", r#"{"stage":{"at":"accepted"}}"#);
    const OVER: (&str, &str) = ("order:glm-abcdef-2", r#"{"stage":{"at":"over"}}"#);
    const UNREADABLE: (&str, &str) = ("order:glm-abcdef-3", "{");
    const OTHERS: (&str, &str) = ("order:glm-zzzzzz-1", r#"{"stage":{"at":"accepted"}}"#);

    #[test]
    fn a_stop_waits_for_the_acknowledgement_and_for_no_open_order() {
        let stance = |word: &'static str| ("stance:abcdef", word);
        let unacknowledged = |stance| Some(Wait::Acknowledgement(stance));
        for (fields, wanted, waits) in [
            (vec![], Stance::Closed, unacknowledged(Stance::Closed)),
            (vec![OVER], Stance::CancelOrders, unacknowledged(Stance::CancelOrders)),
            (vec![stance("\"Open\"")], Stance::StopOpening, unacknowledged(Stance::StopOpening)),
            (vec![stance("\"CancelOrders\"")], Stance::Closed, unacknowledged(Stance::Closed)),
            (vec![stance("\"Later\"")], Stance::StopOpening, unacknowledged(Stance::StopOpening)),
            (vec![("stance:zzzzzz", "\"Closed\"")], Stance::Closed, unacknowledged(Stance::Closed)),
            (vec![stance("\"Closed\""), OPEN], Stance::Closed, Some(Wait::Orders(1))),
            (vec![stance("\"Closed\""), UNREADABLE, OPEN], Stance::CancelOrders, Some(Wait::Orders(2))),
            (vec![stance("\"StopOpening\""), OPEN], Stance::StopOpening, None),
            (vec![stance("\"Closed\""), OVER, OTHERS], Stance::Closed, None),
            (vec![stance("\"Closed\"")], Stance::CancelOrders, None),
        ] {
            // What the register says is not what the gateway follows.
            let found = at_gateway(&gateway(1, &fields), "abcdef", wanted, Some(Stance::Closed));
            assert_eq!(found, waits, "{fields:?} {wanted:?}");
        }
    }

    /// Ids are of letters and digits alone now; a ledger of the release before has the others.
    #[test]
    fn an_open_order_is_seen_in_whichever_form_its_id_is_written() {
        const LEDGER: &str = "k3f9q2x7c1zd";
        let id = |ledger: &str| ClientOrderId::new(ledger.parse().unwrap(), 1).to_string();
        let ids =
            [id(LEDGER), format!("glm-{LEDGER}-2"), id("k3f9q2x7c1zf"), id("k3f9q2"), "glm-k3f9q2x7-1".to_owned()];
        let names = ids.map(|id| format!("order:{id}"));
        let stance = (format!("stance:{LEDGER}"), r#""Closed""#);
        let mut fields: Vec<_> = names.iter().map(|name| (name.as_str(), OPEN.1)).collect();
        fields.push((&stance.0, stance.1));
        let found = at_gateway(&gateway(1, &fields), LEDGER, Stance::Closed, Some(Stance::Closed));
        assert_eq!(found, Some(Wait::Orders(2)));
    }

    #[test]
    fn without_a_gateway_nobody_knows_unless_none_ever_was_or_its_ledger_is_closed() {
        let closed = RecordFacts { epoch: 1, closed: true, ..RecordFacts::default() };
        let never = || gateway(0, &[]);
        for (stored, registered, waits) in [
            (Stored::Missing, Some(Stance::Closed), Some(Wait::NoGateway)),
            (Stored::Away("no".to_owned()), Some(Stance::Closed), Some(Wait::Store("no".to_owned()))),
            (Stored::Found(Arc::new(closed)), None, None),
            (never(), Some(Stance::Closed), None),
            (never(), Some(Stance::CancelOrders), Some(Wait::Acknowledgement(Stance::Closed))),
            (never(), None, Some(Wait::Acknowledgement(Stance::Closed))),
        ] {
            assert_eq!(at_gateway(&stored, "abcdef", Stance::Closed, registered), waits, "{stored:?} {registered:?}");
        }
    }

    #[test]
    fn a_live_worker_has_ten_seconds_for_its_last_news() {
        let stream = bus::Keys::new("t")
            .and_then(|keys| Ok(keys.strategy(&bus::Scope::account("ns", "paper")?, "grid").inbox().clone()))
            .unwrap();
        let last = StreamId { ms: 1_000, ..StreamId::ZERO };
        let facts = |cursor: Option<StreamId>, now_ms| RecordFacts {
            now_ms,
            cursors: cursor.into_iter().map(|cursor| (stream.clone(), cursor)).collect(),
            ..RecordFacts::default()
        };
        let inbox = |last| InboxFacts { stream: stream.clone(), last };
        for (record, last, live, waits) in [
            (facts(None, 2_000), Some(last), true, true),
            (facts(Some(StreamId::ZERO), 10_999), Some(last), true, true),
            (facts(None, 11_000), Some(last), true, false),
            (facts(None, 2_000), Some(last), false, false),
            (facts(Some(last), 2_000), Some(last), true, false),
            (facts(None, 2_000), None, true, false),
            (RecordFacts { closed: true, ..facts(None, 2_000) }, Some(last), true, false),
        ] {
            assert_eq!(at_inbox(&record, &inbox(last), live).is_some(), waits, "{record:?}");
        }
    }
}
