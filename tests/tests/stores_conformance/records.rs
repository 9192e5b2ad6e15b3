//! Records: who may commit, and that a commit is whole.

use bus::{
    AcquireOutcome, BeatOutcome, Claim, CloseOutcome, Closing, Commit, CommitOutcome, CreateOutcome, Desired,
    DesiredOutcome, Fields, Keys, Message, MessageBus, Record, RegisterVersion, StateStore, StreamId, Topic,
};
use engine::client_order_id::LedgerId;

use crate::store::{Store, acquired, change, contents, created, keys, message, owner, stream};

async fn record(bus: &impl StateStore) -> Record {
    bus.record(&owner()).await.unwrap().unwrap()
}

pub async fn a_created_record_starts_empty(store: &impl Store) {
    let bus = store.bus();
    assert_eq!(bus.record(&owner()).await.unwrap(), None);
    let fields = Fields::from([("capital".to_owned(), "1000".into()), (String::new(), "".into())]);
    let outcome = bus.create(&owner(), "uid-1", &fields).await.unwrap();
    let CreateOutcome::Created { ledger } = outcome else { panic!("{outcome:?}") };
    assert!(ledger.len() == LedgerId::LENGTH && ledger.bytes().all(|byte| LedgerId::ALPHABET.contains(&byte)));
    let expected = Record {
        uid: "uid-1".to_owned(),
        ledger,
        epoch: 0,
        incarnation: 0,
        version: 0,
        commit_id: String::new(),
        cursors: [].into(),
        fields: fields.into(),
        closed: false,
        at_ms: 0,
        beat_ms: 0,
        followed: None,
    };
    assert_eq!(record(bus).await, expected);
}

pub async fn an_open_record_exists(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    let again = bus.create(&owner(), "uid-2", &Fields::from([("a".to_owned(), "b".into())])).await.unwrap();
    assert_eq!(again, CreateOutcome::Exists { uid: "uid-1".to_owned(), ledger });
    assert!(record(bus).await.fields.is_empty());
}

pub async fn a_commit_changes_everything_at_once(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    let first = acquired(bus, &ledger, 3).await;
    assert_eq!((first.lease.epoch, first.lease.incarnation, first.version), (3, 1, 0));
    let inbox = owner().inbox().clone();
    let commit = Commit {
        expected_version: 0,
        commit_id: "c1".to_owned(),
        cursors: vec![(inbox.clone(), StreamId::new(7, 1))],
        set: vec![("kept".to_owned(), "1".into()), ("gone".to_owned(), "2".into())],
        messages: vec![message("m1"), Message::new(stream(Topic::OrderFill), 2, "f1"), message("m2")],
        ..Commit::default()
    };
    let outcome = bus.commit(&first.lease, &commit).await.unwrap();
    let CommitOutcome::Committed { version: 1, ids, register: None } = outcome else { panic!("{outcome:?}") };
    let commands = bus.range(&stream(Topic::OrderCommand), StreamId::ZERO, StreamId::MAX, 9).await.unwrap();
    let fills = bus.range(&stream(Topic::OrderFill), StreamId::ZERO, StreamId::MAX, 9).await.unwrap();
    assert_eq!(ids, [commands[0].id, fills[0].id, commands[1].id]);
    assert_eq!(fills[0].body, bus::Body::Document { version: 2, data: "f1".into() });

    let commit = Commit {
        expected_version: 1,
        commit_id: "c2".to_owned(),
        cursors: vec![(stream(Topic::Report), StreamId::new(8, 0))],
        delete: vec!["gone".to_owned(), "never".to_owned(), "both".to_owned()],
        set: vec![("both".to_owned(), "3".into())],
        ..Commit::default()
    };
    let outcome = bus.commit(&first.lease, &commit).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Committed { version: 2, ids: vec![], register: None });
    let second = acquired(bus, &ledger, 3).await;
    assert_eq!((second.lease.incarnation, second.version), (2, 2));
    assert_eq!(second.cursors, [(inbox, StreamId::new(7, 1)), (stream(Topic::Report), StreamId::new(8, 0))].into());
    assert_eq!(*second.fields, [("kept".to_owned(), "1".into()), ("both".to_owned(), "3".into())].into());
    assert_eq!(record(bus).await.commit_id, "c2");
}

pub async fn a_repeated_commit_is_a_duplicate(store: &impl Store) {
    let bus = store.bus();
    let lease = acquired(bus, &created(bus).await, 1).await.lease;
    let commit = change(0, "c1");
    bus.commit(&lease, &commit).await.unwrap();
    for _ in 0..3 {
        assert_eq!(bus.commit(&lease, &commit).await.unwrap(), CommitOutcome::Duplicate { register: None });
    }
    assert_eq!(contents(bus, &stream(Topic::OrderCommand)).await, ["c1"]);
    assert_eq!(record(bus).await.version, 1);
    // Two versions on, it is no repetition any more but a lost past.
    bus.commit(&lease, &change(1, "c2")).await.unwrap();
    assert_eq!(bus.commit(&lease, &commit).await.unwrap(), CommitOutcome::Conflict { version: 2 });
}

pub async fn another_commit_at_that_version_conflicts(store: &impl Store) {
    let bus = store.bus();
    let lease = acquired(bus, &created(bus).await, 1).await.lease;
    bus.commit(&lease, &change(0, "c1")).await.unwrap();
    assert_eq!(bus.commit(&lease, &change(0, "c2")).await.unwrap(), CommitOutcome::Conflict { version: 1 });
    assert_eq!(bus.commit(&lease, &change(5, "c2")).await.unwrap(), CommitOutcome::Conflict { version: 1 });
    // The same id at another version is another commit.
    assert_eq!(bus.commit(&lease, &change(3, "c1")).await.unwrap(), CommitOutcome::Conflict { version: 1 });
    assert_eq!(contents(bus, &stream(Topic::OrderCommand)).await, ["c1"]);
    assert_eq!(record(bus).await.fields["last"].as_ref(), "c1");
}

pub async fn an_older_epoch_is_fenced(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    let old = acquired(bus, &ledger, 9).await.lease;
    bus.commit(&old, &change(0, "c1")).await.unwrap();
    // 10 against 9: as numbers, not as text.
    let new = acquired(bus, &ledger, 10).await.lease;
    let fenced = CommitOutcome::Fenced { epoch: 10, incarnation: 2 };
    assert_eq!(bus.commit(&old, &change(1, "c2")).await.unwrap(), fenced);
    // Fenced goes before duplicate: the old one must stop, whatever it repeats.
    assert_eq!(bus.commit(&old, &change(0, "c1")).await.unwrap(), fenced);
    assert_eq!(bus.acquire(&owner(), &ledger, 9).await.unwrap(), AcquireOutcome::Fenced { epoch: 10 });
    assert_eq!(contents(bus, &stream(Topic::OrderCommand)).await, ["c1"]);
    let outcome = bus.commit(&new, &change(1, "c3")).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed { version: 2, .. }), "{outcome:?}");
}

pub async fn an_older_incarnation_is_fenced(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    let past = acquired(bus, &ledger, 1).await.lease;
    let present = acquired(bus, &ledger, 1).await.lease;
    let fenced = CommitOutcome::Fenced { epoch: 1, incarnation: 2 };
    assert_eq!(bus.commit(&past, &change(0, "c1")).await.unwrap(), fenced);
    assert!(matches!(bus.commit(&present, &change(0, "c1")).await.unwrap(), CommitOutcome::Committed { .. }));
    // Counted on across epochs.
    assert_eq!(acquired(bus, &ledger, 2).await.lease.incarnation, 3);
}

pub async fn nothing_is_created_by_acquire_or_commit(store: &impl Store) {
    let bus = store.bus();
    assert_eq!(bus.acquire(&owner(), "abc123", 1).await.unwrap(), AcquireOutcome::Missing);
    let lease = bus::Lease { owner: owner(), ledger: "abc123".to_owned(), epoch: 1, incarnation: 1 };
    assert_eq!(bus.commit(&lease, &change(0, "c1")).await.unwrap(), CommitOutcome::Missing);
    assert_eq!(bus.close(&owner(), "abc123", Closing::default()).await.unwrap(), CloseOutcome::Missing);
    assert_eq!(bus.record(&owner()).await.unwrap(), None);
    assert_eq!(bus.last_id(&stream(Topic::OrderCommand)).await.unwrap(), None);
}

pub async fn another_ledger_is_told(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    let lease = acquired(bus, &ledger, 1).await.lease;
    let stranger = bus::Lease { ledger: "000000".to_owned(), ..lease.clone() };
    let other = AcquireOutcome::OtherLedger { ledger: ledger.clone() };
    assert_eq!(bus.acquire(&owner(), "000000", 2).await.unwrap(), other);
    let other = CommitOutcome::OtherLedger { ledger: ledger.clone() };
    assert_eq!(bus.commit(&stranger, &change(0, "c1")).await.unwrap(), other);
    let other = CloseOutcome::OtherLedger { ledger: ledger.clone() };
    assert_eq!(bus.close(&owner(), "000000", Closing::default()).await.unwrap(), other);
    assert!(matches!(bus.commit(&lease, &change(0, "c1")).await.unwrap(), CommitOutcome::Committed { .. }));
}

pub async fn a_closed_ledger_stays_closed(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    let lease = acquired(bus, &ledger, 1).await.lease;
    let set = vec![("last".to_owned(), "c1".into()), ("bulk".to_owned(), "x".into())];
    bus.commit(&lease, &Commit { set, ..change(0, "c1") }).await.unwrap();
    let (gone, other) = (stream(Topic::OrderCommand), stream(Topic::OrderFill));
    bus.publish(&Message::new(other.clone(), 1, "of another")).await.unwrap();
    let closing = Closing { drop: &[gone.clone(), owner().inbox().clone()], keep: &["last"] };
    for _ in 0..2 {
        assert_eq!(bus.close(&owner(), &ledger, closing).await.unwrap(), CloseOutcome::Closed);
    }
    assert_eq!(bus.acquire(&owner(), &ledger, 2).await.unwrap(), AcquireOutcome::Closed);
    assert_eq!(bus.commit(&lease, &change(1, "c2")).await.unwrap(), CommitOutcome::Closed);
    let tombstone = record(bus).await;
    assert!(tombstone.closed);
    assert_eq!(*tombstone.fields, [("last".to_owned(), "c1".into())].into(), "only what is to stay stays readable");
    assert_eq!((tombstone.version, tombstone.cursors.len()), (1, 0));
    assert_eq!(bus.last_id(&gone).await.unwrap(), None, "the key went with its entries");
    assert_eq!(contents(bus, &other).await, ["of another"]);
    assert_eq!(bus.beat(&lease).await.unwrap(), BeatOutcome::Closed);

    let next = created(bus).await;
    assert_ne!(next, ledger);
    let fresh = record(bus).await;
    assert_eq!((fresh.version, fresh.epoch, fresh.closed), (0, 0, false));
    assert!(fresh.fields.is_empty() && fresh.cursors.is_empty());
    let other = AcquireOutcome::OtherLedger { ledger: next.clone() };
    assert_eq!(bus.acquire(&owner(), &ledger, 9).await.unwrap(), other);
    assert_eq!(
        bus.commit(&lease, &change(1, "c2")).await.unwrap(),
        CommitOutcome::OtherLedger { ledger: next.clone() }
    );
    acquired(bus, &next, 1).await;
}

/// Whoever is late is told of the register with the commit that it makes anyway, or with its beat.
pub async fn commits_and_beats_tell_of_the_register(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    let lease = acquired(bus, &ledger, 1).await.lease;
    assert_eq!(bus.beat(&lease).await.unwrap(), BeatOutcome::Beaten { version: 0, register: None, full: false });
    let desired = Desired { generation: 3, token: u64::MAX, value: "stop".into() };
    bus.set_desired(&owner(), &desired).await.unwrap();
    let register = Some(RegisterVersion { generation: 3, token: u64::MAX });
    assert_eq!(bus.beat(&lease).await.unwrap(), BeatOutcome::Beaten { version: 0, register, full: false });
    let first = Commit { followed: register, ..change(0, "c1") };
    let outcome = bus.commit(&lease, &first).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed { register: told, .. } if told == register), "{outcome:?}");
    assert_eq!(bus.commit(&lease, &first).await.unwrap(), CommitOutcome::Duplicate { register });
    assert_eq!(record(bus).await.followed, register);
    // What is followed stays until another version is.
    bus.commit(&lease, &change(1, "c2")).await.unwrap();
    assert_eq!(acquired(bus, &ledger, 1).await.followed, register);
}

/// What was judged by one register is not stored under another: who judged it was frozen meanwhile, or has not heard yet.
pub async fn what_was_judged_by_an_older_register_is_not_stored(store: &impl Store) {
    let bus = store.bus();
    let lease = acquired(bus, &created(bus).await, 1).await.lease;
    let judged = |version: u64, followed| Commit { judged: true, followed, ..change(version, &format!("c{version}")) };
    let outcome = bus.commit(&lease, &judged(0, None)).await.unwrap();
    assert!(
        matches!(outcome, CommitOutcome::Committed { register: None, .. }),
        "no register says nothing: {outcome:?}"
    );
    let (old, new) =
        (RegisterVersion { generation: 1, token: u64::MAX }, RegisterVersion { generation: 2, token: u64::MAX });
    for register in [old, new] {
        let (generation, token) = (register.generation, register.token);
        bus.set_desired(&owner(), &Desired { generation, token, value: "stop".into() }).await.unwrap();
    }
    let before = record(bus).await;
    for followed in [None, Some(old)] {
        let news = CommitOutcome::RegisterNews { register: new };
        assert_eq!(bus.commit(&lease, &judged(1, followed)).await.unwrap(), news);
    }
    assert_eq!(record(bus).await, before);
    assert_eq!(contents(bus, &stream(Topic::OrderCommand)).await.len(), 1);
    // Who judges nothing stores what has happened, whatever is desired by now.
    let told = Commit { judged: false, ..judged(1, Some(old)) };
    assert!(matches!(bus.commit(&lease, &told).await.unwrap(), CommitOutcome::Committed { version: 2, .. }));
    let followed = judged(2, Some(new));
    assert!(matches!(bus.commit(&lease, &followed).await.unwrap(), CommitOutcome::Committed { version: 3, .. }));
    // One that was stored is found again, also where the register has changed since.
    bus.set_desired(&owner(), &Desired { generation: 3, token: 1, value: "go".into() }).await.unwrap();
    assert!(matches!(bus.commit(&lease, &followed).await.unwrap(), CommitOutcome::Duplicate { .. }));
}

pub async fn a_record_tells_when_its_owner_was_seen(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    assert_eq!(record(bus).await.seen_ms(), 0, "nobody has been seen yet");
    let before = bus.now_ms().await.unwrap();
    let lease = acquired(bus, &ledger, 1).await.lease;
    let (since, none) = (record(bus).await.beat_ms, record(bus).await.at_ms);
    assert!(since >= before && none == 0);
    bus.commit(&lease, &change(0, "c1")).await.unwrap();
    let committed = record(bus).await.at_ms;
    assert!(committed >= since);
    bus.beat(&lease).await.unwrap();
    let last = record(bus).await;
    assert!(last.beat_ms >= committed && last.at_ms == committed && last.version == 1);
    let now = bus.now_ms().await.unwrap();
    assert!(last.seen_ms() <= now);

    let newer = acquired(bus, &ledger, 2).await.lease;
    let fenced = BeatOutcome::Fenced { epoch: 2, incarnation: 2 };
    assert_eq!(bus.beat(&lease).await.unwrap(), fenced, "who was replaced gives no sign of life");
    let stranger = bus::Lease { ledger: "000000".to_owned(), ..newer };
    assert_eq!(bus.beat(&stranger).await.unwrap(), BeatOutcome::OtherLedger { ledger });
}

pub async fn a_full_stream_is_busy(store: &impl Store) {
    let bus = store.bus();
    let lease = acquired(bus, &created(bus).await, 1).await.lease;
    let bounded = |expected_version, id: &str| Commit {
        messages: vec![Message::new(stream(Topic::OrderFill), 1, "f"), message(id).with_bound(2)],
        ..change(expected_version, id)
    };
    bus.commit(&lease, &bounded(0, "c1")).await.unwrap();
    bus.commit(&lease, &bounded(1, "c2")).await.unwrap();
    let busy = CommitOutcome::Busy { stream: stream(Topic::OrderCommand) };
    assert_eq!(bus.commit(&lease, &bounded(2, "c3")).await.unwrap(), busy);
    assert_eq!(contents(bus, &stream(Topic::OrderFill)).await.len(), 2, "nothing of a busy commit is written");
    assert_eq!(record(bus).await.fields["last"].as_ref(), "c2");
    // A message without a bound passes: a cancel.
    let outcome = bus.commit(&lease, &change(2, "c4")).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed { version: 3, .. }), "{outcome:?}");
    assert_eq!(contents(bus, &stream(Topic::OrderCommand)).await, ["c1", "c2", "c4"]);
}

pub async fn a_commit_trims_what_was_read(store: &impl Store) {
    let bus = store.bus();
    let lease = acquired(bus, &created(bus).await, 1).await.lease;
    let inbox = owner().inbox().clone();
    for data in ["a", "b", "c"] {
        bus.publish(&Message::new(inbox.clone(), 1, data)).await.unwrap();
    }
    let entries = bus.range(&inbox, StreamId::ZERO, StreamId::MAX, 10).await.unwrap();
    let commit = Commit {
        cursors: vec![(inbox.clone(), entries[1].id)],
        trims: vec![(inbox.clone(), entries[1].id), (stream(Topic::DeadLetter), StreamId::MAX)],
        ..change(0, "c1")
    };
    bus.commit(&lease, &commit).await.unwrap();
    assert_eq!(contents(bus, &inbox).await, ["c"]);
    assert_eq!(record(bus).await.cursors[&inbox], entries[1].id);
    assert_eq!(bus.last_id(&stream(Topic::DeadLetter)).await.unwrap(), None, "a trim makes no stream");
}

/// More than Lua can unpack at once.
pub async fn many_fields_fit_one_commit(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    let lease = acquired(bus, &ledger, 1).await.lease;
    let names = || (0..9001).map(|number| format!("field-{number}"));
    let set = names().map(|name| (name.clone(), name.into())).collect();
    bus.commit(&lease, &Commit { set, ..change(0, "c1") }).await.unwrap();
    let held = record(bus).await.fields;
    assert_eq!(held.len(), 9001);
    assert!(held.iter().all(|(name, value)| *name == **value), "names and values stay together");
    let delete = names().collect();
    bus.commit(&lease, &Commit { delete, ..change(1, "c2") }).await.unwrap();
    assert_eq!(record(bus).await.fields.len(), 1);
}

/// Lua's numbers are exact only to 2^53.
pub async fn big_numbers_are_exact(store: &impl Store) {
    const BIG: u64 = 1 << 60;
    let bus = store.bus();
    let ledger = created(bus).await;
    let lease = acquired(bus, &ledger, BIG + 1).await.lease;
    assert_eq!(lease.epoch, BIG + 1);
    let fenced = AcquireOutcome::Fenced { epoch: BIG + 1 };
    assert_eq!(bus.acquire(&owner(), &ledger, BIG).await.unwrap(), fenced);
    let desired = |generation| Desired { generation, token: u64::MAX, value: "x".into() };
    bus.set_desired(&owner(), &desired(BIG + 1)).await.unwrap();
    let older = DesiredOutcome::Older { generation: BIG + 1, token: u64::MAX };
    assert_eq!(bus.set_desired(&owner(), &desired(BIG)).await.unwrap(), older);
}

pub async fn the_register_keeps_the_newest(store: &impl Store) {
    let bus = store.bus();
    assert_eq!(bus.desired(&owner()).await.unwrap(), None);
    let desired = |generation, token, value: &str| Desired { generation, token, value: value.into() };
    for (next, outcome) in [
        (desired(1, 1, "a"), DesiredOutcome::Applied),
        (desired(1, 1, "a"), DesiredOutcome::Applied),
        (desired(1, 1, "b"), DesiredOutcome::Older { generation: 1, token: 1 }),
        (desired(1, 2, "c"), DesiredOutcome::Applied),
        (desired(1, 1, "a"), DesiredOutcome::Older { generation: 1, token: 2 }),
        (desired(10, 1, "d"), DesiredOutcome::Applied),
        (desired(9, 99, "e"), DesiredOutcome::Older { generation: 10, token: 1 }),
        (desired(10, 9, "f"), DesiredOutcome::Applied),
        (desired(10, 10, "g"), DesiredOutcome::Applied),
    ] {
        assert_eq!(bus.set_desired(&owner(), &next).await.unwrap(), outcome, "{next:?}");
        if outcome == DesiredOutcome::Applied {
            assert_eq!(bus.desired(&owner()).await.unwrap(), Some(next));
        }
    }
    assert_eq!(bus.record(&owner()).await.unwrap(), None, "the register is not the record");
}

pub async fn a_prefix_belongs_to_one_installation(store: &impl Store) {
    let bus = store.bus();
    for _ in 0..2 {
        assert_eq!(bus.claim_installation(&keys(), "one").await.unwrap(), Claim::Claimed);
    }
    let other = Claim::Other { id: "one".to_owned() };
    assert_eq!(bus.claim_installation(&keys(), "two").await.unwrap(), other);
    let second = Keys::new("second").unwrap();
    assert_eq!(bus.claim_installation(&second, "two").await.unwrap(), Claim::Claimed);
}
